/* api/jaeger_transform: POST /api/transform: OTLP/JSON (TracesData, an export request) -> Jaeger's traces, without storing them: what Jaeger's page
 * asks when a file is dropped on it. Traces come in the order of their first spans. */
#include <stdlib.h>

#include "api/app.h"
#include "api/jaeger.h"
#include "base/clock.h"
#include "base/vec.h"
#include "query/trace/jaeger_json.h"
#include "wire/otlp_trace.h"

struct transform {
    struct job job;
    struct http_exchange *x;
    size_t bytes_max;
    struct buf out;
    struct err err;
};

struct ordered { /* a span, and which comes first of its trace */
    const struct event *span;
    size_t position, first;
};

static int by_trace(const void *a, const void *b) {
    const struct ordered *x = a, *y = b;
    if (x->span->trace.hi != y->span->trace.hi) return x->span->trace.hi < y->span->trace.hi ? -1 : 1;
    if (x->span->trace.lo != y->span->trace.lo) return x->span->trace.lo < y->span->trace.lo ? -1 : 1;
    return x->position < y->position ? -1 : x->position > y->position;
}
static int by_first(const void *a, const void *b) {
    const struct ordered *x = a, *y = b;
    if (x->first != y->first) return x->first < y->first ? -1 : 1;
    return x->position < y->position ? -1 : x->position > y->position;
}

static bool same_trace(const struct ordered *a, const struct ordered *b) {
    return a->span->trace.hi == b->span->trace.hi && a->span->trace.lo == b->span->trace.lo;
}

/* Spans of a trace side by side, traces as they came. */
static struct ordered *in_order(const struct event_batch *b, struct arena *a) {
    struct ordered *list = arena_new_n(a, struct ordered, b->event_n + 1);
    for (size_t i = 0; i < b->event_n; i++) list[i] = (struct ordered){&b->events[i], i, i};
    qsort(list, b->event_n, sizeof *list, by_trace);
    for (size_t i = 1; i < b->event_n; i++)
        if (same_trace(&list[i - 1], &list[i])) list[i].first = list[i - 1].first;
    qsort(list, b->event_n, sizeof *list, by_first);
    return list;
}

static bool put_traces(struct transform *t, const struct event_batch *b, struct arena *a, struct err *e) {
    struct json_out o = {.buf = &t->out};
    const struct ordered *list = in_order(b, a);
    struct event *spans = arena_new_n(a, struct event, b->event_n + 1);
    struct stream *streams = arena_new_n(a, struct stream, b->event_n + 1);
    size_t traces = 0;
    for (size_t i = 0; i < b->event_n; i++) {
        spans[i] = *list[i].span;
        streams[i] = b->streams[spans[i].stream];
    }
    jaeger_begin_data(&o);
    json_put_array(&o);
    for (size_t i = 0, end; i < b->event_n; i = end, traces++) {
        for (end = i + 1; end < b->event_n && same_trace(&list[i], &list[end]); end++)
            ;
        jaeger_put_trace(&o, spans + i, streams + i, end - i, a);
        if (t->out.n > t->bytes_max) return err_set(e, ERR_TOO_LARGE, "the answer is larger than query.bytes (%zu)", t->bytes_max);
    }
    json_put_array_end(&o);
    jaeger_end_data(&o, traces);
    return true;
}

static void run(struct job *j) {
    struct transform *t = CONTAINER_OF(j, struct transform, job);
    struct event_batch *b;
    struct otlp_partial partial = {0};
    if (!job_check(j, &t->err)) return;
    if (!otlp_trace_decode(OTLP_JSON, t->x->body, clock_wall_ns(), &b, &partial, &t->err)) return;
    AUTO(arena_free) struct arena *a = arena_new(64 << 10);
    bool ok = partial.rejected ? err_set(&t->err, ERR_INPUT, "%s", partial.reason) : put_traces(t, b, a, &t->err);
    assert(ok || t->err.code != ERR_NONE);
    event_batch_free(b);
}

static void done(struct job *j) {
    struct transform *t = CONTAINER_OF(j, struct transform, job);
    if (t->err.code == ERR_NONE)
        http_reply_json(t->x, 200, &t->out);
    else
        jaeger_reply_error(t->x, err_http_status(t->err.code), err_str(&t->err));
    buf_done(&t->out);
    free(t);
}

static void client_gone(void *arg) {
    flag_set(&((struct transform *)arg)->job.cancel);
}

static void post_transform(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    struct transform *t = mem_zalloc(sizeof *t);
    t->x = x;
    t->bytes_max = app->query_bytes_max;
    t->job = (struct job){.run = run, .done = done, .deadline_ns = clock_mono_ns() + app->query_timeout_ms * NS_PER_MS};
    x->on_gone = client_gone;
    x->on_gone_arg = t;
    if (!pool_submit(app->pool, LANE_QUERY, &t->job, &t->err)) done(&t->job);
}

const struct http_route jaeger_transform_routes[] = {
    {HTTP_POST, "/api/transform", post_transform, DOOR_MAIN | DOOR_JAEGER},
    {0},
};
