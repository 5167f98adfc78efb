#include "query/promql/series_desc.h"

#include <math.h>

#include "base/vec.h"
#include "codec/duration.h"
#include "codec/num.h"
#include "query/promql/lex.h"

struct cursor {
    str s;
    size_t at;
    struct arena *a;
    struct err *e;
};

static bool fail(const struct cursor *c, const char *what) {
    str rest = str_sub(c->s, c->at, c->at + 20);
    return err_set(c->e, ERR_INPUT, "%s (at byte %zu, before \"%" STR_F "\")", what, c->at, STR_A(rest));
}
static int peek(const struct cursor *c) {
    return c->at < c->s.n ? (unsigned char)c->s.p[c->at] : -1;
}
static bool accept(struct cursor *c, char ch) {
    if (peek(c) != ch) return false;
    c->at++;
    return true;
}
static bool is_blank(int ch) {
    return ch == ' ' || ch == '\t';
}
static void skip_blanks(struct cursor *c) {
    while (is_blank(peek(c))) c->at++;
}
static bool at_end_of_item(const struct cursor *c) {
    return peek(c) < 0 || is_blank(peek(c));
}

/* --- labels */

static bool token_text(struct cursor *c, const struct token *t, str *out) {
    char why[96];
    if (t->kind != TOK_STRING) return *out = t->text, true;
    if (lex_unquote(c->a, t->text, out, why)) return true;
    return err_set(c->e, ERR_INPUT, "%s", why);
}

static bool labels_in_braces(struct cursor *c, struct lexer *l, struct label *labels, size_t *n, size_t max) {
    for (struct token t = lex_next(l); t.kind != TOK_RBRACE; t = lex_next(l)) {
        struct label one;
        if (t.kind == TOK_COMMA && *n) continue;
        if (t.kind != TOK_IDENT && t.kind != TOK_STRING) return fail(c, "expected a label name");
        if (*n == max) return fail(c, "too many labels");
        if (!token_text(c, &t, &one.name)) return false;
        struct lexer ahead = *l;
        struct token op = lex_next(&ahead);
        if (t.kind == TOK_STRING && op.kind != TOK_EQUAL) { /* {"metric name", ...} */
            labels[(*n)++] = (struct label){LABEL_METRIC_NAME, one.name};
            continue;
        }
        *l = ahead;
        struct token value = lex_next(l);
        if (op.kind != TOK_EQUAL || value.kind != TOK_STRING) return fail(c, "expected =\"value\" behind a label name");
        if (!token_text(c, &value, &one.value)) return false;
        labels[(*n)++] = one;
    }
    return true;
}

static bool parse_labels(struct cursor *c, struct labels *out) {
    enum { LABELS_MAX = 64 };
    struct label *labels = arena_new_n(c->a, struct label, LABELS_MAX);
    size_t n = 0;
    size_t from = c->at;
    while (peek(c) >= 0 && !is_blank(peek(c)) && peek(c) != '{' && peek(c) != '@') c->at++;
    str name = str_sub(c->s, from, c->at);
    if (name.n && !metric_name_legacy_valid(name)) return fail(c, "not a metric name");
    if (name.n) labels[n++] = (struct label){LABEL_METRIC_NAME, name};
    skip_blanks(c);
    if (peek(c) == '{' && !(c->at + 1 < c->s.n && c->s.p[c->at + 1] == '{')) {
        struct lexer l = {.text = c->s, .at = c->at + 1, .braces = true};
        if (!labels_in_braces(c, &l, labels, &n, LABELS_MAX)) return false;
        c->at = l.at;
    } else if (!name.n) {
        return fail(c, "expected a metric name or {");
    }
    if (!labels_sort(labels, &n, c->e)) return false;
    *out = (struct labels){labels, n};
    return true;
}

/* --- numbers */

static bool parse_float(struct cursor *c, double *out) {
    size_t from = c->at;
    if (peek(c) == '+' || peek(c) == '-') c->at++;
    size_t digits = c->at;
    while ((peek(c) >= '0' && peek(c) <= '9') || peek(c) == '.') c->at++;
    if (c->at == digits) { /* Inf, NaN */
        while ((peek(c) | 32) >= 'a' && (peek(c) | 32) <= 'z' && c->at - digits < 3) c->at++;
    } else if ((peek(c) | 32) == 'e') {
        c->at++;
        if (peek(c) == '+' || peek(c) == '-') c->at++;
        while (peek(c) >= '0' && peek(c) <= '9') c->at++;
    }
    return num_parse_double(str_sub(c->s, from, c->at), out) || fail(c, "not a number");
}

/* xN: false if there is none; *bad if it is wrong. */
static bool parse_times(struct cursor *c, uint64_t *n, bool *bad) {
    if (!accept(c, 'x')) return false;
    size_t from = c->at;
    while (peek(c) >= '0' && peek(c) <= '9') c->at++;
    *bad = !str_u64(str_sub(c->s, from, c->at), n) || *n > SERIES_DESC_VALUES_MAX;
    if (*bad) fail(c, "expected a repetition count behind x");
    return true;
}

static void push(struct cursor *c, struct desc_values *out, struct desc_value v) {
    avec_push(c->a, out, v);
}

static bool too_many(struct cursor *c, const struct desc_values *out, uint64_t more) {
    return out->n + more > SERIES_DESC_VALUES_MAX && !fail(c, "too many values");
}

static bool parse_floats(struct cursor *c, struct desc_values *out) {
    double v;
    double step = 0;
    uint64_t n = 0;
    bool bad = false;
    if (!parse_float(c, &v)) return false;
    bool increases = peek(c) == '+' || peek(c) == '-';
    if (increases && !parse_float(c, &step)) return false;
    bool repeated = parse_times(c, &n, &bad);
    if (bad || too_many(c, out, n)) return false;
    if (increases && !repeated) return fail(c, "expected xN behind an increment");
    for (uint64_t i = 0; i <= n; i++, v += step) push(c, out, (struct desc_value){.v = v});
    return true;
}

static bool parse_omitted(struct cursor *c, struct desc_values *out) {
    uint64_t n = 1;
    bool bad = false;
    c->at++;
    parse_times(c, &n, &bad);
    if (bad || too_many(c, out, n)) return false;
    for (uint64_t i = 0; i < n; i++) push(c, out, (struct desc_value){.omitted = true});
    return true;
}

/* --- histograms */

struct float_list {
    double *p;
    size_t n, cap;
};

static bool parse_list(struct cursor *c, struct float_list *out) {
    if (!accept(c, '[')) return fail(c, "expected [");
    for (skip_blanks(c); !accept(c, ']'); skip_blanks(c)) {
        double v;
        if (!parse_float(c, &v)) return false;
        avec_push(c->a, out, v);
        if (out->n > 10000) return fail(c, "too many buckets");
    }
    return true;
}

static bool parse_hint(struct cursor *c, enum reset_hint *out) {
    static const char *const hints[] = {[RESET_UNKNOWN] = "unknown", [RESET_YES] = "reset", [RESET_NO] = "not_reset", [RESET_GAUGE] = "gauge"};
    size_t from = c->at;
    while ((peek(c) >= 'a' && peek(c) <= 'z') || peek(c) == '_') c->at++;
    for (size_t i = 0; i < ARRAY_N(hints); i++) {
        if (!str_eq_c(str_sub(c->s, from, c->at), hints[i])) continue;
        *out = (enum reset_hint)i;
        return true;
    }
    return fail(c, "not a counter_reset_hint");
}

static void set_buckets(struct cursor *c, const struct float_list *counts, double offset, struct buckets *out) {
    *out = (struct buckets){.p = arena_new_n(c->a, struct bucket, MAX(counts->n, 1u)), .cap = (uint32_t)MAX(counts->n, 1u)};
    for (size_t i = 0; i < counts->n; i++)
        if (counts->p[i] != 0) out->p[out->n++] = (struct bucket){.at = (int32_t)offset + (int32_t)i, .n = counts->p[i]};
}

static bool parse_histogram(struct cursor *c, struct hist **out, bool *has_hint) {
    struct hist *h = arena_one(c->a, struct hist);
    double schema = 0;
    double offset = 0;
    double n_offset = 0;
    struct float_list pos = {0};
    struct float_list neg = {0};
    struct float_list custom = {0};
    const struct {
        str key;
        double *number;
        struct float_list *list;
    } fields[] = {
        {STR("schema"), &schema, NULL},
        {STR("sum"), &h->sum, NULL},
        {STR("count"), &h->count, NULL},
        {STR("z_bucket"), &h->zero, NULL},
        {STR("z_bucket_w"), &h->zero_threshold, NULL},
        {STR("buckets"), NULL, &pos},
        {STR("offset"), &offset, NULL},
        {STR("n_buckets"), NULL, &neg},
        {STR("n_offset"), &n_offset, NULL},
        {STR("custom_values"), NULL, &custom},
        {STR("counter_reset_hint"), NULL, NULL},
    };
    c->at += 2; /* {{ */
    for (skip_blanks(c); peek(c) != '}'; skip_blanks(c)) {
        size_t from = c->at;
        while ((peek(c) >= 'a' && peek(c) <= 'z') || peek(c) == '_') c->at++;
        str key = str_sub(c->s, from, c->at);
        size_t i = 0;
        while (i < ARRAY_N(fields) && !str_eq(fields[i].key, key)) i++;
        if (i == ARRAY_N(fields) || !accept(c, ':')) return fail(c, "not a field of a histogram");
        bool ok = fields[i].number ? parse_float(c, fields[i].number) : fields[i].list ? parse_list(c, fields[i].list) : parse_hint(c, &h->hint);
        *has_hint |= !fields[i].number && !fields[i].list;
        if (!ok) return false;
    }
    if (!accept(c, '}') || !accept(c, '}')) return fail(c, "expected }}");
    if (!(schema == HIST_SCHEMA_CUSTOM || (schema >= -4 && schema <= 8)) || fabs(offset) > 1e6 || fabs(n_offset) > 1e6)
        return fail(c, "schema or offset out of range");
    h->schema = (int32_t)schema;
    h->custom = custom.p;
    h->custom_n = (uint32_t)custom.n;
    set_buckets(c, &pos, offset, &h->pos);
    set_buckets(c, &neg, n_offset, &h->neg);
    *out = h;
    return true;
}

static bool parse_histograms(struct cursor *c, struct desc_values *out) {
    struct hist *h;
    struct hist *step = NULL;
    uint64_t n = 0;
    bool bad = false;
    bool has_hint = false;
    if (!parse_histogram(c, &h, &has_hint)) return false;
    double sign = peek(c) == '-' ? -1 : 1;
    if (accept(c, '+') || accept(c, '-')) {
        bool ignored = false;
        if (peek(c) != '{' || !parse_histogram(c, &step, &ignored)) return false;
    }
    bool repeated = parse_times(c, &n, &bad);
    if (bad || too_many(c, out, n)) return false;
    if (step && !repeated) return fail(c, "expected xN behind an increment");
    for (uint64_t i = 0; i <= n; i++) {
        struct hist_notes notes = {0};
        push(c, out, (struct desc_value){.h = h, .has_hint = has_hint});
        if (!step || i == n) continue;
        enum reset_hint hint = h->hint;
        h = hist_copy(c->a, h);
        if (!hist_add(c->a, h, step, sign, &notes)) return fail(c, "histograms with different kinds of buckets");
        hist_finish(h);
        h->hint = hint;
    }
    return true;
}

static bool parse_value(struct cursor *c, struct desc_values *out) {
    if (peek(c) == '_') return parse_omitted(c, out);
    if (peek(c) == '{') return parse_histograms(c, out);
    if (str_starts(str_from(c->s, c->at), STR("stale"))) {
        c->at += 5;
        push(c, out, (struct desc_value){.v = stale_nan()});
        return true;
    }
    return parse_floats(c, out);
}

/* --- start times */

static bool parse_signed_duration(struct cursor *c, int64_t *out_ms) {
    bool negative = accept(c, '-');
    if (!negative) accept(c, '+');
    size_t from = c->at;
    while ((peek(c) >= '0' && peek(c) <= '9') || (peek(c) >= 'a' && peek(c) <= 'w') || peek(c) == 'y') c->at++;
    str text = str_sub(c->s, from, c->at);
    int64_t ms = 0;
    if (!str_eq(text, STR("0")) && !duration_parse(text, &ms, c->e)) return false;
    *out_ms = negative ? -ms : ms;
    return true;
}

static bool parse_start(struct cursor *c, struct desc_values *out) {
    if (peek(c) == '_') return parse_omitted(c, out);
    int64_t ms;
    int64_t step = 0;
    uint64_t n = 0;
    bool bad = false;
    if (!parse_signed_duration(c, &ms)) return false;
    if ((peek(c) == '+' || peek(c) == '-') && !parse_signed_duration(c, &step)) return false;
    parse_times(c, &n, &bad);
    if (bad || too_many(c, out, n)) return false;
    for (uint64_t i = 0; i <= n; i++, ms += step) push(c, out, (struct desc_value){.v = (double)ms});
    return true;
}

bool series_desc_parse(str line, struct arena *a, struct series_desc *out, struct err *e) {
    struct cursor c = {.s = line, .a = a, .e = e};
    struct series_desc d = {0};
    skip_blanks(&c);
    if (!parse_labels(&c, &d.labels)) return false;
    if (str_starts(str_from(c.s, c.at), STR("@st"))) {
        d.start_times = true;
        c.at += 3;
    }
    for (skip_blanks(&c); peek(&c) >= 0; skip_blanks(&c)) {
        if (!(d.start_times ? parse_start(&c, &d.values) : parse_value(&c, &d.values))) return false;
        if (!at_end_of_item(&c)) return fail(&c, "expected a blank behind a value");
    }
    if (d.start_times) {
        d.offset_ms = arena_new_n(a, int64_t, d.values.n);
        for (size_t i = 0; i < d.values.n; i++) d.offset_ms[i] = (int64_t)d.values.p[i].v;
    }
    *out = d;
    return true;
}

static uint32_t to_spans(struct arena *a, const struct buckets *b, const struct hist_span **spans_out, const double **counts_out) {
    struct hist_span *spans = arena_new_n(a, struct hist_span, MAX(b->n, 1u));
    double *counts = arena_new_n(a, double, MAX(b->n, 1u));
    uint32_t n = 0;
    int32_t next = 0; /* index behind the last span */
    for (uint32_t i = 0; i < b->n; i++) {
        counts[i] = b->p[i].n;
        if (n && b->p[i].at == next)
            spans[n - 1].n++;
        else
            spans[n++] = (struct hist_span){b->p[i].at - next, 1};
        next = b->p[i].at + 1;
    }
    *spans_out = spans;
    *counts_out = counts;
    return n;
}

struct histogram *hist_to_store(struct arena *a, const struct hist *h) {
    struct histogram *o = arena_one(a, struct histogram);
    o->schema = h->schema;
    o->hint = h->hint;
    o->zero_threshold = h->zero_threshold;
    o->zero_count = h->zero;
    o->count = h->count;
    o->sum = h->sum;
    o->pos_n = h->pos.n;
    o->neg_n = h->neg.n;
    o->pos_span_n = to_spans(a, &h->pos, &o->pos_spans, &o->pos);
    o->neg_span_n = to_spans(a, &h->neg, &o->neg_spans, &o->neg);
    o->custom = h->custom;
    o->custom_n = h->custom_n;
    return o;
}
