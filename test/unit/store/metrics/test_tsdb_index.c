/* index_match against the simplest thing that could be right: all matchers tested on all series. Both kinds of index: growing, and loaded from a
 * part. */
#include "base/hash.h"
#include "codec/regex.h"
#include "store/metrics/index.h"
#include "unit/store/metrics/help.h"

enum { SERIES = 300, ROUNDS = 1500 };
struct fixture {
    struct arena *a;
    struct index growing, loaded;
    struct labels series[SERIES];
};

static const char *const names[] = {"__name__", "code", "instance", "job", "pod", "zone"};
static const char *const values[] = {"a", "b", "c", "200", "a1", "b1"};

static struct labels some_labels(struct arena *a, uint64_t seed, uint64_t mask) {
    struct label *l = arena_new_n(a, struct label, ARRAY_N(names));
    size_t n = 0;
    for (uint64_t i = 0; i < ARRAY_N(names); i++)
        if (mask >> i & 1 && hash_mix(seed, i) % 4) l[n++] = (struct label){str_c(names[i]), str_c(values[hash_mix(seed, i + 50) % ARRAY_N(values)])};
    return (struct labels){l, n};
}

static void make(struct fixture *f, uint64_t seed) {
    f->a = arena_new(64 << 10);
    index_init(&f->growing, true);
    index_init(&f->loaded, false);
    for (size_t i = 0; i < SERIES; i++) {
        uint64_t mask = hash_mix(seed, i % 7); /* the same name on one side here, on the other there */
        uint32_t target = index_put_target(&f->growing, some_labels(f->a, hash_mix(seed, i % 20), mask));
        uint32_t shape = index_put_shape(&f->growing, some_labels(f->a, hash_mix(seed + 1, i), ~mask));
        index_add_row(&f->growing, target, shape);
        f->series[i] = labels_copy(f->a, index_labels(&f->growing, target, shape, f->a));
    }
    struct index *g = &f->growing;
    for (size_t i = 1; i < g->strings.s.n; i++) assert_int_equal(strtab_put(&f->loaded.strings, g->strings.s.p[i]), i);
    for (size_t i = 0; i < g->targets.e.n; i++) index_load_entry(&f->loaded, &f->loaded.targets, g->targets.e.p[i].l, g->targets.e.p[i].n);
    for (size_t i = 0; i < g->shapes.e.n; i++) index_load_entry(&f->loaded, &f->loaded.shapes, g->shapes.e.p[i].l, g->shapes.e.p[i].n);
    for (size_t i = 0; i < g->rows.n; i++) vec_push(&f->loaded.rows, g->rows.p[i]);
    index_loaded(&f->loaded);
}
static void unmake(struct fixture *f) {
    index_done(&f->growing);
    index_done(&f->loaded);
    arena_free(f->a);
}

static void check(const struct fixture *f, const struct index *x, const struct matcher *m, size_t n) {
    AUTO(arena_free) struct arena *a = arena_new(4096);
    struct matches found = {0};
    struct err e = {0};
    if (!index_match(x, m, n, a, &found, &e)) fail_msg("%s", e.msg);
    uint8_t got[SERIES] = {0};
    for (size_t i = 0; i < found.n; i++) {
        assert_int_equal(got[found.p[i].row], 0); /* once each */
        got[found.p[i].row] = 1;
        assert_true(x->rows.p[found.p[i].row].target == found.p[i].target && x->rows.p[found.p[i].row].shape == found.p[i].shape);
    }
    for (size_t i = 0; i < SERIES; i++) {
        bool want = true;
        for (size_t k = 0; k < n; k++) want &= matcher_test(&m[k], labels_get(f->series[i], m[k].name)) == MATCHER_YES;
        assert_int_equal(got[i], want);
    }
}

static void finds_what_testing_every_series_finds(void **state) {
    (void)state;
    static const char *const patterns[] = {"a.*", ".*", ".+", "b|c", "", "a1?", "x"};
    struct regex *re[ARRAY_N(patterns)];
    for (size_t i = 0; i < ARRAY_N(patterns); i++) assert_true(regex_new(str_c(patterns[i]), true, &re[i], NULL));
    for (uint64_t seed = 0; seed < 8; seed++) {
        struct fixture f;
        make(&f, seed);
        for (uint64_t round = 0; round < ROUNDS; round++) {
            struct matcher m[4];
            size_t n = hash_mix(seed, round) % (ARRAY_N(m) + 1);
            for (uint64_t k = 0; k < n; k++) {
                uint64_t x = hash_mix(hash_mix(seed, round), k);
                size_t which = x / 100 % ARRAY_N(patterns);
                const char *value = x % 13 == 0 ? "" : x % 11 == 0 ? "nowhere" : values[x / 1000 % ARRAY_N(values)];
                m[k] = (struct matcher){(enum match_op)(x % 4), str_c(x % 17 == 0 ? "absent" : names[x / 7 % ARRAY_N(names)]), str_c(value), NULL};
                if (m[k].op == MATCH_RE || m[k].op == MATCH_NRE) {
                    m[k].value = str_c(patterns[which]);
                    m[k].re = re[which];
                }
            }
            check(&f, &f.growing, m, n);
            check(&f, &f.loaded, m, n);
        }
        unmake(&f);
    }
    for (size_t i = 0; i < ARRAY_N(patterns); i++) regex_free(re[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(finds_what_testing_every_series_finds)};
    loop_own_thread();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
