#include "wire/otlp_exphist.h"

#include "base/vec.h"

enum { SCALE_MAX = 8, SCALE_MIN = -4, GAP_MAX = 2 /* empty buckets that cost less than a new span */ };
static const double zero_threshold_default = 1e-128;

struct side {
    VEC(struct hist_span) spans;
    VEC(double) counts;
    int64_t next; /* index after the last bucket */
};

static void side_add(struct side *s, int64_t index, double count) {
    int64_t gap = index - s->next;
    if (s->spans.n && gap < 0) { /* merged into the last bucket by down-scaling */
        s->counts.p[s->counts.n - 1] += count;
        return;
    }
    if (count == 0) return;
    if (s->spans.n && gap <= GAP_MAX) {
        struct hist_span *span = &s->spans.p[s->spans.n - 1];
        for (; gap > 0; gap--, span->n++) vec_push(&s->counts, 0);
        span->n++;
    } else {
        vec_push(&s->spans, ((struct hist_span){(int32_t)gap, 1}));
    }
    vec_push(&s->counts, count);
    s->next = index + 1;
}

static void *keep(struct arena *a, const void *p, size_t n_bytes) {
    return n_bytes ? memcpy(arena_alloc(a, n_bytes), p, n_bytes) : NULL;
}

static bool convert_side(const struct otlp_buckets *b, int32_t shift, struct arena *a, uint32_t *span_n, const struct hist_span **spans, uint32_t *n,
                         const double **values, struct err *e) {
    const uint64_t *counts = b->counts.p;
    if (b->counts.n > INT32_MAX || b->offset + (int64_t)b->counts.n + 1 > INT32_MAX || b->offset == INT32_MIN)
        return err_set(e, ERR_INPUT, "bucket offset %d is out of range", b->offset);
    struct side s = {0};
    for (size_t i = 0; i < b->counts.n; i++) side_add(&s, ((b->offset + (int64_t)i) >> shift) + 1, (double)counts[i]);
    *spans = keep(a, s.spans.p, s.spans.n * sizeof *s.spans.p);
    *span_n = (uint32_t)s.spans.n;
    *values = keep(a, s.counts.p, s.counts.n * sizeof *s.counts.p);
    *n = (uint32_t)s.counts.n;
    vec_done(&s.spans);
    vec_done(&s.counts);
    return true;
}

bool otlp_exphist_convert(const struct otlp_exphist *in, struct arena *a, struct histogram **out, struct err *e) {
    if (in->scale < SCALE_MIN) return err_set(e, ERR_INPUT, "an exponential histogram of scale %d: the smallest is %d", in->scale, SCALE_MIN);
    int32_t shift = in->scale > SCALE_MAX ? MIN(in->scale - SCALE_MAX, 31) : 0;
    struct histogram h = {
        .schema = MIN(in->scale, (int32_t)SCALE_MAX),
        .zero_threshold = in->zero_threshold > 0 ? in->zero_threshold : zero_threshold_default,
        .zero_count = (double)in->zero_count,
        .count = (double)in->count,
        .sum = in->sum,
    };
    if (!convert_side(&in->positive, shift, a, &h.pos_span_n, &h.pos_spans, &h.pos_n, &h.pos, e)) return false;
    if (!convert_side(&in->negative, shift, a, &h.neg_span_n, &h.neg_spans, &h.neg_n, &h.neg, e)) return false;
    *out = arena_one(a, struct histogram);
    **out = h;
    return true;
}
