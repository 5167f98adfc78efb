#include "base/hash.h"
#include "store/metrics/ticks.h"
#include "unit/store/metrics/help.h"

enum { TICKS = 400 };

/* seed 0: one beat; others: beats that change, jitter, long pauses, times before 1970. */
static void fill(uint64_t seed, struct clock *c, int64_t t_ms[TICKS]) {
    static const int64_t steps[] = {15000, 15000, 15000, 1, 15001, 14999, INT64_C(1) << 40, UINT32_MAX, INT64_C(1) << 32};
    int64_t t = seed % 2 ? -3000000 : 1700000000000;
    for (uint32_t i = 0; i < TICKS; i++) {
        t_ms[i] = t;
        clock_push(c, t);
        assert_int_equal(clock_newest(c), t);
        uint64_t x = hash_mix(seed, seed % 3 ? i / 7 : i);
        t += seed == 0 ? 15000 : steps[x % ARRAY_N(steps)];
    }
}

static void holds_what_was_pushed_whatever_the_steps(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct clock c = {0};
        int64_t t_ms[TICKS];
        fill(seed, &c, t_ms);
        AUTO(arena_free) struct arena *a = arena_new(4096);
        assert_memory_equal(clock_spell(&c, a), t_ms, sizeof t_ms);
        for (uint32_t i = 0; i < TICKS; i++) assert_int_equal(clock_at(&c, i), t_ms[i]);
        clock_done(&c);
    }
}

static void finds_the_first_tick_at_or_after_a_time(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 30; seed++) {
        struct clock c = {0};
        int64_t t_ms[TICKS];
        fill(seed, &c, t_ms);
        for (uint32_t i = 0; i < TICKS; i++)
            for (int64_t off = -1; off <= 1; off++) {
                uint32_t from = i % 5 ? 0 : (uint32_t)(hash_mix(seed, i) % TICKS);
                uint32_t want = from;
                while (want < TICKS && t_ms[want] < t_ms[i] + off) want++;
                assert_int_equal(clock_find(&c, from, t_ms[i] + off), want);
            }
        assert_int_equal(clock_find(&c, 0, INT64_MIN / 2), 0);
        assert_int_equal(clock_find(&c, 0, INT64_MAX / 2), TICKS);
        clock_done(&c);
    }
}

static void a_regular_beat_is_one_run_and_no_beat_costs_more_than_an_array(void **state) {
    (void)state;
    struct clock regular = {0};
    int64_t t_ms[TICKS];
    fill(0, &regular, t_ms);
    assert_int_equal(regular.run_n, 1);
    clock_done(&regular);
    struct clock jitter = {0};
    int64_t t = 0;
    for (int64_t i = 0; i < TICKS; i++) clock_push(&jitter, t += 15000 + i);
    assert_true(jitter.run_n <= TICKS / 2);
    clock_done(&jitter);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_what_was_pushed_whatever_the_steps),
        cmocka_unit_test(finds_the_first_tick_at_or_after_a_time),
        cmocka_unit_test(a_regular_beat_is_one_run_and_no_beat_costs_more_than_an_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
