/* store/events/match: a filter against the rows of one block. Any thread that pins the part.
 *
 * First the verdict, from the part's directory and the block's fingerprints alone: most blocks end there. Then, for what is left, one bit per
 * row: every leaf runs down the columns its field fits, a dictionary's entries are tested once each, and AND hands each child only the rows the
 * ones before left over. */
#pragma once
#include "loop/pool.h"
#include "store/events/block.h"
#include "store/events/filter.h"

enum verdict { VERDICT_NONE, VERDICT_MAYBE, VERDICT_ALL };
/* What the word index of the part says of a filter's leaves: made once per part, in an arena. */
struct part_view {
    const struct filter *leaf;
    const uint64_t *blocks; /* those it may hold in */
    const struct part_view *next;
};
const struct part_view *part_view(const struct part *p, const struct filter *f, struct arena *a);
enum verdict block_verdict(const struct part *p, uint32_t index, const struct filter *f, const struct part_view *view, int64_t from_ns,
                           int64_t to_ns);

static inline bool bit_get(const uint64_t *bits, size_t i) {
    return bits[i / 64] >> (i % 64) & 1;
}
static inline void bit_set(uint64_t *bits, size_t i) {
    bits[i / 64] |= UINT64_C(1) << (i % 64);
}
static inline size_t bit_words(size_t n) {
    return (n + 63) / 64;
}
/* Rows of the block within the times (inclusive) that match: bits[bit_words(row_n)] and their number. f NULL: all. Fails with ERR_CORRUPT (damaged
 * column) or what job_check says. */
MUST_USE bool block_match(struct block *b, const struct filter *f, int64_t from_ns, int64_t to_ns, const struct job *j, uint64_t *bits, uint32_t *n,
                          struct err *e);

/* Value of a field of a row by exact name, in the order events.h gives; several values become an array. Copied into a. false: absent. */
bool block_get(struct block *b, uint32_t row, str field, struct arena *a, struct value *out);
/* The id a row has when its client gave none: 16 hex digits of seq. */
str default_id(struct arena *a, uint64_t seq);
