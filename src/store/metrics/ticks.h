/* store/metrics/ticks: an ascending list of timestamps that mostly come at equal steps: a list of runs. 16 bytes a run, and a run has two ticks at
 * least wherever steps fit 32 bits: never more than an array would take, next to nothing when the beat is regular. One thread at a time; any may
 * read one that nobody changes. */
#pragma once
#include "base/arena.h"

struct tick_run {
    int64_t t_ms;     /* of its first tick */
    uint32_t first;   /* its first tick's number */
    uint32_t step_ms; /* 0 while it has one tick */
};
struct clock { /* zeroed is empty */
    struct tick_run *runs;
    uint32_t n; /* ticks */
    uint32_t run_n, run_cap;
};

void clock_done(struct clock *c);
void clock_push(struct clock *c, int64_t t_ms); /* later than all */
int64_t clock_at(const struct clock *c, uint32_t tick);
/* The first tick >= from whose time is >= t_ms; c->n: none. */
uint32_t clock_find(const struct clock *c, uint32_t from, int64_t t_ms);
int64_t *clock_spell(const struct clock *c, struct arena *a); /* all n timestamps */

static inline int64_t clock_newest(const struct clock *c) {
    const struct tick_run *r = &c->runs[c->run_n - 1];
    return r->t_ms + (int64_t)r->step_ms * (c->n - 1 - r->first);
}
