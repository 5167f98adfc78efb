/* wire/zipkin_proto: the body of Zipkin's POST /api/v2/spans as protobuf (zipkin.proto3.ListOfSpans) -> span batch. Pure; any thread; the batch owns
 * everything. Source: zipkin-api zipkin.proto; mapping as zipkin_v2.h says. Trace ids are 8 or 16 bytes, span ids 8, big-endian; a span with others
 * is refused alone. */
#pragma once
#include "model/batch.h"

/* *rejected: spans without ids or with a time out of range. ERR_INPUT: not protobuf of that form (byte offset). */
MUST_USE bool zipkin_proto_decode(str body, int64_t now_ns, struct event_batch **out, size_t *rejected, struct err *e);
