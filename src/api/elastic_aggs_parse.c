/* The "aggs" of a search -> struct agg (Elasticsearch reference, "Aggregations"). */
#include <math.h>

#include "api/elastic_aggs_tree.h"
#include "base/clock.h"
#include "codec/duration.h"
#include "codec/isodate.h"

struct parser {
    const struct es_dsl *d;
    struct arena *a;
    struct err *e;
    size_t n;
    unsigned depth;
};
struct kind {
    const char *name;
    enum agg_type type;
    bool (*read)(struct parser *p, const struct value *v, struct agg *g);
};

static bool refuse(struct parser *p, const struct agg *g, const char *what) {
    return err_set(p->e, ERR_INPUT, "aggregation [%" STR_F "]: %s", STR_A(g->name), what);
}
static void set_field(struct parser *p, struct agg *g, str field) {
    struct field_ref ref = fields_resolve(p->d->fields, field);
    g->field = ref.kinds ? ref.name : field;
    g->date = ref.kinds == KIND_DATE;
}
static bool read_field(struct parser *p, const struct value *v, struct agg *g) {
    const struct value *field = es_get(v, "field");
    if (es_get(v, "script")) return err_set(p->e, ERR_UNSUPPORTED, "aggregation [%" STR_F "]: scripts are not offered", STR_A(g->name));
    if (!field || field->type != VAL_STRING) return refuse(p, g, "needs a [field]");
    set_field(p, g, field->s);
    g->format = es_text(es_get(v, "format"), p->a);
    const struct value *missing = es_get(v, "missing");
    if (missing) {
        g->has_missing = true;
        g->missing = *missing;
    }
    return true;
}
static size_t read_count(const struct value *v, const char *key, size_t otherwise) {
    int64_t n;
    return es_integer(es_get(v, key), &n) && n >= 0 ? (size_t)MIN(n, INT32_MAX) : otherwise;
}

static void read_orders(struct parser *p, const struct value *v, struct agg *g) {
    const struct value *order = es_get(v, "order");
    size_t n = order && order->type == VAL_ARRAY ? order->n : order ? 1 : 0;
    for (size_t i = 0; i < n && g->order_n < ARRAY_N(g->orders); i++) {
        const struct value *one = order->type == VAL_ARRAY ? &order->items[i] : order;
        if (one->type != VAL_MAP || one->n == 0) continue;
        str path = one->fields[0].key;
        if (str_eq(path, STR("_term"))) path = STR("_key"); /* before 6.0 */
        g->orders[g->order_n++] = (struct agg_order){path, str_eq_nocase(es_text(&one->fields[0].value, p->a), STR("desc"))};
    }
}
/* include / exclude: a list of values, or a regexp. */
static bool read_choice(struct parser *p, const struct value *v, struct es_names_list *list, const struct automaton **pattern) {
    if (!v) return true;
    if (v->type == VAL_STRING) return automaton_regexp(v->s, false, p->a, pattern, p->e);
    if (v->type != VAL_ARRAY) return err_set(p->e, ERR_UNSUPPORTED, "terms: partitions are not offered");
    str *names = arena_new_n(p->a, str, v->n);
    for (uint32_t i = 0; i < v->n; i++) names[i] = es_text(&v->items[i], p->a);
    *list = (struct es_names_list){names, v->n};
    return true;
}
static bool read_terms(struct parser *p, const struct value *v, struct agg *g) {
    g->size = read_count(v, "size", 10);
    g->min_doc_count = read_count(v, "min_doc_count", 1);
    if (g->size == 0) return refuse(p, g, "[size] must be greater than 0");
    read_orders(p, v, g);
    if (!g->order_n) g->orders[g->order_n++] = (struct agg_order){STR("_count"), true};
    return read_field(p, v, g) && read_choice(p, es_get(v, "include"), &g->include, &g->include_pattern) &&
           read_choice(p, es_get(v, "exclude"), &g->exclude, &g->exclude_pattern);
}

/* "1d", "1h": the calendar's; also the long names. */
static char calendar_unit(str s) {
    static const struct {
        const char *name;
        char unit;
    } names[] = {{"minute", 'm'}, {"1m", 'm'}, {"hour", 'h'},    {"1h", 'h'}, {"day", 'd'},  {"1d", 'd'}, {"week", 'w'},  {"1w", 'w'},
                 {"month", 'M'},  {"1M", 'M'}, {"quarter", 'q'}, {"1q", 'q'}, {"year", 'y'}, {"1y", 'y'}, {"second", 's'}};
    for (size_t i = 0; i < ARRAY_N(names); i++)
        if (str_eq_c(s, names[i].name)) return names[i].unit;
    return 0;
}
static bool read_span(struct parser *p, const struct agg *g, str s, int64_t *out_ns) {
    bool negative = s.n && (s.p[0] == '-' || s.p[0] == '+');
    int64_t ms;
    struct err ignored;
    if (!duration_parse(negative ? str_from(s, 1) : s, &ms, &ignored) || __builtin_mul_overflow(ms, NS_PER_MS, out_ns))
        return refuse(p, g, "an interval or offset is no time like \"30s\" or \"1h\"");
    if (negative && s.p[0] == '-') *out_ns = -*out_ns;
    return true;
}
static bool read_date_interval(struct parser *p, const struct value *v, const struct agg *g, struct agg_interval *out) {
    str fixed = es_text(es_get(v, "fixed_interval"), p->a), calendar = es_text(es_get(v, "calendar_interval"), p->a);
    str old = es_text(es_get(v, "interval"), p->a), offset = es_text(es_get(v, "offset"), p->a), zone = es_text(es_get(v, "time_zone"), p->a);
    if (!fixed.n && !calendar.n && old.n) { /* before 7.2 */
        if (calendar_unit(old))
            calendar = old;
        else
            fixed = old;
    }
    int64_t bare_ms;
    if (calendar.n && !(out->calendar = calendar_unit(calendar))) return refuse(p, g, "the calendar_interval must be one of 1m 1h 1d 1w 1M 1q 1y");
    if (fixed.n && str_i64(fixed, &bare_ms)) fixed = arena_printf(p->a, "%lldms", (long long)bare_ms);
    if (!calendar.n && (!fixed.n || !read_span(p, g, fixed, &out->fixed_ns))) return refuse(p, g, "needs a fixed_interval or a calendar_interval");
    if (!calendar.n && out->fixed_ns <= 0) return refuse(p, g, "the interval must be greater than 0");
    if (offset.n && !read_span(p, g, offset, &out->offset_ns)) return false;
    if (zone.n && !isodate_zone(zone, &out->zone_s))
        return err_set(p->e, ERR_UNSUPPORTED, "aggregation [%" STR_F "]: time_zone [%" STR_F "] is not offered: use an offset like +02:00",
                       STR_A(g->name), STR_A(zone));
    return true;
}
static bool read_date_bound(struct parser *p, const struct value *v, double *out) {
    struct datemath m = {.now_ns = p->d->now_ns};
    int64_t from, to;
    if (!datemath_parse(es_text(v, p->a), &m, &from, &to, p->e)) return false;
    *out = (double)from;
    return true;
}
static bool read_bounds(struct parser *p, const struct value *bounds, bool date, bool *has, double *lo, double *hi) {
    const struct value *min = es_get(bounds, "min"), *max = es_get(bounds, "max");
    if (!min || !max) return true;
    *has = true;
    if (date) return read_date_bound(p, min, lo) && read_date_bound(p, max, hi);
    return es_number(min, lo) && es_number(max, hi) ? true : err_set(p->e, ERR_INPUT, "extended_bounds must be numbers");
}
static bool read_histogram_rest(struct parser *p, const struct value *v, struct agg *g) {
    bool date = g->type == AGG_DATE_HISTOGRAM;
    g->min_doc_count = read_count(v, "min_doc_count", 0);
    g->keyed = es_true(v, "keyed", false);
    read_orders(p, v, g);
    return read_field(p, v, g) && read_bounds(p, es_get(v, "extended_bounds"), date, &g->has_bounds, &g->bound_lo, &g->bound_hi) &&
           read_bounds(p, es_get(v, "hard_bounds"), date, &g->has_hard_bounds, &g->hard_lo, &g->hard_hi);
}
static bool read_date_histogram(struct parser *p, const struct value *v, struct agg *g) {
    return read_histogram_rest(p, v, g) && read_date_interval(p, v, g, &g->interval);
}
static bool read_histogram(struct parser *p, const struct value *v, struct agg *g) {
    if (!es_number(es_get(v, "interval"), &g->interval.step) || !(g->interval.step > 0)) return refuse(p, g, "[interval] must be greater than 0");
    (void)es_number(es_get(v, "offset"), &g->interval.offset);
    return read_histogram_rest(p, v, g);
}

static bool read_edge(struct parser *p, const struct value *v, bool date, bool *has, double *out) {
    *has = v != NULL;
    if (!v) return true;
    if (date) return read_date_bound(p, v, out);
    return es_number(v, out) ? true : err_set(p->e, ERR_INPUT, "a range needs numbers in [from] and [to]");
}
static bool read_ranges(struct parser *p, const struct value *v, struct agg *g) {
    const struct value *list = es_get(v, "ranges");
    if (!list || list->type != VAL_ARRAY || list->n == 0 || list->n > 1000) return refuse(p, g, "needs 1 to 1000 [ranges]");
    if (!read_field(p, v, g)) return false;
    g->keyed = es_true(v, "keyed", false);
    g->ranges = arena_zalloc(p->a, list->n * sizeof *g->ranges);
    g->range_n = list->n;
    for (uint32_t i = 0; i < list->n; i++) {
        struct agg_range *r = &g->ranges[i];
        bool date = g->type == AGG_DATE_RANGE;
        r->key = es_text(es_get(&list->items[i], "key"), p->a);
        if (!read_edge(p, es_get(&list->items[i], "from"), date, &r->has_from, &r->from)) return false;
        if (!read_edge(p, es_get(&list->items[i], "to"), date, &r->has_to, &r->to)) return false;
    }
    return true;
}

static bool read_filters(struct parser *p, const struct value *v, struct agg *g) {
    struct value single = {.type = VAL_ARRAY, .n = 1, .items = v};
    const struct value *list = g->type == AGG_FILTER ? &single : es_get(v, "filters");
    if (!list || (list->type != VAL_MAP && list->type != VAL_ARRAY) || list->n == 0 || list->n > 1000) return refuse(p, g, "needs [filters]");
    g->filters_named = list->type == VAL_MAP;
    g->other_bucket = es_true(v, "other_bucket", false) || es_get(v, "other_bucket_key");
    g->ranges = arena_zalloc(p->a, (list->n + 1) * sizeof *g->ranges);
    g->range_n = list->n;
    for (uint32_t i = 0; i < list->n; i++) {
        if (g->filters_named) g->ranges[i].key = list->fields[i].key;
        if (!es_dsl_filter(p->d, g->filters_named ? &list->fields[i].value : &list->items[i], &g->ranges[i].filter, p->e)) return false;
    }
    if (!g->other_bucket || g->type == AGG_FILTER) return true;
    str key = es_text(es_get(v, "other_bucket_key"), p->a);
    g->ranges[g->range_n++].key = key.n ? key : STR("_other_");
    return true;
}

static bool read_source(struct parser *p, const struct value *v, struct agg *g, struct agg_source *out) {
    static const struct {
        const char *name;
        enum agg_type type;
    } kinds[] = {{"terms", AGG_TERMS}, {"histogram", AGG_HISTOGRAM}, {"date_histogram", AGG_DATE_HISTOGRAM}};
    if (v->type != VAL_MAP || v->n != 1 || v->fields[0].value.type != VAL_MAP || v->fields[0].value.n != 1)
        return refuse(p, g, "a source needs a name and one type");
    const struct field *typed = &v->fields[0].value.fields[0];
    out->name = v->fields[0].key;
    struct agg one = {.name = out->name};
    for (size_t i = 0; i < ARRAY_N(kinds); i++) {
        if (!str_eq_c(typed->key, kinds[i].name)) continue;
        out->type = kinds[i].type;
        if (!read_field(p, &typed->value, &one)) return false;
        out->field = one.field;
        out->format = one.format;
        out->date = one.date;
        out->desc = str_eq_nocase(es_text(es_get(&typed->value, "order"), p->a), STR("desc"));
        out->missing_bucket = es_true(&typed->value, "missing_bucket", false);
        if (out->type == AGG_HISTOGRAM && (!es_number(es_get(&typed->value, "interval"), &out->interval.step) || !(out->interval.step > 0)))
            return refuse(p, g, "a source needs an [interval] greater than 0");
        return out->type != AGG_DATE_HISTOGRAM || read_date_interval(p, &typed->value, &one, &out->interval);
    }
    return err_set(p->e, ERR_UNSUPPORTED, "composite: source [%" STR_F "] is not offered", STR_A(typed->key));
}
static bool read_composite(struct parser *p, const struct value *v, struct agg *g) {
    const struct value *sources = es_get(v, "sources"), *after = es_get(v, "after");
    if (!sources || sources->type != VAL_ARRAY || sources->n == 0 || sources->n > 16) return refuse(p, g, "needs 1 to 16 [sources]");
    g->size = read_count(v, "size", 10);
    g->sources = arena_zalloc(p->a, sources->n * sizeof *g->sources);
    g->source_n = sources->n;
    for (uint32_t i = 0; i < sources->n; i++)
        if (!read_source(p, &sources->items[i], g, &g->sources[i])) return false;
    if (!after) return true;
    struct value *values = arena_zalloc(p->a, g->source_n * sizeof *values);
    for (size_t i = 0; i < g->source_n; i++) {
        const struct value *one = fields_get(after->fields, after->type == VAL_MAP ? after->n : 0, g->sources[i].name);
        if (!one) return refuse(p, g, "[after] must have a value for every source");
        values[i] = *one;
        if (g->sources[i].type == AGG_DATE_HISTOGRAM && (one->type != VAL_INT || __builtin_mul_overflow(one->i, NS_PER_MS, &values[i].i)))
            return refuse(p, g, "[after] of a date_histogram must be in milliseconds");
        if (g->sources[i].type == AGG_HISTOGRAM && one->type == VAL_INT) values[i] = value_double((double)one->i);
    }
    g->after = values;
    return true;
}

static bool read_percents(struct parser *p, const struct value *v, struct agg *g) {
    static const double usual[] = {1, 5, 25, 50, 75, 95, 99};
    const struct value *list = es_get(v, g->type == AGG_PERCENTILES ? "percents" : "values");
    if (!read_field(p, v, g)) return false;
    g->keyed = es_true(v, "keyed", true);
    if (!list && g->type == AGG_PERCENTILE_RANKS) return refuse(p, g, "needs [values]");
    size_t n = list && list->type == VAL_ARRAY ? list->n : list ? 1 : ARRAY_N(usual);
    if (n > 100) return refuse(p, g, "more than 100 percents");
    g->percents = arena_new_n(p->a, double, n);
    g->percent_n = n;
    for (size_t i = 0; i < n; i++) {
        g->percents[i] = list ? 0 : usual[i];
        if (list && !es_number(list->type == VAL_ARRAY ? &list->items[i] : list, &g->percents[i])) return refuse(p, g, "percents must be numbers");
        if (g->type == AGG_PERCENTILES && (g->percents[i] < 0 || g->percents[i] > 100)) return refuse(p, g, "percents must be in [0,100]");
    }
    return true;
}
static bool read_extended(struct parser *p, const struct value *v, struct agg *g) {
    g->sigma = 2;
    (void)es_number(es_get(v, "sigma"), &g->sigma);
    return read_field(p, v, g);
}
static bool read_top(struct parser *p, const struct value *v, struct agg *g) {
    g->size = read_count(v, "size", g->type == AGG_TOP_HITS ? 3 : 1);
    if (g->size > AGG_TOP_MAX) return refuse(p, g, "top hits are at most 100");
    if (!es_sort_read(es_get(v, "sort"), p->d->fields, p->a, &g->sort, &g->sort_n, p->e)) return false;
    if (!es_hit_options_read(v, p->a, &g->hits, p->e)) return false;
    g->hits.catalogue = p->d->fields;
    if (g->type == AGG_TOP_HITS) return true;
    const struct value *m = es_get(v, "metrics");
    size_t n = m && m->type == VAL_ARRAY ? m->n : m ? 1 : 0;
    if (n == 0 || n > 10 || g->sort_n == 0) return refuse(p, g, "needs 1 to 10 [metrics] and a [sort]");
    str *names = arena_new_n(p->a, str, n);
    for (size_t i = 0; i < n; i++) {
        names[i] = es_text(es_get(m->type == VAL_ARRAY ? &m->items[i] : m, "field"), p->a);
        if (str_ends(names[i], STR(".keyword"))) names[i].n -= sizeof ".keyword" - 1;
    }
    g->metrics = (struct es_names_list){names, n};
    return true;
}

static bool read_pipeline(struct parser *p, const struct value *v, struct agg *g) {
    const struct value *path = es_get(v, "buckets_path"), *script = es_get(v, "script");
    g->lag = read_count(v, "lag", 1);
    g->window = read_count(v, "window", 5);
    g->function = es_text(es_get(v, "model"), p->a);
    g->script = es_text(script && script->type == VAL_MAP ? es_get(script, "source") : script, p->a);
    if (!path) return refuse(p, g, "needs a [buckets_path]");
    if (path->type == VAL_MAP) {
        g->inputs = arena_new_n(p->a, struct agg_script_input, path->n);
        for (uint32_t i = 0; i < path->n; i++)
            g->inputs[g->input_n++] = (struct agg_script_input){path->fields[i].key, es_text(&path->fields[i].value, p->a)};
    } else {
        g->path = es_text(path, p->a);
    }
    bool scripted = g->type == AGG_BUCKET_SCRIPT || g->type == AGG_BUCKET_SELECTOR;
    if (scripted && (!g->script.n || !g->inputs || g->input_n > 16)) return refuse(p, g, "needs a [script] and a [buckets_path] of up to 16 names");
    if (!scripted && !g->path.n) return refuse(p, g, "needs one [buckets_path]");
    return g->lag > 0 || refuse(p, g, "[lag] must be greater than 0");
}

static const struct kind kinds[] = {
    {"terms", AGG_TERMS, read_terms},
    {"date_histogram", AGG_DATE_HISTOGRAM, read_date_histogram},
    {"histogram", AGG_HISTOGRAM, read_histogram},
    {"range", AGG_RANGE, read_ranges},
    {"date_range", AGG_DATE_RANGE, read_ranges},
    {"filter", AGG_FILTER, read_filters},
    {"filters", AGG_FILTERS, read_filters},
    {"missing", AGG_MISSING, read_field},
    {"composite", AGG_COMPOSITE, read_composite},
    {"min", AGG_MIN, read_field},
    {"max", AGG_MAX, read_field},
    {"avg", AGG_AVG, read_field},
    {"sum", AGG_SUM, read_field},
    {"value_count", AGG_VALUE_COUNT, read_field},
    {"stats", AGG_STATS, read_field},
    {"extended_stats", AGG_EXTENDED_STATS, read_extended},
    {"cardinality", AGG_CARDINALITY, read_field},
    {"percentiles", AGG_PERCENTILES, read_percents},
    {"percentile_ranks", AGG_PERCENTILE_RANKS, read_percents},
    {"top_hits", AGG_TOP_HITS, read_top},
    {"top_metrics", AGG_TOP_METRICS, read_top},
    {"derivative", AGG_DERIVATIVE, read_pipeline},
    {"cumulative_sum", AGG_CUMULATIVE_SUM, read_pipeline},
    {"serial_diff", AGG_SERIAL_DIFF, read_pipeline},
    {"moving_avg", AGG_MOVING_FN, read_pipeline},
    {"moving_fn", AGG_MOVING_FN, read_pipeline},
    {"bucket_script", AGG_BUCKET_SCRIPT, read_pipeline},
    {"bucket_selector", AGG_BUCKET_SELECTOR, read_pipeline},
    {"avg_bucket", AGG_AVG_BUCKET, read_pipeline},
    {"max_bucket", AGG_MAX_BUCKET, read_pipeline},
    {"min_bucket", AGG_MIN_BUCKET, read_pipeline},
    {"sum_bucket", AGG_SUM_BUCKET, read_pipeline},
};

static bool parse_list(struct parser *p, const struct value *spec, struct agg **out, size_t *n);

static bool parse_one(struct parser *p, const struct value *v, struct agg *g) {
    const struct kind *kind = NULL;
    const struct value *params = NULL, *subs = NULL;
    for (uint32_t i = 0; v->type == VAL_MAP && i < v->n; i++) {
        str key = v->fields[i].key;
        if (str_eq(key, STR("aggs")) || str_eq(key, STR("aggregations"))) {
            subs = &v->fields[i].value;
            continue;
        }
        if (str_eq(key, STR("meta"))) continue;
        if (kind) return refuse(p, g, "found two aggregation types");
        for (size_t k = 0; k < ARRAY_N(kinds) && !kind; k++)
            if (str_eq_c(key, kinds[k].name)) kind = &kinds[k];
        if (!kind) return err_set(p->e, ERR_INPUT, "Unknown aggregation type [%" STR_F "]: it is not offered", STR_A(key));
        params = &v->fields[i].value;
    }
    if (!kind || params->type != VAL_MAP) return refuse(p, g, "needs one aggregation type with an object");
    g->type = kind->type;
    if (!kind->read(p, params, g)) return false;
    if (!subs) return true;
    if (!agg_is_bucket(g->type)) return refuse(p, g, "cannot have sub-aggregations");
    return parse_list(p, subs, &g->subs, &g->sub_n);
}
static bool parse_list(struct parser *p, const struct value *spec, struct agg **out, size_t *n) {
    if (spec->type != VAL_MAP) return err_set(p->e, ERR_INPUT, "[aggs] must be an object");
    if (++p->depth > AGGS_DEPTH_MAX) return err_set(p->e, ERR_INPUT, "aggregations are nested more than %d deep", AGGS_DEPTH_MAX);
    p->n += spec->n;
    if (p->n > AGGS_N_MAX) return err_set(p->e, ERR_INPUT, "more than %d aggregations", AGGS_N_MAX);
    struct agg *list = arena_zalloc(p->a, spec->n * sizeof *list);
    for (uint32_t i = 0; i < spec->n; i++) {
        list[i].name = spec->fields[i].key;
        if (!parse_one(p, &spec->fields[i].value, &list[i])) return false;
    }
    p->depth--;
    *out = list;
    *n = spec->n;
    return true;
}

bool aggs_parse(const struct value *spec, const struct es_dsl *d, struct arena *a, struct agg **out, size_t *n, struct err *e) {
    struct parser p = {.d = d, .a = a, .e = e};
    return parse_list(&p, spec, out, n);
}
