/* base/arena: memory for one request, job or batch; everything in it dies together. One thread at a time.
 * Allocation failure aborts: sizes from outside are checked against a limit before they come here. */
#pragma once
#include <stdarg.h>

#include "base/str.h"

struct arena;

/* first_bytes: size of the first chunk; later chunks double up to 1 MiB; larger requests get a chunk of their own. */
struct arena *arena_new(size_t first_bytes);
void arena_free(struct arena *a); /* NULL is fine */
/* Forgets everything but keeps the largest chunk, for loops that need scratch memory. */
void arena_reset(struct arena *a);
/* Bytes handed out so far (payload, not chunks): what a query is charged. */
size_t arena_used_bytes(const struct arena *a);

/* Aligned to 16; contents undefined. */
void *arena_alloc(struct arena *a, size_t n_bytes) __attribute__((malloc, returns_nonnull, alloc_size(2)));
void *arena_zalloc(struct arena *a, size_t n_bytes) __attribute__((malloc, returns_nonnull, alloc_size(2)));
/* Grows the newest allocation in place when it can, else copies. */
void *arena_grow(struct arena *a, void *p, size_t old_bytes, size_t new_bytes) __attribute__((returns_nonnull));
#define arena_new_n(a, type, n) ((type *)arena_alloc((a), sizeof(type) * (n)))
#define arena_one(a, type) ((type *)arena_zalloc((a), sizeof(type)))

str arena_str(struct arena *a, str s);    /* copy */
char *arena_cstr(struct arena *a, str s); /* copy, NUL-ended, for system calls */
str arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
str arena_vprintf(struct arena *a, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);

AUTO_DEFINE(struct arena, arena_free);
