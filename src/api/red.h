/* api/red: rate, errors and duration of each service over a window, from its spans, in bounded memory: what the overview's services table shows.
 * A service is measured by the spans that enter it (server and consumer spans, and roots); one that has none is measured by all its spans.
 * Durations are counted in logarithmic buckets, 8 to the octave from 1 us to 18 minutes, so a quantile is within 5 % of the true one.
 * One thread at a time; memory from the arena given to red_new, about 60 KB a service. */
#pragma once
#include "base/arena.h"
#include "codec/json.h"

enum { RED_POINTS_MAX = 120, RED_SERVICES_MAX = 200 };

struct red;
/* The window is cut into `points` equal steps. */
struct red *red_new(struct arena *a, int64_t from_ns, int64_t to_ns, unsigned points);
void red_free(struct red *r); /* frees the lookup table; the rest is the arena's. NULL is fine */

struct red_span {
    str service;
    int64_t start_ns, duration_ns;
    bool entry, error;
};
/* Spans outside the window are ignored. Services beyond RED_SERVICES_MAX are counted as omitted. */
void red_add(struct red *r, struct red_span s);
/* {"from":ms,"step":ms,"services":[{"service","count","errors","p50","p99","rate_points":[...],"error_points":[...],"p99_points":[...]}],
 * "omitted":n}: busiest first; durations in ms, rates per second, errors as a share; null where a point has no span. */
void red_put(const struct red *r, struct json_out *o);

AUTO_DEFINE(struct red, red_free);
