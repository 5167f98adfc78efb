#include "api/grpc.h"

#include "api/jaeger_grpc.h"
#include "api/otlp.h"
#include "api/sampling.h"
#include "codec/pb.h"
#include "wire/jaeger_proto.h"

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
    int http_status = err_http_status(r->err.code); /* 413: the same again would be refused again */
    if (http_status == 429 || http_status == 503) put_retry_info(&details, status, err_str(&r->err));
    grpc_reply(r->grpc, (struct grpc_reply){.status = status, .text = err_str(&r->err), .details = buf_str(&details)});
}

static void reply_otlp(struct intake *r) {
    AUTO(buf_done) struct buf body = {0};
    if (r->err.code != ERR_NONE) return reply_error(r);
    otlp_put_partial(&body, OTLP_PROTOBUF, &r->partial, STR_NULL);
    grpc_reply(r->grpc, (struct grpc_reply){.body = buf_str(&body)});
}

/* PostSpansResponse has no fields: spans refused one by one are only counted. */
static void reply_jaeger(struct intake *r) {
    if (r->err.code != ERR_NONE) return reply_error(r);
    grpc_reply(r->grpc, (struct grpc_reply){.body = STR("")});
}

/* intake_start_grpc leaves the variant at 0. */
_Static_assert(OTLP_PROTOBUF == 0, "the decoders shared with OTLP/HTTP read the encoding from the variant");
static const struct intake_kind traces_kind = {SIGNAL_TRACES, otlp_decode_traces, reply_otlp};
static const struct intake_kind logs_kind = {SIGNAL_LOGS, otlp_decode_logs, reply_otlp};
static const struct intake_kind metrics_kind = {SIGNAL_METRICS, otlp_decode_metrics, reply_otlp, otlp_sum_deltas};
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
    {"/jaeger.api_v2.SamplingManager/GetSamplingStrategy", sampling_grpc},
    {"/jaeger.api_v2.QueryService/GetServices", jaeger_grpc_services},
    {"/jaeger.api_v2.QueryService/GetOperations", jaeger_grpc_operations_2},
    {"/jaeger.api_v3.QueryService/GetServices", jaeger_grpc_services},
    {"/jaeger.api_v3.QueryService/GetOperations", jaeger_grpc_operations_3},
    {"/jaeger.api_v3.QueryService/GetTrace", jaeger_grpc_trace},
    {"/jaeger.api_v3.QueryService/FindTraces", jaeger_grpc_find_traces},
    {"/grpc.health.v1.Health/Check", check_health},
    {0},
};
