#include "query/trace/ids.h"
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
// clang-format on

static void reads_ids_of_any_length_up_to_32_digits(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t hi, lo;
    } cases[] = {{"1", 0, 1},
                 {"0000000000000001", 0, 1},
                 {"00000000000000000000000000000001", 0, 1},
                 {"ABCDEF0123456789", 0, 0xabcdef0123456789},
                 {"1abcdef0123456789", 1, 0xabcdef0123456789},
                 {"83a9efd15c1c98a977e0711cc93ee28b", 0x83a9efd15c1c98a9, 0x77e0711cc93ee28b}};
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct trace_id id;
        struct err e;
        assert_true(trace_id_parse(str_c(cases[i].text), &id, &e));
        assert_int_equal(id.hi, cases[i].hi);
        assert_int_equal(id.lo, cases[i].lo);
    }
}

static void refuses_what_is_no_id_and_says_what_one_is(void **state) {
    (void)state;
    static const char *const cases[] = {"", "xyz", "12 ", "-1", "0x12", "000000000000000000000000000000001", "123456789012345678901234567890123"};
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct trace_id id = {7, 7};
        struct err e;
        assert_false(trace_id_parse(str_c(cases[i]), &id, &e));
        assert_int_equal(e.code, ERR_INPUT);
        assert_non_null(strstr(e.msg, "1 to 32 hex digits"));
        assert_int_equal(id.hi, 7);
    }
}

static void writes_16_or_32_digits(void **state) {
    (void)state;
    struct buf b = {0};
    struct json_out o = {.buf = &b};
    json_put_array(&o);
    trace_id_put(&o, (struct trace_id){0, 0xab});
    trace_id_put(&o, (struct trace_id){1, 0xab});
    trace_id_put_32(&o, (struct trace_id){0, 0xab});
    span_id_put(&o, 5);
    json_put_array_end(&o);
    str want = STR("[\"00000000000000ab\",\"000000000000000100000000000000ab\",\"000000000000000000000000000000ab\",\"0000000000000005\"]");
    assert_true(str_eq(buf_str(&b), want));
    buf_done(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_ids_of_any_length_up_to_32_digits),
        cmocka_unit_test(refuses_what_is_no_id_and_says_what_one_is),
        cmocka_unit_test(writes_16_or_32_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
