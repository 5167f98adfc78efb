/* First byte: whether the rest is compressed already. A request that decodes has compiled regular expressions. */
#include "codec/compress.h"
#include "wire/remote_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    AUTO(buf_done) struct buf packed = {0};
    AUTO(arena_free) struct arena *a = arena_new(4096);
    str body = str_n(data + 1, size - 1);
    if (data[0] & 1)
        buf_add(&packed, body);
    else
        snappy_encode(body, &packed);
    struct read_request r;
    struct err e;
    if (!read_request_decode(buf_str(&packed), 1 << 20, a, &r, &e)) return 0;
    for (size_t i = 0; i < r.query_n; i++)
        for (size_t k = 0; k < r.queries[i].m_n; k++) assert((r.queries[i].m[k].op >= MATCH_RE) == (r.queries[i].m[k].re != NULL));
    read_request_done(&r);
    return 0;
}
