#include "net/http_server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "codec/compress.h"
#include "net/http_call.h"

enum {
    TICK_MS = 1000,
    RUNS_PER_TURN = 16,           /* of one daemon before other events of the loop get theirs */
    ARENA_BYTES = 4 << 10,        /* a usual request */
    ARENA_KEEP_BYTES = 64 << 10,  /* an idle connection keeps no more than this */
    BODY_FIRST_BYTES = 1 << 20,   /* reserved on the word of Content-Length alone */
    DISCARD_MAX_BYTES = 16 << 20, /* of a refused body; a client that sends more is cut off without an answer */
    DISCARD_DECLARED_BYTES = 1 << 20,
};

/* ---- calls ---- */

static uint64_t next_random(struct http_server *s) { /* xorshift64*: ids, not secrets */
    s->random ^= s->random >> 12;
    s->random ^= s->random << 25;
    s->random ^= s->random >> 27;
    return (s->random * UINT64_C(2685821657736338717)) | 1; /* never zero: zero ids are invalid */
}

static void link_call(struct call *c) {
    struct http_server *s = c->server;
    c->next = s->calls;
    if (c->next) c->next->prev = c;
    s->calls = c;
}

static void unlink_call(struct call *c) {
    if (c->next) c->next->prev = c->prev;
    if (c->prev) c->prev->next = c->next;
    if (c->server->calls == c) c->server->calls = c->next;
    c->next = c->prev = NULL;
}

static struct call *call_new(struct peer *peer, struct MHD_Connection *connection, str target) {
    struct http_server *s = peer->door->server;
    struct arena *a = peer->spare ? TAKE(peer->spare) : arena_new(ARENA_BYTES);
    struct call *c = arena_one(a, struct call);
    c->server = s;
    c->connection = connection;
    c->peer = peer;
    c->start_mono_ns = clock_mono_ns();
    c->x = (struct http_exchange){
        .arena = a,
        .raw_target = arena_str(a, target),
        .peer = peer->address,
        .door = &peer->door->pub,
        .start_ns = clock_wall_ns(),
        .span_id = next_random(s),
    };
    peer->call = c;
    link_call(c);
    s->stats.requests++;
    return c;
}

void call_free(struct call *c) {
    struct peer *peer = c->peer;
    struct arena *a = c->x.arena;
    buf_done(&c->body);
    if (peer && !peer->spare && arena_used_bytes(a) <= ARENA_KEEP_BYTES) {
        arena_reset(a);
        peer->spare = a;
    } else {
        arena_free(a);
    }
}

static void run_again(void *arg);

static void run_soon(struct door *d) {
    if (!d->again) d->again = timer_start(d->server->loop, 0, 0, run_again, d);
}

/* The library takes a resumed connection up in its next run only, and signals that run on a descriptor outside of its epoll set. */
void call_wake(struct call *c) {
    if (!c->suspended) return;
    c->suspended = false;
    MHD_resume_connection(c->connection);
    run_soon(c->peer->door);
}

void call_answer(struct call *c, int status, struct MHD_Response *r, size_t reply_bytes) {
    assert(c->phase == CALL_HANDLED && r);
    c->phase = CALL_ANSWERED;
    c->response = r;
    c->status = status;
    c->reply_bytes = reply_bytes;
    call_wake(c);
}

static void refuse(struct call *c, int status, str reason) {
    if (c->refusal) return; /* the first reason is the one to tell */
    c->refusal = status;
    c->refusal_reason = arena_str(c->x.arena, reason);
    if (status == 413) c->server->stats.refused_body++;
    if (status == 503) c->server->stats.refused_busy++;
}

static void tell_gone(struct call *c) {
    if (c->gone) return;
    c->gone = true;
    if (c->stream)
        stream_gone(c->stream);
    else if (c->x.on_gone)
        c->x.on_gone(c->x.on_gone_arg);
}

str http_header(const struct http_exchange *x, str name) {
    const struct call *c = (const struct call *)x;
    const char *value;
    size_t n;
    if (!c->connection || !MHD_lookup_connection_value_n(c->connection, MHD_HEADER_KIND, name.p, name.n, &value, &n) || !value) return STR_NULL;
    return str_n(value, n);
}

static const struct http_pair *find_param(const struct http_exchange *x, str name) {
    for (size_t i = 0; i < x->param_n; i++)
        if (str_eq(x->params[i].name, name)) return &x->params[i];
    return NULL;
}

str http_param(const struct http_exchange *x, str name) {
    const struct http_pair *p = find_param(x, name);
    return p ? p->value : STR_NULL;
}

bool http_has_param(const struct http_exchange *x, str name) {
    return find_param(x, name) != NULL;
}

/* ---- the head of a request ---- */

static bool charge(struct call *c, size_t n) {
    struct http_server *s = c->server;
    if (s->in_flight_body_bytes + n > s->config.limits.in_flight_body_bytes) {
        refuse(c, 503, STR("too many request bodies in memory at once (--http.in-flight-bytes): try again in a second"));
        return false;
    }
    s->in_flight_body_bytes += n;
    c->charged += n;
    return true;
}

static void uncharge(struct call *c) {
    c->server->in_flight_body_bytes -= c->charged;
    c->charged = 0;
}

static enum MHD_Result count_header(void *cls, enum MHD_ValueKind kind, const char *name, const char *value) {
    (void)kind;
    (void)value;
    size_t *n = cls;
    *n += str_eq_nocase(str_c(name), STR("content-length"));
    return MHD_YES;
}

/* RFC 9112 6.3: a request whose length can be read in two ways is an attempt to smuggle a second one past a proxy. */
static bool length_is_ambiguous(struct call *c, str content_length) {
    size_t n = 0;
    if (content_length.p) MHD_get_connection_values(c->connection, MHD_HEADER_KIND, count_header, &n);
    return n > 1 || (n == 1 && http_header(&c->x, STR("transfer-encoding")).p);
}

static void check_length(struct call *c) {
    const struct http_limits *limits = &c->server->config.limits;
    str text = http_header(&c->x, STR("content-length"));
    uint64_t n = 0;
    if (length_is_ambiguous(c, text) || (text.p && !str_u64(text, &n))) {
        refuse(c, 400, STR("the length of the body is ambiguous: send one Content-Length, or Transfer-Encoding: chunked"));
        c->refusal_close = true;
    } else if (n > limits->body_bytes) {
        refuse(c, 413,
               arena_printf(c->x.arena, "the body has %llu bytes, more than the limit of %zu (--http.body-bytes)", (unsigned long long)n,
                            limits->body_bytes));
        c->refusal_close = true;
    } else if (n) {
        buf_reserve(&c->body, MIN(n, (size_t)BODY_FIRST_BYTES));
    }
}

static void trace(struct call *c) {
    struct http_exchange *x = &c->x;
    struct http_traceparent t;
    if (http_parse_traceparent(http_header(x, STR("traceparent")), &t)) {
        x->trace_hi = t.trace_hi;
        x->trace_lo = t.trace_lo;
        x->parent_span_id = t.parent_span_id;
        x->trace_unsampled = !t.sampled;
    } else {
        x->trace_hi = next_random(c->server);
        x->trace_lo = next_random(c->server);
    }
}

static void find_route(struct call *c) {
    struct http_exchange *x = &c->x;
    struct http_match m = http_router_find(c->server->router, x->method, c->peer->door->pub.kind, &c->target);
    c->route = m.route;
    memcpy(x->captures, m.captures, sizeof x->captures);
    if (m.route) return;
    c->refusal_allow = m.allow | HTTP_OPTIONS;
    if (x->method == HTTP_OPTIONS && (m.allow || c->target.asterisk))
        refuse(c, 204, STR(""));
    else if (m.allow)
        refuse(c, 405, arena_printf(x->arena, "this path does not take that method: use %" STR_F, STR_A(http_methods_format(x->arena, m.allow))));
    else
        refuse(c, 404, arena_printf(x->arena, "no such page: %" STR_F, STR_A(str_sub(x->path, 0, 200))));
}

static void read_head(struct call *c, str method) {
    struct http_exchange *x = &c->x;
    struct http_params params = {0};
    struct err e;
    x->method = http_method_parse(method);
    trace(c);
    check_length(c);
    if (c->server->stopping) refuse(c, 503, STR("binnacle is shutting down"));
    if (!http_parse_target(x->arena, x->raw_target, &c->target, &e) || !http_parse_params(x->arena, c->target.query, &params, &e)) {
        refuse(c, 400, err_str(&e));
        return;
    }
    x->path = c->target.path;
    x->params = params.p;
    x->param_n = params.n;
    if (!x->method)
        refuse(c, 501, arena_printf(x->arena, "the method \"%" STR_F "\" is not supported", STR_A(str_sub(method, 0, 40))));
    else
        find_route(c);
}

/* A refused request with a short body is read to its end and answered then, so that the client sees the answer and the connection lives on. One that
 * announces more, or waits for our word (Expect), is answered at once; libmicrohttpd then closes. */
static bool refuse_at_once(struct call *c) {
    if (!c->refusal) return false;
    uint64_t n;
    str expect = http_header(&c->x, STR("expect"));
    str length = http_header(&c->x, STR("content-length"));
    return c->refusal_close || expect.p || (length.p && (!str_u64(length, &n) || n > DISCARD_DECLARED_BYTES));
}

/* ---- the body ---- */

/* false: the client goes on sending what will not be read. */
static bool take_body(struct call *c, str piece) {
    const struct http_limits *limits = &c->server->config.limits;
    c->x.wire_body_bytes += piece.n;
    c->server->stats.bytes_in += piece.n;
    if (!c->refusal && c->body.n + piece.n > limits->body_bytes)
        refuse(c, 413, arena_printf(c->x.arena, "the body has more than %zu bytes (--http.body-bytes)", limits->body_bytes));
    if (!c->refusal && charge(c, piece.n)) {
        buf_add(&c->body, piece);
        return true;
    }
    buf_done(&c->body);
    uncharge(c);
    c->discarded += piece.n;
    return c->discarded <= DISCARD_MAX_BYTES;
}

typedef bool decode_fn(str in, size_t max_bytes, struct buf *out, struct err *e);
static bool keep(str in, size_t max_bytes, struct buf *out, struct err *e) {
    (void)in, (void)max_bytes, (void)out, (void)e;
    return true;
}
static const struct {
    str name;
    decode_fn *decode;
} codings[] = {
    {STR_INIT("gzip"), gzip_decode}, {STR_INIT("x-gzip"), gzip_decode}, {STR_INIT("deflate"), gzip_decode},
    {STR_INIT("zstd"), zstd_decode}, {STR_INIT("identity"), keep},      {STR_INIT("snappy"), keep}, /* remote write's handler decodes it itself */
};

static void decode_with(struct call *c, decode_fn *decode) {
    size_t max = c->server->config.limits.decoded_body_bytes;
    struct buf plain = {0};
    struct err e;
    if (!decode(buf_str(&c->body), max, &plain, &e)) {
        buf_done(&plain);
        if (e.code == ERR_LIMIT)
            refuse(c, 413, arena_printf(c->x.arena, "the decompressed body has more than %zu bytes (--http.decoded-bytes)", max));
        else
            refuse(c, 400, arena_printf(c->x.arena, "cannot decompress the body: %s", e.msg));
        return;
    }
    buf_done(&c->body);
    c->body = plain;
    uncharge(c);
    charge(c, plain.n);
}

static void decode_body(struct call *c) {
    str coding = str_trim(http_header(&c->x, STR("content-encoding")));
    if (coding.n == 0 || c->body.n == 0) return;
    for (size_t i = 0; i < ARRAY_N(codings); i++) {
        if (!str_eq_nocase(codings[i].name, coding)) continue;
        if (codings[i].decode != keep) decode_with(c, codings[i].decode);
        return;
    }
    refuse(
        c, 415,
        arena_printf(c->x.arena, "Content-Encoding \"%" STR_F "\" is not supported: use gzip, deflate, zstd or none", STR_A(str_sub(coding, 0, 40))));
}

static void read_form(struct call *c) {
    struct http_exchange *x = &c->x;
    str type;
    str parameters = http_header(x, STR("content-type"));
    str_cut(&parameters, ';', &type);
    if (x->method != HTTP_POST || !str_eq_nocase(str_trim(type), STR("application/x-www-form-urlencoded"))) return;
    struct http_params all = {0};
    struct err e;
    if (!http_parse_params(x->arena, c->target.query, &all, &e) || !http_parse_params(x->arena, x->body, &all, &e)) {
        refuse(c, 400, err_str(&e));
        return;
    }
    x->params = all.p;
    x->param_n = all.n;
}

/* ---- libmicrohttpd's callbacks ---- */

static void handle(struct call *c) {
    if (!c->refusal) decode_body(c);
    c->x.body = buf_str(&c->body);
    if (!c->refusal) read_form(c);
    c->phase = CALL_HANDLED;
    if (c->refusal)
        call_refuse(c);
    else
        c->route->handle(c->server->config.app, &c->x);
}

static enum MHD_Result send_response(struct call *c) {
    struct MHD_Response *r = TAKE(c->response);
    enum MHD_Result ok = MHD_queue_response(c->connection, (unsigned)c->status, r);
    MHD_destroy_response(r);
    return ok;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
                                  const char *upload, size_t *upload_n, void **request) {
    (void)cls, (void)url, (void)version;
    struct call *c = *request;
    if (c->phase == CALL_ANSWERED) return send_response(c); /* resumed */
    assert(c->phase == CALL_RECEIVING);
    if (!c->head_read) { /* the first of several invocations */
        c->head_read = true;
        read_head(c, str_c(method));
        if (!refuse_at_once(c)) return MHD_YES;
    } else if (*upload_n) {
        str piece = str_n(upload, *upload_n);
        *upload_n = 0;
        return take_body(c, piece) ? MHD_YES : MHD_NO;
    }
    handle(c);
    if (c->phase == CALL_ANSWERED) return send_response(c);
    c->suspended = true;
    MHD_suspend_connection(connection);
    return MHD_YES;
}

static void *on_target(void *cls, const char *target, struct MHD_Connection *connection) {
    (void)cls;
    struct peer *peer = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    return call_new(peer, connection, str_c(target));
}

static void observe(struct call *c, bool completed) { /* completed: the reply went out */
    struct http_server *s = c->server;
    int status = completed && !c->gone ? c->status : 0;
    s->stats.bytes_out += c->reply_bytes;
    s->stats.replies_2xx += status / 100 == 2;
    s->stats.replies_4xx += status / 100 == 4;
    s->stats.replies_5xx += status / 100 == 5;
    if (s->config.observe) s->config.observe(s->config.app, &c->x, c->route, status, c->reply_bytes, clock_mono_ns() - c->start_mono_ns);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **request, enum MHD_RequestTerminationCode code) {
    (void)cls, (void)connection;
    struct call *c = TAKE(*request);
    if (!c) return;
    if (!c->connection) return; /* orphaned */
    c->peer->call = NULL;
    unlink_call(c);
    uncharge(c);
    if (c->response) MHD_destroy_response(TAKE(c->response)); /* answered, but the connection ended before it was resumed */
    if (c->stream) stream_lost(TAKE(c->stream));
    observe(c, code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    call_free(c);
}

/* libmicrohttpd would decode the path in place; we need it as sent to split it first. */
static size_t keep_escapes(void *cls, struct MHD_Connection *connection, char *text) {
    (void)cls, (void)connection;
    return strlen(text);
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context, enum MHD_ConnectionNotificationCode code) {
    struct door *d = cls;
    struct http_server *s = d->server;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        struct peer *peer = TAKE(*context);
        d->connections--;
        s->stats.connections_open--;
        arena_free(peer->spare);
        free(peer);
        return;
    }
    struct peer *peer = mem_zalloc(sizeof *peer);
    peer->door = d;
    peer->address = net_format_address(MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr, peer->text);
    *context = peer;
    d->connections++;
    s->stats.connections_open++;
    int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    struct epoll_event want = {.events = EPOLLRDHUP | EPOLLET, .data.ptr = peer};
    int failed = epoll_ctl(s->hangup_epoll, EPOLL_CTL_ADD, fd, &want); /* leaves the set when the connection is closed */
    assert(!failed);
}

/* ---- running ---- */

static void run_door(void *arg);

static void run_again(void *arg) {
    struct door *d = arg;
    timer_free(TAKE(d->again));
    run_door(d);
}

static void run_door(void *arg) {
    struct door *d = arg;
    for (int i = 0; i < RUNS_PER_TURN; i++) {
        MHD_UNSIGNED_LONG_LONG wait_ms;
        MHD_run(d->daemon);
        if (!MHD_get_timeout(d->daemon, &wait_ms) || wait_ms > 0) return;
    }
    run_soon(d);
}

static void on_tick(void *arg) {
    struct http_server *s = arg;
    for (size_t i = 0; i < s->doors.n; i++)
        if (s->doors.p[i]->connections) run_door(s->doors.p[i]);
}

/* A half-closed connection counts as gone, as in most servers: the reply is still sent if the handler makes one. */
static void on_hangup(void *arg) {
    struct http_server *s = arg;
    struct epoll_event events[64];
    int n = epoll_wait(s->hangup_epoll, events, ARRAY_N(events), 0);
    for (int i = 0; i < n; i++) {
        struct peer *peer = events[i].data.ptr;
        if (peer->call && (peer->call->phase == CALL_HANDLED || peer->call->stream)) tell_gone(peer->call);
    }
}

/* ---- the server ---- */

static const struct http_limits defaults = {
    .body_bytes = 64 << 20,
    .decoded_body_bytes = 256 << 20,
    .header_bytes = 64 << 10,
    .connections = 1024,
    .idle_timeout_s = 120,
    .in_flight_body_bytes = 512 << 20,
};

static struct http_limits with_defaults(struct http_limits l) {
    if (!l.body_bytes) l.body_bytes = defaults.body_bytes;
    if (!l.decoded_body_bytes) l.decoded_body_bytes = defaults.decoded_body_bytes;
    if (!l.header_bytes) l.header_bytes = defaults.header_bytes;
    if (!l.connections) l.connections = defaults.connections;
    if (!l.idle_timeout_s) l.idle_timeout_s = defaults.idle_timeout_s;
    if (!l.in_flight_body_bytes) l.in_flight_body_bytes = defaults.in_flight_body_bytes;
    return l;
}

struct http_server *http_server_new(struct loop *l, const struct http_server_config *c) {
    assert_loop_thread();
    struct http_server *s = mem_zalloc(sizeof *s);
    s->loop = l;
    s->config = *c;
    s->config.limits = with_defaults(c->limits);
    s->router = http_router_new(c->tables, c->table_n);
    if (getrandom(&s->random, sizeof s->random, 0) != sizeof s->random) s->random = (uint64_t)clock_wall_ns();
    s->random |= 1; /* xorshift never leaves zero */
    s->hangup_epoll = epoll_create1(EPOLL_CLOEXEC);
    assert(s->hangup_epoll >= 0);
    s->hangup_watch = watch_start(l, s->hangup_epoll, on_hangup, s);
    s->tick = timer_start(l, TICK_MS, TICK_MS, on_tick, s);
    return s;
}

static struct MHD_Daemon *start_daemon(struct door *d, int fd) {
    const struct http_limits *limits = &d->server->config.limits;
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
    return MHD_start_daemon(flags, 0, NULL, NULL, on_request, d, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, limits->connections,
                            MHD_OPTION_CONNECTION_TIMEOUT, limits->idle_timeout_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT, limits->header_bytes,
                            MHD_OPTION_URI_LOG_CALLBACK, on_target, d, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, d, MHD_OPTION_NOTIFY_COMPLETED,
                            on_completed, d, MHD_OPTION_NOTIFY_CONNECTION, on_connection, d, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
}

bool http_server_listen(struct http_server *s, const char *name, unsigned kind, str address, struct err *e) {
    assert_loop_thread();
    int fd;
    if (!net_bind(address, SOCK_STREAM, &fd, e)) return false;
    struct door *d = mem_zalloc(sizeof *d);
    d->server = s;
    d->pub = (struct http_door){.name = name, .kind = kind, .address = net_local_address(fd, d->address)};
    d->daemon = start_daemon(d, fd);
    if (!d->daemon) {
        close(fd);
        free(d);
        return err_set(e, ERR_IO, "cannot serve %" STR_F ": out of descriptors or memory", STR_A(address));
    }
    d->watch = watch_start(s->loop, MHD_get_daemon_info(d->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd, run_door, d);
    vec_push(&s->doors, d);
    return true;
}

str http_server_address(const struct http_server *s, const char *name) {
    for (size_t i = 0; i < s->doors.n; i++)
        if (str_eq_c(str_c(name), s->doors.p[i]->pub.name)) return s->doors.p[i]->pub.address;
    return STR_NULL;
}

/* The handler keeps the exchange and still replies to it once; the client gets its answer now. */
static void orphan(struct call *c) {
    static char text[] = "binnacle is shutting down\n";
    struct MHD_Response *r = MHD_create_response_from_buffer(sizeof text - 1, text, MHD_RESPMEM_PERSISTENT);
    MHD_queue_response(c->connection, 503, r);
    MHD_destroy_response(r);
    call_wake(c);
    uncharge(c);
    c->status = 503;
    observe(c, true);
    unlink_call(c);
    struct http_door *door = arena_one(c->x.arena, struct http_door);
    *door = (struct http_door){.name = c->x.door->name, .kind = c->x.door->kind, .address = arena_str(c->x.arena, c->x.door->address)};
    c->x.door = door;
    c->x.peer = arena_str(c->x.arena, c->x.peer);
    c->peer->call = NULL;
    c->peer = NULL;
    c->connection = NULL;
}

static void close_door(struct door *d) {
    run_door(d); /* sends what fits the sockets' buffers */
    MHD_stop_daemon(d->daemon);
    timer_free(d->again);
    watch_free(d->watch);
    free(d);
}

void http_server_free(struct http_server *s) {
    if (!s) return;
    assert_loop_thread();
    s->stopping = true;
    for (struct call *c = s->calls; c; c = c->next)
        if (c->phase == CALL_HANDLED || c->stream) tell_gone(c); /* may answer */
    for (struct call *c = s->calls, *next; c; c = next) {
        next = c->next;
        if (c->phase == CALL_HANDLED)
            orphan(c);
        else
            call_wake(c);
    }
    for (size_t i = 0; i < s->doors.n; i++) close_door(s->doors.p[i]);
    watch_free(s->hangup_watch);
    close(s->hangup_epoll);
    timer_free(s->tick);
    http_router_free(s->router);
    vec_done(&s->doors);
    free(s);
}

void http_server_stats(const struct http_server *s, struct http_server_stats *out) {
    *out = s->stats;
}
