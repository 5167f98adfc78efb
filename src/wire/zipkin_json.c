#include "wire/zipkin_json.h"

#include "codec/json.h"
#include "wire/zipkin_v2.h"

#define LIST(type)     \
    struct {           \
        type *p;       \
        size_t n, cap; \
    }

/* What a span of either version may hold. */
struct span {
    struct zipkin_v1_span v1;
    str kind;
    struct zipkin_endpoint local, remote;
    const struct field *tags; /* version 2 */
    size_t tag_n;
    bool shared;        /* version 2 */
    bool has_endpoints; /* annotations with an endpoint, or binaryAnnotations: version 1 */
};

static void read_hex(struct json *j, uint64_t *hi, uint64_t *lo) {
    str text = STR_NULL;
    if (!json_string(j, &text) || text.n == 0) return;
    bool wide = text.n > 16;
    bool ok = text.n <= 32 && str_hex_u64(wide ? str_from(text, text.n - 16) : text, lo) && (!wide || str_hex_u64(str_sub(text, 0, text.n - 16), hi));
    if (!ok) json_fail(j, "an id of hex digits");
}

/* "10.0.2.15"; anything else is no address. */
static uint32_t ipv4_of(str text) {
    uint32_t ip = 0;
    str part;
    for (int i = 0; i < 4; i++) {
        uint64_t byte;
        bool more = str_cut(&text, '.', &part);
        if (more != (i < 3) || !str_u64(part, &byte) || byte > 255) return 0;
        ip = ip << 8 | (uint32_t)byte;
    }
    return ip;
}

static struct zipkin_endpoint read_endpoint(struct json *j) {
    struct zipkin_endpoint host = {.service = STR("")};
    str ip = STR_NULL;
    int64_t port = 0;
    json_object(j);
    for (str key; json_next_key(j, &key);) {
        if (json_peek(j) == JSON_NULL)
            json_null(j);
        else if (str_eq(key, STR("serviceName")))
            json_string(j, &host.service);
        else if (str_eq(key, STR("ipv4")) && json_string(j, &ip))
            host.ipv4 = ipv4_of(ip);
        else if (str_eq(key, STR("ipv6")))
            json_string(j, &host.ipv6);
        else if (str_eq(key, STR("port")))
            json_i64_lenient(j, &port);
        else
            json_skip(j);
    }
    host.port = port > 0 && port <= UINT16_MAX ? (uint16_t)port : 0;
    return host;
}

static void read_annotations(struct json *j, struct arena *a, struct span *s) {
    LIST(struct zipkin_annotation) list = {0};
    json_array(j);
    while (json_next_item(j)) {
        struct zipkin_annotation x = {.value = STR("")};
        json_object(j);
        for (str key; json_next_key(j, &key);) {
            if (json_peek(j) == JSON_NULL)
                json_null(j);
            else if (str_eq(key, STR("timestamp")))
                json_i64_lenient(j, &x.time_us);
            else if (str_eq(key, STR("value")))
                json_string(j, &x.value);
            else if (str_eq(key, STR("endpoint")))
                x.host = read_endpoint(j), s->has_endpoints = true;
            else
                json_skip(j);
        }
        avec_push(a, &list, x);
    }
    s->v1.annotations = list.p;
    s->v1.annotation_n = list.n;
}

static void read_binary_annotations(struct json *j, struct arena *a, struct span *s) {
    LIST(struct zipkin_tag) list = {0};
    s->has_endpoints = true;
    json_array(j);
    while (json_next_item(j)) {
        struct zipkin_tag x = {.key = STR("")};
        json_object(j);
        for (str key; json_next_key(j, &key);) {
            if (json_peek(j) == JSON_NULL)
                json_null(j);
            else if (str_eq(key, STR("key")))
                json_string(j, &x.key);
            else if (str_eq(key, STR("value")))
                json_value(j, &x.value);
            else if (str_eq(key, STR("endpoint")))
                x.host = read_endpoint(j);
            else
                json_skip(j);
        }
        avec_push(a, &list, x);
    }
    s->v1.tags = list.p;
    s->v1.tag_n = list.n;
}

static const struct {
    str zipkin, jaeger;
} kinds[] = {{STR_INIT("CLIENT"), STR_INIT("client")},
             {STR_INIT("SERVER"), STR_INIT("server")},
             {STR_INIT("PRODUCER"), STR_INIT("producer")},
             {STR_INIT("CONSUMER"), STR_INIT("consumer")}};

static str kind_of(str zipkin) {
    for (size_t i = 0; i < ARRAY_N(kinds); i++)
        if (str_eq(kinds[i].zipkin, zipkin)) return kinds[i].jaeger;
    return STR("");
}

static struct span read_span(struct json *j, struct arena *a) {
    struct span s = {.v1.name = STR(""), .kind = STR(""), .local.service = STR("")};
    uint64_t ignored = 0;
    struct value tags = {0};
    json_object(j);
    for (str key; json_next_key(j, &key);) {
        if (json_peek(j) == JSON_NULL)
            json_null(j);
        else if (str_eq(key, STR("traceId")))
            read_hex(j, &s.v1.trace.hi, &s.v1.trace.lo);
        else if (str_eq(key, STR("id")))
            read_hex(j, &ignored, &s.v1.id);
        else if (str_eq(key, STR("parentId")))
            read_hex(j, &ignored, &s.v1.parent_id);
        else if (str_eq(key, STR("name")))
            json_string(j, &s.v1.name);
        else if (str_eq(key, STR("kind")))
            json_string(j, &s.kind);
        else if (str_eq(key, STR("timestamp")))
            json_i64_lenient(j, &s.v1.time_us);
        else if (str_eq(key, STR("duration")))
            json_i64_lenient(j, &s.v1.duration_us);
        else if (str_eq(key, STR("debug")))
            json_bool(j, &s.v1.debug);
        else if (str_eq(key, STR("shared")))
            json_bool(j, &s.shared);
        else if (str_eq(key, STR("localEndpoint")))
            s.local = read_endpoint(j);
        else if (str_eq(key, STR("remoteEndpoint")))
            s.remote = read_endpoint(j);
        else if (str_eq(key, STR("annotations")))
            read_annotations(j, a, &s);
        else if (str_eq(key, STR("binaryAnnotations")))
            read_binary_annotations(j, a, &s);
        else if (str_eq(key, STR("tags")))
            json_value(j, &tags);
        else
            json_skip(j);
    }
    if (tags.type == VAL_MAP) s.tags = tags.fields, s.tag_n = tags.n;
    return s;
}

bool zipkin_json_decode(str body, int version, int64_t now_ns, struct event_batch **out, size_t *rejected, struct err *e) {
    struct span_batch b = span_batch_open(body.n * 3 + 1024, now_ns);
    struct json j = json_open(arena_str(b.batch->arena, body), b.batch->arena);
    bool other_version = false;
    json_array(&j);
    while (!other_version && json_next_item(&j)) {
        struct span s = read_span(&j, b.batch->arena);
        if (j.bad) break;
        other_version = version == 2 ? s.has_endpoints : s.local.service.n || s.kind.n || s.tags;
        if (version == 2)
            zipkin_v2_add(&b, &(struct zipkin_v2_span){.trace = s.v1.trace,
                                                       .id = s.v1.id,
                                                       .parent_id = s.v1.parent_id,
                                                       .name = s.v1.name,
                                                       .kind = kind_of(s.kind),
                                                       .time_us = s.v1.time_us,
                                                       .duration_us = s.v1.duration_us,
                                                       .debug = s.v1.debug,
                                                       .shared = s.shared,
                                                       .local = s.local,
                                                       .remote = s.remote,
                                                       .annotations = s.v1.annotations,
                                                       .annotation_n = s.v1.annotation_n,
                                                       .tags = s.tags,
                                                       .tag_n = s.tag_n});
        else
            zipkin_v1_add(&b, &s.v1);
    }
    bool ok;
    if (other_version)
        ok = err_set(e, ERR_INPUT, "Expected a JSON_V%d encoded list, but received: JSON_V%d", version, 3 - version);
    else
        ok = json_done(&j, e);
    if (!ok) {
        span_batch_done(&b);
        return false;
    }
    *rejected = b.rejected;
    *out = span_batch_finish(&b);
    return true;
}
