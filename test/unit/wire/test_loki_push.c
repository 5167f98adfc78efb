#include "wire/loki_push.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/clock.h"
#include "codec/compress.h"
#include "codec/pb.h"
#include "unit/wire/hostile.h"

enum { DECODED_MAX = 1 << 20 };
static const int64_t now = 1795348800 * NS_PER_S; /* 2026-11-22T12:00:00Z */

static struct event_batch *read_push(enum loki_encoding encoding, str body, size_t *rejected) {
    struct event_batch *b = NULL;
    struct err why, e;
    if (!loki_push_decode(encoding, body, DECODED_MAX, now, &b, rejected, &why, &e)) fail_msg("%s", e.msg);
    return b;
}
static void refused(enum loki_encoding encoding, str body, const char *part) {
    struct event_batch *b = NULL;
    size_t rejected;
    struct err why, e;
    if (loki_push_decode(encoding, body, DECODED_MAX, now, &b, &rejected, &why, &e)) fail_msg("accepted: %.*s", (int)body.n, body.p);
    if (!strstr(e.msg, part)) fail_msg("%s", e.msg);
    assert_null(b);
}

static void put_entry(struct buf *b, int64_t seconds, uint64_t nanos, const char *line, const char *key, const char *value) {
    size_t entry = pb_begin(b, 2);
    size_t time = pb_begin(b, 1);
    pb_put_u64(b, 1, (uint64_t)seconds);
    pb_put_u64(b, 2, nanos);
    pb_end(b, time);
    pb_put_bytes(b, 2, str_c(line));
    if (key) {
        size_t pair = pb_begin(b, 3);
        pb_put_bytes(b, 1, str_c(key));
        pb_put_bytes(b, 2, str_c(value));
        pb_end(b, pair);
    }
    pb_end(b, entry);
}

static void put_sample(struct buf *out) {
    AUTO(buf_done) struct buf b = {0};
    size_t stream = pb_begin(&b, 1);
    put_entry(&b, 1795348799, 5, "level=warn msg=first", "trace_id", "0af7651916cd43dd8448eb211c80319c");
    pb_put_bytes(&b, 1, STR("{app=\"shop\", path=\"C:\\\\x \\\"q\\\"\"}")); /* behind an entry */
    put_entry(&b, 1795348800, 0, "second", NULL, NULL);
    pb_end(&b, stream);
    stream = pb_begin(&b, 1);
    pb_put_bytes(&b, 1, STR("{job=\"batch\"}"));
    put_entry(&b, 1795348800, 1, "third", NULL, NULL);
    pb_end(&b, stream);
    snappy_encode(buf_str(&b), out);
}

static void reads_protobuf(void **state) {
    (void)state;
    AUTO(buf_done) struct buf body = {0};
    put_sample(&body);
    size_t rejected;
    AUTO(event_batch_free) struct event_batch *b = read_push(LOKI_PROTO, buf_str(&body), &rejected);
    assert_int_equal(b->event_n, 3);
    assert_int_equal(b->stream_n, 2);
    assert_int_equal(rejected, 0);
    const struct stream *s = &b->streams[0];
    assert_true(str_eq(s->service, STR("shop")));
    assert_true(str_eq(fields_get(s->attrs, s->attr_n, STR("path"))->s, STR("C:\\x \"q\"")));
    assert_true(str_eq(fields_get(s->attrs, s->attr_n, STR("service.name"))->s, STR("shop")));
    const struct event *e = &b->events[0];
    assert_true(e->time_ns == now - NS_PER_S + 5 && e->observed_ns == now);
    assert_int_equal(e->severity, 13);
    assert_true(e->trace.hi == 0x0af7651916cd43dd && e->trace.lo == 0x8448eb211c80319c);
    assert_int_equal(b->events[2].stream, 1);
    assert_true(str_eq(b->events[2].body, STR("third")));
}

static void reads_json_old_and_new(void **state) {
    (void)state;
    size_t rejected;
    AUTO(event_batch_free)
    struct event_batch *b =
        read_push(LOKI_JSON,
                  STR("{\"streams\":[{\"values\":[[\"1795348799000000000\",\"{\\\"level\\\":\\\"error\\\",\\\"msg\\\":\\\"no\\\"}\","
                      "{\"pod\":\"p-1\"}],[\"1795348800000000000\",\"2026-11-22T11:00:00Z INFO second\"]],"
                      "\"stream\":{\"service_name\":\"s\",\"app\":\"a\"}},"
                      "{\"labels\":\"{foo=\\\"bar\\\"}\",\"entries\":[{\"ts\":\"2026-11-22T12:00:00Z\",\"line\":\"old\"}]}]}"),
                  &rejected);
    assert_int_equal(b->event_n, 3);
    assert_true(str_eq(b->streams[0].service, STR("s")));
    assert_int_equal(b->events[0].severity, 17);
    assert_true(str_eq(b->events[0].body, STR("no")));
    assert_true(str_eq(fields_get(b->events[0].attrs, b->events[0].attr_n, STR("pod"))->s, STR("p-1")));
    assert_true(b->events[1].time_ns == now); /* the entry's time, not the line's */
    assert_int_equal(b->events[1].severity, 9);
    assert_true(b->events[2].time_ns == now);
    assert_true(b->streams[1].service.n == 0);
}

static void leaves_out_entries_whose_time_is_out_of_range(void **state) {
    (void)state;
    size_t rejected;
    AUTO(event_batch_free)
    struct event_batch *b = read_push(
        LOKI_JSON, STR("{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"99999999999999999999\",\"x\"],[\"1\",\"y\"]]}]}"), &rejected);
    assert_int_equal(b->event_n, 1);
    assert_int_equal(rejected, 1);
}

static void refuses_what_is_no_push(void **state) {
    (void)state;
    refused(LOKI_PROTO, STR("hello"), "snappy");
    refused(LOKI_JSON, STR("{\"streams\":[{\"values\":[]}]}"), "\"stream\" with labels");
    refused(LOKI_JSON, STR("{\"streams\":[{\"stream\":{},\"values\":[]}]}"), "at least one label pair");
    refused(LOKI_JSON, STR("{\"streams\":[{\"stream\":{\"a\":1},\"values\":[]}]}"), "byte 27");
    refused(LOKI_JSON, STR("{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"yesterday\",\"x\"]]}]}"), "a time in nanoseconds");
    refused(LOKI_JSON, STR("{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"1\"]]}]}"), "a line behind the time");
    static const char *const labels[] = {"a=\"b\"", "{a}", "{a=b}", "{=\"b\"}", "{a=\"b\" c=\"d\"}", "{}", ""};
    for (size_t i = 0; i < ARRAY_N(labels); i++) {
        AUTO(buf_done) struct buf b = {0}, body = {0};
        size_t stream = pb_begin(&b, 1);
        pb_put_bytes(&b, 1, str_c(labels[i]));
        pb_end(&b, stream);
        snappy_encode(buf_str(&b), &body);
        refused(LOKI_PROTO, buf_str(&body), i == 5 ? "at least one label pair" : "stream labels");
    }
}

static void decode_either(str message) {
    for (int encoding = LOKI_PROTO; encoding <= LOKI_JSON; encoding++) {
        struct event_batch *b = NULL;
        size_t rejected;
        struct err why, e;
        if (loki_push_decode((enum loki_encoding)encoding, message, DECODED_MAX, now, &b, &rejected, &why, &e)) event_batch_free(b);
    }
}

static void survives_damage_at_every_byte(void **state) {
    (void)state;
    AUTO(buf_done) struct buf body = {0};
    put_sample(&body);
    str json = STR("{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"1\",\"y\",{\"k\":\"v\"}]]}]}");
    hostile_truncate(buf_str(&body), decode_either);
    hostile_flip(buf_str(&body), decode_either);
    hostile_truncate(json, decode_either);
    hostile_flip(json, decode_either);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_protobuf),
        cmocka_unit_test(reads_json_old_and_new),
        cmocka_unit_test(leaves_out_entries_whose_time_is_out_of_range),
        cmocka_unit_test(refuses_what_is_no_push),
        cmocka_unit_test(survives_damage_at_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
