/* wire/span_batch: collecting spans of the formats where each span names its service (Jaeger, Zipkin). Pure; one thread. */
#pragma once
#include "base/map.h"
#include "base/vec.h"
#include "model/batch.h"

struct span_batch {
    struct event_batch *batch;
    int64_t now_ns;
    size_t rejected; /* spans without trace or span id, or with a time out of range */
    VEC(struct event) events;
    VEC(struct stream) streams;
    struct map by_service; /* of the streams with no other attribute than the service */
};
struct span_batch span_batch_open(size_t arena_bytes, int64_t now_ns);
/* Resource attributes: service.name first, then tags (copied by pointer). Equal services without tags share a stream. */
uint32_t span_batch_stream(struct span_batch *s, str service, const struct field *tags, size_t n);
/* Adds ev, or counts it as rejected. Reads kind and status out of the tags span.kind and error. Times in ev are set with span_batch_time. */
void span_batch_add(struct span_batch *s, struct event *ev);
/* Microseconds to ns. false: out of range. */
MUST_USE bool span_batch_time(int64_t us, int64_t *out_ns);
/* Jaeger's ways, on attributes and links that were just read into the batch's arena (they are changed in place): a log is named by its field
 * "event"; the parent is parent_id, else the first CHILD_OF reference of the same trace, and is then no link. */
void span_batch_name_event(struct span_event *ev);
void span_batch_settle_parent(struct event *ev);
struct event_batch *span_batch_finish(struct span_batch *s); /* the caller's; s is empty */
void span_batch_done(struct span_batch *s);
