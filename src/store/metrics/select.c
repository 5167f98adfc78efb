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
    struct erased *left_to; /* of a down-sampled part: ranges in which a better tier is read, ascending */
    size_t left_to_n;
    struct part_rows_ref *p;
    size_t n, cap;
};
/* What reading adds. One thread at a time, but for damage: several may decode. */
struct read_cache {
    struct arena *arena; /* NULL: nothing was read yet */
    struct part_reader reader;
    struct buf raw;
    struct map clocks; /* part and clock number -> struct read_clock */
    struct err damage;
    struct flag told; /* damage is that of a read */
    struct counter damaged;
};
struct read_clock {
    const int64_t *t_ms;
    size_t n;
};
struct selected {
    struct labels labels;
    uint64_t hash;
    uint32_t first, last; /* pieces */
    struct erased *erased;
    size_t erased_n;
};
struct tsdb_selection {
    struct arena *arena;
    struct selected *series;
    size_t n, cap;
    size_t max_bytes; /* of one tsdb_read */
    int64_t from_ms, to_ms;
    struct {
        struct tsdb_coarse *p;
        size_t n, cap;
    } coarse;
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
    fresh.erased_n = deletions_of(s->db->deletions, ls, s->arena, &fresh.erased);
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
    int64_t *copy = clock_spell(c, s->arena);
    map_put(&s->by_clock, key, (uintptr_t)copy);
    return copy;
}

static bool in_range(int64_t min_ms, int64_t max_ms, int64_t from_ms, int64_t to_ms) {
    return min_ms <= to_ms && max_ms >= from_ms;
}

/* Is all that a piece has in the selection's range deleted? */
static bool all_erased(const struct tsdb_selection *s, const struct selected *series, int64_t min_ms, int64_t max_ms) {
    for (size_t i = 0; i < series->erased_n; i++)
        if (series->erased[i].from_ms <= MAX(min_ms, s->from_ms) && series->erased[i].to_ms >= MIN(max_ms, s->to_ms)) return true;
    return false;
}

static void add_row(struct tsdb_selection *s, const struct index *x, const struct match *m, struct row_bytes r) {
    if (r.n == 0) return;
    int64_t min_ms = r.clock->runs[0].t_ms;
    int64_t max_ms = clock_newest(r.clock);
    if (!in_range(min_ms, max_ms, s->from_ms, s->to_ms)) return;
    struct selected *series = selected_of(s, x, m);
    if (all_erased(s, series, min_ms, max_ms)) return;
    struct piece p = {.bytes = row_copy(r, s->arena), .clock = copy_clock(s, r.clock), .clock_n = r.clock->n};
    p.part = ID_NONE;
    add_piece(s, series, p);
}

static bool select_head(struct tsdb *db, const struct matcher *m, size_t n, struct tsdb_selection *s, struct err *e) {
    const struct head *h = &db->head;
    const struct frozen *f = h->frozen;
    bool now = in_range(h->min_ms, h->max_ms, s->from_ms, s->to_ms);
    bool before = f && in_range(f->min_ms, f->max_ms, s->from_ms, s->to_ms);
    if (!now && !before) return true;
    AUTO(arena_free) struct arena *a = arena_new(16 << 10);
    struct matches found = {0};
    if (!index_match(&h->index, m, n, a, &found, e)) return false;
    for (size_t i = 0; i < found.n; i++) {
        const struct match *x = &found.p[i];
        if (before) add_row(s, &h->index, x, frozen_row(f, x->row, x->target));
        if (now) add_row(s, &h->index, x, head_row(h, x->row));
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
        struct selected *series = selected_of(s, &p->index->x, &found.p[i]);
        if (all_erased(s, series, p->min_ms, p->max_ms)) continue;
        struct piece piece = {.part = (uint32_t)s->parts.n, .row = found.p[i].row, .state = PIECE_ON_DISK};
        struct part_rows_ref ref = {piece.row, add_piece(s, series, piece)};
        avec_push(s->arena, &use, ref);
    }
    if (use.n == 0) return true;
    qsort(use.p, use.n, sizeof *use.p, by_row);
    tsdb_part_ref(p);
    p->pins++;
    avec_push(s->arena, &s->parts, use);
    return true;
}

static bool select_parts(struct tsdb *db, const struct matcher *m, size_t n, struct tsdb_selection *s, struct err *e) {
    for (size_t i = 0; i < db->parts.n; i++) {
        struct part *p = db->parts.p[i];
        if (!in_range(p->min_ms, p->max_ms, s->from_ms, s->to_ms) || db_part_hidden(db, p)) continue;
        if (!select_part(db, p, m, n, s, e)) return false;
    }
    return true;
}

/* --- tiers: where two have the same time, the step decides which one is read */

static int by_from(const void *a, const void *b) {
    const struct tsdb_coarse *x = a;
    const struct tsdb_coarse *y = b;
    return (x->from_ms > y->from_ms) - (x->from_ms < y->from_ms);
}

/* Ranges of one resolution that follow each other become one. */
static void join_coarse(struct tsdb_selection *s) {
    if (s->coarse.n == 0) return;
    qsort(s->coarse.p, s->coarse.n, sizeof *s->coarse.p, by_from);
    size_t n = 0;
    for (size_t i = 1; i < s->coarse.n; i++) {
        struct tsdb_coarse *last = &s->coarse.p[n];
        const struct tsdb_coarse *next = &s->coarse.p[i];
        if (next->step_ms == last->step_ms && next->from_ms - last->to_ms <= 2 * last->step_ms)
            last->to_ms = MAX(last->to_ms, next->to_ms);
        else
            s->coarse.p[++n] = *next;
    }
    s->coarse.n = n + 1;
}

/* What remains of a part's time when the better tier has `left_to`. */
static void add_coarse(struct tsdb_selection *s, const struct part_use *use) {
    int64_t at = MAX(use->part->min_ms, s->from_ms);
    int64_t end = MIN(use->part->max_ms, s->to_ms);
    int64_t step_ms = tier_step_ms[use->part->meta.tier];
    for (size_t i = 0; i < use->left_to_n && at <= end; i++) {
        const struct erased *r = &use->left_to[i];
        if (r->to_ms < at || r->from_ms > end) continue;
        if (r->from_ms > at) avec_push(s->arena, &s->coarse, ((struct tsdb_coarse){at, r->from_ms - 1, step_ms}));
        at = r->to_ms + 1;
    }
    if (at <= end) avec_push(s->arena, &s->coarse, ((struct tsdb_coarse){at, end, step_ms}));
}

void tsdb_selection_set_step(struct tsdb_selection *s, int64_t step_ms) {
    assert_loop_thread();
    enum tier better = step_ms >= tier_step_ms[TIER_1H] ? TIER_1H : TIER_5M;
    struct erased *covered = arena_new_n(s->arena, struct erased, s->parts.n);
    size_t covered_n = 0;
    s->coarse.n = 0;
    for (size_t i = 0; i < s->parts.n; i++) { /* parts are in the order of their earliest time */
        const struct part *p = s->parts.p[i].part;
        if (p->meta.tier != better) continue;
        struct erased r = {p->min_ms - tier_step_ms[better], p->max_ms};
        covered[covered_n++] = r;
    }
    for (size_t i = 0; i < s->parts.n; i++) {
        struct part_use *use = &s->parts.p[i];
        bool worse = use->part->meta.tier != TIER_RAW && use->part->meta.tier != better;
        use->left_to = covered;
        use->left_to_n = worse ? covered_n : 0;
        if (use->part->meta.tier != TIER_RAW) add_coarse(s, use);
    }
    join_coarse(s);
}

const struct tsdb_coarse *tsdb_selection_coarse(const struct tsdb_selection *s, size_t *n) {
    *n = s->coarse.n;
    return s->coarse.p;
}

static int by_labels(const void *a, const void *b) {
    return labels_cmp(((const struct selected *)a)->labels, ((const struct selected *)b)->labels);
}

/* Series of which everything is deleted. */
static void drop_empty(struct tsdb_selection *s) {
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++)
        if (s->series[i].first != ID_NONE) s->series[n++] = s->series[i];
    s->n = n;
}

bool tsdb_select(struct tsdb *db, const struct matcher *m, size_t n, int64_t from_ms, int64_t to_ms, size_t limit, struct tsdb_selection **out,
                 struct err *e) {
    assert_loop_thread();
    struct arena *a = arena_new(16 << 10);
    struct tsdb_selection *s = arena_one(a, struct tsdb_selection);
    s->arena = a;
    s->max_bytes = READ_BYTES_MAX;
    s->from_ms = from_ms;
    s->to_ms = to_ms;
    s->db = db;
    s->strings = db->head.index.strings.bytes;
    s->strings->refs++;
    s->cache = arena_one(a, struct read_cache);
    bool ok = select_parts(db, m, n, s, e) && select_head(db, m, n, s, e);
    map_done(&s->by_hash);
    map_done(&s->by_clock);
    if (!ok) {
        tsdb_selection_free(s);
        return false;
    }
    drop_empty(s);
    tsdb_selection_set_step(s, 0);
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
    for (uint64_t i = 0; i < counter_get(&s->cache->damaged); i++) db_damage(s->db, &s->cache->damage);
    string_bytes_unref(s->strings);
    map_done(&s->cache->clocks);
    buf_done(&s->cache->raw);
    zstd_free(s->cache->reader.zstd);
    part_reader_done(&s->cache->reader);
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
    counter_add(&c->damaged, 1);
    if (flag_take(&c->told) && c->damage.code == ERR_NONE) c->damage = *e;
}

static const struct read_clock *read_clock(struct read_cache *c, const struct part_use *use, uint32_t part, uint32_t clock, struct err *e) {
    uint64_t key = hash_mix(part, clock);
    size_t at = map_first(&c->clocks, key);
    if (at != MAP_END) return (const struct read_clock *)(uintptr_t)c->clocks.slots[at].value;
    struct read_clock *r = arena_one(c->arena, struct read_clock);
    if (!part_read_clock(&c->reader, use->part, use->part->index, clock, c->arena, &r->t_ms, &r->n, e)) return NULL;
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
    if (!part_read_frame(&c->reader, use->part, x, frame, &c->raw, e) || !part_rows_open(buf_str(&c->raw), x->frames.p[frame].rows, &rows, e))
        return false;
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
    if (!s->cache->arena) {
        s->cache->arena = arena_new(64 << 10);
        s->cache->reader.zstd = zstd_new();
    }
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

/* Raw samples as a field of themselves. */
static void raw_field(struct columns *c, size_t from, enum tsdb_field f) {
    for (size_t i = from; f == TSDB_COUNT && i < c->n; i++) {
        bool stale = c->h && c->h[i] ? histogram_is_stale(c->h[i]) : is_stale_nan(c->v[i]);
        if (c->h) c->h[i] = NULL;
        c->v[i] = stale ? stale_nan() : 1;
    }
}

static bool decode_piece(const struct piece *p, enum tier tier, enum tsdb_field f, int64_t from_ms, int64_t to_ms, struct columns *c, struct err *e) {
    if (tier == TIER_RAW) return row_decode(p->bytes, p->clock, p->clock_n, from_ms, to_ms, c, e);
    static const enum series_field fields[] = {[TSDB_LAST] = FIELD_LAST, [TSDB_MIN] = FIELD_MIN,     [TSDB_MAX] = FIELD_MAX,
                                               [TSDB_SUM] = FIELD_SUM,   [TSDB_COUNT] = FIELD_COUNT, [TSDB_COUNTER] = FIELD_LAST};
    if (f == TSDB_COUNTER) return fields_decode_counter(p->bytes, p->clock, p->clock_n, from_ms, to_ms, c, e);
    return fields_decode(p->bytes, fields[f], p->clock, p->clock_n, from_ms, to_ms, c, e);
}

/* Of a down-sampled part only the ranges that no better tier has. */
static bool decode_left(const struct part_use *use, const struct piece *p, enum tsdb_field f, int64_t from_ms, int64_t to_ms, struct columns *c,
                        struct err *e) {
    for (size_t i = 0; i < use->left_to_n; i++) {
        const struct erased *r = &use->left_to[i];
        if (r->to_ms < from_ms || r->from_ms > to_ms) continue;
        if (r->from_ms > from_ms && !decode_piece(p, use->part->meta.tier, f, from_ms, r->from_ms - 1, c, e)) return false;
        if (r->to_ms >= to_ms) return true;
        from_ms = r->to_ms + 1;
    }
    return decode_piece(p, use->part->meta.tier, f, from_ms, to_ms, c, e);
}

static bool read_piece(const struct tsdb_selection *s, const struct piece *p, enum tsdb_field f, int64_t from_ms, int64_t to_ms, struct columns *c,
                       struct err *e) {
    size_t before = c->n;
    bool raw = p->part == ID_NONE || s->parts.p[p->part].part->meta.tier == TIER_RAW;
    if (p->part == ID_NONE) {
        if (!cells_read(p->bytes, p->clock, p->clock_n, from_ms, to_ms, c, e)) return false;
        raw_field(c, before, f);
        return true;
    }
    if (p->state == PIECE_ON_DISK) load_piece(s, p);
    if (p->state == PIECE_LOST) return true;
    struct err why;
    if (decode_left(&s->parts.p[p->part], p, f, from_ms, to_ms, c, &why)) {
        if (raw) raw_field(c, before, f);
        return true;
    }
    c->n = before;
    if (why.code == ERR_CORRUPT) {
        lost(s->cache, &why);
        return true;
    }
    if (e) *e = why;
    return false;
}

void tsdb_load(const struct tsdb_selection *s, size_t i) {
    assert(i < s->n);
    for (uint32_t id = s->series[i].first; id != ID_NONE; id = s->pieces.p[id].next)
        if (s->pieces.p[id].state == PIECE_ON_DISK) load_piece(s, &s->pieces.p[id]);
}

bool tsdb_read_field(const struct tsdb_selection *s, size_t i, enum tsdb_field f, int64_t from_ms, int64_t to_ms, struct arena *a,
                     struct samples *out, struct err *e) {
    assert(i < s->n);
    const struct selected *series = &s->series[i];
    struct columns c = {.arena = a, .bytes_left = s->max_bytes};
    for (uint32_t id = series->first; id != ID_NONE; id = s->pieces.p[id].next) {
        if (!read_piece(s, &s->pieces.p[id], f, from_ms, to_ms, &c, e)) return false;
    }
    if (!columns_ascend(&c, e)) return false;
    for (size_t k = 0; k < series->erased_n; k++) columns_erase(&c, series->erased[k].from_ms, series->erased[k].to_ms);
    *out = (struct samples){c.n, c.t_ms, c.v, (const struct histogram *const *)c.h, c.st_ms};
    return true;
}

bool tsdb_read(const struct tsdb_selection *s, size_t i, int64_t from_ms, int64_t to_ms, struct arena *a, struct samples *out, struct err *e) {
    return tsdb_read_field(s, i, TSDB_LAST, from_ms, to_ms, a, out, e);
}
