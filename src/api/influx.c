/* api/influx: InfluxDB's write API, versions 1 and 2, and as much else as its writers ask for before they start. Acknowledged once durable.
 * Source: InfluxDB 1.8 API reference, InfluxDB 2 API "/api/v2/write"; series as VictoriaMetrics makes them (wire/influx_line.h).
 *
 *   POST /write            db= (becomes a label), precision= n u ms s m h
 *   POST /api/v2/write     bucket= (the label db), org= (not looked at), precision= ns us ms s
 *   GET  /ping, /health    POST /query: CREATE DATABASE is there already
 *
 * Wrong lines are refused alone; then the reply is a 400 that names the first and says how many were dropped, as InfluxDB's. Strings have no place in
 * a metric: they are counted as rejected, and the header X-Binnacle-Skipped-Strings of the 204 has their number. */
#include <stdio.h>

#include "api/intake.h"
#include "base/buf.h"
#include "base/clock.h"
#include "codec/json.h"
#include "wire/influx_line.h"

enum version { INFLUX_1, INFLUX_2 };
static const struct http_pair version_header = {STR_INIT("X-Influxdb-Version"), STR_INIT("1.8.10")};

static bool decode_lines(struct intake *r, struct err *e) {
    AUTO(arena_free) struct arena *a = arena_new(256);
    struct influx_options o = {.now_ms = r->now_ns / NS_PER_MS};
    struct influx_counts counts;
    struct metric_batch *b;
    str precision = http_param(r->x, STR("precision"));
    if (!influx_precision(precision, &o.unit_ns))
        return err_set(e, ERR_INPUT, "invalid precision \"%" STR_F "\" (use n, u, ms, s, m or h)", STR_A(str_sub(precision, 0, 20)));
    if (!intake_extra_labels(r->x, a, &o.extra, e)) return false;
    o.db = http_param(r->x, r->variant == INFLUX_2 ? STR("bucket") : STR("db"));
    if (!influx_decode(r->body, &o, &b, &counts, &r->partial, e)) return false;
    r->skipped = counts.strings;
    intake_one_batch(r, b);
    return true;
}

/* {"error":"..."} in version 1, {"code":"invalid","message":"..."} in 2. */
static void put_error(struct buf *b, enum version version, int status, str message) {
    static const struct {
        int status;
        const char *code;
    } codes[] = {{400, "invalid"},           {404, "not found"},         {405, "method not allowed"},
                 {413, "request too large"}, {429, "too many requests"}, {503, "unavailable"}};
    struct json_out o = {.buf = b};
    const char *code = "internal error";
    for (size_t i = 0; i < ARRAY_N(codes); i++)
        if (codes[i].status == status) code = codes[i].code;
    json_put_object(&o);
    if (version == INFLUX_2) {
        json_put_key_c(&o, "code");
        json_put_string(&o, str_c(code));
    }
    json_put_key(&o, version == INFLUX_2 ? STR("message") : STR("error"));
    json_put_string(&o, message);
    json_put_object_end(&o);
}

static void reply_error(struct http_exchange *x, enum version version, int status, str message) {
    struct buf b = {0};
    put_error(&b, version, status, message);
    http_reply_json(x, status, &b);
}

bool influx_error_body(const struct http_exchange *x, int status, str reason, struct buf *out, str *content_type) {
    bool second = str_eq(x->path, STR("/api/v2/write")), first = str_eq(x->path, STR("/write"));
    if (!first && !second && !(x->door && x->door->kind == DOOR_INFLUX)) return false;
    put_error(out, second ? INFLUX_2 : INFLUX_1, status, reason);
    *content_type = STR("application/json");
    return true;
}

static void reply_lines(struct intake *r) {
    enum version version = (enum version)r->variant;
    size_t refused = r->partial.rejected - r->skipped;
    if (r->err.code == ERR_NONE && refused) err_set(&r->err, ERR_INPUT, "partial write: %s dropped=%zu", r->partial.reason, refused);
    if (r->err.code != ERR_NONE) return reply_error(r->x, version, err_http_status(r->err.code), err_str(&r->err));
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%zu", r->skipped);
    const struct http_pair headers[] = {version_header, {STR("X-Binnacle-Skipped-Strings"), str_n(digits, (size_t)n)}};
    http_reply(r->x, (struct http_reply){.status = 204, .headers = headers, .header_n = r->skipped ? 2 : 1});
}
static const struct intake_kind kind = {SIGNAL_METRICS, decode_lines, reply_lines};

static void write_1(void *app, struct http_exchange *x) {
    intake_start(app, x, &kind, INFLUX_1);
}
static void write_2(void *app, struct http_exchange *x) {
    intake_start(app, x, &kind, INFLUX_2);
}

/* --- what writers ask first */

static void ping(void *app, struct http_exchange *x) {
    (void)app;
    http_reply(x, (struct http_reply){.status = 204, .headers = &version_header, .header_n = 1});
}

static void health(void *app, struct http_exchange *x) {
    (void)app;
    struct buf b = {0};
    buf_add(&b, STR("{\"name\":\"influxdb\",\"message\":\"ready for queries and writes\",\"status\":\"pass\",\"version\":\"1.8.10\"}"));
    http_reply_json(x, 200, &b);
}

static bool has_word(str text, str word) {
    for (size_t i = 0; i + word.n <= text.n; i++)
        if (str_eq_nocase(str_sub(text, i, i + word.n), word)) return true;
    return false;
}

/* Databases are labels: one that is to be created is there already. Data is read with PromQL. */
static void query(void *app, struct http_exchange *x) {
    (void)app;
    if (!has_word(http_param(x, STR("q")), STR("CREATE DATABASE")))
        return reply_error(x, INFLUX_1, 400, STR("InfluxQL is not offered, but for CREATE DATABASE: query with PromQL at /api/v1/query"));
    struct buf b = {0};
    buf_add(&b, STR("{\"results\":[{\"statement_id\":0}]}\n"));
    http_reply_json(x, 200, &b);
}

const struct http_route influx_routes[] = {
    {HTTP_POST, "/write", write_1, DOOR_MAIN | DOOR_INFLUX},
    {HTTP_POST, "/api/v2/write", write_2, DOOR_MAIN | DOOR_INFLUX},
    {HTTP_GET, "/ping", ping, DOOR_MAIN | DOOR_INFLUX},
    {HTTP_GET, "/health", health, DOOR_INFLUX},
    {HTTP_POST, "/query", query, DOOR_MAIN | DOOR_INFLUX},
    {HTTP_GET, "/query", query, DOOR_INFLUX},
    {0},
};
