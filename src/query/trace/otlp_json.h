/* query/trace/otlp_json: spans -> OTLP/JSON (TracesData), as Jaeger's api_v3 and Tempo answer: ids in lower-case hex (32 and 16 digits), 64-bit
 * integers as strings, enums as numbers, bytes as base64, fields without a value left out. Pure; any thread. Source: opentelemetry-proto. */
#pragma once
#include "codec/json.h"
#include "model/event.h"

/* The items of a resourceSpans array, which the caller has opened; streams[i] belongs to spans[i]. A reference that only repeats the parent is left
 * out. Values nested deeper than a writer goes become JSON in a string. */
void otlp_put_resource_spans(struct json_out *o, const struct event *spans, const struct stream *streams, size_t n);
