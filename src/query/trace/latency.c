#include "query/trace/latency.h"

#include <math.h>

#include "base/clock.h"

/* Octave from the position of the highest bit, step within it linearly. */
unsigned latency_bucket(int64_t ns) {
    if (ns < (1 << LATENCY_FIRST_OCTAVE)) return 0;
    unsigned octave = 63 - (unsigned)__builtin_clzll((uint64_t)ns);
    if (octave >= LATENCY_FIRST_OCTAVE + LATENCY_OCTAVES) return LATENCY_BUCKETS - 1;
    return (octave - LATENCY_FIRST_OCTAVE) * LATENCY_OCTAVE_STEPS + (unsigned)((ns >> (octave - 3)) & (LATENCY_OCTAVE_STEPS - 1));
}

static double bucket_start_ns(unsigned b) {
    return ldexp(1.0 + (double)(b % LATENCY_OCTAVE_STEPS) / LATENCY_OCTAVE_STEPS, (int)(LATENCY_FIRST_OCTAVE + b / LATENCY_OCTAVE_STEPS));
}

double latency_quantile_ms(const uint32_t *buckets, uint64_t total, double q) {
    double rank = q * (double)total, seen = 0;
    for (unsigned b = 0; b < LATENCY_BUCKETS; b++) {
        double n = buckets[b];
        if (n > 0 && seen + n >= rank) {
            double lo = bucket_start_ns(b), hi = bucket_start_ns(b + 1);
            return (lo + (hi - lo) * (rank - seen) / n) / (double)NS_PER_MS;
        }
        seen += n;
    }
    return 0;
}
