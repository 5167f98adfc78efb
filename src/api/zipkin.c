/* api/zipkin: Zipkin's query API v2: services, span and remote service names, trace search, traces by id, dependencies, and what its page and its
 * probes ask of a server. What is pushed is api/push. Errors are plain text, as Zipkin's. A search's conditions hold on one span; its time is the
 * span's. Source: zipkin-api zipkin2-api.yaml; zipkin-server's configuration for the defaults. */
#include <stdlib.h>

#include "api/traces.h"
#include "base/clock.h"
#include "base/hash.h"
#include "query/trace/ids.h"
#include "query/trace/zipkin_json.h"

enum { LIMIT_DEFAULT = 10, MANY_MAX = 1000, REMOTES_MAX = 10000, CONFIG_LOOKBACK_MS = 15 * 60 * 1000 };
#define LOOKBACK_DEFAULT_MS INT64_C(86400000)

static void refuse(struct http_exchange *x, int status, str message) {
    http_reply_text(x, status, message);
}

/* endTs - lookback to endTs, in ms. */
static bool read_window(const struct http_exchange *x, int64_t *from_ns, int64_t *to_ns, struct err *e) {
    int64_t end_ms, lookback_ms, limit_ms = INT64_MAX / NS_PER_MS - 1;
    if (!param_i64(x, "endTs", clock_wall_ms(), &end_ms, e) || !param_i64(x, "lookback", LOOKBACK_DEFAULT_MS, &lookback_ms, e)) return false;
    if (end_ms <= 0 || end_ms > limit_ms) return err_set(e, ERR_INPUT, "endTs should be positive, in milliseconds: was %lld", (long long)end_ms);
    if (lookback_ms <= 0) return err_set(e, ERR_INPUT, "lookback should be positive, in milliseconds: was %lld", (long long)lookback_ms);
    *from_ns = MAX(end_ms - MIN(lookback_ms, end_ms), INT64_C(0)) * NS_PER_MS;
    *to_ns = end_ms * NS_PER_MS + NS_PER_MS - 1;
    return true;
}

/* --- catalogues */

static void reply_names(struct http_exchange *x, const str *names, size_t n) {
    struct buf b = {0};
    struct json_out o = {.buf = &b};
    json_put_array(&o);
    for (size_t i = 0; i < n; i++)
        if (names[i].n) json_put_string(&o, names[i]);
    json_put_array_end(&o);
    http_reply_json(x, 200, &b);
}

static void get_services(void *arg, struct http_exchange *x) {
    str *names;
    size_t n;
    evdb_services(((struct app *)arg)->store->events, x->arena, &names, &n);
    reply_names(x, names, n);
}

static void get_spans(void *arg, struct http_exchange *x) {
    struct operation *ops;
    size_t n, unique = 0;
    str service = http_param(x, STR("serviceName"));
    if (service.n == 0) return refuse(x, 400, STR("parameter serviceName is required\n"));
    evdb_operations(((struct app *)arg)->store->events, service, x->arena, &ops, &n);
    str *names = arena_new_n(x->arena, str, n);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || !str_eq(ops[i].name, ops[i - 1].name)) names[unique++] = ops[i].name;
    reply_names(x, names, unique);
}

static void get_dependencies(void *arg, struct http_exchange *x) {
    struct service_edge *edges;
    int64_t from_ns, to_ns;
    struct err e;
    size_t n;
    if (!http_has_param(x, STR("endTs"))) return refuse(x, 400, STR("parameter endTs is required\n"));
    if (!read_window(x, &from_ns, &to_ns, &e)) return refuse(x, 400, err_str(&e));
    evdb_edges(((struct app *)arg)->store->events, from_ns, to_ns, x->arena, &edges, &n);
    struct buf b = {0};
    struct json_out o = {.buf = &b};
    json_put_array(&o);
    for (size_t i = 0; i < n; i++) {
        json_put_object(&o);
        json_put_key_c(&o, "parent");
        json_put_string(&o, edges[i].parent);
        json_put_key_c(&o, "child");
        json_put_string(&o, edges[i].child);
        json_put_key_c(&o, "callCount");
        json_put_u64(&o, edges[i].calls);
        if (edges[i].errors) {
            json_put_key_c(&o, "errorCount");
            json_put_u64(&o, edges[i].errors);
        }
        json_put_object_end(&o);
    }
    json_put_array_end(&o);
    http_reply_json(x, 200, &b);
}

/* --- remote services: read from the spans, for the store has no catalogue of them */

struct remotes {
    struct job job;
    struct http_exchange *x;
    struct app *app;
    struct evdb_snapshot *snapshot;
    struct arena *arena, *scratch; /* of the names; of a row */
    struct evscan scan;
    struct map seen;
    VEC(str) names;
    struct err err;
};

static bool note_remote(void *arg, const struct evrow *row) {
    struct remotes *r = arg;
    struct value v;
    arena_reset(r->scratch);
    if (!evrow_get(row, STR("span.peer.service"), r->scratch, &v) || v.type != VAL_STRING) return true;
    uint64_t hash = hash_str(v.s);
    for (size_t at = map_first(&r->seen, hash); at != MAP_END; at = map_next(&r->seen, at, hash))
        if (str_eq(r->names.p[r->seen.slots[at].value - 1], v.s)) return true;
    vec_push(&r->names, arena_str(r->arena, v.s));
    map_put(&r->seen, hash, r->names.n);
    return r->names.n < REMOTES_MAX;
}

static void scan_remotes(struct job *j) {
    struct remotes *r = CONTAINER_OF(j, struct remotes, job);
    struct evscan_stats stats;
    struct err e;
    if (!evdb_scan(r->snapshot, &r->scan, note_remote, r, &stats, &e)) r->err = e;
}

static int by_name(const void *a, const void *b) {
    return str_cmp(*(const str *)a, *(const str *)b);
}

static void remotes_done(struct job *j) {
    struct remotes *r = CONTAINER_OF(j, struct remotes, job);
    evdb_snapshot_free(r->snapshot);
    if (r->names.n) qsort(r->names.p, r->names.n, sizeof *r->names.p, by_name);
    if (r->err.code == ERR_NONE)
        reply_names(r->x, r->names.p, r->names.n);
    else
        refuse(r->x, err_http_status(r->err.code), err_str(&r->err));
    map_done(&r->seen);
    vec_done(&r->names);
    arena_free(r->arena);
    arena_free(r->scratch);
    free(r);
}

static void remotes_gone(void *arg) {
    flag_set(&((struct remotes *)arg)->job.cancel);
}

static void get_remotes(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    const struct trace_tag peer = {.key = STR("peer.service"), .any = true};
    const struct trace_search search = {.service = http_param(x, STR("serviceName")), .tags = &peer, .tag_n = 1};
    if (search.service.n == 0) return refuse(x, 400, STR("parameter serviceName is required\n"));
    struct remotes *r = mem_zalloc(sizeof *r);
    r->x = x;
    r->app = app;
    r->arena = arena_new(4096);
    r->scratch = arena_new(4096);
    int64_t now_ns = clock_wall_ns();
    r->scan = (struct evscan){.filter = trace_search_filter(&search, x->arena),
                              .from_ns = now_ns - LOOKBACK_DEFAULT_MS * NS_PER_MS,
                              .to_ns = INT64_MAX,
                              .any_order = true,
                              .job = &r->job,
                              .bytes_max = app->query_bytes_max};
    r->snapshot = evdb_snapshot(app->store->events, EVENT_SPAN, r->scan.from_ns, r->scan.to_ns);
    r->job = (struct job){.run = scan_remotes, .done = remotes_done, .deadline_ns = clock_mono_ns() + app->query_timeout_ms * NS_PER_MS};
    x->on_gone = remotes_gone;
    x->on_gone_arg = r;
    if (!pool_submit(app->pool, LANE_QUERY, &r->job, &r->err)) remotes_done(&r->job);
}

/* --- traces */

static void open_list(struct trace_query *q) {
    json_put_array(&q->out);
}
static void put_trace(struct trace_query *q, struct event *spans, struct stream *streams, size_t n, struct arena *a) {
    (void)a;
    zipkin_put_trace(&q->out, spans, streams, n);
}
static void close_list(struct trace_query *q) {
    json_put_array_end(&q->out);
}
static const struct trace_writer list_writer = {open_list, put_trace, close_list, refuse};

static void no_list(struct trace_query *q) {
    (void)q;
}
static const struct trace_writer one_writer = {no_list, put_trace, no_list, refuse};

static void get_trace(void *arg, struct http_exchange *x) {
    struct trace_id id;
    struct err e;
    if (!trace_id_parse(x->captures[0], &id, &e)) return refuse(x, 400, err_str(&e));
    struct trace_query *q = trace_query_new(arg, x, &one_writer);
    q->must_exist = true;
    vec_push(&q->ids, id);
    trace_query_start(q);
}

static bool read_ids(struct trace_query *q, struct err *e) {
    str rest = http_param(q->x, STR("traceIds")), text;
    if (rest.n == 0) return err_set(e, ERR_INPUT, "traceIds parameter is empty");
    for (bool more = true; more;) {
        struct trace_id id;
        more = str_cut(&rest, ',', &text);
        if (!trace_id_parse(text, &id, e)) return false;
        for (size_t i = 0; i < q->ids.n; i++)
            if (q->ids.p[i].hi == id.hi && q->ids.p[i].lo == id.lo) return err_set(e, ERR_INPUT, "redundant trace id: %" STR_F, STR_A(text));
        if (q->ids.n == MANY_MAX) return err_set(e, ERR_INPUT, "more than %d trace ids", MANY_MAX);
        vec_push(&q->ids, id);
    }
    if (q->ids.n < 2) return err_set(e, ERR_INPUT, "Use /api/v2/trace/{traceId} endpoint to retrieve a single trace");
    return true;
}

static void get_many(void *arg, struct http_exchange *x) {
    struct err e;
    struct trace_query *q = trace_query_new(arg, x, &list_writer);
    if (read_ids(q, &e)) return trace_query_start(q);
    trace_query_free(q);
    refuse(x, 400, err_str(&e));
}

static bool duration_us_param(const struct http_exchange *x, const char *name, int64_t *out_ns, struct err *e) {
    int64_t us;
    if (!param_i64(x, name, 0, &us, e)) return false;
    if (us < 0 || __builtin_mul_overflow(us, 1000, out_ns)) return err_set(e, ERR_INPUT, "'%s' should be positive, in microseconds", name);
    return true;
}

static bool read_search(const struct http_exchange *x, struct trace_search *s, struct err *e) {
    struct trace_tag *tags = NULL, *all;
    size_t n = 0;
    str remote = http_param(x, STR("remoteServiceName"));
    s->service = http_param(x, STR("serviceName"));
    s->operation = http_param(x, STR("spanName"));
    if (!read_window(x, &s->from_ns, &s->to_ns, e) || !param_limit(x, "limit", LIMIT_DEFAULT, &s->limit, e)) return false;
    if (!duration_us_param(x, "minDuration", &s->min_ns, e) || !duration_us_param(x, "maxDuration", &s->max_ns, e)) return false;
    if (s->max_ns && s->max_ns < s->min_ns) return err_set(e, ERR_INPUT, "maxDuration should be >= minDuration");
    if (!trace_tags_zipkin(http_param(x, STR("annotationQuery")), x->arena, &tags, &n, e)) return false;
    all = arena_new_n(x->arena, struct trace_tag, n + 1);
    if (n) memcpy(all, tags, n * sizeof *all);
    if (remote.n) all[n++] = (struct trace_tag){.key = STR("peer.service"), .value = remote};
    s->tags = all;
    s->tag_n = n;
    return true;
}

static void find_traces(void *arg, struct http_exchange *x) {
    struct err e;
    struct trace_query *q = trace_query_new(arg, x, &list_writer);
    if (read_search(x, &q->search, &e)) return trace_query_start(q);
    trace_query_free(q);
    refuse(x, 400, err_str(&e));
}

/* --- what a Zipkin server says of itself */

static void reply_static(struct http_exchange *x, str json) {
    http_reply(x, (struct http_reply){.status = 200, .content_type = STR("application/json"), .body = json});
}
static void get_no_keys(void *app, struct http_exchange *x) {
    (void)app;
    reply_static(x, STR("[]"));
}
static void get_no_values(void *app, struct http_exchange *x) {
    (void)app;
    if (!http_has_param(x, STR("key"))) return refuse(x, 400, STR("parameter key is required\n"));
    reply_static(x, STR("[]"));
}
static void get_health(void *app, struct http_exchange *x) {
    (void)app;
    reply_static(x, STR("{\"status\":\"UP\",\"zipkin\":{\"status\":\"UP\",\"details\":{\"binnacle\":{\"status\":\"UP\"}}}}"));
}
static void get_info(void *app, struct http_exchange *x) {
    (void)app;
    reply_static(x, STR("{\"zipkin\":{\"version\":\"binnacle " BN_VERSION "\"}}"));
}
static void get_config(void *app, struct http_exchange *x) {
    (void)app;
    struct buf b = {0};
    buf_printf(&b,
               "{\"environment\":\"\",\"queryLimit\":%d,\"defaultLookback\":%d,\"searchEnabled\":true,\"dependency\":{\"enabled\":true,"
               "\"lowErrorRate\":0.5,\"highErrorRate\":0.75}}",
               LIMIT_DEFAULT, CONFIG_LOOKBACK_MS);
    http_reply_json(x, 200, &b);
}

#define BOTH (DOOR_MAIN | DOOR_ZIPKIN)
const struct http_route zipkin_routes[] = {
    {HTTP_GET, "/api/v2/services", get_services, BOTH},
    {HTTP_GET, "/api/v2/spans", get_spans, BOTH},
    {HTTP_GET, "/api/v2/remoteServices", get_remotes, BOTH},
    {HTTP_GET, "/api/v2/traces", find_traces, BOTH},
    {HTTP_GET, "/api/v2/trace/:id", get_trace, BOTH},
    {HTTP_GET, "/api/v2/traceMany", get_many, BOTH},
    {HTTP_GET, "/api/v2/dependencies", get_dependencies, BOTH},
    {HTTP_GET, "/api/v2/autocompleteKeys", get_no_keys, BOTH},
    {HTTP_GET, "/api/v2/autocompleteValues", get_no_values, BOTH},
    {HTTP_GET, "/health", get_health, DOOR_ZIPKIN},
    {HTTP_GET, "/info", get_info, DOOR_ZIPKIN},
    {HTTP_GET, "/config.json", get_config, DOOR_ZIPKIN},
    {0},
};
