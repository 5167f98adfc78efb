#include "codec/pb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void reads_back_every_wire_type(void **state) {
    (void)state;
    struct buf b = {0};
    pb_put_u64(&b, 1, UINT64_MAX);
    pb_put_sint(&b, 2, INT64_MIN);
    pb_put_fixed64(&b, 3, 0x0102030405060708);
    pb_put_fixed32(&b, 4, 0xdeadbeef);
    pb_put_double(&b, 5, -0.5);
    pb_put_bytes(&b, 536870911, STR("bytes"));
    pb_put_u64(&b, 7, (uint64_t)-5);
    pb_put_u64(&b, 8, 0);
    struct pb c = pb_open(buf_str(&b));
    struct pb_field f;
    assert_true(pb_next(&c, &f) && f.num == 1 && f.type == PB_VARINT && f.u == UINT64_MAX);
    assert_true(pb_next(&c, &f) && pb_sint(&f) == INT64_MIN);
    assert_true(pb_next(&c, &f) && f.type == PB_FIXED64 && f.u == 0x0102030405060708);
    assert_true(pb_next(&c, &f) && f.type == PB_FIXED32 && f.u == 0xdeadbeef);
    assert_true(pb_next(&c, &f) && pb_double(&f) == -0.5);
    assert_true(pb_next(&c, &f) && f.num == 536870911 && str_eq(pb_bytes(&f), STR("bytes")));
    assert_true(pb_next(&c, &f) && pb_i64(&f) == -5);
    assert_true(pb_next(&c, &f) && f.num == 8 && f.u == 0);
    assert_false(pb_next(&c, &f));
    assert_false(c.bad);
    buf_done(&b);
}

static void gives_zero_for_a_wrong_wire_type(void **state) {
    (void)state;
    struct pb_field varint = {.num = 1, .type = PB_VARINT, .u = 5};
    struct pb_field bytes = {.num = 1, .type = PB_BYTES, .bytes = STR_INIT("x")};
    assert_true(pb_double(&varint) == 0);
    assert_int_equal(pb_bytes(&varint).n, 0);
    assert_int_equal(pb_i64(&bytes), 0);
    assert_int_equal(pb_sint(&bytes), 0);
}

static void nests_submessages_of_any_length(void **state) {
    (void)state;
    static const size_t lengths[] = {0, 1, 127, 128, 129, 16383, 16384, 2097152};
    for (size_t i = 0; i < ARRAY_N(lengths); i++) {
        struct buf b = {0};
        char *fill = calloc(1, lengths[i] + 1);
        assert_non_null(fill);
        size_t outer = pb_begin(&b, 1), inner = pb_begin(&b, 2);
        pb_put_bytes(&b, 3, str_n(fill, lengths[i]));
        pb_end(&b, inner);
        pb_put_u64(&b, 4, 9);
        pb_end(&b, outer);
        struct pb_field f;
        struct pb c = pb_open(buf_str(&b));
        assert_true(pb_next(&c, &f) && f.num == 1 && c.at == c.end);
        c = pb_open(f.bytes);
        struct pb_field in;
        assert_true(pb_next(&c, &in) && in.num == 2);
        struct pb d = pb_open(in.bytes);
        assert_true(pb_next(&d, &in) && in.num == 3 && in.bytes.n == lengths[i]);
        assert_true(pb_next(&c, &in) && in.num == 4 && in.u == 9);
        assert_false(pb_next(&c, &in));
        free(fill);
        buf_done(&b);
    }
}

static void reads_packed_and_single_scalars(void **state) {
    (void)state;
    uint64_t v;
    struct pb_field packed = {.num = 1, .type = PB_BYTES, .bytes = STR_INIT("\x01\xac\x02\x00")};
    struct pb_packed p = pb_packed_open(&packed, PB_VARINT);
    assert_true(pb_packed_next(&p, &v) && v == 1);
    assert_true(pb_packed_next(&p, &v) && v == 300);
    assert_true(pb_packed_next(&p, &v) && v == 0);
    assert_false(pb_packed_next(&p, &v));
    assert_false(p.c.bad);
    struct pb_field one = {.num = 1, .type = PB_VARINT, .u = 7};
    p = pb_packed_open(&one, PB_VARINT);
    assert_true(pb_packed_next(&p, &v) && v == 7);
    assert_false(pb_packed_next(&p, &v));
    p = pb_packed_open(&one, PB_FIXED64); /* another wire type: as if it were absent */
    assert_false(pb_packed_next(&p, &v));
    assert_false(p.c.bad);
    packed.bytes = STR("\x01\x02\x03\x04\x05\x06\x07\x08\x09");
    p = pb_packed_open(&packed, PB_FIXED64);
    assert_true(pb_packed_next(&p, &v) && v == 0x0807060504030201);
    assert_false(pb_packed_next(&p, &v));
    assert_true(p.c.bad);
}

static void skips_groups(void **state) {
    (void)state;
    struct pb_field f;
    /* field 1: group {2: varint, 3: group {}, 4: bytes}, then field 5 = 6 */
    struct pb c = pb_open(STR("\x0b\x10\x01\x1b\x1c\x22\x01x\x0c\x28\x06"));
    assert_true(pb_next(&c, &f) && f.num == 5 && f.u == 6);
    assert_false(pb_next(&c, &f));
    assert_false(c.bad);
}

static void refuses_damage_and_says_where(void **state) {
    (void)state;
    static const struct {
        str bytes;
        size_t at;
    } bad[] = {
        {STR_INIT("\x08"), 0},                                             /* no value */
        {STR_INIT("\x08\x01\x10\x80"), 2},                                 /* half a varint */
        {STR_INIT("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), 0}, /* eleven bytes */
        {STR_INIT("\x09\x01\x02\x03\x04\x05\x06\x07"), 0},                 /* short fixed64 */
        {STR_INIT("\x0d\x01\x02\x03"), 0},                                 /* short fixed32 */
        {STR_INIT("\x0a\x05"
                  "abcd"),
         0}, /* short bytes */
        {STR_INIT("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                  "abcd"),
         0},                                           /* 2^64-1 bytes */
        {STR_INIT("\x00\x01"), 0},                     /* field 0 */
        {STR_INIT("\x0e\x01"), 0},                     /* wire type 6 */
        {STR_INIT("\x0f\x01"), 0},                     /* wire type 7 */
        {STR_INIT("\x0c"), 0},                         /* end of no group */
        {STR_INIT("\x0b\x14"), 0},                     /* end of another group */
        {STR_INIT("\x0b\x10\x01"), 0},                 /* group without end */
        {STR_INIT("\x80\x80\x80\x80\x80\x01\x00"), 0}, /* a tag past 32 bits */
    };
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        struct pb_field f;
        struct pb c = pb_open(bad[i].bytes);
        while (pb_next(&c, &f)) continue;
        assert_true(c.bad);
        assert_int_equal(pb_offset(&c), bad[i].at);
        assert_false(pb_next(&c, &f));
    }
    char deep[1000];
    memset(deep, 0x0b, sizeof deep);
    struct pb_field f;
    struct pb c = pb_open(str_n(deep, sizeof deep));
    assert_false(pb_next(&c, &f));
    assert_true(c.bad);
}

static void reads_nothing_from_nothing(void **state) {
    (void)state;
    struct pb_field f;
    struct pb c = pb_open(STR_NULL);
    assert_false(pb_next(&c, &f));
    assert_false(c.bad);
    assert_int_equal(pb_offset(&c), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_back_every_wire_type),
        cmocka_unit_test(gives_zero_for_a_wrong_wire_type),
        cmocka_unit_test(nests_submessages_of_any_length),
        cmocka_unit_test(reads_packed_and_single_scalars),
        cmocka_unit_test(skips_groups),
        cmocka_unit_test(refuses_damage_and_says_where),
        cmocka_unit_test(reads_nothing_from_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
