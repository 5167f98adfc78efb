/* Pipeline aggregations over the buckets of their parent, and the arithmetic that scripts may do. */
#include <math.h>

#include "api/elastic_aggs_tree.h"
#include "codec/num.h"

/* --- buckets_path: "_count", "metric", "metric.property", "single>metric" */

double agg_bucket_value(const struct agg *g, const struct agg_bucket *b, str path) {
    if (str_eq(path, STR("_count"))) return (double)b->docs;
    str rest = path, name;
    bool deeper = str_cut(&rest, '>', &name);
    for (size_t i = 0; i < g->sub_n; i++) {
        const struct agg *sub = &g->subs[i];
        str property = STR("value");
        if (str_starts(name, sub->name) && name.n > sub->name.n && (name.p[sub->name.n] == '.' || name.p[sub->name.n] == '['))
            property = str_from(name, sub->name.n + 1);
        else if (!str_eq(name, sub->name))
            continue;
        if (property.n && property.p[property.n - 1] == ']') property.n--;
        if (agg_is_pipeline(sub->type)) return b->extra ? b->extra[i] : NAN;
        bool single = sub->type == AGG_FILTER || sub->type == AGG_MISSING;
        if (single) return agg_bucket_value(sub, &b->subs[i].buckets.p[0], deeper ? rest : STR("_count"));
        return agg_metric(sub, &b->subs[i], property);
    }
    return NAN;
}

/* --- scripts: numbers, names (params.x or x), + - * / % ( ), comparisons, && || ! and ? : */

enum { SCRIPT_DEPTH_MAX = 64 };
struct script {
    str s;
    size_t at;
    const struct agg_script_input *inputs;
    const double *values;
    size_t n;
    unsigned depth;
    bool bad;
};
static double choice(struct script *p);

static void blanks(struct script *p) {
    while (p->at < p->s.n && strchr(" \t\n\r", p->s.p[p->at])) p->at++;
}
static bool take(struct script *p, const char *token) {
    blanks(p);
    if (!str_starts(str_from(p->s, p->at), str_c(token))) return false;
    p->at += strlen(token);
    return true;
}
static bool name_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}
static double named(struct script *p) {
    size_t from = p->at;
    while (p->at < p->s.n && name_char(p->s.p[p->at])) p->at++;
    str name = str_sub(p->s, from, p->at);
    for (size_t i = 0; i < p->n; i++)
        if (str_eq(p->inputs[i].name, name)) return p->values[i];
    p->bad = true;
    return NAN;
}
static double primary(struct script *p) {
    blanks(p);
    if (++p->depth > SCRIPT_DEPTH_MAX) p->bad = true;
    double v = NAN;
    char c = p->at < p->s.n ? p->s.p[p->at] : 0;
    if (p->bad) {
        v = NAN;
    } else if (take(p, "(")) {
        v = choice(p);
        p->bad |= !take(p, ")");
    } else if (take(p, "-")) {
        v = -primary(p);
    } else if (take(p, "!")) {
        v = primary(p) == 0;
    } else if ((c >= '0' && c <= '9') || c == '.') {
        size_t from = p->at;
        while (p->at < p->s.n && (name_char(p->s.p[p->at]) || p->s.p[p->at] == '.')) p->at++;
        str text = str_sub(p->s, from, p->at);
        if (text.n && strchr("fdLl", text.p[text.n - 1])) text.n--;
        p->bad |= !num_parse_double(text, &v);
    } else {
        (void)take(p, "params.");
        v = named(p);
    }
    p->depth--;
    return v;
}
/* Binary operators from loosest to tightest; longer tokens before their prefixes. */
static const char *const levels[][4] = {{"||"}, {"&&"}, {"==", "!="}, {"<=", ">=", "<", ">"}, {"+", "-"}, {"*", "/", "%"}};

static double apply(const char *op, double a, double b) {
    switch (op[0]) {
    case '|': return a != 0 || b != 0;
    case '&': return a != 0 && b != 0;
    case '=': return a == b;
    case '!': return a != b;
    case '<': return op[1] ? a <= b : a < b;
    case '>': return op[1] ? a >= b : a > b;
    case '+': return a + b;
    case '-': return a - b;
    case '*': return a * b;
    case '/': return a / b;
    case '%': return fmod(a, b);
    }
    return NAN;
}
static double binary(struct script *p, size_t level) {
    if (level == ARRAY_N(levels)) return primary(p);
    double v = binary(p, level + 1);
    for (bool found = true; found && !p->bad;) {
        found = false;
        for (size_t i = 0; i < 4 && levels[level][i] && !found; i++) {
            if (!take(p, levels[level][i])) continue;
            v = apply(levels[level][i], v, binary(p, level + 1));
            found = true;
        }
    }
    return v;
}
static double choice(struct script *p) {
    double v = binary(p, 0);
    if (p->bad || !take(p, "?")) return v;
    double yes = choice(p);
    p->bad |= !take(p, ":");
    double no = p->bad ? NAN : choice(p);
    return v != 0 ? yes : no;
}

bool agg_script(str script, const struct agg_script_input *inputs, const double *values, size_t n, double *out, struct err *e) {
    struct script p = {.s = script, .inputs = inputs, .values = values, .n = n};
    (void)take(&p, "return ");
    double v = choice(&p);
    (void)take(&p, ";");
    blanks(&p);
    if (p.bad || p.at != script.n)
        return err_set(e, ERR_UNSUPPORTED,
                       "script: only arithmetic and comparisons on the names of [buckets_path] are offered (at byte %zu of \"%" STR_F "\")", p.at,
                       STR_A(str_sub(script, 0, 80)));
    *out = v;
    return true;
}

/* --- moving functions */

static double window_value(str function, const double *v, size_t n) {
    double sum = 0, weights = 0, best = NAN;
    bool max = str_find(function, STR("max")) != STR_NONE, min = str_find(function, STR("min")) != STR_NONE;
    bool linear = str_find(function, STR("linear")) != STR_NONE, total = str_find(function, STR(".sum")) != STR_NONE;
    size_t seen = 0;
    for (size_t i = 0; i < n; i++) {
        if (isnan(v[i])) continue;
        double weight = linear ? (double)(i + 1) : 1;
        seen++;
        sum += v[i] * weight;
        weights += weight;
        if (isnan(best) || (max ? v[i] > best : v[i] < best)) best = v[i];
    }
    if (!seen) return NAN;
    return max || min ? best : total ? sum : sum / weights;
}
static bool known_function(const struct agg *g, struct err *e) {
    static const char *const known[] = {"",
                                        "simple",
                                        "linear",
                                        "MovingFunctions.max(values)",
                                        "MovingFunctions.min(values)",
                                        "MovingFunctions.sum(values)",
                                        "MovingFunctions.unweightedAvg(values)",
                                        "MovingFunctions.linearWeightedAvg(values)"};
    str function = g->script.n ? g->script : g->function;
    for (size_t i = 0; i < ARRAY_N(known); i++)
        if (str_eq_c(function, known[i])) return true;
    return err_set(e, ERR_UNSUPPORTED,
                   "moving function [%" STR_F "] is not offered: use MovingFunctions.max, min, sum, unweightedAvg or linearWeightedAvg",
                   STR_A(function));
}

static bool run_one(const struct agg *g, size_t index, struct agg_bucket *buckets, size_t n, const double *in, bool *selected, struct err *e) {
    const struct agg *self = &g->subs[index];
    double total = 0;
    if (self->type == AGG_MOVING_FN && !known_function(self, e)) return false;
    for (size_t i = 0; i < n; i++) {
        double *out = &buckets[i].extra[index], values[16];
        switch (self->type) {
        case AGG_DERIVATIVE: *out = i ? in[i] - in[i - 1] : NAN; break;
        case AGG_SERIAL_DIFF: *out = i >= self->lag ? in[i] - in[i - self->lag] : NAN; break;
        case AGG_CUMULATIVE_SUM:
            total += isnan(in[i]) ? 0 : in[i];
            *out = total;
            break;
        case AGG_MOVING_FN: { /* moving_fn ends before the bucket, the older moving_avg in it */
            size_t end = self->script.n ? i : i + 1, from = end > self->window ? end - self->window : 0;
            *out = window_value(self->script.n ? self->script : self->function, in + from, end - from);
            break;
        }
        case AGG_BUCKET_SCRIPT:
        case AGG_BUCKET_SELECTOR: {
            bool complete = true;
            double v = NAN;
            for (size_t k = 0; k < self->input_n; k++) {
                values[k] = agg_bucket_value(g, &buckets[i], self->inputs[k].path);
                complete &= !isnan(values[k]);
            }
            if (!agg_script(self->script, self->inputs, values, self->input_n, &v, e)) return false;
            if (self->type == AGG_BUCKET_SELECTOR)
                selected[i] &= complete && v != 0;
            else
                *out = complete && isfinite(v) ? v : NAN;
            break;
        }
        default: break; /* not a pipeline on its parent */
        }
    }
    return true;
}

bool agg_run_pipelines(struct es_aggs *a, const struct agg *g, struct agg_bucket *buckets, size_t n, bool *selected, struct err *e) {
    bool any = false;
    for (size_t i = 0; i < g->sub_n; i++) any |= agg_is_pipeline(g->subs[i].type) && !agg_is_sibling(g->subs[i].type);
    if (!any) return true;
    double *in = arena_new_n(a->arena, double, n);
    for (size_t i = 0; i < n; i++) {
        buckets[i].extra = arena_new_n(a->arena, double, g->sub_n);
        for (size_t k = 0; k < g->sub_n; k++) buckets[i].extra[k] = NAN;
    }
    for (size_t k = 0; k < g->sub_n; k++) {
        if (!agg_is_pipeline(g->subs[k].type) || agg_is_sibling(g->subs[k].type)) continue;
        for (size_t i = 0; i < n && g->subs[k].path.n; i++) in[i] = agg_bucket_value(g, &buckets[i], g->subs[k].path);
        if (!run_one(g, k, buckets, n, in, selected, e)) return false;
    }
    return true;
}
