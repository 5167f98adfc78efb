#include "base/map.h"

#include <stdlib.h>

#include "base/mem.h"

static size_t scan(const struct map *m, size_t at, uint64_t hash) {
    for (;; at = (at + 1) & (m->cap - 1)) {
        if (m->slots[at].value == 0) return MAP_END;
        if (m->slots[at].hash == hash && m->slots[at].value != MAP_GONE) return at;
    }
}

size_t map_first(const struct map *m, uint64_t hash) {
    return m->cap ? scan(m, hash & (m->cap - 1), hash) : MAP_END;
}
size_t map_next(const struct map *m, size_t at, uint64_t hash) {
    return scan(m, (at + 1) & (m->cap - 1), hash);
}

static void insert(struct map *m, uint64_t hash, uint64_t value) {
    size_t at = hash & (m->cap - 1);
    while (m->slots[at].value != 0) at = (at + 1) & (m->cap - 1);
    m->slots[at] = (struct map_slot){hash, value};
    m->filled++;
    m->n++;
}

void map_put(struct map *m, uint64_t hash, uint64_t value) {
    assert(value != 0 && value != MAP_GONE);
    if ((m->filled + 1) * 4 > m->cap * 3) {
        struct map bigger = {.cap = 16};
        while (bigger.cap < (m->n + 1) * 2) bigger.cap *= 2;
        bigger.slots = mem_zalloc(bigger.cap * sizeof *bigger.slots);
        for (size_t i = 0; i < m->cap; i++)
            if (m->slots[i].value != 0 && m->slots[i].value != MAP_GONE) insert(&bigger, m->slots[i].hash, m->slots[i].value);
        free(m->slots);
        *m = bigger;
    }
    insert(m, hash, value);
}

void map_remove(struct map *m, size_t at) {
    assert(at < m->cap && m->slots[at].value != 0 && m->slots[at].value != MAP_GONE);
    m->slots[at].value = MAP_GONE;
    m->n--;
}

void map_done(struct map *m) {
    free(m->slots);
    *m = (struct map){0};
}
