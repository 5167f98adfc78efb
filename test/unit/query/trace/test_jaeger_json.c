/* What the query API shows of a span; expectations as Jaeger's OTLP translator and UI model write them. */
#include "query/trace/jaeger_json.h"
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

static const struct event plain = {.kind = EVENT_SPAN,
                                   .trace = {0x83a9efd15c1c98a9, 0x77e0711cc93ee28b},
                                   .span_id = 0xe127af99e3b3e074,
                                   .body = STR_INIT("okey-dokey-0"),
                                   .time_ns = 1706678909209712999,
                                   .duration_ns = 123999};
static const struct field service = {STR_INIT("service.name"), {.type = VAL_STRING, .s = STR_INIT("shop")}};
static const struct stream shop = {.service = STR_INIT("shop"), .attrs = &service, .attr_n = 1};

static str json_of(const struct event *spans, const struct stream *streams, size_t n) {
    struct buf b = {0};
    struct json_out o = {.buf = &b};
    jaeger_put_trace(&o, spans, streams, n, arena);
    str text = arena_str(arena, buf_str(&b));
    buf_done(&b);
    struct json j = json_open(text, arena);
    struct err e;
    json_skip(&j);
    assert_true(json_done(&j, &e));
    return text;
}

/* The value of the first key of that name, as written. */
static str part(str json, const char *key) {
    str quoted = arena_printf(arena, "\"%s\":", key);
    size_t at = str_find(json, quoted);
    assert_true(at != STR_NONE);
    struct json j = json_open(str_from(json, at + quoted.n), arena);
    str raw;
    assert_true(json_raw(&j, &raw));
    return raw;
}

static void is(str got, const char *want) {
    if (str_eq_c(got, want)) return;
    print_error("%" STR_F "\nis not\n%s\n", STR_A(got), want);
    fail();
}

static void writes_a_whole_trace(void **state) {
    (void)state;
    is(json_of(&plain, &shop, 1),
       "{\"traceID\":\"83a9efd15c1c98a977e0711cc93ee28b\",\"spans\":[{\"traceID\":\"83a9efd15c1c98a977e0711cc93ee28b\",\"spanID\":"
       "\"e127af99e3b3e074\","
       "\"operationName\":\"okey-dokey-0\",\"references\":[],\"startTime\":1706678909209712,\"duration\":123,\"tags\":[],\"logs\":[],"
       "\"processID\":\"p1\",\"warnings\":null}],\"processes\":{\"p1\":{\"serviceName\":\"shop\",\"tags\":[]}},\"warnings\":null}");
}

static void writes_otlp_fields_as_tags_in_the_translators_order(void **state) {
    (void)state;
    const struct field scope_attrs[] = {{STR_INIT("scoped"), value_bool(true)}};
    const struct field attrs[] = {{STR_INIT("a"), value_str(STR("x"))}};
    struct stream s = shop;
    s.scope_name = STR("lib");
    s.scope_version = STR("1.2");
    s.scope_attrs = scope_attrs;
    s.scope_attr_n = 1;
    struct event e = plain;
    e.attrs = attrs;
    e.attr_n = 1;
    e.span_kind = SPAN_SERVER;
    e.status = STATUS_ERROR;
    e.status_message = STR("broken");
    e.trace_state = STR("v=1");
    is(part(json_of(&e, &s, 1), "tags"),
       "[{\"key\":\"otel.scope.name\",\"type\":\"string\",\"value\":\"lib\"},{\"key\":\"otel.scope.version\",\"type\":\"string\",\"value\":\"1.2\"},"
       "{\"key\":\"scoped\",\"type\":\"bool\",\"value\":true},{\"key\":\"a\",\"type\":\"string\",\"value\":\"x\"},"
       "{\"key\":\"span.kind\",\"type\":\"string\",\"value\":\"server\"},{\"key\":\"otel.status_code\",\"type\":\"string\",\"value\":\"ERROR\"},"
       "{\"key\":\"error\",\"type\":\"bool\",\"value\":true},{\"key\":\"otel.status_description\",\"type\":\"string\",\"value\":\"broken\"},"
       "{\"key\":\"w3c.tracestate\",\"type\":\"string\",\"value\":\"v=1\"}]");
    e = plain;
    e.status = STATUS_OK;
    is(part(json_of(&e, &shop, 1), "tags"), "[{\"key\":\"otel.status_code\",\"type\":\"string\",\"value\":\"OK\"}]");
}

static void names_every_kind_and_no_other(void **state) {
    (void)state;
    static const char *const names[] = {"", "internal", "server", "client", "producer", "consumer", "", ""};
    for (unsigned kind = 0; kind < ARRAY_N(names); kind++) assert_true(str_eq_c(span_kind_name(kind), names[kind]));
}

static void repeats_no_tag_that_a_jaeger_client_sent_itself(void **state) {
    (void)state;
    const struct field attrs[] = {{STR_INIT("span.kind"), value_str(STR("client"))}, {STR_INIT("error"), value_bool(true)}};
    struct event e = plain;
    e.attrs = attrs;
    e.attr_n = 2;
    e.span_kind = SPAN_CLIENT;
    e.status = STATUS_ERROR;
    is(part(json_of(&e, &shop, 1), "tags"),
       "[{\"key\":\"span.kind\",\"type\":\"string\",\"value\":\"client\"},{\"key\":\"error\",\"type\":\"bool\",\"value\":true}]");
}

static void writes_values_of_every_type(void **state) {
    (void)state;
    const struct value items[] = {value_int(1), value_str(STR("two"))};
    const struct field map[] = {{STR_INIT("k"), value_double(0.5)}};
    const struct field attrs[] = {
        {STR_INIT("safe"), value_int(9007199254740991)},
        {STR_INIT("big"), value_int(9007199254740992)},
        {STR_INIT("low"), value_int(-9007199254740992)},
        {STR_INIT("double"), value_double(72.5)},
        {STR_INIT("bytes"), {.type = VAL_BYTES, .s = STR_INIT("\0\0\x30\x39")}},
        {STR_INIT("null"), {.type = VAL_NULL}},
        {STR_INIT("list"), {.type = VAL_ARRAY, .n = 2, .items = items}},
        {STR_INIT("map"), {.type = VAL_MAP, .n = 1, .fields = map}},
    };
    struct event e = plain;
    e.attrs = attrs;
    e.attr_n = ARRAY_N(attrs);
    is(part(json_of(&e, &shop, 1), "tags"),
       "[{\"key\":\"safe\",\"type\":\"int64\",\"value\":9007199254740991},{\"key\":\"big\",\"type\":\"int64\",\"value\":\"9007199254740992\"},"
       "{\"key\":\"low\",\"type\":\"int64\",\"value\":\"-9007199254740992\"},{\"key\":\"double\",\"type\":\"float64\",\"value\":72.5},"
       "{\"key\":\"bytes\",\"type\":\"binary\",\"value\":\"AAAwOQ==\"},{\"key\":\"null\",\"type\":\"string\",\"value\":\"\"},"
       "{\"key\":\"list\",\"type\":\"string\",\"value\":\"[1,\\\"two\\\"]\"},{\"key\":\"map\",\"type\":\"string\",\"value\":\"{\\\"k\\\":0.5}\"}]");
}

static void writes_the_parent_first_and_once(void **state) {
    (void)state;
    const struct span_link links[] = {{.trace = plain.trace, .span_id = 7}, {.trace = {0, 0xff}, .span_id = 0xff, .follows_from = true}};
    struct event e = plain;
    e.parent_id = 7;
    e.links = links;
    e.link_n = 2;
    is(part(json_of(&e, &shop, 1), "references"),
       "[{\"refType\":\"CHILD_OF\",\"traceID\":\"83a9efd15c1c98a977e0711cc93ee28b\",\"spanID\":\"0000000000000007\"},"
       "{\"refType\":\"FOLLOWS_FROM\",\"traceID\":\"00000000000000ff\",\"spanID\":\"00000000000000ff\"}]");
}

static void writes_events_as_logs_with_the_name_first(void **state) {
    (void)state;
    const struct field attrs[] = {{STR_INIT("x"), value_int(1)}}, named[] = {{STR_INIT("event"), value_str(STR("own"))}};
    const struct span_event events[] = {{.time_ns = 5000, .name = STR_INIT("boom"), .attrs = attrs, .attr_n = 1},
                                        {.time_ns = 6999, .name = STR_INIT("own"), .attrs = named, .attr_n = 1},
                                        {.time_ns = 7000}};
    struct event e = plain;
    e.events = events;
    e.event_n = 3;
    is(part(json_of(&e, &shop, 1), "logs"),
       "[{\"timestamp\":5,\"fields\":[{\"key\":\"event\",\"type\":\"string\",\"value\":\"boom\"},{\"key\":\"x\",\"type\":\"int64\",\"value\":1}]},"
       "{\"timestamp\":6,\"fields\":[{\"key\":\"event\",\"type\":\"string\",\"value\":\"own\"}]},{\"timestamp\":7,\"fields\":[]}]");
}

static void writes_the_flags_a_jaeger_reader_knows(void **state) {
    (void)state;
    struct event e = plain;
    e.flags = 0x101; /* OTLP: sampled, parent known not to be remote */
    is(part(json_of(&e, &shop, 1), "flags"), "1");
    e.flags = 0x100;
    assert_true(str_find(json_of(&e, &shop, 1), STR("flags")) == STR_NONE);
}

static void writes_equal_processes_once(void **state) {
    (void)state;
    const struct field pod[] = {service, {STR_INIT("pod"), value_str(STR("a"))}}, same_pod[] = {pod[0], pod[1]};
    struct stream streams[] = {shop, {shop.service, .attrs = pod, .attr_n = 2}, {shop.service, .attrs = same_pod, .attr_n = 2}, {{0}}};
    streams[1].scope_name = STR("one scope");
    struct event spans[] = {plain, plain, plain, plain};
    str json = json_of(spans, streams, 4);
    is(part(json, "processes"),
       "{\"p1\":{\"serviceName\":\"shop\",\"tags\":[]},"
       "\"p2\":{\"serviceName\":\"shop\",\"tags\":[{\"key\":\"pod\",\"type\":\"string\",\"value\":\"a\"}]},"
       "\"p3\":{\"serviceName\":\"OTLPResourceNoServiceName\",\"tags\":[]}}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writes_a_whole_trace, setup, teardown),
        cmocka_unit_test_setup_teardown(writes_otlp_fields_as_tags_in_the_translators_order, setup, teardown),
        cmocka_unit_test_setup_teardown(names_every_kind_and_no_other, setup, teardown),
        cmocka_unit_test_setup_teardown(repeats_no_tag_that_a_jaeger_client_sent_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(writes_values_of_every_type, setup, teardown),
        cmocka_unit_test_setup_teardown(writes_the_parent_first_and_once, setup, teardown),
        cmocka_unit_test_setup_teardown(writes_events_as_logs_with_the_name_first, setup, teardown),
        cmocka_unit_test_setup_teardown(writes_the_flags_a_jaeger_reader_knows, setup, teardown),
        cmocka_unit_test_setup_teardown(writes_equal_processes_once, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
