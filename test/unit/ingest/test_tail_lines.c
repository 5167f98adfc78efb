#include "ingest/tail_lines.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const int64_t now = 1795348800000000000; /* 2026-11-22T12:00:00Z */
static const struct tail_lines_settings plain = {.line_bytes_max = 64, .multiline = true};

struct test {
    struct tail_lines lines;
    struct tail_lines_stats stats;
    struct log_batch batch;
    uint64_t at;
};
static void begin(struct test *t, const struct tail_lines_settings *s) {
    *t = (struct test){.batch = log_batch_new(1024)};
    tail_lines_open(&t->lines, s, &t->stats);
}
static void end(struct test *t) {
    tail_lines_done(&t->lines);
    log_batch_done(&t->batch);
}
static void take(struct test *t, const char *line) {
    tail_lines_take(&t->lines, str_c(line), t->at, now, &t->batch);
    t->at += strlen(line) + 1;
}
/* The bodies so far, with "|" behind each. */
static void expect(struct test *t, const char *want) {
    AUTO(buf_done) struct buf got = {0};
    for (size_t i = 0; i < t->batch.events.n; i++) {
        buf_add(&got, t->batch.events.p[i].body);
        buf_char(&got, '|');
    }
    if (!str_eq_c(buf_str(&got), want)) fail_msg("\"%.*s\", not \"%s\"", (int)got.n, got.p ? got.p : "", want);
}

static void an_event_waits_only_as_long_as_it_may_go_on(void **state) {
    (void)state;
    struct test t;
    uint64_t first;
    begin(&t, &plain);
    take(&t, "hello");
    assert_true(tail_lines_waiting(&t.lines, &first));
    tail_lines_settle(&t.lines, false, now, &t.batch);
    expect(&t, "hello|");
    assert_false(tail_lines_waiting(&t.lines, &first));
    take(&t, "java.lang.Exception: x");
    take(&t, "\tat a.b(c.java:1)");
    tail_lines_settle(&t.lines, false, now, &t.batch);
    expect(&t, "hello|");
    assert_true(tail_lines_waiting(&t.lines, &first) && first == 6);
    tail_lines_settle(&t.lines, true, now, &t.batch);
    expect(&t, "hello|java.lang.Exception: x\n\tat a.b(c.java:1)|");
    assert_int_equal(t.stats.joined_lines, 1);
    end(&t);
}

static void an_event_ends_at_the_limit(void **state) {
    (void)state;
    struct test t;
    begin(&t, &plain);
    take(&t, "java.lang.Exception: x");
    for (int i = 0; i < 4; i++) take(&t, "\tat com.example.A.run(A.java:1)");
    tail_lines_flush(&t.lines, now, &t.batch);
    assert_int_equal(t.batch.events.n, 3);
    for (size_t i = 0; i < t.batch.events.n; i++) assert_true(t.batch.events.p[i].body.n <= 64);
    end(&t);
}

static void pieces_wait_for_their_end_per_stream(void **state) {
    (void)state;
    struct test t;
    uint64_t first;
    begin(&t, &plain);
    take(&t, "2026-11-22T11:00:00Z stdout P one ");
    take(&t, "2026-11-22T11:00:01Z stderr F other");
    tail_lines_settle(&t.lines, true, now, &t.batch);
    expect(&t, "other|");
    assert_true(tail_lines_waiting(&t.lines, &first) && first == 0);
    take(&t, "2026-11-22T11:00:02Z stdout F two");
    tail_lines_settle(&t.lines, true, now, &t.batch);
    expect(&t, "other|one two|");
    assert_true(t.batch.events.p[1].time_ns == now - 3600 * (int64_t)1000000000);
    take(&t, "2026-11-22T11:00:02Z stdout P cut short");
    tail_lines_flush(&t.lines, now, &t.batch);
    expect(&t, "other|one two|cut short|");
    take(&t, "2026-11-22T11:00:02Z stdout P forgotten");
    tail_lines_forget(&t.lines);
    tail_lines_flush(&t.lines, now, &t.batch);
    expect(&t, "other|one two|cut short|");
    end(&t);
}

static bool lookup(void *arg, const struct pod_ref *pod, struct arena *a, struct pod_info *out) {
    if (!str_eq(pod->pod_name, STR("web-1"))) return false;
    struct field *f = arena_new_n(a, struct field, 2);
    f[0] = (struct field){STR("fluentbit.io/exclude_stderr"), value_str(STR("true"))};
    f[1] = (struct field){STR("app"), value_str(STR("shop"))};
    *out = (struct pod_info){.annotations = f, .annotation_n = 1, .labels = f + 1, .label_n = 1};
    ++*(int *)arg;
    return true;
}

static void the_pod_says_who_it_is_and_what_it_wants(void **state) {
    (void)state;
    int asked = 0;
    const struct pod_source pods = {lookup, &asked};
    struct tail_lines_settings s = plain;
    s.pods = &pods;
    static const char *const paths[] = {"/var/log/pods/demo_web-1_uid/main/0.log", "/var/log/pods/demo_web-2_uid/main/0.log"};
    for (size_t i = 0; i < ARRAY_N(paths); i++) {
        struct test t;
        begin(&t, &s);
        tail_lines_ask_pod(&t.lines, str_c(paths[i]));
        take(&t, "2026-11-22T11:00:00Z stdout F kept");
        take(&t, "2026-11-22T11:00:00Z stderr F perhaps");
        tail_lines_flush(&t.lines, now, &t.batch);
        expect(&t, i ? "kept|perhaps|" : "kept|");
        assert_int_equal(t.stats.excluded_lines, i ? 0 : 1);
        tail_lines_describe(&t.lines, str_c(paths[i]), &t.batch);
        assert_true(str_eq(t.batch.streams.p[0].service, i ? STR("main") : STR("shop")));
        end(&t);
    }
    assert_int_equal(asked, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_waits_only_as_long_as_it_may_go_on),
        cmocka_unit_test(an_event_ends_at_the_limit),
        cmocka_unit_test(pieces_wait_for_their_end_per_stream),
        cmocka_unit_test(the_pod_says_who_it_is_and_what_it_wants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
