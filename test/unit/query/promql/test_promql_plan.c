/* A query's limits and its life between the threads. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "loop/loop.h"
#include "query/promql/promql.h"

enum { SERIES = 50, SAMPLES = 100 };

static struct tsdb *db;

static bool labels_of(const struct metric_batch *b, size_t i, struct arena *a, struct labels *out, struct err *e) {
    (void)b;
    (void)e;
    struct label *l = arena_new_n(a, struct label, 2);
    l[0] = (struct label){LABEL_METRIC_NAME, STR("m")};
    l[1] = (struct label){STR("i"), arena_printf(a, "%03zu", i)};
    *out = (struct labels){l, 2};
    return true;
}

static int setup(void **state) {
    (void)state;
    struct tsdb_options o = {.series_max = 1000, .labels_per_series_max = 30, .label_value_bytes_max = 100, .out_of_order_ms = INT64_MAX / 4};
    struct err e;
    struct push_result r;
    loop_own_thread();
    assert_true(tsdb_open(&o, &db, &e));
    struct metric_batch *b = metric_batch_new(4096);
    b->row_n = SERIES;
    b->rows = arena_new_n(b->arena, struct series_row, SERIES);
    b->sample_n = SERIES * SAMPLES;
    b->t_ms = arena_new_n(b->arena, int64_t, b->sample_n);
    b->v = arena_new_n(b->arena, double, b->sample_n);
    b->row_labels = labels_of;
    for (uint32_t i = 0; i < SERIES; i++) {
        b->rows[i] = (struct series_row){.key = arena_printf(b->arena, "%u", i), .sample_at = i * SAMPLES, .sample_n = SAMPLES};
        for (uint32_t k = 0; k < SAMPLES; k++) {
            b->t_ms[i * SAMPLES + k] = k * 1000;
            b->v[i * SAMPLES + k] = i + k;
        }
    }
    assert_true(tsdb_append_now(db, b, &r, &e));
    assert_int_equal(r.stored, SERIES * SAMPLES);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    tsdb_close(db);
    return 0;
}

static const struct promql_params range = {.query = STR_INIT("m"), .start_ms = 0, .end_ms = 99000, .step_ms = 1000};

static enum err_code code_of(struct promql_params p, const struct job *job, struct err *e) {
    struct promql_query *q;
    bool planned = promql_plan(db, &p, &q, e);
    if (!planned) return e->code;
    bool ok = promql_run(q, job, e);
    promql_free(q);
    return ok ? ERR_NONE : e->code;
}

static void limits_samples(void **state) {
    (void)state;
    struct err e;
    struct promql_params p = range;
    p.samples_max = SERIES * 100 - 1;
    assert_int_equal(code_of(p, NULL, &e), ERR_LIMIT);
    assert_non_null(strstr(e.msg, "too many samples"));
    p.samples_max = SERIES * 100;
    assert_int_equal(code_of(p, NULL, &e), ERR_NONE);
    p.query = STR("count(m)"); /* holds one series at a time */
    p.samples_max = 200;
    assert_int_equal(code_of(p, NULL, &e), ERR_NONE);
    p.query = STR("max_over_time(m[1y:1ms])");
    assert_int_equal(code_of(p, NULL, &e), ERR_LIMIT);
}

static void limits_bytes(void **state) {
    (void)state;
    struct err e;
    struct promql_params p = range;
    p.bytes_max = 20000;
    assert_int_equal(code_of(p, NULL, &e), ERR_LIMIT);
    assert_non_null(strstr(e.msg, "bytes of memory"));
    p.bytes_max = 10 << 20;
    assert_int_equal(code_of(p, NULL, &e), ERR_NONE);
}

/* A few bytes of an expression can ask for labels of any length. */
static void limits_what_labels_grow_to(void **state) {
    (void)state;
    struct err e;
    struct promql_params p = range;
    struct buf b = {0};
    p.bytes_max = 64 << 20;
    buf_add(&b, STR("label_replace(m, \"x\", \""));
    for (size_t i = 0; i < 100000; i++) buf_add(&b, STR("$1"));
    buf_add(&b, STR("\", \"__name__\", \"(m)\")"));
    p.query = buf_str(&b);
    assert_int_equal(code_of(p, NULL, &e), ERR_NONE); /* 100 kB a series */
    buf_clear(&b);
    for (size_t i = 0; i < 40; i++) buf_add(&b, STR("label_join("));
    buf_add(&b, STR("m"));
    for (size_t i = 0; i < 40; i++) buf_add(&b, STR(", \"x\", \"y\", \"x\", \"x\")"));
    p.query = buf_str(&b);
    assert_int_equal(code_of(p, NULL, &e), ERR_LIMIT); /* 2^40 */
    assert_non_null(strstr(e.msg, "bytes of memory"));
    p.query = STR("label_replace(label_replace(m, \"x\", \"$1$1$1$1$1$1$1$1\", \"__name__\", \"(m)\"), \"x\", \"$1$1$1$1\", \"x\", \"(.*)\")");
    assert_int_equal(code_of(p, NULL, &e), ERR_NONE);
    buf_done(&b);
}

/* 4 kB a column of 100 steps; memory is refused before it is taken. */
static void sums_any_number_of_series_in_little_memory(void **state) {
    (void)state;
    struct err e;
    struct promql_params p = range;
    p.bytes_max = 30000; /* m alone: 40,000 */
    static const char *const fit[] = {"sum(m)", "sum by (x) (m)", "avg without (i) (m)", "sum(rate(m[10s]))", "max(m * 2)", "count(m > 3)"};
    for (size_t i = 0; i < ARRAY_N(fit); i++) {
        p.query = str_c(fit[i]);
        if (code_of(p, NULL, &e) != ERR_NONE) fail_msg("%s: %s", fit[i], e.msg);
    }
    static const char *const too_big[] = {
        "m", "sum by (i) (m)", "m + m", "topk(3, m)", "m or m", "max_over_time(m[1d:1ms])", "quantile by (i) (0.5, m)"};
    for (size_t i = 0; i < ARRAY_N(too_big); i++) {
        p.query = str_c(too_big[i]);
        assert_int_equal(code_of(p, NULL, &e), ERR_LIMIT);
        if (!strstr(e.msg, "query needs more than 30000 bytes")) fail_msg("%s: %s", too_big[i], e.msg);
    }
}

static void gives_up_when_canceled_or_late(void **state) {
    (void)state;
    struct err e;
    struct job canceled = {0};
    flag_set(&canceled.cancel);
    assert_int_equal(code_of(range, &canceled, &e), ERR_CANCELED);
    struct job late = {.deadline_ns = clock_mono_ns() - 1};
    assert_int_equal(code_of(range, &late, &e), ERR_TIMEOUT);
    struct job fine = {.deadline_ns = clock_mono_ns() + 60 * NS_PER_S};
    assert_int_equal(code_of(range, &fine, &e), ERR_NONE);
}

static void yields_columns_sorted_by_labels(void **state) {
    (void)state;
    struct promql_query *q;
    struct err e;
    assert_true(promql_plan(db, &range, &q, &e));
    assert_true(promql_run(q, NULL, &e));
    const struct promql_result *r = promql_result(q);
    assert_int_equal(r->type, PT_VECTOR);
    assert_int_equal(r->series_n, SERIES);
    assert_int_equal(r->step_n, 100);
    assert_true(r->series[7].v[3] == 10);
    assert_true(str_eq(labels_get(r->series[7].labels, STR("i")), STR("007")));
    assert_int_equal(r->samples, SERIES * 100);
    promql_free(q);
}

static void yields_the_samples_of_a_range_vector(void **state) {
    (void)state;
    struct promql_query *q;
    struct err e;
    struct promql_params p = {.query = STR("m{i=\"001\"}[3s]"), .start_ms = 10500, .end_ms = 10500};
    assert_true(promql_plan(db, &p, &q, &e));
    assert_true(promql_run(q, NULL, &e));
    const struct promql_result *r = promql_result(q);
    assert_int_equal(r->type, PT_MATRIX);
    assert_int_equal(r->series_n, 1);
    assert_int_equal(r->series[0].n, 3);
    assert_int_equal(r->series[0].t_ms[0], 8000);
    assert_true(r->series[0].v[2] == 11);
    promql_free(q);
}

static void refuses_what_is_no_range_query(void **state) {
    (void)state;
    struct err e;
    struct promql_params p = range;
    p.query = STR("m[5m]");
    assert_int_equal(code_of(p, NULL, &e), ERR_INPUT);
    assert_non_null(strstr(e.msg, "invalid expression type \"range vector\" for range query"));
    p.query = STR("m[step() - 1s]");
    p.step_ms = 0;
    assert_int_equal(code_of(p, NULL, &e), ERR_INPUT);
    assert_non_null(strstr(e.msg, "duration must be greater than 0"));
}

static void keeps_the_whole_text_of_long_errors(void **state) {
    (void)state;
    struct promql_query *q;
    struct err e;
    struct promql_params p = {
        .query = STR("label_replace(m, \"a_rather_long_label_name_to_make_the_message_long_enough\", \"x\", \"i\", \".*\") * on() m")};
    assert_true(promql_plan(db, &p, &q, &e));
    assert_false(promql_run(q, NULL, &e));
    assert_non_null(strstr(e.msg, "found duplicate series"));
    assert_true(str_ends(promql_long_error(q), STR("matching labels must be unique on one side")));
    promql_free(q);
}

static void explains_what_each_node_yielded_and_read(void **state) {
    (void)state;
    struct promql_query *q;
    struct err e;
    struct promql_params p = range;
    p.query = STR("sum(rate(m[10s])) + 1");
    p.explain = p.step_stats = true;
    assert_true(promql_plan(db, &p, &q, &e));
    assert_true(promql_run(q, NULL, &e));
    const struct promql_result *r = promql_result(q);
    const struct node *sum = node_child(promql_root(q), 0);
    const struct node *rate = node_child(sum, 0);
    const struct node *m = node_child(rate, 0);
    assert_null(node_child(m, 0));
    assert_int_equal(m->kind, NODE_MATRIX);
    assert_int_equal(r->costs[promql_root(q)->id].series, 1);
    assert_int_equal(r->costs[sum->id].series, 1);
    assert_int_equal(r->costs[rate->id].series, SERIES);
    assert_int_equal(r->costs[m->id].series, SERIES);
    assert_int_equal(r->costs[m->id].samples, SERIES * SAMPLES);
    assert_int_equal(r->costs[sum->id].samples, SERIES * SAMPLES);
    assert_true(r->costs[m->id].ns > 0 && r->costs[m->id].ns <= r->costs[rate->id].ns);
    assert_true(r->costs[rate->id].ns <= r->costs[sum->id].ns);
    assert_int_equal(r->step_samples[0], SERIES);
    assert_int_equal(r->step_samples[50], SERIES * 10);
    assert_int_equal(r->samples, SERIES * (10 * 91 + 9 * 10 / 2));
    promql_free(q);
}

static void counts_a_subquery_by_its_windows(void **state) {
    (void)state;
    struct promql_query *q;
    struct err e;
    struct promql_params p = {.query = STR_INIT("sum_over_time(m{i=\"001\"}[10s:2s])"), .start_ms = 50000, .end_ms = 50000, .explain = true};
    assert_true(promql_plan(db, &p, &q, &e));
    assert_true(promql_run(q, NULL, &e));
    const struct promql_result *r = promql_result(q);
    const struct node *subquery = node_child(promql_root(q), 0);
    assert_int_equal(r->samples, 5);
    assert_int_equal(r->costs[subquery->id].series, 1);
    assert_int_equal(r->costs[node_child(subquery, 0)->id].series, 1);
    assert_null(r->step_samples);
    promql_free(q);
}

static void counts_values_over_a_range_with_times_of_their_own(void **state) {
    (void)state;
    struct promql_query *q;
    struct err e;
    struct promql_params p = range;
    p.query = STR("count_values(\"v\", m)");
    assert_true(promql_plan(db, &p, &q, &e));
    assert_true(promql_run(q, NULL, &e));
    const struct promql_result *r = promql_result(q);
    assert_int_equal(r->series_n, SERIES + SAMPLES - 1); /* i + k */
    assert_true(str_eq(labels_get(r->series[0].labels, STR("v")), STR("0")));
    assert_int_equal(r->series[0].n, 1);
    size_t at = 0;
    while (!str_eq(labels_get(r->series[at].labels, STR("v")), STR("10"))) at++;
    assert_int_equal(r->series[at].n, 11);
    assert_int_equal(r->series[at].t_ms[10], 10000);
    assert_true(r->series[at].v[10] == 1);
    promql_free(q);
    p.query = STR("sum(count_values(\"v\", m))"); /* the same as columns */
    assert_true(promql_plan(db, &p, &q, &e));
    assert_true(promql_run(q, NULL, &e));
    assert_true(promql_result(q)->series[0].v[99] == SERIES);
    promql_free(q);
}

/* --- in a pool, by several threads */

struct pooled {
    struct job job;
    struct loop *loop;
    struct promql_query *q;
    bool ok;
    struct err e;
};
static void run_pooled(struct job *j) {
    struct pooled *p = (struct pooled *)j;
    p->ok = promql_run(p->q, j, &p->e);
}
static void pooled_done(struct job *j) {
    loop_stop(((struct pooled *)j)->loop);
}
static void run_in_pool(struct pooled *p, struct promql_params params) {
    struct err e;
    struct loop *loop = loop_new();
    struct pool *pool = pool_new(loop, 3, 10);
    *p = (struct pooled){.job = {.run = run_pooled, .done = pooled_done}, .loop = loop};
    assert_true(promql_plan(db, &params, &p->q, &e));
    assert_true(pool_submit(pool, LANE_QUERY, &p->job, &e));
    loop_run(loop);
    pool_free(pool);
    loop_free(loop);
}

static void gives_the_same_whoever_makes_the_series(void **state) {
    (void)state;
    static const char *const queries[] = {
        "m", "rate(m[10s])", "sum by (i) (m) + on(i) group_left() max_over_time(m[5s])", "topk(3, m)", "avg(stddev_over_time(m[20s:3s]))", "m @ 50",
    };
    for (size_t k = 0; k < ARRAY_N(queries); k++) {
        struct promql_params params = range;
        struct pooled p;
        struct promql_query *alone;
        struct err e;
        params.query = str_c(queries[k]);
        params.step_stats = true;
        assert_true(promql_plan(db, &params, &alone, &e) && promql_run(alone, NULL, &e));
        run_in_pool(&p, params);
        assert_true(p.ok);
        const struct promql_result *x = promql_result(alone);
        const struct promql_result *y = promql_result(p.q);
        assert_int_equal(x->series_n, y->series_n);
        assert_int_equal(x->samples, y->samples);
        assert_memory_equal(x->step_samples, y->step_samples, x->step_n * sizeof *x->step_samples);
        assert_int_equal(x->info_n, y->info_n);
        for (size_t i = 0; i < x->info_n; i++) assert_true(str_eq(x->infos[i], y->infos[i]));
        for (size_t i = 0; i < x->series_n; i++) {
            assert_int_equal(labels_cmp(x->series[i].labels, y->series[i].labels), 0);
            assert_memory_equal(x->series[i].v, y->series[i].v, x->step_n * sizeof(double));
        }
        promql_free(alone);
        promql_free(p.q);
    }
}

static void limits_what_several_threads_hold(void **state) {
    (void)state;
    struct promql_params params = range;
    struct pooled p;
    params.samples_max = SERIES * 100 - 1;
    run_in_pool(&p, params);
    assert_false(p.ok);
    assert_int_equal(p.e.code, ERR_LIMIT);
    assert_non_null(strstr(p.e.msg, "too many samples"));
    promql_free(p.q);
    params = range;
    params.bytes_max = 30000;
    run_in_pool(&p, params);
    assert_false(p.ok);
    assert_non_null(strstr(p.e.msg, "query needs more than 30000 bytes"));
    promql_free(p.q);
    params.query = STR("double_exponential_smoothing(m[10s], 2, 0.5)");
    params.bytes_max = 0;
    run_in_pool(&p, params);
    assert_false(p.ok);
    assert_true(str_starts(promql_long_error(p.q), STR("invalid smoothing factor")));
    promql_free(p.q);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_samples),
        cmocka_unit_test(limits_bytes),
        cmocka_unit_test(limits_what_labels_grow_to),
        cmocka_unit_test(sums_any_number_of_series_in_little_memory),
        cmocka_unit_test(gives_up_when_canceled_or_late),
        cmocka_unit_test(yields_columns_sorted_by_labels),
        cmocka_unit_test(yields_the_samples_of_a_range_vector),
        cmocka_unit_test(refuses_what_is_no_range_query),
        cmocka_unit_test(keeps_the_whole_text_of_long_errors),
        cmocka_unit_test(explains_what_each_node_yielded_and_read),
        cmocka_unit_test(counts_a_subquery_by_its_windows),
        cmocka_unit_test(counts_values_over_a_range_with_times_of_their_own),
        cmocka_unit_test(gives_the_same_whoever_makes_the_series),
        cmocka_unit_test(limits_what_several_threads_hold),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
