/* base/buf: a growing byte buffer, owned. `struct buf b = {0}` is empty and valid. One thread at a time. */
#pragma once
#include "base/str.h"

struct buf {
    char *p;
    size_t n, cap;
};

void buf_done(struct buf *b); /* frees the bytes; b is empty again */
static inline void buf_done_auto(struct buf *b) {
    buf_done(b);
}
void buf_reserve(struct buf *b, size_t more_bytes); /* room for that many bytes behind n */
static inline void buf_clear(struct buf *b) {
    b->n = 0;
}
static inline str buf_str(const struct buf *b) {
    return str_n(b->p, b->n);
} /* borrows until the next write */
static inline void buf_char(struct buf *b, char c) {
    if (b->n == b->cap) buf_reserve(b, 1);
    b->p[b->n++] = c;
}
static inline void buf_put(struct buf *b, const void *p, size_t n) {
    if (n == 0) return;
    if (b->cap - b->n < n) buf_reserve(b, n);
    memcpy(b->p + b->n, p, n);
    b->n += n;
}
static inline void buf_add(struct buf *b, str s) {
    buf_put(b, s.p, s.n);
}
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_u64(struct buf *b, uint64_t v); /* decimal */
void buf_i64(struct buf *b, int64_t v);
/* Fixed-width little-endian, for disk formats. */
static inline void buf_le32(struct buf *b, uint32_t v) {
    buf_put(b, &v, 4);
}
static inline void buf_le64(struct buf *b, uint64_t v) {
    buf_put(b, &v, 8);
}
