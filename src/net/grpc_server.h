/* net/grpc_server: gRPC over HTTP/2 without TLS (prior knowledge) on nghttp2 and libuv TCP. Loop thread only.
 *
 * As net/http_server: a handler gets a complete unary request (one message, decompressed within limits) and answers now or later; it may keep the
 * exchange and call grpc_reply from a job's `done`. Every exchange is answered exactly once. If the client resets the stream, leaves, or its
 * deadline passes first, on_gone runs (cancel the job) and grpc_reply is still to be called once; it then only frees. A method may send any number
 * of messages (server streaming) with grpc_stream_write and end with grpc_stream_end instead.
 *
 *   net/grpc_message   messages, time-outs, status texts: pure
 *   net/grpc_session   one connection as bytes in, bytes out: HTTP/2, calls, replies; no sockets
 *   net/grpc_server    listeners, sockets, idle connections
 *
 * Refusals: unknown method UNIMPLEMENTED; message or headers too large RESOURCE_EXHAUSTED; no message, or two, UNIMPLEMENTED; bad framing or gzip
 * INTERNAL; too much in flight UNAVAILABLE; deadline passed DEADLINE_EXCEEDED. Other content types get HTTP 415, HTTP/1 clients a readable 505.
 * Sources: gRPC PROTOCOL-HTTP2.md, compression.md, statuscodes.md; RFC 9113 (HTTP/2), RFC 7541 (HPACK; nghttp2's). */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "loop/loop.h"
#include "net/grpc_message.h"

struct grpc_method;
struct grpc_exchange {
    const struct grpc_method *method;
    str body; /* the message, decompressed; lives as long as the exchange */
    size_t wire_body_bytes;
    str peer;                   /* "127.0.0.1:54321" */
    const char *door;           /* name of the listener it came through */
    int64_t start_ns;           /* clock_wall_ns at the headers */
    int64_t deadline_ns;        /* clock_mono_ns; 0: none. For jobs */
    struct arena *arena;        /* request lifetime */
    void (*on_gone)(void *arg); /* set by the handler */
    void *on_gone_arg;
    /* distributed tracing of binnacle's own requests: the caller's traceparent, or fresh ids */
    uint64_t trace_hi, trace_lo, span_id, parent_span_id;
    bool trace_unsampled;
};

struct grpc_reply {
    enum grpc_status status;
    str body;    /* GRPC_OK: the message; copied */
    str text;    /* else: for a person; copied */
    str details; /* an encoded google.rpc.Status for grpc-status-details-bin, or empty; copied */
};
void grpc_reply(struct grpc_exchange *x, struct grpc_reply r); /* ends the exchange: x is gone afterwards */
void grpc_reply_error(struct grpc_exchange *x, enum grpc_status status, str text);

/* One more message to the client. false: it leaves too much unread (limits.message_bytes) or is gone; the message was not taken. */
bool grpc_stream_write(struct grpc_exchange *x, str message);
void grpc_stream_end(struct grpc_exchange *x, enum grpc_status status, str text); /* ends the exchange like grpc_reply */

/* --- methods: a static const table, ended by {0}. */
struct grpc_method {
    const char *path; /* "/package.Service/Method" */
    void (*handle)(void *app, struct grpc_exchange *x);
};

struct grpc_limits {        /* 0: the default in brackets */
    size_t message_bytes;   /* as sent, and decompressed [64 MiB] */
    size_t header_bytes;    /* of one request, uncompressed [64 KiB] */
    unsigned connections;   /* of all doors [1024] */
    unsigned streams;       /* concurrent calls of a connection [256] */
    unsigned idle_ms;       /* connection without traffic that waits for the client [120,000] */
    size_t in_flight_bytes; /* request messages of all calls together [512 MiB] */
};
struct grpc_server;
struct grpc_server_config {
    const struct grpc_method *methods;
    void *app; /* first argument of handlers */
    struct grpc_limits limits;
    /* Called when a call is over: binnacle's own spans. x->method NULL: unknown. GRPC_CANCELLED: the client left before the reply. */
    void (*observe)(void *app, const struct grpc_exchange *x, enum grpc_status status, size_t reply_bytes, int64_t duration_ns);
};
struct grpc_server *grpc_server_new(struct loop *l, const struct grpc_server_config *c);
/* Opens one listener; every method answers behind every one. Errors as net_bind's. name is borrowed. */
MUST_USE bool grpc_server_listen(struct grpc_server *s, const char *name, str address, struct err *e);
/* The bound address of a door; empty: no such door. */
str grpc_server_address(const struct grpc_server *s, const char *name);
/* Stops listening, answers what is in flight with UNAVAILABLE, sends GOAWAY, frees. Handlers that still have an exchange are told by on_gone and
 * reply to it once as ever. Not from inside a handler; the loop must run once more (loop_free does) for the sockets to close. NULL is fine. */
void grpc_server_free(struct grpc_server *s);
struct grpc_server_stats {
    uint64_t calls, calls_ok, calls_failed, calls_gone, connections_open, connections_refused, bytes_in, bytes_out;
};
void grpc_server_stats(const struct grpc_server *s, struct grpc_server_stats *out);
