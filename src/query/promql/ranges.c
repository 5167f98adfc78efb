#include "query/promql/engine.h"

/* Functions over range vectors: slide a window over each decoded series. */

void count_window(const struct range_call *c, size_t *floats, size_t *hists) {
    size_t n = c->hi - c->lo;
    *hists = 0;
    for (size_t i = c->lo; c->s->h && i < c->hi; i++) *hists += c->s->h[i] != NULL;
    *floats = n - *hists;
}

const double *window_floats(const struct range_call *c, size_t *n) {
    if (!c->s->h) {
        *n = c->hi - c->lo;
        return c->s->v + c->lo;
    }
    double *v = arena_new_n(c->r->window, double, c->hi - c->lo);
    *n = 0;
    for (size_t i = c->lo; i < c->hi; i++)
        if (!c->s->h[i]) v[(*n)++] = c->s->v[i];
    return v;
}

/* Without a way out in the loop, so that it runs over many at once. */
static bool is_rising(const struct rseries *s) {
    size_t falls = 0;
    for (size_t i = 1; i < s->n; i++) falls += s->v[i] < s->v[i - 1];
    return falls == 0;
}

static bool scalar_args(struct grid *g, const struct node *call, size_t range_at, struct range_call *c, struct err *e) {
    for (size_t i = 0; i < call->call.arg_n; i++) {
        if (i == range_at) continue;
        double *arg = column_room(g->r, g->n, e);
        if (!arg || !eval_scalar(g, call->call.args[i], arg, e)) return false;
        c->args[i] = arg;
    }
    return true;
}

enum { WORK_BETWEEN_CHECKS = 1 << 18 }; /* samples looked at, windows overlapping */

int64_t window_range(const struct range_call *c, int64_t to_ms) {
    if (!c->src->coarse || c->anchored || c->smoothed || !(c->call->call.fn->flags & FN_PER_SECOND)) return c->range_ms;
    return MAX(c->range_ms, coarse_reach(c->src->sel, to_ms));
}

/* Windows move forward only, so their edges do too. */
static void find_windows(struct range_call *c) {
    const struct range_src *src = c->src;
    struct windows *w = &c->windows;
    const struct rseries *s = c->s;
    if (w->n == s->n && memcmp(w->t, s->t, s->n * sizeof *s->t) == 0) return;
    assert(s->n <= UINT32_MAX);
    if (!w->p) w->p = arena_new_n(c->r->a, struct window, c->g->n);
    if (w->cap < s->n) {
        w->cap = s->n + s->n / 2;
        w->t = arena_new_n(c->r->a, int64_t, w->cap);
    }
    memcpy(w->t, s->t, s->n * sizeof *s->t);
    w->n = s->n;
    w->samples = 0;
    int64_t before = c->anchored || c->smoothed ? c->r->lookback_ms : 0;
    int64_t after = c->smoothed ? c->r->lookback_ms : 0;
    uint32_t lo = 0;
    uint32_t hi = 0;
    for (size_t step = 0; step < c->g->n; step++) {
        int64_t to = range_end(src, step);
        while (lo < s->n && s->t[lo] <= to - window_range(c, to) - before) lo++;
        if (hi < lo) hi = lo;
        while (hi < s->n && s->t[hi] <= to + after) hi++;
        w->p[step] = (struct window){.lo = lo, .hi = hi};
        w->samples += hi - lo;
    }
}

static void count_windows(struct range_call *c) {
    c->r->samples_used += c->windows.samples;
    for (size_t step = 0; step < c->g->n && c->r->step_used; step++) c->r->step_used[step] += c->windows.p[step].hi - c->windows.p[step].lo;
}

/* All windows of one series; false: e. */
static bool slide(struct range_call *c, struct series *out, struct err *e) {
    struct run *r = c->r;
    const struct range_src *src = c->src;
    const struct function *f = c->call->call.fn;
    size_t work = 0;
    find_windows(c);
    count_windows(c);
    if (f->over_plain && c->plain && !c->anchored && !c->smoothed && (c->rising || c->windows.samples <= WORK_BETWEEN_CHECKS)) {
        f->over_plain(c, out->v);
        return run_check(r, e);
    }
    for (size_t step = 0; step < c->g->n; step++) {
        c->lo = c->windows.p[step].lo;
        c->hi = c->windows.p[step].hi;
        if (c->lo == c->hi) continue;
        work += c->hi - c->lo;
        if (work > WORK_BETWEEN_CHECKS) {
            work = 0;
            if (r->job && !job_check(r->job, e)) return false;
            arena_reset(r->window);
        }
        c->step = step;
        c->t_ms = grid_time(c->g, step);
        c->to_ms = range_end(src, step);
        c->from_ms = c->to_ms - window_range(c, c->to_ms);
        c->out_h = NULL;
        if (!f->over_range(c)) {
            if (c->failed) return false;
        } else if (c->out_h) {
            hist_column(r, out, c->g->n)[step] = c->out_h;
        } else {
            out->v[step] = c->out;
        }
    }
    return run_check(r, e);
}

static void check_counter_name(struct range_call *c, const struct series *out) {
    static const str endings[] = {STR_INIT("_total"), STR_INIT("_sum"), STR_INIT("_count"), STR_INIT("_bucket")};
    str name = metric_name(c->s->labels);
    bool fits = name.n == 0;
    for (size_t i = 0; i < ARRAY_N(endings); i++) fits |= str_ends(name, endings[i]);
    for (size_t step = 0; step < c->g->n && !fits; step++) {
        if (!has_float(out, step)) continue;
        note_named(c->r, NOTE_MAYBE_NO_COUNTER, c->arg->from, name);
        return;
    }
}

/* Functions over ranges are leaves: a call for each thread. */
struct call_leaf {
    struct leaf leaf;
    struct range_call call;
};

static void open_call(const struct leaf *l, void *state, struct grid *g) {
    struct range_call *c = state;
    *c = CONTAINER_OF(l, struct call_leaf, leaf)->call;
    c->g = g;
    c->r = g->r;
}

static bool make_range(void *state, size_t i, struct series *out, bool *some, struct err *e) {
    struct range_call *c = state;
    struct rseries s;
    if (!range_read(c->src, c->r, i, &s, e)) return false;
    if (s.n == 0) return true;
    arena_reset(c->r->window);
    c->e = e;
    c->s = &s;
    c->plain = !s.h && !s.st;
    c->rising = c->plain && is_rising(&s);
    for (size_t k = 0; k < c->g->n; k++) out->v[k] = absent();
    out->labels = s.labels;
    out->drop_name = s.drop_name || !(c->call->call.fn->flags & FN_KEEPS_NAME);
    if (!slide(c, out, e)) return false;
    *some = !series_is_empty(out, c->g->n);
    if (*some && c->call->call.fn->flags & FN_COUNTS) check_counter_name(c, out);
    return true;
}

bool eval_range_function(struct grid *g, const struct node *call, struct drain *out, struct err *e) {
    size_t range_at = 0;
    while (call->call.args[range_at]->type != PT_MATRIX) range_at++;
    struct node *arg = node_unwrap(call->call.args[range_at]);
    struct range_src src;
    if (g->n == 0) return true;
    if (!range_open(g, arg, &src, e)) return false;
    src.field = call->call.fn->field;
    src.weighted = call->call.fn->flags & FN_WEIGHTED;
    struct call_leaf l = {
        .leaf = {.n = range_n(&src), .sel = src.sel, .state_bytes = sizeof l.call, .open = open_call, .make = make_range},
        .call = {.call = call, .arg = arg, .src = &src, .range_ms = src.range_ms, .range_s = (double)src.range_ms / 1000},
    };
    l.call.anchored = arg->kind == NODE_MATRIX && arg->select.sel.anchored;
    l.call.smoothed = arg->kind == NODE_MATRIX && arg->select.sel.smoothed;
    return scalar_args(g, call, range_at, &l.call, e) && eval_leaf(g, &l.leaf, out, e);
}

/* absent_over_time: 1 at each step where no series has a sample. */
bool eval_absent_over_time(struct grid *g, const struct node *call, struct drain *out, struct err *e) {
    struct range_src src;
    if (g->n == 0) return true;
    if (!range_open(g, node_unwrap(call->call.args[0]), &src, e)) return false;
    struct series one = {.v = arena_new_n(g->r->a, double, g->n)};
    for (size_t i = 0; i < g->n; i++) one.v[i] = 1;
    struct rseries s;
    bool done = false;
    while (range_next(&src, &s, &done, e)) {
        size_t lo = 0;
        for (size_t step = 0; step < g->n; step++) {
            int64_t to = range_end(&src, step);
            while (lo < s.n && s.t[lo] <= to - src.range_ms) lo++;
            if (lo < s.n && s.t[lo] <= to) one.v[step] = absent();
        }
    }
    if (!done) return false;
    one.labels = labels_for_absent(g->r, call->call.args[0]);
    return series_is_empty(&one, g->n) || out->take(out, &one, e);
}
