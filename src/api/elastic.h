/* api/elastic: what the files of the Elasticsearch API share. The routes answer as Elasticsearch 8.19 does, for what log shippers, Grafana, Jaeger
 * and the official clients use (REST API reference, Elastic, 8.x); anything else is refused by name in Elasticsearch's error form.
 *
 *   elastic.c         routes, replies, errors, cluster and index endpoints
 *   elastic_cat.c     _cat
 *   elastic_resources.c  templates, pipelines, policies: accepted and remembered
 *   elastic_filter.c  ?filter_path and ?pretty
 *   elastic_index.c   index expressions: names, commas, '*', '-exclusion', <date{now/d}>
 *   elastic_bulk.c    _bulk, _doc, _create
 *   elastic_request.c _search, _msearch, _count, _doc, scroll, point in time: request -> job
 *   elastic_search.c  one search: parse, scan, reply
 *   elastic_dsl.c     query DSL -> filter
 *   elastic_hits.c    _source filtering, fields, highlight
 *   elastic_sort.c    sort keys and values, filters on rows
 *   elastic_aggs.c    aggregations (…_parse, …_collect, …_put, …_pipeline)
 *
 * Handlers run on the loop thread. Searches run in the pool on a snapshot. */
#pragma once
#include "api/app.h"
#include "codec/json.h"
#include "query/lucene/lucene.h"

enum { ES_WINDOW_MAX = 10000 /* index.max_result_window */, ES_TOTAL_DEFAULT = 10000 };

/* --- replies: all carry X-Elastic-Product, honour ?pretty and ?filter_path, and move the buffer. */
void es_reply(struct http_exchange *x, int status, struct buf *json);
void es_reply_text(struct http_exchange *x, int status, str text);
void es_send(struct http_exchange *x, int status, struct buf *body, str content_type); /* as it is */
struct es_error {
    int status;
    const char *type;
    str reason, index; /* index: "" or the one that is missing */
};
void es_reply_error(struct http_exchange *x, struct es_error error);
void es_put_error(struct json_out *o, struct es_error error); /* the members "error" and "status" of an open object */
/* From our own error codes. */
struct es_error es_error_of(const struct err *e);
/* {"acknowledged":true} */
void es_reply_acknowledged(struct http_exchange *x);
/* Prints json again, keeping only what the comma-separated paths ("hits.hits._source,-took") name. Bad JSON: false. */
bool es_filter_path(str json, str paths, bool pretty, struct arena *a, struct buf *out);

/* --- parameters */
bool es_flag(const struct http_exchange *x, str name, bool otherwise); /* "", "true": true; "false": false */

/* --- indices created by PUT, which may have no documents yet: names only. Loop thread. */
struct es_names {
    const str *p;
    size_t n;
};
struct es_names es_created(struct app *app);

/* --- index expressions */
struct es_indices {
    str *names; /* those that exist and are meant, sorted */
    uint64_t *events;
    size_t n;
    bool all;    /* no expression, "_all" or "*": no filter is needed */
    str missing; /* a name without '*' that does not exist; "" */
};
/* The index of events that were not pushed as documents. */
#define ES_LOGS_INDEX STR("logs")
/* Loop thread; results in a. */
void es_indices_resolve(struct app *app, str expression, struct arena *a, struct es_indices *out);
/* Events of these indices; NULL: of all. */
const struct filter *es_indices_filter(const struct es_indices *i, struct arena *a);
str es_index_of(str stream_index);
str es_date_name(str name, struct arena *a); /* <logs-{now/d}> as of now; any other name as it is */

/* --- elastic_resources.c's own state, made when needed */
struct es_resources;
struct es_resources *es_resources(struct app *app);
struct es_resources *es_resources_new(void);
void es_resources_free(struct es_resources *s); /* NULL is fine */

/* Resolves an index expression; answers 404 itself (false) when a plain name is missing and that is not to be ignored. */
bool es_resolve(struct app *app, struct http_exchange *x, str expression, struct es_indices *out);
/* Bytes of an index: its share, by documents, of what the store takes. */
uint64_t es_index_bytes(const struct evdb_stats *s, uint64_t docs);

/* --- handlers of the other files */
void es_cat_indices(void *app, struct http_exchange *x);
void es_cat_health(void *app, struct http_exchange *x);
void es_cat_count(void *app, struct http_exchange *x);
void es_cat_nodes(void *app, struct http_exchange *x);
void es_resource_put(void *app, struct http_exchange *x);
void es_resource_get(void *app, struct http_exchange *x);
void es_resource_delete(void *app, struct http_exchange *x);
void es_doc_update(void *app, struct http_exchange *x);
void es_mget(void *app, struct http_exchange *x);
void es_source_get(void *app, struct http_exchange *x);
void es_bulk(void *app, struct http_exchange *x);
void es_doc_put(void *app, struct http_exchange *x);
void es_doc_get(void *app, struct http_exchange *x);
void es_search(void *app, struct http_exchange *x);
void es_msearch(void *app, struct http_exchange *x);
void es_count(void *app, struct http_exchange *x);
void es_scroll(void *app, struct http_exchange *x);
void es_pit_open(void *app, struct http_exchange *x);
void es_pit_close(void *app, struct http_exchange *x);
void es_validate(void *app, struct http_exchange *x);
