/* cmd/serve: everything in one process. The only place where the parts are wired together: options -> loop, pool, store, doors, collectors. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "api/app.h"
#include "api/feed.h"
#include "api/grpc.h"
#include "api/logs_tail.h"
#include "api/otlp.h"
#include "api/otlp_delta.h"
#include "api/sampling.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/retention.h"
#include "cmd/self_metrics.h"
#include "codec/duration.h"
#include "codec/regex.h"
#include "ingest/forward.h"
#include "ingest/host.h"
#include "ingest/jaeger_udp.h"
#include "ingest/scrape.h"
#include "ingest/self.h"
#include "ingest/span_metrics.h"
#include "ingest/syslog.h"
#include "ingest/tail.h"
#include "net/http_client.h"
#include "store/metrics/refused.h"

struct serve {
    struct options options;
    struct loop *loop;
    struct pool *pool;
    struct store *store;
    struct http_server *http;
    struct grpc_server *grpc;
    struct http_client *client;
    struct scraper *scraper;
    struct tail *tail;
    struct self *self;
    struct span_metrics *span_metrics;
    struct sink *sink; /* the store, or span_metrics before it */
    struct jaeger_udp *udp[3];
    struct push_door *push[3];
    struct forward_settings forward;
    struct timer *tick;
    uint64_t refused_said; /* dropped_series_limit in the last message */
    int64_t refused_said_ms;
    struct app app;
    struct labels external_labels;
    struct regex *cors_origin;
    struct retention_rules retention_rules;
    str retention;
    int64_t start_ms;
};

/* --- doors */

static const struct {
    const char *option; /* for messages */
    size_t offset;      /* str in struct options */
    unsigned kind;
} http_doors[] = {
    {"door.elastic", offsetof(struct options, door_elastic), DOOR_ELASTIC},
    {"door.jaeger", offsetof(struct options, door_jaeger), DOOR_JAEGER},
    {"door.otlp-http", offsetof(struct options, door_otlp_http), DOOR_OTLP},
    {"door.collector", offsetof(struct options, door_collector), DOOR_COLLECTOR},
    {"door.jaeger-sampling", offsetof(struct options, door_jaeger_sampling), DOOR_SAMPLING},
    {"door.tempo", offsetof(struct options, door_tempo), DOOR_TEMPO},
    {"door.zipkin", offsetof(struct options, door_zipkin), DOOR_ZIPKIN},
    {"door.loki", offsetof(struct options, door_loki), DOOR_LOKI},
    {"door.journal", offsetof(struct options, door_journal), DOOR_JOURNAL},
    {"door.influx", offsetof(struct options, door_influx), DOOR_INFLUX},
};

static const struct {
    const char *option;
    size_t offset;
} grpc_doors[] = {
    {"door.otlp-grpc", offsetof(struct options, door_otlp_grpc)},
    {"door.jaeger-grpc", offsetof(struct options, door_jaeger_grpc)},
    {"door.jaeger-query-grpc", offsetof(struct options, door_jaeger_query_grpc)},
};

static const struct {
    const char *option, *name;
    size_t offset;
} udp_doors[] = {
    {"door.udp-compact", "udp-compact", offsetof(struct options, door_udp_compact)},
    {"door.udp-binary", "udp-binary", offsetof(struct options, door_udp_binary)},
    {"door.udp-zipkin", "udp-zipkin", offsetof(struct options, door_udp_zipkin)},
};

static const struct {
    const char *option, *label;
    size_t offset;
    const struct push_protocol *protocol;
    size_t settings; /* in struct serve; 0: none */
    bool udp;
} push_doors[] = {
    {"door.forward", "{door=\"forward\"}", offsetof(struct options, door_forward), &forward_protocol, offsetof(struct serve, forward), false},
    {"door.syslog-tcp", "{door=\"syslog-tcp\"}", offsetof(struct options, door_syslog_tcp), &syslog_tcp_protocol, 0, false},
    {"door.syslog-udp", "{door=\"syslog-udp\"}", offsetof(struct options, door_syslog_udp), &syslog_udp_protocol, 0, true},
};

static const struct http_route *const route_tables[] = {sampling_routes,
                                                        zipkin_routes,
                                                        tempo_routes,
                                                        admin_routes,
                                                        otlp_routes,
                                                        push_routes,
                                                        prometheus_routes,
                                                        jaeger_routes,
                                                        jaeger_v3_routes,
                                                        jaeger_metrics_routes,
                                                        jaeger_transform_routes,
                                                        loki_routes,
                                                        journal_routes,
                                                        import_routes,
                                                        influx_routes,
                                                        elastic_routes,
                                                        ui_routes};

static str door_address(const struct options *o, size_t offset) {
    return *(const str *)((const char *)o + offset);
}

static bool open_push_door(struct serve *s, size_t i, str address, struct err *e) {
    const struct options *o = &s->options;
    s->forward = (struct forward_settings){o->forward_shared_key, o->push_message_bytes};
    const struct push_door_settings settings = {
        .name = push_doors[i].option + 5,
        .address = address,
        .protocol = push_doors[i].protocol,
        .settings = push_doors[i].settings ? (const char *)s + push_doors[i].settings : NULL,
        .message_bytes_max = o->push_message_bytes,
        .connections = (unsigned)o->http_connections,
        .udp_buffer_bytes = o->udp_buffer_bytes,
        .udp = push_doors[i].udp,
    };
    return push_door_open(s->loop, s->pool, &s->store->sink, &settings, &s->push[i], e);
}

/* A native door that is taken is a warning; the one listener is not optional. */
static bool open_doors(struct serve *s, struct err *e) {
    if (!http_server_listen(s->http, "main", DOOR_MAIN, s->options.listen, e)) return err_wrap(e, "--listen");
    if (!s->options.doors) return true;
    struct err reason;
    for (size_t i = 0; i < ARRAY_N(http_doors); i++) {
        str address = door_address(&s->options, http_doors[i].offset);
        if (door_is_off(address)) continue;
        if (!http_server_listen(s->http, http_doors[i].option + 5, http_doors[i].kind, address, &reason))
            log_warn("serve", "door not open: %s: %s (move it with --%s HOST:PORT, or off)", http_doors[i].option, reason.msg, http_doors[i].option);
    }
    for (size_t i = 0; i < ARRAY_N(grpc_doors); i++) {
        str address = door_address(&s->options, grpc_doors[i].offset);
        if (door_is_off(address)) continue;
        if (!grpc_server_listen(s->grpc, grpc_doors[i].option + 5, address, &reason))
            log_warn("serve", "door not open: %s: %s (move it with --%s HOST:PORT, or off)", grpc_doors[i].option, reason.msg, grpc_doors[i].option);
    }
    for (size_t i = 0; i < ARRAY_N(udp_doors); i++) {
        str address = door_address(&s->options, udp_doors[i].offset);
        if (door_is_off(address)) continue;
        if (!jaeger_udp_open(s->loop, udp_doors[i].name, address, s->options.udp_buffer_bytes, s->sink, &s->udp[i], &reason))
            log_warn("serve", "door not open: %s: %s (move it with --%s HOST:PORT, or off)", udp_doors[i].option, reason.msg, udp_doors[i].option);
    }
    for (size_t i = 0; i < ARRAY_N(push_doors); i++) {
        str address = door_address(&s->options, push_doors[i].offset);
        if (door_is_off(address)) continue;
        if (!open_push_door(s, i, address, &reason))
            log_warn("serve", "door not open: %s: %s (move it with --%s HOST:PORT, or off)", push_doors[i].option, reason.msg, push_doors[i].option);
    }
    return true;
}

/* --- what binnacle says of itself */

enum { MORE_ROWS = 96 };

static size_t udp_rows(const struct serve *s, struct gauge_row *rows) {
    static const struct {
        const char *name, *help;
        size_t offset;
    } columns[] = {
        {"binnacle_udp_packets_total", "UDP packets received.", offsetof(struct jaeger_udp_stats, packets)},
        {"binnacle_udp_spans_total", "Spans decoded from UDP packets.", offsetof(struct jaeger_udp_stats, spans)},
        {"binnacle_udp_decode_errors_total", "UDP packets that could not be decoded.", offsetof(struct jaeger_udp_stats, decode_errors)},
        {"binnacle_udp_kernel_drops_total", "UDP packets the kernel dropped because the receive buffer was full.",
         offsetof(struct jaeger_udp_stats, kernel_drops)},
    };
    static const char *const labels[] = {"{door=\"udp-compact\"}", "{door=\"udp-binary\"}", "{door=\"udp-zipkin\"}"};
    size_t n = 0;
    for (size_t c = 0; c < ARRAY_N(columns); c++) {
        for (size_t i = 0; i < ARRAY_N(s->udp); i++) {
            if (!s->udp[i]) continue;
            struct jaeger_udp_stats stats;
            jaeger_udp_stats(s->udp[i], &stats);
            uint64_t v;
            memcpy(&v, (const char *)&stats + columns[c].offset, sizeof v);
            rows[n++] = (struct gauge_row){columns[c].name, "counter", columns[c].help, labels[i], (double)v};
        }
    }
    return n;
}

static size_t push_rows(const struct serve *s, struct gauge_row *rows) {
    static const struct {
        const char *name, *type, *help;
        size_t offset;
    } columns[] = {
        {"binnacle_push_events_total", "counter", "Events stored through a push door.", offsetof(struct push_door_stats, events)},
        {"binnacle_push_bytes_total", "counter", "Bytes received by a push door.", offsetof(struct push_door_stats, bytes)},
        {"binnacle_push_unreadable_total", "counter", "Messages that could not be decoded.", offsetof(struct push_door_stats, unreadable)},
        {"binnacle_push_retries_total", "counter", "Rounds repeated because the store refused; the client waits.",
         offsetof(struct push_door_stats, retries)},
        {"binnacle_push_connections", "gauge", "Open connections of a push door.", offsetof(struct push_door_stats, connections_open)},
        {"binnacle_push_connections_refused_total", "counter", "Connections beyond http.connections.",
         offsetof(struct push_door_stats, connections_refused)},
        {"binnacle_push_kernel_drops_total", "counter", "Packets the kernel dropped because the receive buffer was full.",
         offsetof(struct push_door_stats, kernel_drops)},
    };
    size_t n = 0;
    for (size_t c = 0; c < ARRAY_N(columns); c++) {
        for (size_t i = 0; i < ARRAY_N(s->push); i++) {
            if (!s->push[i]) continue;
            struct push_door_stats stats;
            push_door_stats(s->push[i], &stats);
            uint64_t v;
            memcpy(&v, (const char *)&stats + columns[c].offset, sizeof v);
            rows[n++] = (struct gauge_row){columns[c].name, columns[c].type, columns[c].help, push_doors[i].label, (double)v};
        }
    }
    return n;
}

static size_t grpc_rows(const struct serve *s, struct gauge_row *rows) {
    struct grpc_server_stats t;
    grpc_server_stats(s->grpc, &t);
    const struct gauge_row all[] = {
        {"binnacle_grpc_calls_total", "counter", "gRPC calls ended.", "{result=\"ok\"}", (double)t.calls_ok},
        {"binnacle_grpc_calls_total", "counter", "gRPC calls ended.", "{result=\"error\"}", (double)t.calls_failed},
        {"binnacle_grpc_calls_total", "counter", "gRPC calls ended.", "{result=\"gone\"}", (double)t.calls_gone},
        {"binnacle_grpc_connections", "gauge", "Open gRPC connections.", "", (double)t.connections_open},
        {"binnacle_grpc_connections_refused_total", "counter", "gRPC connections beyond http.connections.", "", (double)t.connections_refused},
        {"binnacle_grpc_received_bytes_total", "counter", "Bytes received over gRPC.", "", (double)t.bytes_in},
        {"binnacle_grpc_sent_bytes_total", "counter", "Bytes sent over gRPC.", "", (double)t.bytes_out},
    };
    memcpy(rows, all, sizeof all);
    return ARRAY_N(all);
}

static size_t delta_rows(const struct serve *s, struct gauge_row *rows) {
    static const char name[] = "binnacle_otlp_delta_refused_total", help[] = "OTLP differences that were refused.";
    struct otlp_deltas_stats t;
    otlp_deltas_stats(s->app.deltas, &t);
    const struct gauge_row all[] = {
        {"binnacle_otlp_delta_series", "gauge", "Series with delta temporality whose totals are kept.", "", (double)t.series},
        {name, "counter", help, "{reason=\"order\"}", (double)t.refused_order},
        {name, "counter", help, "{reason=\"start\"}", (double)t.refused_start},
        {name, "counter", help, "{reason=\"limit\"}", (double)t.refused_limit},
        {name, "counter", help, "{reason=\"layout\"}", (double)t.refused_layout},
    };
    memcpy(rows, all, sizeof all);
    return ARRAY_N(all);
}

static void own_page(void *arg, struct buf *page) {
    const struct serve *s = arg;
    struct gauge_row rows[MORE_ROWS];
    size_t n = udp_rows(s, rows);
    n += push_rows(s, rows + n);
    n += grpc_rows(s, rows + n);
    n += delta_rows(s, rows + n);
    if (s->scraper) {
        struct scraper_stats t;
        scraper_stats(s->scraper, &t);
        rows[n++] = (struct gauge_row){"binnacle_scrapes_total", "counter", "Scrapes done.", "", (double)t.scrapes};
        rows[n++] = (struct gauge_row){"binnacle_scrapes_failed_total", "counter", "Scrapes that failed.", "", (double)t.failed};
    }
    if (s->tail) {
        struct tail_stats t;
        tail_stats(s->tail, &t);
        rows[n++] = (struct gauge_row){"binnacle_tail_files", "gauge", "Log files followed.", "", (double)t.files};
        rows[n++] = (struct gauge_row){"binnacle_tail_lines_total", "counter", "Log lines read from files.", "", (double)t.lines};
        rows[n++] = (struct gauge_row){"binnacle_tail_bytes_total", "counter", "Bytes read from log files.", "", (double)t.bytes};
        rows[n++] = (struct gauge_row){"binnacle_tail_cut_lines_total", "counter", "Log lines cut at tail.line-bytes.", "", (double)t.cut_lines};
        rows[n++] = (struct gauge_row){"binnacle_tail_joined_lines_total", "counter", "Lines that became part of the event before.", "",
                                       (double)t.joined_lines};
        rows[n++] = (struct gauge_row){"binnacle_tail_excluded_lines_total", "counter", "Lines of containers whose pod asked to be left out.", "",
                                       (double)t.excluded_lines};
        rows[n++] = (struct gauge_row){"binnacle_tail_retries_total", "counter", "Reads repeated because the store refused.", "", (double)t.retries};
    }
    rows[n++] = (struct gauge_row){"binnacle_self_dropped_total", "counter", "Own log lines and spans dropped.", "",
                                   s->self ? (double)self_dropped(s->self) : 0};
    assert(n <= MORE_ROWS);
    const struct self_sources sources = {s->store, s->http, s->pool, s->start_ms};
    self_metrics_put(&sources, rows, n, page);
}

static void host_page(void *arg, struct buf *page) {
    const struct serve *s = arg;
    host_collect(s->options.host_procfs, page);
}

static void config_yaml(void *arg, struct buf *out) {
    options_put_yaml(&((struct serve *)arg)->options, out);
}
static void flags_json(void *arg, struct buf *out) {
    options_put_json(&((struct serve *)arg)->options, out);
}

static void observe(void *arg, const struct http_exchange *x, const struct http_route *route, int status, size_t reply_bytes, int64_t duration_ns) {
    struct serve *s = CONTAINER_OF((struct app *)arg, struct serve, app);
    if (!s->self || x->trace_unsampled) return;
    static const struct {
        enum http_method method;
        const char *name;
    } methods[] = {{HTTP_GET, "GET"},       {HTTP_HEAD, "HEAD"},       {HTTP_POST, "POST"},  {HTTP_PUT, "PUT"},
                   {HTTP_DELETE, "DELETE"}, {HTTP_OPTIONS, "OPTIONS"}, {HTTP_PATCH, "PATCH"}};
    const char *method = "?";
    for (size_t i = 0; i < ARRAY_N(methods); i++)
        if (methods[i].method == x->method) method = methods[i].name;
    char name[160];
    snprintf(name, sizeof name, "%s %s", method, route ? route->pattern : "(no route)");
    const struct self_request r = {.name = str_c(name),
                                   .target = x->path,
                                   .peer = x->peer,
                                   .door = str_c(x->door ? x->door->name : ""),
                                   .trace_hi = x->trace_hi,
                                   .trace_lo = x->trace_lo,
                                   .span_id = x->span_id,
                                   .parent_span_id = x->parent_span_id,
                                   .start_ns = x->start_ns,
                                   .duration_ns = duration_ns,
                                   .status = status,
                                   .request_bytes = x->wire_body_bytes,
                                   .reply_bytes = reply_bytes};
    self_add_request(s->self, &r);
}

/* As HTTP's statuses, so that one search finds failed requests of both. 0: the client left. */
static int http_status_of(enum grpc_status status) {
    static const int http[] = {[GRPC_OK] = 200,
                               [GRPC_UNKNOWN] = 415,
                               [GRPC_INVALID_ARGUMENT] = 400,
                               [GRPC_DEADLINE_EXCEEDED] = 504,
                               [GRPC_NOT_FOUND] = 404,
                               [GRPC_RESOURCE_EXHAUSTED] = 429,
                               [GRPC_UNIMPLEMENTED] = 501,
                               [GRPC_UNAVAILABLE] = 503,
                               [GRPC_UNAUTHENTICATED] = 401};
    return status == GRPC_CANCELLED ? 0 : http[status] ? http[status] : 500;
}

static void observe_grpc(void *arg, const struct grpc_exchange *x, enum grpc_status status, size_t reply_bytes, int64_t duration_ns) {
    struct serve *s = CONTAINER_OF((struct app *)arg, struct serve, app);
    if (!s->self || x->trace_unsampled) return;
    str name = str_c(x->method ? x->method->path + 1 : "(no method)");
    const struct self_request r = {.name = name,
                                   .target = name,
                                   .peer = x->peer,
                                   .door = str_c(x->door),
                                   .trace_hi = x->trace_hi,
                                   .trace_lo = x->trace_lo,
                                   .span_id = x->span_id,
                                   .parent_span_id = x->parent_span_id,
                                   .start_ns = x->start_ns,
                                   .duration_ns = duration_ns,
                                   .status = http_status_of(status),
                                   .request_bytes = x->wire_body_bytes,
                                   .reply_bytes = reply_bytes};
    self_add_request(s->self, &r);
}

/* --- collectors */

static bool add_target(struct serve *s, const struct scrape_config *c, str target, struct err *e) {
    struct arena *a = s->options.arena;
    bool is_url = str_find(target, STR("://")) != STR_NONE;
    size_t label_n = c->labels ? c->labels->n : 0;
    struct label *extra = arena_new_n(a, struct label, label_n);
    for (size_t i = 0; i < label_n; i++) extra[i] = (struct label){c->labels->pairs[i].key, c->labels->pairs[i].value.scalar};
    enum prom_format fallback;
    str fallback_name = c->fallback.n ? c->fallback : s->options.scrape_fallback;
    if (!prom_format_named(fallback_name, &fallback))
        return err_set(e, ERR_INPUT, "unknown scrape protocol \"%" STR_F "\": expected PrometheusText0.0.4, OpenMetricsText1.0.0 or PrometheusProto",
                       STR_A(fallback_name));
    str path = c->metrics_path.n && c->metrics_path.p[0] == '/' ? str_from(c->metrics_path, 1) : c->metrics_path;
    const struct scrape_settings settings = {
        .job = c->job_name,
        .url = is_url ? target : arena_printf(a, "%" STR_F "://%" STR_F "/%" STR_F, STR_A(c->scheme), STR_A(target), STR_A(path)),
        .extra = {extra, label_n},
        .interval_ms = c->interval_ms ? c->interval_ms : s->options.scrape_interval_ms,
        .timeout_ms = c->timeout_ms ? c->timeout_ms : s->options.scrape_timeout_ms,
        .honor_labels = c->honor_labels,
        .honor_timestamps = c->honor_timestamps,
        .native_histograms = c->native_given ? c->native_histograms : s->options.scrape_native,
        .classic_histograms = c->classic_histograms,
        .extra_metrics = s->options.scrape_extra,
        .sample_limit = c->sample_limit,
        .fallback = fallback,
    };
    return scraper_add(s->scraper, &settings, e);
}

static bool add_targets(struct serve *s, struct err *e) {
    struct options *o = &s->options;
    char host[256] = "";
    if (gethostname(host, sizeof host - 1) != 0 || host[0] == 0) snprintf(host, sizeof host, "localhost");
    struct scrape_settings inner = {.instance = str_c(host), .interval_ms = o->scrape_interval_ms, .timeout_ms = o->scrape_timeout_ms, .page_arg = s};
    if (o->host) {
        inner.job = STR("node");
        inner.page = host_page;
        if (!scraper_add(s->scraper, &inner, e)) return false;
        inner.job = STR("binnacle");
        inner.page = NULL;
        inner.loop_page = own_page;
        if (!scraper_add(s->scraper, &inner, e)) return false;
    }
    const struct scrape_config plain = {.job_name = STR("static"), .scheme = STR("http"), .metrics_path = STR("/metrics"), .honor_timestamps = true};
    for (size_t i = 0; i < o->scrape_targets.n; i++)
        if (!add_target(s, &plain, o->scrape_targets.p[i], e)) return false;
    for (size_t i = 0; i < o->scrape_config_n; i++)
        for (size_t t = 0; t < o->scrape_configs[i].targets.n; t++)
            if (!add_target(s, &o->scrape_configs[i], o->scrape_configs[i].targets.p[t], e)) return false;
    return true;
}

static bool start_tail(struct serve *s, struct err *e) {
    if (!s->options.tail) return true;
    const struct tail_settings t = {
        .globs = s->options.tail_files.p,
        .glob_n = s->options.tail_files.n,
        .from_start = s->options.tail_from_start,
        .line_bytes_max = s->options.tail_line_bytes,
        .multiline = s->options.tail_multiline,
        .idle_flush_ms = s->options.tail_idle_flush_ms,
        .state_path = arena_cstr(s->options.arena, arena_printf(s->options.arena, "%" STR_F "/tail.offsets", STR_A(s->options.data))),
    };
    return tail_new(s->loop, &s->store->sink, &t, &s->tail, e);
}

/* --- life */

/* Series beyond the limit, once a minute while there are any: whose they are. */
static void say_refused(struct serve *s, int64_t now_ms) {
    struct tsdb_stats m;
    tsdb_stats(s->store->metrics, &m);
    if (m.dropped_series_limit == s->refused_said || now_ms < s->refused_said_ms + 60 * MS_PER_S) return;
    AUTO(arena_free) struct arena *a = arena_new(4096);
    const struct refused_target *top;
    size_t n = tsdb_refused_targets(s->store->metrics, a, &top);
    str names = STR_NULL;
    for (size_t i = 0; i < MIN(n, (size_t)3); i++)
        names = arena_printf(a, "%" STR_F "%s%.*s %llu", STR_A(names), i ? ", " : "", (int)top[i].text_n, top[i].text,
                             (unsigned long long)top[i].samples);
    log_warn("serve", "limit.series is reached: dropped %llu samples of new series since the last message; most in all: %" STR_F,
             (unsigned long long)(m.dropped_series_limit - s->refused_said), STR_A(names));
    s->refused_said = m.dropped_series_limit;
    s->refused_said_ms = now_ms;
}

static void tick(void *arg) {
    struct serve *s = arg;
    store_tick(s->store, clock_wall_ms());
    say_refused(s, clock_wall_ms());
}

static void on_stop(void *arg, int signo) {
    struct serve *s = arg;
    log_info("serve", "stopping on %s", signo == SIGINT ? "SIGINT" : "SIGTERM");
    loop_stop(s->loop);
}

static bool open_store(struct serve *s, struct err *e) {
    const struct options *o = &s->options;
    if (!retention_rules_read(o, &s->retention_rules, e)) return false;
    const struct store_options so = {
        .vfs = vfs_real(),
        .dir = arena_cstr(o->arena, o->data),
        .disk_free_min_bytes = o->disk_free_min_bytes,
        .wal = {.window_ms = (unsigned)o->wal_window_ms,
                .no_sync = !o->wal_sync,
                .segment_bytes = o->wal_segment_bytes,
                .queue_bytes_max = o->wal_queue_bytes},
        .metrics = {.series_max = o->series_max,
                    .exemplars_max = (uint32_t)MIN(o->exemplars_max, UINT64_C(1) << 24),
                    .labels_per_series_max = (unsigned)o->labels_max,
                    .label_value_bytes_max = o->label_value_bytes,
                    .out_of_order_ms = o->out_of_order_ms,
                    .retention_ms = o->retention_metrics_ms,
                    .retention_5m_ms = o->retention_metrics_5m_ms,
                    .retention_1h_ms = o->retention_metrics_1h_ms,
                    .retention_bytes = o->retention_metrics_bytes,
                    .retention_rules = s->retention_rules.p,
                    .retention_rule_n = s->retention_rules.n,
                    .seal_age_ms = o->seal_age_ms,
                    .head_bytes_max = o->metrics_head_bytes},
        .events = {.retention_ms = {[EVENT_LOG] = o->retention_logs_ms, [EVENT_SPAN] = o->retention_traces_ms},
                   .retention_bytes = {[EVENT_LOG] = o->retention_logs_bytes, [EVENT_SPAN] = o->retention_traces_bytes},
                   .head_bytes_max = o->events_head_bytes,
                   .seal_age_ms = o->seal_age_ms,
                   .attrs_max = (unsigned)o->attrs_max,
                   .value_bytes_max = o->value_bytes},
    };
    if (!store_open(s->loop, s->pool, &so, &s->store, e)) return false;
    const struct wal_replay_stats *r = &s->store->replay;
    if (r->frames) log_info("serve", "replayed the WAL frames=%llu bytes=%llu", (unsigned long long)r->frames, (unsigned long long)r->bytes);
    if (r->damaged_frames)
        log_warn("serve", "damage in the WAL frames=%llu first=\"%s\"", (unsigned long long)r->damaged_frames, r->first_damage.msg);
    return true;
}

/* Errors of the server itself, in the words of the protocol that was spoken. */
static bool error_body(void *app, const struct http_exchange *x, int status, str reason, struct buf *out, str *content_type) {
    return elastic_error_body(app, x, status, reason, out, content_type) || influx_error_body(x, status, reason, out, content_type) ||
           otlp_error_body(x, status, reason, out, content_type);
}

/* What the Prometheus API needs of the settings beyond numbers. */
static bool read_api_settings(struct serve *s, struct err *e) {
    struct options *o = &s->options;
    struct label *l = arena_new_n(o->arena, struct label, o->external_labels.n);
    size_t n = o->external_labels.n;
    for (size_t i = 0; i < n; i++) {
        l[i].value = o->external_labels.p[i];
        if (!str_cut(&l[i].value, '=', &l[i].name) || !label_name_legacy_valid(l[i].name))
            return err_set(e, ERR_INPUT, "external-labels: \"%" STR_F "\" is not name=value", STR_A(o->external_labels.p[i]));
    }
    if (!labels_sort(l, &n, e)) return err_wrap(e, "external-labels");
    s->external_labels = (struct labels){l, n};
    if (o->http_cors_origin.n && !regex_new(o->http_cors_origin, true, &s->cors_origin, e)) return err_wrap(e, "http.cors-origin");
    struct buf b = {0};
    if (o->retention_metrics_ms) duration_put(&b, o->retention_metrics_ms);
    if (o->retention_metrics_ms && o->retention_metrics_bytes) buf_add(&b, STR(" or "));
    if (o->retention_metrics_bytes) buf_printf(&b, "%lluMiB", (unsigned long long)(o->retention_metrics_bytes >> 20));
    s->retention = arena_str(o->arena, buf_str(&b));
    buf_done(&b);
    return true;
}

static void open_http(struct serve *s) {
    const struct options *o = &s->options;
    s->app = (struct app){.loop = s->loop,
                          .pool = s->pool,
                          .store = s->store,
                          .sink = s->sink,
                          .start_ms = s->start_ms,
                          .query_timeout_ms = o->query_timeout_ms,
                          .lookback_ms = o->query_lookback_ms,
                          .query_samples_max = o->query_samples,
                          .query_bytes_max = o->query_bytes,
                          .buckets_max = o->query_buckets,
                          .admin_api = o->http_admin_api,
                          .external_labels = s->external_labels,
                          .retention = s->retention,
                          .cors_origin = s->cors_origin,
                          .targets = scraper_targets,
                          .targets_arg = s->scraper,
                          .self_metrics = own_page,
                          .self_metrics_arg = s,
                          .config_yaml = config_yaml,
                          .flags_json = flags_json,
                          .config_arg = s};
    const struct http_server_config c = {
        .tables = route_tables,
        .table_n = ARRAY_N(route_tables),
        .app = &s->app,
        .limits = {.body_bytes = o->http_body_bytes,
                   .decoded_body_bytes = o->http_decoded_bytes,
                   .header_bytes = o->http_header_bytes,
                   .connections = (unsigned)o->http_connections,
                   .idle_timeout_s = (unsigned)(o->http_idle_ms / MS_PER_S),
                   .in_flight_body_bytes = o->http_in_flight_bytes},
        .observe = observe,
        .headers = prom_cors_headers,
        .error_body = error_body,
    };
    s->http = http_server_new(s->loop, &c);
    s->app.http = s->http;
}

static bool open_otlp(struct serve *s, struct err *e) {
    const struct options *o = &s->options;
    struct otlp_metrics_options *otlp = &s->app.otlp;
    if (!otlp_translation_named(o->otlp_translation, &otlp->translation))
        return err_set(e, ERR_INPUT, "unknown otlp.translation-strategy \"%" STR_F "\" (see binnacle serve --help)", STR_A(o->otlp_translation));
    otlp->promoted = o->otlp_promote.p;
    otlp->promoted_n = o->otlp_promote.n;
    otlp->promote_all = otlp->promoted_n == 1 && str_eq(otlp->promoted[0], STR("*"));
    otlp->keep_identifying = o->otlp_keep_identifying;
    s->app.deltas = otlp_deltas_new(o->otlp_delta_series);
    return true;
}

static void open_grpc(struct serve *s) {
    const struct options *o = &s->options;
    const struct grpc_server_config c = {
        .methods = grpc_methods,
        .app = &s->app,
        .limits = {.message_bytes = o->http_body_bytes,
                   .header_bytes = o->http_header_bytes,
                   .connections = (unsigned)o->http_connections,
                   .idle_ms = (unsigned)o->http_idle_ms,
                   .in_flight_bytes = o->http_in_flight_bytes},
        .observe = observe_grpc,
    };
    s->grpc = grpc_server_new(s->loop, &c);
}

static bool start(struct serve *s, struct err *e) {
    const struct options *o = &s->options;
    unsigned threads = o->threads ? (unsigned)MIN(o->threads, (uint64_t)256) : (unsigned)MAX(sysconf(_SC_NPROCESSORS_ONLN), 1L);
    s->loop = loop_new();
    loop_own_thread();
    s->pool = pool_new(s->loop, threads, o->queue);
    if (!read_api_settings(s, e) || !open_store(s, e)) return false;
    s->sink = &s->store->sink;
    if (o->span_metrics) {
        s->span_metrics = span_metrics_new(s->loop, s->sink, o->span_metrics_interval_ms, o->span_metrics_operations);
        s->sink = span_metrics_sink(s->span_metrics);
    }
    s->client = http_client_new(s->loop);
    s->scraper = scraper_new(s->loop, s->pool, s->client, &s->store->sink, o->scrape_body_bytes);
    open_http(s);
    if (!open_otlp(s, e) || !sampling_new(o->sampling_file, &s->app.sampling, e)) return false;
    open_grpc(s);
    s->self = self_new(s->loop, s->sink, o->self_logs, o->self_traces);
    if (!open_doors(s, e) || !add_targets(s, e) || !start_tail(s, e)) return false;
    s->tick = timer_start(s->loop, 0, 1000, tick, s); /* at once: parts may wait to be merged since the last start */
    loop_on_signal(s->loop, SIGINT, on_stop, s);
    loop_on_signal(s->loop, SIGTERM, on_stop, s);
    return true;
}

/* Sources first, then the pool (its jobs answer requests), then the store (its last commit answers the pushes that wait), then the doors. */
static void stop(struct serve *s) {
    timer_free(s->tick);
    tail_free(s->tail);
    for (size_t i = 0; i < ARRAY_N(s->udp); i++) jaeger_udp_free(s->udp[i]);
    for (size_t i = 0; i < ARRAY_N(s->push); i++) push_door_stop(s->push[i]);
    pool_free(s->pool);
    feed_stop_all(&s->app);
    logs_tail_stop_all(&s->app);
    scraper_free(s->scraper);
    http_client_free(s->client);
    self_free(TAKE(s->self)); /* the answers that follow are not observed any more */
    span_metrics_stop(s->span_metrics);
    store_close(s->store);
    span_metrics_free(s->span_metrics);
    for (size_t i = 0; i < ARRAY_N(s->push); i++) push_door_free(s->push[i]);
    http_server_free(s->http);
    grpc_server_free(s->grpc);
    elastic_state_free(s->app.elastic);
    otlp_deltas_free(s->app.deltas);
    sampling_free(s->app.sampling);
    loop_free(s->loop);
    retention_rules_done(&s->retention_rules);
    regex_free(s->cors_origin);
}

int cmd_serve(int argc, char **argv) {
    struct serve s = {.start_ms = clock_wall_ms()};
    enum options_action action;
    struct err e;
    AUTO(arena_free) struct arena *a = arena_new(16 << 10);
    signal(SIGPIPE, SIG_IGN);
    if (!options_read(argc, argv, a, &s.options, &action, &e)) {
        fprintf(stderr, "binnacle: %s\n", e.msg);
        return err_exit_code(e.code);
    }
    if (action == OPTIONS_EXIT_OK) return 0;
    enum log_level level;
    if (!log_level_parse(s.options.log_level, &level)) {
        fprintf(stderr, "binnacle: log.level: \"%" STR_F "\" is none of debug, info, warn, error\n", STR_A(s.options.log_level));
        return err_exit_code(ERR_INPUT);
    }
    log_set_level(level);
    bool ok = start(&s, &e);
    if (ok) {
        log_info("serve", "ready: http://%" STR_F "/ data=%" STR_F " version=" BN_VERSION, STR_A(s.options.listen), STR_A(s.options.data));
        loop_run(s.loop);
    } else {
        log_set_tap(NULL, NULL);
        fprintf(stderr, "binnacle: %s\n", e.msg);
    }
    stop(&s);
    return ok ? 0 : err_exit_code(e.code);
}
