/* Aggregation states -> the reply's "aggregations". */
#include <math.h>
#include <stdlib.h>

#include "api/elastic_aggs_tree.h"
#include "base/clock.h"

struct put {
    struct es_aggs *a;
    struct json_out *o;
    struct err *e;
};

static bool put_list(struct put *p, const struct agg *g, const struct agg_state *states, const double *extra);

/* --- numbers */

static void put_number(struct json_out *o, double v) {
    if (isfinite(v))
        json_put_double(o, v);
    else
        json_put_null(o);
}
static void put_named(struct json_out *o, const char *key, double v) {
    json_put_key(o, str_c(key));
    put_number(o, v);
}
static double variance(const struct agg_state *s) {
    double n = (double)s->n;
    return s->n ? fmax(0, (s->sum_squares - s->sum * s->sum / n) / n) : NAN;
}
double agg_metric(const struct agg *g, const struct agg_state *s, str property) {
    double n = (double)s->n;
    switch (g->type) {
    case AGG_MIN: return s->n ? s->min : NAN;
    case AGG_MAX: return s->n ? s->max : NAN;
    case AGG_AVG: return s->n ? s->sum / n : NAN;
    case AGG_SUM: return s->sum;
    case AGG_VALUE_COUNT: return n;
    case AGG_CARDINALITY: return agg_cardinality(s);
    case AGG_STATS:
    case AGG_EXTENDED_STATS:
        if (str_eq(property, STR("min"))) return s->n ? s->min : NAN;
        if (str_eq(property, STR("max"))) return s->n ? s->max : NAN;
        if (str_eq(property, STR("avg"))) return s->n ? s->sum / n : NAN;
        if (str_eq(property, STR("sum"))) return s->sum;
        if (str_eq(property, STR("count"))) return n;
        if (str_starts(property, STR("variance"))) return variance(s);
        if (str_starts(property, STR("std_deviation"))) return sqrt(variance(s));
        return NAN;
    case AGG_PERCENTILES: {
        struct value text = value_str(property);
        double percent;
        return es_number(&text, &percent) ? agg_percentile(s, percent) : NAN;
    }
    default: return NAN; /* of the many other types none is a number */
    }
}

static void put_stats(struct json_out *o, const struct agg *g, const struct agg_state *s) {
    json_put_key_c(o, "count");
    json_put_u64(o, s->n);
    put_named(o, "min", s->n ? s->min : NAN);
    put_named(o, "max", s->n ? s->max : NAN);
    put_named(o, "avg", s->n ? s->sum / (double)s->n : NAN);
    put_named(o, "sum", s->sum);
    if (g->type == AGG_STATS) return;
    double v = variance(s), n = (double)s->n, sampling = s->n > 1 ? v * n / (n - 1) : NAN, mean = s->n ? s->sum / n : NAN;
    put_named(o, "sum_of_squares", s->n ? s->sum_squares : NAN);
    put_named(o, "variance", v);
    put_named(o, "variance_population", v);
    put_named(o, "variance_sampling", sampling);
    put_named(o, "std_deviation", sqrt(v));
    put_named(o, "std_deviation_population", sqrt(v));
    put_named(o, "std_deviation_sampling", sqrt(sampling));
    json_put_key_c(o, "std_deviation_bounds");
    json_put_object(o);
    put_named(o, "upper", mean + g->sigma * sqrt(v));
    put_named(o, "lower", mean - g->sigma * sqrt(v));
    put_named(o, "upper_population", mean + g->sigma * sqrt(v));
    put_named(o, "lower_population", mean - g->sigma * sqrt(v));
    put_named(o, "upper_sampling", mean + g->sigma * sqrt(sampling));
    put_named(o, "lower_sampling", mean - g->sigma * sqrt(sampling));
    json_put_object_end(o);
}

static double rank_of(const struct agg_state *s, double v) {
    size_t below = 0;
    for (size_t i = 0; i < s->values.n; i++) below += s->values.p[i] <= v;
    return s->values.n ? 100 * (double)below / (double)s->values.n : NAN;
}
/* "50.0": percents are written with a fraction. */
static void put_percent_key(struct json_out *o, double v) {
    struct buf b = {0};
    buf_printf(&b, v == trunc(v) ? "%.1f" : "%g", v);
    json_put_key(o, buf_str(&b));
    buf_done(&b);
}
static void put_percents(struct json_out *o, const struct agg *g, const struct agg_state *s) {
    json_put_key_c(o, "values");
    if (g->keyed)
        json_put_object(o);
    else
        json_put_array(o);
    for (size_t i = 0; i < g->percent_n; i++) {
        double v = g->type == AGG_PERCENTILES ? agg_percentile(s, g->percents[i]) : rank_of(s, g->percents[i]);
        if (g->keyed) {
            put_percent_key(o, g->percents[i]);
            put_number(o, v);
            continue;
        }
        json_put_object(o);
        put_named(o, "key", g->percents[i]);
        put_named(o, "value", v);
        json_put_object_end(o);
    }
    if (g->keyed)
        json_put_object_end(o);
    else
        json_put_array_end(o);
}

static void put_top(struct json_out *o, const struct agg *g, const struct agg_state *s) {
    if (g->type == AGG_TOP_METRICS) {
        json_put_key_c(o, "top");
    } else {
        json_put_key_c(o, "hits");
        json_put_object(o);
        json_put_key_c(o, "total");
        json_put_object(o);
        json_put_key_c(o, "value");
        json_put_u64(o, s->n);
        json_put_key_c(o, "relation");
        json_put_string(o, STR("eq"));
        json_put_object_end(o);
        json_put_key_c(o, "max_score");
        if (g->sort_n == 0 && s->top_n)
            json_put_raw(o, STR("1.0"));
        else
            json_put_null(o);
        json_put_key_c(o, "hits");
    }
    json_put_array(o);
    for (size_t i = 0; i < s->top_n; i++) json_put_raw(o, s->top[i].json);
    json_put_array_end(o);
    if (g->type == AGG_TOP_HITS) json_put_object_end(o);
}

/* --- buckets */

static bool charge(struct put *p, size_t n) {
    p->a->put_buckets += n;
    if (p->a->put_buckets <= p->a->buckets_max) return true;
    return err_set(p->e, ERR_INPUT,
                   "Trying to create too many buckets. Must be less than or equal to: [%zu]. This limit can be set by [search.max_buckets]",
                   p->a->buckets_max);
}

static double order_value(const struct agg *g, const struct agg_bucket *b, str path) {
    return agg_bucket_value(g, b, path);
}
static int compare_keys(const struct value *x, const struct value *y) {
    static const struct es_sort_key plain = {.kind = ES_SORT_FIELD, .missing_first = true};
    return es_sort_compare(&plain, 1, x, y);
}
static int compare_tuples(const struct agg *g, const struct value *x, const struct value *y) {
    for (size_t i = 0; i < g->source_n; i++) {
        int c = compare_keys(&x[i], &y[i]);
        if (c) return g->sources[i].desc ? -c : c;
    }
    return 0;
}
static int compare_buckets(const void *x, const void *y, void *arg) {
    const struct agg *g = arg;
    const struct agg_bucket *a = x, *b = y;
    if (g->type == AGG_COMPOSITE) return compare_tuples(g, a->key.items, b->key.items);
    for (size_t i = 0; i < g->order_n; i++) {
        int c;
        str path = g->orders[i].path;
        if (str_eq(path, STR("_key"))) {
            c = compare_keys(&a->key, &b->key);
        } else if (str_eq(path, STR("_count"))) {
            c = (a->docs > b->docs) - (a->docs < b->docs);
        } else {
            double v = order_value(g, a, path), w = order_value(g, b, path);
            if (isnan(v) || isnan(w)) return isnan(v) - isnan(w); /* without a value: last */
            c = (v > w) - (v < w);
        }
        if (c) return g->orders[i].desc ? -c : c;
    }
    return compare_keys(&a->key, &b->key);
}

static bool put_bucket_rest(struct put *p, const struct agg *g, const struct agg_bucket *b) {
    json_put_key_c(p->o, "doc_count");
    json_put_u64(p->o, b->docs);
    return put_list(p, g, b->subs, b->extra);
}
static void put_date_key(struct json_out *o, int64_t ns, str format) {
    json_put_key_c(o, "key_as_string");
    es_put_date(o, ns, format);
    json_put_key_c(o, "key");
    json_put_i64(o, ns / NS_PER_MS - (ns % NS_PER_MS < 0));
}
static void put_key(struct json_out *o, const struct agg *g, const struct agg_bucket *b) {
    int64_t ns;
    if (g->type == AGG_DATE_HISTOGRAM) {
        put_date_key(o, b->key.i, g->format);
        return;
    }
    bool date = g->date || str_eq(g->field, STR("@timestamp"));
    if (g->type == AGG_TERMS && date && b->key.type == VAL_INT && !__builtin_mul_overflow(b->key.i, NS_PER_MS, &ns)) {
        put_date_key(o, ns, g->format);
        return;
    }
    json_put_key_c(o, "key");
    if (b->key.type == VAL_BOOL) {
        json_put_i64(o, b->key.b);
        json_put_key_c(o, "key_as_string");
        json_put_bool(o, b->key.b);
        return;
    }
    json_put_value(o, &b->key);
}

/* Pipelines over the buckets in their order, then the buckets that are kept. */
static bool put_buckets(struct put *p, const struct agg *g, struct agg_bucket *list, size_t n) {
    bool *kept = arena_alloc(p->a->arena, n + 1);
    memset(kept, true, n);
    if (!charge(p, n) || !agg_run_pipelines(p->a, g, list, n, kept, p->e)) return false;
    json_put_key_c(p->o, "buckets");
    if (g->keyed)
        json_put_object(p->o);
    else
        json_put_array(p->o);
    for (size_t i = 0; i < n; i++) {
        if (!kept[i]) continue;
        if (g->keyed) {
            struct buf name = {0};
            struct json_out text = {.buf = &name};
            if (g->type == AGG_DATE_HISTOGRAM)
                es_put_date(&text, list[i].key.i, g->format);
            else
                json_put_value(&text, &list[i].key);
            str s = buf_str(&name);
            json_put_key(p->o, s.n && s.p[0] == '"' ? str_sub(s, 1, s.n - 1) : s);
            buf_done(&name);
        }
        json_put_object(p->o);
        put_key(p->o, g, &list[i]);
        if (!put_bucket_rest(p, g, &list[i])) return false;
        json_put_object_end(p->o);
    }
    if (g->keyed)
        json_put_object_end(p->o);
    else
        json_put_array_end(p->o);
    return true;
}

static bool put_terms(struct put *p, const struct agg *g, const struct agg_state *s) {
    struct agg_bucket *list = s->buckets.p;
    size_t n = 0, shown;
    uint64_t others = 0;
    for (size_t i = 0; i < s->buckets.n; i++)
        if (list[i].docs >= g->min_doc_count) list[n++] = list[i];
    if (n) qsort_r(list, n, sizeof *list, compare_buckets, (void *)(uintptr_t)g);
    shown = MIN(n, g->size);
    for (size_t i = shown; i < n; i++) others += list[i].docs;
    json_put_key_c(p->o, "doc_count_error_upper_bound");
    json_put_i64(p->o, 0);
    json_put_key_c(p->o, "sum_other_doc_count");
    json_put_u64(p->o, others);
    return put_buckets(p, g, list, shown);
}

static double bucket_at(const struct agg *g, const struct agg_bucket *b) {
    return g->type == AGG_DATE_HISTOGRAM ? (double)b->key.i : b->key.d;
}
static struct value bound_key(const struct agg *g, double bound) {
    if (g->type == AGG_DATE_HISTOGRAM) return value_int(agg_round_ns(&g->interval, (int64_t)bound));
    return value_double(agg_round(&g->interval, bound));
}
static struct value next_key(const struct agg *g, struct value key, size_t steps) {
    if (g->type == AGG_DATE_HISTOGRAM) return value_int(agg_next_ns(&g->interval, key.i));
    (void)steps;
    return value_double(agg_round(&g->interval, key.d + g->interval.step * 1.5));
}
/* min_doc_count 0: empty buckets between the first and the last (and out to extended_bounds). */
static bool fill_gaps(struct put *p, const struct agg *g, struct agg_bucket **list, size_t *n) {
    struct agg_bucket *have = *list;
    struct value first, last;
    if (*n == 0 && !g->has_bounds) return true;
    first = *n ? have[0].key : bound_key(g, g->bound_lo);
    last = *n ? have[*n - 1].key : bound_key(g, g->bound_hi);
    struct value lo = g->has_bounds ? bound_key(g, g->bound_lo) : first, hi = g->has_bounds ? bound_key(g, g->bound_hi) : last;
    if (compare_keys(&lo, &first) < 0) first = lo;
    if (compare_keys(&hi, &last) > 0) last = hi;
    struct agg_state full = {0};
    size_t at = 0;
    for (struct value key = first; compare_keys(&key, &last) <= 0; key = next_key(g, key, full.buckets.n)) {
        while (at < *n && compare_keys(&have[at].key, &key) < 0) avec_push(p->a->arena, &full.buckets, have[at++]);
        if (at < *n && compare_keys(&have[at].key, &key) == 0)
            avec_push(p->a->arena, &full.buckets, have[at++]);
        else
            agg_new_bucket(p->a, g, &full, key);
        if (full.buckets.n > p->a->buckets_max) return charge(p, full.buckets.n);
    }
    while (at < *n) avec_push(p->a->arena, &full.buckets, have[at++]);
    *list = full.buckets.p;
    *n = full.buckets.n;
    return true;
}
static int compare_starts(const void *x, const void *y, void *arg) {
    double a = bucket_at(arg, x), b = bucket_at(arg, y);
    return (a > b) - (a < b);
}
static bool put_histogram(struct put *p, const struct agg *g, const struct agg_state *s) {
    struct agg_bucket *list = s->buckets.p;
    size_t n = s->buckets.n, kept = 0;
    if (n) qsort_r(list, n, sizeof *list, compare_starts, (void *)(uintptr_t)g);
    if (g->min_doc_count == 0 && !fill_gaps(p, g, &list, &n)) return false;
    for (size_t i = 0; i < n; i++)
        if (list[i].docs >= g->min_doc_count) list[kept++] = list[i];
    if (g->order_n && kept) qsort_r(list, kept, sizeof *list, compare_buckets, (void *)(uintptr_t)g);
    return put_buckets(p, g, list, kept);
}

static str range_key(const struct agg *g, const struct agg_range *r, struct arena *a) {
    if (r->key.n) return r->key;
    struct buf b = {0};
    struct json_out o = {.buf = &b};
    for (unsigned side = 0; side < 2; side++) {
        bool has = side ? r->has_to : r->has_from;
        double v = side ? r->to : r->from;
        if (side) buf_char(&b, '-');
        o = (struct json_out){.buf = &b};
        if (!has)
            buf_char(&b, '*');
        else if (g->type == AGG_DATE_RANGE)
            es_put_date(&o, (int64_t)v, g->format);
        else
            buf_printf(&b, v == trunc(v) && fabs(v) < 1e15 ? "%.1f" : "%.17g", v);
    }
    size_t n = 0;
    for (size_t i = 0; i < b.n; i++)
        if (b.p[i] != '"') b.p[n++] = b.p[i];
    str s = arena_str(a, str_n(b.p, n));
    buf_done(&b);
    return s;
}
static void put_edge(struct json_out *o, const struct agg *g, const char *name, double v) {
    if (g->type == AGG_RANGE) {
        put_named(o, name, v);
        return;
    }
    put_named(o, name, floor(v / (double)NS_PER_MS));
    struct buf key = {0};
    buf_printf(&key, "%s_as_string", name);
    json_put_key(o, buf_str(&key));
    es_put_date(o, (int64_t)v, g->format);
    buf_done(&key);
}
static bool put_ranges(struct put *p, const struct agg *g, const struct agg_state *s) {
    bool filters = g->type == AGG_FILTERS, named = filters ? g->filters_named : g->keyed;
    if (!charge(p, g->range_n)) return false;
    json_put_key_c(p->o, "buckets");
    if (named)
        json_put_object(p->o);
    else
        json_put_array(p->o);
    for (size_t i = 0; i < g->range_n; i++) {
        const struct agg_range *r = &g->ranges[i];
        str key = filters ? r->key : range_key(g, r, p->a->arena);
        if (named) json_put_key(p->o, key);
        json_put_object(p->o);
        if (!named && !filters) {
            json_put_key_c(p->o, "key");
            json_put_string(p->o, key);
        }
        if (r->has_from) put_edge(p->o, g, "from", r->from);
        if (r->has_to) put_edge(p->o, g, "to", r->to);
        if (!put_bucket_rest(p, g, &s->buckets.p[i])) return false;
        json_put_object_end(p->o);
    }
    if (named)
        json_put_object_end(p->o);
    else
        json_put_array_end(p->o);
    return true;
}

static void put_tuple(struct json_out *o, const struct agg *g, const struct value *tuple) {
    json_put_object(o);
    for (size_t i = 0; i < g->source_n; i++) {
        json_put_key(o, g->sources[i].name);
        bool date = g->sources[i].type == AGG_DATE_HISTOGRAM && tuple[i].type == VAL_INT;
        if (date && g->sources[i].format.n)
            es_put_date(o, tuple[i].i, g->sources[i].format);
        else if (date)
            json_put_i64(o, tuple[i].i / NS_PER_MS);
        else
            json_put_value(o, &tuple[i]);
    }
    json_put_object_end(o);
}
static bool put_composite(struct put *p, const struct agg *g, const struct agg_state *s) {
    struct agg_bucket *list = s->buckets.p;
    size_t n = s->buckets.n, from = 0;
    if (n) qsort_r(list, n, sizeof *list, compare_buckets, (void *)(uintptr_t)g);
    while (g->after && from < n && compare_tuples(g, list[from].key.items, g->after) <= 0) from++;
    n = MIN(n, from + g->size);
    if (!charge(p, n - from)) return false;
    if (n > from) {
        json_put_key_c(p->o, "after_key");
        put_tuple(p->o, g, list[n - 1].key.items);
    }
    json_put_key_c(p->o, "buckets");
    json_put_array(p->o);
    for (size_t i = from; i < n; i++) {
        json_put_object(p->o);
        json_put_key_c(p->o, "key");
        put_tuple(p->o, g, list[i].key.items);
        if (!put_bucket_rest(p, g, &list[i])) return false;
        json_put_object_end(p->o);
    }
    json_put_array_end(p->o);
    return true;
}

static void put_metric(struct json_out *o, const struct agg *g, const struct agg_state *s) {
    double v = agg_metric(g, s, STR(""));
    put_named(o, "value", v);
    bool date = (g->date || str_eq(g->field, STR("@timestamp"))) && (g->type == AGG_MIN || g->type == AGG_MAX || g->type == AGG_AVG);
    if (!date || !isfinite(v) || fabs(v) > 9e12) return;
    json_put_key_c(o, "value_as_string");
    es_put_date(o, (int64_t)v * NS_PER_MS, g->format);
}

/* {avg,max,min,sum}_bucket: over the buckets of a sibling, "histogram>metric". */
static void put_sibling(struct put *p, const struct agg *parent, const struct agg_state *states, const struct agg *g) {
    str rest = g->path, first;
    str_cut(&rest, '>', &first);
    double sum = 0, best = NAN;
    size_t n = 0;
    for (size_t i = 0; i < parent->sub_n; i++) {
        if (!str_eq(parent->subs[i].name, first)) continue;
        for (size_t k = 0; k < states[i].buckets.n; k++) {
            const struct agg_bucket *b = &states[i].buckets.p[k];
            double v = b->docs ? agg_bucket_value(&parent->subs[i], b, rest.n ? rest : STR("_count")) : NAN; /* gaps are skipped */
            if (isnan(v)) continue;
            n++;
            sum += v;
            if (isnan(best) || (g->type == AGG_MAX_BUCKET ? v > best : v < best)) best = v;
        }
    }
    double v = g->type == AGG_SUM_BUCKET ? sum : g->type == AGG_AVG_BUCKET ? (n ? sum / (double)n : NAN) : best;
    put_named(p->o, "value", v);
}

static bool put_one(struct put *p, const struct agg *g, const struct agg_state *s) {
    switch (g->type) {
    case AGG_TERMS: return put_terms(p, g, s);
    case AGG_DATE_HISTOGRAM:
    case AGG_HISTOGRAM: return put_histogram(p, g, s);
    case AGG_RANGE:
    case AGG_DATE_RANGE:
    case AGG_FILTERS: return put_ranges(p, g, s);
    case AGG_FILTER:
    case AGG_MISSING: return put_bucket_rest(p, g, &s->buckets.p[0]);
    case AGG_COMPOSITE: return put_composite(p, g, s);
    case AGG_STATS:
    case AGG_EXTENDED_STATS: put_stats(p->o, g, s); return true;
    case AGG_PERCENTILES:
    case AGG_PERCENTILE_RANKS: put_percents(p->o, g, s); return true;
    case AGG_TOP_HITS:
    case AGG_TOP_METRICS: put_top(p->o, g, s); return true;
    case AGG_MIN:
    case AGG_MAX:
    case AGG_AVG:
    case AGG_SUM:
    case AGG_VALUE_COUNT:
    case AGG_CARDINALITY: put_metric(p->o, g, s); return true;
    case AGG_DERIVATIVE:
    case AGG_CUMULATIVE_SUM:
    case AGG_SERIAL_DIFF:
    case AGG_MOVING_FN:
    case AGG_BUCKET_SCRIPT:
    case AGG_BUCKET_SELECTOR:
    case AGG_AVG_BUCKET:
    case AGG_MAX_BUCKET:
    case AGG_MIN_BUCKET:
    case AGG_SUM_BUCKET: break;
    }
    return true;
}
/* extra: the results of the pipelines among the subs; NULL: there are none here. */
static bool put_list(struct put *p, const struct agg *g, const struct agg_state *states, const double *extra) {
    for (size_t i = 0; i < g->sub_n; i++) {
        const struct agg *sub = &g->subs[i];
        bool pipeline = agg_is_pipeline(sub->type);
        if (pipeline && !agg_is_sibling(sub->type) && (!extra || isnan(extra[i]))) continue;
        json_put_key(p->o, sub->name);
        json_put_object(p->o);
        if (!pipeline && !put_one(p, sub, &states[i])) return false;
        if (pipeline && agg_is_sibling(sub->type))
            put_sibling(p, g, states, sub);
        else if (pipeline)
            put_named(p->o, "value", extra[i]);
        json_put_object_end(p->o);
    }
    return true;
}

bool es_aggs_put(struct es_aggs *a, struct json_out *o, struct err *e) {
    struct put p = {.a = a, .o = o, .e = e};
    json_put_object(o);
    if (!put_list(&p, &a->root, a->states, NULL)) return false;
    json_put_object_end(o);
    return true;
}
