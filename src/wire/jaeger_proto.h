/* wire/jaeger_proto: spans as Jaeger's agents and collectors send them over gRPC -> span batch. Pure; any thread; the batch owns everything.
 * Source: jaeger-idl api_v2/model.proto, collector.proto.
 *
 *   PostSpansRequest  1 Batch
 *   Batch             1 repeated Span, 2 Process
 *   Span              1 trace_id (16 or 8 bytes, big-endian) 2 span_id (8) 3 operation_name 4 repeated SpanRef 5 flags 6 Timestamp start_time
 *                     7 Duration 8 repeated KeyValue 9 repeated Log 10 Process (else the batch's) 11 process_id 12 warnings
 *   SpanRef           1 trace_id 2 span_id 3 type (0 CHILD_OF, 1 FOLLOWS_FROM)
 *   KeyValue          1 key 2 type (0 string 1 bool 2 int64 3 float64 4 binary) 3 v_str 4 v_bool 5 v_int64 6 v_float64 7 v_binary
 *   Log               1 Timestamp, 2 repeated KeyValue
 *   Process           1 service_name 2 repeated KeyValue
 * Mapping as in jaeger_thrift.h. process_id has no meaning outside of a query's answer; warnings are what Jaeger's own query adds to a reply, no
 * client sends them: both are ignored. Spans without trace or span id, or with ids of another length, are left out and counted. */
#pragma once
#include "model/batch.h"

/* ERR_INPUT: not protobuf, with the byte offset. */
MUST_USE bool jaeger_post_spans_decode(str body, int64_t now_ns, struct event_batch **out, size_t *rejected, struct err *e);
