#include "store/metrics/decimal.h"

const double decimal_pow10[DECIMAL_K_N] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

bool decimal_find(double v, unsigned k_from, unsigned *k, int64_t *m) {
    for (unsigned i = k_from; i < DECIMAL_K_N; i++) {
        if (!decimal_nearest(v, i, m)) return false; /* finer only grows */
        if (double_bits(decimal_value(*m, i)) == double_bits(v)) {
            *k = i;
            return true;
        }
    }
    return false;
}
