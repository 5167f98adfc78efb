#include "wire/otlp_logs.h"

#include "wire/severity.h"

struct record {
    struct event ev;
    uint64_t time_ns, observed_ns;
    uint32_t severity;
    struct value body;
    str event_name;
};
struct scope_logs {
    struct otlp_scope scope;
};
struct resource_logs {
    struct otlp_resource resource;
};

static const struct otlp_field record_fields[] = {
    [1] = {"timeUnixNano", OTLP_U64, offsetof(struct record, time_ns)},
    [2] = {"severityNumber", OTLP_U32, offsetof(struct record, severity)},
    [3] = {"severityText", OTLP_STRING, offsetof(struct record, ev.severity_text)},
    [5] = {"body", OTLP_VALUE, offsetof(struct record, body)},
    [6] = {"attributes", OTLP_ATTRS, offsetof(struct record, ev.attrs)},
    [8] = {"flags", OTLP_U32, offsetof(struct record, ev.flags)},
    [9] = {"traceId", OTLP_TRACE_ID, offsetof(struct record, ev.trace)},
    [10] = {"spanId", OTLP_SPAN_ID, offsetof(struct record, ev.span_id)},
    [11] = {"observedTimeUnixNano", OTLP_U64, offsetof(struct record, observed_ns)},
    [12] = {"eventName", OTLP_STRING, offsetof(struct record, event_name)},
};

static str body_text(struct arena *a, const struct value *body) {
    if (body->type == VAL_STRING) return body->s;
    if (body->type == VAL_NULL) return STR("");
    struct buf text = {0};
    struct json_out o = {.buf = &text};
    json_put_value(&o, body);
    str copy = arena_str(a, buf_str(&text));
    buf_done(&text);
    return copy;
}

static void add_attr(struct arena *a, struct event *ev, str key, str value) {
    struct field *attrs = arena_new_n(a, struct field, ev->attr_n + 1);
    if (ev->attr_n) memcpy(attrs, ev->attrs, ev->attr_n * sizeof *attrs);
    attrs[ev->attr_n++] = (struct field){key, value_str(value)};
    ev->attrs = attrs;
}

static void record_done(struct otlp_ctx *ctx, void *item) {
    struct otlp_events *c = ctx->arg;
    struct record *r = item;
    bool bad_id = ctx->bad_id;
    ctx->bad_id = false;
    if (bad_id) return otlp_reject(c->partial, "a trace id has 16 bytes, a span id 8");
    if (r->time_ns > INT64_MAX || r->observed_ns > INT64_MAX) return otlp_reject(c->partial, "the time is after the year 2262");
    r->ev.kind = EVENT_LOG;
    r->ev.observed_ns = r->observed_ns ? (int64_t)r->observed_ns : c->now_ns;
    r->ev.time_ns = r->time_ns ? (int64_t)r->time_ns : r->ev.observed_ns;
    r->ev.severity = r->severity <= 24 ? (uint8_t)r->severity : 0;
    if (r->ev.severity == 0) r->ev.severity = severity_from_text(r->ev.severity_text);
    r->ev.body = body_text(ctx->arena, &r->body);
    if (r->event_name.n) add_attr(ctx->arena, &r->ev, STR("event.name"), r->event_name);
    otlp_event_add(c, &r->ev);
}
static const struct otlp_msg record_msg = {record_fields, ARRAY_N(record_fields), sizeof(struct record), .done = record_done};

static void scope_done(struct otlp_ctx *ctx, void *item) {
    otlp_scope_done(ctx->arg, &((struct scope_logs *)item)->scope);
}
static const struct otlp_field scope_logs_fields[] = {
    [1] = {"scope", OTLP_MSG, offsetof(struct scope_logs, scope), &otlp_scope_msg},
    [2] = {"logRecords", OTLP_EACH, 0, &record_msg},
};
static const struct otlp_msg scope_logs_msg = {scope_logs_fields, ARRAY_N(scope_logs_fields), sizeof(struct scope_logs), .done = scope_done};

static void resource_done(struct otlp_ctx *ctx, void *item) {
    otlp_resource_done(ctx->arg, &((struct resource_logs *)item)->resource);
}
static const struct otlp_field resource_logs_fields[] = {
    [1] = {"resource", OTLP_MSG, offsetof(struct resource_logs, resource), &otlp_resource_msg},
    [2] = {"scopeLogs", OTLP_EACH, 0, &scope_logs_msg},
};
static const struct otlp_msg resource_logs_msg = {resource_logs_fields, ARRAY_N(resource_logs_fields), sizeof(struct resource_logs),
                                                  .done = resource_done};

static const struct otlp_field request_fields[] = {
    [1] = {"resourceLogs", OTLP_EACH, 0, &resource_logs_msg},
};
static const struct otlp_msg request_msg = {request_fields, ARRAY_N(request_fields), 0};

bool otlp_logs_decode(enum otlp_encoding enc, str body, int64_t now_ns, struct event_batch **out, struct otlp_partial *partial, struct err *e) {
    return otlp_events_decode(enc, body, EVENT_LOG, &request_msg, now_ns, out, partial, e);
}
