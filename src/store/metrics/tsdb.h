/* store/metrics/tsdb: the metrics store's door. Loop thread, except tsdb_read and the readers of a selection, which any one thread may call.
 * Design: series = (target, shape); head row groups per target; immutable parts; see head.h, part.h and doc/formats/metrics.md. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "loop/loop.h"
#include "loop/pool.h"
#include "loop/vfs.h"
#include "model/batch.h"
#include "model/labels.h"
#include "model/sample.h"
#include "model/sink.h"
#include "store/wal.h"

struct tsdb;
/* Series that match all of them are kept that long, in whatever form: the first rule of a list that matches counts. */
struct tsdb_keep_rule {
    const struct matcher *m;
    size_t n;
    int64_t keep_ms; /* 0: for ever */
};
struct tsdb_options {
    struct vfs *vfs;
    const char *dir;     /* NULL: memory only, no WAL (promqltest) */
    struct wal *wal;     /* set with tsdb_attach_wal after replay */
    struct pool *pool;   /* background sealing and compaction; NULL: inline */
    uint64_t series_max; /* active series; new ones beyond are dropped and counted, old ones never */
    unsigned labels_per_series_max;
    size_t label_value_bytes_max;
    uint32_t exemplars_max;                       /* the newest are kept, over restarts too; 0: 16,384 */
    int64_t out_of_order_ms;                      /* accept samples that much older than the newest of the database; 0: in order only */
    int64_t retention_ms;                         /* of raw samples; 0: for ever */
    int64_t retention_5m_ms, retention_1h_ms;     /* of what they are down-sampled to then; 0, or not longer than raw: that tier is not made */
    uint64_t retention_bytes;                     /* of all parts; 0: no limit */
    const struct tsdb_keep_rule *retention_rules; /* outlive the store */
    size_t retention_rule_n;
    int64_t seal_age_ms;   /* head data older than this goes into a part: default 30 min */
    size_t head_bytes_max; /* or when the head's samples exceed this, or 4 MiB and 64 bytes a series */
};
MUST_USE bool tsdb_open(const struct tsdb_options *o, struct tsdb **out, struct err *e);
/* WAL replay hands records here before the loop runs. */
MUST_USE bool tsdb_replay(struct tsdb *db, uint64_t lsn, str payload, struct err *e);
void tsdb_attach_wal(struct tsdb *db, struct wal *w);
void tsdb_close(struct tsdb *db); /* seals nothing; the WAL has it all */
/* Called from a timer about once a second: sealing, compaction, retention. */
void tsdb_tick(struct tsdb *db, int64_t now_ms);

/* Takes the batch. done as sink.h says. Order rule per series: newer than the last sample, or within out_of_order_ms; an equal (t, v) is
 * accepted silently, an equal t with another v is rejected "duplicate sample for timestamp", older is rejected "out of order sample". */
void tsdb_append(struct tsdb *db, struct metric_batch *b, push_done done, void *arg);
/* Tests and promqltest: same, without callbacks. */
MUST_USE bool tsdb_append_now(struct tsdb *db, struct metric_batch *b, struct push_result *r, struct err *e);

/* --- select: a frozen view of the series that match all matchers and have samples in [from_ms, to_ms]. */
struct tsdb_selection;
/* limit 0: none. Pins parts and copies the head's compressed bytes: later appends do not show. */
MUST_USE bool tsdb_select(struct tsdb *db, const struct matcher *m, size_t n, int64_t from_ms, int64_t to_ms, size_t limit,
                          struct tsdb_selection **out, struct err *e);
void tsdb_selection_free(struct tsdb_selection *s); /* loop thread */
size_t tsdb_selection_n(const struct tsdb_selection *s);
/* What one tsdb_read may allocate: 1 GiB unless set. */
void tsdb_selection_set_max_bytes(struct tsdb_selection *s, size_t max_bytes);
/* The step of the query: where raw samples are gone, 1 h or more reads the 1 h tier and less the 5 m tier, each where it exists, else the other. Loop
 * thread, before the first read; not called: 0. */
void tsdb_selection_set_step(struct tsdb_selection *s, int64_t step_ms);
/* The time ranges of this selection that come from a down-sampled tier, ascending; n 0: all samples are raw ones. Borrowed from s. */
struct tsdb_coarse {
    int64_t from_ms, to_ms, step_ms; /* step_ms: 300000 or 3600000 */
};
const struct tsdb_coarse *tsdb_selection_coarse(const struct tsdb_selection *s, size_t *n);
/* After reading: the first damage that made samples unreadable, or NULL. The reads succeed with what is whole; show this as a warning. */
const struct err *tsdb_selection_damage(const struct tsdb_selection *s);
struct labels tsdb_selection_labels(const struct tsdb_selection *s, size_t i); /* borrowed from s; series are in labels_cmp order */
/* Reads from disk what tsdb_read of series i needs (it does so itself, too). One thread at a time; then several threads may read different series. */
void tsdb_load(const struct tsdb_selection *s, size_t i);
/* Any one thread: samples of series i in [from_ms, to_ms], stale markers included. Memory from a; ERR_LIMIT beyond the selection's max_bytes. */
MUST_USE bool tsdb_read(const struct tsdb_selection *s, size_t i, int64_t from_ms, int64_t to_ms, struct arena *a, struct samples *out,
                        struct err *e);
/* A down-sampled sample stands for all since the sample before it, and has the time of the last of them. LAST is tsdb_read. COUNTER is LAST and,
 * where a counter was reset, two samples before it, what was counted until then and 0, so that increase() is right. The others are over the floats;
 * raw samples read as themselves, for COUNT as 1. Staleness markers stay markers; buckets without floats have markers in MIN, MAX and SUM. Times are
 * the same in all but COUNTER. */
enum tsdb_field { TSDB_LAST, TSDB_COUNTER, TSDB_MIN, TSDB_MAX, TSDB_SUM, TSDB_COUNT };
MUST_USE bool tsdb_read_field(const struct tsdb_selection *s, size_t i, enum tsdb_field f, int64_t from_ms, int64_t to_ms, struct arena *a,
                              struct samples *out, struct err *e);

/* --- administration, loop thread */
/* Hides the samples in [from_ms, to_ms] of the series that match all, up to the newest there is; persisted before it returns. The files lose them
 * when they are merged next. */
MUST_USE bool tsdb_delete_series(struct tsdb *db, const struct matcher *m, size_t n, int64_t from_ms, int64_t to_ms, struct err *e);
/* Lets the background lane rewrite, part by part, all that holds deleted samples. */
void tsdb_clean_tombstones(struct tsdb *db);
/* All samples there are now, as hard links in DIR/snapshots/NAME (letters, digits, - and _): a folder that can be used as metrics folder. done comes
 * on the loop thread, perhaps before this returns; e NULL: it worked. */
void tsdb_snapshot(struct tsdb *db, const char *name, void (*done)(void *arg, const struct err *e), void *arg);

/* --- metadata, loop thread; results in the arena, sorted. matchers n == 0: all. limit 0: none. */
MUST_USE bool tsdb_label_names(struct tsdb *db, const struct matcher *m, size_t n, int64_t from_ms, int64_t to_ms, struct arena *a, str **out,
                               size_t *out_n, struct err *e);
MUST_USE bool tsdb_label_values(struct tsdb *db, str name, const struct matcher *m, size_t n, int64_t from_ms, int64_t to_ms, struct arena *a,
                                str **out, size_t *out_n, struct err *e);
void tsdb_metadata(struct tsdb *db, str family, struct arena *a, struct metric_meta **out, size_t *n); /* family "": all */
struct series_exemplar {
    struct labels series;
    struct exemplar exemplar;
};
MUST_USE bool tsdb_exemplars(struct tsdb *db, const struct matcher *m, size_t n, int64_t from_ms, int64_t to_ms, struct arena *a,
                             struct series_exemplar **out, size_t *out_n, struct err *e);

struct tsdb_stats {
    uint64_t received, stored, rejected, dropped; /* samples: received = stored + rejected + dropped */
    uint64_t rejected_order, rejected_duplicate, rejected_labels, rejected_decoder, dropped_series_limit, dropped_io;
    uint64_t series, targets, shapes, head_bytes, head_samples, parts, part_bytes, part_samples, sealed, compactions, damaged_frames;
    int64_t min_ms, max_ms;               /* of all data; 0,0 when empty */
    uint64_t replayed_cells, replay_lost; /* lost: cells of the log that damage made unreadable */
    struct err first_damage;              /* ERR_NONE: none was met */
    uint64_t coarse_parts, tombstones;    /* down-sampled parts; deletions that files still hold samples of */
    uint64_t seal_failures;
    struct err seal_err; /* why the newest seal failed (it is tried again); ERR_NONE: it did not */
};
void tsdb_stats(const struct tsdb *db, struct tsdb_stats *out);
/* The parts that count, by their earliest sample; in the arena. */
struct tsdb_part_info {
    uint64_t number; /* its file is %016x.part */
    int64_t min_ms, max_ms;
    uint64_t samples, series, bytes;
    int64_t step_ms;           /* of down-sampled ones; 0: raw */
    const uint64_t *made_from; /* numbers of the parts it replaced */
    size_t made_from_n;
};
struct tsdb_part_info *tsdb_parts(const struct tsdb *db, struct arena *a, size_t *n);
void tsdb_count_refused(struct tsdb *db, size_t n); /* samples a decoder kept back: received and rejected */
/* Cardinality (status/tsdb): the top `limit` of each kind. */
struct name_count {
    str name;
    uint64_t n;
};
void tsdb_cardinality(struct tsdb *db, size_t limit, struct arena *a, struct name_count **by_metric, size_t *by_metric_n,
                      struct name_count **values_by_label, size_t *values_by_label_n, struct name_count **by_pair, size_t *by_pair_n,
                      struct name_count **bytes_by_label, size_t *bytes_by_label_n);
