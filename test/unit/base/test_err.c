#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void returns_false_and_keeps_code_and_words(void **state) {
    (void)state;
    struct err e = {0};
    assert_false(err_set(&e, ERR_LIMIT, "more than %d", 5));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_string_equal(e.msg, "more than 5");
    assert_false(err_wrap(&e, "scrape %s", "x"));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_string_equal(e.msg, "scrape x: more than 5");
    assert_false(err_set(&e, ERR_INPUT, "again: %s", e.msg)); /* its own message as argument */
    assert_string_equal(e.msg, "again: scrape x: more than 5");
    assert_false(err_errno(&e, ERR_IO, ENOENT, "open %s", "f"));
    assert_string_equal(e.msg, "open f: No such file or directory");
    assert_false(err_set(NULL, ERR_IO, "nobody listens") || err_wrap(NULL, "x") || err_errno(NULL, ERR_IO, 1, "x"));
}

static void cuts_long_messages_at_a_character(void **state) {
    (void)state;
    struct err e = {0};
    char text[600];
    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'a', shift);
        for (size_t i = 0; i < 100; i++) memcpy(text + shift + 4 * i, "\xf0\x9f\x98\x80", 5);
        err_set(&e, ERR_INPUT, "%s", text);
        size_t n = strlen(e.msg);
        assert_int_equal((n - shift) % 4, 0);
        assert_true(n < sizeof e.msg && n + 4 >= sizeof e.msg);
    }
    memset(text, 'b', sizeof text - 1);
    text[sizeof text - 1] = 0;
    err_set(&e, ERR_INPUT, "%s", text);
    assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
}

static void maps_every_code_to_every_world(void **state) {
    (void)state;
    for (int code = ERR_NONE; code <= ERR_TOO_LARGE; code++) {
        assert_non_null(err_name((enum err_code)code));
        assert_in_range(err_http_status((enum err_code)code), 200, 599);
        assert_in_range(err_grpc_status((enum err_code)code), 0, 16);
        for (int other = 0; other < code; other++) assert_true(err_exit_code((enum err_code)code) != err_exit_code((enum err_code)other));
    }
    assert_int_equal(err_http_status(ERR_INPUT), 400);
    assert_int_equal(err_grpc_status(ERR_LIMIT), 8);
    assert_int_equal(err_http_status(ERR_TOO_LARGE), 413);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(returns_false_and_keeps_code_and_words),
        cmocka_unit_test(cuts_long_messages_at_a_character),
        cmocka_unit_test(maps_every_code_to_every_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
