/* wire/json_lines: series as JSON, one per line: VictoriaMetrics' format of /api/v1/export and /api/v1/import, extended so that an import of an
 * export gives the same samples bit for bit. Pure; any thread. Source: VictoriaMetrics' documentation "How to export data in JSON line format".
 *
 *   {"metric":{"__name__":"up","job":"x"},"values":[1,0.5,null,"NaN"],"timestamps":[1000,2000,3000,4000]}
 *
 * Times are ms. Values that JSON has no number for: "Infinity", "-Infinity", "NaN", null for the staleness marker, "NaN:7ff8000000000abc" for a NaN
 * of other bits. Ours, left out when there are none:
 *
 *   "start_timestamps":[500,500,0,0]     ms, 0: unknown
 *   "histograms":[null,{"schema":3,"count":7,"sum":2.5,"zero_threshold":0.001,"zero_count":2,"reset":"no","positive_spans":[[-2,2]],
 *                       "positive_counts":[2,3],"negative_spans":[],"negative_counts":[],"custom_bounds":[]},null,null]
 *
 * Where histograms has an object, the value of that place is null and means nothing. Parts of a histogram that are 0, empty or "unknown" may be left
 * out. */
#pragma once
#include "wire/otlp_common.h"

/* One line. */
void json_lines_put(struct buf *out, struct labels ls, const struct samples *s);

/* A line that is wrong is refused alone: partial has the number of its samples (1 when it cannot be read that far) and the first reason, "line 3:
 * values has 2 items, timestamps 3". extra: labels for every series; the line's own win. Sorted. Never fails as a whole. */
void json_lines_decode(str body, struct labels extra, struct metric_batch **out, struct otlp_partial *partial);
