/* store/events/column: how the values of one column of a block are laid out, in memory and on disk. Pure; any thread. Decoded columns borrow
 * from the section they were opened on and from the arena.
 *
 * Every fixed-size value (time, int, double bits, id halves, bool, dictionary index) is an int64 in `struct ints`; every text is a slice in
 * `struct strings`. Encodings (the section table names one per section; numbers are never reused, all integers little-endian):
 *
 *   1 PACKED   u8 width (0 1 2 4 8), 7 zero, i64 base, i64 step, then n items of width bytes: value i = base + step * i + item i
 *   2 DELTA    n zigzag varints, each the difference to the value before (the first: to 0)
 *   3 PLAIN    n u32 end offsets, then the bytes
 *   4 LENGTHS  n varint lengths, then the bytes
 *   5 DICT     u32 entries, u32 zero, PACKED of n indexes padded to 8, then entries as PLAIN
 *   6 RUNS     u32 distinct, u32 zero, distinct 16-byte ids (big-endian, ascending), distinct u32 end rows: rows sorted by trace id
 *   7 IDS      u32 distinct, u32 zero, distinct 16-byte ids (big-endian), PACKED of n indexes: ids in any order
 *   8 TEXT     opaque bytes (tables, filters): the section's own header says what they are
 *
 * 1, 3, 5, 6 and 7 are used in place, without decoding: what the newest data in memory is written as. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/vec.h"
#include "model/event.h"

enum encoding { ENC_PACKED = 1, ENC_DELTA, ENC_PLAIN, ENC_LENGTHS, ENC_DICT, ENC_RUNS, ENC_IDS, ENC_TEXT, ENC_TEMPLATES };

struct ints {
    const void *items;
    int64_t base, step;
    uint32_t n;
    uint8_t width;
};
static inline int64_t ints_at(const struct ints *c, size_t i) {
    uint64_t v = (uint64_t)c->base + (uint64_t)c->step * i;
    switch (c->width) {
    case 1: return (int64_t)(v + ((const uint8_t *)c->items)[i]);
    case 2: return (int64_t)(v + ((const uint16_t *)c->items)[i]);
    case 4: return (int64_t)(v + ((const uint32_t *)c->items)[i]);
    case 8: return (int64_t)(v + ((const uint64_t *)c->items)[i]);
    }
    return (int64_t)v;
}

struct texts; /* texts.h */
struct strings {
    const struct texts *texts; /* templates: each text is made when asked for, and there are neither ends nor bytes; else NULL */
    const uint32_t *ends;      /* of the entries (dict) or of the values */
    const char *bytes;
    struct ints index; /* dict: value -> entry */
    uint32_t n, entry_n;
    bool dict;
};
static inline str strings_entry(const struct strings *c, size_t i) {
    uint32_t from = i ? c->ends[i - 1] : 0;
    return str_n(c->bytes + from, c->ends[i] - from);
}
str texts_own(const struct texts *t, size_t i); /* in the arena of the column */
static inline str strings_at(const struct strings *c, size_t i) {
    if (c->texts) return texts_own(c->texts, i);
    return strings_entry(c, c->dict ? (size_t)ints_at(&c->index, i) : i);
}

/* Trace ids of the rows: an entry table and, per row, either runs (rows ascend by id) or an index. */
struct traces {
    const unsigned char *ids; /* entry_n * 16, big-endian */
    const uint32_t *ends;     /* RUNS: end row of each entry */
    struct ints index;        /* IDS */
    uint32_t n, entry_n;
};
struct trace_id traces_entry(const struct traces *t, size_t entry);
struct trace_id traces_at(const struct traces *t, size_t row);
/* Rows [*from, *to) of a trace in a RUNS column; false: not there. O(log entries), touches nothing else. */
bool traces_find(const struct traces *t, struct trace_id id, uint32_t *from, uint32_t *to);

/* Opening a section of n values: false when the bytes are not a column of n values (damage). Everything reachable is validated here. */
MUST_USE bool ints_open(enum encoding enc, str section, size_t n, struct arena *a, struct ints *out);
MUST_USE bool strings_open(enum encoding enc, str section, size_t n, struct arena *a, struct strings *out);
MUST_USE bool traces_open(enum encoding enc, str section, size_t n, struct traces *out);

/* Writing: appends the section to b and names the encoding chosen. `small`: for disk, where smaller wins; else usable in place. */
enum encoding ints_put(struct buf *b, const int64_t *v, size_t n, bool small);
enum encoding strings_put(struct buf *b, const uint32_t *ends, size_t n, str bytes, bool small);
enum encoding dict_put(struct buf *b, const int64_t *index, size_t n, const uint32_t *ends, size_t entry_n, str bytes);
enum encoding traces_put(struct buf *b, const struct trace_id *ids, size_t n, bool sorted);
