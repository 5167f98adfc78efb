/* wire/log_batch: filling a batch of log events, one by one. Pure; one thread.
 *
 *   AUTO(log_batch_done) struct log_batch b = log_batch_new(arena_bytes);
 *   vec_push(&b.streams, stream);              strings and fields must live in the arena
 *   struct event *ev = vec_add(&b.events);     ev->stream: index into streams
 *   *out = log_batch_finish(&b);               the finished batch; b is empty then */
#pragma once
#include "base/map.h"
#include "base/vec.h"
#include "model/batch.h"

struct log_stream_name {
    str first, second;
};
struct log_batch {
    struct event_batch *batch;
    struct arena *arena; /* the batch's */
    VEC(struct stream) streams;
    VEC(struct event) events;
    /* of log_batch_stream */
    struct map by_name;
    VEC(struct log_stream_name) names;
    uint32_t last;
};
/* The stream of that name (two parts; of any meaning). true: it is new and empty, to be filled by the caller. The parts must live in the arena. All
 * streams of a batch come from here, or none. */
bool log_batch_stream(struct log_batch *b, str first, str second, uint32_t *out);
struct log_batch log_batch_new(size_t arena_bytes);
struct event_batch *log_batch_finish(struct log_batch *b);
void log_batch_done(struct log_batch *b);
static inline void log_batch_done_auto(struct log_batch *b) {
    log_batch_done(b);
}
