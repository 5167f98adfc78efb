#include "wire/jaeger_proto.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "codec/pb.h"
#include "hostile.h"

#define TRACE STR("\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2")
#define SPAN STR("\0\0\0\0\0\0\0\3")
#define PARENT STR("\0\0\0\0\0\0\0\4")

static void put_time(struct buf *b, uint32_t num, uint64_t seconds, uint64_t nanos) {
    size_t at = pb_begin(b, num);
    pb_put_u64(b, 1, seconds);
    pb_put_u64(b, 2, nanos);
    pb_end(b, at);
}
static void put_tag(struct buf *b, uint32_t num, str key, uint64_t type, str text, uint64_t number, double real) {
    size_t at = pb_begin(b, num);
    pb_put_bytes(b, 1, key);
    pb_put_u64(b, 2, type);
    pb_put_bytes(b, 3, text);
    pb_put_u64(b, 4, number);
    pb_put_u64(b, 5, number);
    pb_put_double(b, 6, real);
    pb_put_bytes(b, 7, text);
    pb_end(b, at);
}
static void put_reference(struct buf *b, str trace, str span, uint64_t type) {
    size_t at = pb_begin(b, 4);
    pb_put_bytes(b, 1, trace);
    pb_put_bytes(b, 2, span);
    pb_put_u64(b, 3, type);
    pb_end(b, at);
}

/* A request with one span of every kind of field; the process stands behind it. */
static void put_request(struct buf *b, str trace, str span, const char *own_service) {
    size_t batch = pb_begin(b, 1), at = pb_begin(b, 1);
    pb_put_bytes(b, 1, trace);
    pb_put_bytes(b, 2, span);
    pb_put_bytes(b, 3, STR("GET /"));
    put_reference(b, trace, PARENT, 0);
    put_reference(b, TRACE, SPAN, 1);
    pb_put_u64(b, 5, 1);
    put_time(b, 6, 1000, 5);
    put_time(b, 7, 0, 2500);
    put_tag(b, 8, STR("s"), 0, STR("text"), 1, 2.5);
    put_tag(b, 8, STR("b"), 1, STR(""), 1, 0);
    put_tag(b, 8, STR("i"), 2, STR(""), 7, 0);
    put_tag(b, 8, STR("f"), 3, STR(""), 0, 2.5);
    put_tag(b, 8, STR("x"), 4, STR("\1\2"), 0, 0);
    put_tag(b, 8, STR("span.kind"), 0, STR("client"), 0, 0);
    size_t log = pb_begin(b, 9);
    put_time(b, 1, 1000, 6);
    put_tag(b, 2, STR("event"), 0, STR("retry"), 0, 0);
    put_tag(b, 2, STR("n"), 2, STR(""), 2, 0);
    pb_end(b, log);
    if (own_service) {
        size_t own = pb_begin(b, 10);
        pb_put_bytes(b, 1, str_c(own_service));
        pb_end(b, own);
    }
    pb_end(b, at);
    size_t process = pb_begin(b, 2);
    pb_put_bytes(b, 1, STR("shop"));
    put_tag(b, 2, STR("host"), 0, STR("a"), 0, 0);
    pb_end(b, process);
    pb_end(b, batch);
}

static void reads_every_field_of_a_span(void **state) {
    (void)state;
    AUTO(buf_done) struct buf b = {0};
    put_request(&b, TRACE, SPAN, NULL);
    struct event_batch *batch;
    size_t rejected;
    struct err e;
    assert_true(jaeger_post_spans_decode(buf_str(&b), 9, &batch, &rejected, &e));
    assert_int_equal(rejected, 0);
    assert_int_equal(batch->event_n, 1);
    const struct event *ev = batch->events;
    assert_true(ev->trace.hi == 1 && ev->trace.lo == 2 && ev->span_id == 3 && ev->parent_id == 4);
    assert_true(str_eq(ev->body, STR("GET /")));
    assert_true(ev->time_ns == INT64_C(1000000000005) && ev->duration_ns == 2500 && ev->observed_ns == 9);
    assert_int_equal(ev->flags, 1);
    assert_int_equal(ev->span_kind, SPAN_CLIENT);
    assert_int_equal(ev->link_n, 1);
    assert_true(ev->links[0].follows_from);
    assert_int_equal(ev->attr_n, 6);
    assert_true(str_eq(ev->attrs[0].value.s, STR("text")));
    assert_true(ev->attrs[1].value.type == VAL_BOOL && ev->attrs[1].value.b);
    assert_true(ev->attrs[2].value.type == VAL_INT && ev->attrs[2].value.i == 7);
    assert_true(ev->attrs[3].value.type == VAL_DOUBLE);
    assert_true(ev->attrs[4].value.type == VAL_BYTES && str_eq(ev->attrs[4].value.s, STR("\1\2")));
    assert_int_equal(ev->event_n, 1);
    assert_true(str_eq(ev->events[0].name, STR("retry")) && ev->events[0].attr_n == 1);
    assert_true(str_eq(batch->streams[ev->stream].service, STR("shop")) && batch->streams[ev->stream].attr_n == 2);
    event_batch_free(batch);
}

static void prefers_the_process_of_the_span(void **state) {
    (void)state;
    AUTO(buf_done) struct buf b = {0};
    put_request(&b, TRACE, SPAN, "own");
    put_request(&b, STR("\0\0\0\0\0\0\0\x9"), SPAN, "own");
    struct event_batch *batch;
    size_t rejected;
    struct err e;
    assert_true(jaeger_post_spans_decode(buf_str(&b), 9, &batch, &rejected, &e));
    assert_int_equal(batch->stream_n, 1);
    assert_true(str_eq(batch->streams[0].service, STR("own")));
    assert_true(batch->events[1].trace.hi == 0 && batch->events[1].trace.lo == 9);
    event_batch_free(batch);
}

static void counts_spans_with_bad_ids(void **state) {
    (void)state;
    AUTO(buf_done) struct buf b = {0};
    put_request(&b, STR("short"), SPAN, NULL);
    put_request(&b, TRACE, STR(""), NULL);
    put_request(&b, TRACE, SPAN, NULL);
    struct event_batch *batch;
    size_t rejected;
    struct err e;
    assert_true(jaeger_post_spans_decode(buf_str(&b), 9, &batch, &rejected, &e));
    assert_int_equal(rejected, 2);
    assert_int_equal(batch->event_n, 1);
    event_batch_free(batch);
    assert_false(jaeger_post_spans_decode(STR("\x0a\x05\x0a"), 9, &batch, &rejected, &e));
    assert_true(e.code == ERR_INPUT && strstr(e.msg, "at byte "));
}

static void decode_hostile(str message) {
    struct event_batch *batch;
    size_t rejected;
    struct err e;
    if (!jaeger_post_spans_decode(message, 1, &batch, &rejected, &e)) return;
    for (size_t i = 0; i < batch->event_n; i++) assert_true(batch->events[i].stream < batch->stream_n);
    event_batch_free(batch);
}
static void survives_damage(void **state) {
    (void)state;
    AUTO(buf_done) struct buf b = {0};
    put_request(&b, TRACE, SPAN, "own");
    hostile_truncate(buf_str(&b), decode_hostile);
    hostile_flip(buf_str(&b), decode_hostile);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_field_of_a_span),
        cmocka_unit_test(prefers_the_process_of_the_span),
        cmocka_unit_test(counts_spans_with_bad_ids),
        cmocka_unit_test(survives_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
