#include "query/promql/functions.h"

#include <stdlib.h>

#include "codec/regex.h"
#include "codec/text.h"
#include "codec/timefmt.h"
#include "query/promql/engine.h"

/* --- single floats */

#define MAP(name, expr)                                          \
    static double map_##name(double v, const double *a UNUSED) { \
        return expr;                                             \
    }
MAP(abs, fabs(v))
MAP(ceil, ceil(v))
MAP(floor, floor(v))
MAP(exp, exp(v))
MAP(sqrt, sqrt(v))
MAP(ln, log(v))
MAP(log2, log2(v))
MAP(log10, log10(v))
MAP(sin, sin(v))
MAP(cos, cos(v))
MAP(tan, tan(v))
MAP(asin, asin(v))
MAP(acos, acos(v))
MAP(atan, atan(v))
MAP(sinh, sinh(v))
MAP(cosh, cosh(v))
MAP(tanh, tanh(v))
MAP(asinh, asinh(v))
MAP(acosh, acosh(v))
MAP(atanh, atanh(v))
MAP(rad, v *M_PI / 180)
MAP(deg, v * 180 / M_PI)
MAP(sgn, v<0 ? -1 : v> 0 ? 1 : v)

/* math.Max and math.Min of Go: NaN wins. */
static double max_nan(double a, double b) {
    return isnan(a) || isnan(b) ? NAN : fmax(a, b);
}
static double min_nan(double a, double b) {
    return isnan(a) || isnan(b) ? NAN : fmin(a, b);
}
MAP(clamp, a[1] < a[0] ? absent() : max_nan(a[0], min_nan(a[1], v)))
MAP(clamp_min, max_nan(a[0], v))
MAP(clamp_max, min_nan(a[0], v))

/* Halves go up; 1/nearest keeps decimal steps exact. */
static double map_round(double v, const double *a) {
    double inverse = 1 / a[0];
    return floor(v * inverse + 0.5) / inverse;
}

/* --- calendar, UTC */

enum { SECONDS_A_DAY = 86400 };

struct moment {
    int64_t year, days, second;
    unsigned month, day;
};
static struct moment moment_of(double v) {
    /* What fits no int64, NaN too, is in Prometheus (amd64) the second behind the last one of its calendar: 292277026596-12-04 15:30:08. */
    bool fits = v > (double)INT64_MIN && v < -(double)INT64_MIN;
    int64_t s = fits ? (int64_t)v : INT64_MAX;
    struct moment m = {.days = s / SECONDS_A_DAY, .second = s % SECONDS_A_DAY + !fits};
    if (m.second < 0) {
        m.second += SECONDS_A_DAY;
        m.days--;
    }
    time_civil_from_days(m.days, &m.year, &m.month, &m.day);
    return m;
}
MAP(year, (double)moment_of(v).year)
MAP(month, (double)moment_of(v).month)
MAP(day_of_month, (double)moment_of(v).day)
MAP(hour, (double)(moment_of(v).second / 3600))
MAP(minute, (double)(moment_of(v).second / 60 % 60))

static double map_day_of_week(double v, const double *a UNUSED) {
    int64_t d = (moment_of(v).days + 4) % 7; /* 1970-01-01 was a Thursday */
    return (double)(d < 0 ? d + 7 : d);
}
static double map_day_of_year(double v, const double *a UNUSED) {
    struct moment m = moment_of(v);
    return (double)(m.days - time_days_from_civil(m.year, 1, 1) + 1);
}
static double map_days_in_month(double v, const double *a UNUSED) {
    struct moment m = moment_of(v);
    int64_t next = m.month == 12 ? time_days_from_civil(m.year + 1, 1, 1) : time_days_from_civil(m.year, m.month + 1, 1);
    return (double)(next - time_days_from_civil(m.year, m.month, 1));
}

struct calendar {
    struct drain drain;
    struct grid *g;
    double (*map)(double, const double *);
    struct drain *out;
};
static bool take_calendar(struct drain *s, struct series *in, struct err *e) {
    struct calendar *c = CONTAINER_OF(s, struct calendar, drain);
    for (size_t i = 0; i < c->g->n; i++)
        if (has_float(in, i)) in->v[i] = c->map(in->v[i], NULL);
    in->h = NULL;
    in->drop_name = true;
    return c->out->take(c->out, in, e);
}
/* Of the argument's values, or of the evaluation time. */
static bool calendar(struct grid *g, const struct node *call, double (*map)(double, const double *), struct drain *out, struct err *e) {
    struct calendar c = {{take_calendar}, g, map, out};
    if (call->call.arg_n) return eval_vector(g, call->call.args[0], &c.drain, e);
    struct series now = {.v = arena_new_n(g->r->a, double, g->n)};
    for (size_t i = 0; i < g->n; i++) now.v[i] = (double)grid_time(g, i) / 1000;
    return take_calendar(&c.drain, &now, e);
}
#define CALENDAR(name)                                \
    static VECTOR_FUNCTION(vector_##name) {           \
        return calendar(g, call, map_##name, out, e); \
    }
CALENDAR(year)
CALENDAR(month)
CALENDAR(day_of_month)
CALENDAR(day_of_week)
CALENDAR(day_of_year)
CALENDAR(days_in_month)
CALENDAR(hour)
CALENDAR(minute)

/* --- scalars */

#define SCALAR(name) static bool scalar_##name(struct grid *g, const struct node *call UNUSED, double *out, struct err *e UNUSED)
#define CONSTANT_SCALAR(name, expr)                        \
    SCALAR(name) {                                         \
        for (size_t i = 0; i < g->n; i++) out[i] = (expr); \
        return true;                                       \
    }
CONSTANT_SCALAR(time, (double)grid_time(g, i) / 1000)
CONSTANT_SCALAR(pi, M_PI)
CONSTANT_SCALAR(start, (double)g->r->start_ms / 1000)
CONSTANT_SCALAR(end, (double)g->r->end_ms / 1000)
CONSTANT_SCALAR(range, (double)(g->r->end_ms - g->r->start_ms) / 1000)
CONSTANT_SCALAR(step, (double)g->r->step_ms / 1000)

static bool scalar_pair(struct grid *g, const struct node *call, double *out, double (*f)(double, double), struct err *e) {
    double *other = arena_new_n(g->r->a, double, g->n);
    if (!eval_scalar(g, call->call.args[0], out, e) || !eval_scalar(g, call->call.args[1], other, e)) return false;
    for (size_t i = 0; i < g->n; i++) out[i] = f(out[i], other[i]);
    return true;
}
SCALAR(min_of) {
    return scalar_pair(g, call, out, min_nan, e);
}
SCALAR(max_of) {
    return scalar_pair(g, call, out, max_nan, e);
}

struct scalar_sink {
    struct drain drain;
    struct grid *g;
    double *out;
    uint8_t *seen; /* 0, 1, 2: more than one */
};
static bool take_scalar(struct drain *s, struct series *in, struct err *e UNUSED) {
    struct scalar_sink *p = CONTAINER_OF(s, struct scalar_sink, drain);
    for (size_t i = 0; i < p->g->n; i++) {
        if (!has_float(in, i)) continue;
        p->out[i] = p->seen[i] == 0 ? in->v[i] : NAN;
        p->seen[i] = p->seen[i] == 0 ? 1 : 2;
    }
    return true;
}
SCALAR(scalar) {
    struct scalar_sink s = {{take_scalar}, g, out, arena_zalloc(g->r->a, g->n)};
    for (size_t i = 0; i < g->n; i++) out[i] = NAN;
    return eval_vector(g, call->call.args[0], &s.drain, e);
}

static VECTOR_FUNCTION(vector_vector) {
    struct series one = {.v = arena_new_n(g->r->a, double, g->n)};
    return eval_scalar(g, call->call.args[0], one.v, e) && out->take(out, &one, e);
}

/* --- timestamps */

struct stamper {
    struct drain drain;
    struct grid *g;
    bool keep; /* the values are times already */
    struct drain *out;
};
static bool take_stamp(struct drain *s, struct series *in, struct err *e) {
    struct stamper *p = CONTAINER_OF(s, struct stamper, drain);
    for (size_t i = 0; i < p->g->n && !p->keep; i++)
        if (has_value(in, i)) in->v[i] = (double)grid_time(p->g, i) / 1000;
    in->h = NULL;
    in->drop_name = true;
    return p->out->take(p->out, in, e);
}
/* Of a selector: the samples' own times; of anything else: the evaluation time. */
static VECTOR_FUNCTION(vector_timestamp) {
    struct node *arg = node_unwrap(call->call.args[0]);
    bool selector = arg->kind == NODE_VECTOR;
    struct stamper p = {{take_stamp}, g, selector, out};
    return selector ? eval_selector(g, arg, &p.drain, PICK_TIME, e) : eval_vector(g, arg, &p.drain, e);
}
static VECTOR_FUNCTION(vector_start_timestamp) {
    struct node *arg = node_unwrap(call->call.args[0]);
    if (arg->kind != NODE_VECTOR) return run_fail(g->r, e, "start_timestamp() is only supported for instant vector selectors");
    struct stamper p = {{take_stamp}, g, true, out};
    return eval_selector(g, arg, &p.drain, PICK_START, e);
}

/* --- absent */

struct labels labels_for_absent(struct run *r, struct node *arg) {
    struct labels ls = {0};
    arg = node_unwrap(arg);
    if (arg->kind != NODE_VECTOR && arg->kind != NODE_MATRIX) return ls;
    const struct selector *s = &arg->select.sel;
    for (size_t i = 0; i < s->m_n; i++) {
        const struct matcher *m = &s->m[i];
        if (str_eq(m->name, LABEL_METRIC_NAME)) continue;
        bool first = true;
        for (size_t k = 0; k < i; k++) first &= !(s->m[k].op == MATCH_EQ && str_eq(s->m[k].name, m->name));
        ls = labels_set(r, ls, m->name, m->op == MATCH_EQ && first ? m->value : STR(""));
    }
    return ls;
}

struct absence {
    struct drain drain;
    struct grid *g;
    double *v;
};
static bool take_absence(struct drain *s, struct series *in, struct err *e UNUSED) {
    struct absence *p = CONTAINER_OF(s, struct absence, drain);
    for (size_t i = 0; i < p->g->n; i++)
        if (has_value(in, i)) p->v[i] = absent();
    return true;
}
static VECTOR_FUNCTION(vector_absent) {
    struct series one = {.v = arena_new_n(g->r->a, double, g->n)};
    for (size_t i = 0; i < g->n; i++) one.v[i] = 1;
    struct absence p = {{take_absence}, g, one.v};
    if (!eval_vector(g, call->call.args[0], &p.drain, e)) return false;
    one.labels = labels_for_absent(g->r, call->call.args[0]);
    return series_is_empty(&one, g->n) || out->take(out, &one, e);
}

/* --- sorting: only an instant result has an order of its own */

static int value_order(const struct series *a, const struct series *b, int sign) {
    double x = a->v[0];
    double y = b->v[0];
    if (isnan(x) || isnan(y)) return isnan(x) - isnan(y);
    return sign * ((x > y) - (x < y));
}
static int by_value(const void *a, const void *b) {
    return value_order(a, b, 1);
}
static int by_value_desc(const void *a, const void *b) {
    return value_order(a, b, -1);
}

static bool sort_values(struct grid *g, const struct node *call, int (*order)(const void *, const void *), struct drain *out, struct err *e) {
    struct matrix m;
    if (!eval_matrix(g, call->call.args[0], &m, e)) return false;
    size_t n = 0;
    for (size_t i = 0; i < m.n; i++) {
        m.p[i].h = NULL;
        if (!series_is_empty(&m.p[i], g->n)) m.p[n++] = m.p[i];
    }
    m.n = n;
    if (g->n == 1 && n) qsort(m.p, n, sizeof *m.p, order);
    return matrix_emit(&m, out, e);
}
static VECTOR_FUNCTION(vector_sort) {
    return sort_values(g, call, by_value, out, e);
}
static VECTOR_FUNCTION(vector_sort_desc) {
    return sort_values(g, call, by_value_desc, out, e);
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
/* "item2" < "item10": runs of digits compare as numbers. */
static int natural_cmp(str a, str b) {
    size_t i = 0;
    size_t k = 0;
    while (i < a.n && k < b.n) {
        if (!is_digit(a.p[i]) || !is_digit(b.p[k])) {
            if (a.p[i] != b.p[k]) return (unsigned char)a.p[i] < (unsigned char)b.p[k] ? -1 : 1;
            i++;
            k++;
            continue;
        }
        size_t from_a = i;
        size_t from_b = k;
        while (i < a.n && is_digit(a.p[i])) i++;
        while (k < b.n && is_digit(b.p[k])) k++;
        while (from_a + 1 < i && a.p[from_a] == '0') from_a++;
        while (from_b + 1 < k && b.p[from_b] == '0') from_b++;
        str x = str_sub(a, from_a, i);
        str y = str_sub(b, from_b, k);
        if (x.n != y.n) return x.n < y.n ? -1 : 1;
        int c = str_cmp(x, y);
        if (c) return c;
    }
    return (i < a.n) - (k < b.n);
}

struct label_order {
    const struct series *s;
    const str *names;
    size_t n;
    int sign;
};
static int by_named_labels(const void *a, const void *b) {
    const struct label_order *x = a;
    const struct label_order *y = b;
    for (size_t i = 0; i < x->n; i++) {
        str u = labels_get(x->s->labels, x->names[i]);
        str v = labels_get(y->s->labels, x->names[i]);
        int c = str_eq(u, v) ? 0 : natural_cmp(u, v);
        if (c) return x->sign * c;
    }
    return x->sign * labels_cmp(x->s->labels, y->s->labels);
}
static bool sort_labels(struct grid *g, const struct node *call, int sign, struct drain *out, struct err *e) {
    struct matrix m;
    if (!eval_matrix(g, call->call.args[0], &m, e)) return false;
    size_t name_n = call->call.arg_n - 1;
    str *names = arena_new_n(g->r->a, str, name_n);
    for (size_t i = 0; i < name_n; i++)
        if (!eval_string(call->call.args[i + 1], &names[i])) return false;
    struct label_order *order = arena_new_n(g->r->a, struct label_order, m.n);
    for (size_t i = 0; i < m.n; i++) order[i] = (struct label_order){&m.p[i], names, name_n, sign};
    if (g->n == 1 && m.n) qsort(order, m.n, sizeof *order, by_named_labels);
    for (size_t i = 0; i < m.n; i++) {
        struct series s = *order[i].s;
        if (!out->take(out, &s, e)) return false;
    }
    return true;
}
static VECTOR_FUNCTION(vector_sort_by_label) {
    return sort_labels(g, call, 1, out, e);
}
static VECTOR_FUNCTION(vector_sort_by_label_desc) {
    return sort_labels(g, call, -1, out, e);
}

/* --- labels */

static bool valid_label(struct run *r, str name, const char *what, struct err *e) {
    if (name.n && utf8_valid(name)) return true;
    return run_fail(r, e, "invalid %s: %" STR_F, what, STR_A(name));
}

/* $1, ${1}, $name, ${name}, $$ of a template. */
static bool expand(struct run *r, struct buf *b, str template, const struct regex *re, const str *groups, size_t group_n, struct err *e) {
    for (size_t i = 0; i < template.n; i++) {
        if (template.p[i] != '$' || i + 1 == template.n) {
            buf_char(b, template.p[i]);
            continue;
        }
        if (template.p[i + 1] == '$') {
            buf_char(b, '$');
            i++;
            continue;
        }
        bool braced = template.p[i + 1] == '{';
        size_t from = i + 1 + braced;
        size_t to = from;
        while (to < template.n && (is_digit(template.p[to]) || template.p[to] == '_' || is_letter(template.p[to]))) to++;
        if (to == from || (braced && (to == template.n || template.p[to] != '}'))) {
            buf_char(b, '$');
            continue;
        }
        str name = str_sub(template, from, to);
        uint64_t number;
        int index = str_u64(name, &number) ? (number < group_n ? (int)number : -1) : regex_group_index(re, name);
        if (index >= 0 && (size_t)index < group_n) buf_add(b, groups[index]);
        if (!run_room(r, 1, b->n, e)) return false; /* a short template may name a long group many times */
        i = to - !braced;
    }
    return true;
}

static bool finish_relabel(struct grid *g, struct matrix *m, struct drain *out, struct err *e) {
    return matrix_merge(g, m, e) && matrix_emit(m, out, e);
}

static bool replace_label(struct grid *g, struct series *s, const struct regex *re, const str *arg, struct err *e) {
    struct run *r = g->r;
    str groups[33];
    size_t group_n = 0;
    enum regex_result found = regex_groups(re, labels_get(s->labels, arg[2]), groups, &group_n);
    if (found == REGEX_LIMIT) return run_fail(r, e, "regular expression in label_replace() is too expensive: %" STR_F, STR_A(arg[3]));
    if (found == REGEX_NO) return true;
    struct buf b = {0};
    bool ok = expand(r, &b, arg[1], re, groups, group_n, e);
    if (ok) s->labels = labels_set(r, s->labels, arg[0], arena_str(r->a, buf_str(&b)));
    buf_done(&b);
    if (!ok) return false;
    if (str_eq(arg[0], LABEL_METRIC_NAME)) s->drop_name = false;
    return true;
}

static VECTOR_FUNCTION(vector_label_replace) {
    str arg[4] = {STR_INIT(""), STR_INIT(""), STR_INIT(""), STR_INIT("")}; /* dst, replacement, src, regex */
    for (size_t i = 0; i < 4; i++)
        if (!eval_string(call->call.args[i + 1], &arg[i])) return false;
    AUTO(regex_free) struct regex *re = NULL;
    struct err why;
    if (!regex_new(arg[3], true, &re, &why)) return run_fail(g->r, e, "invalid regular expression in label_replace(): %" STR_F, STR_A(arg[3]));
    if (!valid_label(g->r, arg[0], "destination label name in label_replace()", e)) return false;
    struct matrix m;
    if (!eval_matrix(g, call->call.args[0], &m, e)) return false;
    for (size_t i = 0; i < m.n; i++)
        if (!run_check(g->r, e) || !replace_label(g, &m.p[i], re, arg, e)) return false;
    return finish_relabel(g, &m, out, e);
}

static VECTOR_FUNCTION(vector_label_join) {
    struct run *r = g->r;
    size_t src_n = call->call.arg_n - 3;
    str dst = STR("");
    str separator = STR("");
    str *src = arena_new_n(r->a, str, src_n);
    if (!eval_string(call->call.args[1], &dst) || !eval_string(call->call.args[2], &separator)) return false;
    for (size_t i = 0; i < src_n; i++)
        if (!eval_string(call->call.args[i + 3], &src[i]) || !valid_label(r, src[i], "source label name in label_join()", e)) return false;
    if (!valid_label(r, dst, "destination label name in label_join()", e)) return false;
    struct matrix m;
    if (!eval_matrix(g, call->call.args[0], &m, e)) return false;
    for (size_t i = 0; i < m.n; i++) {
        struct buf b = {0};
        size_t bytes = src_n * separator.n;
        for (size_t k = 0; k < src_n; k++) bytes += labels_get(m.p[i].labels, src[k]).n;
        if (!run_check(r, e) || !run_room(r, 2, bytes, e)) return false; /* joined and copied */
        for (size_t k = 0; k < src_n; k++) {
            if (k) buf_add(&b, separator);
            buf_add(&b, labels_get(m.p[i].labels, src[k]));
        }
        m.p[i].labels = labels_set(r, m.p[i].labels, dst, arena_str(r->a, buf_str(&b)));
        buf_done(&b);
        if (str_eq(dst, LABEL_METRIC_NAME)) m.p[i].drop_name = false;
    }
    return finish_relabel(g, &m, out, e);
}

/* --- the table */

#define S PT_SCALAR
#define V PT_VECTOR
#define M PT_MATRIX
#define T PT_STRING
#define SMOOTH (FN_ANCHORED | FN_SMOOTHED)
static const struct function functions[] = {
    {STR_INIT("abs"), {V}, 0, V, .map = map_abs},
    {STR_INIT("absent"), {V}, 0, V, .over_vector = vector_absent},
    {STR_INIT("absent_over_time"), {M}, 0, V, .over_vector = eval_absent_over_time},
    {STR_INIT("acos"), {V}, 0, V, .map = map_acos},
    {STR_INIT("acosh"), {V}, 0, V, .map = map_acosh},
    {STR_INIT("asin"), {V}, 0, V, .map = map_asin},
    {STR_INIT("asinh"), {V}, 0, V, .map = map_asinh},
    {STR_INIT("atan"), {V}, 0, V, .map = map_atan},
    {STR_INIT("atanh"), {V}, 0, V, .map = map_atanh},
    {STR_INIT("avg_over_time"), {M}, 0, V, FN_WEIGHTED, .field = TSDB_SUM, .over_range = fn_avg_over_time},
    {STR_INIT("ceil"), {V}, 0, V, .map = map_ceil},
    {STR_INIT("changes"), {M}, 0, V, FN_ANCHORED, .over_range = fn_changes},
    {STR_INIT("clamp"), {V, S, S}, 0, V, .map = map_clamp},
    {STR_INIT("clamp_max"), {V, S}, 0, V, .map = map_clamp_max},
    {STR_INIT("clamp_min"), {V, S}, 0, V, .map = map_clamp_min},
    {STR_INIT("cos"), {V}, 0, V, .map = map_cos},
    {STR_INIT("cosh"), {V}, 0, V, .map = map_cosh},
    {STR_INIT("count_over_time"), {M}, 0, V, FN_WEIGHTED, .over_range = fn_count_over_time},
    {STR_INIT("day_of_month"), {V}, 1, V, FN_TIME_BOUND, .over_vector = vector_day_of_month},
    {STR_INIT("day_of_week"), {V}, 1, V, FN_TIME_BOUND, .over_vector = vector_day_of_week},
    {STR_INIT("day_of_year"), {V}, 1, V, FN_TIME_BOUND, .over_vector = vector_day_of_year},
    {STR_INIT("days_in_month"), {V}, 1, V, FN_TIME_BOUND, .over_vector = vector_days_in_month},
    {STR_INIT("deg"), {V}, 0, V, .map = map_deg},
    {STR_INIT("delta"), {M}, 0, V, SMOOTH, .over_range = fn_delta, .over_plain = plain_delta},
    {STR_INIT("deriv"), {M}, 0, V, .over_range = fn_deriv},
    {STR_INIT("double_exponential_smoothing"), {M, S, S}, 0, V, .over_range = fn_double_exponential_smoothing},
    {STR_INIT("end"), {PT_NONE}, 0, S, .scalar = scalar_end},
    {STR_INIT("exp"), {V}, 0, V, .map = map_exp},
    {STR_INIT("first_over_time"), {M}, 0, V, FN_KEEPS_NAME, .over_range = fn_first_over_time},
    {STR_INIT("floor"), {V}, 0, V, .map = map_floor},
    {STR_INIT("histogram_avg"), {V}, 0, V, .over_vector = fn_histogram_avg},
    {STR_INIT("histogram_count"), {V}, 0, V, .over_vector = fn_histogram_count},
    {STR_INIT("histogram_fraction"), {S, S, V}, 0, V, .over_vector = fn_histogram_fraction},
    {STR_INIT("histogram_quantile"), {S, V}, 0, V, .over_vector = fn_histogram_quantile},
    {STR_INIT("histogram_quantiles"), {V, T, S, S}, 9, V, .over_vector = fn_histogram_quantiles},
    {STR_INIT("histogram_stddev"), {V}, 0, V, .over_vector = fn_histogram_stddev},
    {STR_INIT("histogram_stdvar"), {V}, 0, V, .over_vector = fn_histogram_stdvar},
    {STR_INIT("histogram_sum"), {V}, 0, V, .over_vector = fn_histogram_sum},
    {STR_INIT("hour"), {V}, 1, V, FN_TIME_BOUND, .over_vector = vector_hour},
    {STR_INIT("idelta"), {M}, 0, V, .over_range = fn_idelta},
    {STR_INIT("increase"), {M}, 0, V, SMOOTH | FN_COUNTS, .field = TSDB_COUNTER, .over_range = fn_increase, .over_plain = plain_increase},
    {STR_INIT("info"), {V, V}, 1, V, .over_vector = eval_info},
    {STR_INIT("irate"), {M}, 0, V, FN_PER_SECOND, .field = TSDB_COUNTER, .over_range = fn_irate},
    {STR_INIT("label_join"), {V, T, T, T}, -1, V, .over_vector = vector_label_join},
    {STR_INIT("label_replace"), {V, T, T, T, T}, 0, V, .over_vector = vector_label_replace},
    {STR_INIT("last_over_time"), {M}, 0, V, FN_KEEPS_NAME, .over_range = fn_last_over_time},
    {STR_INIT("ln"), {V}, 0, V, .map = map_ln},
    {STR_INIT("log10"), {V}, 0, V, .map = map_log10},
    {STR_INIT("log2"), {V}, 0, V, .map = map_log2},
    {STR_INIT("mad_over_time"), {M}, 0, V, .over_range = fn_mad_over_time},
    {STR_INIT("max_of"), {S, S}, 0, S, .scalar = scalar_max_of},
    {STR_INIT("max_over_time"), {M}, 0, V, .field = TSDB_MAX, .over_range = fn_max_over_time},
    {STR_INIT("min_of"), {S, S}, 0, S, .scalar = scalar_min_of},
    {STR_INIT("min_over_time"), {M}, 0, V, .field = TSDB_MIN, .over_range = fn_min_over_time},
    {STR_INIT("minute"), {V}, 1, V, FN_TIME_BOUND, .over_vector = vector_minute},
    {STR_INIT("month"), {V}, 1, V, FN_TIME_BOUND, .over_vector = vector_month},
    {STR_INIT("pi"), {PT_NONE}, 0, S, .scalar = scalar_pi},
    {STR_INIT("predict_linear"), {M, S}, 0, V, FN_TIME_BOUND, .over_range = fn_predict_linear},
    {STR_INIT("present_over_time"), {M}, 0, V, .over_range = fn_present_over_time},
    {STR_INIT("quantile_over_time"), {S, M}, 0, V, .over_range = fn_quantile_over_time},
    {STR_INIT("rad"), {V}, 0, V, .map = map_rad},
    {STR_INIT("range"), {PT_NONE}, 0, S, .scalar = scalar_range},
    {STR_INIT("rate"), {M}, 0, V, SMOOTH | FN_COUNTS | FN_PER_SECOND, .field = TSDB_COUNTER, .over_range = fn_rate, .over_plain = plain_rate},
    {STR_INIT("resets"), {M}, 0, V, FN_ANCHORED, .field = TSDB_COUNTER, .over_range = fn_resets},
    {STR_INIT("round"), {V, S}, 1, V, .map = map_round},
    {STR_INIT("scalar"), {V}, 0, S, .scalar = scalar_scalar},
    {STR_INIT("sgn"), {V}, 0, V, .map = map_sgn},
    {STR_INIT("sin"), {V}, 0, V, .map = map_sin},
    {STR_INIT("sinh"), {V}, 0, V, .map = map_sinh},
    {STR_INIT("sort"), {V}, 0, V, FN_SORTS, .over_vector = vector_sort},
    {STR_INIT("sort_by_label"), {V, T}, -1, V, FN_SORTS, .over_vector = vector_sort_by_label},
    {STR_INIT("sort_by_label_desc"), {V, T}, -1, V, FN_SORTS, .over_vector = vector_sort_by_label_desc},
    {STR_INIT("sort_desc"), {V}, 0, V, FN_SORTS, .over_vector = vector_sort_desc},
    {STR_INIT("sqrt"), {V}, 0, V, .map = map_sqrt},
    {STR_INIT("start"), {PT_NONE}, 0, S, .scalar = scalar_start},
    {STR_INIT("start_timestamp"), {V}, 0, V, FN_TIME_BOUND, .over_vector = vector_start_timestamp},
    {STR_INIT("stddev_over_time"), {M}, 0, V, .over_range = fn_stddev_over_time},
    {STR_INIT("stdvar_over_time"), {M}, 0, V, .over_range = fn_stdvar_over_time},
    {STR_INIT("step"), {PT_NONE}, 0, S, .scalar = scalar_step},
    {STR_INIT("sum_over_time"), {M}, 0, V, .field = TSDB_SUM, .over_range = fn_sum_over_time},
    {STR_INIT("tan"), {V}, 0, V, .map = map_tan},
    {STR_INIT("tanh"), {V}, 0, V, .map = map_tanh},
    {STR_INIT("time"), {PT_NONE}, 0, S, FN_TIME_BOUND, .scalar = scalar_time},
    {STR_INIT("timestamp"), {V}, 0, V, FN_TIME_BOUND, .over_vector = vector_timestamp},
    {STR_INIT("ts_of_first_over_time"), {M}, 0, V, .over_range = fn_ts_of_first_over_time},
    {STR_INIT("ts_of_last_over_time"), {M}, 0, V, .over_range = fn_ts_of_last_over_time},
    {STR_INIT("ts_of_max_over_time"), {M}, 0, V, .over_range = fn_ts_of_max_over_time},
    {STR_INIT("ts_of_min_over_time"), {M}, 0, V, .over_range = fn_ts_of_min_over_time},
    {STR_INIT("vector"), {S}, 0, V, .over_vector = vector_vector},
    {STR_INIT("year"), {V}, 1, V, FN_TIME_BOUND, .over_vector = vector_year},
};

const struct function *functions_all(size_t *n) {
    *n = ARRAY_N(functions);
    return functions;
}

const struct function *function_find(str name) {
    for (size_t i = 0; i < ARRAY_N(functions); i++)
        if (str_eq(functions[i].name, name)) return &functions[i];
    return NULL;
}

size_t function_arg_n(const struct function *f) {
    size_t n = 0;
    while (n < FUNCTION_ARGS_MAX && f->args[n] != PT_NONE) n++;
    return n;
}
