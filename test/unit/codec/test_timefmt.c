#include "codec/timefmt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void check(const char *text, int64_t ns) {
    int64_t out = 0;
    struct err e;
    if (!time_parse_rfc3339(str_c(text), &out, &e)) fail_msg("%s", e.msg);
    assert_true(out == ns);
}

static void reads_zones_fractions_and_both_separators(void **state) {
    (void)state;
    check("1970-01-01T00:00:00Z", 0);
    check("1970-01-01t00:00:00z", 0);
    check("1970-01-01 00:00:01", 1000000000);
    check("2026-11-22T12:00:00.123456789123Z", 1795348800123456789);
    check("2026-11-22T14:00:00,5+02:00", 1795348800500000000);
    check("2026-11-22T06:30:00.5-0530", 1795348800500000000);
    check("1969-12-31T23:59:59.5Z", -500000000);
    check("2024-02-29T00:00:00Z", 1709164800000000000);
    check("2016-12-31T23:59:60Z", 1483228800000000000); /* a leap second */
    check("2262-04-11T23:47:16.854775807Z", INT64_MAX);
    check("1677-09-21T00:12:43.145224192Z", INT64_MIN);
}

static void refuses_what_is_no_time(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"", "not an RFC 3339 time: \"\": expected a year of four digits (at byte 0)"},
        {"26-11-22T12:00:00Z", "not an RFC 3339 time: \"26-11-22T12:00:00Z\": expected a year of four digits (at byte 0)"},
        {"2026-13-01T00:00:00Z", "not an RFC 3339 time: \"2026-13-01T00:00:00Z\": expected a month 01-12 (at byte 5)"},
        {"2023-02-29T00:00:00Z", "not an RFC 3339 time: \"2023-02-29T00:00:00Z\": expected a day of that month (at byte 8)"},
        {"2026-11-22", "not an RFC 3339 time: \"2026-11-22\": expected 'T' (at byte 10)"},
        {"2026-11-22T24:00:00Z", "not an RFC 3339 time: \"2026-11-22T24:00:00Z\": expected an hour 00-23 (at byte 11)"},
        {"2026-11-22T12:00Z", "not an RFC 3339 time: \"2026-11-22T12:00Z\": expected ':' (at byte 16)"},
        {"2026-11-22T12:00:00.Z", "not an RFC 3339 time: \"2026-11-22T12:00:00.Z\": expected digits of a fraction (at byte 20)"},
        {"2026-11-22T12:00:00X", "not an RFC 3339 time: \"2026-11-22T12:00:00X\": expected a zone (Z or +hh:mm) (at byte 19)"},
        {"2026-11-22T12:00:00+2", "not an RFC 3339 time: \"2026-11-22T12:00:00+2\": expected the zone's hours 00-23 (at byte 20)"},
        {"2026-11-22T12:00:00Zx", "not an RFC 3339 time: \"2026-11-22T12:00:00Zx\": expected the end (at byte 20)"},
        {"2262-04-11T23:47:16.854775808Z",
         "not an RFC 3339 time: \"2262-04-11T23:47:16.854775808Z\": expected a time between the years 1678 and 2261 (at byte 30)"},
    };
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        int64_t out = 77;
        struct err e;
        assert_false(time_parse_rfc3339(str_c(bad[i].text), &out, &e));
        assert_string_equal(e.msg, bad[i].message);
        assert_int_equal(out, 77);
    }
}

static void writes_what_reads_back(void **state) {
    (void)state;
    static const struct {
        int64_t ns;
        str ms_text, ns_text;
    } cases[] = {
        {0, STR_INIT("1970-01-01T00:00:00.000Z"), STR_INIT("1970-01-01T00:00:00Z")},
        {1795348800123000000, STR_INIT("2026-11-22T12:00:00.123Z"), STR_INIT("2026-11-22T12:00:00.123Z")},
        {1795348800000000001, STR_INIT("2026-11-22T12:00:00.000Z"), STR_INIT("2026-11-22T12:00:00.000000001Z")},
        {-1, STR_INIT("1969-12-31T23:59:59.999Z"), STR_INIT("1969-12-31T23:59:59.999999999Z")},
        {INT64_MIN, STR_INIT("1677-09-21T00:12:43.145Z"), STR_INIT("1677-09-21T00:12:43.145224192Z")},
        {INT64_MAX, STR_INIT("2262-04-11T23:47:16.854Z"), STR_INIT("2262-04-11T23:47:16.854775807Z")},
    };
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct buf b = {0};
        time_put_rfc3339_ms(&b, cases[i].ns);
        assert_true(str_eq(buf_str(&b), cases[i].ms_text));
        buf_clear(&b);
        time_put_rfc3339_ns(&b, cases[i].ns);
        assert_true(str_eq(buf_str(&b), cases[i].ns_text));
        int64_t again;
        assert_true(time_parse_rfc3339(buf_str(&b), &again, NULL) && again == cases[i].ns);
        buf_done(&b);
    }
}

static void counts_days_both_ways(void **state) {
    (void)state;
    assert_int_equal(time_days_from_civil(1970, 1, 1), 0);
    assert_int_equal(time_days_from_civil(2000, 3, 1), 11017);
    assert_int_equal(time_days_from_civil(0, 3, 1), -719468);
    for (int64_t days = -800000; days < 3000000; days += 17) {
        int64_t year;
        unsigned month, day;
        time_civil_from_days(days, &year, &month, &day);
        assert_in_range(month, 1, 12);
        assert_in_range(day, 1, 31);
        assert_int_equal(time_days_from_civil(year, month, day), days);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_zones_fractions_and_both_separators),
        cmocka_unit_test(refuses_what_is_no_time),
        cmocka_unit_test(writes_what_reads_back),
        cmocka_unit_test(counts_days_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
