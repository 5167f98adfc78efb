/* api/intake: the way of a pushed body into the store, the same for every push protocol: decode (small bodies on the loop, large ones in the pool),
 * push, and answer when the store says that all of it is durable. Loop thread, except decode. */
#pragma once
#include "api/app.h"
#include "net/grpc_server.h"
#include "wire/otlp_common.h"

struct intake;
struct intake_kind {
    enum signal signal; /* of all it decodes */
    /* Any thread: reads r->body; fills r->events or r->metrics and r->partial. Must not touch anything else. */
    bool (*decode)(struct intake *r, struct err *e);
    /* Loop thread, once: answers r->x or r->grpc. r->err tells a failed decode, a full queue or a store that took nothing; else r->partial has all
     * that was refused, by the decoder and by the store. */
    void (*reply)(struct intake *r);
    /* Loop thread, or NULL: the decoded batches on their way to the store; may refuse items as the decoder does. */
    void (*before_push)(struct intake *r);
};
struct intake {
    struct http_exchange *x; /* one of both */
    struct grpc_exchange *grpc;
    str body; /* of whichever it is */
    struct app *app;
    int variant; /* the kind's own: an encoding, a signal */
    int64_t now_ns;
    struct event_batch *events;    /* moved to the store */
    struct metric_batch **metrics; /* entries moved to the store; the array freed with free() */
    size_t metric_n;
    struct otlp_partial partial;
    size_t stored, histograms, exemplars; /* stored items; metrics: native histograms among them, and the exemplars beside them */
    size_t skipped;                       /* the kind's own: items among partial.rejected that make no bad reply */
    struct err err;                       /* code ERR_NONE: all went well */
    /* private */
    struct job job;
    const struct intake_kind *kind;
    size_t pending, dropped, over_limit;
};
void intake_start(struct app *app, struct http_exchange *x, const struct intake_kind *kind, int variant);
void intake_start_grpc(struct app *app, struct grpc_exchange *x, const struct intake_kind *kind);
/* A decoder's result of one metric batch. */
void intake_one_batch(struct intake *r, struct metric_batch *b);
/* The parameters extra_label=name=value, sorted, in the arena. */
MUST_USE bool intake_extra_labels(const struct http_exchange *x, struct arena *a, struct labels *out, struct err *e);
/* The media type of the request, without parameters. */
str intake_content_type(const struct http_exchange *x);
