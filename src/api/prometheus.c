#include "api/prometheus.h"

#include <math.h>
#include <stdio.h>

#include "codec/duration.h"
#include "codec/num.h"
#include "codec/regex.h"
#include "codec/timefmt.h"

enum { NOTES_MAX = 10 };

void prom_error(struct http_exchange *x, int status, const char *type, str message) {
    struct buf b = {0};
    struct json_out o = {.buf = &b};
    json_put_object(&o);
    json_put_key_c(&o, "status");
    json_put_string(&o, STR("error"));
    json_put_key_c(&o, "errorType");
    json_put_string(&o, str_c(type));
    json_put_key_c(&o, "error");
    json_put_string(&o, message);
    json_put_object_end(&o);
    http_reply_json(x, status, &b);
}

void prom_bad_param(struct http_exchange *x, const char *name, str message) {
    prom_error(x, 400, "bad_data", arena_printf(x->arena, "invalid parameter \"%s\": %" STR_F, name, STR_A(message)));
}

void prom_begin(struct prom_reply *r) {
    *r = (struct prom_reply){0};
    r->out.buf = &r->buf;
    json_put_object(&r->out);
    json_put_key_c(&r->out, "status");
    json_put_string(&r->out, STR("success"));
    json_put_key_c(&r->out, "data");
}

void prom_put_notes(struct json_out *o, const char *key, const str *notes, size_t n) {
    if (n == 0) return;
    json_put_key(o, str_c(key));
    json_put_array(o);
    for (size_t i = 0; i < MIN(n, (size_t)NOTES_MAX); i++) json_put_string(o, notes[i]);
    if (n > NOTES_MAX) {
        char more[64];
        int len = snprintf(more, sizeof more, "%zu more %s annotations omitted", n - NOTES_MAX, key);
        json_put_string(o, str_n(more, (size_t)len));
    }
    json_put_array_end(o);
}

void prom_send(struct http_exchange *x, struct prom_reply *r) {
    json_put_object_end(&r->out);
    http_reply_json(x, 200, &r->buf);
}

void prom_send_truncated(struct http_exchange *x, struct prom_reply *r, bool truncated) {
    static const str note[] = {STR_INIT("results truncated due to limit")};
    prom_put_notes(&r->out, "warnings", note, truncated);
    prom_send(x, r);
}

/* --- parameters */

bool prom_time_param(struct http_exchange *x, const char *name, int64_t *out_ms) {
    str s = http_param(x, str_c(name));
    double seconds;
    int64_t ns;
    struct err ignored;
    if (s.n == 0) return true;
    if (num_parse_double(s, &seconds) && fabs(seconds) < 9e12) {
        *out_ms = (int64_t)round(seconds * 1000);
        return true;
    }
    if (time_parse_rfc3339(s, &ns, &ignored)) {
        *out_ms = ns / 1000000;
        return true;
    }
    prom_bad_param(x, name, arena_printf(x->arena, "cannot parse \"%" STR_F "\" to a valid timestamp", STR_A(s)));
    return false;
}

bool prom_duration_param(struct http_exchange *x, const char *name, int64_t *out_ms) {
    str s = http_param(x, str_c(name));
    double seconds;
    struct err ignored;
    if (s.n == 0) return true;
    if (num_parse_double(s, &seconds)) {
        if (fabs(seconds) < 9.2e9) return *out_ms = (int64_t)round(seconds * 1000), true;
        prom_bad_param(x, name, arena_printf(x->arena, "cannot parse \"%" STR_F "\" to a valid duration. It overflows int64", STR_A(s)));
        return false;
    }
    if (duration_parse(s, out_ms, &ignored)) return true;
    prom_bad_param(x, name, arena_printf(x->arena, "cannot parse \"%" STR_F "\" to a valid duration", STR_A(s)));
    return false;
}

bool prom_limit_param(struct http_exchange *x, const char *name, size_t *out) {
    str s = http_param(x, str_c(name));
    int64_t v;
    if (s.n == 0) return true;
    if (!str_i64(s, &v)) return prom_bad_param(x, name, arena_printf(x->arena, "cannot parse \"%" STR_F "\" to an integer", STR_A(s))), false;
    if (v < 0) return prom_bad_param(x, name, STR("limit must be non-negative")), false;
    *out = (size_t)v;
    return true;
}

bool prom_count_param(struct http_exchange *x, const char *name, size_t *out) {
    str s = http_param(x, str_c(name));
    int64_t v;
    if (s.n == 0) return true;
    if (!str_i64(s, &v)) return prom_error(x, 400, "bad_data", arena_printf(x->arena, "%s must be a number", name)), false;
    *out = v < 0 ? SIZE_MAX : (size_t)v;
    return true;
}

bool prom_matches(struct http_exchange *x, bool required, struct prom_matches *out) {
    *out = (struct prom_matches){0};
    out->sets = arena_alloc(x->arena, (x->param_n + 1) * sizeof *out->sets);
    for (size_t i = 0; i < x->param_n; i++) {
        struct promql_ast ast;
        struct err e;
        if (!str_eq(x->params[i].name, STR("match[]"))) continue;
        bool ok = promql_parse(x->params[i].value, x->arena, &out->regexes, &ast, &e);
        if (ok && ast.root->kind != NODE_VECTOR) ok = err_set(&e, ERR_INPUT, "1:1: parse error: expected a vector selector");
        if (!ok) {
            prom_bad_param(x, "match[]", err_str(&e));
            prom_matches_done(out);
            return false;
        }
        out->sets[out->n].m = ast.root->select.sel.m;
        out->sets[out->n++].n = ast.root->select.sel.m_n;
    }
    if (out->n || !required) return true;
    prom_error(x, 400, "bad_data", STR("no match[] parameter provided"));
    prom_matches_done(out);
    return false;
}

void prom_matches_done(struct prom_matches *m) {
    promql_regexes_done(&m->regexes);
}

/* As Prometheus: who may, is told so; others are told nothing. */
size_t prom_cors_headers(void *arg, const struct http_exchange *x, struct http_pair *out) {
    const struct app *app = arg;
    str origin = http_header(x, STR("Origin"));
    bool ours = str_starts(x->path, STR("/api/v1/")) || str_eq(x->path, STR("/federate"));
    size_t n = 0;
    if (!ours || !origin.n || !app->cors_origin || regex_match(app->cors_origin, origin) != REGEX_YES) return 0;
    out[n++] = (struct http_pair){STR("Access-Control-Allow-Origin"), origin};
    out[n++] = (struct http_pair){STR("Access-Control-Allow-Headers"), STR("Accept, Authorization, Content-Type, Origin")};
    out[n++] = (struct http_pair){STR("Access-Control-Allow-Methods"), STR("GET, POST, OPTIONS")};
    out[n++] = (struct http_pair){STR("Access-Control-Expose-Headers"), STR("Date")};
    out[n++] = (struct http_pair){STR("Vary"), STR("Origin")};
    return n;
}

#define FORM (HTTP_GET | HTTP_POST)
const struct http_route prometheus_routes[] = {
    {FORM, "/api/v1/query", prom_query, 0},
    {FORM, "/api/v1/query_range", prom_query_range, 0},
    {FORM, "/api/v1/query_exemplars", prom_exemplars, 0},
    {FORM, "/api/v1/format_query", prom_format_query, 0},
    {FORM, "/api/v1/parse_query", prom_parse_query, 0},
    {FORM, "/api/v1/series", prom_series, 0},
    {FORM, "/api/v1/labels", prom_labels, 0},
    {HTTP_GET, "/api/v1/label/:name/values", prom_label_values, 0},
    {HTTP_GET, "/api/v1/metadata", prom_metadata, 0},
    {HTTP_GET, "/api/v1/targets", prom_targets, 0},
    {HTTP_GET, "/api/v1/targets/metadata", prom_targets_metadata, 0},
    {HTTP_GET, "/api/v1/scrape_pools", prom_scrape_pools, 0},
    {HTTP_GET, "/api/v1/rules", prom_rules, 0},
    {HTTP_GET, "/api/v1/alerts", prom_alerts, 0},
    {HTTP_GET, "/api/v1/alertmanagers", prom_alertmanagers, 0},
    {HTTP_GET, "/api/v1/status/config", prom_config, 0},
    {HTTP_GET, "/api/v1/status/flags", prom_flags, 0},
    {HTTP_GET, "/api/v1/status/runtimeinfo", prom_runtimeinfo, 0},
    {HTTP_GET, "/api/v1/status/buildinfo", prom_buildinfo, 0},
    {HTTP_GET, "/api/v1/status/tsdb", prom_tsdb_status, 0},
    {HTTP_GET, "/api/v1/status/tsdb/blocks", prom_tsdb_blocks, 0},
    {HTTP_GET, "/api/v1/status/walreplay", prom_walreplay, 0},
    {HTTP_GET, "/api/v1/features", prom_features, 0},
    {HTTP_GET, "/api/v1/notifications", prom_notifications, 0},
    {HTTP_POST | HTTP_PUT, "/api/v1/admin/tsdb/delete_series", prom_delete_series, 0},
    {HTTP_POST | HTTP_PUT, "/api/v1/admin/tsdb/clean_tombstones", prom_clean_tombstones, 0},
    {HTTP_POST | HTTP_PUT, "/api/v1/admin/tsdb/snapshot", prom_snapshot, 0},
    {HTTP_POST, "/api/v1/read", prom_read, 0},
    {HTTP_GET, "/federate", prom_federate, 0},
    {0},
};
