#include "wire/otlp_metrics.h"

#include <stdlib.h>

#include "base/clock.h"
#include "codec/num.h"
#include "codec/text.h"
#include "wire/otlp_exphist.h"
#include "wire/otlp_names.h"
#include "wire/rows.h"

/* All kinds of data point in one struct; each kind has its own table. */
struct quantile {
    double quantile, value;
};
struct point {
    uint64_t seen;
    struct otlp_attrs attrs;
    uint64_t start_ns, time_ns;
    int64_t as_int;
    double as_double;
    struct otlp_list exemplars;
    uint32_t flags;
    struct otlp_exphist h; /* count and sum: of both kinds of histogram and of summaries */
    struct otlp_list bucket_counts, bounds, quantiles;
};
enum { SEEN_INT = 1 << 6, SEEN_SUM = 1 << 5, FLAG_NO_VALUE = 1 };

struct point_exemplar {
    uint64_t seen;
    struct otlp_attrs attrs;
    uint64_t time_ns, span_id;
    struct trace_id trace;
    double as_double;
    int64_t as_int;
};
static const struct otlp_field exemplar_fields[] = {
    [2] = {"timeUnixNano", OTLP_U64, offsetof(struct point_exemplar, time_ns)},
    [3] = {"asDouble", OTLP_DOUBLE, offsetof(struct point_exemplar, as_double)},
    [4] = {"spanId", OTLP_SPAN_ID, offsetof(struct point_exemplar, span_id)},
    [5] = {"traceId", OTLP_TRACE_ID, offsetof(struct point_exemplar, trace)},
    [6] = {"asInt", OTLP_I64, offsetof(struct point_exemplar, as_int)},
    [7] = {"filteredAttributes", OTLP_ATTRS, offsetof(struct point_exemplar, attrs)},
};
static const struct otlp_msg exemplar_msg = {exemplar_fields, ARRAY_N(exemplar_fields), sizeof(struct point_exemplar), .has_seen = true};

static const struct otlp_field number_fields[] = {
    [2] = {"startTimeUnixNano", OTLP_U64, offsetof(struct point, start_ns)},
    [3] = {"timeUnixNano", OTLP_U64, offsetof(struct point, time_ns)},
    [4] = {"asDouble", OTLP_DOUBLE, offsetof(struct point, as_double)},
    [5] = {"exemplars", OTLP_LIST, offsetof(struct point, exemplars), &exemplar_msg},
    [6] = {"asInt", OTLP_I64, offsetof(struct point, as_int)},
    [7] = {"attributes", OTLP_ATTRS, offsetof(struct point, attrs)},
    [8] = {"flags", OTLP_U32, offsetof(struct point, flags)},
};
static const struct otlp_msg number_msg = {number_fields, ARRAY_N(number_fields), sizeof(struct point), .has_seen = true};

static const struct otlp_field histogram_fields[] = {
    [2] = {"startTimeUnixNano", OTLP_U64, offsetof(struct point, start_ns)},
    [3] = {"timeUnixNano", OTLP_U64, offsetof(struct point, time_ns)},
    [4] = {"count", OTLP_U64, offsetof(struct point, h.count)},
    [5] = {"sum", OTLP_DOUBLE, offsetof(struct point, h.sum)},
    [6] = {"bucketCounts", OTLP_FIXED64S, offsetof(struct point, bucket_counts)},
    [7] = {"explicitBounds", OTLP_DOUBLES, offsetof(struct point, bounds)},
    [8] = {"exemplars", OTLP_LIST, offsetof(struct point, exemplars), &exemplar_msg},
    [9] = {"attributes", OTLP_ATTRS, offsetof(struct point, attrs)},
    [10] = {"flags", OTLP_U32, offsetof(struct point, flags)},
};
static const struct otlp_msg histogram_msg = {histogram_fields, ARRAY_N(histogram_fields), sizeof(struct point), .has_seen = true};

static const struct otlp_field buckets_fields[] = {
    [1] = {"offset", OTLP_SINT32, offsetof(struct otlp_buckets, offset)},
    [2] = {"bucketCounts", OTLP_VARINTS, offsetof(struct otlp_buckets, counts)},
};
static const struct otlp_msg buckets_msg = {buckets_fields, ARRAY_N(buckets_fields), sizeof(struct otlp_buckets)};

static const struct otlp_field exponential_fields[] = {
    [1] = {"attributes", OTLP_ATTRS, offsetof(struct point, attrs)},
    [2] = {"startTimeUnixNano", OTLP_U64, offsetof(struct point, start_ns)},
    [3] = {"timeUnixNano", OTLP_U64, offsetof(struct point, time_ns)},
    [4] = {"count", OTLP_U64, offsetof(struct point, h.count)},
    [5] = {"sum", OTLP_DOUBLE, offsetof(struct point, h.sum)},
    [6] = {"scale", OTLP_SINT32, offsetof(struct point, h.scale)},
    [7] = {"zeroCount", OTLP_U64, offsetof(struct point, h.zero_count)},
    [8] = {"positive", OTLP_MSG, offsetof(struct point, h.positive), &buckets_msg},
    [9] = {"negative", OTLP_MSG, offsetof(struct point, h.negative), &buckets_msg},
    [10] = {"flags", OTLP_U32, offsetof(struct point, flags)},
    [11] = {"exemplars", OTLP_LIST, offsetof(struct point, exemplars), &exemplar_msg},
    [14] = {"zeroThreshold", OTLP_DOUBLE, offsetof(struct point, h.zero_threshold)},
};
static const struct otlp_msg exponential_msg = {exponential_fields, ARRAY_N(exponential_fields), sizeof(struct point), .has_seen = true};

static const struct otlp_field quantile_fields[] = {
    [1] = {"quantile", OTLP_DOUBLE, offsetof(struct quantile, quantile)},
    [2] = {"value", OTLP_DOUBLE, offsetof(struct quantile, value)},
};
static const struct otlp_msg quantile_msg = {quantile_fields, ARRAY_N(quantile_fields), sizeof(struct quantile)};

static const struct otlp_field summary_fields[] = {
    [2] = {"startTimeUnixNano", OTLP_U64, offsetof(struct point, start_ns)},
    [3] = {"timeUnixNano", OTLP_U64, offsetof(struct point, time_ns)},
    [4] = {"count", OTLP_U64, offsetof(struct point, h.count)},
    [5] = {"sum", OTLP_DOUBLE, offsetof(struct point, h.sum)},
    [6] = {"quantileValues", OTLP_LIST, offsetof(struct point, quantiles), &quantile_msg},
    [7] = {"attributes", OTLP_ATTRS, offsetof(struct point, attrs)},
    [8] = {"flags", OTLP_U32, offsetof(struct point, flags)},
};
static const struct otlp_msg summary_msg = {summary_fields, ARRAY_N(summary_fields), sizeof(struct point), .has_seen = true};

struct data {
    struct otlp_list points;
    uint32_t temporality;
    bool monotonic;
};
enum { TEMPORALITY_DELTA = 1, TEMPORALITY_CUMULATIVE = 2 };
#define DATA_TABLE(name, point_msg)                                                     \
    static const struct otlp_field name##_data_fields[] = {                             \
        [1] = {"dataPoints", OTLP_LIST, offsetof(struct data, points), &point_msg},     \
        [2] = {"aggregationTemporality", OTLP_U32, offsetof(struct data, temporality)}, \
        [3] = {"isMonotonic", OTLP_BOOL, offsetof(struct data, monotonic)},             \
    };                                                                                  \
    static const struct otlp_msg name##_data_msg = {name##_data_fields, ARRAY_N(name##_data_fields), sizeof(struct data)}
DATA_TABLE(number, number_msg);
DATA_TABLE(histogram, histogram_msg);
DATA_TABLE(exponential, exponential_msg);
DATA_TABLE(summary, summary_msg);

struct metric {
    uint64_t seen;
    str name, description, unit;
    struct data data;
};

/* --- building rows -------------------------------------------------------------------------------------------------------------------- */

struct collector {
    struct otlp_ctx *ctx;
    const struct otlp_metrics_options *o;
    struct otlp_partial *partial;
    int64_t now_ms, newest_ms; /* newest: of the resource being read */
    struct rows rows;          /* of the resource being read; batch NULL: none yet */
    size_t bytes;              /* arenas of the finished batches */
    size_t points;
    VEC(uint8_t) deltas; /* per row; empty: none so far */
    VEC(struct metric_batch *) batches;
};

/* The labels of one data point, and room for the name and one more. */
struct base {
    struct label *l; /* sorted, without __name__ */
    size_t n;
    int64_t t_ms, start_ms;
    bool no_value;
};

/* Bounds what a small request can unfold to (a histogram repeats its labels for every bucket). */
static bool has_room(struct collector *c) {
    if (c->ctx->err.code != ERR_NONE) return false;
    if (c->bytes + arena_used_bytes(c->rows.batch->arena) + c->rows.t_ms.n * 64 <= OTLP_BYTES_MAX) return true;
    return err_set(&c->ctx->err, ERR_TOO_LARGE, "the request is too large once decoded: send smaller batches");
}

struct named_value {
    struct label label;
    str key;
};
static int by_label_then_key(const void *a, const void *b) {
    const struct named_value *x = a, *y = b;
    int order = str_cmp(x->label.name, y->label.name);
    return order ? order : str_cmp(x->key, y->key);
}

/* Attributes -> labels, sorted. Different keys that end as one label name: values joined by ';' in key order. */
static bool make_labels(struct arena *a, enum otlp_translation how, const struct field *attrs, size_t n, struct label **out, size_t *out_n,
                        str *bad) {
    struct named_value *v = arena_new_n(a, struct named_value, n);
    size_t m = 0, kept = 0;
    for (size_t i = 0; i < n; i++) {
        struct label l = {otlp_label_name(a, how, attrs[i].key), otlp_label_value(a, &attrs[i].value)};
        if (!utf8_valid(l.value) || !utf8_valid(l.name)) {
            *bad = attrs[i].key;
            return false;
        }
        if (l.name.n && l.value.n) v[m++] = (struct named_value){l, attrs[i].key};
    }
    if (m > 1) qsort(v, m, sizeof *v, by_label_then_key);
    struct label *l = arena_new_n(a, struct label, m);
    for (size_t i = 0; i < m; i++) {
        if (kept && str_eq(l[kept - 1].name, v[i].label.name))
            l[kept - 1].value = arena_printf(a, "%" STR_F ";%" STR_F, STR_A(l[kept - 1].value), STR_A(v[i].label.value));
        else
            l[kept++] = v[i].label;
    }
    *out = l;
    *out_n = kept;
    return true;
}

/* A new row named name + suffix, with one label more than the point's if extra.name is set. */
static void add_row(struct collector *c, const struct base *base, str name, str suffix, struct label extra) {
    struct label all[64], *l = base->n + 2 <= ARRAY_N(all) ? all : arena_new_n(c->ctx->arena, struct label, base->n + 2);
    struct label more[2] = {{LABEL_METRIC_NAME, suffix.n ? arena_printf(c->ctx->arena, "%" STR_F "%" STR_F, STR_A(name), STR_A(suffix)) : name},
                            extra};
    size_t n = 0, more_n = extra.name.n ? 2 : 1, at = 0;
    for (size_t i = 0; i < base->n; i++) {
        while (at < more_n && str_cmp(more[at].name, base->l[i].name) < 0) l[n++] = more[at++];
        if (str_eq(base->l[i].name, LABEL_METRIC_NAME) || str_eq(base->l[i].name, extra.name)) continue;
        l[n++] = base->l[i];
    }
    while (at < more_n) l[n++] = more[at++];
    rows_add(&c->rows, label_block(c->rows.batch->arena, (struct labels){l, n}));
}

static void add_value(struct collector *c, const struct base *base, str name, str suffix, struct label extra, double v) {
    add_row(c, base, name, suffix, extra);
    rows_sample(&c->rows, base->t_ms, base->no_value ? stale_nan() : v);
    rows_start(&c->rows, base->start_ms);
}

static str number_text(struct arena *a, double v) {
    char text[NUM_DOUBLE_MAX];
    return arena_str(a, str_n(text, num_format_double(text, v)));
}

static double exemplar_value(const struct point_exemplar *x) {
    return x->seen & SEEN_INT ? (double)x->as_int : x->as_double;
}

static str hex_id(struct arena *a, uint64_t hi, uint64_t lo, bool wide) {
    return wide ? arena_printf(a, "%016llx%016llx", (unsigned long long)hi, (unsigned long long)lo)
                : arena_printf(a, "%016llx", (unsigned long long)lo);
}

/* The exemplars with lo < value <= hi go to the newest row. */
static void add_exemplars(struct collector *c, const struct point *p, double lo, double hi) {
    struct arena *a = c->rows.batch->arena;
    const struct point_exemplar *x = p->exemplars.p;
    for (size_t i = 0; i < p->exemplars.n; i++, x++) {
        double v = exemplar_value(x);
        struct label *attrs, *l;
        size_t attr_n, n;
        str bad;
        if (!(v > lo && v <= hi) || x->time_ns > INT64_MAX ||
            !make_labels(c->ctx->arena, c->o->translation, x->attrs.p, x->attrs.n, &attrs, &attr_n, &bad))
            continue;
        l = arena_new_n(a, struct label, attr_n + 2);
        n = attr_n;
        if (n) memcpy(l, attrs, n * sizeof *l);
        if (trace_id_set(x->trace)) l[n++] = (struct label){STR("trace_id"), hex_id(a, x->trace.hi, x->trace.lo, true)};
        if (x->span_id) l[n++] = (struct label){STR("span_id"), hex_id(a, 0, x->span_id, false)};
        if (!labels_sort(l, &n, NULL)) continue; /* an attribute named trace_id beside the real one */
        rows_exemplar(&c->rows, (struct exemplar){labels_copy(a, (struct labels){l, n}), v, (int64_t)(x->time_ns / NS_PER_MS)});
    }
}

static const struct label no_label = {0};

static void number_rows(struct collector *c, const struct base *base, str name, const struct point *p) {
    add_value(c, base, name, STR(""), no_label, p->seen & SEEN_INT ? (double)p->as_int : p->as_double);
    add_exemplars(c, p, -__builtin_inf(), __builtin_inf());
}

static void histogram_rows(struct collector *c, const struct base *base, str name, const struct point *p) {
    const double *bounds = p->bounds.p;
    const uint64_t *counts = p->bucket_counts.p;
    uint64_t sum = 0;
    double below = -__builtin_inf();
    for (size_t i = 0; i < p->bounds.n && has_room(c); i++) {
        if (i < p->bucket_counts.n) sum += counts[i];
        add_value(c, base, name, STR("_bucket"), (struct label){STR("le"), number_text(c->ctx->arena, bounds[i])}, (double)sum);
        add_exemplars(c, p, below, bounds[i]);
        below = bounds[i];
    }
    add_value(c, base, name, STR("_bucket"), (struct label){STR("le"), STR("+Inf")}, (double)p->h.count);
    add_exemplars(c, p, below, __builtin_inf());
    if (p->seen & SEEN_SUM) add_value(c, base, name, STR("_sum"), no_label, p->h.sum);
    add_value(c, base, name, STR("_count"), no_label, (double)p->h.count);
}

static void exponential_rows(struct collector *c, const struct base *base, str name, const struct point *p) {
    struct err why;
    struct histogram *h;
    struct otlp_exphist empty = {.sum = stale_nan()};
    if (!otlp_exphist_convert(base->no_value ? &empty : &p->h, c->rows.batch->arena, &h, &why)) {
        otlp_reject(c->partial, "metric %" STR_F ": %s", STR_A(name), why.msg);
        return;
    }
    add_row(c, base, name, STR(""), no_label);
    rows_histogram(&c->rows, base->t_ms, h);
    rows_start(&c->rows, base->start_ms);
    add_exemplars(c, p, -__builtin_inf(), __builtin_inf());
}

static void summary_rows(struct collector *c, const struct base *base, str name, const struct point *p) {
    const struct quantile *q = p->quantiles.p;
    for (size_t i = 0; i < p->quantiles.n && has_room(c); i++)
        add_value(c, base, name, STR(""), (struct label){STR("quantile"), number_text(c->ctx->arena, q[i].quantile)}, q[i].value);
    add_value(c, base, name, STR("_sum"), no_label, p->h.sum);
    add_value(c, base, name, STR("_count"), no_label, (double)p->h.count);
}

static const struct kind {
    uint32_t number; /* field of Metric */
    enum metric_type type;
    bool has_temporality;
    void (*rows)(struct collector *c, const struct base *base, str name, const struct point *p);
} kinds[] = {
    {5, METRIC_GAUGE, false, number_rows},          {7, METRIC_COUNTER, true, number_rows},    {9, METRIC_HISTOGRAM, true, histogram_rows},
    {10, METRIC_HISTOGRAM, true, exponential_rows}, {11, METRIC_SUMMARY, false, summary_rows},
};

static void begin_batch(struct collector *c) {
    if (c->rows.batch) return;
    c->rows = (struct rows){.batch = metric_batch_new(4096)};
    c->rows.batch->row_labels = label_block_row;
    c->newest_ms = INT64_MIN;
}

static void add_point(struct collector *c, const struct kind *kind, str name, const struct point *p) {
    struct base base;
    str bad;
    if (p->time_ns > INT64_MAX || p->start_ns > INT64_MAX) {
        otlp_reject(c->partial, "metric %" STR_F ": the time is after the year 2262", STR_A(name));
    } else if (!make_labels(c->ctx->arena, c->o->translation, p->attrs.p, p->attrs.n, &base.l, &base.n, &bad)) {
        otlp_reject(c->partial, "metric %" STR_F ": attribute %" STR_F " is not UTF-8", STR_A(name), STR_A(bad));
    } else {
        size_t rejected = c->partial->rejected;
        base.t_ms = p->time_ns ? (int64_t)p->time_ns / NS_PER_MS : c->now_ms;
        base.start_ms = (int64_t)p->start_ns / NS_PER_MS;
        base.no_value = p->flags & FLAG_NO_VALUE;
        kind->rows(c, &base, name, p);
        c->newest_ms = MAX(c->newest_ms, base.t_ms);
        c->points += rejected == c->partial->rejected;
    }
}

static void refuse_points(struct collector *c, size_t n, const char *why, str name) {
    if (n == 0) return;
    otlp_reject(c->partial, "metric %" STR_F ": %s", STR_A(name), why);
    c->partial->rejected += n - 1;
}

static void mark_deltas(struct collector *c, size_t first_row) {
    while (c->deltas.n < first_row) vec_push(&c->deltas, 0);
    while (c->deltas.n < c->rows.rows.n) vec_push(&c->deltas, 1);
}

static void metric_done(struct otlp_ctx *ctx, void *item) {
    struct collector *c = ctx->arg;
    const struct metric *m = item;
    const struct kind *kind = NULL;
    ctx->bad_id = false; /* of exemplars: such an id is left out */
    for (size_t i = 0; i < ARRAY_N(kinds); i++)
        if (m->seen >> kinds[i].number & 1) kind = &kinds[i];
    if (!kind) return;
    bool is_sum = kind->type == METRIC_COUNTER;
    enum metric_type type = is_sum && !m->data.monotonic ? METRIC_GAUGE : kind->type;
    enum otlp_metric_class class = is_sum                 ? (m->data.monotonic ? OTLP_CLASS_COUNTER : OTLP_CLASS_OTHER)
                                   : type == METRIC_GAUGE ? OTLP_CLASS_GAUGE
                                                          : OTLP_CLASS_OTHER;
    bool delta = kind->has_temporality && m->data.temporality == TEMPORALITY_DELTA;
    if (kind->has_temporality && !delta && m->data.temporality != TEMPORALITY_CUMULATIVE)
        return refuse_points(c, m->data.points.n, "the aggregation temporality is neither delta nor cumulative", m->name);
    begin_batch(c);
    struct arena *a = c->rows.batch->arena;
    str name = otlp_metric_name(a, c->o->translation, m->name, m->unit, class);
    if (name.n == 0) return refuse_points(c, m->data.points.n, "the metric has no usable name", m->name);
    if (!utf8_valid(name)) return refuse_points(c, m->data.points.n, "the name is not UTF-8", STR("?"));
    const struct point *p = m->data.points.p;
    size_t first_row = c->rows.rows.n;
    for (size_t i = 0; i < m->data.points.n && has_room(c); i++) add_point(c, kind, name, &p[i]);
    if (delta) mark_deltas(c, first_row);
    vec_push(&c->rows.metas, ((struct metric_meta){name, type, arena_str(a, m->description), otlp_unit_name(a, m->unit)}));
}

/* job and instance, and target_info for the rest. */
static void add_target(struct collector *c, const struct field *attrs, size_t n) {
    static const str identifying[] = {STR_INIT("service.name"), STR_INIT("service.namespace"), STR_INIT("service.instance.id")};
    struct arena *a = c->rows.batch->arena;
    str id[3] = {STR_INIT(""), STR_INIT(""), STR_INIT("")};
    struct field *rest = arena_new_n(c->ctx->arena, struct field, n);
    size_t rest_n = 0, target_n = 0;
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < ARRAY_N(id) && !str_eq(attrs[i].key, identifying[k])) k++;
        if (k < ARRAY_N(id)) id[k] = otlp_label_value(c->ctx->arena, &attrs[i].value);
        if (k == ARRAY_N(id) || c->o->keep_identifying) rest[rest_n++] = attrs[i];
    }
    struct label *target = arena_new_n(a, struct label, 2);
    if (id[2].n) target[target_n++] = (struct label){STR("instance"), arena_str(a, id[2])};
    if (id[0].n) {
        str job = id[1].n ? arena_printf(a, "%" STR_F "/%" STR_F, STR_A(id[1]), STR_A(id[0])) : arena_str(a, id[0]);
        target[target_n++] = (struct label){STR("job"), job};
    }
    c->rows.batch->target = (struct labels){target, target_n};
    struct base base = {.t_ms = c->newest_ms};
    str bad;
    if (target_n == 0 || rest_n == 0 || c->newest_ms == INT64_MIN ||
        !make_labels(c->ctx->arena, c->o->translation, rest, rest_n, &base.l, &base.n, &bad))
        return;
    add_value(c, &base, STR("target_info"), STR(""), no_label, 1);
    vec_push(&c->rows.metas, ((struct metric_meta){STR("target_info"), METRIC_GAUGE, STR("Target metadata"), STR("")}));
}

static bool is_promoted(const struct otlp_metrics_options *o, str key) {
    for (size_t i = 0; i < o->promoted_n; i++)
        if (str_eq(o->promoted[i], key)) return true;
    return o->promote_all;
}

/* Promoted attributes go into the keys of all rows, since the labels of a series are known by its key. The resource may come behind its metrics. */
static void promote(struct collector *c, const struct field *attrs, size_t n) {
    struct arena *a = c->ctx->arena;
    struct field *picked = arena_new_n(a, struct field, n);
    struct label *more;
    size_t picked_n = 0, more_n;
    str bad;
    for (size_t i = 0; i < n; i++)
        if (is_promoted(c->o, attrs[i].key)) picked[picked_n++] = attrs[i];
    if (picked_n == 0 || !make_labels(a, c->o->translation, picked, picked_n, &more, &more_n, &bad)) return;
    for (size_t i = 0; i < c->rows.rows.n && has_room(c); i++) {
        struct labels own;
        bool ok = label_block_read(c->rows.rows.p[i].key, a, &own, NULL);
        assert(ok);
        struct label *all = arena_new_n(a, struct label, own.n + more_n);
        size_t all_n = own.n;
        memcpy(all, own.l, own.n * sizeof *all);
        for (size_t k = 0; k < more_n; k++)
            if (labels_get(own, more[k].name).n == 0) all[all_n++] = more[k];
        ok = labels_sort(all, &all_n, NULL);
        assert(ok);
        c->rows.rows.p[i].key = label_block(c->rows.batch->arena, (struct labels){all, all_n});
    }
}

struct resource_metrics {
    struct otlp_resource resource;
};
static void resource_done(struct otlp_ctx *ctx, void *item) {
    struct collector *c = ctx->arg;
    struct resource_metrics *r = item;
    if (!c->rows.batch) return;
    if (has_room(c)) promote(c, r->resource.attrs.p, r->resource.attrs.n);
    if (has_room(c)) add_target(c, r->resource.attrs.p, r->resource.attrs.n);
    struct metric_batch *b = c->rows.batch;
    if (c->deltas.n) {
        while (c->deltas.n < c->rows.rows.n) vec_push(&c->deltas, 0);
        b->deltas = memcpy(arena_alloc(b->arena, c->deltas.n), c->deltas.p, c->deltas.n);
        c->deltas.n = 0;
    }
    rows_finish(&c->rows);
    c->rows.batch = NULL;
    c->bytes += arena_used_bytes(b->arena);
    vec_push(&c->batches, b);
}

static const struct otlp_field metric_fields[] = {
    [1] = {"name", OTLP_STRING, offsetof(struct metric, name)},
    [2] = {"description", OTLP_STRING, offsetof(struct metric, description)},
    [3] = {"unit", OTLP_STRING, offsetof(struct metric, unit)},
    [5] = {"gauge", OTLP_MSG, offsetof(struct metric, data), &number_data_msg},
    [7] = {"sum", OTLP_MSG, offsetof(struct metric, data), &number_data_msg},
    [9] = {"histogram", OTLP_MSG, offsetof(struct metric, data), &histogram_data_msg},
    [10] = {"exponentialHistogram", OTLP_MSG, offsetof(struct metric, data), &exponential_data_msg},
    [11] = {"summary", OTLP_MSG, offsetof(struct metric, data), &summary_data_msg},
};
static const struct otlp_msg metric_msg = {metric_fields, ARRAY_N(metric_fields), sizeof(struct metric), .has_seen = true, .done = metric_done};

static void scope_done(struct otlp_ctx *ctx, void *item) {
    (void)ctx, (void)item; /* scopes do not show in series, as in Prometheus' default */
}
static const struct otlp_field scope_metrics_fields[] = {
    [2] = {"metrics", OTLP_EACH, 0, &metric_msg},
};
static const struct otlp_msg scope_metrics_msg = {scope_metrics_fields, ARRAY_N(scope_metrics_fields), 0, .done = scope_done};
static const struct otlp_field resource_metrics_fields[] = {
    [1] = {"resource", OTLP_MSG, offsetof(struct resource_metrics, resource), &otlp_resource_msg},
    [2] = {"scopeMetrics", OTLP_EACH, 0, &scope_metrics_msg},
};
static const struct otlp_msg resource_metrics_msg = {resource_metrics_fields, ARRAY_N(resource_metrics_fields), sizeof(struct resource_metrics),
                                                     .done = resource_done};
static const struct otlp_field request_fields[] = {
    [1] = {"resourceMetrics", OTLP_EACH, 0, &resource_metrics_msg},
};
static const struct otlp_msg request_msg = {request_fields, ARRAY_N(request_fields), 0};

void otlp_metric_batches_done(struct otlp_metric_batches *b) {
    for (size_t i = 0; i < b->n; i++) metric_batch_free(b->p[i]);
    free(b->p);
    *b = (struct otlp_metric_batches){0};
}

bool otlp_metrics_decode(enum otlp_encoding enc, str body, int64_t now_ms, const struct otlp_metrics_options *o, struct otlp_metric_batches *out,
                         struct otlp_partial *partial, struct err *e) {
    AUTO(arena_free) struct arena *scratch = arena_new(body.n * 2 + 4096); /* rows copy what they keep */
    struct otlp_partial mine = {0};
    struct otlp_ctx ctx = {.arena = scratch, .text = body, .arena_max = OTLP_BYTES_MAX};
    struct collector c = {.ctx = &ctx, .o = o, .partial = &mine, .now_ms = now_ms};
    ctx.arg = &c;
    char nothing = 0;
    bool ok = otlp_read(&ctx, enc, &request_msg, &nothing, e);
    if (c.rows.batch) { /* the request broke off inside a resource */
        rows_done(&c.rows);
        metric_batch_free(c.rows.batch);
    }
    vec_done(&c.deltas);
    struct otlp_metric_batches batches = {c.batches.p, c.batches.n, c.points};
    if (!ok) {
        otlp_metric_batches_done(&batches);
        return false;
    }
    mine.base64_ids = ctx.base64_ids;
    *partial = mine;
    *out = batches;
    return true;
}
