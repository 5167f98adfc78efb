/* codec/json_scan: the one hot loop that reader and writer of JSON share. Pure; any thread. */
#pragma once
#include "base/defs.h"
#ifdef __SSE2__
#include <emmintrin.h>
#endif

static inline bool json_plain(uint8_t c) {
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* First byte in [p, end) that a JSON string cannot hold as it is, or that needs a closer look: quote, backslash, control, non-ASCII. */
static inline const char *json_plain_run(const char *p, const char *end) {
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), blank = _mm_set1_epi8(0x20);
    for (; end - p >= 16; p += 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)p);
        /* The comparison is signed, so it finds bytes from 0x80 up together with those below the blank. */
        __m128i odd = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(x, quote), _mm_cmpeq_epi8(x, backslash)), _mm_cmplt_epi8(x, blank));
        unsigned mask = (unsigned)_mm_movemask_epi8(odd);
        if (mask) return p + __builtin_ctz(mask);
    }
#endif
    while (p < end && json_plain((uint8_t)*p)) p++;
    return p;
}
