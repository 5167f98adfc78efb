/* wire/zipkin_json: the body of Zipkin's POST /api/v2/spans and /api/v1/spans as JSON -> span batch. Pure; any thread; the batch owns everything.
 * Source: zipkin-api zipkin2-api.yaml and zipkin-api.yaml; mapping as zipkin_v1.h and zipkin_v2.h say. Ids are 1..16 hex digits, trace ids up to
 * 32. */
#pragma once
#include "model/batch.h"

/* version 1 or 2. *rejected: spans without ids or with a time out of range. ERR_INPUT: not JSON (byte offset), or the other version. */
MUST_USE bool zipkin_json_decode(str body, int version, int64_t now_ns, struct event_batch **out, size_t *rejected, struct err *e);
