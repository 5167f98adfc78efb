#include "wire/json_lines.h"

#include <math.h>

#include "codec/json.h"
#include "codec/num.h"
#include "codec/text.h"
#include "wire/native_hist.h"
#include "wire/rows.h"

static const char *const resets[] = {[RESET_UNKNOWN] = "unknown", [RESET_YES] = "yes", [RESET_NO] = "no", [RESET_GAUGE] = "gauge"};

/* --- out */

static uint64_t bits_of(double v) {
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

static void put_number(struct json_out *o, double v) {
    uint64_t bits = bits_of(v);
    if (bits == STALE_NAN_BITS) return json_put_null(o);
    if (!isnan(v) || bits == NORMAL_NAN_BITS) return json_put_double(o, v);
    char text[24] = "NaN:";
    for (int i = 0; i < 16; i++) text[4 + i] = "0123456789abcdef"[bits >> (60 - 4 * i) & 15];
    json_put_string(o, str_n(text, 20));
}

static void put_numbers(struct json_out *o, const char *key, const double *v, size_t n) {
    if (n == 0) return;
    json_put_key(o, str_c(key));
    json_put_array(o);
    for (size_t i = 0; i < n; i++) put_number(o, v[i]);
    json_put_array_end(o);
}

static void put_times(struct json_out *o, const char *key, const int64_t *t_ms, size_t n) {
    json_put_key(o, str_c(key));
    json_put_array(o);
    for (size_t i = 0; i < n; i++) json_put_i64(o, t_ms[i]);
    json_put_array_end(o);
}

static void put_spans(struct json_out *o, const char *key, const struct hist_span *s, size_t n) {
    if (n == 0) return;
    json_put_key(o, str_c(key));
    json_put_array(o);
    for (size_t i = 0; i < n; i++) {
        json_put_array(o);
        json_put_i64(o, s[i].offset);
        json_put_u64(o, s[i].n);
        json_put_array_end(o);
    }
    json_put_array_end(o);
}

static void put_histogram(struct json_out *o, const struct histogram *h) {
    const struct {
        const char *key;
        double v;
    } scalars[] = {{"count", h->count}, {"sum", h->sum}, {"zero_threshold", h->zero_threshold}, {"zero_count", h->zero_count}};
    json_put_object(o);
    json_put_key_c(o, "schema");
    json_put_i64(o, h->schema);
    for (size_t i = 0; i < ARRAY_N(scalars); i++) {
        json_put_key(o, str_c(scalars[i].key));
        put_number(o, scalars[i].v);
    }
    json_put_key_c(o, "reset");
    json_put_string(o, str_c(resets[h->hint]));
    put_spans(o, "positive_spans", h->pos_spans, h->pos_span_n);
    put_numbers(o, "positive_counts", h->pos, h->pos_n);
    put_spans(o, "negative_spans", h->neg_spans, h->neg_span_n);
    put_numbers(o, "negative_counts", h->neg, h->neg_n);
    put_numbers(o, "custom_bounds", h->custom, h->custom_n);
    json_put_object_end(o);
}

static void put_histograms(struct json_out *o, const struct samples *s) {
    json_put_key_c(o, "histograms");
    json_put_array(o);
    for (size_t i = 0; i < s->n; i++) {
        if (s->h[i])
            put_histogram(o, s->h[i]);
        else
            json_put_null(o);
    }
    json_put_array_end(o);
}

void json_lines_put(struct buf *out, struct labels ls, const struct samples *s) {
    struct json_out o = {.buf = out};
    bool histograms = false, starts = false;
    for (size_t i = 0; i < s->n; i++) {
        histograms |= s->h && s->h[i];
        starts |= s->st_ms && s->st_ms[i];
    }
    json_put_object(&o);
    json_put_key_c(&o, "metric");
    json_put_object(&o);
    for (size_t i = 0; i < ls.n; i++) {
        json_put_key(&o, ls.l[i].name);
        json_put_string(&o, ls.l[i].value);
    }
    json_put_object_end(&o);
    json_put_key_c(&o, "values");
    json_put_array(&o);
    for (size_t i = 0; i < s->n; i++) {
        if (s->h && s->h[i])
            json_put_null(&o);
        else
            put_number(&o, s->v[i]);
    }
    json_put_array_end(&o);
    put_times(&o, "timestamps", s->t_ms, s->n);
    if (starts) put_times(&o, "start_timestamps", s->st_ms, s->n);
    if (histograms) put_histograms(&o, s);
    json_put_object_end(&o);
    buf_char(out, '\n');
}

/* --- in */

struct decoder {
    struct arena *arena, *scratch; /* the batch's; one line */
    struct rows rows;
    struct labels extra;
    struct native_hist native;
    /* of the line being read */
    VEC(struct label) labels;
    VEC(double) values;
    VEC(int64_t) times, starts;
    VEC(const struct histogram *) histograms;
    VEC(double) numbers; /* of a histogram */
    struct err why;
};

static bool parse_text(str text, double *out) {
    uint64_t bits;
    if (str_starts(text, STR("NaN:"))) {
        if (!str_hex_u64(str_from(text, 4), &bits)) return false;
        memcpy(out, &bits, sizeof *out);
        return isnan(*out);
    }
    if (!num_parse_double(text, out)) return false;
    if (isnan(*out)) bits = NORMAL_NAN_BITS, memcpy(out, &bits, sizeof *out);
    return true;
}

static bool number(struct json *j, double *out) {
    str text;
    *out = 0;
    switch (json_peek(j)) {
    case JSON_NULL: *out = stale_nan(); return json_null(j);
    case JSON_NUMBER: return json_double(j, out);
    case JSON_STRING:
        if (json_string(j, &text) && parse_text(text, out)) return true;
        break;
    case JSON_BAD:
    case JSON_BOOL:
    case JSON_ARRAY:
    case JSON_OBJECT:
    case JSON_END: break;
    }
    json_fail(j, "a number");
    return false;
}

static void read_metric(struct decoder *d, struct json *j) {
    d->labels.n = 0;
    json_object(j);
    for (str name, value; json_next_key(j, &name);)
        if (json_string(j, &value)) vec_push(&d->labels, ((struct label){name, value}));
}

static void read_spans(struct json *j, struct native_hist_side *side) {
    json_array(j);
    while (json_next_item(j)) {
        int64_t pair[2] = {0, 0};
        size_t n = 0;
        json_array(j);
        for (int64_t v; json_next_item(j) && json_i64(j, &v); n++)
            if (n < 2) pair[n] = v;
        if (n != 2 || pair[0] > INT32_MAX || pair[0] < INT32_MIN || pair[1] < 0 || pair[1] > UINT32_MAX) return json_fail(j, "[offset, length]");
        vec_push(&side->spans, ((struct hist_span){(int32_t)pair[0], (uint32_t)pair[1]}));
    }
}

/* All items of an array into d->numbers. */
static void read_numbers(struct decoder *d, struct json *j) {
    d->numbers.n = 0;
    json_array(j);
    for (double v; json_next_item(j) && number(j, &v);) vec_push(&d->numbers, v);
}
static void read_counts(struct decoder *d, struct json *j, struct native_hist_side *side) {
    read_numbers(d, j);
    for (size_t i = 0; i < d->numbers.n; i++) native_hist_count(side, d->numbers.p[i]);
}

static void read_reset(struct json *j, enum reset_hint *out) {
    str text;
    if (!json_string(j, &text)) return;
    for (size_t i = 0; i < ARRAY_N(resets); i++)
        if (str_eq_c(text, resets[i])) {
            *out = (enum reset_hint)i;
            return;
        }
    json_fail(j, "\"unknown\", \"yes\", \"no\" or \"gauge\"");
}

static const struct histogram *read_histogram(struct decoder *d, struct json *j) {
    struct native_hist *n = &d->native;
    struct histogram *h = NULL;
    int64_t schema = 0;
    native_hist_begin(n);
    json_object(j);
    for (str key; json_next_key(j, &key);) {
        if (str_eq(key, STR("schema")))
            json_i64(j, &schema);
        else if (str_eq(key, STR("count")))
            number(j, &n->h.count);
        else if (str_eq(key, STR("sum")))
            number(j, &n->h.sum);
        else if (str_eq(key, STR("zero_threshold")))
            number(j, &n->h.zero_threshold);
        else if (str_eq(key, STR("zero_count")))
            number(j, &n->h.zero_count);
        else if (str_eq(key, STR("reset")))
            read_reset(j, &n->h.hint);
        else if (str_eq(key, STR("positive_spans")))
            read_spans(j, &n->positive);
        else if (str_eq(key, STR("negative_spans")))
            read_spans(j, &n->negative);
        else if (str_eq(key, STR("positive_counts")))
            read_counts(d, j, &n->positive);
        else if (str_eq(key, STR("negative_counts")))
            read_counts(d, j, &n->negative);
        else if (str_eq(key, STR("custom_bounds"))) {
            read_numbers(d, j);
            for (size_t i = 0; i < d->numbers.n; i++) vec_push(&n->custom, d->numbers.p[i]);
        } else
            json_skip(j);
    }
    n->h.schema = schema > INT32_MAX || schema < INT32_MIN ? INT32_MAX : (int32_t)schema;
    if (!j->bad && d->why.code == ERR_NONE && !native_hist_finish(n, d->arena, &h, &d->why)) return NULL;
    return h;
}

static void read_histograms(struct decoder *d, struct json *j) {
    json_array(j);
    while (json_next_item(j)) {
        bool none = json_peek(j) == JSON_NULL;
        vec_push(&d->histograms, none ? NULL : read_histogram(d, j));
        if (none) json_null(j);
    }
}

#define READ_TIMES(j, vec)                                                          \
    do {                                                                            \
        json_array(j);                                                              \
        for (int64_t t_; json_next_item(j) && json_i64(j, &t_);) vec_push(vec, t_); \
    } while (0)

static bool read_line(struct decoder *d, str line) {
    struct json j = json_open(line, d->scratch);
    d->labels.n = d->values.n = d->times.n = d->starts.n = d->histograms.n = 0;
    json_object(&j);
    for (str key; json_next_key(&j, &key);) {
        if (str_eq(key, STR("metric")))
            read_metric(d, &j);
        else if (str_eq(key, STR("values"))) {
            json_array(&j);
            for (double v; json_next_item(&j) && number(&j, &v);) vec_push(&d->values, v);
        } else if (str_eq(key, STR("timestamps")))
            READ_TIMES(&j, &d->times);
        else if (str_eq(key, STR("start_timestamps")))
            READ_TIMES(&j, &d->starts);
        else if (str_eq(key, STR("histograms")))
            read_histograms(d, &j);
        else
            json_skip(&j);
    }
    return json_done(&j, &d->why) && d->why.code == ERR_NONE;
}

static bool same_length(struct decoder *d, const char *what, size_t n, bool may_be_empty) {
    if (n == d->times.n || (may_be_empty && n == 0)) return true;
    return err_set(&d->why, ERR_INPUT, "%s has %zu items, timestamps %zu", what, n, d->times.n);
}

static bool add_line(struct decoder *d) {
    size_t own = d->labels.n;
    if (!same_length(d, "values", d->values.n, false) || !same_length(d, "start_timestamps", d->starts.n, true) ||
        !same_length(d, "histograms", d->histograms.n, true))
        return false;
    for (size_t i = 0; i < d->extra.n; i++) {
        bool given = false;
        for (size_t k = 0; k < own; k++) given |= str_eq(d->labels.p[k].name, d->extra.l[i].name);
        if (!given) vec_push(&d->labels, d->extra.l[i]);
    }
    for (size_t i = 0; i < d->labels.n; i++)
        if (d->labels.p[i].name.n == 0) return err_set(&d->why, ERR_INPUT, "a label without a name");
    if (!labels_sort(d->labels.p, &d->labels.n, &d->why)) return false;
    struct labels ls = {d->labels.p, d->labels.n};
    if (ls.n == 0) return err_set(&d->why, ERR_INPUT, "\"metric\" has no labels");
    if (d->times.n == 0) return true;
    rows_add(&d->rows, label_block(d->arena, ls));
    for (size_t i = 0; i < d->times.n; i++) {
        if (i < d->histograms.n && d->histograms.p[i])
            rows_histogram(&d->rows, d->times.p[i], d->histograms.p[i]);
        else
            rows_sample(&d->rows, d->times.p[i], d->values.p[i]);
        if (i < d->starts.n) rows_start(&d->rows, d->starts.p[i]);
    }
    return true;
}

void json_lines_decode(str body, struct labels extra, struct metric_batch **out, struct otlp_partial *partial) {
    struct metric_batch *b = metric_batch_new(4096);
    AUTO(arena_free) struct arena *scratch = arena_new(4096);
    struct decoder d = {.arena = b->arena, .scratch = scratch, .rows.batch = b, .extra = extra};
    struct otlp_partial mine = {0};
    str line;
    for (size_t number = 1; body.n; number++) {
        str_cut(&body, '\n', &line);
        arena_reset(scratch);
        d.why = (struct err){0};
        if (str_trim(line).n == 0 || (read_line(&d, line) && add_line(&d))) continue;
        otlp_reject(&mine, "line %zu: %s", number, d.why.msg);
        mine.rejected += d.times.n > 1 ? d.times.n - 1 : 0;
    }
    native_hist_done(&d.native);
    vec_done(&d.labels);
    vec_done(&d.values);
    vec_done(&d.times);
    vec_done(&d.starts);
    vec_done(&d.histograms);
    vec_done(&d.numbers);
    rows_finish(&d.rows);
    b->row_labels = label_block_row;
    *partial = mine;
    *out = b;
}
