/* wire/influx_line: InfluxDB's line protocol -> metric batch. Pure; any thread; the batch owns everything.
 * Source: InfluxDB 1.8 documentation "Line protocol reference"; the mapping to series is VictoriaMetrics'.
 *
 *   weather,city=Bern,kind=out temp=21.5,rain=3i,wet=true,note="mild" 1700000000000000000
 *     ->  weather_temp{city="Bern",kind="out"} 21.5     weather_rain{...} 3     weather_wet{...} 1
 *
 * Integers (3i, 3u) and floats are values, booleans 1 and 0. Strings have no place in a metric: they are counted, and skipped. Tags without a value
 * are left out. A line that is wrong is refused alone; the others are taken. */
#pragma once
#include "wire/otlp_common.h"

struct influx_options {
    int64_t now_ms;      /* for lines without a time */
    int64_t unit_ns;     /* of their times: 1 ns ... an hour */
    str db;              /* becomes the label db, unless a line has such a tag; "": none */
    struct labels extra; /* for every series; a tag of the same name wins. Sorted */
    size_t decoded_max;  /* bytes of the batch; more: ERR_TOO_LARGE. 0: 512 MiB */
};
struct influx_counts {
    size_t strings;   /* fields skipped because they are text */
    size_t bad_lines; /* each counts as one sample in partial->rejected, with its strings */
};
/* "ns", "n", "us", "u", "ms", "s", "m", "h" -> ns; "": 1. false: unknown. */
MUST_USE bool influx_precision(str name, int64_t *out_unit_ns);
/* partial->reason: the first bad line, with its number: "line 3: unable to parse 'x': missing fields"; "" when there are only strings. */
MUST_USE bool influx_decode(str body, const struct influx_options *o, struct metric_batch **out, struct influx_counts *counts,
                            struct otlp_partial *partial, struct err *e);
