#include "wire/zipkin_v1.h"

#include "codec/json.h"

static const struct {
    str value;
    bool client; /* else server side */
} core[] = {{STR_INIT("cs"), true}, {STR_INIT("cr"), true}, {STR_INIT("sr"), false}, {STR_INIT("ss"), false}};

static size_t core_of(str value) {
    size_t i = 0;
    while (i < ARRAY_N(core) && !str_eq(core[i].value, value)) i++;
    return i;
}

/* The endpoint that speaks: of the core annotations of that side, else of any annotation, else of the component tag. */
static struct zipkin_endpoint speaker(const struct zipkin_v1_span *z, bool client) {
    struct zipkin_endpoint any = {.service = STR("")};
    for (size_t i = 0; i < z->annotation_n; i++) {
        const struct zipkin_annotation *x = &z->annotations[i];
        size_t c = core_of(x->value);
        if (x->host.service.n == 0) continue;
        if (c < ARRAY_N(core) && core[c].client == client) return x->host;
        if (any.service.n == 0) any = x->host;
    }
    for (size_t i = 0; any.service.n == 0 && i < z->tag_n; i++)
        if (str_eq(z->tags[i].key, STR("lc"))) any = z->tags[i].host;
    if (any.service.n == 0) any.service = STR("unknown-service-name");
    return any;
}

struct attrs {
    struct field *p;
    size_t n;
};
static void add(struct attrs *t, str key, struct value v) {
    t->p[t->n++] = (struct field){key, v};
}

static void add_peer(struct attrs *t, const struct zipkin_endpoint *host) {
    if (host->service.n) add(t, STR("peer.service"), value_str(host->service));
    if (host->ipv4) add(t, STR("peer.ipv4"), value_int(host->ipv4));
    if (host->ipv6.n) add(t, STR("peer.ipv6"), (struct value){.type = VAL_BYTES, .s = host->ipv6});
    if (host->port) add(t, STR("peer.port"), value_int(host->port));
}

static bool is_peer(str key) {
    return str_eq(key, STR("ca")) || str_eq(key, STR("sa")) || str_eq(key, STR("ma"));
}

/* Tags of the span, and those that describe its process. */
static void split_tags(const struct zipkin_v1_span *z, struct attrs *span, struct attrs *process) {
    for (size_t i = 0; i < z->tag_n; i++) {
        const struct zipkin_tag *t = &z->tags[i];
        if (is_peer(t->key))
            add_peer(span, &t->host);
        else if (str_eq(t->key, STR("jaeger.hostname")))
            add(process, STR("hostname"), t->value);
        else if (str_eq(t->key, STR("jaegerClient")))
            add(process, STR("jaeger.version"), t->value);
        else if (!str_eq(t->key, STR("lc")))
            add(span, t->key, t->value);
        else if (t->value.type == VAL_STRING && t->value.s.n)
            add(span, STR("component"), t->value);
    }
}

/* {"x":"y"} as an annotation is a log with fields; any other text is the event's name. */
static void read_annotation(struct arena *a, str value, struct span_event *out) {
    struct json j = json_open(value, a);
    struct value fields = {0};
    if (value.n && value.p[0] == '{' && json_value(&j, &fields) && json_done(&j, NULL) && fields.type == VAL_MAP) {
        out->attrs = fields.fields;
        out->attr_n = fields.n;
    } else {
        out->name = value;
    }
}

static void add_events(struct arena *a, const struct zipkin_v1_span *z, struct event *ev) {
    struct span_event *events = arena_new_n(a, struct span_event, z->annotation_n);
    for (size_t i = 0; i < z->annotation_n; i++) {
        const struct zipkin_annotation *x = &z->annotations[i];
        struct span_event one = {0};
        if (x->value.n == 0 || core_of(x->value) < ARRAY_N(core) || !span_batch_time(x->time_us, &one.time_ns)) continue;
        read_annotation(a, x->value, &one);
        events[ev->event_n++] = one;
    }
    ev->events = events;
}

/* Start and end of one side, when its annotations tell. */
static void side_times(const struct zipkin_v1_span *z, bool client, int64_t *start_us, int64_t *duration_us) {
    int64_t first = 0, last = 0;
    for (size_t i = 0; i < z->annotation_n; i++) {
        size_t c = core_of(z->annotations[i].value);
        if (c == ARRAY_N(core) || core[c].client != client) continue;
        if (c % 2 == 0)
            first = z->annotations[i].time_us;
        else
            last = z->annotations[i].time_us;
    }
    if (*start_us == 0) *start_us = first;
    if (*duration_us == 0 && first > 0 && last > first) *duration_us = last - first;
}

void zipkin_v1_add(struct span_batch *s, const struct zipkin_v1_span *z) {
    struct arena *a = s->batch->arena;
    bool has[2] = {false, false}; /* server, client: by cs and sr, which begin a side */
    for (size_t i = 0; i < z->annotation_n; i++) {
        size_t c = core_of(z->annotations[i].value);
        if (c < ARRAY_N(core) && c % 2 == 0) has[core[c].client] = true;
    }
    struct attrs tags = {arena_new_n(a, struct field, z->tag_n * 4 + 2), 0}, process = {arena_new_n(a, struct field, z->tag_n * 2), 0};
    split_tags(z, &tags, &process);
    size_t common = tags.n;
    for (int side = has[1] || !has[0]; side >= 0; side--) { /* client first; a span without core annotations counts as one side */
        bool client = side, known = has[side];
        if (!known && has[!side]) continue;
        struct event ev = {.trace = z->trace, .span_id = z->id, .parent_id = z->parent_id, .body = z->name, .flags = z->debug ? 2 : 0};
        bool second = !client && has[1]; /* of two: its times come from its own annotations */
        int64_t start_us = second ? 0 : z->time_us, duration_us = second ? 0 : z->duration_us;
        side_times(z, client, &start_us, &duration_us);
        struct attrs own = {arena_new_n(a, struct field, common + 1), common};
        if (common) memcpy(own.p, tags.p, common * sizeof *own.p);
        if (known) add(&own, STR("span.kind"), value_str(client ? STR("client") : STR("server")));
        ev.attrs = own.p;
        ev.attr_n = own.n;
        add_events(a, z, &ev);
        if (!span_batch_time(start_us, &ev.time_ns) || !span_batch_time(duration_us, &ev.duration_ns) || ev.duration_ns < 0) {
            s->rejected++;
            continue;
        }
        struct zipkin_endpoint host = speaker(z, client);
        struct attrs about = {arena_new_n(a, struct field, process.n + 1), process.n};
        if (process.n) memcpy(about.p, process.p, process.n * sizeof *about.p);
        if (host.ipv4) add(&about, STR("ip"), value_int(host.ipv4));
        ev.stream = span_batch_stream(s, host.service, about.p, about.n);
        span_batch_add(s, &ev);
        if (!known) break;
    }
}
