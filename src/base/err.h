/* base/err: the one error type. Lives on the caller's stack; written only on failure; any thread.
 *
 *   MUST_USE bool f(inputs..., T *out, struct err *e)   false = failed: *e says why, *out is untouched.
 *
 * The code decides HTTP status, gRPC status and exit code (one table in err.c); the message is for a person: what, where, what to do. */
#pragma once
#include "base/str.h"

enum err_code {
    ERR_NONE = 0,
    ERR_INPUT,       /* the caller's data is wrong                   400 */
    ERR_NOT_FOUND,   /* no such thing                                404 */
    ERR_LIMIT,       /* a configured limit refuses it for now        429 */
    ERR_TIMEOUT,     /* deadline passed                              503 */
    ERR_CANCELED,    /* the client left                              499 */
    ERR_IO,          /* disk or network failed                       503 */
    ERR_CORRUPT,     /* stored data failed its check                 500 */
    ERR_UNSUPPORTED, /* understood, but not offered                  501 */
    ERR_TOO_LARGE,   /* one request asks for too much: the same again would be refused again   413 */
};

struct err {
    enum err_code code;
    char msg[232];
};

/* err_set(e, code, format, ...): sets code and message and yields false, so that a failing function ends in one line. e may be NULL.
 * err_errno(e, code, errno_value, format, ...): the same, with ": <strerror(errno_value)>" behind the message.
 * err_wrap(e, format, ...): puts "context: " before the message of an error on its way up.
 * Macros, so that compilers and analyzers see the false, and with it that nobody reads *out after a failure. */
#define err_set(...) err_false_after_(err_put(__VA_ARGS__))
#define err_errno(...) err_false_after_(err_put_errno(__VA_ARGS__))
#define err_wrap(...) err_false_after_(err_put_context(__VA_ARGS__))
#define err_false_after_(call) \
    __extension__({            \
        call;                  \
        (bool)false;           \
    })
void err_put(struct err *e, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);
void err_put_errno(struct err *e, enum err_code code, int errno_value, const char *fmt, ...) PRINTF_LIKE(4, 5);
void err_put_context(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

static inline str err_str(const struct err *e) {
    return str_c(e->msg);
}

int err_http_status(enum err_code code);
int err_grpc_status(enum err_code code);
int err_exit_code(enum err_code code); /* 1 input, 3 io, 4 limit...: documented in doc/operations.md */
const char *err_name(enum err_code code);
