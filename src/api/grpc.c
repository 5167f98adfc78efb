#include "api/grpc.h"

#include "api/intake.h"
#include "base/clock.h"
#include "codec/pb.h"
#include "wire/jaeger_proto.h"
#include "wire/otlp_logs.h"
#include "wire/otlp_metrics.h"
#include "wire/otlp_trace.h"

static bool decode_traces(struct intake *r, struct err *e) {
    return otlp_trace_decode(OTLP_PROTOBUF, r->body, r->now_ns, &r->events, &r->partial, e);
}
static bool decode_logs(struct intake *r, struct err *e) {
    return otlp_logs_decode(OTLP_PROTOBUF, r->body, r->now_ns, &r->events, &r->partial, e);
}
static bool decode_metrics(struct intake *r, struct err *e) {
    struct otlp_metric_batches b;
    if (!otlp_metrics_decode(OTLP_PROTOBUF, r->body, r->now_ns / NS_PER_MS, &b, &r->partial, e)) return false;
    r->metrics = b.p;
    r->metric_n = b.n;
    return true;
}
static bool decode_jaeger(struct intake *r, struct err *e) {
    return jaeger_post_spans_decode(r->body, r->now_ns, &r->events, &r->partial.rejected, e);
}

/* google.rpc.Status {1 code, 2 message, 3 Any {1 type_url, 2 RetryInfo {1 Duration {1 seconds}}}}: try again in a second. */
static void put_retry_info(struct buf *b, enum grpc_status status, str text) {
    pb_put_u64(b, 1, status);
    pb_put_bytes(b, 2, text);
    size_t any = pb_begin(b, 3);
    pb_put_bytes(b, 1, STR("type.googleapis.com/google.rpc.RetryInfo"));
    size_t info = pb_begin(b, 2);
    size_t delay = pb_begin(b, 1);
    pb_put_u64(b, 1, 1);
    pb_end(b, delay);
    pb_end(b, info);
    pb_end(b, any);
}

static void reply_error(struct intake *r) {
    AUTO(buf_done) struct buf details = {0};
    enum grpc_status status = (enum grpc_status)err_grpc_status(r->err.code);
    int http_status = intake_status(r); /* 413: the same again would be refused again */
    if (http_status == 429 || http_status == 503) put_retry_info(&details, status, err_str(&r->err));
    grpc_reply(r->grpc, (struct grpc_reply){.status = status, .text = err_str(&r->err), .details = buf_str(&details)});
}

static void reply_otlp(struct intake *r) {
    AUTO(buf_done) struct buf body = {0};
    if (r->err.code != ERR_NONE) return reply_error(r);
    if (r->partial.rejected) {
        size_t at = pb_begin(&body, 1);
        pb_put_u64(&body, 1, r->partial.rejected);
        pb_put_bytes(&body, 2, str_c(r->partial.reason));
        pb_end(&body, at);
    }
    grpc_reply(r->grpc, (struct grpc_reply){.body = buf_str(&body)});
}

/* PostSpansResponse has no fields: spans refused one by one are only counted. */
static void reply_jaeger(struct intake *r) {
    if (r->err.code != ERR_NONE) return reply_error(r);
    grpc_reply(r->grpc, (struct grpc_reply){.body = STR("")});
}

static const struct intake_kind traces_kind = {SIGNAL_TRACES, decode_traces, reply_otlp};
static const struct intake_kind logs_kind = {SIGNAL_LOGS, decode_logs, reply_otlp};
static const struct intake_kind metrics_kind = {SIGNAL_METRICS, decode_metrics, reply_otlp};
static const struct intake_kind jaeger_kind = {SIGNAL_TRACES, decode_jaeger, reply_jaeger};

static void export_traces(void *app, struct grpc_exchange *x) {
    intake_start_grpc(app, x, &traces_kind);
}
static void export_logs(void *app, struct grpc_exchange *x) {
    intake_start_grpc(app, x, &logs_kind);
}
static void export_metrics(void *app, struct grpc_exchange *x) {
    intake_start_grpc(app, x, &metrics_kind);
}
static void post_spans(void *app, struct grpc_exchange *x) {
    intake_start_grpc(app, x, &jaeger_kind);
}

/* HealthCheckResponse {1 status}: 1 is SERVING. */
static void check_health(void *app, struct grpc_exchange *x) {
    (void)app;
    grpc_reply(x, (struct grpc_reply){.body = STR("\x08\x01")});
}

const struct grpc_method grpc_methods[] = {
    {"/opentelemetry.proto.collector.trace.v1.TraceService/Export", export_traces},
    {"/opentelemetry.proto.collector.logs.v1.LogsService/Export", export_logs},
    {"/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", export_metrics},
    {"/jaeger.api_v2.CollectorService/PostSpans", post_spans},
    {"/grpc.health.v1.Health/Check", check_health},
    {0},
};
