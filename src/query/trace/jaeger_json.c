#include "query/trace/jaeger_json.h"

#include <stdio.h>

#include "base/vec.h"
#include "query/trace/ids.h"

enum { FLAGS_MASK = 0xff };                     /* OTLP says more above W3C's byte: whether the parent is remote */
#define JS_INTEGER_MAX ((INT64_C(1) << 53) - 1) /* Number.MAX_SAFE_INTEGER */

static void put_ids(struct json_out *o, struct trace_id trace, uint64_t span_id) {
    json_put_key_c(o, "traceID");
    trace_id_put(o, trace);
    json_put_key_c(o, "spanID");
    span_id_put(o, span_id);
}

/* {"key":..,"type":..,"value":..}; arrays and maps become JSON text in a string, as Jaeger's translator does. */
static void put_tag(struct json_out *o, str key, const struct value *v) {
    static const char *const types[] = {[VAL_NULL] = "string",   [VAL_BOOL] = "bool",    [VAL_INT] = "int64",    [VAL_DOUBLE] = "float64",
                                        [VAL_STRING] = "string", [VAL_BYTES] = "binary", [VAL_ARRAY] = "string", [VAL_MAP] = "string"};
    json_put_object(o);
    json_put_key_c(o, "key");
    json_put_string(o, key);
    json_put_key_c(o, "type");
    json_put_string(o, str_c(types[v->type]));
    json_put_key_c(o, "value");
    bool big = v->type == VAL_INT && (v->i > JS_INTEGER_MAX || v->i < -JS_INTEGER_MAX);
    if (v->type == VAL_NULL) {
        json_put_string(o, STR(""));
    } else if (v->type == VAL_ARRAY || v->type == VAL_MAP || big) {
        struct buf text = {0};
        struct json_out inner = {.buf = &text};
        json_put_value(&inner, v);
        json_put_string(o, buf_str(&text));
        buf_done(&text);
    } else {
        json_put_value(o, v);
    }
    json_put_object_end(o);
}

static void put_string_tag(struct json_out *o, const char *key, str value) {
    struct value v = value_str(value);
    if (value.n) put_tag(o, str_c(key), &v);
}

str span_kind_name(unsigned kind) {
    static const str names[] = {[SPAN_UNSPECIFIED] = STR_INIT(""),  [SPAN_INTERNAL] = STR_INIT("internal"), [SPAN_SERVER] = STR_INIT("server"),
                                [SPAN_CLIENT] = STR_INIT("client"), [SPAN_PRODUCER] = STR_INIT("producer"), [SPAN_CONSUMER] = STR_INIT("consumer")};
    return kind < ARRAY_N(names) ? names[kind] : STR("");
}

static void put_tags(struct json_out *o, const struct event *e, const struct stream *s) {
    bool has_kind = fields_get(e->attrs, e->attr_n, STR("span.kind")), has_error = fields_get(e->attrs, e->attr_n, STR("error"));
    json_put_key_c(o, "tags");
    json_put_array(o);
    put_string_tag(o, "otel.scope.name", s->scope_name);
    put_string_tag(o, "otel.scope.version", s->scope_version);
    for (size_t i = 0; i < s->scope_attr_n; i++) put_tag(o, s->scope_attrs[i].key, &s->scope_attrs[i].value);
    for (size_t i = 0; i < e->attr_n; i++) put_tag(o, e->attrs[i].key, &e->attrs[i].value);
    if (!has_kind) put_string_tag(o, "span.kind", span_kind_name(e->span_kind));
    if (e->status == STATUS_OK) put_string_tag(o, "otel.status_code", STR("OK"));
    if (e->status == STATUS_ERROR && !has_error) {
        const struct value yes = value_bool(true);
        put_string_tag(o, "otel.status_code", STR("ERROR"));
        put_tag(o, STR("error"), &yes);
    }
    put_string_tag(o, "otel.status_description", e->status_message);
    put_string_tag(o, "w3c.tracestate", e->trace_state);
    json_put_array_end(o);
}

static void put_reference(struct json_out *o, bool follows, struct trace_id trace, uint64_t span_id) {
    json_put_object(o);
    json_put_key_c(o, "refType");
    json_put_string(o, follows ? STR("FOLLOWS_FROM") : STR("CHILD_OF"));
    put_ids(o, trace, span_id);
    json_put_object_end(o);
}

/* As Jaeger's MaybeAddParentSpanID: the parent leads, unless a reference names it already. */
static bool links_parent(const struct event *e) {
    for (size_t i = 0; i < e->link_n; i++)
        if (e->links[i].span_id == e->parent_id && e->links[i].trace.hi == e->trace.hi && e->links[i].trace.lo == e->trace.lo) return true;
    return false;
}

static void put_references(struct json_out *o, const struct event *e) {
    json_put_key_c(o, "references");
    json_put_array(o);
    if (e->parent_id && !links_parent(e)) put_reference(o, false, e->trace, e->parent_id);
    for (size_t i = 0; i < e->link_n; i++) put_reference(o, e->links[i].follows_from, e->links[i].trace, e->links[i].span_id);
    json_put_array_end(o);
}

static void put_logs(struct json_out *o, const struct event *e) {
    json_put_key_c(o, "logs");
    json_put_array(o);
    for (size_t i = 0; i < e->event_n; i++) {
        const struct span_event *ev = &e->events[i];
        bool has_event = fields_get(ev->attrs, ev->attr_n, STR("event"));
        json_put_object(o);
        json_put_key_c(o, "timestamp");
        json_put_i64(o, ev->time_ns / 1000);
        json_put_key_c(o, "fields");
        json_put_array(o);
        if (!has_event) put_string_tag(o, "event", ev->name);
        for (size_t k = 0; k < ev->attr_n; k++) put_tag(o, ev->attrs[k].key, &ev->attrs[k].value);
        json_put_array_end(o);
        json_put_object_end(o);
    }
    json_put_array_end(o);
}

static void put_span(struct json_out *o, const struct event *e, const struct stream *s, size_t process) {
    char process_id[24];
    snprintf(process_id, sizeof process_id, "p%zu", process + 1);
    json_put_object(o);
    put_ids(o, e->trace, e->span_id);
    if (e->flags & FLAGS_MASK) {
        json_put_key_c(o, "flags");
        json_put_u64(o, e->flags & FLAGS_MASK);
    }
    json_put_key_c(o, "operationName");
    json_put_string(o, e->body);
    put_references(o, e);
    json_put_key_c(o, "startTime");
    json_put_i64(o, e->time_ns / 1000);
    json_put_key_c(o, "duration");
    json_put_i64(o, e->duration_ns / 1000);
    put_tags(o, e, s);
    put_logs(o, e);
    json_put_key_c(o, "processID");
    json_put_string(o, str_c(process_id));
    json_put_key_c(o, "warnings");
    json_put_null(o);
    json_put_object_end(o);
}

/* The scope is part of a stream but not of a process. */
static bool same_process(const struct stream *a, const struct stream *b) {
    if (!str_eq(a->service, b->service) || a->attr_n != b->attr_n) return false;
    if (a->attrs == b->attrs) return true;
    for (size_t i = 0; i < a->attr_n; i++)
        if (!str_eq(a->attrs[i].key, b->attrs[i].key) || !value_eq(&a->attrs[i].value, &b->attrs[i].value)) return false;
    return true;
}

static void put_processes(struct json_out *o, const struct stream *const *processes, size_t n) {
    json_put_key_c(o, "processes");
    json_put_object(o);
    for (size_t i = 0; i < n; i++) {
        const struct stream *s = processes[i];
        char id[24];
        snprintf(id, sizeof id, "p%zu", i + 1);
        json_put_key(o, str_c(id));
        json_put_object(o);
        json_put_key_c(o, "serviceName");
        json_put_string(o, s->service.n ? s->service : STR("OTLPResourceNoServiceName"));
        json_put_key_c(o, "tags");
        json_put_array(o);
        for (size_t k = 0; k < s->attr_n; k++)
            if (!str_eq(s->attrs[k].key, STR("service.name"))) put_tag(o, s->attrs[k].key, &s->attrs[k].value);
        json_put_array_end(o);
        json_put_object_end(o);
    }
    json_put_object_end(o);
}

void jaeger_put_trace(struct json_out *o, const struct event *spans, const struct stream *streams, size_t n, struct arena *a) {
    assert(n > 0);
    struct {
        const struct stream **p;
        size_t n, cap;
    } processes = {0};
    json_put_object(o);
    json_put_key_c(o, "traceID");
    trace_id_put(o, spans[0].trace);
    json_put_key_c(o, "spans");
    json_put_array(o);
    for (size_t i = 0; i < n; i++) {
        size_t p = 0;
        while (p < processes.n && !same_process(processes.p[p], &streams[i])) p++;
        if (p == processes.n) avec_push(a, &processes, &streams[i]);
        put_span(o, &spans[i], &streams[i], p);
    }
    json_put_array_end(o);
    put_processes(o, processes.p, processes.n);
    json_put_key_c(o, "warnings");
    json_put_null(o);
    json_put_object_end(o);
}
