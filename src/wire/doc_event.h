/* wire/doc_event: a JSON document read as a log event: what is known about it comes out of well-known fields. Pure; any thread; borrows.
 *
 *   time      @timestamp, timestamp, time, ts: ISO text, or a number of s, ms, us or ns since 1970 (told apart by size); else now_ns
 *   body      message, log, msg
 *   severity  severity, level, log.level, severity_text (a name or a bunyan/pino number)
 *   trace     trace_id, traceId, trace.id; span_id, spanId, span.id (hex)
 * A dotted name is found flat ("log.level") and nested ({"log":{"level":..}}); of several the first in these lists counts. */
#pragma once
#include "base/err.h"
#include "model/event.h"

/* Fills kind, times, body, severity, trace and span id of ev from its attrs. false: Elasticsearch would refuse the document too (its @timestamp is
 * no date); everything else is filled all the same. */
MUST_USE bool doc_event(struct event *ev, int64_t now_ns, struct err *e);
