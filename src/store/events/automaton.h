/* store/events/automaton: patterns over code points, compiled to a deterministic automaton: Lucene's wildcards, its RegExp dialect and Levenshtein
 * distance with transpositions. A pattern always has to match the whole string. Compiled once into an arena, immutable, then any thread may match.
 *
 *   regexp   . ? * + {n} {n,} {n,m} | () [a-z] [^a-z] "literal" \c \d \D \s \S \w \W  ~ complement  & intersection  @ any string
 *            # no string at all  <n-m> decimal interval;  ^ and $ are ordinary characters
 *   wildcard * any string  ? any one code point  \c
 *
 * Sources: org.apache.lucene.util.automaton.RegExp (its documented syntax, all flags on as Elasticsearch has them), WildcardQuery, FuzzyQuery.
 * Limits, as Elasticsearch's defaults: 1,000 code points of pattern, 10,000 states; beyond that ERR_INPUT, never a guess. */
#pragma once
#include "base/arena.h"
#include "base/err.h"

enum { AUTOMATON_PATTERN_MAX = 1000, AUTOMATON_STATES_MAX = 10000 };

struct automaton;

MUST_USE bool automaton_wildcard(str pattern, bool nocase, struct arena *a, const struct automaton **out, struct err *e);
MUST_USE bool automaton_regexp(str pattern, bool nocase, struct arena *a, const struct automaton **out, struct err *e);
/* Strings within `edits` (0..2) insertions, deletions, substitutions or, if wanted, swaps of neighbours; the first prefix_n code points must be
 * equal. */
struct automaton_fuzziness {
    unsigned edits, prefix_n;
    bool transpositions;
};
MUST_USE bool automaton_fuzzy(str term, struct automaton_fuzziness f, struct arena *a, const struct automaton **out, struct err *e);

/* A byte that is not UTF-8 counts as U+FFFD. */
bool automaton_match(const struct automaton *m, str s);
/* May some string match that has so many characters at least, all of that set of ASCII ones? */
bool automaton_may(const struct automaton *m, const uint64_t ascii[2], size_t at_least, struct arena *scratch);
/* The automaton by hand: where it is after a string; 0: nowhere, no match begins like this. */
uint32_t automaton_start(const struct automaton *m);
uint32_t automaton_walk(const struct automaton *m, uint32_t state, str s);
bool automaton_accepts(const struct automaton *m, uint32_t state);
size_t automaton_states(const struct automaton *m);
/* Bytes every match begins with (maybe none): where to look in a sorted dictionary. */
str automaton_prefix(const struct automaton *m);
