#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "store/metrics/db.h"
#include "store/metrics/merge.h"
#include "store/metrics/rowcode.h"

enum { READ_BYTES_MAX = 1 << 30 };

/* A stretch of one series' samples, frozen: cells of the head or a row of a part, and the clock under them. */
struct piece {
    str bytes;
    const int64_t *clock;
    uint32_t clock_n;
    uint32_t next; /* of the same series, newer; ID_NONE */
    uint32_t part; /* index into parts; ID_NONE: the head's */
    uint32_t row;
    enum { PIECE_READY, PIECE_ON_DISK, PIECE_LOST } state;
};
/* A part and the selected rows in it, by row: a frame is read once for all of them. */
struct part_rows_ref {
    uint32_t row, piece;
};
struct part_use {
    struct part *part;
    struct part_rows_ref *p;
    size_t n, cap;
};
/* What reading adds. One thread at a time. */
struct read_cache {
    struct arena *arena;
    struct buf raw;
    struct map clocks; /* part and clock number -> struct read_clock */
    struct err damage;
    uint64_t damaged;
};
struct read_clock {
    const int64_t *t_ms;
    size_t n;
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
    struct {
        struct part_use *p;
        size_t n, cap;
    } parts;
    struct tsdb *db;              /* loop thread only */
    struct string_bytes *strings; /* of the head's labels; held */
    struct read_cache *cache;     /* the reading thread's */
    struct map by_hash;           /* while building */
    struct map by_clock;          /* while building: address of a clock -> its copy */
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

static uint32_t add_piece(struct tsdb_selection *s, struct selected *series, struct piece p) {
    p.next = ID_NONE;
    avec_push(s->arena, &s->pieces, p);
    uint32_t id = (uint32_t)s->pieces.n - 1;
    if (series->first == ID_NONE)
        series->first = id;
    else
        s->pieces.p[series->last].next = id;
    series->last = id;
    return id;
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
    p.part = ID_NONE;
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

static int by_row(const void *a, const void *b) {
    const struct part_rows_ref *x = a;
    const struct part_rows_ref *y = b;
    return (x->row > y->row) - (x->row < y->row);
}

static bool select_part(struct tsdb *db, struct part *p, const struct matcher *m, size_t n, struct tsdb_selection *s, struct err *e) {
    struct err damage;
    if (!db_part_index(db, p, &damage)) {
        if (s->cache->damage.code == ERR_NONE) s->cache->damage = damage;
        return true;
    }
    AUTO(arena_free) struct arena *a = arena_new(16 << 10);
    struct matches found = {0};
    if (!index_match(&p->index->x, m, n, a, &found, e)) return false;
    if (found.n == 0) return true;
    struct part_use use = {.part = p};
    for (size_t i = 0; i < found.n; i++) {
        struct piece piece = {.part = (uint32_t)s->parts.n, .row = found.p[i].row, .state = PIECE_ON_DISK};
        struct part_rows_ref ref = {piece.row, add_piece(s, selected_of(s, &p->index->x, &found.p[i]), piece)};
        avec_push(s->arena, &use, ref);
    }
    qsort(use.p, use.n, sizeof *use.p, by_row);
    tsdb_part_ref(p);
    p->pins++;
    avec_push(s->arena, &s->parts, use);
    return true;
}

static bool select_parts(struct tsdb *db, const struct matcher *m, size_t n, int64_t from_ms, int64_t to_ms, struct tsdb_selection *s,
                         struct err *e) {
    for (size_t i = 0; i < db->parts.n; i++) {
        struct part *p = db->parts.p[i];
        if (in_range(p->min_ms, p->max_ms, from_ms, to_ms) && !select_part(db, p, m, n, s, e)) return false;
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
    s->db = db;
    s->strings = db->head.index.strings.bytes;
    s->strings->refs++;
    s->cache = arena_one(a, struct read_cache);
    bool ok = select_parts(db, m, n, from_ms, to_ms, s, e) && select_head(db, m, n, from_ms, to_ms, s, e);
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
    if (!s) return;
    assert_loop_thread();
    for (size_t i = 0; i < s->parts.n; i++) {
        s->parts.p[i].part->pins--;
        tsdb_part_unref(s->parts.p[i].part);
    }
    for (uint64_t i = 0; i < s->cache->damaged; i++) db_damage(s->db, &s->cache->damage);
    string_bytes_unref(s->strings);
    map_done(&s->cache->clocks);
    buf_done(&s->cache->raw);
    arena_free(s->cache->arena);
    arena_free(s->arena);
}
const struct err *tsdb_selection_damage(const struct tsdb_selection *s) {
    return s->cache->damage.code == ERR_NONE ? NULL : &s->cache->damage;
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

static void lost(struct read_cache *c, const struct err *e) {
    c->damaged++;
    if (c->damage.code == ERR_NONE) c->damage = *e;
}

static const struct read_clock *read_clock(struct read_cache *c, const struct part_use *use, uint32_t part, uint32_t clock, struct err *e) {
    uint64_t key = hash_mix(part, clock);
    size_t at = map_first(&c->clocks, key);
    if (at != MAP_END) return (const struct read_clock *)(uintptr_t)c->clocks.slots[at].value;
    struct read_clock *r = arena_one(c->arena, struct read_clock);
    if (!part_read_clock(use->part, use->part->index, clock, c->arena, &r->t_ms, &r->n, e)) return NULL;
    map_put(&c->clocks, key, (uintptr_t)r);
    return r;
}

/* Gives the pieces of one frame their bytes and clocks. */
static bool fill_frame(const struct tsdb_selection *s, uint32_t part, uint32_t frame, struct part_rows_ref *refs, size_t n, struct err *e) {
    struct read_cache *c = s->cache;
    const struct part_use *use = &s->parts.p[part];
    const struct part_index *x = use->part->index;
    buf_clear(&c->raw);
    struct part_rows rows;
    if (!part_read_frame(use->part, x, frame, &c->raw, e) || !part_rows_open(buf_str(&c->raw), x->frames.p[frame].rows, &rows, e)) return false;
    uint32_t row = x->frames.p[frame].first_row;
    for (size_t i = 0; i < n; row++) {
        str bytes;
        if (!part_rows_next(&rows, &bytes)) return err_set(e, ERR_CORRUPT, "a damaged frame of rows");
        if (row != refs[i].row) continue;
        const struct read_clock *clock = read_clock(c, use, part, x->row_clock.p[row], e);
        if (!clock) return false;
        struct piece *p = &s->pieces.p[refs[i++].piece];
        p->bytes = arena_str(c->arena, bytes);
        p->clock = clock->t_ms;
        p->clock_n = (uint32_t)clock->n;
        p->state = PIECE_READY;
    }
    return true;
}

static void load_piece(const struct tsdb_selection *s, const struct piece *p) {
    const struct part_use *use = &s->parts.p[p->part];
    uint32_t frame = part_frame_of(use->part->index, p->row);
    const struct part_frame *f = &use->part->index->frames.p[frame];
    if (!s->cache->arena) s->cache->arena = arena_new(64 << 10);
    size_t from = 0;
    for (size_t end = use->n; from < end;) {
        size_t mid = from + (end - from) / 2;
        if (use->p[mid].row < f->first_row)
            from = mid + 1;
        else
            end = mid;
    }
    size_t n = 0;
    while (from + n < use->n && use->p[from + n].row < f->first_row + f->rows) n++;
    struct err e;
    if (fill_frame(s, p->part, frame, use->p + from, n, &e)) return;
    lost(s->cache, &e);
    for (size_t i = 0; i < n; i++) {
        struct piece *other = &s->pieces.p[use->p[from + i].piece];
        if (other->state == PIECE_ON_DISK) other->state = PIECE_LOST;
    }
}

static bool read_piece(const struct tsdb_selection *s, const struct piece *p, int64_t from_ms, int64_t to_ms, struct columns *c, struct err *e) {
    if (p->part == ID_NONE) return cells_read(p->bytes, p->clock, p->clock_n, from_ms, to_ms, c, e);
    if (p->state == PIECE_ON_DISK) load_piece(s, p);
    if (p->state == PIECE_LOST) return true;
    size_t before = c->n;
    struct err why;
    if (row_decode(p->bytes, p->clock, p->clock_n, from_ms, to_ms, c, &why)) return true;
    c->n = before;
    if (why.code == ERR_CORRUPT) {
        lost(s->cache, &why);
        return true;
    }
    if (e) *e = why;
    return false;
}

bool tsdb_read(const struct tsdb_selection *s, size_t i, int64_t from_ms, int64_t to_ms, struct arena *a, struct samples *out, struct err *e) {
    assert(i < s->n);
    struct columns c = {.arena = a, .bytes_left = s->max_bytes};
    for (uint32_t id = s->series[i].first; id != ID_NONE; id = s->pieces.p[id].next) {
        if (!read_piece(s, &s->pieces.p[id], from_ms, to_ms, &c, e)) return false;
    }
    if (!columns_ascend(&c, e)) return false;
    *out = (struct samples){c.n, c.t_ms, c.v, (const struct histogram *const *)c.h, c.st_ms};
    return true;
}
