#include <stdlib.h>

#include "base/hash.h"
#include "store/metrics/db.h"

enum { READ_BYTES_MAX = 1 << 30 };

/* A stretch of one series' samples, frozen: bytes and the clock under them. */
struct piece {
    str bytes;
    const int64_t *clock;
    uint32_t clock_n;
    uint32_t next; /* of the same series, newer; ID_NONE */
};
struct selected {
    struct labels labels;
    uint64_t hash;
    uint32_t first, last; /* pieces */
};
struct tsdb_selection {
    struct arena *arena;
    struct selected *series;
    size_t n, cap;
    size_t max_bytes; /* of one tsdb_read */
    struct {
        struct piece *p;
        size_t n, cap;
    } pieces;
    struct map by_hash;  /* while building */
    struct map by_clock; /* while building: address of a clock -> its copy */
};

static struct selected *selected_of(struct tsdb_selection *s, const struct index *x, const struct match *m) {
    uint64_t hash = index_hash(x, m->target, m->shape);
    struct labels ls = index_labels(x, m->target, m->shape, s->arena);
    for (size_t at = map_first(&s->by_hash, hash); at != MAP_END; at = map_next(&s->by_hash, at, hash)) {
        struct selected *old = &s->series[s->by_hash.slots[at].value - 1];
        if (labels_eq(old->labels, ls)) return old;
    }
    struct selected fresh = {.labels = ls, .hash = hash, .first = ID_NONE, .last = ID_NONE};
    struct {
        struct selected *p;
        size_t n, cap;
    } v = {s->series, s->n, s->cap};
    avec_push(s->arena, &v, fresh);
    s->series = v.p;
    s->n = v.n;
    s->cap = v.cap;
    map_put(&s->by_hash, hash, s->n);
    return &s->series[s->n - 1];
}

static void add_piece(struct tsdb_selection *s, struct selected *series, struct piece p) {
    p.next = ID_NONE;
    avec_push(s->arena, &s->pieces, p);
    uint32_t id = (uint32_t)s->pieces.n - 1;
    if (series->first == ID_NONE)
        series->first = id;
    else
        s->pieces.p[series->last].next = id;
    series->last = id;
}

/* One copy of a clock for all its rows. */
static const int64_t *copy_clock(struct tsdb_selection *s, const struct clock *c) {
    uint64_t key = hash_mix((uintptr_t)c, 0);
    size_t at = map_first(&s->by_clock, key);
    if (at != MAP_END) return (const int64_t *)(uintptr_t)s->by_clock.slots[at].value;
    int64_t *copy = arena_new_n(s->arena, int64_t, c->n);
    memcpy(copy, c->t_ms, c->n * sizeof *copy);
    map_put(&s->by_clock, key, (uintptr_t)copy);
    return copy;
}

static void add_row(struct tsdb_selection *s, const struct index *x, const struct match *m, struct row_bytes r, int64_t from_ms, int64_t to_ms) {
    if (r.n == 0 || r.clock->t_ms[0] > to_ms || r.clock->t_ms[r.clock->n - 1] < from_ms) return;
    struct piece p = {.bytes = arena_str(s->arena, r.bytes), .clock = copy_clock(s, r.clock), .clock_n = r.clock->n};
    add_piece(s, selected_of(s, x, m), p);
}

static bool in_range(int64_t min_ms, int64_t max_ms, int64_t from_ms, int64_t to_ms) {
    return min_ms <= to_ms && max_ms >= from_ms;
}

static bool select_head(struct tsdb *db, const struct matcher *m, size_t n, int64_t from_ms, int64_t to_ms, struct tsdb_selection *s, struct err *e) {
    const struct head *h = &db->head;
    const struct frozen *f = h->frozen;
    bool now = in_range(h->min_ms, h->max_ms, from_ms, to_ms);
    bool before = f && in_range(f->min_ms, f->max_ms, from_ms, to_ms);
    if (!now && !before) return true;
    AUTO(arena_free) struct arena *a = arena_new(16 << 10);
    struct matches found = {0};
    if (!index_match(&h->index, m, n, a, &found, e)) return false;
    for (size_t i = 0; i < found.n; i++) {
        const struct match *x = &found.p[i];
        if (before) add_row(s, &h->index, x, frozen_row(f, x->row, x->target), from_ms, to_ms);
        if (now) add_row(s, &h->index, x, head_row(h, x->row), from_ms, to_ms);
    }
    return true;
}

static int by_labels(const void *a, const void *b) {
    return labels_cmp(((const struct selected *)a)->labels, ((const struct selected *)b)->labels);
}

bool tsdb_select(struct tsdb *db, const struct matcher *m, size_t n, int64_t from_ms, int64_t to_ms, size_t limit, struct tsdb_selection **out,
                 struct err *e) {
    assert_loop_thread();
    struct arena *a = arena_new(16 << 10);
    struct tsdb_selection *s = arena_one(a, struct tsdb_selection);
    s->arena = a;
    s->max_bytes = READ_BYTES_MAX;
    bool ok = select_head(db, m, n, from_ms, to_ms, s, e);
    map_done(&s->by_hash);
    map_done(&s->by_clock);
    if (!ok) {
        tsdb_selection_free(s);
        return false;
    }
    if (s->n) qsort(s->series, s->n, sizeof *s->series, by_labels);
    if (limit && s->n > limit) s->n = limit;
    *out = s;
    return true;
}

void tsdb_selection_free(struct tsdb_selection *s) {
    if (s) arena_free(s->arena);
}
void tsdb_selection_set_max_bytes(struct tsdb_selection *s, size_t max_bytes) {
    s->max_bytes = max_bytes;
}
size_t tsdb_selection_n(const struct tsdb_selection *s) {
    return s->n;
}
struct labels tsdb_selection_labels(const struct tsdb_selection *s, size_t i) {
    assert(i < s->n);
    return s->series[i].labels;
}

/* --- reading */

static bool ascending(const struct columns *c) {
    for (size_t i = 1; i < c->n; i++)
        if (c->t_ms[i] <= c->t_ms[i - 1]) return false;
    return true;
}

struct ordered {
    int64_t t_ms;
    size_t at;
};
static int by_time(const void *a, const void *b) {
    const struct ordered *x = a;
    const struct ordered *y = b;
    int c = (x->t_ms > y->t_ms) - (x->t_ms < y->t_ms);
    return c ? c : (x->at > y->at) - (x->at < y->at);
}

/* Pieces that overlap (late samples, a replayed log): by time, and of two samples at one time the newer piece's. */
static bool interleave(struct columns *c, struct err *e) {
    if (c->n * sizeof(struct ordered) > c->bytes_left) return err_set(e, ERR_LIMIT, "the query reads too many samples: its memory limit is reached");
    struct ordered *o = arena_new_n(c->arena, struct ordered, c->n);
    for (size_t i = 0; i < c->n; i++) o[i] = (struct ordered){c->t_ms[i], i};
    qsort(o, c->n, sizeof *o, by_time);
    struct columns sorted = {.arena = c->arena, .bytes_left = c->bytes_left};
    if (c->h) columns_want_histograms(&sorted);
    if (c->st_ms) columns_want_starts(&sorted);
    if (!columns_reserve(&sorted, c->n, e)) return false;
    for (size_t i = 0; i < c->n; i++) {
        if (i + 1 < c->n && o[i + 1].t_ms == o[i].t_ms) continue;
        size_t to = sorted.n++;
        sorted.t_ms[to] = o[i].t_ms;
        sorted.v[to] = c->v[o[i].at];
        if (c->h) sorted.h[to] = c->h[o[i].at];
        if (c->st_ms) sorted.st_ms[to] = c->st_ms[o[i].at];
    }
    *c = sorted;
    return true;
}

bool tsdb_read(const struct tsdb_selection *s, size_t i, int64_t from_ms, int64_t to_ms, struct arena *a, struct samples *out, struct err *e) {
    assert(i < s->n);
    struct columns c = {.arena = a, .bytes_left = s->max_bytes};
    for (uint32_t id = s->series[i].first; id != ID_NONE; id = s->pieces.p[id].next) {
        const struct piece *p = &s->pieces.p[id];
        if (!cells_read(p->bytes, p->clock, p->clock_n, from_ms, to_ms, &c, e)) return false;
    }
    if (!ascending(&c) && !interleave(&c, e)) return false;
    *out = (struct samples){c.n, c.t_ms, c.v, (const struct histogram *const *)c.h, c.st_ms};
    return true;
}
