#include "net/curl.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void is_loaded_once_with_all_functions(void **state) {
    (void)state;
    struct err e = {0};
    const struct curl *c = curl_load(&e);
    if (!c) fail_msg("%s", e.msg);
    assert_ptr_equal(curl_load(NULL), c);
    assert_string_equal(c->easy_strerror(CURLE_COULDNT_CONNECT), "Couldn't connect to server");
    CURL *easy = c->easy_init();
    assert_non_null(easy);
    assert_int_equal(c->easy_setopt(easy, CURLOPT_URL, "http://localhost/"), CURLE_OK);
    c->easy_cleanup(easy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_loaded_once_with_all_functions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
