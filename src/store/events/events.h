/* store/events/events: the events store's door (logs and spans). Loop thread, except the evdb_scan family on a snapshot, which any one thread may
 * call.
 *
 * Fields a filter or a row can name:
 *   log   attributes by flat dotted name; then resource attributes; "@timestamp" (time), "message" (body, if no attribute is called so),
 * "severity_text", "severity_number", "trace_id", "span_id", "service.name", "scope.name", "_index", "_id" span  "name" "service" "kind" (server...)
 * "status" (unset ok error) "duration" (ns) "start" (ns) "trace_id" "span_id" "parent_id" "status.message" "scope.name" "scope.version"; attributes
 * by name, or "span.K"; "resource.K"; "event.K" (attributes and "event.name"); "link.K"
 * A document (source_doc) has only its own fields: its body is not its "message" unless it is called so. "@timestamp", "start" and "duration" are
 * VAL_INT ns, ids are hex text (trace 32, span 16 digits), "_id" without a given one is the seq in 16 hex digits. '*' means none of "_id",
 * "_index", nor a span's ids, kind, status and duration. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "loop/loop.h"
#include "loop/pool.h"
#include "loop/vfs.h"
#include "model/batch.h"
#include "model/event.h"
#include "model/sink.h"
#include "store/events/filter.h"
#include "store/wal.h"

struct evdb;
struct evdb_options {
    struct vfs *vfs;
    const char *dir;   /* NULL: memory only */
    struct pool *pool; /* NULL: seal and merge inline */
    int64_t retention_ms[EVENT_KIND_N];
    uint64_t retention_bytes[EVENT_KIND_N];
    size_t head_bytes_max; /* seal the head of a kind at this size: default 16 MiB */
    int64_t seal_age_ms;
    unsigned attrs_max;     /* per event: more is rejected */
    size_t value_bytes_max; /* longer strings are truncated with a marker and counted, never dropped */
};
MUST_USE bool evdb_open(const struct evdb_options *o, struct evdb **out, struct err *e);
MUST_USE bool evdb_replay(struct evdb *db, uint64_t lsn, str payload, struct err *e);
void evdb_attach_wal(struct evdb *db, struct wal *w);
void evdb_close(struct evdb *db);
void evdb_tick(struct evdb *db, int64_t now_ms);
void evdb_append(struct evdb *db, struct event_batch *b, push_done done, void *arg); /* takes the batch; searchable when it returns */
MUST_USE bool evdb_append_now(struct evdb *db, struct event_batch *b, struct push_result *r, struct err *e);

/* --- scan: newest first or oldest first over a frozen view */
struct evdb_snapshot;
struct evdb_snapshot *evdb_snapshot(struct evdb *db, enum event_kind kind, int64_t from_ns, int64_t to_ns); /* loop thread; pins parts and head */
void evdb_snapshot_free(struct evdb_snapshot *s);                                                           /* loop thread */

/* Number the next event of the kind will get (evrow_seq): rows below it are the ones stored so far. Loop thread. */
uint64_t evdb_next_seq(const struct evdb *db, enum event_kind kind);

struct evrow; /* one event during a scan; valid in the callback only */
int64_t evrow_time_ns(const struct evrow *r);
/* Stable position of the event within its kind: total order (time_ns, seq), used for paging (search_after) and as default _id. */
uint64_t evrow_seq(const struct evrow *r);
/* Value of a field by name (first found in the order above); false: absent. Memory from a. */
bool evrow_get(const struct evrow *r, str field, struct arena *a, struct value *out);
/* The whole event; *stream is its stream. */
void evrow_event(const struct evrow *r, struct arena *a, struct event *out, struct stream *stream);

struct evscan {
    const struct filter *filter; /* NULL: all */
    int64_t from_ns, to_ns;      /* inclusive */
    bool oldest_first;
    bool any_order; /* counts and aggregations: the store may choose, and decode less */
    bool has_after; /* continue strictly behind (after_ns, after_seq) in the scan's order */
    int64_t after_ns;
    uint64_t after_seq;
    struct job *job;  /* deadline and cancel; NULL: none */
    size_t bytes_max; /* decoded bytes; 0: none. ERR_LIMIT */
};
struct evscan_stats {
    uint64_t rows_scanned, rows_matched, blocks, blocks_skipped;
};
/* Calls row for every match; row returns false to stop. */
MUST_USE bool evdb_scan(const struct evdb_snapshot *s, const struct evscan *q, bool (*row)(void *arg, const struct evrow *r), void *arg,
                        struct evscan_stats *stats, struct err *e);
/* How many events match; rows are not shown to anybody. order and has_after of q do not count. */
MUST_USE bool evdb_count(const struct evdb_snapshot *s, const struct evscan *q, uint64_t *n, struct evscan_stats *stats, struct err *e);
/* Matches per time bucket without touching rows where possible: counts[(t - from_ns) / bucket_ns]. */
MUST_USE bool evdb_histogram(const struct evdb_snapshot *s, const struct evscan *q, int64_t bucket_ns, uint64_t *counts, size_t n, struct err *e);
/* All spans of a trace, by start time; n = 0: unknown. Snapshot of EVENT_SPAN. */
MUST_USE bool evdb_trace(const struct evdb_snapshot *s, struct trace_id id, struct arena *a, struct event **events,
                         struct stream **streams /* one per event */, size_t *n, struct err *e);

/* --- catalogues (loop thread; results in the arena) */
struct field_info {
    str name;
    unsigned types; /* bit (1 << enum value_type) seen */
    uint64_t n;     /* events seen with it (approximate after compaction) */
    bool all_dates; /* every string value was an ISO date */
};
void evdb_fields(struct evdb *db, enum event_kind kind, struct arena *a, struct field_info **out, size_t *n);
struct index_count {
    str name; /* Elasticsearch index of pushed documents */
    uint64_t events;
};
void evdb_indices(struct evdb *db, struct arena *a, struct index_count **out, size_t *n);
void evdb_services(struct evdb *db, struct arena *a, str **out, size_t *n); /* services with spans, sorted */
struct operation {
    str name;
    enum span_kind kind;
};
void evdb_operations(struct evdb *db, str service, struct arena *a, struct operation **out, size_t *n); /* sorted by name, kind */
struct service_edge {
    str parent, child;
    uint64_t calls, errors;
};
void evdb_edges(struct evdb *db, int64_t from_ns, int64_t to_ns, struct arena *a, struct service_edge **out, size_t *n);

struct evdb_stats {
    struct {
        uint64_t received, stored, rejected, dropped; /* received = stored + rejected + dropped */
        uint64_t truncated_values, head_events, head_bytes, parts, part_bytes, part_events, damaged_blocks;
        int64_t min_ns, max_ns;
    } kind[EVENT_KIND_N];
};
void evdb_stats(const struct evdb *db, struct evdb_stats *out);
void evdb_count_refused(struct evdb *db, enum event_kind kind, size_t n); /* events a decoder kept back: received and rejected */
