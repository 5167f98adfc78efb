#include "query/promql/engine.h"

/* Binary operators: the operation on two samples, vector with scalar, vector with vector.
 *
 * Vectors are matched series by series: the signature (the labels that have to be equal) groups the series of both sides; within a group the columns
 * are combined step by step. At each step the "one" side may have one sample per group. */

double op_apply(enum op op, double a, double b) {
    switch (op) {
    case OP_ADD: return a + b;
    case OP_SUB: return a - b;
    case OP_MUL: return a * b;
    case OP_DIV: return a / b;
    case OP_MOD: return fmod(a, b);
    case OP_POW: return pow(a, b);
    case OP_ATAN2: return atan2(a, b);
    case OP_EQ: return a == b;
    case OP_NE: return a != b;
    case OP_GT: return a > b;
    case OP_LT: return a < b;
    case OP_GE: return a >= b;
    case OP_LE: return a <= b;
    case OP_TRIM_UPPER:
    case OP_TRIM_LOWER:
    case OP_AND:
    case OP_OR:
    case OP_UNLESS:
    case OP_STEP:
    case OP_RANGE:
    case OP_MIN_OF:
    case OP_MAX_OF: break;
    }
    return NAN;
}

static bool drops_name(enum op op) {
    return op <= OP_ATAN2;
}
static bool is_trim(enum op op) {
    return op == OP_TRIM_LOWER || op == OP_TRIM_UPPER;
}

/* A float or a histogram. */
struct operand {
    double v;
    const struct hist *h;
};
static struct operand operand_at(const struct series *s, size_t i) {
    return (struct operand){s->v[i], hist_at(s, i)};
}

struct operation {
    struct grid *g;
    const struct node *n;
    bool swapped; /* the operands were exchanged: sides are exchanged back here */
};

static bool incompatible(const struct operation *o, const struct operand *a, const struct operand *b) {
    const char *op = op_text(o->n->binary.op);
    note_info(o->g->r, o->n->from, "incompatible sample types encountered for binary operator \"%s\": %s %s %s", op, a->h ? "histogram" : "float", op,
              b->h ? "histogram" : "float");
    return false;
}

/* h * v, h / v, h </ v, h >/ v */
static bool hist_with_float(const struct operation *o, const struct hist *h, double v, struct operand *out) {
    struct run *r = o->g->r;
    enum op op = o->n->binary.op;
    if (is_trim(op)) {
        out->h = hist_trim(r->a, h, v, op == OP_TRIM_UPPER);
        return true;
    }
    struct hist *x = hist_copy(r->a, h);
    if (op == OP_MUL)
        hist_scale(x, v);
    else
        hist_divide(x, v);
    hist_finish(x);
    out->h = x;
    return true;
}

static bool hist_with_hist(const struct operation *o, const struct hist *a, const struct hist *b, struct operand *out) {
    struct run *r = o->g->r;
    bool subtract = o->n->binary.op == OP_SUB;
    struct hist *x = hist_copy(r->a, a);
    struct hist_notes notes = {0};
    if (!hist_add(r->a, x, b, subtract ? -1 : 1, &notes)) {
        note_warning(r, o->n->from, "incompatible bucket layout encountered for binary operator %s", op_text(o->n->binary.op));
        return false;
    }
    note_hist(r, o->n->from, &notes, subtract ? "subtraction" : "addition");
    if (subtract) x->hint = RESET_GAUGE;
    hist_finish(x);
    out->h = x;
    return true;
}

/* a OP b; false: no result. Comparisons yield a when they hold. */
static bool combine(const struct operation *o, struct operand a, struct operand b, struct operand *out) {
    enum op op = o->n->binary.op;
    *out = (struct operand){absent(), NULL};
    if (!a.h && !b.h) {
        if (is_trim(op)) return incompatible(o, &a, &b);
        double v = op_apply(op, a.v, b.v);
        out->v = op_is_comparison(op) ? a.v : v;
        return !op_is_comparison(op) || v != 0;
    }
    if (a.h && b.h) {
        if (op == OP_ADD || op == OP_SUB) return hist_with_hist(o, a.h, b.h, out);
        if (op != OP_EQ && op != OP_NE) return incompatible(o, &a, &b);
        out->h = a.h;
        return hist_equal(a.h, b.h) == (op == OP_EQ);
    }
    if (a.h && (op == OP_MUL || op == OP_DIV || is_trim(op))) return hist_with_float(o, a.h, b.v, out);
    if (b.h && op == OP_MUL) return hist_with_float(o, b.h, a.v, out);
    return incompatible(o, &a, &b);
}

/* `left` and `right` in the order of evaluation, whichever side is which in the text. The result of a comparison is the vector element (scalar on the
 * left: keep_right). With bool it is 0 or 1, but only for operands that can be compared. */
static bool operate(const struct operation *o, struct operand left, struct operand right, bool keep_right, struct operand *out) {
    bool swapped = o->swapped;
    struct operand a = swapped ? right : left;
    struct operand b = swapped ? left : right;
    bool keep = combine(o, a, b, out);
    if (o->n->binary.return_bool) {
        bool both = !a.h == !b.h && (!a.h || o->n->binary.op == OP_EQ || o->n->binary.op == OP_NE);
        *out = (struct operand){keep ? 1 : 0, NULL};
        return both;
    }
    if (keep && keep_right && op_is_comparison(o->n->binary.op)) *out = b;
    return keep;
}

static void put(struct run *r, struct series *out, size_t n, size_t i, struct operand x) {
    if (x.h)
        hist_column(r, out, n)[i] = x.h;
    else
        out->v[i] = x.v;
}

/* --- scalars */

bool eval_binary_scalar(struct grid *g, const struct node *n, double *out, struct err *e) {
    double *rhs = arena_new_n(g->r->a, double, g->n);
    if (!eval_scalar(g, n->binary.lhs, out, e) || !eval_scalar(g, n->binary.rhs, rhs, e)) return false;
    for (size_t i = 0; i < g->n; i++) out[i] = op_apply(n->binary.op, out[i], rhs[i]);
    return true;
}

struct with_scalar {
    struct drain drain;
    struct operation o;
    const double *scalar;
    bool scalar_left;
    struct drain *out;
};

/* Arithmetic on float columns in one tight loop; absent stays absent. */
static bool plain_arithmetic(const struct with_scalar *w, struct series *in) {
    enum op op = w->o.n->binary.op;
    if (in->h || op > OP_DIV) return false;
    for (size_t i = 0; i < w->o.g->n; i++) {
        if (promql_is_absent(in->v[i])) continue;
        double a = w->scalar_left ? w->scalar[i] : in->v[i];
        double b = w->scalar_left ? in->v[i] : w->scalar[i];
        in->v[i] = op == OP_ADD ? a + b : op == OP_SUB ? a - b : op == OP_MUL ? a * b : a / b;
    }
    return true;
}

static bool take_with_scalar(struct drain *s, struct series *in, struct err *e) {
    struct with_scalar *w = CONTAINER_OF(s, struct with_scalar, drain);
    struct grid *g = w->o.g;
    if (drops_name(w->o.n->binary.op) || w->o.n->binary.return_bool) in->drop_name = true;
    if (plain_arithmetic(w, in)) return w->out->take(w->out, in, e);
    for (size_t i = 0; i < g->n; i++) {
        if (!has_value(in, i)) continue;
        struct operand x = operand_at(in, i);
        struct operand scalar = {w->scalar[i], NULL};
        struct operand y;
        bool ok = operate(&w->o, w->scalar_left ? scalar : x, w->scalar_left ? x : scalar, w->scalar_left, &y);
        in->v[i] = absent();
        if (in->h) in->h[i] = NULL;
        if (ok) put(g->r, in, g->n, i, y);
    }
    return series_is_empty(in, g->n) || w->out->take(w->out, in, e);
}

/* --- and, or, unless */

struct side {
    struct matrix m;
    size_t *group; /* of each series */
};

static struct labels signature(struct run *r, const struct matching *m, struct labels ls) {
    return m->on ? labels_keep(r->a, ls, m->labels) : labels_drop(r->a, ls, m->labels, true);
}

static void group_side(struct run *r, const struct matching *m, struct label_index *groups, struct side *s) {
    s->group = arena_new_n(r->a, size_t, s->m.n);
    for (size_t i = 0; i < s->m.n; i++) {
        bool added;
        s->group[i] = label_index_put(r, groups, signature(r, m, s->m.p[i].labels), &added);
    }
}

/* present[group * n + step]: has the side a sample there? NULL: no room. */
static uint8_t *presence(struct grid *g, const struct side *s, size_t group_n, struct err *e) {
    if (!run_room(g->r, group_n, g->n, e)) return NULL;
    uint8_t *p = arena_zalloc(g->r->a, group_n * g->n);
    for (size_t i = 0; i < s->m.n; i++)
        for (size_t k = 0; k < g->n; k++) p[s->group[i] * g->n + k] |= has_value(&s->m.p[i], k);
    return p;
}

static void mask(struct grid *g, struct series *s, const uint8_t *present, bool wanted) {
    for (size_t k = 0; k < g->n; k++) {
        if (present[k] == wanted) continue;
        s->v[k] = absent();
        if (s->h) s->h[k] = NULL;
    }
}

static bool set_operation(struct grid *g, const struct node *n, struct side *l, struct side *r, struct label_index *groups, struct drain *out,
                          struct err *e) {
    struct run *run = g->r;
    struct matrix result = {0};
    bool is_or = n->binary.op == OP_OR;
    const uint8_t *other = presence(g, is_or ? l : r, groups->n, e);
    if (!other) return false;
    for (size_t i = 0; i < l->m.n; i++) {
        struct series *s = &l->m.p[i];
        if (!is_or) mask(g, s, other + l->group[i] * g->n, n->binary.op == OP_AND);
        if (!series_is_empty(s, g->n)) matrix_push(run, &result, s);
    }
    for (size_t i = 0; i < r->m.n && is_or; i++) {
        struct series *s = &r->m.p[i];
        mask(g, s, other + r->group[i] * g->n, false);
        if (!series_is_empty(s, g->n)) matrix_push(run, &result, s);
    }
    if (g->n > 1 && !matrix_merge(g, &result, e)) return false;
    return matrix_emit(&result, out, e);
}

/* --- arithmetic and comparison between vectors */

struct pairing {
    struct operation o;
    const struct matching *m;
    struct side many, one; /* one: at most one sample per group and step */
    struct label_index groups;
    struct membership many_of, one_of;
    size_t *which;     /* per step of the current group: 1 + the series of the one side that has a sample, or 0 */
    uint8_t *occupied; /* per step: the many side has a sample */
    uint8_t *matched;  /* per step: there is a result */
    uint8_t *nonempty; /* per step: the many side has a sample in any group. Made when first needed */
    struct matrix out;
};

/* The labels of a result of `many` with `one`. */
static struct labels result_labels(struct pairing *p, struct labels many, struct labels one) {
    struct run *r = p->o.g->r;
    const struct matching *m = p->m;
    struct labels ls = drops_name(p->o.n->binary.op) ? labels_without_name(r, many) : many;
    if (m->card == CARD_ONE_TO_ONE) ls = m->on ? labels_keep(r->a, ls, m->labels) : labels_drop(r->a, ls, m->labels, false);
    for (size_t i = 0; i < m->include.n; i++) ls = labels_set(r, ls, m->include.p[i], labels_get(one, m->include.p[i]));
    return ls;
}

static bool fail_duplicates(struct pairing *p, size_t group, struct labels first, struct labels second, struct err *e) {
    struct buf b = {0};
    buf_add(&b, STR("found duplicate series for the match group "));
    labels_put(&b, p->groups.p[group]);
    buf_printf(&b, " on the %s hand-side of the operation: [", p->o.swapped ? "left" : "right");
    labels_put(&b, second);
    buf_add(&b, STR(", "));
    labels_put(&b, first);
    buf_add(&b, STR("];many-to-many matching not allowed: matching labels must be unique on one side"));
    run_fail(p->o.g->r, e, "%" STR_F, STR_A(buf_str(&b)));
    buf_done(&b);
    return false;
}

/* Where the many side has nothing at all, and nothing is filled in, there is nothing to match: duplicates are no error. */
static bool duplicates_matter(struct pairing *p, size_t step) {
    size_t n = p->o.g->n;
    if (p->m->fill_left || p->m->fill_right) return true;
    if (!p->nonempty) {
        p->nonempty = arena_zalloc(p->o.g->r->a, n);
        for (size_t i = 0; i < p->many.m.n; i++)
            for (size_t k = 0; k < n; k++) p->nonempty[k] |= has_value(&p->many.m.p[i], k);
    }
    return p->nonempty[step];
}

/* Fills which[] and occupied[] for a group. */
static bool survey(struct pairing *p, size_t group, struct err *e) {
    size_t n = p->o.g->n;
    memset(p->which, 0, n * sizeof *p->which);
    memset(p->occupied, 0, n);
    memset(p->matched, 0, n);
    for (size_t at = p->one_of.from[group]; at < p->one_of.from[group + 1]; at++) {
        const struct series *s = &p->one.m.p[p->one_of.members[at]];
        for (size_t k = 0; k < n; k++) {
            if (!has_value(s, k)) continue;
            if (p->which[k] && duplicates_matter(p, k)) return fail_duplicates(p, group, p->one.m.p[p->which[k] - 1].labels, s->labels, e);
            p->which[k] = p->one_of.members[at] + 1;
        }
    }
    for (size_t at = p->many_of.from[group]; at < p->many_of.from[group + 1]; at++)
        for (size_t k = 0; k < n; k++) p->occupied[k] |= has_value(&p->many.m.p[p->many_of.members[at]], k);
    return true;
}

/* Adds a result series to the group's, or into the one that has its labels. */
static bool add_result(struct pairing *p, struct label_index *labels, struct matrix *results, struct series *s, struct err *e) {
    struct grid *g = p->o.g;
    bool added;
    size_t at = label_index_put(g->r, labels, s->labels, &added);
    if (added) {
        matrix_push(g->r, results, s);
        return true;
    }
    struct series *into = &results->p[at];
    for (size_t k = 0; k < g->n; k++) {
        if (!has_value(s, k)) continue;
        if (has_value(into, k)) return run_fail(g->r, e, "multiple matches for labels: grouping labels must ensure unique matches");
        put(g->r, into, g->n, k, operand_at(s, k));
    }
    return true;
}

/* Do both have a sample at the step? NULL and 0 stand for the fill values, which are there when the side is not. */
static bool meet(const struct pairing *p, const struct series *many, size_t one, size_t step) {
    return p->which[step] == one && (many ? has_value(many, step) : !p->occupied[step]);
}

static bool ever_meet(const struct pairing *p, const struct series *many, size_t one) {
    for (size_t k = 0; k < p->o.g->n; k++)
        if (meet(p, many, one, k)) return true;
    return false;
}

/* Results of one series of the many side (NULL: the fill value) with one of the one side (0: the fill value). */
static bool pair(struct pairing *p, size_t group, const struct series *many, size_t one, struct series *out, struct err *e) {
    struct grid *g = p->o.g;
    const struct series *other = one ? &p->one.m.p[one - 1] : NULL;
    struct labels key = p->groups.p[group];
    if (!run_room(g->r, g->n, sizeof(double), e)) return false;
    *out = (struct series){.v = column_new(g->r, g->n), .drop_name = p->o.n->binary.return_bool || (many && many->drop_name)};
    for (size_t k = 0; k < g->n; k++) {
        if (!meet(p, many, one, k)) continue;
        struct operand left = many ? operand_at(many, k) : (struct operand){p->m->fill_left_value, NULL};
        struct operand right = other ? operand_at(other, k) : (struct operand){p->m->fill_right_value, NULL};
        struct operand x;
        if (!operate(&p->o, left, right, false, &x)) continue;
        if (p->m->card == CARD_ONE_TO_ONE && p->matched[k])
            return run_fail(g->r, e, "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)");
        p->matched[k] = 1;
        put(g->r, out, g->n, k, x);
    }
    out->labels = result_labels(p, many ? many->labels : key, other ? other->labels : key);
    return true;
}

static bool pair_group(struct pairing *p, size_t group, struct label_index *labels, struct err *e) {
    struct grid *g = p->o.g;
    struct matrix results = {0};
    struct series s;
    size_t one_from = p->one_of.from[group];
    size_t one_n = p->one_of.from[group + 1] - one_from;
    size_t many_from = p->many_of.from[group];
    size_t many_n = p->many_of.from[group + 1] - many_from;
    for (size_t i = 0; i < many_n + p->m->fill_left; i++) {
        const struct series *many = i < many_n ? &p->many.m.p[p->many_of.members[many_from + i]] : NULL;
        for (size_t j = 0; j < one_n + (many && p->m->fill_right); j++) {
            size_t one = j < one_n ? p->one_of.members[one_from + j] + 1 : 0;
            if (!ever_meet(p, many, one)) continue;
            if (!pair(p, group, many, one, &s, e)) return false;
            if (!series_is_empty(&s, g->n) && !add_result(p, labels, &results, &s, e)) return false;
        }
    }
    for (size_t i = 0; i < results.n; i++) matrix_push(g->r, &p->out, &results.p[i]);
    return run_check(g->r, e);
}

static bool pair_all(struct pairing *p, struct drain *out, struct err *e) {
    struct grid *g = p->o.g;
    p->many_of = membership_of(g->r, p->many.group, p->many.m.n, p->groups.n);
    p->one_of = membership_of(g->r, p->one.group, p->one.m.n, p->groups.n);
    p->which = arena_new_n(g->r->a, size_t, g->n);
    p->occupied = arena_alloc(g->r->a, g->n);
    p->matched = arena_alloc(g->r->a, g->n);
    for (size_t group = 0; group < p->groups.n; group++) {
        struct label_index labels = {0};
        bool ok = survey(p, group, e) && pair_group(p, group, &labels, e);
        label_index_done(&labels);
        if (!ok) return false;
    }
    if (g->n > 1 && !matrix_merge(g, &p->out, e)) return false;
    return matrix_emit(&p->out, out, e);
}

static bool eval_vectors(struct grid *g, const struct node *n, struct drain *out, struct err *e) {
    const struct matching *m = &n->binary.match;
    bool swapped = m->card == CARD_ONE_TO_MANY;
    struct pairing p = {.o = {g, n, swapped}, .m = m};
    struct side *left = swapped ? &p.one : &p.many;
    struct side *right = swapped ? &p.many : &p.one;
    if (!eval_matrix(g, n->binary.lhs, &left->m, e) || !eval_matrix(g, n->binary.rhs, &right->m, e)) return false;
    group_side(g->r, m, &p.groups, &p.many);
    group_side(g->r, m, &p.groups, &p.one);
    bool ok = op_is_set(n->binary.op) ? set_operation(g, n, &p.many, &p.one, &p.groups, out, e) : pair_all(&p, out, e);
    label_index_done(&p.groups);
    return ok;
}

bool eval_binary(struct grid *g, const struct node *n, struct drain *out, struct err *e) {
    bool scalar_left = n->binary.lhs->type == PT_SCALAR;
    bool scalar_right = n->binary.rhs->type == PT_SCALAR;
    assert(!(scalar_left && scalar_right));
    if (!scalar_left && !scalar_right) return eval_vectors(g, n, out, e);
    double *scalar = arena_new_n(g->r->a, double, g->n);
    if (!eval_scalar(g, scalar_left ? n->binary.lhs : n->binary.rhs, scalar, e)) return false;
    struct with_scalar w = {.drain = {take_with_scalar}, .o = {g, n, false}, .scalar = scalar, .scalar_left = scalar_left, .out = out};
    return eval_vector(g, scalar_left ? n->binary.rhs : n->binary.lhs, &w.drain, e);
}
