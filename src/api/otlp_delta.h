/* api/otlp_delta: OTLP's delta temporality -> sums. A store of sums needs what came before: the running total of every series that is pushed as
 * differences is kept here. Loop thread. Source: OpenTelemetry data model "Sums: Delta-to-Cumulative"; its collector's deltatocumulative processor.
 *
 *   time not after the last one       refused: out of order, or the same again
 *   start before the first start      refused: belongs to an earlier stream
 *   more than series_max series       refused until others have been silent for an hour
 *
 * Each refusal is counted. Totals live in memory only: after a restart they begin again at the next difference, with its start time, which queries
 * see as a counter reset. A total is ahead of the store when the store then refuses the sample: the next sample carries it. */
#pragma once
#include "model/batch.h"
#include "wire/otlp_common.h"

struct otlp_deltas;
struct otlp_deltas *otlp_deltas_new(size_t series_max);
void otlp_deltas_free(struct otlp_deltas *d); /* NULL is fine */
/* Replaces the differences of b by totals, with the start of each stream; rows that are refused leave the batch and are counted in partial. */
void otlp_deltas_apply(struct otlp_deltas *d, struct metric_batch *b, int64_t now_ms, struct otlp_partial *partial);

struct otlp_deltas_stats {
    uint64_t series, refused_order, refused_start, refused_limit, refused_layout;
};
void otlp_deltas_stats(const struct otlp_deltas *d, struct otlp_deltas_stats *out);
