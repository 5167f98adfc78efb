#include "net/http_server.h"

#include "http_fixture.h"
#include "loop/pool.h"

/* ---- handlers under test ---- */

static void echo(void *app, struct http_exchange *x) {
    (void)app;
    struct buf b = {0};
    buf_printf(&b, "path=%" STR_F " peer=%" STR_F, STR_A(x->path), STR_A(str_sub(x->peer, 0, 10)));
    for (size_t i = 0; i < x->param_n; i++) buf_printf(&b, " [%" STR_F "=%" STR_F "]", STR_A(x->params[i].name), STR_A(x->params[i].value));
    for (size_t i = 0; i < ARRAY_N(x->captures); i++)
        if (x->captures[i].p) buf_printf(&b, " <%" STR_F ">", STR_A(x->captures[i]));
    if (x->body.n) buf_printf(&b, " body=%" STR_F, STR_A(x->body));
    http_reply(x, (struct http_reply){.status = 200, .body_buf = &b});
}

static void body_size(void *app, struct http_exchange *x) {
    (void)app;
    http_reply_text(x, 200, arena_printf(x->arena, "%zu of %zu", x->body.n, x->wire_body_bytes));
}

static void tracing(void *app, struct http_exchange *x) {
    (void)app;
    assert(x->span_id);
    http_reply_text(x, 200,
                    arena_printf(x->arena, "%016llx %016llx %016llx", (unsigned long long)x->trace_hi, (unsigned long long)x->trace_lo,
                                 (unsigned long long)x->parent_span_id));
}

/* Keeps the exchange; the test decides when to answer. */
static struct http_exchange *kept;
static int gone_n;
static void count_gone(void *arg) {
    struct fixture *f = arg;
    gone_n++;
    if (f->stop_when_gone) loop_stop(f->loop);
}
static void keep_it(void *app, struct http_exchange *x) {
    kept = x;
    x->on_gone = count_gone;
    x->on_gone_arg = app;
}

static void answer_when_gone(void *arg) {
    count_gone(arg);
    http_reply_text(kept, 499, STR("gone"));
}
static void keep_impatiently(void *app, struct http_exchange *x) {
    keep_it(app, x);
    x->on_gone = answer_when_gone;
}

static struct pool *pool;
struct slow_job {
    struct job job;
    struct http_exchange *x;
    uint64_t result;
};
static void slow_run(struct job *j) {
    ((struct slow_job *)j)->result = 42;
}
static void slow_done(struct job *j) {
    struct slow_job *s = (struct slow_job *)j;
    http_reply_text(s->x, 200, arena_printf(s->x->arena, "%llu", (unsigned long long)s->result)); /* the job lives in the exchange's arena */
}
static void slow(void *app, struct http_exchange *x) {
    (void)app;
    struct slow_job *s = arena_one(x->arena, struct slow_job);
    *s = (struct slow_job){.job = {.run = slow_run, .done = slow_done}, .x = x};
    struct err e;
    if (!pool_submit(pool, LANE_QUERY, &s->job, &e)) http_reply_text(x, err_http_status(e.code), err_str(&e));
}

static const struct http_route routes[] = {
    {HTTP_GET | HTTP_POST, "/echo", echo},
    {HTTP_GET, "/label/:name/values", echo},
    {HTTP_PUT | HTTP_DELETE, "/label/:name/values", echo},
    {HTTP_GET, "/files/*", echo},
    {HTTP_POST, "/size", body_size},
    {HTTP_GET, "/trace", tracing},
    {HTTP_GET | HTTP_POST, "/keep", keep_it},
    {HTTP_GET, "/impatient", keep_impatiently},
    {HTTP_GET, "/slow", slow},
    {HTTP_GET, "/elsewhere", echo, 2},
    {0},
};
static const struct http_route *const tables[] = {routes};
static const struct http_server_config usual = {.tables = tables, .table_n = 1};

static int start(void **state) {
    static struct fixture f;
    fixture_start(&f, usual);
    pool = pool_new(f.loop, 1, 10);
    kept = NULL;
    gone_n = 0;
    *state = &f;
    return 0;
}
static int stop(void **state) {
    pool_free(pool);
    fixture_stop(*state);
    return 0;
}

/* ---- requests ---- */

static void answers_a_get_with_length_and_type(void **state) {
    struct fixture *f = *state;
    str r = get(f, "/echo", "");
    assert_int_equal(status_of(r), 200);
    assert_str(body_of(r), "path=/echo peer=127.0.0.1:");
    assert_str(header_of(r, "content-length"), "26");
    assert_str(header_of(r, "content-type"), "text/plain; charset=utf-8");
    assert_int_equal(f->observed_status, 200);
    assert_int_equal(f->observed_bytes, 26);
    assert_ptr_equal(f->observed_route, &routes[0]);
}

static void decodes_parameters_of_the_query_and_of_a_form(void **state) {
    assert_str(body_of(get(*state, "/echo?a=1&b=x%20y+z&flag&&a=2", "")), "path=/echo peer=127.0.0.1: [a=1] [b=x y z] [flag=] [a=2]");
    str form = post(*state, "/echo?a=1", "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n", STR("query=up%7Bx%3D%221%22%7D&t=5"));
    assert_str(body_of(form), "path=/echo peer=127.0.0.1: [a=1] [query=up{x=\"1\"}] [t=5] body=query=up%7Bx%3D%221%22%7D&t=5");
    str text = post(*state, "/echo", "Content-Type: text/plain\r\n", STR("a=1"));
    assert_str(body_of(text), "path=/echo peer=127.0.0.1: body=a=1");
}

static void refuses_bad_percent_encoding(void **state) {
    str r = get(*state, "/echo?a=%zz", "");
    assert_int_equal(status_of(r), 400);
    assert_has(body_of(r), "bad percent-encoding \"%zz\"");
    assert_int_equal(status_of(get(*state, "/ec%ho", "")), 400);
    assert_int_equal(status_of(get(*state, "/echo%00", "")), 400);
    assert_int_equal(status_of(post(*state, "/echo", "Content-Type: application/x-www-form-urlencoded\r\n", STR("a=%"))), 400);
}

static void captures_decoded_segments_that_may_hold_a_slash(void **state) {
    assert_has(body_of(get(*state, "/label/a%2Fb/values", "")), "path=/label/a/b/values");
    assert_has(body_of(get(*state, "/label/a%2Fb/values", "")), "<a/b>");
    assert_has(body_of(get(*state, "/files/css/x.css", "")), "<css/x.css>");
    assert_has(body_of(get(*state, "/files/", "")), "<>");
    assert_int_equal(status_of(get(*state, "/label/a/b/values", "")), 404);
}

static void forgives_one_trailing_slash(void **state) {
    assert_int_equal(status_of(get(*state, "/echo/", "")), 200);
    assert_int_equal(status_of(get(*state, "/echo//", "")), 404);
}

static void tells_404_from_405_and_501(void **state) {
    struct fixture *f = *state;
    str r = get(f, "/nowhere", "");
    assert_int_equal(status_of(r), 404);
    assert_str(body_of(r), "no such page: /nowhere\n");
    assert_null(f->observed_route);
    r = talk(f, STR("POST /label/x/values HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc"));
    assert_int_equal(status_of(r), 405);
    assert_str(header_of(r, "allow"), "GET, HEAD, PUT, DELETE, OPTIONS");
    r = talk(f, STR("BREW /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    assert_int_equal(status_of(r), 501);
    assert_int_equal(status_of(get(f, "/elsewhere", "")), 404); /* another door's */
}

static void answers_head_and_options(void **state) {
    struct fixture *f = *state;
    str r = talk(f, STR("HEAD /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    assert_int_equal(status_of(r), 200);
    assert_str(header_of(r, "content-length"), "26");
    assert_int_equal(body_of(r).n, 0);
    r = talk(f, STR("OPTIONS /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    assert_int_equal(status_of(r), 204);
    assert_str(header_of(r, "allow"), "GET, HEAD, POST, OPTIONS");
    assert_int_equal(status_of(talk(f, STR("OPTIONS /no HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))), 404);
    assert_int_equal(status_of(talk(f, STR("OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))), 204);
}

static void answers_pipelined_requests_in_order(void **state) {
    str r = talk(*state, STR("GET /echo?n=1 HTTP/1.1\r\nHost: x\r\n\r\nGET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
                             "GET /echo?n=2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    size_t first = str_find(r, STR("[n=1]"));
    size_t slow_at = str_find(r, STR("\r\n\r\n42"));
    size_t last = str_find(r, STR("[n=2]"));
    assert_true(first < slow_at && slow_at < last && last != STR_NONE);
}

static void takes_over_the_callers_trace_or_starts_one(void **state) {
    str r = get(*state, "/trace", "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n");
    assert_str(body_of(r), "0af7651916cd43dd 8448eb211c80319c b7ad6b7169203331");
    str fresh = get(*state, "/trace", "traceparent: 00-bad\r\n");
    assert_str(str_from(body_of(fresh), 34), "0000000000000000");
    assert_false(str_eq(body_of(fresh), body_of(get(*state, "/trace", ""))));
}

/* ---- later replies ---- */

static void answers_later_from_a_pool_job(void **state) {
    struct fixture *f = *state;
    int64_t began_ns = clock_mono_ns();
    for (int i = 0; i < 20; i++) assert_str(body_of(get(f, "/slow", "Connection: close\r\n")), "42");
    assert_true(clock_mono_ns() - began_ns < 10 * NS_PER_S); /* each waiting for the server's tick would take 20 s */
}

/* Sends a request, leaves without waiting, and returns when the handler knows. */
static void leave(struct fixture *f, str request) {
    struct talk t = {.f = f, .send = request, .hang_up = true, .linger_ms = 30};
    talk_with(&t);
    f->stop_when_gone = true;
    if (!gone_n) loop_run(f->loop);
}

static void wait_observed(struct fixture *f, int n) {
    f->stop_when_observed = n;
    if (f->observed_n < n) loop_run(f->loop);
    assert_int_equal(f->observed_n, n);
}

static void answer_kept(void *arg) {
    (void)arg;
    http_reply_text(kept, 200, STR("late"));
}

static void answers_later_from_a_timer(void **state) {
    struct fixture *f = *state;
    struct timer *t = timer_start(f->loop, 30, 0, answer_kept, NULL);
    assert_str(body_of(get(f, "/keep", "")), "late");
    assert_int_equal(gone_n, 0);
    timer_free(t);
}

static void tells_the_handler_when_the_client_leaves_and_takes_the_reply_still(void **state) {
    struct fixture *f = *state;
    leave(f, STR("GET /keep HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_int_equal(gone_n, 1);
    assert_int_equal(f->observed_n, 0);
    http_reply_text(kept, 200, STR("too late"));
    wait_observed(f, 1);
    assert_int_equal(gone_n, 1);
    assert_int_equal(f->observed_status, 0);
}

static void lets_the_handler_reply_from_on_gone(void **state) {
    struct fixture *f = *state;
    leave(f, STR("GET /impatient HTTP/1.1\r\nHost: x\r\n\r\n"));
    wait_observed(f, 1);
    assert_int_equal(gone_n, 1);
}

static void still_answers_a_client_that_only_closed_its_sending_side(void **state) {
    struct fixture *f = *state;
    struct talk t = {.f = f, .send = STR("GET /keep HTTP/1.0\r\nHost: x\r\n\r\n"), .half_close = true};
    struct timer *timer = timer_start(f->loop, 60, 0, answer_kept, NULL);
    assert_str(body_of(talk_with(&t)), "late");
    timer_free(timer);
}

/* ---- the end ---- */

static void stop_serving(void *arg) {
    struct fixture *f = arg;
    http_server_free(TAKE(f->server));
}

static void server_free_answers_waiting_clients_and_takes_their_replies_still(void **state) {
    struct fixture *f = *state;
    struct timer *t = timer_start(f->loop, 50, 0, stop_serving, f);
    str r = post(f, "/keep?a=1", "", STR("body"));
    assert_int_equal(status_of(r), 503);
    assert_int_equal(gone_n, 1);
    assert_str(kept->body, "body");
    assert_str(http_param(kept, STR("a")), "1");
    assert_str(kept->door->name ? str_c(kept->door->name) : STR_NULL, "main");
    assert_true(str_starts(kept->peer, STR("127.0.0.1:")));
    assert_null(http_header(kept, STR("host")).p);
    http_reply_text(kept, 200, STR("too late"));
    timer_free(t);
}

static void names_the_owner_of_a_taken_port(void **state) {
    struct fixture *f = *state;
    struct err e;
    str address = arena_printf(f->arena, "127.0.0.1:%u", f->port);
    assert_false(http_server_listen(f->server, "again", 1, address, &e));
    assert_int_equal(e.code, ERR_IO);
    str want = arena_printf(f->arena, "127.0.0.1:%u is in use by unit_net_http_s (pid %d)", f->port, getpid());
    assert_str(err_str(&e), arena_cstr(f->arena, want));
}

static void counts_what_it_did(void **state) {
    struct fixture *f = *state;
    get(f, "/echo", "");
    get(f, "/nowhere", "");
    post(f, "/size", "", STR("12345"));
    struct http_server_stats s;
    http_server_stats(f->server, &s);
    assert_int_equal(s.requests, 3);
    assert_int_equal(s.replies_2xx, 2);
    assert_int_equal(s.replies_4xx, 1);
    assert_int_equal(s.bytes_in, 5);
    assert_int_equal(s.bytes_out, 26 + strlen("no such page: /nowhere\n") + strlen("5 of 5"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_a_get_with_length_and_type, start, stop),
        cmocka_unit_test_setup_teardown(decodes_parameters_of_the_query_and_of_a_form, start, stop),
        cmocka_unit_test_setup_teardown(refuses_bad_percent_encoding, start, stop),
        cmocka_unit_test_setup_teardown(captures_decoded_segments_that_may_hold_a_slash, start, stop),
        cmocka_unit_test_setup_teardown(forgives_one_trailing_slash, start, stop),
        cmocka_unit_test_setup_teardown(tells_404_from_405_and_501, start, stop),
        cmocka_unit_test_setup_teardown(answers_head_and_options, start, stop),
        cmocka_unit_test_setup_teardown(answers_pipelined_requests_in_order, start, stop),
        cmocka_unit_test_setup_teardown(takes_over_the_callers_trace_or_starts_one, start, stop),
        cmocka_unit_test_setup_teardown(answers_later_from_a_pool_job, start, stop),
        cmocka_unit_test_setup_teardown(answers_later_from_a_timer, start, stop),
        cmocka_unit_test_setup_teardown(tells_the_handler_when_the_client_leaves_and_takes_the_reply_still, start, stop),
        cmocka_unit_test_setup_teardown(lets_the_handler_reply_from_on_gone, start, stop),
        cmocka_unit_test_setup_teardown(still_answers_a_client_that_only_closed_its_sending_side, start, stop),
        cmocka_unit_test_setup_teardown(server_free_answers_waiting_clients_and_takes_their_replies_still, start, stop),
        cmocka_unit_test_setup_teardown(names_the_owner_of_a_taken_port, start, stop),
        cmocka_unit_test_setup_teardown(counts_what_it_did, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
