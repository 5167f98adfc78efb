#include "wire/log_batch.h"

#include "base/hash.h"

struct log_batch log_batch_new(size_t arena_bytes) {
    struct event_batch *batch = event_batch_new(EVENT_LOG, arena_bytes);
    return (struct log_batch){.batch = batch, .arena = batch->arena};
}

static bool same(const struct log_batch *b, uint32_t at, str first, str second) {
    return str_eq(b->names.p[at].first, first) && str_eq(b->names.p[at].second, second);
}

bool log_batch_stream(struct log_batch *b, str first, str second, uint32_t *out) {
    assert(b->names.n == b->streams.n);
    if (b->names.n && same(b, b->last, first, second)) return *out = b->last, false;
    uint64_t hash = hash_str(first) ^ hash_str(second) * 31;
    for (size_t at = map_first(&b->by_name, hash); at != MAP_END; at = map_next(&b->by_name, at, hash)) {
        uint32_t known = (uint32_t)(b->by_name.slots[at].value - 1);
        if (same(b, known, first, second)) return *out = b->last = known, false;
    }
    *out = b->last = (uint32_t)b->streams.n;
    vec_push(&b->names, ((struct log_stream_name){first, second}));
    vec_push(&b->streams, (struct stream){0});
    map_put(&b->by_name, hash, b->streams.n);
    return true;
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
    vec_done(&b->names);
    map_done(&b->by_name);
    *b = (struct log_batch){0};
}
