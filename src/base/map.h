/* base/map: open-addressing table from a 64-bit hash to a non-zero 64-bit value (an index + 1, or a pointer). One thread at a time.
 * The caller compares the real keys: map_find walks all entries of one hash. `struct map m = {0}` is empty and valid.
 *
 *   for (size_t at = map_first(&m, h); at != MAP_END; at = map_next(&m, at, h))
 *       if (same_key(items[m.slots[at].value - 1], key)) ...                                                          */
#pragma once
#include "base/defs.h"

struct map_slot {
    uint64_t hash, value; /* value 0: empty; MAP_GONE: removed */
};
struct map {
    struct map_slot *slots;
    size_t n, filled, cap; /* n live; filled live + removed; cap a power of two */
};
#define MAP_END SIZE_MAX
#define MAP_GONE UINT64_MAX

size_t map_first(const struct map *m, uint64_t hash);
size_t map_next(const struct map *m, size_t at, uint64_t hash);
void map_put(struct map *m, uint64_t hash, uint64_t value); /* adds; does not look for an equal key */
void map_remove(struct map *m, size_t at);
void map_done(struct map *m);
