#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

void buf_done(struct buf *b) {
    free(b->p);
    *b = (struct buf){0};
}

void buf_reserve(struct buf *b, size_t more_bytes) {
    size_t need = b->n + more_bytes;
    assert(need >= b->n);
    if (need <= b->cap) return;
    size_t cap = MAX(need, b->cap + b->cap / 2);
    b->cap = MAX(cap, (size_t)64);
    b->p = mem_realloc(b->p, b->cap);
}

void buf_printf(struct buf *b, const char *fmt, ...) {
    buf_reserve(b, 64);
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(b->p + b->n, b->cap - b->n, fmt, ap);
    va_end(ap);
    assert(n >= 0);
    if ((size_t)n >= b->cap - b->n) {
        buf_reserve(b, (size_t)n + 1);
        va_start(ap, fmt);
        vsnprintf(b->p + b->n, b->cap - b->n, fmt, ap);
        va_end(ap);
    }
    b->n += (size_t)n;
}

void buf_u64(struct buf *b, uint64_t v) {
    char digits[20];
    size_t at = sizeof digits;
    do digits[--at] = (char)('0' + v % 10);
    while (v /= 10);
    buf_put(b, digits + at, sizeof digits - at);
}

void buf_i64(struct buf *b, int64_t v) {
    if (v < 0) buf_char(b, '-');
    buf_u64(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}
