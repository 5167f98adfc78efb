/* query/trace/summary: a trace in one line, as Jaeger's api_v3 trace-summaries and Tempo's search show it. Pure; any thread; memory from the arena.
 */
#pragma once
#include "base/arena.h"
#include "model/event.h"

struct service_count {
    str name;
    size_t spans, errors;
};
struct trace_summary {
    struct trace_id id;
    str root_service, root_name; /* of the first span without a parent; "" if it is not there */
    int64_t start_ns, end_ns;
    size_t spans, errors, orphans; /* orphans: spans whose parent is not in the trace */
    const struct service_count *services;
    size_t service_n;
};
/* spans: all of one trace, n > 0; streams[i] belongs to spans[i]. */
void trace_summarize(const struct event *spans, const struct stream *streams, size_t n, struct arena *a, struct trace_summary *out);
