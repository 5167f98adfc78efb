#include "store/events/automaton.h"
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
// clang-format on

struct expectation {
    const char *pattern, *matches, *differs; /* strings separated by blanks; "-" is the empty string, an empty list no string */
};

typedef bool compile_fn(str pattern, struct arena *a, const struct automaton **out, struct err *e);
static bool regexp(str pattern, struct arena *a, const struct automaton **out, struct err *e) {
    return automaton_regexp(pattern, false, a, out, e);
}
static bool wildcard(str pattern, struct arena *a, const struct automaton **out, struct err *e) {
    return automaton_wildcard(pattern, false, a, out, e);
}

static void expect_list(const struct automaton *m, const char *pattern, const char *list, bool want) {
    str rest = str_c(list), s;
    for (bool more = rest.n > 0; more;) {
        more = str_cut(&rest, ' ', &s);
        if (str_eq(s, STR("-"))) s = STR("");
        if (automaton_match(m, s) != want) fail_msg("/%s/ on '%.*s': expected %d", pattern, (int)s.n, s.p, want);
    }
}
static void expect(compile_fn *compile, const struct expectation *list, size_t n) {
    for (size_t i = 0; i < n; i++) {
        AUTO(arena_free) struct arena *a = arena_new(1024);
        const struct automaton *m;
        struct err e = {0};
        if (!compile(str_c(list[i].pattern), a, &m, &e)) fail_msg("/%s/: %s", list[i].pattern, e.msg);
        expect_list(m, list[i].pattern, list[i].matches, true);
        expect_list(m, list[i].pattern, list[i].differs, false);
    }
}

static void regexps_match_the_whole_string(void **state) {
    (void)state;
    static const struct expectation list[] = {
        {"fo?x", "fox fx", "foox xfox foxx -"},
        {"a{2,3}", "aa aaa", "a aaaa -"},
        {"a{2,}b", "aab aaaab", "ab"},
        {"a{0}", "-", "a"},
        {"(ab)+c*", "ab abab abcc", "c abca -"},
        {"(ab)*|x", "- abab x", "ax"},
        {"[a-c]x[^0-9]", "axz bx-", "dxz ax5 ax"},
        {"a.c", "abc aéc a日c", "ac abbc"},
        {"\\d+\\.\\w", "12.a 1._", "12a a.b 12.-"},
        {"[\\d-]+", "1-2 --", "a"},
        {"()", "-", "a"},
        {"^a$", "^a$", "a"},
        {"\"a.b\"*", "- a.ba.b", "axb"},
    };
    expect(regexp, list, ARRAY_N(list));
}

static void regexps_know_lucenes_own_operators(void **state) {
    (void)state;
    static const struct expectation list[] = {
        {"fo.*&.*y", "foy foxy", "fox y"},
        {"~(foo.*)", "bar fo -", "foo food"},
        {"a~bc", "ac axc abbc", "abc"},
        {"@ox", "ox fox", "oxx"},
        {"a#|b", "b", "a a#"},
        {"<1-20>", "1 20 007", "0 21 -"},
        {"<01-20>", "01 20", "1 001 21"},
        {"x<9-1000>y", "x9y x1000y x0500y", "x8y x1001y xy"},
        {"(a|b)&(b|c)&[a-z]", "b", "a c"},
    };
    expect(regexp, list, ARRAY_N(list));
}

static void wildcards_match_code_points(void **state) {
    (void)state;
    static const struct expectation list[] = {{"f?x*", "fox föx f日xyz", "fx ffox"},
                                              {"*ox", "ox fox oxox", "oxx -"},
                                              {"*a*b*", "ab xaxbx", "ba"},
                                              {"a\\*b", "a*b", "axb"},
                                              {"*", "- x", ""}};
    expect(wildcard, list, ARRAY_N(list));
}

static void regexps_that_are_wrong_say_where(void **state) {
    (void)state;
    static const struct {
        const char *pattern, *message;
    } list[] = {
        {"ab[c", "regexp: expected ']' at position 4"},
        {"a(b", "regexp: expected ')' at position 3"},
        {"a{2", "regexp: expected '}' at position 3"},
        {"a{x}", "regexp: integer expected at position 2"},
        {"a{3,2}", "regexp: {n,m} with m below n at position 6"},
        {"a)", "regexp: end-of-string expected at position 1"},
        {"<1-", "regexp: integer expected at position 3"},
        {"\"x", "regexp: expected '\"' at position 2"},
        {"a\\", "regexp: unexpected end of the pattern at position 2"},
    };
    for (size_t i = 0; i < ARRAY_N(list); i++) {
        AUTO(arena_free) struct arena *a = arena_new(1024);
        const struct automaton *m;
        struct err e = {0};
        assert_false(automaton_regexp(str_c(list[i].pattern), false, a, &m, &e));
        assert_int_equal(e.code, ERR_INPUT);
        assert_string_equal(e.msg, list[i].message);
    }
}

static void patterns_that_explode_are_refused(void **state) {
    (void)state;
    static const char *const list[] = {"(.*a.{30})", "((a{1000}){1000}){1000}", "~(.*a.{20})&(.*b.{20})", "(((((a|b)*c){9}){9}){9}){9}"};
    for (size_t i = 0; i < ARRAY_N(list); i++) {
        AUTO(arena_free) struct arena *a = arena_new(1024);
        const struct automaton *m;
        struct err e = {0};
        assert_false(automaton_regexp(str_c(list[i]), false, a, &m, &e));
        assert_non_null(strstr(e.msg, "too complex"));
    }
    AUTO(arena_free) struct arena *a = arena_new(1024);
    const struct automaton *m;
    struct err e = {0};
    assert_false(automaton_wildcard(STR("*a??????????????????????"), false, a, &m, &e));
    char nested[400];
    memset(nested, '(', 200);
    memset(nested + 200, ')', 200);
    assert_false(automaton_regexp(str_n(nested, 400), false, a, &m, &e));
    assert_non_null(strstr(e.msg, "nested"));
}

static unsigned distance(str x, str y, bool swaps) { /* optimal string alignment, the textbook table */
    unsigned d[16][16];
    for (unsigned i = 0; i <= x.n; i++)
        for (unsigned j = 0; j <= y.n; j++) {
            if (!i || !j) {
                d[i][j] = i + j;
                continue;
            }
            unsigned best = MIN(d[i - 1][j] + 1, d[i][j - 1] + 1);
            best = MIN(best, d[i - 1][j - 1] + (x.p[i - 1] != y.p[j - 1]));
            if (swaps && i > 1 && j > 1 && x.p[i - 1] == y.p[j - 2] && x.p[i - 2] == y.p[j - 1]) best = MIN(best, d[i - 2][j - 2] + 1);
            d[i][j] = best;
        }
    return d[x.n][y.n];
}
static void fuzzy_agrees_with_the_textbook(void **state) {
    (void)state;
    static const char *const words[] = {"",     "a",    "ab",  "ba",   "abc",  "acb",   "abcd",  "badc",
                                        "abdc", "xabc", "bcd", "aabb", "abab", "abcde", "eabcd", "cba"};
    for (unsigned edits = 0; edits <= 2; edits++)
        for (unsigned swaps = 0; swaps < 2; swaps++)
            for (size_t i = 0; i < ARRAY_N(words); i++) {
                AUTO(arena_free) struct arena *a = arena_new(1024);
                const struct automaton *m;
                struct err e = {0};
                assert_true(automaton_fuzzy(str_c(words[i]), (struct automaton_fuzziness){edits, 0, swaps}, a, &m, &e));
                for (size_t j = 0; j < ARRAY_N(words); j++)
                    assert_int_equal(automaton_match(m, str_c(words[j])), distance(str_c(words[i]), str_c(words[j]), swaps) <= edits);
            }
}

static void fuzzy_counts_code_points_and_keeps_its_prefix(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(1024);
    const struct automaton *m;
    struct err e = {0};
    assert_true(automaton_fuzzy(STR("größe"), (struct automaton_fuzziness){1, 0, true}, a, &m, &e));
    assert_true(automaton_match(m, STR("grösse")) == false);
    assert_true(automaton_match(m, STR("grüße")));
    assert_true(automaton_fuzzy(STR("test"), (struct automaton_fuzziness){1, 2, true}, a, &m, &e));
    assert_true(automaton_match(m, STR("tex")) == false);
    assert_true(automaton_match(m, STR("text")));
    assert_false(automaton_match(m, STR("best")));
    assert_false(automaton_fuzzy(STR("x"), (struct automaton_fuzziness){3, 0, true}, a, &m, &e));
}

static void finds_the_literal_prefix(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(1024);
    const struct automaton *m;
    struct err e = {0};
    static const char *const list[][2] = {{"conn.*", "conn"}, {"(abc|abd)x", "ab"}, {".*a", ""}, {"größe", "größe"}, {"ab?", "a"}};
    for (size_t i = 0; i < ARRAY_N(list); i++) {
        assert_true(automaton_regexp(str_c(list[i][0]), false, a, &m, &e));
        assert_string_equal(arena_cstr(a, automaton_prefix(m)), list[i][1]);
    }
}

static void can_ignore_ascii_case(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(1024);
    const struct automaton *m;
    struct err e = {0};
    assert_true(automaton_regexp(STR("Ab[x-z]"), true, a, &m, &e));
    assert_true(automaton_match(m, STR("aBY")));
    assert_true(automaton_wildcard(STR("Ab*"), true, a, &m, &e));
    assert_true(automaton_match(m, STR("aBY")));
    assert_false(automaton_match(m, STR("aY")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(regexps_match_the_whole_string),
        cmocka_unit_test(regexps_know_lucenes_own_operators),
        cmocka_unit_test(wildcards_match_code_points),
        cmocka_unit_test(regexps_that_are_wrong_say_where),
        cmocka_unit_test(patterns_that_explode_are_refused),
        cmocka_unit_test(fuzzy_agrees_with_the_textbook),
        cmocka_unit_test(fuzzy_counts_code_points_and_keeps_its_prefix),
        cmocka_unit_test(finds_the_literal_prefix),
        cmocka_unit_test(can_ignore_ascii_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
