/* query/trace/otlp_proto: spans -> OTLP protobuf: the ResourceSpans of a TracesData, which is also Tempo's Trace message. Pure; any thread.
 * Source: opentelemetry-proto trace.proto, common.proto, resource.proto. */
#pragma once
#include "base/buf.h"
#include "model/event.h"

/* Appends field 1, repeated; streams[i] belongs to spans[i]. A reference that only repeats the parent is left out, as in otlp_json. */
void otlp_proto_put_resource_spans(struct buf *b, const struct event *spans, const struct stream *streams, size_t n);
