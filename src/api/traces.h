/* api/traces: what every trace query protocol shares: look traces up in the pool, by search or by id, write each in the protocol's own words, and
 * answer. Loop thread, except the writer's functions.
 *
 *   struct trace_query *q = trace_query_new(app, x, &writer);
 *   fill q->search, or push to q->ids;            on bad parameters: trace_query_free(q) and refuse
 *   trace_query_start(q);                         owns q and answers x from here on */
#pragma once
#include "api/app.h"
#include "base/map.h"
#include "base/vec.h"
#include "codec/json.h"
#include "model/event.h"
#include "net/grpc_server.h"
#include "query/trace/search.h"

struct trace_query;
struct trace_writer {
    /* In the pool, in this order; they write to q->out. A trace's memory lasts for the call; spans and streams may be changed. */
    void (*open)(struct trace_query *q);
    void (*trace)(struct trace_query *q, struct event *spans, struct stream *streams, size_t n, struct arena *a);
    void (*close)(struct trace_query *q);
    /* Loop thread: answers with an error in the protocol's form. gRPC has its own: NULL. */
    void (*refuse)(struct http_exchange *x, int status, str message);
};

struct trace_query {
    struct http_exchange *x; /* one of both */
    struct grpc_exchange *grpc;
    struct app *app;
    struct trace_search search;   /* the writer may look at it; memory of x->arena */
    VEC(struct trace_id) ids;     /* given: the search is not used */
    bool by_id;                   /* set by trace_query_start when ids were given */
    bool must_exist;              /* 404 when nothing is found */
    bool raw;                     /* the writer's: leave the trace as it came */
    size_t found;                 /* traces written */
    VEC(struct trace_id) missing; /* ids that are not known; for close() */
    struct json_out out;          /* its buf is the reply's body */
    str content_type;             /* of the reply; empty: JSON */
    /* private */
    const struct trace_writer *writer;
    VEC(size_t) ends; /* gRPC: of the messages in out.buf */
    struct job job;
    struct evdb_snapshot *snapshot;
    const struct filter *filter;
    struct map seen; /* of ids, while searching */
    struct arena *scratch;
    struct buf text;
    struct err err;
};
struct trace_query *trace_query_new(struct app *app, struct http_exchange *x, const struct trace_writer *w);
struct trace_query *trace_query_new_grpc(struct app *app, struct grpc_exchange *x, const struct trace_writer *w);
/* gRPC: what was written since the last call is one message. */
void trace_query_end_message(struct trace_query *q);
void trace_query_free(struct trace_query *q);
void trace_query_start(struct trace_query *q);

/* A whole number parameter; absent or empty: fallback. "unable to parse param 'limit': not a whole number: \"x\"" */
MUST_USE bool param_i64(const struct http_exchange *x, const char *name, int64_t fallback, int64_t *out, struct err *e);
/* limit: 1 to 20,000 traces. */
MUST_USE bool param_limit(const struct http_exchange *x, const char *name, size_t fallback, size_t *out, struct err *e);
/* {"k":"v"}: a JSON object of strings (other values: as their text). */
MUST_USE bool trace_tags_json(str text, struct arena *a, struct trace_tag **out, size_t *n, struct err *e);
