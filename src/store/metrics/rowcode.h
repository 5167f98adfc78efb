/* store/metrics/rowcode: the samples of one series in a part, as bytes on a clock. Pure; any thread.
 *
 *   varint runs             0: every tick of the clock; else runs x (varint ticks skipped, varint ticks present)
 *   byte   kind             bit 0 numbers (else: cells of cells.h for the present ticks, until the end), and for numbers
 *                           bit 1 second differences, bit 2 ulps, bit 3 exceptions, bit 4 all m equal, bit 5 start timestamps
 *   byte k; zigzag m0; unless all equal: n - 1 zigzag differences (second differences: the first one is a first difference)
 *   ulps:       n zigzags: distance of the value from m / 10^k in the order of doubles
 *   exceptions: varint count, each varint gap to the one before, 8 bytes: values that are no numbers; their m repeats the one before
 *   starts:     runs until n: varint length, zigzag difference to the start timestamp before
 *
 * m / 10^k (+ ulps) is every bit of the value: decimal.h. For sums with rounding noise a small k with ulps is chosen over many digits. */
#pragma once
#include "store/metrics/cells.h"

/* c's samples must all lie on the clock: false if one does not (nothing is written). */
bool row_encode(const struct columns *c, const int64_t *clock, size_t clock_n, struct buf *out);
/* Appends the samples with from_ms <= t <= to_ms. */
MUST_USE bool row_decode(str row, const int64_t *clock, size_t clock_n, int64_t from_ms, int64_t to_ms, struct columns *out, struct err *e);
void clock_encode(const int64_t *t_ms, size_t n, struct buf *out);
MUST_USE bool clock_decode(str code, struct arena *a, const int64_t **t_ms, size_t *n, struct err *e);
