/* query/trace/latency: durations counted in logarithmic buckets, 8 to the octave from 1 us to 18 minutes, so that a quantile is within 5 % of the
 * true one. Pure; any thread. */
#pragma once
#include <stdint.h>

#include "base/defs.h"

enum {
    LATENCY_OCTAVE_STEPS = 8,
    LATENCY_FIRST_OCTAVE = 10 /* 2^10 ns */,
    LATENCY_OCTAVES = 30,
    LATENCY_BUCKETS = LATENCY_OCTAVES * LATENCY_OCTAVE_STEPS
};

unsigned latency_bucket(int64_t ns); /* shorter and longer ones: the first and the last bucket */
/* In ms, of n durations counted in LATENCY_BUCKETS counters; q from 0 to 1. 0 if there are none. */
double latency_quantile_ms(const uint32_t *buckets, uint64_t n, double q);
