/* A message of the forward protocol, and the same bytes as a PING. */
#include "wire/fluent_forward.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct log_batch b = log_batch_new(1024);
    struct forward_message info;
    struct err e;
    AUTO(buf_done) struct buf pong = {0};
    if (forward_decode(str_n(data, size), 1795348800000000000, 1 << 20, &b, &info, &e))
        for (size_t i = 0; i < b.events.n; i++) assert(b.events.p[i].stream < b.streams.n);
    log_batch_done(&b);
    assert(!forward_answer_ping(str_n(data, size), STR("0123456789abcdef"), STR("a key that no input proves"), STR("here"), &pong, &e));
    return 0;
}
