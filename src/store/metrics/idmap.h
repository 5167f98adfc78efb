/* store/metrics/idmap: from a hash to small numbers, 8 bytes a slot. The caller compares what the numbers stand for; several may share a hash.
 * `struct idmap m = {0}` is empty. One thread at a time. A slot is the hash's low 32 bits above number + 1, so that it grows without asking anybody.
 *
 *   for (uint32_t at = (uint32_t)hash, id; (id = idmap_next(&m, hash, &at)) != ID_NONE;) ...     all numbers under a hash */
#pragma once
#include "base/mem.h"

enum { ID_NONE = UINT32_MAX };

struct idmap {
    uint64_t *slots; /* 0: empty */
    uint32_t n, cap; /* cap a power of two */
};

static inline void idmap_set(struct idmap *m, uint64_t slot) {
    uint32_t at = (uint32_t)(slot >> 32) & (m->cap - 1);
    while (m->slots[at] != 0) at = (at + 1) & (m->cap - 1);
    m->slots[at] = slot;
}

static inline void idmap_put(struct idmap *m, uint64_t hash, uint32_t id) {
    if ((uint64_t)(m->n + 1) * 6 > (uint64_t)m->cap * 5) { /* a slot is an eighth of a cache line: even then a search sees three lines */
        struct idmap bigger = {.n = m->n, .cap = m->cap ? m->cap * 2 : 16};
        assert(bigger.cap);
        bigger.slots = mem_zalloc(bigger.cap * sizeof *bigger.slots);
        for (uint32_t i = 0; i < m->cap; i++)
            if (m->slots[i]) idmap_set(&bigger, m->slots[i]);
        free(m->slots);
        *m = bigger;
    }
    m->n++;
    idmap_set(m, hash << 32 | (id + 1));
}

/* The next number with this hash, starting with *at = (uint32_t)hash; ID_NONE: no more. */
static inline uint32_t idmap_next(const struct idmap *m, uint64_t hash, uint32_t *at) {
    if (m->cap == 0) return ID_NONE;
    for (;;) {
        uint64_t slot = m->slots[*at & (m->cap - 1)];
        ++*at;
        if (slot == 0) return ID_NONE;
        if (slot >> 32 == (uint32_t)hash) return (uint32_t)slot - 1;
    }
}

static inline size_t idmap_bytes(const struct idmap *m) {
    return m->cap * sizeof *m->slots;
}

static inline void idmap_done(struct idmap *m) {
    free(m->slots);
    *m = (struct idmap){0};
}
