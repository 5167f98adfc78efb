/* store/metrics/refused: whose samples are dropped because their series would be one too many. Loop thread.
 *
 * A list of at most REFUSED_MAX targets (job and instance, else the metric's name), kept by the rule of space-saving counters (Metwally, Agrawal,
 * El Abbadi 2005): a newcomer takes the place of the smallest and its count, so that whoever causes most of it is always in the list and no count is
 * too small by more than the smallest one. */
#pragma once
#include "base/arena.h"
#include "model/labels.h"

enum { REFUSED_MAX = 32, REFUSED_TEXT_MAX = 120 };
struct refused_target {
    uint64_t hash;
    uint64_t samples; /* dropped */
    int64_t last_ms;  /* time of the newest */
    uint32_t text_n;
    char text[REFUSED_TEXT_MAX]; /* {job="x", instance="y:80"} */
};
struct refused {
    struct refused_target top[REFUSED_MAX];
    size_t n;
};
/* n samples of a series with these labels, the newest at t_ms. The entry; valid until the next call. */
const struct refused_target *refused_add(struct refused *r, struct labels series, uint64_t n, int64_t t_ms);

struct tsdb;
/* The list, most samples first, in the arena. */
size_t tsdb_refused_targets(const struct tsdb *db, struct arena *a, const struct refused_target **out);
