#include "query/trace/zipkin_json.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "model/batch.h"
#include "wire/zipkin_json.h"

static void expect(const struct event *spans, const struct stream *streams, size_t n, const char *want) {
    struct buf b = {0};
    struct json_out o = {.buf = &b};
    zipkin_put_trace(&o, spans, streams, n);
    if (!str_eq_c(buf_str(&b), want)) fail_msg("%" STR_F "\nwanted %s", STR_A(buf_str(&b)), want);
    buf_done(&b);
}

static void expect_same(const char *sent) {
    struct event_batch *batch;
    struct err e;
    size_t rejected;
    if (!zipkin_json_decode(str_c(sent), 2, 7000, &batch, &rejected, &e)) fail_msg("%s", e.msg);
    assert_int_equal(batch->event_n, 1);
    expect(batch->events, &batch->streams[batch->events[0].stream], 1, sent);
    event_batch_free(batch);
}

static void writes_what_zipkin_sent(void **state) {
    (void)state;
    expect_same(
        "[{\"traceId\":\"bd7a974555f6b982bd71977555f6b981\",\"parentId\":\"0000000000000001\",\"id\":\"0000000000000002\",\"kind\":\"CLIENT\","
        "\"name\":"
        "\"get\",\"timestamp\":1,\"duration\":10,\"localEndpoint\":{\"serviceName\":\"foo\",\"ipv4\":\"10.43.17.42\",\"ipv6\":\"2001:db8::c001\","
        "\"port\":8080},\"remoteEndpoint\":{\"serviceName\":\"bar\",\"ipv4\":\"200.43.17.43\",\"ipv6\":\"::1\",\"port\":80},\"annotations\":[{"
        "\"timestamp\":1,\"value\":\"foo\"}],\"tags\":{\"foo\":\"bar\",\"error\":\"boom\"},\"debug\":true,\"shared\":true}]");
    expect_same("[{\"traceId\":\"0000000000000009\",\"id\":\"0000000000000002\",\"name\":\"\",\"timestamp\":5,\"tags\":{}}]");
    expect_same(
        "[{\"traceId\":\"0000000000000009\",\"id\":\"0000000000000002\",\"name\":\"\",\"timestamp\":5,\"localEndpoint\":{\"ipv4\":\"1.2.3.4\"},"
        "\"tags\":{\"error\":\"\",\"ip\":\"x\",\"port\":\"80\"}}]");
}

static void writes_others_as_opentelemetry_maps_them(void **state) {
    (void)state;
    const struct value numbers[] = {value_int(1), value_double(0.5)};
    const struct field resource[] = {{STR("service.name"), value_str(STR("shop"))}, {STR("host.name"), value_str(STR("h"))}};
    const struct field attrs[] = {{STR("n"), value_int(500)},
                                  {STR("ok"), value_bool(false)},
                                  {STR("list"), {.type = VAL_ARRAY, .n = 2, .items = numbers}},
                                  {STR("raw"), {.type = VAL_BYTES, .s = STR("\x01\x02\x03")}},
                                  {STR("peer.port"), value_str(STR("http"))},
                                  {STR("none"), {.type = VAL_NULL}}};
    const struct field fields[] = {{STR("k"), value_str(STR("v"))}};
    const struct span_event events[] = {{.time_ns = 2000, .name = STR("boom"), .attrs = fields, .attr_n = 1},
                                        {.time_ns = 3000, .attrs = fields, .attr_n = 1}};
    const struct stream stream = {.service = STR("shop"), .attrs = resource, .attr_n = 2, .scope_name = STR("lib"), .scope_version = STR("1")};
    const struct event span = {.kind = EVENT_SPAN,
                               .time_ns = 1000,
                               .duration_ns = 1,
                               .trace = {0, 1},
                               .span_id = 2,
                               .body = STR("op"),
                               .attrs = attrs,
                               .attr_n = ARRAY_N(attrs),
                               .span_kind = SPAN_INTERNAL,
                               .status = STATUS_ERROR,
                               .status_message = STR("broken"),
                               .events = events,
                               .event_n = 2};
    expect(
        &span, &stream, 1,
        "[{\"traceId\":\"0000000000000001\",\"id\":\"0000000000000002\",\"name\":\"op\",\"timestamp\":1,\"duration\":1,\"localEndpoint\":{"
        "\"serviceName\":\"shop\"},\"annotations\":[{\"timestamp\":2,\"value\":\"\\\"boom\\\":{\\\"k\\\":\\\"v\\\"}\"},{\"timestamp\":3,\"value\":"
        "\"{\\\"k\\\":\\\"v\\\"}\"}],\"tags\":{\"n\":\"500\",\"ok\":\"false\",\"list\":\"[1,0.5]\",\"raw\":\"AQID\",\"peer.port\":\"http\",\"none\":"
        "\"null\",\"host.name\":\"h\",\"otel.scope.name\":\"lib\",\"otel.scope.version\":\"1\",\"otel.status_code\":\"ERROR\",\"error\":\"broken\"}}"
        "]");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(writes_what_zipkin_sent), cmocka_unit_test(writes_others_as_opentelemetry_maps_them)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
