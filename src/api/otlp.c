/* api/otlp: OTLP over HTTP (specification 1.x "OTLP/HTTP"): traces, logs and metrics as protobuf or JSON, answered in the same content type once they
 * are durable. Refused items are a partial success; a body that cannot be read is 400, a full server 429 or 503 with Retry-After; the error
 * body is a google.rpc.Status. */
#include "api/otlp.h"

#include <stdio.h>

#include "api/intake.h"
#include "api/otlp_delta.h"
#include "base/clock.h"
#include "wire/otlp_logs.h"
#include "wire/otlp_trace.h"

static const str content_types[] = {[OTLP_PROTOBUF] = STR_INIT("application/x-protobuf"), [OTLP_JSON] = STR_INIT("application/json")};

bool otlp_decode_traces(struct intake *r, struct err *e) {
    return otlp_trace_decode((enum otlp_encoding)r->variant, r->body, r->now_ns, &r->events, &r->partial, e);
}
bool otlp_decode_logs(struct intake *r, struct err *e) {
    return otlp_logs_decode((enum otlp_encoding)r->variant, r->body, r->now_ns, &r->events, &r->partial, e);
}
bool otlp_decode_metrics(struct intake *r, struct err *e) {
    struct otlp_metric_batches b;
    if (!otlp_metrics_decode((enum otlp_encoding)r->variant, r->body, r->now_ns / NS_PER_MS, &r->app->otlp, &b, &r->partial, e)) return false;
    r->metrics = b.p;
    r->metric_n = b.n;
    return true;
}

void otlp_sum_deltas(struct intake *r) {
    for (size_t i = 0; i < r->metric_n; i++) otlp_deltas_apply(r->app->deltas, r->metrics[i], r->now_ns / NS_PER_MS, &r->partial);
}

static void put_status(struct buf *b, enum otlp_encoding enc, const struct err *e) {
    if (enc == OTLP_PROTOBUF) {
        pb_put_u64(b, 1, (uint64_t)err_grpc_status(e->code));
        pb_put_bytes(b, 2, err_str(e));
        return;
    }
    struct json_out o = {.buf = b};
    json_put_object(&o);
    json_put_key_c(&o, "code");
    json_put_i64(&o, err_grpc_status(e->code));
    json_put_key_c(&o, "message");
    json_put_string(&o, err_str(e));
    json_put_object_end(&o);
}

bool otlp_error_body(const struct http_exchange *x, int status, str reason, struct buf *out, str *content_type) {
    static const struct {
        int status;
        enum err_code code;
    } codes[] = {{404, ERR_NOT_FOUND}, {405, ERR_UNSUPPORTED}, {413, ERR_TOO_LARGE}, {429, ERR_LIMIT}, {503, ERR_IO}};
    bool ours = x->door && x->door->kind == DOOR_OTLP;
    for (const struct http_route *r = otlp_routes; r->pattern && !ours; r++) ours = str_eq_c(x->path, r->pattern);
    if (!ours) return false;
    struct err e = {.code = ERR_INPUT};
    for (size_t i = 0; i < ARRAY_N(codes); i++)
        if (codes[i].status == status) e.code = codes[i].code;
    err_set(&e, e.code, "%" STR_F, STR_A(reason));
    enum otlp_encoding enc = str_eq_nocase(intake_content_type(x), content_types[OTLP_PROTOBUF]) ? OTLP_PROTOBUF : OTLP_JSON;
    put_status(out, enc, &e);
    *content_type = content_types[enc];
    return true;
}

void otlp_put_partial(struct buf *b, enum otlp_encoding enc, const struct otlp_partial *p, str rejected_key) {
    if (enc == OTLP_PROTOBUF) {
        if (p->rejected == 0) return;
        size_t at = pb_begin(b, 1);
        pb_put_u64(b, 1, p->rejected);
        pb_put_bytes(b, 2, str_c(p->reason));
        pb_end(b, at);
        return;
    }
    struct json_out o = {.buf = b};
    json_put_object(&o);
    if (p->rejected) {
        json_put_key_c(&o, "partialSuccess");
        json_put_object(&o);
        json_put_key(&o, rejected_key);
        char digits[24];
        int n = snprintf(digits, sizeof digits, "%zu", p->rejected);
        json_put_string(&o, str_n(digits, (size_t)n)); /* int64 is a string in proto3 JSON */
        json_put_key_c(&o, "errorMessage");
        json_put_string(&o, str_c(p->reason));
        json_put_object_end(&o);
    }
    json_put_object_end(&o);
}

static void reply(struct intake *r, str rejected_key) {
    enum otlp_encoding enc = (enum otlp_encoding)r->variant;
    AUTO(buf_done) struct buf body = {0};
    bool ok = r->err.code == ERR_NONE;
    if (ok)
        otlp_put_partial(&body, enc, &r->partial, rejected_key);
    else
        put_status(&body, enc, &r->err);
    http_reply(r->x, (struct http_reply){.status = ok ? 200 : err_http_status(r->err.code), .content_type = content_types[enc], .body_buf = &body});
}
static void reply_traces(struct intake *r) {
    reply(r, STR("rejectedSpans"));
}
static void reply_logs(struct intake *r) {
    reply(r, STR("rejectedLogRecords"));
}
static void reply_metrics(struct intake *r) {
    reply(r, STR("rejectedDataPoints"));
}

static const struct intake_kind kinds[] = {{SIGNAL_TRACES, otlp_decode_traces, reply_traces},
                                           {SIGNAL_LOGS, otlp_decode_logs, reply_logs},
                                           {SIGNAL_METRICS, otlp_decode_metrics, reply_metrics, otlp_sum_deltas}};

static void start(void *app, struct http_exchange *x, const struct intake_kind *kind) {
    str type = intake_content_type(x);
    for (size_t enc = 0; enc < ARRAY_N(content_types); enc++)
        if (str_eq_nocase(type, content_types[enc])) return intake_start(app, x, kind, (int)enc);
    struct err e;
    struct buf body = {0};
    err_set(&e, ERR_INPUT, "Content-Type \"%" STR_F "\": expected application/x-protobuf or application/json", STR_A(type));
    put_status(&body, OTLP_JSON, &e);
    http_reply_json(x, 415, &body);
}
static void traces(void *app, struct http_exchange *x) {
    start(app, x, &kinds[0]);
}
static void logs(void *app, struct http_exchange *x) {
    start(app, x, &kinds[1]);
}
static void metrics(void *app, struct http_exchange *x) {
    start(app, x, &kinds[2]);
}

const struct http_route otlp_routes[] = {
    {HTTP_POST, "/v1/traces", traces, DOOR_MAIN | DOOR_OTLP},
    {HTTP_POST, "/v1/logs", logs, DOOR_MAIN | DOOR_OTLP},
    {HTTP_POST, "/v1/metrics", metrics, DOOR_MAIN | DOOR_OTLP},
    {HTTP_POST, "/api/v1/otlp/v1/traces", traces, DOOR_MAIN | DOOR_OTLP},
    {HTTP_POST, "/api/v1/otlp/v1/logs", logs, DOOR_MAIN | DOOR_OTLP},
    {HTTP_POST, "/api/v1/otlp/v1/metrics", metrics, DOOR_MAIN | DOOR_OTLP},
    {HTTP_POST, "/otlp/v1/logs", logs, DOOR_MAIN | DOOR_LOKI}, /* Loki's path for it */
    {0},
};
