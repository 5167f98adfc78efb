/* codec/timefmt: RFC 3339 and friends. Unix nanoseconds, UTC. Pure; any thread. */
#pragma once
#include "base/buf.h"
#include "base/err.h"

/* RFC 3339 with any fraction (digits past ns are cut) and zone; "T" or a blank; a missing zone is UTC. */
MUST_USE bool time_parse_rfc3339(str s, int64_t *out_ns, struct err *e);
void time_put_rfc3339_ms(struct buf *b, int64_t ns); /* 2026-11-22T12:00:00.123Z */
void time_put_rfc3339_ns(struct buf *b, int64_t ns); /* shortest fraction, as Go's RFC3339Nano */
/* Days since 1970-01-01 of a civil date (proleptic Gregorian; month 1..12) and back. */
int64_t time_days_from_civil(int64_t year, unsigned month, unsigned day);
void time_civil_from_days(int64_t days, int64_t *year, unsigned *month, unsigned *day);
/* A time without its year: the one that brings it nearest to now. ns_of_day may be outside the day (a zone's offset). false: no such day in any of
 * them. */
MUST_USE bool time_nearest_year(unsigned month, unsigned day, int64_t ns_of_day, int64_t now_ns, int64_t *out_ns);
