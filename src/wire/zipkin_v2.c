#include "wire/zipkin_v2.h"

static void add_attrs(struct arena *a, const struct zipkin_v2_span *z, struct event *ev) {
    const struct zipkin_endpoint *peer = &z->remote;
    struct field *attrs = arena_new_n(a, struct field, z->tag_n + 5);
    size_t n = z->tag_n;
    if (n) memcpy(attrs, z->tags, n * sizeof *attrs);
    if (z->kind.n) attrs[n++] = (struct field){STR("span.kind"), value_str(z->kind)};
    if (peer->service.n) attrs[n++] = (struct field){STR("peer.service"), value_str(peer->service)};
    if (peer->ipv4) attrs[n++] = (struct field){STR("peer.ipv4"), value_int(peer->ipv4)};
    if (peer->ipv6.n) attrs[n++] = (struct field){STR("peer.ipv6"), value_str(peer->ipv6)};
    if (peer->port) attrs[n++] = (struct field){STR("peer.port"), value_int(peer->port)};
    ev->attrs = attrs;
    ev->attr_n = n;
}

static void add_events(struct arena *a, const struct zipkin_v2_span *z, struct event *ev) {
    struct span_event *events = arena_new_n(a, struct span_event, z->annotation_n);
    for (size_t i = 0; i < z->annotation_n; i++) {
        struct span_event *x = &events[ev->event_n];
        *x = (struct span_event){.name = z->annotations[i].value};
        ev->event_n += span_batch_time(z->annotations[i].time_us, &x->time_ns);
    }
    ev->events = events;
}

void zipkin_v2_add(struct span_batch *s, const struct zipkin_v2_span *z) {
    struct event ev = {.trace = z->trace,
                       .span_id = z->id,
                       .parent_id = z->parent_id,
                       .body = z->name,
                       .flags = (z->debug ? ZIPKIN_FLAG_DEBUG : 0) | (z->shared ? ZIPKIN_FLAG_SHARED : 0)};
    if (!span_batch_time(z->time_us, &ev.time_ns) || !span_batch_time(z->duration_us, &ev.duration_ns) || ev.duration_ns < 0) {
        s->rejected++;
        return;
    }
    if (z->time_us == 0) ev.time_ns = s->now_ns; /* late spans name none; in 1970 nobody would find them and retention would drop them */
    add_attrs(s->batch->arena, z, &ev);
    add_events(s->batch->arena, z, &ev);
    struct field host[3];
    size_t n = 0;
    if (z->local.ipv4) host[n++] = (struct field){STR("ip"), value_int(z->local.ipv4)};
    if (z->local.ipv6.n) host[n++] = (struct field){STR("ipv6"), value_str(z->local.ipv6)};
    if (z->local.port) host[n++] = (struct field){STR("port"), value_int(z->local.port)};
    str service = z->local.service.n ? z->local.service : STR(ZIPKIN_NO_SERVICE);
    ev.stream = span_batch_stream(s, service, host, n);
    span_batch_add(s, &ev);
}
