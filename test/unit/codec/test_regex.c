#include "codec/regex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"

static struct regex *compile(str pattern, bool anchored) {
    struct regex *re;
    struct err e;
    if (!regex_new(pattern, anchored, &re, &e)) fail_msg("%s", e.msg);
    return re;
}

/* What Go's regexp says about "^(?s:pattern)$" (anchored) and "(?s:pattern)". */
static const struct {
    str pattern, subject;
    bool anchored, anywhere;
} matches[] = {
    {STR_INIT(""), STR_INIT(""), true, true},
    {STR_INIT(""), STR_INIT("a"), false, true},
    {STR_INIT("foo"), STR_INIT("foo"), true, true},
    {STR_INIT("foo"), STR_INIT("foobar"), false, true},
    {STR_INIT("foo|bar|"), STR_INIT(""), true, true},
    {STR_INIT("foo|bar"), STR_INIT("bar"), true, true},
    {STR_INIT("foo|bar"), STR_INIT("xbarx"), false, true},
    {STR_INIT("(foo|bar)-(a|b)"), STR_INIT("bar-b"), true, true},
    {STR_INIT("(foo|bar)-(a|b)"), STR_INIT("bar-c"), false, false},
    {STR_INIT("(?:foo)?bar"), STR_INIT("bar"), true, true},
    {STR_INIT("[ab]x"), STR_INIT("bx"), true, true},
    {STR_INIT("foo.*"), STR_INIT("foo"), true, true},
    {STR_INIT("foo.*"), STR_INIT("foo\nbar"), true, true},
    {STR_INIT("foo.+"), STR_INIT("foo"), false, false},
    {STR_INIT("foo.+"), STR_INIT("foo\n"), true, true},
    {STR_INIT(".*"), STR_INIT(""), true, true},
    {STR_INIT(".+"), STR_INIT(""), false, false},
    {STR_INIT(".+"), STR_INIT("\n"), true, true},
    {STR_INIT(".*foo.*"), STR_INIT("a foo b"), true, true},
    {STR_INIT(".*foo.+"), STR_INIT("a foo foo"), true, true},
    {STR_INIT(".+foo"), STR_INIT("foo"), false, false},
    {STR_INIT("a.*b.*c"), STR_INIT("abcbc"), true, true},
    {STR_INIT("a.+b.+c"), STR_INIT("abbbc"), true, true},
    {STR_INIT("a.+b.+c"), STR_INIT("abbc"), false, false},
    {STR_INIT("aa.*aa"), STR_INIT("aaa"), false, false},
    {STR_INIT("^foo$"), STR_INIT("foo"), true, true},
    {STR_INIT("^foo$"), STR_INIT("foo\n"), false, false}, /* $ is the very end */
    {STR_INIT("^foo"), STR_INIT("foobar"), false, true},
    {STR_INIT("^foo|bar$"), STR_INIT("xbar"), false, true},
    {STR_INIT("(?m)^b$"), STR_INIT("a\nb\nc"), false, true},
    {STR_INIT("(?m)^$"), STR_INIT("a\n"), false, true},
    {STR_INIT("(?i)FoO"), STR_INIT("fOo"), true, true},
    {STR_INIT("(?i:a)b"), STR_INIT("AB"), false, false},
    {STR_INIT("(?i)stra\xc3\x9f"), STR_INIT("STRA\xc3\x9f"), true, true},
    {STR_INIT("(?-s)a.b"), STR_INIT("a\nb"), false, false},
    {STR_INIT("a(?i)b|c"), STR_INIT("C"), true, true},
    {STR_INIT("5.."), STR_INIT("503"), true, true},
    {STR_INIT("5.."), STR_INIT("5\xc3\xa9\xc3\xa9"), true, true},
    {STR_INIT("a{2,3}"), STR_INIT("aaa"), true, true},
    {STR_INIT("a{,3}"), STR_INIT("a{,3}"), true, true},
    {STR_INIT("a{b"), STR_INIT("a{b"), true, true},
    {STR_INIT("\\d+\\s\\w\\D\\S\\W"), STR_INIT("42 xxx-"), true, true},
    {STR_INIT("\\s"), STR_INIT("\v"), false, false}, /* RE2's \s has no vertical tab */
    {STR_INIT("\\S"), STR_INIT("\v"), true, true},
    {STR_INIT("[\\S]"), STR_INIT("\v"), true, true},
    {STR_INIT("\\v\\x41\\x{e9}\\101\\."),
     STR_INIT("\vA\xc3\xa9"
              "A."),
     true, true},
    {STR_INIT("\\Qa.b|c\\E*"), STR_INIT("a.b|ccc"), true, true},
    {STR_INIT("\\p{Greek}+\\pL\\PN"), STR_INIT("\xce\xb1\xce\xb2\xc3\xa9x"), true, true},
    {STR_INIT("\\p{^Greek}"), STR_INIT("\xce\xb1"), false, false},
    {STR_INIT("[[:alpha:]_]+[^[:digit:]]"), STR_INIT("a_z-"), true, true},
    {STR_INIT("[]a]+"), STR_INIT("]a"), true, true},
    {STR_INIT("[^a]"), STR_INIT("\n"), true, true},
    {STR_INIT("[a-c-e]+"), STR_INIT("b-e"), true, true},
    {STR_INIT("\\bfoo\\b"), STR_INIT("a foo b"), false, true},
    {STR_INIT("\\Afoo\\z"), STR_INIT("foo"), true, true},
    {STR_INIT("a|b|(c)"), STR_INIT("c"), true, true},
    {STR_INIT("(?P<n>x)(?<m>y)"), STR_INIT("xy"), true, true},
    {STR_INIT("a.*\xc3\xa9"), STR_INIT("a\xff\xc3\xa9"), true, true}, /* bytes that are no characters do not disturb */
    {STR_INIT("[^x]"), STR_INIT("\xff"), false, false},
    {STR_INIT("[ab]+"), STR_INIT("ab\xff"), false, true},
};

static void matches_as_go_does(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_N(matches); i++) {
        for (int anchored = 0; anchored < 2; anchored++) {
            struct regex *re = compile(matches[i].pattern, anchored);
            bool expected = anchored ? matches[i].anchored : matches[i].anywhere;
            if (regex_match(re, matches[i].subject) != (expected ? REGEX_YES : REGEX_NO))
                fail_msg("%s`%" STR_F "` on \"%" STR_F "\"", anchored ? "anchored " : "", STR_A(matches[i].pattern), STR_A(matches[i].subject));
            /* The way through PCRE2 says the same as the way around it. (Only there are bytes that are no characters no match.) */
            str groups[32];
            size_t n;
            if (!memchr(matches[i].subject.p, 0xff, matches[i].subject.n))
                assert_int_equal(regex_groups(re, matches[i].subject, groups, &n), expected ? REGEX_YES : REGEX_NO);
            regex_free(re);
        }
    }
}

static void refuses_what_re2_does_not_have(void **state) {
    (void)state;
    static const struct {
        const char *pattern, *message;
    } bad[] = {
        {"a(b", "missing closing ): `a(b` (at byte 0)"},
        {"a)b", "unexpected ): `)b` (at byte 1)"},
        {"a[b", "missing closing ]: `[b` (at byte 1)"},
        {"*a", "missing argument to repetition operator: `*` (at byte 0)"},
        {"a|+", "missing argument to repetition operator: `+` (at byte 2)"},
        {"a**", "invalid nested repetition operator: `**` (at byte 1)"},
        {"a++", "invalid nested repetition operator: `++` (at byte 1)"},
        {"a{1001}", "invalid repeat count: `{1001}` (at byte 1)"},
        {"a{3,2}", "invalid repeat count: `{3,2}` (at byte 1)"},
        {"[z-a]", "invalid character class range: `z-a` (at byte 1)"},
        {"[[:foo:]]", "invalid character class range: `[:foo:]` (at byte 1)"},
        {"(a)\\1", "invalid escape sequence (back-references are not supported): `\\1` (at byte 3)"},
        {"\\C", "invalid escape sequence: `\\C` (at byte 0)"},
        {"\\h", "invalid escape sequence: `\\h` (at byte 0)"},
        {"[\\b]", "invalid escape sequence: `\\b` (at byte 1)"},
        {"a\\", "trailing backslash at end of expression: `\\` (at byte 1)"},
        {"\\x{110000}", "invalid escape sequence: `\\x{` (at byte 0)"},
        {"a(?=b)", "invalid or unsupported Perl syntax (look-ahead): `(?=` (at byte 1)"},
        {"a(?!b)", "invalid or unsupported Perl syntax (look-ahead): `(?!` (at byte 1)"},
        {"(?<=a)b", "invalid or unsupported Perl syntax (look-behind): `(?<=` (at byte 0)"},
        {"(?<!a)b", "invalid or unsupported Perl syntax (look-behind): `(?<!` (at byte 0)"},
        {"(?>a)", "invalid or unsupported Perl syntax (atomic group): `(?>` (at byte 0)"},
        {"(?R)", "invalid or unsupported Perl syntax (recursion): `(?R` (at byte 0)"},
        {"(?P>n)", "invalid or unsupported Perl syntax (recursion): `(?P>` (at byte 0)"},
        {"(?P=n)", "invalid or unsupported Perl syntax (back-reference): `(?P=` (at byte 0)"},
        {"(?(1)a)", "invalid or unsupported Perl syntax (condition): `(?(` (at byte 0)"},
        {"(?C1)", "invalid or unsupported Perl syntax (callout): `(?C` (at byte 0)"},
        {"(?#x)", "invalid or unsupported Perl syntax (comment): `(?#` (at byte 0)"},
        {"(?x)a", "invalid or unsupported Perl syntax: `(?x` (at byte 0)"},
        {"(?i-)a", "invalid or unsupported Perl syntax: `(?i-)` (at byte 0)"},
        {"(?P<>a)", "invalid named capture: `(?P<>` (at byte 0)"},
        {"(?P<a-b>a)", "invalid named capture: `(?P<a-b>` (at byte 0)"},
        {"(*ACCEPT)", "missing argument to repetition operator: `*` (at byte 1)"},
        {"a\xff", "invalid UTF-8"},
    };
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        struct regex *re = NULL;
        struct err e;
        char message[200];
        if (regex_new(str_c(bad[i].pattern), true, &re, &e)) fail_msg("`%s` must be refused", bad[i].pattern);
        snprintf(message, sizeof message, "error parsing regexp: %s", bad[i].message);
        assert_int_equal(e.code, ERR_INPUT);
        assert_string_equal(e.msg, message);
        assert_null(re);
    }
}

static void bounds_nesting_and_length(void **state) {
    (void)state;
    struct regex *re;
    struct err e;
    struct buf b = {0};
    for (int i = 0; i < 100000; i++) buf_char(&b, '(');
    assert_false(regex_new(buf_str(&b), true, &re, &e));
    assert_non_null(strstr(e.msg, "expression nests too deeply"));
    buf_reserve(&b, 2 << 20);
    memset(b.p, 'a', 2 << 20);
    b.n = 2 << 20;
    assert_false(regex_new(buf_str(&b), true, &re, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_false(regex_new(STR("((a{100}){100}){100}"), true, &re, &e));
    buf_done(&b);
}

static void yields_literals_once_each(void **state) {
    (void)state;
    static const struct {
        const char *pattern;
        bool anchored;
        const char *literals; /* joined by commas; NULL: not only literals */
    } cases[] = {
        {"foo", true, "foo"},
        {"foo|bar|foo", true, "foo,bar"},
        {"(a|b)(c|d)", true, "ac,ad,bc,bd"},
        {"x[12]?", true, "x1,x2,x"},
        {"a\\.b", true, "a.b"},
        {"^foo$", false, "foo"},
        {"", true, ""},
        {"foo", false, NULL},
        {"foo.*", true, NULL},
        {"(?i)foo", true, NULL},
        {"(?i)12", true, "12"},
        {"a+", true, NULL},
    };
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct regex *re = compile(str_c(cases[i].pattern), cases[i].anchored);
        const str *literals;
        size_t n;
        bool ok = regex_literals(re, &literals, &n);
        assert_int_equal(ok, cases[i].literals != NULL);
        struct buf b = {0};
        for (size_t k = 0; ok && k < n; k++) {
            if (k) buf_char(&b, ',');
            buf_add(&b, literals[k]);
        }
        buf_char(&b, 0);
        if (ok) assert_string_equal(b.p, cases[i].literals);
        buf_done(&b);
        regex_free(re);
    }
}

/* Dashboards send the names of all pods: far more than PCRE2 could compile. */
static void takes_thousands_of_literals(void **state) {
    (void)state;
    struct buf b = {0};
    for (int i = 0; i < 20000; i++) buf_printf(&b, "%spod-%d-7f9c4d", i ? "|" : "", i);
    struct regex *re = compile(buf_str(&b), true);
    assert_int_equal(regex_match(re, STR("pod-0-7f9c4d")), REGEX_YES);
    assert_int_equal(regex_match(re, STR("pod-19999-7f9c4d")), REGEX_YES);
    assert_int_equal(regex_match(re, STR("pod-20000-7f9c4d")), REGEX_NO);
    const str *literals;
    size_t n;
    assert_true(regex_literals(re, &literals, &n));
    assert_int_equal(n, 20000);
    regex_free(re);
    buf_done(&b);
}

static void gives_groups_by_number_and_name(void **state) {
    (void)state;
    str g[32];
    size_t n;
    struct regex *re = compile(STR("(?P<host>[^:]+)(:(?<port>\\d+))?(x)?"), true);
    assert_int_equal(regex_groups(re, STR("example:80"), g, &n), REGEX_YES);
    assert_int_equal(n, 5);
    assert_true(str_eq(g[0], STR("example:80")) && str_eq(g[1], STR("example")) && str_eq(g[2], STR(":80")) && str_eq(g[3], STR("80")));
    assert_null(g[4].p);
    assert_int_equal(regex_group_index(re, STR("host")), 1);
    assert_int_equal(regex_group_index(re, STR("port")), 3);
    assert_int_equal(regex_group_index(re, STR("none")), -1);
    assert_int_equal(regex_group_index(re, STR("")), -1);
    assert_int_equal(regex_groups(re, STR(":"), g, &n), REGEX_NO);
    regex_free(re);
    re = compile(STR("b+"), false);
    assert_int_equal(regex_groups(re, STR("abbc"), g, &n), REGEX_YES);
    assert_true(n == 1 && str_eq(g[0], STR("bb")));
    regex_free(re);
    re = compile(STR("(.*)"), true);
    assert_int_equal(regex_groups(re, STR_NULL, g, &n), REGEX_YES);
    assert_true(n == 2 && g[1].n == 0);
    regex_free(re);
}

static void reports_runaway_backtracking_as_a_limit(void **state) {
    (void)state;
    struct regex *re = compile(STR("(a*)*(a*)*(a*)*[bc]"), true);
    struct buf b = {0};
    for (int i = 0; i < 5000; i++) buf_char(&b, 'a');
    assert_int_equal(regex_match(re, buf_str(&b)), REGEX_LIMIT);
    regex_free(re);
    buf_done(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_as_go_does),
        cmocka_unit_test(refuses_what_re2_does_not_have),
        cmocka_unit_test(bounds_nesting_and_length),
        cmocka_unit_test(yields_literals_once_each),
        cmocka_unit_test(takes_thousands_of_literals),
        cmocka_unit_test(gives_groups_by_number_and_name),
        cmocka_unit_test(reports_runaway_backtracking_as_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
