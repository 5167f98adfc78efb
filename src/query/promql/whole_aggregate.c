#include <stdlib.h>

#include "query/promql/engine.h"

/* topk, bottomk, limitk, limit_ratio and quantile: step by step over all series of a group. */

struct member {
    size_t series;
    double v;
};

struct whole {
    struct grid *g;
    const struct node *n;
    struct matrix in, out;
    struct membership members;
    struct label_index groups;
    double *param;
};

static struct labels group_key(struct whole *w, struct labels ls) {
    struct run *r = w->g->r;
    if (!w->n->agg.without) return labels_keep(r->a, ls, w->n->agg.grouping);
    return labels_drop(r->a, ls, w->n->agg.grouping, true);
}

static void group_input(struct whole *w) {
    size_t *group_of = arena_new_n(w->g->r->a, size_t, w->in.n);
    for (size_t i = 0; i < w->in.n; i++) {
        bool added;
        group_of[i] = label_index_put(w->g->r, &w->groups, group_key(w, w->in.p[i].labels), &added);
    }
    w->members = membership_of(w->g->r, group_of, w->in.n, w->groups.n);
}

/* --- those that pass some of the input on */

static void keep(struct whole *w, size_t series, size_t step) {
    struct series *in = &w->in.p[series];
    struct series *out = &w->out.p[series];
    out->v[step] = in->v[step];
    if (hist_at(in, step)) hist_column(w->g->r, out, w->g->n)[step] = in->h[step];
}

static int by_value_up(const void *a, const void *b) {
    const struct member *x = a;
    const struct member *y = b;
    if (isnan(x->v) || isnan(y->v)) return isnan(x->v) != isnan(y->v) ? isnan(x->v) - isnan(y->v) : (x->series > y->series) - (x->series < y->series);
    if (x->v != y->v) return x->v < y->v ? -1 : 1;
    return (x->series > y->series) - (x->series < y->series);
}
static int by_value_down(const void *a, const void *b) {
    const struct member *x = a;
    const struct member *y = b;
    if (isnan(x->v) || isnan(y->v) || x->v == y->v) return by_value_up(a, b);
    return x->v > y->v ? -1 : 1;
}

static bool check_k(struct whole *w, size_t step, double *k, struct err *e) {
    struct run *r = w->g->r;
    double v = w->param[step];
    bool ratio = w->n->agg.op == AGG_LIMIT_RATIO;
    if (isnan(v)) return run_fail(r, e, ratio ? "Ratio value is NaN" : "Parameter value is NaN");
    if (ratio) {
        *k = fmax(-1, fmin(1, v));
        return true;
    }
    if (v >= 9223372036854775807.0) return run_fail(r, e, "Scalar value %g overflows int64", v);
    if (v <= -9223372036854775808.0) return run_fail(r, e, "Scalar value %g underflows int64", v);
    *k = fmin(trunc(v), (double)w->in.n);
    return true;
}

static bool in_ratio(const struct whole *w, size_t series, double ratio) {
    double offset = (double)labels_stable_hash(w->in.p[series].labels) / 18446744073709551615.0;
    return ratio >= 0 ? offset < ratio : offset >= 1 + ratio;
}

/* Keeps the k first by `order`, sorted: few of many, so by insertion. */
static void insert_sorted(struct member *m, size_t *n, size_t k, struct member x, int (*order)(const void *, const void *)) {
    if (*n == k && order(&x, &m[k - 1]) > 0) return;
    size_t at = *n < k ? (*n)++ : k - 1;
    while (at > 0 && order(&x, &m[at - 1]) < 0) {
        m[at] = m[at - 1];
        at--;
    }
    m[at] = x;
}

/* The k greatest or least floats of a group at a step. */
static size_t choose_by_value(struct whole *w, size_t group, size_t step, size_t k, struct member *m) {
    enum { INSERTION_MAX = 64 };
    int (*order)(const void *, const void *) = w->n->agg.op == AGG_TOPK ? by_value_down : by_value_up;
    size_t n = 0;
    for (size_t at = w->members.from[group]; at < w->members.from[group + 1]; at++) {
        size_t i = w->members.members[at];
        const struct series *s = &w->in.p[i];
        struct member x = {i, s->v[step]};
        if (hist_at(s, step)) note_info(w->g->r, w->n->from, "ignored histogram in %s aggregation", agg_text(w->n->agg.op));
        if (!has_float(s, step)) continue;
        if (k <= INSERTION_MAX)
            insert_sorted(m, &n, k, x, order);
        else
            m[n++] = x;
    }
    if (k > INSERTION_MAX) qsort(m, n, sizeof *m, order);
    return MIN(n, k);
}

/* Which samples of a group limitk and limit_ratio let through at a step. */
static size_t choose_any(struct whole *w, size_t group, size_t step, double k, struct member *m) {
    bool ratio = w->n->agg.op == AGG_LIMIT_RATIO;
    size_t n = 0;
    for (size_t at = w->members.from[group]; at < w->members.from[group + 1]; at++) {
        size_t i = w->members.members[at];
        if (has_value(&w->in.p[i], step) && (ratio ? in_ratio(w, i, k) : (double)n < k)) m[n++] = (struct member){i, w->in.p[i].v[step]};
    }
    return n;
}

/* The members of one group that stay at a step, in result order; returns how many. */
static size_t choose(struct whole *w, size_t group, size_t step, double k, struct member *m) {
    bool by_value = w->n->agg.op == AGG_TOPK || w->n->agg.op == AGG_BOTTOMK;
    return by_value ? choose_by_value(w, group, step, (size_t)k, m) : choose_any(w, group, step, k, m);
}

/* An instant result is ordered as chosen; over several steps the order is that of the input. */
static bool choose_all(struct whole *w, struct drain *drain, struct err *e) {
    struct run *r = w->g->r;
    if (!run_room(r, w->in.n, sizeof(struct member) + sizeof(struct series) + w->g->n * sizeof(double), e)) return false;
    struct member *m = arena_new_n(r->a, struct member, w->in.n);
    w->out.p = arena_new_n(r->a, struct series, w->in.n);
    w->out.n = w->in.n;
    for (size_t i = 0; i < w->in.n; i++)
        w->out.p[i] = (struct series){.labels = w->in.p[i].labels, .drop_name = w->in.p[i].drop_name, .v = column_new(r, w->g->n)};
    for (size_t step = 0; step < w->g->n; step++) {
        double k = 0;
        if (!run_check(r, e) || !check_k(w, step, &k, e)) return false;
        if (w->n->agg.op == AGG_LIMIT_RATIO ? k == 0 : k < 1) continue;
        for (size_t group = 0; group < w->groups.n; group++) {
            size_t n = choose(w, group, step, k, m);
            for (size_t i = 0; i < n; i++) {
                keep(w, m[i].series, step);
                if (w->g->n == 1 && !drain->take(drain, &w->out.p[m[i].series], e)) return false;
            }
        }
    }
    for (size_t i = 0; i < w->in.n && w->g->n > 1; i++)
        if (!series_is_empty(&w->out.p[i], w->g->n) && !drain->take(drain, &w->out.p[i], e)) return false;
    return true;
}

/* --- quantile */

static bool quantiles(struct whole *w, struct drain *drain, struct err *e) {
    struct run *r = w->g->r;
    double *v = arena_new_n(r->a, double, w->in.n);
    for (size_t i = 0; i < w->g->n; i++) note_quantile(r, w->n->agg.param->from, w->param[i]);
    for (size_t group = 0; group < w->groups.n; group++) {
        struct series out = {.labels = w->groups.p[group], .v = column_new(r, w->g->n)};
        for (size_t step = 0; step < w->g->n; step++) {
            size_t n = 0;
            for (size_t at = w->members.from[group]; at < w->members.from[group + 1]; at++) {
                const struct series *in = &w->in.p[w->members.members[at]];
                out.drop_name = in->drop_name;
                if (hist_at(in, step)) note_info(r, w->n->agg.expr->from, "ignored histogram in quantile aggregation");
                if (has_float(in, step)) v[n++] = in->v[step];
            }
            if (n) out.v[step] = quantile_of(w->param[step], v, n);
        }
        if (!run_check(r, e)) return false;
        if (!series_is_empty(&out, w->g->n) && !drain->take(drain, &out, e)) return false;
    }
    return true;
}

/* --- */

static bool check_ratio(struct whole *w) {
    uint32_t at = w->n->agg.param->from;
    double high = -INFINITY;
    double low = INFINITY;
    for (size_t i = 0; i < w->g->n; i++) {
        high = fmax(high, w->param[i]);
        low = fmin(low, w->param[i]);
    }
    struct buf b = {0};
    if (high > 1) {
        promql_put_g(&b, high);
        note_warning(w->g->r, at, "ratio value should be between -1 and 1, got %" STR_F ", capping to 1", STR_A(buf_str(&b)));
    }
    buf_clear(&b);
    if (low < -1) {
        promql_put_g(&b, low);
        note_warning(w->g->r, at, "ratio value should be between -1 and 1, got %" STR_F ", capping to -1", STR_A(buf_str(&b)));
    }
    buf_done(&b);
    return true;
}

bool eval_whole_aggregate(struct grid *g, const struct node *n, struct drain *out, struct err *e) {
    struct whole w = {.g = g, .n = n, .param = arena_new_n(g->r->a, double, g->n)};
    if (!eval_scalar(g, n->agg.param, w.param, e) || !eval_matrix(g, n->agg.expr, &w.in, e)) return false;
    group_input(&w);
    bool ok = false;
    if (n->agg.op == AGG_QUANTILE)
        ok = quantiles(&w, out, e);
    else
        ok = (n->agg.op != AGG_LIMIT_RATIO || check_ratio(&w)) && choose_all(&w, out, e);
    label_index_done(&w.groups);
    return ok;
}
