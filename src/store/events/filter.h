/* store/events/filter: the predicate language of the events store: what Lucene, the Elasticsearch DSL and trace search are lowered to. A tree in
 * an arena, immutable once built. Pure; any thread.
 *
 * Leaves test the value of a field of one event; a field with several values (array) matches if any value does. Field names are the flat dotted
 * names an Elasticsearch user would write: a log's attributes at the root ("kubernetes.pod_name", "log", "message", "@timestamp", "severity_text",
 * "trace_id", "span_id", "service.name" ...), a resource attribute under its own name; for spans see events.h (evdb fields). "f.keyword" means f,
 * untokenised. A field whose name holds '*' means: any field that matches the glob. "*": any field. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/value.h"

enum filter_op {
    FILTER_ALL,
    FILTER_NONE,
    FILTER_AND,
    FILTER_OR,
    FILTER_NOT, /* children; NOT has one */
    /* text leaves on analysed words (standard analyzer: codec/words.h); need_words */
    FILTER_WORD,   /* words[0] is a word of the value */
    FILTER_PHRASE, /* words in order within slop (Lucene's definition) */
    FILTER_WORD_PREFIX,
    FILTER_WORD_WILDCARD,
    FILTER_WORD_REGEXP,
    FILTER_WORD_FUZZY, /* pattern against single words */
    FILTER_WORD_RANGE,
    /* leaves on the whole, unanalysed string; a number or boolean counts as its text (EQ, PREFIX, WILDCARD, REGEXP) */
    FILTER_EQ,
    FILTER_PREFIX,
    FILTER_WILDCARD,
    FILTER_REGEXP,
    FILTER_FUZZY,
    FILTER_STRING_RANGE,
    FILTER_SUBSTRING, /* plain, case-insensitive ASCII, across words */
    /* typed leaves */
    FILTER_NUMBER_RANGE, /* int and double, never bool; eq is lo == hi */
    FILTER_TIME_RANGE,   /* the event's time (field "@timestamp", ns), a string that is an ISO date, or (not under a glob) an integer in ms */
    FILTER_EXISTS,
    FILTER_IDS,   /* event _id in words[] */
    FILTER_TRACE, /* trace id equals (hi, lo) */
};

struct automaton; /* compiled wildcard / regexp / fuzzy over code points: store/events/automaton.h */
struct filter {
    enum filter_op op;
    str field; /* leaves */
    const struct filter *const *children;
    size_t child_n;
    const str *words;          /* WORD, PHRASE, IDS, PREFIX/EQ (words[0]) */
    const uint32_t *positions; /* PHRASE: token positions (gaps count); NULL: 0,1,2... */
    size_t word_n;
    uint32_t slop;
    bool last_is_prefix;               /* PHRASE: the last word may be longer (match_phrase_prefix) */
    const struct automaton *automaton; /* WILDCARD, REGEXP, FUZZY */
    str lo, hi;                        /* STRING_RANGE, WORD_RANGE */
    double num_lo, num_hi;             /* NUMBER_RANGE */
    int64_t time_lo_ns, time_hi_ns;    /* TIME_RANGE, both inclusive */
    bool has_lo, has_hi, lo_open, hi_open;
    uint64_t trace_hi, trace_lo;
};

/* Does one leaf hold for one value of its field? (EXISTS: the value is there and not null.) Used by the store on every candidate row; indexes only
 * narrow the candidates. */
bool filter_leaf_test(const struct filter *leaf, const struct value *v);
/* Would one analysed (lower-cased) word satisfy a FILTER_WORD* leaf by itself, or be one of a PHRASE's? What a word index asks of its dictionary. */
bool filter_word_test(const struct filter *leaf, str word);
/* Bytes that every word (FILTER_WORD*) or string (EQ, PREFIX, WILDCARD, REGEXP, FUZZY) accepted begins with; maybe none. */
str filter_prefix(const struct filter *leaf);
/* Does `name` fit a leaf's field (globs, ".keyword")? */
bool filter_field_fits(const struct filter *leaf, str name);
/* For tests and explain: canonical text. */
void filter_put(struct buf *b, const struct filter *f);
