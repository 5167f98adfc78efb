#include "wire/xor_chunk.h"

#include <math.h>

#include "codec/varint.h"

/* --- bits, the high one first */

struct bits {
    struct buf *b;
    unsigned room; /* unused low bits of the last byte */
};

static void put_bits(struct bits *w, uint64_t v, unsigned n) {
    assert(n <= 64);
    while (n > 0) {
        if (w->room == 0) {
            buf_char(w->b, 0);
            w->room = 8;
        }
        unsigned take = MIN(n, w->room);
        unsigned piece = (unsigned)(v >> (n - take)) & ((1u << take) - 1);
        w->b->p[w->b->n - 1] = (char)((uint8_t)w->b->p[w->b->n - 1] | piece << (w->room - take));
        w->room -= take;
        n -= take;
    }
}

static void put_bytes(struct bits *w, str bytes) {
    for (size_t i = 0; i < bytes.n; i++) put_bits(w, (uint8_t)bytes.p[i], 8);
}

static uint64_t bits_of(double v) {
    uint64_t u;
    memcpy(&u, &v, sizeof u);
    return u;
}

/* Fits n bits as the formats count them: one more above zero than below. */
static bool fits(int64_t v, unsigned n) {
    return -((INT64_C(1) << (n - 1)) - 1) <= v && v <= INT64_C(1) << (n - 1);
}

/* A value as its difference to the last one. */
struct xored {
    uint64_t last;
    unsigned leading, trailing; /* of the last difference written in full */
    bool has_window;
};

static void put_xored(struct bits *w, struct xored *x, double v) {
    uint64_t u = bits_of(v), delta = u ^ x->last;
    x->last = u;
    if (delta == 0) return put_bits(w, 0, 1);
    unsigned leading = MIN((unsigned)__builtin_clzll(delta), 31u), trailing = (unsigned)__builtin_ctzll(delta);
    if (x->has_window && leading >= x->leading && trailing >= x->trailing) {
        put_bits(w, 2, 2);
        put_bits(w, delta >> x->trailing, 64 - x->leading - x->trailing);
        return;
    }
    *x = (struct xored){.last = u, .leading = leading, .trailing = trailing, .has_window = true};
    unsigned significant = 64 - leading - trailing;
    put_bits(w, 3, 2);
    put_bits(w, leading, 5);
    put_bits(w, significant & 63, 6); /* 64 is written as 0 */
    put_bits(w, delta >> trailing, significant);
}

/* --- floats */

static void put_delta_of_delta(struct bits *w, int64_t dod) {
    static const struct { unsigned prefix, prefix_n, n; } sizes[] = {{2, 2, 14}, {6, 3, 17}, {14, 4, 20}};
    if (dod == 0) return put_bits(w, 0, 1);
    for (size_t i = 0; i < ARRAY_N(sizes); i++) {
        if (!fits(dod, sizes[i].n)) continue;
        put_bits(w, sizes[i].prefix, sizes[i].prefix_n);
        put_bits(w, (uint64_t)dod & ((UINT64_C(1) << sizes[i].n) - 1), sizes[i].n);
        return;
    }
    put_bits(w, 15, 4);
    put_bits(w, (uint64_t)dod, 64);
}

static void put_float(struct bits *w, const int64_t *t_ms, double v, size_t i, struct xored *x) {
    char number[10];
    struct buf b = {number, 0, sizeof number};
    if (i == 0) {
        put_zigzag(&b, t_ms[0]);
        put_bytes(w, buf_str(&b));
        put_bits(w, bits_of(v), 64);
        x->last = bits_of(v);
        return;
    }
    uint64_t delta = (uint64_t)t_ms[i] - (uint64_t)t_ms[i - 1];
    if (i == 1) {
        put_varint(&b, delta);
        put_bytes(w, buf_str(&b));
    } else {
        put_delta_of_delta(w, (int64_t)(delta - ((uint64_t)t_ms[i - 1] - (uint64_t)t_ms[i - 2])));
    }
    put_xored(w, x, v);
}

static size_t encode_floats(const struct samples *s, size_t at, struct bits *w) {
    struct xored x = {0};
    size_t n = 0;
    for (; at + n < s->n && n < CHUNK_SAMPLES_MAX && !(s->h && s->h[at + n]); n++) put_float(w, s->t_ms + at, s->v[at + n], n, &x);
    return n;
}

/* --- histograms */

static const uint8_t varbit_sizes[] = {3, 6, 9, 12, 18, 25, 56};

/* Zero, or one of seven sizes, or 64 bits, announced by a prefix: 10, 110, ... 11111110, 11111111. */
static void put_varbit(struct bits *w, uint64_t v, size_t size) {
    put_bits(w, (UINT64_C(1) << (size + 2)) - 2, (unsigned)size + 2);
    put_bits(w, v & ((UINT64_C(1) << varbit_sizes[size]) - 1), varbit_sizes[size]);
}

static void put_varbit_int(struct bits *w, int64_t v) {
    if (v == 0) return put_bits(w, 0, 1);
    for (size_t i = 0; i < ARRAY_N(varbit_sizes); i++)
        if (fits(v, varbit_sizes[i])) return put_varbit(w, (uint64_t)v, i);
    put_bits(w, 255, 8);
    put_bits(w, (uint64_t)v, 64);
}

static void put_varbit_uint(struct bits *w, uint64_t v) {
    if (v == 0) return put_bits(w, 0, 1);
    for (size_t i = 0; i < ARRAY_N(varbit_sizes); i++)
        if (v >> varbit_sizes[i] == 0) return put_varbit(w, v, i);
    put_bits(w, 255, 8);
    put_bits(w, v, 64);
}

/* A power of two from 2^-243 to 2^10 takes a byte; else a mark and the whole value. */
static void put_zero_threshold(struct bits *w, double v) {
    int exponent;
    double fraction = frexp(v, &exponent);
    if (v == 0) return put_bits(w, 0, 8);
    if (fraction == 0.5 && exponent >= -242 && exponent <= 11) return put_bits(w, (unsigned)exponent + 243, 8);
    put_bits(w, 255, 8);
    put_bits(w, bits_of(v), 64);
}

static void put_spans(struct bits *w, const struct hist_span *p, size_t n) {
    put_varbit_uint(w, n);
    for (size_t i = 0; i < n; i++) {
        put_varbit_uint(w, p[i].n);
        put_varbit_int(w, p[i].offset);
    }
}

/* A whole number of thousandths below 2^25 is written as such plus one; else zero and the whole value. */
static void put_bound(struct bits *w, double v) {
    double thousandths = v * 1000;
    if (thousandths >= 0 && thousandths <= 33554430 && round(thousandths) / 1000 == v) return put_varbit_uint(w, (uint64_t)round(thousandths) + 1);
    put_bits(w, 0, 1);
    put_bits(w, bits_of(v), 64);
}

static void put_layout(struct bits *w, const struct histogram *h) {
    put_zero_threshold(w, h->zero_threshold);
    put_varbit_int(w, h->schema);
    put_spans(w, h->pos_spans, h->pos_span_n);
    put_spans(w, h->neg_spans, h->neg_span_n);
    if (h->schema != HIST_SCHEMA_CUSTOM) return;
    put_varbit_uint(w, h->custom_n);
    for (size_t i = 0; i < h->custom_n; i++) put_bound(w, h->custom[i]);
}

static bool same_spans(const struct hist_span *a, size_t a_n, const struct hist_span *b, size_t b_n) {
    if (a_n != b_n) return false;
    for (size_t i = 0; i < a_n; i++)
        if (a[i].offset != b[i].offset || a[i].n != b[i].n) return false;
    return true;
}

static bool any_lower(const double *now, const double *before, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (now[i] < before[i]) return true;
    return false;
}

/* May h follow before in a chunk of this layout? Inside a chunk readers take counters as not reset. */
static bool may_follow(const struct histogram *layout, const struct histogram *before, const struct histogram *h) {
    bool gauge = layout->hint == RESET_GAUGE;
    if (histogram_is_stale(h)) return true;
    if (histogram_is_stale(before) || (h->hint == RESET_GAUGE) != gauge || h->hint == RESET_YES) return false;
    if (h->schema != layout->schema || bits_of(h->zero_threshold) != bits_of(layout->zero_threshold)) return false;
    if (!same_spans(h->pos_spans, h->pos_span_n, layout->pos_spans, layout->pos_span_n)) return false;
    if (!same_spans(h->neg_spans, h->neg_span_n, layout->neg_spans, layout->neg_span_n)) return false;
    if (h->custom_n != layout->custom_n || (h->custom_n && memcmp(h->custom, layout->custom, h->custom_n * sizeof *h->custom) != 0)) return false;
    return gauge || !(h->count < before->count || h->zero_count < before->zero_count || any_lower(h->pos, before->pos, h->pos_n) ||
                      any_lower(h->neg, before->neg, h->neg_n));
}

/* The columns of a histogram chunk: count, zero count, sum, the buckets. */
enum { HEAD_COLUMNS = 3 };
struct columns {
    struct xored head[HEAD_COLUMNS];
    struct xored *buckets;
};

static void put_column(struct bits *w, struct xored *x, double v, bool first) {
    if (!first) return put_xored(w, x, v);
    put_bits(w, bits_of(v), 64);
    x->last = bits_of(v);
}

/* A stale marker is its sum alone. */
static void put_histogram(struct bits *w, const struct histogram *h, bool first, struct columns *c) {
    bool stale = histogram_is_stale(h);
    const double head[HEAD_COLUMNS] = {stale ? 0 : h->count, stale ? 0 : h->zero_count, h->sum};
    for (size_t i = 0; i < HEAD_COLUMNS; i++) put_column(w, &c->head[i], head[i], first);
    if (stale) return;
    for (size_t i = 0; i < h->pos_n; i++) put_column(w, &c->buckets[i], h->pos[i], first);
    for (size_t i = 0; i < h->neg_n; i++) put_column(w, &c->buckets[h->pos_n + i], h->neg[i], first);
}

static size_t encode_histograms(const struct samples *s, size_t at, struct bits *w) {
    static const uint8_t flags[] = {[RESET_UNKNOWN] = 0, [RESET_YES] = 0x80, [RESET_NO] = 0x40, [RESET_GAUGE] = 0xc0};
    static const struct histogram nothing = {0};
    const struct histogram *layout = s->h[at];
    if (histogram_is_stale(layout)) layout = &nothing;
    AUTO(arena_free) struct arena *a = arena_new(1024);
    struct columns c = {.buckets = arena_zalloc(a, ((size_t)layout->pos_n + layout->neg_n) * sizeof *c.buckets)};
    put_bits(w, flags[layout->hint], 8);
    put_layout(w, layout);
    uint64_t delta = 0;
    size_t n = 0;
    for (; at + n < s->n && n < CHUNK_SAMPLES_MAX && s->h[at + n]; n++) {
        const struct histogram *h = s->h[at + n];
        if (n && !may_follow(layout, s->h[at + n - 1], h)) break;
        uint64_t t = (uint64_t)s->t_ms[at + n], step = n ? t - (uint64_t)s->t_ms[at + n - 1] : 0;
        put_varbit_int(w, n ? (int64_t)(step - delta) : (int64_t)t);
        delta = step;
        put_histogram(w, h, n == 0, &c);
    }
    return n;
}

size_t chunk_encode(const struct samples *s, size_t at, enum chunk_encoding *encoding, struct buf *out) {
    assert(at < s->n);
    bool histograms = s->h && s->h[at];
    struct bits w = {.b = out};
    buf_clear(out);
    buf_put(out, "\0\0", 2);
    size_t n = histograms ? encode_histograms(s, at, &w) : encode_floats(s, at, &w);
    out->p[0] = (char)(n >> 8);
    out->p[1] = (char)n;
    *encoding = histograms ? CHUNK_FLOAT_HISTOGRAM : CHUNK_XOR;
    return n;
}
