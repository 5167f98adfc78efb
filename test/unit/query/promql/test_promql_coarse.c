/* Queries over down-sampled data: one sample a minute, raw for 4 hours, then one for 5 minutes. */
#include <math.h>

#include "query/promql/promql.h"
#include "unit/store/metrics/disk.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)
enum { HOURS = 20 };

static struct disk d;

static void fill_hour(int hour) {
    for (int m = hour * 60 + 1; m <= hour * 60 + 60; m++) {
        help_push(d.db, "job=x", "__name__=gauge", m * MINUTE_MS, m % 7);
        help_push(d.db, "job=x", "__name__=hits_total", m * MINUTE_MS, m % 500 * 60); /* resets every 500 minutes */
    }
    tsdb_tick(d.db, (hour + 1) * HOUR_MS);
    tsdb_tick(d.db, (hour + 1) * HOUR_MS + 2000);
}

static int setup(void **state) {
    (void)state;
    loop_own_thread();
    disk_make(&d);
    d.options.seal_age_ms = 1000;
    d.options.retention_ms = 4 * HOUR_MS;
    d.options.retention_5m_ms = 1000 * HOUR_MS;
    disk_open(&d);
    for (int hour = 0; hour < HOURS; hour++) fill_hour(hour);
    for (int i = 0; i < 100; i++) tsdb_tick(d.db, HOURS * HOUR_MS + 5000);
    assert_true(disk_stats(&d).coarse_parts > 0);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    disk_close(&d);
    disk_remove(&d);
    return 0;
}

/* The one value at a time; NAN: none. info: does it say that data is down-sampled? */
static double value(const char *query, int64_t t_ms, bool *info) {
    struct promql_params p = {.query = str_c(query), .start_ms = t_ms, .end_ms = t_ms};
    struct promql_query *q;
    struct err e;
    if (!promql_plan(d.db, &p, &q, &e)) fail_msg("%s", e.msg);
    if (!promql_run(q, NULL, &e)) fail_msg("%s", e.msg);
    const struct promql_result *r = promql_result(q);
    assert_true(r->series_n <= 1);
    double v = r->series_n ? r->series[0].v[0] : NAN;
    *info = r->info_n == 1 && str_starts(r->infos[0], STR("PromQL info: data before 1970-01-01T")) &&
            str_find(r->infos[0], STR("Z is down-sampled to 5m resolution (1:")) != STR_NONE;
    promql_free(q);
    return v;
}

static void functions_read_the_value_of_a_bucket_that_they_need(void **state) {
    (void)state;
    static const struct {
        const char *query;
        double want;
    } cases[] = {
        {"count_over_time(gauge[2h])", 120},
        {"sum_over_time(gauge[2h])", 363},
        {"avg_over_time(gauge[2h])", 363.0 / 120},
        {"min_over_time(gauge[2h])", 0},
        {"max_over_time(gauge[2h])", 6},
        {"present_over_time(gauge[2h])", 1},
        {"last_over_time(gauge[2h])", 6},
        {"gauge", 6},
        {"rate(hits_total[2h])", 1},
    };
    double sum = 0;
    for (int m = 181; m <= 300; m++) sum += m % 7;
    assert_true(sum == 363);
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        bool info;
        double v = value(cases[i].query, 5 * HOUR_MS, &info);
        if (fabs(v - cases[i].want) > 1e-9) fail_msg("%s: %g, want %g", cases[i].query, v, cases[i].want);
        assert_true(info);
    }
}

static void a_rate_looks_as_far_back_as_two_buckets_and_an_increase_does_not(void **state) {
    (void)state;
    bool info;
    assert_true(fabs(value("rate(hits_total[5m])", 5 * HOUR_MS, &info) - 1) < 1e-9);
    assert_true(fabs(value("irate(hits_total[1m])", 5 * HOUR_MS, &info) - 1) < 1e-9);
    assert_true(isnan(value("increase(hits_total[5m])", 5 * HOUR_MS, &info)));
    assert_true(fabs(value("increase(hits_total[10h])", 10 * HOUR_MS, &info) - 36000) < 200); /* over a reset */
    assert_true(value("resets(hits_total[10h])", 10 * HOUR_MS, &info) == 1);
}

static void raw_samples_are_exact_and_say_nothing(void **state) {
    (void)state;
    bool info;
    assert_true(value("count_over_time(gauge[30m])", HOURS * HOUR_MS, &info) == 30);
    assert_false(info);
    assert_true(fabs(value("rate(hits_total[5m])", HOURS * HOUR_MS, &info) - 1) < 1e-9);
    assert_true(isnan(value("gauge", HOURS * HOUR_MS + 5 * MINUTE_MS, &info)));
    assert_false(info);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_read_the_value_of_a_bucket_that_they_need),
        cmocka_unit_test(a_rate_looks_as_far_back_as_two_buckets_and_an_increase_does_not),
        cmocka_unit_test(raw_samples_are_exact_and_say_nothing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
