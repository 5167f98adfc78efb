#include "wire/zipkin_proto.h"

#include <arpa/inet.h>

#include "codec/pb.h"
#include "codec/text.h"
#include "wire/zipkin_v2.h"

struct decoder {
    struct span_batch out;
    struct arena *arena;                       /* the batch's */
    const char *bad;                           /* where the first submessage broke; NULL: none did */
    VEC(struct zipkin_annotation) annotations; /* of the span being read */
    VEC(struct field) tags;
};

static void note_bad(struct decoder *d, const struct pb *c) {
    if (c->bad && !d->bad) d->bad = (const char *)c->at;
}

/* Big-endian. 0: not an id. */
static uint64_t id_of(str bytes) {
    uint64_t id = 0;
    if (bytes.n != 8) return 0;
    for (size_t i = 0; i < 8; i++) id = id << 8 | (uint8_t)bytes.p[i];
    return id;
}
static struct trace_id trace_of(str bytes) {
    if (bytes.n == 16) return (struct trace_id){id_of(str_sub(bytes, 0, 8)), id_of(str_from(bytes, 8))};
    return (struct trace_id){0, id_of(bytes)};
}

/* proto3 strings are UTF-8; one that is not would spoil every reply that shows it. */
static str text_of(struct decoder *d, const struct pb_field *f) {
    str s = pb_bytes(f);
    if (utf8_valid(s)) return s;
    if (!d->bad) d->bad = s.p;
    return STR("");
}

/* Endpoint{1: service_name, 2: ipv4, 3: ipv6, 4: port} */
static struct zipkin_endpoint read_endpoint(struct decoder *d, str bytes) {
    struct zipkin_endpoint host = {.service = STR(""), .ipv6 = STR("")};
    struct pb c = pb_open(bytes);
    for (struct pb_field f; pb_next(&c, &f);) {
        str s = pb_bytes(&f);
        if (f.num == 1) host.service = text_of(d, &f);
        if (f.num == 2 && s.n == 4)
            host.ipv4 = (uint32_t)(uint8_t)s.p[0] << 24 | (uint32_t)(uint8_t)s.p[1] << 16 | (uint32_t)(uint8_t)s.p[2] << 8 | (uint8_t)s.p[3];
        if (f.num == 3 && s.n == 16) {
            char text[INET6_ADDRSTRLEN];
            host.ipv6 = arena_str(d->arena, str_c(inet_ntop(AF_INET6, s.p, text, sizeof text)));
        }
        if (f.num == 4 && f.u <= UINT16_MAX) host.port = (uint16_t)f.u;
    }
    note_bad(d, &c);
    return host;
}

/* Annotation{1: timestamp, 2: value} */
static void read_annotation(struct decoder *d, str bytes) {
    struct zipkin_annotation x = {.value = STR("")};
    struct pb c = pb_open(bytes);
    for (struct pb_field f; pb_next(&c, &f);) {
        if (f.num == 1) x.time_us = pb_i64(&f);
        if (f.num == 2) x.value = text_of(d, &f);
    }
    note_bad(d, &c);
    vec_push(&d->annotations, x);
}

/* An entry of map<string, string>: {1: key, 2: value} */
static void read_tag(struct decoder *d, str bytes) {
    str key = STR(""), value = STR("");
    struct pb c = pb_open(bytes);
    for (struct pb_field f; pb_next(&c, &f);) {
        if (f.num == 1) key = text_of(d, &f);
        if (f.num == 2) value = text_of(d, &f);
    }
    note_bad(d, &c);
    vec_push(&d->tags, ((struct field){key, value_str(value)}));
}

static void read_span(struct decoder *d, str bytes) {
    static const str kinds[] = {STR_INIT(""), STR_INIT("client"), STR_INIT("server"), STR_INIT("producer"), STR_INIT("consumer")};
    struct zipkin_v2_span z = {.name = STR(""), .kind = STR(""), .local.service = STR("")};
    struct pb c = pb_open(bytes);
    d->annotations.n = d->tags.n = 0;
    for (struct pb_field f; pb_next(&c, &f);) switch (f.num) {
        case 1: z.trace = trace_of(pb_bytes(&f)); break;
        case 2: z.parent_id = id_of(pb_bytes(&f)); break;
        case 3: z.id = id_of(pb_bytes(&f)); break;
        case 4: z.kind = f.type == PB_VARINT && f.u < ARRAY_N(kinds) ? kinds[f.u] : STR(""); break;
        case 5: z.name = text_of(d, &f); break;
        case 6: z.time_us = pb_i64(&f); break;
        case 7: z.duration_us = pb_i64(&f); break;
        case 8: z.local = read_endpoint(d, pb_bytes(&f)); break;
        case 9: z.remote = read_endpoint(d, pb_bytes(&f)); break;
        case 10: read_annotation(d, pb_bytes(&f)); break;
        case 11: read_tag(d, pb_bytes(&f)); break;
        case 12: z.debug = pb_i64(&f) != 0; break;
        case 13: z.shared = pb_i64(&f) != 0; break;
        default: break;
        }
    note_bad(d, &c);
    z.annotations = d->annotations.p;
    z.annotation_n = d->annotations.n;
    z.tags = d->tags.p;
    z.tag_n = d->tags.n;
    if (!d->bad) zipkin_v2_add(&d->out, &z);
}

bool zipkin_proto_decode(str body, int64_t now_ns, struct event_batch **out, size_t *rejected, struct err *e) {
    struct decoder d = {.out = span_batch_open(body.n * 3 + 1024, now_ns)};
    d.arena = d.out.batch->arena;
    str text = arena_str(d.arena, body);
    struct pb c = pb_open(text);
    for (struct pb_field f; !d.bad && pb_next(&c, &f);)
        if (f.num == 1) read_span(&d, pb_bytes(&f));
    note_bad(&d, &c);
    vec_done(&d.annotations);
    vec_done(&d.tags);
    if (d.bad) {
        span_batch_done(&d.out);
        return err_set(e, ERR_INPUT, "not a protobuf ListOfSpans with UTF-8 texts (at byte %zu)", (size_t)(d.bad - text.p));
    }
    *rejected = d.out.rejected;
    *out = span_batch_finish(&d.out);
    return true;
}
