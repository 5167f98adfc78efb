#include "ingest/span_metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"

/* A sink that keeps the last metrics, and answers spans as told. */
struct shelf {
    struct sink sink;
    struct metric_batch *metrics;
    struct push_result result;
    bool all; /* store all of each batch */
};
static struct loop *l;
static struct shelf shelf;
static struct span_metrics *m;
static int64_t now_ms;

static void keep_metrics(struct sink *sink, struct metric_batch *b, push_done done, void *arg) {
    (void)sink, (void)done, (void)arg;
    metric_batch_free(shelf.metrics);
    shelf.metrics = b;
}
static void take_spans(struct sink *sink, struct event_batch *b, push_done done, void *arg) {
    (void)sink;
    struct push_result all = {.stored = b->event_n};
    if (done) done(arg, shelf.all ? &all : &shelf.result);
    event_batch_free(b);
}

static int setup(void **state) {
    (void)state;
    loop_own_thread();
    l = loop_new();
    shelf = (struct shelf){.sink = {.push_metrics = keep_metrics, .push_events = take_spans}, .all = true};
    m = span_metrics_new(l, &shelf.sink, 0, 4);
    now_ms = clock_wall_ms() + 1000;
    return 0;
}
static int teardown(void **state) {
    (void)state;
    span_metrics_stop(m);
    span_metrics_free(m);
    metric_batch_free(shelf.metrics);
    loop_free(l);
    return 0;
}

static void was_told(void *arg, const struct push_result *r) {
    *(size_t *)arg += r->stored + r->dropped;
}

static void push(const char *service, const char *name, const int64_t *ms, size_t n) {
    struct event_batch *b = event_batch_new(EVENT_SPAN, 1024);
    b->streams = arena_one(b->arena, struct stream);
    b->streams->service = str_c(service);
    b->stream_n = 1;
    b->events = arena_new_n(b->arena, struct event, n);
    for (size_t i = 0; i < n; i++)
        b->events[i] = (struct event){.kind = EVENT_SPAN,
                                      .trace = {1, 2},
                                      .span_id = i + 1,
                                      .body = arena_str(b->arena, str_c(name)),
                                      .duration_ns = ms[i] * NS_PER_MS,
                                      .span_kind = SPAN_SERVER};
    b->event_n = n;
    size_t told = 0;
    struct sink *sink = span_metrics_sink(m);
    sink->push_events(sink, b, was_told, &told);
    assert_int_equal(told, n);
}

static void flush(void) {
    now_ms += 15000;
    metric_batch_free(shelf.metrics);
    shelf.metrics = NULL;
    span_metrics_flush(m, now_ms);
}

/* The newest value of a series named in full; -1: not written. *samples: how many samples it has. */
static double written(const char *series, size_t *samples, const struct series_row **row) {
    double v = -1;
    for (size_t i = 0; shelf.metrics && i < shelf.metrics->row_n; i++) {
        struct labels ls;
        struct err e;
        struct buf text = {0};
        const struct series_row *r = &shelf.metrics->rows[i];
        assert_true(shelf.metrics->row_labels(shelf.metrics, i, shelf.metrics->arena, &ls, &e));
        labels_put(&text, ls);
        if (str_eq_c(buf_str(&text), series)) {
            v = shelf.metrics->v[r->sample_at + r->sample_n - 1];
            if (samples) *samples = r->sample_n;
            if (row) *row = r;
        }
        buf_done(&text);
    }
    return v;
}

#define LABELS(service, name) \
    "service_name=\"" service "\", span_kind=\"SPAN_KIND_SERVER\", span_name=\"" name "\", status_code=\"STATUS_CODE_UNSET\"}"
#define CALLS(service, name) "traces_span_metrics_calls_total{" LABELS(service, name)
#define BUCKET(le) "traces_span_metrics_duration_milliseconds_bucket{le=\"" le "\", " LABELS("shop", "get")

static void counts_calls_and_durations(void **state) {
    (void)state;
    size_t samples;
    push("shop", "get", (int64_t[]){1, 2, 3, 1200, 60000}, 5);
    flush();
    assert_true(written(CALLS("shop", "get"), &samples, NULL) == 5);
    assert_int_equal(samples, 2); /* a zero before it */
    assert_true(shelf.metrics->v[0] == 0 && shelf.metrics->t_ms[0] < shelf.metrics->t_ms[1]);
    assert_true(written(BUCKET("2"), NULL, NULL) == 2 && written(BUCKET("4"), NULL, NULL) == 3 && written(BUCKET("1000"), NULL, NULL) == 3);
    assert_true(written(BUCKET("1400"), NULL, NULL) == 4 && written(BUCKET("15000"), NULL, NULL) == 4 && written(BUCKET("+Inf"), NULL, NULL) == 5);
    assert_true(written("traces_span_metrics_duration_milliseconds_sum{" LABELS("shop", "get"), NULL, NULL) == 61206);
    assert_true(written("traces_span_metrics_duration_milliseconds_count{" LABELS("shop", "get"), NULL, NULL) == 5);
    push("shop", "get", (int64_t[]){1}, 1);
    flush();
    assert_true(written(CALLS("shop", "get"), &samples, NULL) == 6 && samples == 1);
}

static void gives_each_bucket_its_newest_span_as_exemplar(void **state) {
    (void)state;
    const struct series_row *row;
    push("shop", "get", (int64_t[]){1, 2}, 2);
    flush();
    assert_true(written(BUCKET("2"), NULL, &row) == 2 && row->exemplar_n == 1);
    const struct exemplar *x = &shelf.metrics->exemplars[row->exemplar_at];
    assert_true(x->v == 2 && str_eq(labels_get(x->labels, STR("trace_id")), STR("00000000000000010000000000000002")));
    assert_true(str_eq(labels_get(x->labels, STR("span_id")), STR("0000000000000002")));
    flush();
    assert_true(written(BUCKET("2"), NULL, &row) == 2 && row->exemplar_n == 0);
}

static void counts_only_what_was_stored(void **state) {
    (void)state;
    static const uint8_t map[] = {0, 1, 0};
    shelf.all = false;
    shelf.result = (struct push_result){.stored = 1, .dropped = 2, .stored_map = map};
    push("shop", "get", (int64_t[]){1, 100, 1}, 3);
    shelf.result = (struct push_result){.dropped = 3};
    push("shop", "get", (int64_t[]){1, 1, 1}, 3);
    flush();
    assert_true(written(CALLS("shop", "get"), NULL, NULL) == 1 && written(BUCKET("2"), NULL, NULL) == 0 && written(BUCKET("100"), NULL, NULL) == 1);
}

static void an_idle_operation_is_not_written_for_ever(void **state) {
    (void)state;
    push("shop", "get", (int64_t[]){1}, 1);
    flush();
    flush();
    assert_true(written(CALLS("shop", "get"), NULL, NULL) == 1);
    now_ms += 10 * 60 * 1000;
    flush();
    assert_null(shelf.metrics);
    push("shop", "get", (int64_t[]){1}, 1);
    flush();
    assert_true(written(CALLS("shop", "get"), NULL, NULL) == 2);
}

static void names_beyond_the_limit_are_counted_together(void **state) {
    (void)state;
    char text[32];
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof text, "op%d", i);
        push("shop", text, (int64_t[]){1}, 1);
    }
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof text, "service%d", i);
        push(text, "get", (int64_t[]){1}, 1);
    }
    flush();
    assert_true(written(CALLS("shop", "op3"), NULL, NULL) == 1 && written(CALLS("shop", "op4"), NULL, NULL) == -1);
    assert_true(written(CALLS("shop", "_other"), NULL, NULL) == 96);
    assert_true(written(CALLS("service2", "_other"), NULL, NULL) == 1 && written(CALLS("service3", "_other"), NULL, NULL) == -1);
    assert_true(written(CALLS("_other", "_other"), NULL, NULL) == 97);
}

static void a_name_that_is_no_name_is_counted_as_other(void **state) {
    (void)state;
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    push("shop", text, (int64_t[]){1}, 1);
    flush();
    assert_true(written(CALLS("shop", "_other"), NULL, NULL) == 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(counts_calls_and_durations, setup, teardown),
        cmocka_unit_test_setup_teardown(gives_each_bucket_its_newest_span_as_exemplar, setup, teardown),
        cmocka_unit_test_setup_teardown(counts_only_what_was_stored, setup, teardown),
        cmocka_unit_test_setup_teardown(an_idle_operation_is_not_written_for_ever, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_that_is_no_name_is_counted_as_other, setup, teardown),
        cmocka_unit_test_setup_teardown(names_beyond_the_limit_are_counted_together, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
