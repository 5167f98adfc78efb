#include "net/http_parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct arena *a;

static int start(void **state) {
    (void)state;
    a = arena_new(1024);
    return 0;
}
static int stop(void **state) {
    (void)state;
    arena_free(a);
    return 0;
}

#define assert_str(s, text) assert_true(str_eq_c((s), (text)))

static void unescapes_in_either_case_and_borrows_when_it_can(void **state) {
    (void)state;
    str out;
    struct err e;
    str plain = STR("plain+text");
    assert_true(http_unescape(a, plain, false, &out, &e));
    assert_ptr_equal(out.p, plain.p);
    assert_true(http_unescape(a, STR("%41%2f%2F%c3%a4+"), false, &out, &e));
    assert_str(out, "A//\xc3\xa4+");
    assert_true(http_unescape(a, STR("a+b%2B"), true, &out, &e));
    assert_str(out, "a b+");
    assert_true(http_unescape(a, STR("%00"), false, &out, &e));
    assert_int_equal(out.n, 1);
}

static void refuses_broken_escapes_and_says_where(void **state) {
    (void)state;
    static const char *const bad[] = {"abc%", "abc%4", "abc%4x", "abc%x4", "abc%%41"};
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        str out = STR("untouched");
        struct err e;
        assert_false(http_unescape(a, str_c(bad[i]), true, &out, &e));
        assert_int_equal(e.code, ERR_INPUT);
        assert_non_null(strstr(e.msg, "(at byte 3)"));
        assert_str(out, "untouched");
    }
}

static void splits_parameters(void **state) {
    (void)state;
    static const struct { const char *name, *value; } want[] = {{"a", "1"}, {"b", ""}, {"c", ""}, {"", "d"}, {"e", "f=g"}, {"h i", "j&k"}};
    struct http_params p = {0};
    struct err e;
    assert_true(http_parse_params(a, STR("a=1&b=&&c&=d&e=f=g&h+i=j%26k&"), &p, &e));
    assert_int_equal(p.n, ARRAY_N(want));
    for (size_t i = 0; i < p.n; i++) {
        assert_str(p.p[i].name, want[i].name);
        assert_str(p.p[i].value, want[i].value);
    }
    assert_true(http_parse_params(a, STR(""), &p, &e));
    assert_int_equal(p.n, ARRAY_N(want));
}

static void names_the_parameter_that_is_broken(void **state) {
    (void)state;
    struct http_params p = {0};
    struct err e;
    assert_false(http_parse_params(a, STR("start=1&query=100%"), &p, &e));
    assert_true(str_starts(err_str(&e), STR("parameter \"query\": bad percent-encoding \"%\"")));
}

static void splits_targets_before_decoding_them(void **state) {
    (void)state;
    struct http_target t;
    struct err e;
    assert_true(http_parse_target(a, STR("/api/a%2Fb/?q=%41?"), &t, &e));
    assert_str(t.path, "/api/a/b/");
    assert_str(t.query, "q=%41?");
    assert_int_equal(t.segment_n, 3);
    assert_str(t.segments[0], "api");
    assert_str(t.segments[1], "a/b");
    assert_str(t.segments[2], "");
    assert_true(http_parse_target(a, STR("/"), &t, &e));
    assert_int_equal(t.segment_n, 1);
    assert_str(t.segments[0], "");
}

static void takes_all_forms_of_targets(void **state) {
    (void)state;
    static const struct {
        const char *raw, *path, *query;
    } cases[] = {
        {"http://h/a?b", "/a", "b"},
        {"https://h:1/a", "/a", ""},
        {"http://h", "/", ""},
        {"http://h?q=1", "/", "q=1"},
        {"*", "*", ""},
        {"/?", "/", ""},
    };
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct http_target t;
        struct err e;
        assert_true(http_parse_target(a, str_c(cases[i].raw), &t, &e));
        assert_str(t.path, cases[i].path);
        assert_str(t.query, cases[i].query);
        assert_int_equal(t.asterisk, cases[i].raw[0] == '*');
    }
}

static void refuses_targets_that_are_no_paths(void **state) {
    (void)state;
    static const char *const bad[] = {"a", "host:80", "ftp://h/a", "http:/a", "/%", "/a%00b", "**"};
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        struct http_target t;
        struct err e;
        assert_false(http_parse_target(a, str_c(bad[i]), &t, &e));
        assert_int_equal(e.code, ERR_INPUT);
    }
}

static void reads_traceparent_as_the_standard_says(void **state) {
    (void)state;
    struct http_traceparent t;
    assert_true(http_parse_traceparent(STR("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), &t));
    assert_true(t.trace_hi == 0x0af7651916cd43dd && t.trace_lo == 0x8448eb211c80319c && t.parent_span_id == 0xb7ad6b7169203331);
    assert_true(t.sampled);
    assert_true(http_parse_traceparent(STR("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-02"), &t));
    assert_false(t.sampled);
    assert_true(http_parse_traceparent(STR("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-future"), &t));
    static const char *const bad[] = {
        "",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-future",
        "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.future",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333g-01",
        "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x",
    };
    for (size_t i = 0; i < ARRAY_N(bad); i++) assert_false(http_parse_traceparent(str_c(bad[i]), &t));
}

static void knows_who_accepts_gzip(void **state) {
    (void)state;
    static const char *const yes[] = {"gzip", "deflate, gzip", "GZIP;q=0.5", "*", "br;q=0, *;q=0.1", "gzip ; q=1.0", "x-gzip"};
    static const char *const no[] = {"", "br", "gzip;q=0", "gzip; q=0.000, *", "*;q=0", "identity", "gzippy"};
    for (size_t i = 0; i < ARRAY_N(yes); i++) assert_true(http_accepts_gzip(str_c(yes[i])));
    for (size_t i = 0; i < ARRAY_N(no); i++) assert_false(http_accepts_gzip(str_c(no[i])));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(unescapes_in_either_case_and_borrows_when_it_can, start, stop),
        cmocka_unit_test_setup_teardown(refuses_broken_escapes_and_says_where, start, stop),
        cmocka_unit_test_setup_teardown(splits_parameters, start, stop),
        cmocka_unit_test_setup_teardown(names_the_parameter_that_is_broken, start, stop),
        cmocka_unit_test_setup_teardown(splits_targets_before_decoding_them, start, stop),
        cmocka_unit_test_setup_teardown(takes_all_forms_of_targets, start, stop),
        cmocka_unit_test_setup_teardown(refuses_targets_that_are_no_paths, start, stop),
        cmocka_unit_test_setup_teardown(reads_traceparent_as_the_standard_says, start, stop),
        cmocka_unit_test_setup_teardown(knows_who_accepts_gzip, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
