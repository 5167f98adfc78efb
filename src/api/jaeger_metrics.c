/* api/jaeger_metrics: Jaeger's /api/metrics/{latencies,calls,errors,minstep}, which its Monitor page asks for, computed from the spans
 * (query/trace/spm). Answers are the MetricFamily itself; errors and minstep are in Jaeger's envelope. */
#include "api/jaeger.h"

#include <stdlib.h>

#include "api/traces.h"
#include "base/clock.h"
#include "codec/num.h"
#include "query/trace/jaeger_json.h"
#include "query/trace/spm.h"

enum { SERVICES_MAX = 100, ROWS_BETWEEN_RESETS = 256 };

struct question {
    struct job job;
    struct http_exchange *x;
    struct evdb_snapshot *snapshot;
    struct evscan scan;
    struct spm *spm;
    struct arena *scratch;
    unsigned rows;
    struct buf out;
    struct err err;
};

static str text_of(const struct evrow *r, str field, struct arena *a) {
    struct value v;
    return evrow_get(r, field, a, &v) && v.type == VAL_STRING ? v.s : STR("");
}

static bool add_span(void *arg, const struct evrow *r) {
    struct question *q = arg;
    struct value duration;
    if (++q->rows % ROWS_BETWEEN_RESETS == 0) arena_reset(q->scratch);
    bool timed = evrow_get(r, STR("duration"), q->scratch, &duration) && duration.type == VAL_INT;
    const struct spm_span span = {.service = text_of(r, STR("service"), q->scratch),
                                  .operation = text_of(r, STR("name"), q->scratch),
                                  .start_ns = evrow_time_ns(r),
                                  .duration_ns = timed ? duration.i : 0,
                                  .error = str_eq(text_of(r, STR("status"), q->scratch), STR("error"))};
    return spm_add(q->spm, &span, &q->err);
}

static void run(struct job *j) {
    struct question *q = CONTAINER_OF(j, struct question, job);
    struct evscan_stats stats;
    struct err e;
    if (!evdb_scan(q->snapshot, &q->scan, add_span, q, &stats, &e)) q->err = e;
    if (q->err.code != ERR_NONE) return;
    struct json_out o = {.buf = &q->out};
    spm_put(q->spm, &o);
}

static void done(struct job *j) {
    struct question *q = CONTAINER_OF(j, struct question, job);
    evdb_snapshot_free(q->snapshot);
    if (q->err.code == ERR_NONE)
        http_reply_json(q->x, 200, &q->out);
    else
        jaeger_reply_error(q->x, err_http_status(q->err.code), err_str(&q->err));
    buf_done(&q->out);
    spm_free(q->spm);
    arena_free(q->scratch);
    free(q);
}

static void client_gone(void *arg) {
    flag_set(&((struct question *)arg)->job.cancel);
}

/* --- parameters */

/* Milliseconds, above 0, no longer than a century. */
static bool span_ms_param(const struct http_exchange *x, const char *name, int64_t fallback_ms, int64_t *out_ns, struct err *e) {
    int64_t ms;
    if (!param_i64(x, name, fallback_ms, &ms, e)) return false;
    if (ms <= 0 || ms > INT64_C(3155760000000)) return err_set(e, ERR_INPUT, "unable to parse param '%s': not a positive number of ms", name);
    *out_ns = ms * NS_PER_MS;
    return true;
}

static bool read_query(const struct http_exchange *x, struct spm_query *q, struct err *e) {
    int64_t lookback_ns;
    str quantile = http_param(x, STR("quantile")), grouped = http_param(x, STR("groupByOperation"));
    q->by_operation = str_eq(grouped, STR("true")) || str_eq(grouped, STR("1"));
    if (q->metric == SPM_LATENCIES && quantile.n == 0)
        return err_set(e, ERR_INPUT, "unable to parse param 'quantile': please provide a quantile, such as quantile=0.95");
    if (q->metric == SPM_LATENCIES && (!num_parse_double(quantile, &q->quantile) || !(q->quantile > 0 && q->quantile <= 1)))
        return err_set(e, ERR_INPUT, "unable to parse param 'quantile': not a number from 0 to 1: \"%" STR_F "\"", STR_A(str_sub(quantile, 0, 64)));
    if (!span_ms_param(x, "endTs", clock_wall_ms(), &q->to_ns, e) || !span_ms_param(x, "lookback", 3600 * MS_PER_S, &lookback_ns, e)) return false;
    if (!span_ms_param(x, "step", 5 * MS_PER_S, &q->step_ns, e) || !span_ms_param(x, "ratePer", 600 * MS_PER_S, &q->rate_ns, e)) return false;
    q->from_ns = MAX(q->to_ns - lookback_ns, INT64_C(0));
    if ((q->to_ns - q->from_ns) / q->step_ns >= SPM_POINTS_MAX)
        return err_set(e, ERR_INPUT, "more than %d points: ask for a longer step or a shorter lookback", SPM_POINTS_MAX);
    return true;
}

/* "server", or as the protobuf enum spells it: "SPAN_KIND_SERVER". */
static bool kind_named(str text, str *out) {
    for (unsigned k = SPAN_UNSPECIFIED; k <= SPAN_CONSUMER; k++) {
        str name = k == SPAN_UNSPECIFIED ? STR("unspecified") : span_kind_name(k);
        str bare = str_starts(text, STR("SPAN_KIND_")) ? str_from(text, 10) : text;
        if (str_eq_nocase(bare, name)) return *out = span_kind_name(k), true;
    }
    return false;
}

/* A filter on one of several values of a field. */
struct choice {
    const struct filter **p;
    size_t n, cap;
};
static void choice_add(struct choice *c, struct arena *a, str field, str value) {
    struct filter *f = arena_one(a, struct filter);
    str *word = arena_one(a, str);
    *word = value;
    *f = (struct filter){.op = FILTER_EQ, .field = field, .words = word, .word_n = 1};
    avec_push(a, c, f);
}
static const struct filter *group(struct choice *c, struct arena *a, enum filter_op op) {
    struct filter *f = arena_one(a, struct filter);
    *f = (struct filter){.op = op, .children = c->p, .child_n = c->n};
    return f;
}

static bool read_filter(const struct http_exchange *x, const struct filter **out, struct err *e) {
    struct choice services = {0}, kinds = {0}, both = {0};
    for (size_t i = 0; i < x->param_n; i++) {
        str value = x->params[i].value, kind;
        if (str_eq(x->params[i].name, STR("service")) && value.n) choice_add(&services, x->arena, STR("service"), value);
        if (!str_eq(x->params[i].name, STR("spanKind"))) continue;
        if (!kind_named(value, &kind))
            return err_set(e, ERR_INPUT, "unable to parse param 'spanKind': unsupported span kind: '%" STR_F "'", STR_A(value));
        choice_add(&kinds, x->arena, STR("kind"), kind.n ? kind : STR("unspecified"));
    }
    if (services.n == 0) return err_set(e, ERR_INPUT, "unable to parse param 'service': please provide at least one service name");
    if (services.n > SERVICES_MAX) return err_set(e, ERR_INPUT, "more than %d services", SERVICES_MAX);
    if (kinds.n == 0) choice_add(&kinds, x->arena, STR("kind"), STR("server"));
    avec_push(x->arena, &both, group(&services, x->arena, FILTER_OR));
    avec_push(x->arena, &both, group(&kinds, x->arena, FILTER_OR));
    *out = group(&both, x->arena, FILTER_AND);
    return true;
}

static void ask(struct app *app, struct http_exchange *x, enum spm_metric metric) {
    struct spm_query query = {.metric = metric};
    const struct filter *filter;
    struct err e;
    if (!read_query(x, &query, &e) || !read_filter(x, &filter, &e)) return jaeger_reply_error(x, 400, err_str(&e));
    struct question *q = mem_zalloc(sizeof *q);
    q->x = x;
    q->spm = spm_new(&query);
    q->scratch = arena_new(4096);
    q->scan = (struct evscan){.filter = filter,
                              .from_ns = query.from_ns - query.rate_ns,
                              .to_ns = query.to_ns,
                              .any_order = true,
                              .job = &q->job,
                              .bytes_max = app->query_bytes_max};
    q->snapshot = evdb_snapshot(app->store->events, EVENT_SPAN, q->scan.from_ns, q->scan.to_ns);
    q->job = (struct job){.run = run, .done = done, .deadline_ns = clock_mono_ns() + app->query_timeout_ms * NS_PER_MS};
    x->on_gone = client_gone;
    x->on_gone_arg = q;
    if (!pool_submit(app->pool, LANE_QUERY, &q->job, &q->err)) done(&q->job);
}

static void get_latencies(void *app, struct http_exchange *x) {
    ask(app, x, SPM_LATENCIES);
}
static void get_calls(void *app, struct http_exchange *x) {
    ask(app, x, SPM_CALLS);
}
static void get_errors(void *app, struct http_exchange *x) {
    ask(app, x, SPM_ERRORS);
}
/* Spans carry their own times: 1 ms, as Jaeger says over Prometheus. */
static void get_min_step(void *app, struct http_exchange *x) {
    (void)app;
    struct buf b = {0};
    buf_add(&b, STR("{\"data\":1,\"total\":0,\"limit\":0,\"offset\":0,\"errors\":null}"));
    http_reply_json(x, 200, &b);
}

const struct http_route jaeger_metrics_routes[] = {
    {HTTP_GET, "/api/metrics/latencies", get_latencies, DOOR_MAIN | DOOR_JAEGER},
    {HTTP_GET, "/api/metrics/calls", get_calls, DOOR_MAIN | DOOR_JAEGER},
    {HTTP_GET, "/api/metrics/errors", get_errors, DOOR_MAIN | DOOR_JAEGER},
    {HTTP_GET, "/api/metrics/minstep", get_min_step, DOOR_MAIN | DOOR_JAEGER},
    {0},
};
