/* api/ui_data: the questions of the page that no public API answers in one go. They run in the pool over a frozen snapshot. Loop thread.
 *
 * GET /ui/api/strip?from=ms&to=ms&n=200[&q=lucene][&dsl=json]       which logs: api/logs_query.h
 *   {"from":ms,"step":ms,"error":[n],"warn":[n],"info":[n],"debug":[n],"marks":[{"t":ms,"kind":"down","name":"job instance"}]}
 *   logs per bucket by severity (OTLP number: error 17.., warn 13.., debug 1..8, info the rest and unknown); marks: a target that went down or came
 *   back (`up`), a process that started anew (`process_start_time_seconds`).
 * GET /ui/api/services?from=ms&to=ms
 *   see red_put (api/red.h).
 * GET /ui/api/scatter?from=ms&to=ms[&service=][&operation=][&tags=logfmt][&minDuration=][&maxDuration=]
 *   {"total":n,"trace":[id...],"t":[ms...],"duration":[ms...],"error":[...]}: up to 1,000 spans drawn evenly from those a trace search finds (roots
 *   only, if nothing but time and duration is asked): the picture of a whole window, where a list holds only its newest traces.
 * GET /ui/api/moved?from=ms&to=ms
 *   see moved_put (api/moved.h): the metrics whose values in the window are unlike those of the four windows before it, over at most 50,000 series.
 * GET /ui/api/patterns?from=ms&to=ms[&base=ms][&q=][&dsl=]
 *   see log_patterns_put (api/logs_patterns.h): the logs of the window by shape, and how often each shape came from base (default: as long before
 *   as the window is long) to from. "partial": true when either had more lines than PATTERN_LINES_MAX: then the newest of each are counted.
 * GET /ui/api/parse[?q=][&dsl=]
 *   {"error":""}: the query is good; else what is wrong with it and where. Always 200: it is asked while a query is typed.
 * Errors: {"error":"what"} with the status of the error. */
#pragma once
#include "api/app.h"

enum { PATTERN_LINES_MAX = 500000 };

void ui_strip(void *app, struct http_exchange *x);
void ui_services(void *app, struct http_exchange *x);
void ui_scatter(void *app, struct http_exchange *x);
void ui_moved(void *app, struct http_exchange *x);
void ui_parse(void *app, struct http_exchange *x);
void ui_patterns(void *app, struct http_exchange *x);
void ui_reply_error(struct http_exchange *x, const struct err *e);
