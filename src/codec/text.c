#include "codec/text.h"

/* Unicode 15 table 3-7, well-formed UTF-8. */
size_t utf8_length(str s) {
    const uint8_t *p = (const uint8_t *)s.p;
    if (p[0] < 0x80) return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4) return 0;
    size_t n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (s.n < n) return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f)) return 0; /* overlong; surrogates */
    if ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f)) return 0; /* overlong; past U+10FFFF */
    return n;
}

bool utf8_valid(str s) {
    size_t at = 0;
    while (at < s.n) {
        uint64_t eight;
        if (s.n - at >= 8) {
            memcpy(&eight, s.p + at, 8);
            if (!(eight & UINT64_C(0x8080808080808080))) {
                at += 8;
                continue;
            }
        }
        size_t n = utf8_length(str_from(s, at));
        if (n == 0) return false;
        at += n;
    }
    return true;
}

size_t utf8_next(str s, uint32_t *cp) {
    const uint8_t *p = (const uint8_t *)s.p;
    size_t n = utf8_length(s);
    switch (n) {
    case 1: *cp = p[0]; return 1;
    case 2: *cp = (uint32_t)(p[0] & 0x1f) << 6 | (p[1] & 0x3f); return 2;
    case 3: *cp = (uint32_t)(p[0] & 0x0f) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f); return 3;
    case 4: *cp = (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3f) << 12 | (uint32_t)(p[2] & 0x3f) << 6 | (p[3] & 0x3f); return 4;
    }
    *cp = 0xfffd;
    return 1;
}

size_t utf8_encode(char out[4], uint32_t cp) {
    assert(cp <= 0x10ffff);
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    size_t n = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    for (size_t i = n; i-- > 1; cp >>= 6) out[i] = (char)(0x80 | (cp & 0x3f));
    out[0] = (char)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | cp);
    return n;
}

void utf8_put(struct buf *b, uint32_t cp) {
    char bytes[4];
    buf_put(b, bytes, utf8_encode(bytes, cp));
}

static const char hex_digits[] = "0123456789abcdef";

void hex_put(struct buf *b, const void *bytes, size_t n) {
    buf_reserve(b, 2 * n);
    const uint8_t *p = bytes;
    for (size_t i = 0; i < n; i++) {
        b->p[b->n++] = hex_digits[p[i] >> 4];
        b->p[b->n++] = hex_digits[p[i] & 15];
    }
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool hex_decode(str s, void *out, size_t n) {
    if (s.n != 2 * n) return false;
    for (size_t i = 0; i < s.n; i++)
        if (hex_value(s.p[i]) < 0) return false;
    for (size_t i = 0; i < n; i++) ((uint8_t *)out)[i] = (uint8_t)(hex_value(s.p[2 * i]) << 4 | hex_value(s.p[2 * i + 1]));
    return true;
}

/* --- base64, RFC 4648 */

void base64_put(struct buf *b, str bytes) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    buf_reserve(b, (bytes.n + 2) / 3 * 4);
    const uint8_t *p = (const uint8_t *)bytes.p;
    for (size_t i = 0; i < bytes.n; i += 3) {
        size_t left = bytes.n - i;
        uint32_t v = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0);
        buf_char(b, digits[v >> 18]);
        buf_char(b, digits[v >> 12 & 63]);
        buf_char(b, left > 1 ? digits[v >> 6 & 63] : '=');
        buf_char(b, left > 2 ? digits[v & 63] : '=');
    }
}

static int base64_value(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+' || c == '-') return 62;
    if (c == '/' || c == '_') return 63;
    return -1;
}

bool base64_decode(str s, struct arena *a, str *out) {
    size_t padding = 0;
    while (padding < 2 && s.n && s.p[s.n - 1] == '=') s.n--, padding++;
    if (s.n % 4 == 1 || (padding && (s.n + padding) % 4 != 0)) return false;
    uint8_t *bytes = arena_alloc(a, s.n / 4 * 3 + 3);
    size_t n = 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < s.n; i++) {
        int v = base64_value(s.p[i]);
        if (v < 0) return false;
        bits = bits << 6 | (uint32_t)v;
        if (i % 4 != 0) bytes[n++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
    }
    *out = str_n(bytes, n);
    return true;
}

/* --- percent-encoding, RFC 3986 2.1 */

bool url_decode(str s, bool plus_is_blank, struct arena *a, str *out) {
    char *bytes = arena_alloc(a, s.n);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '+' && plus_is_blank) c = ' ';
        if (c == '%') {
            if (s.n - i < 3 || !hex_decode(str_sub(s, i + 1, i + 3), &c, 1)) return false;
            i += 2;
        }
        bytes[n++] = c;
    }
    *out = str_n(bytes, n);
    return true;
}

static bool unreserved(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_' || c == '~';
}

void url_encode_put(struct buf *b, str s) {
    for (size_t i = 0; i < s.n; i++) {
        if (unreserved(s.p[i])) {
            buf_char(b, s.p[i]);
            continue;
        }
        uint8_t c = (uint8_t)s.p[i];
        char escape[3] = {'%', (char)("0123456789ABCDEF"[c >> 4]), (char)("0123456789ABCDEF"[c & 15])};
        buf_put(b, escape, sizeof escape);
    }
}
