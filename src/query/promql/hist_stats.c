#include <math.h>
#include <stdio.h>

#include "codec/num.h"
#include "query/promql/ast.h"
#include "query/promql/hist.h"

/* What is read off a histogram: intervals, quantiles, fractions, variance, trimmed parts, text. Interpolation is exponential in exponential buckets,
 * linear in custom ones and in the zero bucket (Prometheus' rules for histogram_quantile). */

size_t hist_intervals(struct arena *a, const struct hist *h, struct interval **out) {
    struct interval *p = arena_new_n(a, struct interval, h->neg.n + h->pos.n + 1);
    size_t n = 0;
    for (uint32_t i = h->neg.n; i-- > 0;) {
        const struct bucket *b = &h->neg.p[i];
        p[n++] = (struct interval){-hist_upper(h, b->at), -hist_upper(h, b->at - 1), b->n, false};
    }
    if (h->zero != 0 && !hist_is_custom(h)) p[n++] = (struct interval){-h->zero_threshold, h->zero_threshold, h->zero, true};
    for (uint32_t i = 0; i < h->pos.n; i++) {
        const struct bucket *b = &h->pos.p[i];
        p[n++] = (struct interval){hist_upper(h, b->at - 1), hist_upper(h, b->at), b->n, false};
    }
    *out = p;
    return n;
}

/* The zero bucket of a histogram with observations on one side only lies on that side. */
static struct interval biased(const struct hist *h, struct interval i) {
    if (!i.zero) return i;
    if (h->neg.n == 0 && h->pos.n > 0) i.lower = 0;
    if (h->pos.n == 0 && h->neg.n > 0) i.upper = 0;
    return i;
}

static bool is_linear(const struct hist *h, const struct interval *i) {
    return hist_is_custom(h) || (i->lower <= 0 && i->upper >= 0);
}

/* The value below which `fraction` of the interval's observations lie. */
static double value_at(const struct hist *h, const struct interval *i, double fraction) {
    if (is_linear(h, i)) return i->lower + (i->upper - i->lower) * fraction;
    double low = log2(fabs(i->lower));
    double high = log2(fabs(i->upper));
    if (i->lower > 0) return exp2(low + (high - low) * fraction);
    return -exp2(high + (low - high) * (1 - fraction));
}

/* The fraction of the interval's observations below v, lower < v < upper. */
static double fraction_below(const struct hist *h, const struct interval *i, double v) {
    if (is_linear(h, i)) return (v - i->lower) / (i->upper - i->lower);
    double low = log2(fabs(i->lower));
    double high = log2(fabs(i->upper));
    double at = log2(fabs(v));
    if (v > 0) return (at - low) / (high - low);
    return 1 - (at - high) / (low - high);
}

double hist_quantile(struct arena *scratch, const struct hist *h, double q, bool *nan_result, bool *nan_skew) {
    if (q < 0) return -INFINITY;
    if (q > 1) return INFINITY;
    if (h->count == 0 || isnan(q)) return NAN;
    struct interval *p;
    size_t n = hist_intervals(scratch, h, &p);
    if (n == 0) return NAN;
    /* From the nearer end: less rounding. Observed NaNs are counted but in no bucket: then only from below. */
    bool has_nan = isnan(h->sum);
    bool forward = has_nan || q < 0.5;
    double rank = forward ? q * h->count : (1 - q) * h->count;
    double count = 0;
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        at = forward ? i : n - 1 - i;
        count += p[at].n;
        if (count >= rank) break;
    }
    struct interval b = biased(h, p[at]);
    if (hist_is_custom(h)) {
        if (b.lower == -INFINITY && b.upper <= 0) return b.upper;
        if (b.lower == -INFINITY)
            b.lower = 0;
        else if (b.upper == INFINITY)
            return b.lower;
    }
    if (count > h->count) count = h->count;
    if (count < rank && has_nan) {
        *nan_result = true;
        return NAN;
    }
    if (count < rank) return forward ? b.upper : b.lower;
    *nan_skew |= has_nan;
    rank = forward ? rank - (count - b.n) : count - rank;
    return value_at(h, &b, rank / b.n);
}

/* Observations below v, given those below the interval. */
static double rank_at(const struct hist *h, const struct interval *i, double below, double v) {
    if (i->lower == -INFINITY) return i->n; /* no meaningful place inside an infinite bucket */
    if (i->upper == INFINITY) return below;
    return below + i->n * fraction_below(h, i, v);
}

double hist_fraction(struct arena *scratch, const struct hist *h, double lower, double upper) {
    if (h->count == 0 || isnan(lower) || isnan(upper)) return NAN;
    if (lower >= upper) return 0;
    struct interval *p;
    size_t n = hist_intervals(scratch, h, &p);
    double bounds[2] = {lower, upper};
    double most = h->count;
    if (isnan(h->sum)) { /* observed NaNs are counted but in no bucket */
        most = 0;
        for (size_t i = 0; i < n; i++) most += p[i].n;
    }
    double ranks[2] = {most, most};
    for (int side = 0; side < 2; side++) {
        double below = 0;
        for (size_t i = 0; i < n; i++) {
            struct interval b = biased(h, p[i]);
            if (hist_is_custom(h) && b.lower == -INFINITY && b.upper > 0 && bounds[side] != -INFINITY) b.lower = 0;
            if (b.lower >= bounds[side]) {
                ranks[side] = below;
                break;
            }
            if (b.upper > bounds[side]) {
                ranks[side] = rank_at(h, &b, below, bounds[side]);
                break;
            }
            below += b.n;
        }
        if (ranks[side] > most) ranks[side] = most;
    }
    return (ranks[1] - ranks[0]) / h->count;
}

double hist_variance(struct arena *scratch, const struct hist *h) {
    struct interval *p;
    size_t n = hist_intervals(scratch, h, &p);
    double mean = h->sum / h->count;
    double sum = 0;
    double c = 0;
    for (size_t i = 0; i < n; i++) {
        double at = p[i].zero ? 0 : sqrt(p[i].upper * p[i].lower);
        if (hist_is_custom(h))
            at = (p[i].upper + p[i].lower) / 2;
        else if (p[i].upper < 0)
            at = -at;
        double delta = at - mean;
        kahan_add(p[i].n * delta * delta, &sum, &c);
    }
    return (sum + c) / h->count;
}

/* --- trimming */

struct trim {
    const struct hist *h;
    double at;
    bool below; /* keep what is below `at` */
    bool changed;
    double count, sum;
};

/* The typical value of the kept part [low, high] of an interval. */
static double middle(const struct hist *h, const struct interval *i, double low, double high) {
    if (is_linear(h, i)) return (low + high) / 2;
    double m = sqrt(low * high);
    return high < 0 || low < 0 ? -m : m;
}

static double trim_finite(const struct trim *t, const struct interval *i, double *value) {
    double low = t->below ? i->lower : MAX(t->at, i->lower);
    double high = t->below ? MIN(t->at, i->upper) : i->upper;
    if (low >= high) return 0;
    *value = middle(t->h, i, low, high);
    if (low == i->lower && high == i->upper) return i->n;
    double below = fraction_below(t->h, i, t->at);
    return i->n * (t->below ? below : 1 - below);
}

/* Infinite custom buckets are kept or dropped whole; the first one counts as starting at 0 when its bound is positive. */
static double trim_interval(struct trim *t, struct interval i) {
    i = biased(t->h, i);
    double value = 0;
    double kept = 0;
    if (i.lower == -INFINITY && i.upper == INFINITY) {
        kept = t->at == (t->below ? INFINITY : -INFINITY) ? i.n : 0;
    } else if (i.upper == INFINITY) {
        kept = t->below == (t->at == INFINITY) ? i.n : 0;
        value = t->below ? i.lower : MAX(t->at, i.lower);
    } else if (i.lower == -INFINITY && i.upper <= 0) {
        kept = t->below == (t->at != -INFINITY) ? i.n : 0;
        value = t->below ? MIN(t->at, i.upper) : i.upper;
    } else if (i.lower != -INFINITY || t->below || t->at >= 0 || t->at == -INFINITY) {
        if (i.lower == -INFINITY) i.lower = 0;
        kept = trim_finite(t, &i, &value);
    }
    t->changed |= kept != i.n;
    t->count += kept;
    if (kept != 0) t->sum += kept * value;
    return kept;
}

static void trim_buckets(struct trim *t, struct buckets *b, double sign) {
    for (uint32_t i = 0; i < b->n; i++) {
        double low = hist_upper(t->h, b->p[i].at - 1);
        double high = hist_upper(t->h, b->p[i].at);
        struct interval in = sign > 0 ? (struct interval){low, high, b->p[i].n, false} : (struct interval){-high, -low, b->p[i].n, false};
        b->p[i].n = trim_interval(t, in);
    }
}

struct hist *hist_trim(struct arena *a, const struct hist *h, double at, bool keep_below) {
    struct hist *o = hist_copy(a, h);
    struct trim t = {.h = h, .at = at, .below = keep_below};
    trim_buckets(&t, &o->neg, -1);
    if (h->zero != 0 && !hist_is_custom(h)) o->zero = trim_interval(&t, (struct interval){-h->zero_threshold, h->zero_threshold, h->zero, true});
    trim_buckets(&t, &o->pos, 1);
    if (!t.changed) return hist_copy(a, h);
    o->count = t.count;
    o->sum = t.sum;
    hist_finish(o);
    return o;
}

/* --- text */

void promql_put_g(struct buf *b, double v) {
    if (v == 0 || !isfinite(v)) {
        promql_put_plain(b, v);
        return;
    }
    uint64_t digits;
    int exp10;
    num_shortest(v, &digits, &exp10);
    char text[24];
    int n = snprintf(text, sizeof text, "%llu", (unsigned long long)digits);
    int exponent = exp10 + n - 1;
    if (exponent >= -4 && exponent < MAX(n, 21)) {
        promql_put_plain(b, v);
        return;
    }
    if (v < 0) buf_char(b, '-');
    buf_char(b, text[0]);
    if (n > 1) {
        buf_char(b, '.');
        buf_put(b, text + 1, (size_t)n - 1);
    }
    buf_printf(b, "e%c%02d", exponent < 0 ? '-' : '+', exponent < 0 ? -exponent : exponent);
}

void hist_put(struct buf *b, const struct hist *h) {
    struct arena *scratch = arena_new(1024);
    struct interval *p;
    size_t n = hist_intervals(scratch, h, &p);
    buf_add(b, STR("{count:"));
    promql_put_g(b, h->count);
    buf_add(b, STR(", sum:"));
    promql_put_g(b, h->sum);
    for (size_t i = 0; i < n; i++) {
        bool closed_low = p[i].zero || (p[i].lower < 0 && !hist_is_custom(h)) || p[i].lower == -INFINITY;
        bool closed_high = p[i].zero || p[i].upper > 0 || hist_is_custom(h);
        buf_add(b, closed_low ? STR(", [") : STR(", ("));
        promql_put_g(b, p[i].lower);
        buf_char(b, ',');
        promql_put_g(b, p[i].upper);
        buf_add(b, closed_high ? STR("]:") : STR("):"));
        promql_put_g(b, p[i].n);
    }
    buf_char(b, '}');
    arena_free(scratch);
}
