#include "api/traces.h"

#include "base/clock.h"
#include "base/hash.h"
#include "query/trace/ids.h"

enum { TRACES_MAX = 20000 };

struct trace_query *trace_query_new(struct app *app, struct http_exchange *x, const struct trace_writer *w) {
    struct trace_query *q = mem_zalloc(sizeof *q);
    q->app = app;
    q->x = x;
    q->writer = w;
    q->out.buf = &q->text;
    return q;
}

struct trace_query *trace_query_new_grpc(struct app *app, struct grpc_exchange *x, const struct trace_writer *w) {
    struct trace_query *q = trace_query_new(app, NULL, w);
    q->grpc = x;
    return q;
}

void trace_query_end_message(struct trace_query *q) {
    vec_push(&q->ends, q->text.n);
}

void trace_query_free(struct trace_query *q) {
    arena_free(q->scratch);
    map_done(&q->seen);
    buf_done(&q->text);
    vec_done(&q->ids);
    vec_done(&q->missing);
    vec_done(&q->ends);
    free(q);
}

/* --- in the pool */

/* false: known already. */
static bool remember(struct trace_query *q, struct trace_id id) {
    uint64_t hash = hash_mix(id.hi, id.lo);
    for (size_t at = map_first(&q->seen, hash); at != MAP_END; at = map_next(&q->seen, at, hash)) {
        const struct trace_id *known = &q->ids.p[q->seen.slots[at].value - 1];
        if (known->hi == id.hi && known->lo == id.lo) return false;
    }
    vec_push(&q->ids, id);
    map_put(&q->seen, hash, q->ids.n);
    return true;
}

/* Newest first; stops when enough traces are known. */
static bool note_trace(void *arg, const struct evrow *row) {
    struct trace_query *q = arg;
    struct value v;
    struct trace_id id;
    struct err e;
    arena_reset(q->scratch);
    bool has_id = evrow_get(row, STR("trace_id"), q->scratch, &v) && v.type == VAL_STRING && trace_id_parse(v.s, &id, &e);
    return !has_id || !remember(q, id) || q->ids.n < q->search.limit;
}

static bool write_traces(struct trace_query *q) {
    size_t bytes_max = q->app->query_bytes_max;
    q->writer->open(q);
    for (size_t i = 0; i < q->ids.n; i++) {
        struct event *spans;
        struct stream *streams;
        size_t n;
        arena_reset(q->scratch);
        if (!job_check(&q->job, &q->err)) return false;
        if (!evdb_trace(q->snapshot, q->ids.p[i], q->scratch, &spans, &streams, &n, &q->err)) return false;
        if (n == 0) {
            vec_push(&q->missing, q->ids.p[i]);
            continue;
        }
        q->writer->trace(q, spans, streams, n, q->scratch);
        q->found++;
        if (q->text.n > bytes_max)
            return err_set(&q->err, ERR_LIMIT, "the answer is larger than query.bytes (%zu); ask for fewer traces with limit=", bytes_max);
    }
    q->writer->close(q);
    return true;
}

static void run(struct job *j) {
    struct trace_query *q = CONTAINER_OF(j, struct trace_query, job);
    struct err e = {0};
    const struct evscan scan = {
        .filter = q->filter, .from_ns = q->search.from_ns, .to_ns = q->search.to_ns, .job = j, .bytes_max = q->app->query_bytes_max};
    struct evscan_stats stats;
    q->scratch = arena_new(64 << 10);
    if (!job_check(j, &e) || (!q->by_id && !evdb_scan(q->snapshot, &scan, note_trace, q, &stats, &e))) {
        q->err = e;
        return;
    }
    if (!write_traces(q)) assert(q->err.code != ERR_NONE);
}

/* --- on the loop */

static void reply_grpc(struct trace_query *q) {
    if (q->err.code == ERR_NONE && q->must_exist && q->found == 0) err_set(&q->err, ERR_NOT_FOUND, "trace not found");
    for (size_t i = 0, from = 0; i < q->ends.n && q->err.code == ERR_NONE; from = q->ends.p[i++])
        if (!grpc_stream_write(q->grpc, str_sub(buf_str(&q->text), from, q->ends.p[i])))
            err_set(&q->err, ERR_TOO_LARGE, "the client leaves too much unread; ask for fewer traces");
    bool ok = q->err.code == ERR_NONE;
    grpc_stream_end(q->grpc, ok ? GRPC_OK : (enum grpc_status)err_grpc_status(q->err.code), ok ? STR("") : err_str(&q->err));
}

static void done(struct job *j) {
    struct trace_query *q = CONTAINER_OF(j, struct trace_query, job);
    evdb_snapshot_free(q->snapshot);
    if (q->grpc)
        reply_grpc(q);
    else if (q->err.code != ERR_NONE)
        q->writer->refuse(q->x, err_http_status(q->err.code), err_str(&q->err));
    else if (q->must_exist && q->found == 0)
        q->writer->refuse(q->x, 404, STR("trace not found"));
    else if (q->content_type.n)
        http_reply(q->x, (struct http_reply){.status = 200, .content_type = q->content_type, .body_buf = &q->text});
    else
        http_reply_json(q->x, 200, &q->text);
    trace_query_free(q);
}

static void client_gone(void *arg) {
    flag_set(&((struct trace_query *)arg)->job.cancel);
}

void trace_query_start(struct trace_query *q) {
    struct app *app = q->app;
    q->by_id = q->ids.n > 0;
    if (q->by_id) {
        q->search.from_ns = INT64_MIN;
        q->search.to_ns = INT64_MAX;
    } else {
        q->filter = trace_search_filter(&q->search, q->x ? q->x->arena : q->grpc->arena);
    }
    /* A trace is shown whole, whenever its other spans were. */
    q->snapshot = evdb_snapshot(app->store->events, EVENT_SPAN, INT64_MIN, INT64_MAX);
    q->job.run = run;
    q->job.done = done;
    q->job.deadline_ns = clock_mono_ns() + app->query_timeout_ms * NS_PER_MS;
    *(q->x ? &q->x->on_gone : &q->grpc->on_gone) = client_gone;
    *(q->x ? &q->x->on_gone_arg : &q->grpc->on_gone_arg) = q;
    if (!pool_submit(app->pool, LANE_QUERY, &q->job, &q->err)) done(&q->job);
}

/* --- parameters */

bool param_i64(const struct http_exchange *x, const char *name, int64_t fallback, int64_t *out, struct err *e) {
    str text = http_param(x, str_c(name));
    if (text.n == 0) return *out = fallback, true;
    if (str_i64(text, out)) return true;
    return err_set(e, ERR_INPUT, "unable to parse param '%s': not a whole number: \"%" STR_F "\"", name, STR_A(str_sub(text, 0, 64)));
}

bool param_limit(const struct http_exchange *x, const char *name, size_t fallback, size_t *out, struct err *e) {
    int64_t limit;
    if (!param_i64(x, name, (int64_t)fallback, &limit, e)) return false;
    if (limit <= 0 || limit > TRACES_MAX) return err_set(e, ERR_INPUT, "'%s' must be 1 to %d", name, TRACES_MAX);
    *out = (size_t)limit;
    return true;
}

bool trace_tags_json(str text, struct arena *a, struct trace_tag **out, size_t *n, struct err *e) {
    struct {
        struct trace_tag *p;
        size_t n, cap;
    } tags = {0};
    struct json j = json_open(text, a);
    json_object(&j);
    for (str name, value; json_next_key(&j, &name);) {
        bool ok = json_peek(&j) == JSON_STRING ? json_string(&j, &value) : json_raw(&j, &value);
        if (ok) avec_push(a, &tags, ((struct trace_tag){name, value}));
    }
    if (!json_done(&j, e)) return false;
    *out = tags.p;
    *n = tags.n;
    return true;
}
