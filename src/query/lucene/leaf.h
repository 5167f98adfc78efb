/* query/lucene/leaf: one clause on one field -> a store filter, by the field's type, as Elasticsearch's field types answer queries. What the Lucene
 * and KQL parsers and the query DSL have in common. Pure; any thread; results live in the context's arena and borrow from the input. */
#pragma once
#include "query/lucene/datemath.h"
#include "query/lucene/fields.h"
#include "store/events/automaton.h"

enum { LEAF_FIELDS_MAX = 1024 };

struct leaf_context {
    struct arena *arena;
    const struct fields *fields;
    struct datemath dates;
    bool lenient; /* a value that does not suit the field's type matches nothing instead of failing */
};

enum leaf_op {
    LEAF_MATCH,  /* analysed; words OR-ed (all_words: AND-ed) */
    LEAF_PHRASE, /* analysed, in order within slop */
    LEAF_TERM,   /* as it is */
    LEAF_PREFIX,
    LEAF_WILDCARD, /* "*" alone: the field exists */
    LEAF_REGEXP,
    LEAF_FUZZY,
    LEAF_RANGE,
    LEAF_EXISTS,
};
struct leaf {
    enum leaf_op op;
    str text;
    bool all_words;
    uint32_t slop;
    bool last_is_prefix; /* PHRASE */
    bool split_prefix;   /* PREFIX on a text field: only the last word is one, the others are whole (analyze_wildcard) */
    bool as_written;     /* patterns and bounds on text fields are not lower-cased (the term-level queries of the DSL) */
    bool nocase;         /* TERM, PREFIX, WILDCARD, REGEXP: ASCII case does not matter */
    bool fuzzy;          /* MATCH: every word within `fuzziness` */
    bool auto_edits;     /* FUZZY, MATCH: by length, 0..2: exact, 3..5: one edit, longer: two */
    struct automaton_fuzziness fuzziness;
    bool has_lo, has_hi, lo_open, hi_open; /* RANGE */
    str lo, hi;
};
/* *out NULL: the analyser left nothing of the text, the clause says nothing. */
MUST_USE bool leaf_lower(const struct leaf_context *c, str field, const struct leaf *leaf, const struct filter **out, struct err *e);
/* The same on several fields: any of them. */
MUST_USE bool leaf_lower_any(const struct leaf_context *c, const str *fields, size_t n, const struct leaf *leaf, const struct filter **out,
                             struct err *e);

/* --- small filters */
const struct filter *filter_all(void);
const struct filter *filter_none(void);
/* NULL children are left out; none left: NULL; one left: itself. op: FILTER_AND or FILTER_OR. */
const struct filter *filter_join(struct arena *a, enum filter_op op, const struct filter *const *children, size_t n);
const struct filter *filter_not(struct arena *a, const struct filter *child);
