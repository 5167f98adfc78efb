/* query/promql/series_desc: the series notation of PromQL test scripts: `http_requests{path="/"} 0+10x5 _ stale {{schema:0 count:3 buckets:[1 2]}}`.
 * Pure; any one thread; results in the arena. Source: Prometheus' documentation of promqltest and of rule unit tests. */
#pragma once
#include "base/err.h"
#include "query/promql/hist.h"

struct desc_value {
    bool omitted; /* _ */
    double v;     /* STALE_NAN_BITS: stale */
    const struct hist *h;
    bool has_hint; /* the histogram names a counter_reset_hint */
};
struct desc_values {
    struct desc_value *p;
    size_t n, cap;
};
struct series_desc {
    struct labels labels;
    bool start_times; /* `series@st`: offsets instead of values */
    struct desc_values values;
    int64_t *offset_ms; /* start_times: per value, relative to the sample */
};
enum { SERIES_DESC_VALUES_MAX = 1 << 20 };
MUST_USE bool series_desc_parse(str line, struct arena *a, struct series_desc *out, struct err *e);
/* The form the store takes. */
struct histogram *hist_to_store(struct arena *a, const struct hist *h);
