#include "query/trace/spm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"

#define T0 (INT64_C(1700000000) * NS_PER_S)

static struct spm_query query(enum spm_metric metric, bool by_operation) {
    return (struct spm_query){metric, by_operation, 0.5, T0, T0 + 120 * NS_PER_S, 60 * NS_PER_S, 60 * NS_PER_S};
}

static void expect(const struct spm_query *q, const char *want) {
    static const struct spm_span spans[] = {
        {STR_INIT("b"), STR_INIT("get"), T0 - 60 * NS_PER_S, 1, true}, /* just outside the first point's minute */
        {STR_INIT("b"), STR_INIT("get"), T0 - 59 * NS_PER_S, 1 << 20, false}, {STR_INIT("b"), STR_INIT("put"), T0 + 60 * NS_PER_S, 1 << 20, true},
        {STR_INIT("a"), STR_INIT("get"), T0 + 61 * NS_PER_S, 1 << 20, false}, {STR_INIT("b"), STR_INIT("get"), T0 + 1 * NS_PER_S, 1 << 20, false},
        {STR_INIT("b"), STR_INIT("get"), T0 + 121 * NS_PER_S, 1, false},
    };
    struct spm *s = spm_new(q);
    struct buf b = {0};
    struct json_out o = {.buf = &b};
    struct err e;
    for (size_t i = 0; i < ARRAY_N(spans); i++) assert_true(spm_add(s, &spans[i], &e));
    spm_put(s, &o);
    if (!str_eq_c(buf_str(&b), want)) fail_msg("%" STR_F "\nwanted %s", STR_A(buf_str(&b)), want);
    buf_done(&b);
    spm_free(s);
}

#define POINT(v, time) "{\"gaugeValue\":{\"doubleValue\":" v "},\"timestamp\":\"2023-11-14T22:" time "Z\"}"
#define SERVICE(name, points) "{\"labels\":[{\"name\":\"service_name\",\"value\":\"" name "\"}],\"metricPoints\":[" points "]}"
#define OPERATION(name, service, points)                                                                                                            \
    "{\"labels\":[{\"name\":\"operation\",\"value\":\"" name "\"},{\"name\":\"service_name\",\"value\":\"" service "\"}],\"metricPoints\":[" points \
    "]}"

static void counts_calls_a_second_over_the_time_before_each_point(void **state) {
    (void)state;
    const struct spm_query q = query(SPM_CALLS, false);
    expect(&q, "{\"name\":\"service_call_rate\",\"type\":\"GAUGE\",\"help\":\"calls/sec, grouped by service\",\"metrics\":[" SERVICE(
                   "a", POINT("0", "13:20") "," POINT("0", "14:20") "," POINT(
                            "0.016666666666666666", "15:20")) "," SERVICE("b",
                                                                          POINT("0.016666666666666666", "13:20") "," POINT(
                                                                              "0.03333333333333333", "14:20") "," POINT("0", "15:20")) "]}");
}

static void leaves_out_error_rates_without_calls(void **state) {
    (void)state;
    const struct spm_query q = query(SPM_ERRORS, false);
    expect(
        &q,
        "{\"name\":\"service_error_rate\",\"type\":\"GAUGE\",\"help\":\"error rate, computed as a fraction of errors/sec over calls/sec, grouped by "
        "service\",\"metrics\":[" SERVICE("a", POINT("0", "15:20")) "," SERVICE("b", POINT("0", "13:20") "," POINT("0.5", "14:20")) "]}");
}

static void finds_quantiles_by_operation(void **state) {
    (void)state;
    const struct spm_query q = query(SPM_LATENCIES, true);
    expect(&q,
           "{\"name\":\"service_operation_latencies\",\"type\":\"GAUGE\",\"help\":\"0.50th quantile latency, grouped by service & operation\","
           "\"metrics\":[" OPERATION("get", "a", POINT("1.114112", "15:20")) "," OPERATION(
               "get", "b", POINT("1.114112", "13:20") "," POINT("1.114112", "14:20")) "," OPERATION("put", "b", POINT("1.114112", "14:20")) "]}");
}

static void refuses_too_many_operations(void **state) {
    (void)state;
    const struct spm_query q = query(SPM_CALLS, true);
    struct spm *s = spm_new(&q);
    struct err e;
    char name[16];
    for (int i = 0; i <= SPM_SERIES_MAX; i++) {
        int n = snprintf(name, sizeof name, "op%d", i);
        const struct spm_span span = {STR("a"), str_n(name, (size_t)n), T0, 1, false};
        assert_true(spm_add(s, &span, &e) == (i < SPM_SERIES_MAX));
    }
    assert_true(e.code == ERR_LIMIT);
    spm_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_calls_a_second_over_the_time_before_each_point),
        cmocka_unit_test(leaves_out_error_rates_without_calls),
        cmocka_unit_test(finds_quantiles_by_operation),
        cmocka_unit_test(refuses_too_many_operations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
