#include <stdlib.h>

#include "base/hash.h"
#include "store/metrics/cells.h"
#include "store/metrics/decimal.h"
#include "store/metrics/histcode.h"
#include "unit/store/metrics/help.h"

enum { TICKS = 600 };
/* A row and what it must read as, cell by cell. */
struct row {
    struct chains chains;
    struct cells cells;
    int64_t clock[TICKS];
    size_t n;
    int64_t t_ms[TICKS], st_ms[TICKS];
    double v[TICKS], count[TICKS]; /* count -1: a float */
};

static double any_value(uint64_t x, double before) {
    switch (x % 9) {
    case 0:
    case 1: return before;
    case 2: return before + 1;
    case 3: return before + (double)(x % 3000);
    case 4: return before + (double)(x % 500000);
    case 5: return (double)(x % (UINT64_C(1) << 50));
    case 6: return (double)(x % 100000) / 1000;
    case 7: return bits_double(hash_mix(x, 3));
    default: return stale_nan();
    }
}

static void make_row(struct row *r, uint64_t seed, bool histograms) {
    *r = (struct row){0};
    struct cell_state state = {0};
    AUTO(buf_done) struct buf code = {0};
    double v = 0;
    int64_t start = 0;
    for (uint32_t tick = 0; tick < TICKS; tick++) {
        uint64_t x = hash_mix(seed, tick);
        r->clock[tick] = 1000 + (int64_t)tick * 10;
        if (x % 11 == 0) continue;
        if (x % 29 == 0) cells_start(&r->chains, &r->cells, start = (int64_t)(x % 100000));
        bool is_histogram = histograms && x % 3 == 0;
        r->t_ms[r->n] = r->clock[tick];
        r->st_ms[r->n] = start;
        r->count[r->n] = is_histogram ? (double)(x / 100 % 3) : -1;
        if (is_histogram) {
            buf_clear(&code);
            histogram_encode(&(struct histogram){.count = r->count[r->n]}, &code);
            cells_add_histogram(&r->chains, &r->cells, &state, tick, buf_str(&code));
        } else {
            r->v[r->n] = v = any_value(hash_mix(x, 1), v);
            cells_add(&r->chains, &r->cells, &state, tick, v);
        }
        r->n++;
    }
}

static void check_range(const struct row *r, int64_t from_ms, int64_t to_ms) {
    AUTO(arena_free) struct arena *a = arena_new(4096);
    struct columns c = {.arena = a, .bytes_left = SIZE_MAX};
    struct err e = {0};
    if (!cells_read(chain_str(&r->chains, &r->cells.bytes, a), r->clock, TICKS, from_ms, to_ms, &c, &e)) fail_msg("%s", e.msg);
    size_t k = 0;
    for (size_t i = 0; i < r->n; i++) {
        if (r->t_ms[i] < from_ms || r->t_ms[i] > to_ms) continue;
        assert_true(k < c.n);
        assert_int_equal(c.t_ms[k], r->t_ms[i]);
        assert_int_equal(c.st_ms ? c.st_ms[k] : 0, r->st_ms[i]);
        if (r->count[i] < 0) {
            assert_memory_equal(&c.v[k], &r->v[i], sizeof *c.v);
            assert_true(!c.h || !c.h[k]);
        } else {
            assert_true(c.h[k]->count == r->count[i]);
        }
        k++;
    }
    assert_int_equal(k, c.n);
}

static void reads_any_row_over_any_range(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct row r;
        make_row(&r, seed, seed % 3 == 2);
        check_range(&r, INT64_MIN, INT64_MAX);
        for (uint64_t k = 0; k < 40; k++) {
            int64_t from = 990 + (int64_t)(hash_mix(seed, k) % (TICKS * 10));
            check_range(&r, from, from + (int64_t)(hash_mix(k, seed + 7) % 2000));
        }
        check_range(&r, 5, 6);
        check_range(&r, 1000000, 2000000);
        chains_done(&r.chains);
    }
}

static void appends_to_columns_that_hold_something_already(void **state) {
    (void)state;
    struct row with;
    struct row without;
    make_row(&with, 2, true);
    make_row(&without, 3, false);
    AUTO(arena_free) struct arena *a = arena_new(4096);
    struct columns c = {.arena = a, .bytes_left = SIZE_MAX};
    const struct row *rows[] = {&without, &with, &without};
    for (size_t i = 0; i < ARRAY_N(rows); i++)
        assert_true(cells_read(chain_str(&rows[i]->chains, &rows[i]->cells.bytes, a), rows[i]->clock, TICKS, INT64_MIN, INT64_MAX, &c, NULL));
    assert_int_equal(c.n, 2 * without.n + with.n);
    for (size_t i = 0; i < without.n; i++) {
        assert_true(!c.h[i] && !c.h[without.n + with.n + i]);
        assert_memory_equal(&c.v[without.n + with.n + i], &without.v[i], sizeof *c.v);
    }
    chains_done(&with.chains);
    chains_done(&without.chains);
}

/* Cut at every byte and with every byte changed: never a read outside, and an error says where. */
static void damaged_rows_are_refused_or_read_but_never_beyond_their_bytes(void **state) {
    (void)state;
    struct row r;
    make_row(&r, 5, true);
    size_t refused = 0;
    AUTO(arena_free) struct arena *whole = arena_new(4096);
    str bytes = chain_str(&r.chains, &r.cells.bytes, whole);
    for (size_t i = 0; i < 2 * bytes.n; i++) {
        size_t n = MIN(i, bytes.n);
        char *copy = malloc(MAX(n, 1));
        memcpy(copy, bytes.p, n);
        if (i >= bytes.n) copy[i - n] ^= (char)(1 << i % 8);
        AUTO(arena_free) struct arena *a = arena_new(4096);
        struct columns c = {.arena = a, .bytes_left = SIZE_MAX};
        struct err e = {0};
        if (!cells_read(str_n(copy, n), r.clock, TICKS, INT64_MIN, INT64_MAX, &c, &e)) {
            assert_int_equal(e.code, ERR_CORRUPT);
            refused++;
        }
        assert_true(c.n <= TICKS);
        free(copy);
    }
    assert_true(refused > 0);
    chains_done(&r.chains);
}

static void says_at_which_byte_cells_are_damaged(void **state) {
    (void)state;
    static const struct {
        const char *bytes, *want;
        size_t n;
    } cases[] = {
        {"\x05", "damaged cells at byte 1: a difference without a base", 1},
        {"\xc3\x00\x02\x70\x01", "damaged cells at byte 4: they end within a number", 5},
        {"\xc3\x00\x02\x82", "damaged cells at byte 4: more of them than timestamps", 4},
        {"\xc3\x00\x02\xc0\x03", "damaged cells at byte 5: more of them than timestamps", 5},
        {"\xc3\x00\x02\xdd", "damaged cells at byte 4: an operation that is none, or cut off", 4},
    };
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        AUTO(arena_free) struct arena *a = arena_new(4096);
        struct columns c = {.arena = a, .bytes_left = SIZE_MAX};
        struct err e = {0};
        int64_t clock[] = {1, 2, 3};
        assert_false(cells_read(str_n(cases[i].bytes, cases[i].n), clock, 3, 0, 10, &c, &e));
        assert_string_equal(e.msg, cases[i].want);
    }
}

static void a_memory_limit_is_an_error_that_says_what_to_do(void **state) {
    (void)state;
    struct row r;
    make_row(&r, 1, false);
    AUTO(arena_free) struct arena *a = arena_new(4096);
    struct columns c = {.arena = a, .bytes_left = 100};
    struct err e = {0};
    assert_false(cells_read(chain_str(&r.chains, &r.cells.bytes, a), r.clock, TICKS, INT64_MIN, INT64_MAX, &c, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_non_null(strstr(e.msg, "select fewer series"));
    chains_done(&r.chains);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_any_row_over_any_range),
        cmocka_unit_test(appends_to_columns_that_hold_something_already),
        cmocka_unit_test(damaged_rows_are_refused_or_read_but_never_beyond_their_bytes),
        cmocka_unit_test(says_at_which_byte_cells_are_damaged),
        cmocka_unit_test(a_memory_limit_is_an_error_that_says_what_to_do),
    };
    loop_own_thread();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
