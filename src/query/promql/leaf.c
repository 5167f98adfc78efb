#include "query/promql/engine.h"

/* Series that are made one by one, each on its own: of selectors and of functions over ranges. This is where a query's time goes, so they are made a
 * block at a time by all idle threads; the series are handed on in the order of the input, so that the result does not depend on who made what. */

enum { WORKERS_MAX = 16, BLOCK_VALUES = 1 << 15, BLOCK_SERIES_MAX = 128, SHARED_SERIES_MIN = 32 };

struct made {
    struct series s;
    bool some;
};
struct worker {
    struct run run; /* its own memory and notes */
    struct grid g;
    const struct leaf *leaf;
    void *state;
    uint64_t *step_used;
    struct made made[BLOCK_SERIES_MAX];
    size_t from, to; /* which series it makes in this round */
    bool ok;
    struct err e;
};
struct workers {
    size_t n;
    struct worker p[];
};

static bool hold(struct run *r, size_t n, struct err *e) {
    if (!run_holds(r, n, e)) return false;
    r->samples_held += n;
    return true;
}

/* --- alone */

static bool make_alone(struct grid *g, const struct leaf *l, struct drain *out, struct err *e) {
    struct run *r = g->r;
    void *state = arena_zalloc(r->a, l->state_bytes);
    l->open(l, state, g);
    double *v = NULL;
    for (size_t i = 0; i < l->n; i++) {
        bool some = false;
        if (!run_check(r, e) || (!v && !(v = column_room(r, g->n, e)))) return false;
        struct series one = {.v = v};
        if (!l->make(state, i, &one, &some, e)) return false;
        if (!some) continue;
        if (!hold(r, g->n, e) || !out->take(out, &one, e)) return false;
        v = one.v;
        if (v) r->samples_held -= g->n;
    }
    return true;
}

/* --- together */

static struct workers *workers_of(struct run *r) {
    if (r->workers) return r->workers;
    size_t n = MIN(pool_threads(r->job->pool), (unsigned)WORKERS_MAX);
    struct workers *w = arena_zalloc(r->a, sizeof *w + n * sizeof *w->p);
    w->n = n;
    for (size_t i = 0; i < n; i++) {
        struct run *own = &w->p[i].run;
        *own = *r;
        own->workers = NULL;
        own->a = arena_new(16 << 10);
        own->scratch = arena_new(64 << 10);
        own->window = arena_new(16 << 10);
        own->warnings = own->infos = (struct note_list){0};
    }
    return r->workers = w;
}

void workers_done(struct workers *w) {
    for (size_t i = 0; w && i < w->n; i++) {
        arena_free(w->p[i].run.a);
        arena_free(w->p[i].run.scratch);
        arena_free(w->p[i].run.window);
    }
}

size_t workers_bytes(const struct workers *w) {
    size_t bytes = 0;
    for (size_t i = 0; w && i < w->n; i++) bytes += arena_used_bytes(w->p[i].run.a);
    return bytes;
}

static bool make_block(struct worker *w) {
    for (size_t i = w->from; i < w->to; i++) {
        struct made *m = &w->made[i - w->from];
        double *v = m->s.v;
        if (!run_check(&w->run, &w->e) || (!v && !(v = column_room(&w->run, w->g.n, &w->e)))) return false;
        m->s = (struct series){.v = v};
        m->some = false;
        if (!w->leaf->make(w->state, i, &m->s, &m->some, &w->e)) return false;
    }
    return true;
}
static void make_block_of(void *arg, size_t i) {
    struct worker *w = &((struct workers *)arg)->p[i];
    w->ok = make_block(w);
}

/* What is left of the limits is shared evenly. */
static void begin_round(struct run *r, struct worker *w, size_t worker_n) {
    struct run *own = &w->run;
    size_t used = run_bytes(r);
    own->samples_read = own->samples_used = own->samples_peak = 0;
    own->samples_held = r->samples_held;
    if (r->step_used && !w->step_used) w->step_used = arena_zalloc(own->a, r->step_n * sizeof *w->step_used);
    own->step_used = r->step_used ? w->step_used : NULL; /* within a subquery nobody counts */
    if (r->bytes_max) own->bytes_max = MAX(1, arena_used_bytes(own->a) + (r->bytes_max > used ? (r->bytes_max - used) / worker_n : 0));
}

static void end_round(struct run *r, struct run *own) {
    r->samples_read += own->samples_read;
    r->samples_used += own->samples_used;
    r->samples_peak = MAX(r->samples_peak, own->samples_peak);
    for (size_t i = 0; i < r->step_n && r->step_used; i++) {
        r->step_used[i] += own->step_used[i];
        own->step_used[i] = 0;
    }
    notes_move(r, own);
}

static bool hand_on(struct run *r, struct worker *w, struct drain *out, struct err *e) {
    end_round(r, &w->run);
    if (!w->ok) {
        r->long_error = w->run.long_error;
        *e = w->e;
        return false;
    }
    for (size_t i = 0; i < w->to - w->from; i++) {
        struct made *m = &w->made[i];
        if (!m->some) continue;
        if (!hold(r, w->g.n, e) || !out->take(out, &m->s, e)) return false;
        if (m->s.v) r->samples_held -= w->g.n;
    }
    return true;
}

static bool make_together(struct grid *g, const struct leaf *l, struct drain *out, struct err *e) {
    struct run *r = g->r;
    struct workers *all = workers_of(r);
    size_t block = MAX(1, MIN((size_t)BLOCK_SERIES_MAX, BLOCK_VALUES / g->n));
    for (size_t i = 0; i < all->n; i++) {
        struct worker *w = &all->p[i];
        w->g = *g;
        w->g.r = &w->run;
        w->leaf = l;
        w->state = arena_zalloc(w->run.a, l->state_bytes);
        memset(w->made, 0, sizeof w->made); /* columns may be of another length */
        l->open(l, w->state, &w->g);
    }
    for (size_t at = 0; at < l->n;) {
        size_t busy = 0;
        for (; busy < all->n && at < l->n; busy++) {
            struct worker *w = &all->p[busy];
            w->from = at;
            w->to = at = MIN(l->n, at + block);
            for (size_t i = w->from; i < w->to && l->sel; i++) tsdb_load(l->sel, i);
            begin_round(r, w, all->n);
        }
        pool_share(r->job->pool, make_block_of, all, busy);
        for (size_t i = 0; i < busy; i++)
            if (!hand_on(r, &all->p[i], out, e)) return false;
        if (!run_check(r, e)) return false;
    }
    return true;
}

bool eval_leaf(struct grid *g, const struct leaf *l, struct drain *out, struct err *e) {
    const struct run *r = g->r;
    bool shared = r->job && r->job->pool && pool_threads(r->job->pool) > 1 && l->n >= SHARED_SERIES_MIN && !r->costs;
    return shared ? make_together(g, l, out, e) : make_alone(g, l, out, e);
}
