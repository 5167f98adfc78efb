#include "cmd/retention.h"

#include "base/vec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool read_rules(struct arena *a, const char *const *text, size_t n, struct retention_rules *out, struct err *e) {
    struct options o = {.arena = a};
    for (size_t i = 0; i < n; i++) avec_push(a, &o.retention_metrics_rules, str_c(text[i]));
    return retention_rules_read(&o, out, e);
}

static void reads_selectors_with_all_kinds_of_matchers(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(4096);
    const char *const text[] = {"{job=\"x\",pod=~\"tmp-.*\"}=1d", "up = 400d", "{__name__=~\"a=b.*\"}=0s"};
    struct retention_rules r;
    struct err e = {0};
    if (!read_rules(a, text, 3, &r, &e)) fail_msg("%s", e.msg);
    assert_int_equal(r.n, 3);
    assert_int_equal(r.p[0].n, 2);
    assert_int_equal(r.p[0].keep_ms, 86400000);
    assert_true(r.p[0].m[1].op == MATCH_RE && r.p[0].m[1].re);
    assert_int_equal(r.p[1].keep_ms, INT64_C(400) * 86400000);
    assert_int_equal(r.p[2].keep_ms, 0);
    retention_rules_done(&r);
}

static void says_which_rule_is_wrong(void **state) {
    (void)state;
    static const char *const wrong[] = {"{job=\"x\"}", "7d", "{job=\"x\"}=7", "sum(up)=7d", "{job=}=7d"};
    for (size_t i = 0; i < ARRAY_N(wrong); i++) {
        AUTO(arena_free) struct arena *a = arena_new(4096);
        struct retention_rules r;
        struct err e = {0};
        assert_false(read_rules(a, &wrong[i], 1, &r, &e));
        assert_int_equal(e.code, ERR_INPUT);
        assert_non_null(strstr(e.msg, wrong[i]));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_selectors_with_all_kinds_of_matchers),
        cmocka_unit_test(says_which_rule_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
