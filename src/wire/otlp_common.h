/* wire/otlp_common: what OTLP's three signals share: resources, scopes, partial success, and collecting events. Pure; any thread.
 * Source: opentelemetry-proto resource.proto, common.proto; OTLP specification 1.x "Partial Success". */
#pragma once
#include "base/vec.h"
#include "model/batch.h"
#include "wire/otlp_msg.h"

/* What the reply says beside 200: items refused one by one, and why. */
struct otlp_partial {
    size_t rejected;
    char reason[232];  /* the first reason; "" when rejected is 0 */
    size_t base64_ids; /* JSON ids in base64 instead of hex: accepted, but against the specification */
};
void otlp_reject(struct otlp_partial *p, const char *fmt, ...) PRINTF_LIKE(2, 3);

struct otlp_attrs {
    const struct field *p;
    size_t n;
};
struct otlp_resource {
    struct otlp_attrs attrs;
};
struct otlp_scope {
    str name, version;
    struct otlp_attrs attrs;
};
extern const struct otlp_msg otlp_resource_msg, otlp_scope_msg;

/* Events of a trace or log request as they come: an event names the scope group it is in, whose stream is completed when scope and resource have
 * been read whole (their order in the message is free). */
struct otlp_events {
    struct event_batch *batch;
    struct otlp_partial *partial;
    int64_t now_ns;
    VEC(struct event) events;
    VEC(struct stream) streams;
    size_t resource_first; /* first stream of the resource being read */
    size_t scope_first;    /* first event of the scope being read */
};
void otlp_event_add(struct otlp_events *c, const struct event *ev);
void otlp_scope_done(struct otlp_events *c, const struct otlp_scope *scope);
void otlp_resource_done(struct otlp_events *c, const struct otlp_resource *resource);

/* Reads a whole request with `msg`, whose done() callbacks find the struct otlp_events in ctx->arg. */
MUST_USE bool otlp_events_decode(enum otlp_encoding enc, str body, enum event_kind kind, const struct otlp_msg *msg, int64_t now_ns,
                                 struct event_batch **out, struct otlp_partial *partial, struct err *e);
/* Decoded form of one request: OTLP_BYTES_MAX beyond the body itself. */
enum { OTLP_BYTES_MAX = 512 << 20 };
