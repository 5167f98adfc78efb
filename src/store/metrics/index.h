/* store/metrics/index: which series exist. One thread at a time; immutable once built (a part's) it may be read by any.
 *
 * A series is a (target, shape): the labels all lines of one source share, interned once, and the metric name with the series' own labels, interned
 * once for all sources. 50 replicas of a service with 500 series each are 50 targets and 500 shapes, and a new pod costs one target instead of a
 * posting per label per series. Matchers are resolved on both sides; a name never occurs on both sides of one series.
 *
 * `row` is the number of a series, counted from 0: a position in the head's array or in a part. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"
#include "model/labels.h"
#include "store/metrics/idmap.h"

enum { MATCHERS_MAX = 63 };

struct string_bytes { /* where strings lie; selections of the head hold a reference: loop thread */
    struct arena *arena;
    unsigned refs;
};
struct strtab { /* strings by number; 0 is "" */
    struct string_bytes *bytes;
    char *free; /* what is left of the newest piece of bytes */
    size_t free_n;
    VEC(str) s;
    VEC(uint64_t) hashes; /* hash_str of each */
    struct idmap by_hash;
};
struct label_id {
    uint32_t name, value; /* strtab numbers */
};
/* A list of ascending numbers: up to two in place, else allocated to the next power of two. Most lists are short. */
struct ids {
    uint32_t n;
    union {
        uint32_t few[2];
        uint32_t *many;
    } u;
} __attribute__((packed, aligned(4)));
static inline const uint32_t *ids_p(const struct ids *x) {
    return x->n <= 2 ? x->u.few : x->u.many;
}
/* A target or a shape. The hash is the sum of its labels' hashes, so that target + shape = the series, however the labels were split. */
struct entry {
    uint64_t hash;
    struct label_id *l; /* sorted by name */
    uint32_t n;
    uint32_t epoch; /* the head's: the log epoch it is defined in */
    struct ids rows;
};
struct posting { /* the entries of one side that carry a label */
    struct label_id label;
    struct ids ids;
};
struct side {
    struct arena *bytes;
    VEC(struct entry) e;
    struct idmap by_hash;
    VEC(struct posting) postings;
    struct idmap by_label; /* label -> posting */
    VEC(uint32_t) name_n;  /* entries that have the name, by strtab number (may be shorter than strtab) */
    uint32_t *loaded_rows; /* a loaded index': where the entries' row numbers lie */
    uint32_t *value_ids;   /* a loaded index', made with the first question: entries by value; of value v those from value_start[v] on */
    uint32_t *value_start;
};
struct row_ids {
    uint32_t target, shape;
};
struct index {
    struct strtab strings;
    struct side targets, shapes;
    VEC(struct row_ids) rows; /* by row number; rows are added in order 0, 1, 2... */
    VEC(struct label_id) scratch;
    bool with_postings;
};

void index_init(struct index *x, bool with_postings);
void index_done(struct index *x);
void string_bytes_unref(struct string_bytes *b); /* NULL is fine */
uint32_t strtab_put(struct strtab *t, str s);
uint32_t strtab_find(const struct strtab *t, str s); /* ID_NONE: unknown */

const struct posting *side_posting(const struct side *s, struct label_id l); /* NULL: no entry has it (or the index keeps no postings) */
static inline bool side_has_name(const struct side *s, uint32_t name) {
    return name < s->name_n.n && s->name_n.p[name] > 0;
}

/* Interns a label set (sorted, unique names). */
uint32_t index_put_target(struct index *x, struct labels ls);
uint32_t index_put_shape(struct index *x, struct labels ls);
uint32_t index_put_ids(struct index *x, struct side *side, const struct label_id *l, size_t n); /* the same by strtab numbers */
uint32_t index_add_row(struct index *x, uint32_t target, uint32_t shape);                       /* the number of the new row */

/* Building an index from a part, all at once: entries that are known to differ, then rows, then index_loaded; nothing can be added after it. */
void index_load_entry(struct index *x, struct side *side, const struct label_id *l, size_t n);
void index_loaded(struct index *x); /* x->rows is filled: the entries learn theirs */
/* Of a loaded index: the entries that have the value, under whatever name; ascending. */
const uint32_t *index_value_ids(const struct index *x, const struct side *side, uint32_t value, size_t *n);

static inline const struct entry *index_target(const struct index *x, uint32_t id) {
    return &x->targets.e.p[id];
}
static inline const struct entry *index_shape(const struct index *x, uint32_t id) {
    return &x->shapes.e.p[id];
}
struct labels entry_labels(const struct index *x, const struct entry *e, struct arena *a); /* the array is the arena's */
/* Labels of a series, target and shape merged in order; the array is the arena's, the strings are the index'. */
struct labels index_labels(const struct index *x, uint32_t target, uint32_t shape, struct arena *a);
static inline uint64_t index_hash(const struct index *x, uint32_t target, uint32_t shape) {
    return index_target(x, target)->hash + index_shape(x, shape)->hash;
}
uint64_t index_hash_labels(struct labels ls); /* the same from a merged set */
size_t index_bytes(const struct index *x);

/* The series that match all matchers, in no order: target, shape and row of each, in the arena. ERR_LIMIT: a regex gave up, or too many matchers. */
struct match {
    uint32_t target, shape, row;
};
struct matches {
    struct match *p;
    size_t n, cap;
};
MUST_USE bool index_match(const struct index *x, const struct matcher *m, size_t n, struct arena *a, struct matches *out, struct err *e);
