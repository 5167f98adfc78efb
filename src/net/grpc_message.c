#include "net/grpc_message.h"

#include <stdlib.h>

#include "base/clock.h"
#include "codec/compress.h"

enum { RESERVE_BYTES = 1 << 20 }; /* on the word of a prefix alone */

static enum grpc_status fail(struct err *e, enum grpc_status status, enum err_code code, const char *text) {
    err_put(e, code, "%s", text);
    return status;
}

static enum grpc_status too_large(struct err *e, const char *what, size_t max_bytes) {
    err_put(e, ERR_TOO_LARGE, "%s is too large: more than %zu bytes", what, max_bytes);
    return GRPC_RESOURCE_EXHAUSTED;
}

static enum grpc_status read_prefix(struct grpc_reader *r, struct err *e) {
    const uint8_t *p = r->prefix;
    if (p[0] > 1) return fail(e, GRPC_INTERNAL, ERR_INPUT, "not a gRPC message: its first byte is neither 0 nor 1");
    r->want = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
    if (r->want > r->max_bytes) return too_large(e, "the message", r->max_bytes);
    buf_reserve(&r->message, MIN(r->want, (size_t)RESERVE_BYTES));
    return GRPC_OK;
}

enum grpc_status grpc_reader_feed(struct grpc_reader *r, str data, struct err *e) {
    size_t n = MIN(data.n, GRPC_PREFIX_BYTES - r->prefix_n);
    if (n) {
        memcpy(r->prefix + r->prefix_n, data.p, n);
        r->prefix_n += n;
        if (r->prefix_n < GRPC_PREFIX_BYTES) return GRPC_OK;
        enum grpc_status status = read_prefix(r, e);
        if (status != GRPC_OK) return status;
    }
    str piece = str_from(data, n);
    if (piece.n > r->want - r->message.n) return fail(e, GRPC_UNIMPLEMENTED, ERR_INPUT, "more than one message was sent: this method takes one");
    buf_add(&r->message, piece);
    return GRPC_OK;
}

static enum grpc_status decompress(struct grpc_reader *r, str encoding, struct err *e) {
    bool gzip = str_eq(encoding, STR("gzip")) || str_eq(encoding, STR("deflate")); /* libdeflate tells the wrappers apart */
    if (encoding.n == 0 || str_eq(encoding, STR("identity")))
        return fail(e, GRPC_INTERNAL, ERR_INPUT, "the message is marked as compressed, but the header grpc-encoding names no compression");
    if (!gzip) {
        err_put(e, ERR_UNSUPPORTED, "grpc-encoding \"%" STR_F "\" is not supported: use gzip, deflate or identity", STR_A(str_sub(encoding, 0, 40)));
        return GRPC_UNIMPLEMENTED;
    }
    struct buf plain = {0};
    if (gzip_decode(buf_str(&r->message), r->max_bytes, &plain, e)) {
        buf_done(&r->message);
        r->message = plain;
        return GRPC_OK;
    }
    buf_done(&plain);
    if (e->code == ERR_LIMIT) return too_large(e, "the decompressed message", r->max_bytes);
    err_wrap(e, "cannot decompress the message");
    return GRPC_INTERNAL;
}

enum grpc_status grpc_reader_finish(struct grpc_reader *r, str encoding, struct err *e) {
    if (r->prefix_n == 0) return fail(e, GRPC_UNIMPLEMENTED, ERR_INPUT, "no message was sent: this method takes one");
    if (r->prefix_n < GRPC_PREFIX_BYTES || r->message.n < r->want) {
        err_put(e, ERR_INPUT, "the message is cut short: %zu of %zu bytes came", r->message.n, r->want);
        return GRPC_INTERNAL;
    }
    return r->prefix[0] ? decompress(r, encoding, e) : GRPC_OK;
}

void grpc_reader_done(struct grpc_reader *r) {
    buf_done(&r->message);
}

void grpc_put_prefix(struct buf *b, size_t message_bytes) {
    assert(message_bytes <= UINT32_MAX);
    const uint8_t prefix[GRPC_PREFIX_BYTES] = {0, (uint8_t)(message_bytes >> 24), (uint8_t)(message_bytes >> 16), (uint8_t)(message_bytes >> 8),
                                               (uint8_t)message_bytes};
    buf_put(b, prefix, sizeof prefix);
}

bool grpc_timeout_parse(str text, int64_t *out_ns) {
    static const struct {
        char name;
        int64_t ns;
    } units[] = {{'H', 3600 * NS_PER_S}, {'M', 60 * NS_PER_S}, {'S', NS_PER_S}, {'m', NS_PER_MS}, {'u', 1000}, {'n', 1}};
    uint64_t n;
    if (text.n < 2 || text.n > 9 || !str_u64(str_sub(text, 0, text.n - 1), &n)) return false;
    for (size_t i = 0; i < ARRAY_N(units); i++) {
        if (units[i].name != text.p[text.n - 1]) continue;
        int64_t ns;
        *out_ns = __builtin_mul_overflow((int64_t)n, units[i].ns, &ns) ? INT64_MAX : ns; /* 99999999H are 11,000 years */
        return true;
    }
    return false;
}

void grpc_put_status_text(struct buf *b, str text) {
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = (uint8_t)text.p[i];
        if (c >= 0x20 && c <= 0x7e && c != '%')
            buf_char(b, (char)c);
        else
            buf_printf(b, "%%%02X", c);
    }
}
