#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* These two are on disk: a change of value is a change of format. */
static void stable_hashes_never_change(void **state) {
    (void)state;
    assert_true(hash_stable(STR("")) == 0x2d06800538d394c2);
    assert_true(hash_check("", 0) == 0xef46db3751d8e999);
    assert_true(hash_check("a", 1) == 0xd24ec4f1a98c6e5b);
}

static void keyed_hash_changes_with_the_key_only(void **state) {
    (void)state;
    uint64_t before = hash_str(STR("name"));
    assert_true(hash_str(STR("name")) == before && hash_str(STR("Name")) != before);
    assert_true(hash_str(STR_NULL) == hash_str(STR("")));
    hash_init();
    assert_true(hash_str(STR("name")) != before);
    assert_true(hash_stable(STR("")) == 0x2d06800538d394c2);
}

static void mix_depends_on_order(void **state) {
    (void)state;
    assert_true(hash_mix(1, 2) != hash_mix(2, 1));
    assert_true(hash_mix(1, 2) == hash_mix(1, 2));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stable_hashes_never_change),
        cmocka_unit_test(keyed_hash_changes_with_the_key_only),
        cmocka_unit_test(mix_depends_on_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
