#include "base/vec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static void grows_and_keeps_its_items(void **state) {
    (void)state;
    VEC(uint64_t) v = {0};
    for (uint64_t i = 0; i < 10000; i++) vec_push(&v, i * i);
    assert_int_equal(v.n, 10000);
    for (uint64_t i = 0; i < 10000; i++) assert_true(v.p[i] == i * i);
    vec_done(&v);
    assert_true(v.p == NULL && v.n == 0 && v.cap == 0);
}

static void adds_zeroed_items(void **state) {
    (void)state;
    VEC(struct { char bytes[24]; }) v = {0};
    for (int i = 0; i < 100; i++) {
        char *p = vec_add(&v)->bytes;
        for (size_t k = 0; k < 24; k++) assert_int_equal(p[k], 0);
        memset(p, 0xff, 24);
    }
    vec_done(&v);
}

static void reserves_ahead(void **state) {
    (void)state;
    VEC(int) v = {0};
    vec_reserve(&v, 1000);
    const int *before = v.p;
    for (int i = 0; i < 1000; i++) vec_push(&v, i);
    assert_ptr_equal(before, v.p);
    vec_done(&v);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_and_keeps_its_items),
        cmocka_unit_test(adds_zeroed_items),
        cmocka_unit_test(reserves_ahead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
