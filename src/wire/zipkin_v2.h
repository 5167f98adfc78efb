/* wire/zipkin_v2: Zipkin's second span model, of its JSON v2 and its protobuf: one zipkin_v2_add turns a span into one event. Pure; one thread.
 * Source: zipkin-api zipkin2-api.yaml and zipkin.proto; mapping as Jaeger 1.57's converter: localEndpoint is the stream's service (and its ip;
 * beyond Jaeger: its ipv6 and port), remoteEndpoint the tags peer.*, annotations are span events, debug is flag 2; shared, which Jaeger drops, is
 * kept in a flag above those that Jaeger and OTLP know. */
#pragma once
#include "wire/zipkin_v1.h"

#define ZIPKIN_NO_SERVICE "unknown-service-name" /* a span whose localEndpoint names none */
#define ZIPKIN_FLAG_DEBUG 2u
#define ZIPKIN_FLAG_SHARED (1u << 31)

struct zipkin_v2_span {
    struct trace_id trace;
    uint64_t id, parent_id;
    str name;
    str kind; /* "client", "server", "producer", "consumer"; "": none */
    int64_t time_us, duration_us;
    bool debug, shared;
    struct zipkin_endpoint local, remote;
    const struct zipkin_annotation *annotations; /* no hosts */
    size_t annotation_n;
    const struct field *tags;
    size_t tag_n;
};
void zipkin_v2_add(struct span_batch *s, const struct zipkin_v2_span *span);
