/* Up to the first newline a pattern, then subjects, one a line. The way around PCRE2 (globs, literal sets) must agree with the way through it. */
#include "codec/regex.h"
#include "codec/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct regex *re, bool anchored, str subject) {
    str groups[32];
    size_t n = 0;
    enum regex_result fast = regex_match(re, subject), slow = regex_groups(re, subject, groups, &n);
    if (fast == REGEX_LIMIT || slow == REGEX_LIMIT) return;
    /* To PCRE2 bytes that are no characters match nothing; a glob's gap does not look. */
    if (utf8_valid(subject)) assert(fast == slow);
    if (slow == REGEX_YES) assert(n >= 1 && n <= 32 && (!anchored || groups[0].n == subject.n));
    const str *literals;
    size_t literals_n;
    if (!regex_literals(re, &literals, &literals_n)) return;
    bool found = false;
    for (size_t i = 0; i < literals_n; i++) found |= str_eq(literals[i], subject);
    assert(found == (fast == REGEX_YES));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 2000) return 0;
    str subjects = str_n(data, size), pattern, subject;
    str_cut(&subjects, '\n', &pattern);
    for (int anchored = 0; anchored < 2; anchored++) {
        struct regex *re;
        struct err e = {0};
        if (!regex_new(pattern, anchored, &re, &e)) {
            assert(e.code && str_starts(err_str(&e), STR("error parsing regexp: ")));
            return 0;
        }
        str rest = subjects;
        check(re, anchored, STR(""));
        check(re, anchored, pattern);
        check(re, anchored, subjects);
        while (str_cut(&rest, '\n', &subject)) check(re, anchored, subject);
        regex_free(re);
    }
    return 0;
}
