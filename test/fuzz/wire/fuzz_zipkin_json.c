#include "wire/zipkin_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    for (int version = 1; version <= 2; version++) {
        struct event_batch *b;
        size_t rejected;
        struct err e;
        if (!zipkin_json_decode(str_n(data, size), version, 1, &b, &rejected, &e)) continue;
        for (size_t k = 0; k < b->event_n; k++) assert(b->events[k].stream < b->stream_n && b->events[k].span_id != 0);
        event_batch_free(b);
    }
    return 0;
}
