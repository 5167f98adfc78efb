/* wire/log_batch: filling a batch of log events, one by one. Pure; one thread.
 *
 *   AUTO(log_batch_done) struct log_batch b = log_batch_new(arena_bytes);
 *   vec_push(&b.streams, stream);              strings and fields must live in the arena
 *   struct event *ev = vec_add(&b.events);     ev->stream: index into streams
 *   *out = log_batch_finish(&b);               the finished batch; b is empty then */
#pragma once
#include "base/vec.h"
#include "model/batch.h"

struct log_batch {
    struct event_batch *batch;
    struct arena *arena; /* the batch's */
    VEC(struct stream) streams;
    VEC(struct event) events;
};
struct log_batch log_batch_new(size_t arena_bytes);
struct event_batch *log_batch_finish(struct log_batch *b);
void log_batch_done(struct log_batch *b);
static inline void log_batch_done_auto(struct log_batch *b) {
    log_batch_done(b);
}
