/* base/clock: time. Wall time is Unix time in ns or ms (UTC), monotonic time only for differences. Any thread. */
#pragma once
#include "base/defs.h"

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)
#define MS_PER_S INT64_C(1000)

int64_t clock_wall_ns(void);
static inline int64_t clock_wall_ms(void) {
    return clock_wall_ns() / NS_PER_MS;
}
int64_t clock_mono_ns(void);
int64_t clock_cpu_ns(void); /* CPU time of the process */
