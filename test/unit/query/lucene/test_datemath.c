#include "query/lucene/datemath.h"
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
// clang-format on

#include "base/clock.h"
#include "codec/isodate.h"

static int64_t at(const char *iso) {
    int64_t from, to;
    assert_true(isodate_parse(str_c(iso), 0, &from, &to));
    return from;
}

static void adds_subtracts_and_rounds(void **state) {
    (void)state;
    struct datemath m = {.now_ns = at("2024-03-31T12:34:56Z")};
    static const struct {
        const char *text, *from, *end; /* end: the moment behind the span; NULL: an instant */
    } list[] = {
        {"now", "2024-03-31T12:34:56Z", NULL},
        {"now-1h", "2024-03-31T11:34:56Z", NULL},
        {"now/d", "2024-03-31T00:00:00Z", "2024-04-01T00:00:00Z"},
        {"now-1M", "2024-02-29T12:34:56Z", NULL},
        {"now/w", "2024-03-25T00:00:00Z", "2024-04-01T00:00:00Z"},
        {"now/M-1d", "2024-02-29T00:00:00Z", "2024-03-31T00:00:00Z"},
        {"2024-02-28||+1y/y", "2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z"},
        {"2018-03", "2018-03-01T00:00:00Z", "2018-03-02T00:00:00Z"},
    };
    for (size_t i = 0; i < ARRAY_N(list); i++) {
        int64_t from, to;
        struct err e;
        if (!datemath_parse(str_c(list[i].text), &m, &from, &to, &e)) fail_msg("%s: %s", list[i].text, e.msg);
        if (from != at(list[i].from)) fail_msg("%s begins at %lld", list[i].text, (long long)from);
        if (to != (list[i].end ? at(list[i].end) - 1 : from)) fail_msg("%s ends at %lld", list[i].text, (long long)to);
    }
}

static void days_begin_where_the_zone_is(void **state) {
    (void)state;
    struct datemath m = {.now_ns = at("2024-03-31T23:30:00Z"), .zone_s = 7200};
    int64_t from, to;
    struct err e;
    assert_true(datemath_parse(STR("now/d"), &m, &from, &to, &e));
    assert_int_equal(from, at("2024-03-31T22:00:00Z"));
    assert_true(datemath_parse(STR("2024-04-01"), &m, &from, &to, &e));
    assert_int_equal(from, at("2024-03-31T22:00:00Z"));
}

static void refuses_nonsense_and_overflow(void **state) {
    (void)state;
    struct datemath m = {.now_ns = at("2024-03-31T12:34:56Z")};
    static const char *const list[] = {"now+",           "now+1",           "now+1x",  "now/2d",    "now+99999999999999999999d",
                                       "now+9999y",      "now+69y+69y+69y", "nowhere", "yesterday", "2024-13||+1d",
                                       "0001-01-01||-1d"};
    for (size_t i = 0; i < ARRAY_N(list); i++) {
        int64_t from, to;
        struct err e;
        if (datemath_parse(str_c(list[i]), &m, &from, &to, &e)) fail_msg("accepted \"%s\"", list[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adds_subtracts_and_rounds),
        cmocka_unit_test(days_begin_where_the_zone_is),
        cmocka_unit_test(refuses_nonsense_and_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
