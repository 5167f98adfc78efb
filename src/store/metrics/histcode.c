#include "store/metrics/histcode.h"

#include "codec/varint.h"
#include "store/metrics/decimal.h"

/* *before: the last integer written, what the next one is relative to. */
static void put_number(struct buf *b, double v, int64_t *before) {
    int64_t m;
    if (decimal_exact(v, 0, &m)) {
        put_varint(b, zigzag(m - *before) << 1);
        *before = m;
        return;
    }
    put_varint(b, 1);
    buf_le64(b, double_bits(v));
}
static double get_number(struct reader *r, int64_t *before) {
    uint64_t z = get_varint(r);
    if (z & 1) return bits_double(get_le64(r));
    *before = (int64_t)((uint64_t)*before + (uint64_t)unzigzag(z >> 1));
    return (double)*before;
}

static void put_side(struct buf *b, const struct hist_span *spans, uint32_t span_n, const double *counts, uint32_t n) {
    put_varint(b, span_n);
    for (uint32_t i = 0; i < span_n; i++) {
        put_zigzag(b, spans[i].offset);
        put_varint(b, spans[i].n);
    }
    int64_t before = 0;
    put_varint(b, n);
    for (uint32_t i = 0; i < n; i++) put_number(b, counts[i], &before);
}

void histogram_encode(const struct histogram *h, struct buf *out) {
    put_zigzag(out, h->schema);
    buf_char(out, (char)h->hint);
    const double heads[] = {h->zero_threshold, h->zero_count, h->count, h->sum};
    for (size_t i = 0; i < ARRAY_N(heads); i++) put_number(out, heads[i], &(int64_t){0});
    put_side(out, h->pos_spans, h->pos_span_n, h->pos, h->pos_n);
    put_side(out, h->neg_spans, h->neg_span_n, h->neg, h->neg_n);
    put_varint(out, h->custom_n);
    for (uint32_t i = 0; i < h->custom_n; i++) buf_le64(out, double_bits(h->custom[i]));
}

/* A count that at least that many bytes each must still follow for. */
static uint32_t get_count(struct reader *r, size_t bytes_each) {
    uint64_t n = get_varint(r);
    if (n > HISTOGRAM_BUCKETS_MAX || n * bytes_each > (size_t)(r->end - r->at)) {
        r->bad = true;
        return 0;
    }
    return (uint32_t)n;
}

static void get_side(struct reader *r, struct arena *a, const struct hist_span **spans, uint32_t *span_n, const double **counts, uint32_t *n) {
    *span_n = get_count(r, 2);
    struct hist_span *s = arena_new_n(a, struct hist_span, *span_n);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < *span_n; i++) {
        s[i].offset = (int32_t)get_zigzag(r);
        s[i].n = (uint32_t)get_varint(r);
        sum += s[i].n;
    }
    *spans = s;
    *n = get_count(r, 1);
    if (sum != *n) r->bad = true;
    double *c = arena_new_n(a, double, *n);
    int64_t before = 0;
    for (uint32_t i = 0; i < *n; i++) c[i] = get_number(r, &before);
    *counts = c;
}

bool histogram_decode(str code, struct arena *a, struct histogram **out, struct err *e) {
    struct reader r = reader_open(code);
    struct histogram *h = arena_one(a, struct histogram);
    h->schema = (int32_t)get_zigzag(&r);
    str hint = get_bytes(&r, 1);
    if (hint.n && (uint8_t)hint.p[0] <= RESET_GAUGE)
        h->hint = (enum reset_hint)hint.p[0];
    else
        r.bad = true;
    double *heads[] = {&h->zero_threshold, &h->zero_count, &h->count, &h->sum};
    for (size_t i = 0; i < ARRAY_N(heads); i++) *heads[i] = get_number(&r, &(int64_t){0});
    get_side(&r, a, &h->pos_spans, &h->pos_span_n, &h->pos, &h->pos_n);
    get_side(&r, a, &h->neg_spans, &h->neg_span_n, &h->neg, &h->neg_n);
    h->custom_n = get_count(&r, 8);
    double *custom = arena_new_n(a, double, h->custom_n);
    for (uint32_t i = 0; i < h->custom_n; i++) custom[i] = bits_double(get_le64(&r));
    h->custom = custom;
    if (r.bad || r.at != r.end)
        return err_set(e, ERR_CORRUPT, "damaged histogram (at byte %zu of %zu)", (size_t)(r.at - (const uint8_t *)code.p), code.n);
    *out = h;
    return true;
}
