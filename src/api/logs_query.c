#include "api/logs_query.h"

#include "api/elastic_dsl.h"
#include "base/clock.h"
#include "query/lucene/leaf.h"

struct logs_query logs_query_read(const struct http_exchange *x, struct arena *a) {
    return (struct logs_query){arena_str(a, str_trim(http_param(x, STR("q")))), arena_str(a, str_trim(http_param(x, STR("dsl"))))};
}

struct fields logs_query_fields(struct app *app, struct arena *a) {
    struct field_info *list;
    size_t n;
    evdb_fields(app->store->events, EVENT_LOG, a, &list, &n);
    return fields_open(list, n);
}

static bool from_lucene(str text, const struct fields *fields, struct arena *a, const struct filter **out, struct err *e) {
    struct lucene_options o = {
        .fields = fields, .default_and = true, .lenient = true, .analyze_wildcard = true, .dates = {.now_ns = clock_wall_ns()}};
    return lucene_filter(text, &o, a, out, e);
}

static bool from_dsl(str text, const struct fields *fields, struct arena *a, const struct filter **out, struct err *e) {
    struct json j = json_open(text, a);
    struct value query;
    bool read = json_value(&j, &query);
    if (!json_done(&j, e) || !read) return err_wrap(e, "parameter dsl");
    return es_dsl_filter(&(struct es_dsl){.arena = a, .fields = fields, .now_ns = clock_wall_ns()}, &query, out, e);
}

bool logs_query_filter(const struct logs_query *q, const struct fields *fields, struct arena *a, const struct filter **out, struct err *e) {
    const struct filter *both[2] = {0};
    if (q->lucene.n && !from_lucene(q->lucene, fields, a, &both[0], e)) return false;
    if (q->dsl.n && !from_dsl(q->dsl, fields, a, &both[1], e)) return false;
    *out = both[0] && both[1] ? filter_join(a, FILTER_AND, both, 2) : both[0] ? both[0] : both[1];
    return true;
}
