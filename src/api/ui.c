/* api/ui: the page. Embedded files (api/assets.h), the URLs that are pages, and GET
 * /ui/api/{status,strip,services,scatter,moved,patterns,parse,tail}. Loop thread.
 *
 * Files whose name holds a hash are cached for ever; the rest is revalidated by ETag. Every page URL answers with index.html: the script on it reads
 * the URL. The policy lets the page load nothing from anywhere else, and run no script that is not a file of its own. */
#include <unistd.h>

#include "api/app.h"
#include "api/assets.h"
#include "api/logs_tail.h"
#include "api/ui_data.h"
#include "base/clock.h"
#include "codec/json.h"
#include "loop/vfs.h"

#define POLICY                                                                                                             \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; " \
    "base-uri 'none'; form-action 'self'; frame-ancestors 'self'"

/* --- files */
static const struct asset *find_asset(str path) {
    for (size_t i = 0; i < assets_n; i++)
        if (str_eq_c(path, assets[i].path)) return &assets[i];
    return NULL;
}

/* RFC 9110 13.1.2: a list of entity tags, or "*"; weak comparison. */
static bool tag_listed(str list, str etag) {
    for (bool more = true; more;) {
        str tag;
        more = str_cut(&list, ',', &tag);
        tag = str_trim(tag);
        if (str_starts(tag, STR("W/"))) tag = str_from(tag, 2);
        if (str_eq(tag, etag) || str_eq(tag, STR("*"))) return true;
    }
    return false;
}

static void reply_asset(struct http_exchange *x, const struct asset *a) {
    x->trace_unsampled = true; /* nobody looks for these among the traces */
    const struct http_pair headers[] = {
        {STR("ETag"), str_c(a->etag)},
        {STR("Cache-Control"), a->immutable ? STR("public, max-age=31536000, immutable") : STR("no-cache")},
        {STR("Content-Security-Policy"), STR(POLICY)},
        {STR("X-Content-Type-Options"), STR("nosniff")},
        {STR("Referrer-Policy"), STR("no-referrer")},
    };
    struct http_reply r = {.status = 200, .content_type = str_c(a->content_type), .headers = headers, .header_n = ARRAY_N(headers)};
    if (tag_listed(http_header(x, STR("If-None-Match")), str_c(a->etag))) {
        r.status = 304;
    } else {
        r.body = str_n(a->gz, (size_t)(a->gz_end - a->gz));
        r.body_static = true;
        r.gzipped = true;
    }
    http_reply(x, r);
}

static void serve_file(void *app, struct http_exchange *x) {
    (void)app;
    const struct asset *a = find_asset(x->path);
    if (a)
        reply_asset(x, a);
    else
        http_reply_text(x, 404, STR("no such file: the page was built anew; reload it\n"));
}

static void serve_page(void *app, struct http_exchange *x) {
    (void)app;
    const struct asset *a = find_asset(STR("/index.html"));
    assert(a);
    reply_asset(x, a);
}

/* A trace as a page or as Jaeger's own UI would show it: the first page of the door's peer. */
static void serve_traces_first(void *app, struct http_exchange *x) {
    (void)app;
    const struct http_pair to = {STR("Location"), STR("/traces")};
    http_reply(x, (struct http_reply){.status = 302, .content_type = STR("text/plain"), .headers = &to, .header_n = 1});
}

/* --- status */
static uint64_t resident_bytes(void) {
    AUTO(arena_free) struct arena *a = arena_new(8 << 10);
    str statm, word;
    uint64_t pages;
    if (!vfs_read_file(vfs_real(), "/proc/self/statm", 4096, a, &statm, NULL)) return 0;
    str_cut(&statm, ' ', &word);
    str_cut(&statm, ' ', &word);
    return str_u64(word, &pages) ? pages * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

struct number {
    const char *name;
    uint64_t value;
};
static void put_numbers(struct json_out *o, str key, const struct number *p, size_t n) {
    json_put_key(o, key);
    json_put_object(o);
    for (size_t i = 0; i < n; i++) {
        json_put_key(o, str_c(p[i].name));
        json_put_u64(o, p[i].value);
    }
    json_put_object_end(o);
}

static void put_process(struct json_out *o) {
    const struct number rows[] = {
        {"pid", (uint64_t)getpid()},
        {"rss_bytes", resident_bytes()},
        {"cpu_ms", (uint64_t)(clock_cpu_ns() / NS_PER_MS)},
        {"cores", (uint64_t)sysconf(_SC_NPROCESSORS_ONLN)},
    };
    put_numbers(o, STR("process"), rows, ARRAY_N(rows));
}

static void put_metrics(struct json_out *o, const struct tsdb *db) {
    struct tsdb_stats s;
    tsdb_stats(db, &s);
    const struct number rows[] = {
        {"received", s.received},
        {"stored", s.stored},
        {"rejected", s.rejected},
        {"dropped", s.dropped},
        {"rejected_order", s.rejected_order},
        {"rejected_duplicate", s.rejected_duplicate},
        {"rejected_labels", s.rejected_labels},
        {"dropped_series_limit", s.dropped_series_limit},
        {"dropped_io", s.dropped_io},
        {"series", s.series},
        {"targets", s.targets},
        {"shapes", s.shapes},
        {"head_bytes", s.head_bytes},
        {"head_samples", s.head_samples},
        {"parts", s.parts},
        {"part_bytes", s.part_bytes},
        {"part_samples", s.part_samples},
        {"sealed", s.sealed},
        {"compactions", s.compactions},
        {"damaged_frames", s.damaged_frames},
        {"min_ms", (uint64_t)MAX(s.min_ms, 0)},
        {"max_ms", (uint64_t)MAX(s.max_ms, 0)},
    };
    put_numbers(o, STR("metrics"), rows, ARRAY_N(rows));
}

static void put_events(struct json_out *o, str key, const struct evdb_stats *s, enum event_kind k) {
    bool any = s->kind[k].min_ns <= s->kind[k].max_ns;
    const struct number rows[] = {
        {"received", s->kind[k].received},
        {"stored", s->kind[k].stored},
        {"rejected", s->kind[k].rejected},
        {"dropped", s->kind[k].dropped},
        {"truncated_values", s->kind[k].truncated_values},
        {"head_events", s->kind[k].head_events},
        {"head_bytes", s->kind[k].head_bytes},
        {"parts", s->kind[k].parts},
        {"part_bytes", s->kind[k].part_bytes},
        {"part_events", s->kind[k].part_events},
        {"damaged_blocks", s->kind[k].damaged_blocks},
        {"min_ms", any ? (uint64_t)MAX(s->kind[k].min_ns / NS_PER_MS, 0) : 0},
        {"max_ms", any ? (uint64_t)MAX(s->kind[k].max_ns / NS_PER_MS, 0) : 0},
    };
    put_numbers(o, key, rows, ARRAY_N(rows));
}

static void put_wal(struct json_out *o, const struct store *store) {
    if (!store->wal) {
        json_put_key_c(o, "wal");
        json_put_null(o);
        return;
    }
    struct wal_stats s;
    wal_stats(store->wal, &s);
    const struct number rows[] = {
        {"records", s.records},
        {"bytes", s.disk_bytes},
        {"written_bytes", s.bytes},
        {"groups", s.groups},
        {"syncs", s.syncs},
        {"failed_groups", s.failed_groups},
        {"last_sync_ms", (uint64_t)(MAX(s.last_sync_ns, 0) / NS_PER_MS)},
        {"refusing", s.refusing},
        {"replayed_frames", store->replay.frames},
        {"damaged_frames", store->replay.damaged_frames},
    };
    put_numbers(o, STR("wal"), rows, ARRAY_N(rows));
}

static void put_http(struct json_out *o, const struct http_server *http) {
    struct http_server_stats s;
    http_server_stats(http, &s);
    const struct number rows[] = {
        {"requests", s.requests},
        {"replies_2xx", s.replies_2xx},
        {"replies_4xx", s.replies_4xx},
        {"replies_5xx", s.replies_5xx},
        {"connections_open", s.connections_open},
        {"refused_body", s.refused_body},
        {"refused_busy", s.refused_busy},
        {"bytes_in", s.bytes_in},
        {"bytes_out", s.bytes_out},
    };
    put_numbers(o, STR("http"), rows, ARRAY_N(rows));
}

static void put_pool(struct json_out *o, const struct pool *pool) {
    static const str lanes[] = {[LANE_QUERY] = STR_INIT("query"), [LANE_BACKGROUND] = STR_INIT("background")};
    struct pool_stats s;
    pool_stats(pool, &s);
    json_put_key_c(o, "pool");
    json_put_object(o);
    for (size_t i = 0; i < ARRAY_N(lanes); i++) {
        const struct number rows[] = {{"queued", s.queued[i]}, {"running", s.running[i]}, {"done", s.done[i]}, {"refused", s.refused[i]}};
        put_numbers(o, lanes[i], rows, ARRAY_N(rows));
    }
    json_put_object_end(o);
}

static void put_settings(struct json_out *o, const struct app *app) {
    struct buf flags = {0};
    if (app->flags_json) app->flags_json(app->config_arg, &flags);
    json_put_key_c(o, "settings");
    json_put_raw(o, flags.n ? buf_str(&flags) : STR("{}"));
    buf_done(&flags);
}

static void serve_status(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    struct buf body = {0};
    struct json_out o = {.buf = &body};
    json_put_object(&o);
    json_put_key_c(&o, "version");
    json_put_string(&o, STR(BN_VERSION));
    json_put_key_c(&o, "now_ms");
    json_put_i64(&o, clock_wall_ms());
    json_put_key_c(&o, "start_ms");
    json_put_i64(&o, app->start_ms);
    put_process(&o);
    struct evdb_stats events;
    evdb_stats(app->store->events, &events);
    put_metrics(&o, app->store->metrics);
    put_events(&o, STR("logs"), &events, EVENT_LOG);
    put_events(&o, STR("spans"), &events, EVENT_SPAN);
    put_wal(&o, app->store);
    json_put_key_c(&o, "disk_full");
    json_put_bool(&o, app->store->disk_full);
    if (app->http) put_http(&o, app->http);
    put_pool(&o, app->pool);
    put_settings(&o, app);
    json_put_object_end(&o);
    http_reply_json(x, 200, &body);
}

const struct http_route ui_routes[] = {
    {HTTP_GET, "/ui/api/status", serve_status, 0},
    {HTTP_GET | HTTP_POST, "/ui/api/strip", ui_strip, 0},
    {HTTP_GET, "/ui/api/services", ui_services, 0},
    {HTTP_GET, "/ui/api/scatter", ui_scatter, 0},
    {HTTP_GET, "/ui/api/moved", ui_moved, 0},
    {HTTP_GET | HTTP_POST, "/ui/api/patterns", ui_patterns, 0},
    {HTTP_GET | HTTP_POST, "/ui/api/parse", ui_parse, 0},
    {HTTP_GET, "/ui/api/tail", logs_tail, 0},
    {HTTP_GET, "/assets/*", serve_file, 0},
    {HTTP_GET, "/style.css", serve_file, 0}, /* of the plain page (ui/fallback) */
    {HTTP_GET, "/", serve_traces_first, DOOR_JAEGER},
    {HTTP_GET, "/", serve_page, 0},
    {HTTP_GET, "/index.html", serve_page, 0},
    {HTTP_GET, "/overview", serve_page, 0},
    {HTTP_GET, "/metrics-explorer", serve_page, 0},
    {HTTP_GET, "/logs", serve_page, 0},
    {HTTP_GET, "/traces", serve_page, 0},
    {HTTP_GET, "/traces/:id", serve_page, 0},
    {HTTP_GET, "/status", serve_page, 0},
    /* where the peers had their pages; the script leads on */
    {HTTP_GET, "/graph", serve_page, 0},
    {HTTP_GET, "/query", serve_page, 0},
    {HTTP_GET, "/targets", serve_page, 0},
    {HTTP_GET, "/search", serve_page, 0},
    {HTTP_GET, "/trace/:id", serve_page, 0},
    {0},
};
