#include "query/trace/otlp_json.h"
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
// clang-format on

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

static str json_of(const struct event *spans, const struct stream *streams, size_t n) {
    struct buf b = {0};
    struct json_out o = {.buf = &b};
    json_put_array(&o);
    otlp_put_resource_spans(&o, spans, streams, n);
    json_put_array_end(&o);
    str text = arena_str(arena, buf_str(&b));
    buf_done(&b);
    struct json j = json_open(text, arena);
    struct err e;
    json_skip(&j);
    assert_true(json_done(&j, &e));
    return text;
}

static void is(str got, const char *want) {
    if (str_eq_c(got, want)) return;
    print_error("%" STR_F "\nis not\n%s\n", STR_A(got), want);
    fail();
}

static void writes_all_that_a_span_has(void **state) {
    (void)state;
    const struct value items[] = {value_bool(true), {.type = VAL_NULL}};
    const struct field inner[] = {{STR_INIT("x"), value_double(0.5)}}, service[] = {{STR_INIT("service.name"), value_str(STR("shop"))}};
    const struct field attrs[] = {{STR_INIT("i"), value_int(-5)},
                                  {STR_INIT("b"), {.type = VAL_BYTES, .s = STR_INIT("\1")}},
                                  {STR_INIT("a"), {.type = VAL_ARRAY, .n = 2, .items = items}},
                                  {STR_INIT("m"), {.type = VAL_MAP, .n = 1, .fields = inner}}};
    const struct span_event events[] = {{.time_ns = 7, .name = STR_INIT("boom")}};
    const struct span_link links[] = {{.trace = {0, 1}, .span_id = 3}, {.trace = {0, 9}, .span_id = 4, .follows_from = true}};
    const struct stream s = {
        .service = service[0].value.s, .attrs = service, .attr_n = 1, .scope_name = STR_INIT("lib"), .scope_version = STR_INIT("1")};
    const struct event e = {.trace = {0, 1},
                            .span_id = 2,
                            .parent_id = 3,
                            .body = STR_INIT("op"),
                            .time_ns = 5,
                            .duration_ns = 10,
                            .attrs = attrs,
                            .attr_n = 4,
                            .flags = 1,
                            .span_kind = SPAN_CLIENT,
                            .status = STATUS_ERROR,
                            .status_message = STR_INIT("bad"),
                            .trace_state = STR_INIT("k=v"),
                            .events = events,
                            .event_n = 1,
                            .links = links,
                            .link_n = 2};
    is(json_of(&e, &s, 1),
       "[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"shop\"}}]},\"scopeSpans\":[{\"scope\":{\"name\":"
       "\"lib\","
       "\"version\":\"1\"},\"spans\":[{\"traceId\":\"00000000000000000000000000000001\",\"spanId\":\"0000000000000002\",\"traceState\":\"k=v\","
       "\"parentSpanId\":\"0000000000000003\",\"flags\":1,\"name\":\"op\",\"kind\":3,\"startTimeUnixNano\":\"5\",\"endTimeUnixNano\":\"15\","
       "\"attributes\":[{\"key\":\"i\",\"value\":{\"intValue\":\"-5\"}},{\"key\":\"b\",\"value\":{\"bytesValue\":\"AQ==\"}},"
       "{\"key\":\"a\",\"value\":{\"arrayValue\":{\"values\":[{\"boolValue\":true},{}]}}},"
       "{\"key\":\"m\",\"value\":{\"kvlistValue\":{\"values\":[{\"key\":\"x\",\"value\":{\"doubleValue\":0.5}}]}}}],"
       "\"events\":[{\"timeUnixNano\":\"7\",\"name\":\"boom\"}],"
       "\"links\":[{\"traceId\":\"00000000000000000000000000000009\",\"spanId\":\"0000000000000004\"}],\"status\":{\"message\":\"bad\",\"code\":2}}]}"
       "]}]");
}

static void groups_neighbours_of_one_resource_and_scope(void **state) {
    (void)state;
    const struct stream one = {.scope_name = STR_INIT("one")}, two = {.scope_name = STR_INIT("two")};
    const struct stream streams[] = {one, one, two};
    const struct event spans[] = {{.span_id = 1}, {.span_id = 2}, {.span_id = 3}};
    str json = json_of(spans, streams, 3);
    size_t n = 0;
    for (size_t at; (at = str_find(json, STR("\"resource\":"))) != STR_NONE; n++) json = str_from(json, at + 1);
    assert_int_equal(n, 2);
}

static void writes_what_is_nested_too_deep_as_text(void **state) {
    (void)state;
    struct value *v = arena_one(arena, struct value);
    *v = value_int(1);
    for (int i = 0; i < 40; i++) {
        struct value *outer = arena_one(arena, struct value);
        *outer = (struct value){.type = VAL_ARRAY, .n = 1, .items = v};
        v = outer;
    }
    const struct field attr = {STR_INIT("deep"), *v};
    const struct stream s = {{0}};
    const struct event e = {.span_id = 1, .attrs = &attr, .attr_n = 1};
    assert_true(str_find(json_of(&e, &s, 1), STR("{\"stringValue\":\"[[")) != STR_NONE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writes_all_that_a_span_has, setup, teardown),
        cmocka_unit_test_setup_teardown(groups_neighbours_of_one_resource_and_scope, setup, teardown),
        cmocka_unit_test_setup_teardown(writes_what_is_nested_too_deep_as_text, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
