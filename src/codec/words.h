/* codec/words: text -> words as Elasticsearch's standard analyzer does (UAX#29 word boundaries, lower-cased, no stop words, words longer than
 * 255 UTF-16 units split). ASCII fast path, else libunistring. Pure; any thread. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

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
    str pending;           /* remainder of an over-long word */
    const uint8_t *breaks; /* non-ASCII: libunistring's boundary map */
    size_t breaks_from;
};
struct words words_open(str text, struct arena *a);
bool words_next(struct words *w, struct word *out);
