/* base/atomic: the only atomics. Counters are relaxed: each is read on its own, no other memory is published through them.
 * flag_set/flag_get are release/acquire: what was written before flag_set is seen after flag_get returned true. */
#pragma once
#include <stdatomic.h>

#include "base/defs.h"

struct counter {
    _Atomic uint64_t v;
};
static inline void counter_add(struct counter *c, uint64_t n) {
    atomic_fetch_add_explicit(&c->v, n, memory_order_relaxed);
}
static inline uint64_t counter_get(const struct counter *c) {
    return atomic_load_explicit(&c->v, memory_order_relaxed);
}

struct flag {
    atomic_bool v;
};
static inline void flag_set(struct flag *f) {
    atomic_store_explicit(&f->v, true, memory_order_release);
}
/* Sets it; true for the one caller who did so first. */
static inline bool flag_take(struct flag *f) {
    return !atomic_exchange_explicit(&f->v, true, memory_order_acq_rel);
}
static inline bool flag_get(const struct flag *f) {
    return atomic_load_explicit(&f->v, memory_order_acquire);
}
