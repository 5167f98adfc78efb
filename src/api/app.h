/* api/app: what the routes may use. Filled once by cmd/serve; loop thread. Nothing in here is mutable by a handler but through the functions of
 * its type. ingest/ is reached only through the small views below (api never includes ingest). */
#pragma once
#include "loop/loop.h"
#include "loop/pool.h"
#include "model/target.h"
#include "net/http_server.h"
#include "store/store.h"
#include "wire/otlp_metrics.h"

struct app {
    struct loop *loop;
    struct pool *pool;
    struct store *store;
    struct sink *sink; /* where pushes go: the store, perhaps by way of what counts them */
    struct http_server *http;
    int64_t start_ms;
    /* settings the routes need */
    int64_t query_timeout_ms, lookback_ms;
    uint64_t query_samples_max;
    size_t query_bytes_max;
    size_t buckets_max;              /* Elasticsearch search.max_buckets */
    bool admin_api;                  /* /api/v1/admin answers */
    struct labels external_labels;   /* federate adds them */
    str retention;                   /* of metrics: "15d or 10GiB" */
    const struct regex *cors_origin; /* whose pages may read the Prometheus API; NULL: none */
    struct otlp_metrics_options otlp;
    struct otlp_deltas *deltas; /* api/otlp_delta's; freed by its owner */
    struct feed *feeds;         /* api/feed's own: long replies under way */
    struct sampling *sampling;  /* api/sampling's; freed by its owner */
    struct es_state *elastic;   /* api/elastic's own, made when needed; elastic_state_free at the end */
    struct tail_client *tails;  /* api/logs_tail's own; logs_tail_stop_all at the end */
    /* views, set by cmd/serve; may be NULL in tests */
    void (*targets)(void *arg, struct arena *a, struct target_view **out, size_t *n);
    void *targets_arg;
    void (*self_metrics)(void *arg, struct buf *out); /* binnacle's own exposition page */
    void *self_metrics_arg;
    void (*config_yaml)(void *arg, struct buf *out);
    void (*flags_json)(void *arg, struct buf *out); /* {"listen":"127.0.0.1:9090",...} */
    void *config_arg;
};

/* One table per file of api/; cmd/serve puts them together. */
extern const struct http_route prometheus_routes[], elastic_routes[], jaeger_routes[], jaeger_v3_routes[], jaeger_metrics_routes[],
    jaeger_transform_routes[], otlp_routes[], push_routes[], ui_routes[], loki_routes[], sampling_routes[], zipkin_routes[], tempo_routes[],
    journal_routes[], admin_routes[], import_routes[], influx_routes[];

/* http_server_config.headers: Access-Control-* for the Prometheus API. */
size_t prom_cors_headers(void *app, const struct http_exchange *x, struct http_pair *out);
/* Ends app->elastic; NULL is fine. */
void elastic_state_free(struct es_state *s);
/* http_server_config.error_body for DOOR_ELASTIC: Elasticsearch's error form; false on other doors. */
bool elastic_error_body(void *app, const struct http_exchange *x, int status, str reason, struct buf *out, str *content_type);
/* Likewise for DOOR_INFLUX and the write paths: InfluxDB's. */
bool influx_error_body(const struct http_exchange *x, int status, str reason, struct buf *out, str *content_type);

/* Door kinds (http_route.doors bits). */
enum {
    DOOR_MAIN = 1,
    DOOR_ELASTIC = 2,
    DOOR_JAEGER = 4,
    DOOR_OTLP = 8,
    DOOR_COLLECTOR = 16,
    DOOR_ZIPKIN = 32,
    DOOR_LOKI = 64,
    DOOR_INFLUX = 128,
    DOOR_JOURNAL = 256,
    DOOR_SAMPLING = 512,
    DOOR_TEMPO = 1024
};
