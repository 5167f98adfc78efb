/* Any bytes in both protocols, entering everything and entering nothing: both ways end at the same place with the same verdict. */
#include "codec/thrift.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(struct thrift *c) {
    static const enum thrift_type containers[] = {THRIFT_STRUCT, THRIFT_MAP, THRIFT_SET, THRIFT_LIST};
    unsigned depth = 0;
    if (thrift_enter(c, THRIFT_STRUCT)) depth++;
    while (depth && !c->bad) {
        struct thrift_field f;
        if (!thrift_next(c, &f)) {
            depth--;
            continue;
        }
        for (size_t i = 0; i < ARRAY_N(containers); i++) {
            if (f.type != containers[i] || !thrift_enter(c, containers[i])) continue;
            depth++;
            break;
        }
    }
}

static void read_top(struct thrift *c) {
    if (!thrift_enter(c, THRIFT_STRUCT)) return;
    for (struct thrift_field f; thrift_next(c, &f);) assert(f.type != THRIFT_STRING || f.s.n <= (size_t)(c->end - c->start));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    for (int p = THRIFT_BINARY; p <= THRIFT_COMPACT; p++) {
        struct thrift_message m;
        struct thrift c = thrift_open(str_n(data, size), (enum thrift_protocol)p), d;
        if (thrift_message(&c, &m)) read_all(&c);
        c = d = thrift_open(str_n(data, size), (enum thrift_protocol)p);
        read_all(&c);
        read_top(&d);
        assert(c.bad == d.bad && thrift_offset(&c) == thrift_offset(&d) && thrift_offset(&c) <= size);
    }
    return 0;
}
