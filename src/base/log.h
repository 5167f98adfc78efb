/* base/log: structured lines on stderr, `2026-11-22T12:00:00.123Z level module message key=value...`. Any thread; one write() per line.
 * Only ingest, alert, api and cmd log; lower layers return err. A tap sees every line that passes the level (binnacle keeps its own logs). */
#pragma once
#include "base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Before threads start. */
void log_set_level(enum log_level level);
/* Called on the logging thread, must be quick and must not log. NULL removes it. */
typedef void (*log_tap)(void *arg, int64_t time_ns, enum log_level level, const char *module, str message);
void log_set_tap(log_tap tap, void *arg);
MUST_USE bool log_level_parse(str s, enum log_level *out);
const char *log_level_name(enum log_level level);

void log_line(enum log_level level, const char *module, const char *fmt, ...) PRINTF_LIKE(3, 4);
#define log_debug(module, ...) log_line(LOG_DEBUG, module, __VA_ARGS__)
#define log_info(module, ...) log_line(LOG_INFO, module, __VA_ARGS__)
#define log_warn(module, ...) log_line(LOG_WARN, module, __VA_ARGS__)
#define log_error(module, ...) log_line(LOG_ERROR, module, __VA_ARGS__)
