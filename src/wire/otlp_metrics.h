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
 *   delta           rows marked in batch.deltas, to be summed up before they are stored
 * Names and promoted attributes as the options say. */
#pragma once
#include "wire/otlp_common.h"
#include "wire/otlp_names.h"

/* Prometheus' settings of its OTLP receiver. Zeroed: its defaults. */
struct otlp_metrics_options {
    enum otlp_translation translation;
    const str *promoted; /* resource attributes that become labels of every series of the resource; a data point's own win */
    size_t promoted_n;
    bool promote_all;
    bool keep_identifying; /* service.name, service.namespace, service.instance.id stay labels of target_info too */
};
struct otlp_metric_batches {
    struct metric_batch **p; /* each owned by the caller; the array is freed with free() */
    size_t n;
    size_t points; /* data points accepted */
};
void otlp_metric_batches_done(struct otlp_metric_batches *b); /* frees what is left: entries set to NULL were moved out */

MUST_USE bool otlp_metrics_decode(enum otlp_encoding enc, str body, int64_t now_ms, const struct otlp_metrics_options *o,
                                  struct otlp_metric_batches *out, struct otlp_partial *partial, struct err *e);
