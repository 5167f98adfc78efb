/* model/sink: where decoded batches go: the embedded store, or (later) the agent's forwarder. Loop thread only.
 * Conservation: every item received ends in exactly one of stored, rejected, dropped. A decoder that refuses single items of a body keeps them out of
 * the batch and reports their number with count_refused. */
#pragma once
#include "base/err.h"
#include "model/batch.h"

struct push_result {
    size_t stored, rejected, dropped; /* samples, logs or spans. rejected: the item is wrong; dropped: we could not take it (limit, disk) */
    size_t created;                   /* metrics: new series among the stored */
    size_t over_limit;                /* metrics: of the dropped, those of new series beyond the limit: the same again would be dropped again */
    size_t histograms, exemplars;     /* metrics: native histograms among the stored; exemplars taken beside them */
    struct err err;                   /* first reason for a rejection or drop; code ERR_NONE when all were stored */
    /* Event batches: per event 1 = stored; NULL when all were (borrowed for the callback). */
    const uint8_t *stored_map;
};
/* Called on the loop thread, once, after the batch is durable by the configured rule (or refused). May be called before push returns. */
typedef void (*push_done)(void *arg, const struct push_result *r);

enum signal { SIGNAL_METRICS, SIGNAL_LOGS, SIGNAL_TRACES, SIGNAL_N };
/* count_refused: a body, packet or page that could not be read at all, so that nobody knows how many items it held. */
#define ITEMS_UNKNOWN SIZE_MAX

struct sink {
    /* Take ownership of the batch. done may be NULL. */
    void (*push_metrics)(struct sink *s, struct metric_batch *b, push_done done, void *arg);
    void (*push_events)(struct sink *s, struct event_batch *b, push_done done, void *arg);
    /* n items were received and rejected before they reached a batch. */
    void (*count_refused)(struct sink *s, enum signal signal, size_t n);
};
