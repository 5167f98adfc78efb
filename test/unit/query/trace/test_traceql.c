#include "query/trace/traceql.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct arena *arena;

static int setup(void **state) {
    (void)state;
    arena = arena_new(4096);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    arena_free(arena);
    return 0;
}

static struct trace_search parsed(const char *text) {
    struct trace_search s = {0};
    struct err e;
    if (!traceql_parse(str_c(text), arena, &s, &e)) fail_msg("%s: %s", text, e.msg);
    return s;
}

static void expect_refused(const char *text, enum err_code code, const char *want) {
    struct trace_search s = {0};
    struct err e;
    assert_false(traceql_parse(str_c(text), arena, &s, &e));
    assert_string_equal(e.msg, want);
    assert_int_equal(e.code, code);
}

static void expect_tag(const struct trace_search *s, size_t i, const char *key, const char *value) {
    assert_true(i < s->tag_n && str_eq_c(s->tags[i].key, key) && str_eq_c(s->tags[i].value, value));
}

static void reads_conditions_joined_by_and(void **state) {
    (void)state;
    struct trace_search s = parsed(
        "{ resource.service.name = \"shop\" && name=`GET /` && span.http.status_code = 500 && .retry=true && resource.pod = \"p 1\" "
        "&& status = error && kind=server && span.\"a b\" = \"say \\\"x\\\"\" }");
    assert_true(str_eq_c(s.service, "shop") && str_eq_c(s.operation, "GET /") && s.tag_n == 6);
    expect_tag(&s, 0, "http.status_code", "500");
    expect_tag(&s, 1, "retry", "true");
    expect_tag(&s, 2, "resource.pod", "p 1");
    expect_tag(&s, 3, "span.status", "error");
    expect_tag(&s, 4, "span.kind", "server");
    expect_tag(&s, 5, "a b", "say \"x\"");
}

static void reads_durations(void **state) {
    (void)state;
    struct trace_search s = parsed("{duration>100ms&&duration<=2s}");
    assert_true(s.min_ns == 100000001 && s.max_ns == 2000000000);
    s = parsed("{ span:duration >= 1s && duration < 1m }");
    assert_true(s.min_ns == 1000000000 && s.max_ns == 59999999999);
    s = parsed("{ duration = 5ms }");
    assert_true(s.min_ns == 5000000 && s.max_ns == 5000000);
}

static void an_empty_set_is_every_span(void **state) {
    (void)state;
    struct trace_search s = parsed(" { } ");
    assert_true(s.tag_n == 0 && s.service.n == 0 && s.min_ns == 0 && s.max_ns == 0);
}

static void says_what_it_does_not_know_and_where(void **state) {
    (void)state;
    expect_refused("", ERR_INPUT, "TraceQL: expected { at byte 0");
    expect_refused("{ .a = \"b }", ERR_INPUT, "TraceQL: no closing quote for the one at byte 7");
    expect_refused("{ .a = 1 .b = 2 }", ERR_INPUT, "TraceQL: expected && or } at byte 9");
    expect_refused("{ .a = 1 && }", ERR_INPUT, "TraceQL: expected a field or a value at byte 12");
    expect_refused("{ .a }", ERR_INPUT, "TraceQL: expected an operator at byte 5");
    expect_refused("{ .a =~ \"x\" }", ERR_UNSUPPORTED, "TraceQL: only = < <= > >= are supported, not what is at byte 5");
    expect_refused("{ .a != 1 }", ERR_UNSUPPORTED, "TraceQL: only = < <= > >= are supported, not what is at byte 5");
    expect_refused("{ .a > 1 }", ERR_UNSUPPORTED, "TraceQL: order is supported for duration only, before what is at byte 8");
    expect_refused("{ .a = 1 || .b = 2 }", ERR_UNSUPPORTED, "TraceQL: only conditions joined by && are supported, not what is at byte 9");
    expect_refused("{ (.a = 1) }", ERR_UNSUPPORTED, "TraceQL: only conditions joined by && are supported, not what is at byte 2");
    expect_refused("{ rootName = \"x\" }", ERR_UNSUPPORTED, "TraceQL: no field that is supported, before what is at byte 16");
    expect_refused("{ duration > soon }", ERR_INPUT, "TraceQL: expected a duration such as 100ms before what is at byte 17");
    expect_refused("{} | count() > 1", ERR_UNSUPPORTED, "TraceQL: only one { } is supported, not what is at byte 3");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_conditions_joined_by_and),
        cmocka_unit_test(reads_durations),
        cmocka_unit_test(an_empty_set_is_every_span),
        cmocka_unit_test(says_what_it_does_not_know_and_where),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
