#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/vec.h"
#include "codec/num.h"
#include "codec/regex.h"
#include "query/promql/lex.h"
#include "query/promql/script_internal.h"

/* Expectations of an eval: parsing them, comparing results with them. */

/* --- parsing */

/* "msg: text" or "regex: text". */
static bool parse_note_text(str s, struct note_text *out, struct err *e) {
    bool regex = str_starts(s, STR("regex:"));
    if (!regex && !str_starts(s, STR("msg:"))) return err_set(e, ERR_INPUT, "expected msg: or regex:");
    *out = (struct note_text){regex, str_trim(str_from(s, regex ? 6 : 4))};
    return true;
}

static bool parse_notes(struct expected_notes *n, str text, struct err *e) {
    n->rule = NOTES_SOME;
    if (text.n == 0) return true;
    if (n->text_n == ARRAY_N(n->texts)) return err_set(e, ERR_LIMIT, "too many expected annotations");
    return parse_note_text(text, &n->texts[n->text_n++], e);
}

static bool parse_string(struct expectation *x, str text, struct err *e) {
    char why[96];
    x->kind = EXPECT_STRING;
    if (text.n < 2 || (text.p[0] != '"' && text.p[0] != '`')) return err_set(e, ERR_INPUT, "expected a quoted string");
    return lex_unquote(x->a, text, &x->string, why) || err_set(e, ERR_INPUT, "%s", why);
}

/* range vector from A to B step C */
static bool parse_range_vector(struct expectation *x, str s, struct err *e) {
    static const char *const words[] = {"vector", "from", NULL, "to", NULL, "step", NULL};
    int64_t times[3];
    size_t n = 0;
    x->kind = EXPECT_RANGE_VECTOR;
    for (size_t i = 0; i < ARRAY_N(words); i++) {
        str word = script_word(&s);
        if (words[i] ? !str_eq_c(word, words[i]) : !script_duration(word, &times[n++], e))
            return err_set(e, ERR_INPUT, "expected `range vector from <time> to <time> step <duration>`");
    }
    x->start_ms = times[0];
    x->step_ms = times[2];
    x->step_n = times[2] > 0 ? (size_t)((times[1] - times[0]) / times[2]) + 1 : 0;
    return true;
}

static bool parse_expect(struct expectation *x, str s, struct err *e) {
    str what = script_word(&s);
    if (str_eq(what, STR("string"))) return parse_string(x, s, e);
    if (str_eq(what, STR("range"))) return parse_range_vector(x, s, e);
    /* "fail msg:text" may stand without a blank */
    if (str_eq(what, STR("ordered"))) return x->ordered = true;
    if (str_eq(what, STR("no_warn"))) return x->warnings.rule = NOTES_NONE, true;
    if (str_eq(what, STR("no_info"))) return x->infos.rule = NOTES_NONE, true;
    if (str_eq(what, STR("warn"))) return parse_notes(&x->warnings, s, e);
    if (str_eq(what, STR("info"))) return parse_notes(&x->infos, s, e);
    if (!str_eq(what, STR("fail"))) return err_set(e, ERR_INPUT, "unknown expectation \"%" STR_F "\"", STR_A(what));
    x->fail = true;
    return s.n == 0 || parse_note_text(s, &x->fail_text, e);
}

static bool parse_plain_number(str s, double *out) {
    char z[64];
    if (num_parse_double(s, out)) return true;
    if (s.n >= sizeof z || s.n < 3 || s.p[0] != '0' || (s.p[1] | 32) != 'x') return false;
    snprintf(z, sizeof z, "%.*s", (int)s.n, s.p);
    char *end;
    *out = (double)strtoull(z, &end, 16);
    return *end == 0;
}

static bool parse_line(struct expectation *x, str line, struct err *e) {
    str rest = line;
    str first = script_word(&rest);
    if (str_eq(first, STR("expect"))) return parse_expect(x, rest, e);
    if (str_eq(first, STR("expected_fail_message"))) return x->fail_text = (struct note_text){false, rest}, true;
    if (str_eq(first, STR("expected_fail_regexp"))) return x->fail_text = (struct note_text){true, rest}, true;
    if (parse_plain_number(line, &x->scalar)) return x->kind = EXPECT_SCALAR, true;
    struct series_desc d;
    if (!series_desc_parse(line, x->a, &d, e)) return false;
    if (x->series_n == x->series_cap) {
        size_t cap = MAX(8, x->series_cap * 2);
        x->series = arena_grow(x->a, x->series, x->series_cap * sizeof *x->series, cap * sizeof *x->series);
        x->series_cap = cap;
    }
    x->series[x->series_n++] = (struct expected_series){.labels = d.labels, .values = d.values};
    return true;
}

bool expectation_parse(struct expectation *x, struct script_lines *lines, struct err *e) {
    for (str line; script_block_line(lines, &line);)
        if (!parse_line(x, line, e)) return err_wrap(e, "line %zu", lines->number);
    return true;
}

/* --- comparing numbers */

static bool almost_equal(double a, double b) {
    static const double epsilon = 1e-6;
    if (is_stale_nan(a) || is_stale_nan(b)) return is_stale_nan(a) && is_stale_nan(b);
    if (isnan(a) && isnan(b)) return true;
    if (a == b) return true;
    double sum = fabs(a) + fabs(b);
    double diff = fabs(a - b);
    if (a == 0 || b == 0 || sum < DBL_MIN) return diff < epsilon * DBL_MIN;
    return diff / fmin(sum, DBL_MAX) < epsilon;
}

static bool same_buckets(const struct buckets *a, const struct buckets *b) {
    if (a->n != b->n) return false;
    for (uint32_t i = 0; i < a->n; i++)
        if (a->p[i].at != b->p[i].at || !almost_equal(a->p[i].n, b->p[i].n)) return false;
    return true;
}

static bool same_histogram(const struct desc_value *want, const struct hist *got) {
    const struct hist *h = want->h;
    if (h->schema != got->schema || !almost_equal(h->count, got->count) || !almost_equal(h->sum, got->sum)) return false;
    if (h->custom_n != got->custom_n) return false;
    for (uint32_t i = 0; i < h->custom_n; i++)
        if (!almost_equal(h->custom[i], got->custom[i])) return false;
    if (!hist_is_custom(h) && (h->zero_threshold != got->zero_threshold || !almost_equal(h->zero, got->zero))) return false;
    if (want->has_hint && h->hint != RESET_UNKNOWN && h->hint != got->hint) return false;
    return same_buckets(&h->pos, &got->pos) && same_buckets(&h->neg, &got->neg);
}

/* --- comparing results */

static void put_value(struct buf *b, double v, const struct hist *h) {
    if (h)
        hist_put(b, h);
    else
        num_put_double(b, v);
}

static bool differ(struct expectation *x, str *why, struct buf *b) {
    *why = arena_str(x->a, buf_str(b));
    buf_done(b);
    return false;
}

static bool check_value(struct expectation *x, const struct labels labels, size_t step, const struct desc_value *want, double v, const struct hist *h,
                        str *why) {
    bool same = want->h ? h && same_histogram(want, h) : !h && almost_equal(want->v, v);
    if (same) return true;
    struct buf b = {0};
    labels_put(&b, labels);
    buf_printf(&b, " at step %zu: expected ", step);
    put_value(&b, want->v, want->h);
    buf_add(&b, STR(", got "));
    put_value(&b, v, h);
    return differ(x, why, &b);
}

static struct expected_series *find_expected(struct expectation *x, struct labels ls, size_t *at) {
    for (size_t i = 0; i < x->series_n; i++) {
        if (x->series[i].seen || !labels_eq(x->series[i].labels, ls)) continue;
        *at = i;
        return &x->series[i];
    }
    return NULL;
}

static bool unexpected_series(struct expectation *x, struct labels ls, double v, const struct hist *h, str *why) {
    struct buf b = {0};
    buf_add(&b, STR("unexpected series "));
    labels_put(&b, ls);
    buf_char(&b, ' ');
    put_value(&b, v, h);
    return differ(x, why, &b);
}

static bool all_seen(struct expectation *x, str *why) {
    for (size_t i = 0; i < x->series_n; i++) {
        if (x->series[i].seen) continue;
        bool any = false;
        for (size_t k = 0; k < x->series[i].values.n; k++) any |= !x->series[i].values.p[k].omitted;
        if (!any) continue;
        struct buf b = {0};
        buf_add(&b, STR("missing series "));
        labels_put(&b, x->series[i].labels);
        return differ(x, why, &b);
    }
    return true;
}

/* Where in a series the value of a step is; false: it has none. */
static bool index_of_step(const struct promql_result *r, const struct promql_series *s, size_t step, size_t *out) {
    int64_t t_ms = r->start_ms + (int64_t)step * r->step_ms;
    if (s->t_ms) {
        for (step = 0; step < s->n && s->t_ms[step] != t_ms;) step++;
    }
    return *out = step, step < s->n && (!promql_is_absent(s->v[step]) || (s->h && s->h[step]));
}

/* One value per series: those at step `at`. */
static bool check_vector(struct expectation *x, const struct promql_result *r, size_t at, str *why) {
    size_t position = 0;
    for (size_t i = 0; i < r->series_n; i++) {
        const struct promql_series *s = &r->series[i];
        size_t k, found;
        if (!index_of_step(r, s, at, &k)) continue;
        const struct hist *h = s->h ? s->h[k] : NULL;
        struct expected_series *want = find_expected(x, s->labels, &found);
        if (!want) return unexpected_series(x, s->labels, s->v[k], h, why);
        want->seen = true;
        if (x->ordered && found != position) return *why = arena_printf(x->a, "series %zu is at position %zu of the result", found, position), false;
        if (want->values.n != 1) return *why = STR("an instant result has one value per series"), false;
        if (!check_value(x, s->labels, 0, &want->values.p[0], s->v[k], h, why)) return false;
        position++;
    }
    return all_seen(x, why);
}

static const struct desc_value *expected_at(const struct expectation *x, const struct expected_series *want, int64_t t_ms) {
    int64_t step = x->step_ms ? (t_ms - x->start_ms) / x->step_ms : 0;
    if (t_ms < x->start_ms || (x->step_ms && (t_ms - x->start_ms) % x->step_ms)) return NULL;
    if ((size_t)step >= want->values.n || want->values.p[step].omitted) return NULL;
    return &want->values.p[step];
}

static bool check_matrix_series(struct expectation *x, const struct promql_result *r, const struct promql_series *s, str *why) {
    size_t found;
    struct expected_series *want = find_expected(x, s->labels, &found);
    if (!want) return unexpected_series(x, s->labels, s->n ? s->v[0] : NAN, s->n && s->h ? s->h[0] : NULL, why);
    want->seen = true;
    size_t got_n = 0;
    size_t want_n = 0;
    for (size_t k = 0; k < want->values.n; k++) want_n += !want->values.p[k].omitted;
    for (size_t k = 0; k < s->n; k++) {
        const struct hist *h = s->h ? s->h[k] : NULL;
        if (promql_is_absent(s->v[k]) && !h) continue;
        int64_t t = s->t_ms ? s->t_ms[k] : r->start_ms + (int64_t)k * r->step_ms;
        const struct desc_value *v = expected_at(x, want, t);
        if (!v) {
            struct buf b = {0};
            labels_put(&b, s->labels);
            buf_printf(&b, ": unexpected value at %lld ms: ", (long long)t);
            put_value(&b, s->v[k], h);
            return differ(x, why, &b);
        }
        if (!check_value(x, s->labels, k, v, s->v[k], h, why)) return false;
        got_n++;
    }
    if (got_n == want_n) return true;
    struct buf b = {0};
    labels_put(&b, s->labels);
    buf_printf(&b, ": expected %zu values, got %zu", want_n, got_n);
    return differ(x, why, &b);
}

static bool check_matrix(struct expectation *x, const struct promql_result *r, str *why) {
    for (size_t i = 0; i < r->series_n; i++) {
        if (i && r->step_ms && labels_cmp(r->series[i - 1].labels, r->series[i].labels) >= 0)
            return *why = STR("the result is not sorted by labels"), false;
        if (!check_matrix_series(x, r, &r->series[i], why)) return false;
    }
    return all_seen(x, why);
}

/* Over a range a scalar is a series without labels. */
static bool check_scalars(struct expectation *x, const struct promql_result *r, str *why) {
    const struct promql_series s = {.v = r->scalar, .n = r->step_n};
    return check_matrix_series(x, r, &s, why) && all_seen(x, why);
}

bool expectation_check(struct expectation *x, const struct promql_result *r, size_t at, str *why) {
    for (size_t i = 0; i < x->series_n; i++) x->series[i].seen = false;
    switch (x->kind) {
    case EXPECT_SCALAR:
        if (r->type != PT_SCALAR) return *why = STR("expected a scalar"), false;
        if (almost_equal(x->scalar, r->scalar[at])) return true;
        *why = arena_printf(x->a, "expected %.17g, got %.17g", x->scalar, r->scalar[at]);
        return false;
    case EXPECT_STRING:
        if (r->type == PT_STRING && str_eq(r->string, x->string)) return true;
        *why = arena_printf(x->a, "expected the string \"%" STR_F "\"", STR_A(x->string));
        return false;
    case EXPECT_VECTOR:
        if (r->type == PT_SCALAR) return *why = STR("expected a vector, got a scalar"), false;
        return check_vector(x, r, at, why);
    case EXPECT_RANGE_VECTOR:
    case EXPECT_MATRIX: return r->type == PT_SCALAR ? check_scalars(x, r, why) : check_matrix(x, r, why);
    }
    return false;
}

/* --- errors and annotations */

static bool text_matches(const struct note_text *want, str got) {
    if (!want->regex) return str_eq(want->text, got);
    struct regex *re;
    struct err ignored;
    if (!regex_new(want->text, false, &re, &ignored)) return false;
    bool yes = regex_match(re, got) == REGEX_YES;
    regex_free(re);
    return yes;
}

bool expectation_check_failure(struct expectation *x, str message, str *why) {
    if (!x->fail) return *why = arena_str(x->a, message), false;
    if (x->fail_text.text.n == 0 || text_matches(&x->fail_text, message)) return true;
    *why = arena_printf(x->a, "expected the error \"%" STR_F "\", got \"%" STR_F "\"", STR_A(x->fail_text.text), STR_A(message));
    return false;
}

static bool check_notes(struct expectation *x, const struct expected_notes *want, const str *got, size_t got_n, const char *kind, str *why) {
    if (want->rule == NOTES_ANY) return true;
    if (want->rule == NOTES_NONE && got_n) return *why = arena_printf(x->a, "unexpected %s: %" STR_F, kind, STR_A(got[0])), false;
    if (want->rule == NOTES_SOME && got_n == 0) return *why = arena_printf(x->a, "expected a %s", kind), false;
    bool used[ARRAY_N(want->texts)] = {0};
    for (size_t i = 0; i < got_n && want->text_n; i++) {
        size_t k = 0;
        while (k < want->text_n && !text_matches(&want->texts[k], got[i])) k++;
        if (k == want->text_n) return *why = arena_printf(x->a, "unexpected %s: %" STR_F, kind, STR_A(got[i])), false;
        used[k] = true;
    }
    for (size_t k = 0; k < want->text_n; k++)
        if (!used[k]) return *why = arena_printf(x->a, "missing %s: %" STR_F, kind, STR_A(want->texts[k].text)), false;
    return true;
}

bool expectation_check_notes(struct expectation *x, const struct promql_result *r, str *why) {
    return check_notes(x, &x->warnings, r->warnings, r->warning_n, "warning", why) && check_notes(x, &x->infos, r->infos, r->info_n, "info", why);
}
