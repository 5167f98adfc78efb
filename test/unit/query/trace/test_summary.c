#include "query/trace/summary.h"
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
// clang-format on

static void counts_spans_errors_orphans_and_services(void **state) {
    (void)state;
    struct arena *a = arena_new(1024);
    const struct stream front = {.service = STR_INIT("front")}, back = {.service = STR_INIT("back")};
    const struct stream streams[] = {back, front, back, back};
    const struct event spans[] = {
        {.trace = {1, 2}, .span_id = 2, .parent_id = 1, .time_ns = 5, .duration_ns = 100, .status = STATUS_ERROR},
        {.trace = {1, 2}, .span_id = 1, .time_ns = 10, .duration_ns = 20, .body = STR_INIT("GET /")},
        {.trace = {1, 2}, .span_id = 3, .parent_id = 9, .time_ns = 20, .duration_ns = 1},
        {.trace = {1, 2}, .span_id = 4, .time_ns = 21, .body = STR_INIT("second root")},
    };
    struct trace_summary s;
    trace_summarize(spans, streams, ARRAY_N(spans), a, &s);
    assert_true(s.id.hi == 1 && s.id.lo == 2);
    assert_true(str_eq(s.root_service, STR("front")) && str_eq(s.root_name, STR("GET /")));
    assert_true(s.start_ns == 5 && s.end_ns == 105);
    assert_true(s.spans == 4 && s.errors == 1 && s.orphans == 1);
    assert_int_equal(s.service_n, 2);
    assert_true(str_eq(s.services[0].name, STR("back")) && s.services[0].spans == 3 && s.services[0].errors == 1);
    assert_true(str_eq(s.services[1].name, STR("front")) && s.services[1].spans == 1 && s.services[1].errors == 0);
    arena_free(a);
}

static void names_no_root_when_none_is_there(void **state) {
    (void)state;
    struct arena *a = arena_new(1024);
    const struct stream stream = {.service = STR_INIT("s")};
    const struct event span = {.span_id = 2, .parent_id = 1};
    struct trace_summary s;
    trace_summarize(&span, &stream, 1, a, &s);
    assert_true(s.root_service.n == 0 && s.root_name.n == 0 && s.orphans == 1);
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_spans_errors_orphans_and_services),
        cmocka_unit_test(names_no_root_when_none_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
