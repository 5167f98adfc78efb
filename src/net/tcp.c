#include "net/tcp.h"

#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/listen.h"

enum {
    BACKLOG = 256,
    READ_BYTES = 64 << 10,
    UNREAD_MAX = 1 << 20, /* answers the peer does not read */
    KEEPALIVE_S = 60,     /* notices peers that vanished without a word */
    FAREWELL_MS = 2000,   /* for the peer to take our last words */
};

struct tcp_conn {
    uv_tcp_t tcp;
    struct tcp_server *server;
    void *state;
    struct buf in;
    struct buf out;     /* not yet with libuv */
    struct buf sending; /* libuv's while `writing` */
    size_t want;
    uv_write_t write;
    uv_shutdown_t shutdown;
    struct timer *farewell;
    bool reading, held, ended, writing, closed /* by its owner */, closing /* the handle */;
    char peer_text[NET_ADDRESS_MAX];
    str peer;
    struct tcp_conn *next, *prev; /* in server->conns */
};

struct tcp_server {
    uv_tcp_t tcp;
    struct loop *loop;
    struct tcp_handler handler;
    struct tcp_limits limits;
    struct tcp_conn *conns;
    struct tcp_server_stats stats;
    char text[NET_ADDRESS_MAX];
    str address;
};

static void free_conn(uv_handle_t *h) {
    struct tcp_conn *c = (struct tcp_conn *)h;
    buf_done(&c->in);
    buf_done(&c->out);
    buf_done(&c->sending);
    free(c);
}

static void close_handle(struct tcp_conn *c) {
    if (c->closing) return;
    c->closing = true;
    timer_free(c->farewell);
    if (c->next) c->next->prev = c->prev;
    if (c->prev) c->prev->next = c->next;
    if (c->server->conns == c) c->server->conns = c->next;
    c->server->stats.connections_open--;
    uv_close((uv_handle_t *)&c->tcp, free_conn);
}

/* ---- reading ---- */

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *out) {
    (void)suggested;
    struct tcp_conn *c = (struct tcp_conn *)h;
    buf_reserve(&c->in, READ_BYTES);
    *out = uv_buf_init(c->in.p + c->in.n, READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b);

static void update_reading(struct tcp_conn *c) {
    bool read = !c->held && !c->ended && !c->closed && c->in.n < c->want;
    if (read == c->reading) return;
    c->reading = read;
    if (read)
        uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
    else
        uv_read_stop((uv_stream_t *)&c->tcp);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b) {
    struct tcp_conn *c = (struct tcp_conn *)stream;
    (void)b; /* the room behind c->in */
    if (n == 0) return;
    if (n > 0) {
        c->in.n += (size_t)n;
        c->server->stats.bytes_in += (uint64_t)n;
    } else {
        c->ended = true; /* a reset too: what came before it counts */
    }
    update_reading(c);
    c->server->handler.ready(c->state);
}

str tcp_bytes(const struct tcp_conn *c) {
    return buf_str(&c->in);
}

void tcp_take(struct tcp_conn *c, size_t n_bytes) {
    assert(n_bytes <= c->in.n);
    c->in.n -= n_bytes;
    memmove(c->in.p, c->in.p + n_bytes, c->in.n);
    if (c->in.n == 0 && c->in.cap > 4 * READ_BYTES) buf_done(&c->in);
    update_reading(c);
}

bool tcp_ended(const struct tcp_conn *c) {
    return c->ended;
}
void tcp_want(struct tcp_conn *c, size_t want) {
    c->want = want;
    update_reading(c);
}
void tcp_hold(struct tcp_conn *c, bool hold) {
    c->held = hold;
    update_reading(c);
}
str tcp_peer(const struct tcp_conn *c) {
    return c->peer;
}

/* ---- writing ---- */

static void on_shutdown(uv_shutdown_t *request, int status) {
    (void)status;
    close_handle(CONTAINER_OF(request, struct tcp_conn, shutdown));
}
static void on_farewell(void *arg) {
    close_handle(arg);
}

static void give_up(struct tcp_conn *c) {
    buf_clear(&c->out);
    if (c->closed) return close_handle(c);
    c->ended = true;
    update_reading(c);
}

static void flush(struct tcp_conn *c);

static void on_written(uv_write_t *request, int status) {
    struct tcp_conn *c = CONTAINER_OF(request, struct tcp_conn, write);
    c->writing = false;
    if (c->closing) return;
    if (status != 0) return give_up(c);
    flush(c);
}

static void flush(struct tcp_conn *c) {
    if (c->writing || c->closing) return;
    if (c->out.n == 0) {
        if (c->closed && uv_shutdown(&c->shutdown, (uv_stream_t *)&c->tcp, on_shutdown) != 0) close_handle(c);
        return;
    }
    struct buf all = c->out; /* what is written from now on collects in the other buffer */
    c->out = c->sending;
    c->sending = all;
    buf_clear(&c->out);
    uv_buf_t b = uv_buf_init(all.p, (unsigned)all.n);
    int n = uv_try_write((uv_stream_t *)&c->tcp, &b, 1);
    if (n < 0 && n != UV_EAGAIN) return give_up(c);
    size_t sent = n > 0 ? (size_t)n : 0;
    if (sent == all.n) return flush(c);
    b = uv_buf_init(all.p + sent, (unsigned)(all.n - sent));
    c->writing = true;
    if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &b, 1, on_written) != 0) c->writing = false, give_up(c);
}

void tcp_write(struct tcp_conn *c, str data) {
    if (c->closing || data.n == 0) return;
    if (c->out.n + data.n > UNREAD_MAX) return give_up(c);
    buf_add(&c->out, data);
    flush(c);
}

/* Closing at once while the peer still sends would reset the connection, and with it what it has not yet read. */
void tcp_close(struct tcp_conn *c) {
    if (c->closed) return;
    c->closed = true;
    update_reading(c);
    c->farewell = timer_start(c->server->loop, FAREWELL_MS, 0, on_farewell, c);
    flush(c);
}

/* ---- the server ---- */

static void free_handle(uv_handle_t *h) {
    free(h);
}

static void on_connection(uv_stream_t *stream, int status) {
    struct tcp_server *s = (struct tcp_server *)stream;
    if (status != 0) return;
    struct tcp_conn *c = mem_zalloc(sizeof *c);
    uv_tcp_init(loop_uv(s->loop), &c->tcp);
    bool full = s->stats.connections_open >= s->limits.connections;
    s->stats.connections_refused += full;
    if (uv_accept(stream, (uv_stream_t *)&c->tcp) != 0 || full) return uv_close((uv_handle_t *)&c->tcp, free_handle);
    struct sockaddr_storage peer = {0};
    int peer_n = sizeof peer;
    uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&peer, &peer_n);
    uv_tcp_keepalive(&c->tcp, 1, KEEPALIVE_S);
    uv_tcp_nodelay(&c->tcp, 1);
    c->peer = net_format_address((struct sockaddr *)&peer, c->peer_text);
    c->server = s;
    c->want = s->limits.want;
    c->next = s->conns;
    if (c->next) c->next->prev = c;
    s->conns = c;
    s->stats.connections++;
    s->stats.connections_open++;
    c->state = s->handler.open(s->handler.arg, c);
    update_reading(c);
}

bool tcp_listen(struct loop *l, str address, const struct tcp_handler *h, const struct tcp_limits *limits, struct tcp_server **out, struct err *e) {
    assert_loop_thread();
    int fd;
    if (!net_bind(address, SOCK_STREAM, &fd, e)) return false;
    struct tcp_server *s = mem_zalloc(sizeof *s);
    s->loop = l;
    s->handler = *h;
    s->limits = *limits;
    s->address = net_local_address(fd, s->text);
    uv_tcp_init(loop_uv(l), &s->tcp);
    int failed = uv_tcp_open(&s->tcp, fd);
    if (failed) close(fd);
    if (!failed) failed = uv_listen((uv_stream_t *)&s->tcp, BACKLOG, on_connection);
    if (failed) {
        uv_close((uv_handle_t *)&s->tcp, free_handle);
        return err_set(e, ERR_IO, "cannot listen on %" STR_F ": %s", STR_A(address), uv_strerror(failed));
    }
    *out = s;
    return true;
}

void tcp_server_free(struct tcp_server *s) {
    if (!s) return;
    assert_loop_thread();
    while (s->conns) {
        struct tcp_conn *c = s->conns;
        if (!c->closed) s->handler.gone(c->state);
        close_handle(c);
    }
    uv_close((uv_handle_t *)&s->tcp, free_handle);
}

str tcp_server_address(const struct tcp_server *s) {
    return s->address;
}
void tcp_server_stats(const struct tcp_server *s, struct tcp_server_stats *out) {
    *out = s->stats;
}
