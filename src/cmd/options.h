/* cmd/options: every setting of `binnacle serve`, defined once in options.c: flag, environment variable, YAML key, --help and the table in
 * doc/operations.md all derive from that one table.
 *
 *   --door.elastic off      BINNACLE_DOOR_ELASTIC=off      door: {elastic: off}   or   door.elastic: off
 *
 * Later sources win: defaults, YAML file, environment, command line. Main thread, before the loop runs. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/yaml.h"

struct str_list {
    str *p;
    size_t n, cap;
};

/* A group of static scrape targets: `scrape_configs` of the YAML file, in Prometheus' words. */
struct scrape_config {
    str job_name, metrics_path, scheme;
    int64_t interval_ms, timeout_ms; /* 0: the global setting */
    struct str_list targets;         /* host:port */
    const struct yaml *labels;       /* extra target labels: a YAML map, or NULL */
    bool honor_labels, honor_timestamps, classic_histograms;
    bool native_histograms, native_given; /* not given: the global setting */
    str fallback;                         /* "": the global setting */
    uint64_t sample_limit;
};

struct options {
    struct arena *arena;
    str config, data, listen, log_level;
    bool doors;
    str door_elastic, door_jaeger, door_otlp_http, door_collector, door_zipkin, door_udp_compact, door_udp_binary, door_udp_zipkin, door_otlp_grpc,
        door_jaeger_grpc, door_jaeger_sampling, door_tempo, door_jaeger_query_grpc, door_loki, door_influx;
    str door_journal, door_forward, door_syslog_tcp, door_syslog_udp, forward_shared_key;
    str sampling_file;
    bool span_metrics;
    int64_t span_metrics_interval_ms;
    uint64_t span_metrics_operations;
    uint64_t push_message_bytes;
    uint64_t udp_buffer_bytes;

    bool host, self_logs, self_traces, tail;
    str host_procfs;
    int64_t scrape_interval_ms, scrape_timeout_ms;
    uint64_t scrape_body_bytes;
    bool scrape_native, scrape_extra;
    str scrape_fallback;
    struct str_list scrape_targets, tail_files;
    bool tail_from_start;
    uint64_t tail_line_bytes;
    bool tail_multiline;
    int64_t tail_idle_flush_ms;

    str otlp_translation;
    struct str_list otlp_promote;
    bool otlp_keep_identifying;
    uint64_t otlp_delta_series;

    int64_t retention_metrics_ms, retention_metrics_5m_ms, retention_metrics_1h_ms, retention_logs_ms, retention_traces_ms;
    struct str_list retention_metrics_rules;
    uint64_t retention_metrics_bytes, retention_logs_bytes, retention_traces_bytes;
    uint64_t disk_free_min_bytes;
    int64_t wal_window_ms;
    bool wal_sync;
    uint64_t wal_segment_bytes, wal_queue_bytes;
    uint64_t series_max, exemplars_max, labels_max, label_value_bytes, attrs_max, value_bytes;
    int64_t out_of_order_ms, seal_age_ms;
    uint64_t metrics_head_bytes, events_head_bytes;

    int64_t query_timeout_ms, query_lookback_ms;
    uint64_t query_samples, query_bytes, query_buckets;
    uint64_t threads, queue;
    uint64_t http_body_bytes, http_decoded_bytes, http_in_flight_bytes, http_header_bytes, http_connections;
    int64_t http_idle_ms;
    bool http_admin_api;
    str http_cors_origin;
    struct str_list external_labels; /* name=value */

    struct scrape_config *scrape_configs; /* YAML only */
    size_t scrape_config_n;
};

enum options_action { OPTIONS_RUN, OPTIONS_EXIT_OK };
/* Reads everything. --help and --help=markdown print and yield OPTIONS_EXIT_OK. Errors name the source: "binnacle.yml:3:5: unknown key "lisen"; did
 * you mean "listen"?", "--data needs a value", "BINNACLE_DOORS: not a switch: "maybe" (on or off)". */
MUST_USE bool options_read(int argc, char **argv, struct arena *a, struct options *out, enum options_action *action, struct err *e);
/* The effective settings: as YAML, and as the flat JSON object of /api/v1/status/flags. */
void options_put_yaml(const struct options *o, struct buf *out);
void options_put_json(const struct options *o, struct buf *out);
/* "off", "no" and "" close a door. */
bool door_is_off(str address);
