#include <math.h>
#include <stdlib.h>

#include "api/prometheus.h"
#include "base/mem.h"
#include "codec/num.h"
#include "query/promql/functions.h"

/* Results and trees as JSON. */

void prom_put_labels(struct json_out *o, struct labels ls) {
    json_put_object(o);
    for (size_t i = 0; i < ls.n; i++) {
        json_put_key(o, ls.l[i].name);
        json_put_string(o, ls.l[i].value);
    }
    json_put_object_end(o);
}

enum { TIME_TEXT_MAX = 32 };
static size_t format_time(char out[TIME_TEXT_MAX], int64_t ms) {
    char digits[TIME_TEXT_MAX];
    bool negative = ms < 0;
    uint64_t magnitude = negative ? -(uint64_t)ms : (uint64_t)ms;
    unsigned fraction = (unsigned)(magnitude % 1000);
    size_t at = sizeof digits;
    if (fraction) {
        for (int i = 0; i < 3; i++, fraction /= 10) digits[--at] = (char)('0' + fraction % 10);
        digits[--at] = '.';
    }
    uint64_t seconds = magnitude / 1000;
    do digits[--at] = (char)('0' + seconds % 10);
    while (seconds /= 10);
    if (negative) digits[--at] = '-';
    memcpy(out, digits + at, sizeof digits - at);
    return sizeof digits - at;
}

void prom_put_time(struct json_out *o, int64_t ms) {
    char text[TIME_TEXT_MAX];
    json_put_raw(o, str_n(text, format_time(text, ms)));
}

void prom_put_value(struct json_out *o, double v) {
    char text[NUM_DOUBLE_MAX + 2];
    size_t n = num_format_double(text + 1, v);
    text[0] = text[n + 1] = '"';
    json_put_raw(o, str_n(text, n + 2));
}

/* {"count":"4","sum":"5","buckets":[[0,"0.5","1","1"],...]}; the rule says which ends are closed: 0 upper, 1 lower, 2 none, 3 both. */
static void put_histogram(struct json_out *o, const struct hist *h) {
    AUTO(arena_free) struct arena *a = arena_new(1024);
    struct interval *p;
    size_t n = hist_intervals(a, h, &p);
    json_put_object(o);
    json_put_key_c(o, "count");
    prom_put_value(o, h->count);
    json_put_key_c(o, "sum");
    prom_put_value(o, h->sum);
    if (n) json_put_key_c(o, "buckets");
    if (n) json_put_array(o);
    for (size_t i = 0; i < n; i++) {
        bool below = !hist_is_custom(h) && p[i].lower < 0 && !p[i].zero;
        json_put_array(o);
        json_put_i64(o, p[i].zero ? 3 : below ? 1 : 0);
        prom_put_value(o, p[i].lower);
        prom_put_value(o, p[i].upper);
        prom_put_value(o, p[i].n);
        json_put_array_end(o);
    }
    if (n) json_put_array_end(o);
    json_put_object_end(o);
}

static void put_point(struct json_out *o, int64_t t_ms, double v, const struct hist *h) {
    json_put_array(o);
    prom_put_time(o, t_ms);
    if (h)
        put_histogram(o, h);
    else
        prom_put_value(o, v);
    json_put_array_end(o);
}

static int64_t time_of(const struct promql_result *r, const struct promql_series *s, size_t i) {
    return s && s->t_ms ? s->t_ms[i] : r->start_ms + (int64_t)i * r->step_ms;
}

static void put_vector_item(struct json_out *o, const struct promql_result *r, const struct promql_series *s) {
    const struct hist *h = s->h ? s->h[0] : NULL;
    json_put_object(o);
    json_put_key_c(o, "metric");
    prom_put_labels(o, s->labels);
    json_put_key(o, h ? STR("histogram") : STR("value"));
    put_point(o, r->start_ms, s->v[0], h);
    json_put_object_end(o);
}

/* The steps' times as text: all series share them. */
struct step_texts {
    struct {
        char text[TIME_TEXT_MAX];
        size_t n;
    } * p;
    size_t n;
};
static void step_texts_init(struct step_texts *x, const struct promql_result *r) {
    *x = (struct step_texts){mem_alloc(r->step_n * sizeof *x->p), r->step_n};
    for (size_t i = 0; i < r->step_n; i++) x->p[i].n = format_time(x->p[i].text, r->start_ms + (int64_t)i * r->step_ms);
}

/* The bulk of what a dashboard is sent, so written without the writer's help: [1700000000,"1.5"],... */
static void put_floats(struct json_out *o, const struct promql_series *s, const struct step_texts *x) {
    enum { POINT_MAX = TIME_TEXT_MAX + NUM_DOUBLE_MAX + 6 };
    bool open = false;
    for (size_t i = 0; i < s->n; i++) {
        if (promql_is_absent(s->v[i])) continue;
        if (!open) json_put_key_c(o, "values");
        if (!open) json_put_raw(o, STR("["));
        buf_reserve(o->buf, POINT_MAX);
        char *p = o->buf->p + o->buf->n;
        if (open) *p++ = ',';
        open = true;
        *p++ = '[';
        if (s->t_ms) {
            p += format_time(p, s->t_ms[i]);
        } else {
            memcpy(p, x->p[i].text, TIME_TEXT_MAX);
            p += x->p[i].n;
        }
        *p++ = ',';
        *p++ = '"';
        p += num_format_double(p, s->v[i]);
        *p++ = '"';
        *p++ = ']';
        o->buf->n = (size_t)(p - o->buf->p);
    }
    if (open) buf_char(o->buf, ']');
}

static void put_histograms(struct json_out *o, const struct promql_result *r, const struct promql_series *s) {
    bool open = false;
    for (size_t i = 0; i < s->n; i++) {
        if (!s->h[i]) continue;
        if (!open) json_put_key_c(o, "histograms");
        if (!open) json_put_array(o);
        open = true;
        put_point(o, time_of(r, s, i), s->v[i], s->h[i]);
    }
    if (open) json_put_array_end(o);
}

static void put_matrix(struct json_out *o, const struct promql_result *r, size_t n) {
    struct step_texts x;
    step_texts_init(&x, r);
    for (size_t i = 0; i < n; i++) {
        const struct promql_series *s = &r->series[i];
        json_put_object(o);
        json_put_key_c(o, "metric");
        prom_put_labels(o, s->labels);
        put_floats(o, s, &x);
        if (s->h) put_histograms(o, r, s);
        json_put_object_end(o);
    }
    free(x.p);
}

static void put_scalar_matrix(struct json_out *o, const struct promql_result *r) {
    json_put_array(o);
    json_put_object(o);
    json_put_key_c(o, "metric");
    json_put_object(o);
    json_put_object_end(o);
    json_put_key_c(o, "values");
    json_put_array(o);
    for (size_t i = 0; i < r->step_n; i++) put_point(o, time_of(r, NULL, i), r->scalar[i], NULL);
    json_put_array_end(o);
    json_put_object_end(o);
    json_put_array_end(o);
}

void prom_put_result(struct json_out *o, const struct promql_result *r, size_t limit, bool *truncated) {
    bool range = r->step_ms > 0;
    bool matrix = range || r->type == PT_MATRIX;
    *truncated = limit && r->series_n > limit;
    json_put_key_c(o, "resultType");
    json_put_string(o, matrix ? STR("matrix") : r->type == PT_SCALAR ? STR("scalar") : r->type == PT_STRING ? STR("string") : STR("vector"));
    json_put_key_c(o, "result");
    if (r->type == PT_SCALAR && range) {
        put_scalar_matrix(o, r);
    } else if (r->type == PT_SCALAR) {
        put_point(o, r->start_ms, r->scalar[0], NULL);
    } else if (r->type == PT_STRING) {
        json_put_array(o);
        prom_put_time(o, r->start_ms);
        json_put_string(o, r->string);
        json_put_array_end(o);
    } else {
        size_t n = *truncated ? limit : r->series_n;
        json_put_array(o);
        if (matrix) put_matrix(o, r, n);
        for (size_t i = 0; i < n && !matrix; i++) put_vector_item(o, r, &r->series[i]);
        json_put_array_end(o);
    }
}

/* --- trees */

static void put_text(struct json_out *o, const char *key, str value) {
    json_put_key(o, str_c(key));
    json_put_string(o, value);
}

static void put_names(struct json_out *o, const char *key, struct names names) {
    json_put_key(o, str_c(key));
    json_put_array(o);
    for (size_t i = 0; i < names.n; i++) json_put_string(o, names.p[i]);
    json_put_array_end(o);
}

static void put_child(struct json_out *o, const char *key, const struct node *n) {
    json_put_key(o, str_c(key));
    if (n)
        prom_put_tree(o, n);
    else
        json_put_null(o);
}

/* Milliseconds of a literal; a duration expression shows as its text beside it. */
static void put_ms(struct json_out *o, const char *key, const struct node *n) {
    double v = n && n->kind == NODE_NUMBER ? n->number.value : 0;
    json_put_key(o, str_c(key));
    json_put_i64(o, (int64_t)llround(v * 1000));
    if (!n || n->kind == NODE_NUMBER) return;
    struct buf name = {0};
    struct buf text = {0};
    buf_printf(&name, "%sExpr", key);
    promql_print(&text, n);
    json_put_key(o, buf_str(&name));
    json_put_string(o, buf_str(&text));
    buf_done(&name);
    buf_done(&text);
}

static void put_shift(struct json_out *o, const struct shift *s) {
    put_ms(o, "offset", s->offset);
    json_put_key_c(o, "timestamp");
    if (s->at == AT_TIME)
        json_put_i64(o, s->at_ms);
    else
        json_put_null(o);
    json_put_key_c(o, "startOrEnd");
    if (s->at == AT_START || s->at == AT_END)
        json_put_string(o, s->at == AT_START ? STR("start") : STR("end"));
    else
        json_put_null(o);
}

static void put_selector(struct json_out *o, const struct node *n) {
    static const char *const ops[] = {[MATCH_EQ] = "=", [MATCH_NE] = "!=", [MATCH_RE] = "=~", [MATCH_NRE] = "!~"};
    const struct selector *s = &n->select.sel;
    put_text(o, "name", s->name);
    if (n->kind == NODE_MATRIX) put_ms(o, "range", n->select.range);
    put_shift(o, &n->select.shift);
    json_put_key_c(o, "matchers");
    json_put_array(o);
    for (size_t i = 0; i < s->m_n; i++) {
        json_put_object(o);
        put_text(o, "name", s->m[i].name);
        put_text(o, "value", s->m[i].value);
        put_text(o, "type", str_c(ops[s->m[i].op]));
        json_put_object_end(o);
    }
    json_put_array_end(o);
    json_put_key_c(o, "anchored");
    json_put_bool(o, s->anchored);
    json_put_key_c(o, "smoothed");
    json_put_bool(o, s->smoothed);
}

static void put_fill(struct json_out *o, const char *key, bool is_set, double v) {
    json_put_key(o, str_c(key));
    if (is_set)
        json_put_double(o, v);
    else
        json_put_null(o);
}

static void put_binary(struct json_out *o, const struct node *n) {
    static const char *const cards[] = {
        [CARD_ONE_TO_ONE] = "one-to-one",
        [CARD_MANY_TO_ONE] = "many-to-one",
        [CARD_ONE_TO_MANY] = "one-to-many",
        [CARD_MANY_TO_MANY] = "many-to-many",
    };
    const struct matching *m = &n->binary.match;
    bool vectors = n->binary.lhs->type == PT_VECTOR && n->binary.rhs->type == PT_VECTOR;
    put_text(o, "op", str_c(op_text(n->binary.op)));
    put_child(o, "lhs", n->binary.lhs);
    put_child(o, "rhs", n->binary.rhs);
    json_put_key_c(o, "matching");
    if (vectors) {
        json_put_object(o);
        put_text(o, "card", str_c(cards[m->card]));
        put_names(o, "labels", m->labels);
        json_put_key_c(o, "on");
        json_put_bool(o, m->on);
        put_names(o, "include", m->include);
        json_put_key_c(o, "fillValues");
        json_put_object(o);
        put_fill(o, "lhs", m->fill_left, m->fill_left_value);
        put_fill(o, "rhs", m->fill_right, m->fill_right_value);
        json_put_object_end(o);
        json_put_object_end(o);
    } else {
        json_put_null(o);
    }
    json_put_key_c(o, "bool");
    json_put_bool(o, n->binary.return_bool);
}

static void put_function(struct json_out *o, const struct function *f) {
    static const char *const types[] = {
        [PT_NONE] = "none", [PT_SCALAR] = "scalar", [PT_VECTOR] = "vector", [PT_MATRIX] = "matrix", [PT_STRING] = "string"};
    json_put_object(o);
    put_text(o, "name", f->name);
    json_put_key_c(o, "argTypes");
    json_put_array(o);
    for (size_t i = 0; i < function_arg_n(f); i++) json_put_string(o, str_c(types[f->args[i]]));
    json_put_array_end(o);
    json_put_key_c(o, "variadic");
    json_put_i64(o, f->variadic);
    put_text(o, "returnType", str_c(types[f->returns]));
    json_put_object_end(o);
}

void prom_put_tree(struct json_out *o, const struct node *n) {
    static const char *const types[] = {
        [NODE_NUMBER] = "numberLiteral",  [NODE_STRING] = "stringLiteral",  [NODE_VECTOR] = "vectorSelector",
        [NODE_MATRIX] = "matrixSelector", [NODE_SUBQUERY] = "subquery",     [NODE_PAREN] = "parenExpr",
        [NODE_UNARY] = "unaryExpr",       [NODE_BINARY] = "binaryExpr",     [NODE_CALL] = "call",
        [NODE_AGGREGATE] = "aggregation", [NODE_DURATION] = "durationExpr",
    };
    json_put_object(o);
    put_text(o, "type", str_c(types[n->kind]));
    switch (n->kind) {
    case NODE_NUMBER:
        json_put_key_c(o, "val");
        prom_put_value(o, n->number.value);
        break;
    case NODE_STRING: put_text(o, "val", n->string); break;
    case NODE_VECTOR:
    case NODE_MATRIX: put_selector(o, n); break;
    case NODE_SUBQUERY:
        put_child(o, "expr", n->sub.expr);
        put_ms(o, "range", n->sub.range);
        put_ms(o, "step", n->sub.step);
        put_shift(o, &n->sub.shift);
        break;
    case NODE_PAREN: put_child(o, "expr", n->paren.expr); break;
    case NODE_UNARY:
        put_text(o, "op", str_c(op_text(n->unary.op)));
        put_child(o, "expr", n->unary.expr);
        break;
    case NODE_BINARY: put_binary(o, n); break;
    case NODE_CALL:
        json_put_key_c(o, "func");
        put_function(o, n->call.fn);
        json_put_key_c(o, "args");
        json_put_array(o);
        for (size_t i = 0; i < n->call.arg_n; i++) prom_put_tree(o, n->call.args[i]);
        json_put_array_end(o);
        break;
    case NODE_AGGREGATE:
        put_text(o, "op", str_c(agg_text(n->agg.op)));
        put_child(o, "expr", n->agg.expr);
        put_child(o, "param", n->agg.param);
        put_names(o, "grouping", n->agg.grouping);
        json_put_key_c(o, "without");
        json_put_bool(o, n->agg.without);
        break;
    case NODE_DURATION: break;
    }
    json_put_object_end(o);
}
