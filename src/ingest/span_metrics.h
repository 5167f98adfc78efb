/* ingest/span_metrics: rate, errors and duration of every service and operation as metric series, counted from the spans on their way to the store: a
 * sink that passes everything on to the next one and counts the spans that were stored. Loop thread.
 *
 *   traces_span_metrics_calls_total{service_name, span_name, span_kind="SPAN_KIND_SERVER", status_code="STATUS_CODE_UNSET"}
 *   traces_span_metrics_duration_milliseconds_bucket{..., le}, _sum, _count; a bucket's newest span as its exemplar (trace_id, span_id)
 *
 * Written every interval; an operation without new spans for five minutes is not written until it has one. A series begins with a 0 at the flush
 * before, so that rate() sees its first spans, and a counter reset after a restart. Beyond operations_max operations, spans are counted under the
 * span_name "_other" of their service; beyond twice as many, under service_name "_other" too. So are names longer than 1 KiB.
 * Source: OpenTelemetry Collector's spanmetrics connector: names, labels and default buckets. */
#pragma once
#include "loop/loop.h"
#include "model/sink.h"

struct span_metrics;
/* interval_ms 0: never by itself. */
struct span_metrics *span_metrics_new(struct loop *l, struct sink *next, int64_t interval_ms, size_t operations_max);
struct sink *span_metrics_sink(struct span_metrics *m);
void span_metrics_flush(struct span_metrics *m, int64_t now_ms);
/* Last flush; nothing is written after it. Spans that are still on their way may be answered until span_metrics_free. NULL is fine for both. */
void span_metrics_stop(struct span_metrics *m);
void span_metrics_free(struct span_metrics *m);
