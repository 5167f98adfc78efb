#include "net/grpc_server.h"

#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/grpc_session.h"
#include "net/listen.h"

enum {
    TICK_MS = 1000,
    BACKLOG = 1024,
    READ_BYTES = 256 << 10,
    WRITE_BYTES = 256 << 10, /* gathered for one write() */
    WRITE_KEEP_BYTES = 64 << 10,
    FAREWELL_MS = 2000, /* for the client to read our last words and close */
};

struct listener {
    uv_tcp_t tcp;
    struct grpc_server *server; /* NULL: closing */
    const char *name;
    char text[NET_ADDRESS_MAX];
    str address;
    struct listener *next;
};

struct conn {
    uv_tcp_t tcp;
    struct grpc_server *server;
    struct grpc_session *session; /* NULL: closing */
    uv_write_t write;
    uv_shutdown_t shutdown;
    struct buf out;
    size_t out_at;
    bool writing;   /* `out` is libuv's */
    bool finishing; /* all is said; waiting for the client to close */
    int64_t active_ns;
    char peer[NET_ADDRESS_MAX];
    struct conn *next, *prev; /* in server->conns */
};

struct grpc_server {
    struct grpc_shared shared;
    struct listener *listeners;
    struct conn *conns;
    struct timer *tick;
    char *read_buffer; /* of all connections: bytes are consumed at once */
};

static void free_conn(uv_handle_t *h) {
    struct conn *c = (struct conn *)h;
    buf_done(&c->out);
    free(c);
}

/* Not from inside feed or pull. */
static void conn_close(struct conn *c) {
    if (!c->session) return;
    struct grpc_server *s = c->server;
    if (c->next) c->next->prev = c->prev;
    if (c->prev) c->prev->next = c->next;
    if (s->conns == c) s->conns = c->next;
    s->shared.stats.connections_open--;
    uv_close((uv_handle_t *)&c->tcp, free_conn);
    grpc_session_free(TAKE(c->session));
}

/* ---- writing ---- */

static void conn_flush(struct conn *c);

static void on_shutdown(uv_shutdown_t *request, int status) {
    (void)request, (void)status; /* the client closes now, or the tick does */
}

/* Closing at once while the client still sends would reset the connection and with it what it has not yet read. */
static void conn_finish(struct conn *c) {
    if (c->finishing) return;
    c->finishing = true;
    c->active_ns = clock_mono_ns();
    if (uv_shutdown(&c->shutdown, (uv_stream_t *)&c->tcp, on_shutdown) != 0) conn_close(c);
}

static void on_written(uv_write_t *request, int status) {
    struct conn *c = CONTAINER_OF(request, struct conn, write);
    c->writing = false;
    if (!c->session) return;
    c->active_ns = clock_mono_ns();
    if (status != 0) return conn_close(c);
    conn_flush(c);
}

static void gather(struct conn *c) {
    buf_clear(&c->out);
    if (c->out.cap > WRITE_KEEP_BYTES) buf_done(&c->out);
    for (str piece; c->out.n < WRITE_BYTES && (piece = grpc_session_pull(c->session)).n;) buf_add(&c->out, piece);
}

/* Sends what the session has to say, as far as the socket takes it. */
static void conn_flush(struct conn *c) {
    if (c->writing || c->finishing) return;
    for (gather(c); c->out.n; gather(c)) {
        uv_buf_t b = uv_buf_init(c->out.p, (unsigned)c->out.n);
        int n = uv_try_write((uv_stream_t *)&c->tcp, &b, 1);
        if (n < 0 && n != UV_EAGAIN) return conn_close(c);
        size_t sent = n > 0 ? (size_t)n : 0;
        if (sent == c->out.n) continue;
        b = uv_buf_init(c->out.p + sent, (unsigned)(c->out.n - sent));
        c->writing = true;
        if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &b, 1, on_written) != 0) conn_close(c);
        return;
    }
    if (grpc_session_over(c->session)) conn_finish(c);
}

static void on_want_write(void *arg) {
    conn_flush(arg);
}

/* ---- reading ---- */

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *out) {
    (void)suggested;
    *out = uv_buf_init(((struct conn *)h)->server->read_buffer, READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b) {
    struct conn *c = (struct conn *)stream;
    if (n == 0) return;
    if (n < 0) return conn_close(c);
    if (c->finishing) return;
    c->active_ns = clock_mono_ns();
    grpc_session_feed(c->session, str_n(b->base, (size_t)n));
    conn_flush(c);
}

static void free_handle(uv_handle_t *h) {
    free(h);
}

static void on_connection(uv_stream_t *stream, int status) {
    struct listener *l = (struct listener *)stream;
    struct grpc_server *s = l->server;
    if (status != 0) return;
    struct conn *c = mem_zalloc(sizeof *c);
    uv_tcp_init(loop_uv(s->shared.loop), &c->tcp);
    bool full = s->shared.stats.connections_open >= s->shared.config.limits.connections;
    s->shared.stats.connections_refused += full;
    if (uv_accept(stream, (uv_stream_t *)&c->tcp) != 0 || full) return uv_close((uv_handle_t *)&c->tcp, free_handle);
    struct sockaddr_storage peer = {0};
    int peer_n = sizeof peer;
    uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&peer, &peer_n);
    uv_tcp_nodelay(&c->tcp, 1);
    c->server = s;
    c->active_ns = clock_mono_ns();
    c->session = grpc_session_new(&s->shared, net_format_address((struct sockaddr *)&peer, c->peer), l->name, on_want_write, c);
    c->next = s->conns;
    if (c->next) c->next->prev = c;
    s->conns = c;
    s->shared.stats.connections_open++;
    uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
}

/* ---- the server ---- */

/* A silent connection is told GOAWAY and closed, unless it waits for a handler of ours. One that does not read, or stops in the middle of a
 * request, is silent too. */
static void check_idle(struct conn *c, int64_t now_ns) {
    int64_t idle_ms = (now_ns - c->active_ns) / NS_PER_MS;
    if (c->finishing && idle_ms >= FAREWELL_MS) return conn_close(c);
    if (c->finishing || idle_ms < c->server->shared.config.limits.idle_ms) return;
    if (c->writing) return conn_close(c);
    if (grpc_session_held_n(c->session)) return;
    grpc_session_stop(c->session, STR("the connection was silent for too long"));
    conn_flush(c);
    if (c->session && !c->writing) conn_finish(c);
}

static void on_tick(void *arg) {
    struct grpc_server *s = arg;
    int64_t now_ns = clock_mono_ns();
    for (struct conn *c = s->conns, *next; c; c = next) {
        next = c->next;
        check_idle(c, now_ns);
    }
}

struct grpc_server *grpc_server_new(struct loop *l, const struct grpc_server_config *c) {
    assert_loop_thread();
    struct grpc_server *s = mem_zalloc(sizeof *s);
    grpc_shared_init(&s->shared, l, c);
    s->read_buffer = mem_alloc(READ_BYTES);
    s->tick = timer_start(l, TICK_MS, TICK_MS, on_tick, s);
    return s;
}

bool grpc_server_listen(struct grpc_server *s, const char *name, str address, struct err *e) {
    assert_loop_thread();
    int fd;
    if (!net_bind(address, SOCK_STREAM, &fd, e)) return false;
    struct listener *l = mem_zalloc(sizeof *l);
    l->server = s;
    l->name = name;
    l->address = net_local_address(fd, l->text);
    uv_tcp_init(loop_uv(s->shared.loop), &l->tcp);
    int failed = uv_tcp_open(&l->tcp, fd);
    if (failed) close(fd);
    if (!failed) failed = uv_listen((uv_stream_t *)&l->tcp, BACKLOG, on_connection);
    if (failed) {
        uv_close((uv_handle_t *)&l->tcp, free_handle);
        return err_set(e, ERR_IO, "cannot listen on %" STR_F ": %s", STR_A(address), uv_strerror(failed));
    }
    l->next = s->listeners;
    s->listeners = l;
    return true;
}

str grpc_server_address(const struct grpc_server *s, const char *name) {
    for (const struct listener *l = s->listeners; l; l = l->next)
        if (strcmp(l->name, name) == 0) return l->address;
    return STR_NULL;
}

void grpc_server_free(struct grpc_server *s) {
    if (!s) return;
    assert_loop_thread();
    timer_free(s->tick);
    while (s->listeners) {
        struct listener *l = s->listeners;
        s->listeners = l->next;
        uv_close((uv_handle_t *)&l->tcp, free_handle);
    }
    while (s->conns) {
        struct conn *c = s->conns;
        grpc_session_stop(c->session, STR("binnacle is shutting down"));
        conn_flush(c);
        conn_close(c);
    }
    free(s->read_buffer);
    free(s);
}

void grpc_server_stats(const struct grpc_server *s, struct grpc_server_stats *out) {
    *out = s->shared.stats;
}
