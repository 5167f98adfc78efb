/* net/grpc_session: one gRPC connection without its socket: bytes in, bytes out. Private to net/grpc_*; the fuzz target drives it too. Loop thread.
 *
 * Life of a call: its headers and message come in; a handler holds the exchange; it is answered; nghttp2 closes the stream. The call is freed when
 * the stream is closed *and* no handler holds it, in whichever order: a call whose stream (or whole session) is gone has session == NULL. */
#pragma once
#include "net/grpc_server.h"

struct grpc_shared { /* one per server; outlives its sessions, not the calls that handlers still hold */
    struct loop *loop;
    struct grpc_server_config config; /* limits filled in */
    struct grpc_server_stats stats;
    size_t in_flight_bytes;
    uint64_t random, id_n; /* ids of spans */
};
void grpc_shared_init(struct grpc_shared *s, struct loop *l, const struct grpc_server_config *c);

struct grpc_session;
/* want_write: called when there is something to pull, but never from inside feed or pull; it may free the session. peer is borrowed. */
struct grpc_session *grpc_session_new(struct grpc_shared *shared, str peer, const char *door, void (*want_write)(void *arg), void *arg);
/* Takes what came from the client. false: the connection is to be closed once everything is pulled. */
bool grpc_session_feed(struct grpc_session *s, str data);
/* The next bytes to send, borrowed until the next call; empty: none for now. */
str grpc_session_pull(struct grpc_session *s);
/* Neither side has anything left to say. */
bool grpc_session_over(const struct grpc_session *s);
size_t grpc_session_held_n(const struct grpc_session *s); /* calls that wait for a handler of ours */
/* Answers all calls with UNAVAILABLE and queues GOAWAY. */
void grpc_session_stop(struct grpc_session *s, str why);
void grpc_session_free(struct grpc_session *s); /* not from inside feed or pull */
