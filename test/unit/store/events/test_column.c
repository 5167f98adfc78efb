#include "store/events/column.h"
#include "unit/store/events/sample.h"

/* Sections must be aligned as in a part. */
static str aligned_copy(struct arena *a, const struct buf *b) {
    return arena_str(a, buf_str(b));
}

static void ints_round_trip(const int64_t *v, size_t n, bool small) {
    AUTO(arena_free) struct arena *a = arena_new(1024);
    struct buf b = {0};
    enum encoding enc = ints_put(&b, v, n, small);
    struct ints c;
    assert_true(ints_open(enc, aligned_copy(a, &b), n, a, &c));
    for (size_t i = 0; i < n; i++) assert_int_equal(ints_at(&c, i), v[i]);
    for (size_t cut = 0; cut < b.n; cut++) assert_false(ints_open(enc, str_n(aligned_copy(a, &b).p, cut), n, a, &c));
    buf_done(&b);
}

static void ints_come_back(void **state) {
    (void)state;
    const int64_t same[] = {7, 7, 7, 7};
    const int64_t steps[] = {-5, 0, 5, 10, 15};
    const int64_t bytes[] = {1000, 1255, 1001, 1000};
    const int64_t wide[] = {INT64_MIN, INT64_MAX, 0, -1, 1};
    const int64_t times[] = {1700000000000000000, 1700000000000000100, 1700000000000000099,
                             1700000000000070000, 1700000000000070001, 1700000000000070002};
    const int64_t two[] = {INT64_MAX, INT64_MIN};
    for (int small = 0; small < 2; small++) {
        ints_round_trip(same, ARRAY_N(same), small);
        ints_round_trip(steps, ARRAY_N(steps), small);
        ints_round_trip(bytes, ARRAY_N(bytes), small);
        ints_round_trip(wide, ARRAY_N(wide), small);
        ints_round_trip(times, ARRAY_N(times), small);
        ints_round_trip(two, ARRAY_N(two), small);
    }
}

static void a_steady_sequence_costs_its_header_only(void **state) {
    (void)state;
    int64_t v[1000];
    for (int i = 0; i < 1000; i++) v[i] = 42 + 3 * i;
    struct buf b = {0};
    ints_put(&b, v, 1000, true);
    assert_int_equal(b.n, 24);
    buf_done(&b);
}

static void strings_come_back_in_every_encoding(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(1024);
    const uint32_t ends[] = {3, 3, 8};
    str bytes = STR("abchello");
    const int64_t index[] = {2, 0, 1, 2, 2};
    for (int form = 0; form < 3; form++) {
        struct buf b = {0};
        bool dict = form == 2;
        enum encoding enc = dict ? dict_put(&b, index, 5, ends, 3, bytes) : strings_put(&b, ends, 3, bytes, form == 1);
        size_t n = dict ? 5 : 3;
        struct strings s;
        str section = aligned_copy(a, &b);
        assert_true(strings_open(enc, section, n, a, &s));
        assert_str(strings_at(&s, dict ? 1 : 0), "abc");
        assert_str(strings_at(&s, dict ? 2 : 1), "");
        assert_str(strings_at(&s, dict ? 0 : 2), "hello");
        for (size_t cut = 0; cut < b.n; cut++) assert_false(strings_open(enc, str_n(section.p, cut), n, a, &s));
        buf_done(&b);
    }
}

static void refuses_an_index_behind_the_dictionary(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(1024);
    const uint32_t ends[] = {1};
    const int64_t index[] = {0, 1};
    struct buf b = {0};
    dict_put(&b, index, 2, ends, 1, STR("x"));
    struct strings s;
    assert_false(strings_open(ENC_DICT, aligned_copy(a, &b), 2, a, &s));
    buf_done(&b);
}

static void traces_are_found_by_id(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(1024);
    struct trace_id ids[100];
    for (uint64_t i = 0; i < 100; i++) ids[i] = (struct trace_id){i / 50, i / 3 * 3};
    for (int sorted = 0; sorted < 2; sorted++) {
        struct buf b = {0};
        enum encoding enc = traces_put(&b, ids, 100, sorted);
        struct traces t;
        assert_true(traces_open(enc, aligned_copy(a, &b), 100, &t));
        for (size_t i = 0; i < 100; i++) {
            assert_int_equal(traces_at(&t, i).hi, ids[i].hi);
            assert_int_equal(traces_at(&t, i).lo, ids[i].lo);
        }
        uint32_t from;
        uint32_t to;
        if (sorted) {
            assert_true(traces_find(&t, ids[30], &from, &to));
            assert_int_equal(from, 30);
            assert_int_equal(to, 33);
            assert_false(traces_find(&t, (struct trace_id){0, 31}, &from, &to));
            assert_false(traces_find(&t, (struct trace_id){9, 0}, &from, &to));
        }
        buf_done(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ints_come_back),
        cmocka_unit_test(a_steady_sequence_costs_its_header_only),
        cmocka_unit_test(strings_come_back_in_every_encoding),
        cmocka_unit_test(refuses_an_index_behind_the_dictionary),
        cmocka_unit_test(traces_are_found_by_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
