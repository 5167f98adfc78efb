#include "wire/es_bulk.h"

#include <stdio.h>

#include "base/vec.h"
#include "codec/json.h"
#include "wire/doc_event.h"

enum { ITEMS_MAX = 1000000 };

static const char *const op_names[] = {[ES_INDEX] = "index", [ES_CREATE] = "create", [ES_UPDATE] = "update", [ES_DELETE] = "delete"};

const char *es_op_name(enum es_op op) {
    return op_names[op];
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
    struct event ev = {.attrs = doc.fields, .attr_n = doc.n, .id = item->id, .source_doc = true};
    if (!doc_event(&ev, b->in->now_ns, &e)) return refuse_item(b, item, 400, "document_parsing_exception", err_str(&e));
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
            return err_set(e, ERR_TOO_LARGE, "more than %zu actions in one bulk request: send smaller ones", max);
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
    *batch->events = (struct event){.attrs = doc.fields, .attr_n = doc.n, .id = arena_str(a, id), .source_doc = true};
    batch->event_n = 1;
    if (!doc_event(batch->events, now_ns, e)) return false;
    batch->streams = arena_one(a, struct stream);
    batch->streams->index = arena_str(a, index);
    batch->stream_n = 1;
    *out = TAKE(batch);
    return true;
}
