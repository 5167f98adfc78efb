#include "query/trace/otlp_json.h"

#include <stdio.h>

#include "query/trace/ids.h"
#include "wire/zipkin_v2.h"

enum { DEPTH_MAX = JSON_DEPTH_MAX - 8 }; /* of the writer; a value opens up to three levels */

static void put_text(struct json_out *o, str key, str text) {
    if (text.n == 0) return;
    json_put_key(o, key);
    json_put_string(o, text);
}

static void put_i64(struct json_out *o, str key, int64_t v) {
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%lld", (long long)v);
    json_put_key(o, key);
    json_put_string(o, str_n(digits, (size_t)n));
}

static void put_number(struct json_out *o, str key, uint64_t v) {
    if (v == 0) return;
    json_put_key(o, key);
    json_put_u64(o, v);
}

static void put_attrs(struct json_out *o, str key, const struct field *f, size_t n);

static void put_as_text(struct json_out *o, const struct value *v) {
    AUTO(buf_done) struct buf text = {0};
    struct json_out inner = {.buf = &text};
    json_put_value(&inner, v);
    put_text(o, STR("stringValue"), buf_str(&text));
}

/* Recursion ends at DEPTH_MAX. */
static void put_any(struct json_out *o, const struct value *v) {
    json_put_object(o);
    bool nested = v->type == VAL_ARRAY || v->type == VAL_MAP;
    if (nested && o->depth > DEPTH_MAX)
        put_as_text(o, v);
    else
        switch (v->type) {
        case VAL_NULL: break;
        case VAL_BOOL:
            json_put_key_c(o, "boolValue");
            json_put_bool(o, v->b);
            break;
        case VAL_INT: put_i64(o, STR("intValue"), v->i); break;
        case VAL_DOUBLE:
            json_put_key_c(o, "doubleValue");
            json_put_double(o, v->d);
            break;
        case VAL_STRING:
            json_put_key_c(o, "stringValue");
            json_put_string(o, v->s);
            break;
        case VAL_BYTES:
            json_put_key_c(o, "bytesValue");
            json_put_value(o, v);
            break;
        case VAL_ARRAY:
            json_put_key_c(o, "arrayValue");
            json_put_object(o);
            json_put_key_c(o, "values");
            json_put_array(o);
            for (size_t i = 0; i < v->n; i++) put_any(o, &v->items[i]);
            json_put_array_end(o);
            json_put_object_end(o);
            break;
        case VAL_MAP:
            json_put_key_c(o, "kvlistValue");
            json_put_object(o);
            put_attrs(o, STR("values"), v->fields, v->n);
            json_put_object_end(o);
            break;
        }
    json_put_object_end(o);
}

static void put_attrs(struct json_out *o, str key, const struct field *f, size_t n) {
    if (n == 0) return;
    json_put_key(o, key);
    json_put_array(o);
    for (size_t i = 0; i < n; i++) {
        json_put_object(o);
        json_put_key_c(o, "key");
        json_put_string(o, f[i].key);
        json_put_key_c(o, "value");
        put_any(o, &f[i].value);
        json_put_object_end(o);
    }
    json_put_array_end(o);
}

static void put_ids(struct json_out *o, struct trace_id trace, uint64_t span_id) {
    json_put_key_c(o, "traceId");
    trace_id_put_32(o, trace);
    json_put_key_c(o, "spanId");
    span_id_put(o, span_id);
}

static void put_events(struct json_out *o, const struct event *e) {
    if (e->event_n == 0) return;
    json_put_key_c(o, "events");
    json_put_array(o);
    for (size_t i = 0; i < e->event_n; i++) {
        json_put_object(o);
        put_i64(o, STR("timeUnixNano"), e->events[i].time_ns);
        put_text(o, STR("name"), e->events[i].name);
        put_attrs(o, STR("attributes"), e->events[i].attrs, e->events[i].attr_n);
        json_put_object_end(o);
    }
    json_put_array_end(o);
}

static bool repeats_parent(const struct event *e, const struct span_link *l) {
    return !l->follows_from && l->span_id == e->parent_id && l->trace.hi == e->trace.hi && l->trace.lo == e->trace.lo;
}

static void put_links(struct json_out *o, const struct event *e) {
    size_t shown = 0;
    for (size_t i = 0; i < e->link_n; i++) shown += !repeats_parent(e, &e->links[i]);
    if (shown == 0) return;
    json_put_key_c(o, "links");
    json_put_array(o);
    for (size_t i = 0; i < e->link_n; i++) {
        if (repeats_parent(e, &e->links[i])) continue;
        json_put_object(o);
        put_ids(o, e->links[i].trace, e->links[i].span_id);
        put_text(o, STR("traceState"), e->links[i].trace_state);
        put_attrs(o, STR("attributes"), e->links[i].attrs, e->links[i].attr_n);
        json_put_object_end(o);
    }
    json_put_array_end(o);
}

static void put_span(struct json_out *o, const struct event *e) {
    json_put_object(o);
    put_ids(o, e->trace, e->span_id);
    put_text(o, STR("traceState"), e->trace_state);
    if (e->parent_id) {
        json_put_key_c(o, "parentSpanId");
        span_id_put(o, e->parent_id);
    }
    put_number(o, STR("flags"), e->flags & ~ZIPKIN_FLAG_SHARED);
    put_text(o, STR("name"), e->body);
    put_number(o, STR("kind"), e->span_kind);
    put_i64(o, STR("startTimeUnixNano"), e->time_ns);
    put_i64(o, STR("endTimeUnixNano"), e->time_ns + e->duration_ns);
    put_attrs(o, STR("attributes"), e->attrs, e->attr_n);
    put_events(o, e);
    put_links(o, e);
    json_put_key_c(o, "status");
    json_put_object(o);
    put_text(o, STR("message"), e->status_message);
    put_number(o, STR("code"), e->status);
    json_put_object_end(o);
    json_put_object_end(o);
}

static bool same_fields(const struct field *a, size_t a_n, const struct field *b, size_t b_n) {
    if (a_n != b_n) return false;
    for (size_t i = 0; i < a_n && a != b; i++)
        if (!str_eq(a[i].key, b[i].key) || !value_eq(&a[i].value, &b[i].value)) return false;
    return true;
}

static bool same_stream(const struct stream *a, const struct stream *b) {
    return str_eq(a->scope_name, b->scope_name) && str_eq(a->scope_version, b->scope_version) &&
           same_fields(a->attrs, a->attr_n, b->attrs, b->attr_n) && same_fields(a->scope_attrs, a->scope_attr_n, b->scope_attrs, b->scope_attr_n);
}

static void begin_stream(struct json_out *o, const struct stream *s) {
    json_put_object(o);
    json_put_key_c(o, "resource");
    json_put_object(o);
    put_attrs(o, STR("attributes"), s->attrs, s->attr_n);
    json_put_object_end(o);
    json_put_key_c(o, "scopeSpans");
    json_put_array(o);
    json_put_object(o);
    json_put_key_c(o, "scope");
    json_put_object(o);
    put_text(o, STR("name"), s->scope_name);
    put_text(o, STR("version"), s->scope_version);
    put_attrs(o, STR("attributes"), s->scope_attrs, s->scope_attr_n);
    json_put_object_end(o);
    json_put_key_c(o, "spans");
    json_put_array(o);
}

static void end_stream(struct json_out *o) {
    json_put_array_end(o);
    json_put_object_end(o);
    json_put_array_end(o);
    json_put_object_end(o);
}

void otlp_put_resource_spans(struct json_out *o, const struct event *spans, const struct stream *streams, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || !same_stream(&streams[i], &streams[i - 1])) begin_stream(o, &streams[i]);
        put_span(o, &spans[i]);
        if (i + 1 == n || !same_stream(&streams[i], &streams[i + 1])) end_stream(o);
    }
}
