#include <stdlib.h>

#include "base/hash.h"
#include "codec/text.h"
#include "query/promql/engine.h"

/* count_values: how many series of a group have a value, a series of its own for each value. Most values last a step or two, so what is counted is
 * kept as points; it becomes columns only for an expression around it. */

struct point {
    double count;
    size_t step, next; /* next: of the same value, later; POINT_END */
};
enum { POINT_END = SIZE_MAX };

struct counted {
    size_t group;
    const struct hist *h; /* a histogram, else a float */
    uint64_t bits;        /* of the float; of a histogram: hash of its text */
    str text;
    bool drop_name;
    size_t first, last, n; /* points */
};

struct counting {
    struct grid *g;
    struct matrix in;
    str label;
    bool nameless; /* without(label): all values count alike */
    struct label_index groups;
    size_t *group_of; /* by input series */
    struct map index; /* of values */
    struct {
        struct counted *p;
        size_t n, cap;
    } values;
    struct {
        struct point *p;
        size_t n, cap;
    } points;
};

/* The groups are those of the input without the label that is about to be set. */
static void group_input(struct counting *c, const struct node *n) {
    struct run *r = c->g->r;
    c->group_of = arena_new_n(r->a, size_t, c->in.n);
    for (size_t i = 0; i < c->in.n; i++) {
        struct labels ls = c->in.p[i].labels;
        ls = n->agg.without ? labels_drop(r->a, ls, n->agg.grouping, true) : labels_keep(r->a, ls, n->agg.grouping);
        bool added;
        c->group_of[i] = label_index_put(r, &c->groups, labels_set(r, ls, c->label, STR("")), &added);
    }
    for (size_t i = 0; i < n->agg.grouping.n && n->agg.without; i++) c->nameless |= str_eq(n->agg.grouping.p[i], c->label);
}

static str text_of(struct run *r, double v, const struct hist *h) {
    struct buf b = {0};
    if (h)
        hist_put(&b, h);
    else
        promql_put_plain(&b, v);
    str text = arena_str(r->a, buf_str(&b));
    buf_done(&b);
    return text;
}

static struct counted *value_of(struct counting *c, size_t series, size_t step) {
    struct run *r = c->g->r;
    const struct series *in = &c->in.p[series];
    struct counted new = {.group = c->group_of[series], .h = hist_at(in, step), .drop_name = in->drop_name};
    double v = isnan(in->v[step]) ? NAN : in->v[step];
    if (c->nameless) {
        new.h = NULL;
    } else if (new.h) {
        new.text = text_of(r, 0, new.h);
        new.bits = hash_str(new.text);
    } else {
        memcpy(&new.bits, &v, sizeof v);
    }
    uint64_t hash = hash_mix(new.bits, new.group);
    for (size_t at = map_first(&c->index, hash); at != MAP_END; at = map_next(&c->index, at, hash)) {
        struct counted *old = &c->values.p[c->index.slots[at].value - 1];
        if (old->group == new.group && old->bits == new.bits && !old->h == !new.h && (!new.h || str_eq(old->text, new.text))) return old;
    }
    if (!new.h && !c->nameless) new.text = text_of(r, v, NULL);
    avec_push(r->a, &c->values, new);
    map_put(&c->index, hash, c->values.n);
    return &c->values.p[c->values.n - 1];
}

static void count_one(struct counting *c, struct counted *x, size_t step) {
    if (x->n && c->points.p[x->last].step == step) {
        c->points.p[x->last].count++;
        return;
    }
    struct point p = {1, step, POINT_END};
    avec_push(c->g->r->a, &c->points, p);
    *(x->n ? &c->points.p[x->last].next : &x->first) = c->points.n - 1;
    x->last = c->points.n - 1;
    x->n++;
}

static bool count_all(struct counting *c, const struct node *n, struct err *e) {
    if (!eval_matrix(c->g, n->agg.expr, &c->in, e)) return false;
    group_input(c, n);
    for (size_t step = 0; step < c->g->n; step++) {
        for (size_t i = 0; i < c->in.n; i++)
            if (has_value(&c->in.p[i], step)) count_one(c, value_of(c, i, step), step);
        if (!run_check(c->g->r, e)) return false;
    }
    return true;
}

static struct labels labels_of(struct counting *c, const struct counted *x) {
    return labels_set(c->g->r, c->groups.p[x->group], c->label, x->text);
}

static bool emit(struct counting *c, struct drain *out, struct err *e) {
    double *v = NULL;
    for (size_t k = 0; k < c->values.n; k++) {
        const struct counted *x = &c->values.p[k];
        if (!v) v = arena_new_n(c->g->r->a, double, c->g->n);
        for (size_t i = 0; i < c->g->n; i++) v[i] = absent();
        for (size_t at = x->first; at != POINT_END; at = c->points.p[at].next) v[c->points.p[at].step] = c->points.p[at].count;
        struct series one = {.labels = labels_of(c, x), .drop_name = x->drop_name, .v = v};
        if (!run_check(c->g->r, e) || !out->take(out, &one, e)) return false;
        v = one.v;
    }
    return true;
}

static bool open_counting(struct counting *c, struct grid *g, const struct node *n, struct err *e) {
    struct run *r = g->r;
    *c = (struct counting){.g = g};
    if (!eval_string(n->agg.param, &c->label)) return run_fail(r, e, "count_values needs a string literal");
    if (c->label.n && utf8_valid(c->label)) return true;
    struct buf b = {0};
    promql_quote(&b, c->label);
    run_fail(r, e, "invalid label name %" STR_F, STR_A(buf_str(&b)));
    buf_done(&b);
    return false;
}

static void close_counting(struct counting *c) {
    label_index_done(&c->groups);
    map_done(&c->index);
}

bool eval_count_values(struct grid *g, const struct node *n, struct drain *out, struct err *e) {
    struct counting c;
    if (!open_counting(&c, g, n, e)) return false;
    bool ok = count_all(&c, n, e) && emit(&c, out, e);
    close_counting(&c);
    return ok;
}

/* --- as the whole of a range query: series with times of their own */

static int by_labels(const void *a, const void *b) {
    return labels_cmp(((const struct promql_series *)a)->labels, ((const struct promql_series *)b)->labels);
}

static void put_points(struct counting *c, struct promql_result *out) {
    struct run *r = c->g->r;
    int64_t *t = arena_new_n(r->a, int64_t, c->points.n);
    double *v = arena_new_n(r->a, double, c->points.n);
    out->series = arena_new_n(r->a, struct promql_series, c->values.n);
    out->series_n = c->values.n;
    for (size_t k = 0; k < c->values.n; k++) {
        const struct counted *x = &c->values.p[k];
        out->series[k] = (struct promql_series){.labels = labels_of(c, x), .v = v, .t_ms = t, .n = x->n};
        for (size_t at = x->first; at != POINT_END; at = c->points.p[at].next) {
            *t++ = grid_time(c->g, c->points.p[at].step);
            *v++ = c->points.p[at].count;
        }
    }
    if (out->series_n) qsort(out->series, out->series_n, sizeof *out->series, by_labels);
}

/* Labels like __name__ may still have to go: that is not done here. */
bool is_plain_count_values(const struct node *n) {
    str label;
    if (n->kind != NODE_AGGREGATE || n->agg.op != AGG_COUNT_VALUES || n->agg.without) return false;
    bool plain = eval_string(n->agg.param, &label) && !str_starts(label, STR("__"));
    for (size_t i = 0; i < n->agg.grouping.n; i++) plain &= !str_starts(n->agg.grouping.p[i], STR("__"));
    return plain;
}

bool run_count_values(struct grid *g, const struct node *n, struct promql_result *out, struct err *e) {
    struct counting c;
    struct probe p;
    if (!open_counting(&c, g, n, e)) return false;
    if (g->r->costs) probe_begin(&p, g->r, n, NULL);
    bool ok = count_all(&c, n, e);
    if (ok) put_points(&c, out);
    if (g->r->costs) probe_end(&p);
    if (g->r->costs) p.cost->series = out->series_n;
    close_counting(&c);
    return ok;
}
