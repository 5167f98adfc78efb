/* api/jaeger: Jaeger's query API as 1.57 answered it (traces.md 2.1): services, operations, trace search, a trace, dependencies.
 * Envelope: {"data":..,"total":n,"limit":0,"offset":0,"errors":null}; errors: {"data":null,...,"errors":[{"code":400,"msg":".."}]}. */
#include <stdlib.h>

#include "api/app.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/vec.h"
#include "codec/duration.h"
#include "codec/json.h"
#include "query/trace/jaeger_json.h"
#include "query/trace/search.h"

enum { LIMIT_DEFAULT = 100, LIMIT_MAX = 20000, LOOKBACK_DEFAULT_S = 2 * 24 * 3600 };

/* --- the envelope */

static struct json_out begin_data(struct buf *b) {
    struct json_out o = {.buf = b};
    json_put_object(&o);
    json_put_key_c(&o, "data");
    return o;
}

static void end_data(struct json_out *o, size_t total) {
    json_put_key_c(o, "total");
    json_put_u64(o, total);
    json_put_key_c(o, "limit");
    json_put_u64(o, 0);
    json_put_key_c(o, "offset");
    json_put_u64(o, 0);
    json_put_key_c(o, "errors");
}

static void reply_data(struct http_exchange *x, struct json_out *o, size_t total) {
    end_data(o, total);
    json_put_null(o);
    json_put_object_end(o);
    http_reply_json(x, 200, o->buf);
}

static void reply_error(struct http_exchange *x, int status, str message) {
    struct buf b = {0};
    struct json_out o = begin_data(&b);
    json_put_null(&o);
    end_data(&o, 0);
    json_put_array(&o);
    json_put_object(&o);
    json_put_key_c(&o, "code");
    json_put_i64(&o, status);
    json_put_key_c(&o, "msg");
    json_put_string(&o, message);
    json_put_object_end(&o);
    json_put_array_end(&o);
    json_put_object_end(&o);
    http_reply_json(x, status, &b);
}

/* --- catalogues, answered on the loop */

static void get_services(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    struct buf b = {0};
    str *names;
    size_t n;
    evdb_services(app->store->events, x->arena, &names, &n);
    struct json_out o = begin_data(&b);
    json_put_array(&o);
    for (size_t i = 0; i < n; i++) json_put_string(&o, names[i]);
    json_put_array_end(&o);
    reply_data(x, &o, n);
}

static void get_service_operations(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    struct buf b = {0};
    struct operation *ops;
    size_t n, unique = 0;
    evdb_operations(app->store->events, x->captures[0], x->arena, &ops, &n);
    struct json_out o = begin_data(&b);
    json_put_array(&o);
    for (size_t i = 0; i < n; i++) {
        if (i && str_eq(ops[i].name, ops[i - 1].name)) continue;
        json_put_string(&o, ops[i].name);
        unique++;
    }
    json_put_array_end(&o);
    reply_data(x, &o, unique);
}

static const char *const kind_names[] = {[SPAN_UNSPECIFIED] = "",  [SPAN_INTERNAL] = "internal", [SPAN_SERVER] = "server",
                                         [SPAN_CLIENT] = "client", [SPAN_PRODUCER] = "producer", [SPAN_CONSUMER] = "consumer"};

static void get_operations(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    struct buf b = {0};
    struct operation *ops;
    size_t n, shown = 0;
    str service = http_param(x, STR("service")), kind = http_param(x, STR("spanKind"));
    if (service.n == 0) return reply_error(x, 400, STR("parameter 'service' is required"));
    evdb_operations(app->store->events, service, x->arena, &ops, &n);
    struct json_out o = begin_data(&b);
    json_put_array(&o);
    for (size_t i = 0; i < n; i++) {
        str name = str_c(kind_names[ops[i].kind]);
        if (kind.n && !str_eq(kind, name)) continue;
        json_put_object(&o);
        json_put_key_c(&o, "name");
        json_put_string(&o, ops[i].name);
        json_put_key_c(&o, "spanKind");
        json_put_string(&o, name);
        json_put_object_end(&o);
        shown++;
    }
    json_put_array_end(&o);
    reply_data(x, &o, shown);
}

static bool i64_param(const struct http_exchange *x, const char *name, int64_t fallback, int64_t *out, struct err *e) {
    str text = http_param(x, str_c(name));
    if (text.n == 0) return *out = fallback, true;
    if (str_i64(text, out)) return true;
    return err_set(e, ERR_INPUT, "unable to parse param '%s': not a whole number: \"%" STR_F "\"", name, STR_A(str_sub(text, 0, 64)));
}

static void get_dependencies(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    struct err e;
    int64_t end_ms, lookback_ms;
    if (!i64_param(x, "endTs", clock_wall_ms(), &end_ms, &e) || !i64_param(x, "lookback", 24 * 3600 * MS_PER_S, &lookback_ms, &e))
        return reply_error(x, 400, err_str(&e));
    int64_t limit_ms = INT64_MAX / NS_PER_MS;
    if (end_ms < 0 || lookback_ms < 0 || end_ms > limit_ms || lookback_ms > end_ms)
        return reply_error(x, 400, STR("endTs and lookback are out of range (ms)"));
    struct buf b = {0};
    struct service_edge *edges;
    size_t n;
    evdb_edges(app->store->events, (end_ms - lookback_ms) * NS_PER_MS, end_ms * NS_PER_MS, x->arena, &edges, &n);
    struct json_out o = begin_data(&b);
    json_put_array(&o);
    for (size_t i = 0; i < n; i++) {
        json_put_object(&o);
        json_put_key_c(&o, "parent");
        json_put_string(&o, edges[i].parent);
        json_put_key_c(&o, "child");
        json_put_string(&o, edges[i].child);
        json_put_key_c(&o, "callCount");
        json_put_u64(&o, edges[i].calls);
        json_put_object_end(&o);
    }
    json_put_array_end(&o);
    reply_data(x, &o, n);
}

/* --- traces: found and written in the pool */

struct trace_job {
    struct job job;
    struct app *app;
    struct http_exchange *x;
    struct evdb_snapshot *snapshot;
    struct trace_search search;
    const struct filter *filter; /* NULL: the ids are given */
    VEC(struct trace_id) ids;
    bool one; /* a trace by id: 404 when unknown */
    size_t bytes_max;
    struct buf out;
    size_t found;
    struct err err;
};

/* Newest first; stops when enough traces are known. */
static bool note_trace(void *arg, const struct evrow *row) {
    struct trace_job *t = arg;
    AUTO(arena_free) struct arena *a = arena_new(256);
    struct value v;
    struct trace_id id;
    struct err e;
    if (!evrow_get(row, STR("trace_id"), a, &v) || v.type != VAL_STRING || !trace_id_parse(v.s, &id.hi, &id.lo, &e)) return true;
    for (size_t i = 0; i < t->ids.n; i++)
        if (t->ids.p[i].hi == id.hi && t->ids.p[i].lo == id.lo) return true;
    vec_push(&t->ids, id);
    return t->ids.n < t->search.limit;
}

static bool put_traces(struct trace_job *t) {
    struct json_out o = begin_data(&t->out);
    AUTO(arena_free) struct arena *a = arena_new(64 << 10);
    json_put_array(&o);
    for (size_t i = 0; i < t->ids.n; i++) {
        struct event *spans;
        struct stream *streams;
        size_t n;
        if (!job_check(&t->job, &t->err)) return false;
        arena_reset(a);
        if (!evdb_trace(t->snapshot, t->ids.p[i], a, &spans, &streams, &n, &t->err)) return false;
        if (n == 0) continue;
        jaeger_put_trace(&o, spans, streams, n, a);
        t->found++;
        if (t->out.n > t->bytes_max)
            return err_set(&t->err, ERR_LIMIT, "the answer is larger than query.bytes (%zu); ask for fewer traces with limit=", t->bytes_max);
    }
    json_put_array_end(&o);
    end_data(&o, t->found);
    json_put_null(&o);
    json_put_object_end(&o);
    return true;
}

static void run_traces(struct job *j) {
    struct trace_job *t = CONTAINER_OF(j, struct trace_job, job);
    if (!job_check(j, &t->err)) return;
    if (t->filter) {
        const struct evscan scan = {.filter = t->filter, .from_ns = t->search.from_ns, .to_ns = t->search.to_ns, .job = j, .bytes_max = t->bytes_max};
        struct evscan_stats stats;
        if (!evdb_scan(t->snapshot, &scan, note_trace, t, &stats, &t->err)) return;
    }
    if (put_traces(t)) t->err.code = ERR_NONE;
}

static void traces_done(struct job *j) {
    struct trace_job *t = CONTAINER_OF(j, struct trace_job, job);
    evdb_snapshot_free(t->snapshot);
    if (t->err.code != ERR_NONE) {
        reply_error(t->x, err_http_status(t->err.code), err_str(&t->err));
    } else if (t->one && t->found == 0) {
        reply_error(t->x, 404, STR("trace not found"));
    } else {
        http_reply_json(t->x, 200, &t->out);
    }
    buf_done(&t->out);
    vec_done(&t->ids);
    free(t);
}

static void client_gone(void *arg) {
    struct trace_job *t = arg;
    flag_set(&t->job.cancel);
}

static void submit(struct trace_job *t) {
    struct app *app = t->app;
    t->bytes_max = app->query_bytes_max;
    t->snapshot = evdb_snapshot(app->store->events, EVENT_SPAN, t->search.from_ns, t->search.to_ns);
    t->job.run = run_traces;
    t->job.done = traces_done;
    t->job.deadline_ns = clock_mono_ns() + app->query_timeout_ms * NS_PER_MS;
    t->x->on_gone = client_gone;
    t->x->on_gone_arg = t;
    if (!pool_submit(app->pool, LANE_QUERY, &t->job, &t->err)) traces_done(&t->job);
}

static struct trace_job *trace_job_new(struct app *app, struct http_exchange *x) {
    struct trace_job *t = mem_zalloc(sizeof *t);
    t->app = app;
    t->x = x;
    return t;
}

static void get_trace(void *arg, struct http_exchange *x) {
    struct trace_id id;
    struct err e;
    if (!trace_id_parse(x->captures[0], &id.hi, &id.lo, &e)) return reply_error(x, 400, err_str(&e));
    struct trace_job *t = trace_job_new(arg, x);
    t->search.from_ns = INT64_MIN;
    t->search.to_ns = INT64_MAX;
    t->one = true;
    vec_push(&t->ids, id);
    submit(t);
}

/* tag=k:v (repeated), tags={"k":"v"} or tags=k=v k2="v 2". */
static bool read_tags(const struct http_exchange *x, struct trace_search *s, struct err *e) {
    struct {
        struct trace_tag *p;
        size_t n, cap;
    } tags = {0};
    for (size_t i = 0; i < x->param_n; i++) {
        str rest = x->params[i].value, key;
        if (str_eq(x->params[i].name, STR("tag"))) {
            if (!str_cut(&rest, ':', &key))
                return err_set(e, ERR_INPUT, "malformed 'tag' parameter, expecting key:value, received: %" STR_F, STR_A(str_sub(key, 0, 64)));
            avec_push(x->arena, &tags, ((struct trace_tag){key, rest}));
        } else if (str_eq(x->params[i].name, STR("tags")) && rest.n && rest.p[0] == '{') {
            struct json j = json_open(rest, x->arena);
            json_object(&j);
            for (str name, value; json_next_key(&j, &name);) {
                bool ok = json_peek(&j) == JSON_STRING ? json_string(&j, &value) : json_raw(&j, &value);
                if (ok) avec_push(x->arena, &tags, ((struct trace_tag){name, value}));
            }
            if (!json_done(&j, e)) return err_wrap(e, "malformed 'tags' parameter, cannot unmarshal JSON");
        } else if (str_eq(x->params[i].name, STR("tags"))) {
            struct trace_tag *more;
            size_t n;
            if (!trace_tags_logfmt(rest, x->arena, &more, &n, e)) return false;
            for (size_t k = 0; k < n; k++) avec_push(x->arena, &tags, more[k]);
        }
    }
    s->tags = tags.p;
    s->tag_n = tags.n;
    return true;
}

static bool duration_param(const struct http_exchange *x, const char *name, int64_t *out_ns, struct err *e) {
    str text = http_param(x, str_c(name));
    if (text.n == 0 || duration_parse_go(text, out_ns, e)) return true;
    return err_wrap(e, "unable to parse param '%s'", name);
}

static bool us_to_ns(int64_t us, int64_t *ns, struct err *e) {
    if (!__builtin_mul_overflow(us, 1000, ns)) return true;
    return err_set(e, ERR_INPUT, "time out of range (microseconds since 1970): %lld", (long long)us);
}

static bool read_search(const struct http_exchange *x, struct trace_search *s, struct err *e) {
    int64_t now_us = clock_wall_ns() / 1000, from_us, to_us, limit;
    s->service = http_param(x, STR("service"));
    s->operation = http_param(x, STR("operation"));
    if (!i64_param(x, "end", now_us, &to_us, e) || !i64_param(x, "start", to_us - LOOKBACK_DEFAULT_S * INT64_C(1000000), &from_us, e)) return false;
    if (!us_to_ns(from_us, &s->from_ns, e) || !us_to_ns(to_us, &s->to_ns, e)) return false;
    if (!i64_param(x, "limit", LIMIT_DEFAULT, &limit, e)) return false;
    if (limit <= 0 || limit > LIMIT_MAX) return err_set(e, ERR_INPUT, "'limit' must be 1 to %d", LIMIT_MAX);
    s->limit = (size_t)limit;
    if (!duration_param(x, "minDuration", &s->min_ns, e) || !duration_param(x, "maxDuration", &s->max_ns, e)) return false;
    if (s->max_ns && s->max_ns < s->min_ns) return err_set(e, ERR_INPUT, "'maxDuration' should be greater than 'minDuration'");
    return read_tags(x, s, e);
}

static bool read_ids(const struct http_exchange *x, struct trace_job *t, struct err *e) {
    for (size_t i = 0; i < x->param_n; i++) {
        struct trace_id id;
        if (!str_eq(x->params[i].name, STR("traceID"))) continue;
        if (!trace_id_parse(x->params[i].value, &id.hi, &id.lo, e)) return false;
        vec_push(&t->ids, id);
    }
    return true;
}

/* binnacle also searches without a service. */
static void find_traces(void *arg, struct http_exchange *x) {
    struct err e;
    struct trace_job *t = trace_job_new(arg, x);
    if (!read_search(x, &t->search, &e) || !read_ids(x, t, &e)) {
        vec_done(&t->ids);
        free(t);
        return reply_error(x, 400, err_str(&e));
    }
    if (t->ids.n) {
        t->search.from_ns = INT64_MIN;
        t->search.to_ns = INT64_MAX;
    } else {
        t->filter = trace_search_filter(&t->search, x->arena);
    }
    submit(t);
}

const struct http_route jaeger_routes[] = {
    {HTTP_GET, "/api/services", get_services, 0},
    {HTTP_GET, "/api/services/:service/operations", get_service_operations, 0},
    {HTTP_GET, "/api/operations", get_operations, 0},
    {HTTP_GET, "/api/traces", find_traces, 0},
    {HTTP_GET, "/api/traces/:id", get_trace, 0},
    {HTTP_GET, "/api/dependencies", get_dependencies, 0},
    {0},
};
