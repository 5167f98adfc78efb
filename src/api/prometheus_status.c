#include <stdio.h>
#include <unistd.h>

#include "api/prometheus.h"
#include "base/clock.h"
#include "codec/timefmt.h"
#include "query/promql/functions.h"
#include "store/metrics/refused.h"

/* rules, alerts, status and features: what the server says about itself. */

static void put_text(struct json_out *o, const char *key, str value) {
    json_put_key(o, str_c(key));
    json_put_string(o, value);
}

static void put_rfc3339(struct json_out *o, const char *key, int64_t ns) {
    struct buf b = {0};
    time_put_rfc3339_ns(&b, ns);
    put_text(o, key, buf_str(&b));
    buf_done(&b);
}

/* {"data":{key:[],...}} */
static void send_empty_lists(struct http_exchange *x, const char *first, const char *second) {
    struct prom_reply r;
    prom_begin(&r);
    json_put_object(&r.out);
    const char *keys[] = {first, second};
    for (size_t i = 0; i < 2 && keys[i]; i++) {
        json_put_key(&r.out, str_c(keys[i]));
        json_put_array(&r.out);
        json_put_array_end(&r.out);
    }
    json_put_object_end(&r.out);
    prom_send(x, &r);
}

void prom_rules(void *arg, struct http_exchange *x) {
    (void)arg;
    send_empty_lists(x, "groups", NULL);
}
void prom_alerts(void *arg, struct http_exchange *x) {
    (void)arg;
    send_empty_lists(x, "alerts", NULL);
}
void prom_alertmanagers(void *arg, struct http_exchange *x) {
    (void)arg;
    send_empty_lists(x, "activeAlertmanagers", "droppedAlertmanagers");
}

void prom_config(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    struct buf yaml = {0};
    struct prom_reply r;
    if (app->config_yaml) app->config_yaml(app->config_arg, &yaml);
    prom_begin(&r);
    json_put_object(&r.out);
    put_text(&r.out, "yaml", buf_str(&yaml));
    json_put_object_end(&r.out);
    buf_done(&yaml);
    prom_send(x, &r);
}

void prom_flags(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    struct buf flags = {0};
    struct prom_reply r;
    if (app->flags_json)
        app->flags_json(app->config_arg, &flags);
    else
        buf_add(&flags, STR("{}"));
    prom_begin(&r);
    json_put_raw(&r.out, buf_str(&flags));
    buf_done(&flags);
    prom_send(x, &r);
}

void prom_runtimeinfo(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    struct tsdb_stats s;
    struct prom_reply r;
    char cwd[4096];
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    tsdb_stats(app->store->metrics, &s);
    prom_begin(&r);
    json_put_object(&r.out);
    put_rfc3339(&r.out, "startTime", app->start_ms * NS_PER_MS);
    put_text(&r.out, "CWD", str_c(getcwd(cwd, sizeof cwd) ? cwd : ""));
    put_text(&r.out, "hostname", str_c(host));
    put_rfc3339(&r.out, "serverTime", clock_wall_ns());
    json_put_key_c(&r.out, "reloadConfigSuccess");
    json_put_bool(&r.out, true);
    put_rfc3339(&r.out, "lastConfigTime", app->start_ms * NS_PER_MS);
    json_put_key_c(&r.out, "corruptionCount");
    json_put_u64(&r.out, s.damaged_frames);
    json_put_key_c(&r.out, "goroutineCount");
    json_put_i64(&r.out, 0);
    json_put_key_c(&r.out, "timeSeriesCount");
    json_put_u64(&r.out, s.series);
    json_put_key_c(&r.out, "GOMAXPROCS");
    json_put_i64(&r.out, sysconf(_SC_NPROCESSORS_ONLN));
    json_put_key_c(&r.out, "GOMEMLIMIT");
    json_put_i64(&r.out, INT64_MAX);
    put_text(&r.out, "GOGC", STR(""));
    put_text(&r.out, "GODEBUG", STR(""));
    put_text(&r.out, "storageRetention", app->retention);
    json_put_object_end(&r.out);
    prom_send(x, &r);
}

/* The version says whose API this is: clients choose features by it. */
void prom_buildinfo(void *arg, struct http_exchange *x) {
    (void)arg;
    struct prom_reply r;
    prom_begin(&r);
    json_put_object(&r.out);
    put_text(&r.out, "version", STR("3.4.0"));
    put_text(&r.out, "revision", STR("binnacle " BN_VERSION));
    put_text(&r.out, "branch", STR("binnacle"));
    put_text(&r.out, "buildUser", STR(""));
    put_text(&r.out, "buildDate", STR(""));
    put_text(&r.out, "goVersion", STR(""));
    json_put_object_end(&r.out);
    prom_send(x, &r);
}

enum { CARDINALITY_MAX = 10000 };

static void put_counts(struct json_out *o, const char *key, const struct name_count *p, size_t n) {
    json_put_key(o, str_c(key));
    json_put_array(o);
    for (size_t i = 0; i < n; i++) {
        json_put_object(o);
        put_text(o, "name", p[i].name);
        json_put_key_c(o, "value");
        json_put_u64(o, p[i].n);
        json_put_object_end(o);
    }
    json_put_array_end(o);
}

/* Beyond Prometheus: whose new series are dropped because of limit.series. */
static void put_refused(struct json_out *o, const struct tsdb *db, struct arena *a) {
    const struct refused_target *p;
    size_t n = tsdb_refused_targets(db, a, &p);
    json_put_key_c(o, "refusedSamplesByTarget");
    json_put_array(o);
    for (size_t i = 0; i < n; i++) {
        json_put_object(o);
        put_text(o, "name", str_n(p[i].text, p[i].text_n));
        json_put_key_c(o, "value");
        json_put_u64(o, p[i].samples);
        json_put_key_c(o, "last");
        prom_put_time(o, p[i].last_ms);
        json_put_object_end(o);
    }
    json_put_array_end(o);
}

void prom_tsdb_status(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    uint64_t limit = 10;
    struct tsdb_stats s;
    struct name_count *p[4];
    size_t n[4];
    if (http_has_param(x, STR("limit")) && (!str_u64(http_param(x, STR("limit")), &limit) || limit < 1))
        return prom_error(x, 400, "bad_data", STR("limit must be a positive number"));
    if (limit > CARDINALITY_MAX) return prom_error(x, 400, "bad_data", STR("limit must not exceed 10000"));
    tsdb_stats(app->store->metrics, &s);
    tsdb_cardinality(app->store->metrics, limit, x->arena, &p[0], &n[0], &p[1], &n[1], &p[2], &n[2], &p[3], &n[3]);
    struct prom_reply r;
    struct json_out *o = &r.out;
    prom_begin(&r);
    json_put_object(o);
    json_put_key_c(o, "headStats");
    json_put_object(o);
    const struct {
        const char *key;
        int64_t v;
    } head[] = {{"numSeries", (int64_t)s.series},
                {"numLabelPairs", (int64_t)s.shapes},
                {"chunkCount", (int64_t)s.parts},
                {"minTime", s.min_ms},
                {"maxTime", s.max_ms}};
    for (size_t i = 0; i < ARRAY_N(head); i++) {
        json_put_key(o, str_c(head[i].key));
        json_put_i64(o, head[i].v);
    }
    json_put_object_end(o);
    put_counts(o, "seriesCountByMetricName", p[0], n[0]);
    put_counts(o, "labelValueCountByLabelName", p[1], n[1]);
    put_counts(o, "memoryInBytesByLabelName", p[3], n[3]);
    put_counts(o, "seriesCountByLabelValuePair", p[2], n[2]);
    put_refused(o, app->store->metrics, x->arena);
    json_put_object_end(o);
    prom_send(x, &r);
}

/* The log is replayed before the first request is answered. */
static void put_part_name(struct json_out *o, uint64_t number) {
    char name[24];
    snprintf(name, sizeof name, "%016llx", (unsigned long long)number);
    json_put_string(o, str_c(name));
}

static void put_block(struct json_out *o, const struct tsdb_part_info *p) {
    const struct {
        const char *key;
        int64_t v;
    } stats[] = {
        {"numSamples", (int64_t)p->samples}, {"numSeries", (int64_t)p->series}, {"numChunks", (int64_t)p->series}, {"numBytes", (int64_t)p->bytes}};
    json_put_object(o);
    json_put_key_c(o, "ulid");
    put_part_name(o, p->number);
    json_put_key_c(o, "minTime");
    json_put_i64(o, p->min_ms);
    json_put_key_c(o, "maxTime"); /* the first ms behind the block, as Prometheus has it */
    json_put_i64(o, p->max_ms + 1);
    json_put_key_c(o, "stats");
    json_put_object(o);
    for (size_t i = 0; i < ARRAY_N(stats); i++) {
        json_put_key(o, str_c(stats[i].key));
        json_put_i64(o, stats[i].v);
    }
    json_put_object_end(o);
    json_put_key_c(o, "compaction");
    json_put_object(o);
    json_put_key_c(o, "level");
    json_put_i64(o, p->made_from_n > 0 ? 2 : 1);
    json_put_key_c(o, "sources");
    json_put_array(o);
    if (p->made_from_n == 0) put_part_name(o, p->number);
    for (size_t i = 0; i < p->made_from_n; i++) put_part_name(o, p->made_from[i]);
    json_put_array_end(o);
    json_put_object_end(o);
    json_put_key_c(o, "resolution");
    json_put_i64(o, p->step_ms);
    json_put_key_c(o, "version");
    json_put_i64(o, 1);
    json_put_object_end(o);
}

/* Parts in the words of Prometheus' meta.json; numBytes and resolution (ms of a down-sampled part, else 0) are ours, the ULID is the file's name. */
void prom_tsdb_blocks(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    size_t n;
    const struct tsdb_part_info *p = tsdb_parts(app->store->metrics, x->arena, &n);
    struct prom_reply r;
    prom_begin(&r);
    json_put_object(&r.out);
    json_put_key_c(&r.out, "blocks");
    json_put_array(&r.out);
    for (size_t i = 0; i < n; i++) put_block(&r.out, &p[i]);
    json_put_array_end(&r.out);
    json_put_object_end(&r.out);
    prom_send(x, &r);
}

void prom_walreplay(void *arg, struct http_exchange *x) {
    (void)arg;
    struct prom_reply r;
    static const char *const counts[] = {"min", "max", "current"};
    prom_begin(&r);
    json_put_object(&r.out);
    for (size_t i = 0; i < ARRAY_N(counts); i++) {
        json_put_key(&r.out, str_c(counts[i]));
        json_put_i64(&r.out, 0);
    }
    put_text(&r.out, "state", STR("done"));
    json_put_object_end(&r.out);
    prom_send(x, &r);
}

void prom_notifications(void *arg, struct http_exchange *x) {
    (void)arg;
    struct prom_reply r;
    prom_begin(&r);
    json_put_array(&r.out);
    json_put_array_end(&r.out);
    prom_send(x, &r);
}

/* --- features: {"category":{"feature":true}} */

static const struct {
    const char *category, *features; /* separated by blanks; '-' in front: not there */
} features[] = {
    {"api", "admin exemplars label_values_match query_stats query_warnings remote_read remote_write_receiver time_range_labels otlp_write_receiver"},
    {"otlp_receiver", "-delta_conversion native_delta_ingestion"},
    {"promql",
     "anchored at_modifier bool by delayed_name_removal duration_expr experimental_functions fill group_left group_right ignoring "
     "native_histograms negative_offset offset on per_query_lookback_delta -per_step_stats smoothed subqueries type_and_unit_labels without"},
    {"promql_operators",
     "!= !~ % * + - / < <= == =~ > >= @ ^ </ >/ and atan2 avg bottomk count count_values group limit_ratio limitk max min or quantile "
     "stddev stdvar sum topk unless"},
    {"scrape", "extra_scrape_metrics start_timestamp_zero_ingestion"},
    {"tsdb", "delayed_compaction exemplar_storage isolation native_histograms use_start_timestamps"},
};

static void put_category(struct json_out *o, const char *category, str names) {
    str name;
    json_put_key(o, str_c(category));
    json_put_object(o);
    for (bool more = names.n > 0; more;) {
        more = str_cut(&names, ' ', &name);
        bool absent = name.n > 1 && name.p[0] == '-';
        json_put_key(o, absent ? str_from(name, 1) : name);
        json_put_bool(o, !absent);
    }
    json_put_object_end(o);
}

void prom_features(void *arg, struct http_exchange *x) {
    (void)arg;
    struct prom_reply r;
    struct buf names = {0};
    size_t n;
    const struct function *functions = functions_all(&n);
    for (size_t i = 0; i < n; i++) buf_printf(&names, "%s%" STR_F, i ? " " : "", STR_A(functions[i].name));
    prom_begin(&r);
    json_put_object(&r.out);
    for (size_t i = 0; i < ARRAY_N(features); i++) put_category(&r.out, features[i].category, str_c(features[i].features));
    put_category(&r.out, "promql_functions", buf_str(&names));
    json_put_object_end(&r.out);
    buf_done(&names);
    prom_send(x, &r);
}
