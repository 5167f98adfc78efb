#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/vec.h"

static void hands_out_aligned_memory_that_does_not_overlap(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(1);
    uint8_t *p[2000];
    for (size_t i = 0; i < ARRAY_N(p); i++) {
        p[i] = arena_alloc(a, i);
        assert_non_null(p[i]);
        assert_int_equal((uintptr_t)p[i] % 16, 0);
        memset(p[i], (int)(i & 255), i);
    }
    for (size_t i = 0; i < ARRAY_N(p); i++)
        for (size_t k = 0; k < i; k += 37) assert_int_equal(p[i][k], i & 255);
    assert_true(arena_used_bytes(a) >= ARRAY_N(p) * (ARRAY_N(p) - 1) / 2);
}

static void gives_something_for_nothing(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(256);
    assert_non_null(arena_alloc(a, 0));
    assert_int_equal(arena_str(a, STR_NULL).n, 0);
    assert_string_equal(arena_cstr(a, STR_NULL), "");
}

static void starts_again_after_reset(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(256);
    arena_reset(a);
    for (int round = 0; round < 3; round++) {
        memset(arena_alloc(a, 100000), 1, 100000);
        memset(arena_zalloc(a, 10), 1, 10);
        arena_reset(a);
        assert_int_equal(arena_used_bytes(a), 0);
    }
    const uint8_t *p = arena_zalloc(a, 100);
    for (int i = 0; i < 100; i++) assert_int_equal(p[i], 0);
}

static void grows_in_place_only_at_the_end(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(4096);
    char *p = arena_alloc(a, 16), *same = arena_grow(a, memcpy(p, "0123456789abcdef", 16), 16, 200);
    assert_ptr_equal(same, p);
    arena_alloc(a, 1);
    char *moved = arena_grow(a, p, 200, 300);
    assert_ptr_not_equal(moved, p);
    assert_memory_equal(moved, "0123456789abcdef", 16);
    struct {
        int *p;
        size_t n, cap;
    } v = {0};
    for (int i = 0; i < 10000; i++) avec_push(a, &v, i);
    for (int i = 0; i < 10000; i++) assert_int_equal(v.p[i], i);
}

static void formats_texts(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(256);
    assert_true(str_eq(arena_printf(a, "%d-%s", 5, "x"), STR("5-x")));
    assert_int_equal(arena_printf(a, "%5000d", 1).n, 5000);
    assert_true(str_eq(arena_str(a, STR("copy")), STR("copy")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hands_out_aligned_memory_that_does_not_overlap),
        cmocka_unit_test(gives_something_for_nothing),
        cmocka_unit_test(starts_again_after_reset),
        cmocka_unit_test(grows_in_place_only_at_the_end),
        cmocka_unit_test(formats_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
