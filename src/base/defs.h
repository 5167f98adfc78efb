/* base/defs: the few macros everything uses. Anything that a function can do is not here. */
#pragma once
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt_arg, first_arg) __attribute__((format(printf, fmt_arg, first_arg)))
#define UNUSED __attribute__((unused))

/* `AUTO(arena_free) struct arena *a = arena_new(...)`: freed at scope end; every x_free accepts NULL. x_free needs AUTO_DEFINE(x). */
#define AUTO(free_fn) __attribute__((cleanup(free_fn##_auto)))
#define AUTO_DEFINE(type, free_fn)                \
    static inline void free_fn##_auto(type **p) { \
        free_fn(*p);                              \
    }                                             \
    struct defs_needs_semicolon
/* Moves an owned pointer out of a variable, leaving NULL behind. */
#define TAKE(p)                      \
    __extension__({                  \
        __typeof__(p) take_p_ = (p); \
        (p) = NULL;                  \
        take_p_;                     \
    })
#define ARRAY_N(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
