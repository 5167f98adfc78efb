/* net/tcp: a listener for protocols that push over a plain connection. Bytes collect per connection until its owner takes them; as soon as `want` of
 * them wait, nothing more is read, so that a peer of someone who cannot take more waits in its own send. Loop thread.
 *
 * A connection belongs to its owner from open until the owner calls tcp_close, also when the peer is gone; tcp_server_free ends all that are left. */
#pragma once
#include "base/err.h"
#include "loop/loop.h"

struct tcp_server;
struct tcp_conn;
struct tcp_handler {
    /* A new connection: yields the owner's state, the argument of the others. It may write. */
    void *(*open)(void *arg, struct tcp_conn *c);
    /* More bytes have come, or the peer has ended. It may close the connection. */
    void (*ready)(void *state);
    /* By tcp_server_free only: the connection is gone when this returns. */
    void (*gone)(void *state);
    void *arg;
};
struct tcp_limits {
    unsigned connections; /* more are closed at once and counted */
    size_t want;          /* bytes waiting at which reading pauses, until tcp_want says otherwise */
};
/* Errors: those of net_bind. */
MUST_USE bool tcp_listen(struct loop *l, str address, const struct tcp_handler *h, const struct tcp_limits *limits, struct tcp_server **out,
                         struct err *e);
void tcp_server_free(struct tcp_server *s); /* NULL is fine */
str tcp_server_address(const struct tcp_server *s);
struct tcp_server_stats {
    uint64_t connections, connections_refused, bytes_in;
    size_t connections_open;
};
void tcp_server_stats(const struct tcp_server *s, struct tcp_server_stats *out);

str tcp_bytes(const struct tcp_conn *c); /* what has come and was not taken; borrowed until the loop runs again, or tcp_take */
void tcp_take(struct tcp_conn *c, size_t n_bytes);
bool tcp_ended(const struct tcp_conn *c); /* the peer sends no more: tcp_bytes is all there is */
void tcp_want(struct tcp_conn *c, size_t want);
/* true: no more is read, and tcp_bytes stays where it is (for a job), until false. */
void tcp_hold(struct tcp_conn *c, bool hold);
/* Sends soon, in order. A peer that does not read its answers (1 MiB of them) counts as ended. */
void tcp_write(struct tcp_conn *c, str data);
void tcp_close(struct tcp_conn *c); /* sends what was written, as far as the peer takes it within some seconds */
str tcp_peer(const struct tcp_conn *c);
