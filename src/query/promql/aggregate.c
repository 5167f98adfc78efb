#include <stdlib.h>

#include "query/promql/engine.h"

/* sum, avg, min, max, count, group, stddev, stdvar: each incoming series is added to the columns of its group and forgotten. The other aggregations
 * (topk, quantile, ...) need whole vectors: see whole_aggregate.c. */

struct cell_hist {  /* the histograms of one group at one step */
    struct hist *h; /* sum, or mean once the sum overflowed */
    double n;
    bool mean, failed, yes, no, reconciled;
};

struct group {
    struct labels labels;
    bool drop_name;
    double *v, *c;    /* value and its compensation; v absent: nothing yet */
    double *n, *mean; /* avg, stddev, stdvar: floats seen; stddev: running mean */
    uint8_t *incremental;
    struct cell_hist *hists;
};

struct aggregator {
    struct drain drain;
    struct grid *g;
    const struct node *node;
    struct label_index index;
    struct {
        struct group *p;
        size_t n, cap;
    } groups;
};

static uint32_t expr_at(const struct aggregator *a) {
    return a->node->agg.expr->from;
}

static double *zeros(struct run *r, size_t n) {
    return arena_zalloc(r->a, n * sizeof(double));
}

/* Many series, few groups: a key is copied when it is new. NULL: no room for another group, e. */
static struct group *group_of(struct aggregator *a, const struct series *in, struct err *e) {
    enum { COLUMNS_MAX = 5 };
    struct run *r = a->g->r;
    struct names names = a->node->agg.grouping;
    struct labels key = a->node->agg.without ? labels_drop(r->window, in->labels, names, true) : labels_keep(r->window, in->labels, names);
    bool added;
    size_t i = label_index_put(r, &a->index, key, &added);
    if (!added) return &a->groups.p[i];
    if (!run_room(r, a->g->n, COLUMNS_MAX * sizeof(double), e)) return NULL;
    key = a->index.p[i] = labels_shallow(r->a, key);
    size_t n = a->g->n;
    struct group new = {.labels = key, .drop_name = in->drop_name, .v = column_new(r, n), .c = zeros(r, n)};
    enum agg_op op = a->node->agg.op;
    if (op == AGG_AVG || op == AGG_STDDEV || op == AGG_STDVAR) new.n = zeros(r, n);
    if (op == AGG_STDDEV || op == AGG_STDVAR) new.mean = zeros(r, n);
    if (op == AGG_AVG) new.incremental = arena_zalloc(r->a, n);
    avec_push(r->a, &a->groups, new);
    return &a->groups.p[i];
}

/* --- floats */

static void add_sums(struct group *g, const double *v, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (promql_is_absent(v[i])) continue;
        if (promql_is_absent(g->v[i]))
            g->v[i] = v[i];
        else
            kahan_add(v[i], &g->v[i], &g->c[i]);
    }
}

static void add_average(struct group *g, size_t i, double v) {
    double count = ++g->n[i];
    if (count == 1) {
        g->v[i] = v;
        return;
    }
    if (!g->incremental[i]) {
        double sum = g->v[i];
        double c = g->c[i];
        kahan_add(v, &sum, &c);
        if (!isinf(sum)) {
            g->v[i] = sum;
            g->c[i] = c;
            return;
        }
        g->incremental[i] = 1; /* the sum overflows: go on with the mean */
        g->v[i] /= count - 1;
        g->c[i] /= count - 1;
    }
    double q = (count - 1) / count;
    g->v[i] *= q;
    g->c[i] *= q;
    kahan_add(v / count, &g->v[i], &g->c[i]);
}

static void add_deviation(struct group *g, size_t i, double v) {
    double count = ++g->n[i];
    if (count == 1) {
        g->v[i] = isfinite(v) ? 0 : NAN;
        g->mean[i] = v;
        return;
    }
    double delta = v - g->mean[i];
    g->mean[i] += delta / count;
    g->v[i] += delta * (v - g->mean[i]);
}

static void add_float(enum agg_op op, struct group *g, size_t i, double v) {
    bool first = promql_is_absent(g->v[i]);
    if (op == AGG_AVG)
        add_average(g, i, v);
    else if (op == AGG_STDDEV || op == AGG_STDVAR)
        add_deviation(g, i, v);
    else if (op == AGG_MAX)
        g->v[i] = first || g->v[i] < v || isnan(g->v[i]) ? v : g->v[i];
    else if (op == AGG_MIN)
        g->v[i] = first || g->v[i] > v || isnan(g->v[i]) ? v : g->v[i];
    else if (op == AGG_COUNT)
        g->v[i] = first ? 1 : g->v[i] + 1;
    else
        g->v[i] = 1; /* group */
}

/* --- histograms */

static bool mean_hist(struct run *r, struct cell_hist *c, const struct hist *h, struct hist_notes *notes) {
    if (!c->mean) {
        struct hist *before = hist_copy(r->window, c->h);
        if (!hist_add(r->a, c->h, h, 1, notes)) return false;
        if (!hist_overflows(c->h)) return true;
        c->mean = true;
        c->h = hist_copy(r->a, before);
        hist_divide(c->h, c->n - 1);
    }
    struct hist *part = hist_copy(r->window, h);
    hist_divide(part, c->n);
    hist_scale(c->h, (c->n - 1) / c->n);
    return hist_add(r->a, c->h, part, 1, notes);
}

static void add_hist(struct aggregator *a, struct group *g, size_t i, const struct hist *h, str name) {
    struct run *r = a->g->r;
    if (!g->hists) g->hists = arena_zalloc(r->a, a->g->n * sizeof *g->hists);
    struct cell_hist *c = &g->hists[i];
    c->yes |= h->hint == RESET_YES;
    c->no |= h->hint == RESET_NO;
    c->n++;
    if (c->failed) return;
    if (!c->h) {
        c->h = hist_copy(r->a, h);
        return;
    }
    struct hist_notes notes = {0};
    bool ok = a->node->agg.op == AGG_AVG ? mean_hist(r, c, h, &notes) : hist_add(r->a, c->h, h, 1, &notes);
    c->reconciled |= notes.reconciled;
    if (ok) return;
    c->failed = true;
    note_named(r, NOTE_MIXED_EXPONENTIAL_CUSTOM, expr_at(a), name);
}

static void add_hists(struct aggregator *a, struct group *g, const struct series *in) {
    enum agg_op op = a->node->agg.op;
    for (size_t i = 0; i < a->g->n; i++) {
        const struct hist *h = hist_at(in, i);
        if (!h) continue;
        if (op == AGG_SUM || op == AGG_AVG)
            add_hist(a, g, i, h, metric_name(in->labels));
        else if (op == AGG_COUNT || op == AGG_GROUP)
            add_float(op, g, i, 1);
        else
            note_info(a->g->r, expr_at(a), "ignored histogram in %s aggregation", agg_text(op));
    }
}

static bool take(struct drain *s, struct series *in, struct err *e) {
    struct aggregator *a = CONTAINER_OF(s, struct aggregator, drain);
    struct group *g = group_of(a, in, e);
    if (!g) return false;
    enum agg_op op = a->node->agg.op;
    if (in->h) {
        add_hists(a, g, in);
    }
    arena_reset(a->g->r->window);
    if (op == AGG_SUM) {
        add_sums(g, in->v, a->g->n);
        return run_check(a->g->r, e);
    }
    for (size_t i = 0; i < a->g->n; i++)
        if (has_float(in, i)) add_float(op, g, i, in->v[i]);
    return run_check(a->g->r, e);
}

/* --- results */

static double float_result(enum agg_op op, const struct group *g, size_t i) {
    switch (op) {
    case AGG_SUM: return isinf(g->v[i]) ? g->v[i] : g->v[i] + g->c[i];
    case AGG_AVG: return g->incremental[i] ? g->v[i] + g->c[i] : g->v[i] / g->n[i] + g->c[i] / g->n[i];
    case AGG_STDVAR: return g->v[i] / g->n[i];
    case AGG_STDDEV: return sqrt(g->v[i] / g->n[i]);
    case AGG_BOTTOMK:
    case AGG_COUNT:
    case AGG_COUNT_VALUES:
    case AGG_GROUP:
    case AGG_LIMITK:
    case AGG_LIMIT_RATIO:
    case AGG_MAX:
    case AGG_MIN:
    case AGG_QUANTILE:
    case AGG_TOPK: return g->v[i];
    }
    return g->v[i];
}

/* A cell with histograms, maybe floats too; true: it yields the histogram. */
static bool finish_hist(struct aggregator *a, struct group *g, size_t i) {
    struct cell_hist *c = &g->hists[i];
    struct run *r = a->g->r;
    bool mixed = !promql_is_absent(g->v[i]);
    g->v[i] = absent();
    if (c->failed) return false;
    if (mixed) {
        note_warning(r, expr_at(a), "encountered a mix of histograms and floats for aggregation");
        return false;
    }
    note_hist(r, expr_at(a), &(struct hist_notes){c->yes && c->no, c->reconciled}, "aggregation");
    if (a->node->agg.op == AGG_AVG && !c->mean) hist_divide(c->h, c->n);
    hist_finish(c->h);
    return true;
}

static void finish_group(struct aggregator *a, struct group *g, struct series *out) {
    for (size_t i = 0; i < a->g->n; i++) {
        if (g->hists && g->hists[i].n > 0) {
            if (finish_hist(a, g, i)) hist_column(a->g->r, out, a->g->n)[i] = g->hists[i].h;
        } else if (!promql_is_absent(g->v[i])) {
            g->v[i] = float_result(a->node->agg.op, g, i);
        }
    }
}

static bool eval_streaming(struct grid *g, const struct node *n, struct drain *out, struct err *e) {
    struct aggregator a = {.drain = {take}, .g = g, .node = n};
    bool ok = eval_vector(g, n->agg.expr, &a.drain, e);
    label_index_done(&a.index);
    for (size_t i = 0; i < a.groups.n && ok; i++) {
        struct group *group = &a.groups.p[i];
        struct series one = {.labels = group->labels, .drop_name = group->drop_name, .v = group->v};
        finish_group(&a, group, &one);
        if (!series_is_empty(&one, g->n)) ok = out->take(out, &one, e);
    }
    return ok;
}

bool eval_aggregate(struct grid *g, const struct node *n, struct drain *out, struct err *e) {
    switch (n->agg.op) {
    case AGG_SUM:
    case AGG_AVG:
    case AGG_MIN:
    case AGG_MAX:
    case AGG_COUNT:
    case AGG_GROUP:
    case AGG_STDDEV:
    case AGG_STDVAR: return eval_streaming(g, n, out, e);
    case AGG_TOPK:
    case AGG_BOTTOMK:
    case AGG_LIMITK:
    case AGG_LIMIT_RATIO:
    case AGG_QUANTILE: return eval_whole_aggregate(g, n, out, e);
    case AGG_COUNT_VALUES: return eval_count_values(g, n, out, e);
    }
    return false;
}
