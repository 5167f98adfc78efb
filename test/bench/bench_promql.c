/* How much CPU a dashboard query costs: histogram_quantile over the rates of 6,484 bucket series, 6 hours of samples every 15 s.
 * Usage: bench_promql [series [step_s [query]]]; prints CPU milliseconds of planning and of each of several runs. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "loop/loop.h"
#include "query/promql/promql.h"

enum { BUCKETS = 14, SAMPLES = 6 * 240, BATCH_SAMPLES = 16, RUNS = 5 };
#define STEP_MS INT64_C(15000)
#define T0_MS INT64_C(1700000000000)

static const char *const bounds[BUCKETS] = {"0.005", "0.01", "0.025", "0.05", "0.1",  "0.25", "0.5",
                                            "1.0",   "2.5",  "5.0",   "10.0", "25.0", "50.0", "+Inf"};

static void fail(const struct err *e) {
    fprintf(stderr, "bench_promql: %s\n", e->msg);
    exit(1);
}

static bool labels_of(const struct metric_batch *b, size_t i, struct arena *a, struct labels *out, struct err *e) {
    (void)e;
    size_t first = (size_t)(uintptr_t)b->row_labels_arg;
    size_t series = first + i;
    struct label *l = arena_new_n(a, struct label, 5);
    size_t n = 0;
    l[n++] = (struct label){LABEL_METRIC_NAME, STR("http_request_duration_seconds_bucket")};
    l[n++] = (struct label){STR("endpoint"), arena_printf(a, "/api/v%zu", series / BUCKETS % 17)};
    l[n++] = (struct label){STR("instance"), arena_printf(a, "10.0.%zu.%zu:8080", series / BUCKETS / 256, series / BUCKETS % 256)};
    l[n++] = (struct label){STR("le"), str_c(bounds[series % BUCKETS])};
    l[n++] = (struct label){STR("method"), series / BUCKETS % 2 ? STR("GET") : STR("POST")};
    *out = (struct labels){l, n};
    return true;
}

/* Cumulative in le, growing with a jitter that depends on the series. */
static double value_of(size_t series, size_t sample) {
    size_t group = series / BUCKETS;
    size_t bucket = series % BUCKETS;
    return (double)(sample * (group % 7 + 1) * (bucket + 1) + (sample * 2654435761u + group) % 3 * (bucket + 1));
}

static void load(struct tsdb *db, size_t series_n) {
    struct err e;
    for (size_t first = 0; first < SAMPLES; first += BATCH_SAMPLES) {
        struct metric_batch *b = metric_batch_new(1 << 20);
        b->row_n = series_n;
        b->rows = arena_new_n(b->arena, struct series_row, series_n);
        b->sample_n = series_n * BATCH_SAMPLES;
        b->t_ms = arena_new_n(b->arena, int64_t, b->sample_n);
        b->v = arena_new_n(b->arena, double, b->sample_n);
        b->row_labels = labels_of;
        for (size_t i = 0; i < series_n; i++) {
            str key = arena_printf(b->arena, "%zu", i);
            b->rows[i] = (struct series_row){.key = key, .sample_at = (uint32_t)(i * BATCH_SAMPLES), .sample_n = BATCH_SAMPLES};
            for (size_t k = 0; k < BATCH_SAMPLES; k++) {
                b->t_ms[i * BATCH_SAMPLES + k] = T0_MS + (int64_t)(first + k) * STEP_MS;
                b->v[i * BATCH_SAMPLES + k] = value_of(i, first + k);
            }
        }
        struct push_result r;
        if (!tsdb_append_now(db, b, &r, &e)) fail(&e);
    }
}

static void run(struct tsdb *db, const char *query, int64_t step_ms) {
    struct err e;
    double best = 1e9;
    double plan_ms = 0;
    size_t series = 0;
    for (int i = 0; i < RUNS; i++) {
        struct promql_query *q;
        struct promql_params p = {.query = str_c(query), .start_ms = T0_MS, .end_ms = T0_MS + (SAMPLES - 1) * STEP_MS, .step_ms = step_ms};
        int64_t t0 = clock_cpu_ns();
        if (!promql_plan(db, &p, &q, &e)) fail(&e);
        int64_t t1 = clock_cpu_ns();
        if (!promql_run(q, NULL, &e)) fail(&e);
        int64_t t2 = clock_cpu_ns();
        series = promql_result(q)->series_n;
        promql_free(q);
        double ms = (double)(t2 - t1) / 1e6;
        if (ms < best) {
            best = ms;
            plan_ms = (double)(t1 - t0) / 1e6;
        }
    }
    printf("%8.1f ms run %7.1f ms plan  %4zu series  %s\n", best, plan_ms, series, query);
}

int main(int argc, char **argv) {
    size_t series_n = argc > 1 ? (size_t)atoll(argv[1]) : 6484;
    int64_t step_ms = argc > 2 ? atoll(argv[2]) * 1000 : 60000;
    struct tsdb_options o = {.series_max = 1000000, .labels_per_series_max = 30, .label_value_bytes_max = 1000, .out_of_order_ms = INT64_MAX / 4};
    struct tsdb *db;
    struct err e;
    loop_own_thread();
    if (!tsdb_open(&o, &db, &e)) fail(&e);
    int64_t t0 = clock_cpu_ns();
    load(db, series_n);
    printf("%zu series x %d samples loaded in %.0f ms CPU; 6 h at a step of %lld s\n", series_n, SAMPLES, (double)(clock_cpu_ns() - t0) / 1e6,
           (long long)step_ms / 1000);
    if (argc > 3) {
        run(db, argv[3], step_ms);
        tsdb_close(db);
        return 0;
    }
    run(db, "histogram_quantile(0.95, sum(rate(http_request_duration_seconds_bucket[5m])) by (le, method, endpoint))", step_ms);
    run(db, "sum(rate(http_request_duration_seconds_bucket[5m])) by (le, method, endpoint)", step_ms);
    run(db, "http_request_duration_seconds_bucket", step_ms);
    run(db, "count(http_request_duration_seconds_bucket)", step_ms);
    run(db, "max_over_time(http_request_duration_seconds_bucket[5m])", step_ms);
    run(db, "topk(5, rate(http_request_duration_seconds_bucket[5m]))", step_ms);
    tsdb_close(db);
    return 0;
}
