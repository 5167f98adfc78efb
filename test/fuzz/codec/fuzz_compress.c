/* Any bytes in every decoder: never more than the limit, nothing appended on failure. */
#include "codec/compress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef bool (*decode_fn)(str in, size_t max_bytes, struct buf *out, struct err *e);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const decode_fn decoders[] = {gzip_decode, zstd_decode, snappy_decode};
    enum { LIMIT = 1 << 20 };
    for (size_t i = 0; i < ARRAY_N(decoders); i++) {
        struct buf out = {0};
        struct err e = {0};
        bool ok = decoders[i](str_n(data, size), LIMIT, &out, &e);
        assert(out.n <= LIMIT && out.cap <= 4 * LIMIT);
        assert(ok || (out.n == 0 && (e.code == ERR_INPUT || e.code == ERR_LIMIT)));
        buf_done(&out);
    }
    return 0;
}
