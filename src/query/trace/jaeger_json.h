/* query/trace/jaeger_json: spans -> the trace JSON of Jaeger's query API (1.57 UI model). Pure; any thread.
 * Tags carry what OTLP keeps in fields, in the order of Jaeger's translator: otel.scope.name/.version, attributes, span.kind, otel.status_code,
 * error, otel.status_description, w3c.tracestate. A span that has a tag "error" or "span.kind" of its own (a Jaeger client's) gets none of the
 * derived ones of that meaning. 64-bit trace ids are written with 16 digits, others with 32. Integers that JavaScript cannot hold are strings. */
#pragma once
#include "codec/json.h"
#include "model/event.h"

/* One trace object; spans: all of one trace, streams[i] belongs to spans[i]. n > 0. Scratch memory from a. */
void jaeger_put_trace(struct json_out *o, const struct event *spans, const struct stream *streams, size_t n, struct arena *a);
/* "server", "client"...; "" for SPAN_UNSPECIFIED and what is no kind. */
str span_kind_name(unsigned kind);
