/* PostSpansRequest of Jaeger's api_v2. */
#include "wire/jaeger_proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct event_batch *b;
    size_t rejected;
    struct err e;
    if (!jaeger_post_spans_decode(str_n(data, size), 1, &b, &rejected, &e)) return 0;
    for (size_t i = 0; i < b->event_n; i++) assert(b->events[i].stream < b->stream_n && b->events[i].span_id != 0);
    event_batch_free(b);
    return 0;
}
