/* Scans over a snapshot. Any order: block after block. In order: blocks wait, sorted by the first time they could hold, and are matched when
 * the scan reaches them; the matches of those begun are merged through a heap. What a begun block keeps is its matches (16 bytes a row); its
 * decoded columns go when too much is open, and are read again for the next row shown. */
#include <stdlib.h>

#include "store/events/snapshot.h"

enum { OPEN_BYTES_MAX = 48 << 20, FIRST_CHUNK = 16 << 10 };

struct hit {
    int64_t time_ns;
    uint64_t seq;
    uint32_t row;
};
struct cursor {
    const struct part *part;
    uint32_t index;
    struct arena *arena; /* NULL: block not open */
    struct block *block;
    struct hit *hits; /* in the scan's order, from `at` on */
    size_t at, n;
    uint64_t used; /* when last: for choosing what to close */
};
struct scan {
    const struct evdb_snapshot *s;
    const struct evscan *q;
    struct evscan_stats *stats;
    struct err *e;
    struct cursor *cursors; /* candidates in order of their first possible time */
    size_t cursor_n, begun;
    struct cursor **heap;
    size_t heap_n;
    size_t open_bytes, charged_bytes;
    uint64_t clock;
};

static bool charge(struct scan *x, size_t bytes) {
    x->charged_bytes += bytes;
    if (x->q->bytes_max == 0 || x->charged_bytes <= x->q->bytes_max) return true;
    return err_set(x->e, ERR_LIMIT, "query decoded more than %zu bytes: narrow the time range or the filter", x->q->bytes_max);
}

static void close_block(struct scan *x, struct cursor *c) {
    if (!c->arena) return;
    x->open_bytes -= MIN(x->open_bytes, arena_used_bytes(c->arena));
    arena_free(c->arena);
    c->arena = NULL;
    c->block = NULL;
}

static void skip_damaged(struct scan *x, struct cursor *c) {
    counter_add(x->s->damaged, 1);
    close_block(x, c);
    c->at = c->n = 0;
}

static bool open_block(struct scan *x, struct cursor *c) {
    struct err damage;
    c->used = ++x->clock;
    if (c->block) return true;
    c->arena = arena_new(FIRST_CHUNK);
    if (block_open(c->part, c->index, c->arena, &c->block, &damage)) return true;
    skip_damaged(x, c);
    return false;
}

/* Closes the blocks used longest ago until what is open fits. */
static void make_room(struct scan *x, const struct cursor *keep) {
    while (x->open_bytes > OPEN_BYTES_MAX) {
        struct cursor *oldest = NULL;
        for (size_t i = 0; i < x->begun; i++) {
            struct cursor *c = &x->cursors[i];
            if (c != keep && c->arena && (!oldest || c->used < oldest->used)) oldest = c;
        }
        if (!oldest) return;
        close_block(x, oldest);
    }
}

/* Matches the rows of a candidate. false: the scan failed; damage is not failure, the block then has no hits. */
static bool match_block(struct scan *x, struct cursor *c, uint64_t **bits, uint32_t *n) {
    *n = 0;
    if (x->q->job && !job_check(x->q->job, x->e)) return false;
    if (!open_block(x, c)) return true;
    struct block *b = c->block;
    *bits = arena_zalloc(c->arena, bit_words(b->row_n) * sizeof **bits);
    struct err e = {0};
    bool ok = block_match(b, x->q->filter, x->q->from_ns, x->q->to_ns, x->q->job, *bits, n, &e);
    if (!ok && e.code != ERR_CORRUPT) return *x->e = e, false;
    if (!ok) {
        *n = 0;
        skip_damaged(x, c);
        return true;
    }
    x->stats->blocks++;
    x->stats->rows_scanned += b->row_n;
    x->open_bytes += arena_used_bytes(c->arena);
    return charge(x, arena_used_bytes(c->arena));
}

static int compare(const struct scan *x, int64_t at, uint64_t aseq, int64_t bt, uint64_t bseq) {
    int c = at != bt ? (at < bt ? -1 : 1) : (aseq > bseq) - (aseq < bseq);
    return x->q->oldest_first ? c : -c;
}

static int hit_cmp(const void *l, const void *r) {
    const struct hit *a = l;
    const struct hit *b = r;
    if (a->time_ns != b->time_ns) return a->time_ns < b->time_ns ? -1 : 1;
    return (a->seq > b->seq) - (a->seq < b->seq);
}

static void sort_hits(struct hit *h, size_t n, bool oldest_first) {
    bool sorted = true;
    for (size_t i = 1; i < n && sorted; i++) sorted = hit_cmp(&h[i - 1], &h[i]) < 0;
    if (!sorted) qsort(h, n, sizeof *h, hit_cmp);
    for (size_t i = 0; !oldest_first && i < n / 2; i++) {
        struct hit swap = h[i];
        h[i] = h[n - 1 - i];
        h[n - 1 - i] = swap;
    }
}

static bool begin(struct scan *x, struct cursor *c) {
    uint64_t *bits;
    uint32_t n;
    if (!match_block(x, c, &bits, &n)) return false;
    if (n == 0) return close_block(x, c), true;
    const struct block *b = c->block;
    c->hits = mem_alloc(n * sizeof *c->hits);
    for (size_t w = 0; w < bit_words(b->row_n); w++)
        for (uint64_t left = bits[w]; left; left &= left - 1) {
            uint32_t row = (uint32_t)(w * 64) + (uint32_t)__builtin_ctzll(left);
            struct hit h = {ints_at(&b->time, row), (uint64_t)ints_at(&b->seq, row), row};
            if (x->q->has_after && compare(x, h.time_ns, h.seq, x->q->after_ns, x->q->after_seq) <= 0) continue;
            c->hits[c->n++] = h;
        }
    sort_hits(c->hits, c->n, x->q->oldest_first);
    if (c->n == 0) close_block(x, c);
    return true;
}

/* --- the heap: the cursor whose next hit comes first is on top */

static bool before(const struct scan *x, const struct cursor *a, const struct cursor *b) {
    const struct hit *l = &a->hits[a->at];
    const struct hit *r = &b->hits[b->at];
    return compare(x, l->time_ns, l->seq, r->time_ns, r->seq) < 0;
}

static void sift_down(struct scan *x) {
    for (size_t i = 0;;) {
        size_t child = 2 * i + 1;
        if (child >= x->heap_n) return;
        if (child + 1 < x->heap_n && before(x, x->heap[child + 1], x->heap[child])) child++;
        if (!before(x, x->heap[child], x->heap[i])) return;
        struct cursor *swap = x->heap[i];
        x->heap[i] = x->heap[child];
        x->heap[child] = swap;
        i = child;
    }
}

static void heap_push(struct scan *x, struct cursor *c) {
    size_t i = x->heap_n++;
    x->heap[i] = c;
    for (; i > 0 && before(x, x->heap[i], x->heap[(i - 1) / 2]); i = (i - 1) / 2) {
        struct cursor *swap = x->heap[i];
        x->heap[i] = x->heap[(i - 1) / 2];
        x->heap[(i - 1) / 2] = swap;
    }
}

static void heap_advance(struct scan *x) {
    struct cursor *c = x->heap[0];
    if (++c->at >= c->n) {
        x->heap[0] = x->heap[--x->heap_n];
        close_block(x, c);
    }
    sift_down(x);
}

/* --- candidates */

static int64_t bound(const struct scan *x, const struct cursor *c) {
    const struct block_info *b = &c->part->blocks[c->index];
    return x->q->oldest_first ? b->min_ns : b->max_ns;
}
static int newest_cmp(const void *l, const void *r) {
    const struct cursor *a = l;
    const struct cursor *b = r;
    int64_t x = a->part->blocks[a->index].max_ns;
    int64_t y = b->part->blocks[b->index].max_ns;
    return (x < y) - (x > y);
}
static int oldest_cmp(const void *l, const void *r) {
    const struct cursor *a = l;
    const struct cursor *b = r;
    int64_t x = a->part->blocks[a->index].min_ns;
    int64_t y = b->part->blocks[b->index].min_ns;
    return (x > y) - (x < y);
}

static bool behind_after(const struct evscan *q, const struct block_info *b) {
    if (!q->has_after) return false;
    return q->oldest_first ? b->max_ns < q->after_ns : b->min_ns > q->after_ns;
}

static void find_candidates(struct scan *x) {
    size_t n = 0;
    for (size_t i = 0; i < x->s->part_n; i++) n += x->s->parts[i]->block_n;
    x->cursors = mem_zalloc((n + 1) * sizeof *x->cursors);
    x->heap = mem_alloc((n + 1) * sizeof(struct cursor *));
    for (size_t i = 0; i < x->s->part_n; i++) {
        const struct part *p = x->s->parts[i];
        AUTO(arena_free) struct arena *a = arena_new(4096);
        const struct part_view *view = part_view(p, x->q->filter, a);
        for (uint32_t k = 0; k < p->block_n; k++) {
            bool skip = behind_after(x->q, &p->blocks[k]) || block_verdict(p, k, x->q->filter, view, x->q->from_ns, x->q->to_ns) == VERDICT_NONE;
            x->stats->blocks_skipped += skip;
            if (!skip) x->cursors[x->cursor_n++] = (struct cursor){.part = p, .index = k};
        }
    }
    if (!x->q->any_order) qsort(x->cursors, x->cursor_n, sizeof *x->cursors, x->q->oldest_first ? oldest_cmp : newest_cmp);
}

typedef bool (*row_fn)(void *arg, const struct evrow *r);

static bool scan_any(struct scan *x, row_fn row, void *arg) {
    for (size_t i = 0; i < x->cursor_n; i++) {
        struct cursor *c = &x->cursors[i];
        uint64_t *bits;
        uint32_t n;
        if (!match_block(x, c, &bits, &n)) return false;
        for (uint32_t w = 0; n && w < bit_words(c->block->row_n); w++)
            for (uint64_t left = bits[w]; left; left &= left - 1) {
                uint32_t at = w * 64 + (uint32_t)__builtin_ctzll(left);
                struct evrow r = {c->block, at, ints_at(&c->block->time, at), (uint64_t)ints_at(&c->block->seq, at)};
                x->stats->rows_matched++;
                if (!row(arg, &r)) return true;
            }
        close_block(x, c);
    }
    return true;
}

static bool scan_ordered(struct scan *x, row_fn row, void *arg) {
    uint32_t shown = 0;
    for (;;) {
        while (x->begun < x->cursor_n) {
            struct cursor *c = &x->cursors[x->begun];
            if (x->heap_n) {
                int64_t next = x->heap[0]->hits[x->heap[0]->at].time_ns;
                if (x->q->oldest_first ? bound(x, c) > next : bound(x, c) < next) break;
            }
            x->begun++;
            if (!begin(x, c)) return false;
            if (c->n) heap_push(x, c);
            make_room(x, c);
        }
        if (x->heap_n == 0) return true;
        if (++shown % 1024 == 0 && x->q->job && !job_check(x->q->job, x->e)) return false;
        struct cursor *c = x->heap[0];
        bool open = c->block != NULL;
        if (open_block(x, c)) {
            if (!open) x->open_bytes += arena_used_bytes(c->arena);
            struct hit h = c->hits[c->at];
            struct evrow r = {c->block, h.row, h.time_ns, h.seq};
            x->stats->rows_matched++;
            if (!row(arg, &r)) return true;
            make_room(x, c);
        }
        heap_advance(x);
    }
}

static void scan_done(struct scan *x) {
    for (size_t i = 0; i < x->cursor_n; i++) {
        arena_free(x->cursors[i].arena);
        free(x->cursors[i].hits);
    }
    free(x->cursors);
    free(x->heap);
}

bool evdb_scan(const struct evdb_snapshot *s, const struct evscan *q, row_fn row, void *arg, struct evscan_stats *stats, struct err *e) {
    struct evscan_stats own = {0};
    struct err ignored;
    struct scan x = {.s = s, .q = q, .stats = stats ? stats : &own, .e = e ? e : &ignored};
    *x.stats = (struct evscan_stats){0};
    assert(!(q->any_order && q->has_after));
    find_candidates(&x);
    bool ok = q->any_order ? scan_any(&x, row, arg) : scan_ordered(&x, row, arg);
    scan_done(&x);
    return ok;
}

/* --- rows */

int64_t evrow_time_ns(const struct evrow *r) {
    return r->time_ns;
}
uint64_t evrow_seq(const struct evrow *r) {
    return r->seq;
}
bool evrow_get(const struct evrow *r, str field, struct arena *a, struct value *out) {
    return block_get(r->block, r->row, field, a, out);
}
void evrow_event(const struct evrow *r, struct arena *a, struct event *out, struct stream *stream) {
    if (!block_event(r->block, r->row, a, out)) *out = (struct event){.kind = r->block->kind, .time_ns = r->time_ns};
    bool ok = stream_decode(arena_str(a, block_row_stream(r->block, r->row)->encoded), a, stream);
    assert(ok); /* it was decoded when the block was opened */
}

/* --- counts */

/* Rows of a block that match, without opening it where its directory says it all. */
static bool count_rows(struct scan *x, struct cursor *c, uint64_t *total) {
    uint32_t n = c->part->blocks[c->index].row_n;
    bool all = block_verdict(c->part, c->index, x->q->filter, NULL, x->q->from_ns, x->q->to_ns) == VERDICT_ALL;
    if (!all || !part_block_good(c->part, c->index)) {
        uint64_t *bits;
        if (!match_block(x, c, &bits, &n)) return false;
        close_block(x, c);
    }
    x->stats->rows_matched += n;
    *total += n;
    return true;
}

bool evdb_count(const struct evdb_snapshot *s, const struct evscan *q, uint64_t *n, struct evscan_stats *stats, struct err *e) {
    struct evscan any = *q;
    any.any_order = true;
    any.has_after = false;
    struct evscan_stats own = {0};
    struct err ignored;
    struct scan x = {.s = s, .q = &any, .stats = stats ? stats : &own, .e = e ? e : &ignored};
    *x.stats = (struct evscan_stats){0};
    *n = 0;
    find_candidates(&x);
    bool ok = true;
    for (size_t i = 0; i < x.cursor_n && ok; i++) ok = count_rows(&x, &x.cursors[i], n);
    scan_done(&x);
    return ok;
}

/* --- histogram */

struct histogram_to {
    int64_t from_ns, bucket_ns;
    uint64_t *counts;
    size_t n;
};
static void count_at(const struct histogram_to *h, int64_t t, uint64_t n) {
    uint64_t bucket = ((uint64_t)t - (uint64_t)h->from_ns) / (uint64_t)h->bucket_ns;
    if (t >= h->from_ns && bucket < h->n) h->counts[bucket] += n;
}
static bool same_bucket(const struct histogram_to *h, const struct block_info *b) {
    return b->min_ns >= h->from_ns && ((uint64_t)b->min_ns - (uint64_t)h->from_ns) / (uint64_t)h->bucket_ns ==
                                          ((uint64_t)b->max_ns - (uint64_t)h->from_ns) / (uint64_t)h->bucket_ns;
}

/* All rows of a block count: their times are enough, or not even these. false: damaged. */
static bool count_times(const struct cursor *c, const struct histogram_to *h) {
    const struct block_info *info = &c->part->blocks[c->index];
    if (same_bucket(h, info) && part_block_good(c->part, c->index)) return count_at(h, info->min_ns, info->row_n), true;
    AUTO(arena_free) struct arena *a = arena_new(FIRST_CHUNK);
    struct ints times;
    if (!block_times(c->part, c->index, a, &times)) return false;
    for (uint32_t row = 0; row < info->row_n; row++) count_at(h, ints_at(&times, row), 1);
    return true;
}

static bool count_block(struct scan *x, struct cursor *c, const struct histogram_to *h) {
    bool all = block_verdict(c->part, c->index, x->q->filter, NULL, x->q->from_ns, x->q->to_ns) == VERDICT_ALL;
    if (all && x->q->job && !job_check(x->q->job, x->e)) return false;
    if (all && count_times(c, h)) return true;
    uint64_t *bits;
    uint32_t n;
    if (!match_block(x, c, &bits, &n)) return false;
    for (uint32_t w = 0; n && w < bit_words(c->block->row_n); w++)
        for (uint64_t left = bits[w]; left; left &= left - 1) count_at(h, ints_at(&c->block->time, w * 64 + (uint32_t)__builtin_ctzll(left)), 1);
    close_block(x, c);
    return true;
}

bool evdb_histogram(const struct evdb_snapshot *s, const struct evscan *q, int64_t bucket_ns, uint64_t *counts, size_t n, struct err *e) {
    assert(bucket_ns > 0);
    struct evscan any = *q;
    any.any_order = true;
    any.has_after = false;
    struct evscan_stats stats = {0};
    struct err ignored;
    struct scan x = {.s = s, .q = &any, .stats = &stats, .e = e ? e : &ignored};
    struct histogram_to h = {q->from_ns, bucket_ns, counts, n};
    memset(counts, 0, n * sizeof *counts);
    find_candidates(&x);
    bool ok = true;
    for (size_t i = 0; i < x.cursor_n && ok; i++) ok = count_block(&x, &x.cursors[i], &h);
    scan_done(&x);
    return ok;
}

/* --- one trace */

struct trace_out {
    struct arena *arena;
    struct trace_span {
        struct event *event;
        struct stream *stream;
        uint64_t seq;
    } * p;
    size_t n, cap;
};

static int span_cmp(const void *l, const void *r) {
    const struct trace_span *a = l;
    const struct trace_span *b = r;
    if (a->event->time_ns != b->event->time_ns) return a->event->time_ns < b->event->time_ns ? -1 : 1;
    return (a->seq > b->seq) - (a->seq < b->seq);
}

static bool add_spans(struct block *b, uint32_t from, uint32_t to, struct trace_out *out) {
    struct arena *a = out->arena;
    struct stream **streams = arena_zalloc(a, b->stream_n * sizeof(struct stream *));
    size_t before = out->n;
    for (uint32_t row = from; row < to; row++) {
        size_t id = (size_t)ints_at(&b->stream, row);
        struct trace_span s = {.event = arena_one(a, struct event), .seq = (uint64_t)ints_at(&b->seq, row)};
        if (!block_event(b, row, a, s.event)) return out->n = before, false;
        if (!streams[id]) {
            streams[id] = arena_one(a, struct stream);
            bool ok = stream_decode(arena_str(a, b->streams[id].encoded), a, streams[id]);
            assert(ok); /* it was decoded when the block was opened */
        }
        s.stream = streams[id];
        avec_push(a, out, s);
    }
    return true;
}

static void trace_in_block(const struct evdb_snapshot *s, const struct part *p, uint32_t index, struct trace_id id, struct trace_out *out) {
    struct traces t;
    uint32_t from;
    uint32_t to;
    if (!block_traces(p, index, &t)) {
        if (!part_block_good(p, index)) counter_add(s->damaged, 1);
        return;
    }
    if (!traces_find(&t, id, &from, &to)) return;
    AUTO(arena_free) struct arena *a = arena_new(FIRST_CHUNK);
    struct block *b;
    struct err damage;
    if (!block_open(p, index, a, &b, &damage) || !add_spans(b, from, to, out)) counter_add(s->damaged, 1);
}

bool evdb_trace(const struct evdb_snapshot *s, struct trace_id id, struct arena *a, struct event **events, struct stream **streams, size_t *n,
                struct err *e) {
    if (s->kind != EVENT_SPAN) return err_set(e, ERR_INPUT, "a trace is looked up among spans");
    struct trace_out out = {.arena = a};
    for (size_t i = 0; i < s->part_n; i++)
        for (uint32_t k = 0; k < s->parts[i]->block_n; k++) trace_in_block(s, s->parts[i], k, id, &out);
    if (out.n) qsort(out.p, out.n, sizeof *out.p, span_cmp);
    *events = arena_new_n(a, struct event, out.n + 1);
    *streams = arena_new_n(a, struct stream, out.n + 1);
    for (size_t i = 0; i < out.n; i++) {
        (*events)[i] = *out.p[i].event;
        (*streams)[i] = *out.p[i].stream;
        (*events)[i].stream = (uint32_t)i;
    }
    *n = out.n;
    return true;
}
