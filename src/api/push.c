/* api/push: the other push protocols: Prometheus remote write 1.0 and 2.0, Jaeger's Thrift over HTTP (port 14268) and Zipkin's JSON, Thrift and
 * protobuf (port 9411). Acknowledged once durable. */
#include <stdio.h>

#include "api/intake.h"
#include "wire/jaeger_thrift.h"
#include "wire/remote_write.h"
#include "wire/zipkin_json.h"
#include "wire/zipkin_proto.h"

enum { REMOTE_WRITE_BYTES_MAX = 256 << 20 };

static void reply_text(struct intake *r, int good_status) {
    if (r->err.code != ERR_NONE) return http_reply_text(r->x, err_http_status(r->err.code), err_str(&r->err));
    http_reply_text(r->x, good_status, STR(""));
}

/* --- remote write */

static bool decode_remote_write(struct intake *r, struct err *e) {
    struct metric_batch *b;
    if (!remote_write_decode(r->body, (enum remote_write_version)r->variant, REMOTE_WRITE_BYTES_MAX, &b, &r->partial, e)) return false;
    intake_one_batch(r, b);
    return true;
}

/* A partial write is a 400 that is not to be sent again; the headers say how much of it was written. */
static void reply_remote_write(struct intake *r) {
    char digits[3][24];
    size_t refused = r->partial.rejected;
    const size_t counts[3] = {r->stored - r->histograms, r->histograms, r->exemplars};
    static const char *const names[3] = {"X-Prometheus-Remote-Write-Samples-Written", "X-Prometheus-Remote-Write-Histograms-Written",
                                         "X-Prometheus-Remote-Write-Exemplars-Written"};
    struct http_pair headers[3];
    for (size_t i = 0; i < 3; i++) {
        int n = snprintf(digits[i], sizeof digits[i], "%zu", counts[i]);
        headers[i] = (struct http_pair){str_c(names[i]), str_n(digits[i], (size_t)n)};
    }
    int status = r->err.code != ERR_NONE ? err_http_status(r->err.code) : refused ? 400 : 204;
    str body = r->err.code != ERR_NONE ? err_str(&r->err) : str_c(r->partial.reason);
    http_reply(r->x, (struct http_reply){.status = status,
                                         .content_type = status == 204 ? STR("") : STR("text/plain; charset=utf-8"),
                                         .body = status == 204 ? STR("") : body,
                                         .headers = headers,
                                         .header_n = ARRAY_N(headers)});
}
static const struct intake_kind remote_write_kind = {SIGNAL_METRICS, decode_remote_write, reply_remote_write};

/* The value of the parameter proto of a Content-Type; empty: none. */
static str proto_parameter(str content_type) {
    str part;
    while (content_type.n) {
        str_cut(&content_type, ';', &part);
        part = str_trim(part);
        if (str_starts(part, STR("proto="))) return str_from(part, 6);
    }
    return STR_NULL;
}

static void remote_write(void *app, struct http_exchange *x) {
    str proto = proto_parameter(http_header(x, STR("Content-Type"))), coding = http_header(x, STR("Content-Encoding"));
    bool known_type = str_eq_nocase(intake_content_type(x), STR("application/x-protobuf"));
    bool v1 = proto.n == 0 || str_eq(proto, STR("prometheus.WriteRequest")), v2 = str_eq(proto, STR("io.prometheus.write.v2.Request"));
    if (!known_type || (!v1 && !v2))
        return http_reply_text(x, 415,
                               STR("expected Content-Type application/x-protobuf, with proto=prometheus.WriteRequest (or none) or "
                                   "proto=io.prometheus.write.v2.Request\n"));
    if (coding.n && !str_eq_nocase(coding, STR("snappy"))) return http_reply_text(x, 415, STR("expected Content-Encoding: snappy\n"));
    intake_start(app, x, &remote_write_kind, v2 ? REMOTE_WRITE_2 : REMOTE_WRITE_1);
}

/* --- spans */

enum span_format { JAEGER_THRIFT, ZIPKIN_THRIFT, ZIPKIN_PROTO, ZIPKIN_JSON_1, ZIPKIN_JSON_2 };

static bool decode_spans(struct intake *r, struct err *e) {
    struct jaeger_info info = {0};
    str body = r->body;
    bool ok = false;
    switch ((enum span_format)r->variant) {
    case JAEGER_THRIFT: ok = jaeger_batch_decode(body, r->now_ns, &r->events, &info, e); break;
    case ZIPKIN_THRIFT: ok = zipkin_thrift_decode(body, r->now_ns, &r->events, &info, e); break;
    case ZIPKIN_PROTO: ok = zipkin_proto_decode(body, r->now_ns, &r->events, &info.rejected, e); break;
    case ZIPKIN_JSON_1: ok = zipkin_json_decode(body, 1, r->now_ns, &r->events, &info.rejected, e); break;
    case ZIPKIN_JSON_2: ok = zipkin_json_decode(body, 2, r->now_ns, &r->events, &info.rejected, e); break;
    }
    r->partial.rejected = info.rejected;
    return ok;
}
static void reply_spans(struct intake *r) {
    if (r->err.code == ERR_INPUT && r->variant == JAEGER_THRIFT) err_wrap(&r->err, "Unable to process request body");
    reply_text(r, 202);
}
static const struct intake_kind spans_kind = {SIGNAL_TRACES, decode_spans, reply_spans};

static void jaeger_spans(void *app, struct http_exchange *x) {
    str type = intake_content_type(x);
    if (str_eq_nocase(type, STR("application/x-thrift")) || str_eq_nocase(type, STR("application/vnd.apache.thrift.binary")))
        return intake_start(app, x, &spans_kind, JAEGER_THRIFT);
    http_reply_text(x, 400, STR("unsupported content type: expected application/x-thrift or application/vnd.apache.thrift.binary\n"));
}

/* Zipkin's clients may send nothing at all, and JSON without saying so. Beside JSON each version has one binary format. */
static void zipkin_spans(void *app, struct http_exchange *x, enum span_format json) {
    bool v1 = json == ZIPKIN_JSON_1;
    str type = intake_content_type(x), binary = v1 ? STR("application/x-thrift") : STR("application/x-protobuf");
    if (x->body.n == 0) return http_reply(x, (struct http_reply){.status = 202});
    if (str_eq_nocase(type, binary)) return intake_start(app, x, &spans_kind, v1 ? ZIPKIN_THRIFT : ZIPKIN_PROTO);
    if (type.n == 0 || str_eq_nocase(type, STR("application/json"))) return intake_start(app, x, &spans_kind, json);
    http_reply_text(x, 415,
                    v1 ? STR("expected application/json or application/x-thrift\n") : STR("expected application/json or application/x-protobuf\n"));
}
static void zipkin_v1_spans(void *app, struct http_exchange *x) {
    zipkin_spans(app, x, ZIPKIN_JSON_1);
}
static void zipkin_v2_spans(void *app, struct http_exchange *x) {
    zipkin_spans(app, x, ZIPKIN_JSON_2);
}

const struct http_route push_routes[] = {
    {HTTP_POST, "/api/v1/write", remote_write, DOOR_MAIN},
    {HTTP_POST, "/api/traces", jaeger_spans, DOOR_MAIN | DOOR_COLLECTOR},
    {HTTP_POST, "/api/v2/spans", zipkin_v2_spans, DOOR_MAIN | DOOR_ZIPKIN},
    {HTTP_POST, "/api/v1/spans", zipkin_v1_spans, DOOR_MAIN | DOOR_ZIPKIN},
    {0},
};
