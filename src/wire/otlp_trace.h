/* wire/otlp_trace: ExportTraceServiceRequest -> span batch. Pure; any thread; the batch owns all it points to.
 * Source: opentelemetry-proto trace.proto; mapping as event.h says. A link is a FOLLOWS_FROM reference unless its attribute opentracing.ref_type
 * is "child_of". A span with an invalid or all-zero trace or span id is refused alone (partial success); the rest of the request is kept. */
#pragma once
#include "wire/otlp_common.h"

/* ERR_INPUT: not OTLP, with the byte offset; ERR_TOO_LARGE: too large once decoded. */
MUST_USE bool otlp_trace_decode(enum otlp_encoding enc, str body, int64_t now_ns, struct event_batch **out, struct otlp_partial *partial,
                                struct err *e);
