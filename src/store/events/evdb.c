#include "store/events/evdb.h"

#include <stdlib.h>

#include "base/clock.h"
#include "codec/compress.h"
#include "store/events/snapshot.h"

enum {
    ATTRS_MAX = 1000,
    VALUE_BYTES_MAX = 1 << 20,
    HEAD_BYTES = 16 << 20,
    SEAL_AGE_MS = 10 * 60 * 1000,
    HEAD_REFUSE = 8, /* heads' worth unsealed: refuse, until sealing works again */
    TIER_N = 8,      /* parts of one size in the head become one */
    TIER_FIRST_BYTES = 8 << 10,
    TIER_LAST = 2,
    WAL_ZSTD_MIN = 256,
};
enum wal_codec { WAL_RAW, WAL_ZSTD };

static struct evdb_options with_defaults(struct evdb_options o) {
    if (o.attrs_max == 0) o.attrs_max = ATTRS_MAX;
    if (o.value_bytes_max == 0) o.value_bytes_max = VALUE_BYTES_MAX;
    if (o.head_bytes_max == 0) o.head_bytes_max = HEAD_BYTES;
    if (o.seal_age_ms == 0) o.seal_age_ms = SEAL_AGE_MS;
    return o;
}

bool evdb_open(const struct evdb_options *o, struct evdb **out, struct err *e) {
    struct evdb *db = mem_zalloc(sizeof *db);
    db->o = with_defaults(*o);
    db->dir = o->dir ? strdup(o->dir) : NULL;
    db->edges = edges_new();
    for (int k = 0; k < EVENT_KIND_N; k++) db->kind[k].writer = writer_new((enum event_kind)k);
    if (db->dir && !seal_open(db, e)) return evdb_close(db), false;
    *out = db;
    return true;
}

void evdb_attach_wal(struct evdb *db, struct wal *w) {
    db->wal = w;
}

void evdb_close(struct evdb *db) {
    if (!db) return;
    struct err ignored; /* nothing is lost that was promised: without WAL, what was not sealed was never durable */
    for (int k = 0; k < EVENT_KIND_N; k++) {
        struct kind_store *s = &db->kind[k];
        if (db->dir && !db->wal && s->head.n && !seal_inline(db, (enum event_kind)k, &ignored)) continue;
    }
    for (int k = 0; k < EVENT_KIND_N; k++) {
        struct kind_store *s = &db->kind[k];
        for (size_t i = 0; i < s->head.n; i++) part_unref(s->head.p[i]);
        for (size_t i = 0; i < s->parts.n; i++) part_unref(s->parts.p[i]);
        vec_done(&s->head);
        vec_done(&s->parts);
        writer_free(s->writer);
        files_changed(s);
    }
    edges_free(db->edges);
    buf_done(&db->edges_sealing);
    buf_done(&db->scratch);
    free(db->dir);
    free(db);
}

void evdb_tick(struct evdb *db, int64_t now_ms) {
    seal_tick(db, now_ms);
}

/* --- the head */

/* 0: below 8 KiB, 1: below 64 KiB, 2: large enough to stay as it is. */
static unsigned tier_of(const struct part *p) {
    unsigned tier = 0;
    for (uint64_t bytes = TIER_FIRST_BYTES; tier < TIER_LAST && p->raw_bytes >= bytes; bytes *= TIER_N) tier++;
    return tier;
}

/* The last n parts of the head become one. */
static void fold_head(struct kind_store *s, size_t n) {
    struct part **from = s->head.p + s->head.n - n;
    struct packer p;
    struct err e;
    struct part *merged;
    packer_open(&p, from[0]->kind, false);
    bool ok = merge_rows(from, n, &p, NULL, &e) && packer_close(&p, from[n - 1]->next_seq, &e);
    assert(ok); /* memory only: our own bytes, no input and no disk */
    str bytes = str_n(p.out.p, p.out.n);
    p.out = (struct buf){0};
    packer_done(&p);
    ok = part_open_bytes(bytes, &merged, &e);
    assert(ok);
    merged->wal_from = from[0]->wal_from;
    for (size_t i = 0; i < n; i++) {
        s->head_bytes -= from[i]->bytes.n;
        part_unref(from[i]);
    }
    s->head.n -= n;
    vec_push(&s->head, merged);
    s->head_bytes += merged->bytes.n;
}

static void tidy_head(struct kind_store *s) {
    while (s->head.n > s->sealing_n) {
        unsigned tier = tier_of(s->head.p[s->head.n - 1]);
        size_t n = 0;
        while (n < s->head.n - s->sealing_n && tier_of(s->head.p[s->head.n - 1 - n]) <= tier) n++;
        if (tier == TIER_LAST || n < TIER_N) return;
        fold_head(s, n);
    }
}

static void add_to_head(struct evdb *db, struct part *p) {
    struct kind_store *s = &db->kind[p->kind];
    if (p->kind == EVENT_SPAN) {
        AUTO(arena_free) struct arena *a = arena_new(16 << 10);
        for (uint32_t i = 0; i < p->block_n; i++) {
            struct block *b;
            struct err damage;
            if (block_open(p, i, a, &b, &damage)) edges_add_block(db->edges, b);
        }
    }
    if (s->head_since_ms == 0) s->head_since_ms = clock_wall_ms();
    catalog_free(TAKE(s->whole));
    vec_push(&s->head, p);
    s->head_bytes += p->bytes.n;
    s->next_seq = MAX(s->next_seq, p->next_seq);
    s->stored += p->rows;
    tidy_head(s);
}

/* --- append */

struct incoming {
    struct evdb *db;
    struct kind_store *store;
    struct event_batch *batch;
    uint32_t *order; /* accepted events, in block order */
    uint32_t order_n;
    uint8_t *stored_map;
    struct push_result result;
};

static int event_cmp(const void *l, const void *r, void *arg) {
    const struct incoming *in = arg;
    uint32_t i = *(const uint32_t *)l;
    uint32_t k = *(const uint32_t *)r;
    const struct event *a = &in->batch->events[i];
    const struct event *b = &in->batch->events[k];
    if (in->batch->kind == EVENT_SPAN) {
        if (a->trace.hi != b->trace.hi) return a->trace.hi < b->trace.hi ? -1 : 1;
        if (a->trace.lo != b->trace.lo) return a->trace.lo < b->trace.lo ? -1 : 1;
    } else if (a->stream != b->stream) {
        return a->stream < b->stream ? -1 : 1;
    }
    if (a->time_ns != b->time_ns) return a->time_ns < b->time_ns ? -1 : 1;
    return (i > k) - (i < k);
}

static void refuse(struct incoming *in, const struct err *why) {
    if (in->result.err.code == ERR_NONE) in->result.err = *why;
}

static void accept_events(struct incoming *in) {
    const struct event_batch *b = in->batch;
    struct cell_limits limits = {in->db->o.attrs_max, in->db->o.value_bytes_max};
    in->order = arena_new_n(b->arena, uint32_t, b->event_n + 1);
    in->stored_map = arena_zalloc(b->arena, b->event_n + 1);
    bool sorted = true;
    for (uint32_t i = 0; i < b->event_n; i++) {
        struct err why;
        assert(b->events[i].stream < b->stream_n);
        if (!event_check(&b->events[i], &limits, &why)) {
            refuse(in, &why);
            in->result.rejected++;
            continue;
        }
        if (in->order_n && event_cmp(&in->order[in->order_n - 1], &i, in) > 0) sorted = false;
        in->order[in->order_n++] = i;
    }
    if (!sorted) qsort_r(in->order, in->order_n, sizeof *in->order, event_cmp, in);
}

/* Writes events from order[from] on, until a block is full; returns behind the last. */
static uint32_t write_block(struct incoming *in, uint32_t from) {
    struct evdb *db = in->db;
    struct writer *w = in->store->writer;
    struct cell_limits limits = {db->o.attrs_max, db->o.value_bytes_max};
    struct buf encoded = {0};
    uint32_t stream = 0;
    uint32_t last = UINT32_MAX;
    uint32_t at = from;
    for (; at < in->order_n && !writer_full(w); at++) {
        const struct event *ev = &in->batch->events[in->order[at]];
        if (ev->stream != last) {
            buf_clear(&encoded);
            stream_encode(&encoded, &in->batch->streams[ev->stream]);
            stream = writer_stream(w, buf_str(&encoded));
            last = ev->stream;
        }
        writer_row(w, ev->time_ns, in->store->next_seq + (at - from), stream, ev->trace);
        in->store->truncated_values += event_flatten(w, ev, &limits, &db->scratch);
        writer_row_end(w);
    }
    buf_done(&encoded);
    return at;
}

static bool log_bytes(struct evdb *db, str bytes, uint64_t *lsn, struct err *e) {
    *lsn = 0;
    if (!db->wal) return true;
    struct buf *b = &db->scratch;
    buf_clear(b);
    buf_char(b, WAL_ZSTD);
    if (bytes.n >= WAL_ZSTD_MIN) zstd_encode(bytes, 1, b);
    if (bytes.n < WAL_ZSTD_MIN || b->n > bytes.n) {
        buf_clear(b);
        buf_char(b, WAL_RAW);
        buf_add(b, bytes);
    }
    return wal_append(db->wal, WAL_EVENTS, buf_str(b), lsn, e);
}

static struct part *open_own(struct packer *p) {
    struct part *part;
    struct err e;
    str bytes = str_n(p->out.p, p->out.n);
    p->out = (struct buf){0};
    bool ok = part_open_bytes(bytes, &part, &e);
    assert(ok); /* written a moment ago */
    return part;
}

/* One block: into the WAL, then into the head. */
static bool store_block(struct incoming *in, uint32_t from, uint32_t to, struct err *e) {
    struct packer p;
    uint64_t lsn;
    packer_open(&p, in->batch->kind, false);
    writer_flush(in->store->writer, &p);
    bool ok = packer_close(&p, in->store->next_seq + (to - from), e) && log_bytes(in->db, buf_str(&p.out), &lsn, e);
    if (ok) {
        struct part *part = open_own(&p);
        part->wal_from = lsn;
        add_to_head(in->db, part);
        for (uint32_t i = from; i < to; i++) in->stored_map[in->order[i]] = 1;
        in->result.stored += to - from;
    }
    packer_done(&p);
    return ok;
}

static bool has_room(const struct evdb *db, const struct kind_store *s, struct err *e) {
    if (!db->dir || s->head_bytes < db->o.head_bytes_max * HEAD_REFUSE) return true;
    return err_set(e, ERR_LIMIT, "events wait to be written to disk faster than it takes them%s%s", db->last_error.code ? ": " : "",
                   db->last_error.code ? db->last_error.msg : "");
}

static void store_events(struct incoming *in) {
    struct err e;
    uint32_t at = 0;
    bool ok = has_room(in->db, in->store, &e);
    while (ok && at < in->order_n) {
        uint32_t from = at;
        at = write_block(in, from);
        ok = store_block(in, from, at, &e);
    }
    in->result.dropped = in->order_n - in->result.stored;
    if (!ok) refuse(in, &e);
    if (in->result.stored < in->batch->event_n) in->result.stored_map = in->stored_map;
}

static void take_in(struct incoming *in) {
    assert_loop_thread();
    in->store = &in->db->kind[in->batch->kind];
    accept_events(in);
    store_events(in);
    struct kind_store *s = in->store;
    s->received += in->batch->event_n;
    s->rejected += in->result.rejected;
    s->dropped += in->result.dropped;
    assert(in->result.stored + in->result.rejected + in->result.dropped == in->batch->event_n);
    if (in->db->dir && s->head_bytes >= in->db->o.head_bytes_max && !in->db->task) seal_tick(in->db, clock_wall_ms());
}

/* A push whose group is being made durable. */
struct waiting {
    struct evdb *db;
    struct event_batch *batch;
    struct push_result result;
    push_done done;
    void *arg;
};
static void on_durable(void *arg, const struct err *e) {
    struct waiting *w = arg;
    if (e) {
        struct kind_store *s = &w->db->kind[w->batch->kind];
        s->stored -= w->result.stored;
        s->dropped += w->result.stored;
        w->result.dropped += w->result.stored;
        w->result.stored = 0;
        if (w->result.err.code == ERR_NONE) w->result.err = *e;
        if (w->result.stored_map) memset((uint8_t *)(uintptr_t)w->result.stored_map, 0, w->batch->event_n);
    }
    if (w->done) w->done(w->arg, &w->result);
    event_batch_free(w->batch);
    free(w);
}

void evdb_append(struct evdb *db, struct event_batch *b, push_done done, void *arg) {
    struct incoming in = {.db = db, .batch = b};
    take_in(&in);
    if (!db->wal || in.result.stored == 0) {
        if (done) done(arg, &in.result);
        event_batch_free(b);
        return;
    }
    struct waiting *w = mem_alloc(sizeof *w);
    *w = (struct waiting){db, b, in.result, done, arg};
    wal_commit(db->wal, on_durable, w);
}

bool evdb_append_now(struct evdb *db, struct event_batch *b, struct push_result *r, struct err *e) {
    struct incoming in = {.db = db, .batch = b};
    take_in(&in);
    in.result.stored_map = NULL; /* goes with the batch */
    event_batch_free(b);
    *r = in.result;
    if (r->err.code == ERR_NONE) return true;
    if (e) *e = r->err;
    return false;
}

bool evdb_replay(struct evdb *db, uint64_t lsn, str payload, struct err *e) {
    assert_loop_thread();
    if (payload.n == 0) return true;
    struct buf raw = {0};
    struct part *p;
    struct err damage; /* a record that is not one of ours was damaged before its checksum was made: nothing to recover */
    bool ok = payload.p[0] == WAL_RAW;
    if (ok)
        buf_add(&raw, str_from(payload, 1));
    else
        ok = payload.p[0] == WAL_ZSTD && zstd_decode(str_from(payload, 1), (size_t)1 << 30, &raw, &damage);
    if (!ok) return buf_done(&raw), true;
    if (!part_open_bytes(buf_str(&raw), &p, &damage)) return true;
    struct kind_store *s = &db->kind[p->kind];
    if (p->next_seq <= s->sealed_seq) return part_unref(p), true;
    p->wal_from = lsn;
    s->received += p->rows;
    add_to_head(db, p);
    if (db->dir && s->head_bytes >= db->o.head_bytes_max * 2) return seal_inline(db, p->kind, e);
    return true;
}

/* --- snapshots and catalogues */

struct evdb_snapshot *evdb_snapshot(struct evdb *db, enum event_kind kind, int64_t from_ns, int64_t to_ns) {
    assert_loop_thread();
    struct kind_store *s = &db->kind[kind];
    struct evdb_snapshot *snap = mem_zalloc(sizeof *snap);
    snap->kind = kind;
    snap->damaged = &s->damaged;
    snap->parts = mem_alloc((s->head.n + s->parts.n + 1) * sizeof(struct part *));
    for (size_t i = 0; i < s->parts.n + s->head.n; i++) {
        struct part *p = i < s->parts.n ? s->parts.p[i] : s->head.p[i - s->parts.n];
        if (p->min_ns <= to_ns && p->max_ns >= from_ns) snap->parts[snap->part_n++] = part_ref(p);
    }
    return snap;
}

void evdb_snapshot_free(struct evdb_snapshot *s) {
    if (!s) return;
    assert_loop_thread();
    for (size_t i = 0; i < s->part_n; i++) part_unref(s->parts[i]);
    free(s->parts);
    free(s);
}

uint64_t evdb_next_seq(const struct evdb *db, enum event_kind kind) {
    assert_loop_thread();
    return db->kind[kind].next_seq;
}

/* Every search asks: what did not change since the last one is not added up again. */
static const struct catalog *whole_catalog(struct evdb *db, enum event_kind kind) {
    assert_loop_thread();
    struct kind_store *s = &db->kind[kind];
    if (s->whole) return s->whole;
    if (!s->files) {
        s->files = catalog_new();
        for (size_t i = 0; i < s->parts.n; i++) catalog_add_part(s->files, s->parts.p[i]);
    }
    s->whole = catalog_new();
    catalog_add(s->whole, s->files);
    for (size_t i = 0; i < s->head.n; i++) catalog_add_part(s->whole, s->head.p[i]);
    return s->whole;
}

void evdb_fields(struct evdb *db, enum event_kind kind, struct arena *a, struct field_info **out, size_t *n) {
    catalog_fields(whole_catalog(db, kind), a, out, n);
}
void evdb_indices(struct evdb *db, struct arena *a, struct index_count **out, size_t *n) {
    catalog_indices(whole_catalog(db, EVENT_LOG), a, out, n);
}
void evdb_services(struct evdb *db, struct arena *a, str **out, size_t *n) {
    catalog_services(whole_catalog(db, EVENT_SPAN), a, out, n);
}
void evdb_operations(struct evdb *db, str service, struct arena *a, struct operation **out, size_t *n) {
    catalog_operations(whole_catalog(db, EVENT_SPAN), service, a, out, n);
}

void evdb_edges(struct evdb *db, int64_t from_ns, int64_t to_ns, struct arena *a, struct service_edge **out, size_t *n) {
    assert_loop_thread();
    struct edge_sum *sum = edge_sum_new(from_ns, to_ns);
    struct buf newest = {0};
    edges_put(db->edges, &newest);
    if (newest.n) edge_sum_add(sum, buf_str(&newest));
    buf_done(&newest);
    if (db->edges_sealing.n) edge_sum_add(sum, buf_str(&db->edges_sealing));
    const struct kind_store *s = &db->kind[EVENT_SPAN];
    for (size_t i = 0; i < s->parts.n; i++) edge_sum_add_part(sum, s->parts.p[i]);
    edge_sum_result(sum, a, out, n);
    edge_sum_free(sum);
}

void evdb_count_refused(struct evdb *db, enum event_kind kind, size_t n) {
    assert_loop_thread();
    db->kind[kind].received += n;
    db->kind[kind].rejected += n;
}

void evdb_stats(const struct evdb *db, struct evdb_stats *out) {
    *out = (struct evdb_stats){0};
    for (int k = 0; k < EVENT_KIND_N; k++) {
        const struct kind_store *s = &db->kind[k];
        __typeof__(&out->kind[k]) o = &out->kind[k];
        o->received = s->received;
        o->stored = s->stored;
        o->rejected = s->rejected;
        o->dropped = s->dropped;
        o->truncated_values = s->truncated_values;
        o->head_bytes = s->head_bytes;
        o->parts = s->parts.n;
        o->damaged_blocks = counter_get(&s->damaged);
        o->min_ns = INT64_MAX;
        o->max_ns = INT64_MIN;
        for (size_t i = 0; i < s->parts.n + s->head.n; i++) {
            const struct part *p = i < s->parts.n ? s->parts.p[i] : s->head.p[i - s->parts.n];
            if (i < s->parts.n) o->part_bytes += p->bytes.n, o->part_events += p->rows;
            if (i >= s->parts.n) o->head_events += p->rows;
            o->min_ns = MIN(o->min_ns, p->min_ns);
            o->max_ns = MAX(o->max_ns, p->max_ns);
        }
    }
}
