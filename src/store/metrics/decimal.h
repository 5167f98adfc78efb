/* store/metrics/decimal: doubles as decimal integers, exactly. Pure; any thread.
 *
 * What exporters print are short decimals: 0.25, 1234.5, 3. Such a double is v == (double)m / 10^k for an integer |m| < 2^53 and 0 <= k <= 15: a
 * division of two exactly representable numbers, correctly rounded, so that decoding gives back every bit. Differences of the m are small integers;
 * differences of the doubles' bits are not. Values without such a form (NaN, infinities, -0, 17-digit noise) are kept as their bits, or in parts
 * as the nearest decimal plus the distance in units in the last place (ulps). */
#pragma once
#include <string.h>

#include "base/defs.h"

enum { DECIMAL_K_MAX = 15, DECIMAL_K_N };
extern const double decimal_pow10[DECIMAL_K_N];

static inline uint64_t double_bits(double v) {
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}
static inline double bits_double(uint64_t bits) {
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static inline double decimal_value(int64_t m, unsigned k) {
    return (double)m / decimal_pow10[k];
}
/* The nearest m at k; false when |m| would reach 2^53 or v is no number. */
static inline bool decimal_nearest(double v, unsigned k, int64_t *m) {
    double scaled = v * decimal_pow10[k];
    if (!(scaled < 9007199254740991.0 && scaled > -9007199254740991.0)) return false;
    *m = (int64_t)(scaled + (scaled < 0 ? -0.5 : 0.5));
    return true;
}
static inline bool decimal_exact(double v, unsigned k, int64_t *m) {
    return decimal_nearest(v, k, m) && double_bits(decimal_value(*m, k)) == double_bits(v);
}
/* The smallest k >= k_from at which v is exact; false: none. */
bool decimal_find(double v, unsigned k_from, unsigned *k, int64_t *m);

/* Doubles in numerical order as integers, so that "2 ulps more" is +2. NaNs included: the map is one to one. */
static inline int64_t double_order(double v) {
    int64_t bits = (int64_t)double_bits(v);
    return bits < 0 ? INT64_MIN - bits : bits;
}
static inline double order_double(int64_t order) {
    return bits_double((uint64_t)(order < 0 ? INT64_MIN - order : order));
}
