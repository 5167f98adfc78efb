/* api/moved: which metrics behaved otherwise in a window than in the time before it. The values of a series in the window and those before are two
 * samples; the two-sample Kolmogorov-Smirnov statistic D (the greatest distance between their distribution functions, 0 to 1) tells how far they are
 * apart, whatever their scale or shape. Counters are compared by their growth per second. A series counts as moved when D is beyond chance (1 %) and
 * its mean changed by a twentieth; series are ranked by D times that change, and of each metric the first is shown with the number of others.
 * Source: N. Smirnov 1948; critical values by the asymptotic formula c(0.01) = 1.628.
 * One thread at a time; memory from the arena given to moved_new. */
#pragma once
#include "base/arena.h"
#include "codec/json.h"
#include "model/sample.h"

enum { MOVED_POINTS = 60, MOVED_SHOWN = 12, MOVED_VALUES_MIN = 5 };

struct moved;
/* The window is [from_ms, to_ms); what it is compared with, [base_ms, from_ms). */
struct moved *moved_new(struct arena *a, int64_t base_ms, int64_t from_ms, int64_t to_ms);
void moved_free(struct moved *m); /* frees the lookup table; the rest is the arena's. NULL is fine */
/* Looks at a series; `scratch` is used and may be reset afterwards. Passed over: series with few values on either side, native histograms, and
 * the buckets of classic ones, whose count and sum say the same. */
void moved_add(struct moved *m, struct labels labels, const struct samples *s, struct arena *scratch);
/* {"base":ms,"from":ms,"to":ms,"series":n,"compared":n,"moved":[{"metric":{...},"rate":bool,"d":0..1,"before":mean,"inside":mean,"others":n,
 * "points":[...]}]}: farthest first, at most MOVED_SHOWN; points are means over equal steps from base to `to`, null where there is no value. */
void moved_put(struct moved *m, struct json_out *o);

/* D of two samples; sorts both. Neither may be empty or hold NaN. */
double moved_distance(double *a, size_t n, double *b, size_t m);

AUTO_DEFINE(struct moved, moved_free);
