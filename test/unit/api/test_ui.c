/* The page's files and its endpoints, over a real server and memory-only stores. */
#include "api/app.h"
#include "api/assets.h"
#include "codec/json.h"
#include "unit/net/http_fixture.h"

/* Stands for what tools/embed-ui.sh makes: "hello" in gzip. */
static const char hello_gz[] = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36\x05\x00\x00\x00";
const struct asset assets[] = {
    {"/assets/main-abc.js", "text/javascript; charset=utf-8", hello_gz, hello_gz + sizeof hello_gz - 1, "\"js\"", true},
    {"/index.html", "text/html; charset=utf-8", hello_gz, hello_gz + sizeof hello_gz - 1, "\"page\"", false},
};
const size_t assets_n = ARRAY_N(assets);

#define SECOND_MS INT64_C(1000)
#define T0_MS INT64_C(1700000000000)

static struct fixture f;
static struct app app;
static struct store store;

static void put_flags(void *arg, struct buf *out) {
    (void)arg;
    buf_add(out, STR("{\"listen\":\"127.0.0.1:9090\"}"));
}

static int setup(void **state) {
    (void)state;
    struct err e;
    loop_own_thread();
    struct tsdb_options metrics = {.series_max = 1000, .labels_per_series_max = 30, .label_value_bytes_max = 1000, .retention_ms = INT64_MAX};
    struct evdb_options events = {.attrs_max = 100, .value_bytes_max = 1000, .head_bytes_max = 16 << 20};
    f = (struct fixture){.loop = loop_new(), .arena = arena_new(4096)};
    store = (struct store){0};
    assert_true(tsdb_open(&metrics, &store.metrics, &e));
    assert_true(evdb_open(&events, &store.events, &e));
    app = (struct app){.loop = f.loop, .pool = pool_new(f.loop, 2, 16), .store = &store, .start_ms = T0_MS, .query_timeout_ms = 10000};
    app.flags_json = put_flags;
    static const struct http_route *const tables[] = {ui_routes};
    struct http_server_config config = {.tables = tables, .table_n = 1, .app = &app};
    f.server = app.http = http_server_new(f.loop, &config);
    assert_true(http_server_listen(f.server, "main", HTTP_DOOR_MAIN, STR("127.0.0.1:0"), &e));
    str address = http_server_address(f.server, "main");
    uint64_t port;
    assert_true(str_u64(str_from(address, str_find_char(address, ':') + 1), &port));
    f.port = (uint16_t)port;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    pool_free(app.pool);
    http_server_free(f.server);
    evdb_close(store.events);
    tsdb_close(store.metrics);
    loop_free(f.loop);
    arena_free(f.arena);
    return 0;
}

/* --- files */
static void sends_hashed_files_for_ever_and_the_page_to_be_asked_again(void **state) {
    (void)state;
    str js = get(&f, "/assets/main-abc.js", "Accept-Encoding: gzip\r\n");
    assert_int_equal(status_of(js), 200);
    assert_str(header_of(js, "Content-Encoding"), "gzip");
    assert_str(header_of(js, "Cache-Control"), "public, max-age=31536000, immutable");
    assert_str(header_of(js, "Content-Type"), "text/javascript; charset=utf-8");
    str page = get(&f, "/", "");
    assert_int_equal(status_of(page), 200);
    assert_str(body_of(page), "hello");
    assert_str(header_of(page, "Cache-Control"), "no-cache");
    assert_str(header_of(page, "ETag"), "\"page\"");
}

static void answers_304_to_a_tag_it_knows(void **state) {
    (void)state;
    str same = get(&f, "/logs", "If-None-Match: \"old\", W/\"page\"\r\n");
    assert_int_equal(status_of(same), 304);
    assert_int_equal(body_of(same).n, 0);
    assert_int_equal(status_of(get(&f, "/logs", "If-None-Match: \"old\"\r\n")), 200);
}

static void lets_the_page_load_nothing_from_elsewhere(void **state) {
    (void)state;
    str policy = header_of(get(&f, "/", ""), "Content-Security-Policy");
    assert_has(policy, "default-src 'none'");
    assert_has(policy, "script-src 'self'");
    assert_true(str_find(policy, STR("unsafe")) == STR_NONE);
    assert_true(str_find(policy, STR("http")) == STR_NONE);
}

static void serves_the_page_at_every_url_of_it_and_nowhere_else(void **state) {
    (void)state;
    static const char *const pages[] = {"/",           "/index.html", "/overview",         "/metrics-explorer", "/logs?q=a", "/traces",
                                        "/traces/abc", "/status",     "/graph?g0.expr=up", "/search",           "/trace/abc"};
    for (size_t i = 0; i < ARRAY_N(pages); i++) assert_str(body_of(get(&f, pages[i], "")), "hello");
    assert_int_equal(status_of(get(&f, "/nothing", "")), 404);
    assert_int_equal(status_of(get(&f, "/assets/old-123.js", "")), 404);
    assert_int_equal(status_of(get(&f, "/assets/../index.html", "")), 404);
}

/* --- endpoints */
static const struct value *tree(str reply) {
    struct json j = json_open(body_of(reply), f.arena);
    struct value *v = arena_one(f.arena, struct value);
    struct err e;
    bool good = json_value(&j, v) && json_done(&j, &e);
    if (!good) print_error("not JSON: %" STR_F "\n", STR_A(reply));
    assert_true(good);
    return v;
}
static const struct value *at(const struct value *v, const char *key) {
    const struct value *got = fields_get(v->fields, v->n, str_c(key));
    if (!got) print_error("no \"%s\"\n", key);
    assert_non_null(got);
    return got;
}

static void push_log(int64_t t_ms, uint8_t severity, const char *message) {
    struct event_batch *b = event_batch_new(EVENT_LOG, 4096);
    b->streams = arena_one(b->arena, struct stream);
    b->streams->service = STR("shop");
    b->stream_n = 1;
    b->events = arena_one(b->arena, struct event);
    *b->events = (struct event){.kind = EVENT_LOG, .time_ns = t_ms * NS_PER_MS, .severity = severity, .body = arena_str(b->arena, str_c(message))};
    b->event_n = 1;
    struct push_result r;
    struct err e;
    assert_true(evdb_append_now(store.events, b, &r, &e));
    assert_int_equal(r.stored, 1);
}

static void push_span(int64_t t_ms, int64_t duration_ms, enum span_status status) {
    struct event_batch *b = event_batch_new(EVENT_SPAN, 4096);
    b->streams = arena_one(b->arena, struct stream);
    b->streams->service = STR("shop");
    b->stream_n = 1;
    b->events = arena_one(b->arena, struct event);
    *b->events = (struct event){.kind = EVENT_SPAN,
                                .time_ns = t_ms * NS_PER_MS,
                                .duration_ns = duration_ms * NS_PER_MS,
                                .body = STR("GET /"),
                                .trace = {1, 2},
                                .span_id = 3,
                                .span_kind = SPAN_SERVER,
                                .status = (uint8_t)status};
    b->event_n = 1;
    struct push_result r;
    struct err e;
    assert_true(evdb_append_now(store.events, b, &r, &e));
    assert_int_equal(r.stored, 1);
}

static int64_t item(const struct value *v, const char *key, uint32_t i) {
    const struct value *list = at(v, key);
    assert_true(i < list->n);
    return list->items[i].i;
}

#define STRIP "/ui/api/strip?from=1700000000000&to=1700000010000&n=10"

static void strip_counts_logs_by_severity_and_time(void **state) {
    (void)state;
    push_log(T0_MS, 17, "it broke");
    push_log(T0_MS + 9 * SECOND_MS + 999, 21, "it broke badly");
    push_log(T0_MS + 3 * SECOND_MS, 13, "it may break");
    push_log(T0_MS + 3 * SECOND_MS, 5, "it runs");
    push_log(T0_MS + 3 * SECOND_MS, 9, "it runs");
    push_log(T0_MS + 3 * SECOND_MS, 0, "who knows");
    push_log(T0_MS + 10 * SECOND_MS, 17, "outside");
    const struct value *v = tree(get(&f, STRIP, ""));
    assert_int_equal(at(v, "from")->i, T0_MS);
    assert_int_equal(at(v, "step")->i, SECOND_MS);
    assert_int_equal(at(v, "error")->n, 10);
    assert_int_equal(item(v, "error", 0), 1);
    assert_int_equal(item(v, "error", 9), 1);
    assert_int_equal(item(v, "warn", 3), 1);
    assert_int_equal(item(v, "debug", 3), 1);
    assert_int_equal(item(v, "info", 3), 2);
}

static void strip_counts_only_what_the_query_finds(void **state) {
    (void)state;
    push_log(T0_MS, 17, "it broke badly");
    push_log(T0_MS, 17, "it broke");
    push_log(T0_MS, 9, "badly put");
    const struct value *v = tree(get(&f, STRIP "&q=broke%20badly", ""));
    assert_int_equal(item(v, "error", 0), 1);
    assert_int_equal(item(v, "info", 0), 0);
    str bad = get(&f, STRIP "&q=(broke", "");
    assert_int_equal(status_of(bad), 400);
    assert_int_equal(at(tree(bad), "error")->type, VAL_STRING);
}

static void services_measures_spans(void **state) {
    (void)state;
    push_span(T0_MS + 1000, 100, STATUS_OK);
    push_span(T0_MS + 2000, 100, STATUS_ERROR);
    const struct value *v = tree(get(&f, "/ui/api/services?from=1700000000000&to=1700000060000", ""));
    assert_int_equal(at(v, "services")->n, 1);
    const struct value *shop = &at(v, "services")->items[0];
    assert_str(at(shop, "service")->s, "shop");
    assert_int_equal(at(shop, "count")->i, 2);
    assert_int_equal(at(shop, "errors")->i, 1);
    assert_int_equal(at(shop, "rate_points")->n, 60);
    double p99 = at(shop, "p99")->d;
    assert_true(p99 > 90 && p99 < 110);
}

static void scatter_finds_spans_as_a_trace_search_does(void **state) {
    (void)state;
    push_span(T0_MS + 1000, 100, STATUS_OK);
    push_span(T0_MS + 2000, 300, STATUS_ERROR);
    const struct value *v = tree(get(&f, "/ui/api/scatter?from=1700000000000&to=1700000060000", ""));
    assert_int_equal(at(v, "total")->i, 2);
    assert_str(at(v, "trace")->items[0].s, "00000000000000010000000000000002");
    v = tree(get(&f, "/ui/api/scatter?from=1700000000000&to=1700000060000&service=shop&minDuration=200ms", ""));
    assert_int_equal(at(v, "total")->i, 1);
    assert_int_equal(item(v, "t", 0), T0_MS + 2000);
    assert_int_equal(item(v, "duration", 0), 300);
    assert_true(at(v, "error")->items[0].b);
    assert_int_equal(at(tree(get(&f, "/ui/api/scatter?from=1700000000000&to=1700000060000&tags=error%3Dfalse", "")), "total")->i, 1);
    assert_int_equal(status_of(get(&f, "/ui/api/scatter?from=1700000000000&to=1700000060000&tags=a%3D%22open", "")), 400);
    assert_int_equal(status_of(get(&f, "/ui/api/scatter?from=1700000000000&to=1700000060000&minDuration=x", "")), 400);
}

static void scatter_draws_evenly_from_many(void **state) {
    (void)state;
    for (int i = 0; i < 3000; i++) push_span(T0_MS + i, i < 1500 ? 1 : 2, STATUS_OK);
    const struct value *v = tree(get(&f, "/ui/api/scatter?from=1700000000000&to=1700000060000", ""));
    assert_int_equal(at(v, "total")->i, 3000);
    assert_int_equal(at(v, "t")->n, 1000);
    int early = 0;
    for (uint32_t i = 0; i < 1000; i++) early += item(v, "duration", i) == 1;
    assert_in_range(early, 400, 600);
}

static void status_tells_what_was_kept_and_what_it_costs(void **state) {
    (void)state;
    push_log(T0_MS, 9, "one");
    const struct value *v = tree(get(&f, "/ui/api/status", ""));
    const struct value *logs = at(v, "logs");
    assert_int_equal(at(logs, "received")->i, at(logs, "stored")->i + at(logs, "rejected")->i + at(logs, "dropped")->i);
    assert_int_equal(at(logs, "stored")->i, 1);
    assert_true(at(at(v, "process"), "rss_bytes")->i > 0);
    assert_str(at(at(v, "settings"), "listen")->s, "127.0.0.1:9090");
    assert_int_equal(at(v, "wal")->type, VAL_NULL);
    assert_true(at(v, "now_ms")->i > T0_MS);
}

static void refuses_windows_that_are_none(void **state) {
    (void)state;
    static const struct {
        const char *url, *says;
    } bad[] = {
        {"/ui/api/strip", "from is missing"},
        {"/ui/api/strip?from=1&to=x", "parameter to: not Unix time"},
        {"/ui/api/strip?from=5&to=5", "later than from"},
        {"/ui/api/strip?from=-1&to=5", "parameter from"},
        {"/ui/api/strip?from=0&to=9000000000000000000", "parameter to"},
        {"/ui/api/strip?from=0&to=9000000000000", "20 years"},
        {"/ui/api/strip?from=1&to=5&n=0", "parameter n"},
        {"/ui/api/strip?from=1&to=5&n=99999999", "parameter n"},
        {"/ui/api/services?from=1", "to is missing"},
    };
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        str reply = get(&f, bad[i].url, "");
        assert_int_equal(status_of(reply), 400);
        assert_has(body_of(reply), bad[i].says);
    }
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        WITH(sends_hashed_files_for_ever_and_the_page_to_be_asked_again),
        WITH(answers_304_to_a_tag_it_knows),
        WITH(lets_the_page_load_nothing_from_elsewhere),
        WITH(serves_the_page_at_every_url_of_it_and_nowhere_else),
        WITH(strip_counts_logs_by_severity_and_time),
        WITH(strip_counts_only_what_the_query_finds),
        WITH(services_measures_spans),
        WITH(scatter_finds_spans_as_a_trace_search_does),
        WITH(scatter_draws_evenly_from_many),
        WITH(status_tells_what_was_kept_and_what_it_costs),
        WITH(refuses_windows_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
