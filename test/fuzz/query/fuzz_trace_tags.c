/* logfmt tags, and Zipkin's annotationQuery: what is read lies in the text or the arena, and lowers to a filter. */
#include "query/trace/search.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena *a = arena_new(1024);
    struct buf b = {0};
    struct trace_search s = {0};
    struct trace_tag *tags;
    struct err e = {0};
    if (trace_tags_logfmt(str_n(data, size), a, &tags, &s.tag_n, &e)) {
        s.tags = tags;
        for (size_t i = 0; i < s.tag_n; i++) assert(tags[i].key.n > 0 && tags[i].key.n + tags[i].value.n <= size + 4 /* "true" */);
        filter_put(&b, trace_search_filter(&s, a));
        assert(b.n > 0);
    } else {
        assert(e.code == ERR_INPUT && e.msg[0]);
    }
    if (trace_tags_zipkin(str_n(data, size), a, &tags, &s.tag_n, &e)) {
        s.tags = tags;
        for (size_t i = 0; i < s.tag_n; i++) assert(tags[i].key.n > 0 && tags[i].any == (tags[i].value.n == 0));
        filter_put(&b, trace_search_filter(&s, a));
    }
    buf_done(&b);
    arena_free(a);
    return 0;
}
