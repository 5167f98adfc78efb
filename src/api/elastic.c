#include "api/elastic.h"

#include <stdlib.h>

#include "api/elastic_dsl.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/vec.h"
#include "codec/text.h"
#include "codec/words.h"

#define ES_VERSION "8.19.0"

/* --- replies */

static const struct http_pair product[] = {{{"X-Elastic-Product", 17}, {"Elasticsearch", 13}}};

void es_send(struct http_exchange *x, int status, struct buf *json, str content_type) {
    http_reply(x, (struct http_reply){.status = status, .content_type = content_type, .body_buf = json, .headers = product, .header_n = 1});
}

bool es_flag(const struct http_exchange *x, str name, bool otherwise) {
    if (!http_has_param(x, name)) return otherwise;
    return !str_eq(http_param(x, name), STR("false"));
}

void es_reply(struct http_exchange *x, int status, struct buf *json) {
    str paths = http_param(x, STR("filter_path"));
    bool pretty = http_has_param(x, STR("pretty")) && es_flag(x, STR("pretty"), false);
    struct buf filtered = {0};
    if ((paths.n || pretty) && es_filter_path(buf_str(json), paths, pretty, x->arena, &filtered)) {
        buf_done(json);
        es_send(x, status, &filtered, STR("application/json"));
        return;
    }
    buf_done(&filtered);
    es_send(x, status, json, STR("application/json"));
}
void es_reply_text(struct http_exchange *x, int status, str text) {
    http_reply(
        x, (struct http_reply){.status = status, .content_type = STR("text/plain; charset=UTF-8"), .body = text, .headers = product, .header_n = 1});
}
void es_reply_acknowledged(struct http_exchange *x) {
    struct buf b = {0};
    buf_add(&b, STR("{\"acknowledged\":true}"));
    es_reply(x, 200, &b);
}

static void put_cause(struct json_out *o, struct es_error e) {
    json_put_key_c(o, "type");
    json_put_string(o, str_c(e.type));
    json_put_key_c(o, "reason");
    json_put_string(o, e.reason);
    if (!e.index.n) return;
    json_put_key_c(o, "index");
    json_put_string(o, e.index);
}
void es_put_error(struct json_out *o, struct es_error e) {
    json_put_key_c(o, "error");
    json_put_object(o);
    json_put_key_c(o, "root_cause");
    json_put_array(o);
    json_put_object(o);
    put_cause(o, e);
    json_put_object_end(o);
    json_put_array_end(o);
    put_cause(o, e);
    json_put_object_end(o);
    json_put_key_c(o, "status");
    json_put_i64(o, e.status);
}
static void error_json(struct buf *b, struct es_error e) {
    struct json_out o = {.buf = b};
    json_put_object(&o);
    es_put_error(&o, e);
    json_put_object_end(&o);
}
void es_reply_error(struct http_exchange *x, struct es_error error) {
    struct buf b = {0};
    error_json(&b, error);
    es_reply(x, error.status, &b);
}
struct es_error es_error_of(const struct err *e) {
    static const char *const types[] = {
        [ERR_NONE] = "exception",
        [ERR_INPUT] = "parsing_exception",
        [ERR_NOT_FOUND] = "resource_not_found_exception",
        [ERR_LIMIT] = "es_rejected_execution_exception",
        [ERR_TIMEOUT] = "timeout_exception",
        [ERR_CANCELED] = "task_cancelled_exception",
        [ERR_IO] = "io_exception",
        [ERR_CORRUPT] = "corrupt_index_exception",
        [ERR_UNSUPPORTED] = "unsupported_operation_exception",
        [ERR_TOO_LARGE] = "content_too_long_exception",
    };
    return (struct es_error){.status = err_http_status(e->code), .type = types[e->code], .reason = err_str(e)};
}
bool elastic_error_body(void *app, const struct http_exchange *x, int status, str reason, struct buf *out, str *content_type) {
    (void)app;
    if (!x->door || x->door->kind != DOOR_ELASTIC) return false;
    error_json(out, (struct es_error){
                        .status = status, .type = status == 413 ? "content_too_long_exception" : "illegal_argument_exception", .reason = reason});
    *content_type = STR("application/json");
    return true;
}

/* --- created indices */

enum { CREATED_MAX = 10000 };
struct es_state {
    VEC(str) created; /* sorted is not needed: there are few */
    struct es_resources *resources;
};

static struct es_state *state(struct app *app) {
    if (!app->elastic) app->elastic = mem_zalloc(sizeof *app->elastic);
    return app->elastic;
}
void elastic_state_free(struct es_state *s) {
    if (!s) return;
    for (size_t i = 0; i < s->created.n; i++) free((void *)(uintptr_t)s->created.p[i].p);
    vec_done(&s->created);
    es_resources_free(s->resources);
    free(s);
}
struct es_resources *es_resources(struct app *app) {
    struct es_state *s = state(app);
    if (!s->resources) s->resources = es_resources_new();
    return s->resources;
}
struct es_names es_created(struct app *app) {
    struct es_state *s = state(app);
    return (struct es_names){s->created.p, s->created.n};
}
static void remember(struct app *app, str name) {
    char *copy = mem_alloc(name.n + 1);
    memcpy(copy, name.p, name.n);
    vec_push(&state(app)->created, str_n(copy, name.n));
}
static void forget(struct app *app, str name) {
    struct es_state *s = state(app);
    for (size_t i = 0; i < s->created.n; i++) {
        if (!str_eq(s->created.p[i], name)) continue;
        free((void *)(uintptr_t)s->created.p[i].p);
        s->created.p[i] = s->created.p[--s->created.n];
        return;
    }
}

static void reply_missing(struct http_exchange *x, str index) {
    str reason = arena_printf(x->arena, "no such index [%" STR_F "]", STR_A(index));
    es_reply_error(x, (struct es_error){.status = 404, .type = "index_not_found_exception", .reason = reason, .index = index});
}
bool es_resolve(struct app *app, struct http_exchange *x, str expression, struct es_indices *out) {
    es_indices_resolve(app, expression, x->arena, out);
    if (!out->missing.n || es_flag(x, STR("ignore_unavailable"), false)) return true;
    reply_missing(x, out->missing);
    return false;
}

/* --- cluster */

static bool wants_page(struct http_exchange *x) {
    return str_find(http_header(x, STR("Accept")), STR("text/html")) != STR_NONE;
}
/* A browser at this door gets the page at its own URLs. */
static bool serve_page(struct app *app, struct http_exchange *x) {
    if (!wants_page(x)) return false;
    for (const struct http_route *r = ui_routes; r->pattern; r++) {
        if (!str_eq_c(x->path, r->pattern)) continue;
        r->handle(app, x);
        return true;
    }
    return false;
}

static void info(void *app, struct http_exchange *x) {
    (void)app;
    if (wants_page(x)) {
        const struct http_pair to[] = {{STR("Location"), STR("/logs")}};
        http_reply(x, (struct http_reply){.status = 302, .content_type = STR("text/plain"), .headers = to, .header_n = 1});
        return;
    }
    struct buf b = {0};
    buf_add(
        &b,
        STR("{\"name\":\"binnacle\",\"cluster_name\":\"binnacle\",\"cluster_uuid\":\"binnacle-" BN_VERSION "\",\"version\":{\"number\":\"" ES_VERSION
            "\",\"build_flavor\":\"default\",\"build_type\":\"tar\",\"build_hash\":\"binnacle\",\"build_date\":\"2025-07-23T22:10:57.067596412Z\","
            "\"build_snapshot\":false,\"lucene_version\":\"9.12.1\",\"minimum_wire_compatibility_version\":\"7.17.0\","
            "\"minimum_index_compatibility_version\":\"7.0.0\"},\"tagline\":\"You Know, for Search\"}"));
    es_reply(x, 200, &b);
}

static void cluster_health(void *app, struct http_exchange *x) {
    struct es_indices i;
    es_indices_resolve(app, x->captures[0], x->arena, &i);
    struct buf b = {0};
    buf_printf(&b,
               "{\"cluster_name\":\"binnacle\",\"status\":\"green\",\"timed_out\":false,\"number_of_nodes\":1,\"number_of_data_nodes\":1,"
               "\"active_primary_shards\":%zu,\"active_shards\":%zu,\"relocating_shards\":0,\"initializing_shards\":0,\"unassigned_shards\":0,"
               "\"delayed_unassigned_shards\":0,\"number_of_pending_tasks\":0,\"number_of_in_flight_fetch\":0,"
               "\"task_max_waiting_in_queue_millis\":0,\"active_shards_percent_as_number\":100.0}",
               i.n, i.n);
    es_reply(x, 200, &b);
}

static void nodes(void *arg, struct http_exchange *x) {
    (void)arg;
    struct buf b = {0};
    buf_printf(&b,
               "{\"_nodes\":{\"total\":1,\"successful\":1,\"failed\":0},\"cluster_name\":\"binnacle\",\"nodes\":{\"binnacle\":{\"name\":\"binnacle\","
               "\"version\":\"" ES_VERSION "\",\"roles\":[\"data\",\"ingest\",\"master\"],\"http\":{\"bound_address\":[\"%" STR_F
               "\"],\"publish_address\":\"%" STR_F "\"}}}}",
               STR_A(x->door->address), STR_A(x->door->address));
    es_reply(x, 200, &b);
}

static void license(void *arg, struct http_exchange *x) {
    (void)arg;
    struct buf b = {0};
    buf_add(&b,
            STR("{\"license\":{\"status\":\"active\",\"uid\":\"binnacle\",\"type\":\"basic\",\"issue_date\":\"1970-01-01T00:00:00.000Z\","
                "\"issue_date_in_millis\":0,\"max_nodes\":1000,\"issued_to\":\"binnacle\",\"issuer\":\"binnacle\",\"start_date_in_millis\":-1}}"));
    es_reply(x, 200, &b);
}

static void acknowledge(void *arg, struct http_exchange *x) {
    (void)arg;
    es_reply_acknowledged(x);
}
static void shards_done(void *arg, struct http_exchange *x) {
    (void)arg;
    struct buf b = {0};
    buf_add(&b, STR("{\"_shards\":{\"total\":1,\"successful\":1,\"failed\":0}}"));
    es_reply(x, 200, &b);
}
static void cluster_settings(void *arg, struct http_exchange *x) {
    (void)arg;
    struct buf b = {0};
    buf_add(&b, STR("{\"persistent\":{},\"transient\":{}}"));
    es_reply(x, 200, &b);
}
static void immutable(void *arg, struct http_exchange *x) {
    (void)arg;
    es_reply_error(x, (struct es_error){.status = 400,
                                        .type = "unsupported_operation_exception",
                                        .reason = STR("documents are immutable and leave with their retention: delete and rewrite are not offered")});
}
/* What is accepted and not even remembered; asked for one, none is known, so that clients put theirs. */
static void no_such_resource(void *arg, struct http_exchange *x) {
    (void)arg;
    str reason = arena_printf(x->arena, "%" STR_F " is not kept: fields are mapped by what documents hold", STR_A(x->path));
    es_reply_error(x, (struct es_error){.status = 404, .type = "resource_not_found_exception", .reason = reason});
}

/* --- indices */

static void index_create(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    str name = es_date_name(x->captures[0], x->arena);
    struct es_indices i;
    es_indices_resolve(app, name, x->arena, &i);
    if (!i.missing.n && i.n) {
        str reason = arena_printf(x->arena, "index [%" STR_F "] already exists", STR_A(name));
        es_reply_error(x, (struct es_error){.status = 400, .type = "resource_already_exists_exception", .reason = reason, .index = name});
        return;
    }
    bool bad = name.n == 0 || name.n > 255 || strchr("-_+.", name.p[0]);
    for (size_t k = 0; k < name.n; k++) bad |= (name.p[k] >= 'A' && name.p[k] <= 'Z') || strchr("\\/*?\"<>| ,#:", name.p[k]);
    if (bad || es_created(app).n >= CREATED_MAX) {
        str reason = arena_printf(
            x->arena, "Invalid index name [%" STR_F "], must be lowercase, not start with - _ + . and hold none of \\/*?\"<>| ,#:", STR_A(name));
        es_reply_error(x, (struct es_error){.status = 400, .type = "invalid_index_name_exception", .reason = reason, .index = name});
        return;
    }
    remember(app, name);
    struct buf b = {0};
    struct json_out o = {.buf = &b};
    json_put_object(&o);
    json_put_key_c(&o, "acknowledged");
    json_put_bool(&o, true);
    json_put_key_c(&o, "shards_acknowledged");
    json_put_bool(&o, true);
    json_put_key_c(&o, "index");
    json_put_string(&o, name);
    json_put_object_end(&o);
    es_reply(x, 200, &b);
}

static void index_delete(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    struct es_indices i;
    if (!es_resolve(app, x, x->captures[0], &i)) return;
    for (size_t k = 0; k < i.n; k++) {
        if (!i.events[k]) continue;
        str reason = arena_printf(x->arena, "index [%" STR_F "] holds documents: deleting them is not offered, they end with their retention",
                                  STR_A(i.names[k]));
        es_reply_error(x, (struct es_error){.status = 501, .type = "unsupported_operation_exception", .reason = reason, .index = i.names[k]});
        return;
    }
    for (size_t k = 0; k < i.n; k++) forget(app, i.names[k]);
    es_reply_acknowledged(x);
}

static void index_exists(void *arg, struct http_exchange *x) {
    struct es_indices i;
    es_indices_resolve(arg, x->captures[0], x->arena, &i);
    es_reply_text(x, i.missing.n ? 404 : 200, STR(""));
}

/* Nested properties of one level: the dotted names below `prefix`. */
static void put_properties(struct json_out *o, const struct field_info *list, size_t n, str prefix, unsigned depth) {
    json_put_object(o);
    str last = STR_NULL;
    for (size_t i = 0; i < n; i++) {
        if (!str_starts(list[i].name, prefix)) continue;
        str rest = str_from(list[i].name, prefix.n), head;
        str tail = rest;
        bool object = str_cut(&tail, '.', &head) && depth < JSON_DEPTH_MAX / 3;
        if (!object) head = rest;
        if (last.p && str_eq(last, head)) continue;
        last = head;
        unsigned kinds = field_info_kinds(&list[i]);
        json_put_key(o, head);
        json_put_object(o);
        if (object) {
            json_put_key_c(o, "properties");
            put_properties(o, list, n, str_n(list[i].name.p, prefix.n + head.n + 1), depth + 1);
        } else {
            json_put_key_c(o, "type");
            json_put_string(o, kinds ? str_c(field_kind_name(kinds)) : STR("object"));
            if (kinds & KIND_TEXT) {
                json_put_key_c(o, "fields");
                json_put_raw(o, STR("{\"keyword\":{\"type\":\"keyword\",\"ignore_above\":256}}"));
            }
        }
        json_put_object_end(o);
    }
    json_put_object_end(o);
}

static int compare_field(const void *x, const void *y) {
    return str_cmp(((const struct field_info *)x)->name, ((const struct field_info *)y)->name);
}
/* The catalogue, with @timestamp, sorted by name. */
static struct field_info *catalogue(struct app *app, struct arena *a, size_t *n) {
    struct field_info *list, *all;
    size_t list_n;
    evdb_fields(app->store->events, EVENT_LOG, a, &list, &list_n);
    all = arena_new_n(a, struct field_info, list_n + 1);
    *n = 0;
    for (size_t i = 0; i < list_n; i++)
        if (!str_eq(list[i].name, STR("@timestamp")) && !str_eq(list[i].name, STR("_id")) && !str_eq(list[i].name, STR("_index")))
            all[(*n)++] = list[i];
    all[(*n)++] = (struct field_info){.name = STR("@timestamp"), .types = 1u << VAL_STRING, .all_dates = true};
    qsort(all, *n, sizeof *all, compare_field);
    return all;
}

static void mapping(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    struct es_indices i;
    if (!es_resolve(app, x, x->captures[0], &i)) return;
    size_t n;
    struct field_info *list = catalogue(app, x->arena, &n);
    bool with_aliases = !str_ends(x->path, STR("_mapping")) && !str_ends(x->path, STR("_mappings"));
    struct buf b = {0};
    struct json_out o = {.buf = &b};
    json_put_object(&o);
    for (size_t k = 0; k < i.n; k++) {
        json_put_key(&o, i.names[k]);
        json_put_object(&o);
        if (with_aliases) {
            json_put_key_c(&o, "aliases");
            json_put_raw(&o, STR("{}"));
        }
        json_put_key_c(&o, "mappings");
        json_put_object(&o);
        json_put_key_c(&o, "properties");
        put_properties(&o, list, n, STR(""), 0);
        json_put_object_end(&o);
        if (with_aliases) {
            json_put_key_c(&o, "settings");
            str flat = es_flag(x, STR("flat_settings"), false) ? STR("{\"index.number_of_shards\":\"1\",\"index.number_of_replicas\":\"0\"}")
                                                               : STR("{\"index\":{\"number_of_shards\":\"1\",\"number_of_replicas\":\"0\"}}");
            json_put_raw(&o, flat);
        }
        json_put_object_end(&o);
    }
    json_put_object_end(&o);
    es_reply(x, 200, &b);
}
static void index_get(void *arg, struct http_exchange *x) {
    if (!serve_page(arg, x)) mapping(arg, x);
}

static void put_caps(struct json_out *o, const char *type, bool aggregatable) {
    json_put_key(o, str_c(type));
    json_put_object(o);
    json_put_key_c(o, "type");
    json_put_string(o, str_c(type));
    json_put_key_c(o, "metadata_field");
    json_put_bool(o, false);
    json_put_key_c(o, "searchable");
    json_put_bool(o, true);
    json_put_key_c(o, "aggregatable");
    json_put_bool(o, aggregatable);
    json_put_object_end(o);
}
static bool name_wanted(str list, str name) {
    str part;
    for (bool more = true; more;) {
        more = str_cut(&list, ',', &part);
        struct filter f = {.op = FILTER_EXISTS, .field = part};
        if (str_eq(part, name) || (str_find_char(part, '*') != STR_NONE && filter_field_fits(&f, name))) return true;
    }
    return false;
}
static void put_field_caps(struct json_out *o, const struct field_info *info, str wanted, struct arena *a) {
    unsigned kinds = field_info_kinds(info);
    if (!kinds) return;
    if (name_wanted(wanted, info->name)) {
        json_put_key(o, info->name);
        json_put_object(o);
        for (unsigned bit = KIND_TEXT; bit <= KIND_DATE; bit <<= 1)
            if (kinds & bit) put_caps(o, field_kind_name(bit), bit != KIND_TEXT);
        json_put_object_end(o);
    }
    str keyword = arena_printf(a, "%" STR_F ".keyword", STR_A(info->name));
    if (!(kinds & KIND_TEXT) || !name_wanted(wanted, keyword)) return;
    json_put_key(o, keyword);
    json_put_object(o);
    put_caps(o, "keyword", true);
    json_put_object_end(o);
}
/* {"index_filter": query}: it only has to be one; every index here has the same fields. */
static bool index_filter_ok(const struct http_exchange *x, const struct fields *fields, struct err *e) {
    struct value body = {.type = VAL_NULL};
    if (str_trim(x->body).n == 0) return true;
    struct json j = json_open(x->body, x->arena);
    json_value(&j, &body);
    if (!json_done(&j, e)) return false;
    const struct es_dsl dsl = {.arena = x->arena, .fields = fields, .now_ns = x->start_ns};
    const struct filter *ignored;
    return es_dsl_filter(&dsl, es_get(&body, "index_filter"), &ignored, e);
}
static void field_caps(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    struct es_indices i;
    if (!es_resolve(app, x, x->captures[0], &i)) return;
    size_t n;
    struct field_info *list = catalogue(app, x->arena, &n);
    struct fields fields = fields_open(list, n);
    struct err e;
    bool ok = index_filter_ok(x, &fields, &e);
    fields_done(&fields);
    if (!ok) {
        es_reply_error(x, es_error_of(&e));
        return;
    }
    str wanted = http_param(x, STR("fields"));
    if (!wanted.n) wanted = STR("*");
    struct buf b = {0};
    struct json_out o = {.buf = &b};
    json_put_object(&o);
    json_put_key_c(&o, "indices");
    json_put_array(&o);
    for (size_t k = 0; k < i.n; k++) json_put_string(&o, i.names[k]);
    json_put_array_end(&o);
    json_put_key_c(&o, "fields");
    json_put_object(&o);
    for (size_t k = 0; k < n && i.n; k++) put_field_caps(&o, &list[k], wanted, x->arena);
    json_put_object_end(&o);
    json_put_object_end(&o);
    es_reply(x, 200, &b);
}

static void put_stats(struct json_out *o, uint64_t docs, uint64_t bytes) {
    static const str parts[] = {STR_INIT("primaries"), STR_INIT("total")};
    for (size_t i = 0; i < ARRAY_N(parts); i++) {
        json_put_key(o, parts[i]);
        struct buf b = {0};
        buf_printf(&b, "{\"docs\":{\"count\":%llu,\"deleted\":0},\"store\":{\"size_in_bytes\":%llu},\"segments\":{\"count\":1}}",
                   (unsigned long long)docs, (unsigned long long)bytes);
        json_put_raw(o, buf_str(&b));
        buf_done(&b);
    }
}
uint64_t es_index_bytes(const struct evdb_stats *s, uint64_t docs) {
    uint64_t all = s->kind[EVENT_LOG].head_events + s->kind[EVENT_LOG].part_events;
    uint64_t bytes = s->kind[EVENT_LOG].head_bytes + s->kind[EVENT_LOG].part_bytes;
    return all ? (uint64_t)((double)bytes * (double)docs / (double)all) : 0;
}
static void index_stats(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    struct es_indices i;
    if (!es_resolve(app, x, x->captures[0], &i)) return;
    struct evdb_stats stats;
    evdb_stats(app->store->events, &stats);
    uint64_t docs = 0;
    for (size_t k = 0; k < i.n; k++) docs += i.events[k];
    struct buf b = {0};
    struct json_out o = {.buf = &b};
    json_put_object(&o);
    json_put_key_c(&o, "_shards");
    json_put_raw(&o, STR("{\"total\":1,\"successful\":1,\"failed\":0}"));
    json_put_key_c(&o, "_all");
    json_put_object(&o);
    put_stats(&o, docs, es_index_bytes(&stats, docs));
    json_put_object_end(&o);
    json_put_key_c(&o, "indices");
    json_put_object(&o);
    for (size_t k = 0; k < i.n; k++) {
        json_put_key(&o, i.names[k]);
        json_put_object(&o);
        put_stats(&o, i.events[k], es_index_bytes(&stats, i.events[k]));
        json_put_object_end(&o);
    }
    json_put_object_end(&o);
    json_put_object_end(&o);
    es_reply(x, 200, &b);
}

static void cluster_stats(void *app, struct http_exchange *x) {
    struct evdb_stats stats;
    struct es_indices i;
    evdb_stats(((struct app *)app)->store->events, &stats);
    es_indices_resolve(app, STR(""), x->arena, &i);
    uint64_t docs = 0;
    for (size_t k = 0; k < i.n; k++) docs += i.events[k];
    struct buf b = {0};
    buf_printf(
        &b,
        "{\"_nodes\":{\"total\":1,\"successful\":1,\"failed\":0},\"cluster_name\":\"binnacle\",\"status\":\"green\",\"indices\":{\"count\":%zu,"
        "\"docs\":{\"count\":%llu,\"deleted\":0},\"store\":{\"size_in_bytes\":%llu}},\"nodes\":{\"count\":{\"total\":1},\"versions\":[\"" ES_VERSION
        "\"]}}",
        i.n, (unsigned long long)docs, (unsigned long long)es_index_bytes(&stats, docs));
    es_reply(x, 200, &b);
}

/* The leaf named: {"INDEX":{"mappings":{"a.b":{"full_name":"a.b","mapping":{"b":{"type":..}}}}}} */
static void field_mapping(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    struct es_indices i;
    if (!es_resolve(app, x, x->captures[0], &i)) return;
    size_t n;
    struct field_info *list = catalogue(app, x->arena, &n);
    struct buf b = {0};
    struct json_out o = {.buf = &b};
    json_put_object(&o);
    for (size_t k = 0; k < i.n; k++) {
        json_put_key(&o, i.names[k]);
        json_put_object(&o);
        json_put_key_c(&o, "mappings");
        json_put_object(&o);
        for (size_t f = 0; f < n; f++) {
            unsigned kinds = field_info_kinds(&list[f]);
            if (!kinds || !name_wanted(x->captures[1], list[f].name)) continue;
            str leaf = list[f].name, head;
            while (str_find_char(leaf, '.') != STR_NONE) str_cut(&leaf, '.', &head);
            json_put_key(&o, list[f].name);
            json_put_object(&o);
            json_put_key_c(&o, "full_name");
            json_put_string(&o, list[f].name);
            json_put_key_c(&o, "mapping");
            json_put_object(&o);
            json_put_key(&o, leaf);
            json_put_object(&o);
            json_put_key_c(&o, "type");
            json_put_string(&o, str_c(field_kind_name(kinds)));
            json_put_object_end(&o);
            json_put_object_end(&o);
            json_put_object_end(&o);
        }
        json_put_object_end(&o);
        json_put_object_end(&o);
    }
    json_put_object_end(&o);
    es_reply(x, 200, &b);
}

static void resolve_index(void *arg, struct http_exchange *x) {
    struct es_indices i;
    if (!es_resolve(arg, x, x->captures[0], &i)) return;
    struct buf b = {0};
    struct json_out o = {.buf = &b};
    json_put_object(&o);
    json_put_key_c(&o, "indices");
    json_put_array(&o);
    for (size_t k = 0; k < i.n; k++) {
        json_put_object(&o);
        json_put_key_c(&o, "name");
        json_put_string(&o, i.names[k]);
        json_put_key_c(&o, "attributes");
        json_put_raw(&o, STR("[\"open\"]"));
        json_put_object_end(&o);
    }
    json_put_array_end(&o);
    json_put_key_c(&o, "aliases");
    json_put_raw(&o, STR("[]"));
    json_put_key_c(&o, "data_streams");
    json_put_raw(&o, STR("[]"));
    json_put_object_end(&o);
    es_reply(x, 200, &b);
}

static void aliases(void *arg, struct http_exchange *x) {
    struct es_indices i;
    es_indices_resolve(arg, STR(""), x->arena, &i);
    struct buf b = {0};
    struct json_out o = {.buf = &b};
    json_put_object(&o);
    for (size_t k = 0; k < i.n; k++) {
        json_put_key(&o, i.names[k]);
        json_put_raw(&o, STR("{\"aliases\":{}}"));
    }
    json_put_object_end(&o);
    es_reply(x, 200, &b);
}

static uint64_t utf16_length(str s) {
    uint64_t n = 0;
    uint32_t cp;
    for (size_t at = 0; at<s.n; n += cp> 0xffff ? 2 : 1) at += utf8_next(str_from(s, at), &cp);
    return n;
}

/* --- _analyze: what the standard analyzer makes of a text */
static void analyze(void *arg, struct http_exchange *x) {
    (void)arg;
    struct value body = {0};
    struct err e;
    struct json j = json_open(x->body, x->arena);
    json_value(&j, &body);
    if (!json_done(&j, &e)) {
        es_reply_error(x, es_error_of(&e));
        return;
    }
    const struct value *text = body.type == VAL_MAP ? fields_get(body.fields, body.n, STR("text")) : NULL;
    const struct value *analyzer = body.type == VAL_MAP ? fields_get(body.fields, body.n, STR("analyzer")) : NULL;
    if (!text || text->type != VAL_STRING || (analyzer && (analyzer->type != VAL_STRING || !str_eq(analyzer->s, STR("standard"))))) {
        es_reply_error(x, (struct es_error){.status = 400,
                                            .type = "illegal_argument_exception",
                                            .reason = STR("expected {\"text\": \"...\"}; the only analyzer is [standard]")});
        return;
    }
    struct buf b = {0};
    struct json_out o = {.buf = &b};
    json_put_object(&o);
    json_put_key_c(&o, "tokens");
    json_put_array(&o);
    struct words w = words_open(text->s, x->arena);
    for (struct word word; words_next(&w, &word);) {
        json_put_object(&o);
        json_put_key_c(&o, "token");
        json_put_string(&o, word.text);
        json_put_key_c(&o, "start_offset");
        json_put_u64(&o, utf16_length(str_sub(text->s, 0, word.from)));
        json_put_key_c(&o, "end_offset");
        json_put_u64(&o, utf16_length(str_sub(text->s, 0, word.to)));
        json_put_key_c(&o, "position");
        json_put_u64(&o, word.position);
        json_put_object_end(&o);
    }
    json_put_array_end(&o);
    json_put_object_end(&o);
    es_reply(x, 200, &b);
}

enum { BOTH = DOOR_MAIN | DOOR_ELASTIC, GET_POST = HTTP_GET | HTTP_POST, PUT_POST = HTTP_PUT | HTTP_POST };
#define RESOURCE(path)                                                                                                                             \
    {PUT_POST, path "/:name", es_resource_put, BOTH}, {HTTP_GET, path, es_resource_get, BOTH}, {HTTP_GET, path "/:name", es_resource_get, BOTH}, { \
        HTTP_DELETE, path "/:name", es_resource_delete, BOTH                                                                                       \
    }
const struct http_route elastic_routes[] = {
    {HTTP_GET, "/", info, DOOR_ELASTIC},
    {PUT_POST, "/_bulk", es_bulk, BOTH},
    {PUT_POST, "/:index/_bulk", es_bulk, BOTH},
    {PUT_POST, "/:index/:type/_bulk", es_bulk, BOTH},
    {GET_POST, "/_search", es_search, BOTH},
    {GET_POST | HTTP_DELETE, "/_search/scroll", es_scroll, BOTH},
    {GET_POST | HTTP_DELETE, "/_search/scroll/:id", es_scroll, BOTH},
    {GET_POST, "/:index/_search", es_search, BOTH},
    {GET_POST, "/_msearch", es_msearch, BOTH},
    {GET_POST, "/:index/_msearch", es_msearch, BOTH},
    {GET_POST, "/_count", es_count, BOTH},
    {GET_POST, "/:index/_count", es_count, BOTH},
    {GET_POST, "/_validate/query", es_validate, BOTH},
    {GET_POST, "/:index/_validate/query", es_validate, BOTH},
    {HTTP_POST, "/:index/_pit", es_pit_open, BOTH},
    {HTTP_DELETE, "/_pit", es_pit_close, BOTH},
    {HTTP_POST, "/:index/_search/point_in_time", es_pit_open, BOTH}, /* OpenSearch */
    {HTTP_DELETE, "/_search/point_in_time", es_pit_close, BOTH},
    {GET_POST, "/_field_caps", field_caps, BOTH},
    {GET_POST, "/:index/_field_caps", field_caps, BOTH},
    {HTTP_GET, "/_mapping", mapping, BOTH},
    {HTTP_GET, "/:index/_mapping", mapping, BOTH},
    {HTTP_GET, "/:index/_mappings", mapping, BOTH},
    {HTTP_GET, "/:index/_mapping/field/:fields", field_mapping, BOTH},
    {PUT_POST, "/:index/_mapping", acknowledge, BOTH},
    {HTTP_GET, "/:index/_settings", mapping, BOTH},
    {HTTP_PUT, "/:index/_settings", acknowledge, BOTH},
    {GET_POST, "/_analyze", analyze, BOTH},
    {GET_POST, "/:index/_analyze", analyze, BOTH},
    {PUT_POST, "/:index/_doc", es_doc_put, BOTH},
    {PUT_POST, "/:index/_doc/:id", es_doc_put, BOTH},
    {PUT_POST, "/:index/_create/:id", es_doc_put, BOTH},
    {HTTP_POST, "/:index/_update/:id", es_doc_update, BOTH},
    {HTTP_GET, "/:index/_doc/:id", es_doc_get, BOTH},
    {HTTP_GET, "/:index/_source/:id", es_source_get, BOTH},
    {GET_POST, "/_mget", es_mget, BOTH},
    {GET_POST, "/:index/_mget", es_mget, BOTH},
    {HTTP_DELETE, "/:index/_doc/:id", immutable, BOTH},
    {HTTP_POST, "/:index/_delete_by_query", immutable, BOTH},
    {HTTP_POST, "/:index/_update_by_query", immutable, BOTH},
    {HTTP_POST, "/_reindex", immutable, BOTH},
    {GET_POST, "/_refresh", shards_done, BOTH},
    {GET_POST, "/:index/_refresh", shards_done, BOTH},
    {GET_POST, "/_flush", shards_done, BOTH},
    {GET_POST, "/:index/_flush", shards_done, BOTH},
    {GET_POST, "/:index/_forcemerge", shards_done, BOTH},
    {HTTP_POST, "/:index/_cache/clear", shards_done, BOTH},
    {HTTP_GET, "/_stats", index_stats, BOTH},
    {HTTP_GET, "/:index/_stats", index_stats, BOTH},
    {HTTP_GET, "/_cat/indices", es_cat_indices, BOTH},
    {HTTP_GET, "/_cat/indices/:index", es_cat_indices, BOTH},
    {HTTP_GET, "/_cat/health", es_cat_health, BOTH},
    {HTTP_GET, "/_cat/count", es_cat_count, BOTH},
    {HTTP_GET, "/_cat/count/:index", es_cat_count, BOTH},
    {HTTP_GET, "/_cat/nodes", es_cat_nodes, BOTH},
    {HTTP_GET, "/_cluster/stats", cluster_stats, BOTH},
    {HTTP_GET, "/_cluster/health", cluster_health, BOTH},
    {HTTP_GET, "/_cluster/health/:index", cluster_health, BOTH},
    {HTTP_PUT, "/_cluster/settings", acknowledge, BOTH},
    {HTTP_GET, "/_cluster/settings", cluster_settings, BOTH},
    {HTTP_GET, "/_resolve/index/:index", resolve_index, BOTH},
    {HTTP_GET, "/_alias", aliases, BOTH},
    {HTTP_GET, "/_aliases", aliases, BOTH},
    {HTTP_POST, "/_aliases", acknowledge, BOTH},
    {PUT_POST | HTTP_DELETE, "/:index/_alias/:name", acknowledge, BOTH},
    {HTTP_GET, "/_nodes", nodes, BOTH},
    {HTTP_GET, "/_nodes/*", nodes, BOTH},
    {HTTP_GET, "/_license", license, BOTH},
    {HTTP_GET, "/_xpack", license, BOTH},
    RESOURCE("/_index_template"),
    RESOURCE("/_component_template"),
    RESOURCE("/_template"),
    RESOURCE("/_ilm/policy"),
    RESOURCE("/_ingest/pipeline"),
    {PUT_POST | HTTP_DELETE, "/_data_stream/:name", acknowledge, BOTH},
    {HTTP_GET, "/_ilm/*", no_such_resource, BOTH},
    {HTTP_GET, "/_ingest/*", no_such_resource, BOTH},
    {HTTP_GET, "/_data_stream/*", no_such_resource, BOTH},
    {HTTP_HEAD, "/:index", index_exists, DOOR_ELASTIC},
    {HTTP_GET, "/:index", index_get, DOOR_ELASTIC},
    {HTTP_PUT, "/:index", index_create, BOTH},
    {HTTP_DELETE, "/:index", index_delete, BOTH},
    {0},
};
