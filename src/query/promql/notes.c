#include <stdarg.h>
#include <stdio.h>

#include "query/promql/engine.h"

/* Annotations: warnings and infos about the data, in Prometheus' words (util/annotations), each text once. */

enum naming { FOR_METRIC, QUOTED };
static const struct {
    bool warning;
    enum naming naming; /* "... for metric name "x"" (left out without a name) or "... "x"" */
    const char *text;
} notes[] = {
    [NOTE_MIXED_FLOATS_HISTOGRAMS] = {true, FOR_METRIC, "encountered a mix of histograms and floats"},
    [NOTE_MIXED_CLASSIC_NATIVE] = {true, FOR_METRIC, "vector contains a mix of classic and native histograms"},
    [NOTE_MIXED_EXPONENTIAL_CUSTOM] = {true, FOR_METRIC, "vector contains a mix of histograms with exponential and custom buckets schemas"},
    [NOTE_NOT_COUNTER] = {true, QUOTED, "this native histogram metric is not a counter:"},
    [NOTE_NOT_GAUGE] = {true, QUOTED, "this native histogram metric is not a gauge:"},
    [NOTE_IGNORED_IN_RANGE] = {false, FOR_METRIC, "ignored histograms in a range containing both floats and histograms"},
    [NOTE_NAN_RESULT] = {false, FOR_METRIC, "input to histogram_quantile has NaN observations, result is NaN"},
    [NOTE_NAN_SKEW] = {false, FOR_METRIC, "input to histogram_quantile has NaN observations, result is skewed higher"},
    [NOTE_NAN_FRACTION] = {false, FOR_METRIC, "input to histogram_fraction has NaN observations, which are excluded from all fractions"},
    [NOTE_MAYBE_NO_COUNTER] = {false, QUOTED, "metric might not be a counter, name does not end in _total/_sum/_count/_bucket:"},
};

static void add(struct run *r, bool warning, uint32_t at, str text) {
    struct buf b = {0};
    buf_add(&b, warning ? STR("PromQL warning: ") : STR("PromQL info: "));
    buf_add(&b, text);
    buf_add(&b, STR(" ("));
    promql_position(&b, r->query, at);
    buf_char(&b, ')');
    struct note_list *list = warning ? &r->warnings : &r->infos;
    bool known = false;
    for (size_t i = 0; i < list->n && !known; i++) known = str_eq(list->p[i], buf_str(&b));
    if (!known) avec_push(r->a, list, arena_str(r->a, buf_str(&b)));
    buf_done(&b);
}

static void move_list(struct run *to, struct note_list *list, struct note_list *from) {
    for (size_t i = 0; i < from->n; i++) {
        bool known = false;
        for (size_t k = 0; k < list->n && !known; k++) known = str_eq(list->p[k], from->p[i]);
        if (!known) avec_push(to->a, list, from->p[i]);
    }
    from->n = 0;
}
void notes_move(struct run *to, struct run *from) {
    move_list(to, &to->warnings, &from->warnings);
    move_list(to, &to->infos, &from->infos);
    from->last_note = NULL;
}

PRINTF_LIKE(4, 0) static void add_v(struct run *r, bool warning, uint32_t at, const char *fmt, va_list ap) {
    char text[400];
    vsnprintf(text, sizeof text, fmt, ap);
    add(r, warning, at, str_c(text));
}

void note_warning(struct run *r, uint32_t at, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    add_v(r, true, at, fmt, ap);
    va_end(ap);
}

void note_info(struct run *r, uint32_t at, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    add_v(r, false, at, fmt, ap);
    va_end(ap);
}

void note_named(struct run *r, enum note kind, uint32_t at, str name) {
    const void *key = (const char *)&notes[kind] + at + (uintptr_t)name.p; /* the same window after window */
    if (key == r->last_note) return;
    r->last_note = key;
    struct buf b = {0};
    buf_add(&b, str_c(notes[kind].text));
    if (notes[kind].naming == FOR_METRIC && name.n) buf_add(&b, STR(" for metric name"));
    if (notes[kind].naming == QUOTED || name.n) {
        buf_char(&b, ' ');
        promql_quote(&b, name);
    }
    add(r, notes[kind].warning, at, buf_str(&b));
    buf_done(&b);
}

void note_hist(struct run *r, uint32_t at, const struct hist_notes *n, const char *op) {
    if (n->collision) note_warning(r, at, "conflicting counter resets during histogram %s", op);
    if (n->reconciled) note_info(r, at, "mismatched custom buckets were reconciled during %s", op);
}

bool note_quantile(struct run *r, uint32_t at, double q) {
    if (q >= 0 && q <= 1) return true;
    struct buf b = {0};
    promql_put_g(&b, q);
    note_warning(r, at, "quantile value should be between 0 and 1, got %" STR_F, STR_A(buf_str(&b)));
    buf_done(&b);
    return false;
}
