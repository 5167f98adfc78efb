/* codec/words: text -> words as Elasticsearch's standard analyzer does: Lucene's StandardTokenizer (UAX#29 word boundaries; ideographs and
 * Hiragana one by one, emoji sequences kept whole, South-East Asian runs whole), each code point lower-cased, no stop words, a word cut after 255
 * UTF-16 units. ASCII is scanned by table, the rest by libunistring's character properties. Bytes that are not UTF-8 separate words.
 * Pure; any thread. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

enum { WORD_UNITS_MAX = 255 };

struct word {
    str text;          /* lower-cased; borrows from the input when it was lower-case already, else from the arena */
    uint32_t position; /* 0, 1, 2... */
    size_t from, to;   /* byte range in the input (highlighting) */
};
/* Iterates: `struct words w = words_open(text, a); for (struct word x; words_next(&w, &x);)` */
struct words {
    str text;
    struct arena *arena;
    size_t at;
    uint32_t position;
};
struct words words_open(str text, struct arena *a);
bool words_next(struct words *w, struct word *out);

/* Lower-cases code point by code point, as the analyzer does and as query patterns need; s itself when nothing changes. */
str words_lower(struct arena *a, str s);
