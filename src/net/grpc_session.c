#include "net/grpc_session.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "codec/text.h"
#include "net/http_parse.h"

enum {
    ARENA_BYTES = 4 << 10,
    ARENA_KEEP_BYTES = 64 << 10,
    STREAM_WINDOW = 4 << 20, /* a batch of spans without waiting for a window update */
    CONNECTION_WINDOW = 16 << 20,
    PIECE_KEEP_BYTES = 64 << 10,
};

struct call {
    struct grpc_exchange x;       /* first: grpc_exchange pointers are call pointers */
    struct grpc_session *session; /* NULL: the stream is gone */
    int32_t stream;
    bool held;       /* a handler has the exchange */
    bool told;       /* on_gone ran */
    bool answered;   /* all that will be said is in `out` and the trailers */
    bool responding; /* the response headers are on their way */
    bool method_ok, grpc_ok;
    str path, encoding, timeout, traceparent;
    size_t header_bytes, charged;
    struct grpc_reader reader;
    struct buf out; /* messages not yet given to nghttp2 */
    size_t out_at, reply_bytes;
    enum grpc_status status; /* the trailers */
    str text, details;
    struct timer *deadline;
    int64_t start_mono_ns;
    struct call *next, *prev; /* in session->calls */
};

struct grpc_session {
    struct grpc_shared *shared;
    nghttp2_session *h2;
    str peer;
    const char *door;
    void (*want_write)(void *arg);
    void *arg;
    unsigned busy; /* inside feed, pull or a timer: want_write waits */
    bool dirty;    /* something was said meanwhile */
    struct call *calls;
    size_t held_n;
    struct arena *spare;
    str farewell; /* to a client that does not speak HTTP/2 */
    bool broken;
};

void grpc_shared_init(struct grpc_shared *s, struct loop *l, const struct grpc_server_config *c) {
    static const struct grpc_limits defaults = {
        .message_bytes = 64 << 20, .header_bytes = 64 << 10, .connections = 1024, .streams = 256, .idle_ms = 120000, .in_flight_bytes = 512 << 20};
    *s = (struct grpc_shared){.loop = l, .config = *c};
    struct grpc_limits *n = &s->config.limits;
    if (!n->message_bytes) n->message_bytes = defaults.message_bytes;
    if (!n->header_bytes) n->header_bytes = defaults.header_bytes;
    if (!n->connections) n->connections = defaults.connections;
    if (!n->streams) n->streams = defaults.streams;
    if (!n->idle_ms) n->idle_ms = defaults.idle_ms;
    if (!n->in_flight_bytes) n->in_flight_bytes = defaults.in_flight_bytes;
    if (getrandom(&s->random, sizeof s->random, 0) != sizeof s->random) s->random = (uint64_t)clock_wall_ns();
}

static uint64_t next_id(struct grpc_shared *s) {
    return hash_mix(s->random, ++s->id_n) | 1; /* never zero: zero ids are invalid */
}

/* ---- calls ---- */

static struct call *call_new(struct grpc_session *s, int32_t stream) {
    struct arena *a = s->spare ? TAKE(s->spare) : arena_new(ARENA_BYTES);
    struct call *c = arena_one(a, struct call);
    c->session = s;
    c->stream = stream;
    c->reader.max_bytes = s->shared->config.limits.message_bytes;
    c->start_mono_ns = clock_mono_ns();
    c->x = (struct grpc_exchange){.arena = a, .peer = s->peer, .door = s->door, .start_ns = clock_wall_ns(), .span_id = next_id(s->shared)};
    c->next = s->calls;
    if (c->next) c->next->prev = c;
    s->calls = c;
    s->shared->stats.calls++;
    return c;
}

static void call_free(struct call *c) {
    assert(!c->session && !c->held);
    buf_done(&c->out);
    grpc_reader_done(&c->reader);
    arena_free(c->x.arena);
}

static void tell_gone(struct call *c) {
    if (c->told) return;
    c->told = true;
    if (c->x.on_gone) c->x.on_gone(c->x.on_gone_arg); /* it may reply, which frees the call */
}

static void observe(struct call *c, bool completed) {
    struct grpc_shared *s = c->session->shared;
    enum grpc_status status = completed ? c->status : GRPC_CANCELLED;
    s->stats.calls_ok += completed && status == GRPC_OK;
    s->stats.calls_failed += completed && status != GRPC_OK;
    s->stats.calls_gone += !completed;
    if (s->config.observe) s->config.observe(s->config.app, &c->x, status, c->reply_bytes, clock_mono_ns() - c->start_mono_ns);
}

static void uncharge(struct call *c) {
    c->session->shared->in_flight_bytes -= c->charged;
    c->charged = 0;
}

/* The stream is closed; the handler, if one still has the exchange, is told. */
static void call_detach(struct call *c, bool completed) {
    struct grpc_session *s = c->session;
    timer_free(TAKE(c->deadline));
    uncharge(c);
    observe(c, completed);
    if (c->next) c->next->prev = c->prev;
    if (c->prev) c->prev->next = c->next;
    if (s->calls == c) s->calls = c->next;
    s->held_n -= c->held;
    c->session = NULL;
    if (c->held) return tell_gone(c);
    if (!s->spare && arena_used_bytes(c->x.arena) <= ARENA_KEEP_BYTES) {
        buf_done(&c->out);
        grpc_reader_done(&c->reader);
        s->spare = c->x.arena;
        arena_reset(s->spare);
    } else {
        call_free(c);
    }
}

/* ---- saying something ---- */

static void enter(struct grpc_session *s) {
    s->busy++;
}
/* The last thing its caller does: the session may be gone afterwards. */
static void leave(struct grpc_session *s) {
    if (--s->busy || !s->dirty) return;
    s->dirty = false;
    s->want_write(s->arg);
}

/* Names are literals; values are copied by nghttp2. */
#define NV(name, value, value_n) \
    { (uint8_t *)(name), (uint8_t *)(value), sizeof(name) - 1, (value_n), NGHTTP2_NV_FLAG_NO_COPY_NAME }
#define NV_LITERAL(name, value) NV(name, value, sizeof(value) - 1)
#define RESPONSE_HEAD \
    NV_LITERAL(":status", "200"), NV_LITERAL("content-type", "application/grpc"), NV_LITERAL("grpc-accept-encoding", "identity,gzip,deflate")

struct trailers {
    nghttp2_nv nv[6];
    size_t n;
};

/* grpc-status and, when there is something to say, grpc-message and grpc-status-details-bin; values live in the call's arena. */
static void put_trailers(struct call *c, struct trailers *t) {
    struct arena *a = c->x.arena;
    AUTO(buf_done) struct buf b = {0};
    str status = arena_printf(a, "%d", (int)c->status);
    t->nv[t->n++] = (nghttp2_nv)NV("grpc-status", status.p, status.n);
    if (c->text.n) {
        grpc_put_status_text(&b, c->text);
        str text = arena_str(a, buf_str(&b));
        t->nv[t->n++] = (nghttp2_nv)NV("grpc-message", text.p, text.n);
    }
    if (c->details.n) {
        buf_clear(&b);
        base64_put(&b, c->details);
        str details = arena_str(a, buf_str(&b));
        t->nv[t->n++] = (nghttp2_nv)NV("grpc-status-details-bin", details.p, details.n);
    }
}

static ssize_t read_out(nghttp2_session *h2, int32_t stream, uint8_t *to, size_t room, uint32_t *flags, nghttp2_data_source *source, void *arg) {
    (void)arg;
    struct call *c = source->ptr;
    size_t n = MIN(room, c->out.n - c->out_at);
    if (n) memcpy(to, c->out.p + c->out_at, n);
    c->out_at += n;
    if (c->out_at < c->out.n) return (ssize_t)n;
    buf_clear(&c->out);
    c->out_at = 0;
    if (!c->answered) return n ? (ssize_t)n : NGHTTP2_ERR_DEFERRED;
    struct trailers t = {.n = 0};
    put_trailers(c, &t);
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    if (nghttp2_submit_trailer(h2, stream, t.nv, t.n) != 0) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    return (ssize_t)n;
}

/* Response headers with the messages of c->out behind them. */
static void begin_response(struct call *c) {
    static const nghttp2_nv head[] = {RESPONSE_HEAD};
    nghttp2_data_provider from = {.source.ptr = c, .read_callback = read_out};
    if (c->responding) {
        nghttp2_session_resume_data(c->session->h2, c->stream); /* fails when it is not waiting: then it reads on by itself */
    } else {
        int failed = nghttp2_submit_response(c->session->h2, c->stream, head, ARRAY_N(head), &from);
        if (failed) nghttp2_submit_rst_stream(c->session->h2, NGHTTP2_FLAG_NONE, c->stream, NGHTTP2_INTERNAL_ERROR);
        c->responding = true;
    }
    c->session->dirty = true;
}

/* Ends the call: trailers behind what was written, or "Trailers-Only" when nothing was. */
static void answer(struct call *c, enum grpc_status status, str text, str details) {
    assert(!c->answered);
    c->answered = true;
    c->status = status;
    c->text = arena_str(c->x.arena, text);
    c->details = arena_str(c->x.arena, details);
    if (c->responding || c->out.n) return begin_response(c);
    struct trailers t = {.nv = {RESPONSE_HEAD}, .n = 3};
    put_trailers(c, &t);
    int failed = nghttp2_submit_response(c->session->h2, c->stream, t.nv, t.n, NULL);
    if (failed) nghttp2_submit_rst_stream(c->session->h2, NGHTTP2_FLAG_NONE, c->stream, NGHTTP2_INTERNAL_ERROR);
    c->responding = true;
    c->session->dirty = true;
}

static void refuse(struct call *c, enum grpc_status status, str text) {
    if (!c->answered) answer(c, status, text, STR(""));
}

/* A request that is not gRPC is answered in HTTP's terms (PROTOCOL-HTTP2.md, "Content-Type"). */
static void refuse_http(struct call *c, str http_status) {
    const nghttp2_nv head[] = {NV(":status", http_status.p, http_status.n)};
    c->answered = c->responding = true;
    c->status = GRPC_UNKNOWN;
    nghttp2_submit_response(c->session->h2, c->stream, head, ARRAY_N(head), NULL);
    c->session->dirty = true;
}

static void put_message(struct call *c, str message) {
    grpc_put_prefix(&c->out, message.n);
    buf_add(&c->out, message);
    c->reply_bytes += message.n;
}

/* The handler gives its exchange back. */
static void let_go(struct call *c, const struct grpc_reply *r, bool has_message) {
    struct grpc_session *s = c->session;
    assert(c->held);
    c->held = false;
    if (!s) return call_free(c);
    s->held_n--;
    if (c->answered) return; /* the deadline was faster */
    enter(s);
    if (has_message) put_message(c, r->body);
    answer(c, r->status, r->text, r->details);
    leave(s);
}

void grpc_reply(struct grpc_exchange *x, struct grpc_reply r) {
    let_go((struct call *)x, &r, r.status == GRPC_OK);
}

void grpc_reply_error(struct grpc_exchange *x, enum grpc_status status, str text) {
    assert(status != GRPC_OK);
    grpc_reply(x, (struct grpc_reply){.status = status, .text = text});
}

bool grpc_stream_write(struct grpc_exchange *x, str message) {
    struct call *c = (struct call *)x;
    struct grpc_session *s = c->session;
    if (!s || c->answered) return false;
    if (c->out.n - c->out_at + message.n > s->shared->config.limits.message_bytes) return false;
    enter(s);
    put_message(c, message);
    begin_response(c);
    leave(s);
    return true;
}

void grpc_stream_end(struct grpc_exchange *x, enum grpc_status status, str text) {
    struct grpc_reply r = {.status = status, .text = text};
    let_go((struct call *)x, &r, false);
}

/* ---- the request ---- */

static void on_deadline(void *arg) {
    struct call *c = arg;
    struct grpc_session *s = c->session;
    enter(s);
    timer_free(TAKE(c->deadline));
    refuse(c, GRPC_DEADLINE_EXCEEDED, STR("the deadline passed (grpc-timeout)"));
    if (c->held) tell_gone(c);
    leave(s);
}

static void start_deadline(struct call *c) {
    int64_t timeout_ns;
    if (!grpc_timeout_parse(c->timeout, &timeout_ns))
        return refuse(c, GRPC_INVALID_ARGUMENT, STR("grpc-timeout: expected up to 8 digits and H, M, S, m, u or n"));
    timeout_ns = MIN(timeout_ns, 24 * 3600 * NS_PER_S); /* no call lives longer than that anyway */
    c->x.deadline_ns = c->start_mono_ns + timeout_ns;
    c->deadline = timer_start(c->session->shared->loop, (uint64_t)((timeout_ns + NS_PER_MS - 1) / NS_PER_MS), 0, on_deadline, c);
}

static void trace(struct call *c) {
    struct grpc_exchange *x = &c->x;
    struct http_traceparent t;
    if (http_parse_traceparent(c->traceparent, &t)) {
        x->trace_hi = t.trace_hi;
        x->trace_lo = t.trace_lo;
        x->parent_span_id = t.parent_span_id;
        x->trace_unsampled = !t.sampled;
    } else {
        x->trace_hi = next_id(c->session->shared);
        x->trace_lo = next_id(c->session->shared);
    }
}

static void take_path(struct call *c, str value) {
    c->path = arena_str(c->x.arena, value);
    for (const struct grpc_method *m = c->session->shared->config.methods; m->path; m++)
        if (str_eq_c(value, m->path)) c->x.method = m;
}
static void take_method(struct call *c, str value) {
    c->method_ok = str_eq(value, STR("POST"));
}
static void take_type(struct call *c, str value) { /* application/grpc, with +proto or a parameter behind; "grpc-web" is another protocol */
    str rest = str_from(value, 16);
    c->grpc_ok = str_starts(value, STR("application/grpc")) && (rest.n == 0 || rest.p[0] == '+' || rest.p[0] == ';');
}
static void take_encoding(struct call *c, str value) {
    c->encoding = arena_str(c->x.arena, value);
}
static void take_timeout(struct call *c, str value) {
    c->timeout = arena_str(c->x.arena, value);
}
static void take_traceparent(struct call *c, str value) {
    c->traceparent = arena_str(c->x.arena, value);
}

static const struct {
    str name;
    void (*take)(struct call *c, str value);
} headers[] = {
    {STR_INIT(":path"), take_path},           {STR_INIT(":method"), take_method},
    {STR_INIT("content-type"), take_type},    {STR_INIT("grpc-encoding"), take_encoding},
    {STR_INIT("grpc-timeout"), take_timeout}, {STR_INIT("traceparent"), take_traceparent},
};

static void head_done(struct call *c) {
    struct arena *a = c->x.arena;
    size_t max = c->session->shared->config.limits.header_bytes;
    trace(c);
    if (c->header_bytes > max) return refuse(c, GRPC_RESOURCE_EXHAUSTED, arena_printf(a, "the headers have more than %zu bytes", max));
    if (!c->method_ok) return refuse_http(c, STR("405"));
    if (!c->grpc_ok) return refuse_http(c, STR("415"));
    if (!c->x.method) return refuse(c, GRPC_UNIMPLEMENTED, arena_printf(a, "no such method: %" STR_F, STR_A(str_sub(c->path, 0, 200))));
    if (c->timeout.n) start_deadline(c);
}

static void take_data(struct call *c, str data) {
    struct grpc_shared *s = c->session->shared;
    c->x.wire_body_bytes += data.n;
    if (c->answered) return; /* refused: the rest is thrown away */
    if (data.n > s->config.limits.in_flight_bytes - s->in_flight_bytes)
        return refuse(c, GRPC_UNAVAILABLE, STR("too many request messages in memory at once: try again in a second"));
    s->in_flight_bytes += data.n;
    c->charged += data.n;
    struct err e;
    enum grpc_status status = grpc_reader_feed(&c->reader, data, &e);
    if (status == GRPC_OK) return;
    refuse(c, status, err_str(&e));
    grpc_reader_done(&c->reader);
    uncharge(c);
}

static void request_done(struct call *c) {
    if (c->answered || c->held) return;
    struct err e;
    enum grpc_status status = grpc_reader_finish(&c->reader, c->encoding, &e);
    if (status != GRPC_OK) return refuse(c, status, err_str(&e));
    size_t now = c->reader.message.n; /* decompressed, it may be more: counted, no more refused */
    c->session->shared->in_flight_bytes += now - c->charged;
    c->charged = now;
    c->x.body = buf_str(&c->reader.message);
    c->held = true;
    c->session->held_n++;
    c->x.method->handle(c->session->shared->config.app, &c->x);
}

/* ---- nghttp2's callbacks ---- */

static struct call *find_call(nghttp2_session *h2, int32_t stream) {
    return nghttp2_session_get_stream_user_data(h2, stream);
}

static int on_begin_headers(nghttp2_session *h2, const nghttp2_frame *frame, void *arg) {
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    nghttp2_session_set_stream_user_data(h2, frame->hd.stream_id, call_new(arg, frame->hd.stream_id));
    return 0;
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name, size_t name_n, const uint8_t *value, size_t value_n,
                     uint8_t flags, void *arg) {
    (void)flags, (void)arg;
    struct call *c = find_call(h2, frame->hd.stream_id);
    if (!c) return 0;
    c->header_bytes += name_n + value_n + 32; /* RFC 9113 6.5.2: SETTINGS_MAX_HEADER_LIST_SIZE counts so */
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST || c->header_bytes > c->session->shared->config.limits.header_bytes) return 0;
    for (size_t i = 0; i < ARRAY_N(headers); i++)
        if (str_eq(headers[i].name, str_n(name, name_n))) headers[i].take(c, str_n(value, value_n));
    return 0;
}

static int on_data(nghttp2_session *h2, uint8_t flags, int32_t stream, const uint8_t *data, size_t n, void *arg) {
    (void)flags, (void)arg;
    struct call *c = find_call(h2, stream);
    if (c) take_data(c, str_n(data, n));
    return 0;
}

static int on_frame(nghttp2_session *h2, const nghttp2_frame *frame, void *arg) {
    (void)arg;
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
    struct call *c = find_call(h2, frame->hd.stream_id);
    if (!c) return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) head_done(c);
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) request_done(c);
    return 0;
}

/* RFC 9113 8.1: a server that has answered while the request is still coming asks the client to stop, without an error. */
static int on_sent(nghttp2_session *h2, const nghttp2_frame *frame, void *arg) {
    (void)arg;
    bool last = frame->hd.type == NGHTTP2_HEADERS && frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (last && nghttp2_session_get_stream_remote_close(h2, frame->hd.stream_id) == 0)
        nghttp2_submit_rst_stream(h2, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
    return 0;
}

static int on_stream_close(nghttp2_session *h2, int32_t stream, uint32_t error, void *arg) {
    (void)arg;
    struct call *c = find_call(h2, stream);
    if (c) call_detach(c, c->answered && error == NGHTTP2_NO_ERROR);
    return 0;
}

/* ---- the session ---- */

static nghttp2_session *new_h2(struct grpc_session *s) {
    nghttp2_session_callbacks *cb;
    nghttp2_option *option;
    nghttp2_session *h2;
    int failed = nghttp2_session_callbacks_new(&cb) || nghttp2_option_new(&option);
    assert(!failed);
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
    nghttp2_option_set_no_closed_streams(option, 1);
    failed = nghttp2_session_server_new2(&h2, cb, s, option);
    assert(!failed);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(cb);
    return h2;
}

struct grpc_session *grpc_session_new(struct grpc_shared *shared, str peer, const char *door, void (*want_write)(void *arg), void *arg) {
    const struct grpc_limits *limits = &shared->config.limits;
    struct grpc_session *s = mem_zalloc(sizeof *s);
    *s = (struct grpc_session){.shared = shared, .peer = peer, .door = door, .want_write = want_write, .arg = arg};
    s->h2 = new_h2(s);
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits->streams},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)limits->header_bytes},
    };
    int failed = nghttp2_submit_settings(s->h2, NGHTTP2_FLAG_NONE, settings, ARRAY_N(settings));
    if (!failed) failed = nghttp2_session_set_local_window_size(s->h2, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW);
    assert(!failed);
    return s;
}

static const char not_http2[] =
    "HTTP/1.1 505 HTTP Version Not Supported\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: 93\r\n\r\n"
    "This port speaks gRPC (HTTP/2 without TLS) only. OTLP over HTTP has a port of its own: 4318.\n";

bool grpc_session_feed(struct grpc_session *s, str data) {
    s->shared->stats.bytes_in += data.n;
    if (s->broken) return false;
    enter(s);
    ssize_t n = nghttp2_session_mem_recv(s->h2, (const uint8_t *)data.p, data.n);
    s->busy--;
    s->dirty = false; /* the caller pulls after each feed */
    if (n >= 0) return true;
    s->broken = true;
    if (n == NGHTTP2_ERR_BAD_CLIENT_MAGIC) s->farewell = STR(not_http2);
    return false;
}

str grpc_session_pull(struct grpc_session *s) {
    str got = s->farewell;
    s->farewell = STR_NULL;
    if (got.n || s->broken) return got;
    const uint8_t *p;
    enter(s);
    ssize_t n = nghttp2_session_mem_send(s->h2, &p);
    s->busy--;
    if (n < 0) s->broken = true;
    s->shared->stats.bytes_out += n > 0 ? (size_t)n : 0;
    return n > 0 ? str_n(p, (size_t)n) : STR_NULL;
}

bool grpc_session_over(const struct grpc_session *s) {
    return s->broken || (!nghttp2_session_want_read(s->h2) && !nghttp2_session_want_write(s->h2));
}

size_t grpc_session_held_n(const struct grpc_session *s) {
    return s->held_n;
}

void grpc_session_stop(struct grpc_session *s, str why) {
    enter(s);
    for (struct call *c = s->calls; c; c = c->next) refuse(c, GRPC_UNAVAILABLE, why);
    nghttp2_submit_goaway(s->h2, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(s->h2), NGHTTP2_NO_ERROR, NULL, 0);
    s->busy--;
    s->dirty = false;
}

void grpc_session_free(struct grpc_session *s) {
    if (!s) return;
    assert(!s->busy);
    enter(s); /* whoever is told now and replies to another call of this session must not make us write */
    while (s->calls) call_detach(s->calls, false);
    nghttp2_session_del(s->h2);
    arena_free(s->spare);
    free(s);
}
