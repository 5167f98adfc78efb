#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
    const char *name;
    int http, grpc, exit;
} codes[] = {
    [ERR_NONE] = {"ok", 200, 0, 0},
    [ERR_INPUT] = {"input", 400, 3, 2},
    [ERR_NOT_FOUND] = {"not_found", 404, 5, 3},
    [ERR_LIMIT] = {"limit", 429, 8, 4},
    [ERR_TIMEOUT] = {"timeout", 503, 4, 5},
    [ERR_CANCELED] = {"canceled", 499, 1, 6},
    [ERR_IO] = {"io", 503, 14, 7},
    [ERR_CORRUPT] = {"corrupt", 500, 15, 8},
    [ERR_UNSUPPORTED] = {"unsupported", 501, 12, 9},
    [ERR_TOO_LARGE] = {"too_large", 413, 8, 10},
};

/* A message too long for its room ends with a whole character: it goes into JSON. */
static void PRINTF_LIKE(3, 0) format(char *text, size_t room, const char *fmt, va_list ap) {
    int n = vsnprintf(text, room, fmt, ap);
    if (n < 0 || (size_t)n < room) return;
    size_t end = room - 1, lead = end;
    while (lead > 0 && ((uint8_t)text[lead - 1] & 0xc0) == 0x80) lead--;
    if (lead == 0 || (uint8_t)text[lead - 1] < 0xc0) return;
    uint8_t first = (uint8_t)text[lead - 1];
    size_t whole = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (end - (lead - 1) < whole) text[lead - 1] = 0;
}

void err_put(struct err *e, enum err_code code, const char *fmt, ...) {
    if (!e) return;
    char text[sizeof e->msg]; /* the arguments may point into e->msg */
    va_list ap;
    va_start(ap, fmt);
    format(text, sizeof text, fmt, ap);
    va_end(ap);
    e->code = code;
    memcpy(e->msg, text, sizeof text);
}

void err_put_errno(struct err *e, enum err_code code, int errno_value, const char *fmt, ...) {
    char text[sizeof e->msg];
    va_list ap;
    va_start(ap, fmt);
    format(text, sizeof text, fmt, ap);
    va_end(ap);
    char reason[64];
    err_put(e, code, "%s: %s", text, strerror_r(errno_value, reason, sizeof reason));
}

void err_put_context(struct err *e, const char *fmt, ...) {
    if (!e) return;
    char text[sizeof e->msg];
    va_list ap;
    va_start(ap, fmt);
    format(text, sizeof text, fmt, ap);
    va_end(ap);
    err_put(e, e->code, "%s: %s", text, e->msg);
}

int err_http_status(enum err_code code) {
    return codes[code].http;
}
int err_grpc_status(enum err_code code) {
    return codes[code].grpc;
}
int err_exit_code(enum err_code code) {
    return codes[code].exit;
}
const char *err_name(enum err_code code) {
    return codes[code].name;
}
