/* codec/regex: PCRE2 restricted to what RE2 accepts (github.com/google/re2/wiki/Syntax; no back-references, no look-around), dot matches newline,
 * UTF-8. A compiled regex is immutable and may be shared between threads; match data is per call. Errors have the words of Go's regexp and
 * the byte offset. Known differences to Go: a quantifier behind flags ("a(?i)*") is refused; a group repeated over nothing captures the last,
 * empty round; bytes that are not UTF-8 match no character (a gap of a literal pattern skips them); much backtracking is REGEX_LIMIT. */
#pragma once
#include "base/arena.h"
#include "base/err.h"

struct regex;

/* anchored: must match the whole subject (Prometheus matchers). Literal alternatives ("a|b|c"), prefixes ("a.*") and ".*" ".+" never reach PCRE2. */
MUST_USE bool regex_new(str pattern, bool anchored, struct regex **out, struct err *e);
void regex_free(struct regex *re);
enum regex_result { REGEX_NO, REGEX_YES, REGEX_LIMIT }; /* LIMIT: match limit hit; a query error, never "no match" */
enum regex_result regex_match(const struct regex *re, str subject);
/* Captures: groups[0] whole match, unset groups STR_NULL; group_n up to 32. A set of literals too large for PCRE2 (64 KiB) can be matched but not
 * captured from: REGEX_LIMIT. */
enum regex_result regex_groups(const struct regex *re, str subject, str *groups, size_t *group_n);
int regex_group_index(const struct regex *re, str name); /* -1: none */
/* If the regex can only match these literals, yields them (borrowed from re) and true. */
bool regex_literals(const struct regex *re, const str **out, size_t *n);
AUTO_DEFINE(struct regex, regex_free);
