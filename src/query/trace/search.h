/* query/trace/search: a trace search as Jaeger asks it (traces.md 2.1), lowered to a filter on spans. All conditions hold on ONE span; a tag is
 * looked for among the span's attributes, its resource, scope, events and links, and compared as text. Pure; any thread; memory from the arena.
 * Source: Jaeger 1.57 query service and its in-memory store. */
#pragma once
#include "store/events/filter.h"

struct trace_tag {
    str key, value;
    bool any; /* it is there, whatever its value, or an event is called so */
};
struct trace_search {
    str service, operation; /* "": any */
    const struct trace_tag *tags;
    size_t tag_n;
    int64_t min_ns, max_ns; /* span duration; 0: no bound */
    int64_t from_ns, to_ns; /* start of the span */
    size_t limit;           /* traces */
};
/* Special keys: error=true|false (the span's status, or the tag), span.kind, span.status, otel.status_code OK|ERROR, otel.status_description,
 * otel.scope.name and .version, event (the name of a span's event); "resource.K" is K of the resource alone. */
const struct filter *trace_search_filter(const struct trace_search *s, struct arena *a);
/* `http.status_code=500 error="a b" retry` -> tags, as logfmt reads them: a key alone is "true"; in quotes \" and \\ are escapes.
 * ERR_INPUT names the byte. */
MUST_USE bool trace_tags_logfmt(str text, struct arena *a, struct trace_tag **out, size_t *n, struct err *e);
/* `error and http.method=GET`: Zipkin's annotationQuery. A key without a value is any tag or annotation of that name. */
MUST_USE bool trace_tags_zipkin(str text, struct arena *a, struct trace_tag **out, size_t *n, struct err *e);
