/* Lucene's RegExp dialect: recursive descent into a small tree (so that {n,m} can build its operand several times), then fragments of an NFA.
 *
 *   union   := inter ('|' inter)*        inter  := concat ('&' concat)*
 *   concat  := repeat+                   repeat := complement ('?' | '*' | '+' | '{n}' | '{n,}' | '{n,m}')*
 *   complement := '~' complement | class class := '[' '^'? (c | c '-' c | \d...)+ ']' | simple
 *   simple  := '.' | '#' | '@' | '"' literal '"' | '(' union? ')' | '<' n '-' m '>' | \c | c                                             */
#include <stdlib.h>

#include "codec/text.h"
#include "store/events/automaton.h"
#include "store/events/nfa.h"

enum { NESTING_MAX = 100 };

enum node_type { N_RANGES, N_TEXT, N_CONCAT, N_UNION, N_INTERSECT, N_COMPLEMENT, N_REPEAT, N_NOTHING, N_ANY_STRING, N_INTERVAL };
struct range {
    uint32_t lo, hi;
};
struct ranges {
    struct range *p;
    size_t n, cap;
};
struct nodes {
    struct node **p;
    size_t n, cap;
};
struct node {
    enum node_type type;
    struct ranges ranges;
    struct nodes kids;
    const uint32_t *text; /* N_TEXT */
    size_t text_n;
    uint32_t min, max; /* N_REPEAT; max UINT32_MAX: no upper bound */
    uint64_t lo, hi;   /* N_INTERVAL */
    unsigned digits;   /* N_INTERVAL: exact width; 0: leading zeros are free */
};

struct parser {
    const uint32_t *cp;
    size_t n, at;
    unsigned depth;
    struct arena *a;
    struct err *e;
};

static bool more(const struct parser *p) {
    return p->at < p->n;
}
static bool peek(const struct parser *p, const char *any_of) {
    return more(p) && p->cp[p->at] < 128 && p->cp[p->at] && strchr(any_of, (int)p->cp[p->at]);
}
static bool accept(struct parser *p, char c) {
    if (!more(p) || p->cp[p->at] != (uint32_t)c) return false;
    p->at++;
    return true;
}
static struct node *refuse(struct parser *p, const char *what) {
    err_set(p->e, ERR_INPUT, "regexp: %s at position %zu", what, p->at);
    return NULL;
}
static struct node *node(struct parser *p, enum node_type type) {
    struct node *n = arena_one(p->a, struct node);
    n->type = type;
    return n;
}
static struct node *range_node(struct parser *p, uint32_t lo, uint32_t hi) {
    struct node *n = node(p, N_RANGES);
    avec_push(p->a, &n->ranges, ((struct range){lo, hi}));
    return n;
}

static struct node *parse_union(struct parser *p);

static int compare_ranges(const void *x, const void *y) {
    uint32_t a = ((const struct range *)x)->lo, b = ((const struct range *)y)->lo;
    return (a > b) - (a < b);
}
/* Adds to `to` what `from` does not hold. */
static void add_inverse(struct arena *a, struct ranges *to, struct ranges from) {
    if (from.n) qsort(from.p, from.n, sizeof *from.p, compare_ranges);
    uint32_t at = 0;
    for (size_t i = 0; i < from.n; i++) {
        if (from.p[i].lo > at) avec_push(a, to, ((struct range){at, from.p[i].lo - 1}));
        at = MAX(at, from.p[i].hi + 1);
    }
    if (at <= NFA_CP_MAX) avec_push(a, to, ((struct range){at, NFA_CP_MAX}));
}

/* After a backslash: \d \s \w and their opposites; false: an ordinary escaped character. */
static bool add_predefined(struct parser *p, struct ranges *to) {
    static const struct range digits[] = {{'0', '9'}}, blanks[] = {{'\t', '\n'}, {'\r', '\r'}, {' ', ' '}},
                              words[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
    static const struct {
        char letter;
        const struct range *ranges;
        size_t n;
    } table[] = {{'d', digits, ARRAY_N(digits)}, {'s', blanks, ARRAY_N(blanks)}, {'w', words, ARRAY_N(words)}};
    for (size_t i = 0; i < ARRAY_N(table) && more(p); i++) {
        uint32_t c = p->cp[p->at];
        if ((c | 0x20) != (uint32_t)table[i].letter || c > 'z') continue;
        p->at++;
        struct ranges set = {0};
        for (size_t k = 0; k < table[i].n; k++) avec_push(p->a, &set, table[i].ranges[k]);
        if (c == (uint32_t)table[i].letter)
            for (size_t k = 0; k < set.n; k++) avec_push(p->a, to, set.p[k]);
        else
            add_inverse(p->a, to, set);
        return true;
    }
    return false;
}

static bool parse_char(struct parser *p, uint32_t *out) {
    accept(p, '\\');
    if (!more(p)) {
        refuse(p, "unexpected end of the pattern");
        return false;
    }
    *out = p->cp[p->at++];
    return true;
}

static struct node *parse_class(struct parser *p) {
    bool negated = accept(p, '^');
    struct ranges set = {0};
    do {
        if (!more(p)) return refuse(p, "expected ']'");
        if (p->cp[p->at] == '\\') {
            p->at++;
            if (add_predefined(p, &set)) continue;
            p->at--;
        }
        uint32_t lo, hi;
        if (!parse_char(p, &lo)) return NULL;
        hi = lo;
        if (p->at + 1 < p->n && p->cp[p->at] == '-' && p->cp[p->at + 1] != ']') {
            p->at++;
            if (!parse_char(p, &hi)) return NULL;
            if (hi < lo) return refuse(p, "a range of characters runs backwards");
        }
        avec_push(p->a, &set, ((struct range){lo, hi}));
    } while (more(p) && !peek(p, "]"));
    if (!accept(p, ']')) return refuse(p, "expected ']'");
    struct node *n = node(p, N_RANGES);
    if (negated)
        add_inverse(p->a, &n->ranges, set);
    else
        n->ranges = set;
    return n;
}

static bool parse_number(struct parser *p, uint64_t max, uint64_t *out, unsigned *width) {
    uint64_t v = 0;
    size_t from = p->at;
    for (; peek(p, "0123456789") && v <= max; p->at++) v = v * 10 + (p->cp[p->at] - '0');
    *width = (unsigned)(p->at - from);
    if (p->at == from || v > max) {
        refuse(p, p->at == from ? "integer expected" : "the number is too large");
        return false;
    }
    *out = v;
    return true;
}

static struct node *parse_interval(struct parser *p) {
    struct node *n = node(p, N_INTERVAL);
    unsigned w1, w2;
    if (!parse_number(p, INT32_MAX, &n->lo, &w1)) return NULL;
    if (!accept(p, '-')) return refuse(p, "expected '-' of an interval <n-m>");
    if (!parse_number(p, INT32_MAX, &n->hi, &w2)) return NULL;
    if (!accept(p, '>')) return refuse(p, "expected '>'");
    n->digits = w1 == w2 ? w1 : 0;
    if (n->lo > n->hi) {
        uint64_t swap = n->lo;
        n->lo = n->hi;
        n->hi = swap;
    }
    return n;
}

static struct node *parse_simple(struct parser *p) {
    if (accept(p, '.')) return range_node(p, 0, NFA_CP_MAX);
    if (accept(p, '#')) return node(p, N_NOTHING);
    if (accept(p, '@')) return node(p, N_ANY_STRING);
    if (accept(p, '"')) {
        struct node *n = node(p, N_TEXT);
        n->text = p->cp + p->at;
        while (more(p) && !peek(p, "\"")) p->at++, n->text_n++;
        return accept(p, '"') ? n : refuse(p, "expected '\"'");
    }
    if (accept(p, '(')) {
        if (accept(p, ')')) return node(p, N_TEXT);
        struct node *n = parse_union(p);
        if (n && !accept(p, ')')) return refuse(p, "expected ')'");
        return n;
    }
    if (accept(p, '<')) return parse_interval(p);
    if (peek(p, "\\")) {
        struct node *n = node(p, N_RANGES);
        p->at++;
        if (add_predefined(p, &n->ranges)) return n;
        p->at--;
    }
    uint32_t c;
    return parse_char(p, &c) ? range_node(p, c, c) : NULL;
}

static struct node *parse_complement(struct parser *p) {
    unsigned flips = 0;
    while (accept(p, '~')) flips++;
    struct node *n = accept(p, '[') ? parse_class(p) : parse_simple(p);
    if (!n || flips % 2 == 0) return n;
    struct node *outer = node(p, N_COMPLEMENT);
    avec_push(p->a, &outer->kids, n);
    return outer;
}

static bool parse_bounds(struct parser *p, struct node *repeat) {
    uint64_t min, max;
    unsigned width;
    if (!parse_number(p, AUTOMATON_PATTERN_MAX, &min, &width)) return false;
    max = min;
    if (accept(p, ',')) {
        max = UINT32_MAX;
        if (peek(p, "0123456789") && !parse_number(p, AUTOMATON_PATTERN_MAX, &max, &width)) return false;
    }
    if (!accept(p, '}')) return refuse(p, "expected '}'") != NULL;
    if (max < min) return refuse(p, "{n,m} with m below n") != NULL;
    repeat->min = (uint32_t)min;
    repeat->max = (uint32_t)max;
    return true;
}
static struct node *parse_repeat(struct parser *p) {
    struct node *n = parse_complement(p);
    unsigned stacked = 0;
    while (n && peek(p, "?*+{")) {
        if (++stacked > NESTING_MAX) return refuse(p, "too many repetitions of repetitions");
        struct node *outer = node(p, N_REPEAT);
        avec_push(p->a, &outer->kids, n);
        uint32_t c = p->cp[p->at++];
        outer->min = c == '+';
        outer->max = c == '?' ? 1 : UINT32_MAX;
        if (c == '{' && !parse_bounds(p, outer)) return NULL;
        n = outer;
    }
    return n;
}
static struct node *parse_concat(struct parser *p) {
    struct node *n = node(p, N_CONCAT);
    do {
        struct node *kid = parse_repeat(p);
        if (!kid) return NULL;
        avec_push(p->a, &n->kids, kid);
    } while (more(p) && !peek(p, ")|&"));
    return n->kids.n == 1 ? n->kids.p[0] : n;
}
static struct node *parse_list(struct parser *p, enum node_type type, char separator, struct node *(*item)(struct parser *p)) {
    struct node *n = node(p, type);
    do {
        struct node *kid = item(p);
        if (!kid) return NULL;
        avec_push(p->a, &n->kids, kid);
    } while (accept(p, separator));
    return n->kids.n == 1 ? n->kids.p[0] : n;
}
static struct node *parse_inter(struct parser *p) {
    return parse_list(p, N_INTERSECT, '&', parse_concat);
}
static struct node *parse_union(struct parser *p) {
    if (++p->depth > NESTING_MAX) return refuse(p, "parentheses are nested too deeply");
    struct node *n = parse_list(p, N_UNION, '|', parse_inter);
    p->depth--;
    return n;
}

/* --- tree -> NFA */
struct compiler {
    struct nfa *nfa;
    bool nocase;
    struct err *e;
};

static void add_range(struct compiler *c, uint32_t from, struct range r, uint32_t to) {
    nfa_edge(c->nfa, from, r.lo, r.hi, to);
    if (!c->nocase) return;
    static const struct range cases[2] = {{'a', 'z'}, {'A', 'Z'}};
    for (size_t i = 0; i < 2; i++) {
        uint32_t lo = MAX(r.lo, cases[i].lo), hi = MIN(r.hi, cases[i].hi);
        if (lo <= hi) nfa_edge(c->nfa, from, lo ^ 0x20, hi ^ 0x20, to);
    }
}

static bool build(struct compiler *c, const struct node *n, struct nfa_part *out);

/* Numbers of exactly `width` digits in [lo, hi]. One state per digit and tightness: bit 0 so far equal to lo's digits, bit 1 to hi's. */
static void add_fixed_interval(struct nfa *n, uint64_t lo, uint64_t hi, unsigned width, struct nfa_part part) {
    enum { AT_LO = 1, AT_HI = 2, TIGHT_N = 4 };
    uint32_t now[TIGHT_N] = {[AT_LO | AT_HI] = nfa_state(n)};
    nfa_jump(n, part.in, now[AT_LO | AT_HI]);
    uint64_t power = 1;
    for (unsigned i = 1; i < width; i++) power *= 10;
    for (unsigned i = 0; i < width; i++, power /= 10) {
        uint32_t lo_digit = (uint32_t)(lo / power % 10), hi_digit = (uint32_t)(hi / power % 10), next[TIGHT_N] = {0};
        for (unsigned tight = 0; tight < TIGHT_N; tight++) {
            for (uint32_t d = 0; d < 10 && now[tight]; d++) {
                if ((tight & AT_LO && d < lo_digit) || (tight & AT_HI && d > hi_digit)) continue;
                unsigned t = (tight & AT_LO && d == lo_digit ? AT_LO : 0) | (tight & AT_HI && d == hi_digit ? AT_HI : 0);
                if (!next[t]) next[t] = nfa_state(n);
                nfa_edge(n, now[tight], '0' + d, '0' + d, next[t]);
            }
        }
        memcpy(now, next, sizeof now);
    }
    for (unsigned tight = 0; tight < TIGHT_N; tight++)
        if (now[tight]) nfa_jump(n, now[tight], part.out);
}
static void build_interval(struct nfa *n, const struct node *interval, struct nfa_part part) {
    if (interval->digits) {
        add_fixed_interval(n, interval->lo, interval->hi, interval->digits, part);
        return;
    }
    struct nfa_part rest = nfa_part(n);
    nfa_jump(n, part.in, rest.in);
    nfa_edge(n, rest.in, '0', '0', rest.in);
    nfa_jump(n, rest.out, part.out);
    if (interval->lo == 0) nfa_edge(n, rest.in, '0', '0', rest.out);
    uint64_t from = 1;
    for (unsigned width = 1; from <= interval->hi; width++, from *= 10) {
        uint64_t lo = MAX(from, interval->lo), hi = MIN(from * 10 - 1, interval->hi);
        if (lo <= hi) add_fixed_interval(n, lo, hi, width, rest);
    }
}

static bool build_repeat(struct compiler *c, const struct node *n, struct nfa_part *out) {
    struct nfa_part whole = nfa_part(c->nfa);
    uint32_t at = whole.in;
    bool endless = n->max == UINT32_MAX;
    uint32_t copies = endless ? MAX(n->min, 1u) : n->max;
    for (uint32_t i = 0; i < copies && !c->nfa->too_big; i++) {
        struct nfa_part kid;
        if (!build(c, n->kids.p[0], &kid)) return false;
        if (i >= n->min) nfa_jump(c->nfa, at, whole.out);
        nfa_jump(c->nfa, at, kid.in);
        at = kid.out;
        if (!endless || i + 1 < copies) continue;
        /* the last copy loops, by a state of its own: kid.in may have a way back already */
        uint32_t loop = nfa_state(c->nfa);
        nfa_jump(c->nfa, kid.out, loop);
        nfa_jump(c->nfa, loop, kid.in);
    }
    nfa_jump(c->nfa, at, whole.out);
    *out = whole;
    return true;
}

static bool build_list(struct compiler *c, const struct node *n, struct nfa_part *out) {
    struct nfa_part whole = {0};
    if (!build(c, n->kids.p[0], &whole)) return false;
    for (size_t i = 1; i < n->kids.n; i++) {
        struct nfa_part kid;
        if (!build(c, n->kids.p[i], &kid)) return false;
        if (n->type == N_CONCAT) {
            nfa_jump(c->nfa, whole.out, kid.in);
            whole.out = kid.out;
        } else if (n->type == N_UNION) {
            struct nfa_part both = nfa_part(c->nfa);
            nfa_jump(c->nfa, both.in, whole.in);
            nfa_jump(c->nfa, both.in, kid.in);
            nfa_jump(c->nfa, whole.out, both.out);
            nfa_jump(c->nfa, kid.out, both.out);
            whole = both;
        } else if (!nfa_intersect(c->nfa, whole, kid, &whole, c->e)) {
            return false;
        }
    }
    *out = whole;
    return true;
}

static bool build(struct compiler *c, const struct node *n, struct nfa_part *out) {
    struct nfa_part part;
    switch (n->type) {
    case N_CONCAT:
    case N_UNION:
    case N_INTERSECT: return build_list(c, n, out);
    case N_REPEAT: return build_repeat(c, n, out);
    case N_COMPLEMENT: return build(c, n->kids.p[0], &part) && nfa_complement(c->nfa, part, out, c->e);
    case N_RANGES:
        part = nfa_part(c->nfa);
        for (size_t i = 0; i < n->ranges.n; i++) add_range(c, part.in, n->ranges.p[i], part.out);
        break;
    case N_TEXT:
        part.in = part.out = nfa_state(c->nfa);
        for (size_t i = 0; i < n->text_n; i++) {
            uint32_t to = nfa_state(c->nfa);
            add_range(c, part.out, (struct range){n->text[i], n->text[i]}, to);
            part.out = to;
        }
        break;
    case N_NOTHING: part = nfa_part(c->nfa); break;
    case N_ANY_STRING:
        part = nfa_part(c->nfa);
        nfa_edge(c->nfa, part.in, 0, NFA_CP_MAX, part.in);
        nfa_jump(c->nfa, part.in, part.out);
        break;
    case N_INTERVAL:
        part = nfa_part(c->nfa);
        build_interval(c->nfa, n, part);
        break;
    }
    *out = part;
    return true;
}

bool automaton_regexp(str pattern, bool nocase, struct arena *a, const struct automaton **out, struct err *e) {
    AUTO(arena_free) struct arena *scratch = arena_new(16 << 10);
    uint32_t *cps = arena_new_n(scratch, uint32_t, AUTOMATON_PATTERN_MAX);
    struct parser p = {.cp = cps, .a = scratch, .e = e};
    for (size_t at = 0; at < pattern.n;) {
        if (p.n == AUTOMATON_PATTERN_MAX)
            return err_set(e, ERR_INPUT, "the length of the regexp exceeds the allowed maximum of %d characters", AUTOMATON_PATTERN_MAX);
        at += utf8_next(str_from(pattern, at), &cps[p.n++]);
    }
    const struct node *tree = p.n ? parse_union(&p) : node(&p, N_TEXT);
    if (!tree) return false;
    if (more(&p)) return refuse(&p, "end-of-string expected") != NULL;
    struct nfa n = {.arena = scratch};
    nfa_state(&n);
    struct compiler c = {.nfa = &n, .nocase = nocase, .e = e};
    struct nfa_part whole;
    if (!build(&c, tree, &whole)) return false;
    struct automaton *m;
    if (!nfa_finish(&n, whole, a, &m, e)) return false;
    *out = m;
    return true;
}
