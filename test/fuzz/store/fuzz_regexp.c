/* Pattern and subject, separated by a line end; the first byte chooses the kind. Must neither crash nor take long; an accepted pattern must agree
 * with its own complement. */
#include "store/events/automaton.h"

static str complement_of(str pattern, struct arena *a) {
    char *p = arena_alloc(a, pattern.n + 3);
    memcpy(p, "~(", 2);
    memcpy(p + 2, pattern.p, pattern.n);
    p[pattern.n + 2] = ')';
    return str_n(p, pattern.n + 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    if (n < 1) return 0;
    AUTO(arena_free) struct arena *a = arena_new(4096);
    str subject = str_n(data + 1, n - 1), pattern;
    str_cut(&subject, '\n', &pattern);
    const struct automaton *m, *inverse;
    struct err e = {0};
    switch (data[0] % 4) {
    case 0:
    case 1:
        if (!automaton_regexp(pattern, data[0] & 1, a, &m, &e)) break;
        if (pattern.n == 0 || str_find_char(pattern, ')') != STR_NONE) break; /* a ')' may close the wrapper */
        if (!automaton_regexp(complement_of(pattern, a), data[0] & 1, a, &inverse, &e)) break;
        assert(automaton_match(m, subject) != automaton_match(inverse, subject));
        break;
    case 2:
        if (automaton_wildcard(pattern, false, a, &m, &e) && automaton_match(m, subject)) assert(str_starts(subject, automaton_prefix(m)));
        break;
    case 3:
        if (automaton_fuzzy(pattern, (struct automaton_fuzziness){2, 0, true}, a, &m, &e)) (void)automaton_match(m, subject);
        break;
    }
    return 0;
}
