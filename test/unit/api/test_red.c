#include "api/red.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"

enum { POINTS = 10 };
#define START (INT64_C(1000) * NS_PER_S)
#define END (START + POINTS * NS_PER_S) /* a second a point */

struct fixture {
    struct arena *arena;
    struct red *red;
};
static int setup(void **state) {
    struct fixture *f = malloc(sizeof *f);
    f->arena = arena_new(1 << 16);
    f->red = red_new(f->arena, START, END, POINTS);
    *state = f;
    return 0;
}
static int teardown(void **state) {
    struct fixture *f = *state;
    red_free(f->red);
    arena_free(f->arena);
    free(f);
    return 0;
}

static void add(struct fixture *f, const char *service, double at_s, double ms, bool entry, bool error) {
    red_add(f->red, (struct red_span){str_c(service), START + (int64_t)(at_s * 1e9), (int64_t)(ms * 1e6), entry, error});
}

/* The answer read back as a tree. */
static const struct value *answer(struct fixture *f) {
    struct buf text = {0};
    struct json_out o = {.buf = &text};
    red_put(f->red, &o);
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
static const struct value *service(const struct value *all, uint32_t i) {
    const struct value *list = get(all, "services");
    assert_true(i < list->n);
    return &list->items[i];
}
static double number(const struct value *v) {
    return v->type == VAL_INT ? (double)v->i : v->d;
}

static void counts_rate_and_errors_per_point(void **state) {
    struct fixture *f = *state;
    add(f, "shop", 0.5, 10, true, false);
    add(f, "shop", 0.9, 10, true, true);
    add(f, "shop", 3.1, 10, true, false);
    const struct value *s = service(answer(f), 0);
    assert_int_equal(get(s, "count")->i, 3);
    assert_int_equal(get(s, "errors")->i, 1);
    const struct value *rate = get(s, "rate_points"), *error = get(s, "error_points");
    assert_int_equal(rate->n, POINTS);
    assert_true(number(&rate->items[0]) == 2 && number(&rate->items[1]) == 0 && number(&rate->items[3]) == 1);
    assert_true(number(&error->items[0]) == 0.5);
    assert_int_equal(error->items[1].type, VAL_NULL);
}

static void quantiles_are_within_five_percent(void **state) {
    struct fixture *f = *state;
    for (int i = 1; i <= 1000; i++) add(f, "shop", 5, i, true, false);
    const struct value *s = service(answer(f), 0);
    double p50 = number(get(s, "p50")), p99 = number(get(s, "p99"));
    assert_true(p50 > 500 * 0.95 && p50 < 500 * 1.05);
    assert_true(p99 > 990 * 0.95 && p99 < 990 * 1.05);
    assert_true(number(&get(s, "p99_points")->items[5]) == p99);
    assert_int_equal(get(s, "p99_points")->items[4].type, VAL_NULL);
}

static void only_spans_that_enter_a_service_count_once_there_is_one(void **state) {
    struct fixture *f = *state;
    add(f, "shop", 1, 1, false, true);
    add(f, "shop", 1, 1, true, false);
    add(f, "shop", 1, 1, false, true);
    add(f, "batch", 1, 1, false, false);
    const struct value *all = answer(f);
    assert_int_equal(get(service(all, 0), "count")->i, 1);
    assert_int_equal(get(service(all, 0), "errors")->i, 0);
    assert_int_equal(get(service(all, 1), "count")->i, 1);
}

static void puts_the_busiest_first_and_ties_by_name(void **state) {
    struct fixture *f = *state;
    add(f, "b", 1, 1, true, false);
    add(f, "a", 1, 1, true, false);
    add(f, "z", 1, 1, true, false);
    add(f, "z", 1, 1, true, false);
    const struct value *all = answer(f);
    assert_true(str_eq_c(get(service(all, 0), "service")->s, "z"));
    assert_true(str_eq_c(get(service(all, 1), "service")->s, "a"));
    assert_true(str_eq_c(get(service(all, 2), "service")->s, "b"));
}

static void ignores_spans_outside_the_window(void **state) {
    struct fixture *f = *state;
    add(f, "shop", -0.001, 1, true, false);
    add(f, "shop", POINTS, 1, true, false);
    assert_int_equal(get(answer(f), "services")->n, 0);
}

static void takes_any_duration(void **state) {
    struct fixture *f = *state;
    red_add(f->red, (struct red_span){STR("shop"), START, INT64_MAX, true, false});
    red_add(f->red, (struct red_span){STR("shop"), START, INT64_MIN, true, false});
    red_add(f->red, (struct red_span){STR("shop"), START, 0, true, false});
    assert_int_equal(get(service(answer(f), 0), "count")->i, 3);
}

static void counts_what_is_beyond_its_bound(void **state) {
    struct fixture *f = *state;
    char name[16];
    for (int i = 0; i < RED_SERVICES_MAX + 5; i++) {
        snprintf(name, sizeof name, "s%d", i);
        add(f, name, 1, 1, true, false);
    }
    const struct value *all = answer(f);
    assert_int_equal(get(all, "services")->n, RED_SERVICES_MAX);
    assert_int_equal(get(all, "omitted")->i, 5);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        WITH(counts_rate_and_errors_per_point),
        WITH(quantiles_are_within_five_percent),
        WITH(only_spans_that_enter_a_service_count_once_there_is_one),
        WITH(puts_the_busiest_first_and_ties_by_name),
        WITH(ignores_spans_outside_the_window),
        WITH(takes_any_duration),
        WITH(counts_what_is_beyond_its_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
