#include "codec/thrift.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* cmocka.h wants the three above first */
#include <cmocka.h>

#define EACH_PROTOCOL(p) (enum thrift_protocol p = THRIFT_BINARY; p <= THRIFT_COMPACT; p++)

/* Every type, ids that need the long form, nested containers. */
static void put_sample(struct thrift_out *o) {
    thrift_put_struct(o, 0);
    thrift_put_bool(o, 1, true);
    thrift_put_bool(o, 2, false);
    thrift_put_i8(o, 3, -7);
    thrift_put_i16(o, 300, -30000);
    thrift_put_i32(o, 4, INT32_MIN);
    thrift_put_i64(o, 5, INT64_MIN);
    thrift_put_double(o, 6, -0.1);
    thrift_put_string(o, 7, STR("caf\xc3\xa9"));
    thrift_put_list(o, 8, THRIFT_LIST, THRIFT_BOOL, 20);
    for (int i = 0; i < 20; i++) thrift_put_bool(o, 0, i % 3 == 0);
    thrift_put_end(o);
    thrift_put_map(o, 9, THRIFT_STRING, THRIFT_SET, 1);
    thrift_put_string(o, 0, STR("key"));
    thrift_put_list(o, 0, THRIFT_SET, THRIFT_I32, 2);
    thrift_put_i32(o, 0, 1);
    thrift_put_i32(o, 0, -1);
    thrift_put_end(o);
    thrift_put_end(o);
    thrift_put_list(o, 10, THRIFT_LIST, THRIFT_STRUCT, 1);
    thrift_put_struct(o, 0);
    thrift_put_string(o, 1, STR("inner"));
    thrift_put_end(o);
    thrift_put_end(o);
    thrift_put_i64(o, 11, 42);
    thrift_put_end(o);
}

static void reads_back_what_was_written(void **state) {
    (void)state;
    for
        EACH_PROTOCOL(p) {
            struct buf b = {0};
            struct thrift_out o = {.buf = &b, .protocol = p};
            put_sample(&o);
            struct thrift c = thrift_open(buf_str(&b), p);
            assert_true(thrift_enter(&c, THRIFT_STRUCT));
            unsigned seen = 0;
            for (struct thrift_field f; thrift_next(&c, &f);) {
                seen++;
                switch (f.id) {
                case 1: assert_true(thrift_bool(&f)); break;
                case 2: assert_true(f.type == THRIFT_BOOL && !thrift_bool(&f)); break;
                case 3: assert_int_equal(thrift_int(&f), -7); break;
                case 300: assert_int_equal(thrift_int(&f), -30000); break;
                case 4: assert_true(thrift_int(&f) == INT32_MIN); break;
                case 5: assert_true(thrift_int(&f) == INT64_MIN); break;
                case 6: assert_true(thrift_double(&f) == -0.1); break;
                case 7: assert_true(str_eq(thrift_str(&f), STR("caf\xc3\xa9"))); break;
                case 8: {
                    assert_true(thrift_enter(&c, THRIFT_LIST));
                    int n = 0;
                    for (struct thrift_field i; thrift_next(&c, &i); n++) assert_int_equal(thrift_bool(&i), n % 3 == 0);
                    assert_int_equal(n, 20);
                    break;
                }
                case 9: {
                    struct thrift_field x;
                    assert_true(thrift_enter(&c, THRIFT_MAP));
                    assert_true(thrift_next(&c, &x) && str_eq(thrift_str(&x), STR("key")));
                    assert_true(thrift_next(&c, &x) && x.type == THRIFT_SET);
                    assert_false(thrift_next(&c, &x)); /* the set was skipped */
                    break;
                }
                case 10: {
                    struct thrift_field x;
                    assert_true(thrift_enter(&c, THRIFT_LIST) && thrift_next(&c, &x) && thrift_enter(&c, THRIFT_STRUCT));
                    assert_true(thrift_next(&c, &x) && str_eq(thrift_str(&x), STR("inner")));
                    assert_false(thrift_next(&c, &x));
                    assert_false(thrift_next(&c, &x));
                    break;
                }
                case 11: assert_int_equal(thrift_int(&f), 42); break;
                default: fail();
                }
            }
            assert_int_equal(seen, 12);
            assert_false(c.bad);
            assert_int_equal(thrift_offset(&c), b.n);
            buf_done(&b);
        }
}

static void skips_whatever_is_not_entered(void **state) {
    (void)state;
    for
        EACH_PROTOCOL(p) {
            struct buf b = {0};
            struct thrift_out o = {.buf = &b, .protocol = p};
            put_sample(&o);
            struct thrift c = thrift_open(buf_str(&b), p);
            assert_true(thrift_enter(&c, THRIFT_STRUCT));
            int64_t last = 0;
            for (struct thrift_field f; thrift_next(&c, &f);) last = thrift_int(&f);
            assert_int_equal(last, 42);
            assert_int_equal(thrift_offset(&c), b.n);
            buf_done(&b);
        }
}

static void takes_a_field_of_another_type_as_unknown(void **state) {
    (void)state;
    struct thrift_field f;
    struct thrift c = thrift_open(STR("\x0f\x00\x01\x03\x00\x00\x00\x01\x07\x00"), THRIFT_BINARY);
    assert_true(thrift_enter(&c, THRIFT_STRUCT) && thrift_next(&c, &f));
    assert_int_equal(f.type, THRIFT_LIST);
    assert_int_equal(thrift_int(&f), 0);
    assert_int_equal(thrift_str(&f).n, 0);
    assert_false(thrift_enter(&c, THRIFT_MAP));
    assert_false(thrift_next(&c, &f));
    assert_false(c.bad);
}

static void reads_envelopes_strict_old_and_compact(void **state) {
    (void)state;
    struct thrift_message m;
    struct thrift c = thrift_open(STR("\x80\x01\x00\x04\x00\x00\x00\x09"
                                      "emitBatch\x00\x00\x00\x07"),
                                  THRIFT_BINARY);
    assert_true(thrift_message(&c, &m));
    assert_true(str_eq(m.name, STR("emitBatch")) && m.type == THRIFT_ONEWAY && m.seq == 7);
    c = thrift_open(STR("\x00\x00\x00\x09"
                        "emitBatch\x04\x00\x00\x00\x07"),
                    THRIFT_BINARY);
    assert_true(thrift_message(&c, &m));
    assert_true(str_eq(m.name, STR("emitBatch")) && m.type == THRIFT_ONEWAY && m.seq == 7);
    c = thrift_open(STR("\x82\x81\x07\x09"
                        "emitBatch"),
                    THRIFT_COMPACT);
    assert_true(thrift_message(&c, &m));
    assert_true(str_eq(m.name, STR("emitBatch")) && m.type == THRIFT_ONEWAY && m.seq == 7);
}

static void refuses_a_foreign_envelope(void **state) {
    (void)state;
    static const struct {
        enum thrift_protocol p;
        str bytes;
    } bad[] = {{THRIFT_BINARY, STR_INIT("\x80\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00")},
               {THRIFT_BINARY, STR_INIT("\x80\x01\x00\x09\x00\x00\x00\x00\x00\x00\x00\x00")},
               {THRIFT_BINARY, STR_INIT("\x7f\xff\xff\xff"
                                        "a")},
               {THRIFT_COMPACT, STR_INIT("\x81\x81\x00\x00")},
               {THRIFT_COMPACT, STR_INIT("\x82\x82\x00\x00")},
               {THRIFT_COMPACT, STR_INIT("")}};
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        struct thrift_message m;
        struct thrift c = thrift_open(bad[i].bytes, bad[i].p);
        assert_false(thrift_message(&c, &m));
        assert_true(c.bad);
    }
}

static size_t walk(struct thrift *c) {
    size_t fields = 0;
    thrift_enter(c, THRIFT_STRUCT);
    for (struct thrift_field f; thrift_next(c, &f);) fields++;
    return fields;
}

static void notices_truncation_at_every_byte(void **state) {
    (void)state;
    for
        EACH_PROTOCOL(p) {
            struct buf b = {0};
            struct thrift_out o = {.buf = &b, .protocol = p};
            put_sample(&o);
            for (size_t n = 0; n < b.n; n++) {
                struct thrift c = thrift_open(str_n(b.p, n), p);
                walk(&c);
                assert_true(c.bad);
                assert_true(thrift_offset(&c) <= n);
            }
            buf_done(&b);
        }
}

static void refuses_sizes_beyond_the_input(void **state) {
    (void)state;
    static const struct {
        enum thrift_protocol p;
        str bytes;
    } bad[] = {
        {THRIFT_BINARY, STR_INIT("\x0b\x00\x01\x7f\xff\xff\xff"
                                 "abc")}, /* string of 2^31-1 */
        {THRIFT_BINARY, STR_INIT("\x0b\x00\x01\xff\xff\xff\xff"
                                 "abc")}, /* string of -1 */
        {THRIFT_BINARY, STR_INIT("\x0f\x00\x01\x0a\x00\x00\x00\x02"
                                 "12345678")},                             /* two i64 in 8 bytes */
        {THRIFT_BINARY, STR_INIT("\x0d\x00\x01\x0b\x0c\x7f\xff\xff\xff")}, /* map */
        {THRIFT_COMPACT, STR_INIT("\x18\xff\xff\xff\xff\x07"
                                  "abc")},
        {THRIFT_COMPACT, STR_INIT("\x19\xf1\xff\xff\xff\xff\x07\x01\x01")},
        {THRIFT_COMPACT, STR_INIT("\x1b\xff\xff\xff\xff\x07\x11\x01\x01")},
        {THRIFT_COMPACT, STR_INIT("\x16\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")}, /* varint without end */
        {THRIFT_COMPACT, STR_INIT("\x1f\x00")},                                         /* no such type */
        {THRIFT_BINARY, STR_INIT("\x07\x00\x01\x00")},
    };
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        struct thrift c = thrift_open(bad[i].bytes, bad[i].p);
        walk(&c);
        assert_true(c.bad);
    }
}

static void limits_depth(void **state) {
    (void)state;
    char bytes[60000];
    memset(bytes, 0x1c, sizeof bytes); /* compact: field of type struct, again and again */
    struct thrift c = thrift_open(str_n(bytes, sizeof bytes), THRIFT_COMPACT);
    walk(&c);
    assert_true(c.bad);
    assert_int_equal(thrift_offset(&c), THRIFT_DEPTH_MAX);
    memset(bytes, 0, THRIFT_DEPTH_MAX * 2);
    memset(bytes, 0x1c, THRIFT_DEPTH_MAX - 1);
    c = thrift_open(str_n(bytes, THRIFT_DEPTH_MAX * 2 - 1), THRIFT_COMPACT);
    assert_int_equal(walk(&c), 1);
    assert_false(c.bad);
}

static void stays_harmless_after_an_error(void **state) {
    (void)state;
    struct thrift_field f;
    struct thrift c = thrift_open(STR("\x0b\x00\x01\x7f\xff\xff\xff"), THRIFT_BINARY);
    walk(&c);
    size_t at = thrift_offset(&c);
    assert_false(thrift_next(&c, &f));
    assert_false(thrift_enter(&c, THRIFT_STRUCT));
    assert_int_equal(thrift_offset(&c), at);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_back_what_was_written),
        cmocka_unit_test(skips_whatever_is_not_entered),
        cmocka_unit_test(takes_a_field_of_another_type_as_unknown),
        cmocka_unit_test(reads_envelopes_strict_old_and_compact),
        cmocka_unit_test(refuses_a_foreign_envelope),
        cmocka_unit_test(notices_truncation_at_every_byte),
        cmocka_unit_test(refuses_sizes_beyond_the_input),
        cmocka_unit_test(limits_depth),
        cmocka_unit_test(stays_harmless_after_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
