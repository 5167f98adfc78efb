/* api/tempo: what Grafana's Tempo data source asks (Tempo 2.x HTTP API): a trace by id as protobuf or OTLP/JSON, search by tags or by the first stage
 * of TraceQL (query/trace/traceql). On door.tempo under Tempo's own paths, on the main listener below /tempo. Errors are plain text.
 * A search's conditions hold on one span. Source: Tempo documentation "HTTP API". */
#include <stdio.h>

#include "api/traces.h"
#include "base/clock.h"
#include "codec/duration.h"
#include "codec/pb.h"
#include "query/trace/ids.h"
#include "query/trace/otlp_json.h"
#include "query/trace/otlp_proto.h"
#include "query/trace/summary.h"
#include "query/trace/traceql.h"

enum { LIMIT_DEFAULT = 20 };

static void refuse(struct http_exchange *x, int status, str message) {
    http_reply_text(x, status, message);
}

/* --- a trace */

static void no_frame(struct trace_query *q) {
    (void)q;
}
static void put_proto(struct trace_query *q, struct event *spans, struct stream *streams, size_t n, struct arena *a) {
    (void)a;
    otlp_proto_put_resource_spans(q->out.buf, spans, streams, n);
}
static const struct trace_writer proto_writer = {no_frame, put_proto, no_frame, refuse};

static void put_batches(struct trace_query *q, struct event *spans, struct stream *streams, size_t n, struct arena *a) {
    (void)a;
    json_put_object(&q->out);
    json_put_key_c(&q->out, "batches");
    json_put_array(&q->out);
    otlp_put_resource_spans(&q->out, spans, streams, n);
    json_put_array_end(&q->out);
    json_put_object_end(&q->out);
}
static const struct trace_writer json_writer = {no_frame, put_batches, no_frame, refuse};

/* /api/v2/traces/{id}: TraceByIDResponse {1 trace, 2 metrics, 3 status: COMPLETE 0}, in JSON {"trace": {..}} */
static void put_proto_2(struct trace_query *q, struct event *spans, struct stream *streams, size_t n, struct arena *a) {
    (void)a;
    size_t at = pb_begin(q->out.buf, 1);
    otlp_proto_put_resource_spans(q->out.buf, spans, streams, n);
    pb_end(q->out.buf, at);
}
static const struct trace_writer proto_writer_2 = {no_frame, put_proto_2, no_frame, refuse};

static void put_batches_2(struct trace_query *q, struct event *spans, struct stream *streams, size_t n, struct arena *a) {
    (void)a;
    json_put_object(&q->out);
    json_put_key_c(&q->out, "trace");
    json_put_object(&q->out);
    json_put_key_c(&q->out, "resourceSpans");
    json_put_array(&q->out);
    otlp_put_resource_spans(&q->out, spans, streams, n);
    json_put_array_end(&q->out);
    json_put_object_end(&q->out);
    json_put_object_end(&q->out);
}
static const struct trace_writer json_writer_2 = {no_frame, put_batches_2, no_frame, refuse};

static void trace_by_id(struct app *app, struct http_exchange *x, const struct trace_writer *json, const struct trace_writer *proto) {
    struct trace_id id;
    struct err e;
    if (!trace_id_parse(x->captures[0], &id, &e)) return refuse(x, 400, err_str(&e));
    bool wants_proto = str_find(http_header(x, STR("Accept")), STR("application/protobuf")) != STR_NONE;
    struct trace_query *q = trace_query_new(app, x, wants_proto ? proto : json);
    if (wants_proto) q->content_type = STR("application/protobuf");
    q->must_exist = true;
    vec_push(&q->ids, id);
    trace_query_start(q);
}
static void get_trace(void *app, struct http_exchange *x) {
    trace_by_id(app, x, &json_writer, &proto_writer);
}
static void get_trace_2(void *app, struct http_exchange *x) {
    trace_by_id(app, x, &json_writer_2, &proto_writer_2);
}

/* --- search */

static void open_search(struct trace_query *q) {
    json_put_object(&q->out);
    json_put_key_c(&q->out, "traces");
    json_put_array(&q->out);
}

static void put_summary(struct trace_query *q, struct event *spans, struct stream *streams, size_t n, struct arena *a) {
    struct json_out *o = &q->out;
    struct trace_summary s;
    char digits[24];
    trace_summarize(spans, streams, n, a, &s);
    json_put_object(o);
    json_put_key_c(o, "traceID");
    trace_id_put_32(o, s.id);
    json_put_key_c(o, "rootServiceName");
    json_put_string(o, s.root_service.n ? s.root_service : STR("<root span not yet received>"));
    json_put_key_c(o, "rootTraceName");
    json_put_string(o, s.root_name);
    json_put_key_c(o, "startTimeUnixNano");
    json_put_string(o, str_n(digits, (size_t)snprintf(digits, sizeof digits, "%lld", (long long)s.start_ns)));
    json_put_key_c(o, "durationMs");
    json_put_i64(o, (s.end_ns - s.start_ns) / NS_PER_MS);
    json_put_key_c(o, "serviceStats");
    json_put_object(o);
    for (size_t i = 0; i < s.service_n; i++) {
        json_put_key(o, s.services[i].name);
        json_put_object(o);
        json_put_key_c(o, "spanCount");
        json_put_u64(o, s.services[i].spans);
        json_put_key_c(o, "errorCount");
        json_put_u64(o, s.services[i].errors);
        json_put_object_end(o);
    }
    json_put_object_end(o);
    json_put_object_end(o);
}

static void close_search(struct trace_query *q) {
    json_put_array_end(&q->out);
    json_put_key_c(&q->out, "metrics");
    json_put_object(&q->out);
    json_put_object_end(&q->out);
    json_put_object_end(&q->out);
}
static const struct trace_writer search_writer = {open_search, put_summary, close_search, refuse};

static bool duration_param(const struct http_exchange *x, const char *name, int64_t *out_ns, struct err *e) {
    str text = http_param(x, str_c(name));
    return text.n == 0 || duration_parse_go(text, out_ns, e) || err_wrap(e, "%s", name);
}

static bool seconds_param(const struct http_exchange *x, const char *name, int64_t fallback_ns, int64_t *out_ns, struct err *e) {
    int64_t s;
    if (http_param(x, str_c(name)).n == 0) return *out_ns = fallback_ns, true;
    if (!param_i64(x, name, 0, &s, e)) return false;
    return !__builtin_mul_overflow(s, NS_PER_S, out_ns) || err_set(e, ERR_INPUT, "%s is out of range (seconds)", name);
}

/* The pair service.name of `tags` is the service, "name" the operation, as Tempo has it. */
static bool read_tags(str text, struct arena *a, struct trace_search *s, struct err *e) {
    struct trace_tag *tags;
    size_t n, kept = 0;
    if (!trace_tags_logfmt(text, a, &tags, &n, e)) return false;
    for (size_t i = 0; i < n; i++) {
        if (str_eq(tags[i].key, STR("service.name")))
            s->service = tags[i].value;
        else if (str_eq(tags[i].key, STR("name")))
            s->operation = tags[i].value;
        else
            tags[kept++] = tags[i];
    }
    s->tags = tags;
    s->tag_n = kept;
    return true;
}

static bool read_search(const struct http_exchange *x, struct trace_search *s, struct err *e) {
    str query = http_param(x, STR("q"));
    if (!param_limit(x, "limit", LIMIT_DEFAULT, &s->limit, e)) return false;
    if (!seconds_param(x, "start", 0, &s->from_ns, e) || !seconds_param(x, "end", INT64_MAX, &s->to_ns, e)) return false;
    if (!duration_param(x, "minDuration", &s->min_ns, e) || !duration_param(x, "maxDuration", &s->max_ns, e)) return false;
    if (!read_tags(http_param(x, STR("tags")), x->arena, s, e)) return false;
    return query.n == 0 || traceql_parse(query, x->arena, s, e);
}

static void search(void *arg, struct http_exchange *x) {
    struct err e;
    struct trace_query *q = trace_query_new(arg, x, &search_writer);
    if (read_search(x, &q->search, &e)) return trace_query_start(q);
    trace_query_free(q);
    refuse(x, e.code == ERR_UNSUPPORTED ? 400 : err_http_status(e.code), err_str(&e));
}

static void get_echo(void *app, struct http_exchange *x) {
    (void)app;
    http_reply_text(x, 200, STR("echo"));
}
static void get_ready(void *app, struct http_exchange *x) {
    (void)app;
    http_reply_text(x, 200, STR("ready\n"));
}

#define ROUTES(path, handler)                       \
    {HTTP_GET, path, handler, DOOR_TEMPO}, {        \
        HTTP_GET, "/tempo" path, handler, DOOR_MAIN \
    }
const struct http_route tempo_routes[] = {
    ROUTES("/api/traces/:id", get_trace), ROUTES("/api/v2/traces/:id", get_trace_2),   ROUTES("/api/search", search),
    ROUTES("/api/echo", get_echo),        {HTTP_GET, "/ready", get_ready, DOOR_TEMPO}, {0},
};
