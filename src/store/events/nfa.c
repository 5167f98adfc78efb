#include "store/events/nfa.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/map.h"
#include "codec/text.h"

static bool too_complex(struct err *e) {
    return err_set(e, ERR_INPUT, "the pattern is too complex: it needs more than %d states or %d steps; make it shorter or more specific",
                   AUTOMATON_STATES_MAX, NFA_WORK_MAX);
}

uint32_t nfa_state(struct nfa *n) {
    if (n->states.n >= NFA_STATES_MAX) {
        n->too_big = true;
        return 0;
    }
    avec_push(n->arena, &n->states, ((struct nfa_state){0}));
    return (uint32_t)n->states.n - 1;
}
static uint32_t add_edge(struct nfa *n, struct nfa_edge edge) {
    if (n->edges.n >= 8u * NFA_STATES_MAX) {
        n->too_big = true;
        return edge.next;
    }
    avec_push(n->arena, &n->edges, edge);
    return (uint32_t)n->edges.n;
}
void nfa_edge(struct nfa *n, uint32_t from, uint32_t lo, uint32_t hi, uint32_t to) {
    assert(lo <= hi && hi <= NFA_CP_MAX);
    struct nfa_state *s = &n->states.p[from];
    s->edges = add_edge(n, (struct nfa_edge){.lo = lo, .hi = hi, .to = to, .next = s->edges});
}
void nfa_jump(struct nfa *n, uint32_t from, uint32_t to) {
    struct nfa_state *s = &n->states.p[from];
    s->jumps = add_edge(n, (struct nfa_edge){.to = to, .next = s->jumps});
}
struct nfa_part nfa_part(struct nfa *n) {
    uint32_t in = nfa_state(n);
    return (struct nfa_part){in, nfa_state(n)};
}

uint32_t automaton_class(const struct automaton *m, uint32_t cp) {
    if (cp < 128) return m->ascii[cp];
    uint32_t lo = 0, hi = m->class_n; /* bounds[lo] <= cp < bounds[hi] */
    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (m->bounds[mid] <= cp)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

static int compare_u32(const void *x, const void *y) {
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
    return (a > b) - (a < b);
}
static void set_classes(struct automaton *m, uint32_t *bounds, size_t n) {
    qsort(bounds, n, sizeof *bounds, compare_u32);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (bounds[i] <= NFA_CP_MAX && (kept == 0 || bounds[kept - 1] != bounds[i])) bounds[kept++] = bounds[i];
    m->bounds = bounds;
    m->class_n = (uint32_t)kept;
    for (uint32_t cp = 0, class = 0; cp < 128; cp++) {
        while (class + 1 < m->class_n && bounds[class + 1] <= cp) class ++;
        m->ascii[cp] = (uint16_t) class;
    }
}
static void classes_of_nfa(struct automaton *m, const struct nfa *n, struct arena *a) {
    uint32_t *bounds = arena_new_n(a, uint32_t, 2 * n->edges.n + 1);
    size_t k = 0;
    bounds[k++] = 0;
    for (size_t i = 0; i < n->edges.n; i++) {
        bounds[k++] = n->edges.p[i].lo;
        bounds[k++] = n->edges.p[i].hi + 1;
    }
    set_classes(m, bounds, k);
}

/* --- subset construction */
struct subset { /* sorted NFA states, closed over empty transitions */
    uint32_t *p, n;
};
struct target { /* of one class, in a list */
    uint32_t to, next;
};
struct builder {
    struct nfa *nfa;
    struct arena *scratch;
    struct automaton *m;
    uint32_t accept;
    struct {
        struct subset *p;
        size_t n, cap;
    } sets; /* by DFA state */
    struct map by_hash;
    uint32_t *mark, stamp; /* per NFA state: in the set being made */
    uint32_t *stack, *found;
    struct {
        struct target *p;
        size_t n, cap;
    } targets;
    uint32_t *heads; /* per class */
    struct {
        uint16_t *p;
        size_t n, cap;
    } next;
};

static uint32_t subset_state(struct builder *b, uint32_t n) {
    if (n == 0) return 0;
    uint64_t hash = hash_stable(str_n(b->found, n * sizeof *b->found));
    for (size_t at = map_first(&b->by_hash, hash); at != MAP_END; at = map_next(&b->by_hash, at, hash)) {
        const struct subset *s = &b->sets.p[b->by_hash.slots[at].value];
        if (s->n == n && memcmp(s->p, b->found, n * sizeof *s->p) == 0) return (uint32_t)b->by_hash.slots[at].value;
    }
    struct subset s = {arena_new_n(b->scratch, uint32_t, n), n};
    memcpy(s.p, b->found, n * sizeof *s.p);
    avec_push(b->scratch, &b->sets, s);
    map_put(&b->by_hash, hash, b->sets.n - 1);
    return (uint32_t)b->sets.n - 1;
}

/* Adds state and what it reaches without input to found[]; states without edges matter only if they accept. */
static uint32_t close_over(struct builder *b, uint32_t state, uint32_t found_n) {
    uint32_t top = 0;
    if (b->mark[state] == b->stamp) return found_n;
    b->mark[state] = b->stamp;
    b->stack[top++] = state;
    while (top) {
        uint32_t at = b->stack[--top];
        const struct nfa_state *s = &b->nfa->states.p[at];
        if (s->edges || at == b->accept) b->found[found_n++] = at;
        for (uint32_t i = s->jumps; i; i = b->nfa->edges.p[i - 1].next) {
            uint32_t to = b->nfa->edges.p[i - 1].to;
            b->nfa->work++;
            if (b->mark[to] == b->stamp) continue;
            b->mark[to] = b->stamp;
            b->stack[top++] = to;
        }
    }
    return found_n;
}

static bool same_targets(const struct builder *b, uint32_t x, uint32_t y) {
    while (x && y && b->targets.p[x - 1].to == b->targets.p[y - 1].to) {
        x = b->targets.p[x - 1].next;
        y = b->targets.p[y - 1].next;
    }
    return !x && !y;
}

static void expand(struct builder *b, uint32_t state) {
    struct subset set = b->sets.p[state];
    uint32_t class_n = b->m->class_n;
    memset(b->heads, 0, class_n * sizeof *b->heads);
    b->targets.n = 0;
    b->nfa->work += class_n;
    for (uint32_t i = 0; i < set.n; i++) {
        for (uint32_t at = b->nfa->states.p[set.p[i]].edges; at; at = b->nfa->edges.p[at - 1].next) {
            const struct nfa_edge *edge = &b->nfa->edges.p[at - 1];
            for (uint32_t c = automaton_class(b->m, edge->lo); c < class_n && b->m->bounds[c] <= edge->hi; c++) {
                avec_push(b->scratch, &b->targets, ((struct target){edge->to, b->heads[c]}));
                b->heads[c] = (uint32_t)b->targets.n;
                b->nfa->work++;
            }
        }
    }
    for (uint32_t c = 0; c < class_n; c++) {
        uint32_t to;
        if (c > 0 && same_targets(b, b->heads[c], b->heads[c - 1])) {
            to = b->next.p[b->next.n - 1];
        } else {
            uint32_t found = 0;
            b->stamp++;
            for (uint32_t t = b->heads[c]; t; t = b->targets.p[t - 1].next) found = close_over(b, b->targets.p[t - 1].to, found);
            qsort(b->found, found, sizeof *b->found, compare_u32);
            b->nfa->work += found;
            to = subset_state(b, found);
        }
        avec_push(b->scratch, &b->next, (uint16_t)to);
    }
}

/* Marks every state that can reach one where `from[state]` is set: a walk over the reversed edges. */
static void reaches(const struct automaton *m, struct arena *scratch, const uint8_t *from, uint8_t *out) {
    uint32_t *first = arena_zalloc(scratch, (m->state_n + 2) * sizeof *first);
    size_t cells = (size_t)m->state_n * m->class_n;
    uint32_t *source = arena_new_n(scratch, uint32_t, cells), *stack = arena_new_n(scratch, uint32_t, m->state_n);
    for (size_t i = 0; i < cells; i++) first[m->next[i] + 2]++;
    for (uint32_t s = 2; s < m->state_n + 2; s++) first[s] += first[s - 1];
    for (size_t i = 0; i < cells; i++) source[first[m->next[i] + 1]++] = (uint32_t)(i / m->class_n);
    size_t top = 0;
    memcpy(out, from, m->state_n);
    for (uint32_t s = 0; s < m->state_n; s++)
        if (out[s]) stack[top++] = s;
    while (top) {
        uint32_t s = stack[--top];
        for (uint32_t i = first[s]; i < first[s + 1]; i++) {
            if (out[source[i]]) continue;
            out[source[i]] = 1;
            stack[top++] = source[i];
        }
    }
}
static void set_verdicts(struct automaton *m, struct arena *scratch, const uint8_t *accepts) {
    uint8_t *refuses = arena_new_n(scratch, uint8_t, m->state_n), *may = arena_new_n(scratch, uint8_t, m->state_n);
    uint8_t *may_not = arena_new_n(scratch, uint8_t, m->state_n);
    for (uint32_t s = 0; s < m->state_n; s++) refuses[s] = !accepts[s];
    reaches(m, scratch, accepts, may);
    reaches(m, scratch, refuses, may_not);
    for (uint32_t s = 0; s < m->state_n; s++) m->verdict[s] = !may[s] ? V_NEVER : !may_not[s] ? V_ALWAYS : accepts[s] ? V_ACCEPTS : V_REFUSES;
}

/* Follows the start while only one code point leads on. */
static void set_prefix(struct automaton *m, struct arena *a) {
    struct buf b = {0};
    uint32_t at = m->start;
    while (m->verdict[at] == V_REFUSES && b.n < AUTOMATON_PATTERN_MAX) {
        uint32_t only = UINT32_MAX, ways = 0;
        for (uint32_t c = 0; c < m->class_n; c++) {
            if (m->verdict[m->next[at * m->class_n + c]] == V_NEVER) continue;
            ways++;
            only = c;
        }
        uint32_t end = only + 1 < m->class_n ? m->bounds[only + 1] : NFA_CP_MAX + 1;
        if (ways != 1 || end - m->bounds[only] != 1 || m->bounds[only] == 0xfffd) break; /* U+FFFD may stand for any bad byte */
        utf8_put(&b, m->bounds[only]);
        at = m->next[at * m->class_n + only];
    }
    m->prefix = arena_str(a, buf_str(&b));
    buf_done(&b);
}

static bool run_builder(struct builder *b, struct nfa_part whole, struct err *e) {
    avec_push(b->scratch, &b->sets, ((struct subset){0})); /* state 0: dead */
    b->stamp = 1;
    uint32_t n = close_over(b, whole.in, 0);
    qsort(b->found, n, sizeof *b->found, compare_u32);
    b->m->start = subset_state(b, n);
    for (uint32_t s = 0; s < b->sets.n; s++) {
        if (b->sets.n > AUTOMATON_STATES_MAX || b->nfa->work > NFA_WORK_MAX || (s + 1) * (size_t)b->m->class_n > AUTOMATON_CELLS_MAX)
            return too_complex(e);
        expand(b, s);
    }
    return true;
}

bool nfa_finish(struct nfa *n, struct nfa_part whole, struct arena *a, struct automaton **out, struct err *e) {
    if (n->too_big) return too_complex(e);
    AUTO(arena_free) struct arena *scratch = arena_new(16 << 10);
    struct automaton *m = arena_one(a, struct automaton);
    classes_of_nfa(m, n, a);
    if (m->class_n > UINT16_MAX) return too_complex(e);
    struct builder b = {.nfa = n, .scratch = scratch, .m = m, .accept = whole.out};
    b.mark = arena_zalloc(scratch, n->states.n * sizeof *b.mark);
    b.stack = arena_new_n(scratch, uint32_t, n->states.n);
    b.found = arena_new_n(scratch, uint32_t, n->states.n);
    b.heads = arena_new_n(scratch, uint32_t, m->class_n);
    bool ok = run_builder(&b, whole, e);
    map_done(&b.by_hash);
    if (!ok) return false;
    m->state_n = (uint32_t)b.sets.n;
    m->next = arena_new_n(a, uint16_t, b.next.n);
    memcpy(m->next, b.next.p, b.next.n * sizeof *m->next);
    m->verdict = arena_new_n(a, uint8_t, m->state_n);
    uint8_t *accepts = arena_zalloc(scratch, m->state_n);
    for (uint32_t s = 0; s < m->state_n; s++)
        for (uint32_t i = 0; i < b.sets.p[s].n; i++) accepts[s] |= b.sets.p[s].p[i] == whole.out;
    set_verdicts(m, scratch, accepts);
    set_prefix(m, a);
    *out = m;
    return true;
}

static bool accepts_here(const struct automaton *m, uint32_t state) {
    return m->verdict[state] == V_ACCEPTS || m->verdict[state] == V_ALWAYS;
}
static uint32_t class_end(const struct automaton *m, uint32_t class) {
    return class + 1 < m->class_n ? m->bounds[class + 1] - 1 : NFA_CP_MAX;
}

bool nfa_complement(struct nfa *n, struct nfa_part part, struct nfa_part *out, struct err *e) {
    struct automaton *m;
    if (!nfa_finish(n, part, n->arena, &m, e)) return false;
    uint32_t base = (uint32_t)n->states.n;
    for (uint32_t s = 0; s < m->state_n; s++) nfa_state(n);
    struct nfa_part made = nfa_part(n);
    if (n->too_big) return too_complex(e);
    nfa_jump(n, made.in, base + m->start);
    for (uint32_t s = 0; s < m->state_n; s++) {
        for (uint32_t c = 0; c < m->class_n; c++) nfa_edge(n, base + s, m->bounds[c], class_end(m, c), base + m->next[s * m->class_n + c]);
        if (!accepts_here(m, s)) nfa_jump(n, base + s, made.out);
    }
    *out = made;
    return true;
}

/* One to one, so that equal hashes are equal pairs. */
static uint64_t pair_hash(uint64_t pair) {
    return __builtin_bswap64(pair * UINT64_C(0x9e3779b97f4a7c15));
}

bool nfa_intersect(struct nfa *n, struct nfa_part x, struct nfa_part y, struct nfa_part *out, struct err *e) {
    struct automaton *mx, *my;
    if (!nfa_finish(n, x, n->arena, &mx, e) || !nfa_finish(n, y, n->arena, &my, e)) return false;
    /* Both were made from one NFA's edges, and none were added in between: the classes are the same. */
    assert(mx->class_n == my->class_n);
    struct nfa_part made = nfa_part(n);
    struct map by_pair = {0};
    struct {
        uint64_t *p;
        size_t n, cap;
    } pairs = {0};
    uint32_t base = (uint32_t)n->states.n;
    uint64_t start = (uint64_t)mx->start << 32 | my->start;
    avec_push(n->arena, &pairs, start);
    map_put(&by_pair, pair_hash(start), 1);
    nfa_jump(n, made.in, nfa_state(n));
    for (size_t i = 0; i < pairs.n && !n->too_big && n->work <= NFA_WORK_MAX; i++) {
        uint32_t sx = (uint32_t)(pairs.p[i] >> 32), sy = (uint32_t)pairs.p[i];
        if (accepts_here(mx, sx) && accepts_here(my, sy)) nfa_jump(n, base + (uint32_t)i, made.out);
        for (uint32_t c = 0; c < mx->class_n; c++) {
            uint32_t tx = mx->next[sx * mx->class_n + c], ty = my->next[sy * my->class_n + c];
            n->work++;
            if (mx->verdict[tx] == V_NEVER || my->verdict[ty] == V_NEVER) continue;
            uint64_t pair = (uint64_t)tx << 32 | ty;
            size_t at = map_first(&by_pair, pair_hash(pair));
            if (at == MAP_END) {
                avec_push(n->arena, &pairs, pair);
                map_put(&by_pair, pair_hash(pair), pairs.n);
                nfa_state(n);
                at = map_first(&by_pair, pair_hash(pair));
            }
            nfa_edge(n, base + (uint32_t)i, mx->bounds[c], class_end(mx, c), base + (uint32_t)by_pair.slots[at].value - 1);
        }
    }
    map_done(&by_pair);
    if (n->too_big || n->work > NFA_WORK_MAX) return too_complex(e);
    *out = made;
    return true;
}
