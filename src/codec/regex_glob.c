#include "codec/regex_glob.h"

#include "base/vec.h"

struct globs globs_unknown(void) {
    return (struct globs){.unknown = true};
}

static struct globs one(struct arena *a, struct glob_piece piece, bool begin, bool end) {
    struct glob *g = arena_one(a, struct glob);
    g->p = arena_one(a, struct glob_piece);
    g->p[0] = piece;
    g->n = 1;
    g->begin = begin;
    g->end = end;
    return (struct globs){.p = g, .n = 1, .cap = 1};
}

struct globs globs_literal(struct arena *a, str text) {
    return one(a, (struct glob_piece){.text = text}, false, false);
}
struct globs globs_gap(struct arena *a, bool at_least_one) {
    return one(a, (struct glob_piece){.gap = true, .gap_one = at_least_one}, false, false);
}
struct globs globs_begin(struct arena *a) {
    return one(a, (struct glob_piece){0}, true, false);
}
struct globs globs_end(struct arena *a) {
    return one(a, (struct glob_piece){0}, false, true);
}

void globs_or(struct arena *a, struct globs *x, struct globs y) {
    x->unknown |= y.unknown;
    if (x->unknown) return;
    for (size_t i = 0; i < y.n; i++) avec_push(a, x, y.p[i]);
}

static bool is_empty(const struct glob *g) {
    return glob_is_literal(g) && g->p[0].text.n == 0;
}

static str join_text(struct arena *a, str x, str y) {
    if (x.n == 0) return y;
    if (y.n == 0) return x;
    char *p = arena_alloc(a, x.n + y.n);
    memcpy(p, x.p, x.n);
    memcpy(p + x.n, y.p, y.n);
    return str_n(p, x.n + y.n);
}

/* x followed by y; false when that is no glob. */
static bool join(struct arena *a, const struct glob *x, const struct glob *y, struct glob *out) {
    if ((y->begin && !is_empty(x)) || (x->end && !is_empty(y))) return false;
    struct glob g = {.begin = x->begin || y->begin, .end = x->end || y->end};
    g.p = arena_new_n(a, struct glob_piece, x->n + y->n);
    memcpy(g.p, x->p, x->n * sizeof *x->p);
    g.n = x->n;
    struct glob_piece *last = &g.p[x->n - 1];
    const struct glob_piece *first = &y->p[0];
    if (!first->gap) {
        last->text = join_text(a, last->text, first->text);
    } else if (last->text.n) {
        g.p[g.n++] = *first;
    } else {
        if (last->gap_one && first->gap_one) return false; /* two characters are not two bytes */
        *last = (struct glob_piece){.gap = true, .gap_one = last->gap_one || first->gap_one, .text = first->text};
    }
    if (y->n > 1) memcpy(g.p + g.n, y->p + 1, (y->n - 1) * sizeof *y->p);
    g.n += y->n - 1;
    *out = g;
    return true;
}

struct globs globs_then(struct arena *a, struct globs x, struct globs y) {
    if (x.unknown || y.unknown) return globs_unknown();
    if (x.n == 1 && is_empty(&x.p[0]) && !x.p[0].begin && !x.p[0].end) return y;
    if (x.n > 1 && y.n > 1 && x.n * y.n > GLOBS_PRODUCT_MAX) return globs_unknown();
    struct globs out = {0};
    for (size_t i = 0; i < x.n; i++) {
        for (size_t j = 0; j < y.n; j++) {
            struct glob g;
            if (!join(a, &x.p[i], &y.p[j], &g)) return globs_unknown();
            avec_push(a, &out, g);
        }
    }
    return out;
}

/* Every gap but the last takes as little as it can: that leaves most for the pieces that follow, so no other choice can do better. */
bool glob_match(const struct glob *g, str s) {
    const struct glob_piece *p = g->p, *last = g->p + g->n - 1;
    if (!p->gap) {
        if (p == last) return str_eq(s, p->text);
        if (!str_starts(s, p->text)) return false;
        s = str_from(s, p->text.n);
        p++;
    }
    for (; p < last; p++) {
        if (s.n < p->gap_one) return false;
        s = str_from(s, p->gap_one);
        size_t at = str_find(s, p->text);
        if (at == STR_NONE) return false;
        s = str_from(s, at + p->text.n);
    }
    return s.n >= p->text.n + p->gap_one && str_ends(s, p->text);
}
