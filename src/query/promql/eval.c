#include <stdlib.h>

#include "query/promql/engine.h"

/* The heart of the evaluator: dispatch over nodes, scalars, matrices. */

bool run_check(struct run *r, struct err *e) {
    if ((r->ticks++ & 15) == 0 && r->job && !job_check(r->job, e)) return false;
    return run_room(r, 0, 0, e);
}

size_t run_bytes(const struct run *r) {
    return arena_used_bytes(r->a) + workers_bytes(r->workers);
}

bool run_room(struct run *r, size_t items, size_t item_bytes, struct err *e) {
    size_t bytes;
    bool fits = !__builtin_mul_overflow(items, item_bytes, &bytes) && !__builtin_add_overflow(bytes, run_bytes(r), &bytes);
    if (fits && (!r->bytes_max || bytes <= r->bytes_max)) return true;
    run_fail(r, e, "query needs more than %zu bytes of memory: narrow the selectors or the time range, or raise the limit", r->bytes_limit);
    e->code = ERR_LIMIT;
    return false;
}

bool run_holds(struct run *r, size_t n, struct err *e) {
    if (r->samples_held + n > r->samples_peak) r->samples_peak = r->samples_held + n;
    if (!r->samples_max || r->samples_held + n <= r->samples_max) return true;
    run_fail(r, e, "query processing would load too many samples into memory in query execution");
    e->code = ERR_LIMIT;
    return false;
}

bool run_fail(struct run *r, struct err *e, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    r->long_error = arena_vprintf(r->a, fmt, ap);
    va_end(ap);
    return err_set(e, ERR_INPUT, "%" STR_F, STR_A(r->long_error));
}

/* --- columns and matrices */

double *column_new(struct run *r, size_t n) {
    double *v = arena_new_n(r->a, double, n);
    double nothing = absent();
    for (size_t i = 0; i < n; i++) v[i] = nothing;
    return v;
}

double *column_room(struct run *r, size_t n, struct err *e) {
    return run_room(r, n, sizeof(double), e) ? arena_new_n(r->a, double, n) : NULL;
}

const struct hist **hist_column_new(struct run *r, size_t n) {
    return arena_zalloc(r->a, n * sizeof(struct hist *));
}

const struct hist **hist_column(struct run *r, struct series *s, size_t n) {
    if (!s->h) s->h = hist_column_new(r, n);
    return s->h;
}

bool series_is_empty(const struct series *s, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (has_value(s, i)) return false;
    return true;
}

void matrix_push(struct run *r, struct matrix *m, struct series *s) {
    avec_push(r->a, m, *s);
    s->v = NULL;
    s->h = NULL;
}

bool matrix_emit(struct matrix *m, struct drain *out, struct err *e) {
    for (size_t i = 0; i < m->n; i++)
        if (!out->take(out, &m->p[i], e)) return false;
    return true;
}

struct collector {
    struct drain drain;
    struct grid *g;
    struct matrix *m;
};

static bool collect(struct drain *s, struct series *in, struct err *e) {
    struct collector *c = CONTAINER_OF(s, struct collector, drain);
    if (!run_check(c->g->r, e)) return false;
    matrix_push(c->g->r, c->m, in);
    return true;
}

bool eval_matrix(struct grid *g, const struct node *n, struct matrix *out, struct err *e) {
    *out = (struct matrix){0};
    struct collector c = {{collect}, g, out};
    return eval_vector(g, n, &c.drain, e);
}

static bool join(struct grid *g, struct series *into, const struct series *from, struct err *e) {
    for (size_t i = 0; i < g->n; i++) {
        if (!has_value(from, i)) continue;
        if (has_value(into, i)) return run_fail(g->r, e, "vector cannot contain metrics with the same labelset");
        into->v[i] = from->v[i];
        if (hist_at(from, i)) hist_column(g->r, into, g->n)[i] = from->h[i];
    }
    return true;
}

/* A series that will lose its name is not the one that keeps it. */
bool matrix_merge(struct grid *g, struct matrix *m, struct err *e) {
    struct label_index seen[2] = {0};
    size_t *place[2] = {arena_new_n(g->r->a, size_t, m->n), arena_new_n(g->r->a, size_t, m->n)};
    size_t n = 0;
    bool ok = true;
    for (size_t i = 0; i < m->n && ok; i++) {
        bool added;
        bool drops = m->p[i].drop_name;
        size_t at = label_index_put(g->r, &seen[drops], m->p[i].labels, &added);
        if (!added) {
            ok = join(g, &m->p[place[drops][at]], &m->p[i], e);
            continue;
        }
        place[drops][at] = n;
        m->p[n++] = m->p[i];
    }
    label_index_done(&seen[0]);
    label_index_done(&seen[1]);
    if (ok) m->n = n;
    return ok;
}

static int by_labels(const void *a, const void *b) {
    return labels_cmp(((const struct series *)a)->labels, ((const struct series *)b)->labels);
}
void matrix_sort(struct matrix *m) {
    if (m->n) qsort(m->p, m->n, sizeof *m->p, by_labels);
}

/* --- what does not change with the evaluation time is evaluated once */

const struct node *node_child(const struct node *n, size_t i) {
    switch (n->kind) {
    case NODE_NUMBER:
    case NODE_STRING:
    case NODE_DURATION:
    case NODE_VECTOR:
    case NODE_MATRIX: return NULL;
    case NODE_SUBQUERY: return i == 0 ? n->sub.expr : NULL;
    case NODE_PAREN: return i == 0 ? n->paren.expr : NULL;
    case NODE_UNARY: return i == 0 ? n->unary.expr : NULL;
    case NODE_BINARY: return i == 0 ? n->binary.lhs : i == 1 ? n->binary.rhs : NULL;
    case NODE_CALL: return i < n->call.arg_n ? n->call.args[i] : NULL;
    case NODE_AGGREGATE:
        if (n->agg.param) return i == 0 ? n->agg.param : i == 1 ? n->agg.expr : NULL;
        return i == 0 ? n->agg.expr : NULL;
    }
    return NULL;
}

static bool is_time_bound_call(const struct node *n) {
    return n->kind == NODE_CALL && (n->call.fn->flags & FN_TIME_BOUND);
}

bool node_is_pinned(const struct node *n) {
    if (n->kind == NODE_VECTOR || n->kind == NODE_MATRIX) return n->select.shift.at != AT_NONE;
    if (n->kind == NODE_SUBQUERY) return n->sub.shift.at != AT_NONE;
    if (is_time_bound_call(n)) return false;
    const struct node *child;
    for (size_t i = 0; (child = node_child(n, i)); i++)
        if (!node_is_pinned(child)) return false;
    return true;
}

bool node_is_time_bound(const struct node *n) {
    if (is_time_bound_call(n)) return true;
    const struct node *child;
    for (size_t i = 0; (child = node_child(n, i)); i++)
        if (node_is_time_bound(child)) return true;
    return false;
}

struct spreader {
    struct drain drain;
    struct grid *g;
    struct drain *out;
};

/* One value becomes the value of every step. */
static bool spread(struct drain *s, struct series *in, struct err *e) {
    struct spreader *p = CONTAINER_OF(s, struct spreader, drain);
    if (!run_room(p->g->r, p->g->n, sizeof(double) + sizeof(struct hist *), e)) return false;
    struct series wide = {.labels = in->labels, .drop_name = in->drop_name, .v = arena_new_n(p->g->r->a, double, p->g->n)};
    for (size_t i = 0; i < p->g->n; i++) wide.v[i] = in->v[0];
    const struct hist *h = hist_at(in, 0);
    if (h) {
        hist_column(p->g->r, &wide, p->g->n);
        for (size_t i = 0; i < p->g->n; i++) wide.h[i] = h;
    }
    return run_check(p->g->r, e) && p->out->take(p->out, &wide, e);
}

/* --- operators and calls */

struct negator {
    struct drain drain;
    struct grid *g;
    struct drain *out;
};

static bool negate(struct drain *s, struct series *in, struct err *e) {
    struct negator *p = CONTAINER_OF(s, struct negator, drain);
    for (size_t i = 0; i < p->g->n; i++) {
        if (has_float(in, i)) in->v[i] = -in->v[i];
        if (!hist_at(in, i)) continue;
        struct hist *h = hist_copy(p->g->r->a, in->h[i]);
        hist_scale(h, -1);
        in->h[i] = h;
    }
    in->drop_name = true;
    return p->out->take(p->out, in, e);
}

struct mapper {
    struct drain drain;
    struct grid *g;
    const struct node *call;
    struct drain *out;
    const double *args[FUNCTION_ARGS_MAX];
};

/* A function of single floats; histograms vanish. */
static bool map_series(struct drain *s, struct series *in, struct err *e) {
    struct mapper *p = CONTAINER_OF(s, struct mapper, drain);
    double args[FUNCTION_ARGS_MAX] = {1}; /* what round() means without its second argument */
    for (size_t i = 0; i < p->g->n; i++) {
        if (!has_float(in, i)) continue;
        for (size_t k = 1; k < p->call->call.arg_n; k++) args[k - 1] = p->args[k][i];
        in->v[i] = p->call->call.fn->map(in->v[i], args);
    }
    in->h = NULL;
    in->drop_name = true;
    return p->out->take(p->out, in, e);
}

static bool eval_mapped(struct grid *g, const struct node *call, struct drain *out, struct err *e) {
    struct mapper m = {.drain = {map_series}, .g = g, .call = call, .out = out};
    for (size_t k = 1; k < call->call.arg_n; k++) {
        double *arg = arena_new_n(g->r->a, double, g->n);
        if (!eval_scalar(g, call->call.args[k], arg, e)) return false;
        m.args[k] = arg;
    }
    return eval_vector(g, call->call.args[0], &m.drain, e);
}

static bool eval_call(struct grid *g, const struct node *n, struct drain *out, struct err *e) {
    const struct function *f = n->call.fn;
    if (f->over_range) return eval_range_function(g, n, out, e);
    if (f->map) return eval_mapped(g, n, out, e);
    return f->over_vector(g, n, out, e);
}

static bool eval_unary(struct grid *g, const struct node *n, struct drain *out, struct err *e) {
    if (n->unary.op == OP_ADD) return eval_vector(g, n->unary.expr, out, e);
    struct negator m = {{negate}, g, out};
    return eval_vector(g, n->unary.expr, &m.drain, e);
}

static bool vector_of(struct grid *g, const struct node *n, struct drain *out, struct err *e) {
    if (g->n > 1 && n->kind != NODE_PAREN && node_is_pinned(n)) {
        struct grid one = {g->r, g->start_ms, 0, 1};
        struct spreader p = {{spread}, g, out};
        return vector_of(&one, n, &p.drain, e);
    }
    switch (n->kind) {
    case NODE_VECTOR: return eval_selector(g, n, out, PICK_VALUE, e);
    case NODE_PAREN: return eval_vector(g, n->paren.expr, out, e);
    case NODE_UNARY: return eval_unary(g, n, out, e);
    case NODE_BINARY: return eval_binary(g, n, out, e);
    case NODE_CALL: return eval_call(g, n, out, e);
    case NODE_AGGREGATE: return eval_aggregate(g, n, out, e);
    case NODE_NUMBER:
    case NODE_STRING:
    case NODE_MATRIX:
    case NODE_SUBQUERY:
    case NODE_DURATION: break;
    }
    assert(!"not a vector");
    return false;
}

bool eval_vector(struct grid *g, const struct node *n, struct drain *out, struct err *e) {
    assert(n->type == PT_VECTOR);
    if (!g->r->costs || n->kind == NODE_VECTOR) return vector_of(g, n, out, e); /* a selector counts itself */
    struct probe p;
    bool ok = vector_of(g, n, probe_begin(&p, g->r, n, out), e);
    probe_end(&p);
    return ok;
}

static bool scalar_of(struct grid *g, const struct node *n, double *out, struct err *e) {
    switch (n->kind) {
    case NODE_NUMBER:
        for (size_t i = 0; i < g->n; i++) out[i] = n->number.value;
        return true;
    case NODE_PAREN: return eval_scalar(g, n->paren.expr, out, e);
    case NODE_UNARY:
        if (!eval_scalar(g, n->unary.expr, out, e)) return false;
        for (size_t i = 0; i < g->n && n->unary.op == OP_SUB; i++) out[i] = -out[i];
        return true;
    case NODE_BINARY: return eval_binary_scalar(g, n, out, e);
    case NODE_CALL: return n->call.fn->scalar(g, n, out, e);
    case NODE_STRING:
    case NODE_VECTOR:
    case NODE_MATRIX:
    case NODE_SUBQUERY:
    case NODE_AGGREGATE:
    case NODE_DURATION: break;
    }
    assert(!"not a scalar");
    return false;
}

bool eval_scalar(struct grid *g, const struct node *n, double *out, struct err *e) {
    assert(n->type == PT_SCALAR);
    if (!g->r->costs) return scalar_of(g, n, out, e);
    struct probe p;
    probe_begin(&p, g->r, n, NULL);
    bool ok = scalar_of(g, n, out, e);
    probe_end(&p);
    return ok;
}

bool eval_string(const struct node *n, str *out) {
    while (n->kind == NODE_PAREN) n = n->paren.expr;
    if (n->kind != NODE_STRING) return false;
    *out = n->string;
    return true;
}

/* --- duration expressions */

static bool duration_seconds(struct run *r, const struct node *n, double *out, struct err *e) {
    if (n->kind == NODE_NUMBER) return *out = n->number.value, true;
    double a = 0;
    double b = 0;
    if (n->dur.lhs && !duration_seconds(r, n->dur.lhs, &a, e)) return false;
    if (n->dur.rhs && !duration_seconds(r, n->dur.rhs, &b, e)) return false;
    switch (n->dur.op) {
    case OP_STEP: *out = (double)r->step_ms / 1000; return true;
    case OP_RANGE: *out = (double)(r->end_ms - r->start_ms) / 1000; return true;
    case OP_MIN_OF: *out = fmin(a, b); return true;
    case OP_MAX_OF: *out = fmax(a, b); return true;
    case OP_DIV:
        if (b == 0) return run_fail(r, e, "division by zero");
        break;
    case OP_MOD:
        if (b == 0) return run_fail(r, e, "modulo by zero");
        break;
    case OP_ADD:
    case OP_SUB:
    case OP_MUL:
    case OP_POW:
    case OP_ATAN2:
    case OP_EQ:
    case OP_NE:
    case OP_GT:
    case OP_LT:
    case OP_GE:
    case OP_LE:
    case OP_TRIM_UPPER:
    case OP_TRIM_LOWER:
    case OP_AND:
    case OP_OR:
    case OP_UNLESS: break;
    }
    *out = op_apply(n->dur.op, a, b);
    return true;
}

bool eval_duration(struct run *r, const struct node *n, int64_t *out_ms, struct err *e) {
    double s;
    if (!duration_seconds(r, n, &s, e)) return false;
    if (!(fabs(s) <= 9.2e9)) return run_fail(r, e, "duration is out of range");
    *out_ms = (int64_t)round(s * 1000);
    return true;
}
