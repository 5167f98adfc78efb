/* What strangers send: bodies that are too long, too compressed or not what they say, and bytes that are no HTTP. */
#include "codec/compress.h"
#include "http_fixture.h"

static void body_size(void *app, struct http_exchange *x) {
    (void)app;
    http_reply_text(x, 200, arena_printf(x->arena, "%zu of %zu", x->body.n, x->wire_body_bytes));
}
static struct http_exchange *kept;
static void keep_it(void *app, struct http_exchange *x) {
    struct fixture *f = app;
    kept = x;
    if (f->stop_when_gone) loop_stop(f->loop);
}
static const struct http_route routes[] = {
    {HTTP_GET | HTTP_POST, "/size", body_size},
    {HTTP_POST, "/keep", keep_it},
    {0},
};
static const struct http_route *const tables[] = {routes};

static int start(void **state) {
    static struct fixture f;
    fixture_start(&f, (struct http_server_config){
                          .tables = tables,
                          .table_n = 1,
                          .limits = {.body_bytes = 100000, .decoded_body_bytes = 1000000, .header_bytes = 16 << 10, .in_flight_body_bytes = 1100000},
                      });
    kept = NULL;
    *state = &f;
    return 0;
}
static int stop(void **state) {
    fixture_stop(*state);
    return 0;
}

static str packed(struct fixture *f, void (*encode)(str in, int level, struct buf *out), size_t n) {
    struct buf plain = {0};
    struct buf out = {0};
    buf_reserve(&plain, n);
    memset(plain.p, 'x', n);
    plain.n = n;
    encode(buf_str(&plain), 1, &out);
    str copy = arena_str(f->arena, buf_str(&out));
    buf_done(&plain);
    buf_done(&out);
    return copy;
}

static str text_of(struct fixture *f, size_t n) {
    char *p = arena_alloc(f->arena, n);
    memset(p, 'x', n);
    return str_n(p, n);
}

/* ---- encodings ---- */

static void undoes_content_encodings(void **state) {
    struct fixture *f = *state;
    str gz = packed(f, gzip_encode, 50000);
    str r = post(f, "/size", "Content-Encoding: gzip\r\n", gz);
    assert_str(body_of(r), arena_cstr(f->arena, arena_printf(f->arena, "50000 of %zu", gz.n)));
    assert_str(str_sub(body_of(post(f, "/size", "Content-Encoding: zstd\r\n", packed(f, zstd_encode, 7000))), 0, 7), "7000 of");
    assert_str(body_of(post(f, "/size", "Content-Encoding: identity\r\n", STR("abc"))), "3 of 3");
    assert_str(body_of(post(f, "/size", "Content-Encoding: snappy\r\n", STR("abc"))), "3 of 3"); /* remote write's business */
}

static void refuses_unknown_and_damaged_encodings(void **state) {
    struct fixture *f = *state;
    str r = post(f, "/size", "Content-Encoding: br\r\n", STR("abc"));
    assert_int_equal(status_of(r), 415);
    assert_has(body_of(r), "\"br\"");
    r = post(f, "/size", "Content-Encoding: gzip\r\n", STR("no gzip at all, just text"));
    assert_int_equal(status_of(r), 400);
    assert_has(body_of(r), "cannot decompress the body");
    str gz = packed(f, gzip_encode, 50000);
    assert_int_equal(status_of(post(f, "/size", "Content-Encoding: gzip\r\n", str_sub(gz, 0, gz.n - 3))), 400);
}

static void a_bomb_is_refused_at_the_limit(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *header;
        void (*encode)(str in, int level, struct buf *out);
    } bombs[] = {{"Content-Encoding: gzip\r\n", gzip_encode}, {"Content-Encoding: zstd\r\n", zstd_encode}};
    for (size_t i = 0; i < ARRAY_N(bombs); i++) {
        str r = post(f, "/size", bombs[i].header, packed(f, bombs[i].encode, 10 << 20));
        assert_int_equal(status_of(r), 413);
        assert_str(body_of(r), "the decompressed body has more than 1000000 bytes (--http.decoded-bytes)\n");
        r = post(f, "/size", bombs[i].header, packed(f, bombs[i].encode, 1000000));
        assert_int_equal(status_of(r), 200);
    }
}

/* ---- lengths ---- */

static void refuses_a_declared_length_beyond_the_limit_without_reading(void **state) {
    struct fixture *f = *state;
    static const char *const lengths[] = {"100001", "2147483648", "4294967297", "18446744073709551615"};
    for (size_t i = 0; i < ARRAY_N(lengths); i++) {
        str r = talk(f, arena_printf(f->arena, "POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: %s\r\n\r\n", lengths[i]));
        assert_int_equal(status_of(r), 413);
    }
    struct http_server_stats s;
    http_server_stats(f->server, &s);
    assert_int_equal(s.refused_body, ARRAY_N(lengths));
    assert_int_equal(s.bytes_in, 0);
    assert_str(body_of(post(f, "/size", "", text_of(f, 100000))), "100000 of 100000");
}

static void asks_for_the_body_only_when_it_wants_it(void **state) {
    struct fixture *f = *state;
    str r = talk(f, STR("POST /size HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc"));
    assert_true(str_starts(r, STR("HTTP/1.1 100 ")));
    assert_has(r, "3 of 3");
    r = talk(f, STR("POST /nowhere HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"));
    assert_int_equal(status_of(r), 404);
}

static void refuses_a_chunked_body_beyond_the_limit(void **state) {
    struct fixture *f = *state;
    str data = text_of(f, 100001);
    str r = talk(
        f, arena_printf(f->arena,
                        "POST /size HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n%" STR_F "\r\n0\r\n\r\n",
                        data.n, STR_A(data)));
    assert_int_equal(status_of(r), 413);
    assert_has(body_of(r), "--http.body-bytes");
    data.n--;
    r = talk(f,
             arena_printf(f->arena,
                          "POST /size HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n%" STR_F "\r\n0\r\n\r\n",
                          data.n, STR_A(data)));
    assert_str(body_of(r), "100000 of 100000");
}

static void cuts_off_a_client_that_never_stops_sending(void **state) {
    struct fixture *f = *state;
    str head = STR("POST /size HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2000000\r\n");
    size_t n = 32 << 20;
    char *p = arena_alloc(f->arena, head.n + n);
    memset(p, 'x', head.n + n);
    memcpy(p, head.p, head.n);
    assert_int_equal(talk(f, str_n(p, head.n + n)).n, 0);
    assert_int_equal(f->observed_status, 0);
    struct http_server_stats s;
    http_server_stats(f->server, &s);
    assert_true(s.bytes_in < 20 << 20);
}

static void refuses_lengths_that_can_be_read_in_two_ways(void **state) {
    struct fixture *f = *state;
    static const char *const headers[] = {
        "Content-Length: 3\r\nContent-Length: 4\r\n",
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 0x3\r\n",
        "Content-Length: 3, 3\r\n",
        "Content-Length: \r\n",
        "Transfer-Encoding: gzip\r\n",
    };
    for (size_t i = 0; i < ARRAY_N(headers); i++) {
        /* The second request must never be answered. */
        str r = talk(f, arena_printf(f->arena, "POST /size HTTP/1.1\r\nHost: x\r\n%s\r\n0\r\n\r\nGET /size HTTP/1.1\r\nHost: x\r\n\r\n", headers[i]));
        assert_true(status_of(r) == 400 || status_of(r) == 501 || r.n == 0);
        assert_int_equal(str_find(r, STR("HTTP/1.1 200")), STR_NONE);
    }
}

static void answers_nothing_to_a_truncated_body(void **state) {
    struct fixture *f = *state;
    struct talk t = {.f = f, .send = STR("POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"), .half_close = true};
    str r = talk_with(&t);
    assert_true(r.n == 0 || status_of(r) == 400);
}

static void bodies_beyond_the_memory_budget_are_told_to_come_back(void **state) {
    struct fixture *f = *state;
    f->stop_when_gone = true; /* stop when kept */
    str big = packed(f, gzip_encode, 1000000);
    struct talk t = {.f = f};
    str head =
        arena_printf(f->arena, "POST /keep HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n", big.n);
    char *all = arena_alloc(f->arena, head.n + big.n);
    memcpy(all, head.p, head.n);
    memcpy(all + head.n, big.p, big.n);
    t.send = str_n(all, head.n + big.n);
    pthread_t id;
    pthread_create(&id, NULL, talk_thread, &t);
    loop_run(f->loop);
    assert_non_null(kept);
    f->stop_when_gone = false;

    str r = post(f, "/size", "", text_of(f, 100000));
    assert_str(body_of(r), "100000 of 100000");
    r = post(f, "/size", "Content-Encoding: gzip\r\n", packed(f, gzip_encode, 200000));
    assert_int_equal(status_of(r), 503);
    assert_str(header_of(r, "retry-after"), "1");
    assert_has(body_of(r), "--http.in-flight-bytes");
    http_reply_text(kept, 200, STR("thanks"));
    loop_run(f->loop); /* until that client is done */
    pthread_join(id, NULL);
    assert_has(buf_str(&t.got), "thanks");
    buf_done(&t.got);
    r = post(f, "/size", "Content-Encoding: gzip\r\n", packed(f, gzip_encode, 200000));
    assert_int_equal(status_of(r), 200);
    struct http_server_stats s;
    http_server_stats(f->server, &s);
    assert_int_equal(s.refused_busy, 1);
}

/* ---- request lines and headers ---- */

static void refuses_what_is_no_request(void **state) {
    struct fixture *f = *state;
    static const str bad[] = {
        STR_INIT("hello\r\n\r\n"),
        STR_INIT("GET\r\n\r\n"),
        STR_INIT("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 tls\r\n\r\n"),
        STR_INIT("GET /size HTTP/9.9\r\nHost: x\r\n\r\n"),
        STR_INIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        STR_INIT("GET /size HTTP/1.1\r\n\r\n"), /* no Host */
        STR_INIT("GET nonsense HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
        STR_INIT("CONNECT a:1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
    };
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        struct talk t = {.f = f, .send = bad[i], .half_close = true};
        str r = talk_with(&t);
        if (r.n && (status_of(r) < 400)) print_error("%zu: %" STR_F "\n", i, STR_A(r));
        assert_true(r.n == 0 || status_of(r) >= 400);
    }
}

static void takes_targets_in_absolute_form(void **state) {
    struct fixture *f = *state;
    assert_int_equal(status_of(get(f, "http://example.com/size?a=1", "")), 200);
    assert_int_equal(status_of(get(f, "http://example.com", "")), 404);
}

static void nul_bytes_do_no_harm(void **state) {
    struct fixture *f = *state;
    static const str bad[] = {
        STR_INIT("GET /si\0ze HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
        STR_INIT("GET /size HTTP/1.1\r\nHost: x\r\nX-A: a\0b\r\nConnection: close\r\n\r\n"),
        STR_INIT("\0\0\0\0\r\n\r\n"),
    };
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        struct talk t = {.f = f, .send = bad[i], .half_close = true};
        talk_with(&t);
    }
    assert_int_equal(status_of(get(f, "/size?a=%00", "")), 200);
    assert_int_equal(status_of(get(f, "/size", "")), 200);
}

static void refuses_long_request_lines_and_headers(void **state) {
    struct fixture *f = *state;
    str r = get(f, arena_cstr(f->arena, arena_printf(f->arena, "/size?a=%" STR_F, STR_A(text_of(f, 20000)))), "");
    assert_int_equal(status_of(r), 414);
    r = get(f, "/size", arena_cstr(f->arena, arena_printf(f->arena, "X-A: %" STR_F "\r\n", STR_A(text_of(f, 20000)))));
    assert_int_equal(status_of(r), 431);
    r = get(f, arena_cstr(f->arena, arena_printf(f->arena, "/size?a=%" STR_F, STR_A(text_of(f, 10000)))), "");
    assert_int_equal(status_of(r), 200);
}

static void bounds_parameters_and_segments(void **state) {
    struct fixture *f = *state;
    struct buf form = {0};
    for (int i = 0; i <= HTTP_PARAMS_MAX; i++) buf_add(&form, STR("a&"));
    str r = post(f, "/size", "Content-Type: application/x-www-form-urlencoded\r\n", buf_str(&form));
    assert_int_equal(status_of(r), 400);
    assert_has(body_of(r), "more than 10000 parameters");
    buf_done(&form);
    char deep[601];
    memset(deep, '/', 600);
    deep[600] = 0;
    assert_int_equal(status_of(get(f, deep, "")), 400);
    r = get(f, "/size?&&&&&&a=1&=&==&a", "");
    assert_int_equal(status_of(r), 200);
}

static void closes_connections_that_are_idle(void **state) {
    (void)state;
    struct fixture f;
    fixture_start(&f, (struct http_server_config){.tables = tables, .table_n = 1, .limits = {.idle_timeout_s = 1}});
    struct talk t = {.f = &f, .send = STR("GET /size HT")};
    int64_t began = clock_mono_ns();
    talk_with(&t);
    int64_t took = clock_mono_ns() - began;
    assert_true(took > 900 * NS_PER_MS && took < 8 * NS_PER_S);
    struct http_server_stats s;
    http_server_stats(f.server, &s);
    assert_int_equal(s.connections_open, 0);
    fixture_stop(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(undoes_content_encodings, start, stop),
        cmocka_unit_test_setup_teardown(refuses_unknown_and_damaged_encodings, start, stop),
        cmocka_unit_test_setup_teardown(a_bomb_is_refused_at_the_limit, start, stop),
        cmocka_unit_test_setup_teardown(refuses_a_declared_length_beyond_the_limit_without_reading, start, stop),
        cmocka_unit_test_setup_teardown(asks_for_the_body_only_when_it_wants_it, start, stop),
        cmocka_unit_test_setup_teardown(refuses_a_chunked_body_beyond_the_limit, start, stop),
        cmocka_unit_test_setup_teardown(cuts_off_a_client_that_never_stops_sending, start, stop),
        cmocka_unit_test_setup_teardown(refuses_lengths_that_can_be_read_in_two_ways, start, stop),
        cmocka_unit_test_setup_teardown(answers_nothing_to_a_truncated_body, start, stop),
        cmocka_unit_test_setup_teardown(bodies_beyond_the_memory_budget_are_told_to_come_back, start, stop),
        cmocka_unit_test_setup_teardown(refuses_what_is_no_request, start, stop),
        cmocka_unit_test_setup_teardown(takes_targets_in_absolute_form, start, stop),
        cmocka_unit_test_setup_teardown(nul_bytes_do_no_harm, start, stop),
        cmocka_unit_test_setup_teardown(refuses_long_request_lines_and_headers, start, stop),
        cmocka_unit_test_setup_teardown(bounds_parameters_and_segments, start, stop),
        cmocka_unit_test_setup_teardown(closes_connections_that_are_idle, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
