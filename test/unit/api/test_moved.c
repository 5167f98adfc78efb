#include "api/moved.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Twenty values a second apart before the window, ten in it. */
enum { BEFORE = 20, INSIDE = 10, ALL = BEFORE + INSIDE, BASE_MS = 1000000, STEP_MS = 1000 };
#define FROM_MS (BASE_MS + BEFORE * STEP_MS)
#define TO_MS (BASE_MS + ALL * STEP_MS)

struct fixture {
    struct arena *arena, *scratch;
    struct moved *moved;
};
static int setup(void **state) {
    struct fixture *f = malloc(sizeof *f);
    f->arena = arena_new(1 << 16);
    f->scratch = arena_new(1 << 16);
    f->moved = moved_new(f->arena, BASE_MS, FROM_MS, TO_MS);
    *state = f;
    return 0;
}
static int teardown(void **state) {
    struct fixture *f = *state;
    moved_free(f->moved);
    arena_free(f->arena);
    arena_free(f->scratch);
    free(f);
    return 0;
}

static void add(struct fixture *f, const char *name, const char *pod, const double *v, size_t n) {
    int64_t t_ms[ALL];
    for (size_t i = 0; i < n; i++) t_ms[i] = BASE_MS + (int64_t)i * STEP_MS;
    struct label l[] = {{LABEL_METRIC_NAME, str_c(name)}, {STR("pod"), str_c(pod)}};
    moved_add(f->moved, (struct labels){l, 2}, &(struct samples){.n = n, .t_ms = t_ms, .v = v}, f->scratch);
    arena_reset(f->scratch);
}

/* `low` before the window and `high` in it, with a ripple. */
static const double *jump(double low, double high) {
    static double v[ALL];
    for (size_t i = 0; i < ALL; i++) v[i] = (i < BEFORE ? low : high) + 0.01 * (double)(i % 3);
    return v;
}

static const struct value *answer(struct fixture *f) {
    struct buf text = {0};
    struct json_out o = {.buf = &text};
    moved_put(f->moved, &o);
    str copy = arena_str(f->arena, buf_str(&text));
    buf_done(&text);
    struct json j = json_open(copy, f->arena);
    struct value *v = arena_one(f->arena, struct value);
    struct err e;
    assert_true(json_value(&j, v));
    assert_true(json_done(&j, &e));
    return v;
}
static const struct value *get(const struct value *v, const char *key) {
    const struct value *got = fields_get(v->fields, v->n, str_c(key));
    assert_non_null(got);
    return got;
}
static double number(const struct value *v) {
    return v->type == VAL_INT ? (double)v->i : v->d;
}
static str name_of(const struct value *moved, uint32_t i) {
    return get(get(&get(moved, "moved")->items[i], "metric"), "__name__")->s;
}

static void distance_is_that_of_the_distribution_functions(void **state) {
    (void)state;
    double a[] = {3, 1, 2}, b[] = {1, 2, 3}, c[] = {4, 5}, d[] = {1, 1, 1, 5}, e[] = {1, 5};
    assert_true(moved_distance(a, 3, b, 3) == 0);
    assert_true(moved_distance(a, 3, c, 2) == 1);
    assert_true(fabs(moved_distance(d, 4, e, 2) - 0.25) < 1e-12);
}

static void what_moved_most_comes_first(void **state) {
    struct fixture *f = *state;
    add(f, "quiet", "a", jump(5, 5), ALL);
    add(f, "doubled", "a", jump(5, 10), ALL);
    add(f, "tenfold", "a", jump(1, 10), ALL);
    const struct value *v = answer(f);
    assert_int_equal(get(v, "moved")->n, 2);
    assert_true(str_eq(name_of(v, 0), STR("tenfold")));
    assert_true(str_eq(name_of(v, 1), STR("doubled")));
    assert_true(number(get(&get(v, "moved")->items[0], "d")) == 1);
    assert_true(fabs(number(get(&get(v, "moved")->items[0], "inside")) - 10) < 0.1);
    assert_int_equal(get(&get(v, "moved")->items[0], "points")->n, MOVED_POINTS);
    assert_int_equal((int)number(get(v, "compared")), 3);
}

static void of_a_metric_the_first_is_shown_and_the_others_counted(void **state) {
    struct fixture *f = *state;
    add(f, "m", "a", jump(5, 8), ALL);
    add(f, "m", "b", jump(1, 9), ALL);
    add(f, "m", "c", jump(5, 7), ALL);
    const struct value *v = answer(f), *first = &get(v, "moved")->items[0];
    assert_int_equal(get(v, "moved")->n, 1);
    assert_true(str_eq(get(get(first, "metric"), "pod")->s, STR("b")));
    assert_int_equal((int)number(get(first, "others")), 2);
}

static void counters_are_compared_by_their_growth(void **state) {
    struct fixture *f = *state;
    double steady[ALL], faster[ALL], reset[ALL];
    for (size_t i = 0; i < ALL; i++) {
        steady[i] = 10 * (double)i;
        faster[i] = i < BEFORE ? (double)i : BEFORE + 7 * (double)(i - BEFORE);
        reset[i] = 10 * (double)(i % 15);
    }
    add(f, "steady_total", "a", steady, ALL);
    add(f, "reset_total", "a", reset, ALL);
    add(f, "faster_total", "a", faster, ALL);
    const struct value *v = answer(f);
    assert_int_equal(get(v, "moved")->n, 1);
    assert_true(str_eq(name_of(v, 0), STR("faster_total")));
    assert_true(fabs(number(get(&get(v, "moved")->items[0], "before")) - 1) < 0.01);
}

static void buckets_are_left_to_their_count_and_sum(void **state) {
    struct fixture *f = *state;
    int64_t t_ms[ALL];
    for (size_t i = 0; i < ALL; i++) t_ms[i] = BASE_MS + (int64_t)i * STEP_MS;
    struct label l[] = {{LABEL_METRIC_NAME, STR("m")}, {STR("le"), STR("1")}};
    moved_add(f->moved, (struct labels){l, 2}, &(struct samples){.n = ALL, .t_ms = t_ms, .v = jump(1, 9)}, f->scratch);
    assert_int_equal(get(answer(f), "moved")->n, 0);
}

static void few_values_and_chance_are_passed_over(void **state) {
    struct fixture *f = *state;
    double noise[ALL];
    for (size_t i = 0; i < ALL; i++) noise[i] = (double)((i * 7919) % 13);
    add(f, "short", "a", jump(1, 10), BEFORE + MOVED_VALUES_MIN - 1);
    add(f, "noise", "a", noise, ALL);
    double gaps[ALL];
    for (size_t i = 0; i < ALL; i++) gaps[i] = i < BEFORE ? stale_nan() : 3;
    add(f, "gaps", "a", gaps, ALL);
    const struct value *v = answer(f);
    assert_int_equal(get(v, "moved")->n, 0);
    assert_int_equal((int)number(get(v, "series")), 3);
    assert_int_equal((int)number(get(v, "compared")), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distance_is_that_of_the_distribution_functions),
        cmocka_unit_test_setup_teardown(what_moved_most_comes_first, setup, teardown),
        cmocka_unit_test_setup_teardown(of_a_metric_the_first_is_shown_and_the_others_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(counters_are_compared_by_their_growth, setup, teardown),
        cmocka_unit_test_setup_teardown(buckets_are_left_to_their_count_and_sum, setup, teardown),
        cmocka_unit_test_setup_teardown(few_values_and_chance_are_passed_over, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
