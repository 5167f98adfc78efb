/* query/lucene/datemath: dates in queries, as Elasticsearch: "2018-03-01", "now", "now-1h/d", "2018-03-01||+1M/M", epoch milliseconds.
 * Pure; any thread. */
#pragma once
#include "base/err.h"

struct datemath {
    int64_t now_ns;
    int64_t zone_s; /* seconds east of UTC: for dates without zone, and where days begin */
};
/* The span the expression names, both ends inclusive: rounding (/d) covers the whole unit, an imprecise date what it leaves open. Unix ns. */
MUST_USE bool datemath_parse(str s, const struct datemath *m, int64_t *from_ns, int64_t *to_ns, struct err *e);

/* Calendar steps, shared with date_histogram: unit is one of y M w d h m s ('q': quarters). */
int64_t datemath_floor(int64_t ns, char unit, int64_t zone_s);
int64_t datemath_add(int64_t ns, int64_t n, char unit, int64_t zone_s);
