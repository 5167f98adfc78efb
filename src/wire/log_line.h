/* wire/log_line: a line of program output -> a log event. Pure; any thread; borrows from the line and the arena.
 *
 *   a JSON object      its fields are the attrs, read as doc_event.h says; without a message field the line itself is the body
 *   anything else      the line is the body; from its head are read
 *     time             a leading RFC 3339 or "2026-11-22 12:00:00[.,]123" stamp, "[" allowed before it; klog's "I1122 12:00:00.123456"
 *     severity         the first level word among the first words: " ERROR ", "[warn]", "level=info", "WARN:"; klog's letter
 *     trace, span id   logfmt's trace_id=HEX, span_id=HEX (also traceID=, spanID=) */
#pragma once
#include "base/arena.h"
#include "model/event.h"

/* Fills kind, times (now_ns when the line has none), body, severity, severity_text, trace and span id, attrs of *out; leaves the rest. */
void log_line_event(str line, int64_t now_ns, struct arena *a, struct event *out);

/* The same for a line whose time and some fields are known from what carried it: a Loki entry, a Fluentd record, a syslog header. The time is
 * time_ns; known fields stand before the line's own and win over those of the same name; a severity or trace id among them wins over the line's. */
struct log_known {
    int64_t time_ns, now_ns;
    const struct field *fields;
    size_t field_n;
};
void log_line_known(str line, const struct log_known *known, struct arena *a, struct event *out);
/* A record whose fields have the line among them (message, log or msg; they keep it). */
void log_record_event(const struct log_known *known, struct arena *a, struct event *out);
