/* api/jaeger_v3: Jaeger's api_v3 over HTTP (traces.md 2.2): services, operations, traces and trace summaries, with OTLP/JSON inside.
 * Parameters also in snake_case, as Grafana sends them. Errors: {"error":{"httpCode":404,"message":".."}}. Source: jaeger-idl api_v3. */
#include <stdio.h>

#include "api/traces.h"
#include "codec/duration.h"
#include "codec/timefmt.h"
#include "query/trace/adjust.h"
#include "query/trace/ids.h"
#include "query/trace/jaeger_json.h"
#include "query/trace/otlp_json.h"
#include "query/trace/summary.h"

enum { DEPTH_DEFAULT = 100 };

static void refuse(struct http_exchange *x, int status, str message) {
    struct buf b = {0};
    struct json_out o = {.buf = &b};
    json_put_object(&o);
    json_put_key_c(&o, "error");
    json_put_object(&o);
    json_put_key_c(&o, "httpCode");
    json_put_i64(&o, status);
    json_put_key_c(&o, "message");
    json_put_string(&o, message);
    json_put_object_end(&o);
    json_put_object_end(&o);
    http_reply_json(x, status, &b);
}

/* --- catalogues */

static void get_services(void *arg, struct http_exchange *x) {
    struct buf b = {0};
    struct json_out o = {.buf = &b};
    str *names;
    size_t n;
    evdb_services(((struct app *)arg)->store->events, x->arena, &names, &n);
    json_put_object(&o);
    json_put_key_c(&o, "services");
    json_put_array(&o);
    for (size_t i = 0; i < n; i++) json_put_string(&o, names[i]);
    json_put_array_end(&o);
    json_put_object_end(&o);
    http_reply_json(x, 200, &b);
}

static str either(const struct http_exchange *x, const char *camel, const char *snake) {
    str value = http_param(x, str_c(camel));
    return value.n ? value : http_param(x, str_c(snake));
}

static void get_operations(void *arg, struct http_exchange *x) {
    struct buf b = {0};
    struct json_out o = {.buf = &b};
    struct operation *ops;
    size_t n;
    str service = http_param(x, STR("service")), kind = either(x, "spanKind", "span_kind");
    if (service.n == 0) return refuse(x, 400, STR("parameter 'service' is required"));
    evdb_operations(((struct app *)arg)->store->events, service, x->arena, &ops, &n);
    json_put_object(&o);
    json_put_key_c(&o, "operations");
    json_put_array(&o);
    for (size_t i = 0; i < n; i++) {
        if (kind.n && !str_eq(kind, span_kind_name(ops[i].kind))) continue;
        json_put_object(&o);
        json_put_key_c(&o, "name");
        json_put_string(&o, ops[i].name);
        json_put_key_c(&o, "spanKind");
        json_put_string(&o, span_kind_name(ops[i].kind));
        json_put_object_end(&o);
    }
    json_put_array_end(&o);
    json_put_object_end(&o);
    http_reply_json(x, 200, &b);
}

/* --- whole traces */

static void open_traces(struct trace_query *q) {
    json_put_object(&q->out);
    json_put_key_c(&q->out, "result");
    json_put_object(&q->out);
    json_put_key_c(&q->out, "resourceSpans");
    json_put_array(&q->out);
}
static void put_trace(struct trace_query *q, struct event *spans, struct stream *streams, size_t n, struct arena *a) {
    if (!q->raw) trace_adjust(spans, streams, n, a);
    otlp_put_resource_spans(&q->out, spans, streams, n);
}
static void close_traces(struct trace_query *q) {
    json_put_array_end(&q->out);
    json_put_object_end(&q->out);
    json_put_object_end(&q->out);
}
static const struct trace_writer traces_writer = {open_traces, put_trace, close_traces, refuse};

/* --- summaries */

static void open_summaries(struct trace_query *q) {
    json_put_object(&q->out);
    json_put_key_c(&q->out, "summaries");
    json_put_array(&q->out);
}

static void put_time(struct json_out *o, int64_t ns) {
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%lld", (long long)ns);
    json_put_string(o, str_n(digits, (size_t)n));
}

static void put_counts(struct json_out *o, size_t spans, size_t errors) {
    json_put_key_c(o, "spanCount");
    json_put_u64(o, spans);
    json_put_key_c(o, "errorSpanCount");
    json_put_u64(o, errors);
}

static void put_summary(struct trace_query *q, struct event *spans, struct stream *streams, size_t n, struct arena *a) {
    struct json_out *o = &q->out;
    struct trace_summary s;
    trace_summarize(spans, streams, n, a, &s);
    json_put_object(o);
    json_put_key_c(o, "traceId");
    trace_id_put_32(o, s.id);
    json_put_key_c(o, "rootServiceName");
    json_put_string(o, s.root_service);
    json_put_key_c(o, "rootOperationName");
    json_put_string(o, s.root_name);
    json_put_key_c(o, "minStartTimeUnixNano");
    put_time(o, s.start_ns);
    json_put_key_c(o, "maxEndTimeUnixNano");
    put_time(o, s.end_ns);
    put_counts(o, s.spans, s.errors);
    json_put_key_c(o, "orphanSpanCount");
    json_put_u64(o, s.orphans);
    json_put_key_c(o, "services");
    json_put_array(o);
    for (size_t i = 0; i < s.service_n; i++) {
        json_put_object(o);
        json_put_key_c(o, "name");
        json_put_string(o, s.services[i].name);
        put_counts(o, s.services[i].spans, s.services[i].errors);
        json_put_object_end(o);
    }
    json_put_array_end(o);
    json_put_object_end(o);
}

static void close_summaries(struct trace_query *q) {
    json_put_array_end(&q->out);
    json_put_object_end(&q->out);
}
static const struct trace_writer summaries_writer = {open_summaries, put_summary, close_summaries, refuse};

/* --- parameters */

/* A '+' that was not percent-encoded came as a blank (Grafana's times). */
static bool time_param(const struct http_exchange *x, const char *camel, const char *snake, int64_t *out, struct err *e) {
    str text = either(x, camel, snake);
    if (text.n == 0) return err_set(e, ERR_INPUT, "%s is required", camel);
    char *fixed = arena_cstr(x->arena, text);
    for (size_t i = 11; i < text.n; i++)
        if (fixed[i] == ' ') fixed[i] = '+';
    return time_parse_rfc3339(str_n(fixed, text.n), out, e) || err_wrap(e, "malformed parameter %s", camel);
}

static bool duration_param(const struct http_exchange *x, const char *camel, const char *snake, int64_t *out, struct err *e) {
    str text = either(x, camel, snake);
    if (text.n == 0) return true;
    return duration_parse_go(text, out, e) || err_wrap(e, "malformed parameter %s", camel);
}

static bool read_search(const struct http_exchange *x, struct trace_search *s, struct err *e) {
    struct trace_tag *tags = NULL;
    s->service = either(x, "query.serviceName", "query.service_name");
    s->operation = either(x, "query.operationName", "query.operation_name");
    if (!time_param(x, "query.startTimeMin", "query.start_time_min", &s->from_ns, e)) return false;
    if (!time_param(x, "query.startTimeMax", "query.start_time_max", &s->to_ns, e)) return false;
    if (!duration_param(x, "query.durationMin", "query.duration_min", &s->min_ns, e)) return false;
    if (!duration_param(x, "query.durationMax", "query.duration_max", &s->max_ns, e)) return false;
    str attributes = http_param(x, STR("query.attributes"));
    if (attributes.n && !trace_tags_json(attributes, x->arena, &tags, &s->tag_n, e)) return err_wrap(e, "malformed parameter query.attributes");
    s->tags = tags;
    static const char *const limits[] = {"query.searchDepth", "query.search_depth", "query.numTraces", "query.num_traces"};
    s->limit = DEPTH_DEFAULT;
    for (size_t i = 0; i < ARRAY_N(limits); i++)
        if (!param_limit(x, limits[i], s->limit, &s->limit, e)) return false;
    return true;
}

static void search(void *arg, struct http_exchange *x, const struct trace_writer *w) {
    struct err e;
    struct trace_query *q = trace_query_new(arg, x, w);
    q->raw = str_eq(either(x, "query.rawTraces", "query.raw_traces"), STR("true"));
    if (read_search(x, &q->search, &e)) return trace_query_start(q);
    trace_query_free(q);
    refuse(x, 400, err_str(&e));
}
static void find_traces(void *arg, struct http_exchange *x) {
    search(arg, x, &traces_writer);
}
static void find_summaries(void *arg, struct http_exchange *x) {
    search(arg, x, &summaries_writer);
}

static void get_trace(void *arg, struct http_exchange *x) {
    struct trace_id id;
    struct err e;
    if (!trace_id_parse(x->captures[0], &id, &e)) return refuse(x, 400, err_str(&e));
    struct trace_query *q = trace_query_new(arg, x, &traces_writer);
    q->must_exist = true;
    q->raw = str_eq(either(x, "rawTraces", "raw_traces"), STR("true"));
    vec_push(&q->ids, id);
    trace_query_start(q);
}

const struct http_route jaeger_v3_routes[] = {
    {HTTP_GET, "/api/v3/services", get_services, 0},
    {HTTP_GET, "/api/v3/operations", get_operations, 0},
    {HTTP_GET, "/api/v3/traces", find_traces, 0},
    {HTTP_GET, "/api/v3/traces/:id", get_trace, 0},
    {HTTP_GET, "/api/v3/trace-summaries", find_summaries, 0},
    {0},
};
