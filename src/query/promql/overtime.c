#include <stdlib.h>

#include "query/promql/engine.h"

/* The *_over_time family, regressions and smoothing: statistics over the samples of a window. */

/* True if the window has floats to work on. Histograms beside them are ignored, with an info. */
static bool only_floats(struct range_call *c) {
    if (!c->s->h) return true;
    size_t floats;
    size_t hists;
    count_window(c, &floats, &hists);
    if (floats && hists) note_named(c->r, NOTE_IGNORED_IN_RANGE, c->arg->from, metric_name(c->s->labels));
    return floats > 0;
}

/* True if the window is all floats or all histograms. */
static bool unmixed(struct range_call *c, bool *hist) {
    size_t floats;
    size_t hists;
    count_window(c, &floats, &hists);
    if (floats && hists) note_named(c->r, NOTE_MIXED_FLOATS_HISTOGRAMS, c->arg->from, metric_name(c->s->labels));
    *hist = hists > 0;
    return !(floats && hists);
}

bool fn_count_over_time(struct range_call *c) {
    const double *weight = c->s->weight;
    c->out = weight ? 0 : (double)(c->hi - c->lo);
    for (size_t i = c->lo; weight && i < c->hi; i++) c->out += weight[i];
    return true;
}
bool fn_present_over_time(struct range_call *c) {
    c->out = 1;
    return true;
}

static bool sample(struct range_call *c, size_t i) {
    const struct hist *h = sample_hist(c->s, i);
    if (h)
        c->out_h = hist_copy(c->r->a, h);
    else
        c->out = c->s->v[i];
    return true;
}
bool fn_first_over_time(struct range_call *c) {
    return sample(c, c->lo);
}
bool fn_last_over_time(struct range_call *c) {
    return sample(c, c->hi - 1);
}
bool fn_ts_of_first_over_time(struct range_call *c) {
    c->out = (double)c->s->t[c->lo] / 1000;
    return true;
}
bool fn_ts_of_last_over_time(struct range_call *c) {
    c->out = (double)c->s->t[c->hi - 1] / 1000;
    return true;
}

/* Index of the least (sign -1) or greatest (1) float; NaN loses against every number. */
static bool extreme(struct range_call *c, int sign, bool last_of_equal, size_t *at) {
    const struct rseries *s = c->s;
    if (!only_floats(c)) return false;
    bool found = false;
    for (size_t i = c->lo; i < c->hi; i++) {
        if (sample_hist(s, i)) continue;
        double best = found ? s->v[*at] : NAN;
        double v = s->v[i];
        bool better = sign > 0 ? v > best : v < best;
        if (!found || better || isnan(best) || (last_of_equal && v == best)) *at = i;
        found = true;
    }
    return found;
}
/* The value alone, of a window without histograms. */
static double extreme_value(const struct range_call *c, int sign) {
    const double *v = c->s->v;
    double best = v[c->lo];
    for (size_t i = c->lo + 1; i < c->hi; i++)
        if ((sign > 0 ? v[i] > best : v[i] < best) || best != best) best = v[i];
    return best;
}
static bool min_or_max(struct range_call *c, int sign) {
    size_t at;
    if (!c->s->h) return c->out = extreme_value(c, sign), true;
    return extreme(c, sign, false, &at) && (c->out = c->s->v[at], true);
}
bool fn_min_over_time(struct range_call *c) {
    return min_or_max(c, -1);
}
bool fn_max_over_time(struct range_call *c) {
    return min_or_max(c, 1);
}
bool fn_ts_of_min_over_time(struct range_call *c) {
    size_t at;
    return extreme(c, -1, true, &at) && (c->out = (double)c->s->t[at] / 1000, true);
}
bool fn_ts_of_max_over_time(struct range_call *c) {
    size_t at;
    return extreme(c, 1, true, &at) && (c->out = (double)c->s->t[at] / 1000, true);
}

/* --- sums and averages */

/* A collision of reset hints anywhere in the window is worth one warning, whatever the order. */
static bool hints_collide(const struct range_call *c) {
    bool yes = false;
    bool no = false;
    for (size_t i = c->lo; i < c->hi; i++) {
        yes |= c->s->h[i]->hint == RESET_YES;
        no |= c->s->h[i]->hint == RESET_NO;
    }
    return yes && no;
}

/* false: exponential and custom buckets do not add. */
static bool sum_or_mean(struct range_call *c, bool mean, struct hist **out) {
    const struct rseries *s = c->s;
    struct run *r = c->r;
    struct hist *sum = hist_copy(r->a, s->h[c->lo]);
    struct hist_notes notes = {0};
    bool incremental = false;
    for (size_t i = c->lo + 1; i < c->hi; i++) {
        double count = (double)(i - c->lo + 1);
        if (!incremental) {
            struct hist *before = mean ? hist_copy(r->window, sum) : NULL;
            if (!hist_add(r->a, sum, s->h[i], 1, &notes)) return false;
            if (!mean || !hist_overflows(sum)) continue;
            incremental = true; /* the sum overflows: go on with the mean */
            sum = hist_copy(r->a, before);
            hist_divide(sum, count - 1);
        }
        struct hist *part = hist_copy(r->window, s->h[i]);
        hist_divide(part, count);
        hist_scale(sum, (count - 1) / count);
        if (!hist_add(r->a, sum, part, 1, &notes)) return false;
    }
    if (mean && !incremental) hist_divide(sum, (double)(c->hi - c->lo));
    hist_finish(sum);
    notes.collision = hints_collide(c);
    note_hist(r, c->arg->from, &notes, "aggregation");
    *out = sum;
    return true;
}

static bool hist_aggregate(struct range_call *c, bool mean) {
    struct hist *h;
    if (!sum_or_mean(c, mean, &h)) {
        note_named(c->r, NOTE_MIXED_EXPONENTIAL_CUSTOM, c->arg->from, metric_name(c->s->labels));
        return false;
    }
    c->out_h = h;
    return true;
}

bool fn_sum_over_time(struct range_call *c) {
    bool hist;
    if (!unmixed(c, &hist)) return false;
    if (hist) return hist_aggregate(c, false);
    double sum = 0;
    double comp = 0;
    for (size_t i = c->lo; i < c->hi; i++) kahan_add(c->s->v[i], &sum, &comp);
    c->out = isinf(sum) ? sum : sum + comp;
    return true;
}

/* Of down-sampled samples: sums, of so many raw ones each. */
static double weighted_mean(const struct range_call *c) {
    double sum = 0;
    double comp = 0;
    double n = 0;
    for (size_t i = c->lo; i < c->hi; i++) {
        kahan_add(c->s->v[i], &sum, &comp);
        n += c->s->weight[i];
    }
    return (sum + comp) / n;
}

bool fn_avg_over_time(struct range_call *c) {
    bool hist;
    if (!unmixed(c, &hist)) return false;
    if (hist) return hist_aggregate(c, true);
    if (c->s->weight) return c->out = weighted_mean(c), true;
    const double *v = c->s->v;
    double sum = v[c->lo]; /* or the mean, once the sum overflows */
    double comp = 0;
    bool incremental = false;
    for (size_t i = c->lo + 1; i < c->hi; i++) {
        double count = (double)(i - c->lo + 1);
        if (!incremental) {
            double new_sum = sum;
            double new_comp = comp;
            kahan_add(v[i], &new_sum, &new_comp);
            if (!isinf(new_sum)) {
                sum = new_sum;
                comp = new_comp;
                continue;
            }
            incremental = true;
            sum /= count - 1;
            comp /= count - 1;
        }
        double q = (count - 1) / count;
        sum *= q;
        comp *= q;
        kahan_add(v[i] / count, &sum, &comp);
    }
    double n = (double)(c->hi - c->lo);
    c->out = incremental ? sum + comp : sum / n + comp / n;
    return true;
}

static double variance(const double *v, size_t n) {
    double mean = 0;
    double mean_c = 0;
    double aux = 0;
    double aux_c = 0;
    for (size_t i = 0; i < n; i++) {
        double delta = v[i] - (mean + mean_c);
        kahan_add(delta / (double)(i + 1), &mean, &mean_c);
        kahan_add(delta * (v[i] - (mean + mean_c)), &aux, &aux_c);
    }
    return (aux + aux_c) / (double)n;
}
bool fn_stdvar_over_time(struct range_call *c) {
    size_t n;
    if (!only_floats(c)) return false;
    const double *v = window_floats(c, &n);
    c->out = variance(v, n);
    return true;
}
bool fn_stddev_over_time(struct range_call *c) {
    if (!fn_stdvar_over_time(c)) return false;
    c->out = sqrt(c->out);
    return true;
}

/* --- quantiles */

static int nan_first(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    if (isnan(x) || isnan(y)) return isnan(y) - isnan(x);
    return (x > y) - (x < y);
}

double quantile_of(double q, double *v, size_t n) {
    if (n == 0 || isnan(q)) return NAN;
    if (q < 0) return -INFINITY;
    if (q > 1) return INFINITY;
    qsort(v, n, sizeof *v, nan_first);
    double rank = q * (double)(n - 1);
    size_t low = (size_t)fmax(0, floor(rank));
    size_t high = MIN(n - 1, low + 1);
    double weight = rank - floor(rank);
    return v[low] * (1 - weight) + v[high] * weight;
}

/* The window's floats in memory that may be changed. */
static double *own_floats(struct range_call *c, size_t *n) {
    const double *v = window_floats(c, n);
    double *own = arena_new_n(c->r->window, double, *n);
    memcpy(own, v, *n * sizeof *own);
    return own;
}

bool fn_quantile_over_time(struct range_call *c) {
    size_t n;
    double q = range_arg(c, 0);
    size_t floats;
    size_t hists;
    count_window(c, &floats, &hists);
    if (floats == 0) return false;
    note_quantile(c->r, c->call->call.args[0]->from, q);
    if (!only_floats(c)) return false;
    double *v = own_floats(c, &n);
    c->out = quantile_of(q, v, n);
    return true;
}

bool fn_mad_over_time(struct range_call *c) {
    size_t n;
    if (!only_floats(c)) return false;
    double *v = own_floats(c, &n);
    bool any_nan = false;
    for (size_t i = 0; i < n; i++) any_nan |= isnan(v[i]);
    double median = any_nan ? NAN : quantile_of(0.5, v, n);
    for (size_t i = 0; i < n; i++) v[i] = fabs(v[i] - median);
    c->out = any_nan ? NAN : quantile_of(0.5, v, n);
    return true;
}

/* --- lines */

/* Least squares over the window's floats, x in seconds from origin_ms. */
static void regression(const struct range_call *c, int64_t origin_ms, double *slope, double *intercept) {
    double sums[4] = {0}; /* x, y, xy, x^2 */
    double comps[4] = {0};
    double n = 0;
    double first = NAN;
    bool constant = true;
    for (size_t i = c->lo; i < c->hi; i++) {
        if (sample_hist(c->s, i)) continue;
        double x = (double)(c->s->t[i] - origin_ms) / 1000;
        double y = c->s->v[i];
        double terms[4] = {x, y, x * y, x * x};
        if (n == 0) first = y;
        constant &= y == first || n == 0;
        n++;
        for (int k = 0; k < 4; k++) kahan_add(terms[k], &sums[k], &comps[k]);
    }
    if (constant) {
        *slope = isinf(first) ? NAN : 0;
        *intercept = isinf(first) ? NAN : first;
        return;
    }
    for (int k = 0; k < 4; k++) sums[k] += comps[k];
    double covariance = sums[2] - sums[0] * sums[1] / n;
    double var_x = sums[3] - sums[0] * sums[0] / n;
    *slope = covariance / var_x;
    *intercept = sums[1] / n - *slope * sums[0] / n;
}

/* A line needs two floats. One beside histograms is worth an info. */
static bool two_floats(struct range_call *c) {
    size_t floats;
    size_t hists;
    count_window(c, &floats, &hists);
    if (floats && hists) note_named(c->r, NOTE_IGNORED_IN_RANGE, c->arg->from, metric_name(c->s->labels));
    return floats >= 2;
}

bool fn_deriv(struct range_call *c) {
    double intercept;
    if (!two_floats(c)) return false;
    size_t first = c->lo;
    while (sample_hist(c->s, first)) first++;
    regression(c, c->s->t[first], &c->out, &intercept); /* near the data: more exact */
    return true;
}

bool fn_predict_linear(struct range_call *c) {
    double slope;
    double intercept;
    if (!two_floats(c)) return false;
    regression(c, c->t_ms, &slope, &intercept);
    c->out = slope * range_arg(c, 1) + intercept;
    return true;
}

static bool factor_ok(struct range_call *c, double factor, const char *name, const char *symbol) {
    if (factor > 0 && factor < 1) return true;
    c->failed = true;
    return run_fail(c->r, c->e, "invalid %s factor. Expected: 0 < %s < 1, got: %f", name, symbol, factor);
}

bool fn_double_exponential_smoothing(struct range_call *c) {
    double sf = range_arg(c, 1);
    double tf = range_arg(c, 2);
    if (!factor_ok(c, sf, "smoothing", "sf") || !factor_ok(c, tf, "trend", "tf") || !two_floats(c)) return false;
    size_t n;
    const double *v = window_floats(c, &n);
    double s0 = 0;
    double s1 = v[0];
    double b = v[1] - v[0];
    for (size_t i = 1; i < n; i++) {
        if (i > 1) b = tf * (s1 - s0) + (1 - tf) * b;
        double next = sf * v[i] + (1 - sf) * (s1 + b);
        s0 = s1;
        s1 = next;
    }
    c->out = s1;
    return true;
}
