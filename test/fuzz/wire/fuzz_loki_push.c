/* A push as protobuf (the input is what snappy unpacked, so that the fuzzer reaches it) and as JSON. */
#include "codec/compress.h"
#include "wire/loki_push.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode(enum loki_encoding encoding, str body) {
    struct event_batch *b = NULL;
    size_t rejected = 0;
    struct err why, e;
    if (!loki_push_decode(encoding, body, 1 << 20, 1795348800000000000, &b, &rejected, &why, &e)) return;
    for (size_t i = 0; i < b->event_n; i++) assert(b->events[i].stream < b->stream_n);
    event_batch_free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    AUTO(buf_done) struct buf packed = {0};
    snappy_encode(str_n(data, size), &packed);
    decode(LOKI_PROTO, buf_str(&packed));
    decode(LOKI_JSON, str_n(data, size));
    return 0;
}
