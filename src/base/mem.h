/* base/mem: malloc that aborts with a clear line instead of returning NULL. Any thread. Freed with free(). */
#pragma once
#include "base/defs.h"

void *mem_alloc(size_t n_bytes) __attribute__((malloc, returns_nonnull, alloc_size(1)));
void *mem_zalloc(size_t n_bytes) __attribute__((malloc, returns_nonnull, alloc_size(1)));
void *mem_realloc(void *p, size_t n_bytes) __attribute__((returns_nonnull, alloc_size(2)));
