/* The Prometheus HTTP API over a real server and a memory-only store. */
#include "api/app.h"
#include "api/assets.h"
#include "codec/json.h"
#include "unit/net/http_fixture.h"

const struct asset assets[] = {{0}};
const size_t assets_n = 0;

#define T0_MS INT64_C(1700000000000)

static struct fixture f;
static struct app app;
static struct store store;

static struct labels series_labels(size_t i) {
    static const struct label up_a[] = {{STR_INIT("__name__"), STR_INIT("up")}, {STR_INIT("job"), STR_INIT("a")}};
    static const struct label up_b[] = {{STR_INIT("__name__"), STR_INIT("up")}, {STR_INIT("job"), STR_INIT("b")}};
    static const struct label odd[] = {{STR_INIT("__name__"), STR_INIT("dotted.name")}, {STR_INIT("a.b"), STR_INIT("x\"y")}};
    static const struct labels sets[] = {{up_a, 2}, {up_b, 2}, {odd, 2}};
    return sets[i];
}
static bool row_labels(const struct metric_batch *b, size_t i, struct arena *a, struct labels *out, struct err *e) {
    (void)b;
    (void)a;
    (void)e;
    *out = series_labels(i);
    return true;
}

static void load(int64_t t_ms) {
    struct metric_batch *b = metric_batch_new(4096);
    struct push_result r;
    struct err e;
    b->row_n = b->sample_n = 3;
    b->rows = arena_new_n(b->arena, struct series_row, 3);
    b->t_ms = arena_new_n(b->arena, int64_t, 3);
    b->v = arena_new_n(b->arena, double, 3);
    b->row_labels = row_labels;
    for (uint32_t i = 0; i < 3; i++) {
        b->rows[i] = (struct series_row){.key = arena_printf(b->arena, "%u", i), .sample_at = i, .sample_n = 1};
        b->t_ms[i] = t_ms;
        b->v[i] = i + 0.5;
    }
    assert_true(tsdb_append_now(store.metrics, b, &r, &e));
    assert_int_equal(r.stored, 3);
}

static int setup(void **state) {
    (void)state;
    struct err e;
    loop_own_thread();
    struct tsdb_options metrics = {
        .series_max = 1000, .labels_per_series_max = 30, .label_value_bytes_max = 1000, .retention_ms = INT64_MAX, .out_of_order_ms = INT64_MAX / 4};
    f = (struct fixture){.loop = loop_new(), .arena = arena_new(4096)};
    store = (struct store){0};
    assert_true(tsdb_open(&metrics, &store.metrics, &e));
    app = (struct app){
        .loop = f.loop, .pool = pool_new(f.loop, 2, 4), .store = &store, .start_ms = T0_MS, .query_timeout_ms = 10000, .query_samples_max = 5000};
    static const struct http_route *const tables[] = {prometheus_routes};
    struct http_server_config config = {.tables = tables, .table_n = 1, .app = &app};
    f.server = app.http = http_server_new(f.loop, &config);
    assert_true(http_server_listen(f.server, "main", HTTP_DOOR_MAIN, STR("127.0.0.1:0"), &e));
    str address = http_server_address(f.server, "main");
    uint64_t port;
    assert_true(str_u64(str_from(address, str_find_char(address, ':') + 1), &port));
    f.port = (uint16_t)port;
    load(T0_MS);
    load(T0_MS + 15500);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    pool_free(app.pool);
    http_server_free(f.server);
    tsdb_close(store.metrics);
    loop_free(f.loop);
    arena_free(f.arena);
    return 0;
}

static void answers(const char *target, int status, const char *body) {
    str reply = get(&f, target, "");
    if (status_of(reply) != status) print_error("%s: %" STR_F "\n", target, STR_A(reply));
    assert_int_equal(status_of(reply), status);
    assert_str(body_of(reply), body);
}

static void answers_instant_queries(void **state) {
    (void)state;
    answers("/api/v1/query?query=up&time=1700000016", 200,
            "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":["
            "{\"metric\":{\"__name__\":\"up\",\"job\":\"a\"},\"value\":[1700000016,\"0.5\"]},"
            "{\"metric\":{\"__name__\":\"up\",\"job\":\"b\"},\"value\":[1700000016,\"1.5\"]}]}}");
    answers("/api/v1/query?query=1/0&time=2023-11-14T22:13:36.5Z", 200,
            "{\"status\":\"success\",\"data\":{\"resultType\":\"scalar\",\"result\":[1700000016.500,\"+Inf\"]}}");
    answers("/api/v1/query?query=%22a%22&time=0", 200, "{\"status\":\"success\",\"data\":{\"resultType\":\"string\",\"result\":[0,\"a\"]}}");
    answers("/api/v1/query?query=up%7Bjob=%22a%22%7D%5B1m%5D&time=1700000016", 200,
            "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":["
            "{\"metric\":{\"__name__\":\"up\",\"job\":\"a\"},\"values\":[[1700000000,\"0.5\"],[1700000015.500,\"0.5\"]]}]}}");
}

static void answers_range_queries_by_form_too(void **state) {
    (void)state;
    str form = STR("query=sum(up)&start=1700000000&end=1700000020&step=10s");
    str reply = post(&f, "/api/v1/query_range", "Content-Type: application/x-www-form-urlencoded\r\n", form);
    assert_int_equal(status_of(reply), 200);
    assert_str(body_of(reply),
               "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":["
               "{\"metric\":{},\"values\":[[1700000000,\"2\"],[1700000010,\"2\"],[1700000020,\"2\"]]}]}}");
    answers(
        "/api/v1/query_range?query=1&start=0&end=1&step=0.5", 200,
        "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[{\"metric\":{},\"values\":[[0,\"1\"],[0.500,\"1\"],[1,\"1\"]]}]}}");
}

static void passes_annotations_and_limits_on(void **state) {
    (void)state;
    str reply = body_of(get(&f, "/api/v1/query?query=rate(up%5B1m%5D)&time=1700000016", ""));
    assert_has(reply,
               "\"infos\":[\"PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \\\"up\\\" (1:6)\"]");
    reply = body_of(get(&f, "/api/v1/query?query=up&time=1700000016&limit=1&stats=all", ""));
    assert_has(reply, "\"warnings\":[\"results truncated due to limit\"]");
    assert_has(reply, "\"job\":\"a\"");
    assert_true(str_find(reply, STR("\"job\":\"b\"")) == STR_NONE);
    assert_has(reply, "\"totalQueryableSamples\":2");
}

static void names_the_bad_parameter(void **state) {
    (void)state;
    answers(
        "/api/v1/query?query=up(", 400,
        "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"invalid parameter \\\"query\\\": 1:1: parse error: unknown function with name "
        "\\\"up\\\"\"}");
    answers("/api/v1/query?query=up&time=yesterday", 400,
            "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"invalid parameter \\\"time\\\": cannot parse \\\"yesterday\\\" to a valid "
            "timestamp\"}");
    answers(
        "/api/v1/query_range?query=up&start=2&end=1&step=1", 400,
        "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"invalid parameter \\\"end\\\": end timestamp must not be before start time\"}");
    answers("/api/v1/query_range?query=up&start=1&end=2&step=0", 400,
            "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"invalid parameter \\\"step\\\": zero or negative query resolution step "
            "widths are not "
            "accepted. Try a positive integer\"}");
    assert_has(body_of(get(&f, "/api/v1/query_range?query=up&start=0&end=11001&step=1", "")),
               "exceeded maximum resolution of 11,000 points per timeseries");
    assert_int_equal(status_of(get(&f, "/api/v1/query_range?query=1&start=0&end=11000&step=1", "")), 200);
    assert_has(body_of(get(&f, "/api/v1/query?query=up&limit=-1", "")), "limit must be non-negative");
    assert_has(body_of(get(&f, "/api/v1/series", "")), "no match[] parameter provided");
}

static void tells_failed_executions_apart(void **state) {
    (void)state;
    answers("/api/v1/query?query=topk(NaN,up)", 422, "{\"status\":\"error\",\"errorType\":\"execution\",\"error\":\"Parameter value is NaN\"}");
    str reply = get(&f, "/api/v1/query_range?query=up&start=1700000000&end=1700000300&step=0.1", "");
    assert_int_equal(status_of(reply), 422);
    assert_has(body_of(reply), "too many samples");
}

static void lists_series_and_labels(void **state) {
    (void)state;
    answers("/api/v1/series?match[]=up&match[]=%7Bjob=%22a%22%7D", 200,
            "{\"status\":\"success\",\"data\":[{\"__name__\":\"up\",\"job\":\"a\"},{\"__name__\":\"up\",\"job\":\"b\"}]}");
    answers("/api/v1/labels", 200, "{\"status\":\"success\",\"data\":[\"__name__\",\"a.b\",\"job\"]}");
    answers("/api/v1/labels?match[]=up", 200, "{\"status\":\"success\",\"data\":[\"__name__\",\"job\"]}");
    answers("/api/v1/label/job/values?limit=1", 200, "{\"status\":\"success\",\"data\":[\"a\"],\"warnings\":[\"results truncated due to limit\"]}");
    answers("/api/v1/label/U__a_2e_b/values", 200, "{\"status\":\"success\",\"data\":[\"x\\\"y\"]}");
    answers("/api/v1/label/job/values?start=1700009999", 200, "{\"status\":\"success\",\"data\":[]}");
}

static void shows_expressions(void **state) {
    (void)state;
    answers("/api/v1/format_query?query=sum(up)by(job)", 200, "{\"status\":\"success\",\"data\":\"sum by (job) (up)\"}");
    str reply = body_of(get(&f, "/api/v1/parse_query?query=sum(rate(up%5B5m%5D))%20%3E%201", ""));
    assert_has(reply, "\"type\":\"binaryExpr\",\"op\":\">\"");
    assert_has(reply, "\"type\":\"matrixSelector\",\"name\":\"up\",\"range\":300000");
    struct json j = json_open(reply, f.arena);
    struct err e;
    json_skip(&j);
    assert_true(json_done(&j, &e));
    struct buf deep = {0};
    buf_add(&deep, STR("/api/v1/parse_query?query=1"));
    for (int i = 0; i < 100; i++) buf_add(&deep, STR("%2b1"));
    buf_char(&deep, 0);
    assert_int_equal(status_of(get(&f, deep.p, "")), 400);
    buf_done(&deep);
}

static void answers_what_clients_ask_first(void **state) {
    (void)state;
    assert_has(body_of(get(&f, "/api/v1/status/buildinfo", "")), "\"version\":\"3.4.0\"");
    assert_has(body_of(get(&f, "/api/v1/status/runtimeinfo", "")), "\"timeSeriesCount\":3");
    assert_has(body_of(get(&f, "/api/v1/status/tsdb", "")), "\"seriesCountByMetricName\":[{\"name\":\"up\",\"value\":2}");
    answers("/api/v1/status/flags", 200, "{\"status\":\"success\",\"data\":{}}");
    answers("/api/v1/rules", 200, "{\"status\":\"success\",\"data\":{\"groups\":[]}}");
    answers("/api/v1/alerts", 200, "{\"status\":\"success\",\"data\":{\"alerts\":[]}}");
    answers("/api/v1/targets", 200, "{\"status\":\"success\",\"data\":{\"activeTargets\":[],\"droppedTargets\":[],\"droppedTargetCounts\":{}}}");
    answers("/api/v1/metadata", 200, "{\"status\":\"success\",\"data\":{}}");
    answers("/api/v1/query_exemplars?query=up", 200, "{\"status\":\"success\",\"data\":[]}");
}

static void federates_the_newest_samples(void **state) {
    (void)state;
    int64_t now = clock_wall_ms() - 1000;
    load(now);
    str page = body_of(get(&f, "/federate?match[]=%7B__name__=~%22.%2b%22%7D", ""));
    assert_has(page, "# TYPE up untyped\nup{job=\"a\"} 0.5 ");
    assert_has(page, "{\"dotted.name\",\"a.b\"=\"x\\\"y\"} 2.5 ");
    assert_int_equal(status_of(get(&f, "/federate", "")), 200); /* as Prometheus: an empty page */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_instant_queries, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_range_queries_by_form_too, setup, teardown),
        cmocka_unit_test_setup_teardown(passes_annotations_and_limits_on, setup, teardown),
        cmocka_unit_test_setup_teardown(names_the_bad_parameter, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_failed_executions_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(lists_series_and_labels, setup, teardown),
        cmocka_unit_test_setup_teardown(shows_expressions, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_what_clients_ask_first, setup, teardown),
        cmocka_unit_test_setup_teardown(federates_the_newest_samples, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
