#include "wire/span_batch.h"

#include "base/hash.h"

struct span_batch span_batch_open(size_t arena_bytes, int64_t now_ns) {
    return (struct span_batch){.batch = event_batch_new(EVENT_SPAN, arena_bytes), .now_ns = now_ns};
}

uint32_t span_batch_stream(struct span_batch *s, str service, const struct field *tags, size_t n) {
    uint64_t hash = hash_str(service);
    for (size_t at = n ? MAP_END : map_first(&s->by_service, hash); at != MAP_END; at = map_next(&s->by_service, at, hash)) {
        uint32_t i = (uint32_t)s->by_service.slots[at].value - 1;
        if (str_eq(s->streams.p[i].service, service)) return i;
    }
    struct field *attrs = arena_new_n(s->batch->arena, struct field, n + 1);
    attrs[0] = (struct field){STR("service.name"), value_str(service)};
    if (n) memcpy(attrs + 1, tags, n * sizeof *attrs);
    vec_push(&s->streams, ((struct stream){.service = service, .attrs = attrs, .attr_n = n + 1}));
    if (n == 0) map_put(&s->by_service, hash, s->streams.n);
    return (uint32_t)s->streams.n - 1;
}

static const struct {
    str text;
    enum span_kind kind;
} kinds[] = {
    {STR_INIT("server"), SPAN_SERVER},     {STR_INIT("client"), SPAN_CLIENT},     {STR_INIT("producer"), SPAN_PRODUCER},
    {STR_INIT("consumer"), SPAN_CONSUMER}, {STR_INIT("internal"), SPAN_INTERNAL},
};

static void read_tags(struct event *ev) {
    const struct value *kind = fields_get(ev->attrs, ev->attr_n, STR("span.kind"));
    for (size_t i = 0; kind && kind->type == VAL_STRING && i < ARRAY_N(kinds); i++)
        if (str_eq(kind->s, kinds[i].text)) ev->span_kind = kinds[i].kind;
    const struct value *error = fields_get(ev->attrs, ev->attr_n, STR("error"));
    bool failed = error && ((error->type == VAL_BOOL && error->b) || (error->type == VAL_STRING && !str_eq(error->s, STR("false"))));
    if (failed) ev->status = STATUS_ERROR;
}

void span_batch_add(struct span_batch *s, struct event *ev) {
    if (!trace_id_set(ev->trace) || ev->span_id == 0) {
        s->rejected++;
        return;
    }
    ev->kind = EVENT_SPAN;
    ev->observed_ns = s->now_ns;
    read_tags(ev);
    vec_push(&s->events, *ev);
}

bool span_batch_time(int64_t us, int64_t *out_ns) {
    int64_t ns;
    if (__builtin_mul_overflow(us, 1000, &ns)) return false;
    *out_ns = ns;
    return true;
}

/* The field "event" names the log. */
void span_batch_name_event(struct span_event *ev) {
    struct field *f = (struct field *)ev->attrs; /* ours: just read */
    for (size_t i = 0; i < ev->attr_n; i++) {
        if (!str_eq(f[i].key, STR("event")) || f[i].value.type != VAL_STRING) continue;
        ev->name = f[i].value.s;
        memmove(f + i, f + i + 1, (ev->attr_n - i - 1) * sizeof *f);
        ev->attr_n--;
        return;
    }
}

static bool names(const struct span_link *l, const struct event *ev, uint64_t span_id) {
    return l->span_id == span_id && l->trace.hi == ev->trace.hi && l->trace.lo == ev->trace.lo;
}

/* The first CHILD_OF of the same trace is the parent, if parentSpanId did not say it. It is no link as well, but where that would lose its place:
 * behind other references, or beside a FOLLOWS_FROM of the same span. */
void span_batch_settle_parent(struct event *ev) {
    const struct span_link *l = ev->links;
    size_t naming = 0;
    for (size_t i = 0; i < ev->link_n && ev->parent_id == 0; i++)
        if (!l[i].follows_from && names(&l[i], ev, l[i].span_id)) ev->parent_id = l[i].span_id;
    if (ev->parent_id == 0) return;
    for (size_t i = 0; i < ev->link_n; i++) naming += names(&l[i], ev, ev->parent_id);
    if (naming != 1 || l[0].follows_from || !names(&l[0], ev, ev->parent_id)) return;
    ev->links++;
    ev->link_n--;
}

static void *keep(struct arena *a, const void *p, size_t n_bytes) {
    return n_bytes ? memcpy(arena_alloc(a, n_bytes), p, n_bytes) : NULL;
}

struct event_batch *span_batch_finish(struct span_batch *s) {
    struct event_batch *b = TAKE(s->batch);
    b->events = keep(b->arena, s->events.p, s->events.n * sizeof *s->events.p);
    b->event_n = s->events.n;
    b->streams = keep(b->arena, s->streams.p, s->streams.n * sizeof *s->streams.p);
    b->stream_n = s->streams.n;
    span_batch_done(s);
    return b;
}

void span_batch_done(struct span_batch *s) {
    event_batch_free(TAKE(s->batch));
    vec_done(&s->events);
    vec_done(&s->streams);
    map_done(&s->by_service);
}
