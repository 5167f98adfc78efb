/* TraceQL: what is accepted lowers to a filter; what is not says why. */
#include "query/trace/traceql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    AUTO(arena_free) struct arena *a = arena_new(1024);
    AUTO(buf_done) struct buf b = {0};
    struct trace_search s = {0};
    struct err e = {0};
    if (traceql_parse(str_n(data, size), a, &s, &e)) {
        assert(s.min_ns >= 0 && s.max_ns >= 0);
        filter_put(&b, trace_search_filter(&s, a));
        assert(b.n > 0);
    } else {
        assert(e.code != ERR_NONE && e.msg[0]);
    }
    return 0;
}
