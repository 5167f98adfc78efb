/* api/otlp: what others need of the OTLP/HTTP routes (otlp_routes in app.h). Loop thread. */
#pragma once
#include "base/buf.h"
#include "net/http_server.h"

/* The google.rpc.Status for an error the HTTP server itself answers (404, 413, 503...), in the request's encoding. false: not a request for OTLP. */
bool otlp_error_body(const struct http_exchange *x, int status, str reason, struct buf *out, str *content_type);
