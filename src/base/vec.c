#include "base/vec.h"

void vec_grow_bytes(void **p, size_t *cap, size_t need, size_t item_bytes) {
    size_t new_cap = MAX(need, *cap + *cap / 2);
    size_t bytes;
    new_cap = MAX(new_cap, (size_t)8);
    assert(!__builtin_mul_overflow(new_cap, item_bytes, &bytes));
    *p = mem_realloc(*p, bytes);
    *cap = new_cap;
}
