#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

static enum log_level min_level = LOG_INFO; /* these three are written before threads start, or on the loop thread at the end */
static log_tap tap_fn;
static void *tap_arg;

static const char *const names[] = {[LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error"};

void log_set_level(enum log_level level) {
    min_level = level;
}

void log_set_tap(log_tap tap, void *arg) {
    tap_arg = arg;
    tap_fn = tap;
}

const char *log_level_name(enum log_level level) {
    return names[level];
}

bool log_level_parse(str s, enum log_level *out) {
    for (size_t i = 0; i < ARRAY_N(names); i++) {
        if (!str_eq_c(s, names[i])) continue;
        *out = (enum log_level)i;
        return true;
    }
    return false;
}

void log_line(enum log_level level, const char *module, const char *fmt, ...) {
    if (level < min_level) return;
    char line[2048];
    int64_t now_ns = clock_wall_ns();
    time_t s = (time_t)(now_ns / NS_PER_S);
    struct tm tm;
    gmtime_r(&s, &tm);
    size_t head = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &tm);
    head += (size_t)snprintf(line + head, sizeof line - head, ".%03dZ %s %s ", (int)(now_ns % NS_PER_S / NS_PER_MS), names[level], module);
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line + head, sizeof line - head - 1, fmt, ap);
    va_end(ap);
    size_t end = head + (size_t)MAX(n, 0);
    end = MIN(end, sizeof line - 2);
    if (tap_fn) tap_fn(tap_arg, now_ns, level, module, str_n(line + head, end - head));
    line[end++] = '\n';
    /* A log line that cannot be written has nowhere to be reported. */
    if (write(STDERR_FILENO, line, end) < 0) return;
}
