/* ingest/self: binnacle's own log lines and requests, kept as logs and traces of service "binnacle". Loop thread, but self_log_tap (any thread).
 * Bounded: what does not fit between two flushes is dropped and counted. */
#pragma once
#include "base/log.h"
#include "loop/loop.h"
#include "model/sink.h"

struct self;
struct self *self_new(struct loop *l, struct sink *sink, bool logs, bool traces); /* logs: installs itself as the log tap */
void self_free(struct self *s);                                                   /* flushes first */
void self_flush(struct self *s);

struct self_request { /* borrowed for the call */
    str name;         /* "GET /api/v1/query": the route, not the URL */
    str target, peer, door;
    uint64_t trace_hi, trace_lo, span_id, parent_span_id;
    int64_t start_ns, duration_ns;
    int status; /* 0: the client left */
    size_t request_bytes, reply_bytes;
};
void self_add_request(struct self *s, const struct self_request *r);
uint64_t self_dropped(const struct self *s);
