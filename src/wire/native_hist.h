/* wire/native_hist: building one native histogram out of what a protocol carries (spans; bucket counts, absolute or as differences) and checking it.
 * Pure; one thread. Source: Prometheus' remote write types and client model; the rules are those of its ingestion (Histogram.Validate).
 *
 *   native_hist_begin(&n);
 *   n.h.schema = ...; native_hist_span(&n.positive, ...); native_hist_delta(&n.positive, ...); ...
 *   native_hist_finish(&n, arena, &h, &e)
 *   native_hist_done(&n);                         once, at the end: the buffers serve many histograms */
#pragma once
#include "base/vec.h"
#include "codec/pb.h"
#include "model/sample.h"

struct native_hist_side {
    VEC(struct hist_span) spans;
    VEC(double) counts;
    double last; /* of the differences */
};
struct native_hist {
    struct histogram h; /* the scalars; lists are filled in by finish */
    struct native_hist_side positive, negative;
    VEC(double) custom; /* upper bounds */
};

void native_hist_begin(struct native_hist *n);
void native_hist_done(struct native_hist *n);
static inline void native_hist_count(struct native_hist_side *s, double count) {
    vec_push(&s->counts, count);
}
static inline void native_hist_delta(struct native_hist_side *s, int64_t delta) {
    s->last += (double)delta;
    vec_push(&s->counts, s->last);
}
/* BucketSpan{1: offset, zigzag; 2: length}, the same message in every protocol. false: not protobuf. */
MUST_USE bool native_hist_pb_span(struct native_hist_side *s, const struct pb_field *f);
/* Repeated sint64 differences or double counts. false: not protobuf. */
MUST_USE bool native_hist_pb_deltas(struct native_hist_side *s, const struct pb_field *f);
MUST_USE bool native_hist_pb_counts(struct native_hist_side *s, const struct pb_field *f);
MUST_USE bool native_hist_pb_custom(struct native_hist *n, const struct pb_field *f);

/* ERR_INPUT: the schema is none, spans that do not fit the buckets or go backwards, a negative count, custom bounds out of order, buckets that add up
 * to something else than the count. A staleness marker (by its sum) is not checked. */
MUST_USE bool native_hist_finish(struct native_hist *n, struct arena *a, struct histogram **out, struct err *e);
