#include "wire/otlp_common.h"

#include <stdarg.h>
#include <stdio.h>

/* Tables write lists over the pointer and the count that follows it. */
#define SAME_SHAPE(type, pointer, count) \
    static_assert(offsetof(type, count) == offsetof(type, pointer) + offsetof(struct otlp_list, n), #count " must follow " #pointer)
SAME_SHAPE(struct otlp_attrs, p, n);
SAME_SHAPE(struct event, attrs, attr_n);
SAME_SHAPE(struct event, links, link_n);
SAME_SHAPE(struct event, events, event_n);
SAME_SHAPE(struct span_event, attrs, attr_n);
SAME_SHAPE(struct span_link, attrs, attr_n);

static const struct otlp_field resource_fields[] = {
    [1] = {"attributes", OTLP_ATTRS, offsetof(struct otlp_resource, attrs)},
};
const struct otlp_msg otlp_resource_msg = {resource_fields, ARRAY_N(resource_fields), sizeof(struct otlp_resource)};

static const struct otlp_field scope_fields[] = {
    [1] = {"name", OTLP_STRING, offsetof(struct otlp_scope, name)},
    [2] = {"version", OTLP_STRING, offsetof(struct otlp_scope, version)},
    [3] = {"attributes", OTLP_ATTRS, offsetof(struct otlp_scope, attrs)},
};
const struct otlp_msg otlp_scope_msg = {scope_fields, ARRAY_N(scope_fields), sizeof(struct otlp_scope)};

void otlp_reject(struct otlp_partial *p, const char *fmt, ...) {
    if (p->rejected++) return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(p->reason, sizeof p->reason, fmt, ap);
    va_end(ap);
}

void otlp_event_add(struct otlp_events *c, const struct event *ev) {
    struct event *mine = vec_add(&c->events);
    *mine = *ev;
    mine->stream = (uint32_t)c->streams.n;
}

void otlp_scope_done(struct otlp_events *c, const struct otlp_scope *scope) {
    if (c->events.n == c->scope_first) return; /* nothing in it */
    struct stream *s = vec_add(&c->streams);
    s->scope_name = scope->name;
    s->scope_version = scope->version;
    s->scope_attrs = scope->attrs.p;
    s->scope_attr_n = scope->attrs.n;
    c->scope_first = c->events.n;
}

void otlp_resource_done(struct otlp_events *c, const struct otlp_resource *resource) {
    const struct value *service = fields_get(resource->attrs.p, resource->attrs.n, STR("service.name"));
    for (; c->resource_first < c->streams.n; c->resource_first++) {
        struct stream *s = &c->streams.p[c->resource_first];
        s->attrs = resource->attrs.p;
        s->attr_n = resource->attrs.n;
        s->service = service && service->type == VAL_STRING ? service->s : STR("");
    }
}

static void *to_arena(struct arena *a, const void *p, size_t n_bytes) {
    void *copy = arena_alloc(a, n_bytes);
    return n_bytes ? memcpy(copy, p, n_bytes) : copy;
}

bool otlp_events_decode(enum otlp_encoding enc, str body, enum event_kind kind, const struct otlp_msg *msg, int64_t now_ns, struct event_batch **out,
                        struct otlp_partial *partial, struct err *e) {
    AUTO(event_batch_free) struct event_batch *batch = event_batch_new(kind, body.n * 3 + 4096);
    struct otlp_partial mine = {0};
    struct otlp_events events = {.batch = batch, .partial = &mine, .now_ns = now_ns};
    struct otlp_ctx ctx = {.arena = batch->arena, .text = arena_str(batch->arena, body), .arena_max = body.n + OTLP_BYTES_MAX, .arg = &events};
    char nothing = 0; /* a request keeps nothing itself: all its fields are OTLP_EACH */
    bool ok = otlp_read(&ctx, enc, msg, &nothing, e);
    if (ok) {
        batch->events = to_arena(batch->arena, events.events.p, events.events.n * sizeof *events.events.p);
        batch->event_n = events.events.n;
        batch->streams = to_arena(batch->arena, events.streams.p, events.streams.n * sizeof *events.streams.p);
        batch->stream_n = events.streams.n;
        mine.base64_ids = ctx.base64_ids;
        *partial = mine;
        *out = TAKE(batch);
    }
    vec_done(&events.events);
    vec_done(&events.streams);
    return ok;
}
