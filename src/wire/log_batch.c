#include "wire/log_batch.h"

struct log_batch log_batch_new(size_t arena_bytes) {
    struct event_batch *batch = event_batch_new(EVENT_LOG, arena_bytes);
    return (struct log_batch){.batch = batch, .arena = batch->arena};
}

static void *to_arena(struct arena *a, const void *p, size_t n_bytes) {
    void *copy = arena_alloc(a, n_bytes);
    return n_bytes ? memcpy(copy, p, n_bytes) : copy;
}

struct event_batch *log_batch_finish(struct log_batch *b) {
    struct event_batch *batch = b->batch;
    batch->streams = to_arena(b->arena, b->streams.p, b->streams.n * sizeof *b->streams.p);
    batch->stream_n = b->streams.n;
    batch->events = to_arena(b->arena, b->events.p, b->events.n * sizeof *b->events.p);
    batch->event_n = b->events.n;
    b->batch = NULL;
    log_batch_done(b);
    return batch;
}

void log_batch_done(struct log_batch *b) {
    event_batch_free(b->batch);
    vec_done(&b->streams);
    vec_done(&b->events);
    *b = (struct log_batch){0};
}
