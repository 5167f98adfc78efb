/* base/str: a string is a slice: pointer and length, not NUL-ended, borrowed. Pure; any thread. */
#pragma once
#include <string.h>

#include "base/defs.h"

typedef struct str {
    const char *p;
    size_t n;
} str;

/* STR("literal") in expressions, STR_INIT("literal") in static initialisers. */
#define STR(lit) ((str){(lit), sizeof(lit) - 1})
#define STR_INIT(lit) \
    { (lit), sizeof(lit) - 1 }
#define STR_NULL ((str){NULL, 0})
/* printf("%" STR_F, STR_A(s)) prints a slice. */
#define STR_F ".*s"
#define STR_A(s) (int)((s).n > 1000000 ? 1000000 : (s).n), ((s).p ? (s).p : "")

static inline str str_c(const char *z) {
    return (str){z, z ? strlen(z) : 0};
}
static inline str str_n(const void *p, size_t n) {
    return (str){(const char *)p, n};
}
static inline bool str_eq(str a, str b) {
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
static inline bool str_eq_c(str a, const char *z) {
    return str_eq(a, str_c(z));
}
/* memcmp order, shorter first on a tie: <0, 0, >0. */
static inline int str_cmp(str a, str b) {
    size_t n = MIN(a.n, b.n);
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}
static inline bool str_starts(str s, str prefix) {
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}
static inline bool str_ends(str s, str suffix) {
    return s.n >= suffix.n && (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}
/* [from, to) clamped to the slice. */
static inline str str_sub(str s, size_t from, size_t to) {
    to = MIN(to, s.n);
    from = MIN(from, to);
    return (str){from ? s.p + from : s.p, to - from};
}
static inline str str_from(str s, size_t from) {
    return str_sub(s, from, s.n);
}
#define STR_NONE SIZE_MAX
/* Offset of the first byte c / substring, or STR_NONE. */
size_t str_find_char(str s, char c);
size_t str_find(str s, str needle);
bool str_eq_nocase(str a, str b); /* ASCII case only */
str str_trim(str s);              /* ASCII blanks at both ends */
/* Cuts s at the first `sep`: *head before it, true; without a `sep`: *head = s, s becomes empty, false. */
bool str_cut(str *s, char sep, str *head);

/* Whole-slice integers; false on overflow, empty or trailing bytes. out untouched on failure. */
MUST_USE bool str_u64(str s, uint64_t *out);
MUST_USE bool str_i64(str s, int64_t *out);
MUST_USE bool str_hex_u64(str s, uint64_t *out); /* 1..16 hex digits, either case */
