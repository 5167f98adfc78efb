/* wire/jaeger_thrift: spans as Jaeger's and Zipkin's old clients send them in Thrift -> span batch. Pure; any thread; the batch owns everything.
 * Source: jaeger-idl jaeger.thrift, agent.thrift, zipkincore.thrift; mapping as Jaeger 1.57's converters.
 *
 *   Process      the stream: service and process tags
 *   Tag          by vType alone (real clients fill the other value fields too)
 *   references   parentSpanId, else the first CHILD_OF of the same trace, is the parent; the others are links. The parent is among the links as
 *                well when it is not the first reference, or is FOLLOWS_FROM too
 *   Log          a span event named by its field "event"
 * Spans without trace or span id are left out and counted. */
#pragma once
#include "codec/thrift.h"
#include "model/batch.h"

struct jaeger_info {
    size_t rejected;
    bool has_seq, has_stats;
    int64_t seq_no;          /* of the client's batches: a gap is a lost packet */
    uint64_t client_dropped; /* since the client began: its queue was full, the span too large, the sending failed */
};
/* A UDP packet: a message named emitBatch or emitZipkinBatch. Protocol and method are told by the content, whatever port it came to. */
MUST_USE bool jaeger_packet_decode(str packet, int64_t now_ns, struct event_batch **out, struct jaeger_info *info, struct err *e);
/* The body of POST /api/traces: a bare Batch in the binary protocol. */
MUST_USE bool jaeger_batch_decode(str body, int64_t now_ns, struct event_batch **out, struct jaeger_info *info, struct err *e);
/* The body of Zipkin's POST /api/v1/spans with application/x-thrift: a bare list<zipkincore.Span> in the binary protocol. */
MUST_USE bool zipkin_thrift_decode(str body, int64_t now_ns, struct event_batch **out, struct jaeger_info *info, struct err *e);
