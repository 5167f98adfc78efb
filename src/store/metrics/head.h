/* store/metrics/head: the newest samples, in memory, searchable at once. Loop thread.
 *
 *   target A   clock  | t0 | t1 | t2 | t3 |            one timestamp column for all series of a target
 *     up       cells  | 1  | =  | =  | =  |            bytes: one operation per change (cells.h)
 *     reqs     cells  | 17 | +3 | +0 | +9 |
 *     late     own    clock + cells                    a series off the beat, or with late samples, has a clock of its own
 *
 * About every half hour the rows are frozen: the bytes move to `struct frozen` untouched and immutable, the rows start empty, and a job in the
 * pool turns the frozen rows into a part. Until that part is published the frozen rows are read beside the new ones. */
#pragma once
#include "base/arena.h"
#include "base/map.h"
#include "store/metrics/cells.h"
#include "store/metrics/index.h"
#include "store/metrics/ticks.h"

/* What few series have. */
struct own {
    struct clock clock; /* n == 0: the series follows its target's */
    int64_t start_ms;   /* start timestamp of the newest cell */
};
struct series {
    struct cells cells;
    struct cell_state last; /* the newest sample's value */
    int64_t last_ms;        /* its time; NO_TIME: none yet */
    uint64_t key_hash;      /* of (source, key) it was first seen under */
    uint32_t follows;       /* the series that came next in its source last time; ID_NONE */
    uint32_t own : 28;      /* index into head.owns; 0: none */
    uint32_t keyed : 1;     /* key_hash is set and in by_key */
    uint32_t shared : 1;    /* known under several keys: several sources may write it */
    uint32_t defined : 1;   /* in this epoch of the log */
    uint32_t absolute : 1;  /* the log's next cell must not depend on earlier ones */
};
enum { FORGET_MIN = 1000 };
#define NO_TIME INT64_MIN
/* Timestamps beyond are refused, so that differences never overflow: 285,000 years. */
#define TIME_MAX_MS (INT64_C(1) << 53)

struct frozen_row {
    struct chain bytes;
    uint32_t n;
    uint32_t own; /* index into own_clocks; 0: the target's clock */
};
struct frozen {
    size_t row_n, target_n, own_n;
    struct frozen_row *rows;
    struct clock *clocks, *own_clocks;
    struct chains chains;
    uint64_t samples, bytes;
    int64_t min_ms, max_ms;
};

struct head {
    struct index index; /* rows of the index = positions in series */
    VEC(struct series) series;
    struct chains chains;     /* the bytes of their cells */
    VEC(struct clock) clocks; /* by target */
    VEC(struct own) owns;     /* [0] unused */
    struct idmap by_labels;   /* index_hash -> row */
    struct idmap by_key;      /* series.key_hash -> row */
    struct map more_keys;     /* further keys of known series: key hash -> row + 1 */
    uint64_t samples, bytes;
    int64_t min_ms, max_ms; /* of the samples in it; min > max: none */
    int64_t newest_ms;      /* of all ever added; NO_TIME: none */
    struct frozen *frozen;  /* being sealed */
};

void head_init(struct head *h);
void head_done(struct head *h);

uint32_t head_find_key(const struct head *h, uint64_t key_hash);       /* ID_NONE: unknown */
void head_put_key(struct head *h, uint64_t key_hash, uint32_t row);    /* the first or a further key of a row */
uint32_t head_find_labels(const struct head *h, struct labels merged); /* ID_NONE */
/* A new row. target, shape: labels not in the head together yet. */
uint32_t head_new_series(struct head *h, struct labels target, struct labels shape);
/* The same by numbers of the index: finds the row or makes it. false: a name is on both sides. */
bool head_put_row(struct head *h, uint32_t target, uint32_t shape, uint32_t *row);
int64_t head_start_ms(const struct head *h, uint32_t row); /* start timestamp of the newest cell */

enum add_result {
    ADD_STORED,
    ADD_LATE,      /* stored, but not as the newest */
    ADD_SAME,      /* that sample was there */
    ADD_DUPLICATE, /* another value was there */
    ADD_OLD        /* too old */
};
struct point { /* one sample on its way in */
    int64_t t_ms, start_ms;
    double v;
    str histogram; /* its code; n == 0: a float */
};
enum add_result head_add(struct head *h, uint32_t row, const struct point *p, int64_t out_of_order_ms);

/* Are there samples in [from_ms, to_ms], perhaps? */
bool head_overlaps(const struct head *h, int64_t from_ms, int64_t to_ms);

/* Freezes all rows; the head must not have frozen rows. NULL when there was nothing. */
struct frozen *head_freeze(struct head *h);
void head_drop_frozen(struct head *h);

/* Forgets series without samples in memory whose newest is older than keep_from_ms, when they are more than half and enough to care; nothing may be
 * frozen. NULL: nothing was done; else the new row of each old one (ID_NONE: gone), to be freed. Row, target and shape numbers change. */
uint32_t *head_forget_idle(struct head *h, int64_t keep_from_ms);

/* The encoded samples of a row and the clock under them. */
struct row_bytes {
    const struct chains *chains;
    const struct chain *bytes; /* valid until the head changes; row_copy has them in one piece */
    const struct clock *clock;
    uint32_t n;
};
struct row_bytes head_row(const struct head *h, uint32_t row);
struct row_bytes frozen_row(const struct frozen *f, uint32_t row, uint32_t target);
static inline str row_copy(struct row_bytes r, struct arena *a) {
    return chain_str(r.chains, r.bytes, a);
}
