/* query/promql/script: PromQL test scripts (Prometheus' promqltest language): load, clear, eval, expect. Each eval runs on an in-memory store and is
 * reported. As the reference runner does, an instant eval is also run with every selector pinned by `@`, at other evaluation times, and each of those
 * as a range query around its time: all must give the expected result. Loop thread (it owns the stores it makes). */
#pragma once
#include "base/err.h"

struct script_report {
    size_t line;
    str expr;
    bool ok;
    str message; /* why not */
};
typedef void (*script_on_eval)(void *arg, const struct script_report *r);
/* false: the script itself is wrong (ERR_INPUT, with the line). Otherwise every eval was reported. */
MUST_USE bool script_run(str text, script_on_eval on_eval, void *arg, struct err *e);
