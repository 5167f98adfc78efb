/* _search, _msearch, _count, _doc, scroll and point in time: the request on the loop thread, the job around the searches.
 *
 * Scroll ids and points in time hold no state here. An id is the request itself, the position of the last hit and the number of the first event it
 * must not see, as JSON in base64; so they never expire, cost nothing, and survive a restart. */
#include <stdlib.h>

#include "api/elastic_search.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/vec.h"
#include "codec/text.h"

enum { SEARCHES_MAX = 1000, DOCUMENTS_MAX = 10000 };

struct search_job {
    struct job job; /* first: job pointers are search_job pointers */
    struct http_exchange *x;
    struct arena *arena;
    struct evdb_snapshot *snapshot;
    struct fields fields;
    struct es_search *searches;
    size_t search_n;
    bool multi;
    enum es_answer answer;
    struct es_search_context context;
    struct buf out;
    int status;
};

static struct search_job *job_new(struct app *app, struct http_exchange *x, enum es_answer answer) {
    struct search_job *j = mem_zalloc(sizeof *j);
    j->x = x;
    j->answer = answer;
    j->arena = arena_new(16 << 10);
    j->context = (struct es_search_context){.now_ns = x->start_ns,
                                            .start_mono_ns = clock_mono_ns(),
                                            .buckets_max = app->buckets_max ? app->buckets_max : 65536,
                                            .bytes_max = app->query_bytes_max ? app->query_bytes_max : 256 << 20};
    return j;
}
static void job_free(struct search_job *j) {
    evdb_snapshot_free(j->snapshot);
    fields_done(&j->fields);
    arena_free(j->arena);
    buf_done(&j->out);
    free(j);
}

/* --- in the pool */

static struct es_error search_error(const struct err *e) {
    struct es_error error = es_error_of(e);
    if (e->code == ERR_NOT_FOUND) error.type = "index_not_found_exception";
    if (e->code == ERR_INPUT) error.status = 400;
    return error;
}
/* One search's reply as an object; an error takes the place of what was written. */
static int put_one(struct search_job *j, const struct es_search *s, bool with_status) {
    struct json_out o = {.buf = &j->out};
    struct err e = s->bad;
    size_t start = j->out.n;
    bool found = false;
    json_put_object(&o);
    bool ok = e.code == ERR_NONE && es_search_run(&j->context, s, j->answer, j->arena, &o, &found, &e);
    if (!ok) {
        j->out.n = start;
        o = (struct json_out){.buf = &j->out};
        struct es_error error = search_error(&e);
        if (e.code == ERR_NOT_FOUND) error.index = s->indices.missing;
        json_put_object(&o);
        es_put_error(&o, error);
        json_put_object_end(&o);
        return error.status;
    }
    bool missing = (j->answer == ES_ANSWER_DOC || j->answer == ES_ANSWER_SOURCE) && !found;
    if (with_status) {
        json_put_key_c(&o, "status");
        json_put_i64(&o, 200);
    }
    json_put_object_end(&o);
    return missing ? 404 : 200;
}
static void run_job(struct job *job) {
    struct search_job *j = (struct search_job *)job;
    if (!j->multi) {
        j->status = put_one(j, &j->searches[0], false);
        return;
    }
    j->status = 200;
    bool documents = j->answer == ES_ANSWER_DOC;
    buf_add(&j->out, documents ? STR("{\"docs\":[") : STR("{\"took\":0,\"responses\":["));
    for (size_t i = 0; i < j->search_n; i++) {
        if (i) buf_char(&j->out, ',');
        put_one(j, &j->searches[i], !documents);
    }
    buf_add(&j->out, STR("]}"));
}
static void job_done(struct job *job) {
    struct search_job *j = (struct search_job *)job;
    es_reply(j->x, j->status, &j->out);
    j->out = (struct buf){0};
    job_free(j);
}

static void client_gone(void *arg) {
    struct search_job *j = arg;
    flag_set(&j->job.cancel);
}
static void job_start(struct app *app, struct search_job *j) {
    struct field_info *list;
    size_t n;
    struct err e;
    evdb_fields(app->store->events, EVENT_LOG, j->arena, &list, &n);
    j->fields = fields_open(list, n);
    j->snapshot = evdb_snapshot(app->store->events, EVENT_LOG, INT64_MIN, INT64_MAX);
    j->context.job = &j->job;
    j->context.fields = &j->fields;
    j->context.snapshot = j->snapshot;
    j->job.run = run_job;
    j->job.done = job_done;
    if (app->query_timeout_ms) j->job.deadline_ns = clock_mono_ns() + app->query_timeout_ms * NS_PER_MS;
    j->x->on_gone = client_gone;
    j->x->on_gone_arg = j;
    if (pool_submit(app->pool, LANE_QUERY, &j->job, &e)) return;
    j->x->on_gone = NULL;
    es_reply_error(j->x, es_error_of(&e));
    job_free(j);
}
static void refuse(struct search_job *j, const struct err *e) {
    es_reply_error(j->x, search_error(e));
    job_free(j);
}

/* --- reading requests */

static bool read_body(str text, struct arena *a, struct value *out, struct err *e) {
    *out = (struct value){.type = VAL_NULL};
    if (str_trim(text).n == 0) return true;
    struct json j = json_open(text, a);
    struct value v = {0};
    json_value(&j, &v);
    if (!json_done(&j, e)) return false;
    if (v.type != VAL_MAP) return err_set(e, ERR_INPUT, "the body must be a JSON object");
    *out = v;
    return true;
}

/* {"pit": {"id": ...}}: which indices, and up to which event. */
static bool read_id(str id, struct arena *a, struct value *out, struct err *e) {
    str text;
    struct err bad;
    if (base64_decode(id, a, &text) && read_body(text, a, out, &bad) && out->type == VAL_MAP && es_get(out, "seq")) return true;
    return err_set(e, ERR_INPUT, "this is no id of a scroll or point in time that was given here");
}
static uint64_t seq_of(const struct value *id) {
    const struct value *v = es_get(id, "seq");
    double d;
    if (v->type == VAL_INT) return (uint64_t)v->i;
    return es_number(v, &d) && d >= 0 && d < 18e18 ? (uint64_t)d : UINT64_MAX;
}
static bool read_pit(struct es_search *s, struct arena *a) {
    const struct value *pit = es_get(&s->body, "pit");
    struct value id;
    if (!pit) return true;
    if (!read_id(es_text(es_get(pit, "id"), a), a, &id, &s->bad)) return false;
    s->expression = es_text(es_get(&id, "index"), a);
    s->seq_end = seq_of(&id);
    return true;
}

static void resolve(struct app *app, struct es_search *s, bool ignore_unavailable, struct arena *a) {
    if (!read_pit(s, a)) return;
    es_indices_resolve(app, s->expression, a, &s->indices);
    if (s->indices.missing.n && !ignore_unavailable) err_set(&s->bad, ERR_NOT_FOUND, "no such index [%" STR_F "]", STR_A(s->indices.missing));
}

static void copy_params(struct es_search *s, const struct http_exchange *x, struct arena *a) {
    struct http_pair *p = arena_new_n(a, struct http_pair, x->param_n);
    for (size_t i = 0; i < x->param_n; i++) p[i] = (struct http_pair){arena_str(a, x->params[i].name), arena_str(a, x->params[i].value)};
    s->params = p;
    s->param_n = x->param_n;
}
/* "/_search" has no index in its path, "/logs/_search" does. */
static str path_index(const struct http_exchange *x) {
    return str_starts(x->path, STR("/_")) ? STR("") : x->captures[0];
}

static void start_one(struct app *app, struct http_exchange *x, enum es_answer answer, str body) {
    struct search_job *j = job_new(app, x, answer);
    struct es_search *s = j->searches = arena_one(j->arena, struct es_search);
    struct err e;
    j->search_n = 1;
    s->seq_end = UINT64_MAX;
    s->expression = arena_str(j->arena, path_index(x));
    copy_params(s, x, j->arena);
    if (!read_body(arena_str(j->arena, body), j->arena, &s->body, &e)) {
        refuse(j, &e);
        return;
    }
    resolve(app, s, es_flag(x, STR("ignore_unavailable"), false), j->arena);
    s->scrolling = http_has_param(x, STR("scroll"));
    if (s->scrolling) s->seq_end = evdb_next_seq(app->store->events, EVENT_LOG);
    job_start(app, j);
}

void es_search(void *app, struct http_exchange *x) {
    start_one(app, x, ES_ANSWER_SEARCH, x->body);
}
void es_count(void *app, struct http_exchange *x) {
    start_one(app, x, ES_ANSWER_COUNT, x->body);
}
void es_validate(void *app, struct http_exchange *x) {
    start_one(app, x, ES_ANSWER_VALIDATE, x->body);
}

/* The search that finds a document by its id. */
static void put_id_query(struct buf *b, str id) {
    buf_add(b, STR("{\"size\":1,\"version\":true,\"seq_no_primary_term\":true,\"track_total_hits\":false,\"query\":{\"ids\":{\"values\":["));
    struct json_out o = {.buf = b};
    json_put_string(&o, id);
    buf_add(b, STR("]}}}"));
}

static void add_document(struct app *app, struct search_job *j, struct es_search *s, str index, str id) {
    struct buf b = {0};
    *s = (struct es_search){.seq_end = UINT64_MAX, .expression = arena_str(j->arena, index), .doc_id = arena_str(j->arena, id)};
    put_id_query(&b, id);
    bool ours = read_body(arena_str(j->arena, buf_str(&b)), j->arena, &s->body, &s->bad);
    assert(ours);
    buf_done(&b);
    resolve(app, s, false, j->arena);
}

static void get_one(struct app *app, struct http_exchange *x, enum es_answer answer) {
    struct search_job *j = job_new(app, x, answer);
    j->searches = arena_zalloc(j->arena, sizeof *j->searches);
    j->search_n = 1;
    add_document(app, j, &j->searches[0], x->captures[0], x->captures[1]);
    copy_params(&j->searches[0], x, j->arena);
    job_start(app, j);
}
void es_doc_get(void *app, struct http_exchange *x) {
    get_one(app, x, ES_ANSWER_DOC);
}
void es_source_get(void *app, struct http_exchange *x) {
    get_one(app, x, ES_ANSWER_SOURCE);
}

/* {"docs":[{"_index":..,"_id":..}]} or, of the index in the path, {"ids":[..]} */
static bool read_mget(struct app *app, struct search_job *j, struct err *e) {
    struct value body;
    if (!read_body(arena_str(j->arena, j->x->body), j->arena, &body, e)) return false;
    const struct value *ids = es_get(&body, "ids"), *list = ids ? ids : es_get(&body, "docs");
    if (!list || list->type != VAL_ARRAY || list->n == 0) return err_set(e, ERR_INPUT, "Validation Failed: 1: no documents to get;");
    if (list->n > DOCUMENTS_MAX) return err_set(e, ERR_INPUT, "more than %d documents in one request", DOCUMENTS_MAX);
    j->searches = arena_zalloc(j->arena, list->n * sizeof *j->searches);
    j->search_n = list->n;
    for (uint32_t i = 0; i < list->n; i++) {
        const struct value *item = &list->items[i];
        str id = es_text(ids ? item : es_get(item, "_id"), j->arena), index = ids ? STR("") : es_text(es_get(item, "_index"), j->arena);
        if (!index.n) index = path_index(j->x);
        if (!index.n || !id.n) return err_set(e, ERR_INPUT, "Validation Failed: 1: index and id are needed for doc %u;", (unsigned)i);
        add_document(app, j, &j->searches[i], index, id);
    }
    return true;
}
void es_mget(void *app, struct http_exchange *x) {
    struct search_job *j = job_new(app, x, ES_ANSWER_DOC);
    struct err e;
    j->multi = true;
    if (read_mget(app, j, &e))
        job_start(app, j);
    else
        refuse(j, &e);
}

static bool header_flag(const struct value *header, const char *name) {
    return es_true(header, name, false);
}
/* "index": a name, a list of names, or none. */
static str header_index(const struct value *header, struct arena *a) {
    const struct value *v = es_get(header, "index");
    if (!v) v = es_get(header, "indices");
    if (!v || v->type != VAL_ARRAY) return es_text(v, a);
    str joined = STR("");
    for (uint32_t i = 0; i < v->n; i++) joined = arena_printf(a, "%" STR_F "%s%" STR_F, STR_A(joined), i ? "," : "", STR_A(es_text(&v->items[i], a)));
    return joined;
}
static bool read_multi(struct app *app, struct search_job *j, struct err *e) {
    struct {
        struct es_search *p;
        size_t n, cap;
    } list = {0};
    str rest = arena_str(j->arena, j->x->body), line;
    size_t line_n = 0;
    for (bool more = true; more;) {
        more = str_cut(&rest, '\n', &line);
        line_n++;
        if (!more && str_trim(line).n == 0) break;
        struct es_search s = {.seq_end = UINT64_MAX};
        struct value header;
        if (list.n == SEARCHES_MAX) return err_set(e, ERR_INPUT, "more than %d searches in one request", SEARCHES_MAX);
        if (!read_body(line, j->arena, &header, e)) return err_wrap(e, "line %zu", line_n);
        if (!more) return err_set(e, ERR_INPUT, "line %zu: a header without a search behind it", line_n);
        more = str_cut(&rest, '\n', &line);
        line_n++;
        if (!read_body(line, j->arena, &s.body, e)) return err_wrap(e, "line %zu", line_n);
        s.expression = header_index(&header, j->arena);
        if (!s.expression.n) s.expression = arena_str(j->arena, path_index(j->x));
        copy_params(&s, j->x, j->arena);
        resolve(app, &s, header_flag(&header, "ignore_unavailable"), j->arena);
        avec_push(j->arena, &list, s);
    }
    if (list.n == 0) return err_set(e, ERR_INPUT, "Validation Failed: 1: no requests added;");
    j->searches = list.p;
    j->search_n = list.n;
    return true;
}
void es_msearch(void *app, struct http_exchange *x) {
    struct search_job *j = job_new(app, x, ES_ANSWER_SEARCH);
    struct err e;
    j->multi = true;
    if (read_multi(app, j, &e))
        job_start(app, j);
    else
        refuse(j, &e);
}

/* --- scroll */

void es_scroll(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    if (x->method == HTTP_DELETE) {
        struct buf b = {0};
        buf_add(&b, STR("{\"succeeded\":true,\"num_freed\":1}"));
        es_reply(x, 200, &b);
        return;
    }
    struct search_job *j = job_new(app, x, ES_ANSWER_SEARCH);
    struct es_search *s = j->searches = arena_one(j->arena, struct es_search);
    struct value body, id;
    struct err e;
    j->search_n = 1;
    if (!read_body(arena_str(j->arena, x->body), j->arena, &body, &e)) {
        refuse(j, &e);
        return;
    }
    str text = es_text(es_get(&body, "scroll_id"), j->arena);
    if (!text.n) text = http_param(x, STR("scroll_id"));
    if (!text.n) text = x->captures[0];
    if (!read_id(text, j->arena, &id, &e)) {
        refuse(j, &e);
        return;
    }
    const struct value *given = es_get(&id, "body"), *params = es_get(&id, "params");
    if (given && given->type == VAL_MAP) s->body = *given;
    struct http_pair *p = arena_new_n(j->arena, struct http_pair, params ? params->n : 0);
    for (uint32_t i = 0; params && params->type == VAL_MAP && i < params->n; i++)
        p[s->param_n++] = (struct http_pair){params->fields[i].key, es_text(&params->fields[i].value, j->arena)};
    s->params = p;
    s->expression = es_text(es_get(&id, "index"), j->arena);
    s->seq_end = seq_of(&id);
    s->scrolling = true;
    s->after = es_get(&id, "after");
    resolve(app, s, true, j->arena);
    job_start(app, j);
}

/* --- point in time */

static bool opensearch_pit(const struct http_exchange *x) {
    return str_ends(x->path, STR("/_search/point_in_time"));
}

void es_pit_open(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    struct es_indices indices;
    es_indices_resolve(app, x->captures[0], x->arena, &indices);
    if (indices.missing.n && !es_flag(x, STR("ignore_unavailable"), false)) {
        str reason = arena_printf(x->arena, "no such index [%" STR_F "]", STR_A(indices.missing));
        es_reply_error(x, (struct es_error){.status = 404, .type = "index_not_found_exception", .reason = reason, .index = indices.missing});
        return;
    }
    struct buf id = {0}, text = {0}, out = {0};
    struct json_out i = {.buf = &id}, o = {.buf = &out};
    json_put_object(&i);
    json_put_key_c(&i, "index");
    json_put_string(&i, x->captures[0]);
    json_put_key_c(&i, "seq");
    json_put_u64(&i, evdb_next_seq(app->store->events, EVENT_LOG));
    json_put_object_end(&i);
    base64_put(&text, buf_str(&id));
    json_put_object(&o);
    json_put_key(&o, opensearch_pit(x) ? STR("pit_id") : STR("id"));
    json_put_string(&o, buf_str(&text));
    json_put_key_c(&o, "_shards");
    json_put_raw(&o, STR("{\"total\":1,\"successful\":1,\"skipped\":0,\"failed\":0}"));
    json_put_object_end(&o);
    buf_done(&id);
    buf_done(&text);
    es_reply(x, 200, &out);
}
/* OpenSearch: DELETE {"pit_id":["..."]}, each with its own verdict. */
static void close_many(struct http_exchange *x) {
    struct value body;
    struct err e;
    if (!read_body(x->body, x->arena, &body, &e)) return es_reply_error(x, search_error(&e));
    const struct value *ids = es_get(&body, "pit_id");
    struct buf b = {0};
    struct json_out o = {.buf = &b};
    json_put_object(&o);
    json_put_key_c(&o, "pits");
    json_put_array(&o);
    for (uint32_t i = 0; ids && i < (ids->type == VAL_ARRAY ? ids->n : 1); i++) {
        json_put_object(&o);
        json_put_key_c(&o, "pit_id");
        json_put_string(&o, es_text(ids->type == VAL_ARRAY ? &ids->items[i] : ids, x->arena));
        json_put_key_c(&o, "successful");
        json_put_bool(&o, true);
        json_put_object_end(&o);
    }
    json_put_array_end(&o);
    json_put_object_end(&o);
    es_reply(x, 200, &b);
}
/* Nothing is kept for a point in time: its id says it all. */
void es_pit_close(void *arg, struct http_exchange *x) {
    (void)arg;
    if (opensearch_pit(x)) return close_many(x);
    struct buf b = {0};
    buf_add(&b, STR("{\"succeeded\":true,\"num_freed\":1}"));
    es_reply(x, 200, &b);
}
