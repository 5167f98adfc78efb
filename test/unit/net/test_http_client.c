#include "net/http_client.h"

#include "codec/compress.h"
#include "http_fixture.h"

/* ---- the server to talk to ---- */

static void hello(void *app, struct http_exchange *x) {
    (void)app;
    struct buf b = {0};
    buf_printf(&b, "%d %" STR_F " q=%" STR_F " body=%" STR_F " type=%" STR_F " auth=%" STR_F " x=%" STR_F " peer=%" STR_F, (int)x->method,
               STR_A(x->path), STR_A(http_param(x, STR("q"))), STR_A(x->body), STR_A(http_header(x, STR("content-type"))),
               STR_A(http_header(x, STR("authorization"))), STR_A(http_header(x, STR("x-test"))), STR_A(x->peer));
    http_reply(x, (struct http_reply){.status = 200, .content_type = STR("text/plain"), .body_buf = &b});
}
static void zeros(void *app, struct http_exchange *x) {
    (void)app;
    struct buf b = {0};
    buf_reserve(&b, 1 << 20);
    memset(b.p, '0', 1 << 20);
    b.n = 1 << 20;
    http_reply(x, (struct http_reply){.status = 200, .content_type = STR("text/plain"), .body_buf = &b});
}
static void redirect(void *app, struct http_exchange *x) {
    (void)app;
    static const struct http_pair headers[] = {{STR_INIT("Location"), STR_INIT("/hello?q=followed")}};
    http_reply(x, (struct http_reply){.status = 302, .headers = headers, .header_n = 1});
}
static struct http_exchange *hung;
static void hang(void *app, struct http_exchange *x) {
    (void)app;
    hung = x;
}
static void broken(void *app, struct http_exchange *x) {
    (void)app;
    http_reply_text(x, 500, STR("broken"));
}
static const struct http_route routes[] = {
    {HTTP_GET | HTTP_POST | HTTP_PUT | HTTP_DELETE, "/hello", hello},
    {HTTP_GET, "/zeros", zeros},
    {HTTP_GET, "/redirect", redirect},
    {HTTP_GET, "/hang", hang},
    {HTTP_GET, "/fail", broken},
    {0},
};
static const struct http_route *const tables[] = {routes};

struct bed {
    struct fixture f;
    struct http_client *client;
    int done;
    int want;
    struct http_call_result result; /* of the last; body and type copied */
};

static int start(void **state) {
    static struct bed b;
    b = (struct bed){.want = 1};
    hung = NULL;
    fixture_start(&b.f, (struct http_server_config){.tables = tables, .table_n = 1});
    b.client = http_client_new(b.f.loop);
    *state = &b;
    return 0;
}
static int stop(void **state) {
    struct bed *b = *state;
    if (hung) http_reply_text(hung, 200, STR("at last"));
    http_client_free(b->client);
    fixture_stop(&b->f);
    return 0;
}

static void on_done(void *arg, const struct http_call_result *r) {
    struct bed *b = arg;
    assert(loop_on_thread());
    b->result = *r;
    b->result.body = arena_str(b->f.arena, r->body);
    b->result.content_type = arena_str(b->f.arena, r->content_type);
    if (++b->done == b->want) loop_stop(b->f.loop);
}

static struct http_call call_to(struct bed *b, const char *target) {
    return (struct http_call){
        .url = arena_printf(b->f.arena, "http://127.0.0.1:%u%s", b->f.port, target),
        .method = STR("GET"),
        .timeout_ms = 5000,
        .max_body_bytes = 4 << 20,
    };
}

static const struct http_call_result *run(struct bed *b, struct http_call call) {
    b->done = 0;
    http_client_send(b->client, &call, on_done, b);
    assert_int_equal(b->done, 0);
    loop_run(b->f.loop);
    assert_int_equal(b->done, 1);
    return &b->result;
}

static void gets_a_page(void **state) {
    const struct http_call_result *r = run(*state, call_to(*state, "/hello?q=1"));
    assert_int_equal(r->status, 200);
    assert_has(r->body, "1 /hello q=1 body= type= auth= x= ");
    assert_str(r->content_type, "text/plain");
    assert_int_equal(r->wire_bytes, r->body.n);
    assert_true(r->duration_ns > 0);
}

static void keeps_the_connection(void **state) {
    str first = run(*state, call_to(*state, "/hello"))->body;
    str second = run(*state, call_to(*state, "/hello"))->body;
    assert_true(str_eq(first, second)); /* the same peer port */
}

static void sends_method_headers_body_and_credentials(void **state) {
    struct bed *b = *state;
    const struct http_call_header headers[] = {{STR_INIT("X-Test"), STR_INIT("yes")}, {STR_INIT("Content-Type"), STR_INIT("application/json")}};
    struct http_call call = call_to(b, "/hello");
    call.method = STR("PUT");
    call.body = STR("{\"a\":0}");
    call.headers = headers;
    call.header_n = 2;
    call.bearer = STR("secret");
    assert_has(run(b, call)->body, "8 /hello q= body={\"a\":0} type=application/json auth=Bearer secret x=yes");
    call.method = STR("POST");
    call.header_n = 0;
    call.bearer = STR_NULL;
    call.basic_user = STR("me");
    call.basic_password = STR("pw");
    assert_has(run(b, call)->body, "4 /hello q= body={\"a\":0} type= auth=Basic bWU6cHc= x=");
    call = call_to(b, "/hello");
    call.method = STR("DELETE");
    assert_has(run(b, call)->body, "16 /hello q= body=");
    call.method = STR("HEAD");
    assert_int_equal(run(b, call)->status, 200);
    assert_int_equal(b->result.body.n, 0);
}

static void undoes_gzip_and_counts_the_wire(void **state) {
    const struct http_call_result *r = run(*state, call_to(*state, "/zeros"));
    assert_int_equal(r->body.n, 1 << 20);
    assert_true(r->wire_bytes < 20000);
}

static void leaves_gzip_to_who_wants_it_so(void **state) {
    struct http_call call = call_to(*state, "/zeros");
    call.keep_encoding = true;
    const struct http_call_result *r = run(*state, call);
    assert_true(r->gzip);
    assert_int_equal(r->body.n, r->wire_bytes);
    struct buf plain = {0};
    assert_true(gzip_decode(r->body, 1 << 20, &plain, NULL));
    assert_int_equal(plain.n, 1 << 20);
    buf_done(&plain);
    call.url = call_to(*state, "/hello").url;
    r = run(*state, call);
    assert_false(r->gzip);
}

static void refuses_a_reply_beyond_the_limit(void **state) {
    struct http_call call = call_to(*state, "/zeros");
    call.max_body_bytes = (1 << 20) - 1;
    const struct http_call_result *r = run(*state, call);
    assert_int_equal(r->status, 0);
    assert_int_equal(r->err.code, ERR_LIMIT);
    assert_string_equal(r->err.msg, "the reply has more than 1048575 bytes");
    call.max_body_bytes++;
    assert_int_equal(run(*state, call)->status, 200);
}

static void follows_redirects_only_when_told(void **state) {
    struct http_call call = call_to(*state, "/redirect");
    assert_int_equal(run(*state, call)->status, 302);
    call.follow_redirects = true;
    assert_has(run(*state, call)->body, "q=followed");
}

static void passes_error_replies_on(void **state) {
    const struct http_call_result *r = run(*state, call_to(*state, "/fail"));
    assert_int_equal(r->status, 500);
    assert_str(r->body, "broken");
    assert_int_equal(r->err.code, ERR_NONE);
}

static void gives_up_after_the_timeout(void **state) {
    struct http_call call = call_to(*state, "/hang");
    call.timeout_ms = 50;
    const struct http_call_result *r = run(*state, call);
    assert_int_equal(r->status, 0);
    assert_int_equal(r->err.code, ERR_TIMEOUT);
    assert_true(r->duration_ns >= 49 * NS_PER_MS);
}

static void explains_what_cannot_be_reached(void **state) {
    struct bed *b = *state;
    struct http_call call = call_to(b, "/");
    call.url = STR("http://127.0.0.1:1/");
    assert_int_equal(run(b, call)->err.code, ERR_IO);
    assert_non_null(strstr(b->result.err.msg, "127.0.0.1 port 1"));
    call.url = STR("file:///etc/passwd");
    assert_int_equal(run(b, call)->err.code, ERR_INPUT);
    call.url = STR("http://[");
    assert_int_equal(run(b, call)->err.code, ERR_INPUT);
    call.url = STR("");
    assert_int_equal(run(b, call)->err.code, ERR_INPUT);
}

static void runs_many_at_once(void **state) {
    struct bed *b = *state;
    b->want = 100;
    struct http_call call = call_to(b, "/hello");
    for (int i = 0; i < 100; i++) http_client_send(b->client, &call, on_done, b);
    loop_run(b->f.loop);
    assert_int_equal(b->done, 100);
    assert_int_equal(b->result.status, 200);
}

static void a_canceled_request_is_never_done(void **state) {
    struct bed *b = *state;
    struct http_call call = call_to(b, "/hang");
    struct http_request *r = http_client_send(b->client, &call, on_done, b);
    struct http_request *unborn = http_client_send(b->client, &call, on_done, b);
    http_request_cancel(unborn);
    run(b, call_to(b, "/hello"));
    http_request_cancel(r);
    b->done = 0;
    run(b, call_to(b, "/hello"));
}

static void freeing_the_client_ends_requests_as_canceled(void **state) {
    struct bed *b = *state;
    struct http_call call = call_to(b, "/hang");
    http_client_send(b->client, &call, on_done, b);
    http_client_free(TAKE(b->client));
    assert_int_equal(b->done, 1);
    assert_int_equal(b->result.err.code, ERR_CANCELED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(gets_a_page, start, stop),
        cmocka_unit_test_setup_teardown(keeps_the_connection, start, stop),
        cmocka_unit_test_setup_teardown(sends_method_headers_body_and_credentials, start, stop),
        cmocka_unit_test_setup_teardown(undoes_gzip_and_counts_the_wire, start, stop),
        cmocka_unit_test_setup_teardown(leaves_gzip_to_who_wants_it_so, start, stop),
        cmocka_unit_test_setup_teardown(refuses_a_reply_beyond_the_limit, start, stop),
        cmocka_unit_test_setup_teardown(follows_redirects_only_when_told, start, stop),
        cmocka_unit_test_setup_teardown(passes_error_replies_on, start, stop),
        cmocka_unit_test_setup_teardown(gives_up_after_the_timeout, start, stop),
        cmocka_unit_test_setup_teardown(explains_what_cannot_be_reached, start, stop),
        cmocka_unit_test_setup_teardown(runs_many_at_once, start, stop),
        cmocka_unit_test_setup_teardown(a_canceled_request_is_never_done, start, stop),
        cmocka_unit_test_setup_teardown(freeing_the_client_ends_requests_as_canceled, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
