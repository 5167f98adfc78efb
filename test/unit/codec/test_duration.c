#include "codec/duration.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void reads_what_prometheus_reads(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"0", 0},
                {"0s", 0},
                {"1ms", 1},
                {"15s", 15000},
                {"5m", 300000},
                {"1h30m", 5400000},
                {"4d", 345600000},
                {"3w", 1814400000},
                {"10y", 315360000000},
                {"1y2w3d4h5m6s7ms", 33019506007},
                {"4d1h0m", 349200000}};
    for (size_t i = 0; i < ARRAY_N(good); i++) {
        int64_t ms = -1;
        struct err e;
        if (!duration_parse(str_c(good[i].text), &ms, &e)) fail_msg("%s", e.msg);
        assert_int_equal(ms, good[i].ms);
    }
}

static void refuses_units_out_of_order_twice_or_missing(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"", "empty duration: write a number and a unit, such as 5m or 1h30m"},
        {"1", "not a valid duration: \"1\": expected y, w, d, h, m, s or ms, largest first, each once (at byte 1)"},
        {"1m1h", "not a valid duration: \"1m1h\": expected y, w, d, h, m, s or ms, largest first, each once (at byte 3)"},
        {"1d1d", "not a valid duration: \"1d1d\": expected y, w, d, h, m, s or ms, largest first, each once (at byte 3)"},
        {"1.5d", "not a valid duration: \"1.5d\": expected y, w, d, h, m, s or ms, largest first, each once (at byte 1)"},
        {"-1s", "not a valid duration: \"-1s\": expected a number (at byte 0)"},
        {"d", "not a valid duration: \"d\": expected a number (at byte 0)"},
        {"1 h", "not a valid duration: \"1 h\": expected y, w, d, h, m, s or ms, largest first, each once (at byte 1)"},
        {"294y", "not a valid duration: \"294y\": out of range (at byte 0)"},
        {"99999999999999999999s", "not a valid duration: \"99999999999999999999s\": out of range (at byte 0)"},
    };
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        int64_t ms = 77;
        struct err e;
        assert_false(duration_parse(str_c(bad[i].text), &ms, &e));
        assert_string_equal(e.msg, bad[i].message);
        assert_int_equal(ms, 77);
    }
}

static void writes_as_prometheus_does(void **state) {
    (void)state;
    static const struct {
        int64_t ms;
        str text;
    } cases[] = {{0, STR_INIT("0s")},           {1, STR_INIT("1ms")},
                 {90000, STR_INIT("1m30s")},    {5400000, STR_INIT("1h30m")},
                 {7257600000, STR_INIT("12w")}, {7776000000, STR_INIT("90d")},
                 {31536000000, STR_INIT("1y")}, {32745600000, STR_INIT("379d")},
                 {-15000, STR_INIT("-15s")},    {INT64_MIN, STR_INIT("-106751991167d7h12m55s808ms")}};
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct buf b = {0};
        duration_put(&b, cases[i].ms);
        assert_true(str_eq(buf_str(&b), cases[i].text));
        buf_done(&b);
    }
}

static void reads_what_go_reads(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {{"0", 0},
                {"-0", 0},
                {"1.5s", 1500000000},
                {"200us", 200000},
                {"200\xc2\xb5s", 200000},
                {"200\xce\xbcs", 200000},
                {"-1h2m3.25s", -3723250000000},
                {"+5ns", 5},
                {"1.s", 1000000000},
                {".5s", 500000000},
                {"0.3333333333333333333h", 1200000000000 - 1},
                {"1s1s", 2000000000},
                {"9223372036854775807ns", INT64_MAX},
                {"-9223372036854775808ns", INT64_MIN}};
    for (size_t i = 0; i < ARRAY_N(good); i++) {
        int64_t ns = -1;
        struct err e;
        if (!duration_parse_go(str_c(good[i].text), &ns, &e)) fail_msg("%s", e.msg);
        assert_int_equal(ns, good[i].ns);
    }
    static const char *const bad[] = {"",        "-", "1", "1x", ".s", "s", "1d", "1 s", "--1s", "9223372036854775808ns", "99999999999999999999ns",
                                      "3000000h"};
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        int64_t ns = 77;
        struct err e;
        if (duration_parse_go(str_c(bad[i]), &ns, &e) || ns != 77) fail_msg("\"%s\" must be refused", bad[i]);
        assert_int_equal(e.code, ERR_INPUT);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_prometheus_reads),
        cmocka_unit_test(refuses_units_out_of_order_twice_or_missing),
        cmocka_unit_test(writes_as_prometheus_does),
        cmocka_unit_test(reads_what_go_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
