/* The parser: what it accepts, how it prints, what it says about the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "query/promql/ast.h"
#include "query/promql/functions.h"

static struct arena *a;
static struct promql_regexes regexes;

static int setup(void **state) {
    (void)state;
    a = arena_new(4096);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    promql_regexes_done(&regexes);
    arena_free(a);
    return 0;
}

static struct promql_ast parsed(const char *text) {
    struct promql_ast ast = {0};
    struct err e;
    bool ok = promql_parse(str_c(text), a, &regexes, &ast, &e);
    if (!ok) print_error("%s: %s\n", text, e.msg);
    assert_true(ok);
    return ast;
}

static const char *printed(const char *text) {
    struct buf b = {0};
    promql_print(&b, parsed(text).root);
    const char *z = arena_cstr(a, buf_str(&b));
    buf_done(&b);
    return z;
}

static const char *error_of(str text) {
    struct promql_ast ast;
    struct err e = {0};
    bool ok = promql_parse(text, a, &regexes, &ast, &e);
    if (ok) print_error("%" STR_F " parses\n", STR_A(text));
    assert_false(ok);
    assert_int_equal(e.code, ERR_INPUT);
    return arena_cstr(a, err_str(&e));
}

static void prints_the_normal_form(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"SUM(up)BY(job)", "sum by (job) (up)"},
        {"a{z=\"1\",b!~'x'}[90s] offset -1h", "a{b!~\"x\",z=\"1\"}[1m30s] offset -1h"},
        {"{\"a.b\", \"c d\"=\"e\"}", "{\"c d\"=\"e\",__name__=\"a.b\"}"},
        {"1+2*3^-4", "1 + 2 * 3 ^ -4"},
        {"a-on(b)group_left(c)fill(0)d", "a - on (b) group_left (c) fill (0) d"},
        {"foo[5m:]@end()", "foo[5m:] @ end()"},
        {"foo[step()*2] anchored", "foo[step() * 2] anchored"},
        {"0x10 + 1e-7", "16 + 0.0000001"},
        {"Inf ^ 2 + Inf", "Inf ^ 2 + +Inf"},
        {"\"a\\tb\\x00\"", "\"a\\tb\\x00\""},
    };
    for (size_t i = 0; i < ARRAY_N(pairs); i++) assert_string_equal(printed(pairs[i][0]), pairs[i][1]);
}

static void binds_operators_by_precedence(void **state) {
    (void)state;
    struct node *n = parsed("a or b and c + d * e ^ f").root;
    assert_int_equal(n->binary.op, OP_OR);
    n = n->binary.rhs;
    assert_int_equal(n->binary.op, OP_AND);
    n = n->binary.rhs;
    assert_int_equal(n->binary.op, OP_ADD);
    assert_int_equal(n->binary.rhs->binary.op, OP_MUL);
    assert_int_equal(parsed("-1 ^ 2").root->kind, NODE_UNARY); /* the sign binds like * */
    assert_int_equal(parsed("-1 * 2").root->kind, NODE_BINARY);
    n = parsed("2 ^ 3 ^ 4").root; /* to the right */
    assert_int_equal(n->binary.lhs->kind, NODE_NUMBER);
    assert_int_equal(parsed("foo offset 1m + 2").root->kind, NODE_BINARY);
}

static void knows_where_nodes_come_from(void **state) {
    (void)state;
    struct node *n = parsed("sum(rate(x[5m])) / 2").root;
    struct node *call = n->binary.lhs->agg.expr;
    assert_int_equal(call->from, 4);
    assert_int_equal(call->to, 15);
    assert_int_equal(call->call.args_from, 9);
    struct buf b = {0};
    promql_position(&b, STR("a\n+ b"), 4);
    assert_true(str_eq(buf_str(&b), STR("2:3")));
    buf_done(&b);
}

static void reads_numbers_as_go_does(void **state) {
    (void)state;
    static const struct {
        const char *text;
        double value;
    } numbers[] = {{"0755", 493}, {"08", 8}, {"1_000", 1000}, {"0x1F", 31}, {"5.", 5}, {".5e1", 5}, {"1h30m", 5400}, {"-1ms", -0.001}};
    for (size_t i = 0; i < ARRAY_N(numbers); i++) {
        struct node *n = parsed(numbers[i].text).root;
        assert_int_equal(n->kind, NODE_NUMBER);
        assert_true(n->number.value == numbers[i].value);
    }
}

static void says_what_is_wrong_and_where(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"", "unknown position: parse error: no expression found in input"},
        {"1 +", "1:4: parse error: unexpected end of input"},
        {"sum(\nup", "2:3: parse error: unclosed left parenthesis"},
        {"foo{a=b}", "1:7: parse error: unexpected identifier \"b\" in label matching, expected string"},
        {"foo{1}", "1:5: parse error: unexpected character inside braces: '1'"},
        {"rate(foo)", "1:6: parse error: expected type range vector in call to function \"rate\", got instant vector"},
        {"floor()", "1:1: parse error: expected 1 argument(s) in call to \"floor\", got 0"},
        {"nope(1)", "1:1: parse error: unknown function with name \"nope\""},
        {"foo[5m1m]", "1:5: parse error: not a valid duration string: \"5m1m\""},
        {"foo[0s]", "1:5: parse error: duration must be greater than 0"},
        {"foo[1s/0]", "1:7: parse error: division by zero"},
        {"1 == 1", "1:1: parse error: comparisons between scalars must use BOOL modifier"},
        {"foo and 1", "1:1: parse error: set operator \"and\" not allowed in binary scalar expression"},
        {"{x=\"\"}", "1:1: parse error: vector selector must contain at least one non-empty matcher"},
        {"\"\\c\"", "1:1: parse error: unknown escape sequence U+0063 'c'"},
        {"up{a=~\"(\"}", "1:7: parse error: "},
    };
    for (size_t i = 0; i < ARRAY_N(pairs); i++) {
        const char *e = error_of(str_c(pairs[i][0]));
        if (strncmp(e, pairs[i][1], strlen(pairs[i][1])) != 0) fail_msg("\"%s\": %s", pairs[i][0], e);
    }
}

static void refuses_bytes_that_are_not_utf8(void **state) {
    (void)state;
    assert_non_null(strstr(error_of(STR("some_metric{a=\"\xff\"}")), "invalid UTF-8 rune"));
}

static void limits_nesting_and_chains(void **state) {
    (void)state;
    struct buf b = {0};
    for (int i = 0; i < 100000; i++) buf_char(&b, '(');
    assert_non_null(strstr(error_of(buf_str(&b)), "nested too deeply"));
    buf_clear(&b);
    buf_char(&b, '1');
    for (int i = 0; i < 100000; i++) buf_add(&b, STR("+1"));
    assert_non_null(strstr(error_of(buf_str(&b)), "too deep"));
    buf_clear(&b);
    for (int i = 0; i < 100000; i++) buf_char(&b, '-');
    assert_non_null(strstr(error_of(buf_str(&b)), "nested too deeply"));
    buf_done(&b);
}

static void breaks_long_expressions_over_lines(void **state) {
    (void)state;
    struct buf b = {0};
    promql_pretty(&b, parsed("sum by (job) (rate(foo_total[5m])) / -bar").root, 20);
    assert_true(str_eq(buf_str(&b), STR("  sum by (job) (\n    rate(foo_total[5m])\n  )\n/\n  -bar")));
    buf_done(&b);
}

static void keeps_the_function_table_sound(void **state) {
    (void)state;
    const struct function *rate = function_find(STR("rate"));
    assert_non_null(rate);
    assert_int_equal(function_arg_n(rate), 1);
    assert_null(function_find(STR("Rate")));
    assert_null(function_find(STR("")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_the_normal_form),         cmocka_unit_test(binds_operators_by_precedence),
        cmocka_unit_test(knows_where_nodes_come_from),    cmocka_unit_test(reads_numbers_as_go_does),
        cmocka_unit_test(says_what_is_wrong_and_where),   cmocka_unit_test(refuses_bytes_that_are_not_utf8),
        cmocka_unit_test(limits_nesting_and_chains),      cmocka_unit_test(breaks_long_expressions_over_lines),
        cmocka_unit_test(keeps_the_function_table_sound),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
