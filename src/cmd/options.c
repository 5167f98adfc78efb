#include "cmd/options.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/vec.h"
#include "codec/duration.h"
#include "codec/json.h"
#include "loop/vfs.h"

enum type { TEXT, SECRET, SWITCH, DURATION, BYTES, COUNT, LIST };

struct option {
    const char *name;
    enum type type;
    size_t offset;
    const char *fallback; /* default, as it would be written */
    const char *help;
};

#define AT(member) offsetof(struct options, member)
static const struct option options[] = {
    {"config", TEXT, AT(config), "", "YAML file with any of these settings (keys as here, nested or dotted) and scrape_configs"},
    {"data", TEXT, AT(data), "data", "folder for everything that is kept"},
    {"listen", TEXT, AT(listen), "127.0.0.1:9090", "the one listener: the page and every HTTP API by path"},
    {"log.level", TEXT, AT(log_level), "info", "debug, info, warn or error"},

    {"doors", SWITCH, AT(doors), "on", "off closes every native door at once, but for --listen"},
    {"door.elastic", TEXT, AT(door_elastic), "127.0.0.1:9200", "Elasticsearch API, or off"},
    {"door.jaeger", TEXT, AT(door_jaeger), "127.0.0.1:16686", "Jaeger query API, or off"},
    {"door.otlp-http", TEXT, AT(door_otlp_http), "127.0.0.1:4318", "OTLP over HTTP, or off"},
    {"door.otlp-grpc", TEXT, AT(door_otlp_grpc), "127.0.0.1:4317", "OTLP over gRPC, or off"},
    {"door.collector", TEXT, AT(door_collector), "127.0.0.1:14268", "Jaeger collector (thrift over HTTP), or off"},
    {"door.jaeger-grpc", TEXT, AT(door_jaeger_grpc), "127.0.0.1:14250", "Jaeger collector over gRPC, or off"},
    {"door.jaeger-query-grpc", TEXT, AT(door_jaeger_query_grpc), "127.0.0.1:16685", "Jaeger query service over gRPC, or off"},
    {"door.jaeger-sampling", TEXT, AT(door_jaeger_sampling), "127.0.0.1:5778", "sampling strategies for Jaeger clients, as jaeger-agent, or off"},
    {"door.tempo", TEXT, AT(door_tempo), "127.0.0.1:3200", "Tempo's query API, as Grafana asks it, or off"},
    {"door.zipkin", TEXT, AT(door_zipkin), "127.0.0.1:9411", "Zipkin: spans in, and its query API v2, or off"},
    {"door.influx", TEXT, AT(door_influx), "127.0.0.1:8086", "InfluxDB line protocol, or off"},
    {"door.loki", TEXT, AT(door_loki), "127.0.0.1:3100", "Loki push, or off"},
    {"door.udp-compact", TEXT, AT(door_udp_compact), "127.0.0.1:6831", "Jaeger agent, thrift compact over UDP, or off"},
    {"door.udp-binary", TEXT, AT(door_udp_binary), "127.0.0.1:6832", "Jaeger agent, thrift binary over UDP, or off"},
    {"door.udp-zipkin", TEXT, AT(door_udp_zipkin), "127.0.0.1:5775", "Jaeger agent, Zipkin thrift over UDP, or off"},
    {"udp.buffer", BYTES, AT(udp_buffer_bytes), "8MiB", "kernel receive buffer asked for by each UDP door"},
    {"door.forward", TEXT, AT(door_forward), "127.0.0.1:24224", "Fluentd forward protocol (Fluentd, Fluent Bit, docker's fluentd driver), or off"},
    {"door.journal", TEXT, AT(door_journal), "127.0.0.1:19532", "systemd-journal-upload, or off"},
    {"door.syslog-tcp", TEXT, AT(door_syslog_tcp), "127.0.0.1:5514", "syslog over TCP, RFC 5424 and 3164, or off"},
    {"door.syslog-udp", TEXT, AT(door_syslog_udp), "127.0.0.1:5514", "syslog over UDP, or off"},
    {"forward.shared-key", SECRET, AT(forward_shared_key), "", "key that forward clients must know; empty: none is asked for"},
    {"push.message-bytes", BYTES, AT(push_message_bytes), "64MiB", "largest message of the forward and syslog doors, also unpacked"},

    {"host", SWITCH, AT(host), "on", "collect this machine's metrics"},
    {"host.procfs", TEXT, AT(host_procfs), "/proc", "where proc is mounted"},
    {"scrape.interval", DURATION, AT(scrape_interval_ms), "15s", "how often the host and each target are scraped"},
    {"scrape.timeout", DURATION, AT(scrape_timeout_ms), "10s", "give up on a target after that"},
    {"scrape.body-bytes", BYTES, AT(scrape_body_bytes), "64MiB", "largest page a target may send (decompressed)"},
    {"scrape.native-histograms", SWITCH, AT(scrape_native), "off", "ask targets for protobuf first, the only form that carries native histograms"},
    {"scrape.fallback-protocol", TEXT, AT(scrape_fallback), "",
     "read a page without a known Content-Type as: PrometheusText0.0.4, OpenMetricsText1.0.0, PrometheusProto"},
    {"scrape.extra-metrics", SWITCH, AT(scrape_extra), "off",
     "scrape_timeout_seconds, scrape_sample_limit and scrape_body_size_bytes of each scrape"},
    {"scrape.target", LIST, AT(scrape_targets), "", "scrape this URL (http://host:port/metrics, or host:port); may be given again"},
    {"tail", SWITCH, AT(tail), "on", "read log files"},
    {"tail.files", LIST, AT(tail_files), "/var/log/*.log,/var/log/syslog,/var/log/messages,/var/log/*/*.log,/var/log/pods/*/*/*.log",
     "globs of log files to follow; may be given again"},
    {"tail.from-start", SWITCH, AT(tail_from_start), "off", "read files that are there at the first start from their beginning, not from their end"},
    {"tail.line-bytes", BYTES, AT(tail_line_bytes), "256KiB", "longer lines are cut there, marked and counted"},
    {"tail.multiline", SWITCH, AT(tail_multiline), "on", "join stack traces of Java, Python, Go and Ruby into one event"},
    {"tail.idle-flush", DURATION, AT(tail_idle_flush_ms), "5s",
     "send an unfinished last line when nothing was written for so long; 0s: it waits for its end"},
    {"self.logs", SWITCH, AT(self_logs), "on", "keep binnacle's own log lines"},
    {"self.traces", SWITCH, AT(self_traces), "on", "keep binnacle's own requests as traces of service binnacle"},

    {"traces.metrics", SWITCH, AT(span_metrics), "on", "count spans into metrics: calls and durations per service and operation"},
    {"traces.metrics-interval", DURATION, AT(span_metrics_interval_ms), "15s", "how often those are written"},
    {"traces.metrics-operations", COUNT, AT(span_metrics_operations), "2000", "operations counted by name; the others as span_name=\"_other\""},
    {"traces.sampling-file", TEXT, AT(sampling_file), "",
     "Jaeger's JSON of sampling strategies, read again when it changes; empty: clients keep every trace"},

    {"otlp.translation-strategy", TEXT, AT(otlp_translation), "UnderscoreEscapingWithSuffixes",
     "names of OTLP metrics: that, NoUTF8EscapingWithSuffixes, UnderscoreEscapingWithoutSuffixes or NoTranslation"},
    {"otlp.promote-resource-attributes", LIST, AT(otlp_promote), "",
     "resource attributes that become labels of every series (k8s.pod.name); * for all"},
    {"otlp.keep-identifying-resource-attributes", SWITCH, AT(otlp_keep_identifying), "off",
     "service.* and service.instance.id as labels of target_info too"},
    {"otlp.delta-series", COUNT, AT(otlp_delta_series), "200000", "series with delta temporality whose totals are kept; more are refused"},
    {"retention.metrics", DURATION, AT(retention_metrics_ms), "15d", "drop metrics older than that"},
    {"retention.metrics-5m", DURATION, AT(retention_metrics_5m_ms), "0s", "then keep them down-sampled to 5 minutes up to that age; 0s: do not"},
    {"retention.metrics-1h", DURATION, AT(retention_metrics_1h_ms), "0s", "and down-sampled to an hour up to that age; 0s: do not"},
    {"retention.metrics-rules", LIST, AT(retention_metrics_rules), "",
     "SELECTOR=DURATION: how long series that match are kept, in whatever form; the first rule that matches counts; may be given again"},
    {"retention.logs", DURATION, AT(retention_logs_ms), "7d", "drop logs older than that"},
    {"retention.traces", DURATION, AT(retention_traces_ms), "7d", "drop spans older than that"},
    {"retention.metrics-bytes", BYTES, AT(retention_metrics_bytes), "0", "drop the oldest metrics above that size on disk; 0: no limit"},
    {"retention.logs-bytes", BYTES, AT(retention_logs_bytes), "0", "the same for logs"},
    {"retention.traces-bytes", BYTES, AT(retention_traces_bytes), "0", "the same for spans"},
    {"disk.free-min", BYTES, AT(disk_free_min_bytes), "64MiB", "refuse new data while the disk has less than that free"},
    {"wal.window", DURATION, AT(wal_window_ms), "5ms", "group commit: how long an acknowledgement may wait for company"},
    {"wal.sync", SWITCH, AT(wal_sync), "on", "off acknowledges after write(), without fdatasync()"},
    {"wal.segment-bytes", BYTES, AT(wal_segment_bytes), "64MiB", "size of a WAL segment"},
    {"wal.queue-bytes", BYTES, AT(wal_queue_bytes), "64MiB", "most data waiting for the disk; more is refused"},
    {"limit.series", COUNT, AT(series_max), "2000000", "active series; new ones beyond are dropped and counted, old ones never"},
    {"limit.exemplars", COUNT, AT(exemplars_max), "16384", "exemplars kept, the newest ones, over restarts too"},
    {"limit.labels", COUNT, AT(labels_max), "128", "labels of a series"},
    {"limit.label-value-bytes", BYTES, AT(label_value_bytes), "16KiB", "length of a label value"},
    {"limit.attributes", COUNT, AT(attrs_max), "1024", "attributes of a log line or span (flattened)"},
    {"limit.value-bytes", BYTES, AT(value_bytes), "256KiB", "longer attribute values are truncated, marked and counted"},
    {"metrics.out-of-order", DURATION, AT(out_of_order_ms), "0s", "accept samples that much older than the newest"},
    {"store.seal-age", DURATION, AT(seal_age_ms), "30m", "move data from memory into parts at that age"},
    {"metrics.head-bytes", BYTES, AT(metrics_head_bytes), "64MiB", "or when metrics in memory exceed that"},
    {"events.head-bytes", BYTES, AT(events_head_bytes), "16MiB", "or when logs, or spans, in memory exceed that"},

    {"query.timeout", DURATION, AT(query_timeout_ms), "2m", "longest run of a query"},
    {"query.lookback", DURATION, AT(query_lookback_ms), "5m", "PromQL: how old the newest sample of an instant selector may be"},
    {"query.samples", COUNT, AT(query_samples), "50000000", "samples a PromQL query may load"},
    {"query.bytes", BYTES, AT(query_bytes), "512MiB", "memory a query may use"},
    {"query.buckets", COUNT, AT(query_buckets), "65536", "buckets an Elasticsearch aggregation may make"},
    {"threads", COUNT, AT(threads), "0", "worker threads; 0: one per core"},
    {"queue", COUNT, AT(queue), "1024", "jobs waiting for a worker; more are answered 503"},
    {"http.body-bytes", BYTES, AT(http_body_bytes), "64MiB", "largest request body on the wire"},
    {"http.decoded-bytes", BYTES, AT(http_decoded_bytes), "256MiB", "largest request body after decompression"},
    {"http.in-flight-bytes", BYTES, AT(http_in_flight_bytes), "512MiB", "request bodies in memory, all together"},
    {"http.header-bytes", BYTES, AT(http_header_bytes), "64KiB", "request line and headers"},
    {"http.connections", COUNT, AT(http_connections), "1024", "open connections per listener"},
    {"http.idle-timeout", DURATION, AT(http_idle_ms), "75s", "close a connection that is silent for so long"},
    {"http.admin-api", SWITCH, AT(http_admin_api), "off", "/api/v1/admin/tsdb: delete series, clean up, take snapshots"},
    {"http.cors-origin", TEXT, AT(http_cors_origin), ".*", "regex of origins whose pages may read the Prometheus API; empty: none"},
    {"external-labels", LIST, AT(external_labels), "", "name=value: /federate adds them to series without such a label; may be given again"},
};

static const char *const type_hint[] = {
    [TEXT] = "TEXT", [SECRET] = "TEXT", [SWITCH] = "on|off", [DURATION] = "DURATION", [BYTES] = "SIZE", [COUNT] = "N", [LIST] = "A,B,..."};

bool door_is_off(str address) {
    return address.n == 0 || str_eq(address, STR("off")) || str_eq(address, STR("no"));
}

static bool parse_switch(str s, bool *out) {
    static const char *const yes[] = {"on", "true", "yes", "1"}, *const no[] = {"off", "false", "no", "0"};
    for (size_t i = 0; i < ARRAY_N(yes); i++) {
        if (str_eq_c(s, yes[i])) return *out = true, true;
        if (str_eq_c(s, no[i])) return *out = false, true;
    }
    return false;
}

static bool parse_bytes(str s, uint64_t *out) {
    static const struct {
        const char *suffix;
        unsigned shift;
    } units[] = {{"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}, {"KB", 10}, {"MB", 20}, {"GB", 30}, {"TB", 40}, {"B", 0}, {"", 0}};
    for (size_t i = 0; i < ARRAY_N(units); i++) {
        str suffix = str_c(units[i].suffix);
        uint64_t n;
        if (!str_ends(s, suffix)) continue;
        if (!str_u64(str_sub(s, 0, s.n - suffix.n), &n) || n > UINT64_MAX >> 1 >> units[i].shift) return false;
        *out = n << units[i].shift;
        return true;
    }
    return false;
}

/* Sets one option from text; `where` opens the message: "--data", "BINNACLE_DATA", "binnacle.yml:3:7". */
/* Up to the next comma that is not in braces or quotes: a selector is one item. */
static bool cut_item(str *rest, str *item) {
    size_t depth = 0;
    char quote = 0;
    for (size_t i = 0; i < rest->n; i++) {
        char c = rest->p[i];
        if (quote) {
            if (c == '\\') i++;
            if (c == quote) quote = 0;
        } else if (depth > 0 && (c == '"' || c == '\'')) {
            quote = c;
        } else if (c == '{') {
            depth++;
        } else if (c == '}' && depth > 0) {
            depth--;
        } else if (c == ',' && depth == 0) {
            *item = str_sub(*rest, 0, i);
            *rest = str_from(*rest, i + 1);
            return true;
        }
    }
    *item = *rest;
    return false;
}

static bool set_text(struct options *o, const struct option *opt, str where, str text, struct err *e) {
    void *at = (char *)o + opt->offset;
    struct err inner;
    switch (opt->type) {
    case TEXT:
    case SECRET: *(str *)at = arena_str(o->arena, text); return true;
    case SWITCH:
        if (parse_switch(text, at)) return true;
        return err_set(e, ERR_INPUT, "%" STR_F ": not a switch: \"%" STR_F "\" (on or off)", STR_A(where), STR_A(text));
    case DURATION:
        if (duration_parse(text, at, &inner)) return true;
        return err_set(e, ERR_INPUT, "%" STR_F ": %s", STR_A(where), inner.msg);
    case BYTES:
        if (parse_bytes(text, at)) return true;
        return err_set(e, ERR_INPUT, "%" STR_F ": not a size: \"%" STR_F "\" (a number and B, KiB, MiB, GiB or TiB)", STR_A(where), STR_A(text));
    case COUNT:
        if (str_u64(text, at)) return true;
        return err_set(e, ERR_INPUT, "%" STR_F ": not a whole number: \"%" STR_F "\"", STR_A(where), STR_A(text));
    case LIST: break;
    }
    struct str_list *list = at;
    str rest = text, item;
    bool more = text.n > 0;
    while (more) {
        more = cut_item(&rest, &item);
        item = str_trim(item);
        if (item.n) avec_push(o->arena, list, arena_str(o->arena, item));
    }
    return true;
}

static const struct option *find_option(str name) {
    for (size_t i = 0; i < ARRAY_N(options); i++)
        if (str_eq_c(name, options[i].name)) return &options[i];
    return NULL;
}

/* Edits (insert, delete, replace) between two short names. */
static size_t edit_distance(str a, str b) {
    size_t row[64];
    if (a.n >= ARRAY_N(row) || b.n >= ARRAY_N(row)) return SIZE_MAX;
    for (size_t j = 0; j <= b.n; j++) row[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            size_t replace = corner + (a.p[i - 1] != b.p[j - 1]);
            corner = row[j];
            row[j] = MIN(MIN(row[j] + 1, row[j - 1] + 1), replace);
        }
    }
    return row[b.n];
}

static bool unknown(str where, const char *what, str name, struct err *e) {
    const char *best = NULL;
    size_t best_distance = MAX(name.n / 3, (size_t)2) + 1;
    for (size_t i = 0; i < ARRAY_N(options); i++) {
        size_t d = edit_distance(name, str_c(options[i].name));
        if (d < best_distance) best = options[i].name, best_distance = d;
    }
    const char *sep = where.n ? ": " : "";
    if (best) return err_set(e, ERR_INPUT, "%" STR_F "%sunknown %s \"%" STR_F "\"; did you mean \"%s\"?", STR_A(where), sep, what, STR_A(name), best);
    return err_set(e, ERR_INPUT, "%" STR_F "%sunknown %s \"%" STR_F "\" (binnacle serve --help lists them)", STR_A(where), sep, what, STR_A(name));
}

/* --- YAML */

static str where_of(struct options *o, unsigned line, unsigned column) {
    return arena_printf(o->arena, "%" STR_F ":%u:%u", STR_A(o->config), line, column);
}

static bool yaml_fail(struct options *o, const struct yaml *y, struct err *e, const char *what) {
    return err_set(e, ERR_INPUT, "%" STR_F ": %s", STR_A(where_of(o, y->line, y->column)), what);
}

static bool scrape_targets(struct options *o, const struct yaml *statics, struct scrape_config *out, struct err *e) {
    if (statics->type != YAML_LIST) return yaml_fail(o, statics, e, "static_configs must be a list of {targets: [...], labels: {...}}");
    for (size_t i = 0; i < statics->n; i++) {
        const struct yaml *targets = yaml_get(&statics->items[i], STR("targets"));
        if (!targets || targets->type != YAML_LIST) return yaml_fail(o, &statics->items[i], e, "needs targets: [host:port, ...]");
        for (size_t t = 0; t < targets->n; t++) avec_push(o->arena, &out->targets, targets->items[t].scalar);
        const struct yaml *labels = yaml_get(&statics->items[i], STR("labels"));
        if (labels && labels->type != YAML_MAP) return yaml_fail(o, labels, e, "labels must be a map of names to values");
        if (labels) out->labels = labels;
    }
    return true;
}

static bool scrape_key(struct options *o, const struct yaml_pair *pair, struct scrape_config *out, struct err *e) {
    const struct {
        str key;
        str *text;
        int64_t *duration;
        bool *flag, *given;
        uint64_t *count;
    } keys[] = {
        {STR("job_name"), .text = &out->job_name},
        {STR("metrics_path"), .text = &out->metrics_path},
        {STR("scheme"), .text = &out->scheme},
        {STR("scrape_interval"), .duration = &out->interval_ms},
        {STR("scrape_timeout"), .duration = &out->timeout_ms},
        {STR("honor_labels"), .flag = &out->honor_labels},
        {STR("honor_timestamps"), .flag = &out->honor_timestamps},
        {STR("scrape_native_histograms"), .flag = &out->native_histograms, .given = &out->native_given},
        {STR("always_scrape_classic_histograms"), .flag = &out->classic_histograms},
        {STR("fallback_scrape_protocol"), .text = &out->fallback},
        {STR("sample_limit"), .count = &out->sample_limit},
    };
    if (str_eq(pair->key, STR("static_configs"))) return scrape_targets(o, &pair->value, out, e);
    for (size_t i = 0; i < ARRAY_N(keys); i++) {
        if (!str_eq(pair->key, keys[i].key)) continue;
        if (pair->value.type != YAML_SCALAR) return yaml_fail(o, &pair->value, e, "must be a single value");
        struct err inner;
        if (keys[i].text) *keys[i].text = pair->value.scalar;
        if (keys[i].duration && !duration_parse(pair->value.scalar, keys[i].duration, &inner)) return yaml_fail(o, &pair->value, e, inner.msg);
        if (keys[i].flag && !yaml_bool(&pair->value, keys[i].flag)) return yaml_fail(o, &pair->value, e, "must be true or false");
        if (keys[i].given) *keys[i].given = true;
        if (keys[i].count && !str_u64(pair->value.scalar, keys[i].count)) return yaml_fail(o, &pair->value, e, "must be a whole number");
        return true;
    }
    return err_set(e, ERR_INPUT, "%" STR_F ": field %" STR_F " not found in scrape_configs", STR_A(where_of(o, pair->line, pair->column)),
                   STR_A(pair->key));
}

static bool read_scrape_configs(struct options *o, const struct yaml *list, struct err *e) {
    if (list->type != YAML_LIST) return yaml_fail(o, list, e, "scrape_configs must be a list");
    o->scrape_configs = arena_zalloc(o->arena, list->n * sizeof *o->scrape_configs);
    o->scrape_config_n = list->n;
    for (size_t i = 0; i < list->n; i++) {
        struct scrape_config *c = &o->scrape_configs[i];
        c->metrics_path = STR("/metrics");
        c->scheme = STR("http");
        c->honor_timestamps = true;
        const struct yaml *map = &list->items[i];
        if (map->type != YAML_MAP) return yaml_fail(o, map, e, "must be a map with job_name");
        for (size_t k = 0; k < map->n; k++)
            if (!scrape_key(o, &map->pairs[k], c, e)) return false;
        if (c->job_name.n == 0) return yaml_fail(o, map, e, "job_name is empty");
    }
    return true;
}

static bool read_list(struct options *o, const struct option *opt, str where, const struct yaml *list, struct err *e) {
    *(struct str_list *)((char *)o + opt->offset) = (struct str_list){0};
    for (size_t i = 0; i < list->n; i++)
        if (!set_text(o, opt, where, list->items[i].scalar, e)) return false;
    return true;
}

/* prefix: "door." inside `door:`. Depth is bounded by yaml_parse. */
static bool read_map(struct options *o, str prefix, const struct yaml *map, struct err *e) {
    for (size_t i = 0; i < map->n; i++) {
        const struct yaml_pair *pair = &map->pairs[i];
        str name = arena_printf(o->arena, "%" STR_F "%" STR_F, STR_A(prefix), STR_A(pair->key));
        str where = where_of(o, pair->line, pair->column);
        const struct option *opt = find_option(name);
        if (str_eq(name, STR("scrape_configs"))) {
            if (!read_scrape_configs(o, &pair->value, e)) return false;
        } else if (pair->value.type == YAML_MAP) {
            if (!read_map(o, arena_printf(o->arena, "%" STR_F ".", STR_A(name)), &pair->value, e)) return false;
        } else if (!opt) {
            return unknown(where, "key", name, e);
        } else if (pair->value.type == YAML_LIST) {
            if (opt->type != LIST) return yaml_fail(o, &pair->value, e, "takes one value, not a list");
            if (!read_list(o, opt, where, &pair->value, e)) return false;
        } else {
            if (opt->type == LIST) *(struct str_list *)((char *)o + opt->offset) = (struct str_list){0};
            if (!set_text(o, opt, where, pair->value.scalar, e)) return false;
        }
    }
    return true;
}

static bool read_yaml(struct options *o, struct err *e) {
    const char *path = arena_cstr(o->arena, o->config);
    str text;
    struct yaml *tree = arena_one(o->arena, struct yaml);
    if (!vfs_read_file(vfs_real(), path, 4 << 20, o->arena, &text, e)) return err_wrap(e, "config file");
    if (!yaml_parse(text, path, o->arena, tree, e)) return false;
    if (tree->type == YAML_NULL) return true;
    if (tree->type != YAML_MAP) return err_set(e, ERR_INPUT, "%s:%u:%u: must be a map of settings", path, tree->line, tree->column);
    return read_map(o, STR(""), tree, e);
}

/* --- environment and command line */

static char *env_name(struct arena *a, const char *name) {
    char *z = arena_cstr(a, arena_printf(a, "BINNACLE_%s", name));
    for (char *c = z; *c; c++) {
        if (*c == '.' || *c == '-') *c = '_';
        if (*c >= 'a' && *c <= 'z') *c = (char)(*c - 32);
    }
    return z;
}

static bool read_env(struct options *o, struct err *e) {
    for (size_t i = 0; i < ARRAY_N(options); i++) {
        const char *name = env_name(o->arena, options[i].name), *value = getenv(name);
        if (!value) continue;
        if (options[i].type == LIST) *(struct str_list *)((char *)o + options[i].offset) = (struct str_list){0};
        if (!set_text(o, &options[i], str_c(name), str_c(value), e)) return false;
    }
    return true;
}

static void help(bool markdown) {
    if (markdown) {
        puts("| setting | default | what it does |\n|---|---|---|");
        for (size_t i = 0; i < ARRAY_N(options); i++)
            printf("| `%s` | `%s` | %s |\n", options[i].name, options[i].fallback[0] ? options[i].fallback : " ", options[i].help);
        return;
    }
    puts(
        "binnacle serve: metrics, logs and traces in one process\n\n"
        "usage: binnacle serve [--NAME VALUE]...\n\n"
        "Every setting is a flag, an environment variable (BINNACLE_DOOR_ELASTIC for door.elastic) and a key of the\n"
        "YAML file given with --config. The command line wins over the environment, that over the file.\n");
    for (size_t i = 0; i < ARRAY_N(options); i++) {
        printf("  --%s %s\n        %s", options[i].name, type_hint[options[i].type], options[i].help);
        printf(options[i].fallback[0] ? " [%s]\n" : "\n", options[i].fallback);
    }
}

/* file_pass: only --config and --help count; the rest is read after the YAML file. */
static bool read_argv(struct options *o, int argc, char **argv, bool file_pass, enum options_action *action, struct err *e) {
    bool replaced[ARRAY_N(options)] = {false};
    for (int i = 1; i < argc; i++) {
        str arg = str_c(argv[i]), name;
        if (!str_starts(arg, STR("--"))) return err_set(e, ERR_INPUT, "unexpected argument \"%s\" (settings are written --name value)", argv[i]);
        str rest = str_from(arg, 2);
        bool has_value = str_cut(&rest, '=', &name);
        if (str_eq(name, STR("help"))) {
            help(has_value && str_eq(rest, STR("markdown")));
            *action = OPTIONS_EXIT_OK;
            return true;
        }
        const struct option *opt = find_option(name);
        if (!opt) return unknown(STR(""), "setting", name, e);
        str where = arena_printf(o->arena, "--%" STR_F, STR_A(name));
        if (!has_value && opt->type == SWITCH && (i + 1 == argc || argv[i + 1][0] == '-')) {
            rest = STR("on");
        } else if (!has_value) {
            if (++i == argc) return err_set(e, ERR_INPUT, "%" STR_F " needs a value", STR_A(where));
            rest = str_c(argv[i]);
        }
        if (file_pass && opt->offset != AT(config)) continue;
        size_t index = (size_t)(opt - options);
        if (opt->type == LIST && !replaced[index]) *(struct str_list *)((char *)o + opt->offset) = (struct str_list){0};
        replaced[index] = true;
        if (!set_text(o, opt, where, rest, e)) return false;
    }
    return true;
}

bool options_read(int argc, char **argv, struct arena *a, struct options *out, enum options_action *action, struct err *e) {
    struct options o = {.arena = a};
    *action = OPTIONS_RUN;
    for (size_t i = 0; i < ARRAY_N(options); i++)
        if (!set_text(&o, &options[i], STR("default"), str_c(options[i].fallback), e)) return false;
    const char *config = getenv("BINNACLE_CONFIG");
    if (config) o.config = str_c(config);
    if (!read_argv(&o, argc, argv, true, action, e)) return false;
    if (*action == OPTIONS_EXIT_OK) return true;
    if (o.config.n && !read_yaml(&o, e)) return false;
    if (!read_env(&o, e) || !read_argv(&o, argc, argv, false, action, e)) return false;
    *out = o;
    return true;
}

/* --- printing */

static void put_value(const struct options *o, const struct option *opt, struct buf *out) {
    const void *at = (const char *)o + opt->offset;
    switch (opt->type) {
    case TEXT: buf_add(out, *(const str *)at); break;
    case SECRET: buf_add(out, ((const str *)at)->n ? STR("<secret>") : STR("")); break;
    case SWITCH: buf_add(out, *(const bool *)at ? STR("on") : STR("off")); break;
    case DURATION: duration_put(out, *(const int64_t *)at); break;
    case BYTES:
    case COUNT: buf_u64(out, *(const uint64_t *)at); break;
    case LIST: {
        const struct str_list *list = at;
        for (size_t i = 0; i < list->n; i++) {
            if (i) buf_char(out, ',');
            buf_add(out, list->p[i]);
        }
        break;
    }
    }
}

void options_put_yaml(const struct options *o, struct buf *out) {
    for (size_t i = 0; i < ARRAY_N(options); i++) {
        struct buf value = {0};
        put_value(o, &options[i], &value);
        struct json_out json = {.buf = out}; /* a JSON string is a YAML string */
        buf_printf(out, "%s: ", options[i].name);
        json_put_string(&json, buf_str(&value));
        buf_char(out, '\n');
        buf_done(&value);
    }
}

void options_put_json(const struct options *o, struct buf *out) {
    struct json_out json = {.buf = out};
    json_put_object(&json);
    for (size_t i = 0; i < ARRAY_N(options); i++) {
        struct buf value = {0};
        put_value(o, &options[i], &value);
        json_put_key(&json, str_c(options[i].name));
        json_put_string(&json, buf_str(&value));
        buf_done(&value);
    }
    json_put_object_end(&json);
}
