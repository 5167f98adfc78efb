#include <stdlib.h>

#include "codec/num.h"
#include "codec/text.h"
#include "codec/timefmt.h"
#include "query/promql/engine.h"

/* The histogram_* functions, over native histograms and (quantile, quantiles, fraction) classic ones: series that differ in their label le only. */

struct hist_map {
    struct drain drain;
    struct grid *g;
    double (*read)(struct run *r, const struct hist *h);
    struct drain *out;
};

static bool take_hist(struct drain *s, struct series *in, struct err *e) {
    struct hist_map *m = CONTAINER_OF(s, struct hist_map, drain);
    struct run *r = m->g->r;
    if (!in->h) return true;
    for (size_t i = 0; i < m->g->n; i++) in->v[i] = in->h[i] ? m->read(r, in->h[i]) : absent();
    arena_reset(r->window);
    in->h = NULL;
    in->drop_name = true;
    return m->out->take(m->out, in, e);
}

static double read_count(struct run *r UNUSED, const struct hist *h) {
    return h->count;
}
static double read_sum(struct run *r UNUSED, const struct hist *h) {
    return h->sum;
}
static double read_avg(struct run *r UNUSED, const struct hist *h) {
    return h->sum / h->count;
}
static double read_variance(struct run *r, const struct hist *h) {
    return hist_variance(r->window, h);
}
static double read_deviation(struct run *r, const struct hist *h) {
    return sqrt(hist_variance(r->window, h));
}

#define HIST_FUNCTION(name, read)                               \
    VECTOR_FUNCTION(name) {                                     \
        struct hist_map m = {{take_hist}, g, read, out};        \
        return eval_vector(g, call->call.args[0], &m.drain, e); \
    }
HIST_FUNCTION(fn_histogram_count, read_count)
HIST_FUNCTION(fn_histogram_sum, read_sum)
HIST_FUNCTION(fn_histogram_avg, read_avg)
HIST_FUNCTION(fn_histogram_stdvar, read_variance)
HIST_FUNCTION(fn_histogram_stddev, read_deviation)

/* --- classic histograms */

struct step_bucket {
    double upper, count; /* cumulative */
};

/* What ensure_monotonic changed. */
struct forced {
    bool yes;
    double low, high, max_diff;
};

static int by_upper(const void *a, const void *b) {
    double x = ((const struct step_bucket *)a)->upper;
    double y = ((const struct step_bucket *)b)->upper;
    return (x > y) - (x < y);
}

/* Sorts, adds up buckets of equal bounds; false without a bucket +Inf. */
static bool prepare(struct step_bucket *b, size_t *n) {
    qsort(b, *n, sizeof *b, by_upper);
    if (b[*n - 1].upper != INFINITY) return false;
    size_t kept = 0;
    for (size_t i = 1; i < *n; i++) {
        if (b[i].upper == b[kept].upper)
            b[kept].count += b[i].count;
        else
            b[++kept] = b[i];
    }
    *n = kept + 1;
    return true;
}

/* Cumulative counts may fall a little by rounding (silently repaired) or by races between scrapes (told). */
static void ensure_monotonic(struct step_bucket *b, size_t n, struct forced *f) {
    static const double tolerance = 1e-12;
    double prev = b[0].count;
    for (size_t i = 1; i < n; i++) {
        double now = b[i].count;
        if (now == prev) continue;
        double sum = fabs(prev) + fabs(now);
        bool negligible = prev != 0 && now != 0 && fabs(prev - now) / sum < tolerance;
        if (!negligible && !(now < prev)) {
            prev = now;
            continue;
        }
        b[i].count = prev;
        if (negligible) continue;
        if (!f->yes) f->low = b[i].upper;
        f->yes = true;
        f->high = b[i].upper;
        f->max_diff = fmax(f->max_diff, prev - now);
    }
}

static double classic_quantile(double q, struct step_bucket *b, size_t n, struct forced *f) {
    if (isnan(q)) return NAN;
    if (q < 0) return -INFINITY;
    if (q > 1) return INFINITY;
    if (!prepare(b, &n)) return NAN;
    ensure_monotonic(b, n, f);
    if (n < 2) return NAN;
    double total = b[n - 1].count;
    if (total == 0) return NAN;
    double rank = q * total;
    size_t at = 0;
    while (at < n - 1 && !(b[at].count >= rank)) at++;
    if (at == n - 1) return b[n - 2].upper;
    if (at == 0 && b[0].upper <= 0) return b[0].upper;
    double start = at ? b[at - 1].upper : 0;
    double before = at ? b[at - 1].count : 0;
    return start + (b[at].upper - start) * ((rank - before) / (b[at].count - before));
}

static double classic_fraction(double lower, double upper, struct step_bucket *b, size_t n) {
    if (!prepare(b, &n)) return NAN;
    double total = b[n - 1].count;
    if (total == 0 || isnan(lower) || isnan(upper)) return NAN;
    if (lower >= upper) return 0;
    double bounds[2] = {lower, upper};
    double ranks[2] = {total, total};
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < n; i++) {
            double start = i ? b[i - 1].upper : b[0].upper > 0 && bounds[side] != -INFINITY ? 0 : -INFINITY;
            double before = i ? b[i - 1].count : 0;
            if (start >= bounds[side]) {
                ranks[side] = before;
                break;
            }
            if (!(b[i].upper > bounds[side])) continue;
            if (start == -INFINITY)
                ranks[side] = b[i].count;
            else if (b[i].upper == INFINITY)
                ranks[side] = before;
            else
                ranks[side] = before + (b[i].count - before) * (bounds[side] - start) / (b[i].upper - start);
            break;
        }
        ranks[side] = fmin(ranks[side], total);
    }
    return (ranks[1] - ranks[0]) / total;
}

/* --- quantile, quantiles, fraction: over groups of series */

struct member {
    const struct series *s;
    double upper;
};
struct classic {
    struct labels labels; /* without le */
    bool has_native;
    struct {
        struct member *p;
        size_t n, cap;
    } buckets;
};

/* One quantile or one fraction. */
struct question {
    const double *q, *lower, *upper; /* per step; q NULL: a fraction */
    const uint8_t *skip;             /* steps without an answer; NULL: none */
    str label, label_value;          /* histogram_quantiles */
    uint32_t vector_at;              /* position of the vector argument */
    uint32_t first_at;               /* of the first argument */
};

struct classics {
    struct grid *g;
    struct matrix in;
    struct label_index index;
    struct {
        struct classic *p;
        size_t n, cap;
    } groups;
    size_t *group_of_native; /* per input series: 1 + the classic group with its labels, or 0 */
    struct step_bucket *buckets;
    struct matrix out;
};

static bool any_float(const struct grid *g, const struct series *s) {
    for (size_t i = 0; i < g->n; i++)
        if (has_float(s, i)) return true;
    return false;
}

static bool parse_le(str le, double *out) {
    return le.n && num_parse_double(le, out);
}

static void add_classic(struct classics *c, const struct series *s, uint32_t at) {
    struct run *r = c->g->r;
    str le = labels_get(s->labels, STR("le"));
    double upper;
    if (!parse_le(le, &upper)) {
        struct buf b = {0};
        str name = metric_name(s->labels);
        buf_add(&b, STR("bucket label \"le\" is missing or has a malformed value of "));
        promql_quote(&b, le);
        if (name.n) {
            buf_add(&b, STR(" for metric name "));
            promql_quote(&b, name);
        }
        note_warning(r, at, "%" STR_F, STR_A(buf_str(&b)));
        buf_done(&b);
        return;
    }
    bool added;
    size_t i = label_index_put(r, &c->index, labels_set(r, s->labels, STR("le"), STR("")), &added);
    if (added) avec_push(r->a, &c->groups, ((struct classic){.labels = c->index.p[i]}));
    avec_push(r->a, &c->groups.p[i].buckets, ((struct member){s, upper}));
}

static size_t find_group(const struct classics *c, struct labels ls) {
    uint64_t h = labels_hash(ls);
    for (size_t at = map_first(&c->index.map, h); at != MAP_END; at = map_next(&c->index.map, at, h))
        if (labels_eq(c->index.p[c->index.map.slots[at].value - 1], ls)) return c->index.map.slots[at].value;
    return 0;
}

static void group_classics(struct classics *c, uint32_t at) {
    struct run *r = c->g->r;
    size_t most = 0;
    for (size_t i = 0; i < c->in.n; i++)
        if (any_float(c->g, &c->in.p[i])) add_classic(c, &c->in.p[i], at);
    c->group_of_native = arena_zalloc(r->a, c->in.n * sizeof *c->group_of_native);
    for (size_t i = 0; i < c->in.n; i++)
        if (c->in.p[i].h) c->group_of_native[i] = find_group(c, c->in.p[i].labels);
    for (size_t i = 0; i < c->groups.n; i++) most = MAX(most, c->groups.p[i].buckets.n);
    c->buckets = arena_new_n(r->a, struct step_bucket, most);
}

static size_t buckets_at(const struct classic *group, size_t step, struct step_bucket *out) {
    size_t n = 0;
    for (size_t i = 0; i < group->buckets.n; i++)
        if (has_float(group->buckets.p[i].s, step)) out[n++] = (struct step_bucket){group->buckets.p[i].upper, group->buckets.p[i].s->v[step]};
    return n;
}

static void put_forced(struct run *r, const struct question *q, struct labels ls, const struct forced *f, size_t times, int64_t from_ms,
                       int64_t to_ms) {
    struct buf b = {0};
    str name = metric_name(ls);
    buf_add(&b, STR("input to histogram_quantile needed to be fixed for monotonicity (see "
                    "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)"));
    if (name.n) {
        buf_add(&b, STR(" for metric name "));
        promql_quote(&b, name);
    }
    buf_add(&b, STR(", from buckets "));
    promql_put_g(&b, f->low);
    buf_add(&b, STR(" to "));
    promql_put_g(&b, f->high);
    buf_printf(&b, ", with a max diff of %.2g, over %zu samples from ", f->max_diff, times);
    time_put_rfc3339_ns(&b, from_ms * 1000000);
    buf_add(&b, STR(" to "));
    time_put_rfc3339_ns(&b, to_ms * 1000000);
    note_info(r, q->vector_at, "%" STR_F, STR_A(buf_str(&b)));
    buf_done(&b);
}

static struct labels answer_labels(struct run *r, const struct question *q, struct labels ls) {
    return q->label.n ? labels_set(r, ls, q->label, q->label_value) : ls;
}

static void answer_classic(struct classics *c, const struct classic *group, const struct question *q) {
    struct grid *g = c->g;
    struct run *r = g->r;
    struct series s = {.labels = answer_labels(r, q, group->labels), .drop_name = true, .v = column_new(r, g->n)};
    struct forced all = {0};
    size_t times = 0;
    int64_t from_ms = 0;
    int64_t to_ms = 0;
    for (size_t step = 0; step < g->n; step++) {
        size_t n = buckets_at(group, step, c->buckets);
        bool native = false;
        for (size_t i = 0; i < c->in.n && group->has_native; i++)
            native |= c->group_of_native[i] && &c->groups.p[c->group_of_native[i] - 1] == group && hist_at(&c->in.p[i], step);
        if (n == 0 || native || (q->skip && q->skip[step])) continue;
        struct forced f = {0};
        s.v[step] = q->q ? classic_quantile(q->q[step], c->buckets, n, &f) : classic_fraction(q->lower[step], q->upper[step], c->buckets, n);
        if (!f.yes) continue;
        if (!all.yes) all.low = f.low, from_ms = grid_time(g, step);
        all.yes = true;
        all.low = fmin(all.low, f.low);
        all.high = fmax(all.high, f.high);
        all.max_diff = fmax(all.max_diff, f.max_diff);
        to_ms = grid_time(g, step);
        times++;
    }
    if (all.yes) put_forced(r, q, group->labels, &all, times, from_ms, to_ms);
    if (!series_is_empty(&s, g->n)) matrix_push(r, &c->out, &s);
}

static double answer_native(struct run *r, const struct question *q, size_t step, const struct hist *h, str name) {
    bool nan_result = false;
    bool nan_skew = false;
    if (!q->q) {
        if (isnan(h->sum)) note_named(r, NOTE_NAN_FRACTION, q->first_at, name);
        return hist_fraction(r->window, h, q->lower[step], q->upper[step]);
    }
    double v = hist_quantile(r->window, h, q->q[step], &nan_result, &nan_skew);
    if (nan_result) note_named(r, NOTE_NAN_RESULT, q->vector_at, name);
    if (nan_skew) note_named(r, NOTE_NAN_SKEW, q->vector_at, name);
    return v;
}

static void answer_natives(struct classics *c, size_t i, const struct question *q) {
    struct grid *g = c->g;
    struct run *r = g->r;
    const struct series *in = &c->in.p[i];
    str name = metric_name(in->labels);
    struct classic *twin = c->group_of_native[i] ? &c->groups.p[c->group_of_native[i] - 1] : NULL;
    struct series s = {.labels = answer_labels(r, q, in->labels), .drop_name = true, .v = column_new(r, g->n)};
    for (size_t step = 0; step < g->n; step++) {
        if (!in->h[step] || (q->skip && q->skip[step])) continue;
        if (twin && buckets_at(twin, step, c->buckets)) {
            note_named(r, NOTE_MIXED_CLASSIC_NATIVE, q->vector_at, name);
            twin->has_native = true;
            continue;
        }
        s.v[step] = answer_native(r, q, step, in->h[step], name);
    }
    arena_reset(r->window);
    if (!series_is_empty(&s, g->n)) matrix_push(r, &c->out, &s);
}

static bool answer(struct classics *c, const struct question *q, struct err *e) {
    for (size_t i = 0; i < c->in.n; i++)
        if (c->in.p[i].h) answer_natives(c, i, q);
    for (size_t i = 0; i < c->groups.n; i++) answer_classic(c, &c->groups.p[i], q);
    return run_check(c->g->r, e);
}

static bool start(struct grid *g, const struct node *vector, struct classics *c, struct err *e) {
    *c = (struct classics){.g = g};
    if (!eval_matrix(g, vector, &c->in, e)) return false;
    group_classics(c, vector->from);
    return true;
}

static bool finish(struct classics *c, struct drain *out, struct err *e) {
    label_index_done(&c->index);
    return (c->g->n == 1 || matrix_merge(c->g, &c->out, e)) && matrix_emit(&c->out, out, e);
}

static double *eval_arg(struct grid *g, const struct node *n, struct err *e) {
    double *v = arena_new_n(g->r->a, double, g->n);
    return eval_scalar(g, n, v, e) ? v : NULL;
}

VECTOR_FUNCTION(fn_histogram_quantile) {
    struct node *const *args = call->call.args;
    struct classics c;
    double *q = eval_arg(g, args[0], e);
    if (!q) return false;
    for (size_t i = 0; i < g->n; i++) note_quantile(g->r, args[0]->from, q[i]);
    if (!start(g, args[1], &c, e)) return false;
    bool ok = answer(&c, &(struct question){.q = q, .vector_at = args[1]->from}, e);
    return finish(&c, out, e) && ok;
}

VECTOR_FUNCTION(fn_histogram_fraction) {
    struct node *const *args = call->call.args;
    struct classics c;
    double *lower = eval_arg(g, args[0], e);
    double *upper = lower ? eval_arg(g, args[1], e) : NULL;
    if (!upper || !start(g, args[2], &c, e)) return false;
    bool ok = answer(&c, &(struct question){.lower = lower, .upper = upper, .vector_at = args[2]->from, .first_at = args[0]->from}, e);
    return finish(&c, out, e) && ok;
}

/* 1 -> "1.0": as OpenMetrics writes quantiles. */
static str quantile_text(struct run *r, double q) {
    struct buf b = {0};
    promql_put_g(&b, q);
    if (isfinite(q) && str_find_char(buf_str(&b), '.') == STR_NONE && str_find_char(buf_str(&b), 'e') == STR_NONE) buf_add(&b, STR(".0"));
    str text = arena_str(r->a, buf_str(&b));
    buf_done(&b);
    return text;
}

/* A quantile may change from step to step, and with it the label: one pass for each value it has. */
static bool answer_quantile(struct classics *c, const struct node *arg, struct question q, struct err *e) {
    struct grid *g = c->g;
    struct run *r = g->r;
    double *values = eval_arg(g, arg, e);
    if (!values) return false;
    uint8_t *done = arena_zalloc(r->a, g->n);
    for (size_t i = 0; i < g->n; i++) {
        if (done[i]) continue;
        uint8_t *skip = arena_zalloc(r->a, g->n);
        note_quantile(r, arg->from, values[i]);
        for (size_t k = 0; k < g->n; k++) {
            bool same = values[k] == values[i] || (isnan(values[k]) && isnan(values[i]));
            skip[k] = !same;
            done[k] |= same;
        }
        q.q = values;
        q.skip = skip;
        q.label_value = quantile_text(r, values[i]);
        if (!answer(c, &q, e)) return false;
    }
    return true;
}

VECTOR_FUNCTION(fn_histogram_quantiles) {
    struct node *const *args = call->call.args;
    struct question q = {.vector_at = args[0]->from};
    if (!eval_string(args[1], &q.label) || !q.label.n || !utf8_valid(q.label))
        return run_fail(g->r, e, "invalid label name \"%" STR_F "\"", STR_A(q.label));
    struct classics c;
    if (!start(g, args[0], &c, e)) return false;
    bool ok = true;
    for (size_t k = 2; k < call->call.arg_n && ok; k++) ok = answer_quantile(&c, args[k], q, e);
    return finish(&c, out, e) && ok;
}
