#include "net/grpc_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "codec/compress.h"

static str frame(struct buf *b, int flag, str message) {
    buf_clear(b);
    grpc_put_prefix(b, message.n);
    b->p[0] = (char)flag;
    buf_add(b, message);
    return buf_str(b);
}

static enum grpc_status read_all(struct grpc_reader *r, str bytes, size_t step, str encoding, struct err *e) {
    for (size_t at = 0; at < bytes.n; at += step) {
        enum grpc_status status = grpc_reader_feed(r, str_sub(bytes, at, at + step), e);
        if (status != GRPC_OK) return status;
    }
    return grpc_reader_finish(r, encoding, e);
}

static void reads_a_message_cut_at_any_byte(void **state) {
    (void)state;
    struct buf b = {0};
    str in = frame(&b, 0, STR("hello, world"));
    for (size_t step = 1; step <= in.n; step++) {
        struct grpc_reader r = {.max_bytes = 100};
        struct err e;
        assert_int_equal(read_all(&r, in, step, STR(""), &e), GRPC_OK);
        assert_true(str_eq(buf_str(&r.message), STR("hello, world")));
        grpc_reader_done(&r);
    }
    buf_done(&b);
}

static void reads_an_empty_message(void **state) {
    (void)state;
    struct grpc_reader r = {.max_bytes = 0};
    struct err e;
    assert_int_equal(read_all(&r, STR("\0\0\0\0\0"), 5, STR(""), &e), GRPC_OK);
    assert_int_equal(r.message.n, 0);
    grpc_reader_done(&r);
}

static void refuses(str bytes, str encoding, size_t max, enum grpc_status expected, const char *text) {
    struct grpc_reader r = {.max_bytes = max};
    struct err e;
    assert_int_equal(read_all(&r, bytes, bytes.n ? bytes.n : 1, encoding, &e), expected);
    if (str_find(err_str(&e), str_c(text)) == STR_NONE) fail_msg("\"%s\" is not in \"%s\"", text, e.msg);
    grpc_reader_done(&r);
}

static void refuses_what_is_not_one_whole_message(void **state) {
    (void)state;
    refuses(STR(""), STR(""), 100, GRPC_UNIMPLEMENTED, "no message");
    refuses(STR("\0\0\0\0\1a\0\0\0\0\1b"), STR(""), 100, GRPC_UNIMPLEMENTED, "more than one");
    refuses(STR("\0\0\0"), STR(""), 100, GRPC_INTERNAL, "cut short");
    refuses(STR("\0\0\0\0\3ab"), STR(""), 100, GRPC_INTERNAL, "2 of 3 bytes");
    refuses(STR("\2\0\0\0\1a"), STR(""), 100, GRPC_INTERNAL, "neither 0 nor 1");
    refuses(STR("\0\xff\xff\xff\xff"), STR(""), 100, GRPC_RESOURCE_EXHAUSTED, "more than 100 bytes");
}

static void undoes_compression_within_the_limit(void **state) {
    (void)state;
    struct buf packed = {0}, b = {0};
    char zeros[1000] = {0};
    gzip_encode(str_n(zeros, sizeof zeros), 6, &packed);
    str in = frame(&b, 1, buf_str(&packed));
    struct grpc_reader r = {.max_bytes = sizeof zeros};
    struct err e;
    assert_int_equal(read_all(&r, in, 7, STR("gzip"), &e), GRPC_OK);
    assert_int_equal(r.message.n, sizeof zeros);
    grpc_reader_done(&r);
    refuses(in, STR("gzip"), sizeof zeros - 1, GRPC_RESOURCE_EXHAUSTED, "decompressed message is too large");
    refuses(in, STR(""), 2000, GRPC_INTERNAL, "names no compression");
    refuses(in, STR("snappy"), 2000, GRPC_UNIMPLEMENTED, "\"snappy\" is not supported");
    refuses(STR("\1\0\0\0\3abc"), STR("gzip"), 2000, GRPC_INTERNAL, "cannot decompress");
    buf_done(&packed);
    buf_done(&b);
}

static void reads_timeouts(void **state) {
    (void)state;
    static const struct {
        str text;
        int64_t ns;
    } good[] = {{STR_INIT("1H"), 3600 * NS_PER_S}, {STR_INIT("2M"), 120 * NS_PER_S},     {STR_INIT("10S"), 10 * NS_PER_S},
                {STR_INIT("500m"), NS_PER_S / 2},  {STR_INIT("99999999u"), 99999999000}, {STR_INIT("0n"), 0},
                {STR_INIT("99999999H"), INT64_MAX}};
    for (size_t i = 0; i < ARRAY_N(good); i++) {
        int64_t ns = -1;
        assert_true(grpc_timeout_parse(good[i].text, &ns));
        assert_int_equal(ns, good[i].ns);
    }
    static const char *const bad[] = {"", "S", "1", "1s", "1 S", "-1S", "123456789S", "1SS"};
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        int64_t ns = -1;
        assert_false(grpc_timeout_parse(str_c(bad[i]), &ns));
        assert_int_equal(ns, -1);
    }
}

static void escapes_status_texts(void **state) {
    (void)state;
    struct buf b = {0};
    grpc_put_status_text(&b, STR("50% of \"\xc3\xa9\"\n"));
    assert_true(str_eq(buf_str(&b), STR("50%25 of \"%C3%A9\"%0A")));
    buf_done(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_message_cut_at_any_byte),
        cmocka_unit_test(reads_an_empty_message),
        cmocka_unit_test(refuses_what_is_not_one_whole_message),
        cmocka_unit_test(undoes_compression_within_the_limit),
        cmocka_unit_test(reads_timeouts),
        cmocka_unit_test(escapes_status_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
