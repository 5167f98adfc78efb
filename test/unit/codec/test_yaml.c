#include "codec/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"

static struct arena *arena;

static int open_arena(void **state) {
    (void)state;
    arena = arena_new(4096);
    return 0;
}
static int close_arena(void **state) {
    (void)state;
    arena_free(arena);
    return 0;
}

static struct yaml parse(const char *text) {
    struct yaml y = {0};
    struct err e = {0};
    if (!yaml_parse(str_c(text), "t.yml", arena, &y, &e)) fail_msg("%s", e.msg);
    return y;
}

static void refuses(const char *text, const char *message) {
    struct yaml y = {.n = 77};
    struct err e = {0};
    assert_false(yaml_parse(str_c(text), "t.yml", arena, &y, &e));
    assert_int_equal(e.code, ERR_INPUT);
    assert_string_equal(e.msg, message);
    assert_int_equal(y.n, 77);
}

static const char *scalar(const struct yaml *y) {
    assert_non_null(y);
    assert_int_equal(y->type, YAML_SCALAR);
    return arena_cstr(arena, y->scalar);
}

static void keeps_order_line_and_column(void **state) {
    (void)state;
    struct yaml y = parse("# head\nglobal:\n  scrape_interval: 15s\nlist: [a, \"b\"]\n");
    assert_int_equal(y.type, YAML_MAP);
    assert_int_equal(y.n, 2);
    assert_true(str_eq(y.pairs[0].key, STR("global")));
    const struct yaml *interval = yaml_get(yaml_get(&y, STR("global")), STR("scrape_interval"));
    assert_string_equal(scalar(interval), "15s");
    assert_int_equal(interval->line, 3);
    assert_int_equal(interval->column, 20);
    const struct yaml *list = yaml_get(&y, STR("list"));
    assert_int_equal(list->type, YAML_LIST);
    assert_int_equal(list->n, 2);
    assert_false(list->items[0].quoted);
    assert_true(list->items[1].quoted);
    assert_null(yaml_get(&y, STR("absent")));
    assert_null(yaml_get(list, STR("list")));
    assert_null(yaml_get(NULL, STR("list")));
}

static void tells_null_from_text(void **state) {
    (void)state;
    assert_int_equal(parse("").type, YAML_NULL);
    assert_int_equal(parse("# nothing\n").type, YAML_NULL);
    struct yaml y = parse("[~, null, '', \"null\", !!str null, x: ]");
    static const enum yaml_type types[] = {YAML_NULL, YAML_NULL, YAML_SCALAR, YAML_SCALAR, YAML_SCALAR, YAML_MAP};
    for (size_t i = 0; i < ARRAY_N(types); i++) assert_int_equal(y.items[i].type, types[i]);
    assert_int_equal(yaml_get(&y.items[5], STR("x"))->type, YAML_NULL);
}

static void resolves_aliases(void **state) {
    (void)state;
    struct yaml y = parse("base: &b {x: [1, 2]}\ncopy: *b\nagain: &b 7\nlast: *b\n");
    assert_int_equal(yaml_get(yaml_get(&y, STR("copy")), STR("x"))->n, 2);
    assert_string_equal(scalar(yaml_get(&y, STR("last"))), "7");
    refuses("a: *nowhere\n", "t.yml:1:4: an alias of something not (yet) defined: \"nowhere\"");
    refuses("a: &a [*a]\n", "t.yml:1:8: an alias of something not (yet) defined: \"a\"");
}

static void merges_maps_where_own_keys_win(void **state) {
    (void)state;
    struct yaml y = parse("one: &one {a: 1, b: 1}\ntwo: &two {b: 2, c: 2}\nall:\n  <<: [*one, *two]\n  a: 0\nquoted: {\"<<\": 5}\n");
    const struct yaml *all = yaml_get(&y, STR("all"));
    assert_int_equal(all->n, 3);
    assert_string_equal(scalar(yaml_get(all, STR("a"))), "0");
    assert_string_equal(scalar(yaml_get(all, STR("b"))), "1");
    assert_string_equal(scalar(yaml_get(all, STR("c"))), "2");
    assert_string_equal(scalar(yaml_get(yaml_get(&y, STR("quoted")), STR("<<"))), "5");
    refuses("a:\n  <<: 5\n", "t.yml:2:7: << needs a map or a list of maps");
    refuses("a: {<<: [[{}]]}\n", "t.yml:1:9: << needs a map or a list of maps");
    refuses("a: {<<: {x: 1}, <<: {y: 1}}\n", "t.yml:1:17: a second time the key \"<<\"");
}

static void refuses_what_cannot_be_meant(void **state) {
    (void)state;
    refuses("a: 1\nb: 2\n\"a\": 3\n", "t.yml:3:1: a second time the key \"a\"");
    refuses("? [a]\n: 1\n", "t.yml:1:3: a key must be plain text");
    refuses("a: 1\n---\nb: 2\n", "t.yml:2:1: a second document; only one is expected");
    refuses("a: !secret x\n", "t.yml:1:4: a tag with no meaning here: \"!secret\"");
    refuses("a: [1, 2\nb: 3\n", "t.yml:2:2: did not find expected ',' or ']'");
    refuses("a: \"\xff\"\n", "t.yml: invalid leading UTF-8 octet (at byte 4)");
}

static void bounds_depth(void **state) {
    (void)state;
    struct buf b = {0};
    for (int i = 0; i < 64; i++) buf_char(&b, '[');
    for (int i = 0; i < 64; i++) buf_char(&b, ']');
    buf_char(&b, 0);
    assert_int_equal(parse(b.p).n, 1);
    buf_clear(&b);
    for (int i = 0; i < 100000; i++) buf_char(&b, '[');
    buf_char(&b, 0);
    refuses(b.p, "t.yml:1:65: more than 64 levels of nesting");
    /* An alias brings its own depth along. */
    buf_clear(&b);
    buf_add(&b, STR("- &a "));
    for (int i = 0; i < 40; i++) buf_char(&b, '[');
    for (int i = 0; i < 40; i++) buf_char(&b, ']');
    buf_add(&b, STR("\n- "));
    for (int i = 0; i < 40; i++) buf_char(&b, '[');
    buf_add(&b, STR("*a"));
    for (int i = 0; i < 40; i++) buf_char(&b, ']');
    buf_char(&b, 0);
    refuses(b.p, "t.yml:2:43: more than 64 levels of nesting");
    buf_done(&b);
}

static void bounds_what_aliases_multiply_to(void **state) {
    (void)state;
    struct buf b = {0};
    buf_add(&b, STR("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"));
    for (int i = 1; i < 12; i++) {
        buf_printf(&b, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++) buf_printf(&b, "%s*a%d", k ? ", " : "", i - 1);
        buf_add(&b, STR("]\n"));
    }
    buf_char(&b, 0);
    refuses(b.p, "t.yml:6:45: more than 1000000 values (aliases count as copies)");
    buf_done(&b);
}

static void reads_words_for_truth(void **state) {
    (void)state;
    struct yaml y = parse("[true, False, yes, NO, on, off, 'true', 1, ~, maybe]");
    static const int expected[] = {1, 0, 1, 0, 1, 0, -1, -1, -1, -1};
    for (size_t i = 0; i < ARRAY_N(expected); i++) {
        bool b;
        bool ok = yaml_bool(&y.items[i], &b);
        assert_int_equal(ok ? b : -1, expected[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keeps_order_line_and_column, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(tells_null_from_text, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(resolves_aliases, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(merges_maps_where_own_keys_win, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(refuses_what_cannot_be_meant, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(bounds_depth, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(bounds_what_aliases_multiply_to, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(reads_words_for_truth, open_arena, close_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
