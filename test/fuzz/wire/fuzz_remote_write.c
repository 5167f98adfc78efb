/* First byte: the version, and whether the rest is compressed already. */
#include "codec/compress.h"
#include "wire/remote_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    AUTO(buf_done) struct buf packed = {0};
    str body = str_n(data + 1, size - 1);
    if (data[0] & 2)
        buf_add(&packed, body);
    else
        snappy_encode(body, &packed);
    struct metric_batch *b;
    struct otlp_partial partial;
    struct err e;
    if (!remote_write_decode(buf_str(&packed), data[0] & 1 ? REMOTE_WRITE_2 : REMOTE_WRITE_1, 1 << 20, &b, &partial, &e)) return 0;
    for (size_t i = 0; i < b->row_n; i++) {
        struct labels ls;
        if (b->row_labels(b, i, b->arena, &ls, &e))
            assert(labels_get(ls, LABEL_METRIC_NAME).n);
        else
            assert(e.code == ERR_INPUT);
    }
    metric_batch_free(b);
    return 0;
}
