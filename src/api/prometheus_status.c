#include <stdio.h>
#include <unistd.h>

#include "api/prometheus.h"
#include "base/clock.h"
#include "codec/timefmt.h"

/* targets, rules, alerts and status: what the server says about itself. */

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

static void put_seconds(struct json_out *o, const char *key, int64_t ms) {
    char text[32];
    int n = snprintf(text, sizeof text, "%llds", (long long)(ms / 1000));
    if (ms % 1000) n = snprintf(text, sizeof text, "%lldms", (long long)ms);
    put_text(o, key, str_n(text, (size_t)n));
}

static void put_target(struct json_out *o, const struct target_view *t) {
    json_put_object(o);
    json_put_key_c(o, "discoveredLabels");
    prom_put_labels(o, t->discovered);
    json_put_key_c(o, "labels");
    prom_put_labels(o, t->labels);
    put_text(o, "scrapePool", t->pool);
    put_text(o, "scrapeUrl", t->url);
    put_text(o, "globalUrl", t->global_url);
    put_text(o, "lastError", t->last_error);
    if (t->last_scrape_ms)
        put_rfc3339(o, "lastScrape", t->last_scrape_ms * NS_PER_MS);
    else
        put_text(o, "lastScrape", STR("0001-01-01T00:00:00Z")); /* never: Go's zero time, as clients expect */
    json_put_key_c(o, "lastScrapeDuration");
    json_put_double(o, (double)t->last_duration_ns / 1e9);
    put_text(o, "health", t->health);
    put_seconds(o, "scrapeInterval", t->interval_ms);
    put_seconds(o, "scrapeTimeout", t->timeout_ms);
    json_put_object_end(o);
}

void prom_targets(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    str pool = http_param(x, STR("scrapePool"));
    bool active = !str_eq(http_param(x, STR("state")), STR("dropped"));
    struct target_view *t = NULL;
    size_t n = 0;
    if (app->targets) app->targets(app->targets_arg, x->arena, &t, &n);
    struct prom_reply r;
    prom_begin(&r);
    json_put_object(&r.out);
    json_put_key_c(&r.out, "activeTargets");
    json_put_array(&r.out);
    for (size_t i = 0; i < n && active; i++)
        if (!pool.n || str_eq(pool, t[i].pool)) put_target(&r.out, &t[i]);
    json_put_array_end(&r.out);
    json_put_key_c(&r.out, "droppedTargets");
    json_put_array(&r.out);
    json_put_array_end(&r.out);
    json_put_key_c(&r.out, "droppedTargetCounts");
    json_put_object(&r.out);
    json_put_object_end(&r.out);
    json_put_object_end(&r.out);
    prom_send(x, &r);
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
    put_text(&r.out, "storageRetention", STR(""));
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

void prom_tsdb_status(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    size_t limit = 10;
    struct tsdb_stats s;
    struct name_count *p[4];
    size_t n[4];
    if (!prom_limit_param(x, "limit", &limit)) return;
    if (limit < 1 || limit > 10000) {
        prom_error(x, 400, "bad_data", STR("limit must be between 1 and 10000"));
        return;
    }
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
    json_put_object_end(o);
    prom_send(x, &r);
}
