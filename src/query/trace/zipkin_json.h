/* query/trace/zipkin_json: spans -> Zipkin's JSON v2, as its query API answers. Pure; any thread. A span that came from Zipkin reads back as it was
 * sent; others are mapped as OpenTelemetry's specification of the Zipkin exporter says: attributes as text, an event with attributes as the
 * annotation "name":{..}, resource and scope as tags, an error's message as the tag "error". Source: zipkin-api zipkin2-api.yaml; OpenTelemetry
 * "Trace SDK exporters / Zipkin". */
#pragma once
#include "codec/json.h"
#include "model/event.h"

/* One array of spans; streams[i] belongs to spans[i]. */
void zipkin_put_trace(struct json_out *o, const struct event *spans, const struct stream *streams, size_t n);
