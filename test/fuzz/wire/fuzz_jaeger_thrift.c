/* A packet, a bare Batch, a list of Zipkin spans: every input is tried as all three. */
#include "wire/jaeger_thrift.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool (*const decoders[])(str, int64_t, struct event_batch **, struct jaeger_info *, struct err *) = {
        jaeger_packet_decode, jaeger_batch_decode, zipkin_thrift_decode};
    for (size_t i = 0; i < ARRAY_N(decoders); i++) {
        struct event_batch *b;
        struct jaeger_info info;
        struct err e;
        if (!decoders[i](str_n(data, size), 1, &b, &info, &e)) continue;
        for (size_t k = 0; k < b->event_n; k++) assert(b->events[k].stream < b->stream_n && b->events[k].span_id != 0);
        event_batch_free(b);
    }
    return 0;
}
