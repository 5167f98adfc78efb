/* codec/isodate: ISO 8601 dates of any precision, as Elasticsearch's date fields read them by default (strict_date_optional_time || epoch_millis):
 * "2018", "2018-03", "2018-03-01", "2018-03-01T10", "...T10:00", "...:00", "....000", then "Z", "+02:00", "+0200", "+02" or nothing; or milliseconds
 * since 1970. Unix ns. Pure; any thread. */
#pragma once
#include "base/str.h"

/* The span of time the text names. As in Elasticsearch a missing month or day is 01 in *from and in *to; only a missing time of day runs to its end
 * ("2018" is the whole of 1 January 2018), and a fraction of up to three digits is its whole millisecond. Both inclusive. zone_s: seconds east of UTC
 * for a text without zone. false: no date; outputs untouched. */
MUST_USE bool isodate_parse(str s, int64_t zone_s, int64_t *from_ns, int64_t *to_ns);
/* What dynamic mapping takes for a date: the above with at least year, month and day; no milliseconds. */
bool isodate_looks_like(str s);
/* "Z", "UTC", "+02:00", "-0330", "+1": seconds east of UTC. */
MUST_USE bool isodate_zone(str s, int64_t *out_s);
