#include "api/logs_patterns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"

static void expect_shape(const char *message, const char *want) {
    struct buf b = {0};
    pattern_put(&b, str_c(message));
    buf_add(&b, str_n("", 1));
    assert_string_equal(b.p, want);
    buf_done(&b);
}
#define HOLE PATTERN_HOLE

static void words_stay_and_numbers_go(void **state) {
    (void)state;
    expect_shape("charge failed order=o-15987: deadline exceeded (2.5s)", "charge failed order=o-" HOLE ": deadline exceeded (" HOLE ")");
    expect_shape("POST /checkout 502 90ms", "POST /checkout " HOLE " " HOLE);
    expect_shape("no numbers at all", "no numbers at all");
    expect_shape("", "");
}

static void ids_addresses_and_dates_are_one_hole_each(void **state) {
    (void)state;
    expect_shape("from 10.0.0.1:8080 to [fe80::1]", "from " HOLE " to [" HOLE "]");
    expect_shape("at 2018-03-01T10:00:00.123Z", "at " HOLE);
    expect_shape("id 550e8400-abcd-41d4-eeee-446655440000 done", "id " HOLE " done");
    expect_shape("commit deadbeefcafe", "commit " HOLE);
    expect_shape("a decade of facades", "a decade of facades");
}

static void only_the_first_line_counts_and_not_all_of_it(void **state) {
    (void)state;
    expect_shape("\n  java.lang.Error: x\n\tat Foo.bar(Foo.java:17)\n", "java.lang.Error: x");
    char text[4000];
    for (size_t i = 0; i < sizeof text; i++) text[i] = i % 3 == 0 ? '\xe4' : i % 3 == 1 ? '\xb8' : '\xad';
    struct buf b = {0};
    pattern_put(&b, str_n(text, 3 * 1000));
    assert_true(b.n < PATTERN_BYTES_MAX + 16);
    assert_int_equal((b.n - strlen(HOLE)) % 3, 0); /* whole characters */
    assert_memory_equal(b.p + b.n - strlen(HOLE), HOLE, strlen(HOLE));
    buf_done(&b);
}

static str counted(struct log_patterns *p, struct buf *b) {
    struct json_out o = {.buf = b};
    log_patterns_put(p, &o);
    json_put_object_end(&o);
    return buf_str(b);
}
static void add(struct log_patterns *p, const char *message, int64_t t_ns, int n) {
    for (int i = 0; i < n; i++) {
        char text[100];
        snprintf(text, sizeof text, "%s %d", message, i);
        log_patterns_add(
            p, &(struct log_line){.message = str_c(text), .field = STR("message"), .service = STR("s"), .time_ns = t_ns + i, .severity = 9});
    }
}
static bool holds(str text, const char *part) {
    return memmem(text.p, text.n, part, strlen(part)) != NULL;
}

static void new_grown_and_vanished_shapes_are_told_apart(void **state) {
    (void)state;
    struct arena *a = arena_new(1 << 16);
    struct log_patterns *p = log_patterns_new(a, 0, 1000 * NS_PER_MS, 2000 * NS_PER_MS);
    struct buf b = {0};
    add(p, "old", 0, 3);
    add(p, "steady", 0, 2);
    add(p, "steady", 1500 * NS_PER_MS, 5);
    add(p, "fresh", 1500 * NS_PER_MS, 7);
    add(p, "outside", 2000 * NS_PER_MS, 7);
    str text = counted(p, &b);
    assert_true(holds(text, "\"lines\":12,\"before\":5,\"shapes\":3,\"omitted\":0"));
    assert_true(holds(text, "\"count\":7,\"before\":0,\"first\":1500"));
    assert_true(holds(text, "\"count\":5,\"before\":2"));
    assert_true(holds(text, "\"count\":0,\"before\":3,\"points\":[]"));
    assert_true(holds(text, "0,0,0,7,0,0"));
    assert_false(holds(text, "outside"));
    buf_done(&b);
    log_patterns_free(p);
    arena_free(a);
}

static void too_many_shapes_are_counted_together(void **state) {
    (void)state;
    struct arena *a = arena_new(1 << 16);
    struct log_patterns *p = log_patterns_new(a, 0, 0, NS_PER_S);
    struct buf b = {0};
    for (int i = 0; i < PATTERNS_MAX + 10; i++) {
        char text[8] = "zzzz";
        for (int k = 0, n = i; k < 4; k++, n /= 20) text[k] = (char)('g' + n % 20);
        log_patterns_add(p, &(struct log_line){.message = str_c(text), .time_ns = i});
    }
    assert_true(holds(counted(p, &b), "\"shapes\":5000,\"omitted\":10"));
    buf_done(&b);
    log_patterns_free(p);
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_stay_and_numbers_go),
        cmocka_unit_test(ids_addresses_and_dates_are_one_hole_each),
        cmocka_unit_test(only_the_first_line_counts_and_not_all_of_it),
        cmocka_unit_test(new_grown_and_vanished_shapes_are_told_apart),
        cmocka_unit_test(too_many_shapes_are_counted_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
