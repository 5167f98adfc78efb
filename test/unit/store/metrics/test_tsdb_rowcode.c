#include <math.h>

#include "base/hash.h"
#include "store/metrics/decimal.h"
#include "store/metrics/rowcode.h"
#include "unit/store/metrics/help.h"

/* Encodes, decodes and compares bit by bit; returns the size. */
static size_t round_trip(const int64_t *t, const double *v, const int64_t *st, size_t n, const int64_t *clock, size_t clock_n) {
    AUTO(arena_free) struct arena *a = arena_new(4096);
    AUTO(buf_done) struct buf b = {0};
    struct columns c = {.n = n, .t_ms = arena_new_n(a, int64_t, n), .v = arena_new_n(a, double, n)};
    memcpy(c.t_ms, t, n * sizeof *t);
    memcpy(c.v, v, n * sizeof *v);
    int64_t starts[4096];
    if (st) c.st_ms = memcpy(starts, st, n * sizeof *st);
    assert_true(row_encode(&c, clock, clock_n, &b));
    struct columns got = {.arena = a, .bytes_left = SIZE_MAX};
    struct err e = {0};
    if (!row_decode(buf_str(&b), clock, clock_n, INT64_MIN, INT64_MAX, &got, &e)) fail_msg("%s", e.msg);
    assert_int_equal(got.n, n);
    assert_memory_equal(got.t_ms, t, n * sizeof *t);
    assert_memory_equal(got.v, v, n * sizeof *v);
    if (st) assert_memory_equal(got.st_ms, st, n * sizeof *st);
    if (n > 2) {
        got.n = 0;
        assert_true(row_decode(buf_str(&b), clock, clock_n, t[1], t[n - 2], &got, &e));
        assert_int_equal(got.n, n - 2);
        assert_int_equal(got.t_ms[0], t[1]);
        assert_memory_equal(got.v, v + 1, (n - 2) * sizeof *v);
    }
    return b.n;
}

enum { N = 400 };
static int64_t clock_at[N];
static int64_t *ticks(void) {
    for (size_t i = 0; i < N; i++) clock_at[i] = 1700000000000 + (int64_t)i * 15000;
    return clock_at;
}

static void keeps_constants_in_a_few_bytes(void **state) {
    (void)state;
    double v[N];
    for (size_t i = 0; i < N; i++) v[i] = 1234.5;
    assert_true(round_trip(ticks(), v, NULL, N, clock_at, N) <= 8);
}

static void keeps_counters_gauges_and_noisy_sums(void **state) {
    (void)state;
    double counter[N];
    double gauge[N];
    double sum[N];
    double linear[N];
    double s = 0;
    for (size_t i = 0; i < N; i++) {
        counter[i] = (double)(i * 7 + (hash_mix(i, 1) & 3));
        gauge[i] = (double)(hash_mix(i, 2) % 1000) / 100;
        s += 0.001 * (double)(hash_mix(i, 3) % 100) + 0.0000001;
        sum[i] = s;
        linear[i] = 1e6 + (double)i * 1000;
    }
    assert_true(round_trip(ticks(), counter, NULL, N, clock_at, N) < N + 10);
    assert_true(round_trip(ticks(), gauge, NULL, N, clock_at, N) < 2 * N + 10);
    assert_true(round_trip(ticks(), sum, NULL, N, clock_at, N) < 5 * N);
    round_trip(ticks(), linear, NULL, N, clock_at, N);
}

static void keeps_whatever_bits_come(void **state) {
    (void)state;
    double v[N];
    for (uint64_t round = 0; round < 200; round++) {
        for (uint64_t i = 0; i < N; i++) {
            uint64_t x = hash_mix(round, i + 77);
            switch (x % 7) {
            case 0: v[i] = bits_double(hash_mix(x, 5)); break;
            case 1: v[i] = (double)(x >> 40); break;
            case 2: v[i] = stale_nan(); break;
            case 3: v[i] = -0.0; break;
            case 4: v[i] = (double)(int64_t)x; break;
            case 5: v[i] = INFINITY; break;
            default: v[i] = (double)(x >> 50) / 1000; break;
            }
            if (round % 3 == 0 && i > 10) v[i] = (double)(x >> 50) / 1000 * (1 + (double)(x % 3) * 1e-16);
        }
        round_trip(ticks(), v, NULL, N, clock_at, N);
    }
}

static void keeps_gaps_and_start_timestamps(void **state) {
    (void)state;
    int64_t t[N];
    int64_t st[N];
    double v[N];
    size_t n = 0;
    ticks();
    for (size_t i = 3; i < N; i++) {
        if (i % 50 < 5) continue;
        t[n] = clock_at[i];
        st[n] = i > 100 ? (int64_t)(i / 40) * 1000 : 0;
        v[n++] = (double)i;
    }
    round_trip(t, v, st, n, clock_at, N);
}

static void refuses_times_off_the_clock(void **state) {
    (void)state;
    int64_t t[] = {1, 3};
    double v[] = {1, 2};
    const int64_t clock[] = {1, 2, 4};
    AUTO(buf_done) struct buf b = {0};
    struct columns c = {.n = 2, .t_ms = t, .v = v};
    assert_false(row_encode(&c, clock, 3, &b));
}

static void keeps_clocks(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(4096);
    AUTO(buf_done) struct buf b = {0};
    clock_encode(ticks(), N, &b);
    assert_true(b.n < N + 20);
    const int64_t *t;
    size_t n;
    assert_true(clock_decode(buf_str(&b), a, &t, &n, NULL));
    assert_int_equal(n, N);
    assert_memory_equal(t, clock_at, sizeof clock_at);
    struct err e;
    for (size_t i = 0; i < b.n; i++) assert_false(clock_decode(str_n(b.p, i), a, &t, &n, &e));
}

static void never_crashes_on_damage(void **state) {
    (void)state;
    double v[N];
    for (size_t i = 0; i < N; i++) v[i] = i % 9 ? (double)(hash_mix(i, 2) % 1000) / 100 : stale_nan();
    AUTO(buf_done) struct buf b = {0};
    struct columns c = {.n = N, .t_ms = ticks(), .v = v};
    assert_true(row_encode(&c, clock_at, N, &b));
    for (size_t bit = 0; bit < b.n * 8; bit++) {
        AUTO(arena_free) struct arena *a = arena_new(32 << 10);
        b.p[bit / 8] ^= (char)(1u << bit % 8);
        struct columns got = {.arena = a, .bytes_left = 1 << 20};
        struct err e;
        if (!row_decode(buf_str(&b), clock_at, N, INT64_MIN, INT64_MAX, &got, &e)) assert_true(e.code != ERR_NONE);
        b.p[bit / 8] ^= (char)(1u << bit % 8);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_constants_in_a_few_bytes), cmocka_unit_test(keeps_counters_gauges_and_noisy_sums),
        cmocka_unit_test(keeps_whatever_bits_come),       cmocka_unit_test(keeps_gaps_and_start_timestamps),
        cmocka_unit_test(refuses_times_off_the_clock),    cmocka_unit_test(keeps_clocks),
        cmocka_unit_test(never_crashes_on_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
