#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static size_t count(const struct map *m, uint64_t hash) {
    size_t n = 0;
    for (size_t at = map_first(m, hash); at != MAP_END; at = map_next(m, at, hash)) n++;
    return n;
}

static void finds_what_was_put(void **state) {
    (void)state;
    struct map m = {0};
    assert_true(map_first(&m, 5) == MAP_END);
    for (uint64_t i = 0; i < 10000; i++) map_put(&m, i * 7919, i + 1);
    assert_int_equal(m.n, 10000);
    for (uint64_t i = 0; i < 10000; i++) {
        size_t at = map_first(&m, i * 7919);
        assert_true(at != MAP_END && m.slots[at].value == i + 1);
        assert_true(map_next(&m, at, i * 7919) == MAP_END);
    }
    assert_true(map_first(&m, 1) == MAP_END);
    map_done(&m);
    assert_int_equal(m.cap, 0);
}

static void keeps_all_entries_of_one_hash(void **state) {
    (void)state;
    struct map m = {0};
    for (uint64_t i = 1; i <= 100; i++) {
        map_put(&m, 42, i);
        map_put(&m, 42 + (i << 40), i); /* the same slots, other hashes */
    }
    assert_int_equal(count(&m, 42), 100);
    assert_int_equal(count(&m, 42 + (UINT64_C(7) << 40)), 1);
    map_done(&m);
}

static void survives_years_of_putting_and_removing(void **state) {
    (void)state;
    struct map m = {0};
    for (uint64_t i = 0; i < 100000; i++) {
        map_put(&m, i, i + 1);
        if (i >= 10) map_remove(&m, map_first(&m, i - 10));
        assert_true(map_first(&m, i + 1) == MAP_END);
    }
    assert_int_equal(m.n, 10);
    assert_true(m.cap <= 64); /* what was removed does not count for ever */
    assert_true(map_first(&m, 99999) != MAP_END && map_first(&m, 99989) == MAP_END);
    map_done(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_was_put),
        cmocka_unit_test(keeps_all_entries_of_one_hash),
        cmocka_unit_test(survives_years_of_putting_and_removing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
