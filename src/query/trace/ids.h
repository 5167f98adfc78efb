/* query/trace/ids: trace and span ids as text. Pure; any thread. */
#pragma once
#include "base/err.h"
#include "codec/json.h"
#include "model/event.h"

/* 1..32 hex digits, leading zeros optional. */
MUST_USE bool trace_id_parse(str s, struct trace_id *out, struct err *e);
/* Lower-case hex. Jaeger 1.57 and Zipkin write 16 digits for 64-bit ids; OTLP, Jaeger's api_v3 and Tempo always 32. */
void trace_id_put(struct json_out *o, struct trace_id id);
void trace_id_put_32(struct json_out *o, struct trace_id id);
void span_id_put(struct json_out *o, uint64_t id); /* 16 digits */
