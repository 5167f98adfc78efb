#include "store/events/fingerprint.h"

#include <stdio.h>

#include "unit/store/events/sample.h"

static str word_of(char *to, unsigned i) {
    return str_n(to, (size_t)snprintf(to, 32, "w%x", i * 2654435761u));
}

static void knows_every_word_and_few_others(void **state) {
    (void)state;
    for (unsigned n = 1; n <= 30000; n = n * 5 / 2 + 1) {
        struct fingerprints f = {0};
        struct buf b = {0};
        char text[32];
        for (unsigned i = 0; i < n; i++) {
            str w = word_of(text, i);
            uint32_t end = (uint32_t)w.n;
            fingerprints_add(&f, &end, 1, w.p);
        }
        assert_true(fingerprints_put(&f, &b));
        for (unsigned i = 0; i < n; i++) assert_true(fingerprints_maybe(buf_str(&b), word_hash(word_of(text, i))));
        unsigned wrong = 0;
        for (unsigned i = n; i < n + 10000; i++) wrong += fingerprints_maybe(buf_str(&b), word_hash(word_of(text, i)));
        assert_true(wrong < 100); /* 1 of 256 is expected */
        if (n > 10000) assert_true(b.n < n * 4 / 3 + 24);
        buf_done(&b);
    }
}

static void words_are_analysed(void **state) {
    (void)state;
    struct fingerprints f = {0};
    struct buf b = {0};
    str text = STR("GET /api/Orders?id=42");
    uint32_t end = (uint32_t)text.n;
    fingerprints_add(&f, &end, 1, text.p);
    assert_true(fingerprints_put(&f, &b));
    assert_true(fingerprints_maybe(buf_str(&b), word_hash(STR("orders"))));
    assert_true(fingerprints_maybe(buf_str(&b), word_hash(STR("42"))));
    buf_done(&b);
}

static void a_damaged_section_hides_nothing(void **state) {
    (void)state;
    assert_true(fingerprints_maybe(STR(""), 1));
    assert_true(fingerprints_maybe(STR("0123456789abcdef0123456789abcdef"), 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_every_word_and_few_others),
        cmocka_unit_test(words_are_analysed),
        cmocka_unit_test(a_damaged_section_hides_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
