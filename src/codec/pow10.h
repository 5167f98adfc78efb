/* codec/pow10: powers of ten to 128 bits, shared by reading and writing of floating-point text. Computed exactly on first use, then
 * immutable; any thread. */
#pragma once
#include "base/defs.h"

enum { POW10_MIN = -342, POW10_MAX = 324 };

/* ceil(10^k * 2^(127 - pow10_log2(k))): the top bit is set; exact for 0 <= k <= 55. */
const __uint128_t *pow10_table(void); /* indexed by k - POW10_MIN */
/* floor(log2(10^k)), right for |k| <= 1233. */
static inline int pow10_log2(int k) {
    return (k * 1741647) >> 19;
}
