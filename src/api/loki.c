/* api/loki: Grafana Loki's push API, here and on its own port 3100: logs in. Reading them back is what the Elasticsearch API and the page are for.
 * Source: Loki HTTP API, "Ingest logs": 204 when all was stored; 400 with the reason as text when it cannot be read or when single entries were
 * refused (the others are stored: clients do not send a 400 again); 429 and 5xx are sent again as a whole. */
#include <stdio.h>

#include "api/intake.h"
#include "wire/loki_push.h"

enum { DECODED_BYTES_MAX = 256 << 20 };

static bool decode_push(struct intake *r, struct err *e) {
    struct err why = {0};
    if (!loki_push_decode((enum loki_encoding)r->variant, r->body, DECODED_BYTES_MAX, r->now_ns, &r->events, &r->partial.rejected, &why, e))
        return false;
    snprintf(r->partial.reason, sizeof r->partial.reason, "%s", why.msg);
    return true;
}

static void reply_push(struct intake *r) {
    if (r->err.code != ERR_NONE) return http_reply_text(r->x, err_http_status(r->err.code), err_str(&r->err));
    if (r->partial.rejected == 0) return http_reply(r->x, (struct http_reply){.status = 204});
    char text[300];
    int n = snprintf(text, sizeof text, "%zu entries refused, the others are stored: %s\n", r->partial.rejected, r->partial.reason);
    http_reply_text(r->x, 400, str_n(text, (size_t)n));
}
static const struct intake_kind push_kind = {SIGNAL_LOGS, decode_push, reply_push};

/* As Loki: JSON when it is called so, else snappy-compressed protobuf. gzip and deflate of JSON are undone already. */
static void push(void *app, struct http_exchange *x) {
    str type = intake_content_type(x), coding = http_header(x, STR("Content-Encoding"));
    bool json = str_eq_nocase(type, STR("application/json")), proto = type.n == 0 || str_eq_nocase(type, STR("application/x-protobuf"));
    if (!json && !proto) return http_reply_text(x, 415, STR("expected Content-Type application/json or application/x-protobuf\n"));
    if (json && str_eq_nocase(coding, STR("snappy")))
        return http_reply_text(x, 415, STR("Content-Encoding snappy is for protobuf; JSON may be gzip\n"));
    intake_start(app, x, &push_kind, json ? LOKI_JSON : LOKI_PROTO);
}

static void ready(void *app, struct http_exchange *x) {
    (void)app;
    http_reply_text(x, 200, STR("ready\n"));
}

const struct http_route loki_routes[] = {
    {HTTP_POST, "/loki/api/v1/push", push, DOOR_MAIN | DOOR_LOKI},
    {HTTP_POST, "/api/prom/push", push, DOOR_MAIN | DOOR_LOKI},
    {HTTP_GET, "/ready", ready, DOOR_LOKI},
    {0},
};
