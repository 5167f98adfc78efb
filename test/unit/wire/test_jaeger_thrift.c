#include "wire/jaeger_thrift.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "unit/wire/hostile.h"

enum { V_STRING, V_DOUBLE, V_BOOL, V_LONG, V_BINARY };

/* As the Node client does: all five value fields, whatever the type. */
static void put_tag(struct thrift_out *o, const char *key, int type) {
    thrift_put_struct(o, 0);
    thrift_put_string(o, 1, str_c(key));
    thrift_put_i32(o, 2, type);
    thrift_put_string(o, 3, STR("text"));
    thrift_put_double(o, 4, 1.5);
    thrift_put_bool(o, 5, true);
    thrift_put_i64(o, 6, 42);
    thrift_put_string(o, 7, STR("\x01\x02"));
    thrift_put_end(o);
}

static void put_reference(struct thrift_out *o, int32_t type, int64_t low, int64_t span) {
    thrift_put_struct(o, 0);
    thrift_put_i32(o, 1, type);
    thrift_put_i64(o, 2, low);
    thrift_put_i64(o, 3, 1);
    thrift_put_i64(o, 4, span);
    thrift_put_end(o);
}

static void put_span(struct thrift_out *o, int64_t id) {
    thrift_put_struct(o, 0);
    thrift_put_i64(o, 1, 2);
    thrift_put_i64(o, 2, 1);
    thrift_put_i64(o, 3, id);
    thrift_put_i64(o, 4, 0);
    thrift_put_string(o, 5, STR("GET /"));
    thrift_put_list(o, 6, THRIFT_LIST, THRIFT_STRUCT, 3);
    put_reference(o, 1, 9, 5);  /* FOLLOWS_FROM another trace */
    put_reference(o, 0, 2, 77); /* the parent */
    put_reference(o, 0, 2, 78);
    thrift_put_end(o);
    thrift_put_i32(o, 7, 1);
    thrift_put_i64(o, 8, 1485467191639875);
    thrift_put_i64(o, 9, 22938);
    thrift_put_list(o, 10, THRIFT_LIST, THRIFT_STRUCT, 6);
    put_tag(o, "s", V_STRING);
    put_tag(o, "d", V_DOUBLE);
    put_tag(o, "error", V_BOOL);
    put_tag(o, "l", V_LONG);
    put_tag(o, "b", V_BINARY);
    thrift_put_struct(o, 0);
    thrift_put_string(o, 1, STR("span.kind"));
    thrift_put_i32(o, 2, V_STRING);
    thrift_put_string(o, 3, STR("client"));
    thrift_put_end(o);
    thrift_put_end(o);
    thrift_put_list(o, 11, THRIFT_LIST, THRIFT_STRUCT, 1);
    thrift_put_struct(o, 0);
    thrift_put_i64(o, 1, 1485467191639876);
    thrift_put_list(o, 2, THRIFT_LIST, THRIFT_STRUCT, 2);
    put_tag(o, "event", V_STRING);
    put_tag(o, "n", V_LONG);
    thrift_put_end(o);
    thrift_put_end(o);
    thrift_put_end(o);
    thrift_put_map(o, 99, THRIFT_STRING, THRIFT_LIST, 1); /* unknown: skipped */
    thrift_put_string(o, 0, STR("k"));
    thrift_put_list(o, 0, THRIFT_LIST, THRIFT_I32, 2);
    thrift_put_i32(o, 0, 1);
    thrift_put_i32(o, 0, 2);
    thrift_put_end(o);
    thrift_put_end(o);
    thrift_put_end(o);
}

static void put_batch(struct thrift_out *o, int16_t id, int64_t span_id) {
    thrift_put_struct(o, id);
    thrift_put_struct(o, 1);
    thrift_put_string(o, 1, STR("api"));
    thrift_put_list(o, 2, THRIFT_LIST, THRIFT_STRUCT, 1);
    put_tag(o, "hostname", V_STRING);
    thrift_put_end(o);
    thrift_put_end(o);
    thrift_put_list(o, 2, THRIFT_LIST, THRIFT_STRUCT, 1);
    put_span(o, span_id);
    thrift_put_end(o);
    thrift_put_i64(o, 3, 12);
    thrift_put_struct(o, 4);
    thrift_put_i64(o, 1, 3);
    thrift_put_i64(o, 3, 4);
    thrift_put_end(o);
    thrift_put_end(o);
}

static void put_packet(struct buf *b, enum thrift_protocol protocol, const char *method, int64_t span_id) {
    struct thrift_out o = {.buf = b, .protocol = protocol};
    thrift_put_message(&o, &(struct thrift_message){.name = str_c(method), .type = THRIFT_ONEWAY, .seq = 1});
    thrift_put_struct(&o, 0);
    put_batch(&o, 1, span_id);
    thrift_put_end(&o);
}

static void check_api_span(const struct event_batch *b) {
    assert_int_equal(b->event_n, 1);
    assert_int_equal(b->stream_n, 1);
    assert_true(str_eq(b->streams[0].service, STR("api")));
    assert_true(str_eq(fields_get(b->streams[0].attrs, b->streams[0].attr_n, STR("hostname"))->s, STR("text")));
    assert_true(str_eq(fields_get(b->streams[0].attrs, b->streams[0].attr_n, STR("service.name"))->s, STR("api")));
    const struct event *ev = &b->events[0];
    assert_true(ev->trace.hi == 1 && ev->trace.lo == 2 && ev->span_id == 3 && ev->parent_id == 77);
    assert_true(ev->time_ns == 1485467191639875000 && ev->duration_ns == 22938000);
    assert_int_equal(ev->link_n, 3); /* the parent is not the first reference: it keeps its place */
    assert_true(ev->links[0].follows_from && ev->links[0].trace.lo == 9);
    assert_true(!ev->links[1].follows_from && ev->links[1].span_id == ev->parent_id);
    assert_true(!ev->links[2].follows_from && ev->links[2].span_id == 78);
    const struct field *f = ev->attrs;
    assert_true(str_eq(f[0].value.s, STR("text")) && f[1].value.d == 1.5 && f[2].value.b && f[3].value.i == 42 && f[4].value.type == VAL_BYTES);
    assert_int_equal(ev->span_kind, SPAN_CLIENT);
    assert_int_equal(ev->status, STATUS_ERROR);
    assert_true(str_eq(ev->events[0].name, STR("text")));
    assert_true(ev->events[0].attr_n == 1 && ev->events[0].time_ns == 1485467191639876000);
}

static void reads_emitBatch_in_both_protocols(void **state) {
    (void)state;
    for (int protocol = THRIFT_BINARY; protocol <= THRIFT_COMPACT; protocol++) {
        struct buf b = {0};
        struct event_batch *out;
        struct jaeger_info info;
        struct err e;
        put_packet(&b, (enum thrift_protocol)protocol, "emitBatch", 3);
        if (!jaeger_packet_decode(buf_str(&b), 0, &out, &info, &e)) fail_msg("%s", e.msg);
        check_api_span(out);
        assert_true(info.has_seq && info.seq_no == 12 && info.has_stats && info.client_dropped == 7);
        event_batch_free(out);
        buf_done(&b);
    }
}

static void reads_a_bare_batch(void **state) {
    (void)state;
    struct buf b = {0};
    struct thrift_out o = {.buf = &b, .protocol = THRIFT_BINARY};
    struct event_batch *out;
    struct jaeger_info info;
    put_batch(&o, 0, 3);
    assert_true(jaeger_batch_decode(buf_str(&b), 0, &out, &info, NULL));
    check_api_span(out);
    event_batch_free(out);
    buf_done(&b);
}

static void leaves_out_spans_without_id(void **state) {
    (void)state;
    struct buf b = {0};
    struct event_batch *out;
    struct jaeger_info info;
    put_packet(&b, THRIFT_COMPACT, "emitBatch", 0);
    assert_true(jaeger_packet_decode(buf_str(&b), 0, &out, &info, NULL));
    assert_true(out->event_n == 0 && info.rejected == 1);
    event_batch_free(out);
    buf_done(&b);
}

static void refuses_other_methods_and_other_bytes(void **state) {
    (void)state;
    struct buf b = {0};
    struct event_batch *out;
    struct jaeger_info info;
    struct err e;
    put_packet(&b, THRIFT_COMPACT, "emitOther", 3);
    assert_false(jaeger_packet_decode(buf_str(&b), 0, &out, &info, &e));
    assert_non_null(strstr(e.msg, "emitOther"));
    assert_false(jaeger_packet_decode(STR("hello"), 0, &out, &info, &e));
    assert_false(jaeger_packet_decode(STR(""), 0, &out, &info, &e));
    assert_int_equal(e.code, ERR_INPUT);
    buf_done(&b);
}

/* --- zipkincore */

static void put_host(struct thrift_out *o, int16_t id, const char *service, int32_t ipv4) {
    thrift_put_struct(o, id);
    thrift_put_i32(o, 1, ipv4);
    thrift_put_i16(o, 2, 80);
    thrift_put_string(o, 3, str_c(service));
    thrift_put_end(o);
}
static void put_annotation(struct thrift_out *o, int64_t time_us, const char *value, const char *service) {
    thrift_put_struct(o, 0);
    thrift_put_i64(o, 1, time_us);
    thrift_put_string(o, 2, str_c(value));
    put_host(o, 3, service, 1);
    thrift_put_end(o);
}
static void put_binary(struct thrift_out *o, const char *key, str value, int32_t type) {
    thrift_put_struct(o, 0);
    thrift_put_string(o, 1, str_c(key));
    thrift_put_string(o, 2, value);
    thrift_put_i32(o, 3, type);
    put_host(o, 4, "peer", 23456);
    thrift_put_end(o);
}
static void put_zipkin_span(struct thrift_out *o) {
    thrift_put_struct(o, 0);
    thrift_put_i64(o, 1, 1);
    thrift_put_string(o, 3, STR("call"));
    thrift_put_i64(o, 4, 2);
    thrift_put_i64(o, 5, 9);
    thrift_put_list(o, 6, THRIFT_LIST, THRIFT_STRUCT, 6);
    put_annotation(o, 100, "cs", "front");
    put_annotation(o, 110, "sr", "back");
    put_annotation(o, 115, "{\"x\":\"y\"}", "back");
    put_annotation(o, 116, "cache miss", "back");
    put_annotation(o, 120, "ss", "back");
    put_annotation(o, 130, "cr", "front");
    thrift_put_end(o);
    thrift_put_list(o, 8, THRIFT_LIST, THRIFT_STRUCT, 4);
    put_binary(o, "sa", STR("\x01"), 0);
    put_binary(o, "i16", STR("09"), 2);
    put_binary(o, "i32_bad", STR("\x01"), 3);
    put_binary(o, "double", STR("\x40\xc8\x1c\x80\x0\x0\x0\x0"), 5);
    thrift_put_end(o);
    thrift_put_end(o);
}

static void check_zipkin_spans(const struct event_batch *b) {
    assert_int_equal(b->event_n, 2);
    const struct event *client = &b->events[0], *server = &b->events[1];
    assert_true(str_eq(b->streams[client->stream].service, STR("front")) && str_eq(b->streams[server->stream].service, STR("back")));
    assert_true(client->span_kind == SPAN_CLIENT && server->span_kind == SPAN_SERVER);
    assert_true(client->time_ns == 100000 && client->duration_ns == 30000 && server->time_ns == 110000 && server->duration_ns == 10000);
    assert_true(client->parent_id == 9 && client->span_id == 2 && server->span_id == 2);
    assert_true(str_eq(fields_get(client->attrs, client->attr_n, STR("peer.service"))->s, STR("peer")));
    assert_true(fields_get(client->attrs, client->attr_n, STR("peer.ipv4"))->i == 23456);
    assert_true(fields_get(client->attrs, client->attr_n, STR("i16"))->i == 12345);
    assert_true(fields_get(client->attrs, client->attr_n, STR("double"))->d == 12345);
    assert_true(str_ends(fields_get(client->attrs, client->attr_n, STR("i32_bad"))->s, STR(": unexpected EOF")));
    assert_int_equal(client->event_n, 2);
    assert_true(str_eq(fields_get(client->events[0].attrs, client->events[0].attr_n, STR("x"))->s, STR("y")));
    assert_true(str_eq(client->events[1].name, STR("cache miss")));
}

static void splits_a_zipkin_span_into_client_and_server(void **state) {
    (void)state;
    struct buf b = {0};
    struct thrift_out o = {.buf = &b, .protocol = THRIFT_COMPACT};
    struct event_batch *out;
    struct jaeger_info info;
    thrift_put_message(&o, &(struct thrift_message){.name = STR("emitZipkinBatch"), .type = THRIFT_ONEWAY});
    thrift_put_struct(&o, 0);
    thrift_put_list(&o, 1, THRIFT_LIST, THRIFT_STRUCT, 1);
    put_zipkin_span(&o);
    thrift_put_end(&o);
    thrift_put_end(&o);
    assert_true(jaeger_packet_decode(buf_str(&b), 0, &out, &info, NULL));
    check_zipkin_spans(out);
    event_batch_free(out);
    buf_done(&b);
}

static void reads_a_bare_list_of_zipkin_spans(void **state) {
    (void)state;
    struct buf b = {0};
    struct thrift_out o = {.buf = &b, .protocol = THRIFT_BINARY};
    struct event_batch *out;
    struct jaeger_info info;
    struct err e;
    buf_put(&b, "\x0c\x00\x00\x00\x01", 5);
    put_zipkin_span(&o);
    if (!zipkin_thrift_decode(buf_str(&b), 0, &out, &info, &e)) fail_msg("%s", e.msg);
    check_zipkin_spans(out);
    event_batch_free(out);
    buf_done(&b);
}

static void decode_any(str message) {
    bool (*const decoders[])(str, int64_t, struct event_batch **, struct jaeger_info *, struct err *) = {jaeger_packet_decode, jaeger_batch_decode,
                                                                                                         zipkin_thrift_decode};
    for (size_t i = 0; i < ARRAY_N(decoders); i++) {
        struct event_batch *out;
        struct jaeger_info info;
        struct err e = {0};
        if (decoders[i](message, 0, &out, &info, &e))
            event_batch_free(out);
        else
            assert_int_equal(e.code, ERR_INPUT);
    }
}
static void survives_damage_at_every_byte(void **state) {
    (void)state;
    for (int protocol = THRIFT_BINARY; protocol <= THRIFT_COMPACT; protocol++) {
        struct buf b = {0}, z = {0};
        struct thrift_out o = {.buf = &z, .protocol = (enum thrift_protocol)protocol};
        put_packet(&b, (enum thrift_protocol)protocol, "emitBatch", 3);
        hostile_truncate(buf_str(&b), decode_any);
        hostile_flip(buf_str(&b), decode_any);
        thrift_put_message(&o, &(struct thrift_message){.name = STR("emitZipkinBatch"), .type = THRIFT_ONEWAY});
        thrift_put_struct(&o, 0);
        thrift_put_list(&o, 1, THRIFT_LIST, THRIFT_STRUCT, 1);
        put_zipkin_span(&o);
        thrift_put_end(&o);
        thrift_put_end(&o);
        hostile_truncate(buf_str(&z), decode_any);
        hostile_flip(buf_str(&z), decode_any);
        buf_done(&b);
        buf_done(&z);
    }
}

static void survives_nesting_and_impossible_lengths(void **state) {
    (void)state;
    struct buf b = {0};
    buf_put(&b,
            "\x82\x81\x01\x09"
            "emitBatch",
            13);
    for (int i = 0; i < 60000; i++) buf_char(&b, 0x1c);
    decode_any(buf_str(&b));
    buf_clear(&b);
    buf_put(&b,
            "\x82\x81\x01\xff\xff\xff\xff\x07"
            "emitBatch",
            17);
    decode_any(buf_str(&b));
    buf_done(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_emitBatch_in_both_protocols),
        cmocka_unit_test(reads_a_bare_batch),
        cmocka_unit_test(leaves_out_spans_without_id),
        cmocka_unit_test(refuses_other_methods_and_other_bytes),
        cmocka_unit_test(splits_a_zipkin_span_into_client_and_server),
        cmocka_unit_test(reads_a_bare_list_of_zipkin_spans),
        cmocka_unit_test(survives_damage_at_every_byte),
        cmocka_unit_test(survives_nesting_and_impossible_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
