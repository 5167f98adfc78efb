#include "query/promql/engine.h"

/* Selectors: from the store's series to columns and ranges. */

/* Reference time of a step: offset_ms behind it, or fixed. */
struct reference {
    bool fixed;
    int64_t fixed_ms, offset_ms;
};

static bool reference_of(const struct grid *g, const struct shift *s, struct reference *out, struct err *e) {
    int64_t offset = 0;
    if (s->offset && !eval_duration(g->r, s->offset, &offset, e)) return false;
    int64_t at = s->at == AT_TIME ? s->at_ms : s->at == AT_START ? g->r->start_ms : g->r->end_ms;
    *out = (struct reference){.fixed = s->at != AT_NONE, .fixed_ms = at - offset, .offset_ms = offset};
    return true;
}
static int64_t reference_time(const struct grid *g, const struct reference *ref, size_t step) {
    return ref->fixed ? ref->fixed_ms : grid_time(g, step) - ref->offset_ms;
}

static bool is_stale(const struct samples *s, size_t i) {
    if (s->h && s->h[i]) return histogram_is_stale(s->h[i]);
    return is_stale_nan(s->v[i]);
}

/* --- instant vector selectors */

struct picker {
    struct grid *g;
    const struct node *n;
    struct reference ref;
    int64_t lookback_ms;
    const struct tsdb_selection *sel;
    int64_t from_ms, to_ms; /* what has to be read */
    bool coarse;            /* some of it is down-sampled */
    enum pick what;         /* sample values, or their times in seconds */
    struct samples s;
    const struct hist *last_hist; /* of sample last_at */
    size_t last_at;
};

static const struct hist *picked_hist(struct picker *p, size_t i) {
    if (p->last_hist && p->last_at == i) return p->last_hist;
    p->last_hist = hist_from_store(p->g->r->a, p->s.h[i]);
    p->last_at = i;
    return p->last_hist;
}

static void put_sample(struct picker *p, struct series *out, size_t step, size_t i) {
    if (p->what == PICK_TIME)
        out->v[step] = (double)p->s.t_ms[i] / 1000;
    else if (p->what == PICK_START)
        out->v[step] = p->s.st_ms && p->s.st_ms[i] ? (double)p->s.st_ms[i] / 1000 : absent();
    else if (p->s.h && p->s.h[i])
        hist_column(p->g->r, out, p->g->n)[step] = picked_hist(p, i);
    else
        out->v[step] = p->s.v[i];
}

/* Between sample i, the last at or before t, and the next one. */
static void put_smoothed(struct picker *p, struct series *out, size_t step, size_t i, int64_t t) {
    const struct samples *s = &p->s;
    size_t next = i + 1;
    if (s->t_ms[i] == t || next >= s->n || s->t_ms[next] > t + p->lookback_ms || is_stale(s, next)) {
        put_sample(p, out, step, i);
        return;
    }
    double fraction = (double)(t - s->t_ms[i]) / (double)(s->t_ms[next] - s->t_ms[i]);
    bool h1 = s->h && s->h[i];
    bool h2 = s->h && s->h[next];
    if (h1 != h2) {
        note_named(p->g->r, NOTE_MIXED_FLOATS_HISTOGRAMS, p->n->from, metric_name(out->labels));
        return;
    }
    if (!h1) {
        out->v[step] = s->v[i] + (s->v[next] - s->v[i]) * fraction;
        return;
    }
    struct run *r = p->g->r;
    const struct hist *from = hist_from_store(r->a, s->h[i]);
    const struct hist *to = hist_from_store(r->a, s->h[next]);
    bool counter = from->hint != RESET_GAUGE && to->hint != RESET_GAUGE;
    if (counter && hist_is_reset(r->a, to, from)) from = hist_zero_like(r->a, to);
    const struct hist *h = hist_interpolate(r->a, from, to, fraction);
    if (h)
        hist_column(r, out, p->g->n)[step] = h;
    else
        note_named(r, NOTE_MIXED_EXPONENTIAL_CUSTOM, p->n->from, metric_name(out->labels));
}

static void pick(struct picker *p, struct series *out) {
    const struct samples *s = &p->s;
    size_t next = 0; /* the first sample after the reference time */
    for (size_t step = 0; step < p->g->n; step++) {
        int64_t t = reference_time(p->g, &p->ref, step);
        int64_t back = p->coarse ? MAX(p->lookback_ms, coarse_reach(p->sel, t)) : p->lookback_ms;
        while (next < s->n && s->t_ms[next] <= t) next++;
        if (next == 0 || s->t_ms[next - 1] <= t - back || is_stale(s, next - 1)) continue;
        if (p->n->select.sel.smoothed)
            put_smoothed(p, out, step, next - 1, t);
        else
            put_sample(p, out, step, next - 1);
        count_used(p->g->r, step, 1);
    }
}

/* Selectors are leaves: a picker for each thread. */
struct selector_leaf {
    struct leaf leaf;
    struct picker picker;
};

static void open_picker(const struct leaf *l, void *state, struct grid *g) {
    struct picker *p = state;
    *p = CONTAINER_OF(l, struct selector_leaf, leaf)->picker;
    p->g = g;
}

static bool make_instants(void *state, size_t i, struct series *out, bool *some, struct err *e) {
    struct picker *p = state;
    struct run *r = p->g->r;
    arena_reset(r->scratch);
    if (!tsdb_read(p->sel, i, p->from_ms, p->to_ms, r->scratch, &p->s, e)) return false;
    if (p->s.n == 0) return true;
    r->samples_read += p->s.n;
    p->last_hist = NULL;
    for (size_t k = 0; k < p->g->n; k++) out->v[k] = absent();
    out->labels = tsdb_selection_labels(p->sel, i);
    pick(p, out);
    *some = !series_is_empty(out, p->g->n);
    return true;
}

static bool select_instants(struct grid *g, const struct node *n, struct drain *out, enum pick what, struct err *e) {
    const struct tsdb_selection *sel = g->r->selected[n->select.sel.slot];
    if (g->n == 0) return true;
    struct selector_leaf l = {
        .leaf = {.n = tsdb_selection_n(sel), .sel = sel, .state_bytes = sizeof l.picker, .open = open_picker, .make = make_instants},
        .picker = {.n = n, .sel = sel, .lookback_ms = g->r->lookback_ms, .what = what},
    };
    struct picker *p = &l.picker;
    if (!reference_of(g, &n->select.shift, &p->ref, e)) return false;
    int64_t reach = coarse_reach_max(sel);
    p->coarse = reach > 0;
    p->from_ms = reference_time(g, &p->ref, 0) - MAX(p->lookback_ms, reach) + 1;
    p->to_ms = reference_time(g, &p->ref, g->n - 1) + (n->select.sel.smoothed ? p->lookback_ms : 0);
    return eval_leaf(g, &l.leaf, out, e);
}

bool eval_selector(struct grid *g, const struct node *n, struct drain *out, enum pick what, struct err *e) {
    if (!g->r->costs) return select_instants(g, n, out, what, e);
    struct probe p;
    bool ok = select_instants(g, n, probe_begin(&p, g->r, n, out), what, e);
    probe_end(&p);
    return ok;
}

/* --- ranges */

static bool open_selector(struct range_src *s, const struct node *n, struct err *e) {
    struct run *r = s->g->r;
    s->sel = r->selected[n->select.sel.slot];
    if (!eval_duration(r, n->select.range, &s->range_ms, e)) return false;
    int64_t before = n->select.sel.anchored || n->select.sel.smoothed ? r->lookback_ms : 0;
    int64_t after = n->select.sel.smoothed ? r->lookback_ms : 0;
    int64_t reach = coarse_reach_max(s->sel);
    s->coarse = reach > 0;
    s->from_ms = range_end(s, 0) - MAX(s->range_ms + before, reach) + 1;
    s->to_ms = range_end(s, s->g->n - 1) + after;
    return true;
}

static bool open_subquery(struct range_src *s, const struct node *n, struct err *e) {
    struct run *r = s->g->r;
    if (!eval_duration(r, n->sub.range, &s->range_ms, e)) return false;
    if (!promql_inner_grid(r, n, s->g->start_ms, grid_time(s->g, s->g->n - 1), &s->inner_grid, e)) return false;
    if (s->inner_grid.n == 0) return true;
    uint64_t used = r->samples_used; /* the windows over the subquery count, not those within it */
    uint64_t *step_used = r->step_used;
    r->step_used = NULL;
    bool ok = eval_matrix(&s->inner_grid, n->sub.expr, &s->inner, e);
    r->samples_used = used;
    r->step_used = step_used;
    return ok;
}

bool range_open(struct grid *g, const struct node *n, struct range_src *out, struct err *e) {
    struct reference ref;
    bool subquery = n->kind == NODE_SUBQUERY;
    assert(g->n > 0);
    if (!reference_of(g, subquery ? &n->sub.shift : &n->select.shift, &ref, e)) return false;
    *out = (struct range_src){.g = g, .node = n, .fixed = ref.fixed, .fixed_ms = ref.fixed_ms, .offset_ms = ref.offset_ms};
    if (!g->r->costs) return subquery ? open_subquery(out, n, e) : open_selector(out, n, e);
    struct probe p;
    probe_begin(&p, g->r, n, NULL);
    bool ok = subquery ? open_subquery(out, n, e) : open_selector(out, n, e);
    probe_end(&p);
    return ok;
}

/* Without a way out in the loop, so that it runs over many at once. */
static size_t count_stale(const struct samples *s) {
    size_t stale = 0;
    if (s->h) {
        for (size_t i = 0; i < s->n; i++) stale += is_stale(s, i);
        return stale;
    }
    for (size_t i = 0; i < s->n; i++) {
        uint64_t bits;
        memcpy(&bits, &s->v[i], sizeof bits);
        stale += bits == STALE_NAN_BITS;
    }
    return stale;
}

/* Samples of a store series without the stale markers, histograms in the working form. weight: NULL, or for each sample. */
static void to_rseries(struct run *r, const struct samples *s, const double *weight, struct rseries *out) {
    struct arena *a = r->scratch;
    size_t stale = count_stale(s);
    if (stale == 0 && !s->h) {
        out->n = s->n;
        out->t = s->t_ms;
        out->v = s->v;
        out->h = NULL;
        out->st = s->st_ms;
        out->weight = weight;
        return;
    }
    size_t room = s->n - stale;
    int64_t *t = arena_new_n(a, int64_t, room);
    double *v = arena_new_n(a, double, room);
    int64_t *st = s->st_ms ? arena_new_n(a, int64_t, room) : NULL;
    double *w = weight ? arena_new_n(a, double, room) : NULL;
    const struct hist **h = s->h ? arena_zalloc(a, room * sizeof *h) : NULL;
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (is_stale(s, i)) continue;
        if (w) w[n] = weight[i];
        t[n] = s->t_ms[i];
        v[n] = s->v[i];
        if (st) st[n] = s->st_ms[i];
        if (h && s->h[i]) h[n] = hist_from_store(a, s->h[i]);
        n++;
    }
    *out = (struct rseries){.labels = out->labels, .drop_name = out->drop_name, .n = n, .t = t, .v = v, .h = h, .st = st, .weight = w};
}

/* A subquery's column as samples. Its histograms' reset hints mean nothing here: samples may be left out or repeated. */
static void column_to_rseries(struct run *r, const struct grid *g, const struct series *s, struct rseries *out) {
    struct arena *a = r->scratch;
    int64_t *t = arena_new_n(a, int64_t, g->n);
    double *v = arena_new_n(a, double, g->n);
    const struct hist **h = s->h ? arena_zalloc(a, g->n * sizeof *h) : NULL;
    size_t n = 0;
    for (size_t i = 0; i < g->n; i++) {
        if (!has_value(s, i)) continue;
        t[n] = grid_time(g, i);
        v[n] = s->v[i];
        const struct hist *from = hist_at(s, i);
        if (from) {
            struct hist *copy = arena_one(a, struct hist);
            *copy = *from;
            if (copy->hint != RESET_GAUGE) copy->hint = RESET_UNKNOWN;
            h[n] = copy;
        }
        n++;
    }
    *out = (struct rseries){.labels = s->labels, .drop_name = s->drop_name, .n = n, .t = t, .v = v, .h = h};
}

/* Raw samples read as themselves: only where there are others is it asked which of their values is wanted. */
static bool read_series(const struct range_src *s, struct run *r, size_t i, struct rseries *out, struct err *e) {
    struct samples samples;
    struct samples counts = {0};
    if (s->coarse && s->weighted && !tsdb_read_field(s->sel, i, TSDB_COUNT, s->from_ms, s->to_ms, r->scratch, &counts, e)) return false;
    if (!tsdb_read_field(s->sel, i, s->coarse ? s->field : TSDB_LAST, s->from_ms, s->to_ms, r->scratch, &samples, e)) return false;
    *out = (struct rseries){.labels = tsdb_selection_labels(s->sel, i)};
    to_rseries(r, &samples, counts.n == samples.n ? counts.v : NULL, out);
    r->samples_read += samples.n;
    return run_holds(r, out->n, e);
}

size_t range_n(const struct range_src *s) {
    return s->node->kind == NODE_SUBQUERY ? s->inner.n : tsdb_selection_n(s->sel);
}

static bool read_any(const struct range_src *s, struct run *r, size_t i, struct rseries *out, struct err *e) {
    arena_reset(r->scratch);
    if (s->node->kind != NODE_SUBQUERY) return read_series(s, r, i, out, e);
    column_to_rseries(r, &s->inner_grid, &s->inner.p[i], out);
    return true;
}

bool range_read(const struct range_src *s, struct run *r, size_t i, struct rseries *out, struct err *e) {
    if (!r->costs) return read_any(s, r, i, out, e);
    struct probe p;
    probe_begin(&p, r, s->node, NULL);
    bool ok = read_any(s, r, i, out, e);
    probe_end(&p);
    p.cost->series += ok && out->n;
    return ok;
}

bool range_next(struct range_src *s, struct rseries *out, bool *done, struct err *e) {
    struct run *r = s->g->r;
    while (s->next < range_n(s)) {
        if (!run_check(r, e) || !range_read(s, r, s->next++, out, e)) return false;
        if (out->n) return true;
    }
    *done = true;
    return false;
}
