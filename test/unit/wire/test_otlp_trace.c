#include "wire/otlp_trace.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "unit/wire/hostile.h"

static const char trace_bytes[16] = "\x5b\x8a\xa5\xa2\xd2\xc8\x72\xe8\x32\x1c\xf3\x73\x08\xd6\x9d\xf2";
static const char span_bytes[8] = "\x5f\xb3\x97\xbe\x34\xd2\x6b\x51";

static void put_attr(struct buf *b, uint32_t number, const char *key, const char *value) {
    size_t kv = pb_begin(b, number);
    pb_put_bytes(b, 1, str_c(key));
    size_t any = pb_begin(b, 2);
    pb_put_bytes(b, 1, str_c(value));
    pb_end(b, any);
    pb_end(b, kv);
}

static void put_span(struct buf *b, str trace_id, str span_id) {
    size_t span = pb_begin(b, 2);
    pb_put_bytes(b, 1, trace_id);
    pb_put_bytes(b, 2, span_id);
    pb_put_bytes(b, 4, STR("\x0\x0\x0\x0\x0\x0\x0\x7"));
    pb_put_bytes(b, 5, STR("GET /cart"));
    pb_put_u64(b, 6, 2);
    pb_put_fixed64(b, 7, 1700000000000000000);
    pb_put_fixed64(b, 8, 1700000000250000000);
    put_attr(b, 9, "http.method", "GET");
    size_t ev = pb_begin(b, 11);
    pb_put_fixed64(b, 1, 1700000000100000000);
    pb_put_bytes(b, 2, STR("retry"));
    put_attr(b, 3, "n", "2");
    pb_end(b, ev);
    put_attr(b, 9, "http.route", "/cart"); /* a second run of attributes */
    size_t link = pb_begin(b, 13);
    pb_put_bytes(b, 1, str_n(trace_bytes, 16));
    pb_put_bytes(b, 2, str_n(span_bytes, 8));
    pb_end(b, link);
    size_t status = pb_begin(b, 15);
    pb_put_bytes(b, 2, STR("boom"));
    pb_put_u64(b, 3, 2);
    pb_end(b, status);
    pb_put_fixed32(b, 16, 257);
    pb_put_u64(b, 77, 5); /* unknown: skipped */
    pb_end(b, span);
}

/* Scope and resource come behind the spans: the order in the message is free. */
static void put_request(struct buf *b, str trace_id, str span_id) {
    size_t rs = pb_begin(b, 1);
    size_t ss = pb_begin(b, 2);
    put_span(b, trace_id, span_id);
    size_t scope = pb_begin(b, 1);
    pb_put_bytes(b, 1, STR("lib"));
    pb_put_bytes(b, 2, STR("1.0"));
    pb_end(b, scope);
    pb_end(b, ss);
    size_t resource = pb_begin(b, 1);
    put_attr(b, 1, "service.name", "shop");
    pb_end(b, resource);
    pb_end(b, rs);
}

static struct event_batch *decode(enum otlp_encoding enc, str body, struct otlp_partial *partial) {
    struct event_batch *b = NULL;
    struct err e = {0};
    if (!otlp_trace_decode(enc, body, 42, &b, partial, &e)) fail_msg("%s", e.msg);
    return b;
}

static void check_shop_span(const struct event_batch *b) {
    assert_int_equal(b->event_n, 1);
    assert_int_equal(b->stream_n, 1);
    assert_true(str_eq(b->streams[0].service, STR("shop")));
    assert_true(str_eq(b->streams[0].scope_name, STR("lib")));
    assert_true(str_eq(b->streams[0].scope_version, STR("1.0")));
    assert_int_equal(b->streams[0].attr_n, 1);
    const struct event *ev = &b->events[0];
    assert_true(ev->trace.hi == 0x5b8aa5a2d2c872e8 && ev->trace.lo == 0x321cf37308d69df2);
    assert_true(ev->span_id == 0x5fb397be34d26b51);
    assert_true(ev->parent_id == 7);
    assert_true(str_eq(ev->body, STR("GET /cart")));
    assert_int_equal(ev->span_kind, SPAN_SERVER);
    assert_true(ev->time_ns == 1700000000000000000 && ev->duration_ns == 250000000);
    assert_int_equal(ev->attr_n, 2);
    assert_true(str_eq(fields_get(ev->attrs, ev->attr_n, STR("http.route"))->s, STR("/cart")));
    assert_int_equal(ev->event_n, 1);
    assert_true(str_eq(ev->events[0].name, STR("retry")));
    assert_int_equal(ev->events[0].attr_n, 1);
    assert_int_equal(ev->link_n, 1);
    assert_true(ev->links[0].follows_from);
    assert_true(ev->links[0].span_id == ev->span_id);
    assert_int_equal(ev->status, STATUS_ERROR);
    assert_true(str_eq(ev->status_message, STR("boom")));
    assert_int_equal(ev->flags, 257);
}

static void reads_a_protobuf_request(void **state) {
    (void)state;
    struct buf b = {0};
    struct otlp_partial partial;
    put_request(&b, str_n(trace_bytes, 16), str_n(span_bytes, 8));
    AUTO(event_batch_free) struct event_batch *batch = decode(OTLP_PROTOBUF, buf_str(&b), &partial);
    check_shop_span(batch);
    assert_int_equal(partial.rejected, 0);
    buf_done(&b);
}

static const char json_request[] =
    "{\"resourceSpans\":[{\"schemaUrl\":\"u\",\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"shop\"}}]},"
    "\"scopeSpans\":[{\"scope\":{\"name\":\"lib\",\"version\":\"1.0\"},\"spans\":[{\"traceId\":\"5B8AA5A2D2C872E8321CF37308D69DF2\","
    "\"spanId\":\"5fb397be34d26b51\",\"parentSpanId\":\"0000000000000007\",\"name\":\"GET /cart\",\"kind\":2,"
    "\"startTimeUnixNano\":\"1700000000000000000\",\"endTimeUnixNano\":1700000000250000000,\"unknown\":{\"a\":[1]},"
    "\"attributes\":[{\"key\":\"http.method\",\"value\":{\"stringValue\":\"GET\"}},{\"key\":\"http.route\",\"value\":{\"stringValue\":\"/cart\"}}],"
    "\"events\":[{\"timeUnixNano\":\"1700000000100000000\",\"name\":\"retry\",\"attributes\":[{\"key\":\"n\",\"value\":{\"intValue\":\"2\"}}]}],"
    "\"links\":[{\"traceId\":\"5b8aa5a2d2c872e8321cf37308d69df2\",\"spanId\":\"5fb397be34d26b51\"}],"
    "\"status\":{\"code\":2,\"message\":\"boom\"},\"flags\":257,\"traceState\":null}]}]}]}";

static void reads_the_same_request_as_json(void **state) {
    (void)state;
    struct otlp_partial partial;
    AUTO(event_batch_free) struct event_batch *batch = decode(OTLP_JSON, str_c(json_request), &partial);
    check_shop_span(batch);
    assert_int_equal(partial.base64_ids, 0);
}

static void accepts_base64_ids_in_json_and_counts_them(void **state) {
    (void)state;
    struct otlp_partial partial;
    str text = STR("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"W4qlotLIcugyHPNzCNad8g==\",\"spanId\":\"X7OXvjTSa1E=\"}]}]}]}");
    AUTO(event_batch_free) struct event_batch *b = decode(OTLP_JSON, text, &partial);
    assert_int_equal(b->event_n, 1);
    assert_true(b->events[0].trace.hi == 0x5b8aa5a2d2c872e8 && b->events[0].span_id == 0x5fb397be34d26b51);
    assert_int_equal(partial.base64_ids, 2);
}

static void refuses_only_the_span_with_a_bad_id(void **state) {
    (void)state;
    struct otlp_partial partial;
    struct buf b = {0};
    put_request(&b, str_n(trace_bytes, 16), STR("\0\0\0\0\0\0\0\0"));
    put_request(&b, str_n(trace_bytes, 15), str_n(span_bytes, 8));
    put_request(&b, STR_NULL, str_n(span_bytes, 8));
    put_request(&b, str_n(trace_bytes, 16), str_n(span_bytes, 8));
    AUTO(event_batch_free) struct event_batch *batch = decode(OTLP_PROTOBUF, buf_str(&b), &partial);
    check_shop_span(batch);
    assert_int_equal(partial.rejected, 3);
    assert_string_equal(partial.reason, "the trace id or span id is all zero (span \"GET /cart\")");
    buf_done(&b);
}

static void keeps_every_type_of_attribute_value(void **state) {
    (void)state;
    struct otlp_partial partial;
    str text =
        STR("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"00000000000000000000000000000001\",\"spanId\":\"0000000000000001\","
            "\"attributes\":["
            "{\"key\":\"i\",\"value\":{\"intValue\":\"-9223372036854775808\"}},{\"key\":\"d\",\"value\":{\"doubleValue\":1.5}},"
            "{\"key\":\"b\",\"value\":{\"boolValue\":true}},{\"key\":\"y\",\"value\":{\"bytesValue\":\"AAE=\"}},"
            "{\"key\":\"a\",\"value\":{\"arrayValue\":{\"values\":[{\"stringValue\":\"x\"},{\"intValue\":1}]}}},"
            "{\"key\":\"m\",\"value\":{\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":{\"stringValue\":\"v\"}}]}}},"
            "{\"key\":\"nan\",\"value\":{\"doubleValue\":\"NaN\"}},{\"key\":\"e\",\"value\":{}}]}]}]}]}");
    AUTO(event_batch_free) struct event_batch *b = decode(OTLP_JSON, text, &partial);
    const struct field *f = b->events[0].attrs;
    assert_int_equal(b->events[0].attr_n, 8);
    assert_true(f[0].value.i == INT64_MIN && f[1].value.d == 1.5 && f[2].value.b);
    assert_true(f[3].value.type == VAL_BYTES && str_eq(f[3].value.s, str_n("\0\1", 2)));
    assert_true(f[4].value.n == 2 && f[4].value.items[1].i == 1);
    assert_true(f[5].value.type == VAL_MAP && str_eq(f[5].value.fields[0].value.s, STR("v")));
    assert_true(f[6].value.type == VAL_DOUBLE && f[6].value.d != f[6].value.d);
    assert_int_equal(f[7].value.type, VAL_NULL);
}

static void refuses_values_nested_too_deep(void **state) {
    (void)state;
    struct buf deep = {0}, request = {0};
    for (int i = 0; i < 5000; i++) { /* AnyValue{array{AnyValue{...}}} inside out */
        struct buf outer = {0};
        if (i % 2)
            pb_put_bytes(&outer, 5, buf_str(&deep));
        else
            pb_put_bytes(&outer, 1, buf_str(&deep));
        buf_done(&deep);
        deep = outer;
    }
    size_t rs = pb_begin(&request, 1), ss = pb_begin(&request, 2), span = pb_begin(&request, 2), kv = pb_begin(&request, 9);
    pb_put_bytes(&request, 2, buf_str(&deep));
    pb_end(&request, kv);
    pb_end(&request, span);
    pb_end(&request, ss);
    pb_end(&request, rs);
    struct event_batch *b = NULL;
    struct otlp_partial partial;
    struct err e = {0};
    assert_false(otlp_trace_decode(OTLP_PROTOBUF, buf_str(&request), 0, &b, &partial, &e));
    assert_non_null(strstr(e.msg, "deeper than 32 levels"));
    assert_null(b);
    buf_done(&deep);
    buf_done(&request);
}

static void says_where_the_text_is_broken(void **state) {
    (void)state;
    struct event_batch *b = NULL;
    struct otlp_partial partial;
    struct err e = {0};
    assert_false(otlp_trace_decode(OTLP_JSON, STR("{\"resourceSpans\":[{]}"), 0, &b, &partial, &e));
    assert_int_equal(e.code, ERR_INPUT);
    assert_non_null(strstr(e.msg, "at byte 19"));
    assert_false(otlp_trace_decode(OTLP_PROTOBUF, STR("\x0a\x05\x12"), 0, &b, &partial, &e));
    assert_non_null(strstr(e.msg, "at byte"));
}

static void an_empty_request_is_an_empty_batch(void **state) {
    (void)state;
    struct otlp_partial partial;
    AUTO(event_batch_free) struct event_batch *a = decode(OTLP_PROTOBUF, STR(""), &partial);
    AUTO(event_batch_free) struct event_batch *b = decode(OTLP_JSON, STR("{}"), &partial);
    assert_int_equal(a->event_n + b->event_n, 0);
}

static void try_both(str message) {
    for (int enc = OTLP_PROTOBUF; enc <= OTLP_JSON; enc++) {
        struct event_batch *b = NULL;
        struct otlp_partial partial;
        struct err e = {0};
        if (otlp_trace_decode((enum otlp_encoding)enc, message, 0, &b, &partial, &e))
            event_batch_free(b);
        else
            assert_int_not_equal(e.code, ERR_NONE);
    }
}
static void survives_damage_at_every_byte(void **state) {
    (void)state;
    struct buf b = {0};
    put_request(&b, str_n(trace_bytes, 16), str_n(span_bytes, 8));
    hostile_truncate(buf_str(&b), try_both);
    hostile_flip(buf_str(&b), try_both);
    hostile_truncate(str_c(json_request), try_both);
    hostile_flip(str_c(json_request), try_both);
    buf_done(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_protobuf_request),
        cmocka_unit_test(reads_the_same_request_as_json),
        cmocka_unit_test(accepts_base64_ids_in_json_and_counts_them),
        cmocka_unit_test(refuses_only_the_span_with_a_bad_id),
        cmocka_unit_test(keeps_every_type_of_attribute_value),
        cmocka_unit_test(refuses_values_nested_too_deep),
        cmocka_unit_test(says_where_the_text_is_broken),
        cmocka_unit_test(an_empty_request_is_an_empty_batch),
        cmocka_unit_test(survives_damage_at_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
