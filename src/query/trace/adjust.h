/* query/trace/adjust: what Jaeger's query service repairs in a trace before it shows it (raw=true: not). Pure; any thread; memory from the arena.
 * Source: Jaeger 1.57 model/adjuster: the Zipkin span id uniquifier, IP tags, references without a trace. Clock skew is left alone (Jaeger's
 * default).
 *
 *   A server span that shares its id with a client span (Zipkin's way) gets an id of its own and the client span as parent.
 *   Integers in the tags "ip" and "peer.ipv4", of the span and of its process, become dotted addresses.
 *   Links to no trace at all are left out. */
#pragma once
#include "base/arena.h"
#include "model/event.h"

/* spans: all of one trace; streams[i] belongs to spans[i]. Both are changed in place; what they point to is not. */
void trace_adjust(struct event *spans, struct stream *streams, size_t n, struct arena *a);
