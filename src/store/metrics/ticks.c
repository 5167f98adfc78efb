#include "store/metrics/ticks.h"

#include <stdlib.h>

#include "base/mem.h"

void clock_done(struct clock *c) {
    free(c->runs);
    *c = (struct clock){0};
}

/* Does the last run go on with t_ms? */
static bool goes_on(struct clock *c, int64_t t_ms) {
    struct tick_run *r = &c->runs[c->run_n - 1];
    int64_t step_ms = t_ms - clock_newest(c);
    if (r->step_ms) return step_ms == r->step_ms;
    if (step_ms > UINT32_MAX) return false;
    r->step_ms = (uint32_t)step_ms;
    return true;
}

void clock_push(struct clock *c, int64_t t_ms) {
    assert(c->n == 0 || t_ms > clock_newest(c));
    if (c->n == 0 || !goes_on(c, t_ms)) {
        if (c->run_n == c->run_cap) {
            c->run_cap = c->run_cap ? c->run_cap + (c->run_cap + 1) / 2 : 1;
            c->runs = mem_realloc(c->runs, c->run_cap * sizeof *c->runs);
        }
        c->runs[c->run_n++] = (struct tick_run){.t_ms = t_ms, .first = c->n};
    }
    c->n++;
}

/* The last run that begins at or before the tick, or at or before the time; 0 when none does. */
static uint32_t run_of_tick(const struct clock *c, uint32_t tick) {
    uint32_t from = 0;
    for (uint32_t end = c->run_n; end - from > 1;) {
        uint32_t mid = from + (end - from) / 2;
        if (c->runs[mid].first <= tick)
            from = mid;
        else
            end = mid;
    }
    return from;
}
static uint32_t run_of_time(const struct clock *c, int64_t t_ms) {
    uint32_t from = 0;
    for (uint32_t end = c->run_n; end - from > 1;) {
        uint32_t mid = from + (end - from) / 2;
        if (c->runs[mid].t_ms <= t_ms)
            from = mid;
        else
            end = mid;
    }
    return from;
}

static uint32_t run_end(const struct clock *c, uint32_t run) {
    return run + 1 < c->run_n ? c->runs[run + 1].first : c->n;
}

int64_t clock_at(const struct clock *c, uint32_t tick) {
    assert(tick < c->n);
    const struct tick_run *r = &c->runs[run_of_tick(c, tick)];
    return r->t_ms + (int64_t)r->step_ms * (tick - r->first);
}

uint32_t clock_find(const struct clock *c, uint32_t from, int64_t t_ms) {
    if (c->n == 0) return 0;
    uint32_t run = run_of_time(c, t_ms);
    const struct tick_run *r = &c->runs[run];
    uint32_t tick = r->first;
    if (t_ms > r->t_ms) {
        int64_t steps = r->step_ms ? (t_ms - r->t_ms + r->step_ms - 1) / r->step_ms : 1;
        tick = (uint32_t)MIN(steps, (int64_t)(run_end(c, run) - r->first)) + r->first;
    }
    return MAX(tick, from);
}

int64_t *clock_spell(const struct clock *c, struct arena *a) {
    int64_t *out = arena_new_n(a, int64_t, c->n);
    for (uint32_t i = 0; i < c->run_n; i++) {
        const struct tick_run *r = &c->runs[i];
        uint32_t end = run_end(c, i);
        int64_t t_ms = r->t_ms;
        for (uint32_t tick = r->first; tick < end; tick++, t_ms += r->step_ms) out[tick] = t_ms;
    }
    return out;
}
