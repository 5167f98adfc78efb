#include "wire/remote_read.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "codec/compress.h"
#include "codec/crc32c.h"
#include "codec/pb.h"
#include "unit/wire/hostile.h"
#include "wire/xor_chunk.h"

static void put_matcher(struct buf *b, uint64_t op, const char *name, const char *value) {
    size_t m = pb_begin(b, 3);
    pb_put_u64(b, 1, op);
    pb_put_bytes(b, 2, str_c(name));
    pb_put_bytes(b, 3, str_c(value));
    pb_end(b, m);
}

static bool decode(struct buf *message, struct arena *a, struct read_request *out, struct err *e) {
    AUTO(buf_done) struct buf packed = {0};
    snappy_encode(buf_str(message), &packed);
    buf_done(message);
    return read_request_decode(buf_str(&packed), 1 << 20, a, out, e);
}

static void reads_queries_and_matchers(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(4096);
    struct buf b = {0};
    size_t q = pb_begin(&b, 1);
    pb_put_u64(&b, 1, (uint64_t)-5);
    pb_put_u64(&b, 2, 7000);
    put_matcher(&b, MATCH_EQ, "__name__", "up");
    put_matcher(&b, MATCH_NRE, "job", "a|b");
    pb_end(&b, q);
    struct read_request r;
    struct err e;
    assert_true(decode(&b, a, &r, &e));
    assert_int_equal(r.query_n, 1);
    assert_int_equal(r.queries[0].start_ms, -5);
    assert_int_equal(r.queries[0].end_ms, 7000);
    assert_int_equal(r.queries[0].m_n, 2);
    assert_true(matcher_test(&r.queries[0].m[0], STR("up")) == MATCHER_YES);
    assert_true(matcher_test(&r.queries[0].m[1], STR("b")) == MATCHER_NO);
    assert_false(r.chunks);
    read_request_done(&r);
}

static void takes_the_first_response_type_it_knows(void **state) {
    (void)state;
    static const struct {
        const char *types;
        bool ok, chunks;
    } cases[] = {{"", true, false}, {"\x01", true, true}, {"\x01\x00", true, true}, {"\x09\x01", true, true}, {"\x09", false, false}};
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        AUTO(arena_free) struct arena *a = arena_new(4096);
        struct buf b = {0};
        size_t n = i == 2 ? 2 : strlen(cases[i].types);
        if (n) pb_put_bytes(&b, 2, str_n(cases[i].types, n));
        struct read_request r;
        struct err e;
        assert_int_equal(decode(&b, a, &r, &e), cases[i].ok);
        if (cases[i].ok) assert_int_equal(r.chunks, cases[i].chunks);
        if (cases[i].ok) read_request_done(&r);
    }
}

static void refuses_bad_requests(void **state) {
    (void)state;
    static const struct {
        uint64_t op;
        const char *value, *message;
    } cases[] = {{MATCH_RE, "(", "missing closing )"}, {4, "", "invalid matcher type 4"}};
    struct err e;
    struct read_request r;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        AUTO(arena_free) struct arena *a = arena_new(4096);
        struct buf b = {0};
        size_t q = pb_begin(&b, 1);
        put_matcher(&b, MATCH_NRE, "fine", "x+");
        put_matcher(&b, cases[i].op, "x", cases[i].value);
        pb_end(&b, q);
        assert_false(decode(&b, a, &r, &e));
        assert_non_null(strstr(e.msg, cases[i].message));
    }
    AUTO(arena_free) struct arena *a = arena_new(4096);
    assert_false(read_request_decode(STR("\xff"), 100, a, &r, &e));
    struct buf b = {0};
    buf_add(&b, STR("\x0a\x05x"));
    assert_false(decode(&b, a, &r, &e));
    assert_non_null(strstr(e.msg, "at byte"));
}

/* The test vectors of RFC 3720 B.4, and the usual one. */
static void checksums_as_the_standard_says(void **state) {
    (void)state;
    char ones[32];
    memset(ones, 0xff, sizeof ones);
    assert_int_equal(crc32c(STR("123456789")), 0xe3069283);
    assert_int_equal(crc32c(str_n((char[32]){0}, 32)), 0x8a9136aa);
    assert_int_equal(crc32c(str_n(ones, 32)), 0x62a8ab43);
    assert_int_equal(crc32c(STR("")), 0);
}

/* Written out by hand: two samples 15 s apart with the same value, and a third one a millisecond late with another. */
static void encodes_floats_bit_by_bit(void **state) {
    (void)state;
    const int64_t t[] = {0, 15000, 30001};
    const double v[] = {1, 1, 2};
    const struct samples s = {.n = 3, .t_ms = t, .v = v};
    enum chunk_encoding encoding;
    AUTO(buf_done) struct buf b = {0};
    assert_int_equal(chunk_encode(&s, 0, &encoding, &b), 3);
    assert_int_equal(encoding, CHUNK_XOR);
    /* 1.0 = 3ff0..., 2.0 = 4000...; their difference 7ff0...: leading 1, 11 significant bits.
     * 15000 = varint 98 75; then 0 (the value), 10 and 14 bits (dod 1), 11 00001 001011 and eleven ones */
    static const unsigned char want[] = {0x00, 0x03, 0x00, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0x98, 0x75, 0x40, 0x00, 0xe1, 0x2f, 0xff, 0x80};
    assert_int_equal(b.n, sizeof want);
    assert_memory_equal(b.p, want, sizeof want);
}

static void cuts_chunks_where_the_kind_changes_and_at_their_size(void **state) {
    (void)state;
    enum { N = 130 };
    static int64_t t[N];
    static double v[N];
    static const struct histogram h = {.schema = 0, .count = 1, .sum = 1}, reset = {.schema = 0, .count = 0, .sum = 0};
    const struct histogram *hs[N] = {[125] = &h, [126] = &h, [127] = &reset};
    for (int i = 0; i < N; i++) t[i] = i * 1000;
    const struct samples s = {.n = N, .t_ms = t, .v = v, .h = hs};
    static const size_t want[] = {120, 5, 2, 1, 2};
    enum chunk_encoding encoding;
    AUTO(buf_done) struct buf b = {0};
    size_t at = 0;
    for (size_t i = 0; i < ARRAY_N(want); i++) {
        size_t n = chunk_encode(&s, at, &encoding, &b);
        assert_int_equal(n, want[i]);
        assert_int_equal(encoding, i == 2 || i == 3 ? CHUNK_FLOAT_HISTOGRAM : CHUNK_XOR);
        at += n;
    }
    assert_int_equal(at, N);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_queries_and_matchers), cmocka_unit_test(takes_the_first_response_type_it_knows),
        cmocka_unit_test(refuses_bad_requests),       cmocka_unit_test(checksums_as_the_standard_says),
        cmocka_unit_test(encodes_floats_bit_by_bit),  cmocka_unit_test(cuts_chunks_where_the_kind_changes_and_at_their_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
