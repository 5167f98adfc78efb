#include "wire/jaeger_thrift.h"

#include "codec/text.h"
#include "wire/zipkin_v1.h"

/* Scratch of one decode: the items of the list being read, before they are copied at their exact size. */
struct decoder {
    struct thrift c;
    struct span_batch out;
    struct arena *arena;
    struct jaeger_info info;
};

/* Lists are read into growing arrays in the arena. */
#define LIST(type)     \
    struct {           \
        type *p;       \
        size_t n, cap; \
    }

/* Enters a list of structs; false: it is none. */
static bool each_struct(struct decoder *d) {
    return thrift_enter(&d->c, THRIFT_LIST) || thrift_enter(&d->c, THRIFT_SET);
}
static bool next_struct(struct decoder *d) {
    struct thrift_field item;
    while (thrift_next(&d->c, &item))
        if (thrift_enter(&d->c, THRIFT_STRUCT)) return true;
    return false;
}

enum { V_STRING, V_DOUBLE, V_BOOL, V_LONG, V_BINARY };

static struct field read_tag(struct decoder *d) {
    str key = STR_INIT(""), text = STR_INIT(""), binary = STR_INIT("");
    int64_t type = V_STRING, number = 0;
    double real = 0;
    bool truth = false;
    for (struct thrift_field f; thrift_next(&d->c, &f);) switch (f.id) {
        case 1: key = thrift_str(&f); break;
        case 2: type = thrift_int(&f); break;
        case 3: text = thrift_str(&f); break;
        case 4: real = thrift_double(&f); break;
        case 5: truth = thrift_bool(&f); break;
        case 6: number = thrift_int(&f); break;
        case 7: binary = thrift_str(&f); break;
        default: break;
        }
    switch (type) {
    case V_DOUBLE: return (struct field){key, value_double(real)};
    case V_BOOL: return (struct field){key, value_bool(truth)};
    case V_LONG: return (struct field){key, value_int(number)};
    case V_BINARY: return (struct field){key, {.type = VAL_BYTES, .s = binary}};
    default: return (struct field){key, value_str(text)};
    }
}

static void read_tags(struct decoder *d, const struct field **out, size_t *n) {
    LIST(struct field) tags = {0};
    if (!each_struct(d)) return;
    while (next_struct(d)) avec_push(d->arena, &tags, read_tag(d));
    *out = tags.p;
    *n = tags.n;
}

static void read_logs(struct decoder *d, struct event *ev) {
    LIST(struct span_event) logs = {0};
    if (!each_struct(d)) return;
    while (next_struct(d)) {
        struct span_event log = {.name = STR("")};
        bool in_range = true;
        for (struct thrift_field f; thrift_next(&d->c, &f);) {
            if (f.id == 1)
                in_range = span_batch_time(thrift_int(&f), &log.time_ns);
            else if (f.id == 2)
                read_tags(d, &log.attrs, &log.attr_n);
        }
        if (!in_range) continue;
        span_batch_name_event(&log);
        avec_push(d->arena, &logs, log);
    }
    ev->events = logs.p;
    ev->event_n = logs.n;
}

static void read_references(struct decoder *d, struct event *ev) {
    LIST(struct span_link) links = {0};
    if (!each_struct(d)) return;
    while (next_struct(d)) {
        struct span_link l = {0};
        for (struct thrift_field f; thrift_next(&d->c, &f);) switch (f.id) {
            case 1: l.follows_from = thrift_int(&f) == 1; break;
            case 2: l.trace.lo = (uint64_t)thrift_int(&f); break;
            case 3: l.trace.hi = (uint64_t)thrift_int(&f); break;
            case 4: l.span_id = (uint64_t)thrift_int(&f); break;
            default: break;
            }
        avec_push(d->arena, &links, l);
    }
    ev->links = links.p;
    ev->link_n = links.n;
}

static void read_span(struct decoder *d) {
    struct event ev = {.body = STR("")};
    bool in_range = true;
    for (struct thrift_field f; thrift_next(&d->c, &f);) switch (f.id) {
        case 1: ev.trace.lo = (uint64_t)thrift_int(&f); break;
        case 2: ev.trace.hi = (uint64_t)thrift_int(&f); break;
        case 3: ev.span_id = (uint64_t)thrift_int(&f); break;
        case 4: ev.parent_id = (uint64_t)thrift_int(&f); break;
        case 5: ev.body = thrift_str(&f); break;
        case 6: read_references(d, &ev); break;
        case 7: ev.flags = (uint32_t)thrift_int(&f); break;
        case 8: in_range = in_range && span_batch_time(thrift_int(&f), &ev.time_ns); break;
        case 9: in_range = in_range && span_batch_time(thrift_int(&f), &ev.duration_ns); break;
        case 10: read_tags(d, &ev.attrs, &ev.attr_n); break;
        case 11: read_logs(d, &ev); break;
        default: break;
        }
    if (d->c.bad) return;
    if (!in_range || ev.duration_ns < 0) {
        d->out.rejected++;
        return;
    }
    span_batch_settle_parent(&ev);
    ev.stream = 0; /* the batch's process */
    span_batch_add(&d->out, &ev);
}

static void read_process(struct decoder *d, str *service, const struct field **tags, size_t *n) {
    if (!thrift_enter(&d->c, THRIFT_STRUCT)) return;
    for (struct thrift_field f; thrift_next(&d->c, &f);) {
        if (f.id == 1)
            *service = thrift_str(&f);
        else if (f.id == 2)
            read_tags(d, tags, n);
    }
}

static void read_stats(struct decoder *d) {
    if (!thrift_enter(&d->c, THRIFT_STRUCT)) return;
    d->info.has_stats = true;
    for (struct thrift_field f; thrift_next(&d->c, &f);)
        if (f.id >= 1 && f.id <= 3 && thrift_int(&f) > 0) d->info.client_dropped += (uint64_t)thrift_int(&f);
}

/* Inside the Batch struct. The process may come behind the spans. */
static void read_batch(struct decoder *d) {
    str service = STR("");
    const struct field *tags = NULL;
    size_t n = 0;
    for (struct thrift_field f; thrift_next(&d->c, &f);) switch (f.id) {
        case 1: read_process(d, &service, &tags, &n); break;
        case 2:
            if (each_struct(d))
                while (next_struct(d)) read_span(d);
            break;
        case 3:
            d->info.seq_no = thrift_int(&f);
            d->info.has_seq = f.type == THRIFT_I64;
            break;
        case 4: read_stats(d); break;
        default: break;
        }
    span_batch_stream(&d->out, service, tags, n);
}

/* --- zipkincore */

static struct zipkin_endpoint read_endpoint(struct decoder *d) {
    struct zipkin_endpoint host = {0};
    if (!thrift_enter(&d->c, THRIFT_STRUCT)) return host;
    for (struct thrift_field f; thrift_next(&d->c, &f);) switch (f.id) {
        case 1: host.ipv4 = (uint32_t)thrift_int(&f); break;
        case 2: host.port = (uint16_t)thrift_int(&f); break;
        case 3: host.service = thrift_str(&f); break;
        case 4: host.ipv6 = thrift_str(&f); break;
        default: break;
        }
    return host;
}

enum { Z_BOOL, Z_BYTES, Z_I16, Z_I32, Z_I64, Z_DOUBLE, Z_STRING };

static struct value unreadable(str bytes, struct arena *a) {
    AUTO(buf_done) struct buf b = {0};
    buf_add(&b, STR("Cannot parse Zipkin value "));
    base64_put(&b, bytes);
    buf_add(&b, bytes.n ? STR(": unexpected EOF") : STR(": EOF"));
    return value_str(arena_str(a, buf_str(&b)));
}

/* Numbers are big-endian in the bytes. One that is too short becomes the text that Jaeger's converter makes of it. */
static struct value zipkin_value(int64_t type, str bytes, struct arena *a) {
    static const uint8_t widths[] = {[Z_I16] = 2, [Z_I32] = 4, [Z_I64] = 8, [Z_DOUBLE] = 8};
    uint64_t number = 0;
    if (type == Z_BOOL) return value_bool(bytes.n && bytes.p[0] != 0);
    if (type == Z_STRING) return value_str(bytes);
    if (type < Z_I16 || type > Z_DOUBLE) return (struct value){.type = VAL_BYTES, .s = bytes};
    if (bytes.n < widths[type]) return unreadable(bytes, a);
    for (size_t i = 0; i < widths[type]; i++) number = number << 8 | (uint8_t)bytes.p[i];
    double real;
    memcpy(&real, &number, sizeof real);
    switch (type) {
    case Z_I16: return value_int((int16_t)number);
    case Z_I32: return value_int((int32_t)number);
    case Z_I64: return value_int((int64_t)number);
    default: return value_double(real);
    }
}

static void read_annotations(struct decoder *d, struct zipkin_v1_span *z) {
    LIST(struct zipkin_annotation) list = {0};
    if (!each_struct(d)) return;
    while (next_struct(d)) {
        struct zipkin_annotation x = {.value = STR("")};
        for (struct thrift_field f; thrift_next(&d->c, &f);) switch (f.id) {
            case 1: x.time_us = thrift_int(&f); break;
            case 2: x.value = thrift_str(&f); break;
            case 3: x.host = read_endpoint(d); break;
            default: break;
            }
        avec_push(d->arena, &list, x);
    }
    z->annotations = list.p;
    z->annotation_n = list.n;
}

static void read_binary_annotations(struct decoder *d, struct zipkin_v1_span *z) {
    LIST(struct zipkin_tag) list = {0};
    if (!each_struct(d)) return;
    while (next_struct(d)) {
        struct zipkin_tag x = {.key = STR("")};
        str bytes = STR("");
        int64_t type = Z_STRING;
        for (struct thrift_field f; thrift_next(&d->c, &f);) switch (f.id) {
            case 1: x.key = thrift_str(&f); break;
            case 2: bytes = thrift_str(&f); break;
            case 3: type = thrift_int(&f); break;
            case 4: x.host = read_endpoint(d); break;
            default: break;
            }
        x.value = zipkin_value(type, bytes, d->arena);
        avec_push(d->arena, &list, x);
    }
    z->tags = list.p;
    z->tag_n = list.n;
}

static void read_zipkin_span(struct decoder *d) {
    struct zipkin_v1_span z = {.name = STR("")};
    for (struct thrift_field f; thrift_next(&d->c, &f);) switch (f.id) {
        case 1: z.trace.lo = (uint64_t)thrift_int(&f); break;
        case 3: z.name = thrift_str(&f); break;
        case 4: z.id = (uint64_t)thrift_int(&f); break;
        case 5: z.parent_id = (uint64_t)thrift_int(&f); break;
        case 6: read_annotations(d, &z); break;
        case 8: read_binary_annotations(d, &z); break;
        case 9: z.debug = thrift_bool(&f); break;
        case 10: z.time_us = thrift_int(&f); break;
        case 11: z.duration_us = thrift_int(&f); break;
        case 12: z.trace.hi = (uint64_t)thrift_int(&f); break;
        default: break;
        }
    if (!d->c.bad) zipkin_v1_add(&d->out, &z);
}

static void read_zipkin_list(struct decoder *d) {
    if (!each_struct(d)) return;
    while (next_struct(d)) read_zipkin_span(d);
}

/* --- */

static struct decoder open_decoder(str bytes, enum thrift_protocol protocol, int64_t now_ns) {
    struct decoder d = {.out = span_batch_open(bytes.n * 4 + 1024, now_ns)};
    d.arena = d.out.batch->arena;
    d.c = thrift_open(arena_str(d.arena, bytes), protocol);
    return d;
}

static bool finish(struct decoder *d, struct event_batch **out, struct jaeger_info *info, struct err *e) {
    if (d->c.bad) {
        span_batch_done(&d->out);
        return err_set(e, ERR_INPUT, "not thrift of the expected form (at byte %zu)", thrift_offset(&d->c));
    }
    d->info.rejected = d->out.rejected;
    *info = d->info;
    *out = span_batch_finish(&d->out);
    return true;
}

bool jaeger_packet_decode(str packet, int64_t now_ns, struct event_batch **out, struct jaeger_info *info, struct err *e) {
    bool compact = packet.n && (uint8_t)packet.p[0] == 0x82; /* the compact protocol's id; binary begins with 0x80 or a length */
    struct decoder d = open_decoder(packet, compact ? THRIFT_COMPACT : THRIFT_BINARY, now_ns);
    struct thrift_message m = {0};
    if (!thrift_message(&d.c, &m) || !thrift_enter(&d.c, THRIFT_STRUCT)) return finish(&d, out, info, e);
    bool zipkin = str_eq(m.name, STR("emitZipkinBatch"));
    if (!zipkin && !str_eq(m.name, STR("emitBatch"))) {
        err_set(e, ERR_INPUT, "unknown method \"%.*s\": expected emitBatch or emitZipkinBatch", (int)MIN(m.name.n, (size_t)40), m.name.p);
        span_batch_done(&d.out);
        return false;
    }
    for (struct thrift_field f; thrift_next(&d.c, &f);) {
        if (f.id != 1) continue;
        if (zipkin)
            read_zipkin_list(&d);
        else if (thrift_enter(&d.c, THRIFT_STRUCT))
            read_batch(&d);
    }
    return finish(&d, out, info, e);
}

bool jaeger_batch_decode(str body, int64_t now_ns, struct event_batch **out, struct jaeger_info *info, struct err *e) {
    struct decoder d = open_decoder(body, THRIFT_BINARY, now_ns);
    if (thrift_enter(&d.c, THRIFT_STRUCT)) read_batch(&d);
    return finish(&d, out, info, e);
}

bool zipkin_thrift_decode(str body, int64_t now_ns, struct event_batch **out, struct jaeger_info *info, struct err *e) {
    /* A bare list: read as the only field of a struct that is written around it. */
    AUTO(arena_free) struct arena *a = arena_new(body.n + 16);
    char *wrapped = arena_alloc(a, body.n + 4);
    memcpy(wrapped, "\x0f\x00\x01", 3);
    if (body.n) memcpy(wrapped + 3, body.p, body.n);
    wrapped[3 + body.n] = 0;
    struct decoder d = open_decoder(str_n(wrapped, body.n + 4), THRIFT_BINARY, now_ns);
    if (thrift_enter(&d.c, THRIFT_STRUCT))
        for (struct thrift_field f; thrift_next(&d.c, &f);) read_zipkin_list(&d);
    return finish(&d, out, info, e);
}
