#include "query/trace/search.h"
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
// clang-format on

static struct arena *arena;

static int setup(void **state) {
    (void)state;
    arena = arena_new(4096);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    arena_free(arena);
    return 0;
}

/* --- Zipkin's annotationQuery */

static void reads_the_annotation_query(void **state) {
    (void)state;
    static const struct trace_tag want[] = {
        {STR_INIT("error"), STR_INIT(""), true}, {STR_INIT("http.url"), STR_INIT("/?a=b"), false}, {STR_INIT("x"), STR_INIT(""), true}};
    struct trace_tag *tags;
    size_t n;
    struct err e;
    assert_true(trace_tags_zipkin(STR("error and http.url=/?a=b and x="), arena, &tags, &n, &e));
    assert_int_equal(n, ARRAY_N(want));
    for (size_t i = 0; i < n; i++)
        assert_true(str_eq(tags[i].key, want[i].key) && str_eq(tags[i].value, want[i].value) && tags[i].any == want[i].any);
    assert_true(trace_tags_zipkin(STR(""), arena, &tags, &n, &e) && n == 0);
    assert_false(trace_tags_zipkin(STR("a and =b"), arena, &tags, &n, &e));
    assert_string_equal(e.msg, "annotationQuery: expected a key at byte 6");
    assert_false(trace_tags_zipkin(STR("a and  and b"), arena, &tags, &n, &e));
}

static void a_key_alone_is_a_tag_or_an_annotation(void **state) {
    (void)state;
    static const struct trace_tag tag = {.key = STR_INIT("retry"), .any = true};
    const struct trace_search s = {.tags = &tag, .tag_n = 1};
    struct buf b = {0};
    filter_put(&b, trace_search_filter(&s, arena));
    assert_true(str_find(buf_str(&b), STR("span.retry")) != STR_NONE && str_find(buf_str(&b), STR("event.name")) != STR_NONE);
    buf_done(&b);
}

/* --- logfmt */

static const struct {
    const char *text;
    struct {
        const char *key, *value;
    } want[4];
} good[] = {
    {"", {{NULL, NULL}}},
    {"   ", {{NULL, NULL}}},
    {"a=b", {{"a", "b"}}},
    {" a=b  c=d ", {{"a", "b"}, {"c", "d"}}},
    {"http.url=http://x/?a=b", {{"http.url", "http://x/?a=b"}}},
    {"error=\"a b\" x=\"say \\\"hi\\\\\"", {{"error", "a b"}, {"x", "say \"hi\\"}}},
    {"a= b=\"\"", {{"a", ""}, {"b", ""}}},
    {"error retry=3", {{"error", "true"}, {"retry", "3"}}},
    {"na\xc3\xafve=\xe2\x82\xac", {{"na\xc3\xafve", "\xe2\x82\xac"}}},
};

static void reads_tags_as_logfmt(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_N(good); i++) {
        struct trace_tag *tags;
        size_t n, want_n = 0;
        struct err e;
        while (want_n < 4 && good[i].want[want_n].key) want_n++;
        assert_true(trace_tags_logfmt(str_c(good[i].text), arena, &tags, &n, &e));
        assert_int_equal(n, want_n);
        for (size_t k = 0; k < n; k++) {
            assert_true(str_eq_c(tags[k].key, good[i].want[k].key));
            assert_true(str_eq_c(tags[k].value, good[i].want[k].value));
        }
    }
}

static void names_the_byte_of_a_bad_tag(void **state) {
    (void)state;
    static const struct {
        const char *text, *want;
    } bad[] = {
        {"=b", "tags: expected a key before '=' at byte 0"},
        {"a=b =c", "tags: expected a key before '=' at byte 4"},
        {"a=\"b", "tags: no closing quote for the one at byte 2"},
        {"a=\"b\\\"", "tags: no closing quote for the one at byte 2"},
        {"a=\"b\"c=d", "tags: expected a blank behind the quote at byte 5"},
    };
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        struct trace_tag *tags = NULL;
        size_t n = 99;
        struct err e;
        assert_false(trace_tags_logfmt(str_c(bad[i].text), arena, &tags, &n, &e));
        assert_int_equal(e.code, ERR_INPUT);
        assert_string_equal(e.msg, bad[i].want);
        assert_int_equal(n, 99);
    }
}

/* Memory is bounded by the text, however many quoted values it has. */
static void reads_many_quoted_tags_in_little_memory(void **state) {
    (void)state;
    enum { N = 10000 };
    struct buf b = {0};
    for (int i = 0; i < N; i++) buf_add(&b, STR("a=\"\" "));
    struct trace_tag *tags;
    size_t n, before = arena_used_bytes(arena);
    struct err e;
    assert_true(trace_tags_logfmt(buf_str(&b), arena, &tags, &n, &e));
    assert_int_equal(n, N);
    assert_true(arena_used_bytes(arena) - before < 4 << 20);
    buf_done(&b);
}

/* --- lowering */

static void lowers_to(const struct trace_search *s, const char *want) {
    struct buf b = {0};
    filter_put(&b, trace_search_filter(s, arena));
    if (!str_eq_c(buf_str(&b), want)) {
        print_error("%" STR_F "\nis not\n%s\n", STR_A(buf_str(&b)), want);
        buf_done(&b);
        fail();
    }
    buf_done(&b);
}

static void tag_lowers_to(const char *key, const char *value, const char *want) {
    const struct trace_tag tag = {str_c(key), str_c(value)};
    const struct trace_search s = {.tags = &tag, .tag_n = 1};
    lowers_to(&s, want);
}

static void asks_for_everything_when_nothing_is_given(void **state) {
    (void)state;
    lowers_to(&(struct trace_search){.limit = 20}, "(all)");
}

static void asks_all_conditions_of_one_span(void **state) {
    (void)state;
    const struct trace_search s = {.service = STR_INIT("shop"), .operation = STR_INIT("GET /"), .min_ns = 1000, .max_ns = 2500};
    lowers_to(&s, "(and (eq service \"shop\") (eq name \"GET /\") (number_range duration [1000 TO 2500]))");
    lowers_to(&(struct trace_search){.service = STR_INIT("shop")}, "(eq service \"shop\")");
    lowers_to(&(struct trace_search){.min_ns = 5}, "(number_range duration [5 TO ])");
    lowers_to(&(struct trace_search){.max_ns = 5}, "(number_range duration [ TO 5])");
}

#define EVERYWHERE(k, v) \
    "(eq span." k " \"" v "\") (eq resource." k " \"" v "\") (eq event." k " \"" v "\") (eq link." k " \"" v "\") (eq scope." k " \"" v "\"))"

static void looks_for_a_tag_in_all_places(void **state) {
    (void)state;
    tag_lowers_to("http.method", "GET", "(or " EVERYWHERE("http.method", "GET"));
    tag_lowers_to("resource.pod", "p",
                  "(or (eq span.resource.pod \"p\") (eq resource.resource.pod \"p\") (eq event.resource.pod \"p\") "
                  "(eq link.resource.pod \"p\") (eq scope.resource.pod \"p\") (eq resource.pod \"p\"))");
}

static void looks_for_derived_tags_in_the_field_they_come_from(void **state) {
    (void)state;
    tag_lowers_to("error", "true", "(or (eq status \"error\") " EVERYWHERE("error", "true"));
    tag_lowers_to("span.kind", "server", "(or (eq kind \"server\") " EVERYWHERE("span.kind", "server"));
    tag_lowers_to("otel.status_code", "ERROR", "(or (eq status \"error\") " EVERYWHERE("otel.status_code", "ERROR"));
    tag_lowers_to("otel.status_code", "OK", "(or (eq status \"ok\") " EVERYWHERE("otel.status_code", "OK"));
    tag_lowers_to("otel.status_code", "odd", "(or " EVERYWHERE("otel.status_code", "odd"));
    tag_lowers_to("span.status", "unset", "(or (eq status \"unset\") " EVERYWHERE("span.status", "unset"));
    tag_lowers_to("otel.scope.name", "lib", "(or (eq scope.name \"lib\") " EVERYWHERE("otel.scope.name", "lib"));
    tag_lowers_to("scope.version", "1", "(or (eq scope.version \"1\") " EVERYWHERE("scope.version", "1"));
    tag_lowers_to("otel.status_description", "x", "(or (eq status.message \"x\") " EVERYWHERE("otel.status_description", "x"));
    tag_lowers_to("event", "exception", "(or (eq event.name \"exception\") " EVERYWHERE("event", "exception"));
}

static void takes_no_error_for_neither_status_nor_tag(void **state) {
    (void)state;
    tag_lowers_to("error", "false", "(not (or (eq status \"error\") (eq span.error \"true\")))");
}

static void keeps_every_tag_a_condition(void **state) {
    (void)state;
    const struct trace_tag tags[] = {{STR_INIT("error"), STR_INIT("false")}, {STR_INIT("a"), STR_INIT("1")}};
    const struct trace_search s = {.tags = tags, .tag_n = 2};
    lowers_to(&s, "(and (not (or (eq status \"error\") (eq span.error \"true\"))) (or " EVERYWHERE("a", "1") ")");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_annotation_query),
        cmocka_unit_test(a_key_alone_is_a_tag_or_an_annotation),
        cmocka_unit_test(reads_tags_as_logfmt),
        cmocka_unit_test(names_the_byte_of_a_bad_tag),
        cmocka_unit_test(reads_many_quoted_tags_in_little_memory),
        cmocka_unit_test(asks_for_everything_when_nothing_is_given),
        cmocka_unit_test(asks_all_conditions_of_one_span),
        cmocka_unit_test(looks_for_a_tag_in_all_places),
        cmocka_unit_test(looks_for_derived_tags_in_the_field_they_come_from),
        cmocka_unit_test(takes_no_error_for_neither_status_nor_tag),
        cmocka_unit_test(keeps_every_tag_a_condition),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
