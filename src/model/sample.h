/* model/sample: what a metric series carries over time. Times are Unix milliseconds (int64), values doubles or native histograms.
 * Source: Prometheus 3 data model; model/histogram in its Go code for the bucket layout. Borrowed memory; any thread. */
#pragma once
#include "base/arena.h"
#include "base/value.h"
#include "model/labels.h"

/* The staleness marker: compare bits, not values. */
#define STALE_NAN_BITS UINT64_C(0x7ff0000000000002)
#define NORMAL_NAN_BITS UINT64_C(0x7ff8000000000001)
double stale_nan(void);
bool is_stale_nan(double v);

enum reset_hint { RESET_UNKNOWN, RESET_YES, RESET_NO, RESET_GAUGE };
enum { HIST_SCHEMA_CUSTOM = -53 }; /* schema -4..8: base 2^(2^-schema); -53: custom upper bounds */

struct hist_span {
    int32_t offset; /* gap to the previous span (first: start index) */
    uint32_t n;     /* buckets that follow */
};
/* A native histogram. Bucket values are absolute counts (not deltas) as doubles. Immutable once built. */
struct histogram {
    int32_t schema;
    enum reset_hint hint;
    double zero_threshold, zero_count, count, sum;
    uint32_t pos_span_n, neg_span_n, pos_n, neg_n, custom_n;
    const struct hist_span *pos_spans, *neg_spans;
    const double *pos, *neg; /* pos_n = sum of the spans' n */
    const double *custom;    /* HIST_SCHEMA_CUSTOM: upper bounds, +Inf implicit */
};
struct histogram *histogram_copy(struct arena *a, const struct histogram *h);
bool histogram_is_stale(const struct histogram *h); /* sum is the staleness marker */

/* Samples of one series, column-wise, ascending in time, times unique. h == NULL: all floats; else h[i] != NULL marks a histogram (v[i] undefined).
 * st_ms == NULL: no start timestamps; st_ms[i] == 0: unknown. */
struct samples {
    size_t n;
    const int64_t *t_ms;
    const double *v;
    const struct histogram *const *h;
    const int64_t *st_ms;
};

struct exemplar {
    struct labels labels;
    double v;
    int64_t t_ms; /* 0: none given */
};

enum metric_type {
    METRIC_UNKNOWN,
    METRIC_COUNTER,
    METRIC_GAUGE,
    METRIC_HISTOGRAM,
    METRIC_GAUGEHISTOGRAM,
    METRIC_SUMMARY,
    METRIC_INFO,
    METRIC_STATESET
};
const char *metric_type_name(enum metric_type t); /* "counter"... as /api/v1/metadata writes it */
struct metric_meta {
    str family; /* metric family name */
    enum metric_type type;
    str help, unit;
};
