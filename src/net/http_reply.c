#include <stdlib.h>

#include "base/mem.h"
#include "codec/compress.h"
#include "net/http_call.h"

enum {
    GZIP_WORTH_BYTES = 1400, /* below, a reply fits one packet anyway */
    GZIP_LEVEL = 1,
    INFLATE_MAX_BYTES = 64 << 20, /* of our own gzipped assets */
    STREAM_BUFFER_BYTES = 4 << 20,
    STREAM_CHUNK_BYTES = 32 << 10,
};

static struct call *call_of(struct http_exchange *x) {
    return (struct call *)x;
}

static void add_header(struct call *c, struct MHD_Response *r, str name, str value) {
    /* A value with a line break (from user input) is refused by libmicrohttpd and so left out, which is what we want. */
    MHD_add_response_header(r, arena_cstr(c->x.arena, name), arena_cstr(c->x.arena, value));
}

static void add_extra_headers(struct call *c, struct MHD_Response *r) {
    const struct http_server_config *config = &c->server->config;
    struct http_pair extra[HTTP_EXTRA_HEADERS_MAX];
    size_t n = config->headers ? config->headers(config->app, &c->x, extra) : 0;
    assert(n <= HTTP_EXTRA_HEADERS_MAX);
    for (size_t i = 0; i < n; i++) add_header(c, r, extra[i].name, extra[i].value);
}

/* ---- bodies ---- */

struct payload {
    str bytes;
    struct buf owned; /* where bytes are, when they are ours */
    bool is_static, gzipped;
};

static void own(struct payload *p, struct buf b) {
    buf_done(&p->owned);
    p->owned = b;
    p->bytes = buf_str(&b);
    p->is_static = false;
}

static bool is_text(str content_type) {
    static const str types[] = {
        STR_INIT("text/"),
        STR_INIT("application/json"),
        STR_INIT("application/openmetrics-text"),
        STR_INIT("application/x-ndjson"),
        STR_INIT("application/javascript"),
        STR_INIT("application/vnd.elasticsearch+json"),
        STR_INIT("image/svg+xml"),
    };
    for (size_t i = 0; i < ARRAY_N(types); i++)
        if (str_starts(content_type, types[i])) return true;
    return false;
}

static void encode(struct payload *p, bool accepts_gzip, bool text) {
    if (p->gzipped && !accepts_gzip) {
        struct buf plain = {0};
        struct err e;
        bool ok = gzip_decode(p->bytes, INFLATE_MAX_BYTES, &plain, &e);
        assert(ok); /* it was gzipped by us */
        own(p, plain);
        p->gzipped = false;
    } else if (!p->gzipped && accepts_gzip && text && p->bytes.n > GZIP_WORTH_BYTES) {
        struct buf packed = {0};
        gzip_encode(p->bytes, GZIP_LEVEL, &packed);
        own(p, packed);
        p->gzipped = true;
    }
}

static struct MHD_Response *response_of(struct payload *p) {
    if (p->bytes.n == 0) buf_done(&p->owned);
    void *bytes = (void *)(uintptr_t)(p->bytes.n ? p->bytes.p : "");
    if (p->owned.p) return MHD_create_response_from_buffer(p->bytes.n, bytes, MHD_RESPMEM_MUST_FREE);
    return MHD_create_response_from_buffer(p->bytes.n, bytes, p->is_static || p->bytes.n == 0 ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_COPY);
}

void http_reply(struct http_exchange *x, struct http_reply r) {
    assert_loop_thread();
    struct call *c = call_of(x);
    struct payload p = {.bytes = r.body, .is_static = r.body_static, .gzipped = r.gzipped && (r.body.n || r.body_buf)};
    if (r.body_buf) {
        own(&p, *r.body_buf);
        *r.body_buf = (struct buf){0};
    }
    if (!c->connection) {
        buf_done(&p.owned);
        call_free(c);
        return;
    }
    str type = r.content_type.n ? r.content_type : STR("text/plain; charset=utf-8");
    bool text = is_text(type);
    bool choice = p.gzipped || (text && p.bytes.n > GZIP_WORTH_BYTES); /* the form depends on what the client accepts */
    if (choice) encode(&p, http_accepts_gzip(http_header(x, STR("accept-encoding"))), text);

    size_t reply_bytes = p.bytes.n;
    struct MHD_Response *m = response_of(&p);
    if (reply_bytes || r.content_type.n) add_header(c, m, STR("Content-Type"), type); /* OTLP: an empty message has one */
    if (p.gzipped) add_header(c, m, STR("Content-Encoding"), STR("gzip"));
    if (choice) add_header(c, m, STR("Vary"), STR("Accept-Encoding"));
    for (size_t i = 0; i < r.header_n; i++) add_header(c, m, r.headers[i].name, r.headers[i].value);
    add_extra_headers(c, m);
    if (r.status == 429 || r.status == 503) add_header(c, m, STR("Retry-After"), STR("1"));
    call_answer(c, r.status, m, reply_bytes);
}

void http_reply_text(struct http_exchange *x, int status, str text) {
    http_reply(x, (struct http_reply){.status = status, .body = text});
}

void http_reply_json(struct http_exchange *x, int status, struct buf *json) {
    http_reply(x, (struct http_reply){.status = status, .content_type = STR("application/json"), .body_buf = json});
}

/* ---- refusals: what the server answers by itself ---- */

void call_refuse(struct call *c) {
    struct http_exchange *x = &c->x;
    const struct http_server_config *config = &c->server->config;
    struct http_pair headers[2];
    size_t n = 0;
    if (c->refusal == 405 || c->refusal == 204) headers[n++] = (struct http_pair){STR("Allow"), http_methods_format(x->arena, c->refusal_allow)};
    if (c->refusal_close) headers[n++] = (struct http_pair){STR("Connection"), STR("close")};
    struct http_reply r = {.status = c->refusal, .headers = headers, .header_n = n};
    struct buf body = {0};
    if (c->refusal == 204) {
        http_reply(x, r);
        return;
    }
    if (config->error_body && config->error_body(config->app, x, c->refusal, c->refusal_reason, &body, &r.content_type)) {
        r.body_buf = &body;
    } else {
        r.content_type = STR_NULL;
        r.body = arena_printf(x->arena, "%" STR_F "\n", STR_A(c->refusal_reason));
    }
    http_reply(x, r);
    buf_done(&body);
}

/* ---- streams ---- */

struct http_stream {
    struct call *call; /* NULL: the connection ended */
    struct buf out;
    size_t at; /* sent */
    bool ended, aborted, told;
    void (*on_gone)(void *arg);
    void *arg;
};

static ssize_t read_stream(void *cls, uint64_t pos, char *out, size_t max) {
    (void)pos;
    struct http_stream *s = cls;
    size_t n = MIN(s->out.n - s->at, max);
    if (s->aborted) return MHD_CONTENT_READER_END_WITH_ERROR;
    if (n == 0 && (s->ended || s->call->server->stopping)) return MHD_CONTENT_READER_END_OF_STREAM;
    if (n == 0) {
        s->call->suspended = true;
        MHD_suspend_connection(s->call->connection);
        return 0;
    }
    memcpy(out, s->out.p + s->at, n);
    s->at += n;
    s->call->reply_bytes += n;
    if (s->at == s->out.n) buf_clear(&s->out), s->at = 0;
    return (ssize_t)n;
}

struct http_stream *http_stream_begin(struct http_exchange *x, int status, str content_type, void (*on_gone)(void *arg), void *arg) {
    assert_loop_thread();
    struct call *c = call_of(x);
    struct http_stream *s = mem_zalloc(sizeof *s);
    s->on_gone = on_gone;
    s->arg = arg;
    if (!c->connection) {
        s->told = true; /* by the exchange's own on_gone */
        call_free(c);
        return s;
    }
    s->call = c;
    c->stream = s;
    struct MHD_Response *m = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_CHUNK_BYTES, read_stream, s, NULL);
    add_header(c, m, STR("Content-Type"), content_type);
    add_header(c, m, STR("Cache-Control"), STR("no-store"));
    add_extra_headers(c, m);
    call_answer(c, status, m, 0);
    return s;
}

bool http_stream_write(struct http_stream *s, str data) {
    assert_loop_thread();
    assert(!s->ended);
    if (!s->call) return true; /* nobody reads it; the owner has been told */
    if (s->out.n - s->at + data.n > STREAM_BUFFER_BYTES) return false;
    if (s->at > s->out.n / 2) { /* what was sent makes room */
        memmove(s->out.p, s->out.p + s->at, s->out.n - s->at);
        s->out.n -= s->at;
        s->at = 0;
    }
    buf_add(&s->out, data);
    call_wake(s->call);
    return true;
}

static void free_stream(struct http_stream *s) {
    buf_done(&s->out);
    free(s);
}

void http_stream_end(struct http_stream *s) {
    assert_loop_thread();
    assert(!s->ended);
    s->ended = true;
    if (s->call)
        call_wake(s->call); /* stream_lost frees it after the last byte */
    else
        free_stream(s);
}

void http_stream_abort(struct http_stream *s) {
    s->aborted = true;
    http_stream_end(s);
}

void stream_gone(struct http_stream *s) {
    if (s->told || s->ended) return;
    s->told = true;
    if (s->on_gone) s->on_gone(s->arg);
}

void stream_lost(struct http_stream *s) {
    s->call = NULL;
    if (s->ended)
        free_stream(s);
    else
        stream_gone(s);
}
