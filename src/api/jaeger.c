/* api/jaeger: Jaeger's query API as 1.57 answered it (traces.md 2.1): services, operations, trace search, a trace, dependencies.
 * Envelope: {"data":..,"total":n,"limit":0,"offset":0,"errors":null}; errors: {"data":null,...,"errors":[{"code":400,"msg":".."}]}. */
#include "api/jaeger.h"

#include "api/traces.h"
#include "base/clock.h"
#include "codec/duration.h"
#include "query/trace/adjust.h"
#include "query/trace/ids.h"
#include "query/trace/jaeger_json.h"

enum { LIMIT_DEFAULT = 100, LOOKBACK_DEFAULT_S = 2 * 24 * 3600 };

/* --- the envelope */

void jaeger_begin_data(struct json_out *o) {
    json_put_object(o);
    json_put_key_c(o, "data");
}

static struct json_out begin_data(struct buf *b) {
    struct json_out o = {.buf = b};
    jaeger_begin_data(&o);
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

void jaeger_end_data(struct json_out *o, size_t total) {
    end_data(o, total);
    json_put_null(o);
    json_put_object_end(o);
}

static void reply_data(struct http_exchange *x, struct json_out *o, size_t total) {
    jaeger_end_data(o, total);
    http_reply_json(x, 200, o->buf);
}

void jaeger_reply_error(struct http_exchange *x, int status, str message) {
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

static void get_operations(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    struct buf b = {0};
    struct operation *ops;
    size_t n, shown = 0;
    str service = http_param(x, STR("service")), kind = http_param(x, STR("spanKind"));
    if (service.n == 0) return jaeger_reply_error(x, 400, STR("parameter 'service' is required"));
    evdb_operations(app->store->events, service, x->arena, &ops, &n);
    struct json_out o = begin_data(&b);
    json_put_array(&o);
    for (size_t i = 0; i < n; i++) {
        str name = span_kind_name(ops[i].kind);
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

static void get_dependencies(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    struct err e;
    int64_t end_ms, lookback_ms;
    if (!param_i64(x, "endTs", clock_wall_ms(), &end_ms, &e) || !param_i64(x, "lookback", 24 * 3600 * MS_PER_S, &lookback_ms, &e))
        return jaeger_reply_error(x, 400, err_str(&e));
    int64_t limit_ms = INT64_MAX / NS_PER_MS;
    if (end_ms < 0 || lookback_ms < 0 || end_ms > limit_ms || lookback_ms > end_ms)
        return jaeger_reply_error(x, 400, STR("endTs and lookback are out of range (ms)"));
    struct buf b = {0};
    struct service_edge *edges;
    str service = http_param(x, STR("service"));
    size_t n, shown = 0;
    evdb_edges(app->store->events, (end_ms - lookback_ms) * NS_PER_MS, end_ms * NS_PER_MS, x->arena, &edges, &n);
    struct json_out o = begin_data(&b);
    json_put_array(&o);
    for (size_t i = 0; i < n; i++) {
        if (service.n && !str_eq(service, edges[i].parent) && !str_eq(service, edges[i].child)) continue;
        json_put_object(&o);
        json_put_key_c(&o, "parent");
        json_put_string(&o, edges[i].parent);
        json_put_key_c(&o, "child");
        json_put_string(&o, edges[i].child);
        json_put_key_c(&o, "callCount");
        json_put_u64(&o, edges[i].calls);
        json_put_object_end(&o);
        shown++;
    }
    json_put_array_end(&o);
    reply_data(x, &o, shown);
}

/* --- traces */

static void open_list(struct trace_query *q) {
    q->out = begin_data(q->out.buf);
    json_put_array(&q->out);
}

static void put_trace(struct trace_query *q, struct event *spans, struct stream *streams, size_t n, struct arena *a) {
    if (!q->raw) trace_adjust(spans, streams, n, a);
    jaeger_put_trace(&q->out, spans, streams, n, a);
}

/* Of several ids the unknown ones are errors beside the data. */
static void close_list(struct trace_query *q) {
    struct json_out *o = &q->out;
    json_put_array_end(o);
    end_data(o, q->found);
    if (q->missing.n == 0) json_put_null(o);
    if (q->missing.n) json_put_array(o);
    for (size_t i = 0; i < q->missing.n; i++) {
        json_put_object(o);
        json_put_key_c(o, "msg");
        json_put_string(o, STR("trace not found"));
        json_put_key_c(o, "traceID");
        trace_id_put(o, q->missing.p[i]);
        json_put_object_end(o);
    }
    if (q->missing.n) json_put_array_end(o);
    json_put_object_end(o);
}
static const struct trace_writer writer = {open_list, put_trace, close_list, jaeger_reply_error};

static bool wants_raw(const struct http_exchange *x) {
    return str_eq(http_param(x, STR("raw")), STR("true"));
}

static void get_trace(void *arg, struct http_exchange *x) {
    struct trace_id id;
    struct err e;
    if (!trace_id_parse(x->captures[0], &id, &e)) return jaeger_reply_error(x, 400, err_str(&e));
    struct trace_query *q = trace_query_new(arg, x, &writer);
    q->must_exist = true;
    q->raw = wants_raw(x);
    vec_push(&q->ids, id);
    trace_query_start(q);
}

/* tag=k:v (repeated), tags={"k":"v"} or tags=k=v k2="v 2". */
static bool read_tags(const struct http_exchange *x, struct trace_search *s, struct err *e) {
    struct {
        struct trace_tag *p;
        size_t n, cap;
    } tags = {0};
    for (size_t i = 0; i < x->param_n; i++) {
        str value = x->params[i].value, key;
        struct trace_tag *more = NULL;
        size_t n = 0;
        if (str_eq(x->params[i].name, STR("tag"))) {
            if (!str_cut(&value, ':', &key))
                return err_set(e, ERR_INPUT, "malformed 'tag' parameter, expecting key:value, received: %" STR_F, STR_A(str_sub(key, 0, 64)));
            avec_push(x->arena, &tags, ((struct trace_tag){key, value}));
        } else if (str_eq(x->params[i].name, STR("tags"))) {
            bool is_json = value.n && value.p[0] == '{';
            if (is_json && !trace_tags_json(value, x->arena, &more, &n, e)) return err_wrap(e, "malformed 'tags' parameter, cannot unmarshal JSON");
            if (!is_json && !trace_tags_logfmt(value, x->arena, &more, &n, e)) return false;
        }
        for (size_t k = 0; k < n; k++) avec_push(x->arena, &tags, more[k]);
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
    int64_t now_us = clock_wall_ns() / 1000, from_us, to_us;
    s->service = http_param(x, STR("service"));
    s->operation = http_param(x, STR("operation"));
    if (!param_i64(x, "end", now_us, &to_us, e) || !us_to_ns(to_us, &s->to_ns, e)) return false;
    if (!param_i64(x, "start", now_us - LOOKBACK_DEFAULT_S * INT64_C(1000000), &from_us, e) || !us_to_ns(from_us, &s->from_ns, e)) return false;
    if (!param_limit(x, "limit", LIMIT_DEFAULT, &s->limit, e)) return false;
    if (!duration_param(x, "minDuration", &s->min_ns, e) || !duration_param(x, "maxDuration", &s->max_ns, e)) return false;
    if (s->max_ns && s->max_ns < s->min_ns) return err_set(e, ERR_INPUT, "'maxDuration' should be greater than 'minDuration'");
    return read_tags(x, s, e);
}

static bool read_ids(struct trace_query *q, struct err *e) {
    for (size_t i = 0; i < q->x->param_n; i++) {
        struct trace_id id;
        if (!str_eq(q->x->params[i].name, STR("traceID"))) continue;
        if (!trace_id_parse(q->x->params[i].value, &id, e)) return false;
        vec_push(&q->ids, id);
    }
    return true;
}

/* binnacle also searches without a service. */
static void find_traces(void *arg, struct http_exchange *x) {
    struct err e;
    struct trace_query *q = trace_query_new(arg, x, &writer);
    q->raw = wants_raw(x);
    if (read_search(x, &q->search, &e) && read_ids(q, &e)) return trace_query_start(q);
    trace_query_free(q);
    jaeger_reply_error(x, 400, err_str(&e));
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
