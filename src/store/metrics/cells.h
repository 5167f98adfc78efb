/* store/metrics/cells: the samples of one series in the head, as bytes. Pure; one thread at a time (the loop's; copies: any).
 *
 * A row of cells lies on a clock, an ascending array of timestamps shared by the series of a target: the n-th cell belongs to the n-th tick. An
 * operation fills one tick or more; multi-byte numbers are little-endian, varints LEB128, z = zigzag(m - previous m) (store/metrics/decimal.h):
 *
 *   00..5f          z in 0..95                              60..6f  +1 byte     z = 96 + 12 bits
 *   70..77 +2 bytes z = 4192 + 19 bits                      78..7f  +1..8 bytes z
 *   80..bf          the previous cell again, 1..64 times
 *   c0 varint n     n ticks without a sample                c1      the staleness marker
 *   c2 +8 bytes     a double's bits                         c3 k zigzag(m)      m / 10^k
 *   c4 varint n +n  a native histogram (histcode.h)         c5 zigzag(ms)       start timestamp of the cells from here on (0: unknown)
 *
 * The write-ahead log carries the same operations across the rows of a batch instead of along one row (journal.h). */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "model/sample.h"
#include "store/metrics/chain.h"

enum cell_op {
    CELL_BYTE_MAX = 0x5f,
    CELL_12BIT = 0x60,
    CELL_19BIT = 0x70,
    CELL_BYTES = 0x78,
    CELL_REPEAT = 0x80,
    CELL_REPEAT_MAX = 64,
    CELL_SKIP = 0xc0,
    CELL_STALE = 0xc1,
    CELL_RAW = 0xc2,
    CELL_ABSOLUTE = 0xc3,
    CELL_HISTOGRAM = 0xc4,
    CELL_START = 0xc5,
    CELL_OP_MAX_BYTES = 12 /* of an operation for a float */
};

/* The last cell, what the next operation is relative to. */
struct cell_state {
    uint64_t bits; /* of the double; of a histogram: hash of its code */
    uint8_t k;
    bool decimal;   /* bits are exact at k: differences are possible */
    bool histogram; /* bits are a hash */
};
/* Writes the operation for v into out (not a repeat) and moves the state. absolute: must not depend on the state. Returns its length. */
size_t cell_encode(struct cell_state *s, double v, bool absolute, uint8_t out[CELL_OP_MAX_BYTES]);
/* Is v what the state holds? */
static inline bool cell_same(const struct cell_state *s, double v) {
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return s->bits == bits && !s->histogram;
}

/* A growing row. Zeroed is empty. Its bytes are a chain (its mark: the last byte is a repeat operation) in the chains given with every call. */
struct cells {
    struct chain bytes;
    uint32_t n;    /* samples */
    uint32_t tick; /* the next tick to fill */
};
/* Adds v at `tick` >= c->tick. */
void cells_add(struct chains *in, struct cells *c, struct cell_state *s, uint32_t tick, double v);
void cells_add_histogram(struct chains *in, struct cells *c, struct cell_state *s, uint32_t tick, str code);
void cells_start(struct chains *in, struct cells *c, int64_t start_ms); /* start timestamp of the cells added from here on */

/* Decoded columns, growing in an arena; charged against bytes_max. h and st_ms stay NULL until the first histogram / start timestamp. */
struct columns {
    struct arena *arena;
    size_t n, cap, bytes_left;
    int64_t *t_ms, *st_ms;
    double *v;
    const struct histogram **h;
};
MUST_USE bool columns_reserve(struct columns *c, size_t more, struct err *e);
void columns_want_histograms(struct columns *c);
void columns_want_starts(struct columns *c);
/* Appends the cells with from_ms <= t <= to_ms. ERR_CORRUPT when the bytes do not fit the clock. */
MUST_USE bool cells_read(str bytes, const int64_t *clock, size_t clock_n, int64_t from_ms, int64_t to_ms, struct columns *out, struct err *e);

/* One operation from a stream, for readers of the log. */
struct cell {
    enum { CELL_IS_VALUE, CELL_IS_REPEAT, CELL_IS_SKIP, CELL_IS_HISTOGRAM, CELL_IS_START, CELL_IS_DELTA } kind;
    uint64_t n;    /* repeat, skip */
    int64_t delta; /* CELL_IS_DELTA: to the previous m; CELL_IS_START: ms */
    double v;      /* CELL_IS_VALUE */
    uint8_t k;     /* CELL_IS_VALUE: of an absolute decimal */
    bool decimal;
    str code; /* CELL_IS_HISTOGRAM */
};
struct reader;
bool cell_next(struct reader *r, struct cell *out); /* false at the end or at damage (r->bad) */
