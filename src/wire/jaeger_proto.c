#include "wire/jaeger_proto.h"

#include "base/clock.h"
#include "codec/pb.h"
#include "wire/span_batch.h"

struct decoder {
    struct span_batch out;
    struct arena *arena;
    str text;
    size_t bad_at; /* offset of the first damage; STR_NONE: none */
    bool bad_item; /* the span being read has an id of a wrong length, or a time out of range */
    /* the newest process: spans of one process usually stand together */
    str process;
    uint32_t stream;
    bool has_stream;
};

#define LIST(type)     \
    struct {           \
        type *p;       \
        size_t n, cap; \
    }

static void check(struct decoder *d, const struct pb *c) {
    if (c->bad && d->bad_at == STR_NONE) d->bad_at = (size_t)((const char *)c->at - d->text.p);
}

static uint64_t read_be64(const char *p) {
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return __builtin_bswap64(v);
}

static struct trace_id read_trace_id(struct decoder *d, str bytes) {
    if (bytes.n == 16) return (struct trace_id){read_be64(bytes.p), read_be64(bytes.p + 8)};
    if (bytes.n == 8) return (struct trace_id){0, read_be64(bytes.p)};
    d->bad_item |= bytes.n != 0;
    return (struct trace_id){0};
}

static uint64_t read_span_id(struct decoder *d, str bytes) {
    if (bytes.n == 8) return read_be64(bytes.p);
    d->bad_item |= bytes.n != 0;
    return 0;
}

/* google.protobuf.Timestamp and Duration have the same form. */
static int64_t read_time(struct decoder *d, str bytes) {
    int64_t seconds = 0, nanos = 0, ns = 0;
    struct pb c = pb_open(bytes);
    for (struct pb_field f; pb_next(&c, &f);) {
        if (f.num == 1) seconds = pb_i64(&f);
        if (f.num == 2) nanos = (int32_t)pb_i64(&f);
    }
    check(d, &c);
    if (__builtin_mul_overflow(seconds, NS_PER_S, &ns) || __builtin_add_overflow(ns, nanos, &ns)) d->bad_item = true;
    return ns;
}

enum { V_STRING, V_BOOL, V_INT64, V_FLOAT64, V_BINARY };

static struct field read_tag(struct decoder *d, str bytes) {
    str key = STR_INIT(""), text = STR_INIT(""), binary = STR_INIT("");
    int64_t type = V_STRING, number = 0;
    double real = 0;
    bool truth = false;
    struct pb c = pb_open(bytes);
    for (struct pb_field f; pb_next(&c, &f);) switch (f.num) {
        case 1: key = pb_bytes(&f); break;
        case 2: type = pb_i64(&f); break;
        case 3: text = pb_bytes(&f); break;
        case 4: truth = pb_i64(&f) != 0; break;
        case 5: number = pb_i64(&f); break;
        case 6: real = pb_double(&f); break;
        case 7: binary = pb_bytes(&f); break;
        default: break;
        }
    check(d, &c);
    switch (type) {
    case V_BOOL: return (struct field){key, value_bool(truth)};
    case V_INT64: return (struct field){key, value_int(number)};
    case V_FLOAT64: return (struct field){key, value_double(real)};
    case V_BINARY: return (struct field){key, {.type = VAL_BYTES, .s = binary}};
    default: return (struct field){key, value_str(text)};
    }
}

static struct span_link read_reference(struct decoder *d, str bytes) {
    struct span_link l = {0};
    struct pb c = pb_open(bytes);
    for (struct pb_field f; pb_next(&c, &f);) switch (f.num) {
        case 1: l.trace = read_trace_id(d, pb_bytes(&f)); break;
        case 2: l.span_id = read_span_id(d, pb_bytes(&f)); break;
        case 3: l.follows_from = pb_i64(&f) == 1; break;
        default: break;
        }
    check(d, &c);
    return l;
}

static struct span_event read_log(struct decoder *d, str bytes) {
    struct span_event log = {.name = STR("")};
    LIST(struct field) tags = {0};
    struct pb c = pb_open(bytes);
    for (struct pb_field f; pb_next(&c, &f);) {
        if (f.num == 1) log.time_ns = read_time(d, pb_bytes(&f));
        if (f.num == 2) avec_push(d->arena, &tags, read_tag(d, pb_bytes(&f)));
    }
    check(d, &c);
    log.attrs = tags.p;
    log.attr_n = tags.n;
    span_batch_name_event(&log);
    return log;
}

static uint32_t read_process(struct decoder *d, str bytes) {
    if (d->has_stream && str_eq(bytes, d->process)) return d->stream;
    str service = STR_INIT("");
    LIST(struct field) tags = {0};
    struct pb c = pb_open(bytes);
    for (struct pb_field f; pb_next(&c, &f);) {
        if (f.num == 1) service = pb_bytes(&f);
        if (f.num == 2) avec_push(d->arena, &tags, read_tag(d, pb_bytes(&f)));
    }
    check(d, &c);
    d->process = bytes;
    d->stream = span_batch_stream(&d->out, service, tags.p, tags.n);
    d->has_stream = true;
    return d->stream;
}

static void read_span(struct decoder *d, str bytes, str process) {
    struct event ev = {.body = STR("")};
    LIST(struct field) tags = {0};
    LIST(struct span_link) links = {0};
    LIST(struct span_event) logs = {0};
    d->bad_item = false;
    struct pb c = pb_open(bytes);
    for (struct pb_field f; pb_next(&c, &f);) switch (f.num) {
        case 1: ev.trace = read_trace_id(d, pb_bytes(&f)); break;
        case 2: ev.span_id = read_span_id(d, pb_bytes(&f)); break;
        case 3: ev.body = pb_bytes(&f); break;
        case 4: avec_push(d->arena, &links, read_reference(d, pb_bytes(&f))); break;
        case 5: ev.flags = (uint32_t)pb_i64(&f); break;
        case 6: ev.time_ns = read_time(d, pb_bytes(&f)); break;
        case 7: ev.duration_ns = read_time(d, pb_bytes(&f)); break;
        case 8: avec_push(d->arena, &tags, read_tag(d, pb_bytes(&f))); break;
        case 9: avec_push(d->arena, &logs, read_log(d, pb_bytes(&f))); break;
        case 10: process = pb_bytes(&f); break;
        default: break;
        }
    check(d, &c);
    if (d->bad_item || ev.duration_ns < 0) {
        d->out.rejected++;
        return;
    }
    ev.attrs = tags.p;
    ev.attr_n = tags.n;
    ev.links = links.p;
    ev.link_n = links.n;
    ev.events = logs.p;
    ev.event_n = logs.n;
    span_batch_settle_parent(&ev);
    ev.stream = read_process(d, process);
    span_batch_add(&d->out, &ev);
}

static void read_batch(struct decoder *d, str bytes) {
    str process = STR_INIT("");
    struct pb c = pb_open(bytes);
    for (struct pb_field f; pb_next(&c, &f);) /* it usually stands behind the spans */
        if (f.num == 2) process = pb_bytes(&f);
    check(d, &c);
    c = pb_open(bytes);
    for (struct pb_field f; pb_next(&c, &f);)
        if (f.num == 1) read_span(d, pb_bytes(&f), process);
}

bool jaeger_post_spans_decode(str body, int64_t now_ns, struct event_batch **out, size_t *rejected, struct err *e) {
    struct decoder d = {.out = span_batch_open(body.n * 4 + 1024, now_ns), .bad_at = STR_NONE};
    d.arena = d.out.batch->arena;
    d.text = arena_str(d.arena, body);
    struct pb c = pb_open(d.text);
    for (struct pb_field f; pb_next(&c, &f);)
        if (f.num == 1) read_batch(&d, pb_bytes(&f));
    check(&d, &c);
    if (d.bad_at != STR_NONE) {
        span_batch_done(&d.out);
        return err_set(e, ERR_INPUT, "not a PostSpansRequest (at byte %zu)", d.bad_at);
    }
    *rejected = d.out.rejected;
    *out = span_batch_finish(&d.out);
    return true;
}
