/* codec/text: hex, base64, percent-encoding, UTF-8. Pure; any thread. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

bool utf8_valid(str s);
/* Length of the well-formed sequence at s.p (s.n > 0), 0 if there is none. */
size_t utf8_length(str s);
/* Decodes one code point at s.p (s.n > 0): its length; *cp = U+FFFD and length 1 for a bad byte. */
size_t utf8_next(str s, uint32_t *cp);
size_t utf8_encode(char out[4], uint32_t cp); /* cp <= 0x10FFFF; returns the length */
void utf8_put(struct buf *b, uint32_t cp);
void hex_put(struct buf *b, const void *bytes, size_t n); /* lower case */
MUST_USE bool hex_decode(str s, void *out, size_t n);     /* exactly 2n digits */
void base64_put(struct buf *b, str bytes);
MUST_USE bool base64_decode(str s, struct arena *a, str *out);                  /* standard or URL alphabet, padding optional */
MUST_USE bool url_decode(str s, bool plus_is_blank, struct arena *a, str *out); /* bad %xx: false */
void url_encode_put(struct buf *b, str s);
