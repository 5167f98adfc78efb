#include "http_fixture.h"

/* ---- handlers under test ---- */

static struct buf big_json(void) {
    struct buf b = {0};
    buf_char(&b, '[');
    for (size_t i = 0; i < 10000; i++) buf_printf(&b, "%s{\"value\":%zu}", i ? "," : "", i);
    buf_char(&b, ']');
    return b;
}

static void big(void *app, struct http_exchange *x) {
    (void)app;
    struct buf b = big_json();
    http_reply_json(x, 200, &b);
}

static void small(void *app, struct http_exchange *x) {
    (void)app;
    http_reply_text(x, 200, STR("small"));
}

static void empty(void *app, struct http_exchange *x) {
    (void)app;
    http_reply(x, (struct http_reply){.status = 204});
}

static const char packed[] =
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36\x05\x00\x00\x00"; /* gzip of "hello" */
static void asset(void *app, struct http_exchange *x) {
    (void)app;
    static const struct http_pair headers[] = {{STR_INIT("ETag"), STR_INIT("\"1\"")}, {STR_INIT("X-Bad"), STR_INIT("a\r\nb: c")}};
    http_reply(x, (struct http_reply){.status = 200,
                                      .content_type = STR("text/css"),
                                      .body = str_n(packed, sizeof packed - 1),
                                      .body_static = true,
                                      .gzipped = true,
                                      .headers = headers,
                                      .header_n = 2});
}

static struct http_stream *stream;
static int gone_n;
static void count_gone(void *arg) {
    struct fixture *f = arg;
    gone_n++;
    if (f->stop_when_gone) loop_stop(f->loop);
}
static void stream_it(void *app, struct http_exchange *x) {
    stream = http_stream_begin(x, 200, STR("text/event-stream"), count_gone, app);
}

static const struct http_route routes[] = {
    {HTTP_GET, "/small", small}, {HTTP_GET, "/big", big},          {HTTP_GET, "/asset", asset},
    {HTTP_GET, "/empty", empty}, {HTTP_GET, "/stream", stream_it}, {0},
};
static const struct http_route *const tables[] = {routes};
static const struct http_server_config usual = {.tables = tables, .table_n = 1};

static int start(void **state) {
    static struct fixture f;
    fixture_start(&f, usual);
    stream = NULL;
    gone_n = 0;
    *state = &f;
    return 0;
}
static int stop(void **state) {
    fixture_stop(*state);
    return 0;
}

/* ---- bodies ---- */

static void gzips_large_text_only_for_clients_that_accept_it(void **state) {
    struct fixture *f = *state;
    struct buf plain = big_json();
    str r = get(f, "/big", "Accept-Encoding: br, gzip\r\n");
    assert_str(header_of(r, "content-encoding"), "gzip");
    assert_str(header_of(r, "vary"), "Accept-Encoding");
    assert_true(body_of(r).n < plain.n / 4);
    assert_int_equal(f->observed_bytes, body_of(r).n);
    r = get(f, "/big", "Accept-Encoding: gzip;q=0\r\n");
    assert_null(header_of(r, "content-encoding").p);
    assert_true(str_eq(body_of(r), buf_str(&plain)));
    r = get(f, "/small", "Accept-Encoding: gzip\r\n");
    assert_null(header_of(r, "content-encoding").p);
    buf_done(&plain);
}

static void sends_a_gzipped_asset_as_it_is_or_inflated(void **state) {
    str r = get(*state, "/asset", "Accept-Encoding: gzip\r\n");
    assert_str(header_of(r, "content-encoding"), "gzip");
    assert_int_equal(body_of(r).n, sizeof packed - 1);
    r = get(*state, "/asset", "");
    assert_str(body_of(r), "hello");
    assert_null(header_of(r, "content-encoding").p);
}

static void sends_extra_headers_but_none_with_a_line_break(void **state) {
    str r = get(*state, "/asset", "");
    assert_str(header_of(r, "etag"), "\"1\"");
    assert_null(header_of(r, "x-bad").p);
    assert_null(header_of(r, "b").p);
}

static void answers_204_without_a_body(void **state) {
    str r = get(*state, "/empty", "");
    assert_int_equal(status_of(r), 204);
    assert_int_equal(body_of(r).n, 0);
}

static bool json_error(void *app, const struct http_exchange *x, int status, str reason, struct buf *out, str *content_type) {
    (void)app;
    (void)x;
    if (status != 404) return false;
    buf_printf(out, "{\"error\":\"%" STR_F "\"}", STR_A(reason));
    *content_type = STR("application/json");
    return true;
}

static void lets_the_hook_word_errors(void **state) {
    (void)state;
    struct http_server_config c = usual;
    c.error_body = json_error;
    struct fixture f;
    fixture_start(&f, c);
    str r = get(&f, "/no", "");
    assert_str(body_of(r), "{\"error\":\"no such page: /no\"}");
    assert_str(header_of(r, "content-type"), "application/json");
    r = get(&f, "/empty?%", "");
    assert_str(body_of(r), "bad percent-encoding \"%\" (at byte 0): write a literal percent sign as %25\n");
    assert_str(header_of(r, "content-type"), "text/plain; charset=utf-8");
    fixture_stop(&f);
}

/* ---- streams ---- */

static const str pieces[] = {STR_INIT("one"), STR_INIT("two"), STR_INIT("three")};
static void write_and_end(void *arg) {
    size_t *n = arg;
    if (!stream) return;
    if (*n < ARRAY_N(pieces))
        assert_true(http_stream_write(stream, pieces[*n]));
    else
        http_stream_end(TAKE(stream));
    ++*n;
}

/* RFC 9112 7.1, without trailers; fails the test unless the last chunk is there. */
static str unchunk(struct fixture *f, str body) {
    str out = STR("");
    for (str line; str_cut(&body, '\n', &line);) {
        uint64_t n;
        assert_true(str_hex_u64(str_trim(line), &n));
        if (n == 0) return out;
        out = arena_printf(f->arena, "%" STR_F "%" STR_F, STR_A(out), STR_A(str_sub(body, 0, n)));
        body = str_from(body, n + 2);
    }
    fail_msg("the last chunk is missing");
    return out;
}

static void streams_pieces_as_they_come(void **state) {
    struct fixture *f = *state;
    size_t n = 0;
    struct timer *t = timer_start(f->loop, 5, 5, write_and_end, &n);
    str r = get(f, "/stream", "");
    timer_free(t);
    assert_int_equal(status_of(r), 200);
    assert_str(header_of(r, "content-type"), "text/event-stream");
    assert_str(header_of(r, "transfer-encoding"), "chunked");
    assert_str(unchunk(f, body_of(r)), "onetwothree");
    assert_int_equal(gone_n, 0);
    assert_int_equal(f->observed_bytes, 11);
}

static void fill(void *arg) {
    size_t *written = arg;
    static char block[1 << 20];
    if (!stream) return;
    while (http_stream_write(stream, str_n(block, sizeof block))) *written += sizeof block;
    http_stream_end(TAKE(stream));
}

static void refuses_more_than_its_buffer_and_loses_nothing_it_took(void **state) {
    struct fixture *f = *state;
    size_t written = 0;
    struct timer *t = timer_start(f->loop, 5, 5, fill, &written);
    get(f, "/stream", "");
    timer_free(t);
    assert_int_equal(written, 4 << 20);
    assert_int_equal(f->observed_bytes, written);
}

static void tells_the_owner_when_the_reader_leaves(void **state) {
    struct fixture *f = *state;
    struct talk t = {.f = f, .send = STR("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"), .hang_up = true, .linger_ms = 30};
    talk_with(&t);
    f->stop_when_gone = true;
    if (!gone_n) loop_run(f->loop);
    assert_int_equal(gone_n, 1);
    assert_true(http_stream_write(stream, STR("nobody hears this")));
    http_stream_end(stream);
    f->stop_when_observed = 1;
    if (!f->observed_n) loop_run(f->loop);
    assert_int_equal(f->observed_status, 0);
    assert_int_equal(gone_n, 1);
}

static void stop_serving(void *arg) {
    struct fixture *f = arg;
    http_server_free(TAKE(f->server));
}

static void ends_open_streams_when_the_server_is_freed(void **state) {
    struct fixture *f = *state;
    struct timer *t = timer_start(f->loop, 30, 0, stop_serving, f);
    str r = get(f, "/stream", "");
    assert_str(body_of(r), "0\r\n\r\n");
    assert_int_equal(gone_n, 1);
    http_stream_end(stream);
    timer_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(gzips_large_text_only_for_clients_that_accept_it, start, stop),
        cmocka_unit_test_setup_teardown(sends_a_gzipped_asset_as_it_is_or_inflated, start, stop),
        cmocka_unit_test_setup_teardown(sends_extra_headers_but_none_with_a_line_break, start, stop),
        cmocka_unit_test_setup_teardown(answers_204_without_a_body, start, stop),
        cmocka_unit_test_setup_teardown(lets_the_hook_word_errors, start, stop),
        cmocka_unit_test_setup_teardown(streams_pieces_as_they_come, start, stop),
        cmocka_unit_test_setup_teardown(refuses_more_than_its_buffer_and_loses_nothing_it_took, start, stop),
        cmocka_unit_test_setup_teardown(tells_the_owner_when_the_reader_leaves, start, stop),
        cmocka_unit_test_setup_teardown(ends_open_streams_when_the_server_is_freed, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
