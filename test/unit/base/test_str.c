#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void compares_by_bytes_then_by_length(void **state) {
    (void)state;
    assert_true(str_eq(STR("a"), STR("a")) && str_eq(STR_NULL, STR("")) && !str_eq(STR("a"), STR("ab")));
    assert_true(str_cmp(STR("a"), STR("b")) < 0 && str_cmp(STR("b"), STR("ab")) > 0);
    assert_true(str_cmp(STR("a"), STR("ab")) < 0 && str_cmp(STR_NULL, STR("")) == 0);
    assert_true(str_cmp(STR("\xff"), STR("a")) > 0);
    assert_true(str_eq_nocase(STR("AbC-1"), STR("aBc-1")) && !str_eq_nocase(STR("["), STR("{")));
}

static void cuts_and_finds(void **state) {
    (void)state;
    str s = STR("a=b=c"), head;
    assert_int_equal(str_find_char(s, '='), 1);
    assert_true(str_find_char(s, 'x') == STR_NONE && str_find_char(STR_NULL, 'x') == STR_NONE);
    assert_int_equal(str_find(s, STR("=c")), 3);
    assert_true(str_find(s, STR("=d")) == STR_NONE && str_find(STR_NULL, STR("")) == 0 && str_find(STR_NULL, STR("a")) == STR_NONE);
    assert_true(str_cut(&s, '=', &head) && str_eq(head, STR("a")) && str_eq(s, STR("b=c")));
    assert_true(str_cut(&s, '=', &head) && str_eq(head, STR("b")));
    assert_true(!str_cut(&s, '=', &head) && str_eq(head, STR("c")) && s.n == 0);
    assert_true(str_eq(str_sub(STR("abc"), 1, 99), STR("bc")) && str_sub(STR("abc"), 5, 9).n == 0 && str_sub(STR_NULL, 0, 1).n == 0);
    assert_true(str_starts(STR("abc"), STR("ab")) && !str_starts(STR("a"), STR("ab")) && str_starts(STR("a"), STR_NULL));
    assert_true(str_ends(STR("abc"), STR("bc")) && !str_ends(STR("c"), STR("bc")) && str_ends(STR_NULL, STR_NULL));
    assert_true(str_eq(str_trim(STR(" \t a b\r\n")), STR("a b")) && str_trim(STR("  ")).n == 0);
}

static void reads_integers_to_their_limits(void **state) {
    (void)state;
    uint64_t u = 77;
    int64_t i = 77;
    assert_true(str_u64(STR("18446744073709551615"), &u) && u == UINT64_MAX);
    assert_true(str_i64(STR("-9223372036854775808"), &i) && i == INT64_MIN);
    assert_true(str_i64(STR("+9223372036854775807"), &i) && i == INT64_MAX);
    assert_true(str_hex_u64(STR("fFfFfFfFfFfFfFfF"), &u) && u == UINT64_MAX);
    u = 77, i = 77;
    assert_false(str_u64(STR("18446744073709551616"), &u) || str_u64(STR(""), &u) || str_u64(STR("-1"), &u) || str_u64(STR("1 "), &u));
    assert_false(str_i64(STR("9223372036854775808"), &i) || str_i64(STR("-9223372036854775809"), &i) || str_i64(STR("-"), &i) ||
                 str_i64(STR("--1"), &i));
    assert_false(str_hex_u64(STR("00000000000000001"), &u) || str_hex_u64(STR("xyz"), &u) || str_hex_u64(STR(""), &u));
    assert_true(u == 77 && i == 77);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares_by_bytes_then_by_length),
        cmocka_unit_test(cuts_and_finds),
        cmocka_unit_test(reads_integers_to_their_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
