#include "wire/fluent_forward.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/clock.h"
#include "codec/compress.h"
#include "codec/msgpack.h"
#include "codec/sha512.h"
#include "unit/wire/hostile.h"

enum { DECODED_MAX = 1 << 20 };
static const int64_t now = 1795348800 * NS_PER_S; /* 2026-11-22T12:00:00Z */

static struct event_batch *read_message(str message, struct forward_message *info) {
    struct log_batch b = log_batch_new(1024);
    struct err e;
    if (!forward_decode(message, now, DECODED_MAX, &b, info, &e)) fail_msg("%s", e.msg);
    return log_batch_finish(&b);
}

static void put_time(struct buf *b, uint32_t seconds, uint32_t nanos) {
    uint32_t parts[] = {htobe32(seconds), htobe32(nanos)};
    msgpack_put_ext(b, 0, str_n(parts, sizeof parts));
}

/* As Fluentd's kubernetes_metadata filter makes it. */
static void put_record(struct buf *b, const char *log) {
    msgpack_put_map(b, 3);
    msgpack_put_string(b, STR("log"));
    msgpack_put_string(b, str_c(log));
    msgpack_put_string(b, STR("stream"));
    msgpack_put_string(b, STR("stdout"));
    msgpack_put_string(b, STR("kubernetes"));
    msgpack_put_map(b, 2);
    msgpack_put_string(b, STR("container_name"));
    msgpack_put_string(b, STR("web"));
    msgpack_put_string(b, STR("labels"));
    msgpack_put_map(b, 1);
    msgpack_put_string(b, STR("app"));
    msgpack_put_string(b, STR("shop"));
}

static void put_entries(struct buf *b) {
    msgpack_put_array(b, 2);
    put_time(b, 1795348799, 250000000);
    put_record(b, "{\"level\":\"error\",\"msg\":\"no stock\"}\n");
    msgpack_put_array(b, 2); /* Fluent Bit 2 */
    msgpack_put_array(b, 2);
    msgpack_put_int(b, 1795348799);
    msgpack_put_map(b, 0);
    put_record(b, "WARN: slow\n");
}

static void put_options(struct buf *b, const char *compressed) {
    msgpack_put_map(b, compressed ? 3 : 2);
    msgpack_put_string(b, STR("size"));
    msgpack_put_int(b, 2);
    msgpack_put_string(b, STR("chunk"));
    msgpack_put_string(b, STR("p8n9gmxTQVC8/nh2wlKKeQ=="));
    if (!compressed) return;
    msgpack_put_string(b, STR("compressed"));
    msgpack_put_string(b, str_c(compressed));
}

enum mode { FORWARD, PACKED, GZIP, ZSTD, MODE_N };

static void put_message(struct buf *b, enum mode mode) {
    AUTO(buf_done) struct buf entries = {0}, packed = {0};
    put_entries(&entries);
    msgpack_put_array(b, 3);
    msgpack_put_string(b, STR("kube.web"));
    switch (mode) {
    case FORWARD:
        msgpack_put_array(b, 2);
        buf_add(b, buf_str(&entries));
        return put_options(b, NULL);
    case PACKED: msgpack_put_binary(b, buf_str(&entries)); return put_options(b, NULL);
    case GZIP:
        gzip_encode(buf_str(&entries), 1, &packed);
        msgpack_put_binary(b, buf_str(&packed));
        return put_options(b, "gzip");
    case ZSTD:
        zstd_encode(buf_str(&entries), 1, &packed);
        msgpack_put_binary(b, buf_str(&packed));
        return put_options(b, "zstd");
    case MODE_N: break;
    }
}

static void reads_every_mode_that_carries_many(void **state) {
    (void)state;
    for (enum mode mode = FORWARD; mode < MODE_N; mode++) {
        AUTO(buf_done) struct buf m = {0};
        put_message(&m, mode);
        struct forward_message info;
        AUTO(event_batch_free) struct event_batch *b = read_message(buf_str(&m), &info);
        assert_int_equal(b->event_n, 2);
        assert_true(str_eq(info.chunk, STR("p8n9gmxTQVC8/nh2wlKKeQ==")));
        assert_true(!info.unreadable && info.rejected == 0);
        assert_int_equal(b->stream_n, 1);
        assert_true(str_eq(b->streams[0].service, STR("shop")));
        assert_true(str_eq(fields_get(b->streams[0].attrs, b->streams[0].attr_n, STR("tag"))->s, STR("kube.web")));
        const struct event *e = b->events;
        assert_true(e[0].time_ns == now - 750 * NS_PER_MS && e[1].time_ns == now - NS_PER_S);
        assert_true(e[0].observed_ns == now);
        assert_true(str_eq(e[0].body, STR("no stock")));
        assert_int_equal(e[0].severity, 17);
        assert_int_equal(e[1].severity, 13);
        assert_true(str_eq(e[1].body, STR("WARN: slow")));
        assert_non_null(fields_get(e[0].attrs, e[0].attr_n, STR("level")));
        assert_int_equal(fields_get(e[1].attrs, e[1].attr_n, STR("kubernetes"))->type, VAL_MAP);
    }
}

static void reads_single_messages_and_heartbeats(void **state) {
    (void)state;
    AUTO(buf_done) struct buf m = {0};
    msgpack_put_array(&m, 3);
    msgpack_put_string(&m, STR("app.access"));
    msgpack_put_int(&m, 1795348799);
    msgpack_put_map(&m, 1);
    msgpack_put_string(&m, STR("message"));
    msgpack_put_string(&m, STR("hello"));
    struct forward_message info;
    AUTO(event_batch_free) struct event_batch *b = read_message(buf_str(&m), &info);
    assert_int_equal(b->event_n, 1);
    assert_int_equal(info.chunk.n, 0);
    assert_true(b->events[0].time_ns == now - NS_PER_S);
    assert_true(str_eq(b->streams[0].service, STR("app.access")));
    AUTO(event_batch_free) struct event_batch *none = read_message(STR("\xc0"), &info);
    assert_int_equal(none->event_n, 0);
}

static void counts_entries_that_are_none(void **state) {
    (void)state;
    AUTO(buf_done) struct buf m = {0}, entries = {0};
    msgpack_put_int(&entries, 7);
    msgpack_put_array(&entries, 2);
    msgpack_put_int(&entries, 7);
    msgpack_put_string(&entries, STR("not a map"));
    put_entries(&entries);
    buf_char(&entries, (char)0xc1);
    msgpack_put_array(&m, 2);
    msgpack_put_string(&m, STR("t"));
    msgpack_put_binary(&m, buf_str(&entries));
    struct forward_message info;
    AUTO(event_batch_free) struct event_batch *b = read_message(buf_str(&m), &info);
    assert_int_equal(b->event_n, 2);
    assert_int_equal(info.rejected, 2);
    assert_true(info.unreadable);
    assert_string_equal(info.why.msg, "an entry must be [time, record]");
}

static void refuses_what_is_no_message(void **state) {
    (void)state;
    static const char *const bad[] = {"\x01", "\x91\xa1t", "\x93\x01\x02\x80", "\x95\xa1t\x01\x80\x80\x80", "\xa3tag", "GET / HTTP/1.1\r\n"};
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        struct log_batch b = log_batch_new(256);
        struct forward_message info;
        struct err e;
        assert_false(forward_decode(str_c(bad[i]), now, DECODED_MAX, &b, &info, &e));
        log_batch_done(&b);
    }
}

static bool shake_hands(const char *client_key, struct buf *pong) {
    str nonce = STR("0123456789abcdef");
    char hex[SHA512_HEX];
    const str parts[] = {STR("salt"), STR("client"), nonce, str_c(client_key)};
    sha512_hex(parts, 4, hex);
    AUTO(buf_done) struct buf ping = {0};
    msgpack_put_array(&ping, 6);
    msgpack_put_string(&ping, STR("PING"));
    msgpack_put_string(&ping, STR("client"));
    msgpack_put_string(&ping, STR("salt"));
    msgpack_put_string(&ping, str_n(hex, sizeof hex));
    msgpack_put_string(&ping, STR(""));
    msgpack_put_string(&ping, STR(""));
    struct err e;
    return forward_answer_ping(buf_str(&ping), nonce, STR("secret"), STR("server"), pong, &e);
}

static void the_handshake_proves_the_key_both_ways(void **state) {
    (void)state;
    AUTO(buf_done) struct buf good = {0}, bad = {0}, helo = {0};
    assert_true(shake_hands("secret", &good));
    char hex[SHA512_HEX];
    const str parts[] = {STR("salt"), STR("server"), STR("0123456789abcdef"), STR("secret")};
    sha512_hex(parts, 4, hex);
    assert_true(str_find(buf_str(&good), str_n(hex, sizeof hex)) != STR_NONE);
    assert_false(shake_hands("guess", &bad));
    assert_true(str_find(buf_str(&bad), STR("shared_key mismatch")) != STR_NONE);
    assert_true(str_find(buf_str(&bad), str_n(hex, sizeof hex)) == STR_NONE);
    struct err e;
    AUTO(buf_done) struct buf pong = {0};
    forward_put_helo(&helo, STR("0123456789abcdef"));
    assert_false(forward_answer_ping(buf_str(&helo), STR("n"), STR("secret"), STR("server"), &pong, &e));
}

static void decode(str message) {
    struct log_batch b = log_batch_new(256);
    struct forward_message info;
    struct err e;
    if (!forward_decode(message, now, DECODED_MAX, &b, &info, &e)) assert_int_equal(e.code, ERR_INPUT);
    log_batch_done(&b);
}

static void survives_damage_at_every_byte(void **state) {
    (void)state;
    for (enum mode mode = FORWARD; mode < MODE_N; mode++) {
        AUTO(buf_done) struct buf m = {0};
        put_message(&m, mode);
        hostile_truncate(buf_str(&m), decode);
        hostile_flip(buf_str(&m), decode);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_mode_that_carries_many),     cmocka_unit_test(reads_single_messages_and_heartbeats),
        cmocka_unit_test(counts_entries_that_are_none),           cmocka_unit_test(refuses_what_is_no_message),
        cmocka_unit_test(the_handshake_proves_the_key_both_ways), cmocka_unit_test(survives_damage_at_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
