/* api/admin: liveness, readiness, binnacle's own metrics page. */
#include "api/app.h"

static void healthy(void *app, struct http_exchange *x) {
    (void)app;
    http_reply_text(x, 200, STR("binnacle is Healthy.\n"));
}

static void ready(void *app, struct http_exchange *x) {
    (void)app;
    http_reply_text(x, 200, STR("binnacle is Ready.\n"));
}

static void own_metrics(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    struct buf page = {0};
    if (app->self_metrics) app->self_metrics(app->self_metrics_arg, &page);
    http_reply(x, (struct http_reply){.status = 200, .content_type = STR("text/plain; version=0.0.4; charset=utf-8"), .body_buf = &page});
}

const struct http_route admin_routes[] = {
    {HTTP_GET, "/-/healthy", healthy, 0},
    {HTTP_GET, "/-/ready", ready, 0},
    {HTTP_GET, "/metrics", own_metrics, 0},
    {0},
};
