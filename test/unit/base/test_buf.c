#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void grows_with_what_is_put(void **state) {
    (void)state;
    AUTO(buf_done) struct buf b = {0};
    for (int i = 0; i < 100000; i++) buf_char(&b, (char)i);
    for (int i = 0; i < 100000; i++) assert_int_equal(b.p[i], (char)i);
    buf_clear(&b);
    buf_add(&b, STR("abc"));
    buf_add(&b, STR_NULL);
    buf_put(&b, "de", 2);
    assert_true(str_eq(buf_str(&b), STR("abcde")));
    buf_done(&b);
    assert_true(b.p == NULL && b.n == 0 && b.cap == 0);
}

static void writes_integers_to_their_limits(void **state) {
    (void)state;
    AUTO(buf_done) struct buf b = {0};
    buf_u64(&b, 0);
    buf_char(&b, ' ');
    buf_u64(&b, UINT64_MAX);
    buf_char(&b, ' ');
    buf_i64(&b, INT64_MIN);
    buf_char(&b, ' ');
    buf_i64(&b, INT64_MAX);
    assert_true(str_eq(buf_str(&b), STR("0 18446744073709551615 -9223372036854775808 9223372036854775807")));
    buf_clear(&b);
    buf_le32(&b, 0x01020304);
    buf_le64(&b, 0x0102030405060708);
    assert_true(str_eq(buf_str(&b), STR("\x04\x03\x02\x01\x08\x07\x06\x05\x04\x03\x02\x01")));
}

static void formats_longer_than_its_room(void **state) {
    (void)state;
    AUTO(buf_done) struct buf b = {0};
    buf_printf(&b, "%s", "short");
    for (int n = 1; n < 300; n++) {
        size_t before = b.n;
        buf_printf(&b, "%*d", n, 7);
        assert_int_equal(b.n - before, n);
        assert_int_equal(b.p[b.n - 1], '7');
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_with_what_is_put),
        cmocka_unit_test(writes_integers_to_their_limits),
        cmocka_unit_test(formats_longer_than_its_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
