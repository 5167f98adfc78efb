/* base/vec: typed growing arrays. `VEC(struct label) v = {0};` is empty and valid; v.p[i], v.n; freed with vec_done(&v). */
#pragma once
#include <stdlib.h>

#include "base/mem.h"

#define VEC(type)      \
    struct {           \
        type *p;       \
        size_t n, cap; \
    }

void vec_grow_bytes(void **p, size_t *cap, size_t need, size_t item_bytes);

#define vec_reserve(v, more)                                                             \
    do {                                                                                 \
        if ((v)->cap - (v)->n < (size_t)(more)) {                                        \
            void *vec_p_ = (v)->p;                                                       \
            vec_grow_bytes(&vec_p_, &(v)->cap, (v)->n + (size_t)(more), sizeof *(v)->p); \
            (v)->p = vec_p_;                                                             \
        }                                                                                \
    } while (0)
#define vec_push(v, item)          \
    do {                           \
        vec_reserve(v, 1);         \
        (v)->p[(v)->n++] = (item); \
    } while (0)
/* A zeroed new last item; yields its address. */
#define vec_add(v)                                  \
    __extension__({                                 \
        vec_reserve(v, 1);                          \
        memset(&(v)->p[(v)->n], 0, sizeof *(v)->p); \
        &(v)->p[(v)->n++];                          \
    })
#define vec_done(v)            \
    do {                       \
        free((v)->p);          \
        (v)->p = NULL;         \
        (v)->n = (v)->cap = 0; \
    } while (0)

/* The same in an arena: AVEC needs no freeing. */
#define avec_push(a, v, item)                                                                        \
    do {                                                                                             \
        if ((v)->n == (v)->cap) {                                                                    \
            size_t avec_cap_ = (v)->cap ? (v)->cap * 2 : 8;                                          \
            (v)->p = arena_grow((a), (v)->p, (v)->cap * sizeof *(v)->p, avec_cap_ * sizeof *(v)->p); \
            (v)->cap = avec_cap_;                                                                    \
        }                                                                                            \
        (v)->p[(v)->n++] = (item);                                                                   \
    } while (0)
