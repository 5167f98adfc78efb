#include "query/promql/hist.h"

#include <float.h>
#include <math.h>

static struct buckets buckets_from(struct arena *a, const struct hist_span *spans, uint32_t span_n, const double *counts, uint32_t count_n) {
    struct buckets b = {.p = arena_new_n(a, struct bucket, MAX(count_n, 1u)), .cap = MAX(count_n, 1u)};
    int32_t at = 0;
    uint32_t next = 0;
    for (uint32_t s = 0; s < span_n; s++) {
        at += spans[s].offset;
        for (uint32_t i = 0; i < spans[s].n && next < count_n; i++, at++) {
            double n = counts[next++];
            if (n != 0) b.p[b.n++] = (struct bucket){.at = at, .n = n};
        }
    }
    return b;
}

static const double *bounds_copy(struct arena *a, const double *bounds, uint32_t n) {
    double *copy = arena_new_n(a, double, MAX(n, 1u));
    if (n) memcpy(copy, bounds, n * sizeof *copy);
    return copy;
}

struct hist *hist_from_store(struct arena *a, const struct histogram *h) {
    struct hist *o = arena_one(a, struct hist);
    o->schema = h->schema;
    o->hint = h->hint;
    o->zero_threshold = h->zero_threshold;
    o->zero = h->zero_count;
    o->count = h->count;
    o->sum = h->sum;
    o->pos = buckets_from(a, h->pos_spans, h->pos_span_n, h->pos, h->pos_n);
    o->neg = buckets_from(a, h->neg_spans, h->neg_span_n, h->neg, h->neg_n);
    o->custom = bounds_copy(a, h->custom, h->custom_n);
    o->custom_n = h->custom_n;
    return o;
}

static struct buckets buckets_copy(struct arena *a, const struct buckets *b) {
    struct buckets o = {.p = arena_new_n(a, struct bucket, MAX(b->n, 1u)), .n = b->n, .cap = MAX(b->n, 1u)};
    if (b->n) memcpy(o.p, b->p, b->n * sizeof *o.p);
    return o;
}

struct hist *hist_copy(struct arena *a, const struct hist *h) {
    struct hist *o = arena_one(a, struct hist);
    *o = *h;
    o->custom = bounds_copy(a, h->custom, h->custom_n);
    o->pos = buckets_copy(a, &h->pos);
    o->neg = buckets_copy(a, &h->neg);
    return o;
}

struct hist *hist_zero_like(struct arena *a, const struct hist *h) {
    struct hist *o = arena_one(a, struct hist);
    o->schema = h->schema;
    o->custom = bounds_copy(a, h->custom, h->custom_n);
    o->custom_n = h->custom_n;
    o->zero_threshold = h->zero_threshold;
    return o;
}

/* --- adding */

static bool add_in_place(struct buckets *b, const struct buckets *o, double sign) {
    uint32_t i = 0;
    for (uint32_t j = 0; j < o->n; j++) { /* look first: nothing may change if an index is missing */
        while (i < b->n && b->p[i].at < o->p[j].at) i++;
        if (i == b->n || b->p[i].at != o->p[j].at) return false;
    }
    i = 0;
    for (uint32_t j = 0; j < o->n; j++) {
        while (b->p[i].at < o->p[j].at) i++;
        kahan_add(sign * o->p[j].n, &b->p[i].n, &b->p[i].c);
        b->p[i].c += sign * o->p[j].c;
    }
    return true;
}

static void add_buckets(struct arena *a, struct buckets *b, const struct buckets *o, double sign) {
    if (add_in_place(b, o, sign)) return;
    struct buckets m = {.cap = b->n + o->n};
    m.p = arena_new_n(a, struct bucket, m.cap);
    uint32_t i = 0;
    uint32_t j = 0;
    while (i < b->n || j < o->n) {
        struct bucket *x = &m.p[m.n++];
        if (j == o->n || (i < b->n && b->p[i].at < o->p[j].at)) {
            *x = b->p[i++];
        } else if (i == b->n || o->p[j].at < b->p[i].at) {
            *x = (struct bucket){.at = o->p[j].at, .n = sign * o->p[j].n, .c = sign * o->p[j].c};
            j++;
        } else {
            *x = b->p[i++];
            kahan_add(sign * o->p[j].n, &x->n, &x->c);
            x->c += sign * o->p[j].c;
            j++;
        }
    }
    *b = m;
}

/* Merges neighbours after their indexes were mapped monotonically. */
static void merge_equal(struct buckets *b) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        if (n && b->p[n - 1].at == b->p[i].at) {
            kahan_add(b->p[i].n, &b->p[n - 1].n, &b->p[n - 1].c);
            b->p[n - 1].c += b->p[i].c;
        } else {
            b->p[n++] = b->p[i];
        }
    }
    b->n = n;
}

static void reduce_buckets(struct buckets *b, int shift) {
    for (uint32_t i = 0; i < b->n; i++) b->p[i].at = ((b->p[i].at - 1) >> shift) + 1;
    merge_equal(b);
}

void hist_reduce(struct hist *h, int32_t schema) {
    if (h->schema <= schema) return;
    reduce_buckets(&h->pos, h->schema - schema);
    reduce_buckets(&h->neg, h->schema - schema);
    h->schema = schema;
}

/* Upper bound of an exponential bucket. The one that ends at 2^1024 ends at the largest double instead. */
static double exponential_bound(int32_t schema, int32_t at) {
    if (schema <= 0) {
        int64_t exponent = (int64_t)at * ((int64_t)1 << -schema);
        if (exponent == 1024) return DBL_MAX;
        return ldexp(1, (int)MAX(MIN(exponent, 2000), -2000));
    }
    int32_t fraction = at & ((1 << schema) - 1);
    int32_t exponent = at >> schema;
    if (exponent == 1024 && fraction == 0) return DBL_MAX;
    return ldexp(exp2((double)fraction / (1 << schema)), exponent);
}

double hist_upper(const struct hist *h, int32_t at) {
    if (!hist_is_custom(h)) return exponential_bound(h->schema, at);
    return at < 0 ? -INFINITY : (uint32_t)at < h->custom_n ? h->custom[at] : INFINITY;
}

/* Moves the buckets that begin below `threshold` into the zero bucket; true if the threshold grew to the end of one. */
static bool absorb(struct hist *h, struct buckets *b, double *threshold) {
    uint32_t n = 0;
    bool grew = false;
    while (n < b->n && hist_upper(h, b->p[n].at - 1) < *threshold) {
        double upper = hist_upper(h, b->p[n].at);
        if (upper > *threshold) {
            *threshold = upper;
            grew = true;
        }
        kahan_add(b->p[n].n, &h->zero, &h->zero_c);
        h->zero_c += b->p[n].c;
        n++;
    }
    b->p += n;
    b->n -= n;
    b->cap -= n;
    return grew;
}

static void widen_zero(struct hist *h, double threshold) {
    for (;;) {
        absorb(h, &h->pos, &threshold);
        if (!absorb(h, &h->neg, &threshold)) break;
    }
    h->zero_threshold = threshold;
}

static bool same_bounds(const struct hist *a, const struct hist *b) {
    if (a->custom_n != b->custom_n) return false;
    for (uint32_t i = 0; i < a->custom_n; i++)
        if (a->custom[i] != b->custom[i]) return false;
    return true;
}

/* The bounds both have. */
static uint32_t common_bounds(struct arena *a, const struct hist *x, const struct hist *y, const double **out) {
    double *common = arena_new_n(a, double, MAX(MIN(x->custom_n, y->custom_n), 1u));
    uint32_t n = 0;
    for (uint32_t i = 0, j = 0; i < x->custom_n && j < y->custom_n;) {
        if (x->custom[i] == y->custom[j]) {
            common[n++] = x->custom[i];
            i++;
            j++;
        } else if (x->custom[i] < y->custom[j]) {
            i++;
        } else {
            j++;
        }
    }
    *out = common;
    return n;
}

static void rebound(struct hist *h, const double *bounds, uint32_t n) {
    uint32_t to = 0;
    for (uint32_t i = 0; i < h->pos.n; i++) {
        double upper = hist_upper(h, h->pos.p[i].at);
        while (to < n && bounds[to] < upper) to++;
        h->pos.p[i].at = (int32_t)to;
    }
    merge_equal(&h->pos);
    h->custom = bounds;
    h->custom_n = n;
}

static bool adjust_hint(struct hist *h, enum reset_hint other) {
    if (h->hint == other || h->hint == RESET_GAUGE || h->hint == RESET_UNKNOWN) {
        if (h->hint == RESET_UNKNOWN && other == RESET_GAUGE) h->hint = RESET_GAUGE;
        return false;
    }
    if (other == RESET_GAUGE || other == RESET_UNKNOWN) {
        h->hint = other;
        return false;
    }
    h->hint = RESET_UNKNOWN;
    return true;
}

bool hist_add(struct arena *a, struct hist *h, const struct hist *o, double sign, struct hist_notes *notes) {
    if (hist_is_custom(h) != hist_is_custom(o)) return false;
    notes->collision |= adjust_hint(h, o->hint);
    const struct hist *x = o;
    if (hist_is_custom(h) && !same_bounds(h, o)) {
        const double *bounds;
        uint32_t n = common_bounds(a, h, o, &bounds);
        struct hist *copy = hist_copy(a, o);
        rebound(copy, bounds, n);
        rebound(h, bounds, n);
        notes->reconciled = true;
        x = copy;
    } else if (!hist_is_custom(h) && (h->schema != o->schema || h->zero_threshold != o->zero_threshold)) {
        struct hist *copy = hist_copy(a, o);
        while (h->zero_threshold != copy->zero_threshold) {
            if (h->zero_threshold > copy->zero_threshold)
                widen_zero(copy, h->zero_threshold);
            else
                widen_zero(h, copy->zero_threshold);
        }
        int32_t schema = MIN(h->schema, copy->schema);
        hist_reduce(h, schema);
        hist_reduce(copy, schema);
        x = copy;
    }
    kahan_add(sign * x->count, &h->count, &h->count_c);
    kahan_add(sign * x->sum, &h->sum, &h->sum_c);
    kahan_add(sign * x->zero, &h->zero, &h->zero_c);
    h->count_c += sign * x->count_c;
    h->sum_c += sign * x->sum_c;
    h->zero_c += sign * x->zero_c;
    add_buckets(a, &h->pos, &x->pos, sign);
    add_buckets(a, &h->neg, &x->neg, sign);
    return true;
}

/* --- scaling and finishing */

static void map_buckets(struct buckets *b, double factor, double divisor) {
    for (uint32_t i = 0; i < b->n; i++) {
        b->p[i].n = b->p[i].n * factor / divisor;
        b->p[i].c = b->p[i].c * factor / divisor;
    }
}

static void scale(struct hist *h, double factor, double divisor) {
    double *fields[] = {&h->count, &h->count_c, &h->sum, &h->sum_c, &h->zero, &h->zero_c};
    for (size_t i = 0; i < ARRAY_N(fields); i++) *fields[i] = *fields[i] * factor / divisor;
    map_buckets(&h->pos, factor, divisor);
    map_buckets(&h->neg, factor, divisor);
    if (factor < 0 || divisor < 0) h->hint = RESET_GAUGE;
}

void hist_scale(struct hist *h, double factor) {
    scale(h, factor, 1);
}

void hist_divide(struct hist *h, double divisor) {
    if (divisor == 0) { /* 0/0 of a compensation would spoil the value */
        hist_finish(h);
        h->count /= divisor;
        h->sum /= divisor;
        h->zero /= divisor;
        h->pos.n = h->neg.n = 0;
        return;
    }
    scale(h, 1, divisor);
}

static void finish_buckets(struct buckets *b) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        double v = b->p[i].n + b->p[i].c;
        if (v != 0) b->p[n++] = (struct bucket){.at = b->p[i].at, .n = v};
    }
    b->n = n;
}

void hist_finish(struct hist *h) {
    h->count += h->count_c;
    h->sum += h->sum_c;
    h->zero += h->zero_c;
    h->count_c = h->sum_c = h->zero_c = 0;
    finish_buckets(&h->pos);
    finish_buckets(&h->neg);
}

static bool buckets_overflow(const struct buckets *b) {
    for (uint32_t i = 0; i < b->n; i++)
        if (isinf(b->p[i].n)) return true;
    return false;
}

bool hist_overflows(const struct hist *h) {
    return isinf(h->count) || isinf(h->sum) || isinf(h->zero) || buckets_overflow(&h->pos) || buckets_overflow(&h->neg);
}

struct hist *hist_interpolate(struct arena *a, const struct hist *h1, const struct hist *h2, double fraction) {
    struct hist_notes ignored = {0};
    struct hist *y = hist_copy(a, h2);
    if (!hist_add(a, y, h1, -1, &ignored)) return NULL;
    hist_scale(y, fraction);
    if (!hist_add(a, y, h1, 1, &ignored)) return NULL;
    y->hint = h1->hint == RESET_GAUGE && h2->hint == RESET_GAUGE ? RESET_GAUGE : RESET_UNKNOWN;
    hist_finish(y);
    return y;
}

/* --- comparing */

/* Bits, but every NaN equals every other. */
static bool same_number(double a, double b) {
    return a == b || (isnan(a) && isnan(b));
}

static bool buckets_equal(const struct buckets *a, const struct buckets *b) {
    if (a->n != b->n) return false;
    for (uint32_t i = 0; i < a->n; i++)
        if (a->p[i].at != b->p[i].at || !same_number(a->p[i].n, b->p[i].n)) return false;
    return true;
}

bool hist_equal(const struct hist *a, const struct hist *b) {
    return a->schema == b->schema && same_number(a->count, b->count) && same_number(a->sum, b->sum) &&
           (hist_is_custom(a) || a->zero_threshold == b->zero_threshold) && same_number(a->zero, b->zero) && same_bounds(a, b) &&
           buckets_equal(&a->pos, &b->pos) && buckets_equal(&a->neg, &b->neg);
}

/* A bucket of prev has shrunk. */
static bool any_shrunk(const struct buckets *now, const struct buckets *prev) {
    uint32_t i = 0;
    for (uint32_t j = 0; j < prev->n; j++) {
        while (i < now->n && now->p[i].at < prev->p[j].at) i++;
        double n = i < now->n && now->p[i].at == prev->p[j].at ? now->p[i].n : 0;
        if (n < prev->p[j].n) return true;
    }
    return false;
}

static bool custom_is_reset(struct arena *scratch, const struct hist *h, const struct hist *prev) {
    if (same_bounds(h, prev)) return any_shrunk(&h->pos, &prev->pos);
    const double *bounds;
    uint32_t n = common_bounds(scratch, h, prev, &bounds);
    struct hist *now = hist_copy(scratch, h);
    struct hist *before = hist_copy(scratch, prev);
    rebound(now, bounds, n);
    rebound(before, bounds, n);
    return any_shrunk(&now->pos, &before->pos);
}

bool hist_is_reset(struct arena *scratch, const struct hist *h, const struct hist *prev) {
    if (h->hint == RESET_YES) return true;
    if (h->hint == RESET_NO) return false;
    if (h->count < prev->count) return true;
    if (hist_is_custom(h) != hist_is_custom(prev)) return true;
    if (hist_is_custom(h)) return custom_is_reset(scratch, h, prev);
    if (h->schema > prev->schema || h->zero_threshold < prev->zero_threshold) return true;
    if (h->schema != prev->schema || h->zero_threshold != prev->zero_threshold) {
        struct hist *copy = hist_copy(scratch, prev);
        widen_zero(copy, h->zero_threshold);
        if (copy->zero_threshold != h->zero_threshold) return true; /* the new threshold cuts a populated bucket */
        hist_reduce(copy, h->schema);
        hist_finish(copy);
        prev = copy;
    }
    return h->zero < prev->zero || any_shrunk(&h->pos, &prev->pos) || any_shrunk(&h->neg, &prev->neg);
}
