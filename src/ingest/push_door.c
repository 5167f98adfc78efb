#include "ingest/push_door.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/tcp.h"
#include "net/udp.h"

enum {
    WANT_BYTES = 256 << 10,  /* read ahead of the decoder */
    INLINE_BYTES = 64 << 10, /* more is decoded in the pool */
    RETRY_MS = 1000,
};

struct push_door {
    struct push_door_settings settings;
    struct loop *loop;
    struct pool *pool;
    struct sink *sink;
    struct tcp_server *tcp; /* one of both */
    struct udp *udp;
    void *udp_state;
    bool stopped, warned;
    struct push_door_stats stats;
};

struct conn {
    struct job job; /* first: job pointers are conn pointers */
    struct push_door *door;
    struct tcp_conn *tcp;
    void *state;
    struct timer *retry; /* waiting to try again */
    bool busy;           /* with the pool or the store */
    bool ok;             /* what decode said */
    struct push_take take;
    struct err err;
    size_t events; /* in the batch, which the store has */
};

static void conn_free(struct conn *c) {
    timer_free(c->retry);
    c->door->settings.protocol->free(c->state);
    free(c);
}

static void close_conn(struct conn *c) {
    tcp_close(c->tcp);
    conn_free(c);
}

/* --- one round: decode -> store -> answer */

static void warn_once(struct push_door *d, str peer, const struct err *e) {
    if (!d->warned)
        log_warn("push", "not readable door=%s peer=%" STR_F " error=\"%s\" (counted from now on)", d->settings.name, STR_A(peer), e->msg);
    d->warned = true;
}

static void count(struct push_door *d, const struct push_take *t, size_t events, str peer) {
    d->stats.events += events;
    d->stats.unreadable += t->unreadable;
    d->sink->count_refused(d->sink, SIGNAL_LOGS, t->rejected);
    if (t->unreadable) d->sink->count_refused(d->sink, SIGNAL_LOGS, ITEMS_UNKNOWN);
    if (t->why.code != ERR_NONE) warn_once(d, peer, &t->why);
}

static void advance(struct conn *c);

static void retry(void *arg) {
    struct conn *c = arg;
    timer_free(TAKE(c->retry));
    advance(c);
}
static void try_later(struct conn *c) {
    c->busy = false;
    c->door->stats.retries++;
    buf_done(&c->take.reply);
    if (!c->door->stopped) c->retry = timer_start(c->door->loop, RETRY_MS, 0, retry, c);
}

/* A message has begun and its end is not there. true: go on reading. */
static bool wait_for_more(struct conn *c) {
    size_t have = tcp_bytes(c->tcp).n, max = c->door->settings.message_bytes_max;
    struct push_take lost = {.unreadable = true};
    if (have == 0 && !tcp_ended(c->tcp)) return tcp_want(c->tcp, WANT_BYTES), true;
    if (have && have <= max && !tcp_ended(c->tcp)) return tcp_want(c->tcp, MIN(MAX((size_t)WANT_BYTES, have * 2), max + 1)), true;
    if (have && tcp_ended(c->tcp)) err_set(&lost.why, ERR_INPUT, "the connection ended within a message");
    if (have > max) err_set(&lost.why, ERR_LIMIT, "a message of more than %zu bytes", max);
    if (have) count(c->door, &lost, 0, tcp_peer(c->tcp));
    return false;
}

static void settle(struct conn *c) {
    struct push_take t = c->take;
    c->busy = false;
    if (!c->ok) t.unreadable = t.over = true, t.why = c->err;
    count(c->door, &t, c->events, tcp_peer(c->tcp));
    tcp_write(c->tcp, buf_str(&t.reply));
    buf_done(&t.reply);
    tcp_take(c->tcp, t.used);
    if (t.over || (t.used == 0 && !wait_for_more(c))) return close_conn(c);
    if (t.used) advance(c);
}

static void pushed(void *arg, const struct push_result *r) {
    struct conn *c = arg;
    if (r->dropped && r->stored == 0) return try_later(c);
    c->events = r->stored;
    settle(c);
}

static void decode(struct job *j) {
    struct conn *c = (struct conn *)j;
    c->take = (struct push_take){0};
    c->events = 0;
    c->ok = c->door->settings.protocol->decode(c->state, tcp_bytes(c->tcp), tcp_ended(c->tcp), clock_wall_ns(), &c->take, &c->err);
}
static void decoded(struct job *j) {
    struct conn *c = (struct conn *)j;
    struct sink *sink = c->door->sink;
    tcp_hold(c->tcp, false);
    if (c->take.batch && c->take.batch->event_n) return sink->push_events(sink, TAKE(c->take.batch), pushed, c);
    event_batch_free(TAKE(c->take.batch));
    settle(c);
}

static void advance(struct conn *c) {
    if (c->busy || c->retry || c->door->stopped) return;
    size_t have = tcp_bytes(c->tcp).n;
    if (have == 0 && !wait_for_more(c)) return close_conn(c);
    if (have == 0) return;
    c->busy = true;
    c->job = (struct job){.run = decode, .done = decoded};
    if (have > INLINE_BYTES) {
        struct err e;
        tcp_hold(c->tcp, true); /* the bytes stay where they are */
        if (pool_submit(c->door->pool, LANE_BACKGROUND, &c->job, &e)) return;
        tcp_hold(c->tcp, false);
        return try_later(c);
    }
    decode(&c->job);
    decoded(&c->job);
}

/* --- TCP */

static void *on_open(void *arg, struct tcp_conn *tcp) {
    struct push_door *d = arg;
    struct conn *c = mem_zalloc(sizeof *c);
    AUTO(buf_done) struct buf greeting = {0};
    c->door = d;
    c->tcp = tcp;
    c->state = d->settings.protocol->open(d->settings.settings, &greeting);
    tcp_write(tcp, buf_str(&greeting));
    return c;
}
static void on_ready(void *state) {
    advance(state);
}
static void on_gone(void *state) {
    struct conn *c = state;
    assert(!c->busy); /* the pool and the store have ended before */
    conn_free(c);
}

/* --- UDP */

static void on_packet(void *arg, str packet, str peer) {
    struct push_door *d = arg;
    struct push_take t = {0};
    struct err e;
    d->stats.bytes += packet.n;
    if (!d->settings.protocol->decode(d->udp_state, packet, true, clock_wall_ns(), &t, &e)) t.unreadable = true, t.why = e;
    count(d, &t, t.batch ? t.batch->event_n : 0, peer);
    buf_done(&t.reply);
    if (t.batch && t.batch->event_n)
        d->sink->push_events(d->sink, t.batch, NULL, NULL);
    else
        event_batch_free(t.batch);
}

static bool listen_tcp(struct push_door *d, struct err *e) {
    const struct tcp_handler h = {on_open, on_ready, on_gone, d};
    const struct tcp_limits limits = {d->settings.connections, WANT_BYTES};
    return tcp_listen(d->loop, d->settings.address, &h, &limits, &d->tcp, e);
}
static bool listen_udp(struct push_door *d, struct err *e) {
    if (!udp_open(d->loop, d->settings.address, d->settings.udp_buffer_bytes, on_packet, d, &d->udp, e)) return false;
    AUTO(buf_done) struct buf greeting = {0};
    d->udp_state = d->settings.protocol->open(d->settings.settings, &greeting);
    return true;
}

bool push_door_open(struct loop *l, struct pool *p, struct sink *sink, const struct push_door_settings *s, struct push_door **out, struct err *e) {
    assert_loop_thread();
    struct push_door *d = mem_zalloc(sizeof *d);
    *d = (struct push_door){.settings = *s, .loop = l, .pool = p, .sink = sink};
    if (s->udp ? !listen_udp(d, e) : !listen_tcp(d, e)) {
        free(d);
        return false;
    }
    *out = d;
    return true;
}

void push_door_stop(struct push_door *d) {
    if (!d) return;
    d->stopped = true;
    udp_free(TAKE(d->udp));
}

void push_door_free(struct push_door *d) {
    if (!d) return;
    push_door_stop(d);
    tcp_server_free(d->tcp);
    if (d->udp_state) d->settings.protocol->free(d->udp_state);
    free(d);
}

void push_door_stats(const struct push_door *d, struct push_door_stats *out) {
    *out = d->stats;
    if (d->tcp) {
        struct tcp_server_stats t;
        tcp_server_stats(d->tcp, &t);
        out->bytes = t.bytes_in;
        out->connections = t.connections;
        out->connections_refused = t.connections_refused;
        out->connections_open = t.connections_open;
    }
    if (d->udp) {
        struct udp_stats u;
        udp_stats(d->udp, &u);
        out->kernel_drops = u.kernel_drops;
    }
}

str push_door_address(const struct push_door *d, struct arena *a) {
    char text[NET_ADDRESS_MAX];
    return arena_str(a, d->tcp ? tcp_server_address(d->tcp) : udp_address(d->udp, text));
}
