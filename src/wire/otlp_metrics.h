/* wire/otlp_metrics: ExportMetricsServiceRequest -> metric batches, one per resource. Pure; any thread; each batch owns all it points to.
 * Source: opentelemetry-proto metrics.proto; OpenTelemetry specification "Prometheus and OpenMetrics Compatibility"; names as otlp_names.h.
 *
 *   resource        target labels job ("service.namespace/service.name") and instance (service.instance.id); the other attributes become the
 *                   labels of one target_info series
 *   gauge, sum      one series; a monotonic sum is a counter
 *   histogram       _bucket{le}, _sum, _count; explicit bounds inclusive
 *   exponential     a native histogram; scale > 8 is merged down, scale < -4 refused
 *   summary         {quantile}, _sum, _count
 *   exemplars       of sums, buckets and native histograms, with trace_id and span_id
 *   flag 1          "no recorded value": a staleness marker
 * Delta temporality is refused point by point (partial success): rates need what came before. */
#pragma once
#include "wire/otlp_common.h"

struct otlp_metric_batches {
    struct metric_batch **p; /* each owned by the caller; the array is freed with free() */
    size_t n;
    size_t points; /* data points accepted */
};
void otlp_metric_batches_done(struct otlp_metric_batches *b); /* frees what is left: entries set to NULL were moved out */

MUST_USE bool otlp_metrics_decode(enum otlp_encoding enc, str body, int64_t now_ms, struct otlp_metric_batches *out, struct otlp_partial *partial,
                                  struct err *e);
