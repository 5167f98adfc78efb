#include "wire/native_hist.h"

#include <math.h>

#include "codec/varint.h"

static void side_clear(struct native_hist_side *s) {
    s->spans.n = s->counts.n = 0;
    s->last = 0;
}

void native_hist_begin(struct native_hist *n) {
    n->h = (struct histogram){0};
    side_clear(&n->positive);
    side_clear(&n->negative);
    n->custom.n = 0;
}

void native_hist_done(struct native_hist *n) {
    vec_done(&n->positive.spans);
    vec_done(&n->positive.counts);
    vec_done(&n->negative.spans);
    vec_done(&n->negative.counts);
    vec_done(&n->custom);
}

/* --- from protobuf */

bool native_hist_pb_span(struct native_hist_side *s, const struct pb_field *f) {
    struct pb c = pb_open(pb_bytes(f));
    struct hist_span span = {0};
    for (struct pb_field x; pb_next(&c, &x);) {
        if (x.num == 1)
            span.offset = (int32_t)pb_sint(&x);
        else if (x.num == 2)
            span.n = (uint32_t)pb_i64(&x);
    }
    vec_push(&s->spans, span);
    return !c.bad;
}

static double as_double(uint64_t bits) {
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

bool native_hist_pb_deltas(struct native_hist_side *s, const struct pb_field *f) {
    struct pb_packed p = pb_packed_open(f, PB_VARINT);
    for (uint64_t u; pb_packed_next(&p, &u);) native_hist_delta(s, unzigzag(u));
    return !p.c.bad;
}
bool native_hist_pb_counts(struct native_hist_side *s, const struct pb_field *f) {
    struct pb_packed p = pb_packed_open(f, PB_FIXED64);
    for (uint64_t u; pb_packed_next(&p, &u);) native_hist_count(s, as_double(u));
    return !p.c.bad;
}
bool native_hist_pb_custom(struct native_hist *n, const struct pb_field *f) {
    struct pb_packed p = pb_packed_open(f, PB_FIXED64);
    for (uint64_t u; pb_packed_next(&p, &u);) vec_push(&n->custom, as_double(u));
    return !p.c.bad;
}

/* --- checks */

enum { BUCKETS_MAX = 1 << 20 }; /* of a side, gaps counted: what later arithmetic on indexes relies on is far above */

static bool check_side(const struct native_hist_side *s, const char *which, struct err *e) {
    uint64_t buckets = 0;
    for (size_t i = 0; i < s->spans.n; i++) {
        buckets += s->spans.p[i].n;
        if (i > 0 && s->spans.p[i].offset < 0)
            return err_set(e, ERR_INPUT, "native histogram: %s span %zu has the negative offset %d", which, i + 1, s->spans.p[i].offset);
    }
    if (buckets != s->counts.n)
        return err_set(e, ERR_INPUT, "native histogram: the %s spans have %llu buckets, %zu counts were given", which, (unsigned long long)buckets,
                       s->counts.n);
    if (buckets > BUCKETS_MAX) return err_set(e, ERR_INPUT, "native histogram: more than %d %s buckets", BUCKETS_MAX, which);
    for (size_t i = 0; i < s->counts.n; i++)
        if (s->counts.p[i] < 0) return err_set(e, ERR_INPUT, "native histogram: %s bucket %zu has a negative count", which, i + 1);
    return true;
}

static bool check_custom(const struct native_hist *n, struct err *e) {
    uint64_t reach = 0;
    if (n->negative.spans.n || n->h.zero_count != 0)
        return err_set(e, ERR_INPUT, "native histogram with custom buckets: neither negative buckets nor a zero bucket may be there");
    for (size_t i = 0; i < n->custom.n; i++) {
        bool ascending = i == 0 || n->custom.p[i - 1] < n->custom.p[i];
        if (!ascending || isnan(n->custom.p[i]) || (isinf(n->custom.p[i]) && n->custom.p[i] > 0))
            return err_set(e, ERR_INPUT, "native histogram: custom bound %zu is not above the one before, or +Inf", i + 1);
    }
    for (size_t i = 0; i < n->positive.spans.n; i++) {
        if (n->positive.spans.p[i].offset < 0) return err_set(e, ERR_INPUT, "native histogram: a custom bucket before the first bound");
        reach += (uint64_t)n->positive.spans.p[i].offset + n->positive.spans.p[i].n;
    }
    if (reach > n->custom.n + 1)
        return err_set(e, ERR_INPUT, "native histogram: custom bucket %llu of %zu bounds", (unsigned long long)reach, n->custom.n);
    return true;
}

/* Observations that were NaN are in the count, but in no bucket. Counts beyond 2^53 and float histograms need not add up to the last bit. */
static bool check_sum(const struct native_hist *n, struct err *e) {
    double sum = n->h.zero_count;
    for (size_t i = 0; i < n->positive.counts.n; i++) sum += n->positive.counts.p[i];
    for (size_t i = 0; i < n->negative.counts.n; i++) sum += n->negative.counts.p[i];
    double slack = 1e-6 * fmax(fabs(sum), fabs(n->h.count));
    if (sum > n->h.count + slack || (!isnan(n->h.sum) && sum < n->h.count - slack))
        return err_set(e, ERR_INPUT, "native histogram: %.17g observations in the buckets, but the count is %.17g", sum, n->h.count);
    return true;
}

static bool check(const struct native_hist *n, struct err *e) {
    bool custom = n->h.schema == HIST_SCHEMA_CUSTOM;
    if (!check_side(&n->positive, "positive", e) || !check_side(&n->negative, "negative", e)) return false;
    if (histogram_is_stale(&n->h)) return true;
    if (!custom && (n->h.schema < -4 || n->h.schema > 8))
        return err_set(e, ERR_INPUT, "native histogram: schema %d: expected -4 to 8, or -53 for custom buckets", n->h.schema);
    if (!custom && n->custom.n) return err_set(e, ERR_INPUT, "native histogram: custom bounds with schema %d", n->h.schema);
    if (n->h.count < 0 || n->h.zero_count < 0) return err_set(e, ERR_INPUT, "native histogram: a negative count");
    return (!custom || check_custom(n, e)) && check_sum(n, e);
}

static void *keep(struct arena *a, const void *p, size_t n_bytes) {
    return n_bytes ? memcpy(arena_alloc(a, n_bytes), p, n_bytes) : NULL;
}

static void keep_side(struct arena *a, const struct native_hist_side *s, uint32_t *span_n, const struct hist_span **spans, uint32_t *n,
                      const double **counts) {
    *spans = keep(a, s->spans.p, s->spans.n * sizeof *s->spans.p);
    *span_n = (uint32_t)s->spans.n;
    *counts = keep(a, s->counts.p, s->counts.n * sizeof *s->counts.p);
    *n = (uint32_t)s->counts.n;
}

bool native_hist_finish(struct native_hist *n, struct arena *a, struct histogram **out, struct err *e) {
    if (!check(n, e)) return false;
    struct histogram *h = keep(a, &n->h, sizeof n->h);
    keep_side(a, &n->positive, &h->pos_span_n, &h->pos_spans, &h->pos_n, &h->pos);
    keep_side(a, &n->negative, &h->neg_span_n, &h->neg_spans, &h->neg_n, &h->neg);
    h->custom = keep(a, n->custom.p, n->custom.n * sizeof *n->custom.p);
    h->custom_n = (uint32_t)n->custom.n;
    *out = h;
    return true;
}
