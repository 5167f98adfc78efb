/* Documents in: _bulk, _doc, _create. Acknowledged when durable; overload refuses the whole request with 429, never single items, because shippers
 * drop items they are told were rejected. */
#include <stdlib.h>
#include <sys/random.h>

#include "api/elastic.h"
#include "base/clock.h"
#include "base/mem.h"
#include "wire/es_bulk.h"

enum { INLINE_BYTES = 64 << 10 /* larger bodies are decoded in the pool */ };

struct bulk {
    struct job job; /* first: job pointers are bulk pointers */
    struct app *app;
    struct http_exchange *x;
    struct es_bulk_in in;
    struct es_bulk out;
    struct arena *items_arena; /* outlives the batch: what the reply says */
    struct es_item *items;
    size_t item_n, event_n;
    bool decoded;
    const char *error_type;
    struct err err;
    bool single; /* _doc: one item, its reply is the whole */
    bool missing_id;
};

static void bulk_free(struct bulk *b) {
    arena_free(b->items_arena);
    free(b);
}

static struct es_error item_error(const struct es_item *item, const struct push_result *r) {
    if (item->event == ES_NO_EVENT) return (struct es_error){.status = item->status, .type = item->error_type, .reason = item->reason};
    return (struct es_error){.status = 400, .type = "document_parsing_exception", .reason = err_str(&r->err)};
}
static bool stored(const struct es_item *item, const struct push_result *r) {
    return item->event != ES_NO_EVENT && (!r->stored_map || r->stored_map[item->event]);
}

static void put_names(struct json_out *o, const struct es_item *item) {
    json_put_key_c(o, "_index");
    json_put_string(o, item->index);
    if (!item->id.n) return; /* the store names it */
    json_put_key_c(o, "_id");
    json_put_string(o, item->id);
}
static void put_item(struct json_out *o, const struct es_item *item, const struct push_result *r) {
    json_put_object(o);
    put_names(o, item);
    if (stored(item, r)) {
        json_put_raw(o, STR(/* several members at once */ "\"_version\":1,\"result\":\"created\",\"_shards\":{\"total\":1,\"successful\":1,"
                                                          "\"failed\":0},\"_seq_no\":0,\"_primary_term\":1,\"status\":201"));
    } else {
        struct es_error e = item_error(item, r);
        json_put_key_c(o, "status");
        json_put_i64(o, e.status);
        json_put_key_c(o, "error");
        json_put_object(o);
        json_put_key_c(o, "type");
        json_put_string(o, str_c(e.type));
        json_put_key_c(o, "reason");
        json_put_string(o, e.reason);
        json_put_object_end(o);
    }
    json_put_object_end(o);
}

static void reply_single(struct bulk *b, const struct push_result *r) {
    const struct es_item *item = b->items;
    if (!stored(item, r)) {
        es_reply_error(b->x, item_error(item, r));
        return;
    }
    struct buf out = {0};
    struct json_out o = {.buf = &out};
    put_item(&o, item, r);
    es_reply(b->x, 201, &out);
}
static void reply_items(struct bulk *b, const struct push_result *r) {
    bool errors = r->rejected > 0;
    for (size_t i = 0; i < b->item_n && !errors; i++) errors = b->items[i].event == ES_NO_EVENT;
    struct buf out = {0};
    buf_reserve(&out, 64 + b->item_n * 200);
    /* Fluent Bit looks for the text "errors":false,"items":[ when the reply is longer than its buffer. */
    buf_printf(&out, "{\"took\":%lld,\"errors\":%s,\"items\":[", (long long)((clock_wall_ns() - b->x->start_ns) / NS_PER_MS),
               errors ? "true" : "false");
    for (size_t i = 0; i < b->item_n; i++) {
        if (i) buf_char(&out, ',');
        struct json_out o = {.buf = &out};
        json_put_object(&o);
        json_put_key(&o, str_c(es_op_name(b->items[i].op)));
        put_item(&o, &b->items[i], r);
        json_put_object_end(&o);
    }
    buf_add(&out, STR("]}"));
    es_reply(b->x, 200, &out);
}

static void pushed(void *arg, const struct push_result *r) {
    struct bulk *b = arg;
    if (r->dropped) {
        es_reply_error(b->x, (struct es_error){.status = 429, .type = "es_rejected_execution_exception", .reason = err_str(&r->err)});
    } else if (b->single) {
        reply_single(b, r);
    } else {
        reply_items(b, r);
    }
    bulk_free(b);
}

/* What the reply needs of the items, copied away from the batch, which the store takes. Names repeat: equal neighbours share one copy. */
static void keep_items(struct bulk *b) {
    b->items_arena = arena_new(MIN(b->out.item_n * sizeof *b->items + 4096, (size_t)1 << 20));
    b->items = arena_new_n(b->items_arena, struct es_item, b->out.item_n);
    b->item_n = b->out.item_n;
    str last_from = STR_NULL, last_to = STR_NULL;
    for (size_t i = 0; i < b->item_n; i++) {
        struct es_item *item = &b->items[i];
        *item = b->out.items[i];
        if (!last_to.p || !str_eq(last_from, item->index)) {
            last_from = item->index;
            last_to = arena_str(b->items_arena, item->index);
        }
        item->index = last_to;
        item->id = arena_str(b->items_arena, item->id);
        item->reason = arena_str(b->items_arena, item->reason);
    }
}

static void decode(struct job *j) {
    struct bulk *b = (struct bulk *)j;
    b->decoded = es_bulk_decode(&b->in, &b->out, &b->error_type, &b->err);
    if (b->decoded) keep_items(b);
}
static void decoded(struct job *j) {
    struct bulk *b = (struct bulk *)j;
    struct sink *sink = &b->app->store->sink;
    sink->count_refused(sink, SIGNAL_LOGS, b->decoded ? b->item_n - b->out.batch->event_n : ITEMS_UNKNOWN);
    if (!b->decoded) {
        struct es_error e = es_error_of(&b->err);
        if (b->err.code == ERR_INPUT) e.status = 400;
        if (b->error_type) e.type = b->error_type;
        es_reply_error(b->x, e);
        bulk_free(b);
        return;
    }
    if (b->out.batch->event_n == 0) {
        event_batch_free(b->out.batch);
        struct push_result none = {0};
        pushed(b, &none);
        return;
    }
    sink->push_events(sink, b->out.batch, pushed, b);
}

void es_bulk(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    struct bulk *b = mem_zalloc(sizeof *b);
    b->job = (struct job){.run = decode, .done = decoded};
    b->app = app;
    b->x = x;
    str index = x->captures[0];
    if (str_starts(x->path, STR("/_bulk"))) index = STR("");
    b->in = (struct es_bulk_in){.body = x->body, .index = index, .now_ns = x->start_ns};
    if (x->body.n <= INLINE_BYTES) {
        decode(&b->job);
        decoded(&b->job);
        return;
    }
    struct err e;
    if (pool_submit(app->pool, LANE_BACKGROUND, &b->job, &e)) return;
    es_reply_error(x, es_error_of(&e));
    bulk_free(b);
}

/* 20 characters that no other document has. */
static str new_id(struct arena *a) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned char random[20];
    if (getrandom(random, sizeof random, 0) != sizeof random) memset(random, 0, sizeof random);
    char *p = arena_alloc(a, sizeof random);
    for (size_t i = 0; i < sizeof random; i++) p[i] = alphabet[random[i] & 63];
    return str_n(p, sizeof random);
}

static void put_one(struct app *app, struct http_exchange *x, str json, str id, enum es_op op) {
    struct event_batch *batch;
    struct err e;
    if (!es_doc_decode(json, x->captures[0], id, x->start_ns, &batch, &e)) {
        app->store->sink.count_refused(&app->store->sink, SIGNAL_LOGS, 1);
        struct es_error error = es_error_of(&e);
        if (e.code == ERR_INPUT) error.type = "document_parsing_exception";
        es_reply_error(x, error);
        return;
    }
    struct bulk *b = mem_zalloc(sizeof *b);
    b->x = x;
    b->single = true;
    b->items = arena_one(x->arena, struct es_item);
    *b->items = (struct es_item){.op = op, .index = x->captures[0], .id = id};
    b->item_n = 1;
    app->store->sink.push_events(&app->store->sink, batch, pushed, b);
}

void es_doc_put(void *app, struct http_exchange *x) {
    put_one(app, x, x->body, x->captures[1].n ? x->captures[1] : new_id(x->arena), ES_CREATE);
}

/* An update can only be offered as far as it is the same as an index: {"doc": {...}} is the whole document. */
void es_doc_update(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    struct json j = json_open(x->body, x->arena);
    struct err e = {0};
    str doc = STR_NULL, upsert = STR_NULL;
    json_object(&j);
    for (str key; json_next_key(&j, &key);) {
        if (str_eq(key, STR("doc")) || str_eq(key, STR("upsert")))
            json_raw(&j, str_eq(key, STR("doc")) ? &doc : &upsert);
        else
            json_skip(&j);
    }
    bool readable = json_done(&j, &e);
    if (readable && (doc.n || upsert.n)) return put_one(app, x, doc.n ? doc : upsert, x->captures[1], ES_UPDATE);
    app->store->sink.count_refused(&app->store->sink, SIGNAL_LOGS, 1);
    es_reply_error(x, (struct es_error){.status = 400,
                                        .type = readable ? "unsupported_operation_exception" : "parsing_exception",
                                        .reason = readable ? STR("documents are immutable: an update needs a whole [doc]") : err_str(&e)});
}
