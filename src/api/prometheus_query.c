#include <stdlib.h>

#include "api/prometheus.h"
#include "base/clock.h"
#include "base/mem.h"
#include "codec/compress.h"

/* query and query_range: planned on the loop thread, evaluated and encoded in the pool. */

enum { STEPS_MAX = 11000, PACKED_HERE_BYTES = 64 << 10, GZIP_LEVEL = 1 };

struct query_job {
    struct job job;
    struct http_exchange *x;
    struct promql_query *q;
    size_t limit;
    bool with_stats;
    int64_t submitted_ns, queued_ns;
    bool gzip, packed; /* the client takes gzip; the reply is */
    struct prom_reply reply;
    bool ok;
    struct err e;
};

static void put_seconds(struct json_out *o, const char *key, int64_t ns) {
    json_put_key(o, str_c(key));
    json_put_double(o, (double)ns / 1e9);
}

static void put_step_samples(struct json_out *o, const struct promql_result *r) {
    json_put_key_c(o, "totalQueryableSamplesPerStep");
    json_put_array(o);
    for (size_t i = 0; i < r->step_n; i++) {
        json_put_array(o);
        prom_put_time(o, r->start_ms + (int64_t)i * r->step_ms);
        json_put_u64(o, r->step_samples[i]);
        json_put_array_end(o);
    }
    json_put_array_end(o);
}

static void put_stats(struct json_out *o, const struct promql_result *r, int64_t queued_ns) {
    json_put_key_c(o, "stats");
    json_put_object(o);
    json_put_key_c(o, "timings");
    json_put_object(o);
    put_seconds(o, "evalTotalTime", r->plan_ns + r->eval_ns + r->sort_ns);
    put_seconds(o, "resultSortTime", r->sort_ns);
    put_seconds(o, "queryPreparationTime", r->plan_ns);
    put_seconds(o, "innerEvalTime", r->eval_ns);
    put_seconds(o, "execQueueTime", queued_ns);
    put_seconds(o, "execTotalTime", r->plan_ns + queued_ns + r->eval_ns + r->sort_ns);
    json_put_object_end(o);
    json_put_key_c(o, "samples");
    json_put_object(o);
    if (r->step_samples) put_step_samples(o, r);
    json_put_key_c(o, "totalQueryableSamples");
    json_put_u64(o, r->samples);
    json_put_key_c(o, "peakSamples");
    json_put_u64(o, r->peak_samples);
    json_put_object_end(o);
    json_put_object_end(o);
}

static void encode(struct query_job *q) {
    const struct promql_result *r = promql_result(q->q);
    struct json_out *o = &q->reply.out;
    bool truncated;
    prom_begin(&q->reply);
    json_put_object(o);
    prom_put_result(o, r, q->limit, &truncated);
    if (q->with_stats) put_stats(o, r, q->queued_ns);
    if (r->costs) prom_put_explain(o, promql_root(q->q), r->costs);
    json_put_object_end(o);
    static const str note[] = {STR_INIT("results truncated due to limit")};
    if (truncated && r->warning_n == 0)
        prom_put_notes(o, "warnings", note, 1);
    else
        prom_put_notes(o, "warnings", r->warnings, r->warning_n);
    prom_put_notes(o, "infos", r->infos, r->info_n);
}

/* Large replies are compressed here, not on the loop thread. */
static void finish_reply(struct query_job *q) {
    json_put_object_end(&q->reply.out);
    if (!q->gzip || q->reply.buf.n < PACKED_HERE_BYTES) return;
    struct buf packed = {0};
    gzip_encode(buf_str(&q->reply.buf), GZIP_LEVEL, &packed);
    buf_done(&q->reply.buf);
    q->reply.buf = packed;
    q->packed = true;
}

static void run_query(struct job *j) {
    struct query_job *q = CONTAINER_OF(j, struct query_job, job);
    q->queued_ns = clock_mono_ns() - q->submitted_ns;
    q->ok = job_check(j, &q->e) && promql_run(q->q, j, &q->e);
    if (!q->ok) return;
    encode(q);
    finish_reply(q);
}

static void fail_run(struct query_job *q) {
    str message = promql_long_error(q->q).n ? promql_long_error(q->q) : err_str(&q->e);
    switch (q->e.code) {
    case ERR_TIMEOUT: prom_error(q->x, 503, "timeout", STR("query timed out in expression evaluation")); return;
    case ERR_CANCELED: prom_error(q->x, 499, "canceled", STR("query was canceled in expression evaluation")); return;
    case ERR_NONE:
    case ERR_INPUT:
    case ERR_LIMIT:
    case ERR_NOT_FOUND:
    case ERR_UNSUPPORTED:
    case ERR_TOO_LARGE: prom_error(q->x, 422, "execution", message); return;
    case ERR_IO:
    case ERR_CORRUPT: prom_error(q->x, 500, "internal", message); return;
    }
}

static void query_done(struct job *j) {
    struct query_job *q = CONTAINER_OF(j, struct query_job, job);
    if (q->ok)
        http_reply(q->x,
                   (struct http_reply){.status = 200, .content_type = STR("application/json"), .body_buf = &q->reply.buf, .gzipped = q->packed});
    else
        fail_run(q);
    promql_free(q->q);
    free(q);
}

static void client_gone(void *arg) {
    struct query_job *q = arg;
    flag_set(&q->job.cancel);
}

/* The parameters both kinds have; false: answered. */
static bool common_params(const struct app *app, struct http_exchange *x, struct promql_params *p, struct query_job *q) {
    int64_t timeout = app->query_timeout_ms;
    int64_t asked = timeout;
    p->query = http_param(x, STR("query"));
    p->lookback_ms = app->lookback_ms;
    p->samples_max = app->query_samples_max;
    p->bytes_max = app->query_bytes_max;
    if (!prom_duration_param(x, "timeout", &asked) || !prom_duration_param(x, "lookback_delta", &p->lookback_ms)) return false;
    if (p->lookback_ms < 0) return prom_bad_param(x, "lookback_delta", STR("must not be negative")), false;
    if (!prom_limit_param(x, "limit", &q->limit)) return false;
    if (asked > 0 && (timeout == 0 || asked < timeout)) timeout = asked;
    q->job.deadline_ns = timeout ? clock_mono_ns() + timeout * NS_PER_MS : 0;
    q->with_stats = http_param(x, STR("stats")).n > 0;
    p->step_stats = str_eq(http_param(x, STR("stats")), STR("all"));
    p->explain = str_eq(http_param(x, STR("explain")), STR("1"));
    return true;
}

static void start(struct app *app, struct http_exchange *x, const struct promql_params *p, const struct query_job *prepared) {
    struct err e;
    struct query_job *q = mem_alloc(sizeof *q);
    *q = *prepared;
    q->x = x;
    q->gzip = http_accepts_gzip(http_header(x, STR("Accept-Encoding")));
    q->job.run = run_query;
    q->job.done = query_done;
    if (!promql_plan(app->store->metrics, p, &q->q, &e)) {
        free(q);
        prom_bad_param(x, "query", err_str(&e));
        return;
    }
    x->on_gone = client_gone;
    x->on_gone_arg = q;
    q->submitted_ns = clock_mono_ns();
    if (pool_submit(app->pool, LANE_QUERY, &q->job, &e)) return;
    x->on_gone = NULL;
    promql_free(q->q);
    free(q);
    prom_error(x, 503, "unavailable", STR("too many queries are waiting: try again later"));
}

void prom_query(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    struct promql_params p = {.start_ms = clock_wall_ms()};
    struct query_job q = {0};
    if (!prom_time_param(x, "time", &p.start_ms) || !common_params(app, x, &p, &q)) return;
    p.end_ms = p.start_ms;
    start(app, x, &p, &q);
}

static bool range_params(struct http_exchange *x, struct promql_params *p) {
    static const char *const needed[] = {"start", "end", "step"};
    for (size_t i = 0; i < ARRAY_N(needed); i++) {
        if (http_param(x, str_c(needed[i])).n) continue;
        prom_bad_param(x, needed[i], i == 2 ? STR("cannot parse \"\" to a valid duration") : STR("cannot parse \"\" to a valid timestamp"));
        return false;
    }
    if (!prom_time_param(x, "start", &p->start_ms) || !prom_time_param(x, "end", &p->end_ms)) return false;
    if (p->end_ms < p->start_ms) return prom_bad_param(x, "end", STR("end timestamp must not be before start time")), false;
    if (!prom_duration_param(x, "step", &p->step_ms)) return false;
    if (p->step_ms <= 0)
        return prom_bad_param(x, "step", STR("zero or negative query resolution step widths are not accepted. Try a positive integer")), false;
    if ((p->end_ms - p->start_ms) / p->step_ms <= STEPS_MAX) return true;
    prom_error(x, 400, "bad_data",
               STR("exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)"));
    return false;
}

void prom_query_range(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    struct promql_params p = {0};
    struct query_job q = {0};
    if (!range_params(x, &p) || !common_params(app, x, &p, &q)) return;
    start(app, x, &p, &q);
}

/* --- about the expression alone */

static bool parse_param(struct http_exchange *x, struct promql_ast *ast) {
    struct promql_regexes regexes = {0};
    struct err e;
    bool ok = promql_parse(http_param(x, STR("query")), x->arena, &regexes, ast, &e);
    promql_regexes_done(&regexes); /* neither the text nor the tree shows the compiled form */
    if (!ok) prom_bad_param(x, "query", err_str(&e));
    return ok;
}

void prom_format_query(void *arg, struct http_exchange *x) {
    (void)arg;
    struct promql_ast ast;
    struct prom_reply r;
    struct buf text = {0};
    if (!parse_param(x, &ast)) return;
    promql_pretty(&text, ast.root, PROMQL_PRETTY_WIDTH);
    prom_begin(&r);
    json_put_string(&r.out, buf_str(&text));
    buf_done(&text);
    prom_send(x, &r);
}

void prom_parse_query(void *arg, struct http_exchange *x) {
    (void)arg;
    struct promql_ast ast;
    struct prom_reply r;
    if (!parse_param(x, &ast)) return;
    if (ast.root->depth * 2 + 6 > JSON_DEPTH_MAX) {
        prom_bad_param(x, "query", STR("the tree is too deep to be shown as JSON"));
        return;
    }
    prom_begin(&r);
    prom_put_tree(&r.out, ast.root);
    prom_send(x, &r);
}
