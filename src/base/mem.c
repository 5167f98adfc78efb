#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

static void *checked(void *p, size_t n_bytes) {
    if (p) return p;
    fprintf(stderr, "binnacle: out of memory (asked for %zu bytes)\n", n_bytes);
    abort();
}

void *mem_alloc(size_t n_bytes) {
    return checked(malloc(n_bytes ? n_bytes : 1), n_bytes);
}
void *mem_zalloc(size_t n_bytes) {
    return checked(calloc(1, n_bytes ? n_bytes : 1), n_bytes);
}
void *mem_realloc(void *p, size_t n_bytes) {
    return checked(realloc(p, n_bytes ? n_bytes : 1), n_bytes);
}

void *mem_map(size_t n_bytes) {
    void *p = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return checked(p == MAP_FAILED ? NULL : p, n_bytes);
}
void mem_unmap(void *p, size_t n_bytes) {
    munmap(p, n_bytes);
}
