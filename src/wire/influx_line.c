#include "wire/influx_line.h"

#include <math.h>

#include "base/clock.h"
#include "codec/num.h"
#include "codec/text.h"
#include "wire/rows.h"

enum { DECODED_BYTES_MAX = 512 << 20, SHOWN_BYTES = 60 };

struct decoder {
    const struct influx_options *o;
    struct arena *arena; /* the batch's */
    struct rows rows;
    struct influx_counts *counts;
    struct otlp_partial *partial;
    VEC(struct label) labels; /* of the line; the first is the name's */
    /* of the line being read */
    const char *at, *end; /* the end of the text: a string may hold line breaks */
    const char *line;
    const char *bad; /* what is wrong with it; NULL: nothing */
    str measurement;
    size_t number, first_row, first_sample;
};

bool influx_precision(str name, int64_t *out_unit_ns) {
    static const struct {
        str name;
        int64_t ns;
    } units[] = {{STR_INIT(""), 1},
                 {STR_INIT("n"), 1},
                 {STR_INIT("ns"), 1},
                 {STR_INIT("u"), 1000},
                 {STR_INIT("us"), 1000},
                 {STR_INIT("\xc2\xb5"), 1000},
                 {STR_INIT("ms"), NS_PER_MS},
                 {STR_INIT("s"), 1000 * NS_PER_MS},
                 {STR_INIT("m"), 60 * 1000 * NS_PER_MS},
                 {STR_INIT("h"), 60 * 60 * 1000 * NS_PER_MS}};
    for (size_t i = 0; i < ARRAY_N(units); i++)
        if (str_eq(units[i].name, name)) return *out_unit_ns = units[i].ns, true;
    return false;
}

static bool fail(struct decoder *d, const char *why) {
    if (!d->bad) d->bad = why;
    return false;
}
static bool at_char(const struct decoder *d, char c) {
    return d->at < d->end && *d->at == c;
}
static bool at_line_end(const struct decoder *d) {
    return d->at == d->end || *d->at == '\n' || (*d->at == '\r' && (d->at + 1 == d->end || d->at[1] == '\n'));
}
static bool is_escaped(char c, bool equals) {
    return c == ',' || c == ' ' || (c == '=' && equals);
}

/* Up to a comma, a blank, the end of the line or (if equals) '='. A backslash before one of those takes its meaning; before others it is itself. */
static bool word(struct decoder *d, bool equals, str *out) {
    const char *from = d->at;
    bool escapes = false;
    while (!at_line_end(d) && !is_escaped(*d->at, equals)) {
        bool pair = *d->at == '\\' && d->at + 1 < d->end && is_escaped(d->at[1], equals);
        escapes |= pair;
        d->at += pair ? 2 : 1;
    }
    *out = str_n(from, (size_t)(d->at - from));
    if (escapes) {
        char *plain = arena_alloc(d->arena, out->n);
        size_t n = 0;
        for (size_t i = 0; i < out->n; i++) {
            if (from[i] == '\\' && i + 1 < out->n && is_escaped(from[i + 1], equals)) i++;
            plain[n++] = from[i];
        }
        *out = str_n(plain, n);
    }
    return utf8_valid(*out) || fail(d, "not UTF-8");
}

/* --- measurement and tags */

static bool has_label(const struct decoder *d, str name) {
    for (size_t i = 1; i < d->labels.n; i++)
        if (str_eq(d->labels.p[i].name, name)) return true;
    return false;
}

static bool series(struct decoder *d) {
    str name, value;
    d->labels.n = 1;
    if (!word(d, false, &d->measurement)) return false;
    if (d->measurement.n == 0) return fail(d, "missing measurement");
    while (at_char(d, ',')) {
        d->at++;
        if (!word(d, true, &name)) return false;
        if (name.n == 0) return fail(d, "missing tag key");
        if (!at_char(d, '=')) return fail(d, "missing tag value");
        d->at++;
        if (!word(d, true, &value)) return false;
        if (at_char(d, '=')) return fail(d, "an '=' in a tag value must be escaped");
        if (has_label(d, name)) return fail(d, "duplicate tags");
        if (str_eq(name, LABEL_METRIC_NAME)) return fail(d, "a tag named __name__");
        vec_push(&d->labels, ((struct label){name, value}));
    }
    for (size_t i = 0; i < d->o->extra.n; i++)
        if (!has_label(d, d->o->extra.l[i].name)) vec_push(&d->labels, d->o->extra.l[i]);
    if (d->o->db.n && !has_label(d, STR("db"))) vec_push(&d->labels, ((struct label){STR("db"), d->o->db}));
    return at_char(d, ' ') || fail(d, "missing fields");
}

/* --- fields */

/* At the opening quote: text may hold anything, quotes and backslashes escaped. */
static bool skip_string(struct decoder *d) {
    for (d->at++; d->at < d->end && *d->at != '"'; d->at++)
        if (*d->at == '\\' && d->at + 1 < d->end) d->at++;
    if (d->at == d->end) return fail(d, "unbalanced quotes");
    d->at++;
    return true;
}

static bool number(str text, double *out) {
    int64_t i;
    uint64_t u;
    static const str yes[] = {STR_INIT("t"), STR_INIT("T"), STR_INIT("true"), STR_INIT("True"), STR_INIT("TRUE")};
    static const str no[] = {STR_INIT("f"), STR_INIT("F"), STR_INIT("false"), STR_INIT("False"), STR_INIT("FALSE")};
    for (size_t k = 0; k < ARRAY_N(yes); k++) {
        if (str_eq(text, yes[k])) return *out = 1, true;
        if (str_eq(text, no[k])) return *out = 0, true;
    }
    str head = str_sub(text, 0, text.n ? text.n - 1 : 0);
    if (str_ends(text, STR("i"))) return str_i64(head, &i) && (*out = (double)i, true);
    if (str_ends(text, STR("u"))) return str_u64(head, &u) && (*out = (double)u, true);
    return num_parse_double(text, out) && isfinite(*out);
}

static bool field(struct decoder *d) {
    str name, text;
    double v;
    if (!word(d, true, &name)) return false;
    if (name.n == 0) return fail(d, "missing field key");
    if (!at_char(d, '=')) return fail(d, "missing field value");
    d->at++;
    if (at_char(d, '"')) {
        d->counts->strings++;
        return skip_string(d);
    }
    const char *from = d->at;
    while (!at_line_end(d) && *d->at != ',' && *d->at != ' ') d->at++;
    text = str_n(from, (size_t)(d->at - from));
    if (text.n == 0) return fail(d, "missing field value");
    if (!number(text, &v)) return fail(d, "invalid number, boolean or string");
    d->labels.p[0] = (struct label){LABEL_METRIC_NAME, arena_printf(d->arena, "%" STR_F "_%" STR_F, STR_A(d->measurement), STR_A(name))};
    rows_add(&d->rows, label_block(d->arena, (struct labels){d->labels.p, d->labels.n}));
    rows_sample(&d->rows, 0, v);
    return true;
}

static bool timestamp(struct decoder *d, int64_t *out_ms) {
    const char *from = d->at;
    int64_t t, unit_ns = d->o->unit_ns;
    while (!at_line_end(d) && *d->at != ' ') d->at++;
    if (!str_i64(str_n(from, (size_t)(d->at - from)), &t)) return fail(d, "bad timestamp");
    if (unit_ns >= NS_PER_MS) return !__builtin_mul_overflow(t, unit_ns / NS_PER_MS, out_ms) || fail(d, "timestamp out of range");
    *out_ms = t / (NS_PER_MS / unit_ns);
    return true;
}

static void blanks(struct decoder *d) {
    while (at_char(d, ' ')) d->at++;
}

static bool line(struct decoder *d) {
    int64_t t_ms = d->o->now_ms;
    if (!series(d)) return false;
    blanks(d);
    do {
        if (at_char(d, ',')) d->at++;
        if (!field(d)) return false;
    } while (at_char(d, ','));
    if (!at_line_end(d) && !at_char(d, ' ')) return fail(d, "text behind a field value");
    blanks(d);
    if (!at_line_end(d) && !timestamp(d, &t_ms)) return false;
    blanks(d);
    if (!at_line_end(d)) return fail(d, "text behind the timestamp");
    for (size_t i = d->first_sample; i < d->rows.t_ms.n; i++) d->rows.t_ms.p[i] = t_ms;
    return true;
}

/* Takes back what the line added; its fields are not known, so it counts as one sample. */
static void refuse(struct decoder *d) {
    d->rows.rows.n = d->first_row;
    d->rows.t_ms.n = d->rows.v.n = d->first_sample;
    d->counts->bad_lines++;
    while (d->at < d->end && *d->at != '\n') d->at++;
    str shown = str_n(d->line, (size_t)(d->at - d->line));
    AUTO(buf_done) struct buf text = {0};
    for (size_t i = 0, n; i < MIN(shown.n, (size_t)SHOWN_BYTES); i += n) {
        n = utf8_length(str_from(shown, i));
        if (n)
            buf_put(&text, shown.p + i, n);
        else
            buf_char(&text, '?'), n = 1;
    }
    otlp_reject(d->partial, "line %zu: unable to parse '%" STR_F "%s': %s", d->number, STR_A(buf_str(&text)), shown.n > SHOWN_BYTES ? "..." : "",
                d->bad);
}

static bool lines(struct decoder *d, struct err *e) {
    size_t max = d->o->decoded_max ? d->o->decoded_max : DECODED_BYTES_MAX;
    for (d->number = 1; d->at < d->end; d->number++) {
        while (d->at < d->end && (*d->at == ' ' || *d->at == '\t')) d->at++;
        d->line = d->at;
        d->bad = NULL;
        d->first_row = d->rows.rows.n;
        d->first_sample = d->rows.t_ms.n;
        if (at_char(d, '#'))
            while (d->at < d->end && *d->at != '\n') d->at++;
        else if (!at_line_end(d) && !line(d))
            refuse(d);
        for (const char *p = d->line; p < d->at; p++) d->number += *p == '\n'; /* inside strings */
        if (at_char(d, '\r')) d->at++;
        if (d->at < d->end) d->at++;
        if (arena_used_bytes(d->arena) > max) return err_set(e, ERR_TOO_LARGE, "the request is too large once decoded: send smaller batches");
    }
    return true;
}

static bool row_labels(const struct metric_batch *b, size_t i, struct arena *a, struct labels *out, struct err *e) {
    struct labels found;
    if (!label_block_read(b->rows[i].key, a, &found, e)) return false;
    struct label *l = arena_new_n(a, struct label, found.n);
    size_t n = found.n;
    memcpy(l, found.l, n * sizeof *l);
    if (!labels_sort(l, &n, e)) return false;
    *out = (struct labels){l, n};
    return true;
}

bool influx_decode(str body, const struct influx_options *o, struct metric_batch **out, struct influx_counts *counts, struct otlp_partial *partial,
                   struct err *e) {
    struct influx_counts mine = {0};
    struct otlp_partial refused = {0};
    struct metric_batch *b = metric_batch_new(body.n * 2 + 1024);
    struct decoder d = {.o = o, .arena = b->arena, .rows.batch = b, .counts = &mine, .partial = &refused};
    vec_push(&d.labels, ((struct label){LABEL_METRIC_NAME, STR_INIT("")}));
    d.at = d.line = body.p;
    d.end = body.p + body.n;
    bool ok = body.n == 0 || lines(&d, e);
    vec_done(&d.labels);
    if (!ok) {
        rows_done(&d.rows);
        metric_batch_free(b);
        return false;
    }
    rows_finish(&d.rows);
    b->row_labels = row_labels;
    refused.rejected += mine.strings;
    *counts = mine;
    *partial = refused;
    *out = b;
    return true;
}
