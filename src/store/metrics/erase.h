/* store/metrics/erase: samples that do not count any more: deleted by somebody, or older than the rule for their series allows.
 *
 * Deletions are numbered and kept in `deletions` until no part and no memory holds what they delete: queries leave it out at once, merging
 * removes it from the files. A deletion ends at the newest sample there was; what comes later is not meant. Old samples that are written again
 * into a deleted range stay hidden until the deletion is done with (tsdb_clean_tombstones).
 *
 * The file, replaced as a whole:
 *   0   8   magic "NBDELET1"        8   ..  varint count; each varint number, zigzag from ms, zigzag to ms, varint matchers, each
 *   byte operator (MATCH_EQ...), slice name, slice value        -8  8   xxh64 of all before */
#pragma once
#include "loop/vfs.h"
#include "store/metrics/fields.h"
#include "store/metrics/tsdb.h"

#define DELETIONS_MAGIC UINT64_C(0x3154454c4544424e)
enum { DELETIONS_MAX = 10000, DELETIONS_BYTES_MAX = 16 << 20 };

struct deletion {
    uint64_t number;
    int64_t from_ms, to_ms;
    struct matcher *m;
    size_t n;
};
/* Immutable, counted: a change makes a new list. refs: loop thread. */
struct deletions {
    struct arena *arena;
    unsigned refs;
    struct deletion *p;
    size_t n;
};
void deletions_ref(struct deletions *d);
void deletions_unref(struct deletions *d); /* NULL is fine */
/* old without the numbers in `gone` (ascending), and with `add` unless it is NULL. */
struct deletions *deletions_change(const struct deletions *old, const uint64_t *gone, size_t gone_n, const struct deletion *add);
void deletions_encode(const struct deletions *d, struct buf *out);
MUST_USE bool deletions_decode(str file, struct deletions **out, struct err *e);

struct erased {
    int64_t from_ms, to_ms;
};
/* The deleted ranges of a series, in no order; the array is the arena's. */
size_t deletions_of(const struct deletions *d, struct labels ls, struct arena *a, struct erased **out);

/* What a job that rewrites samples leaves out. */
struct eraser {
    struct deletions *deletions; /* a reference */
    uint64_t number;             /* of the newest deletion ever */
    const struct tsdb_keep_rule *rules;
    size_t rule_n;
    int64_t now_ms, keep_ms; /* keep_ms: of series without a rule; 0: for ever */
};
void eraser_done(struct eraser *x); /* loop thread */
/* The rule of a series: the first that matches; 0: for ever. */
int64_t eraser_keep_ms(const struct eraser *x, struct labels ls);
/* Cuts the samples down; n columns with the same times. false: none is left. */
bool eraser_apply(const struct eraser *x, struct labels target, struct labels shape, struct columns *c, size_t n);
void columns_erase(struct columns *c, int64_t from_ms, int64_t to_ms);
