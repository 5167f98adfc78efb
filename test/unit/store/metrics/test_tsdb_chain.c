#include "base/hash.h"
#include "store/metrics/chain.h"
#include "unit/store/metrics/help.h"

enum { OWNERS = 50, BYTES_MAX = 2000 };

/* What an owner must hold: what was put, piece by piece. */
struct owner {
    struct chain chain;
    uint8_t want[BYTES_MAX];
    size_t n;
};

static void check(const struct chains *s, const struct owner *o) {
    AUTO(arena_free) struct arena *a = arena_new(4096);
    str got = chain_str(s, &o->chain, a);
    assert_int_equal(got.n, o->n);
    assert_memory_equal(got.p, o->want, o->n);
}

static void put(struct chains *s, struct owner *o, uint64_t seed, size_t n) {
    for (size_t i = 0; i < n; i++) o->want[o->n + i] = (uint8_t)hash_mix(seed, i);
    chain_put(s, &o->chain, o->want + o->n, n);
    o->n += n;
}

static void many_owners_grow_in_turns_and_each_has_its_own_bytes(void **state) {
    (void)state;
    static struct owner owners[OWNERS];
    memset(owners, 0, sizeof owners);
    struct chains s = {0};
    for (uint64_t i = 0; i < 6000; i++) {
        uint64_t x = hash_mix(i, 1);
        struct owner *o = &owners[x % OWNERS];
        size_t n = x / OWNERS % 10 ? x % 14 : x % 300;
        if (o->n + n > BYTES_MAX) {
            check(&s, o);
            chain_clear(&s, &o->chain);
            o->n = 0;
        }
        put(&s, o, x, n);
        if (o->n) assert_int_equal(*chain_last(&s, &o->chain), o->want[o->n - 1]);
        if (i % 100 == 0) check(&s, o);
    }
    for (size_t i = 0; i < OWNERS; i++) check(&s, &owners[i]);
    chains_done(&s);
}

static void short_rows_take_no_block(void **state) {
    (void)state;
    struct chains s = {0};
    struct owner o = {0};
    for (int i = 0; i < CHAIN_IN_PLACE; i++) put(&s, &o, 5, 1);
    check(&s, &o);
    assert_int_equal(s.n, 0);
    put(&s, &o, 6, 1);
    check(&s, &o);
    assert_int_equal(s.n, 1);
    chains_done(&s);
}

static void blocks_given_back_are_used_first(void **state) {
    (void)state;
    struct chains s = {0};
    struct owner a = {0};
    struct owner b = {0};
    put(&s, &a, 1, 1000);
    uint32_t blocks = s.n;
    chain_clear(&s, &a.chain);
    put(&s, &b, 2, 1000);
    assert_int_equal(s.n, blocks);
    check(&s, &b);
    chains_done(&s);
}

static void the_last_byte_can_be_changed_and_the_mark_stays(void **state) {
    (void)state;
    struct chains s = {0};
    struct owner o = {0};
    for (int i = 0; i < 100; i++) {
        put(&s, &o, (uint64_t)i, 1);
        o.chain.mark = 1;
        o.want[o.n - 1]++;
        ++*chain_last(&s, &o.chain);
    }
    check(&s, &o);
    assert_true(o.chain.mark);
    chains_done(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_owners_grow_in_turns_and_each_has_its_own_bytes),
        cmocka_unit_test(short_rows_take_no_block),
        cmocka_unit_test(blocks_given_back_are_used_first),
        cmocka_unit_test(the_last_byte_can_be_changed_and_the_mark_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
