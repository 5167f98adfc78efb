/* wire/zipkin_v1: Zipkin's first span model, of its Thrift and its JSON v1: annotations "cs" "sr"... say what a span is, binary annotations are its
 * tags. One zipkin_v1_add turns one such span into one event, or two when client and server halves share the span id. Pure; one thread.
 * Source: zipkin-api zipkincore.thrift; mapping as Jaeger 1.57's converter. */
#pragma once
#include "wire/span_batch.h"

struct zipkin_endpoint {
    str service; /* "": none */
    uint32_t ipv4;
    uint16_t port;
    str ipv6;
};
struct zipkin_annotation {
    int64_t time_us;
    str value;
    struct zipkin_endpoint host;
};
struct zipkin_tag { /* a binary annotation */
    str key;
    struct value value;
    struct zipkin_endpoint host;
};
struct zipkin_v1_span {
    struct trace_id trace;
    uint64_t id, parent_id;
    str name;
    int64_t time_us, duration_us;
    bool debug;
    const struct zipkin_annotation *annotations;
    size_t annotation_n;
    const struct zipkin_tag *tags;
    size_t tag_n;
};
void zipkin_v1_add(struct span_batch *s, const struct zipkin_v1_span *span);
