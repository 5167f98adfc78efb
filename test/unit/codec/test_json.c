#include "codec/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

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

/* Reads a whole text as a tree and writes it again. */
static void check_round_trip(str text, const char *expected) {
    struct json j = json_open(text, arena);
    struct value v;
    struct err e = {0};
    json_value(&j, &v);
    if (!json_done(&j, &e)) fail_msg("%" STR_F ": %s", STR_A(text), e.msg);
    struct buf b = {0};
    struct json_out o = {.buf = &b};
    json_put_value(&o, &v);
    assert_string_equal(arena_cstr(arena, buf_str(&b)), expected);
    buf_done(&b);
}

static void check_refusal(str text, const char *expected) {
    char message[300];
    snprintf(message, sizeof message, "not JSON: expected %s", expected);
    struct json j = json_open(text, arena);
    struct value v;
    struct err e = {0};
    json_value(&j, &v);
    assert_false(json_done(&j, &e));
    assert_int_equal(e.code, ERR_INPUT);
    assert_string_equal(e.msg, message);
    /* Skipping validates as much as reading. */
    struct json k = json_open(text, NULL);
    json_skip(&k);
    assert_false(json_done(&k, &e));
    assert_string_equal(e.msg, message);
}

static void reads_and_writes_every_kind_of_value(void **state) {
    (void)state;
    check_round_trip(STR(" {\"a\" : [1, -2.5e3, true,false,null,\"x\"] , \"b\":{} ,\"c\":[]}\r\n\t"),
                     "{\"a\":[1,-2500,true,false,null,\"x\"],\"b\":{},\"c\":[]}");
    check_round_trip(STR("0"), "0");
    check_round_trip(STR("-0"), "0");
    check_round_trip(STR("9223372036854775807"), "9223372036854775807");
    check_round_trip(STR("-9223372036854775808"), "-9223372036854775808");
    check_round_trip(STR("9223372036854775808"), "9223372036854776000"); /* a double from here on */
}

static void reads_strings_with_every_escape(void **state) {
    (void)state;
    check_round_trip(STR("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), "\"\\\"\\\\/\\b\\f\\n\\r\\t\"");
    check_round_trip(STR("\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\\u0001\""), "\"A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\\u0001\"");
    check_round_trip(STR("\"caf\xc3\xa9 \xf0\x9f\x98\x80, a text longer than one vector of sixteen bytes\""),
                     "\"caf\xc3\xa9 \xf0\x9f\x98\x80, a text longer than one vector of sixteen bytes\"");
    struct json j = json_open(STR("\"a\\u0000b\""), arena);
    str s;
    assert_true(json_string(&j, &s));
    assert_true(str_eq(s, str_n("a\0b", 3)));
}

static void finds_the_end_of_strings_of_any_length(void **state) {
    (void)state;
    struct buf b = {0};
    for (size_t n = 0; n < 70; n++) {
        buf_clear(&b);
        buf_char(&b, '"');
        for (size_t i = 0; i < n; i++) buf_char(&b, (char)('a' + i % 26));
        buf_char(&b, '"');
        struct json j = json_open(buf_str(&b), arena);
        str s;
        struct err e;
        assert_true(json_string(&j, &s) && json_done(&j, &e));
        assert_int_equal(s.n, n);
        for (size_t i = 1; i <= n; i++) { /* a control character at every place */
            char kept = b.p[i];
            b.p[i] = '\x1f';
            j = json_open(buf_str(&b), arena);
            assert_false(json_string(&j, &s));
            assert_int_equal(j.at - j.start, i);
            b.p[i] = kept;
        }
    }
    buf_done(&b);
}

static void borrows_strings_without_escapes(void **state) {
    (void)state;
    str text = STR("{\"key\":\"value\"}");
    struct json j = json_open(text, NULL);
    str key, value;
    assert_true(json_object(&j) && json_next_key(&j, &key) && json_string(&j, &value) && !json_next_key(&j, &key));
    assert_ptr_equal(value.p, text.p + 8);
}

static void refuses_what_is_not_json(void **state) {
    (void)state;
    static const struct {
        str text;
        const char *expected;
    } bad[] = {
        {STR_INIT(""), "a value (at byte 0)"},
        {STR_INIT("  "), "a value (at byte 2)"},
        {STR_INIT("{"), "a key in quotes (at byte 1)"},
        {STR_INIT("[1,]"), "a value (at byte 3)"},
        {STR_INIT("[1 2]"), "',' or ']' (at byte 3)"},
        {STR_INIT("[,1]"), "a value (at byte 1)"},
        {STR_INIT("{\"a\":1,}"), "a key in quotes (at byte 7)"},
        {STR_INIT("{a:1}"), "a key in quotes (at byte 1)"},
        {STR_INIT("{\"a\" 1}"), "':' (at byte 5)"},
        {STR_INIT("{\"a\":1]"), "',' or '}' (at byte 6)"},
        {STR_INIT("1 2"), "the end of the text (at byte 2)"},
        {STR_INIT("nul"), "null (at byte 0)"},
        {STR_INIT("True"), "a value (at byte 0)"},
        {STR_INIT("01"), "a number (at byte 0)"},
        {STR_INIT("-"), "a number (at byte 0)"},
        {STR_INIT("1."), "a number (at byte 0)"},
        {STR_INIT(".5"), "a value (at byte 0)"},
        {STR_INIT("1e"), "a number (at byte 0)"},
        {STR_INIT("+1"), "a value (at byte 0)"},
        {STR_INIT("0x10"), "the end of the text (at byte 1)"},
        {STR_INIT("\"abc"), "'\"' at the end of the string (at byte 4)"},
        {STR_INIT("\"a\nb\""), "control characters in strings to be escaped (at byte 2)"},
        {STR_INIT("\"\\x41\""), "an escape of RFC 8259 (surrogates in pairs) (at byte 1)"},
        {STR_INIT("\"\\u12g4\""), "an escape of RFC 8259 (surrogates in pairs) (at byte 1)"},
        {STR_INIT("\"\\ud800\""), "an escape of RFC 8259 (surrogates in pairs) (at byte 1)"},
        {STR_INIT("\"\\ud800\\u0041\""), "an escape of RFC 8259 (surrogates in pairs) (at byte 1)"},
        {STR_INIT("\"x\\udc00\""), "an escape of RFC 8259 (surrogates in pairs) (at byte 2)"},
        {STR_INIT("\"\\"), "an escape of RFC 8259 (surrogates in pairs) (at byte 1)"},
        {STR_INIT("\"\xff\""), "UTF-8 (at byte 1)"},
        {STR_INIT("\"\xc0\xaf\""), "UTF-8 (at byte 1)"},
        {STR_INIT("\"\xed\xa0\x80\""), "UTF-8 (at byte 1)"},
        {STR_INIT("\"\xe2\x82\""), "UTF-8 (at byte 1)"},
        {STR_INIT("\xef\xbb\xbf{}"), "a value (at byte 0)"},
        {STR_INIT("[\0]"), "a value (at byte 1)"},
    };
    for (size_t i = 0; i < ARRAY_N(bad); i++) check_refusal(bad[i].text, bad[i].expected);
}

static void limits_depth_to_64(void **state) {
    (void)state;
    char text[200];
    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    struct json j = json_open(str_n(text, 128), arena);
    struct value v;
    struct err e;
    assert_true(json_value(&j, &v) && json_done(&j, &e));
    memset(text, '[', 100);
    check_refusal(str_n(text, 100), "at most 64 levels of nesting (at byte 64)");
}

static void gives_numbers_as_the_type_asked_for(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } integers[] = {
        {"5.0", true, 5},
        {"1e3", true, 1000},
        {"12.5e1", true, 125},
        {"1200e-2", true, 12},
        {"0e99999999999999999999", true, 0},
        {"-0.0", true, 0},
        {"5.0000000000000000000000000000000000000", true, 5},
        {"0.5", false, 0},
        {"1e19", false, 0},
        {"1e-1", false, 0},
        {"1e99999999999999999999", false, 0},
        {"1e-99999999999999999999", false, 0},
        {"9223372036854775807", true, INT64_MAX},
        {"9223372036854775808", false, 0},
        {"-9223372036854775808", true, INT64_MIN},
        {"-9223372036854775809", false, 0},
        {"\"5\"", false, 0},
        {"true", false, 0},
    };
    for (size_t i = 0; i < ARRAY_N(integers); i++) {
        int64_t v = 77;
        struct json j = json_open(str_c(integers[i].text), arena);
        assert_int_equal(json_i64(&j, &v), integers[i].ok);
        assert_true(v == integers[i].value);
        assert_int_equal(j.bad == NULL, integers[i].ok);
    }
    double d;
    struct json j = json_open(STR("0.1"), arena);
    assert_true(json_double(&j, &d) && d == 0.1);
    j = json_open(STR("1e309"), arena);
    assert_false(json_double(&j, &d));
    str text;
    j = json_open(STR(" 1.50e+2 "), arena);
    assert_true(json_number_text(&j, &text) && str_eq(text, STR("1.50e+2")));
}

static void takes_integers_in_strings_where_protocols_do(void **state) {
    (void)state;
    uint64_t u;
    int64_t i;
    struct err e;
    struct json j = json_open(STR("[\"18446744073709551615\",18446744073709551615,\"-5\",-5,\"1e3\"]"), arena);
    assert_true(json_array(&j));
    assert_true(json_next_item(&j) && json_u64_lenient(&j, &u) && u == UINT64_MAX);
    assert_true(json_next_item(&j) && json_u64_lenient(&j, &u) && u == UINT64_MAX);
    assert_true(json_next_item(&j) && json_i64_lenient(&j, &i) && i == -5);
    assert_true(json_next_item(&j) && json_i64_lenient(&j, &i) && i == -5);
    assert_true(json_next_item(&j) && json_i64_lenient(&j, &i) && i == 1000);
    assert_true(!json_next_item(&j) && json_done(&j, &e));
    static const char *const bad[] = {"\"\"", "\" 5\"", "\"5 \"", "\"0x5\"", "\"-1\"", "null", "\"18446744073709551616\""};
    for (size_t k = 0; k < ARRAY_N(bad); k++) {
        j = json_open(str_c(bad[k]), arena);
        assert_false(json_u64_lenient(&j, &u));
        assert_true(j.bad && u == 0);
    }
}

static void skips_and_copies_raw_values(void **state) {
    (void)state;
    struct json j = json_open(STR("{\"a\":{\"x\":[1,{\"y\":\"}\"}]},\"b\": [ 1 , 2 ] ,\"c\":3}"), arena);
    str key, raw;
    int64_t c = 0;
    struct err e;
    assert_true(json_object(&j));
    while (json_next_key(&j, &key)) {
        if (str_eq(key, STR("b"))) {
            assert_true(json_raw(&j, &raw));
        } else if (str_eq(key, STR("c"))) {
            assert_true(json_i64(&j, &c));
        } else {
            assert_true(json_skip(&j));
        }
    }
    assert_true(json_done(&j, &e));
    assert_true(str_eq(raw, STR("[ 1 , 2 ]")));
    assert_int_equal(c, 3);
}

static void stays_harmless_after_an_error(void **state) {
    (void)state;
    struct json j = json_open(STR("{\"a\":tru}"), arena);
    str key, s = STR("x");
    bool b = true;
    int64_t i = 5;
    double d = 5;
    struct value v = value_int(5);
    assert_true(json_object(&j) && json_next_key(&j, &key));
    assert_false(json_bool(&j, &b));
    assert_false(b);
    assert_false(json_string(&j, &s) || json_i64(&j, &i) || json_double(&j, &d) || json_value(&j, &v) || json_skip(&j) || json_null(&j));
    assert_false(json_object(&j) || json_array(&j) || json_next_key(&j, &key) || json_next_item(&j) || json_raw(&j, &s));
    assert_int_equal(json_peek(&j), JSON_BAD);
    assert_true(s.n == 0 && i == 0 && d == 0 && v.type == VAL_NULL && key.n == 0);
    struct err e;
    json_fail(&j, "something else");
    assert_false(json_done(&j, &e));
    assert_string_equal(e.msg, "not JSON: expected true or false (at byte 5)");
}

static void reports_the_callers_own_rule(void **state) {
    (void)state;
    struct json j = json_open(STR("\"abc\""), arena);
    str s;
    struct err e;
    assert_true(json_string(&j, &s));
    json_fail(&j, "a duration");
    assert_false(json_done(&j, &e));
    assert_string_equal(e.msg, "not JSON: expected a duration (at byte 5)");
}

static void knows_the_type_ahead_and_the_end(void **state) {
    (void)state;
    struct json j = json_open(STR("[{},[],\"\",1,true,null]"), arena);
    static const enum json_type types[] = {JSON_OBJECT, JSON_ARRAY, JSON_STRING, JSON_NUMBER, JSON_BOOL, JSON_NULL};
    assert_int_equal(json_peek(&j), JSON_ARRAY);
    assert_true(json_array(&j));
    for (size_t i = 0; i < ARRAY_N(types); i++) {
        assert_true(json_next_item(&j));
        assert_int_equal(json_peek(&j), types[i]);
        assert_true(json_skip(&j));
    }
    assert_false(json_next_item(&j));
    assert_int_equal(json_peek(&j), JSON_END);
}

static void writes_commas_escapes_and_odd_numbers(void **state) {
    (void)state;
    struct buf b = {0};
    struct json_out o = {.buf = &b};
    json_put_object(&o);
    json_put_key_c(&o, "n");
    json_put_array(&o);
    json_put_i64(&o, INT64_MIN);
    json_put_u64(&o, UINT64_MAX);
    json_put_double(&o, 0.1);
    json_put_double(&o, 1e21);
    json_put_double(&o, __builtin_nan(""));
    json_put_double(&o, -__builtin_inf());
    json_put_bool(&o, false);
    json_put_null(&o);
    json_put_raw(&o, STR("{\"raw\":1}"));
    json_put_array_end(&o);
    json_put_key_c(&o, "bytes");
    struct value bytes = {.type = VAL_BYTES, .s = STR_INIT("\x01\x02\xff")};
    json_put_value(&o, &bytes);
    json_put_key(&o, STR("bad\xff\"\x7f\x1b\xe2\x82"));
    json_put_string(&o, STR_NULL);
    json_put_object_end(&o);
    assert_string_equal(arena_cstr(arena, buf_str(&b)),
                        "{\"n\":[-9223372036854775808,18446744073709551615,0.1,1e+21,\"NaN\",\"-Infinity\",false,null,{\"raw\":1}],"
                        "\"bytes\":\"AQL/\",\"bad\xef\xbf\xbd\\\"\x7f\\u001b\xef\xbf\xbd\xef\xbf\xbd\":\"\"}");
    buf_done(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_and_writes_every_kind_of_value, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(reads_strings_with_every_escape, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(finds_the_end_of_strings_of_any_length, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(borrows_strings_without_escapes, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(refuses_what_is_not_json, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(limits_depth_to_64, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(gives_numbers_as_the_type_asked_for, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(takes_integers_in_strings_where_protocols_do, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(skips_and_copies_raw_values, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(stays_harmless_after_an_error, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(reports_the_callers_own_rule, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(knows_the_type_ahead_and_the_end, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(writes_commas_escapes_and_odd_numbers, open_arena, close_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
