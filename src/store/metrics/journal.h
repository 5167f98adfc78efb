/* store/metrics/journal: what the metrics store writes to the log, one record per batch, and its replay. Loop thread.
 *
 * A record is the batch's changes as cell operations (cells.h) across the rows: most rows of a scrape follow each other and did not change, so a
 * record is mostly runs of "the next n rows: as before".
 *
 *   byte form: 1 as below; 2: varint bytes, then a zstd frame of what follows the form byte below
 *   byte 1; varint epoch; varint source; varint seq; then operations until the end, about `row` and `time`, both starting at 0:
 *   00..7f, c1..c4  a cell of `row` at `time`; row + 1          80..bf  1..64 rows as before; row + n
 *   c5 zigzag(ms)   start timestamp of the next cell            c6 zigzag(d)  row += d
 *   c7 zigzag(ms)   time += ms                                  c8 id labels  a target     c9 id labels  a shape (id: varint; no longer written)
 *   ca target shape series `row` (varints)                      cb zigzag(start ms) 8 bytes    a late sample of `row`; row + 1
 *   cc zigzag(start ms) slice  a late histogram; row + 1        cd row zigzag(ms) 8 bytes labels   an exemplar
 *   ce slice byte slice slice  metadata: family, type, help, unit      cf id slice  a string
 *   d0 id set      a target      d1 id set      a shape      set: varint n, then n times the strings' ids of name and value (0: "")
 *   labels: varint n, then n times name slice, value slice
 *
 * Numbers of rows, targets, shapes and strings hold within an epoch: from one freeze of the head (or start of the process) to the next. All that an
 * epoch needs is defined in it, so that the log can be cut where one begins. Differences and runs refer to the row's cell before; records of one
 * source count up in seq, and when one is missing (damage), its rows are not trusted again until a cell that says its whole value: never a wrong
 * value. Such a whole cell comes at the latest every JOURNAL_WHOLE_EVERY cells. */
#pragma once
#include "store/metrics/head.h"

enum { JOURNAL_PLAIN = 1, JOURNAL_PACKED = 2, JOURNAL_WHOLE_EVERY = 32 };
enum { JOURNAL_PACK_MIN = 128, JOURNAL_RECORD_MAX = 1 << 30 }; /* shorter ones are not worth packing */
enum journal_op {
    JOURNAL_ROW = 0xc6,
    JOURNAL_TIME = 0xc7,
    JOURNAL_TARGET = 0xc8,
    JOURNAL_SHAPE = 0xc9,
    JOURNAL_SERIES = 0xca,
    JOURNAL_LATE = 0xcb,
    JOURNAL_LATE_HISTOGRAM = 0xcc,
    JOURNAL_EXEMPLAR = 0xcd,
    JOURNAL_META = 0xce,
    JOURNAL_STRING = 0xcf,
    JOURNAL_TARGET_IDS = 0xd0,
    JOURNAL_SHAPE_IDS = 0xd1
};

/* A cell on its way into a record. */
struct journal_cell {
    int64_t t_ms;
    uint32_t row, at, n; /* its operation: bytes of journal.cells; n == 0: as before */
};
/* A record being written: definitions, exemplars and metadata go to `out` as they come, cells behind them in the order of their rows, which is that
 * of the batch unless its series were not all made in one go. */
struct journal {
    struct buf out, cells, packed;
    VEC(struct journal_cell) order;
    bool ascending; /* order is by row */
    struct zstd *zstd;
    uint64_t epoch;
    uint32_t epoch_no; /* counts the epochs of this process: what entry.epoch is compared with; 0 is none */
    uint32_t row;
    int64_t t_ms;
    bool run, empty;
    VEC(uint64_t) strings; /* a bit per string: defined in this epoch */
};
void journal_done(struct journal *j);
void journal_new_epoch(struct journal *j, uint64_t epoch); /* the caller clears series.defined */
void journal_begin(struct journal *j, uint32_t source, uint64_t seq);
/* The record; borrowed until the next begin. */
str journal_end(struct journal *j);
/* The sample just added to `row`; before: the row's state before it. */
void journal_cell(struct journal *j, struct head *h, uint32_t row, const struct cell_state *before, int64_t start_before_ms, const struct point *p);
void journal_late(struct journal *j, struct head *h, uint32_t row, const struct point *p);
void journal_exemplar(struct journal *j, struct head *h, uint32_t row, const struct exemplar *x, int64_t t_ms);
void journal_meta(struct journal *j, const struct metric_meta *m);

/* Replay: hands what a record says to the head (and to `use` for what is not the head's). */
struct journal_reader;
struct journal_use {
    void (*exemplar)(void *arg, uint32_t row, const struct exemplar *x);
    void (*meta)(void *arg, const struct metric_meta *m);
    void *arg;
};
struct journal_reader *journal_reader_new(void);
void journal_reader_free(struct journal_reader *r);
uint64_t journal_reader_epoch(const struct journal_reader *r); /* of the record replayed last: the position of the epoch's first record */
struct journal_replay_stats {
    uint64_t cells, lost; /* lost: cells of rows that could not be trusted or were not defined */
};
/* false: the record is not one of ours (ERR_CORRUPT); what was before the fault is in the head. */
MUST_USE bool journal_replay(struct journal_reader *r, str record, struct head *h, const struct journal_use *use, struct journal_replay_stats *stats,
                             struct err *e);
