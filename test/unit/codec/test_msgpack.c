#include "codec/msgpack.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "unit/wire/hostile.h"

/* Every type in every size that changes the format. */
static void put_sample(struct buf *b) {
    static const int64_t ints[] = {0, 127, 128, -1, -32, -33, INT32_MAX, UINT32_MAX, INT64_MAX, INT32_MIN, INT64_MIN};
    char long_text[300] = {0};
    memset(long_text, 'x', sizeof long_text);
    msgpack_put_map(b, 7);
    msgpack_put_string(b, STR("ints"));
    msgpack_put_array(b, ARRAY_N(ints));
    for (size_t i = 0; i < ARRAY_N(ints); i++) msgpack_put_int(b, ints[i]);
    msgpack_put_string(b, STR("nil"));
    msgpack_put_nil(b);
    msgpack_put_string(b, STR("yes"));
    msgpack_put_bool(b, true);
    msgpack_put_string(b, STR("real"));
    msgpack_put_double(b, -0.1);
    msgpack_put_string(b, STR("long"));
    msgpack_put_string(b, str_n(long_text, sizeof long_text));
    msgpack_put_string(b, STR("binary"));
    msgpack_put_binary(b, STR("\x00\xff"));
    msgpack_put_int(b, 7); /* a key that is no text */
    msgpack_put_ext(b, 0, STR("12345678"));
}

static void reads_what_the_writer_writes(void **state) {
    (void)state;
    AUTO(buf_done) struct buf b = {0};
    AUTO(arena_free) struct arena *a = arena_new(1024);
    put_sample(&b);
    struct msgpack c = msgpack_open(buf_str(&b));
    struct value v;
    assert_true(msgpack_value(&c, a, &v));
    assert_true(msgpack_at_end(&c));
    assert_int_equal(v.n, 7);
    const struct value *ints = fields_get(v.fields, v.n, STR("ints"));
    assert_true(ints->items[8].i == INT64_MAX && ints->items[10].i == INT64_MIN && ints->items[5].i == -33 && ints->items[7].i == UINT32_MAX);
    assert_true(fields_get(v.fields, v.n, STR("real"))->d == -0.1);
    assert_int_equal(fields_get(v.fields, v.n, STR("long"))->s.n, 300);
    assert_int_equal(fields_get(v.fields, v.n, STR("7"))->type, VAL_BYTES);
    assert_true(fields_get(v.fields, v.n, STR("yes"))->b);
}

static void reads_the_formats_it_does_not_write(void **state) {
    (void)state;
    struct msgpack c = msgpack_open(STR("\xcc\xff\xcd\x01\x00\xd0\x80\xd1\xff\x00\xca\x3f\x80\x00\x00\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xd4\x05z"));
    struct msgpack_item i;
    static const int64_t want[] = {255, 256, -128, -256};
    for (size_t k = 0; k < ARRAY_N(want); k++) assert_true(msgpack_next(&c, &i) && i.type == MSGPACK_INT && i.i == want[k]);
    assert_true(msgpack_next(&c, &i) && i.type == MSGPACK_DOUBLE && i.d == 1.0);
    assert_true(msgpack_next(&c, &i) && i.type == MSGPACK_DOUBLE && i.d == 18446744073709551615.0);
    assert_true(msgpack_next(&c, &i) && i.type == MSGPACK_EXT && i.ext == 5 && str_eq(i.s, STR("z")));
    assert_false(msgpack_next(&c, &i));
    assert_true(c.cut);
}

static void finds_the_end_of_a_value_byte_by_byte(void **state) {
    (void)state;
    AUTO(buf_done) struct buf b = {0};
    put_sample(&b);
    size_t whole = b.n;
    msgpack_put_nil(&b);
    struct msgpack_scan s = {.left = 1};
    for (size_t n = 0; n < whole; n++) assert_int_equal(msgpack_scan(&s, str_n(b.p, n)), MSGPACK_MORE);
    assert_int_equal(msgpack_scan(&s, buf_str(&b)), MSGPACK_WHOLE);
    assert_int_equal(s.at, whole);
}

static void refuses_what_is_none(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(1024);
    struct value v;
    struct msgpack c = msgpack_open(STR("\xc1"));
    assert_false(msgpack_value(&c, a, &v));
    assert_true(c.bad && !c.cut);
    c = msgpack_open(STR("\xdd\xff\xff\xff\xff\xc0")); /* four thousand million values are announced, one comes */
    assert_false(msgpack_value(&c, a, &v));
    assert_true(c.cut && arena_used_bytes(a) < 4096);
    char deep[MSGPACK_DEPTH_MAX + 1];
    memset(deep, '\x91', sizeof deep);
    c = msgpack_open(str_n(deep, sizeof deep));
    assert_false(msgpack_value(&c, a, &v));
    assert_true(c.bad && !c.cut);
    c = msgpack_open(STR("\x81\x81\xa1k\x01\x02")); /* a map as a key */
    assert_false(msgpack_value(&c, a, &v));
    struct msgpack_scan s = {.left = 1};
    assert_int_equal(msgpack_scan(&s, STR("\x91\xc1")), MSGPACK_DAMAGED);
    str text;
    c = msgpack_open(STR("\x05"));
    assert_false(msgpack_text(&c, &text));
}

static void decode(str message) {
    AUTO(arena_free) struct arena *a = arena_new(256);
    struct msgpack c = msgpack_open(message);
    struct value v;
    if (!msgpack_value(&c, a, &v)) assert_true(c.bad && v.type == VAL_NULL);
}

static void survives_damage_at_every_byte(void **state) {
    (void)state;
    AUTO(buf_done) struct buf b = {0};
    put_sample(&b);
    hostile_truncate(buf_str(&b), decode);
    hostile_flip(buf_str(&b), decode);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_the_writer_writes),          cmocka_unit_test(reads_the_formats_it_does_not_write),
        cmocka_unit_test(finds_the_end_of_a_value_byte_by_byte), cmocka_unit_test(refuses_what_is_none),
        cmocka_unit_test(survives_damage_at_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
