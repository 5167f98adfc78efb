/* Arithmetic on native histograms. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "query/promql/hist.h"
#include "query/promql/series_desc.h"

static struct arena *a;

static int setup(void **state) {
    (void)state;
    a = arena_new(4096);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    arena_free(a);
    return 0;
}

/* A histogram in the notation of test scripts, without the braces. */
static struct hist *h(const char *fields) {
    struct series_desc d;
    struct err e;
    str line = arena_printf(a, "x {{%s}}", fields);
    bool ok = series_desc_parse(line, a, &d, &e);
    if (!ok) print_error("%s\n", e.msg);
    assert_true(ok);
    return hist_copy(a, d.values.p[0].h);
}

static const char *text(const struct hist *x) {
    struct buf b = {0};
    hist_put(&b, x);
    const char *z = arena_cstr(a, buf_str(&b));
    buf_done(&b);
    return z;
}

static void prints_intervals_with_their_ends(void **state) {
    (void)state;
    assert_string_equal(text(h("count:20 sum:10 z_bucket_w:0.001 z_bucket:2 buckets:[1 2] n_buckets:[1 2]")),
                        "{count:20, sum:10, [-2,-1):2, [-1,-0.5):1, [-0.001,0.001]:2, (0.5,1]:1, (1,2]:2}");
}

static void adds_at_the_lower_resolution(void **state) {
    (void)state;
    struct hist *x = h("schema:1 count:3 sum:3 buckets:[0 1 2]"); /* (1,1.41]:1 (1.41,2]:2 */
    struct hist_notes notes = {0};
    assert_true(hist_add(a, x, h("schema:0 count:4 sum:5 buckets:[0 4]"), 1, &notes));
    hist_finish(x);
    assert_int_equal(x->schema, 0);
    assert_string_equal(text(x), "{count:7, sum:8, (1,2]:7}");
}

static void widens_the_zero_bucket_over_what_it_meets(void **state) {
    (void)state;
    struct hist *x = h("count:5 sum:3 z_bucket:1 z_bucket_w:0.6 buckets:[0 4]");
    struct hist_notes notes = {0};
    /* (0.5,1] holds the threshold 0.6: the zero bucket grows to 1 */
    assert_true(hist_add(a, x, h("count:4 sum:2 z_bucket:1 z_bucket_w:0.1 buckets:[3]"), 1, &notes));
    hist_finish(x);
    assert_true(x->zero_threshold == 1);
    assert_true(x->zero == 5);
    assert_string_equal(text(x), "{count:9, sum:5, [-1,1]:5, (1,2]:4}");
}

static void keeps_the_common_bounds_of_custom_buckets(void **state) {
    (void)state;
    struct hist *x = h("schema:-53 count:3 sum:3 custom_values:[1 2 4] buckets:[1 1 1]");
    struct hist_notes notes = {0};
    assert_true(hist_add(a, x, h("schema:-53 count:3 sum:3 custom_values:[2 3 4] buckets:[1 1 1]"), 1, &notes));
    hist_finish(x);
    assert_true(notes.reconciled);
    assert_int_equal(x->custom_n, 2);
    assert_string_equal(text(x), "{count:6, sum:6, [-Inf,2]:3, (2,4]:3}");
}

static void refuses_to_mix_exponential_and_custom_buckets(void **state) {
    (void)state;
    struct hist_notes notes = {0};
    assert_false(hist_add(a, h("count:1 buckets:[1]"), h("schema:-53 custom_values:[1]"), 1, &notes));
}

static void sums_without_losing_small_terms(void **state) {
    (void)state;
    struct hist *x = h("count:1 sum:1");
    struct hist_notes notes = {0};
    assert_true(hist_add(a, x, h("count:1 sum:1e100"), 1, &notes));
    assert_true(hist_add(a, x, h("count:1 sum:1"), 1, &notes));
    assert_true(hist_add(a, x, h("count:1 sum:-1e100"), 1, &notes));
    hist_finish(x);
    assert_true(x->sum == 2);
}

static void tells_conflicting_resets(void **state) {
    (void)state;
    struct hist *x = h("count:1 counter_reset_hint:reset");
    struct hist_notes notes = {0};
    assert_true(hist_add(a, x, h("count:1 counter_reset_hint:not_reset"), 1, &notes));
    assert_true(notes.collision);
    assert_int_equal(x->hint, RESET_UNKNOWN);
    x = h("count:1 counter_reset_hint:reset");
    notes = (struct hist_notes){0};
    assert_true(hist_add(a, x, h("count:1 counter_reset_hint:gauge"), 1, &notes));
    assert_false(notes.collision);
    assert_int_equal(x->hint, RESET_GAUGE);
}

static void detects_resets(void **state) {
    (void)state;
    const struct hist *before = h("count:4 sum:5 buckets:[1 2 1]");
    assert_false(hist_is_reset(a, h("count:5 sum:6 buckets:[1 2 2]"), before));
    assert_true(hist_is_reset(a, h("count:3 sum:6 buckets:[1 2]"), before));
    assert_true(hist_is_reset(a, h("count:6 sum:6 buckets:[1 1 4]"), before));          /* one bucket shrank */
    assert_true(hist_is_reset(a, h("schema:1 count:6 sum:6 buckets:[1 1 4]"), before)); /* finer again */
    assert_false(hist_is_reset(a, h("schema:-1 count:6 sum:6 buckets:[1 5]"), before));
    assert_true(hist_is_reset(a, h("count:9 buckets:[9 9 9] counter_reset_hint:reset"), before));
    assert_false(hist_is_reset(a, h("count:0 counter_reset_hint:not_reset"), before));
}

static void loses_its_buckets_when_divided_by_zero(void **state) {
    (void)state;
    struct hist *x = h("count:3 sum:3 z_bucket:1 z_bucket_w:0.1 buckets:[1 1]");
    hist_divide(x, 0);
    assert_true(isinf(x->count) && isinf(x->zero));
    assert_int_equal(x->pos.n, 0);
}

static void interpolates_quantiles(void **state) {
    (void)state;
    bool nan_result = false;
    bool nan_skew = false;
    const struct hist *x = h("count:4 sum:5 buckets:[1 2 1]");
    assert_true(fabs(hist_quantile(a, x, 0.5, &nan_result, &nan_skew) - sqrt(2)) < 1e-12);
    assert_true(hist_quantile(a, x, 1.1, &nan_result, &nan_skew) == INFINITY);
    assert_true(isnan(hist_quantile(a, h(""), 0.5, &nan_result, &nan_skew)));
    assert_false(nan_result || nan_skew);
    assert_true(isnan(hist_quantile(a, h("count:15 sum:NaN buckets:[12]"), 0.81, &nan_result, &nan_skew)));
    assert_true(nan_result);
    assert_true(hist_quantile(a, h("schema:-53 count:4 sum:5 custom_values:[5 10] buckets:[1 2 1]"), 0.5, &nan_result, &nan_skew) == 7.5);
    assert_true(hist_fraction(a, x, 1, 2) == 0.5);
    assert_true(hist_fraction(a, h("count:15 sum:NaN buckets:[12]"), -INFINITY, 1) == 0.8);
}

static void trims_with_the_identity_of_fractions(void **state) {
    (void)state;
    const struct hist *x = h("count:34 sum:123.75 z_bucket:1 z_bucket_w:0.001 buckets:[2 4 8 16] n_buckets:[1 2]");
    static const double cuts[] = {-INFINITY, -3, -1, -0.0005, 0, 0.7, 1, 1.5, 4, 9, INFINITY};
    for (size_t i = 0; i < ARRAY_N(cuts); i++) {
        double below = hist_trim(a, x, cuts[i], true)->count;
        double above = hist_trim(a, x, cuts[i], false)->count;
        assert_true(fabs(below - 34 * hist_fraction(a, x, -INFINITY, cuts[i])) < 1e-9);
        assert_true(fabs(above - 34 * hist_fraction(a, x, cuts[i], INFINITY)) < 1e-9);
        assert_true(fabs(below + above - 34) < 1e-9);
    }
    assert_true(hist_trim(a, x, INFINITY, true)->sum == 123.75); /* nothing was cut: the sum stays exact */
}

static void survives_the_way_to_the_store_and_back(void **state) {
    (void)state;
    const struct hist *x = h("schema:3 count:9 sum:1 z_bucket:1 z_bucket_w:0.5 buckets:[1 0 0 2 3] offset:-7 n_buckets:[2]");
    struct histogram *stored = hist_to_store(a, x);
    assert_int_equal(stored->pos_span_n, 2);
    assert_int_equal(stored->pos_spans[0].offset, -7);
    assert_int_equal(stored->pos_spans[1].offset, 2);
    assert_true(hist_equal(hist_from_store(a, stored), x));
}

static void writes_numbers_like_percent_g(void **state) {
    (void)state;
    static const struct {
        double v;
        const char *text;
    } cases[] = {{0, "0"}, {1e21, "1e+21"}, {100000, "100000"}, {0.0001, "0.0001"}, {0.00001, "1e-05"}, {-1.5e300, "-1.5e+300"}, {INFINITY, "+Inf"}};
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct buf b = {0};
        promql_put_g(&b, cases[i].v);
        buf_char(&b, 0);
        assert_string_equal(b.p, cases[i].text);
        buf_done(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_intervals_with_their_ends),
        cmocka_unit_test(adds_at_the_lower_resolution),
        cmocka_unit_test(widens_the_zero_bucket_over_what_it_meets),
        cmocka_unit_test(keeps_the_common_bounds_of_custom_buckets),
        cmocka_unit_test(refuses_to_mix_exponential_and_custom_buckets),
        cmocka_unit_test(sums_without_losing_small_terms),
        cmocka_unit_test(tells_conflicting_resets),
        cmocka_unit_test(detects_resets),
        cmocka_unit_test(loses_its_buckets_when_divided_by_zero),
        cmocka_unit_test(interpolates_quantiles),
        cmocka_unit_test(trims_with_the_identity_of_fractions),
        cmocka_unit_test(survives_the_way_to_the_store_and_back),
        cmocka_unit_test(writes_numbers_like_percent_g),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
