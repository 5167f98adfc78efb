#include "wire/zipkin_proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct event_batch *b;
    size_t rejected;
    struct err e;
    if (!zipkin_proto_decode(str_n(data, size), 1, &b, &rejected, &e)) return 0;
    for (size_t k = 0; k < b->event_n; k++) assert(b->events[k].stream < b->stream_n && b->events[k].span_id != 0);
    event_batch_free(b);
    return 0;
}
