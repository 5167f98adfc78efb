/* api/prometheus: what the files of the Prometheus HTTP API share: parameters, the envelope, the handlers. Loop thread, but for prom_put_result.
 * Source: Prometheus' HTTP API documentation and the behaviour of version 3.14. */
#pragma once
#include "api/app.h"
#include "codec/json.h"
#include "query/promql/promql.h"

/* Answers {"status":"error","errorType":...,"error":...}. */
void prom_error(struct http_exchange *x, int status, const char *type, str message);
/* 400 bad_data: invalid parameter "NAME": message. */
void prom_bad_param(struct http_exchange *x, const char *name, str message);

/* {"status":"success","data": - the caller writes data - warnings, infos } */
struct prom_reply {
    struct buf buf;
    struct json_out out;
};
void prom_begin(struct prom_reply *r);
/* Notes at most 10 of a kind. */
void prom_put_notes(struct json_out *o, const char *key, const str *notes, size_t n);
void prom_send(struct http_exchange *x, struct prom_reply *r);
void prom_send_truncated(struct http_exchange *x, struct prom_reply *r, bool truncated);

/* Unix seconds with fraction, or RFC 3339; absent: *out is left. false: answered. */
MUST_USE bool prom_time_param(struct http_exchange *x, const char *name, int64_t *out_ms);
/* Seconds with fraction, or "1h30m"; absent: *out is left. */
MUST_USE bool prom_duration_param(struct http_exchange *x, const char *name, int64_t *out_ms);
MUST_USE bool prom_limit_param(struct http_exchange *x, const char *name, size_t *out);

/* A limit where negative means none. */
MUST_USE bool prom_count_param(struct http_exchange *x, const char *name, size_t *out);
/* start and end; without them everything. */
MUST_USE bool prom_range_params(struct http_exchange *x, int64_t *from_ms, int64_t *to_ms);

/* The match[] parameters as selectors. */
struct prom_matches {
    struct promql_regexes regexes;
    struct {
        const struct matcher *m;
        size_t n;
    } * sets;
    size_t n;
};
MUST_USE bool prom_matches(struct http_exchange *x, bool required, struct prom_matches *out); /* false: answered */
void prom_matches_done(struct prom_matches *m);

void prom_put_labels(struct json_out *o, struct labels ls);
void prom_put_time(struct json_out *o, int64_t ms); /* seconds: 1.500, 2 */
void prom_put_value(struct json_out *o, double v);  /* "1.5" */
/* {"resultType":...,"result":...}: the result of a query. limit 0: all; *truncated says that there was more. */
void prom_put_result(struct json_out *o, const struct promql_result *r, size_t limit, bool *truncated);
/* "explain": the tree with what each node cost. */
void prom_put_explain(struct json_out *o, const struct node *root, const struct promql_cost *costs);
/* The tree of an expression as /api/v1/parse_query shows it. */
void prom_put_tree(struct json_out *o, const struct node *n);

typedef void prom_handler(void *app, struct http_exchange *x);
prom_handler prom_query, prom_query_range, prom_format_query, prom_parse_query;
prom_handler prom_read;
prom_handler prom_series, prom_labels, prom_label_values, prom_metadata, prom_exemplars, prom_federate;
prom_handler prom_targets, prom_targets_metadata, prom_scrape_pools, prom_rules, prom_alerts, prom_alertmanagers;
prom_handler prom_config, prom_flags, prom_runtimeinfo, prom_buildinfo, prom_tsdb_status, prom_tsdb_blocks, prom_walreplay, prom_features,
    prom_notifications;
prom_handler prom_delete_series, prom_clean_tombstones, prom_snapshot;
