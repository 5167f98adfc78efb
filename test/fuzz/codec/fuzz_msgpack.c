/* Any bytes: skipping, scanning piece by piece and reading as a tree agree on where the value ends. */
#include "codec/msgpack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    AUTO(arena_free) struct arena *a = arena_new(1024);
    str bytes = str_n(data, size);
    struct msgpack skip = msgpack_open(bytes), tree = skip;
    struct value v;
    bool skipped = msgpack_skip(&skip);
    struct msgpack_scan scan = {.left = 1};
    if (size > 1) msgpack_scan(&scan, str_sub(bytes, 0, size / 2));
    enum msgpack_scanned end = scan.left ? msgpack_scan(&scan, bytes) : MSGPACK_WHOLE;
    assert((end == MSGPACK_WHOLE) == skipped && (end == MSGPACK_MORE) == skip.cut);
    if (skipped) assert(scan.at == msgpack_offset(&skip));
    if (msgpack_value(&tree, a, &v)) assert(skipped && msgpack_offset(&tree) == scan.at); /* limits make it stricter than skipping */
    return 0;
}
