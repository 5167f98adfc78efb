#include <math.h>

#include "base/hash.h"
#include "store/metrics/fields.h"
#include "unit/store/metrics/help.h"

enum { N = 400 };
static struct columns raw_columns(struct arena *a, const double *v, size_t n, int64_t step_ms) {
    struct columns c = {.arena = a, .bytes_left = SIZE_MAX};
    assert_true(columns_reserve(&c, n, NULL));
    for (size_t i = 0; i < n; i++) {
        c.t_ms[i] = step_ms * (int64_t)(i + 1);
        c.v[i] = v[i];
    }
    c.n = n;
    return c;
}
static void make(struct arena *a, const struct columns *in, bool raw, enum tier to, struct columns out[FIELD_N]) {
    for (size_t i = 0; i < FIELD_N; i++) out[i] = (struct columns){.arena = a, .bytes_left = SIZE_MAX};
    struct err e = {0};
    if (!fields_make(in, raw, to, out, &e)) fail_msg("%s", e.msg);
}
/* What increase() over all of it sees. */
static double increase(const double *v, size_t n) {
    double sum = 0;
    for (size_t i = 1; i < n; i++) sum += v[i] >= v[i - 1] ? v[i] - v[i - 1] : v[i];
    return sum;
}

static void a_bucket_has_the_last_time_and_all_five_figures(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(4096);
    const double v[] = {3, 1, 4, 1.5, 9};
    struct columns in = raw_columns(a, v, 5, 100000); /* 100 s to 500 s: three in the first 5 minutes, two in the next */
    struct columns out[FIELD_N];
    make(a, &in, true, TIER_5M, out);
    const double want[FIELD_N][2] = {{4, 9}, {1, 1.5}, {4, 9}, {8, 10.5}, {3, 2}, {3, 4}};
    for (size_t f = 0; f < FIELD_N; f++) {
        assert_int_equal(out[f].n, 2);
        assert_int_equal(out[f].t_ms[0], 300000);
        assert_int_equal(out[f].t_ms[1], 500000);
        if (f != FIELD_DROPS) assert_memory_equal(out[f].v, want[f], sizeof want[f]);
    }
}

static void a_marker_that_ends_a_bucket_stays_and_others_go(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(4096);
    const double v[] = {3, stale_nan(), 4, stale_nan(), stale_nan(), stale_nan(), NAN};
    struct columns in = raw_columns(a, v, 7, 75000);
    struct columns out[FIELD_N];
    make(a, &in, true, TIER_5M, out); /* 75..300 s: 3 s 4 s; 375..525 s: s s NaN */
    assert_int_equal(out[FIELD_LAST].n, 3);
    const int64_t times[] = {225000, 300000, 525000};
    for (size_t f = 0; f < FIELD_N; f++) assert_memory_equal(out[f].t_ms, times, sizeof times);
    assert_true(out[FIELD_LAST].v[0] == 4 && out[FIELD_COUNT].v[0] == 2 && out[FIELD_SUM].v[0] == 7);
    for (size_t f = 0; f < FIELD_DROPS; f++) assert_true(is_stale_nan(out[f].v[1]));
    assert_true(isnan(out[FIELD_LAST].v[2]) && isnan(out[FIELD_MIN].v[2]) && out[FIELD_COUNT].v[2] == 1);
}

static void increase_is_the_same_over_any_resets_in_both_tiers(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(4096);
    for (uint64_t seed = 0; seed < 50; seed++) {
        double v[N];
        double at = 5;
        for (uint64_t i = 0; i < N; i++) {
            uint64_t x = hash_mix(seed, i);
            at = x % 40 == 0 ? (double)(x % 7) : at + (double)(x % 9);
            v[i] = at;
        }
        struct columns in = raw_columns(a, v, N, 60000);
        struct columns fine[FIELD_N];
        struct columns coarse[FIELD_N];
        make(a, &in, true, TIER_5M, fine);
        make(a, fine, false, TIER_1H, coarse);
        const struct columns *tiers[] = {fine, coarse};
        for (size_t t = 0; t < 2; t++) {
            AUTO(buf_done) struct buf row = {0};
            const struct columns *last = &tiers[t][FIELD_LAST];
            assert_true(fields_encode(tiers[t], last->t_ms, last->n, &row));
            struct columns got = {.arena = a, .bytes_left = SIZE_MAX};
            struct err e = {0};
            if (!fields_decode_counter(buf_str(&row), last->t_ms, last->n, INT64_MIN, INT64_MAX, &got, &e)) fail_msg("%s", e.msg);
            for (size_t i = 1; i < got.n; i++) assert_true(got.t_ms[i] > got.t_ms[i - 1]);
            /* the first bucket has no sample before it: what increased within it is known only from its resets */
            double before = increase(v, (size_t)(last->t_ms[0] / 60000));
            double in_first = got.t_ms[0] == last->t_ms[0] ? 0 : increase(got.v, 3);
            assert_true(fabs(before + increase(got.v, got.n) - in_first - increase(v, N)) < 1e-9);
            for (size_t i = 0, raw = 0; i < last->n; i++) {
                double sum = 0;
                double min = INFINITY;
                double max = -INFINITY;
                double count = 0;
                for (; raw < N && in.t_ms[raw] <= last->t_ms[i]; raw++, count++) {
                    sum += v[raw];
                    min = fmin(min, v[raw]);
                    max = fmax(max, v[raw]);
                }
                assert_true(tiers[t][FIELD_SUM].v[i] == sum && tiers[t][FIELD_MIN].v[i] == min && tiers[t][FIELD_MAX].v[i] == max);
                assert_true(tiers[t][FIELD_COUNT].v[i] == count && last->v[i] == v[raw - 1]);
            }
        }
    }
}

static void a_series_that_often_falls_is_no_counter(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(4096);
    double v[N];
    for (uint64_t i = 0; i < N; i++) v[i] = (double)(hash_mix(i, 9) % 100);
    struct columns in = raw_columns(a, v, N, 15000);
    struct columns out[FIELD_N];
    make(a, &in, true, TIER_5M, out);
    for (size_t i = 0; i < out[FIELD_DROPS].n; i++) assert_true(out[FIELD_DROPS].v[i] == 0);
}

static void every_field_comes_back_as_it_was_and_a_constant_takes_little(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(4096);
    double v[N];
    for (uint64_t i = 0; i < N; i++) v[i] = (double)(hash_mix(i, 3) % 1000) / 100;
    for (int round = 0; round < 2; round++) {
        struct columns in = raw_columns(a, v, N, 15000);
        in.h = round ? arena_zalloc(a, N * sizeof *in.h) : NULL;
        struct histogram h = {.count = 5};
        if (round) in.h[19] = in.h[45] = &h;
        struct columns out[FIELD_N];
        make(a, &in, true, TIER_5M, out);
        AUTO(buf_done) struct buf row = {0};
        assert_true(fields_encode(out, out[0].t_ms, out[0].n, &row));
        for (size_t f = 0; f < FIELD_N; f++) {
            struct columns got = {.arena = a, .bytes_left = SIZE_MAX};
            assert_true(fields_decode(buf_str(&row), (enum series_field)f, out[0].t_ms, out[0].n, 300001, 3000000, &got, NULL));
            assert_int_equal(got.n, 9);
            assert_memory_equal(got.v, out[f].v + 1, got.n * sizeof *got.v);
        }
        for (size_t i = 0; i < row.n; i++) { /* cut anywhere: refused, or a field that is whole */
            struct columns got = {.arena = a, .bytes_left = SIZE_MAX};
            assert_false(fields_decode(str_n(row.p, i), FIELD_SUM, out[0].t_ms, out[0].n, INT64_MIN, INT64_MAX, &got, NULL));
        }
    }
    for (size_t i = 0; i < N; i++) v[i] = 7;
    struct columns in = raw_columns(a, v, N, 15000);
    struct columns out[FIELD_N];
    make(a, &in, true, TIER_5M, out);
    AUTO(buf_done) struct buf row = {0};
    assert_true(fields_encode(out, out[0].t_ms, out[0].n, &row));
    assert_true(row.n < 40);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_has_the_last_time_and_all_five_figures),
        cmocka_unit_test(a_marker_that_ends_a_bucket_stays_and_others_go),
        cmocka_unit_test(increase_is_the_same_over_any_resets_in_both_tiers),
        cmocka_unit_test(a_series_that_often_falls_is_no_counter),
        cmocka_unit_test(every_field_comes_back_as_it_was_and_a_constant_takes_little),
    };
    loop_own_thread();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
