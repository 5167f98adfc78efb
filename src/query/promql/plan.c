#include <stdlib.h>

#include "base/clock.h"
#include "query/promql/engine.h"

/* A query's life: parse, pin the data of each selector, evaluate, clean up the label sets. */

enum { LOOKBACK_MS = 5 * 60 * 1000, SUBQUERY_STEP_MS = 60 * 1000 };

struct promql_query {
    struct run run;
    struct promql_regexes regexes;
    struct promql_result result;
    bool step_stats;
};

struct planner {
    struct run *r;
    struct tsdb *db;
    struct promql_regexes *regexes;
    struct err *e;
    int64_t step_ms; /* between evaluations; 0: there is one */
};

static bool plan_node(struct planner *p, const struct node *n, int64_t start_ms, int64_t end_ms);

/* The reference times of a selector or subquery evaluated from start to end. */
bool promql_shifted(struct run *r, const struct shift *s, int64_t *start_ms, int64_t *end_ms, struct err *e) {
    int64_t offset = 0;
    if (s->offset && !eval_duration(r, s->offset, &offset, e)) return false;
    if (s->at != AT_NONE) *start_ms = *end_ms = s->at == AT_TIME ? s->at_ms : s->at == AT_START ? r->start_ms : r->end_ms;
    *start_ms -= offset;
    *end_ms -= offset;
    return true;
}

static bool positive_duration(struct run *r, const struct node *n, int64_t *out_ms, struct err *e) {
    if (!eval_duration(r, n, out_ms, e)) return false;
    if (*out_ms > 0) return true;
    struct buf where = {0};
    promql_position(&where, r->query, n->from);
    run_fail(r, e, "%" STR_F ": duration must be greater than 0", STR_A(buf_str(&where)));
    buf_done(&where);
    return false;
}

/* What a selector needs of the store. step_ms: how far apart samples may be, where raw ones are gone. */
struct need {
    const struct matcher *m;
    size_t n;
    int64_t from_ms, to_ms, step_ms;
};

static bool select_once(struct planner *p, struct tsdb_selection **out, const struct need *x) {
    if (!tsdb_select(p->db, x->m, x->n, x->from_ms, x->to_ms, 0, out, p->e)) return false;
    if (p->r->bytes_max) tsdb_selection_set_max_bytes(*out, p->r->bytes_max);
    tsdb_selection_set_step(*out, x->step_ms);
    return true;
}

static bool select_series(struct planner *p, const struct node *n, unsigned slot, struct need x) {
    struct tsdb_selection **out = &p->r->selected[slot];
    if (!select_once(p, out, &x)) return false;
    int64_t reach = coarse_reach_max(*out);
    if (reach == 0) return true;
    tsdb_selection_free(*out);
    *out = NULL;
    x.from_ms -= reach;
    if (!select_once(p, out, &x)) return false;
    note_coarse(p->r, n->from, *out);
    return true;
}

static bool plan_selector(struct planner *p, const struct node *n, int64_t start_ms, int64_t end_ms) {
    struct run *r = p->r;
    const struct selector *s = &n->select.sel;
    if (!promql_shifted(r, &n->select.shift, &start_ms, &end_ms, p->e)) return false;
    int64_t back = r->lookback_ms;
    int64_t apart = p->step_ms;
    if (n->kind == NODE_MATRIX) {
        if (!positive_duration(r, n->select.range, &back, p->e)) return false;
        apart = MIN(apart, back / 2); /* two in a range */
        if (s->anchored || s->smoothed) back += r->lookback_ms;
    }
    if (s->smoothed) end_ms += r->lookback_ms;
    return select_series(p, n, s->slot, (struct need){s->m, s->m_n, start_ms - back + 1, end_ms, apart});
}

/* The grid of a subquery's inner expression: aligned to absolute multiples of its step. */
bool promql_inner_grid(struct run *r, const struct node *n, int64_t start_ms, int64_t end_ms, struct grid *out, struct err *e) {
    int64_t range;
    int64_t step = SUBQUERY_STEP_MS;
    if (!promql_shifted(r, &n->sub.shift, &start_ms, &end_ms, e) || !positive_duration(r, n->sub.range, &range, e)) return false;
    if (n->sub.step && !positive_duration(r, n->sub.step, &step, e)) return false;
    int64_t from = start_ms - range;
    int64_t first = from / step * step;
    if (first <= from) first += step;
    size_t steps = end_ms < first ? 0 : (size_t)((end_ms - first) / step) + 1;
    if (r->samples_max && steps > r->samples_max)
        return run_fail(r, e, "query processing would load too many samples into memory in subquery: %zu steps", steps), e->code = ERR_LIMIT, false;
    *out = (struct grid){r, first, step, steps};
    return run_room(r, steps, sizeof(double), e);
}

static bool plan_subquery(struct planner *p, const struct node *n, int64_t start_ms, int64_t end_ms) {
    struct grid g;
    if (!promql_inner_grid(p->r, n, start_ms, end_ms, &g, p->e)) return false;
    struct planner inner = *p;
    inner.step_ms = g.step_ms;
    return plan_node(&inner, n->sub.expr, g.start_ms, g.n ? grid_time(&g, g.n - 1) : g.start_ms);
}

/* info(): the info series around the times at which the first argument looks at its data. */
static bool plan_info(struct planner *p, const struct node *n, int64_t start_ms, int64_t end_ms) {
    struct run *r = p->r;
    struct info_matchers m;
    if (!info_matchers(r, p->regexes, n, &m, p->e)) return false;
    if (!info_reference(r, n->call.args[0], &start_ms, &end_ms, p->e)) return false;
    return select_series(p, n, n->call.slot, (struct need){m.all, m.all_n, start_ms - r->lookback_ms + 1, end_ms, p->step_ms});
}

static bool check_edges(struct planner *p, const struct node *call) {
    const struct function *f = call->call.fn;
    for (size_t i = 0; i < call->call.arg_n; i++) {
        const struct node *arg = node_unwrap(call->call.args[i]);
        if (arg->kind != NODE_MATRIX) continue;
        if (arg->select.sel.anchored && !(f->flags & FN_ANCHORED))
            return run_fail(p->r, p->e, "anchored modifier can only be used with: changes, delta, increase, rate, resets - not with %" STR_F,
                            STR_A(f->name));
        if (arg->select.sel.smoothed && !(f->flags & FN_SMOOTHED))
            return run_fail(p->r, p->e, "smoothed modifier can only be used with: delta, increase, rate - not with %" STR_F, STR_A(f->name));
    }
    return true;
}

static bool plan_call(struct planner *p, const struct node *n, int64_t start_ms, int64_t end_ms) {
    if (!check_edges(p, n)) return false;
    bool info = str_eq(n->call.fn->name, STR("info"));
    if (info && !plan_info(p, n, start_ms, end_ms)) return false;
    if ((n->call.fn->flags & FN_SORTS) && p->r->step_ms)
        note_warning(p->r, n->from, "sort is ineffective for range queries since results are always ordered by labels");
    for (size_t i = 0; i < (info ? 1 : n->call.arg_n); i++)
        if (!plan_node(p, n->call.args[i], start_ms, end_ms)) return false;
    return true;
}

static bool plan_node(struct planner *p, const struct node *n, int64_t start_ms, int64_t end_ms) {
    switch (n->kind) {
    case NODE_NUMBER:
    case NODE_STRING:
    case NODE_DURATION: return true;
    case NODE_VECTOR:
    case NODE_MATRIX: return plan_selector(p, n, start_ms, end_ms);
    case NODE_SUBQUERY: return plan_subquery(p, n, start_ms, end_ms);
    case NODE_PAREN: return plan_node(p, n->paren.expr, start_ms, end_ms);
    case NODE_UNARY: return plan_node(p, n->unary.expr, start_ms, end_ms);
    case NODE_BINARY: return plan_node(p, n->binary.lhs, start_ms, end_ms) && plan_node(p, n->binary.rhs, start_ms, end_ms);
    case NODE_CALL: return plan_call(p, n, start_ms, end_ms);
    case NODE_AGGREGATE: return (!n->agg.param || plan_node(p, n->agg.param, start_ms, end_ms)) && plan_node(p, n->agg.expr, start_ms, end_ms);
    }
    return true;
}

static bool plan(struct tsdb *db, const struct promql_params *params, struct promql_query *q, struct err *e) {
    struct run *r = &q->run;
    r->query = arena_str(r->a, params->query);
    r->start_ms = params->start_ms;
    r->end_ms = params->step_ms ? params->end_ms : params->start_ms;
    r->step_ms = params->step_ms;
    r->lookback_ms = params->lookback_ms ? params->lookback_ms : LOOKBACK_MS;
    r->samples_max = params->samples_max;
    r->bytes_max = r->bytes_limit = params->bytes_max;
    if (!promql_parse(r->query, r->a, &q->regexes, &r->ast, e)) return false;
    const struct node *root = r->ast.root;
    if (r->step_ms && root->type != PT_VECTOR && root->type != PT_SCALAR)
        return err_set(e, ERR_INPUT, "invalid expression type \"%s\" for range query, must be Scalar or instant Vector",
                       promql_type_name(root->type));
    if (params->explain) r->costs = arena_zalloc(r->a, r->ast.node_n * sizeof *r->costs);
    r->selected = arena_zalloc(r->a, (r->ast.selector_n + 1) * sizeof *r->selected);
    struct planner p = {r, db, &q->regexes, e, r->step_ms};
    int64_t last = r->step_ms ? r->start_ms + (r->end_ms - r->start_ms) / r->step_ms * r->step_ms : r->end_ms;
    return plan_node(&p, root, r->start_ms, last);
}

bool promql_plan(struct tsdb *db, const struct promql_params *params, struct promql_query **out, struct err *e) {
    assert(params->step_ms >= 0 && params->end_ms >= params->start_ms);
    int64_t from_ns = clock_mono_ns();
    struct arena *a = arena_new(16 << 10);
    struct promql_query *q = arena_one(a, struct promql_query);
    q->run.a = a;
    q->run.scratch = arena_new(64 << 10);
    q->run.window = arena_new(16 << 10);
    if (!plan(db, params, q, e)) {
        promql_free(q);
        return false;
    }
    q->step_stats = params->step_stats;
    q->result.plan_ns = clock_mono_ns() - from_ns;
    *out = q;
    return true;
}

/* --- run */

static bool finish_vector(struct grid *g, struct matrix *m, struct promql_result *out, struct err *e) {
    struct run *r = g->r;
    for (size_t i = 0; i < m->n; i++) {
        if (m->p[i].drop_name) m->p[i].labels = labels_without_name(r, m->p[i].labels);
        m->p[i].drop_name = false;
    }
    size_t n = 0;
    for (size_t i = 0; i < m->n; i++)
        if (!series_is_empty(&m->p[i], g->n)) m->p[n++] = m->p[i];
    m->n = n;
    if (!matrix_merge(g, m, e)) return false;
    if (r->step_ms) matrix_sort(m);
    out->series = arena_new_n(r->a, struct promql_series, m->n);
    out->series_n = m->n;
    for (size_t i = 0; i < m->n; i++) out->series[i] = (struct promql_series){m->p[i].labels, m->p[i].v, m->p[i].h, NULL, g->n};
    return true;
}

/* `up[5m]` as an instant query: the samples as they are. */
static bool run_range_vector(struct grid *g, struct node *root, struct promql_result *out, struct err *e) {
    struct run *r = g->r;
    struct range_src src;
    struct {
        struct promql_series *p;
        size_t n, cap;
    } all = {0};
    if (!range_open(g, root, &src, e)) return false;
    int64_t to = range_end(&src, 0);
    int64_t from = to - src.range_ms;
    struct rseries s;
    bool done = false;
    while (range_next(&src, &s, &done, e)) {
        size_t lo = 0;
        while (lo < s.n && s.t[lo] <= from) lo++;
        size_t hi = lo;
        while (hi < s.n && s.t[hi] <= to) hi++;
        if (hi == lo) continue;
        size_t n = hi - lo;
        count_used(r, 0, n);
        struct promql_series o = {.labels = s.drop_name ? labels_without_name(r, s.labels) : s.labels, .n = n};
        o.v = arena_new_n(r->a, double, n);
        o.t_ms = arena_new_n(r->a, int64_t, n);
        o.h = s.h ? arena_zalloc(r->a, n * sizeof *o.h) : NULL;
        for (size_t i = 0; i < n; i++) {
            const struct hist *h = sample_hist(&s, lo + i);
            o.t_ms[i] = s.t[lo + i];
            o.v[i] = h ? absent() : s.v[lo + i];
            if (h) o.h[i] = hist_copy(r->a, h);
        }
        if (!run_check(r, e)) return false;
        avec_push(r->a, &all, o);
    }
    if (!done) return false;
    out->series = all.p;
    out->series_n = all.n;
    return true;
}

static bool run_root(struct grid *g, struct node *root, struct promql_result *out, struct err *e) {
    struct matrix m;
    switch (root->type) {
    case PT_STRING: return eval_string(root, &out->string);
    case PT_SCALAR: out->scalar = arena_new_n(g->r->a, double, g->n); return eval_scalar(g, root, out->scalar, e);
    case PT_MATRIX: return run_range_vector(g, node_unwrap(root), out, e);
    case PT_VECTOR: {
        if (g->r->step_ms && is_plain_count_values(node_unwrap(root))) return run_count_values(g, node_unwrap(root), out, e);
        if (!eval_matrix(g, root, &m, e)) return false;
        int64_t from_ns = clock_mono_ns();
        if (!finish_vector(g, &m, out, e)) return false;
        out->sort_ns = clock_mono_ns() - from_ns;
        return true;
    }
    case PT_NONE: break;
    }
    assert(!"an expression has a type");
    return false;
}

static void warn_of_damage(struct run *r) {
    for (unsigned i = 0; i < r->ast.selector_n; i++) {
        const struct err *damage = r->selected[i] ? tsdb_selection_damage(r->selected[i]) : NULL;
        if (damage) note_warning(r, r->ast.root->from, "stored samples are damaged and left out: %s", damage->msg);
    }
}

bool promql_run(struct promql_query *q, const struct job *job, struct err *e) {
    struct run *r = &q->run;
    struct node *root = r->ast.root;
    r->job = job;
    struct grid g = {r, r->start_ms, r->step_ms, r->step_ms ? (size_t)((r->end_ms - r->start_ms) / r->step_ms) + 1 : 1};
    struct promql_result out = {.type = root->type, .start_ms = g.start_ms, .step_ms = g.step_ms, .step_n = g.n, .plan_ns = q->result.plan_ns};
    if (q->step_stats) r->step_used = arena_zalloc(r->a, g.n * sizeof *r->step_used);
    r->step_n = g.n;
    int64_t from_ns = clock_mono_ns();
    if (!run_root(&g, root, &out, e)) return false;
    warn_of_damage(r);
    out.eval_ns = clock_mono_ns() - from_ns - out.sort_ns;
    out.warnings = r->warnings.p;
    out.warning_n = r->warnings.n;
    out.infos = r->infos.p;
    out.info_n = r->infos.n;
    out.samples = r->samples_used;
    out.step_samples = r->step_used;
    out.costs = r->costs;
    out.peak_samples = r->samples_peak;
    q->result = out;
    return true;
}

const struct promql_result *promql_result(const struct promql_query *q) {
    return &q->result;
}
const struct node *promql_root(const struct promql_query *q) {
    return q->run.ast.root;
}
str promql_long_error(const struct promql_query *q) {
    return q->run.long_error;
}

void promql_free(struct promql_query *q) {
    if (!q) return;
    for (unsigned i = 0; i < q->run.ast.selector_n && q->run.selected; i++) tsdb_selection_free(q->run.selected[i]);
    promql_regexes_done(&q->regexes);
    workers_done(q->run.workers);
    arena_free(q->run.scratch);
    arena_free(q->run.window);
    arena_free(q->run.a);
}
