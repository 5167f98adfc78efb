/* base/mem: malloc that aborts with a clear line instead of returning NULL. Any thread. Freed with free(). */
#pragma once
#include "base/defs.h"

void *mem_alloc(size_t n_bytes) __attribute__((malloc, returns_nonnull, alloc_size(1)));
void *mem_zalloc(size_t n_bytes) __attribute__((malloc, returns_nonnull, alloc_size(1)));
void *mem_realloc(void *p, size_t n_bytes) __attribute__((returns_nonnull, alloc_size(2)));
/* Zeroed pages straight from the system, where given back means gone: malloc keeps a part of what is freed. Not for free(). */
void *mem_map(size_t n_bytes) __attribute__((malloc, returns_nonnull, alloc_size(1)));
void mem_unmap(void *p, size_t n_bytes);
