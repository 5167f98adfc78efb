#include "wire/es_bulk.h"

#include <stdio.h>

#include "base/vec.h"
#include "codec/json.h"
#include "codec/timefmt.h"
#include "wire/severity.h"

enum { ITEMS_MAX = 1000000 };

static const char *const op_names[] = {[ES_INDEX] = "index", [ES_CREATE] = "create", [ES_UPDATE] = "update", [ES_DELETE] = "delete"};

const char *es_op_name(enum es_op op) {
    return op_names[op];
}

/* --- what an event takes out of a document ------------------------------------------------------------------------------------------- */

enum role { ROLE_TIME, ROLE_BODY, ROLE_SEVERITY, ROLE_TRACE, ROLE_SPAN, ROLE_N };

/* Earlier rows win. `parent` set: the key inside that object. */
static const struct role_key {
    str key, parent;
    enum role role;
} role_keys[] = {
    {STR_INIT("@timestamp"), STR_INIT(""), ROLE_TIME},   {STR_INIT("timestamp"), STR_INIT(""), ROLE_TIME},
    {STR_INIT("time"), STR_INIT(""), ROLE_TIME},         {STR_INIT("ts"), STR_INIT(""), ROLE_TIME},
    {STR_INIT("message"), STR_INIT(""), ROLE_BODY},      {STR_INIT("log"), STR_INIT(""), ROLE_BODY},
    {STR_INIT("msg"), STR_INIT(""), ROLE_BODY},          {STR_INIT("severity"), STR_INIT(""), ROLE_SEVERITY},
    {STR_INIT("level"), STR_INIT(""), ROLE_SEVERITY},    {STR_INIT("log.level"), STR_INIT(""), ROLE_SEVERITY},
    {STR_INIT("level"), STR_INIT("log"), ROLE_SEVERITY}, {STR_INIT("severity_text"), STR_INIT(""), ROLE_SEVERITY},
    {STR_INIT("trace_id"), STR_INIT(""), ROLE_TRACE},    {STR_INIT("traceId"), STR_INIT(""), ROLE_TRACE},
    {STR_INIT("trace.id"), STR_INIT(""), ROLE_TRACE},    {STR_INIT("id"), STR_INIT("trace"), ROLE_TRACE},
    {STR_INIT("span_id"), STR_INIT(""), ROLE_SPAN},      {STR_INIT("spanId"), STR_INIT(""), ROLE_SPAN},
    {STR_INIT("span.id"), STR_INIT(""), ROLE_SPAN},      {STR_INIT("id"), STR_INIT("span"), ROLE_SPAN},
};

struct roles {
    const struct value *value[ROLE_N];
    uint8_t row[ROLE_N]; /* of role_keys; ARRAY_N: not found */
};

static void find_roles_in(const struct field *f, size_t n, str parent, struct roles *r) {
    for (size_t i = 0; i < n; i++) {
        str key = f[i].key;
        if (key.n < 2 || key.n > 13) continue;
        for (uint8_t row = 0; row < ARRAY_N(role_keys); row++) {
            const struct role_key *k = &role_keys[row];
            if (k->key.n != key.n || k->key.p[0] != key.p[0] || row >= r->row[k->role]) continue;
            if (!str_eq(k->key, key) || !str_eq(k->parent, parent)) continue;
            if (k->role == ROLE_BODY && f[i].value.type != VAL_STRING) continue; /* "log": {...} is no message */
            r->value[k->role] = &f[i].value;
            r->row[k->role] = row;
        }
        if (parent.n == 0 && f[i].value.type == VAL_MAP && key.n <= 5) find_roles_in(f[i].value.fields, f[i].value.n, key, r);
    }
}

static struct roles find_roles(const struct field *f, size_t n) {
    struct roles r = {0};
    memset(r.row, ARRAY_N(role_keys), sizeof r.row);
    find_roles_in(f, n, STR(""), &r);
    return r;
}

/* A number of s, ms, us or ns since 1970, told apart by size: no log is older than 1973 or newer than 5138. */
static bool epoch_ns(double v, bool at_least_ms, int64_t *out_ns) {
    double a = v < 0 ? -v : v;
    double scale = a >= 1e17 ? 1 : a >= 1e14 ? 1e3 : a >= 1e11 || at_least_ms ? 1e6 : 1e9;
    if (!(a * scale < 9.2e18)) return false;
    *out_ns = (int64_t)v * (int64_t)scale + (int64_t)((v - (double)(int64_t)v) * scale);
    return true;
}

static bool read_time(const struct value *v, bool at_least_ms, int64_t *out_ns) {
    int64_t number;
    switch (v->type) {
    case VAL_INT: return epoch_ns((double)v->i, at_least_ms, out_ns);
    case VAL_DOUBLE: return epoch_ns(v->d, at_least_ms, out_ns);
    case VAL_STRING: break;
    case VAL_NULL:
    case VAL_BOOL:
    case VAL_BYTES:
    case VAL_ARRAY:
    case VAL_MAP: return false;
    }
    if (time_parse_rfc3339(v->s, out_ns, NULL)) return true;
    if (str_i64(v->s, &number)) return epoch_ns((double)number, at_least_ms, out_ns);
    if (v->s.n != 10) return false;
    char day[20] = "0000-00-00T00:00:00Z"; /* strict_date_optional_time: the time may be left out */
    memcpy(day, v->s.p, 10);
    return time_parse_rfc3339(str_n(day, sizeof day), out_ns, NULL);
}

static void read_trace_id(const struct value *v, struct trace_id *out) {
    if (v->type != VAL_STRING || v->s.n > 32) return;
    str low = v->s.n > 16 ? str_from(v->s, v->s.n - 16) : v->s;
    struct trace_id id = {0};
    if (!str_hex_u64(low, &id.lo)) return;
    if (v->s.n > 16 && !str_hex_u64(str_sub(v->s, 0, v->s.n - 16), &id.hi)) return;
    *out = id;
}

/* Fills the event from its attrs. false: Elasticsearch would refuse the document too (its @timestamp is no date). */
static bool event_from_doc(struct event *ev, int64_t now_ns, struct err *e) {
    struct roles r = find_roles(ev->attrs, ev->attr_n);
    ev->kind = EVENT_LOG;
    ev->source_doc = true;
    ev->observed_ns = now_ns;
    ev->time_ns = now_ns;
    const struct value *t = r.value[ROLE_TIME];
    bool strict = t && r.row[ROLE_TIME] == 0;
    if (t && !read_time(t, strict, &ev->time_ns) && strict && t->type != VAL_NULL)
        return err_set(e, ERR_INPUT, "failed to parse field [@timestamp] of type [date]: expected RFC 3339 text or milliseconds since 1970");
    if (r.value[ROLE_BODY]) ev->body = r.value[ROLE_BODY]->s;
    const struct value *level = r.value[ROLE_SEVERITY];
    if (level) ev->severity = severity_from_value(level);
    if (level && level->type == VAL_STRING) ev->severity_text = level->s;
    if (r.value[ROLE_TRACE]) read_trace_id(r.value[ROLE_TRACE], &ev->trace);
    const struct value *span = r.value[ROLE_SPAN];
    if (span && span->type == VAL_STRING && !str_hex_u64(span->s, &ev->span_id)) ev->span_id = 0;
    return true;
}

static bool parse_object(str json, struct arena *a, struct value *out, struct err *e) {
    struct json j = json_open(json, a);
    struct value v = {0};
    json_value(&j, &v);
    if (!json_done(&j, e)) return false;
    if (v.type != VAL_MAP) return err_set(e, ERR_INPUT, "a document must be a JSON object");
    *out = v;
    return true;
}

/* --- the bulk body ------------------------------------------------------------------------------------------------------------------- */

struct bulk {
    const struct es_bulk_in *in;
    struct arena *arena;
    str rest; /* what is left of the body */
    size_t line;
    const char **error_type; /* of the whole request */
    VEC(struct stream) streams;
    VEC(struct event) events;
    VEC(struct es_item) items;
    uint32_t last_stream;
};

static bool next_line(struct bulk *b, str *out) {
    if (b->rest.n == 0) return false;
    str line;
    str_cut(&b->rest, '\n', &line);
    if (line.n && line.p[line.n - 1] == '\r') line.n--;
    b->line++;
    *out = line;
    return true;
}

/* Parameters that Elasticsearch and its older clients send beside _index and _id; binnacle has no use for them. */
static const str ignored_params[] = {
    STR_INIT("_type"),           STR_INIT("routing"),           STR_INIT("_routing"),
    STR_INIT("pipeline"),        STR_INIT("version"),           STR_INIT("_version"),
    STR_INIT("version_type"),    STR_INIT("_version_type"),     STR_INIT("if_seq_no"),
    STR_INIT("if_primary_term"), STR_INIT("retry_on_conflict"), STR_INIT("_retry_on_conflict"),
    STR_INIT("require_alias"),   STR_INIT("dynamic_templates"), STR_INIT("list_executed_pipelines"),
    STR_INIT("parent"),          STR_INIT("_parent"),           STR_INIT("require_data_stream"),
    STR_INIT("_source"),         STR_INIT("op_type"),           STR_INIT("data_stream"),
};

static bool is_ignored_param(str key) {
    for (size_t i = 0; i < ARRAY_N(ignored_params); i++)
        if (str_eq(ignored_params[i], key)) return true;
    return false;
}

static bool read_params(struct bulk *b, struct json *j, struct es_item *item, struct err *e) {
    str unknown = STR_NULL;
    json_object(j);
    for (str key; json_next_key(j, &key);) {
        bool is_index = str_eq(key, STR("_index")), is_id = str_eq(key, STR("_id"));
        if ((is_index || is_id) && json_peek(j) == JSON_STRING) {
            json_string(j, is_index ? &item->index : &item->id);
        } else if (is_id && json_peek(j) == JSON_NUMBER) {
            json_number_text(j, &item->id);
        } else {
            if (!is_index && !is_id && !is_ignored_param(key)) unknown = key;
            json_skip(j);
        }
    }
    if (unknown.p) return err_set(e, ERR_INPUT, "Action/metadata line [%zu] contains an unknown parameter [%" STR_F "]", b->line, STR_A(unknown));
    return true;
}

/* {"index":{"_index":"logs","_id":"1"}} */
static bool read_action(struct bulk *b, str line, struct es_item *item, struct err *e) {
    struct json j = json_open(line, b->arena);
    str op = STR_NULL, extra;
    if (json_peek(&j) != JSON_OBJECT) return err_set(e, ERR_INPUT, "Malformed action/metadata line [%zu], expected START_OBJECT", b->line);
    json_object(&j);
    if (!json_next_key(&j, &op)) return err_set(e, ERR_INPUT, "Malformed action/metadata line [%zu], expected FIELD_NAME", b->line);
    size_t which = 0;
    while (which < ARRAY_N(op_names) && !str_eq_c(op, op_names[which])) which++;
    if (which == ARRAY_N(op_names))
        return err_set(e, ERR_INPUT,
                       "Malformed action/metadata line [%zu], expected field [create], [delete], [index] or [update] but found [%" STR_F "]", b->line,
                       STR_A(op));
    item->op = (enum es_op)which;
    if (json_peek(&j) != JSON_OBJECT) return err_set(e, ERR_INPUT, "Malformed action/metadata line [%zu], expected START_OBJECT", b->line);
    if (!read_params(b, &j, item, e)) return false;
    if (json_next_key(&j, &extra)) return err_set(e, ERR_INPUT, "Malformed action/metadata line [%zu], expected END_OBJECT", b->line);
    struct err bad;
    if (!json_done(&j, &bad)) return err_set(e, ERR_INPUT, "Malformed action/metadata line [%zu]: %s", b->line, bad.msg);
    if (item->index.n == 0) item->index = b->in->index;
    return true;
}

static uint32_t stream_of_index(struct bulk *b, str index) {
    if (b->streams.n && str_eq(b->streams.p[b->last_stream].index, index)) return b->last_stream;
    size_t i = 0;
    while (i < b->streams.n && !str_eq(b->streams.p[i].index, index)) i++;
    if (i == b->streams.n) vec_push(&b->streams, ((struct stream){.index = index}));
    return b->last_stream = (uint32_t)i;
}

static void refuse_item(struct bulk *b, struct es_item *item, uint16_t status, const char *type, str reason) {
    item->event = ES_NO_EVENT;
    item->status = status;
    item->error_type = type;
    item->reason = arena_str(b->arena, reason);
}

/* An update can only be offered as far as it is the same as an index: {"doc":{...}}. */
static bool doc_of_update(const struct value *update, struct value *out) {
    const struct value *doc = fields_get(update->fields, update->n, STR("doc"));
    if (!doc) doc = fields_get(update->fields, update->n, STR("upsert"));
    if (!doc || doc->type != VAL_MAP) return false;
    *out = *doc;
    return true;
}

static void read_document(struct bulk *b, str line, struct es_item *item) {
    struct value doc;
    struct err e;
    if (!parse_object(line, b->arena, &doc, &e)) {
        char reason[sizeof e.msg + 32];
        int n = snprintf(reason, sizeof reason, "[%zu:1] failed to parse: %s", b->line, e.msg);
        return refuse_item(b, item, 400, "document_parsing_exception", str_n(reason, MIN((size_t)n, sizeof reason - 1)));
    }
    if (item->op == ES_UPDATE && !doc_of_update(&doc, &doc))
        return refuse_item(b, item, 400, "unsupported_operation_exception", STR("documents are immutable: an update needs a whole [doc]"));
    struct event ev = {.attrs = doc.fields, .attr_n = doc.n, .id = item->id};
    if (!event_from_doc(&ev, b->in->now_ns, &e)) return refuse_item(b, item, 400, "document_parsing_exception", err_str(&e));
    ev.stream = stream_of_index(b, item->index);
    item->event = (uint32_t)b->events.n;
    vec_push(&b->events, ev);
}

static bool read_bulk(struct bulk *b, struct err *e) {
    size_t max = b->in->items_max ? b->in->items_max : ITEMS_MAX;
    for (str line; next_line(b, &line);) {
        struct es_item item = {.event = ES_NO_EVENT};
        if (str_trim(line).n == 0) continue;
        if (b->items.n == max) {
            *b->error_type = "illegal_argument_exception";
            return err_set(e, ERR_LIMIT, "more than %zu actions in one bulk request: send smaller ones", max);
        }
        *b->error_type = "illegal_argument_exception";
        if (!read_action(b, line, &item, e)) return false;
        if (item.index.n == 0) {
            *b->error_type = "action_request_validation_exception";
            return err_set(e, ERR_INPUT, "Validation Failed: %zu: index is missing;", b->items.n + 1);
        }
        if (item.op == ES_DELETE) {
            refuse_item(b, &item, 400, "unsupported_operation_exception",
                        STR("documents are immutable and leave with their retention: delete is not offered"));
        } else if (next_line(b, &line)) {
            read_document(b, line, &item);
        } else {
            return err_set(e, ERR_INPUT, "Malformed action/metadata line [%zu]: the document line behind it is missing", b->line);
        }
        vec_push(&b->items, item);
    }
    return true;
}

static void *to_arena(struct arena *a, const void *p, size_t n_bytes) {
    void *copy = arena_alloc(a, n_bytes);
    return n_bytes ? memcpy(copy, p, n_bytes) : copy;
}

bool es_bulk_decode(const struct es_bulk_in *in, struct es_bulk *out, const char **error_type, struct err *e) {
    *error_type = "parse_exception";
    if (str_trim(in->body).n == 0) return err_set(e, ERR_INPUT, "request body is required");
    *error_type = "illegal_argument_exception";
    if (in->body.p[in->body.n - 1] != '\n') return err_set(e, ERR_INPUT, "The bulk request must be terminated by a newline [\\n]");

    AUTO(event_batch_free) struct event_batch *batch = event_batch_new(EVENT_LOG, in->body.n * 3 + 4096);
    struct es_bulk_in mine = *in;
    mine.body = arena_str(batch->arena, in->body);
    mine.index = arena_str(batch->arena, in->index);
    struct bulk b = {.in = &mine, .arena = batch->arena, .rest = mine.body, .error_type = error_type};
    bool ok = read_bulk(&b, e);
    if (ok) {
        batch->streams = to_arena(batch->arena, b.streams.p, b.streams.n * sizeof *b.streams.p);
        batch->stream_n = b.streams.n;
        batch->events = to_arena(batch->arena, b.events.p, b.events.n * sizeof *b.events.p);
        batch->event_n = b.events.n;
        out->items = to_arena(batch->arena, b.items.p, b.items.n * sizeof *b.items.p);
        out->item_n = b.items.n;
        out->batch = TAKE(batch);
        *error_type = NULL;
    }
    vec_done(&b.streams);
    vec_done(&b.events);
    vec_done(&b.items);
    return ok;
}

bool es_doc_decode(str json, str index, str id, int64_t now_ns, struct event_batch **out, struct err *e) {
    AUTO(event_batch_free) struct event_batch *batch = event_batch_new(EVENT_LOG, json.n * 3 + 1024);
    struct arena *a = batch->arena;
    struct value doc;
    if (!parse_object(arena_str(a, json), a, &doc, e)) return false;
    batch->events = arena_one(a, struct event);
    *batch->events = (struct event){.attrs = doc.fields, .attr_n = doc.n, .id = arena_str(a, id)};
    batch->event_n = 1;
    if (!event_from_doc(batch->events, now_ns, e)) return false;
    batch->streams = arena_one(a, struct stream);
    batch->streams->index = arena_str(a, index);
    batch->stream_n = 1;
    *out = TAKE(batch);
    return true;
}
