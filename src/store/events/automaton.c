#include "store/events/automaton.h"

#include "codec/text.h"
#include "store/events/nfa.h"

static inline uint32_t step(const struct automaton *m, uint32_t state, str s, size_t *at) {
    uint8_t byte = (uint8_t)s.p[*at];
    uint32_t class;
    if (byte < 128) {
        class = m->ascii[byte];
        ++*at;
    } else {
        uint32_t cp;
        *at += utf8_next(str_from(s, *at), &cp);
        class = automaton_class(m, cp);
    }
    return m->next[state * m->class_n + class];
}

bool automaton_match(const struct automaton *m, str s) {
    uint32_t state = m->start;
    for (size_t at = 0; at < s.n;) {
        uint8_t verdict = m->verdict[state];
        if (verdict >= V_NEVER) return verdict == V_ALWAYS;
        state = step(m, state, s, &at);
    }
    return automaton_accepts(m, state);
}

uint32_t automaton_start(const struct automaton *m) {
    return m->start;
}
uint32_t automaton_walk(const struct automaton *m, uint32_t state, str s) {
    for (size_t at = 0; at < s.n && m->verdict[state] != V_NEVER; state = step(m, state, s, &at)) continue;
    return m->verdict[state] == V_NEVER ? 0 : state;
}
bool automaton_accepts(const struct automaton *m, uint32_t state) {
    return m->verdict[state] == V_ACCEPTS || m->verdict[state] == V_ALWAYS;
}
size_t automaton_states(const struct automaton *m) {
    return m->state_n;
}

/* The states one character of the set leads to from the n in `from`; those already seen are left out. */
static size_t one_further(const struct automaton *m, const bool *class, const uint32_t *from, size_t n, bool *seen, uint32_t *to) {
    size_t out = 0;
    for (size_t i = 0; i < n; i++)
        for (uint32_t c = 0; c < m->class_n && m->verdict[from[i]] != V_NEVER; c++) {
            uint32_t state = m->next[from[i] * m->class_n + c];
            if (!class[c] || seen[state]) continue;
            seen[state] = true;
            to[out++] = state;
        }
    return out;
}

bool automaton_may(const struct automaton *m, const uint64_t ascii[2], size_t at_least, struct arena *scratch) {
    bool *seen = arena_zalloc(scratch, m->state_n);
    bool *class = arena_zalloc(scratch, m->class_n);
    uint32_t *now = arena_new_n(scratch, uint32_t, m->state_n + 1);
    uint32_t *then = arena_new_n(scratch, uint32_t, m->state_n + 1);
    for (unsigned i = 0; i < 128; i++)
        if (ascii[i / 64] >> (i % 64) & 1) class[m->ascii[i]] = true;
    size_t n = 1;
    now[0] = m->start;
    for (size_t length = 0; length < at_least; length++) {
        memset(seen, 0, m->state_n);
        n = one_further(m, class, now, n, seen, then);
        memcpy(now, then, n * sizeof *now);
    }
    memset(seen, 0, m->state_n);
    for (size_t i = 0; i < n; i++) seen[now[i]] = true;
    while (n) {
        for (size_t i = 0; i < n; i++)
            if (automaton_accepts(m, now[i])) return true;
        n = one_further(m, class, now, n, seen, then);
        memcpy(now, then, n * sizeof *now);
    }
    return false;
}

str automaton_prefix(const struct automaton *m) {
    return m->prefix;
}

static void char_edge(struct nfa *n, uint32_t from, uint32_t cp, bool nocase, uint32_t to) {
    nfa_edge(n, from, cp, cp, to);
    uint32_t low = cp | 0x20;
    if (nocase && cp < 128 && low >= 'a' && low <= 'z') nfa_edge(n, from, cp ^ 0x20, cp ^ 0x20, to);
}

bool automaton_wildcard(str pattern, bool nocase, struct arena *a, const struct automaton **out, struct err *e) {
    AUTO(arena_free) struct arena *scratch = arena_new(4 << 10);
    struct nfa n = {.arena = scratch};
    uint32_t in = nfa_state(&n), at_state = in;
    size_t length = 0;
    for (size_t at = 0; at < pattern.n; length++) {
        uint32_t cp;
        at += utf8_next(str_from(pattern, at), &cp);
        if (cp == '*') {
            nfa_edge(&n, at_state, 0, NFA_CP_MAX, at_state);
            continue;
        }
        uint32_t to = nfa_state(&n);
        bool any = cp == '?';
        if (cp == '\\' && at < pattern.n) at += utf8_next(str_from(pattern, at), &cp);
        if (any)
            nfa_edge(&n, at_state, 0, NFA_CP_MAX, to);
        else
            char_edge(&n, at_state, cp, nocase, to);
        at_state = to;
        if (length >= AUTOMATON_PATTERN_MAX) return err_set(e, ERR_INPUT, "the wildcard pattern is longer than %d characters", AUTOMATON_PATTERN_MAX);
    }
    struct automaton *m;
    if (!nfa_finish(&n, (struct nfa_part){in, at_state}, a, &m, e)) return false;
    *out = m;
    return true;
}

/* State (i, errors): i code points of the term are dealt with. swap[i][errors]: the swapped pair's first character is read. */
static void fuzzy_edges(struct nfa *n, const uint32_t *term, size_t term_n, size_t i, unsigned errors, struct automaton_fuzziness f) {
    uint32_t width = f.edits + 1, here = (uint32_t)i * width + errors;
    uint32_t swap_base = (uint32_t)(term_n + 1) * width;
    if (i < term_n) nfa_edge(n, here, term[i], term[i], here + width);
    if (errors == f.edits || i < f.prefix_n) return;
    nfa_edge(n, here, 0, NFA_CP_MAX, here + 1); /* insertion */
    if (i == term_n) return;
    nfa_edge(n, here, 0, NFA_CP_MAX, here + width + 1); /* substitution */
    nfa_jump(n, here, here + width + 1);                /* deletion */
    if (!f.transpositions || i + 1 >= term_n) return;
    nfa_edge(n, here, term[i + 1], term[i + 1], swap_base + here);
    nfa_edge(n, swap_base + here, term[i], term[i], here + 2 * width + 1);
}

bool automaton_fuzzy(str term, struct automaton_fuzziness f, struct arena *a, const struct automaton **out, struct err *e) {
    if (f.edits > 2) return err_set(e, ERR_INPUT, "fuzziness must be 0, 1 or 2, not %u", f.edits);
    AUTO(arena_free) struct arena *scratch = arena_new(16 << 10);
    uint32_t *cps = arena_new_n(scratch, uint32_t, AUTOMATON_PATTERN_MAX);
    size_t term_n = 0;
    for (size_t at = 0; at < term.n;) {
        if (term_n == AUTOMATON_PATTERN_MAX) return err_set(e, ERR_INPUT, "the fuzzy term is longer than %d characters", AUTOMATON_PATTERN_MAX);
        at += utf8_next(str_from(term, at), &cps[term_n++]);
    }
    struct nfa n = {.arena = scratch};
    uint32_t width = f.edits + 1, state_n = (uint32_t)(term_n + 1) * width;
    for (uint32_t s = 0; s < 2 * state_n; s++) nfa_state(&n);
    for (size_t i = 0; i <= term_n; i++)
        for (unsigned errors = 0; errors <= f.edits; errors++) fuzzy_edges(&n, cps, term_n, i, errors, f);
    uint32_t end = nfa_state(&n);
    for (unsigned errors = 0; errors <= f.edits; errors++) nfa_jump(&n, (uint32_t)term_n * width + errors, end);
    struct automaton *m;
    if (!nfa_finish(&n, (struct nfa_part){0, end}, a, &m, e)) return false;
    *out = m;
    return true;
}
