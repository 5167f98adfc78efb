#include "base/clock.h"

#include <time.h>

static int64_t read_ns(clockid_t id) {
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

int64_t clock_wall_ns(void) {
    return read_ns(CLOCK_REALTIME);
}
int64_t clock_mono_ns(void) {
    return read_ns(CLOCK_MONOTONIC);
}
int64_t clock_cpu_ns(void) {
    return read_ns(CLOCK_PROCESS_CPUTIME_ID);
}
