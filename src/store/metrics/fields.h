/* store/metrics/fields: down-sampled series: what is left of the samples of 5 minutes or an hour. Pure; any thread.
 *
 * A bucket is (n x step, (n + 1) x step] of Unix time. Of its samples one stays, at the time of the last one, so that it never lies behind a newer
 * raw sample; it stands for all since the sample before. Fields are columns with the same times:
 *
 *   LAST    the newest sample: float, native histogram, start timestamp     MIN, MAX, SUM   over the floats
 *   COUNT   how many there were                                             DROPS           sum of the values before a fall: 0 but for counter resets
 *
 * A staleness marker that ends a bucket stays as a sample of its own, a marker in all fields; buckets without floats have markers in MIN, MAX and
 * SUM. DROPS makes increase() right over any number of resets in a bucket: last - before + DROPS is the increase. Series that fall more often than
 * one time in 16 are no counters and have none.
 *
 * A row of a down-sampled part: FIELD_N slices, each a row of rowcode.h on the row's clock; an empty one equals LAST (MIN, MAX), or is 0 (DROPS). */
#pragma once
#include "store/metrics/cells.h"

enum series_field { FIELD_LAST, FIELD_MIN, FIELD_MAX, FIELD_SUM, FIELD_COUNT, FIELD_DROPS, FIELD_N };
enum tier { TIER_RAW, TIER_5M, TIER_1H, TIER_N };
extern const int64_t tier_step_ms[TIER_N]; /* raw: 0 */

/* Down-samples. in: raw samples (one column) or the FIELD_N columns of a finer tier; out: FIELD_N columns, empty, with arena and bytes_left set. */
MUST_USE bool fields_make(const struct columns *in, bool raw, enum tier to, struct columns out[FIELD_N], struct err *e);
/* As row_encode. */
bool fields_encode(const struct columns in[FIELD_N], const int64_t *clock, size_t clock_n, struct buf *out);
/* As row_decode, of one field. */
MUST_USE bool fields_decode(str row, enum series_field f, const int64_t *clock, size_t clock_n, int64_t from_ms, int64_t to_ms, struct columns *out,
                            struct err *e);
/* LAST, and before a bucket with resets two samples: what was counted until then, and 0. */
MUST_USE bool fields_decode_counter(str row, const int64_t *clock, size_t clock_n, int64_t from_ms, int64_t to_ms, struct columns *out,
                                    struct err *e);
