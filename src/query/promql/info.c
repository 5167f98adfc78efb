#include "base/mem.h"
#include "codec/regex.h"
#include "query/promql/engine.h"

/* info(v, {selector}): adds the data labels of info series (target_info, ...) that share v's identifying labels, instance and job. At each step the
 * newest info sample of each info metric counts, looked up at the time at which v looks at its own samples. */

static const str identifying[] = {STR_INIT("instance"), STR_INIT("job")};

static const struct node *label_selector(const struct node *call) {
    return call->call.arg_n > 1 ? call->call.args[1] : NULL;
}

bool info_matchers(struct run *r, struct promql_regexes *regexes, const struct node *call, struct info_matchers *out, struct err *e) {
    const struct node *sel = label_selector(call);
    size_t given = sel ? sel->select.sel.m_n : 0;
    struct matcher *all = arena_new_n(r->a, struct matcher, given + 1);
    struct matcher *names = arena_new_n(r->a, struct matcher, given + 1);
    size_t names_n = 0;
    bool positive = false;
    for (size_t i = 0; i < given; i++) {
        const struct matcher *m = &sel->select.sel.m[i];
        all[i] = *m;
        if (!str_eq(m->name, LABEL_METRIC_NAME)) continue;
        names[names_n++] = *m;
        positive |= m->op == MATCH_EQ || m->op == MATCH_RE;
    }
    if (!positive) { /* target_info unless names are given; negative matchers choose among all *_info */
        struct matcher m = {.op = names_n ? MATCH_RE : MATCH_EQ, .name = LABEL_METRIC_NAME, .value = names_n ? STR(".+_info") : STR("target_info")};
        if (names_n) {
            struct regex *re;
            if (!regex_new(m.value, true, &re, e)) return false;
            regexes->p = mem_realloc(regexes->p, (regexes->cap + 1) * sizeof *regexes->p);
            regexes->p[regexes->n++] = re;
            regexes->cap++;
            m.re = re;
        }
        all[given++] = m;
        names[names_n++] = m;
    }
    *out = (struct info_matchers){all, names, given, names_n};
    return true;
}

/* The first selector below a node, through which info() finds its reference time; subqueries on the way shift it too. */
static bool reference(struct run *r, const struct node *n, int64_t *start_ms, int64_t *end_ms, bool *found, struct err *e) {
    switch (n->kind) {
    case NODE_NUMBER:
    case NODE_STRING:
    case NODE_DURATION: return true;
    case NODE_VECTOR:
    case NODE_MATRIX: *found = true; return promql_shifted(r, &n->select.shift, start_ms, end_ms, e);
    case NODE_SUBQUERY: return promql_shifted(r, &n->sub.shift, start_ms, end_ms, e) && reference(r, n->sub.expr, start_ms, end_ms, found, e);
    case NODE_PAREN: return reference(r, n->paren.expr, start_ms, end_ms, found, e);
    case NODE_UNARY: return reference(r, n->unary.expr, start_ms, end_ms, found, e);
    case NODE_AGGREGATE: return reference(r, n->agg.expr, start_ms, end_ms, found, e);
    case NODE_BINARY:
        if (!reference(r, n->binary.lhs, start_ms, end_ms, found, e)) return false;
        return *found || reference(r, n->binary.rhs, start_ms, end_ms, found, e);
    case NODE_CALL:
        for (size_t i = 0; i < n->call.arg_n && !*found; i++)
            if (!reference(r, n->call.args[i], start_ms, end_ms, found, e)) return false;
        return true;
    }
    return true;
}

bool info_reference(struct run *r, const struct node *n, int64_t *start_ms, int64_t *end_ms, struct err *e) {
    bool found = false;
    return reference(r, n, start_ms, end_ms, &found, e);
}

/* An info series that has a sample at some step: times[step] is the sample's own time, INT64_MIN: none. */
struct info_series {
    struct labels labels;
    size_t id, name; /* its identifying labels and its metric name, as indexes */
    int64_t *times;
};

struct enrichment {
    struct grid *g;
    const struct node *call;
    struct label_index ids, names;
    struct info_series *info;
    size_t info_n;
    size_t id_n; /* ids that info series have; others come from v */
    struct membership by_id;
    size_t *chosen, *last; /* per info metric name: 1 + info series, or 0 */
    struct matrix out;
};

static struct labels id_labels(struct run *r, struct labels ls) {
    return labels_keep(r->a, ls, (struct names){identifying, ARRAY_N(identifying)});
}

static bool load_times(struct enrichment *x, const struct tsdb_selection *sel, size_t i, int64_t *times, bool *any, struct err *e) {
    struct run *r = x->g->r;
    int64_t first = grid_time(x->g, 0);
    int64_t last = grid_time(x->g, x->g->n - 1);
    if (!info_reference(r, x->call->call.args[0], &first, &last, e)) return false;
    struct samples s;
    arena_reset(r->scratch);
    if (!tsdb_read(sel, i, first - MAX(r->lookback_ms, coarse_reach_max(sel)) + 1, last, r->scratch, &s, e)) return false;
    size_t next = 0;
    for (size_t step = 0; step < x->g->n; step++) {
        int64_t t = grid_time(x->g, step);
        int64_t same = t;
        times[step] = INT64_MIN;
        if (!info_reference(r, x->call->call.args[0], &t, &same, e)) return false;
        while (next < s.n && s.t_ms[next] <= t) next++;
        if (next == 0 || s.t_ms[next - 1] <= t - MAX(r->lookback_ms, coarse_reach(sel, t))) continue;
        if (s.h && s.h[next - 1]) return run_fail(r, e, "this should be an info metric, with float samples, but is a histogram");
        if (is_stale_nan(s.v[next - 1])) continue;
        times[step] = s.t_ms[next - 1];
        *any = true;
    }
    return true;
}

static bool load_info(struct enrichment *x, struct err *e) {
    struct run *r = x->g->r;
    const struct tsdb_selection *sel = r->selected[x->call->call.slot];
    size_t n = tsdb_selection_n(sel);
    x->info = arena_new_n(r->a, struct info_series, n);
    size_t *ids = arena_new_n(r->a, size_t, n);
    for (size_t i = 0; i < n; i++) {
        struct info_series *s = &x->info[x->info_n];
        *s = (struct info_series){.labels = tsdb_selection_labels(sel, i), .times = arena_new_n(r->a, int64_t, x->g->n)};
        bool any = false;
        bool added;
        if (!run_check(r, e) || !load_times(x, sel, i, s->times, &any, e)) return false;
        if (!any) continue;
        s->id = label_index_put(r, &x->ids, id_labels(r, s->labels), &added);
        s->name = label_index_put(r, &x->names, labels_keep(r->a, s->labels, (struct names){&LABEL_METRIC_NAME, 1}), &added);
        ids[x->info_n++] = s->id;
    }
    x->id_n = x->ids.n;
    x->by_id = membership_of(r, ids, x->info_n, x->id_n);
    x->chosen = arena_zalloc(r->a, x->names.n * sizeof(size_t));
    x->last = arena_zalloc(r->a, x->names.n * sizeof(size_t));
    return true;
}

/* Per info metric the series with the newest sample. */
static bool choose(struct enrichment *x, size_t id, size_t step, bool *any, struct err *e) {
    memset(x->chosen, 0, x->names.n * sizeof *x->chosen);
    *any = false;
    for (size_t at = x->by_id.from[id]; at < x->by_id.from[id + 1]; at++) {
        const struct info_series *s = &x->info[x->by_id.members[at]];
        size_t *best = &x->chosen[s->name];
        if (s->times[step] == INT64_MIN) continue;
        *any = true;
        int64_t have = *best ? x->info[*best - 1].times[step] : INT64_MIN;
        if (*best && have == s->times[step]) {
            struct buf b = {0};
            labels_put(&b, x->info[*best - 1].labels);
            buf_printf(&b, " @ %lld, new ", (long long)have);
            labels_put(&b, s->labels);
            run_fail(x->g->r, e, "found duplicate series for info metric: existing %" STR_F " @ %lld", STR_A(buf_str(&b)), (long long)have);
            buf_done(&b);
            return false;
        }
        if (s->times[step] > have) *best = x->by_id.members[at] + 1;
    }
    return true;
}

/* Is the label asked for? Without data label matchers all are. */
static bool is_wanted(const struct node *sel, str name) {
    bool any = false;
    for (size_t i = 0; sel && i < sel->select.sel.m_n; i++) {
        str matched = sel->select.sel.m[i].name;
        if (str_eq(matched, name)) return true;
        any |= !str_eq(matched, LABEL_METRIC_NAME);
    }
    return !any;
}

static bool add_info_labels(struct enrichment *x, struct labels base, struct labels *out, struct err *e) {
    struct run *r = x->g->r;
    struct labels ls = base;
    for (size_t k = 0; k < x->names.n; k++) {
        if (!x->chosen[k]) continue;
        struct labels info = x->info[x->chosen[k] - 1].labels;
        for (size_t i = 0; i < info.n; i++) {
            struct label l = info.l[i];
            if (str_eq(l.name, LABEL_METRIC_NAME) || !is_wanted(label_selector(x->call), l.name) || labels_get(base, l.name).n) continue;
            str now = labels_get(ls, l.name);
            if (now.n && !str_eq(now, l.value)) return run_fail(r, e, "conflicting label: %" STR_F, STR_A(l.name));
            ls = labels_set(r, ls, l.name, l.value);
        }
    }
    *out = ls;
    return true;
}

/* Without an info series a sample stays, unless a data label matcher asks for a value. */
static bool may_miss(const struct node *sel) {
    for (size_t i = 0; sel && i < sel->select.sel.m_n; i++) {
        const struct matcher *m = &sel->select.sel.m[i];
        if (!str_eq(m->name, LABEL_METRIC_NAME) && matcher_test(m, STR("")) == MATCHER_NO) return false;
    }
    return true;
}

/* Splits a series by the info labels it has from step to step. */
static bool enrich(struct enrichment *x, struct series *in, struct err *e) {
    struct grid *g = x->g;
    struct run *r = g->r;
    bool added;
    size_t id = label_index_put(r, &x->ids, id_labels(r, in->labels), &added);
    bool known = id < x->id_n;
    bool may_be_missing = may_miss(label_selector(x->call));
    size_t first_out = x->out.n;
    struct series *now = NULL;
    for (size_t step = 0; step < g->n; step++) {
        if (!has_value(in, step)) continue;
        bool any = false;
        memset(x->chosen, 0, x->names.n * sizeof *x->chosen);
        if (known && !choose(x, id, step, &any, e)) return false;
        if (!any && !may_be_missing) continue;
        if (!now || memcmp(x->chosen, x->last, x->names.n * sizeof *x->chosen) != 0) {
            struct labels ls;
            if (!add_info_labels(x, in->labels, &ls, e)) return false;
            now = NULL;
            for (size_t i = first_out; i < x->out.n && !now; i++)
                if (labels_eq(x->out.p[i].labels, ls)) now = &x->out.p[i];
            if (!now) {
                matrix_push(r, &x->out, &(struct series){.labels = ls, .drop_name = in->drop_name, .v = column_new(r, g->n)});
                now = &x->out.p[x->out.n - 1];
            }
            if (x->names.n) memcpy(x->last, x->chosen, x->names.n * sizeof *x->last);
        }
        now->v[step] = in->v[step];
        if (hist_at(in, step)) hist_column(r, now, g->n)[step] = in->h[step];
    }
    return true;
}

static bool is_info_itself(const struct info_matchers *m, struct labels ls) {
    for (size_t i = 0; i < m->names_n; i++)
        if (matcher_test(&m->names[i], metric_name(ls)) != MATCHER_YES) return false;
    return true;
}

bool eval_info(struct grid *g, const struct node *call, struct drain *out, struct err *e) {
    struct enrichment x = {.g = g, .call = call};
    struct info_matchers m;
    struct promql_regexes own = {0};
    struct matrix in;
    if (g->n == 0) return true;
    bool ok = info_matchers(g->r, &own, call, &m, e) && eval_matrix(g, call->call.args[0], &in, e) && load_info(&x, e);
    for (size_t i = 0; i < in.n && ok; i++) {
        if (is_info_itself(&m, in.p[i].labels)) {
            matrix_push(g->r, &x.out, &in.p[i]);
            continue;
        }
        ok = enrich(&x, &in.p[i], e);
    }
    label_index_done(&x.ids);
    label_index_done(&x.names);
    promql_regexes_done(&own);
    return ok && (g->n == 1 || matrix_merge(g, &x.out, e)) && matrix_emit(&x.out, out, e);
}
