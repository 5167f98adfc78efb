#include "codec/isodate.h"
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
// clang-format on

#include "base/clock.h"

#define DAY (86400 * NS_PER_S)
/* 2018-03-01T10:00:00Z */
#define T0 (INT64_C(1519898400) * NS_PER_S)

static void reads_every_precision(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t from, to;
    } list[] = {
        {"2018-03-01T10:00:00.000Z", T0, T0 + NS_PER_MS - 1},
        {"2018-03-01T10:00:00.000000001Z", T0 + 1, T0 + 1},
        {"2018-03-01T10:00:00Z", T0, T0 + NS_PER_S - 1},
        {"2018-03-01T10:00", T0, T0 + 60 * NS_PER_S - 1},
        {"2018-03-01T10", T0, T0 + 3600 * NS_PER_S - 1},
        {"2018-03-01T12:00:00+02:00", T0, T0 + NS_PER_S - 1},
        {"2018-03-01T08:30-0130", T0, T0 + 60 * NS_PER_S - 1},
        {"2018-03-01", T0 - 10 * 3600 * NS_PER_S, T0 + 14 * 3600 * NS_PER_S - 1},
        {"2018-03", T0 - 10 * 3600 * NS_PER_S, T0 + 14 * 3600 * NS_PER_S - 1},
        {"1970", 0, DAY - 1},
        {"1519898400000", T0, T0 + NS_PER_MS - 1},
        {"-1", -NS_PER_MS, -1},
    };
    for (size_t i = 0; i < ARRAY_N(list); i++) {
        int64_t from, to;
        assert_true(isodate_parse(str_c(list[i].text), 0, &from, &to));
        assert_int_equal(from, list[i].from);
        assert_int_equal(to, list[i].to);
    }
}

static void applies_the_callers_zone_only_without_one(void **state) {
    (void)state;
    int64_t from, to;
    assert_true(isodate_parse(STR("2018-03-01T12:00:00"), 7200, &from, &to));
    assert_int_equal(from, T0);
    assert_true(isodate_parse(STR("2018-03-01T10:00:00Z"), 7200, &from, &to));
    assert_int_equal(from, T0);
}

static void refuses_what_is_no_date(void **state) {
    (void)state;
    static const char *const list[] = {"",         "yesterday",     "2018-13",     "2018-02-29",     "2018-03-01 10:00",
                                       "2018-3-1", "2018-03-01T25", "2018-03-01X", "2018-03-01T10:", "2018-03-01T10:00:00.Z",
                                       "1.5"};
    for (size_t i = 0; i < ARRAY_N(list); i++) {
        int64_t from, to;
        if (isodate_parse(str_c(list[i]), 0, &from, &to)) fail_msg("accepted \"%s\"", list[i]);
    }
}

static void tells_dates_from_numbers_and_words(void **state) {
    (void)state;
    assert_true(isodate_looks_like(STR("2018-03-01")));
    assert_true(isodate_looks_like(STR("2018-03-01T10:00:00.123456Z")));
    assert_false(isodate_looks_like(STR("2018")));
    assert_false(isodate_looks_like(STR("1519898400000")));
    assert_false(isodate_looks_like(STR("2018-03-01 was a Thursday")));
}

static void reads_zones(void **state) {
    (void)state;
    int64_t s;
    assert_true(isodate_zone(STR("-03:30"), &s));
    assert_int_equal(s, -12600);
    assert_true(isodate_zone(STR("utc"), &s));
    assert_int_equal(s, 0);
    assert_false(isodate_zone(STR("+02:"), &s));
    assert_false(isodate_zone(STR("CET"), &s));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_precision),
        cmocka_unit_test(applies_the_callers_zone_only_without_one),
        cmocka_unit_test(refuses_what_is_no_date),
        cmocka_unit_test(tells_dates_from_numbers_and_words),
        cmocka_unit_test(reads_zones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
