#include "store/metrics/head.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "store/metrics/histcode.h"

/* --- finding series */

enum { MORE_KEYS_MIN = 4096 };

uint32_t head_find_key(const struct head *h, uint64_t key_hash) {
    uint32_t at = (uint32_t)key_hash;
    for (uint32_t row; (row = idmap_next(&h->by_key, key_hash, &at)) != ID_NONE;)
        if (h->series.p[row].key_hash == key_hash) return row;
    size_t more = map_first(&h->more_keys, key_hash);
    return more == MAP_END ? ID_NONE : (uint32_t)h->more_keys.slots[more].value - 1;
}

void head_put_key(struct head *h, uint64_t key_hash, uint32_t row) {
    struct series *s = &h->series.p[row];
    if (!s->keyed) {
        s->keyed = 1;
        s->key_hash = key_hash;
        idmap_put(&h->by_key, key_hash, row);
        return;
    }
    s->shared = 1;
    if (h->more_keys.n > h->series.n + MORE_KEYS_MIN) return; /* somebody spells the same labels in ever new ways: it is found by its labels */
    map_put(&h->more_keys, key_hash, (uint64_t)row + 1);
}

static str name_of(const struct index *x, struct label_id l) {
    return x->strings.s.p[l.name];
}

/* Does target + shape spell exactly `merged`? Both sides are sorted and disjoint. */
static bool spells(const struct index *x, struct row_ids ids, struct labels merged) {
    const struct entry *t = index_target(x, ids.target);
    const struct entry *s = index_shape(x, ids.shape);
    if (t->n + s->n != merged.n) return false;
    uint32_t i = 0;
    uint32_t j = 0;
    for (size_t k = 0; k < merged.n; k++) {
        bool from_target = i < t->n && str_eq(name_of(x, t->l[i]), merged.l[k].name);
        if (!from_target && (j == s->n || !str_eq(name_of(x, s->l[j]), merged.l[k].name))) return false;
        struct label_id l = from_target ? t->l[i++] : s->l[j++];
        if (!str_eq(x->strings.s.p[l.value], merged.l[k].value)) return false;
    }
    return true;
}

uint32_t head_find_labels(const struct head *h, struct labels merged) {
    uint64_t hash = index_hash_labels(merged);
    uint32_t at = (uint32_t)hash;
    for (uint32_t row; (row = idmap_next(&h->by_labels, hash, &at)) != ID_NONE;)
        if (spells(&h->index, h->index.rows.p[row], merged)) return row;
    return ID_NONE;
}

void head_init(struct head *h) {
    *h = (struct head){.min_ms = INT64_MAX, .max_ms = INT64_MIN, .newest_ms = NO_TIME};
    index_init(&h->index, true);
    vec_add(&h->owns);
}

void head_done(struct head *h) {
    head_drop_frozen(h);
    chains_done(&h->chains);
    for (size_t i = 0; i < h->clocks.n; i++) clock_done(&h->clocks.p[i]);
    for (size_t i = 0; i < h->owns.n; i++) clock_done(&h->owns.p[i].clock);
    vec_done(&h->series);
    vec_done(&h->clocks);
    vec_done(&h->owns);
    idmap_done(&h->by_key);
    idmap_done(&h->by_labels);
    map_done(&h->more_keys);
    index_done(&h->index);
}

static uint32_t add_row(struct head *h, uint32_t target, uint32_t shape) {
    while (h->clocks.n <= target) vec_add(&h->clocks);
    uint32_t row = index_add_row(&h->index, target, shape);
    assert(row == h->series.n);
    vec_push(&h->series, ((struct series){.last_ms = NO_TIME, .follows = ID_NONE, .absolute = 1}));
    idmap_put(&h->by_labels, index_hash(&h->index, target, shape), row);
    return row;
}

uint32_t head_new_series(struct head *h, struct labels target, struct labels shape) {
    uint32_t t = index_put_target(&h->index, target);
    return add_row(h, t, index_put_shape(&h->index, shape));
}

static bool disjoint(const struct entry *a, const struct entry *b) {
    for (uint32_t i = 0; i < a->n; i++)
        for (uint32_t k = 0; k < b->n; k++)
            if (a->l[i].name == b->l[k].name) return false;
    return true;
}

bool head_put_row(struct head *h, uint32_t target, uint32_t shape, uint32_t *row) {
    const struct index *x = &h->index;
    if (!disjoint(index_target(x, target), index_shape(x, shape))) return false;
    uint64_t hash = index_hash(x, target, shape);
    uint32_t at = (uint32_t)hash;
    AUTO(arena_free) struct arena *a = NULL; /* made when there is a candidate: next to never */
    while ((*row = idmap_next(&h->by_labels, hash, &at)) != ID_NONE) {
        struct row_ids ids = x->rows.p[*row];
        if (ids.target == target && ids.shape == shape) return true;
        if (!a) a = arena_new(1024);
        if (spells(x, ids, index_labels(x, target, shape, a))) return true; /* split in another way */
    }
    *row = add_row(h, target, shape);
    return true;
}

/* --- samples */

static struct own *own_of(struct head *h, struct series *s) {
    if (s->own == 0) {
        s->own = (uint32_t)h->owns.n & 0xfffffff;
        vec_add(&h->owns);
    }
    return &h->owns.p[s->own];
}

/* The tick for t_ms, made if it is new; false: the clock has passed it without one. */
static bool tick_for(struct clock *c, const struct series *s, int64_t t_ms, uint32_t *tick) {
    if (c->n == 0 || t_ms > clock_newest(c)) clock_push(c, t_ms);
    if (clock_newest(c) == t_ms) {
        *tick = c->n - 1;
        return true;
    }
    *tick = clock_find(c, s->cells.tick, t_ms);
    return *tick < c->n && clock_at(c, *tick) == t_ms;
}

int64_t head_start_ms(const struct head *h, uint32_t row) {
    const struct series *s = &h->series.p[row];
    return s->own ? h->owns.p[s->own].start_ms : 0;
}

static void put_cell(struct head *h, struct series *s, uint32_t tick, const struct point *p) {
    if (p->start_ms != (s->own ? h->owns.p[s->own].start_ms : 0)) {
        own_of(h, s)->start_ms = p->start_ms;
        cells_start(&h->chains, &s->cells, p->start_ms);
    }
    if (p->histogram.n > 0)
        cells_add_histogram(&h->chains, &s->cells, &s->last, tick, p->histogram);
    else
        cells_add(&h->chains, &s->cells, &s->last, tick, p->v);
}

static struct clock *clock_of(struct head *h, uint32_t row, const struct series *s) {
    if (s->own && h->owns.p[s->own].clock.n > 0) return &h->owns.p[s->own].clock;
    return &h->clocks.p[h->index.rows.p[row].target];
}

/* Writes the row anew on its own clock, with `extra` in its place when it is given. Rare: late samples and series off their target's beat. */
static enum add_result rewrite(struct head *h, uint32_t row, const struct point *extra) {
    struct series *s = &h->series.p[row];
    struct clock *clock = clock_of(h, row, s);
    AUTO(arena_free) struct arena *a = arena_new(16 << 10);
    struct columns old = {.arena = a, .bytes_left = SIZE_MAX};
    bool ok = cells_read(chain_str(&h->chains, &s->cells.bytes, a), clock_spell(clock, a), clock->n, INT64_MIN, INT64_MAX, &old, NULL);
    assert(ok); /* our own bytes */
    (void)ok;
    struct series fresh = {.last_ms = s->last_ms, .own = s->own};
    struct own *own = own_of(h, &fresh);
    struct clock new_clock = {0};
    own->start_ms = 0;
    bool pending = extra != NULL;
    AUTO(buf_done) struct buf code = {0};
    for (size_t i = 0; i <= old.n; i++) {
        if (pending && (i == old.n || extra->t_ms < old.t_ms[i])) {
            clock_push(&new_clock, extra->t_ms);
            put_cell(h, &fresh, new_clock.n - 1, extra);
            pending = false;
        }
        if (i == old.n) break;
        struct point p = {old.t_ms[i], old.st_ms ? old.st_ms[i] : 0, old.v[i], STR_NULL};
        buf_clear(&code);
        if (old.h && old.h[i]) histogram_encode(old.h[i], &code);
        p.histogram = buf_str(&code);
        clock_push(&new_clock, p.t_ms);
        put_cell(h, &fresh, new_clock.n - 1, &p);
    }
    own = &h->owns.p[fresh.own];
    clock_done(&own->clock);
    own->clock = new_clock;
    h->bytes += fresh.cells.bytes.n;
    h->bytes -= s->cells.bytes.n;
    chain_clear(&h->chains, &s->cells.bytes);
    s->cells = fresh.cells;
    s->last = fresh.last;
    s->own = fresh.own;
    s->absolute = 1; /* the state may have taken another turn than a reader of the log knows */
    return ADD_LATE;
}

static bool same_value(const struct cell_state *last, const struct point *p) {
    if (p->histogram.n == 0) return cell_same(last, p->v);
    return last->histogram && last->bits == hash_check(p->histogram.p, p->histogram.n);
}

/* A sample at a time the row already has one: the same or another? */
static enum add_result compare_old(struct head *h, uint32_t row, const struct point *p) {
    struct row_bytes r = head_row(h, row);
    AUTO(arena_free) struct arena *a = arena_new(4 << 10);
    struct columns c = {.arena = a, .bytes_left = SIZE_MAX};
    bool ok = cells_read(row_copy(r, a), clock_spell(r.clock, a), r.clock->n, p->t_ms, p->t_ms, &c, NULL);
    assert(ok);
    (void)ok;
    if (c.n == 0) return ADD_LATE;
    AUTO(buf_done) struct buf code = {0};
    if (c.h && c.h[0]) histogram_encode(c.h[0], &code);
    bool same = p->histogram.n > 0 ? str_eq(p->histogram, buf_str(&code)) : code.n == 0 && memcmp(&c.v[0], &p->v, sizeof p->v) == 0;
    return same ? ADD_SAME : ADD_DUPLICATE;
}

static void count(struct head *h, int64_t t_ms) {
    h->samples++;
    h->min_ms = MIN(h->min_ms, t_ms);
    h->max_ms = MAX(h->max_ms, t_ms);
    h->newest_ms = MAX(h->newest_ms, t_ms);
}

static enum add_result add_late(struct head *h, uint32_t row, const struct point *p, int64_t out_of_order_ms) {
    if (out_of_order_ms == 0 || p->t_ms < h->newest_ms - out_of_order_ms) return ADD_OLD;
    enum add_result r = compare_old(h, row, p);
    if (r != ADD_LATE) return r;
    count(h, p->t_ms);
    return rewrite(h, row, p);
}

enum add_result head_add(struct head *h, uint32_t row, const struct point *p, int64_t out_of_order_ms) {
    struct series *s = &h->series.p[row];
    if (p->t_ms <= s->last_ms) {
        if (p->t_ms < s->last_ms) return add_late(h, row, p, out_of_order_ms);
        return same_value(&s->last, p) ? ADD_SAME : ADD_DUPLICATE;
    }
    struct clock *clock = clock_of(h, row, s);
    uint32_t tick;
    if (!tick_for(clock, s, p->t_ms, &tick)) {
        rewrite(h, row, NULL);
        clock = &h->owns.p[s->own].clock;
        clock_push(clock, p->t_ms);
        tick = clock->n - 1;
    }
    h->bytes -= s->cells.bytes.n;
    put_cell(h, s, tick, p);
    h->bytes += s->cells.bytes.n;
    s->last_ms = p->t_ms;
    count(h, p->t_ms);
    return ADD_STORED;
}

bool head_overlaps(const struct head *h, int64_t from_ms, int64_t to_ms) {
    if (h->min_ms <= to_ms && h->max_ms >= from_ms) return true;
    return h->frozen && h->frozen->min_ms <= to_ms && h->frozen->max_ms >= from_ms;
}

/* --- freezing */

struct frozen *head_freeze(struct head *h) {
    assert(!h->frozen);
    if (h->samples == 0) return NULL;
    struct frozen *f = mem_zalloc(sizeof *f);
    *f = (struct frozen){.row_n = h->series.n, .target_n = h->clocks.n, .own_n = h->owns.n, .samples = h->samples, .bytes = h->bytes};
    f->min_ms = h->min_ms;
    f->max_ms = h->max_ms;
    f->rows = mem_alloc(MAX(f->row_n, 1) * sizeof *f->rows);
    f->clocks = mem_alloc(MAX(f->target_n, 1) * sizeof *f->clocks);
    f->own_clocks = mem_alloc(f->own_n * sizeof *f->own_clocks);
    for (size_t i = 0; i < f->row_n; i++) {
        struct series *s = &h->series.p[i];
        bool own = s->own && h->owns.p[s->own].clock.n > 0;
        f->rows[i] = (struct frozen_row){s->cells.bytes, s->cells.n, own ? s->own : 0};
        s->cells = (struct cells){0};
        s->absolute = 1;
    }
    for (size_t i = 0; i < f->target_n; i++) {
        f->clocks[i] = h->clocks.p[i];
        h->clocks.p[i] = (struct clock){0};
    }
    for (size_t i = 0; i < f->own_n; i++) {
        f->own_clocks[i] = h->owns.p[i].clock;
        h->owns.p[i] = (struct own){0};
    }
    f->chains = h->chains;
    h->chains = (struct chains){0};
    h->samples = h->bytes = 0;
    h->min_ms = INT64_MAX;
    h->max_ms = INT64_MIN;
    h->frozen = f;
    return f;
}

void head_drop_frozen(struct head *h) {
    struct frozen *f = TAKE(h->frozen);
    if (!f) return;
    chains_done(&f->chains);
    for (size_t i = 0; i < f->target_n; i++) clock_done(&f->clocks[i]);
    for (size_t i = 0; i < f->own_n; i++) clock_done(&f->own_clocks[i]);
    free(f->rows);
    free(f->clocks);
    free(f->own_clocks);
    free(f);
}

struct row_bytes head_row(const struct head *h, uint32_t row) {
    const struct series *s = &h->series.p[row];
    const struct clock *own = s->own ? &h->owns.p[s->own].clock : NULL;
    const struct clock *clock = own && own->n > 0 ? own : &h->clocks.p[h->index.rows.p[row].target];
    return (struct row_bytes){&h->chains, &s->cells.bytes, clock, s->cells.n};
}

struct row_bytes frozen_row(const struct frozen *f, uint32_t row, uint32_t target) {
    if (row >= f->row_n) return (struct row_bytes){0};
    const struct frozen_row *r = &f->rows[row];
    return (struct row_bytes){&f->chains, &r->bytes, r->own ? &f->own_clocks[r->own] : &f->clocks[target], r->n};
}

/* --- forgetting */

static bool is_idle(const struct series *s, int64_t keep_from_ms) {
    return s->cells.n == 0 && s->last_ms < keep_from_ms;
}

/* Series, clock and own clock move to the new head; the old one is left with nothing of them. */
static uint32_t move_series(struct head *to, struct head *from, uint32_t row, struct arena *a) {
    struct row_ids ids = from->index.rows.p[row];
    struct labels target = entry_labels(&from->index, index_target(&from->index, ids.target), a);
    struct labels shape = entry_labels(&from->index, index_shape(&from->index, ids.shape), a);
    uint32_t new = head_new_series(to, target, shape);
    struct clock *clock = &to->clocks.p[to->index.rows.p[new].target];
    if (clock->n == 0) {
        *clock = from->clocks.p[ids.target];
        from->clocks.p[ids.target] = (struct clock){0};
    }
    struct series *s = &to->series.p[new];
    *s = from->series.p[row];
    if (s->own) {
        struct own own = from->owns.p[s->own];
        from->owns.p[s->own] = (struct own){0};
        s->own = (uint32_t)to->owns.n & 0xfffffff;
        *vec_add(&to->owns) = own;
    }
    if (s->keyed) idmap_put(&to->by_key, s->key_hash, new);
    return new;
}

uint32_t *head_forget_idle(struct head *h, int64_t keep_from_ms) {
    assert(!h->frozen);
    size_t idle = 0;
    for (size_t i = 0; i < h->series.n; i++) idle += is_idle(&h->series.p[i], keep_from_ms);
    if (idle < FORGET_MIN || idle * 2 < h->series.n) return NULL;
    uint32_t *moved = mem_alloc(h->series.n * sizeof *moved);
    struct head fresh;
    head_init(&fresh);
    AUTO(arena_free) struct arena *a = arena_new(4096);
    for (uint32_t i = 0; i < h->series.n; i++) {
        arena_reset(a);
        moved[i] = is_idle(&h->series.p[i], keep_from_ms) ? ID_NONE : move_series(&fresh, h, i, a);
    }
    for (uint32_t i = 0; i < fresh.series.n; i++) {
        uint32_t *follows = &fresh.series.p[i].follows;
        if (*follows != ID_NONE) *follows = moved[*follows];
    }
    for (size_t i = 0; i < h->more_keys.cap; i++) {
        struct map_slot slot = h->more_keys.slots[i];
        if (slot.value == 0 || slot.value == MAP_GONE || moved[slot.value - 1] == ID_NONE) continue;
        map_put(&fresh.more_keys, slot.hash, (uint64_t)moved[slot.value - 1] + 1);
    }
    fresh.chains = h->chains;
    h->chains = (struct chains){0};
    fresh.samples = h->samples;
    fresh.bytes = h->bytes;
    fresh.min_ms = h->min_ms;
    fresh.max_ms = h->max_ms;
    fresh.newest_ms = h->newest_ms;
    head_done(h);
    *h = fresh;
    return moved;
}
