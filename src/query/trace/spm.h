/* query/trace/spm: Jaeger's "service performance monitoring" computed from spans: quantiles of latency, calls and share of errors per service, or per
 * service and operation, in points a step apart, each over the time `rate` before it. One thread at a time. A span counts at its start.
 * Source: Jaeger 1.57 plugin/metrics/prometheus and model/proto/metrics/openmetrics.proto (its JSON form). */
#pragma once
#include "base/err.h"
#include "codec/json.h"

enum { SPM_POINTS_MAX = 11000, SPM_SPANS_MAX = 4 << 20, SPM_SERIES_MAX = 10000 };
enum spm_metric { SPM_LATENCIES, SPM_CALLS, SPM_ERRORS };
struct spm_query {
    enum spm_metric metric;
    bool by_operation;
    double quantile;                          /* latencies: above 0, to 1 */
    int64_t from_ns, to_ns, step_ns, rate_ns; /* points from from_ns to to_ns: at most SPM_POINTS_MAX */
};
struct spm_span {
    str service, operation; /* copied */
    int64_t start_ns, duration_ns;
    bool error;
};

struct spm;
struct spm *spm_new(const struct spm_query *q);
void spm_free(struct spm *s); /* NULL is fine */
/* ERR_LIMIT: more than SPM_SPANS_MAX spans or SPM_SERIES_MAX series. */
MUST_USE bool spm_add(struct spm *s, const struct spm_span *span, struct err *e);
/* The MetricFamily; call once. Latencies in ms. A point without calls is left out, but in call rates, where it is 0. */
void spm_put(struct spm *s, struct json_out *o);
