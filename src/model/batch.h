/* model/batch: decoded input on its way to a store. One arena holds all of it (the raw bytes too, if slices point into them); whoever holds the
 * pointer owns it; batch_free ends it. A batch is built by one thread and then frozen. */
#pragma once
#include "model/event.h"
#include "model/sample.h"

/* One series' new samples. Identity is lazy: equal (target, key) always means equal labels, so that the store looks up known series by the
 * bytes of `key` (raw exposition text, a remote-write label block) and asks for labels only once per new series. */
struct series_row {
    str key;                          /* non-empty, opaque */
    uint32_t sample_at, sample_n;     /* range in metric_batch.t_ms / v / h */
    uint32_t exemplar_at, exemplar_n; /* range in metric_batch.exemplars */
};

struct metric_batch {
    struct arena *arena;
    /* A scrape: the batch lists all that the target has at whole_t_ms. Series that were in the target's previous whole batch (at its time) and are
     * not in this one get a staleness marker at whole_t_ms from the store. An empty whole batch ends all of them (a failed scrape). */
    bool whole_target;
    int64_t whole_t_ms;
    /* Labels that every series of the batch gets (job, instance: a scrape target; an OTLP resource), sorted. Empty for remote write. */
    struct labels target;
    struct series_row *rows;
    size_t row_n;
    int64_t *t_ms; /* per sample */
    double *v;
    const struct histogram **h; /* NULL: no histograms in the batch */
    int64_t *st_ms;             /* NULL: no start timestamps */
    size_t sample_n;
    /* Per row, 1: its samples are differences (OTLP's delta temporality). NULL: none. Stores take sums only: api/otlp_delta makes them before the
     * push. */
    const uint8_t *deltas;
    struct exemplar *exemplars;
    size_t exemplar_n;
    struct metric_meta *metas;
    size_t meta_n;
    /* Decodes rows[i].key into the series' own labels (without those of `target`; sorted; may borrow from the batch). Pure; the store merges
     * target labels under them. false: the row is rejected with the reason. */
    bool (*row_labels)(const struct metric_batch *b, size_t i, struct arena *a, struct labels *out, struct err *e);
    const void *row_labels_arg; /* for row_labels */
};

struct event_batch {
    struct arena *arena;
    enum event_kind kind; /* all events of a batch are of one kind */
    struct stream *streams;
    size_t stream_n;
    struct event *events;
    size_t event_n;
};

struct metric_batch *metric_batch_new(size_t arena_bytes); /* the struct itself lives in its arena */
void metric_batch_free(struct metric_batch *b);
struct event_batch *event_batch_new(enum event_kind kind, size_t arena_bytes);
void event_batch_free(struct event_batch *b);
AUTO_DEFINE(struct metric_batch, metric_batch_free);
AUTO_DEFINE(struct event_batch, event_batch_free);
