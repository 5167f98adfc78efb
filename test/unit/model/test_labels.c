#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/labels.h"

#define L(...)                                                                                                  \
    (struct labels) {                                                                                           \
        (const struct label[]){__VA_ARGS__}, sizeof((const struct label[]){__VA_ARGS__}) / sizeof(struct label) \
    }
#define P(n, v) \
    { STR_INIT(n), STR_INIT(v) }

static void finds_a_label_or_the_empty_value(void **state) {
    (void)state;
    struct labels ls = L(P("__name__", "up"), P("job", "x"));
    assert_true(str_eq_c(labels_get(ls, STR("job")), "x"));
    assert_int_equal(labels_get(ls, STR("jo")).n, 0);
}

static void orders_pair_by_pair_then_by_length(void **state) {
    (void)state;
    assert_true(labels_cmp(L(P("a", "1")), L(P("a", "2"))) < 0);
    assert_true(labels_cmp(L(P("b", "1")), L(P("a", "2"))) > 0);
    assert_true(labels_cmp(L(P("a", "1")), L(P("a", "1"), P("b", "1"))) < 0);
    assert_int_equal(labels_cmp(L(P("a", "1")), L(P("a", "1"))), 0);
}

static void hashes_equal_sets_equally_and_moved_bytes_differently(void **state) {
    (void)state;
    assert_int_equal(labels_hash(L(P("a", "bc"))), labels_hash(L(P("a", "bc"))));
    assert_true(labels_hash(L(P("a", "bc"))) != labels_hash(L(P("ab", "c"))));
    assert_true(labels_hash(L(P("a", "b"), P("c", "d"))) != labels_hash(L(P("c", "d"), P("a", "b"))));
}

static void sorts_and_drops_empty_values(void **state) {
    (void)state;
    struct label l[] = {P("z", "1"), P("e", ""), P("a", "2")};
    size_t n = 3;
    struct err e;
    assert_true(labels_sort(l, &n, &e));
    assert_int_equal(n, 2);
    assert_true(labels_eq((struct labels){l, n}, L(P("a", "2"), P("z", "1"))));
}

static void refuses_a_name_given_twice(void **state) {
    (void)state;
    struct label l[] = {P("z", "1"), P("a", "2"), P("z", "3")};
    size_t n = 3;
    struct err e;
    assert_false(labels_sort(l, &n, &e));
    assert_int_equal(e.code, ERR_INPUT);
    assert_string_equal(e.msg, "label \"z\" is given twice");
    assert_int_equal(n, 3);
}

static void copies_deeply(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(1024);
    char name[] = "job";
    struct label l = {str_c(name), STR("x")};
    struct labels copy = labels_copy(a, (struct labels){&l, 1});
    name[0] = 'J';
    assert_true(labels_eq(copy, L(P("job", "x"))));
}

static void check_text(struct labels ls, const char *want) {
    AUTO(buf_done) struct buf b = {0};
    labels_put(&b, ls);
    buf_char(&b, '\0');
    assert_string_equal(b.p, want);
}
static void writes_them_as_prometheus_does(void **state) {
    (void)state;
    check_text(L(P("__name__", "up"), P("job", "x")), "up{job=\"x\"}");
    check_text(L(P("__name__", "up")), "up");
    check_text((struct labels){0}, "{}");
    check_text(L(P("__name__", "my.metric"), P("a", "1")), "{\"my.metric\", a=\"1\"}");
    check_text(L(P("a.b", "q\"\\\n")), "{\"a.b\"=\"q\\\"\\\\\\n\"}");
    check_text(L(P("a", "1"), P("b", "2")), "{a=\"1\", b=\"2\"}");
}

static void knows_legacy_names(void **state) {
    (void)state;
    assert_true(label_name_legacy_valid(STR("_a9")));
    assert_false(label_name_legacy_valid(STR("9a")));
    assert_false(label_name_legacy_valid(STR("a:b")));
    assert_true(metric_name_legacy_valid(STR("a:b")));
    assert_false(metric_name_legacy_valid(STR("")));
}

static void matches_equality_with_absent_as_empty(void **state) {
    (void)state;
    struct matcher eq = {MATCH_EQ, STR("a"), STR(""), NULL};
    struct matcher ne = {MATCH_NE, STR("a"), STR("x"), NULL};
    assert_int_equal(matcher_test(&eq, STR_NULL), MATCHER_YES);
    assert_int_equal(matcher_test(&eq, STR("x")), MATCHER_NO);
    assert_int_equal(matcher_test(&ne, STR("x")), MATCHER_NO);
    assert_int_equal(matcher_test(&ne, STR_NULL), MATCHER_YES);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_a_label_or_the_empty_value),
        cmocka_unit_test(orders_pair_by_pair_then_by_length),
        cmocka_unit_test(hashes_equal_sets_equally_and_moved_bytes_differently),
        cmocka_unit_test(sorts_and_drops_empty_values),
        cmocka_unit_test(refuses_a_name_given_twice),
        cmocka_unit_test(copies_deeply),
        cmocka_unit_test(writes_them_as_prometheus_does),
        cmocka_unit_test(knows_legacy_names),
        cmocka_unit_test(matches_equality_with_absent_as_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
