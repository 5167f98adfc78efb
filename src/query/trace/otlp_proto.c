#include "query/trace/otlp_proto.h"

#include "codec/json.h"
#include "codec/pb.h"
#include "wire/zipkin_v2.h"

enum { DEPTH_MAX = JSON_DEPTH_MAX / 2 }; /* of values; what is deeper becomes JSON text */

static void put_text(struct buf *b, uint32_t num, str text) {
    if (text.n) pb_put_bytes(b, num, text);
}
static void put_number(struct buf *b, uint32_t num, uint64_t v) {
    if (v) pb_put_u64(b, num, v);
}

static void put_big_endian(char *out, uint64_t v) {
    for (int i = 0; i < 8; i++) out[i] = (char)(v >> (56 - 8 * i));
}
static void put_span_id(struct buf *b, uint32_t num, uint64_t id) {
    char bytes[8];
    put_big_endian(bytes, id);
    if (id) pb_put_bytes(b, num, str_n(bytes, sizeof bytes));
}
static void put_trace_id(struct buf *b, uint32_t num, struct trace_id id) {
    char bytes[16];
    put_big_endian(bytes, id.hi);
    put_big_endian(bytes + 8, id.lo);
    pb_put_bytes(b, num, str_n(bytes, sizeof bytes));
}

/* --- AnyValue {1 string, 2 bool, 3 int64, 4 double, 5 ArrayValue {1}, 6 KeyValueList {1}, 7 bytes}, KeyValue {1 key, 2 value} */

static void put_any(struct buf *b, uint32_t num, const struct value *v, unsigned depth);

static void put_attrs(struct buf *b, uint32_t num, const struct field *f, size_t n, unsigned depth) {
    for (size_t i = 0; i < n; i++) {
        size_t at = pb_begin(b, num);
        pb_put_bytes(b, 1, f[i].key);
        put_any(b, 2, &f[i].value, depth);
        pb_end(b, at);
    }
}

static void put_as_text(struct buf *b, const struct value *v) {
    AUTO(buf_done) struct buf text = {0};
    struct json_out inner = {.buf = &text};
    json_put_value(&inner, v);
    pb_put_bytes(b, 1, buf_str(&text));
}

static void put_list(struct buf *b, const struct value *v, unsigned depth) {
    size_t at = pb_begin(b, v->type == VAL_ARRAY ? 5 : 6);
    if (v->type == VAL_ARRAY)
        for (size_t i = 0; i < v->n; i++) put_any(b, 1, &v->items[i], depth + 1);
    else
        put_attrs(b, 1, v->fields, v->n, depth + 1);
    pb_end(b, at);
}

/* Recursion ends at DEPTH_MAX. */
static void put_any(struct buf *b, uint32_t num, const struct value *v, unsigned depth) {
    size_t at = pb_begin(b, num);
    switch (v->type) {
    case VAL_NULL: break;
    case VAL_BOOL: pb_put_u64(b, 2, v->b); break;
    case VAL_INT: pb_put_u64(b, 3, (uint64_t)v->i); break;
    case VAL_DOUBLE: pb_put_double(b, 4, v->d); break;
    case VAL_STRING: pb_put_bytes(b, 1, v->s); break;
    case VAL_BYTES: pb_put_bytes(b, 7, v->s); break;
    case VAL_ARRAY:
    case VAL_MAP:
        if (depth < DEPTH_MAX)
            put_list(b, v, depth);
        else
            put_as_text(b, v);
        break;
    }
    pb_end(b, at);
}

/* --- Span {1 trace_id, 2 span_id, 3 trace_state, 4 parent_span_id, 5 name, 6 kind, 7 start, 8 end, 9 attributes, 11 events, 13 links, 15 status,
 * 16 flags} */

static void put_event(struct buf *b, const struct span_event *x) {
    size_t at = pb_begin(b, 11);
    pb_put_fixed64(b, 1, (uint64_t)x->time_ns);
    put_text(b, 2, x->name);
    put_attrs(b, 3, x->attrs, x->attr_n, 0);
    pb_end(b, at);
}

static void put_link(struct buf *b, const struct event *e, const struct span_link *l) {
    if (!l->follows_from && l->span_id == e->parent_id && l->trace.hi == e->trace.hi && l->trace.lo == e->trace.lo) return;
    size_t at = pb_begin(b, 13);
    put_trace_id(b, 1, l->trace);
    put_span_id(b, 2, l->span_id);
    put_text(b, 3, l->trace_state);
    put_attrs(b, 4, l->attrs, l->attr_n, 0);
    pb_end(b, at);
}

static void put_span(struct buf *b, const struct event *e) {
    size_t at = pb_begin(b, 2);
    put_trace_id(b, 1, e->trace);
    put_span_id(b, 2, e->span_id);
    put_text(b, 3, e->trace_state);
    put_span_id(b, 4, e->parent_id);
    put_text(b, 5, e->body);
    put_number(b, 6, e->span_kind);
    pb_put_fixed64(b, 7, (uint64_t)e->time_ns);
    pb_put_fixed64(b, 8, (uint64_t)(e->time_ns + e->duration_ns));
    put_attrs(b, 9, e->attrs, e->attr_n, 0);
    for (size_t i = 0; i < e->event_n; i++) put_event(b, &e->events[i]);
    for (size_t i = 0; i < e->link_n; i++) put_link(b, e, &e->links[i]);
    if (e->status || e->status_message.n) {
        size_t status = pb_begin(b, 15);
        put_text(b, 2, e->status_message);
        put_number(b, 3, e->status);
        pb_end(b, status);
    }
    uint32_t flags = e->flags & ~ZIPKIN_FLAG_SHARED;
    if (flags) pb_put_fixed32(b, 16, flags);
    pb_end(b, at);
}

static bool same_stream(const struct stream *a, const struct stream *b) {
    return a->attrs == b->attrs && a->scope_attrs == b->scope_attrs && str_eq(a->scope_name, b->scope_name) &&
           str_eq(a->scope_version, b->scope_version);
}

/* ResourceSpans {1 resource {1 attributes}, 2 scope_spans {1 scope {1 name, 2 version, 3 attributes}, 2 spans}} */
void otlp_proto_put_resource_spans(struct buf *b, const struct event *spans, const struct stream *streams, size_t n) {
    for (size_t i = 0, end; i < n; i = end) {
        const struct stream *s = &streams[i];
        for (end = i + 1; end < n && same_stream(s, &streams[end]); end++)
            ;
        size_t resource_spans = pb_begin(b, 1), resource = pb_begin(b, 1);
        put_attrs(b, 1, s->attrs, s->attr_n, 0);
        pb_end(b, resource);
        size_t scope_spans = pb_begin(b, 2), scope = pb_begin(b, 1);
        put_text(b, 1, s->scope_name);
        put_text(b, 2, s->scope_version);
        put_attrs(b, 3, s->scope_attrs, s->scope_attr_n, 0);
        pb_end(b, scope);
        for (size_t k = i; k < end; k++) put_span(b, &spans[k]);
        pb_end(b, scope_spans);
        pb_end(b, resource_spans);
    }
}
