#include "wire/zipkin_json.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "unit/wire/hostile.h"
#include "wire/zipkin_v2.h"

static const char v2[] =
    "[{\"traceId\":\"bd7a974555f6b982bd71977555f6b981\",\"id\":\"2\",\"parentId\":\"1\",\"name\":\"foo\",\"kind\":\"CLIENT\",\"debug\":true,"
    "\"shared\":true,"
    "\"timestamp\":1,\"duration\":10,\"localEndpoint\":{\"serviceName\":\"foo\",\"ipv4\":\"10.43.17.42\"},\"remoteEndpoint\":{\"serviceName\":"
    "\"bar\","
    "\"ipv4\":\"10.43.17.43\",\"port\":80},\"annotations\":[{\"value\":\"foo\",\"timestamp\":1}],\"tags\":{\"foo\":\"bar\",\"error\":\"boom\"}}]";
static const char v1[] =
    "[{\"traceId\":\"1\",\"id\":\"2\",\"name\":\"get\",\"annotations\":[{\"timestamp\":100,\"value\":\"sr\",\"endpoint\":{\"serviceName\":\"back\","
    "\"ipv4\":\"1.2.3.4\",\"port\":80}},{\"timestamp\":150,\"value\":\"ss\",\"endpoint\":{\"serviceName\":\"back\"}}],\"binaryAnnotations\":["
    "{\"key\":\"http.path\",\"value\":\"/\"},{\"key\":\"ca\",\"value\":true,\"endpoint\":{\"serviceName\":\"front\"}}]}]";

static void reads_version_2(void **state) {
    (void)state;
    struct event_batch *b;
    size_t rejected;
    struct err e;
    if (!zipkin_json_decode(str_c(v2), 2, 0, &b, &rejected, &e)) fail_msg("%s", e.msg);
    const struct event *ev = &b->events[0];
    assert_true(b->event_n == 1 && rejected == 0 && str_eq(b->streams[0].service, STR("foo")));
    assert_true(fields_get(b->streams[0].attrs, b->streams[0].attr_n, STR("ip"))->i == (10 << 24 | 43 << 16 | 17 << 8 | 42));
    assert_true(ev->trace.hi == 0xbd7a974555f6b982 && ev->trace.lo == 0xbd71977555f6b981 && ev->span_id == 2 && ev->parent_id == 1);
    assert_true(ev->time_ns == 1000 && ev->duration_ns == 10000 && ev->flags == (2 | ZIPKIN_FLAG_SHARED));
    assert_true(ev->span_kind == SPAN_CLIENT && ev->status == STATUS_ERROR);
    assert_true(str_eq(fields_get(ev->attrs, ev->attr_n, STR("peer.service"))->s, STR("bar")));
    assert_true(fields_get(ev->attrs, ev->attr_n, STR("peer.port"))->i == 80);
    assert_true(ev->event_n == 1 && str_eq(ev->events[0].name, STR("foo")));
    event_batch_free(b);
}

static void reads_version_1(void **state) {
    (void)state;
    struct event_batch *b;
    size_t rejected;
    struct err e;
    if (!zipkin_json_decode(str_c(v1), 1, 0, &b, &rejected, &e)) fail_msg("%s", e.msg);
    const struct event *ev = &b->events[0];
    assert_true(b->event_n == 1 && str_eq(b->streams[0].service, STR("back")) && ev->span_kind == SPAN_SERVER);
    assert_true(ev->time_ns == 100000 && ev->duration_ns == 50000 && ev->event_n == 0);
    assert_true(str_eq(fields_get(ev->attrs, ev->attr_n, STR("peer.service"))->s, STR("front")));
    event_batch_free(b);
}

static void names_the_other_version(void **state) {
    (void)state;
    struct event_batch *b;
    size_t rejected;
    struct err e;
    assert_false(zipkin_json_decode(str_c(v1), 2, 0, &b, &rejected, &e));
    assert_string_equal(e.msg, "Expected a JSON_V2 encoded list, but received: JSON_V1");
    assert_false(zipkin_json_decode(str_c(v2), 1, 0, &b, &rejected, &e));
    assert_string_equal(e.msg, "Expected a JSON_V1 encoded list, but received: JSON_V2");
}

static void leaves_out_spans_without_ids_and_refuses_bad_ones(void **state) {
    (void)state;
    struct event_batch *b;
    size_t rejected;
    struct err e;
    assert_true(zipkin_json_decode(STR("[{\"traceId\":\"1\"},{}]"), 2, 0, &b, &rejected, &e));
    assert_true(b->event_n == 0 && rejected == 2);
    event_batch_free(b);
    assert_true(zipkin_json_decode(STR("[]"), 2, 0, &b, &rejected, &e));
    event_batch_free(b);
    assert_false(zipkin_json_decode(STR("[{\"traceId\":\"xyz\"}]"), 2, 0, &b, &rejected, &e));
    assert_non_null(strstr(e.msg, "an id of hex digits"));
}

static void decode_any(str body) {
    for (int version = 1; version <= 2; version++) {
        struct event_batch *b;
        size_t rejected;
        struct err e = {0};
        if (zipkin_json_decode(body, version, 0, &b, &rejected, &e))
            event_batch_free(b);
        else
            assert_int_equal(e.code, ERR_INPUT);
    }
}
static void survives_damage_at_every_byte(void **state) {
    (void)state;
    hostile_truncate(str_c(v1), decode_any);
    hostile_flip(str_c(v1), decode_any);
    hostile_truncate(str_c(v2), decode_any);
    hostile_flip(str_c(v2), decode_any);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_version_2),
        cmocka_unit_test(reads_version_1),
        cmocka_unit_test(names_the_other_version),
        cmocka_unit_test(leaves_out_spans_without_ids_and_refuses_bad_ones),
        cmocka_unit_test(survives_damage_at_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
