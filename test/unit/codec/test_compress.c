#include "codec/compress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct format {
    const char *name;
    bool (*decode)(str in, size_t max_bytes, struct buf *out, struct err *e);
    void (*encode)(str in, struct buf *out);
};

static void gzip6(str in, struct buf *out) {
    gzip_encode(in, 6, out);
}
static void zstd1(str in, struct buf *out) {
    zstd_encode(in, 1, out);
}
static const struct format formats[3] = {{"gzip", gzip_decode, gzip6}, {"zstd", zstd_decode, zstd1}, {"snappy", snappy_decode, snappy_encode}};
#define EACH_FORMAT(f) (const struct format *f = formats; f < formats + ARRAY_N(formats); f++)

static struct buf lines(size_t n_bytes) {
    struct buf b = {0};
    for (unsigned i = 0; b.n < n_bytes; i++) buf_printf(&b, "line %u of a log that compresses well\n", i);
    b.n = n_bytes;
    return b;
}

static void reads_back_what_was_written(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 100, 65536, 3000000};
    for
        EACH_FORMAT(f) {
            for (size_t i = 0; i < ARRAY_N(sizes); i++) {
                struct buf in = lines(sizes[i]), packed = {0}, out = {0};
                struct err e;
                buf_add(&out, STR("kept"));
                f->encode(buf_str(&in), &packed);
                if (!f->decode(buf_str(&packed), sizes[i], &out, &e)) fail_msg("%s: %s", f->name, e.msg);
                assert_int_equal(out.n, 4 + sizes[i]);
                assert_memory_equal(out.p, "kept", 4);
                if (sizes[i]) assert_memory_equal(out.p + 4, in.p, sizes[i]);
                buf_done(&in);
                buf_done(&packed);
                buf_done(&out);
            }
        }
}

static void stops_at_the_limit(void **state) {
    (void)state;
    for
        EACH_FORMAT(f) {
            struct buf in = {0}, packed = {0}, out = {0};
            struct err e;
            buf_reserve(&in, 64 << 20);
            in.n = 64 << 20;
            memset(in.p, 'x', in.n);
            f->encode(buf_str(&in), &packed);
            buf_add(&out, STR("kept"));
            assert_false(f->decode(buf_str(&packed), 1 << 20, &out, &e));
            assert_int_equal(e.code, ERR_LIMIT);
            assert_non_null(strstr(e.msg, "limit of 1048576 bytes"));
            assert_int_equal(out.n, 4);
            assert_true(out.cap <= 4 << 20); /* a bomb costs no more than the limit */
            assert_false(f->decode(buf_str(&packed), in.n - 1, &out, &e));
            assert_int_equal(e.code, ERR_LIMIT);
            assert_true(f->decode(buf_str(&packed), in.n, &out, &e));
            buf_done(&in);
            buf_done(&packed);
            buf_done(&out);
        }
}

static void refuses_truncation_garbage_and_damage(void **state) {
    (void)state;
    for
        EACH_FORMAT(f) {
            struct buf in = lines(3000), packed = {0}, out = {0};
            struct err e;
            f->encode(buf_str(&in), &packed);
            for (size_t n = 0; n < packed.n; n++) {
                assert_false(f->decode(str_n(packed.p, n), 1 << 20, &out, &e));
                assert_int_equal(e.code, ERR_INPUT);
                assert_int_equal(out.n, 0);
            }
            buf_char(&packed, 'x');
            assert_false(f->decode(buf_str(&packed), 1 << 20, &out, &e));
            assert_int_equal(e.code, ERR_INPUT);
            assert_false(f->decode(STR("this is not compressed at all"), 1 << 20, &out, &e));
            assert_int_equal(e.code, ERR_INPUT);
            assert_int_equal(out.n, 0);
            buf_done(&in);
            buf_done(&packed);
            buf_done(&out);
        }
}

static void joins_gzip_members_and_zstd_frames(void **state) {
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct buf in = lines(100000), packed = {0}, out = {0};
        struct err e;
        formats[i].encode(buf_str(&in), &packed);
        formats[i].encode(STR(""), &packed);
        formats[i].encode(buf_str(&in), &packed);
        formats[i].encode(STR("end"), &packed);
        assert_true(formats[i].decode(buf_str(&packed), 200003, &out, &e));
        assert_int_equal(out.n, 200003);
        assert_memory_equal(out.p + 100000, in.p, 100000);
        assert_memory_equal(out.p + 200000, "end", 3);
        buf_clear(&out);
        assert_false(formats[i].decode(buf_str(&packed), 200002, &out, &e));
        assert_int_equal(e.code, ERR_LIMIT);
        buf_done(&in);
        buf_done(&packed);
        buf_done(&out);
    }
}

static void reads_a_zlib_wrapper_too(void **state) {
    (void)state;
    struct buf out = {0};
    struct err e;
    str packed = STR("\x78\x9c\xcb\x48\xcd\xc9\xc9\x07\x00\x06\x2c\x02\x15"); /* "hello", RFC 1950 */
    assert_true(gzip_decode(packed, 100, &out, &e));
    assert_true(str_eq(buf_str(&out), STR("hello")));
    struct buf longer = {0};
    buf_add(&longer, packed);
    buf_add(&longer, packed);
    assert_false(gzip_decode(buf_str(&longer), 100, &out, &e));
    assert_int_equal(e.code, ERR_INPUT);
    buf_done(&longer);
    buf_done(&out);
}

static void does_not_believe_a_lying_length(void **state) {
    (void)state;
    struct buf out = {0};
    struct err e;
    assert_false(snappy_decode(STR("\xff\xff\xff\xff\x07\x00x"), SIZE_MAX, &out, &e)); /* 2 GiB from two bytes */
    assert_int_equal(e.code, ERR_INPUT);
    assert_true(out.cap < 1 << 20);
    buf_done(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_back_what_was_written),
        cmocka_unit_test(stops_at_the_limit),
        cmocka_unit_test(refuses_truncation_garbage_and_damage),
        cmocka_unit_test(joins_gzip_members_and_zstd_frames),
        cmocka_unit_test(reads_a_zlib_wrapper_too),
        cmocka_unit_test(does_not_believe_a_lying_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
