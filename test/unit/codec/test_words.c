#include "codec/words.h"
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
// clang-format on

static void expect_words(const char *text, const char *expected) {
    AUTO(arena_free) struct arena *a = arena_new(256);
    str joined = STR("");
    struct words w = words_open(str_c(text), a);
    for (struct word x; words_next(&w, &x);) joined = arena_printf(a, "%" STR_F "%s%" STR_F, STR_A(joined), joined.n ? "|" : "", STR_A(x.text));
    assert_string_equal(arena_cstr(a, joined), expected);
}

static void splits_ascii_as_the_standard_analyzer(void **state) {
    (void)state;
    expect_words("GET /api/v1/users 200 12ms", "get|api|v1|users|200|12ms");
    expect_words("at com.example.Foo.bar(Foo.java:42)", "at|com.example.foo.bar|foo.java|42");
    expect_words("a.b a.1 1.a 1.2 a_b a'b a:b a-b 1,2 a,1", "a.b|a|1|1|a|1.2|a_b|a'b|a:b|a|b|1,2|a|1");
    expect_words("key:value sha256:abc user_id=7 ___ _x", "key:value|sha256|abc|user_id|7|_x");
    expect_words("10.0.0.1 2018-03-01T10:00:00Z", "10.0.0.1|2018|03|01t10|00|00z");
    expect_words(".net C++ end.", "net|c|end");
    expect_words("", "");
    expect_words("!!! --- ...", "");
}

static void splits_other_scripts_as_lucene_does(void **state) {
    (void)state;
    expect_words("Привет МИР", "привет|мир");
    expect_words("中国人", "中|国|人");
    expect_words("カタカナ ひらがな", "カタカナ|ひ|ら|が|な");
    expect_words("안녕하세요 세계", "안녕하세요|세계");
    expect_words("สวัสดีครับ", "สวัสดีครับ");
    expect_words("foo’s n² ½ 3µs", "foo’s|n|3µs");
    expect_words("a👩‍👩‍👧b 🇩🇪 #️⃣ # 👍🏽", "a|👩‍👩‍👧|b|🇩🇪|#️⃣|👍🏽");
    expect_words("Ä İ Größe", "ä|i|größe");
}

static void bytes_that_are_not_utf8_separate(void **state) {
    (void)state;
    expect_words(
        "ab\xff"
        "cd",
        "ab|cd");
    expect_words("\xe4\xb8", "");
}

static void cuts_words_after_255_units(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(256);
    char text[600];
    memset(text, 'a', sizeof text);
    struct words w = words_open(str_n(text, sizeof text), a);
    struct word x;
    size_t lengths[3] = {255, 255, 90};
    for (size_t i = 0; i < 3; i++) {
        assert_true(words_next(&w, &x));
        assert_int_equal(x.text.n, lengths[i]);
        assert_int_equal(x.position, i);
    }
    assert_false(words_next(&w, &x));
}

static void gives_positions_and_byte_ranges(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(256);
    struct words w = words_open(STR("Ünit  ok"), a);
    struct word x;
    assert_true(words_next(&w, &x));
    assert_int_equal(x.from, 0);
    assert_int_equal(x.to, 5);
    assert_true(words_next(&w, &x));
    assert_int_equal(x.position, 1);
    assert_int_equal(x.from, 7);
    assert_ptr_equal(x.text.p, w.text.p + 7); /* already lower-case: borrowed */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_ascii_as_the_standard_analyzer), cmocka_unit_test(splits_other_scripts_as_lucene_does),
        cmocka_unit_test(bytes_that_are_not_utf8_separate),      cmocka_unit_test(cuts_words_after_255_units),
        cmocka_unit_test(gives_positions_and_byte_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
