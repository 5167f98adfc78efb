#include "wire/otlp_trace.h"

struct span {
    struct event ev;
    uint64_t start_ns, end_ns;
    uint32_t kind;
    struct span_status_msg {
        str message;
        uint32_t code;
    } status;
};
struct scope_spans {
    struct otlp_scope scope;
};
struct resource_spans {
    struct otlp_resource resource;
};

static const struct otlp_field event_fields[] = {
    [1] = {"timeUnixNano", OTLP_I64, offsetof(struct span_event, time_ns)},
    [2] = {"name", OTLP_STRING, offsetof(struct span_event, name)},
    [3] = {"attributes", OTLP_ATTRS, offsetof(struct span_event, attrs)},
};
static const struct otlp_msg event_msg = {event_fields, ARRAY_N(event_fields), sizeof(struct span_event)};

static const struct otlp_field link_fields[] = {
    [1] = {"traceId", OTLP_TRACE_ID, offsetof(struct span_link, trace)},
    [2] = {"spanId", OTLP_SPAN_ID, offsetof(struct span_link, span_id)},
    [3] = {"traceState", OTLP_STRING, offsetof(struct span_link, trace_state)},
    [4] = {"attributes", OTLP_ATTRS, offsetof(struct span_link, attrs)},
};
static const struct otlp_msg link_msg = {link_fields, ARRAY_N(link_fields), sizeof(struct span_link)};

static const struct otlp_field status_fields[] = {
    [2] = {"message", OTLP_STRING, offsetof(struct span_status_msg, message)},
    [3] = {"code", OTLP_U32, offsetof(struct span_status_msg, code)},
};
static const struct otlp_msg status_msg = {status_fields, ARRAY_N(status_fields), sizeof(struct span_status_msg)};

static const struct otlp_field span_fields[] = {
    [1] = {"traceId", OTLP_TRACE_ID, offsetof(struct span, ev.trace)},
    [2] = {"spanId", OTLP_SPAN_ID, offsetof(struct span, ev.span_id)},
    [3] = {"traceState", OTLP_STRING, offsetof(struct span, ev.trace_state)},
    [4] = {"parentSpanId", OTLP_SPAN_ID, offsetof(struct span, ev.parent_id)},
    [5] = {"name", OTLP_STRING, offsetof(struct span, ev.body)},
    [6] = {"kind", OTLP_U32, offsetof(struct span, kind)},
    [7] = {"startTimeUnixNano", OTLP_U64, offsetof(struct span, start_ns)},
    [8] = {"endTimeUnixNano", OTLP_U64, offsetof(struct span, end_ns)},
    [9] = {"attributes", OTLP_ATTRS, offsetof(struct span, ev.attrs)},
    [11] = {"events", OTLP_LIST, offsetof(struct span, ev.events), &event_msg},
    [13] = {"links", OTLP_LIST, offsetof(struct span, ev.links), &link_msg},
    [15] = {"status", OTLP_MSG, offsetof(struct span, status), &status_msg},
    [16] = {"flags", OTLP_U32, offsetof(struct span, ev.flags)},
};

static void mark_references(struct event *ev) {
    struct span_link *links = (struct span_link *)ev->links; /* ours: just read */
    for (size_t i = 0; i < ev->link_n; i++) {
        const struct value *type = fields_get(links[i].attrs, links[i].attr_n, STR("opentracing.ref_type"));
        links[i].follows_from = !(type && type->type == VAL_STRING && str_eq(type->s, STR("child_of")));
    }
}

static void span_done(struct otlp_ctx *ctx, void *item) {
    struct otlp_events *c = ctx->arg;
    struct span *s = item;
    bool bad_id = ctx->bad_id;
    ctx->bad_id = false;
    if (bad_id) return otlp_reject(c->partial, "a trace id has 16 bytes, a span id 8 (span \"%" STR_F "\")", STR_A(s->ev.body));
    if (!trace_id_set(s->ev.trace) || s->ev.span_id == 0)
        return otlp_reject(c->partial, "the trace id or span id is all zero (span \"%" STR_F "\")", STR_A(s->ev.body));
    if (s->start_ns > INT64_MAX || s->end_ns > INT64_MAX)
        return otlp_reject(c->partial, "the time is after the year 2262 (span \"%" STR_F "\")", STR_A(s->ev.body));
    s->ev.kind = EVENT_SPAN;
    s->ev.time_ns = (int64_t)s->start_ns;
    s->ev.duration_ns = s->end_ns > s->start_ns ? (int64_t)(s->end_ns - s->start_ns) : 0;
    s->ev.observed_ns = c->now_ns;
    s->ev.span_kind = s->kind <= SPAN_CONSUMER ? (uint8_t)s->kind : SPAN_UNSPECIFIED;
    s->ev.status = s->status.code <= STATUS_ERROR ? (uint8_t)s->status.code : STATUS_UNSET;
    s->ev.status_message = s->status.message;
    mark_references(&s->ev);
    otlp_event_add(c, &s->ev);
}
static const struct otlp_msg span_msg = {span_fields, ARRAY_N(span_fields), sizeof(struct span), .done = span_done};

static void scope_done(struct otlp_ctx *ctx, void *item) {
    otlp_scope_done(ctx->arg, &((struct scope_spans *)item)->scope);
}
static const struct otlp_field scope_spans_fields[] = {
    [1] = {"scope", OTLP_MSG, offsetof(struct scope_spans, scope), &otlp_scope_msg},
    [2] = {"spans", OTLP_EACH, 0, &span_msg},
};
static const struct otlp_msg scope_spans_msg = {scope_spans_fields, ARRAY_N(scope_spans_fields), sizeof(struct scope_spans), .done = scope_done};

static void resource_done(struct otlp_ctx *ctx, void *item) {
    otlp_resource_done(ctx->arg, &((struct resource_spans *)item)->resource);
}
static const struct otlp_field resource_spans_fields[] = {
    [1] = {"resource", OTLP_MSG, offsetof(struct resource_spans, resource), &otlp_resource_msg},
    [2] = {"scopeSpans", OTLP_EACH, 0, &scope_spans_msg},
};
static const struct otlp_msg resource_spans_msg = {resource_spans_fields, ARRAY_N(resource_spans_fields), sizeof(struct resource_spans),
                                                   .done = resource_done};

static const struct otlp_field request_fields[] = {
    [1] = {"resourceSpans", OTLP_EACH, 0, &resource_spans_msg},
};
static const struct otlp_msg request_msg = {request_fields, ARRAY_N(request_fields), 0};

bool otlp_trace_decode(enum otlp_encoding enc, str body, int64_t now_ns, struct event_batch **out, struct otlp_partial *partial, struct err *e) {
    return otlp_events_decode(enc, body, EVENT_SPAN, &request_msg, now_ns, out, partial, e);
}
