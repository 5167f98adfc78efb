/* api/logs_tail: new log lines as they come, filtered here (server-sent events, WHATWG HTML 9.2). Loop thread.
 *
 * GET /ui/api/tail[?q=lucene][&dsl=json]
 *   event: hello      data: {"seq":n}                      the query is good; lines stored from now on follow
 *   data: {"hits":[{"_index","_id","_source","sort":[ms,"ns-seq"]}...],"skipped":n}    newest first, as _search shows them
 *   event: problem    data: {"error":"..."}                a look that failed; the next one goes on where it was
 * A look every TAIL_PERIOD_MS when anything was stored since, in the pool. Of one look the newest TAIL_ROWS_MAX lines and TAIL_BYTES_MAX are sent;
 * the rest, and what a client that reads too slowly has no room for, is counted as skipped. A line that comes with a time more than TAIL_LATE_S ago
 * is not seen. At most TAILS_MAX clients: then 429. A bad query is 400. */
#pragma once
#include "api/app.h"

enum { TAIL_PERIOD_MS = 200, TAIL_ROWS_MAX = 500, TAIL_BYTES_MAX = 1 << 20, TAIL_LATE_S = 600, TAILS_MAX = 64 };

void logs_tail(void *app, struct http_exchange *x);
/* When the pool is gone and the store is about to. */
void logs_tail_stop_all(struct app *app);
