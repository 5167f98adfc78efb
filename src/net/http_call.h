/* net/http_call: what http_server.c (connections, requests) and http_reply.c (replies, streams) share; private to them. Loop thread.
 *
 * Life of a call:
 *   RECEIVING  made at the request line; the body comes in
 *   HANDLED    a handler has the exchange; when it returned without a reply, the connection is suspended
 *   ANSWERED   the response is libmicrohttpd's; its "completed" callback observes and frees the call
 *
 * A call outlives its connection only when the server is freed while a handler still has it: `connection` is then NULL, and http_reply frees it. */
#pragma once
#include <microhttpd.h>

#include "base/vec.h"
#include "net/http_route.h"
#include "net/listen.h"

struct door {
    struct http_door pub;
    struct http_server *server;
    struct MHD_Daemon *daemon;
    struct watch *watch; /* the daemon's epoll descriptor */
    struct timer *again; /* the daemon has more to do at once */
    unsigned connections;
    char address[NET_ADDRESS_MAX];
};

struct http_server {
    struct loop *loop;
    struct http_server_config config;
    struct http_router *router;
    VEC(struct door *) doors;
    struct timer *tick; /* idle time-outs: libmicrohttpd looks at them only when it runs */
    int hangup_epoll;   /* EPOLLRDHUP of every connection: libmicrohttpd does not look at suspended ones */
    struct watch *hangup_watch;
    struct call *calls; /* all, doubly linked */
    size_t in_flight_body_bytes;
    uint64_t random;
    struct http_server_stats stats;
    bool stopping;
};

struct peer { /* one connection */
    struct door *door;
    struct call *call; /* the request being worked on; NULL between requests */
    struct arena *spare;
    str address;
    char text[NET_ADDRESS_MAX];
};

enum call_phase { CALL_RECEIVING, CALL_HANDLED, CALL_ANSWERED };

struct call {
    struct http_exchange x; /* first: http_exchange pointers are call pointers */
    struct http_server *server;
    struct MHD_Connection *connection; /* NULL: the server is gone */
    struct peer *peer;
    enum call_phase phase;
    bool head_read, suspended, gone;
    const struct http_route *route;
    struct http_target target;
    struct buf body;
    size_t charged; /* of in_flight_body_bytes */
    size_t discarded;
    int64_t start_mono_ns;

    int refusal; /* status the server itself will answer once the body is read and thrown away; 0: none */
    str refusal_reason;
    unsigned refusal_allow;
    bool refusal_close; /* the connection cannot be trusted to be in step any more */

    struct MHD_Response *response;
    int status;
    size_t reply_bytes;
    struct http_stream *stream;
    struct call *next, *prev; /* in server->calls */
};

/* Hands the response to the connection; wakes it when it was suspended. */
void call_answer(struct call *c, int status, struct MHD_Response *r, size_t reply_bytes);
void call_wake(struct call *c); /* resumes the connection if it is suspended */
/* Frees a call whose connection does not know it any more. */
void call_free(struct call *c);
/* Sends the answer that c->refusal describes. */
void call_refuse(struct call *c);

/* A stream's owner is told once that nobody reads any more. */
void stream_gone(struct http_stream *s); /* the client hung up, the connection is still there */
void stream_lost(struct http_stream *s); /* the connection ended; frees the stream if its owner ended it */
