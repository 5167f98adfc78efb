/* Collecting rows into aggregation states. */
#include "api/elastic_aggs.h"

#include <math.h>
#include <stdlib.h>

#include "api/elastic_aggs_tree.h"
#include "base/clock.h"
#include "base/hash.h"
#include "codec/isodate.h"

struct collect {
    struct es_aggs *a;
    const struct evrow *row;
    struct err *e;
};

static bool into(struct collect *c, const struct agg *g, struct agg_state *s);

/* --- values */

static double as_number(const struct value *v, bool date, bool *ok) {
    double d = 0;
    int64_t from, to;
    *ok = true;
    switch (v->type) {
    case VAL_INT: return (double)v->i;
    case VAL_DOUBLE: return v->d;
    case VAL_BOOL: return v->b;
    case VAL_STRING:
        if (date && isodate_parse(v->s, 0, &from, &to)) return (double)(from / NS_PER_MS);
        break;
    case VAL_NULL:
    case VAL_BYTES:
    case VAL_ARRAY:
    case VAL_MAP: break;
    }
    *ok = false;
    return d;
}
static bool as_ns(const struct agg *g, str field, const struct value *v, int64_t *out) {
    int64_t to;
    if (v->type == VAL_STRING) return isodate_parse(v->s, 0, out, &to);
    if (v->type != VAL_INT) return false;
    (void)g;
    *out = v->i;
    return str_eq(field, STR("@timestamp")) || !__builtin_mul_overflow(v->i, NS_PER_MS, out);
}
static size_t values_of(struct collect *c, const struct agg *g, struct value *out) {
    size_t n = es_row_values(c->row, g->field, c->a->scratch, out, AGG_VALUES_MAX);
    if (n || !g->has_missing) return n;
    out[0] = g->missing;
    return 1;
}

/* --- buckets */

static uint64_t value_hash(const struct value *v) {
    switch (v->type) {
    case VAL_STRING: return hash_str(v->s);
    case VAL_INT: return hash_mix((uint64_t)v->i, VAL_INT);
    case VAL_DOUBLE: return hash_str(str_n(&v->d, sizeof v->d));
    case VAL_BOOL: return hash_mix(v->b, VAL_BOOL);
    case VAL_ARRAY: {
        uint64_t h = v->n;
        for (uint32_t i = 0; i < v->n; i++) h = hash_mix(h, value_hash(&v->items[i]));
        return h;
    }
    case VAL_NULL:
    case VAL_BYTES:
    case VAL_MAP: break;
    }
    return 1;
}
static struct agg_bucket *find_bucket(struct agg_state *s, const struct value *key, uint64_t hash) {
    if (s->last < s->buckets.n && value_eq(&s->buckets.p[s->last].key, key)) return &s->buckets.p[s->last];
    for (size_t at = map_first(&s->by_key, hash); at != MAP_END; at = map_next(&s->by_key, at, hash)) {
        s->last = (size_t)s->by_key.slots[at].value - 1;
        if (value_eq(&s->buckets.p[s->last].key, key)) return &s->buckets.p[s->last];
    }
    return NULL;
}

struct agg_state *agg_new_states(struct es_aggs *a, const struct agg *g) {
    struct agg_state *s = arena_zalloc(a->arena, (g->sub_n + 1) * sizeof *s);
    for (size_t i = 0; i < g->sub_n; i++) {
        s[i].min = INFINITY;
        s[i].max = -INFINITY;
        s[i].last = SIZE_MAX;
        bool fixed = g->subs[i].type >= AGG_RANGE && g->subs[i].type <= AGG_MISSING;
        size_t n = g->subs[i].type == AGG_MISSING ? 1 : g->subs[i].range_n;
        for (size_t k = 0; fixed && k < n; k++) agg_new_bucket(a, &g->subs[i], &s[i], value_int((int64_t)k));
    }
    return s;
}
struct agg_bucket *agg_new_bucket(struct es_aggs *a, const struct agg *g, struct agg_state *s, struct value key) {
    struct agg_bucket b = {.key = value_copy(a->arena, &key), .subs = agg_new_states(a, g)};
    avec_push(a->arena, &s->buckets, b);
    return &s->buckets.p[s->buckets.n - 1];
}

static bool into_bucket(struct collect *c, const struct agg *g, struct agg_bucket *b) {
    b->docs++;
    struct agg_state *subs = b->subs; /* the bucket itself may move */
    for (size_t i = 0; i < g->sub_n; i++)
        if (!into(c, &g->subs[i], &subs[i])) return false;
    return true;
}
static bool into_key(struct collect *c, const struct agg *g, struct agg_state *s, struct value key) {
    uint64_t hash = value_hash(&key);
    struct agg_bucket *b = find_bucket(s, &key, hash);
    if (!b) {
        if (arena_used_bytes(c->a->arena) > AGG_BYTES_MAX)
            return err_set(c->e, ERR_LIMIT, "aggregation [%" STR_F "] takes more than %d MiB: its field has too many values", STR_A(g->name),
                           AGG_BYTES_MAX >> 20);
        b = agg_new_bucket(c->a, g, s, key);
        if (!s->by_key.cap) vec_push(&c->a->maps, &s->by_key);
        map_put(&s->by_key, hash, s->buckets.n);
        s->last = s->buckets.n - 1;
    }
    return into_bucket(c, g, b);
}

static bool chosen(const struct agg *g, const struct value *v, struct arena *scratch) {
    if (!g->include.n && !g->exclude.n && !g->include_pattern && !g->exclude_pattern) return true;
    str text = es_text(v, scratch);
    bool in = !g->include.n && !g->include_pattern, out = false;
    for (size_t i = 0; i < g->include.n; i++) in |= str_eq(g->include.p[i], text);
    for (size_t i = 0; i < g->exclude.n; i++) out |= str_eq(g->exclude.p[i], text);
    if (g->include_pattern) in = automaton_match(g->include_pattern, text);
    if (g->exclude_pattern) out = automaton_match(g->exclude_pattern, text);
    return in && !out;
}
/* What a value is as a key: whole numbers are integers, dates milliseconds. */
static struct value term_key(struct value v, bool date, bool own_time) {
    int64_t from, to;
    if (v.type == VAL_DOUBLE && v.d == trunc(v.d) && fabs(v.d) < 9e15) return value_int((int64_t)v.d);
    if (date && v.type == VAL_STRING && isodate_parse(v.s, 0, &from, &to)) return value_int(from / NS_PER_MS);
    if (own_time && v.type == VAL_INT) return value_int(v.i / NS_PER_MS);
    return v;
}
static bool into_terms(struct collect *c, const struct agg *g, struct agg_state *s) {
    struct value values[AGG_VALUES_MAX];
    size_t n = values_of(c, g, values);
    bool own_time = str_eq(g->field, STR("@timestamp"));
    for (size_t i = 0; i < n; i++) {
        if (values[i].type == VAL_MAP || values[i].type == VAL_BYTES) continue;
        values[i] = term_key(values[i], g->date, own_time);
        bool twice = false;
        for (size_t k = 0; k < i && !twice; k++) twice = value_eq(&values[k], &values[i]);
        if (!twice && chosen(g, &values[i], c->a->scratch) && !into_key(c, g, s, values[i])) return false;
    }
    return true;
}

double agg_round(const struct agg_interval *i, double v) {
    return floor((v - i->offset) / i->step) * i->step + i->offset;
}
int64_t agg_round_ns(const struct agg_interval *i, int64_t ns) {
    if (i->calendar) return datemath_floor(ns - i->offset_ns, i->calendar, i->zone_s) + i->offset_ns;
    int64_t shift = i->zone_s * NS_PER_S - i->offset_ns, local = ns + shift;
    int64_t whole = local / i->fixed_ns - (local % i->fixed_ns < 0);
    return whole * i->fixed_ns - shift;
}
int64_t agg_next_ns(const struct agg_interval *i, int64_t ns) {
    if (!i->calendar) return ns + i->fixed_ns;
    return datemath_add(ns - i->offset_ns, 1, i->calendar, i->zone_s) + i->offset_ns;
}

static bool into_histogram(struct collect *c, const struct agg *g, struct agg_state *s) {
    struct value values[AGG_VALUES_MAX], last = {.type = VAL_NULL};
    size_t n = values_of(c, g, values);
    for (size_t i = 0; i < n; i++) {
        struct value key;
        int64_t ns;
        bool ok;
        if (g->type == AGG_DATE_HISTOGRAM) {
            if (!as_ns(g, g->field, &values[i], &ns)) continue;
            if (g->has_hard_bounds && ((double)ns < g->hard_lo || (double)ns > g->hard_hi)) continue;
            key = value_int(agg_round_ns(&g->interval, ns));
        } else {
            double v = as_number(&values[i], g->date, &ok);
            if (!ok || !isfinite(v) || (g->has_hard_bounds && (v < g->hard_lo || v > g->hard_hi))) continue;
            key = value_double(agg_round(&g->interval, v));
        }
        if (last.type != VAL_NULL && value_eq(&last, &key)) continue;
        last = key;
        if (!into_key(c, g, s, key)) return false;
    }
    return true;
}

static bool into_ranges(struct collect *c, const struct agg *g, struct agg_state *s) {
    struct value values[AGG_VALUES_MAX];
    size_t n = values_of(c, g, values);
    for (size_t k = 0; k < g->range_n; k++) {
        const struct agg_range *range = &g->ranges[k];
        bool in = false;
        for (size_t i = 0; i < n && !in; i++) {
            int64_t ns = 0;
            bool ok = true;
            double v = g->type == AGG_RANGE ? as_number(&values[i], g->date, &ok) : 0;
            if (g->type == AGG_DATE_RANGE) {
                ok = as_ns(g, g->field, &values[i], &ns);
                v = (double)ns;
            }
            in = ok && (!range->has_from || v >= range->from) && (!range->has_to || v < range->to);
        }
        if (in && !into_bucket(c, g, &s->buckets.p[k])) return false;
    }
    return true;
}
static bool into_filters(struct collect *c, const struct agg *g, struct agg_state *s) {
    bool any = false;
    for (size_t k = 0; k < g->range_n; k++) {
        const struct filter *f = g->ranges[k].filter;
        bool in = f ? es_row_matches(c->row, f, c->a->fields, c->a->scratch) : !any; /* without a filter: the bucket of the others, the last */
        any |= in;
        if (in && !into_bucket(c, g, &s->buckets.p[k])) return false;
    }
    return true;
}

static bool source_values(struct collect *c, const struct agg_source *src, struct value *out, size_t *n) {
    size_t found = es_row_values(c->row, src->field, c->a->scratch, out, AGG_VALUES_MAX), kept = 0;
    bool own_time = str_eq(src->field, STR("@timestamp"));
    for (size_t i = 0; i < found; i++) {
        struct value v = out[i];
        int64_t ns;
        bool ok = v.type != VAL_MAP && v.type != VAL_BYTES;
        if (src->type == AGG_DATE_HISTOGRAM && (ok = as_ns(NULL, src->field, &v, &ns))) v = value_int(agg_round_ns(&src->interval, ns));
        if (src->type == AGG_HISTOGRAM) {
            double d = as_number(&v, src->date, &ok);
            v = value_double(agg_round(&src->interval, d));
        }
        if (src->type == AGG_TERMS) v = term_key(v, src->date, own_time);
        if (ok) out[kept++] = v;
    }
    if (kept == 0 && src->missing_bucket) out[kept++] = (struct value){.type = VAL_NULL};
    *n = kept;
    return kept > 0;
}
/* Every combination of the sources' values. */
static bool into_composite(struct collect *c, const struct agg *g, struct agg_state *s, size_t source, struct value *tuple) {
    if (source == g->source_n) return into_key(c, g, s, (struct value){.type = VAL_ARRAY, .n = (uint32_t)g->source_n, .items = tuple});
    struct value *values = arena_new_n(c->a->scratch, struct value, AGG_VALUES_MAX);
    size_t n;
    if (!source_values(c, &g->sources[source], values, &n)) return true;
    for (size_t i = 0; i < n; i++) {
        tuple[source] = values[i];
        if (!into_composite(c, g, s, source + 1, tuple)) return false;
    }
    return true;
}

/* --- metrics */

/* HyperLogLog (Flajolet et al. 2007) of 2^14 registers, once there are more than a few thousand values. */
static void add_register(struct agg_state *s, uint64_t hash) {
    uint64_t index = hash >> (64 - HLL_BITS), rest = hash << HLL_BITS;
    uint8_t rank = (uint8_t)(rest ? __builtin_clzll(rest) + 1 : 64 - HLL_BITS + 1);
    s->registers[index] = MAX(s->registers[index], rank);
}
static void add_distinct(struct es_aggs *a, struct agg_state *s, uint64_t hash) {
    hash = hash_mix(hash, UINT64_C(0x9e3779b97f4a7c15)); /* even bits for the registers */
    if (s->registers) {
        add_register(s, hash);
        return;
    }
    if (map_first(&s->distinct, hash) != MAP_END) return;
    if (!s->distinct.cap) vec_push(&a->maps, &s->distinct);
    map_put(&s->distinct, hash, 1);
    if (s->distinct.n <= CARDINALITY_EXACT_MAX) return;
    s->registers = arena_zalloc(a->arena, (size_t)1 << HLL_BITS);
    for (size_t i = 0; i < s->distinct.cap; i++)
        if (s->distinct.slots[i].value) add_register(s, s->distinct.slots[i].hash);
}
double agg_cardinality(const struct agg_state *s) {
    if (!s->registers) return (double)s->distinct.n;
    double m = (double)(1 << HLL_BITS), sum = 0, zeros = 0;
    for (size_t i = 0; i < (size_t)1 << HLL_BITS; i++) {
        sum += ldexp(1, -s->registers[i]);
        zeros += s->registers[i] == 0;
    }
    double estimate = 0.7213 / (1 + 1.079 / m) * m * m / sum;
    return round(estimate <= 2.5 * m && zeros > 0 ? m * log(m / zeros) : estimate);
}

static void add_number(struct agg_state *s, double v) {
    s->sum += v;
    s->sum_squares += v * v;
    s->min = fmin(s->min, v);
    s->max = fmax(s->max, v);
}
static bool into_metric(struct collect *c, const struct agg *g, struct agg_state *s) {
    struct value values[AGG_VALUES_MAX];
    size_t n = values_of(c, g, values);
    bool own_time = str_eq(g->field, STR("@timestamp"));
    for (size_t i = 0; i < n; i++) {
        bool ok;
        if (g->type == AGG_VALUE_COUNT) {
            s->n++;
            continue;
        }
        if (g->type == AGG_CARDINALITY) {
            struct value key = term_key(values[i], g->date, own_time);
            add_distinct(c->a, s, value_hash(&key));
            continue;
        }
        double v = as_number(&values[i], g->date, &ok);
        if (!ok || isnan(v)) continue;
        if (own_time) v = floor(v / (double)NS_PER_MS);
        s->n++;
        add_number(s, v);
        if (g->type != AGG_PERCENTILES && g->type != AGG_PERCENTILE_RANKS) continue;
        if (arena_used_bytes(c->a->arena) > AGG_BYTES_MAX)
            return err_set(c->e, ERR_LIMIT, "percentiles of [%" STR_F "] are over too many values", STR_A(g->field));
        avec_push(c->a->arena, &s->values, v);
    }
    return true;
}

static int compare_doubles(const void *x, const void *y) {
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}
/* Between the two nearest values, each standing at the middle of its share, as Elasticsearch's digest has it while it is exact. */
double agg_percentile(const struct agg_state *s, double percent) {
    if (s->values.n == 0) return NAN;
    qsort(s->values.p, s->values.n, sizeof *s->values.p, compare_doubles);
    double at = percent / 100 * (double)s->values.n - 0.5;
    if (at <= 0) return s->values.p[0];
    size_t below = (size_t)at;
    if (below + 1 >= s->values.n) return s->values.p[s->values.n - 1];
    return s->values.p[below] + (at - (double)below) * (s->values.p[below + 1] - s->values.p[below]);
}

static str top_json(struct collect *c, const struct agg *g, const struct value *sort) {
    struct buf b = {0}, text = {0};
    struct json_out o = {.buf = &b}, keys = {.buf = &text};
    if (g->sort_n) es_sort_put(&keys, g->sort, g->sort_n, sort, false);
    if (g->type == AGG_TOP_HITS) {
        struct es_hit_options h = g->hits;
        h.scored = g->sort_n == 0;
        es_hit_put(&o, c->row, &h, buf_str(&text), c->a->scratch);
    } else {
        json_put_object(&o);
        json_put_key_c(&o, "sort");
        json_put_raw(&o, buf_str(&text));
        json_put_key_c(&o, "metrics");
        json_put_object(&o);
        for (size_t i = 0; i < g->metrics.n; i++) {
            struct value v[1];
            json_put_key(&o, g->metrics.p[i]);
            if (es_row_values(c->row, g->metrics.p[i], c->a->scratch, v, 1))
                json_put_value(&o, v);
            else
                json_put_null(&o);
        }
        json_put_object_end(&o);
        json_put_object_end(&o);
    }
    str json = arena_str(c->a->arena, buf_str(&b));
    buf_done(&b);
    buf_done(&text);
    return json;
}
/* Keeps the best few, in order. */
static bool into_top(struct collect *c, const struct agg *g, struct agg_state *s) {
    s->n++;
    struct value *sort = arena_new_n(c->a->scratch, struct value, g->sort_n);
    for (size_t i = 0; i < g->sort_n; i++) sort[i] = es_sort_value(&g->sort[i], c->row, c->a->scratch);
    size_t at = s->top_n;
    while (at > 0 && es_sort_compare(g->sort, g->sort_n, sort, s->top[at - 1].sort) < 0) at--;
    if (at >= g->size) return true;
    if (arena_used_bytes(c->a->arena) > AGG_BYTES_MAX)
        return err_set(c->e, ERR_LIMIT, "[%" STR_F "] takes too much memory: ask for fewer hits", STR_A(g->name));
    if (!s->top) s->top = arena_new_n(c->a->arena, struct agg_top, g->size);
    if (s->top_n < g->size) s->top_n++;
    memmove(&s->top[at + 1], &s->top[at], (s->top_n - at - 1) * sizeof *s->top);
    struct value *kept = arena_new_n(c->a->arena, struct value, g->sort_n);
    for (size_t i = 0; i < g->sort_n; i++) kept[i] = value_copy(c->a->arena, &sort[i]);
    s->top[at] = (struct agg_top){kept, top_json(c, g, kept)};
    return true;
}

static bool into(struct collect *c, const struct agg *g, struct agg_state *s) {
    struct value tuple[16], value[1];
    switch (g->type) {
    case AGG_TERMS: return into_terms(c, g, s);
    case AGG_DATE_HISTOGRAM:
    case AGG_HISTOGRAM: return into_histogram(c, g, s);
    case AGG_RANGE:
    case AGG_DATE_RANGE: return into_ranges(c, g, s);
    case AGG_FILTER:
    case AGG_FILTERS: return into_filters(c, g, s);
    case AGG_MISSING: return es_row_values(c->row, g->field, c->a->scratch, value, 1) || into_bucket(c, g, &s->buckets.p[0]);
    case AGG_COMPOSITE: return into_composite(c, g, s, 0, tuple);
    case AGG_MIN:
    case AGG_MAX:
    case AGG_AVG:
    case AGG_SUM:
    case AGG_VALUE_COUNT:
    case AGG_STATS:
    case AGG_EXTENDED_STATS:
    case AGG_CARDINALITY:
    case AGG_PERCENTILES:
    case AGG_PERCENTILE_RANKS: return into_metric(c, g, s);
    case AGG_TOP_HITS:
    case AGG_TOP_METRICS: return into_top(c, g, s);
    case AGG_DERIVATIVE:
    case AGG_CUMULATIVE_SUM:
    case AGG_SERIAL_DIFF:
    case AGG_MOVING_FN:
    case AGG_BUCKET_SCRIPT:
    case AGG_BUCKET_SELECTOR:
    case AGG_AVG_BUCKET:
    case AGG_MAX_BUCKET:
    case AGG_MIN_BUCKET:
    case AGG_SUM_BUCKET: return true;
    }
    return true;
}

bool es_aggs_read(const struct value *spec, const struct es_dsl *d, size_t buckets_max, struct es_aggs **out, struct err *e) {
    struct agg root = {.name = STR("aggs")};
    if (!aggs_parse(spec, d, d->arena, &root.subs, &root.sub_n, e)) return false;
    struct es_aggs *a = arena_one(d->arena, struct es_aggs);
    a->arena = arena_new(16 << 10);
    a->scratch = arena_new(16 << 10);
    a->root = root;
    a->fields = d->fields;
    a->buckets_max = buckets_max;
    a->states = agg_new_states(a, &a->root);
    *out = a;
    return true;
}
bool es_aggs_collect(struct es_aggs *a, const struct evrow *r, struct err *e) {
    struct collect c = {.a = a, .row = r, .e = e};
    arena_reset(a->scratch);
    for (size_t i = 0; i < a->root.sub_n; i++)
        if (!into(&c, &a->root.subs[i], &a->states[i])) return false;
    return true;
}
void es_aggs_free(struct es_aggs *a) {
    if (!a) return;
    for (size_t i = 0; i < a->maps.n; i++) map_done(a->maps.p[i]);
    vec_done(&a->maps);
    arena_free(a->arena);
    arena_free(a->scratch);
}
