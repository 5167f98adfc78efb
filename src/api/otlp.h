/* api/otlp: what others need of the OTLP/HTTP routes (otlp_routes in app.h): the gRPC doors, and the server's own errors. Loop thread, except the
 * decoders. */
#pragma once
#include "api/intake.h"
#include "base/buf.h"
#include "net/http_server.h"

/* The google.rpc.Status for an error the HTTP server itself answers (404, 413, 503...), in the request's encoding. false: not a request for OTLP. */
bool otlp_error_body(const struct http_exchange *x, int status, str reason, struct buf *out, str *content_type);

/* intake_kind.decode of each signal, over any door; r->variant is an enum otlp_encoding. Any thread. */
bool otlp_decode_traces(struct intake *r, struct err *e);
bool otlp_decode_logs(struct intake *r, struct err *e);
bool otlp_decode_metrics(struct intake *r, struct err *e);
/* intake_kind.before_push of metrics. */
void otlp_sum_deltas(struct intake *r);
/* The Export response: partial_success when something was refused. rejected_key: its JSON name ("rejectedSpans"); protobuf has no need of it. */
void otlp_put_partial(struct buf *b, enum otlp_encoding enc, const struct otlp_partial *p, str rejected_key);
