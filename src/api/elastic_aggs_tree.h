/* api/elastic_aggs_tree: the parts of the aggregations share this: what was asked for (struct agg, a tree) and what was seen (struct agg_state, one
 * per aggregation and bucket). Private to elastic_aggs_*.c. */
#pragma once
#include "api/elastic_aggs.h"
#include "base/map.h"
#include "base/vec.h"

enum {
    AGGS_DEPTH_MAX = 16,
    AGGS_N_MAX = 256,
    AGG_VALUES_MAX = 256,
    AGG_TOP_MAX = 100,
    AGG_BYTES_MAX = 256 << 20,
    HLL_BITS = 14,
    CARDINALITY_EXACT_MAX = 4096,
};

enum agg_type {
    AGG_TERMS,
    AGG_DATE_HISTOGRAM,
    AGG_HISTOGRAM,
    AGG_RANGE,
    AGG_DATE_RANGE,
    AGG_FILTER,
    AGG_FILTERS,
    AGG_MISSING,
    AGG_COMPOSITE,
    AGG_MIN, /* from here: metrics */
    AGG_MAX,
    AGG_AVG,
    AGG_SUM,
    AGG_VALUE_COUNT,
    AGG_STATS,
    AGG_EXTENDED_STATS,
    AGG_CARDINALITY,
    AGG_PERCENTILES,
    AGG_PERCENTILE_RANKS,
    AGG_TOP_HITS,
    AGG_TOP_METRICS,
    AGG_DERIVATIVE, /* from here: pipelines, on the buckets of their parent */
    AGG_CUMULATIVE_SUM,
    AGG_SERIAL_DIFF,
    AGG_MOVING_FN,
    AGG_BUCKET_SCRIPT,
    AGG_BUCKET_SELECTOR,
    AGG_AVG_BUCKET, /* from here: pipelines, on the buckets of a sibling */
    AGG_MAX_BUCKET,
    AGG_MIN_BUCKET,
    AGG_SUM_BUCKET,
};
static inline bool agg_is_bucket(enum agg_type t) {
    return t <= AGG_COMPOSITE;
}
static inline bool agg_is_pipeline(enum agg_type t) {
    return t >= AGG_DERIVATIVE;
}
static inline bool agg_is_sibling(enum agg_type t) {
    return t >= AGG_AVG_BUCKET;
}

struct agg_range { /* of range, date_range (ns), filters */
    str key;
    bool has_from, has_to;
    double from, to;
    const struct filter *filter;
};
struct agg_order {
    str path; /* "_count", "_key" or a metric */
    bool desc;
};
struct agg_interval { /* of histograms, and of sources of composite */
    int64_t fixed_ns;
    char calendar; /* unit, or 0 */
    int64_t offset_ns, zone_s;
    double step, offset;
};
struct agg_script_input {
    str name, path;
};
struct agg_source { /* of composite */
    str name, field, format;
    enum agg_type type; /* TERMS, HISTOGRAM, DATE_HISTOGRAM */
    bool desc, missing_bucket, date;
    struct agg_interval interval;
};

struct agg {
    str name;
    enum agg_type type;
    str field, format;
    bool date, has_missing, keyed, filters_named, other_bucket;
    struct value missing;
    struct agg *subs;
    size_t sub_n;
    size_t size, min_doc_count;
    struct agg_order orders[4];
    size_t order_n;
    struct es_names_list include, exclude;
    const struct automaton *include_pattern, *exclude_pattern;
    struct agg_interval interval;
    bool has_bounds, has_hard_bounds;
    double bound_lo, bound_hi, hard_lo, hard_hi; /* histogram: values; date_histogram: ns */
    struct agg_range *ranges;
    size_t range_n;
    double *percents; /* or values of percentile_ranks */
    size_t percent_n;
    double sigma;
    struct es_hit_options hits; /* top_hits */
    struct es_sort_key *sort;
    size_t sort_n;
    struct es_names_list metrics; /* top_metrics */
    struct agg_source *sources;
    size_t source_n;
    const struct value *after; /* composite: values by source, NULL: from the start */
    /* pipelines */
    str path, other_name;
    size_t lag, window;
    str function;
    struct agg_script_input *inputs;
    size_t input_n;
    str script;
};

struct agg_state;
struct agg_bucket {
    struct value key; /* TERMS: the value; histograms: VAL_INT ns or VAL_DOUBLE; COMPOSITE: VAL_ARRAY */
    uint64_t docs;
    struct agg_state *subs;
    double *extra; /* results of pipelines, by index among subs; NaN: none */
};
struct agg_top {
    struct value *sort;
    str json;
};
struct agg_state {
    struct { /* buckets */
        struct agg_bucket *p;
        size_t n, cap;
    } buckets;
    struct map by_key;
    size_t last; /* bucket used last */
    /* metrics */
    uint64_t n;
    double sum, sum_squares, min, max;
    struct {
        double *p;
        size_t n, cap;
    } values; /* percentiles: all of them, exact */
    struct map distinct;
    uint8_t *registers; /* beyond CARDINALITY_EXACT_MAX */
    struct agg_top *top;
    size_t top_n;
};

struct es_aggs {
    struct arena *arena, *scratch; /* states; one row */
    struct agg root;               /* its subs are the request's */
    struct agg_state *states;
    const struct fields *fields;
    size_t buckets_max, put_buckets;
    VEC(struct map *) maps; /* to free */
};

MUST_USE bool aggs_parse(const struct value *spec, const struct es_dsl *d, struct arena *a, struct agg **out, size_t *n, struct err *e);
struct agg_bucket *agg_new_bucket(struct es_aggs *a, const struct agg *g, struct agg_state *s, struct value key);
/* The states of all subs of g, ready to collect. */
struct agg_state *agg_new_states(struct es_aggs *a, const struct agg *g);
double agg_round(const struct agg_interval *i, double v);       /* histogram: start of the bucket */
int64_t agg_round_ns(const struct agg_interval *i, int64_t ns); /* date_histogram */
int64_t agg_next_ns(const struct agg_interval *i, int64_t ns);
/* "stats.max", "p.99", "m": NaN when there is none. */
double agg_metric(const struct agg *g, const struct agg_state *s, str property);
double agg_percentile(const struct agg_state *s, double percent); /* values are sorted by it */
double agg_cardinality(const struct agg_state *s);
/* buckets_path on one bucket of g. */
double agg_bucket_value(const struct agg *g, const struct agg_bucket *b, str path);
/* Computes the pipelines among g's subs for its buckets in their final order; selected[i]: kept by bucket_selector. */
MUST_USE bool agg_run_pipelines(struct es_aggs *a, const struct agg *g, struct agg_bucket *buckets, size_t n, bool *selected, struct err *e);
/* Arithmetic and comparisons on named numbers: the scripts that are offered. */
MUST_USE bool agg_script(str script, const struct agg_script_input *inputs, const double *values, size_t n, double *out, struct err *e);
