/* codec/regex_glob: what most label matchers are, told apart from real regular expressions: a union of globs, each a row of literal pieces with gaps
 * of any characters between them ("a|b", "api-.*", ".*timeout.*", "(foo|bar)-.+"). Built by codec/regex_syntax while it reads a pattern. Memory from
 * the arena; pure; one thread while building, then immutable. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

struct glob_piece {
    bool gap;     /* any characters may stand before the text... */
    bool gap_one; /* ...and at least one must */
    str text;
};
/* Pieces: at least one. Only the first may be without a gap; a glob that ends in a gap has a last piece with an empty text. */
struct glob {
    struct glob_piece *p;
    size_t n;
    bool begin, end; /* only at the begin, end of the subject (^ and $): matters for patterns that are not anchored */
};
struct globs {
    struct glob *p;
    size_t n, cap;
    bool unknown; /* not a union of globs */
};

enum { GLOBS_PRODUCT_MAX = 1024 }; /* how many globs a concatenation of alternatives may multiply to */

struct globs globs_unknown(void);
struct globs globs_literal(struct arena *a, str text); /* text must outlive the arena's use */
struct globs globs_gap(struct arena *a, bool at_least_one);
struct globs globs_begin(struct arena *a);
struct globs globs_end(struct arena *a);
void globs_or(struct arena *a, struct globs *x, struct globs y);
struct globs globs_then(struct arena *a, struct globs x, struct globs y);

static inline bool glob_is_literal(const struct glob *g) {
    return g->n == 1 && !g->p[0].gap;
}
bool glob_match(const struct glob *g, str subject); /* the whole subject */
