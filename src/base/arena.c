#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

enum { ALIGN = 16, CHUNK_MAX = 1 << 20 };

struct chunk {
    struct chunk *older;
    size_t size;
    _Alignas(ALIGN) char data[];
};

struct arena {
    struct chunk *top;
    char *at, *end;
    size_t used;
    size_t next_size;
};

static void push_chunk(struct arena *a, size_t size) {
    struct chunk *c = mem_alloc(sizeof *c + size);
    *c = (struct chunk){.older = a->top, .size = size};
    a->top = c;
    a->at = c->data;
    a->end = c->data + size;
}

struct arena *arena_new(size_t first_bytes) {
    struct arena *a = mem_zalloc(sizeof *a);
    a->next_size = MAX(first_bytes, (size_t)256);
    return a;
}

void arena_free(struct arena *a) {
    if (!a) return;
    for (struct chunk *c = a->top, *older; c; c = older) {
        older = c->older;
        free(c);
    }
    free(a);
}

void arena_reset(struct arena *a) {
    struct chunk *keep = a->top;
    for (struct chunk *c = a->top; c; c = c->older)
        if (c->size > keep->size) keep = c;
    for (struct chunk *c = a->top, *older; c; c = older) {
        older = c->older;
        if (c != keep) free(c);
    }
    a->top = keep;
    a->used = 0;
    if (!keep) return;
    keep->older = NULL;
    a->at = keep->data;
    a->end = keep->data + keep->size;
}

size_t arena_used_bytes(const struct arena *a) {
    return a->used;
}

void *arena_alloc(struct arena *a, size_t n_bytes) {
    assert(n_bytes <= (size_t)1 << 40);
    size_t n = (n_bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (!a->at || n > (size_t)(a->end - a->at)) {
        push_chunk(a, MAX(n, a->next_size));
        a->next_size = MIN(a->next_size * 2, (size_t)CHUNK_MAX);
    }
    char *p = a->at;
    a->at += n;
    a->used += n;
    return p;
}

void *arena_zalloc(struct arena *a, size_t n_bytes) {
    return memset(arena_alloc(a, n_bytes), 0, n_bytes);
}

void *arena_grow(struct arena *a, void *p, size_t old_bytes, size_t new_bytes) {
    size_t old_n = (old_bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    size_t new_n = (new_bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (p && new_n >= old_n && (char *)p + old_n == a->at && new_n - old_n <= (size_t)(a->end - a->at)) {
        a->at += new_n - old_n;
        a->used += new_n - old_n;
        return p;
    }
    void *q = arena_alloc(a, new_bytes);
    if (old_bytes) memcpy(q, p, MIN(old_bytes, new_bytes));
    return q;
}

str arena_str(struct arena *a, str s) {
    if (s.n == 0) return STR("");
    return str_n(memcpy(arena_alloc(a, s.n), s.p, s.n), s.n);
}

char *arena_cstr(struct arena *a, str s) {
    char *z = arena_alloc(a, s.n + 1);
    if (s.n) memcpy(z, s.p, s.n);
    z[s.n] = 0;
    return z;
}

str arena_vprintf(struct arena *a, const char *fmt, va_list ap) {
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    assert(n >= 0);
    char *p = arena_alloc(a, (size_t)n + 1);
    vsnprintf(p, (size_t)n + 1, fmt, ap);
    return str_n(p, (size_t)n);
}

str arena_printf(struct arena *a, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    str s = arena_vprintf(a, fmt, ap);
    va_end(ap);
    return s;
}
