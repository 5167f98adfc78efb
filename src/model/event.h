/* model/event: logs and spans (later Kubernetes events and test cases) are all events: a stream they belong to, a time, typed fields.
 * Source: OpenTelemetry data model for logs and traces. Borrowed memory (a batch's arena or a query's); any thread. */
#pragma once
#include "base/value.h"

enum event_kind { EVENT_LOG, EVENT_SPAN, EVENT_KIND_N };

/* What all events of one source share: OTLP resource, a log file, an Elasticsearch index. Equal content = the same stream. */
struct stream {
    str service;               /* service.name ("" if none; also present among the attrs) */
    str index;                 /* Elasticsearch index of pushed documents; "" for other sources */
    const struct field *attrs; /* resource attributes / file and pod identity, flat or nested keys */
    size_t attr_n;
    str scope_name, scope_version; /* OTLP instrumentation scope */
    const struct field *scope_attrs;
    size_t scope_attr_n;
};

struct trace_id {
    uint64_t hi, lo; /* big-endian halves: hi == 0 for 64-bit ids */
};
static inline bool trace_id_set(struct trace_id t) {
    return t.hi | t.lo;
}

struct span_link {
    struct trace_id trace;
    uint64_t span_id;
    bool follows_from; /* Jaeger's reference type; OTLP links are FOLLOWS_FROM */
    str trace_state;
    const struct field *attrs;
    size_t attr_n;
};
struct span_event { /* Jaeger: a log of a span */
    int64_t time_ns;
    str name;
    const struct field *attrs;
    size_t attr_n;
};
enum span_kind { SPAN_UNSPECIFIED, SPAN_INTERNAL, SPAN_SERVER, SPAN_CLIENT, SPAN_PRODUCER, SPAN_CONSUMER };
enum span_status { STATUS_UNSET, STATUS_OK, STATUS_ERROR };

struct event {
    enum event_kind kind;
    uint32_t stream;       /* index into event_batch.streams */
    int64_t time_ns;       /* log: when it happened; span: start */
    struct trace_id trace; /* zero: none */
    uint64_t span_id;
    const struct field *attrs;
    size_t attr_n;
    str body; /* log: message (a document's "message", "log" stays among attrs); span: operation name */
    str id;   /* log: the document _id given by the client; "" lets the store name it */
    /* logs */
    int64_t observed_ns;
    uint8_t severity; /* OTLP severity number 1..24; 0 unknown */
    bool source_doc;  /* pushed as a JSON document: attrs are the whole document (body borrowed from one of them, if any) */
    str severity_text;
    uint32_t flags; /* log/span flags */
    /* spans */
    uint64_t parent_id; /* 0: root */
    int64_t duration_ns;
    uint8_t span_kind; /* enum span_kind */
    uint8_t status;    /* enum span_status */
    str status_message;
    str trace_state;
    const struct span_link *links;
    size_t link_n;
    const struct span_event *events;
    size_t event_n;
};
