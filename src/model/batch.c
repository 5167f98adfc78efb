#include "model/batch.h"

struct metric_batch *metric_batch_new(size_t arena_bytes) {
    struct arena *a = arena_new(arena_bytes);
    struct metric_batch *b = arena_one(a, struct metric_batch);
    b->arena = a;
    return b;
}

void metric_batch_free(struct metric_batch *b) {
    if (b) arena_free(b->arena);
}

struct event_batch *event_batch_new(enum event_kind kind, size_t arena_bytes) {
    struct arena *a = arena_new(arena_bytes);
    struct event_batch *b = arena_one(a, struct event_batch);
    b->arena = a;
    b->kind = kind;
    return b;
}

void event_batch_free(struct event_batch *b) {
    if (b) arena_free(b->arena);
}
