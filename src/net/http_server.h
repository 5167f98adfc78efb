/* net/http_server: HTTP/1.1 on libmicrohttpd, driven by the loop. Loop thread only, unless said otherwise.
 *
 * A handler gets a complete request (body collected and Content-Encoding undone within limits) and answers now or later:
 * it may keep the exchange and call http_reply from a job's `done`. Every exchange is answered exactly once. If the client leaves first,
 * on_gone runs (cancel the job) and http_reply is still to be called once; it then only frees. */
#pragma once
#include "base/arena.h"
#include "base/atomic.h"
#include "base/buf.h"
#include "base/err.h"
#include "loop/loop.h"
#include "net/http_parse.h"

enum http_method { HTTP_GET = 1, HTTP_HEAD = 2, HTTP_POST = 4, HTTP_PUT = 8, HTTP_DELETE = 16, HTTP_OPTIONS = 32, HTTP_PATCH = 64 };

struct http_exchange {
    enum http_method method;
    str path;       /* percent-decoded, without the query */
    str raw_target; /* as sent */
    str body;       /* decoded; lives as long as the exchange */
    size_t wire_body_bytes;
    const struct http_pair *params; /* query string, then (form POST) the body's fields; decoded */
    size_t param_n;
    str captures[4];              /* of the route's :names and *, percent-decoded, in order */
    str peer;                     /* "127.0.0.1:54321" */
    const struct http_door *door; /* the listener it came through */
    int64_t start_ns;             /* clock_wall_ns at the request line */
    struct arena *arena;          /* request lifetime */
    void (*on_gone)(void *arg);   /* set by the handler; client closed before the reply */
    void *on_gone_arg;
    /* distributed tracing of binnacle's own requests, set by the observer (see http_observer) */
    uint64_t trace_hi, trace_lo, span_id, parent_span_id;
    bool trace_unsampled; /* the caller's traceparent says: not recorded. The page's own polling does */
};
str http_header(const struct http_exchange *x, str name); /* case-insensitive; absent: empty */
str http_param(const struct http_exchange *x, str name);  /* first; absent: empty */
bool http_has_param(const struct http_exchange *x, str name);

struct http_reply {
    int status;
    str content_type;
    str body;                        /* copied unless body_owned */
    struct buf *body_buf;            /* instead of body: moved out of *body_buf */
    bool body_static;                /* body outlives everything (embedded assets) */
    bool gzipped;                    /* body is already gzip: sent as such, inflated for a client that does not accept it */
    const struct http_pair *headers; /* extra; copied */
    size_t header_n;
};
/* Ends the exchange: x is gone afterwards. Large bodies are gzipped when accepted; 429 and 503 say Retry-After: 1. */
void http_reply(struct http_exchange *x, struct http_reply r);
void http_reply_text(struct http_exchange *x, int status, str text);
void http_reply_json(struct http_exchange *x, int status, struct buf *json); /* moves the buffer */

/* Streaming reply (server-sent events, big exports); ends the exchange like http_reply. */
struct http_stream;
/* on_gone: the client left, or the server is freed; the owner must call http_stream_end. */
struct http_stream *http_stream_begin(struct http_exchange *x, int status, str content_type, void (*on_gone)(void *arg), void *arg);
/* false: more than the stream's buffer limit is unsent; the data was not taken. */
bool http_stream_write(struct http_stream *s, str data);
void http_stream_end(struct http_stream *s);
/* Instead: the rest cannot be sent. The connection is cut, so that the client knows that it does not have everything. */
void http_stream_abort(struct http_stream *s);

/* --- routes: a static const table read top to bottom, ended by {0}; first match wins. Path pattern segments: literal, ":name" (one segment), "*"
 * (rest). */
struct http_route {
    unsigned methods; /* bits of enum http_method; HEAD is answered wherever GET is */
    const char *pattern;
    void (*handle)(void *app, struct http_exchange *x);
    unsigned doors; /* bit set of door kinds where this route answers; 0: every door */
};

enum { HTTP_DOOR_MAIN = 1 };
struct http_door {
    const char *name; /* "main", "elastic", "jaeger", "otlp"... */
    unsigned kind;    /* bit for http_route.doors */
    str address;      /* "127.0.0.1:9090", bound */
};

struct http_limits {             /* 0: the default in brackets */
    size_t body_bytes;           /* on the wire: 413 [64 MiB] */
    size_t decoded_body_bytes;   /* after Content-Encoding: 413 [256 MiB] */
    size_t header_bytes;         /* request line and headers: 431 or 414 [64 KiB] */
    unsigned connections;        /* per listener; more wait in the kernel's backlog [1024] */
    unsigned idle_timeout_s;     /* of a connection without traffic that waits for the client [120] */
    size_t in_flight_body_bytes; /* all requests together: 503 + Retry-After [512 MiB] */
};
enum { HTTP_EXTRA_HEADERS_MAX = 8 };
struct http_server;
struct http_server_config {
    const struct http_route *const *tables; /* several tables, in order */
    size_t table_n;
    void *app; /* first argument of handlers */
    struct http_limits limits;
    /* Called when a reply is finished: access metrics and binnacle's own spans. status 0: client gone. route may be NULL (404). */
    void (*observe)(void *app, const struct http_exchange *x, const struct http_route *route, int status, size_t reply_bytes, int64_t duration_ns);
    /* Adds headers to any reply: writes at most HTTP_EXTRA_HEADERS_MAX to out and says how many. May be NULL. */
    size_t (*headers)(void *app, const struct http_exchange *x, struct http_pair *out);
    /* Called for errors the server itself answers (404, 405, 413, 400): fill *r in the door's own error format; false = plain text. */
    bool (*error_body)(void *app, const struct http_exchange *x, int status, str reason, struct buf *out, str *content_type);
};
struct http_server *http_server_new(struct loop *l, const struct http_server_config *c);
/* Opens one listener "host:port". ERR_IO: "127.0.0.1:9090 is in use by prometheus (pid 123)" when the owner can be found. */
MUST_USE bool http_server_listen(struct http_server *s, const char *name, unsigned kind, str address, struct err *e);
/* The bound address of a door ("127.0.0.1:9090": with port 0 the one the kernel chose); empty: no such door. */
str http_server_address(const struct http_server *s, const char *name);
/* Stops listening, answers what is in flight with 503, frees. Handlers that still have an exchange are told by on_gone and reply to it once as ever;
 * http_header then finds nothing. Not from inside a handler. */
void http_server_free(struct http_server *s);
struct http_server_stats {
    uint64_t requests, replies_2xx, replies_4xx, replies_5xx, connections_open, refused_body, refused_busy, bytes_in, bytes_out;
};
void http_server_stats(const struct http_server *s, struct http_server_stats *out);
