#include "api/jaeger_grpc.h"

#include "api/traces.h"
#include "base/clock.h"
#include "codec/pb.h"
#include "query/trace/adjust.h"
#include "query/trace/ids.h"
#include "query/trace/jaeger_json.h"
#include "query/trace/otlp_proto.h"

enum { DEPTH_DEFAULT = 100, DEPTH_MAX = 20000 };

static void refuse(struct grpc_exchange *x, const struct err *e) {
    grpc_reply_error(x, (enum grpc_status)err_grpc_status(e->code), err_str(e));
}

/* --- catalogues */

void jaeger_grpc_services(void *arg, struct grpc_exchange *x) {
    AUTO(buf_done) struct buf b = {0};
    str *names;
    size_t n;
    evdb_services(((struct app *)arg)->store->events, x->arena, &names, &n);
    for (size_t i = 0; i < n; i++) pb_put_bytes(&b, 1, names[i]);
    grpc_reply(x, (struct grpc_reply){.body = buf_str(&b)});
}

/* GetOperationsRequest {1 service, 2 span_kind} -> {num: {1 name, 2 span_kind}}, num 1 in api_v3, 2 in api_v2. */
static void operations(struct app *app, struct grpc_exchange *x, uint32_t num) {
    AUTO(buf_done) struct buf b = {0};
    str service = STR(""), kind = STR("");
    struct operation *ops;
    size_t n;
    struct err e = {0};
    struct pb c = pb_open(x->body);
    for (struct pb_field f; pb_next(&c, &f);) {
        if (f.num == 1) service = pb_bytes(&f);
        if (f.num == 2) kind = pb_bytes(&f);
    }
    bool ok = !c.bad || err_set(&e, ERR_INPUT, "not a GetOperationsRequest (at byte %zu)", pb_offset(&c));
    ok = ok && (service.n || err_set(&e, ERR_INPUT, "service is required"));
    if (!ok) return refuse(x, &e);
    evdb_operations(app->store->events, service, x->arena, &ops, &n);
    for (size_t i = 0; i < n; i++) {
        if (kind.n && !str_eq(kind, span_kind_name(ops[i].kind))) continue;
        size_t at = pb_begin(&b, num);
        pb_put_bytes(&b, 1, ops[i].name);
        pb_put_bytes(&b, 2, span_kind_name(ops[i].kind));
        pb_end(&b, at);
    }
    grpc_reply(x, (struct grpc_reply){.body = buf_str(&b)});
}
void jaeger_grpc_operations_2(void *app, struct grpc_exchange *x) {
    operations(app, x, 2);
}
void jaeger_grpc_operations_3(void *app, struct grpc_exchange *x) {
    operations(app, x, 1);
}

/* --- traces */

static void no_frame(struct trace_query *q) {
    (void)q;
}
static void put_trace(struct trace_query *q, struct event *spans, struct stream *streams, size_t n, struct arena *a) {
    if (!q->raw) trace_adjust(spans, streams, n, a);
    otlp_proto_put_resource_spans(q->out.buf, spans, streams, n);
    trace_query_end_message(q);
}
static const struct trace_writer writer = {no_frame, put_trace, no_frame, NULL};

/* GetTraceRequest {1 trace_id, 2 start_time, 3 end_time, 4 raw_traces} */
void jaeger_grpc_trace(void *app, struct grpc_exchange *x) {
    struct trace_id id;
    struct err e;
    str text = STR("");
    bool raw = false;
    struct pb c = pb_open(x->body);
    for (struct pb_field f; pb_next(&c, &f);) {
        if (f.num == 1) text = pb_bytes(&f);
        if (f.num == 4) raw = pb_i64(&f) != 0;
    }
    bool ok = !c.bad || err_set(&e, ERR_INPUT, "not a GetTraceRequest (at byte %zu)", pb_offset(&c));
    if (!ok || !trace_id_parse(text, &id, &e)) return refuse(x, &e);
    struct trace_query *q = trace_query_new_grpc(app, x, &writer);
    q->must_exist = true;
    q->raw = raw;
    vec_push(&q->ids, id);
    trace_query_start(q);
}

/* Timestamp and Duration {1 seconds, 2 nanos} */
static bool read_time(const struct pb_field *f, int64_t *out_ns, struct err *e) {
    int64_t s = 0, ns = 0, total;
    struct pb c = pb_open(pb_bytes(f));
    for (struct pb_field part; pb_next(&c, &part);) {
        if (part.num == 1) s = pb_i64(&part);
        if (part.num == 2) ns = pb_i64(&part);
    }
    if (c.bad || __builtin_mul_overflow(s, NS_PER_S, &total) || __builtin_add_overflow(total, ns, &total))
        return err_set(e, ERR_INPUT, "field %u of the query: not a time or duration in range", f->num);
    *out_ns = total;
    return true;
}

struct tag_list {
    struct trace_tag *p;
    size_t n, cap;
};
/* An entry of map<string, string> attributes. */
static void read_tag(str entry, struct arena *a, struct tag_list *tags) {
    struct trace_tag tag = {STR(""), STR(""), false};
    struct pb c = pb_open(entry);
    for (struct pb_field f; pb_next(&c, &f);) {
        if (f.num == 1) tag.key = pb_bytes(&f);
        if (f.num == 2) tag.value = pb_bytes(&f);
    }
    avec_push(a, tags, tag);
}

/* TraceQueryParameters {1 service_name, 2 operation_name, 3 attributes, 4 start_time_min, 5 start_time_max, 6 duration_min, 7 duration_max,
 * 8 search_depth, 9 raw_traces} */
static bool read_search(str body, struct arena *a, struct trace_search *s, bool *raw, struct err *e) {
    struct tag_list tags = {0};
    int64_t depth = DEPTH_DEFAULT;
    struct pb c = pb_open(body);
    *s = (struct trace_search){.from_ns = INT64_MIN, .to_ns = INT64_MAX};
    for (struct pb_field f; pb_next(&c, &f);) {
        int64_t *times[] = {[4] = &s->from_ns, [5] = &s->to_ns, [6] = &s->min_ns, [7] = &s->max_ns};
        if (f.num == 1) s->service = pb_bytes(&f);
        if (f.num == 2) s->operation = pb_bytes(&f);
        if (f.num == 3) read_tag(pb_bytes(&f), a, &tags);
        if (f.num >= 4 && f.num <= 7 && !read_time(&f, times[f.num], e)) return false;
        if (f.num == 8) depth = pb_i64(&f);
        if (f.num == 9) *raw = pb_i64(&f) != 0;
    }
    if (c.bad) return err_set(e, ERR_INPUT, "not a TraceQueryParameters message (at byte %zu)", pb_offset(&c));
    if (depth <= 0 || depth > DEPTH_MAX) return err_set(e, ERR_INPUT, "search_depth must be 1 to %d", DEPTH_MAX);
    s->limit = (size_t)depth;
    s->tags = tags.p;
    s->tag_n = tags.n;
    return true;
}

/* FindTracesRequest {1 query} */
void jaeger_grpc_find_traces(void *app, struct grpc_exchange *x) {
    str query = STR("");
    struct err e;
    struct trace_search search;
    bool raw = false;
    struct pb c = pb_open(x->body);
    for (struct pb_field f; pb_next(&c, &f);)
        if (f.num == 1) query = pb_bytes(&f);
    bool ok = !c.bad || err_set(&e, ERR_INPUT, "not a FindTracesRequest (at byte %zu)", pb_offset(&c));
    if (!ok || !read_search(query, x->arena, &search, &raw, &e)) return refuse(x, &e);
    struct trace_query *q = trace_query_new_grpc(app, x, &writer);
    q->search = search;
    q->raw = raw;
    trace_query_start(q);
}
