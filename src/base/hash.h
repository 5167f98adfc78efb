/* base/hash: XXH3. hash_str is keyed with a per-process random key (names and values come from strangers): never store it.
 * hash_stable and hash_check are for disk formats and never change. Any thread. */
#pragma once
#include "base/str.h"

void hash_init(void); /* draws the key; called once by main and by test mains that need it; without it the key is fixed */
uint64_t hash_str(str s);
uint64_t hash_mix(uint64_t a, uint64_t b);
uint64_t hash_stable(str s);                  /* XXH3-64, seed 0 */
uint64_t hash_check(const void *p, size_t n); /* XXH64, seed 0: frame checksums */
