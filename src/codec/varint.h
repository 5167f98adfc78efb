/* codec/varint: LEB128 and zigzag, for our own formats. Readers are bounded cursors with a sticky end. Pure; any thread. */
#pragma once
#include "base/buf.h"

static inline uint64_t zigzag(int64_t v) {
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}
static inline int64_t unzigzag(uint64_t u) {
    return (int64_t)(u >> 1) ^ -(int64_t)(u & 1);
}
static inline void put_varint(struct buf *b, uint64_t v) {
    while (v >= 0x80) {
        buf_char(b, (char)(v | 0x80));
        v >>= 7;
    }
    buf_char(b, (char)v);
}
static inline void put_zigzag(struct buf *b, int64_t v) {
    put_varint(b, zigzag(v));
}
static inline void put_slice(struct buf *b, str s) {
    put_varint(b, s.n);
    buf_add(b, s);
}

struct reader {
    const uint8_t *at, *end;
    bool bad;
};
static inline struct reader reader_open(str s) {
    const uint8_t *p = (const uint8_t *)s.p;
    return (struct reader){p, s.n ? p + s.n : p, false};
}
static inline uint64_t get_varint(struct reader *r) {
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && r->at < r->end; shift += 7) {
        uint8_t byte = *r->at++;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) return v;
    }
    r->bad = true;
    r->at = r->end;
    return 0;
}
static inline int64_t get_zigzag(struct reader *r) {
    return unzigzag(get_varint(r));
}
static inline str get_bytes(struct reader *r, size_t n) {
    if (n > (size_t)(r->end - r->at)) {
        r->bad = true;
        r->at = r->end;
        return STR_NULL;
    }
    str s = str_n(r->at, n);
    r->at += n;
    return s;
}
static inline str get_slice(struct reader *r) {
    return get_bytes(r, get_varint(r));
}
static inline uint32_t get_le32(struct reader *r) {
    uint32_t v = 0;
    str s = get_bytes(r, 4);
    if (s.n) memcpy(&v, s.p, 4);
    return v;
}
static inline uint64_t get_le64(struct reader *r) {
    uint64_t v = 0;
    str s = get_bytes(r, 8);
    if (s.n) memcpy(&v, s.p, 8);
    return v;
}
