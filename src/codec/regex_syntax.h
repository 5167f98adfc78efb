/* codec/regex_syntax: reads a pattern by the rules of Go's regexp package (github.com/google/re2/wiki/Syntax, Perl flags) and writes it again in
 * the few constructs that PCRE2 understands the same way. What RE2 does not have (back-references, look-around, atomic groups, recursion,
 * conditions, callouts, \C) is refused with the words of Go's errors and the byte offset. Pure; any thread. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "codec/regex_glob.h"

enum { REGEX_PATTERN_MAX = 1 << 20, REGEX_NESTING_MAX = 200 };

struct regex_syntax {
    struct buf pcre;    /* for PCRE2_UTF | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY | PCRE2_ALT_CIRCUMFLEX; the caller frees it */
    struct globs globs; /* the same language, if it is one of globs */
    const str *names;   /* of the groups; [0] is the whole match; not named: empty */
    size_t groups;      /* with the whole match */
};

MUST_USE bool regex_syntax_read(str pattern, struct arena *a, struct regex_syntax *out, struct err *e);
