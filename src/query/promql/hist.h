/* query/promql/hist: arithmetic on native histograms, as Prometheus' FloatHistogram does it. The working form keeps only populated buckets, sorted by
 * index, each with the compensation of a Kahan-Neumaier sum, so that sums over many histograms stay exact. A histogram that is finished
 * (hist_finish, hist_from_store) has no compensation and no empty bucket. All memory from the arena given; any one thread. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "model/sample.h"

struct bucket {
    int32_t at; /* index: exponential (base^(at-1), base^at]; custom: the at-th bound is the upper one */
    double n, c;
};
struct buckets {
    struct bucket *p;
    uint32_t n, cap;
};
struct hist {
    int32_t schema;
    enum reset_hint hint;
    double zero_threshold;
    double zero, zero_c, count, count_c, sum, sum_c;
    struct buckets pos, neg;
    const double *custom;
    uint32_t custom_n;
};

struct hist *hist_from_store(struct arena *a, const struct histogram *h);
struct hist *hist_copy(struct arena *a, const struct hist *h);
struct hist *hist_zero_like(struct arena *a, const struct hist *h); /* no observations, same layout */
static inline bool hist_is_custom(const struct hist *h) {
    return h->schema == HIST_SCHEMA_CUSTOM;
}

/* What an addition met. */
struct hist_notes {
    bool collision;  /* one says "reset", the other "not reset" */
    bool reconciled; /* different custom bounds: the common ones are left */
};
/* h += sign * o, sign 1 or -1. false: one has exponential, the other custom buckets. h must be ours to change. */
MUST_USE bool hist_add(struct arena *a, struct hist *h, const struct hist *o, double sign, struct hist_notes *notes);
void hist_scale(struct hist *h, double factor);
void hist_divide(struct hist *h, double divisor); /* by zero: the buckets vanish */
/* Puts the compensations into the sums and drops empty buckets. */
void hist_finish(struct hist *h);
bool hist_overflows(const struct hist *h);        /* an infinite count, sum or bucket */
void hist_reduce(struct hist *h, int32_t schema); /* to a lower resolution */

bool hist_equal(const struct hist *a, const struct hist *b); /* finished ones; the hint does not count */
/* Was the counter reset between prev and h? */
bool hist_is_reset(struct arena *scratch, const struct hist *h, const struct hist *prev);
/* h1 + (h2 - h1) * fraction; NULL: incompatible layouts. */
struct hist *hist_interpolate(struct arena *a, const struct hist *h1, const struct hist *h2, double fraction);

/* Upper bound of a positive bucket (at - 1: its lower bound). */
double hist_upper(const struct hist *h, int32_t at);
/* All buckets from the lowest to the highest, the zero bucket between; populated ones only. */
struct interval {
    double lower, upper, n;
    bool zero;
};
size_t hist_intervals(struct arena *a, const struct hist *h, struct interval **out);

struct hist *hist_trim(struct arena *a, const struct hist *h, double at, bool keep_below);
double hist_quantile(struct arena *scratch, const struct hist *h, double q, bool *nan_result, bool *nan_skew);
double hist_fraction(struct arena *scratch, const struct hist *h, double lower, double upper);
double hist_variance(struct arena *scratch, const struct hist *h);
/* {count:20, sum:10, [-2,-1):2, [-0.001,0.001]:2, (0.5,1]:1} */
void hist_put(struct buf *b, const struct hist *h);
/* Go's %g. */
void promql_put_g(struct buf *b, double v);
/* One step of a Kahan-Neumaier sum. */
static inline void kahan_add(double x, double *sum, double *c) {
    double t = *sum + x;
    if (__builtin_isinf(t))
        *c = 0;
    else if (__builtin_fabs(*sum) >= __builtin_fabs(x))
        *c += (*sum - t) + x;
    else
        *c += (x - t) + *sum;
    *sum = t;
}
