#include "wire/zipkin_proto.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "codec/pb.h"
#include "unit/wire/hostile.h"

static void put_endpoint(struct buf *b, uint32_t num, const char *service, str ipv4, str ipv6, uint64_t port) {
    size_t at = pb_begin(b, num);
    pb_put_bytes(b, 1, str_c(service));
    pb_put_bytes(b, 2, ipv4);
    pb_put_bytes(b, 3, ipv6);
    pb_put_u64(b, 4, port);
    pb_end(b, at);
}

static void put_tag(struct buf *b, const char *key, const char *value) {
    size_t at = pb_begin(b, 11);
    pb_put_bytes(b, 1, str_c(key));
    pb_put_bytes(b, 2, str_c(value));
    pb_end(b, at);
}

static void put_span(struct buf *b, str trace, str id, const char *name) {
    size_t span = pb_begin(b, 1);
    pb_put_bytes(b, 1, trace);
    pb_put_bytes(b, 2, STR("\0\0\0\0\0\0\0\1"));
    pb_put_bytes(b, 3, id);
    pb_put_u64(b, 4, 1);
    pb_put_bytes(b, 5, str_c(name));
    pb_put_fixed64(b, 6, 1000);
    pb_put_u64(b, 7, 10);
    put_endpoint(b, 8, "front", STR("\x0a\0\0\1"), STR(""), 0);
    put_endpoint(b, 9, "back", STR(""), STR("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"), 80);
    size_t note = pb_begin(b, 10);
    pb_put_fixed64(b, 1, 1004);
    pb_put_bytes(b, 2, STR("retry"));
    pb_end(b, note);
    put_tag(b, "http.path", "/");
    put_tag(b, "error", "boom");
    pb_put_u64(b, 12, 1);
    pb_end(b, span);
}

static const str wide = STR_INIT("\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\3"), narrow = STR_INIT("\0\0\0\0\0\0\0\3");

static void reads_a_span_whole(void **state) {
    (void)state;
    struct buf text = {0};
    put_span(&text, wide, narrow, "get");
    struct event_batch *b;
    size_t rejected;
    struct err e;
    if (!zipkin_proto_decode(buf_str(&text), 0, &b, &rejected, &e)) fail_msg("%s", e.msg);
    const struct event *ev = &b->events[0];
    assert_true(b->event_n == 1 && rejected == 0 && str_eq(b->streams[0].service, STR("front")));
    assert_true(fields_get(b->streams[0].attrs, b->streams[0].attr_n, STR("ip"))->i == (10 << 24 | 1));
    assert_true(ev->trace.hi == 2 && ev->trace.lo == 3 && ev->span_id == 3 && ev->parent_id == 1 && ev->flags == 2);
    assert_true(ev->time_ns == 1000000 && ev->duration_ns == 10000 && str_eq(ev->body, STR("get")));
    assert_true(ev->span_kind == SPAN_CLIENT && ev->status == STATUS_ERROR);
    assert_true(str_eq(fields_get(ev->attrs, ev->attr_n, STR("http.path"))->s, STR("/")));
    assert_true(str_eq(fields_get(ev->attrs, ev->attr_n, STR("peer.ipv6"))->s, STR("::1")));
    assert_true(fields_get(ev->attrs, ev->attr_n, STR("peer.port"))->i == 80);
    assert_true(ev->event_n == 1 && ev->events[0].time_ns == 1004000 && str_eq(ev->events[0].name, STR("retry")));
    event_batch_free(b);
    buf_done(&text);
}

static void refuses_spans_with_ids_of_other_lengths_alone(void **state) {
    (void)state;
    struct buf text = {0};
    put_span(&text, STR("\1\2"), narrow, "short trace id");
    put_span(&text, wide, STR("\1\2\3\4"), "short span id");
    put_span(&text, narrow, narrow, "good");
    struct event_batch *b;
    size_t rejected;
    struct err e;
    if (!zipkin_proto_decode(buf_str(&text), 0, &b, &rejected, &e)) fail_msg("%s", e.msg);
    assert_true(b->event_n == 1 && rejected == 2 && b->events[0].trace.hi == 0 && b->events[0].trace.lo == 3);
    event_batch_free(b);
    buf_done(&text);
}

static void refuses_text_that_is_not_utf8_and_says_where(void **state) {
    (void)state;
    struct buf text = {0};
    put_span(&text, wide, narrow, "\xff");
    struct event_batch *b;
    size_t rejected;
    struct err e;
    assert_false(zipkin_proto_decode(buf_str(&text), 0, &b, &rejected, &e));
    assert_true(e.code == ERR_INPUT);
    assert_non_null(strstr(e.msg, "UTF-8"));
    buf_done(&text);
}

static void decode(str message) {
    struct event_batch *b;
    size_t rejected;
    if (zipkin_proto_decode(message, 0, &b, &rejected, NULL)) event_batch_free(b);
}

static void survives_every_cut_and_every_changed_byte(void **state) {
    (void)state;
    struct buf text = {0};
    put_span(&text, wide, narrow, "get");
    hostile_truncate(buf_str(&text), decode);
    hostile_flip(buf_str(&text), decode);
    buf_done(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_span_whole),
        cmocka_unit_test(refuses_spans_with_ids_of_other_lengths_alone),
        cmocka_unit_test(refuses_text_that_is_not_utf8_and_says_where),
        cmocka_unit_test(survives_every_cut_and_every_changed_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
