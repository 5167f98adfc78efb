#include "model/sample.h"

static double from_bits(uint64_t bits) {
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

double stale_nan(void) {
    return from_bits(STALE_NAN_BITS);
}
bool is_stale_nan(double v) {
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits == STALE_NAN_BITS;
}

static const void *copy_bytes(struct arena *a, const void *p, size_t n) {
    return n ? memcpy(arena_alloc(a, n), p, n) : NULL;
}

struct histogram *histogram_copy(struct arena *a, const struct histogram *h) {
    struct histogram *c = arena_one(a, struct histogram);
    *c = *h;
    c->pos_spans = copy_bytes(a, h->pos_spans, h->pos_span_n * sizeof *h->pos_spans);
    c->neg_spans = copy_bytes(a, h->neg_spans, h->neg_span_n * sizeof *h->neg_spans);
    c->pos = copy_bytes(a, h->pos, h->pos_n * sizeof *h->pos);
    c->neg = copy_bytes(a, h->neg, h->neg_n * sizeof *h->neg);
    c->custom = copy_bytes(a, h->custom, h->custom_n * sizeof *h->custom);
    return c;
}

bool histogram_is_stale(const struct histogram *h) {
    return is_stale_nan(h->sum);
}

const char *metric_type_name(enum metric_type t) {
    switch (t) {
    case METRIC_UNKNOWN: return "unknown";
    case METRIC_COUNTER: return "counter";
    case METRIC_GAUGE: return "gauge";
    case METRIC_HISTOGRAM: return "histogram";
    case METRIC_GAUGEHISTOGRAM: return "gaugehistogram";
    case METRIC_SUMMARY: return "summary";
    case METRIC_INFO: return "info";
    case METRIC_STATESET: return "stateset";
    }
    assert(!"metric_type out of range");
    return "unknown";
}
