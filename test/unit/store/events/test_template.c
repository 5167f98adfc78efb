#include "store/events/template.h"

#include <stdio.h>

#include "unit/store/events/sample.h"

struct texts {
    struct buf bytes;
    uint32_t ends[2000];
    size_t n;
};
static void add(struct texts *t, str s) {
    buf_add(&t->bytes, s);
    t->ends[t->n++] = (uint32_t)t->bytes.n;
}

static void assert_round_trip(const struct texts *t) {
    AUTO(arena_free) struct arena *a = arena_new(1024);
    struct buf b = {0};
    struct strings s;
    assert_true(templates_put(&b, t->ends, t->n, t->bytes.p));
    assert_true(templates_open(buf_str(&b), t->n, a, &s));
    for (size_t i = 0; i < t->n; i++) {
        uint32_t from = i ? t->ends[i - 1] : 0;
        assert_true(str_eq(strings_at(&s, i), str_n(t->bytes.p + from, t->ends[i] - from)));
    }
    buf_done(&b);
}

static void lines_come_back_exactly(void **state) {
    (void)state;
    struct texts t = {0};
    char line[300];
    for (unsigned i = 0; i < 1000; i++) {
        unsigned x = i * 2654435761u;
        int n = i % 3 == 0 ? snprintf(line, sizeof line, "10.0.%u.%03u - GET /api/orders/%u id=%08x%08x took 0.%06us", i % 256, i % 1000, x, x, ~x, i)
                : i % 3 == 1
                    ? snprintf(line, sizeof line, "pod svc-%x5f-Ab%u started at 00:%02u with 000000000000000000000000%u and 999999999999999999", x, i,
                               i % 60, x)
                    : snprintf(line, sizeof line, "bytes \x01 \x02 \x03 \x04 \x05 \xff %u", i % 10);
        add(&t, str_n(line, (size_t)n));
    }
    add(&t, STR(""));
    add(&t, STR("\x04"));
    add(&t, str_n("nul \0 inside 7", 14));
    add(&t, STR("7"));
    assert_round_trip(&t);
    buf_done(&t.bytes);
}

static void text_without_a_shape_is_left_alone(void **state) {
    (void)state;
    struct texts t = {0};
    struct buf b = {0};
    uint32_t x = 1;
    for (unsigned i = 0; i < 1000; i++) {
        char line[100];
        for (unsigned k = 0; k < 60; k++) line[k] = (char)('a' + ((x = x * 1664525 + 1013904223) >> 16) % 26);
        add(&t, str_n(line, 60));
    }
    assert_false(templates_put(&b, t.ends, t.n, t.bytes.p));
    assert_int_equal(b.n, 0);
    buf_done(&b);
    buf_done(&t.bytes);
}

static void similar_lines_cost_little(void **state) {
    (void)state;
    struct texts t = {0};
    struct buf b = {0};
    for (unsigned i = 0; i < 1000; i++) {
        char line[100];
        add(&t, str_n(line, (size_t)snprintf(line, sizeof line, "request %u completed with status %u in %u ms", i, 200 + i % 5, i % 100)));
    }
    assert_true(templates_put(&b, t.ends, t.n, t.bytes.p));
    assert_true(b.n < t.bytes.n / 8);
    buf_done(&b);
    buf_done(&t.bytes);
}

static void a_damaged_section_is_refused(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(1024);
    struct texts t = {0};
    struct buf b = {0};
    struct strings s;
    for (unsigned i = 0; i < 100; i++) {
        char line[100];
        add(&t, str_n(line, (size_t)snprintf(line, sizeof line, "the number %u and the id %08xab and x%u", i, i * 2654435761u, i)));
    }
    assert_true(templates_put(&b, t.ends, t.n, t.bytes.p));
    for (size_t cut = 0; cut < b.n; cut++) assert_false(templates_open(str_n(b.p, cut), t.n, a, &s));
    assert_false(templates_open(buf_str(&b), t.n + 1, a, &s));
    assert_false(templates_open(buf_str(&b), t.n - 1, a, &s));
    for (size_t at = 0; at < b.n; at++) {
        char was = b.p[at];
        b.p[at] ^= 0x15;
        if (templates_open(buf_str(&b), t.n, a, &s)) /* other texts, never from outside the section (ASan) */
            for (size_t i = 0; i < t.n; i++) assert_true(strings_at(&s, i).n < 200);
        b.p[at] = was;
    }
    buf_done(&b);
    buf_done(&t.bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_back_exactly),
        cmocka_unit_test(text_without_a_shape_is_left_alone),
        cmocka_unit_test(similar_lines_cost_little),
        cmocka_unit_test(a_damaged_section_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
