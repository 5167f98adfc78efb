#include "query/trace/zipkin_json.h"

#include <stdio.h>

#include "query/trace/ids.h"
#include "wire/zipkin_v2.h"

static void put_text(struct json_out *o, const struct value *v) {
    if (v->type == VAL_STRING) return json_put_string(o, v->s);
    struct buf text = {0};
    struct json_out inner = {.buf = &text};
    json_put_value(&inner, v);
    str shown = buf_str(&text);
    bool quoted = v->type == VAL_BYTES; /* base64 is a string already */
    json_put_string(o, quoted ? str_sub(shown, 1, shown.n - 1) : shown);
    buf_done(&text);
}

static void put_tag(struct json_out *o, str key, const struct value *v) {
    json_put_key(o, key);
    put_text(o, v);
}
static void put_string_tag(struct json_out *o, const char *key, str text) {
    const struct value v = value_str(text);
    if (text.n) put_tag(o, str_c(key), &v);
}

/* --- endpoints: the store keeps the local one in the stream's attributes, the remote one in the span's */

struct endpoint_keys {
    str service, ipv4, ipv6, port;
};
static const struct endpoint_keys local = {STR_INIT("service.name"), STR_INIT("ip"), STR_INIT("ipv6"), STR_INIT("port")},
                                  remote = {STR_INIT("peer.service"), STR_INIT("peer.ipv4"), STR_INIT("peer.ipv6"), STR_INIT("peer.port")};

/* The attribute says a part of the endpoint, in a form that can be shown as one. */
static bool is_endpoint(const struct endpoint_keys *k, const struct field *f) {
    const struct value *v = &f->value;
    if (str_eq(f->key, k->service) || str_eq(f->key, k->ipv6)) return v->type == VAL_STRING;
    if (str_eq(f->key, k->ipv4)) return v->type == VAL_STRING || (v->type == VAL_INT && v->i >= INT32_MIN && v->i <= UINT32_MAX);
    return str_eq(f->key, k->port) && v->type == VAL_INT && v->i > 0 && v->i <= UINT16_MAX;
}

static void put_ipv4(struct json_out *o, const struct value *v) {
    if (v->type == VAL_STRING) return json_put_string(o, v->s);
    uint32_t ip = (uint32_t)v->i;
    char text[16];
    int n = snprintf(text, sizeof text, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
    json_put_string(o, str_n(text, (size_t)n));
}

static void put_endpoint(struct json_out *o, str name, const struct endpoint_keys *k, const struct field *f, size_t n) {
    bool open = false;
    for (size_t i = 0; i < n; i++) {
        const struct value *v = &f[i].value;
        if (!is_endpoint(k, &f[i])) continue;
        bool is_service = str_eq(f[i].key, k->service), is_ipv4 = str_eq(f[i].key, k->ipv4), is_ipv6 = str_eq(f[i].key, k->ipv6);
        if (is_service && str_eq(v->s, STR(ZIPKIN_NO_SERVICE))) continue;
        if (!open) {
            json_put_key(o, name);
            json_put_object(o);
            open = true;
        }
        json_put_key(o, is_service ? STR("serviceName") : is_ipv4 ? STR("ipv4") : is_ipv6 ? STR("ipv6") : STR("port"));
        if (is_ipv4)
            put_ipv4(o, v);
        else
            json_put_value(o, v);
    }
    if (open) json_put_object_end(o);
}

/* --- the rest of a span */

static void put_annotations(struct json_out *o, const struct event *e) {
    if (e->event_n == 0) return;
    json_put_key_c(o, "annotations");
    json_put_array(o);
    for (size_t i = 0; i < e->event_n; i++) {
        const struct span_event *x = &e->events[i];
        struct buf text = {0};
        struct json_out inner = {.buf = &text};
        if (x->attr_n) {
            const struct value attrs = {.type = VAL_MAP, .n = (uint32_t)x->attr_n, .fields = x->attrs};
            if (x->name.n) json_put_string(&inner, x->name);
            if (x->name.n) buf_char(&text, ':');
            struct json_out map = {.buf = &text};
            json_put_value(&map, &attrs);
        } else {
            buf_add(&text, x->name);
        }
        json_put_object(o);
        json_put_key_c(o, "timestamp");
        json_put_i64(o, x->time_ns / 1000);
        json_put_key_c(o, "value");
        json_put_string(o, buf_str(&text));
        json_put_object_end(o);
        buf_done(&text);
    }
    json_put_array_end(o);
}

static str kind_name(const struct event *e) {
    switch ((enum span_kind)e->span_kind) {
    case SPAN_SERVER: return STR("SERVER");
    case SPAN_CLIENT: return STR("CLIENT");
    case SPAN_PRODUCER: return STR("PRODUCER");
    case SPAN_CONSUMER: return STR("CONSUMER");
    case SPAN_UNSPECIFIED:
    case SPAN_INTERNAL: break;
    }
    return STR("");
}

static void put_tags(struct json_out *o, const struct event *e, const struct stream *s) {
    bool has_kind = kind_name(e).n > 0, has_error = fields_get(e->attrs, e->attr_n, STR("error"));
    json_put_key_c(o, "tags");
    json_put_object(o);
    for (size_t i = 0; i < e->attr_n; i++) {
        const struct field *f = &e->attrs[i];
        if (is_endpoint(&remote, f) || (has_kind && str_eq(f->key, STR("span.kind")))) continue;
        put_tag(o, f->key, &f->value);
    }
    for (size_t i = 0; i < s->attr_n; i++)
        if (!is_endpoint(&local, &s->attrs[i]) && !fields_get(e->attrs, e->attr_n, s->attrs[i].key)) put_tag(o, s->attrs[i].key, &s->attrs[i].value);
    put_string_tag(o, "otel.scope.name", s->scope_name);
    put_string_tag(o, "otel.scope.version", s->scope_version);
    if (e->status == STATUS_OK) put_string_tag(o, "otel.status_code", STR("OK"));
    if (e->status == STATUS_ERROR && !has_error) {
        put_string_tag(o, "otel.status_code", STR("ERROR"));
        put_string_tag(o, "error", e->status_message.n ? e->status_message : STR("true"));
    }
    put_string_tag(o, "w3c.tracestate", e->trace_state);
    json_put_object_end(o);
}

static void put_span(struct json_out *o, const struct event *e, const struct stream *s) {
    str kind = kind_name(e);
    json_put_object(o);
    json_put_key_c(o, "traceId");
    trace_id_put(o, e->trace);
    if (e->parent_id) {
        json_put_key_c(o, "parentId");
        span_id_put(o, e->parent_id);
    }
    json_put_key_c(o, "id");
    span_id_put(o, e->span_id);
    if (kind.n) {
        json_put_key_c(o, "kind");
        json_put_string(o, kind);
    }
    json_put_key_c(o, "name");
    json_put_string(o, e->body);
    json_put_key_c(o, "timestamp");
    json_put_i64(o, e->time_ns / 1000);
    if (e->duration_ns > 0) { /* Zipkin rounds up to 1: 0 means unknown there */
        json_put_key_c(o, "duration");
        json_put_i64(o, MAX(e->duration_ns / 1000, 1));
    }
    put_endpoint(o, STR("localEndpoint"), &local, s->attrs, s->attr_n);
    put_endpoint(o, STR("remoteEndpoint"), &remote, e->attrs, e->attr_n);
    put_annotations(o, e);
    put_tags(o, e, s);
    if (e->flags & ZIPKIN_FLAG_DEBUG) {
        json_put_key_c(o, "debug");
        json_put_bool(o, true);
    }
    if (e->flags & ZIPKIN_FLAG_SHARED) {
        json_put_key_c(o, "shared");
        json_put_bool(o, true);
    }
    json_put_object_end(o);
}

void zipkin_put_trace(struct json_out *o, const struct event *spans, const struct stream *streams, size_t n) {
    json_put_array(o);
    for (size_t i = 0; i < n; i++) put_span(o, &spans[i], &streams[i]);
    json_put_array_end(o);
}
