/* Jaeger's query API over a real server and a store in memory: what needs limits set; the rest is in test/e2e/test_jaeger.py. */
#include "api/app.h"
#include "codec/json.h"
#include "unit/net/http_fixture.h"

#define T0_NS (INT64_C(1700000000) * NS_PER_S)

static struct fixture f;
static struct app app;
static struct store store;

static void start(size_t queue_max) {
    struct err e;
    loop_own_thread();
    struct evdb_options events = {.attrs_max = 100, .value_bytes_max = 1000, .head_bytes_max = 16 << 20};
    f = (struct fixture){.loop = loop_new(), .arena = arena_new(4096)};
    store = (struct store){0};
    assert_true(evdb_open(&events, &store.events, &e));
    app =
        (struct app){.loop = f.loop, .pool = pool_new(f.loop, 2, queue_max), .store = &store, .query_timeout_ms = 10000, .query_bytes_max = 1 << 20};
    static const struct http_route *const tables[] = {jaeger_routes};
    const struct http_server_config config = {.tables = tables, .table_n = 1, .app = &app};
    f.server = app.http = http_server_new(f.loop, &config);
    assert_true(http_server_listen(f.server, "main", HTTP_DOOR_MAIN, STR("127.0.0.1:0"), &e));
    str address = http_server_address(f.server, "main");
    uint64_t port;
    assert_true(str_u64(str_from(address, str_find_char(address, ':') + 1), &port));
    f.port = (uint16_t)port;
}

static int setup(void **state) {
    (void)state;
    start(16);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    pool_free(app.pool);
    http_server_free(f.server);
    evdb_close(store.events);
    loop_free(f.loop);
    arena_free(f.arena);
    return 0;
}

static void push_span(uint64_t trace, uint64_t id, uint64_t parent, const char *service, int64_t start_ns) {
    struct event_batch *b = event_batch_new(EVENT_SPAN, 1024);
    struct push_result r;
    struct err e;
    struct field *name = arena_one(b->arena, struct field);
    *name = (struct field){STR("service.name"), value_str(str_c(service))};
    b->streams = arena_one(b->arena, struct stream);
    *b->streams = (struct stream){.service = str_c(service), .attrs = name, .attr_n = 1};
    b->stream_n = 1;
    b->events = arena_one(b->arena, struct event);
    *b->events = (struct event){
        .kind = EVENT_SPAN, .time_ns = start_ns, .trace = {0, trace}, .span_id = id, .parent_id = parent, .body = STR("op"), .duration_ns = 1000000};
    b->event_n = 1;
    assert_true(evdb_append_now(store.events, b, &r, &e));
    assert_int_equal(r.stored, 1);
}

static void answers_in_jaegers_envelope(void **state) {
    (void)state;
    assert_str(body_of(get(&f, "/api/services", "")), "{\"data\":[],\"total\":0,\"limit\":0,\"offset\":0,\"errors\":null}");
    push_span(1, 1, 0, "shop", T0_NS);
    assert_str(body_of(get(&f, "/api/services", "")), "{\"data\":[\"shop\"],\"total\":1,\"limit\":0,\"offset\":0,\"errors\":null}");
    str reply = get(&f, "/api/traces/1", "");
    assert_int_equal(status_of(reply), 200);
    assert_str(header_of(reply, "Content-Type"), "application/json");
    assert_has(body_of(reply), "{\"data\":[{\"traceID\":\"0000000000000001\",\"spans\":[{");
    assert_has(body_of(reply), "\"total\":1,\"limit\":0,\"offset\":0,\"errors\":null}");
}

static void says_an_error_in_the_envelope_too(void **state) {
    (void)state;
    str reply = get(&f, "/api/traces/1", "");
    assert_int_equal(status_of(reply), 404);
    assert_str(body_of(reply), "{\"data\":null,\"total\":0,\"limit\":0,\"offset\":0,\"errors\":[{\"code\":404,\"msg\":\"trace not found\"}]}");
    assert_int_equal(status_of(get(&f, "/api/traces/xyz", "")), 400);
    assert_int_equal(status_of(get(&f, "/api/operations", "")), 400);
}

static void searches_two_days_back_if_not_told_otherwise(void **state) {
    (void)state;
    int64_t now_ns = clock_wall_ns(), day_ns = 24 * 3600 * NS_PER_S;
    push_span(1, 1, 0, "shop", now_ns - 3 * day_ns);
    push_span(2, 1, 0, "shop", now_ns - day_ns);
    str reply = get(&f, "/api/traces?service=shop", "");
    assert_has(body_of(reply), "\"traceID\":\"0000000000000002\"");
    assert_true(str_find(body_of(reply), STR("\"traceID\":\"0000000000000001\"")) == STR_NONE);
    assert_has(body_of(get(&f, "/api/traces?service=shop&start=1", "")), "\"traceID\":\"0000000000000001\"");
}

static void refuses_an_answer_beyond_the_bytes_of_a_query(void **state) {
    (void)state;
    for (uint64_t i = 1; i <= 50; i++) push_span(1, i, 0, "shop", T0_NS);
    app.query_bytes_max = 2000;
    str reply = get(&f, "/api/traces/1", "");
    assert_int_equal(status_of(reply), 429);
    assert_has(body_of(reply), "query.bytes");
    app.query_bytes_max = 1 << 20;
    assert_int_equal(status_of(get(&f, "/api/traces/1", "")), 200);
}

static void gives_up_at_the_deadline(void **state) {
    (void)state;
    push_span(1, 1, 0, "shop", T0_NS);
    app.query_timeout_ms = -1000;
    str reply = get(&f, "/api/traces/1", "");
    assert_int_equal(status_of(reply), 503);
    assert_has(body_of(reply), "\"errors\":[{\"code\":503,");
}

static void refuses_when_the_queue_is_full(void **state) {
    teardown(state);
    start(0);
    str reply = get(&f, "/api/traces/1", "");
    assert_int_equal(status_of(reply), 429);
    assert_has(body_of(reply), "\"data\":null");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_in_jaegers_envelope, setup, teardown),
        cmocka_unit_test_setup_teardown(says_an_error_in_the_envelope_too, setup, teardown),
        cmocka_unit_test_setup_teardown(searches_two_days_back_if_not_told_otherwise, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_an_answer_beyond_the_bytes_of_a_query, setup, teardown),
        cmocka_unit_test_setup_teardown(gives_up_at_the_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_when_the_queue_is_full, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
