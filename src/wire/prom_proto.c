#include "wire/prom_proto.h"

#include <math.h>

#include "codec/pb.h"
#include "codec/text.h"
#include "wire/native_hist.h"
#include "wire/prom_labels.h"
#include "wire/rows.h"

enum { DECODED_BYTES_MAX = 512 << 20 }; /* every bucket repeats its metric's labels */
static const struct label no_label = {0};

/* What row_labels needs beside the key. */
struct decoding {
    struct labels target;
    bool honor_labels;
};

struct page {
    const struct prom_text_options *o;
    const char *start;
    struct arena *arena;
    struct rows rows;
    struct native_hist native;
    struct err *e;
    /* of the family being read */
    str family;
    enum metric_type type;
    /* of the metric being read */
    VEC(struct label) labels; /* as on the page; the first is the name */
    int64_t t_ms, start_ms;
};

static bool broken(struct page *p, const void *at) {
    return err_set(p->e, ERR_INPUT, "not a page of metric families (at byte %zu)", (size_t)((const char *)at - p->start));
}

/* --- small messages */

/* google.protobuf.Timestamp{1: seconds, 2: nanos} */
static bool read_time(struct page *p, const struct pb_field *f, int64_t *out_ms) {
    struct pb c = pb_open(pb_bytes(f));
    int64_t seconds = 0, nanos = 0, ms;
    for (struct pb_field x; pb_next(&c, &x);) {
        if (x.num == 1)
            seconds = pb_i64(&x);
        else if (x.num == 2)
            nanos = pb_i64(&x);
    }
    if (c.bad || __builtin_mul_overflow(seconds, 1000, &ms) || __builtin_add_overflow(ms, nanos / 1000000, &ms)) return broken(p, c.at);
    *out_ms = ms;
    return true;
}

/* LabelPair{1: name, 2: value} */
static bool read_label(struct page *p, const struct pb_field *f, struct label *out) {
    struct pb c = pb_open(pb_bytes(f));
    *out = (struct label){STR_INIT(""), STR_INIT("")};
    for (struct pb_field x; pb_next(&c, &x);) {
        if (x.num == 1)
            out->name = pb_bytes(&x);
        else if (x.num == 2)
            out->value = pb_bytes(&x);
    }
    if (c.bad) return broken(p, c.at);
    if (out->name.n == 0 || !utf8_valid(out->name) || !utf8_valid(out->value))
        return err_set(p->e, ERR_INPUT, "metric %.100s: a label whose name is empty, or that is not UTF-8 (at byte %zu)",
                       arena_cstr(p->arena, p->family), (size_t)((const char *)c.start - p->start));
    return true;
}

/* Exemplar{1: labels, 2: value, 3: timestamp} -> the newest row. With a repeated label it is left out. */
static bool read_exemplar(struct page *p, const struct pb_field *f, bool need_time) {
    struct pb c = pb_open(pb_bytes(f));
    struct prom_labels found = {.arena = p->arena};
    struct exemplar x = {0};
    bool ok = true;
    for (struct pb_field m; ok && pb_next(&c, &m);) {
        struct label l;
        if (m.num == 1 && (ok = read_label(p, &m, &l)))
            vec_push(&found.l, l);
        else if (m.num == 2)
            x.v = pb_double(&m);
        else if (m.num == 3)
            ok = read_time(p, &m, &x.t_ms);
    }
    if (ok && c.bad) ok = broken(p, c.at);
    if (ok && (x.t_ms || !need_time) && prom_labels_take(&found, &x.labels, NULL)) rows_exemplar(&p->rows, x);
    vec_done(&found.l);
    return ok;
}

/* --- rows */

/* The key: a label block as the page has it (not sorted, conflicts not resolved): row_labels does that once for each new series. */
static void add_row(struct page *p, const char *suffix, struct label extra) {
    size_t n = p->labels.n;
    p->labels.p[0] = (struct label){LABEL_METRIC_NAME, suffix[0] ? arena_printf(p->arena, "%" STR_F "%s", STR_A(p->family), suffix) : p->family};
    if (extra.name.n) vec_push(&p->labels, extra);
    rows_add(&p->rows, label_block(p->arena, (struct labels){p->labels.p, p->labels.n}));
    p->labels.n = n;
}

static void add_value(struct page *p, const char *suffix, struct label extra, double v) {
    add_row(p, suffix, extra);
    rows_sample(&p->rows, p->t_ms, isnan(v) ? prom_normal_nan() : v);
    rows_start(&p->rows, p->start_ms);
}

static struct label number_label(struct page *p, str name, double v) {
    return (struct label){name, prom_float_text(p->arena, v)};
}

static bool has_room(struct page *p) {
    if (arena_used_bytes(p->arena) <= DECODED_BYTES_MAX) return true;
    return err_set(p->e, ERR_TOO_LARGE, "the page is too large once decoded: more than %d bytes", DECODED_BYTES_MAX);
}

/* Gauge{1: value}, Untyped{1: value}, Counter{1: value, 2: exemplar, 3: start} */
static bool number(struct page *p, str bytes) {
    double v = 0;
    struct pb_field exemplar = {0};
    struct pb c = pb_open(bytes);
    for (struct pb_field f; pb_next(&c, &f);) {
        if (f.num == 1)
            v = pb_double(&f);
        else if (f.num == 2)
            exemplar = f;
        else if (f.num == 3 && !read_time(p, &f, &p->start_ms))
            return false;
    }
    if (c.bad) return broken(p, c.at);
    add_value(p, "", no_label, v);
    return exemplar.num == 0 || read_exemplar(p, &exemplar, false);
}

/* Quantile{1: quantile, 2: value} */
static bool quantile(struct page *p, str bytes) {
    struct pb c = pb_open(bytes);
    double q = 0, v = 0;
    for (struct pb_field f; pb_next(&c, &f);) {
        if (f.num == 1)
            q = pb_double(&f);
        else if (f.num == 2)
            v = pb_double(&f);
    }
    if (c.bad) return broken(p, c.at);
    add_value(p, "", number_label(p, STR("quantile"), q), v);
    return has_room(p);
}

/* Summary{1: count, 2: sum, 3: quantiles, 4: start} */
static bool summary(struct page *p, str bytes) {
    struct pb c = pb_open(bytes);
    double count = 0, sum = 0;
    for (struct pb_field f; pb_next(&c, &f);) {
        if (f.num == 1)
            count = (double)(uint64_t)pb_i64(&f);
        else if (f.num == 2)
            sum = pb_double(&f);
        else if (f.num == 4 && !read_time(p, &f, &p->start_ms))
            return false;
    }
    if (c.bad) return broken(p, c.at);
    add_value(p, "_count", no_label, count);
    add_value(p, "_sum", no_label, sum);
    c = pb_open(bytes);
    for (struct pb_field f; pb_next(&c, &f);)
        if (f.num == 3 && !quantile(p, pb_bytes(&f))) return false;
    return true;
}

/* Bucket{1: cumulative count, 2: upper bound, 3: exemplar, 4: cumulative count of a float histogram} */
struct bucket {
    double count, bound;
    struct pb_field exemplar;
};
static bool read_bucket(struct page *p, const struct pb_field *field, struct bucket *out) {
    struct pb c = pb_open(pb_bytes(field));
    double as_float = 0;
    *out = (struct bucket){0};
    for (struct pb_field f; pb_next(&c, &f);) {
        if (f.num == 1)
            out->count = (double)(uint64_t)pb_i64(&f);
        else if (f.num == 2)
            out->bound = pb_double(&f);
        else if (f.num == 3)
            out->exemplar = f;
        else if (f.num == 4)
            as_float = pb_double(&f);
    }
    if (as_float > 0) out->count = as_float;
    return !c.bad || broken(p, c.at);
}

enum { BUCKET = 3, EXEMPLAR = 16 }; /* fields of Histogram */

static bool classic(struct page *p, str bytes, double count, double sum) {
    bool infinite = false;
    add_value(p, "_count", no_label, count);
    add_value(p, "_sum", no_label, sum);
    struct pb c = pb_open(bytes);
    for (struct pb_field f; pb_next(&c, &f);) {
        struct bucket bucket;
        if (f.num != BUCKET) continue;
        if (!read_bucket(p, &f, &bucket)) return false;
        infinite |= isinf(bucket.bound) && bucket.bound > 0;
        add_value(p, "_bucket", number_label(p, STR("le"), bucket.bound), bucket.count);
        if (bucket.exemplar.num && !read_exemplar(p, &bucket.exemplar, false)) return false;
        if (!has_room(p)) return false;
    }
    if (!infinite) add_value(p, "_bucket", (struct label){STR("le"), STR("+Inf")}, count);
    return true;
}

/* Its own exemplars, or those of the classic buckets; a native histogram needs their time to put them in order. */
static bool native_exemplars(struct page *p, str bytes) {
    bool own = false;
    struct pb c = pb_open(bytes);
    for (struct pb_field f; pb_next(&c, &f);) {
        if (f.num != EXEMPLAR) continue;
        own = true;
        if (!read_exemplar(p, &f, true)) return false;
    }
    c = pb_open(bytes);
    for (struct pb_field f; !own && pb_next(&c, &f);) {
        struct bucket bucket;
        if (f.num != BUCKET) continue;
        if (!read_bucket(p, &f, &bucket)) return false;
        if (bucket.exemplar.num && !read_exemplar(p, &bucket.exemplar, true)) return false;
    }
    return true;
}

static bool native(struct page *p, str bytes) {
    struct histogram *h;
    struct native_hist *n = &p->native;
    if (p->type == METRIC_GAUGEHISTOGRAM) n->h.hint = RESET_GAUGE;
    if (isnan(n->h.sum)) n->h.sum = prom_normal_nan();
    if (!native_hist_finish(n, p->arena, &h, p->e)) return err_wrap(p->e, "metric %" STR_F, STR_A(str_sub(p->family, 0, 100)));
    add_row(p, "", no_label);
    rows_histogram(&p->rows, p->t_ms, h);
    rows_start(&p->rows, p->start_ms);
    return native_exemplars(p, bytes);
}

/* The scalars and native buckets of a Histogram; its classic buckets are read when it is clear that they are wanted. */
static bool histogram(struct page *p, str bytes) {
    struct native_hist *n = &p->native;
    double float_count = 0, float_zero = 0;
    size_t classic_n = 0;
    bool ok = true;
    native_hist_begin(n);
    struct pb c = pb_open(bytes);
    for (struct pb_field f; ok && pb_next(&c, &f);) switch (f.num) {
        case 1: n->h.count = (double)(uint64_t)pb_i64(&f); break;
        case 2: n->h.sum = pb_double(&f); break;
        case BUCKET: classic_n++; break;
        case 4: float_count = pb_double(&f); break;
        case 5: n->h.schema = (int32_t)pb_sint(&f); break;
        case 6: n->h.zero_threshold = pb_double(&f); break;
        case 7: n->h.zero_count = (double)(uint64_t)pb_i64(&f); break;
        case 8: float_zero = pb_double(&f); break;
        case 9: ok = native_hist_pb_span(&n->negative, &f); break;
        case 10: ok = native_hist_pb_deltas(&n->negative, &f); break;
        case 11: ok = native_hist_pb_counts(&n->negative, &f); break;
        case 12: ok = native_hist_pb_span(&n->positive, &f); break;
        case 13: ok = native_hist_pb_deltas(&n->positive, &f); break;
        case 14: ok = native_hist_pb_counts(&n->positive, &f); break;
        case 15: ok = read_time(p, &f, &p->start_ms); break;
        default: break;
        }
    if (c.bad || !ok) return broken(p, c.at);
    if (float_count > 0) n->h.count = float_count;
    if (float_zero > 0) n->h.zero_count = float_zero;
    /* an empty native histogram says that it is one by a span without buckets */
    bool is_native = n->h.zero_threshold > 0 || n->h.zero_count > 0 || n->positive.spans.n || n->negative.spans.n;
    if (!is_native || !p->o->native_histograms) return classic(p, bytes, n->h.count, n->h.sum);
    double count = n->h.count, sum = n->h.sum;
    if (!native(p, bytes)) return false;
    return !p->o->classic_histograms || classic_n == 0 || classic(p, bytes, count, sum);
}

/* --- metrics and families */

/* Which field of Metric holds the data of a type; MetricType's numbers are the index. */
static const struct kind {
    enum metric_type type;
    uint32_t field;
    bool (*read)(struct page *p, str bytes);
} kinds[] = {
    {METRIC_COUNTER, 3, number}, {METRIC_GAUGE, 2, number},        {METRIC_SUMMARY, 4, summary},
    {METRIC_UNKNOWN, 5, number}, {METRIC_HISTOGRAM, 7, histogram}, {METRIC_GAUGEHISTOGRAM, 7, histogram},
};

/* Metric{1: labels, 2..5 and 7: the data, 6: timestamp in ms} */
static bool read_metric(struct page *p, const struct kind *kind, str bytes) {
    struct pb_field data = {0};
    p->labels.n = 1;
    p->t_ms = p->o->default_t_ms;
    p->start_ms = 0;
    struct pb c = pb_open(bytes);
    for (struct pb_field f; pb_next(&c, &f);) {
        if (f.num == 1 && !read_label(p, &f, vec_add(&p->labels))) return false;
        if (f.num == 6 && p->o->honor_timestamps && pb_i64(&f)) p->t_ms = pb_i64(&f);
        if (f.num == kind->field) data = f;
    }
    if (c.bad) return broken(p, c.at);
    if (data.type != PB_BYTES)
        return err_set(p->e, ERR_INPUT, "metric %.100s: its type is %s, but it has no such value (at byte %zu)", arena_cstr(p->arena, p->family),
                       metric_type_name(kind->type), (size_t)(bytes.p - p->start));
    return has_room(p) && kind->read(p, data.bytes);
}

/* MetricFamily{1: name, 2: help, 3: type, 4: metrics, 5: unit} */
static bool read_family(struct page *p, str bytes) {
    struct metric_meta meta = {.help = STR(""), .unit = STR("")};
    uint64_t type = 0;
    p->family = STR("");
    struct pb c = pb_open(bytes);
    for (struct pb_field f; pb_next(&c, &f);) switch (f.num) {
        case 1: p->family = pb_bytes(&f); break;
        case 2: meta.help = pb_bytes(&f); break;
        case 3: type = (uint64_t)pb_i64(&f); break;
        case 5: meta.unit = pb_bytes(&f); break;
        default: break;
        }
    if (c.bad) return broken(p, c.at);
    size_t at = bytes.p ? (size_t)(bytes.p - p->start) : 0;
    if (p->family.n == 0 || !utf8_valid(p->family)) return err_set(p->e, ERR_INPUT, "a metric family without a valid name (at byte %zu)", at);
    if (!utf8_valid(meta.help) || !utf8_valid(meta.unit)) return err_set(p->e, ERR_INPUT, "a help text that is not UTF-8 (at byte %zu)", at);
    if (type >= ARRAY_N(kinds)) return err_set(p->e, ERR_INPUT, "metric type %llu is unknown (at byte %zu)", (unsigned long long)type, at);
    const struct kind *kind = &kinds[type];
    p->type = meta.type = kind->type;
    meta.family = p->family;
    vec_push(&p->rows.metas, meta);
    c = pb_open(bytes);
    for (struct pb_field f; pb_next(&c, &f);)
        if (f.num == 4 && !read_metric(p, kind, pb_bytes(&f))) return false;
    return true;
}

static bool row_labels(const struct metric_batch *b, size_t i, struct arena *a, struct labels *out, struct err *e) {
    const struct decoding *d = b->row_labels_arg;
    struct labels block;
    struct prom_labels found = {.arena = a};
    if (!label_block_read(b->rows[i].key, a, &block, e)) return false;
    for (size_t k = 0; k < block.n; k++) vec_push(&found.l, block.l[k]);
    if (!d->honor_labels) prom_resolve_conflicts(&found, d->target);
    bool ok = prom_labels_take(&found, out, e);
    vec_done(&found.l);
    return ok;
}

static bool read_page(struct page *p, str text) {
    for (struct reader r = reader_open(text); r.at < r.end;) {
        const uint8_t *at = r.at;
        str family = get_slice(&r);
        if (r.bad) return broken(p, at);
        if (!read_family(p, family)) return false;
    }
    return true;
}

bool prom_proto_parse(str text, const struct prom_text_options *o, struct metric_batch *b, struct err *e) {
    struct page p = {.o = o, .start = text.p, .arena = b->arena, .rows.batch = b, .e = e};
    vec_push(&p.labels, no_label); /* the name's */
    bool ok = read_page(&p, text);
    if (ok) {
        struct decoding *d = arena_one(b->arena, struct decoding);
        *d = (struct decoding){labels_copy(b->arena, o->target), o->honor_labels};
        rows_finish(&p.rows);
        b->row_labels = row_labels;
        b->row_labels_arg = d;
    }
    rows_done(&p.rows);
    native_hist_done(&p.native);
    vec_done(&p.labels);
    return ok;
}
