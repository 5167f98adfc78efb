/* Any bytes as protobuf, three levels deep; what can be read is written again and reads the same. */
#include "codec/pb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(str bytes, unsigned depth, struct buf *copy) {
    struct pb c = pb_open(bytes);
    for (struct pb_field f; pb_next(&c, &f);) {
        uint64_t v;
        struct pb_packed packed = pb_packed_open(&f, PB_VARINT), fixed = pb_packed_open(&f, PB_FIXED32);
        while (pb_packed_next(&packed, &v)) continue;
        while (pb_packed_next(&fixed, &v)) continue;
        if (depth && f.type == PB_BYTES) walk(f.bytes, depth - 1, NULL);
        if (!copy) continue;
        switch (f.type) {
        case PB_VARINT: pb_put_u64(copy, f.num, f.u); break;
        case PB_FIXED64: pb_put_fixed64(copy, f.num, f.u); break;
        case PB_FIXED32: pb_put_fixed32(copy, f.num, (uint32_t)f.u); break;
        case PB_BYTES: {
            size_t at = pb_begin(copy, f.num);
            buf_add(copy, f.bytes);
            pb_end(copy, at);
            break;
        }
        }
    }
    assert(pb_offset(&c) <= bytes.n);
    assert(c.bad || pb_offset(&c) == bytes.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct buf once = {0}, twice = {0};
    walk(str_n(data, size), 3, &once);
    walk(buf_str(&once), 0, &twice);
    assert(str_eq(buf_str(&once), buf_str(&twice)));
    buf_done(&once);
    buf_done(&twice);
    return 0;
}
