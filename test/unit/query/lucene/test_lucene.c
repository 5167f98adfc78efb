#include "query/lucene/lucene.h"
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
// clang-format on

typedef bool filter_fn(str query, const struct lucene_options *o, struct arena *a, const struct filter **out, struct err *e);

static const struct field_info infos[] = {
    {.name = {"level", 5}, .types = 1u << VAL_STRING}, {.name = {"status", 6}, .types = 1u << VAL_INT},
    {.name = {"ok", 2}, .types = 1u << VAL_BOOL},      {.name = {"mixed", 5}, .types = 1u << VAL_STRING | 1u << VAL_INT},
    {.name = {"big", 3}, .types = 1u << VAL_INT},      {.name = {"kube.pod", 8}, .types = 1u << VAL_STRING},
};

/* The filter's canonical text, or the error message. */
static str compile(filter_fn *fn, const char *query, bool default_and, struct arena *a) {
    struct fields fields = fields_open(infos, ARRAY_N(infos));
    const str message = STR("message");
    struct lucene_options o = {
        .fields = &fields, .default_fields = &message, .default_field_n = 1, .default_and = default_and, .fuzziness = {.transpositions = true}};
    const struct filter *f;
    struct err e = {0};
    struct buf b = {0};
    if (fn(str_c(query), &o, a, &f, &e))
        filter_put(&b, f);
    else
        buf_add(&b, err_str(&e));
    str text = arena_str(a, buf_str(&b));
    buf_done(&b);
    fields_done(&fields);
    return text;
}
struct expectation {
    const char *query, *text;
};
static void expect(filter_fn *fn, bool default_and, const struct expectation *list, size_t n) {
    for (size_t i = 0; i < n; i++) {
        AUTO(arena_free) struct arena *a = arena_new(1024);
        str got = compile(fn, list[i].query, default_and, a);
        if (!str_eq_c(got, list[i].text)) fail_msg("%s\n got  %.*s\n want %s", list[i].query, (int)got.n, got.p, list[i].text);
    }
}

static void clauses_have_no_precedence(void **state) {
    (void)state;
    static const struct expectation list[] = {
        {"a", "(word message \"a\")"},
        {"a b", "(or (word message \"a\") (word message \"b\"))"},
        {"a OR b AND c", "(and (word message \"b\") (word message \"c\"))"},
        {"a AND b OR c", "(and (word message \"a\") (word message \"b\"))"},
        {"a -b", "(and (not (word message \"b\")) (word message \"a\"))"},
        {"NOT a", "(not (word message \"a\"))"},
        {"(a OR b) AND c", "(and (or (word message \"a\") (word message \"b\")) (word message \"c\"))"},
        {"", "(none)"},
        {"\"!!\"", "(none)"},
    };
    expect(lucene_filter, false, list, ARRAY_N(list));
    static const struct expectation with_and[] = {
        {"a b", "(and (word message \"a\") (word message \"b\"))"},
        {"a OR b c", "(word message \"c\")"},
    };
    expect(lucene_filter, true, with_and, ARRAY_N(with_and));
}

static void fields_decide_what_a_clause_means(void **state) {
    (void)state;
    static const struct expectation list[] = {
        {"level:Error", "(word level \"error\")"},
        {"level.keyword:Error", "(eq level \"Error\")"},
        {"level:\"A b\"~2", "(phrase level \"a\" \"b\" ~2)"},
        {"level:Err*", "(word_prefix level \"err\")"},
        {"level:*", "(exists level)"},
        {"status:500", "(number_range status [500 TO 500])"},
        {"status:>=500", "(number_range status [500 TO ])"},
        {"status:{400 TO 500]", "(number_range status {400 TO 500])"},
        {"big:9007199254740993", "(eq big \"9007199254740993\")"},
        {"ok:true", "(eq ok \"true\")"},
        {"mixed:7", "(or (word mixed \"7\") (number_range mixed [7 TO 7]))"},
        {"nothing:x", "(none)"},
        {"_exists_:kube", "(or (exists kube) (exists kube.*))"},
        {"@timestamp:1970", "(time_range @timestamp [0 TO 86399999999999])"},
        {"status:(200 OR 404)", "(or (number_range status [200 TO 200]) (number_range status [404 TO 404]))"},
    };
    expect(lucene_filter, false, list, ARRAY_N(list));
}

static void mistakes_name_line_column_and_byte(void **state) {
    (void)state;
    static const struct expectation list[] = {
        {"level:(", "query_string: expected a word, a \"phrase\", a range or '(', found the end of the query (line 1, column 8, byte 7)"},
        {"a\nAND )", "query_string: expected a word, a \"phrase\", a range or '(', found ) (line 2, column 5, byte 6)"},
        {"\"open", "query_string: the phrase that begins here is not closed: add a '\"' (line 1, column 1, byte 0)"},
        {"größe:[1 TO", "query_string: expected the upper bound of a range (line 1, column 12, byte 13)"},
        {"a^x", "query_string: expected a number behind '^' (line 1, column 3, byte 2)"},
        {"a~3", "query_string: a fuzzy word allows 0, 1 or 2 edits: ~, ~0, ~1 or ~2 (line 1, column 2, byte 1)"},
        {"status:x", "For input string: \"x\" (field [status] is a number)"},
        {"status:5*", "Can only use prefix queries on keyword and text fields - not on [status] which is of type [long]"},
        {"/a(b/", "regexp: expected ')' at position 3"},
    };
    expect(lucene_filter, false, list, ARRAY_N(list));
}

static void depth_and_size_are_bounded(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(1024);
    char deep[512];
    memset(deep, '(', 200);
    deep[200] = 0;
    assert_true(str_find(compile(lucene_filter, deep, false, a), STR("nested too deeply")) != STR_NONE);
    assert_true(str_find(compile(kql_filter, deep, false, a), STR("nested too deeply")) != STR_NONE);
    assert_true(str_find(compile(simple_query_filter, deep, false, a), STR("nested too deeply")) != STR_NONE);
}

static void kql_has_precedence_and_lists_of_values(void **state) {
    (void)state;
    static const struct expectation list[] = {
        {"a or b and c", "(or (word message \"a\") (and (word message \"b\") (word message \"c\")))"},
        {"not a and b", "(and (not (word message \"a\")) (word message \"b\"))"},
        {"level:(a or \"b c\")", "(or (word level \"a\") (phrase level \"b\" \"c\"))"},
        {"status >= 500", "(number_range status [500 TO ])"},
        {"level: *", "(exists level)"},
        {"", "(all)"},
        {"level:", "kql: expected a value or a field name (line 1, column 7, byte 6)"},
        {"level:{ a:b }", "kql: nested fields (field: { ... }) are not offered: fields are flat here"},
    };
    expect(kql_filter, false, list, ARRAY_N(list));
}

static void simple_queries_never_fail_on_syntax(void **state) {
    (void)state;
    static const struct expectation list[] = {
        {"a + b", "(and (word message \"a\") (word message \"b\"))"},
        {"a | -b", "(or (word message \"a\") (not (word message \"b\")))"},
        {"\"a b\"~2 c*", "(or (phrase message \"a\" \"b\" ~2) (word_prefix message \"c\"))"},
        {"(a", "(word message \"a\")"},
        {")a", "(word message \"a\")"},
        {"+|-", "(none)"},
    };
    expect(simple_query_filter, false, list, ARRAY_N(list));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clauses_have_no_precedence),
        cmocka_unit_test(fields_decide_what_a_clause_means),
        cmocka_unit_test(mistakes_name_line_column_and_byte),
        cmocka_unit_test(depth_and_size_are_bounded),
        cmocka_unit_test(kql_has_precedence_and_lists_of_values),
        cmocka_unit_test(simple_queries_never_fail_on_syntax),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
