#include "base/hash.h"

#include <sys/random.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

static uint64_t key = 0x62696e6e61636c65; /* written once, before threads start */

void hash_init(void) {
    uint64_t random;
    if (getrandom(&random, sizeof random, 0) == sizeof random) key = random;
}

uint64_t hash_str(str s) {
    return XXH3_64bits_withSeed(s.p, s.n, key);
}
uint64_t hash_mix(uint64_t a, uint64_t b) {
    __uint128_t m = (__uint128_t)(a ^ 0x9e3779b97f4a7c15) * (b ^ 0xe7037ed1a0b428db);
    return (uint64_t)m ^ (uint64_t)(m >> 64);
}
uint64_t hash_stable(str s) {
    return XXH3_64bits(s.p, s.n);
}
uint64_t hash_check(const void *p, size_t n) {
    return XXH64(p, n, 0);
}
