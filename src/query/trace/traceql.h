/* query/trace/traceql: the first stage of TraceQL, as Grafana's search form writes it: one set of spans, conditions joined by &&.
 *
 *   {}      { resource.service.name = "shop" && name = "GET /" && span.http.status_code = 500 && status = error && duration > 100ms }
 *
 * Attributes (span.K, resource.K, .K, in quotes where needed), name, status and kind compare with =; duration with > >= < <= =.
 * Anything else is understood as TraceQL but refused with its place. Pure; any thread; memory from the arena. Source: Tempo's TraceQL documentation.
 */
#pragma once
#include "query/trace/search.h"

/* Sets service, operation, tags and durations of out; what is there already (tags) stays. ERR_INPUT or ERR_UNSUPPORTED, with the byte. */
MUST_USE bool traceql_parse(str text, struct arena *a, struct trace_search *out, struct err *e);
