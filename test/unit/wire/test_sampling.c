#include "wire/sampling.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

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

static struct sampling_strategies parsed(const char *text) {
    struct sampling_strategies all;
    struct err e;
    if (!sampling_parse(str_c(text), "s.json", arena, &all, &e)) fail_msg("%s", e.msg);
    return all;
}

static void expect_json(const struct sampling_strategies *all, const char *service, bool numeric, const char *want) {
    struct buf b = {0};
    struct json_out o = {.buf = &b};
    sampling_put_json(&o, sampling_find(all, str_c(service)), numeric);
    if (!str_eq_c(buf_str(&b), want)) fail_msg("%" STR_F "\nwanted %s", STR_A(buf_str(&b)), want);
    buf_done(&b);
}

static void expect_refused(const char *text, const char *want) {
    struct sampling_strategies all;
    struct err e;
    assert_false(sampling_parse(str_c(text), "s.json", arena, &all, &e));
    assert_string_equal(e.msg, want);
}

static void keeps_every_trace_without_a_file(void **state) {
    (void)state;
    expect_json(&sampling_all, "any", false, "{\"strategyType\":\"PROBABILISTIC\",\"probabilisticSampling\":{\"samplingRate\":1}}");
    struct sampling_strategies all = parsed("{}");
    expect_json(&all, "any", true, "{\"strategyType\":0,\"probabilisticSampling\":{\"samplingRate\":1}}");
}

static void answers_each_service_with_its_own(void **state) {
    (void)state;
    struct sampling_strategies all = parsed(
        "{\"service_strategies\":[{\"service\":\"foo\",\"type\":\"probabilistic\",\"param\":0.8},{\"service\":\"bar\",\"param\":5,\"type\":"
        "\"ratelimiting\"},{\"service\":\"untyped\"}],\"default_strategy\":{\"type\":\"probabilistic\",\"param\":0.5}, \"more\": [1]}");
    expect_json(&all, "foo", false, "{\"strategyType\":\"PROBABILISTIC\",\"probabilisticSampling\":{\"samplingRate\":0.8}}");
    expect_json(&all, "bar", false, "{\"strategyType\":\"RATE_LIMITING\",\"rateLimitingSampling\":{\"maxTracesPerSecond\":5}}");
    expect_json(&all, "bar", true, "{\"strategyType\":1,\"rateLimitingSampling\":{\"maxTracesPerSecond\":5}}");
    expect_json(&all, "untyped", false, "{\"strategyType\":\"PROBABILISTIC\",\"probabilisticSampling\":{\"samplingRate\":0.5}}");
    expect_json(&all, "none", false, "{\"strategyType\":\"PROBABILISTIC\",\"probabilisticSampling\":{\"samplingRate\":0.5}}");
}

static const char by_operation[] =
    "{\"default_strategy\":{\"type\":\"probabilistic\",\"param\":0.2,\"operation_strategies\":[{\"operation\":\"/health\",\"type\":\"probabilistic\","
    "\"param\":0.1},{\"operation\":\"/spam\",\"type\":\"ratelimiting\",\"param\":1}]},"
    "\"service_strategies\":[{\"service\":\"A\",\"type\":\"probabilistic\",\"param\":1.0},{\"service\":\"B\",\"type\":\"ratelimiting\",\"param\":3},"
    "{\"service\":\"C\",\"type\":\"probabilistic\",\"param\":0.5,\"operation_strategies\":[{\"operation\":\"/health\",\"type\":\"probabilistic\","
    "\"param\":0},{\"operation\":\"/buy\",\"type\":\"probabilistic\",\"param\":1}]}]}";

#define OPERATIONS(else_, list)                                                                                                                \
    "\"operationSampling\":{\"defaultSamplingProbability\":" else_ ",\"defaultLowerBoundTracesPerSecond\":0,\"perOperationStrategies\":[" list \
    "],\"defaultUpperBoundTracesPerSecond\":0}}"
#define OPERATION(name, share) "{\"operation\":\"" name "\",\"probabilisticSampling\":{\"samplingRate\":" share "}}"

static void puts_the_operations_of_the_default_beneath_those_of_a_service(void **state) {
    (void)state;
    struct sampling_strategies all = parsed(by_operation);
    assert_int_equal(all.ignored, 1);
    expect_json(&all, "A", false,
                "{\"strategyType\":\"PROBABILISTIC\",\"probabilisticSampling\":{\"samplingRate\":1}," OPERATIONS("1", OPERATION("/health", "0.1")));
    expect_json(
        &all, "B", false,
        "{\"strategyType\":\"RATE_LIMITING\",\"rateLimitingSampling\":{\"maxTracesPerSecond\":3}," OPERATIONS("0.2", OPERATION("/health", "0.1")));
    expect_json(&all, "C", false,
                "{\"strategyType\":\"PROBABILISTIC\",\"probabilisticSampling\":{\"samplingRate\":0.5}," OPERATIONS(
                    "0.5", OPERATION("/health", "0") "," OPERATION("/buy", "1")));
}

static void writes_the_protobuf_form(void **state) {
    (void)state;
    static const char want[] = "\x08\x01\x1a\x02\x08\x03\x22\x21\x09\x9a\x99\x99\x99\x99\x99\xc9\x3f\x1a\x16\x0a\x07/health\x12\x0b";
    struct sampling_strategies all = parsed(by_operation);
    struct buf b = {0};
    sampling_put_proto(&b, sampling_find(&all, STR("B")));
    assert_true(b.n > sizeof want - 1);
    assert_memory_equal(b.p, want, 6);
    struct sampling_strategies plain = parsed("{}");
    b.n = 0;
    sampling_put_proto(&b, sampling_find(&plain, STR("B")));
    assert_true(str_eq(buf_str(&b), STR("\x08\x00\x12\x09\x09\x00\x00\x00\x00\x00\x00\xf0\x3f")));
    buf_done(&b);
}

static void says_the_line_and_the_column(void **state) {
    (void)state;
    expect_refused("\"nonsense\"", "s.json:1:1: expected an object");
    expect_refused("{\"default_strategy\":\n  {\"type\": \"random\", \"param\": 1}}",
                   "s.json:2:12: expected the type \"probabilistic\" or \"ratelimiting\"");
    expect_refused("{\"default_strategy\":\n  {\"type\": \"probabilistic\",\n   \"param\": 1.5}}", "s.json:3:13: expected a share from 0 to 1");
    expect_refused("{\"default_strategy\": {\"param\": 0.5, \"type\": \"ratelimiting\"}}",
                   "s.json:1:32: expected a whole number of traces per second");
    expect_refused("{\"service_strategies\":[\n {\"type\":\"probabilistic\",\"param\":1}]}", "s.json:2:2: expected an object with a \"service\"");
    expect_refused("{\"default_strategy\":{\"operation_strategies\":[{\"type\":\"probabilistic\"}]}}",
                   "s.json:1:46: expected an object with an \"operation\"");
    expect_refused("{\"default_strategy\":{\"operation_strategies\":[{\"operation\":\"a\"}]}}", "s.json:1:46: expected an operation with a \"type\"");
    expect_refused("{\"service_strategies\":{}}", "s.json:1:23: expected an array");
    expect_refused("{}\n]", "s.json:2:1: expected the end of the text");
}

static void refuses_more_operations_than_clients_keep(void **state) {
    (void)state;
    struct buf b = {0};
    buf_add(&b, STR("{\"default_strategy\":{\"operation_strategies\":["));
    for (int i = 0; i <= 2000; i++) buf_printf(&b, "%s{\"operation\":\"o%d\",\"type\":\"probabilistic\",\"param\":1}", i ? "," : "", i);
    buf_add(&b, STR("]}}"));
    struct sampling_strategies all;
    struct err e;
    assert_false(sampling_parse(buf_str(&b), "s.json", arena, &all, &e));
    assert_non_null(strstr(e.msg, "at most 2000 operations"));
    buf_done(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_every_trace_without_a_file),
        cmocka_unit_test(answers_each_service_with_its_own),
        cmocka_unit_test(puts_the_operations_of_the_default_beneath_those_of_a_service),
        cmocka_unit_test(writes_the_protobuf_form),
        cmocka_unit_test(says_the_line_and_the_column),
        cmocka_unit_test(refuses_more_operations_than_clients_keep),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
