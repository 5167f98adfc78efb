/* The evaluator, through test scripts; and the script runner itself: it must see what is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "loop/loop.h"
#include "query/promql/script.h"

struct outcome {
    size_t passed, failed;
    char message[300];
};

static void on_eval(void *arg, const struct script_report *r) {
    struct outcome *o = arg;
    *(r->ok ? &o->passed : &o->failed) += 1;
    if (!r->ok)
        snprintf(o->message, sizeof o->message, "line %zu: %.*s: %.*s", r->line, (int)MIN(r->expr.n, 100), r->expr.p, (int)MIN(r->message.n, 150),
                 r->message.p);
}

static struct outcome run(const char *script) {
    struct outcome o = {0};
    struct err e;
    loop_own_thread();
    bool ok = script_run(str_c(script), on_eval, &o, &e);
    if (!ok) print_error("%s\n", e.msg);
    assert_true(ok);
    return o;
}

#define assert_passes(script, n) assert_passes_at((script), (n), __FILE__, __LINE__)
static void assert_passes_at(const char *script, size_t n, const char *file, int line) {
    struct outcome o = run(script);
    if (o.failed) print_error("%s\n", o.message);
    if (o.failed || o.passed != n) _fail(file, line);
}

static void sees_wrong_expectations(void **state) {
    (void)state;
    static const char *const evals[] = {
        "eval instant at 5m m\n  m{a=\"x\"} 2\n",                 /* another value */
        "eval instant at 5m m\n  m{a=\"y\"} 1\n",                 /* other labels */
        "eval instant at 5m m\n",                                 /* nothing expected */
        "eval instant at 5m m\n  m{a=\"x\"} 1\n  m{b=\"z\"} 1\n", /* a series too many */
        "eval instant at 5m 1\n  2\n",
        "eval instant at 5m 1\n  {} 1\n",
        "eval instant at 5m \"a\"\n  expect string \"b\"\n",
        "eval instant at 5m m\n  expect warn\n  m{a=\"x\"} 1\n",
        "eval instant at 5m m\n  expect fail\n",
        "eval instant at 5m m + on() group_left h\n  expect no_info\n",
        "eval instant at 5m nope(\n  m 1\n",
        "eval instant at 5m topk(NaN, m)\n  expect fail msg: something else\n",
        "eval range from 0 to 10m step 5m m\n  m{a=\"x\"} 0 1\n",     /* a value too few */
        "eval range from 0 to 10m step 5m m\n  m{a=\"x\"} 0 1 _ 2\n", /* at another step */
        "eval instant at 5m h\n  h {{count:2 sum:2 buckets:[2]}}\n",
        "eval instant at 0 timestamp(timestamp(m))\n  {a=\"x\"} 1\n",
    };
    for (size_t i = 0; i < ARRAY_N(evals); i++) {
        struct buf b = {0};
        buf_printf(&b, "load 5m\n  m{a=\"x\"} 0 1 2\n  h {{count:1 sum:1 buckets:[1]}}x3\n\n%s%c", evals[i], 0);
        struct outcome o = run(b.p);
        if (o.failed != 1) print_error("passes: %s\n", evals[i]);
        assert_int_equal(o.failed, 1);
        buf_done(&b);
    }
}

static void refuses_broken_scripts_with_the_line(void **state) {
    (void)state;
    static const char *const scripts[] = {
        "load 5m\n  m 1\n\nfrobnicate\n",
        "\n\n\nload 5x\n  m 1\n",
        "load 5m\n  m 1\n  n 2\n  m 1+1\n",
        "\n\n\neval instant at x m\n",
        "\n\n\neval range from 5m to 0 step 1m m\n",
        "\n\n\neval instant m\n",
    };
    for (size_t i = 0; i < ARRAY_N(scripts); i++) {
        struct outcome o = {0};
        struct err e = {0};
        assert_false(script_run(str_c(scripts[i]), on_eval, &o, &e));
        if (!strstr(e.msg, "line 4")) fail_msg("%s", e.msg);
    }
}

static void selects_by_lookback_and_staleness(void **state) {
    (void)state;
    assert_passes(
        "load 10s\n"
        "  m{a=\"x\"} 0 1 stale 3\n"
        "\n"
        "eval instant at 19s m\n  m{a=\"x\"} 1\n\n"
        "eval instant at 20s m\n\n"
        "eval instant at 329s999ms m\n  m{a=\"x\"} 3\n\n"
        "eval instant at 330s m\n\n"
        "eval instant at 30s count_over_time(m[30s])\n  {a=\"x\"} 2\n\n"
        "eval instant at 30s m offset 20s + m @ 30\n  {a=\"x\"} 4\n\n"
        "eval instant at 100s m @ 1 offset -9s\n  m{a=\"x\"} 1\n\n"
        "eval range from 0 to 40s step 10s m\n  m{a=\"x\"} 0 1 _ 3 3\n\n"
        "eval range from 0 to 20s step 10s m @ end() offset 10s\n  m{a=\"x\"} 1 1 1\n\n"
        "eval instant at 30s timestamp(m)\n  {a=\"x\"} 30\n\n",
        10);
}

static void rates_counters(void **state) {
    (void)state;
    assert_passes(
        "load 1m\n"
        "  c_total{i=\"up\"} 0+60x10\n"
        "  c_total{i=\"reset\"} 100 160 20 80 140\n"
        "  started_total@st _ -30s -1m30s\n"
        "  started_total _ 30 90\n"
        "\n"
        "eval instant at 10m rate(c_total{i=\"up\"}[5m])\n  {i=\"up\"} 1\n\n"
        "eval instant at 4m increase(c_total{i=\"reset\"}[4m1s])\n  {i=\"reset\"} 200.83333333333334\n\n"
        "eval instant at 4m irate(c_total{i=\"reset\"}[4m])\n  {i=\"reset\"} 1\n\n"
        "eval instant at 4m resets(c_total[5m])\n  {i=\"up\"} 0\n  {i=\"reset\"} 1\n\n"
        /* the start timestamp 30s counts as a sample of zero */
        "eval instant at 2m increase(started_total[2m])\n  {} 90\n\n"
        "eval instant at 90s increase(c_total{i=\"up\"}[1m] anchored)\n  {i=\"up\"} 60\n\n"
        "eval instant at 90s increase(c_total{i=\"up\"}[1m] smoothed)\n  {i=\"up\"} 60\n\n"
        "eval instant at 10m rate(gauge[5m])\n  expect no_info\n\n"
        "load 1m\n  gauge 0+1x10\n\n"
        "eval instant at 10m rate(gauge[5m])\n"
        "  expect info msg: PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"gauge\" (1:6)\n"
        "  {} 0.016666666666666666\n\n",
        9);
}

static void computes_over_time(void **state) {
    (void)state;
    assert_passes(
        "load 10s\n  m 4 6 2 1 NaN 1\n  big 1e308 1e308 1e308\n  one 1 1e100 1 -1e100\n\n"
        "eval instant at 30s avg_over_time(m[31s])\n  {} 3.25\n\n"
        "eval instant at 50s max_over_time(m[1m])\n  {} 6\n\n"
        "eval instant at 50s min_over_time(m[1m])\n  {} 1\n\n"
        "eval instant at 50s ts_of_min_over_time(m[1m])\n  {} 50\n\n"
        "eval instant at 50s ts_of_max_over_time(m[1m])\n  {} 10\n\n"
        "eval instant at 30s quantile_over_time(0.5, m[31s])\n  {} 3\n\n"
        "eval instant at 30s stdvar_over_time(m[31s])\n  {} 3.6875\n\n"
        "eval instant at 50s mad_over_time(m[1m])\n  {} NaN\n\n"
        "eval instant at 20s avg_over_time(big[1m])\n  {} 1e308\n\n"
        "eval instant at 30s sum_over_time(one[1m])\n  {} 2\n\n"
        "eval instant at 30s deriv(m[31s])\n  {} -0.13\n\n"
        "eval instant at 30s absent_over_time(nothing{a=\"b\"}[1m])\n  {a=\"b\"} 1\n\n"
        "eval instant at 30s max_over_time((m > 2)[30s:10s])\n  {} 6\n\n"
        "eval instant at 30s sum_over_time(m[25s:10s])\n  {} 9\n\n",
        14);
}

static void aggregates(void **state) {
    (void)state;
    assert_passes(
        "load 5m\n"
        "  m{g=\"a\", i=\"0\"} 1 2\n  m{g=\"a\", i=\"1\"} 3 4\n  m{g=\"b\", i=\"0\"} 5 NaN\n  h{g=\"a\"} {{count:1 sum:1 buckets:[1]}}x1\n\n"
        "eval range from 0 to 5m step 5m sum by (g) (m)\n  {g=\"a\"} 4 6\n  {g=\"b\"} 5 NaN\n\n"
        "eval instant at 0 avg without (i) (m)\n  {g=\"a\"} 2\n  {g=\"b\"} 5\n\n"
        "eval instant at 5m max(m)\n  {} 4\n\n"
        "eval instant at 0 stddev(m)\n  {} 1.632993161855452\n\n"
        "eval instant at 5m topk(2, m)\n  expect ordered\n  m{g=\"a\", i=\"1\"} 4\n  m{g=\"a\", i=\"0\"} 2\n\n"
        "eval instant at 5m bottomk(1, m)\n  m{g=\"a\", i=\"0\"} 2\n\n"
        "eval instant at 0 quantile(0.5, m)\n  {} 3\n\n"
        "eval instant at 0 count_values(\"v\", m)\n  {v=\"1\"} 1\n  {v=\"3\"} 1\n  {v=\"5\"} 1\n\n"
        "eval instant at 0 count(limitk by (g) (1, m))\n  {} 2\n\n"
        "eval instant at 0 count(limit_ratio(0.3, m) or limit_ratio(-0.7, m))\n  {} 3\n\n"
        "eval instant at 0 sum({g=\"a\"})\n  expect warn msg: PromQL warning: encountered a mix of histograms and floats for aggregation (1:5)\n\n"
        "eval instant at 0 max({g=\"a\"})\n  expect info msg: PromQL info: ignored histogram in max aggregation (1:5)\n  {} 3\n\n"
        "eval instant at 0 count({g=\"a\"}) + group(m)\n  {} 4\n\n",
        13);
}

static void matches_vectors(void **state) {
    (void)state;
    assert_passes(
        "load 5m\n"
        "  req{m=\"GET\", c=\"200\"} 10\n  req{m=\"GET\", c=\"500\"} 2\n  req{m=\"PUT\", c=\"200\"} 5\n"
        "  limit{c=\"200\", name=\"soft\"} 100\n  other{c=\"404\"} 7\n\n"
        "eval instant at 0 req / on (c) group_left (name) limit\n"
        "  {m=\"GET\", c=\"200\", name=\"soft\"} 0.1\n  {m=\"PUT\", c=\"200\", name=\"soft\"} 0.05\n\n"
        "eval instant at 0 limit > on (c) group_right req\n  req{m=\"GET\", c=\"200\"} 100\n  req{m=\"PUT\", c=\"200\"} 100\n\n"
        "eval instant at 0 req / on (c) limit\n"
        "  expect fail msg: multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)\n\n"
        "eval instant at 0 limit * on (c) req\n"
        "  expect fail regex: found duplicate series for the match group {c=\"200\"} on the right hand-side of the operation: .*\n\n"
        "eval instant at 0 req unless on (c) limit\n  req{m=\"GET\", c=\"500\"} 2\n\n"
        "eval instant at 0 req and on (c) limit\n  req{m=\"GET\", c=\"200\"} 10\n  req{m=\"PUT\", c=\"200\"} 5\n\n"
        "eval instant at 0 sum by (c) (req) + fill (1) other\n  {c=\"200\"} 16\n  {c=\"500\"} 3\n  {c=\"404\"} 8\n\n"
        "eval instant at 0 req{c=\"500\"} == bool 2\n  {m=\"GET\", c=\"500\"} 1\n\n"
        "eval instant at 0 3 > req\n  req{m=\"GET\", c=\"500\"} 2\n\n"
        "eval instant at 0 1 + 2 * 3 ^ 2 % 5\n  4\n\n",
        10);
}

static void keeps_names_until_the_end(void **state) {
    (void)state;
    assert_passes(
        "load 5m\n  a_total{e=\"1\"} 0 60 120\n  b_total{e=\"1\"} 60 120 180\n\n"
        "eval instant at 10m label_replace(rate({e=\"1\"}[10m]), \"n\", \"rate_$1\", \"__name__\", \"(.+)\")\n"
        "  {e=\"1\", n=\"rate_a_total\"} 0.2\n  {e=\"1\", n=\"rate_b_total\"} 0.2\n\n"
        "eval instant at 10m label_replace(rate(a_total[10m]), \"__name__\", \"r_$1\", \"__name__\", \"(.+)\")\n  r_a_total{e=\"1\"} 0.2\n\n"
        "eval instant at 10m rate({e=\"1\"}[10m])\n  expect fail msg: vector cannot contain metrics with the same labelset\n\n"
        "eval instant at 10m sum by (__name__, e) (a_total)\n  a_total{e=\"1\"} 120\n\n"
        "eval instant at 10m sum by (__name__) (rate({e=\"1\"}[10m]))\n  expect fail\n\n"
        "eval instant at 10m topk(9, sum by (__name__, e) (rate(a_total[10m])))\n  {e=\"1\"} 0.2\n\n"
        "eval instant at 10m last_over_time(a_total[5m])\n  a_total{e=\"1\"} 120\n\n"
        "eval instant at 10m -a_total\n  {e=\"1\"} -120\n\n",
        8);
}

static void reads_classic_and_native_histograms_alike(void **state) {
    (void)state;
    assert_passes(
        "load_with_nhcb 5m\n"
        "  d_bucket{le=\"1\"} 0+1x5\n  d_bucket{le=\"2\"} 0+3x5\n  d_bucket{le=\"+Inf\"} 0+4x5\n  d_count 0+4x5\n  d_sum 0+9x5\n\n"
        "eval instant at 25m histogram_quantile(0.5, rate(d[10m]))\n  {} 1.5\n\n"
        "eval instant at 25m histogram_quantile(0.5, rate(d_bucket[10m]))\n  {} 1.5\n\n"
        "eval instant at 25m histogram_fraction(1, 2, d) - histogram_fraction(1, 2, d_bucket)\n  {} 0\n\n"
        "eval instant at 25m histogram_avg(d)\n  {} 2.25\n\n"
        "eval instant at 25m histogram_quantiles(d, \"q\", 0.25, 1)\n  {q=\"0.25\"} 1\n  {q=\"1.0\"} 2\n\n"
        "eval instant at 25m histogram_quantile(2, d)\n"
        "  expect warn msg: PromQL warning: quantile value should be between 0 and 1, got 2 (1:20)\n  {} Inf\n\n",
        6);
}

static void enriches_with_info_series(void **state) {
    (void)state;
    assert_passes(
        "load 1m\n"
        "  m{instance=\"a\", job=\"1\"} 1 2 3\n"
        "  target_info{instance=\"a\", job=\"1\", version=\"old\"} 1 1 stale\n  target_info{instance=\"a\", job=\"1\", version=\"new\"} _ _ 1\n\n"
        "eval range from 0 to 2m step 1m info(m)\n"
        "  m{instance=\"a\", job=\"1\", version=\"old\"} 1 2 _\n  m{instance=\"a\", job=\"1\", version=\"new\"} _ _ 3\n\n"
        "eval instant at 2m info(m offset 1m, {version=~\".+\"})\n  m{instance=\"a\", job=\"1\", version=\"old\"} 2\n\n"
        "eval instant at 2m info(m, {none=~\".+\"})\n\n",
        3);
}

static void evaluates_the_small_functions(void **state) {
    (void)state;
    assert_passes(
        "load 5m\n  m{l=\"x10\"} 2.5\n  m{l=\"x9\"} -1.5\n\n"
        "eval instant at 0 sort_by_label(m, \"l\")\n  expect ordered\n  m{l=\"x9\"} -1.5\n  m{l=\"x10\"} 2.5\n\n"
        "eval instant at 0 sort_desc(m)\n  expect ordered\n  m{l=\"x10\"} 2.5\n  m{l=\"x9\"} -1.5\n\n"
        "eval instant at 0 round(m, 2)\n  {l=\"x10\"} 2\n  {l=\"x9\"} -2\n\n"
        "eval instant at 0 clamp(m, 0, 1)\n  {l=\"x10\"} 1\n  {l=\"x9\"} 0\n\n"
        "eval instant at 0 label_join(m, \"j\", \"-\", \"l\", \"l\")\n  m{l=\"x10\", j=\"x10-x10\"} 2.5\n  m{l=\"x9\", j=\"x9-x9\"} -1.5\n\n"
        "eval instant at 0 scalar(m{l=\"x9\"}) + pi() - pi()\n  -1.5\n\n"
        "eval instant at 0 days_in_month(vector(951782400)) + day_of_year(vector(951782400))\n  {} 89\n\n"
        "eval range from 0 to 10m step 5m vector(time() / 60 + step() - range())\n  {} -300 -295 -290\n\n"
        "eval range from 0 to 5m step 5m sort(m)\n"
        "  expect warn msg: PromQL warning: sort is ineffective for range queries since results are always ordered by labels (1:1)\n"
        "  m{l=\"x10\"} 2.5\n  m{l=\"x9\"} -1.5\n\n"
        "eval instant at 0 absent(nothing{a=\"b\", c=~\"d\", e=\"f\", e=\"g\"})\n  {a=\"b\"} 1\n\n"
        "eval instant at 0 count_over_time(m[2m * 2 ^ 2] @ 0)\n  {l=\"x10\"} 1\n  {l=\"x9\"} 1\n\n",
        11);
}

static void compares_scalars_over_a_range_and_sparse_series(void **state) {
    (void)state;
    assert_passes(
        "load 5m\n  m 1 2 3\n"
        "\neval range from 5m to 10m step 5m start()\n  {} 300 300\n"
        "\neval instant at 5m end() - start()\n  0\n"
        "\neval instant at 5m m @ end()\n  m 2\n"
        "\neval instant at 10m count_values(\"v\", m)\n  {v=\"3\"} 1\n",
        4);
    struct outcome o = run("eval range from 5m to 10m step 5m start()\n  {} 300 301\n");
    assert_int_equal(o.failed, 1);
}

static void asks_nothing_of_a_side_that_has_nothing_to_match(void **state) {
    (void)state;
    assert_passes(
        "load 5m\n  one{a=\"x\"} 1 1\n  one{a=\"y\"} 1 1\n  many{b=\"z\"} _ 1\n"
        "\neval instant at 0 many * on() one\n"
        "\neval instant at 0 nothing / on() group_left() one\n"
        "\neval instant at 5m many * on() one\n  expect fail\n"
        "\neval range from 0 to 5m step 5m many * on() one\n  expect fail\n",
        4);
}

static void gives_times_no_calendar_has_the_date_prometheus_gives(void **state) {
    (void)state;
    assert_passes(
        "\neval instant at 0 year(vector(NaN))\n  {} 292277026596\n"
        "\neval instant at 0 month(vector(-Inf))\n  {} 12\n"
        "\neval instant at 0 day_of_month(vector(Inf))\n  {} 4\n"
        "\neval instant at 0 hour(vector(1e30))\n  {} 15\n"
        "\neval instant at 0 minute(vector(NaN))\n  {} 30\n"
        "\neval instant at 0 day_of_week(vector(NaN))\n  {} 0\n"
        "\neval instant at 0 day_of_year(vector(NaN))\n  {} 339\n"
        "\neval instant at 0 days_in_month(vector(NaN))\n  {} 31\n",
        8);
}

static void a_series_that_loses_its_name_is_another_than_the_one_that_keeps_it(void **state) {
    (void)state;
    assert_passes(
        "load 1m\n  up{i=\"1\"} 0 1 0\n"
        "\neval range from 0 to 2m step 1m (up == 0) or (up * 2)\n  up{i=\"1\"} 0 _ 0\n  {i=\"1\"} _ 2 _\n"
        "\neval range from 0 to 2m step 1m (up * 2) or (up + 5)\n  {i=\"1\"} 0 2 0\n",
        2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sees_wrong_expectations),
        cmocka_unit_test(refuses_broken_scripts_with_the_line),
        cmocka_unit_test(selects_by_lookback_and_staleness),
        cmocka_unit_test(rates_counters),
        cmocka_unit_test(computes_over_time),
        cmocka_unit_test(aggregates),
        cmocka_unit_test(matches_vectors),
        cmocka_unit_test(keeps_names_until_the_end),
        cmocka_unit_test(reads_classic_and_native_histograms_alike),
        cmocka_unit_test(enriches_with_info_series),
        cmocka_unit_test(evaluates_the_small_functions),
        cmocka_unit_test(compares_scalars_over_a_range_and_sparse_series),
        cmocka_unit_test(asks_nothing_of_a_side_that_has_nothing_to_match),
        cmocka_unit_test(gives_times_no_calendar_has_the_date_prometheus_gives),
        cmocka_unit_test(a_series_that_loses_its_name_is_another_than_the_one_that_keeps_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
