#include "store/events/edges.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/map.h"

#define MINUTE_NS (60 * NS_PER_S)

/* Calls per (minute, parent, child), with the names of the services. */
struct edge {
    int64_t minute;
    uint32_t parent, child;
    uint64_t calls, errors;
};
struct edge_sum {
    int64_t from_minute, to_minute;
    struct arena *arena;
    VEC(str) services;
    VEC(struct edge) edges;
    struct map service_map, edge_map;
};

static int64_t minute_of(int64_t ns) {
    int64_t m = ns / MINUTE_NS;
    return ns % MINUTE_NS < 0 ? m - 1 : m;
}

struct edge_sum *edge_sum_new(int64_t from_ns, int64_t to_ns) {
    struct edge_sum *s = mem_zalloc(sizeof *s);
    s->arena = arena_new(1024);
    s->from_minute = minute_of(from_ns);
    s->to_minute = minute_of(to_ns);
    return s;
}

void edge_sum_free(struct edge_sum *s) {
    if (!s) return;
    arena_free(s->arena);
    vec_done(&s->services);
    vec_done(&s->edges);
    map_done(&s->service_map);
    map_done(&s->edge_map);
    free(s);
}

static uint32_t service_id(struct edge_sum *s, str name) {
    uint64_t h = hash_str(name);
    for (size_t at = map_first(&s->service_map, h); at != MAP_END; at = map_next(&s->service_map, at, h))
        if (str_eq(s->services.p[s->service_map.slots[at].value - 1], name)) return (uint32_t)s->service_map.slots[at].value - 1;
    vec_push(&s->services, arena_str(s->arena, name));
    map_put(&s->service_map, h, s->services.n);
    return (uint32_t)s->services.n - 1;
}

static void add_edge(struct edge_sum *s, const struct edge *e) {
    if (e->minute < s->from_minute || e->minute > s->to_minute) return;
    uint64_t h = hash_mix((uint64_t)e->minute, (uint64_t)e->parent << 32 | e->child);
    for (size_t at = map_first(&s->edge_map, h); at != MAP_END; at = map_next(&s->edge_map, at, h)) {
        struct edge *known = &s->edges.p[s->edge_map.slots[at].value - 1];
        if (known->minute != e->minute || known->parent != e->parent || known->child != e->child) continue;
        known->calls += e->calls;
        known->errors += e->errors;
        return;
    }
    vec_push(&s->edges, *e);
    map_put(&s->edge_map, h, s->edges.n);
}

void edge_sum_add(struct edge_sum *s, str section) {
    struct reader r = reader_open(section);
    VEC(uint32_t) ids = {0};
    for (uint64_t n = get_varint(&r); n > 0 && !r.bad; n--) {
        str name = get_slice(&r);
        if (!r.bad) vec_push(&ids, service_id(s, name));
    }
    for (uint64_t n = get_varint(&r); n > 0 && !r.bad; n--) {
        struct edge e = {.minute = get_zigzag(&r)};
        uint64_t parent = get_varint(&r);
        uint64_t child = get_varint(&r);
        e.calls = get_varint(&r);
        e.errors = get_varint(&r);
        if (r.bad || parent >= ids.n || child >= ids.n) break;
        e.parent = ids.p[parent];
        e.child = ids.p[child];
        add_edge(s, &e);
    }
    vec_done(&ids);
}

void edge_sum_add_part(struct edge_sum *s, const struct part *p) {
    AUTO(arena_free) struct arena *a = arena_new(1024);
    str section;
    if (part_table(p, SEC_EDGES, a, &section)) edge_sum_add(s, section);
}

void edge_sum_put(const struct edge_sum *s, struct buf *b) {
    put_varint(b, s->services.n);
    for (size_t i = 0; i < s->services.n; i++) put_slice(b, s->services.p[i]);
    put_varint(b, s->edges.n);
    for (size_t i = 0; i < s->edges.n; i++) {
        const struct edge *e = &s->edges.p[i];
        put_zigzag(b, e->minute);
        put_varint(b, e->parent);
        put_varint(b, e->child);
        put_varint(b, e->calls);
        put_varint(b, e->errors);
    }
}

static int by_services(const void *l, const void *r) {
    const struct service_edge *a = l;
    const struct service_edge *b = r;
    int c = str_cmp(a->parent, b->parent);
    return c ? c : str_cmp(a->child, b->child);
}

void edge_sum_result(const struct edge_sum *s, struct arena *a, struct service_edge **out, size_t *n) {
    struct service_edge *e = arena_new_n(a, struct service_edge, s->edges.n + 1);
    for (size_t i = 0; i < s->edges.n; i++) {
        const struct edge *from = &s->edges.p[i];
        e[i] = (struct service_edge){s->services.p[from->parent], s->services.p[from->child], from->calls, from->errors};
    }
    if (s->edges.n) qsort(e, s->edges.n, sizeof *e, by_services);
    size_t last = 0;
    for (size_t i = 1; i < s->edges.n; i++) {
        if (by_services(&e[i], &e[last]) == 0) {
            e[last].calls += e[i].calls;
            e[last].errors += e[i].errors;
        } else {
            e[++last] = e[i];
        }
    }
    *n = s->edges.n ? last + 1 : 0;
    for (size_t i = 0; i < *n; i++) {
        e[i].parent = arena_str(a, e[i].parent);
        e[i].child = arena_str(a, e[i].child);
    }
    *out = e;
}

/* --- who called whom, from spans as they come */

/* One remembered span: as a possible parent, or as a child that waits for its parent. */
struct memory {
    uint64_t key; /* of (trace, span) or of (trace, parent) */
    int64_t minute;
    uint32_t service;
    bool error;
};
/* The newest EDGES_SPANS_MAX memories, found by key. */
struct memories {
    struct memory *ring;
    size_t next, n;
    struct map map;
};
struct edges {
    struct edge_sum *sum;
    struct memories parents, waiting;
};

struct edges *edges_new(void) {
    struct edges *e = mem_zalloc(sizeof *e);
    e->sum = edge_sum_new(INT64_MIN, INT64_MAX);
    return e;
}

static void memories_done(struct memories *m) {
    free(m->ring);
    map_done(&m->map);
}

void edges_free(struct edges *e) {
    if (!e) return;
    edge_sum_free(e->sum);
    memories_done(&e->parents);
    memories_done(&e->waiting);
    free(e);
}

static void forget_at(struct memories *m, size_t at) {
    uint64_t key = m->ring[at].key;
    for (size_t slot = map_first(&m->map, key); slot != MAP_END; slot = map_next(&m->map, slot, key))
        if (m->map.slots[slot].value == at + 1) {
            map_remove(&m->map, slot);
            return;
        }
}

static void remember(struct memories *m, struct memory what) {
    if (m->n < EDGES_SPANS_MAX) {
        if ((m->n & (m->n - 1)) == 0) m->ring = mem_realloc(m->ring, MAX(m->n * 2, (size_t)64) * sizeof *m->ring);
        m->n++;
    } else {
        forget_at(m, m->next);
    }
    m->ring[m->next] = what;
    map_put(&m->map, what.key, m->next + 1);
    m->next = (m->next + 1) % EDGES_SPANS_MAX;
}

static const struct memory *recall(const struct memories *m, uint64_t key) {
    size_t slot = map_first(&m->map, key);
    return slot == MAP_END ? NULL : &m->ring[m->map.slots[slot].value - 1];
}

static void count_call(struct edges *e, uint32_t parent, uint32_t child, int64_t minute, bool error) {
    if (parent != child) add_edge(e->sum, &(struct edge){minute, parent, child, 1, error});
}

struct span_in {
    uint64_t key, parent_key; /* parent_key 0: root */
    struct memory own;
};

static void span_came(struct edges *e, const struct span_in *s) {
    remember(&e->parents, s->own);
    /* Children that were faster. */
    for (size_t slot = map_first(&e->waiting.map, s->key); slot != MAP_END; slot = map_first(&e->waiting.map, s->key)) {
        const struct memory *child = &e->waiting.ring[e->waiting.map.slots[slot].value - 1];
        count_call(e, s->own.service, child->service, child->minute, child->error);
        map_remove(&e->waiting.map, slot);
    }
    if (s->parent_key == 0) return;
    const struct memory *parent = recall(&e->parents, s->parent_key);
    if (parent) {
        count_call(e, parent->service, s->own.service, s->own.minute, s->own.error);
        return;
    }
    struct memory child = s->own;
    child.key = s->parent_key;
    remember(&e->waiting, child);
}

static uint64_t span_key(struct trace_id t, uint64_t span_id) {
    return hash_mix(hash_mix(t.hi, t.lo), span_id);
}

static struct block_column *find_fixed(struct block *b, enum fixed id) {
    for (uint32_t i = 0; i < b->column_n; i++)
        if (column_fixed(&b->columns[i]) == id && b->columns[i].type == CELL_INT && block_column_rows(b, &b->columns[i])) return &b->columns[i];
    return NULL;
}
/* The value of a column that rows have at most once. */
static int64_t int_of(const struct block_column *c, uint32_t row) {
    if (!c) return 0;
    uint32_t at = column_start(c, row);
    return c->dense || c->starts[row + 1] > at ? ints_at(&c->ints, at) : 0;
}

static void read_spans(struct edges *e, struct block *b, bool count) {
    const struct block_column *span = find_fixed(b, FIX_SPAN);
    const struct block_column *parent = find_fixed(b, FIX_PARENT);
    const struct block_column *status = find_fixed(b, FIX_STATUS);
    uint32_t *services = arena_new_n(b->arena, uint32_t, b->stream_n + 1);
    for (uint32_t i = 0; i < b->stream_n; i++) services[i] = service_id(e->sum, b->streams[i].stream.service);
    for (uint32_t row = 0; row < b->row_n; row++) {
        struct trace_id t = block_row_trace(b, row);
        uint64_t parent_id = (uint64_t)int_of(parent, row);
        struct span_in s = {.key = span_key(t, (uint64_t)int_of(span, row)), .parent_key = parent_id && count ? span_key(t, parent_id) : 0};
        s.own = (struct memory){s.key, minute_of(ints_at(&b->time, row)), services[ints_at(&b->stream, row)], int_of(status, row) == STATUS_ERROR};
        if (count)
            span_came(e, &s);
        else
            remember(&e->parents, s.own);
    }
}

void edges_add_block(struct edges *e, struct block *b) {
    read_spans(e, b, true);
}
void edges_remember_block(struct edges *e, struct block *b) {
    read_spans(e, b, false);
}

void edges_put(const struct edges *e, struct buf *section) {
    if (e->sum->edges.n) edge_sum_put(e->sum, section);
}

void edges_clear_counts(struct edges *e) {
    e->sum->edges.n = 0; /* the services stay: memories name them by number */
    map_done(&e->sum->edge_map);
}
