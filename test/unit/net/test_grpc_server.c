#include "net/grpc_server.h"

#include "codec/compress.h"
#include "grpc_client.h"

/* ---- handlers under test ---- */

struct bed {
    struct loop *loop;
    struct grpc_server *server;
    struct arena *arena;
    uint16_t port;
    struct grpc_exchange *kept[300];
    size_t kept_n, want_kept;
    int gone_n;
    bool stop_when_gone;
    int observed_n;
    enum grpc_status observed;
    uint64_t trace_lo, parent;
};

static void echo(void *app, struct grpc_exchange *x) {
    struct bed *b = app;
    b->trace_lo = x->trace_lo;
    b->parent = x->parent_span_id;
    assert(x->span_id && strncmp(x->peer.p, "127.0.0.1:", 10) == 0 && strcmp(x->door, "test") == 0);
    grpc_reply(x, (struct grpc_reply){.body = x->body});
}
static void size(void *app, struct grpc_exchange *x) {
    (void)app;
    grpc_reply(x, (struct grpc_reply){.body = arena_printf(x->arena, "%zu of %zu", x->body.n, x->wire_body_bytes)});
}
static void refuse(void *app, struct grpc_exchange *x) {
    (void)app;
    grpc_reply(x, (struct grpc_reply){.status = GRPC_RESOURCE_EXHAUSTED, .text = STR("full: 100%"), .details = STR("\x08\x08")});
}
static void gone(void *arg) {
    struct bed *b = arg;
    b->gone_n++;
    if (b->stop_when_gone) loop_stop(b->loop);
}
/* Answers all in reverse order once the wanted number is there; 0: the test answers. */
static void keep(void *app, struct grpc_exchange *x) {
    struct bed *b = app;
    x->on_gone = gone;
    x->on_gone_arg = b;
    b->kept[b->kept_n++] = x;
    if (b->kept_n != b->want_kept) return;
    while (b->kept_n) {
        struct grpc_exchange *last = b->kept[--b->kept_n];
        grpc_reply(last, (struct grpc_reply){.body = last->body});
    }
}
static void answer_when_gone(void *arg) {
    struct grpc_exchange *x = arg;
    grpc_reply_error(x, GRPC_CANCELLED, STR("gone"));
}
static void impatient(void *app, struct grpc_exchange *x) {
    (void)app;
    x->on_gone = answer_when_gone;
    x->on_gone_arg = x;
}
static void count(void *app, struct grpc_exchange *x) {
    (void)app;
    for (int i = 0; i < 3; i++) assert(grpc_stream_write(x, arena_printf(x->arena, "part %d", i)));
    grpc_stream_end(x, GRPC_OK, STR(""));
}
static void flood(void *app, struct grpc_exchange *x) {
    (void)app;
    AUTO(buf_done) struct buf piece = {0};
    buf_reserve(&piece, 100000);
    memset(piece.p, 'x', 100000);
    piece.n = 100000;
    size_t taken = 0;
    while (grpc_stream_write(x, buf_str(&piece))) taken++;
    grpc_stream_end(x, taken == 9 ? GRPC_ABORTED : GRPC_UNKNOWN, STR("too much"));
}

static const struct grpc_method methods[] = {{"/t.T/Echo", echo},           {"/t.T/Size", size},   {"/t.T/Refuse", refuse}, {"/t.T/Keep", keep},
                                             {"/t.T/Impatient", impatient}, {"/t.T/Count", count}, {"/t.T/Flood", flood},   {0}};

static void observe(void *app, const struct grpc_exchange *x, enum grpc_status status, size_t reply_bytes, int64_t duration_ns) {
    (void)x, (void)reply_bytes;
    struct bed *b = app;
    assert(duration_ns >= 0);
    b->observed_n++;
    b->observed = status;
}

static int start(void **state) {
    static struct bed b;
    b = (struct bed){.loop = loop_new(), .arena = arena_new(4096)};
    loop_own_thread();
    const struct grpc_server_config c = {
        .methods = methods,
        .app = &b,
        .limits = {.message_bytes = 1000000, .header_bytes = 8000, .streams = 250, .idle_ms = 1500, .connections = 4},
        .observe = observe};
    b.server = grpc_server_new(b.loop, &c);
    struct err e;
    if (!grpc_server_listen(b.server, "test", STR("127.0.0.1:0"), &e)) return -1;
    str address = grpc_server_address(b.server, "test");
    b.port = (uint16_t)atoi(arena_cstr(b.arena, str_from(address, str_find_char(address, ':') + 1)));
    *state = &b;
    return 0;
}
static int stop(void **state) {
    struct bed *b = *state;
    grpc_server_free(b->server);
    loop_free(b->loop);
    arena_free(b->arena);
    return 0;
}

static str framed(struct bed *b, int flag, str message) {
    AUTO(buf_done) struct buf all = {0};
    grpc_put_prefix(&all, message.n);
    all.p[0] = (char)flag;
    buf_add(&all, message);
    return arena_str(b->arena, buf_str(&all));
}
static str filled(struct bed *b, size_t n) {
    char *p = arena_alloc(b->arena, n);
    for (size_t i = 0; i < n; i++) p[i] = (char)('a' + i % 23);
    return str_n(p, n);
}
static void run(struct bed *b, struct client_call *calls, size_t n) {
    struct client t = {.loop = b->loop, .port = b->port, .calls = calls, .call_n = n};
    client_run(&t);
}
/* One call; the message that came back, without its prefix. */
static str call(struct bed *b, struct client_call *c) {
    run(b, c, 1);
    str got = arena_str(b->arena, buf_str(&c->got));
    buf_done(&c->got);
    return str_from(got, GRPC_PREFIX_BYTES);
}
static void assert_refused(struct bed *b, struct client_call c, enum grpc_status status, const char *text) {
    call(b, &c);
    assert_int_equal(c.http_status, 200);
    assert_int_equal(c.grpc_status, status);
    if (!strstr(c.text, text)) fail_msg("\"%s\" is not in \"%s\"", text, c.text);
}

/* ---- calls ---- */

static void answers_a_unary_call(void **state) {
    struct bed *b = *state;
    struct client_call c = {.path = "/t.T/Echo", .body = framed(b, 0, STR("hello"))};
    assert_true(str_eq(call(b, &c), STR("hello")));
    assert_int_equal(c.http_status, 200);
    assert_int_equal(c.grpc_status, GRPC_OK);
    assert_string_equal(c.text, "");
    assert_int_equal(b->observed_n, 1);
    assert_int_equal(b->observed, GRPC_OK);
}

static void answers_an_empty_message(void **state) {
    struct bed *b = *state;
    struct client_call c = {.path = "/t.T/Echo", .body = framed(b, 0, STR("")), .content_type = "application/grpc+proto"};
    run(b, &c, 1);
    assert_int_equal(c.got.n, GRPC_PREFIX_BYTES);
    assert_int_equal(c.grpc_status, GRPC_OK);
    buf_done(&c.got);
}

static void takes_a_message_in_many_small_frames(void **state) {
    struct bed *b = *state;
    str message = filled(b, 5000);
    struct client_call c = {.path = "/t.T/Echo", .body = framed(b, 0, message), .piece = 3};
    assert_true(str_eq(call(b, &c), message));
}

static void takes_and_sends_more_than_a_window(void **state) {
    struct bed *b = *state;
    str message = filled(b, 1000000); /* the client's window is 64 KiB */
    struct client_call c = {.path = "/t.T/Echo", .body = framed(b, 0, message)};
    assert_true(str_eq(call(b, &c), message));
    assert_int_equal(c.grpc_status, GRPC_OK);
}

static void undoes_gzip(void **state) {
    struct bed *b = *state;
    AUTO(buf_done) struct buf packed = {0};
    gzip_encode(filled(b, 100000), 6, &packed);
    struct client_call c = {.path = "/t.T/Size", .body = framed(b, 1, buf_str(&packed)), .encoding = "gzip"};
    str expected = arena_printf(b->arena, "100000 of %zu", c.body.n);
    assert_true(str_eq(call(b, &c), expected));
    buf_clear(&packed);
    gzip_encode(filled(b, 1000001), 6, &packed);
    assert_refused(b, (struct client_call){.path = "/t.T/Size", .body = framed(b, 1, buf_str(&packed)), .encoding = "gzip"}, GRPC_RESOURCE_EXHAUSTED,
                   "decompressed message is too large");
    assert_refused(b, (struct client_call){.path = "/t.T/Size", .body = framed(b, 1, buf_str(&packed)), .encoding = "zstd"}, GRPC_UNIMPLEMENTED,
                   "zstd");
}

static void answers_many_concurrent_calls_in_any_order(void **state) {
    struct bed *b = *state;
    enum { N = 200 };
    static struct client_call calls[N];
    memset(calls, 0, sizeof calls);
    for (int i = 0; i < N; i++)
        calls[i] = (struct client_call){.path = "/t.T/Keep", .body = framed(b, 0, arena_printf(b->arena, "call %d", i)), .timeout = "10S"};
    b->want_kept = N;
    run(b, calls, N);
    for (int i = 0; i < N; i++) {
        assert_int_equal(calls[i].grpc_status, GRPC_OK);
        assert_true(str_eq(str_from(buf_str(&calls[i].got), GRPC_PREFIX_BYTES), arena_printf(b->arena, "call %d", i)));
        buf_done(&calls[i].got);
    }
    struct grpc_server_stats stats;
    grpc_server_stats(b->server, &stats);
    assert_int_equal(stats.calls_ok, N);
    assert_int_equal(stats.calls_gone, 0);
}

static void makes_calls_beyond_the_limit_wait(void **state) {
    struct bed *b = *state;
    enum { N = 600 };
    static struct client_call calls[N];
    memset(calls, 0, sizeof calls);
    for (int i = 0; i < N; i++) calls[i] = (struct client_call){.path = "/t.T/Echo", .body = framed(b, 0, STR("x"))};
    run(b, calls, N);
    size_t ok = 0, refused = 0; /* those sent before our SETTINGS arrived are refused, to be sent again */
    for (int i = 0; i < N; i++) {
        ok += calls[i].grpc_status == GRPC_OK;
        refused += calls[i].error == NGHTTP2_REFUSED_STREAM;
        buf_done(&calls[i].got);
    }
    assert_int_equal(ok + refused, N);
    assert_true(ok >= 250);
}

static void sends_a_stream_of_messages(void **state) {
    struct bed *b = *state;
    struct client_call c = {.path = "/t.T/Count", .body = framed(b, 0, STR(""))};
    run(b, &c, 1);
    assert_int_equal(c.grpc_status, GRPC_OK);
    assert_true(str_eq(buf_str(&c.got), STR("\0\0\0\0\6part 0\0\0\0\0\6part 1\0\0\0\0\6part 2")));
    buf_done(&c.got);
}

static void refuses_to_buffer_an_endless_stream(void **state) {
    struct bed *b = *state;
    struct client_call c = {.path = "/t.T/Flood", .body = framed(b, 0, STR(""))};
    run(b, &c, 1);
    assert_int_equal(c.got.n, 9 * (100000 + GRPC_PREFIX_BYTES));
    assert_int_equal(c.grpc_status, GRPC_ABORTED);
    buf_done(&c.got);
}

static void takes_over_the_callers_trace(void **state) {
    struct bed *b = *state;
    struct client_call c = {
        .path = "/t.T/Echo", .body = framed(b, 0, STR("")), .traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"};
    call(b, &c);
    assert_true(b->trace_lo == 0x8448eb211c80319cu && b->parent == 0xb7ad6b7169203331u);
}

/* ---- refusals ---- */

static void tells_status_text_and_details(void **state) {
    struct bed *b = *state;
    struct client_call c = {.path = "/t.T/Refuse", .body = framed(b, 0, STR(""))};
    run(b, &c, 1);
    assert_int_equal(c.grpc_status, GRPC_RESOURCE_EXHAUSTED);
    assert_string_equal(c.text, "full: 100%25");
    assert_string_equal(c.details, "CAg=");
    assert_int_equal(c.got.n, 0);
}

static void refuses_bad_requests_by_name(void **state) {
    struct bed *b = *state;
    str message = framed(b, 0, STR("x"));
    assert_refused(b, (struct client_call){.path = "/t.T/Nothing", .body = message}, GRPC_UNIMPLEMENTED, "no such method: /t.T/Nothing");
    assert_refused(b, (struct client_call){.path = "/t.T/Echo"}, GRPC_UNIMPLEMENTED, "no message");
    assert_refused(b, (struct client_call){.path = "/t.T/Echo", .body = STR("\0\0\0\0\1a\0\0\0\0\1b")}, GRPC_UNIMPLEMENTED, "more than one");
    assert_refused(b, (struct client_call){.path = "/t.T/Echo", .body = STR("\0\0\0\0\7ab")}, GRPC_INTERNAL, "cut short");
    assert_refused(b, (struct client_call){.path = "/t.T/Echo", .body = STR("\7\0\0\0\1a")}, GRPC_INTERNAL, "neither 0 nor 1");
    assert_refused(b, (struct client_call){.path = "/t.T/Echo", .body = message, .timeout = "soon"}, GRPC_INVALID_ARGUMENT, "grpc-timeout");
    assert_refused(b, (struct client_call){.path = "/t.T/Echo", .body = message, .big_header = 9000}, GRPC_RESOURCE_EXHAUSTED,
                   "headers have more than 8000");
}

static void answers_a_message_that_is_too_large_before_it_is_sent(void **state) {
    struct bed *b = *state;
    assert_refused(b, (struct client_call){.path = "/t.T/Echo", .body = framed(b, 0, filled(b, 1000001)), .never_end = true}, GRPC_RESOURCE_EXHAUSTED,
                   "more than 1000000 bytes");
}

static void answers_what_is_not_grpc_in_http(void **state) {
    struct bed *b = *state;
    struct client_call json = {.path = "/t.T/Echo", .content_type = "application/json", .body = STR("{}")};
    call(b, &json);
    assert_int_equal(json.http_status, 415);
    struct client_call web = {.path = "/t.T/Echo", .content_type = "application/grpc-web", .body = STR("{}")};
    call(b, &web);
    assert_int_equal(web.http_status, 415);
    struct client_call put = {.path = "/t.T/Echo", .method = "PUT", .body = STR("{}")};
    call(b, &put);
    assert_int_equal(put.http_status, 405);
}

/* ---- clients that leave ---- */

static void forgets_a_call_that_is_reset_in_the_middle(void **state) {
    struct bed *b = *state;
    struct client_call calls[] = {{.path = "/t.T/Echo", .body = framed(b, 0, filled(b, 100000)), .reset_after = 50000},
                                  {.path = "/t.T/Echo", .body = framed(b, 0, STR("other"))}};
    run(b, calls, 2);
    assert_int_equal(calls[0].grpc_status, -1);
    assert_int_equal(calls[0].error, NGHTTP2_CANCEL);
    assert_int_equal(calls[1].grpc_status, GRPC_OK);
    buf_done(&calls[1].got);
}

static void tells_the_handler_when_the_client_hangs_up(void **state) {
    struct bed *b = *state;
    struct client_call c = {.path = "/t.T/Keep", .body = framed(b, 0, STR("x"))};
    struct client t = {.loop = b->loop, .port = b->port, .calls = &c, .call_n = 1, .hang_up = true};
    b->stop_when_gone = true;
    client_run(&t);
    while (b->gone_n == 0) loop_run(b->loop);
    assert_int_equal(b->observed, GRPC_CANCELLED);
    grpc_reply(b->kept[0], (struct grpc_reply){.body = STR("late")});
    assert_int_equal(b->gone_n, 1);
}

static void ends_a_call_at_its_deadline(void **state) {
    struct bed *b = *state;
    assert_refused(b, (struct client_call){.path = "/t.T/Keep", .body = framed(b, 0, STR("x")), .timeout = "50m"}, GRPC_DEADLINE_EXCEEDED,
                   "deadline");
    assert_int_equal(b->gone_n, 1);
    grpc_reply(b->kept[0], (struct grpc_reply){.body = STR("late")}); /* only frees */
    assert_refused(b, (struct client_call){.path = "/t.T/Impatient", .body = framed(b, 0, STR("x")), .timeout = "20m"}, GRPC_DEADLINE_EXCEEDED,
                   "deadline");
    assert_refused(b, (struct client_call){.path = "/t.T/Echo", .body = STR("\0"), .never_end = true, .timeout = "20m"}, GRPC_DEADLINE_EXCEEDED,
                   "deadline");
}

static void says_goodbye_to_silent_connections(void **state) {
    struct bed *b = *state;
    struct client_call c = {.path = "/t.T/Echo", .body = STR("\0\0"), .never_end = true};
    struct client t = {.loop = b->loop, .port = b->port, .calls = &c, .call_n = 1};
    client_run(&t);
    assert_true(t.goaway);
    assert_int_equal(c.grpc_status, GRPC_UNAVAILABLE);
}

static void free_server(void *arg) {
    struct bed *b = arg;
    grpc_server_free(TAKE(b->server));
}
static void answers_unavailable_and_goaway_at_shutdown(void **state) {
    struct bed *b = *state;
    struct client_call c = {.path = "/t.T/Keep", .body = framed(b, 0, STR("x"))};
    struct client t = {.loop = b->loop, .port = b->port, .calls = &c, .call_n = 1};
    struct timer *later = timer_start(b->loop, 300, 0, free_server, b);
    client_run(&t);
    timer_free(later);
    assert_int_equal(c.grpc_status, GRPC_UNAVAILABLE);
    assert_true(t.goaway);
    assert_int_equal(b->gone_n, 1);
    grpc_reply(b->kept[0], (struct grpc_reply){.body = STR("late")});
}

/* ---- bytes that are not HTTP/2 ---- */

struct raw {
    struct bed *b;
    str send;
    char got[4096];
    size_t got_n;
};
static void *raw_thread(void *arg) {
    struct raw *r = arg;
    int fd = client_connect(r->b->port);
    ssize_t sent = send(fd, r->send.p, r->send.n, MSG_NOSIGNAL);
    assert(sent == (ssize_t)r->send.n);
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, 10000) <= 0) break;
        ssize_t n = recv(fd, r->got + r->got_n, sizeof r->got - r->got_n - 1, 0);
        if (n <= 0) break;
        r->got_n += (size_t)n;
    }
    close(fd);
    loop_post(r->b->loop, client_stop_loop, r->b->loop);
    return NULL;
}
/* All that the server sends until it closes. */
static str raw(struct bed *b, str send) {
    struct raw r = {.b = b, .send = send};
    pthread_t id;
    pthread_create(&id, NULL, raw_thread, &r);
    loop_run(b->loop);
    pthread_join(id, NULL);
    return arena_str(b->arena, str_n(r.got, r.got_n));
}
static bool has_goaway(str got, char error) {
    for (size_t at = 0; at + 9 <= got.n;) {
        size_t n = (size_t)(uint8_t)got.p[at] << 16 | (size_t)(uint8_t)got.p[at + 1] << 8 | (uint8_t)got.p[at + 2];
        if (got.p[at + 3] == 7 && at + 17 <= got.n) return got.p[at + 16] == error;
        at += 9 + n;
    }
    return false;
}
#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define SETTINGS "\0\0\0\4\0\0\0\0\0"

static void tells_http1_clients_where_they_are(void **state) {
    struct bed *b = *state;
    str got = raw(b, STR("POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"));
    assert_true(str_starts(got, STR("HTTP/1.1 505 ")));
    size_t body = str_find(got, STR("\r\n\r\n")) + 4;
    assert_true(str_find(got, arena_printf(b->arena, "Content-Length: %zu\r\n", got.n - body)) != STR_NONE);
    assert_true(str_find(got, STR("4318")) != STR_NONE);
}

static void ends_connections_with_malformed_frames(void **state) {
    struct bed *b = *state;
    assert_true(has_goaway(raw(b, STR(PREFACE "\0\0\0\1\4\0\0\0\1")), 1));                                /* HEADERS before SETTINGS */
    assert_true(has_goaway(raw(b, STR(PREFACE SETTINGS "\0\0\1\0\0\0\0\0\0x")), 1));                      /* DATA on stream 0 */
    assert_true(has_goaway(raw(b, STR(PREFACE SETTINGS "\0\0\1\0\0\0\0\0\1x")), 1));                      /* DATA on an idle stream */
    assert_true(has_goaway(raw(b, STR(PREFACE SETTINGS "\xff\xff\xff\0\0\0\0\0\1")), 6));                 /* larger than allowed */
    assert_true(has_goaway(raw(b, STR(PREFACE SETTINGS "\0\0\4\1\4\0\0\0\1\xff\xff\xff\xff")), 9));       /* HPACK: no such index */
    assert_true(has_goaway(raw(b, STR(PREFACE SETTINGS "\0\0\3\6\0\0\0\0\0abc")), 6));                    /* PING of 3 bytes */
    assert_true(has_goaway(raw(b, STR(PREFACE SETTINGS "\0\0\1\1\0\0\0\0\1\x83\0\0\0\0\0\0\0\0\1")), 1)); /* no CONTINUATION */
    assert_true(has_goaway(raw(b, STR(PREFACE SETTINGS "\0\0\4\x08\0\0\0\0\0\x7f\xff\xff\xff")), 3));     /* window overflow */
    assert_int_equal(raw(b, STR("\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03 a TLS client hello")).p[0], 'H');
}

static void answers_pings(void **state) {
    struct bed *b = *state;
    str got = raw(b, STR(PREFACE SETTINGS "\0\0\x08\6\0\0\0\0\0abcdefgh"));
    assert_true(str_find(got, STR("\0\0\x08\6\1\0\0\0\0abcdefgh")) != STR_NONE);
    assert_true(has_goaway(got, 0)); /* idle in the end */
}

static void names_who_has_the_port(void **state) {
    struct bed *b = *state;
    struct err e;
    assert_false(grpc_server_listen(b->server, "again", grpc_server_address(b->server, "test"), &e));
    assert_int_equal(e.code, ERR_IO);
    assert_non_null(strstr(e.msg, "is in use by "));
}

static void hangs_up_on_connections_beyond_the_limit(void **state) {
    struct bed *b = *state;
    int fds[4];
    for (size_t i = 0; i < ARRAY_N(fds); i++) fds[i] = client_connect(b->port);
    assert_int_equal(raw(b, STR(PREFACE)).n, 0);
    struct grpc_server_stats stats;
    grpc_server_stats(b->server, &stats);
    assert_int_equal(stats.connections_open, 4);
    assert_int_equal(stats.connections_refused, 1);
    for (size_t i = 0; i < ARRAY_N(fds); i++) close(fds[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(answers_a_unary_call),
        TEST(answers_an_empty_message),
        TEST(takes_a_message_in_many_small_frames),
        TEST(takes_and_sends_more_than_a_window),
        TEST(undoes_gzip),
        TEST(answers_many_concurrent_calls_in_any_order),
        TEST(makes_calls_beyond_the_limit_wait),
        TEST(sends_a_stream_of_messages),
        TEST(refuses_to_buffer_an_endless_stream),
        TEST(takes_over_the_callers_trace),
        TEST(tells_status_text_and_details),
        TEST(refuses_bad_requests_by_name),
        TEST(answers_a_message_that_is_too_large_before_it_is_sent),
        TEST(answers_what_is_not_grpc_in_http),
        TEST(forgets_a_call_that_is_reset_in_the_middle),
        TEST(tells_the_handler_when_the_client_hangs_up),
        TEST(ends_a_call_at_its_deadline),
        TEST(says_goodbye_to_silent_connections),
        TEST(answers_unavailable_and_goaway_at_shutdown),
        TEST(tells_http1_clients_where_they_are),
        TEST(ends_connections_with_malformed_frames),
        TEST(answers_pings),
        TEST(names_who_has_the_port),
        TEST(hangs_up_on_connections_beyond_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
