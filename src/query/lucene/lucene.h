/* query/lucene/lucene: query text -> filter of the events store. Pure; any thread: jobs parse, with a field catalogue taken on the loop.
 * Sources: Lucene's classic QueryParser grammar, Elasticsearch's query_string and simple_query_string reference, Kibana's KQL grammar. */
#pragma once
#include "query/lucene/leaf.h"

struct lucene_options {
    const struct fields *fields;
    const str *default_fields; /* names or globs; none: "*" */
    size_t default_field_n;
    bool default_and;
    bool lenient;
    bool analyze_wildcard; /* the words of a prefix query are analysed: "front-end*" is front and end* */
    uint32_t phrase_slop;
    struct automaton_fuzziness fuzziness; /* prefix length and transpositions of "word~"; edits unused */
    struct datemath dates;
};

/* An empty query matches nothing in Lucene, everything in KQL, as their owners have it. */
MUST_USE bool lucene_filter(str query, const struct lucene_options *o, struct arena *a, const struct filter **out, struct err *e);
MUST_USE bool kql_filter(str query, const struct lucene_options *o, struct arena *a, const struct filter **out, struct err *e);
/* simple_query_string: + | - "phrase" word* word~n "phrase"~n ( ); never fails on syntax. */
MUST_USE bool simple_query_filter(str query, const struct lucene_options *o, struct arena *a, const struct filter **out, struct err *e);
