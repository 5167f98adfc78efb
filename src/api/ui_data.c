#include "api/ui_data.h"

#include <math.h>
#include <stdlib.h>

#include "api/logs_patterns.h"
#include "api/logs_query.h"
#include "api/moved.h"
#include "api/red.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/vec.h"
#include "codec/duration.h"
#include "codec/json.h"
#include "query/trace/search.h"

enum {
    BUCKETS_MAX = 2000,
    MARKS_MAX = 200,
    MARK_SERIES_MAX = 500,
    MOVED_SERIES_MAX = 50000,
    BASE_WINDOWS = 4,
    SERVICE_POINTS = 60,
    DOTS_MAX = 1000,
    TRACE_ID_HEX = 32,
    ROWS_BETWEEN_RESETS = 256
};
#define WINDOW_MS_MAX (INT64_C(20) * 366 * 86400 * MS_PER_S)

void ui_reply_error(struct http_exchange *x, const struct err *e) {
    struct buf body = {0};
    struct json_out o = {.buf = &body};
    json_put_object(&o);
    json_put_key_c(&o, "error");
    json_put_string(&o, err_str(e));
    json_put_object_end(&o);
    http_reply_json(x, err_http_status(e->code), &body);
}

/* --- a question: parsed and pinned on the loop, answered in the pool */
struct question {
    struct job job;
    struct http_exchange *x;
    struct arena *arena;
    int64_t from_ms, to_ms;
    struct evdb_snapshot *events;
    unsigned n;                        /* strip: buckets */
    struct logs_query query;           /* strip, patterns: which logs */
    struct fields fields;              /* strip, patterns: what the query's names mean */
    struct tsdb_selection *up, *start; /* strip: series behind the marks */
    struct trace_search search;        /* scatter */
    struct tsdb_selection *all;        /* moved */
    int64_t base_ms;                   /* moved, patterns: where the time before begins */
    bool (*answer)(struct question *q, struct buf *out, struct err *e);
    struct buf out;
    bool good;
    struct err err;
};

static void question_free(struct question *q) {
    if (q->events) evdb_snapshot_free(q->events);
    if (q->up) tsdb_selection_free(q->up);
    if (q->start) tsdb_selection_free(q->start);
    if (q->all) tsdb_selection_free(q->all);
    fields_done(&q->fields);
    buf_done(&q->out);
    arena_free(q->arena);
}

static void question_run(struct job *j) {
    struct question *q = CONTAINER_OF(j, struct question, job);
    q->good = job_check(j, &q->err) && q->answer(q, &q->out, &q->err);
}

static void question_done(struct job *j) {
    struct question *q = CONTAINER_OF(j, struct question, job);
    q->x->on_gone = NULL;
    if (q->good)
        http_reply_json(q->x, 200, &q->out);
    else
        ui_reply_error(q->x, &q->err);
    question_free(q);
}

static void client_gone(void *arg) {
    struct question *q = arg;
    flag_set(&q->job.cancel);
}

static bool time_param(const struct http_exchange *x, str name, int64_t *out, struct err *e) {
    str text = http_param(x, name);
    if (!text.n) return err_set(e, ERR_INPUT, "parameter %" STR_F " is missing: give Unix time in milliseconds", STR_A(name));
    if (!str_i64(text, out) || *out < 0 || *out > INT64_MAX / NS_PER_MS)
        return err_set(e, ERR_INPUT, "parameter %" STR_F ": not Unix time in milliseconds: \"%" STR_F "\"", STR_A(name), STR_A(text));
    return true;
}

static bool window_params(const struct http_exchange *x, int64_t *from_ms, int64_t *to_ms, struct err *e) {
    if (!time_param(x, STR("from"), from_ms, e) || !time_param(x, STR("to"), to_ms, e)) return false;
    if (*to_ms <= *from_ms) return err_set(e, ERR_INPUT, "parameter to: must be later than from");
    if (*to_ms - *from_ms > WINDOW_MS_MAX) return err_set(e, ERR_INPUT, "parameter from: the window is longer than 20 years");
    return true;
}

static bool base_param(const struct http_exchange *x, int64_t from_ms, int64_t *out, struct err *e) {
    if (!time_param(x, STR("base"), out, e)) return false;
    return *out <= from_ms || err_set(e, ERR_INPUT, "parameter base: must not be later than from");
}

static struct question *question_new(struct app *app, struct http_exchange *x, int64_t from_ms, int64_t to_ms) {
    struct arena *a = arena_new(64 << 10);
    struct question *q = arena_one(a, struct question);
    q->arena = a;
    q->x = x;
    q->from_ms = from_ms;
    q->to_ms = to_ms;
    q->job.run = question_run;
    q->job.done = question_done;
    q->job.deadline_ns = clock_mono_ns() + app->query_timeout_ms * NS_PER_MS;
    return q;
}

static void question_ask(struct app *app, struct question *q) {
    q->x->on_gone_arg = q;
    q->x->on_gone = client_gone;
    if (pool_submit(app->pool, LANE_QUERY, &q->job, &q->err)) return;
    question_done(&q->job);
}

/* --- services */
struct span_walk {
    struct red *red;
    struct arena *scratch;
    unsigned rows;
};

static str text_of(const struct evrow *r, str field, struct arena *a) {
    struct value v;
    if (!evrow_get(r, field, a, &v) || v.type != VAL_STRING) return STR_NULL;
    return v.s;
}

static int64_t duration_of(const struct evrow *r, struct arena *a) {
    struct value v;
    return evrow_get(r, STR("duration"), a, &v) && v.type == VAL_INT ? v.i : 0;
}

static bool walk_span(void *arg, const struct evrow *r) {
    struct span_walk *w = arg;
    if (++w->rows % ROWS_BETWEEN_RESETS == 0) arena_reset(w->scratch);
    str kind = text_of(r, STR("kind"), w->scratch);
    red_add(w->red, (struct red_span){
                        .service = text_of(r, STR("service"), w->scratch),
                        .start_ns = evrow_time_ns(r),
                        .duration_ns = duration_of(r, w->scratch),
                        .entry = str_eq(kind, STR("server")) || str_eq(kind, STR("consumer")) || !text_of(r, STR("parent_id"), w->scratch).n,
                        .error = str_eq(text_of(r, STR("status"), w->scratch), STR("error")),
                    });
    return true;
}

static bool answer_services(struct question *q, struct buf *out, struct err *e) {
    int64_t from_ns = q->from_ms * NS_PER_MS, to_ns = q->to_ms * NS_PER_MS;
    AUTO(red_free) struct red *red = red_new(q->arena, from_ns, to_ns, SERVICE_POINTS);
    AUTO(arena_free) struct arena *scratch = arena_new(64 << 10);
    struct span_walk walk = {.red = red, .scratch = scratch};
    struct evscan scan = {.from_ns = from_ns, .to_ns = to_ns - 1, .any_order = true, .job = &q->job};
    struct evscan_stats stats;
    if (!evdb_scan(q->events, &scan, walk_span, &walk, &stats, e)) return false;
    struct json_out o = {.buf = out};
    red_put(red, &o);
    return true;
}

void ui_services(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    struct err e;
    int64_t from_ms, to_ms;
    if (!window_params(x, &from_ms, &to_ms, &e)) {
        ui_reply_error(x, &e);
        return;
    }
    struct question *q = question_new(app, x, from_ms, to_ms);
    q->answer = answer_services;
    q->events = evdb_snapshot(app->store->events, EVENT_SPAN, from_ms * NS_PER_MS, to_ms * NS_PER_MS - 1);
    question_ask(app, q);
}

/* --- scatter */
struct dot {
    char trace[TRACE_ID_HEX]; /* hex digits, then zeros */
    int64_t t_ns, duration_ns;
    bool error;
};
struct dots {
    struct arena *scratch;
    bool any_span; /* else only roots */
    struct dot *p;
    uint64_t seen, random;
};

/* A uniform sample of a stream of unknown length: the n-th item takes a random place if that is one of those kept (reservoir sampling). */
static bool walk_dot(void *arg, const struct evrow *r) {
    struct dots *d = arg;
    arena_reset(d->scratch);
    if (!d->any_span && text_of(r, STR("parent_id"), d->scratch).n) return true;
    uint64_t at = d->seen++;
    if (at >= DOTS_MAX) {
        d->random = hash_mix(d->random, at);
        at = d->random % d->seen;
        if (at >= DOTS_MAX) return true;
    }
    str trace = text_of(r, STR("trace_id"), d->scratch);
    struct dot *dot = &d->p[at];
    memset(dot->trace, 0, sizeof dot->trace);
    if (trace.n) memcpy(dot->trace, trace.p, MIN(trace.n, sizeof dot->trace));
    dot->t_ns = evrow_time_ns(r);
    dot->duration_ns = duration_of(r, d->scratch);
    dot->error = str_eq(text_of(r, STR("status"), d->scratch), STR("error"));
    return true;
}

static void put_dots(const struct dots *d, struct json_out *o) {
    size_t n = MIN(d->seen, (uint64_t)DOTS_MAX);
    json_put_object(o);
    json_put_key_c(o, "total");
    json_put_u64(o, d->seen);
    json_put_key_c(o, "trace");
    json_put_array(o);
    for (size_t i = 0; i < n; i++) json_put_string(o, str_n(d->p[i].trace, strnlen(d->p[i].trace, TRACE_ID_HEX)));
    json_put_array_end(o);
    json_put_key_c(o, "t");
    json_put_array(o);
    for (size_t i = 0; i < n; i++) json_put_i64(o, d->p[i].t_ns / NS_PER_MS);
    json_put_array_end(o);
    json_put_key_c(o, "duration");
    json_put_array(o);
    for (size_t i = 0; i < n; i++) json_put_double(o, (double)d->p[i].duration_ns / (double)NS_PER_MS);
    json_put_array_end(o);
    json_put_key_c(o, "error");
    json_put_array(o);
    for (size_t i = 0; i < n; i++) json_put_bool(o, d->p[i].error);
    json_put_array_end(o);
    json_put_object_end(o);
}

static bool answer_scatter(struct question *q, struct buf *out, struct err *e) {
    AUTO(arena_free) struct arena *scratch = arena_new(64 << 10);
    struct dots dots = {.scratch = scratch, .any_span = q->search.service.n || q->search.operation.n || q->search.tag_n};
    dots.p = arena_zalloc(q->arena, DOTS_MAX * sizeof *dots.p);
    struct evscan scan = {.filter = trace_search_filter(&q->search, q->arena),
                          .from_ns = q->search.from_ns,
                          .to_ns = q->search.to_ns,
                          .any_order = true,
                          .job = &q->job};
    struct evscan_stats stats;
    if (!evdb_scan(q->events, &scan, walk_dot, &dots, &stats, e)) return false;
    struct json_out o = {.buf = out};
    put_dots(&dots, &o);
    return true;
}

static bool span_length(const struct http_exchange *x, str name, int64_t *out_ns, struct err *e) {
    str text = http_param(x, name);
    if (!text.n || duration_parse_go(text, out_ns, e)) return true;
    return err_wrap(e, "parameter %" STR_F, STR_A(name));
}

static bool search_params(const struct http_exchange *x, struct arena *a, struct trace_search *s, struct err *e) {
    s->service = arena_str(a, http_param(x, STR("service")));
    s->operation = arena_str(a, http_param(x, STR("operation")));
    if (!span_length(x, STR("minDuration"), &s->min_ns, e) || !span_length(x, STR("maxDuration"), &s->max_ns, e)) return false;
    struct trace_tag *tags;
    if (!trace_tags_logfmt(arena_str(a, http_param(x, STR("tags"))), a, &tags, &s->tag_n, e)) return err_wrap(e, "parameter tags");
    s->tags = tags;
    return true;
}

void ui_scatter(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    struct err e;
    int64_t from_ms, to_ms;
    if (!window_params(x, &from_ms, &to_ms, &e)) {
        ui_reply_error(x, &e);
        return;
    }
    struct question *q = question_new(app, x, from_ms, to_ms);
    q->answer = answer_scatter;
    q->search.from_ns = from_ms * NS_PER_MS;
    q->search.to_ns = to_ms * NS_PER_MS - 1;
    if (!search_params(x, q->arena, &q->search, &q->err)) {
        question_done(&q->job);
        return;
    }
    q->events = evdb_snapshot(app->store->events, EVENT_SPAN, q->search.from_ns, q->search.to_ns);
    question_ask(app, q);
}

/* --- strip */
struct mark {
    int64_t t_ms;
    const char *kind;
    str name;
};
struct marks {
    struct mark *p;
    size_t n, cap;
};

static str target_name(struct arena *a, struct labels l) {
    str job = labels_get(l, STR("job")), instance = labels_get(l, STR("instance"));
    return arena_printf(a, "%" STR_F "%s%" STR_F, STR_A(job), job.n && instance.n ? " " : "", STR_A(instance));
}

/* A mark wherever the value of one of the series changes; `kind` names the change. */
static bool add_marks(struct question *q, const struct tsdb_selection *s, const char *(*kind)(double old, double now), struct marks *out,
                      struct err *e) {
    for (size_t i = 0; i < MIN(tsdb_selection_n(s), MARK_SERIES_MAX) && out->n < MARKS_MAX; i++) {
        if (!job_check(&q->job, e)) return false;
        struct samples v;
        if (!tsdb_read(s, i, q->from_ms, q->to_ms, q->arena, &v, e)) return false;
        double old = NAN;
        for (size_t k = 0; k < v.n && out->n < MARKS_MAX; k++) {
            if (isnan(v.v[k])) continue;
            const char *what = isnan(old) ? NULL : kind(old, v.v[k]);
            old = v.v[k];
            if (what) avec_push(q->arena, out, ((struct mark){v.t_ms[k], what, target_name(q->arena, tsdb_selection_labels(s, i))}));
        }
    }
    return true;
}

static const char *up_change(double old, double now) {
    return old == now ? NULL : now > 0 ? "up" : "down";
}
static const char *start_change(double old, double now) {
    return now > old + 1 ? "restart" : NULL; /* some exporters compute the start from uptime: it trembles below a second */
}

static int by_time(const void *a, const void *b) {
    const struct mark *x = a, *y = b;
    return (x->t_ms > y->t_ms) - (x->t_ms < y->t_ms);
}

static bool put_marks(struct question *q, struct json_out *o, struct err *e) {
    struct marks marks = {0};
    if (q->up && !add_marks(q, q->up, up_change, &marks, e)) return false;
    if (q->start && !add_marks(q, q->start, start_change, &marks, e)) return false;
    if (marks.n) qsort(marks.p, marks.n, sizeof *marks.p, by_time);
    json_put_key_c(o, "marks");
    json_put_array(o);
    for (size_t i = 0; i < marks.n; i++) {
        json_put_object(o);
        json_put_key_c(o, "t");
        json_put_i64(o, marks.p[i].t_ms);
        json_put_key_c(o, "kind");
        json_put_string(o, str_c(marks.p[i].kind));
        json_put_key_c(o, "name");
        json_put_string(o, marks.p[i].name);
        json_put_object_end(o);
    }
    json_put_array_end(o);
    return true;
}

/* One histogram per class of severity, and one of everything: what is left over is "info". */
static const struct severity_class {
    str name;
    double lo, hi;
} classes[] = {{STR_INIT("error"), 17, 24}, {STR_INIT("warn"), 13, 16}, {STR_INIT("debug"), 1, 8}};

static bool answer_strip(struct question *q, struct buf *out, struct err *e) {
    const struct filter *asked;
    if (!logs_query_filter(&q->query, &q->fields, q->arena, &asked, e)) return false;
    int64_t step_ms = (q->to_ms - q->from_ms + q->n - 1) / q->n;
    struct evscan scan = {.from_ns = q->from_ms * NS_PER_MS, .to_ns = q->to_ms * NS_PER_MS - 1, .any_order = true, .job = &q->job};
    uint64_t *rest = arena_zalloc(q->arena, q->n * sizeof *rest);
    scan.filter = asked;
    if (!evdb_histogram(q->events, &scan, step_ms * NS_PER_MS, rest, q->n, e)) return false;
    struct json_out o = {.buf = out};
    json_put_object(&o);
    json_put_key_c(&o, "from");
    json_put_i64(&o, q->from_ms);
    json_put_key_c(&o, "step");
    json_put_i64(&o, step_ms);
    for (size_t c = 0; c < ARRAY_N(classes); c++) {
        struct filter severity = {.op = FILTER_NUMBER_RANGE, .field = STR("severity_number"), .has_lo = true, .has_hi = true};
        severity.num_lo = classes[c].lo;
        severity.num_hi = classes[c].hi;
        const struct filter *both[] = {&severity, asked};
        scan.filter = filter_join(q->arena, FILTER_AND, both, ARRAY_N(both));
        uint64_t *counts = arena_zalloc(q->arena, q->n * sizeof *counts);
        if (!evdb_histogram(q->events, &scan, step_ms * NS_PER_MS, counts, q->n, e)) return false;
        json_put_key(&o, classes[c].name);
        json_put_array(&o);
        for (unsigned i = 0; i < q->n; i++) {
            json_put_u64(&o, counts[i]);
            rest[i] -= MIN(rest[i], counts[i]);
        }
        json_put_array_end(&o);
    }
    json_put_key_c(&o, "info");
    json_put_array(&o);
    for (unsigned i = 0; i < q->n; i++) json_put_u64(&o, rest[i]);
    json_put_array_end(&o);
    if (!put_marks(q, &o, e)) return false;
    json_put_object_end(&o);
    return true;
}

static struct tsdb_selection *select_metric(struct app *app, str name, int64_t from_ms, int64_t to_ms) {
    struct matcher m = {.op = MATCH_EQ, .name = LABEL_METRIC_NAME, .value = name};
    struct tsdb_selection *s = NULL;
    struct err e; /* too many series to mark: the strip is drawn without */
    return tsdb_select(app->store->metrics, &m, 1, from_ms, to_ms, MARK_SERIES_MAX, &s, &e) ? s : NULL;
}

void ui_strip(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    struct err e;
    int64_t from_ms, to_ms;
    uint64_t n = 200;
    if (!window_params(x, &from_ms, &to_ms, &e)) {
        ui_reply_error(x, &e);
        return;
    }
    if (http_has_param(x, STR("n")) && (!str_u64(http_param(x, STR("n")), &n) || n == 0 || n > BUCKETS_MAX)) {
        err_set(&e, ERR_INPUT, "parameter n: not a number of buckets between 1 and %d", BUCKETS_MAX);
        ui_reply_error(x, &e);
        return;
    }
    struct question *q = question_new(app, x, from_ms, to_ms);
    q->answer = answer_strip;
    q->n = (unsigned)n;
    q->query = logs_query_read(x, q->arena);
    q->fields = logs_query_fields(app, q->arena);
    q->events = evdb_snapshot(app->store->events, EVENT_LOG, from_ms * NS_PER_MS, to_ms * NS_PER_MS - 1);
    q->up = select_metric(app, STR("up"), from_ms, to_ms);
    q->start = select_metric(app, STR("process_start_time_seconds"), from_ms, to_ms);
    question_ask(app, q);
}

/* --- moved */
static bool answer_moved(struct question *q, struct buf *out, struct err *e) {
    AUTO(moved_free) struct moved *m = moved_new(q->arena, q->base_ms, q->from_ms, q->to_ms);
    AUTO(arena_free) struct arena *scratch = arena_new(64 << 10);
    for (size_t i = 0; i < tsdb_selection_n(q->all); i++) {
        struct samples v;
        if (!job_check(&q->job, e) || !tsdb_read(q->all, i, q->base_ms, q->to_ms - 1, scratch, &v, e)) return false;
        moved_add(m, tsdb_selection_labels(q->all, i), &v, scratch);
        arena_reset(scratch);
    }
    struct json_out o = {.buf = out};
    moved_put(m, &o);
    return true;
}

void ui_moved(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    struct err e;
    int64_t from_ms, to_ms;
    if (!window_params(x, &from_ms, &to_ms, &e)) {
        ui_reply_error(x, &e);
        return;
    }
    struct question *q = question_new(app, x, from_ms, to_ms);
    q->answer = answer_moved;
    q->base_ms = from_ms - BASE_WINDOWS * (to_ms - from_ms);
    struct matcher any = {.op = MATCH_NE, .name = LABEL_METRIC_NAME};
    if (tsdb_select(app->store->metrics, &any, 1, q->base_ms, to_ms - 1, MOVED_SERIES_MAX, &q->all, &q->err))
        question_ask(app, q);
    else
        question_done(&q->job);
}

/* --- patterns */
struct line_walk {
    struct log_patterns *patterns;
    struct arena *scratch;
    unsigned rows;
    bool partial;
};

static str message_of(const struct evrow *r, struct arena *a, str *field) {
    static const str names[] = {STR_INIT("message"), STR_INIT("log"), STR_INIT("msg"), STR_INIT("body"), STR_INIT("MESSAGE")};
    for (size_t i = 0; i < ARRAY_N(names); i++) {
        str text = text_of(r, names[i], a);
        *field = names[i];
        if (text.n) return text;
    }
    return STR_NULL;
}

static bool walk_line(void *arg, const struct evrow *r) {
    struct line_walk *w = arg;
    if (++w->rows > PATTERN_LINES_MAX) return w->partial = true, false;
    if (w->rows % ROWS_BETWEEN_RESETS == 0) arena_reset(w->scratch);
    struct value severity;
    struct log_line line = {.time_ns = evrow_time_ns(r), .service = text_of(r, STR("service.name"), w->scratch)};
    line.message = message_of(r, w->scratch, &line.field);
    if (evrow_get(r, STR("severity_number"), w->scratch, &severity) && severity.type == VAL_INT) line.severity = (int)severity.i;
    log_patterns_add(w->patterns, &line);
    return true;
}

static bool answer_patterns(struct question *q, struct buf *out, struct err *e) {
    int64_t base_ns = q->base_ms * NS_PER_MS, from_ns = q->from_ms * NS_PER_MS, to_ns = q->to_ms * NS_PER_MS;
    AUTO(log_patterns_free) struct log_patterns *patterns = log_patterns_new(q->arena, base_ns, from_ns, to_ns);
    AUTO(arena_free) struct arena *scratch = arena_new(64 << 10);
    struct evscan both[] = {{.from_ns = from_ns, .to_ns = to_ns - 1}, {.from_ns = base_ns, .to_ns = from_ns - 1}};
    bool partial = false;
    for (size_t i = 0; i < ARRAY_N(both); i++) {
        struct line_walk walk = {.patterns = patterns, .scratch = scratch};
        struct evscan_stats stats;
        both[i].job = &q->job;
        if (both[i].to_ns < both[i].from_ns) continue;
        if (!logs_query_filter(&q->query, &q->fields, q->arena, &both[i].filter, e)) return false;
        if (!evdb_scan(q->events, &both[i], walk_line, &walk, &stats, e)) return false;
        partial |= walk.partial;
    }
    struct json_out o = {.buf = out};
    log_patterns_put(patterns, &o);
    json_put_key_c(&o, "partial");
    json_put_bool(&o, partial);
    json_put_object_end(&o);
    return true;
}

void ui_patterns(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    struct err e;
    int64_t from_ms, to_ms, base_ms = 0;
    bool has_base = http_has_param(x, STR("base"));
    if (!window_params(x, &from_ms, &to_ms, &e) || (has_base && !base_param(x, from_ms, &base_ms, &e))) {
        ui_reply_error(x, &e);
        return;
    }
    struct question *q = question_new(app, x, from_ms, to_ms);
    q->answer = answer_patterns;
    q->base_ms = has_base ? base_ms : MAX(0, from_ms - (to_ms - from_ms));
    q->query = logs_query_read(x, q->arena);
    q->fields = logs_query_fields(app, q->arena);
    q->events = evdb_snapshot(app->store->events, EVENT_LOG, q->base_ms * NS_PER_MS, to_ms * NS_PER_MS - 1);
    question_ask(app, q);
}

/* --- parse */
static bool answer_parse(struct question *q, struct buf *out, struct err *e) {
    (void)e;
    const struct filter *filter;
    struct err wrong;
    bool good = logs_query_filter(&q->query, &q->fields, q->arena, &filter, &wrong);
    struct json_out o = {.buf = out};
    json_put_object(&o);
    json_put_key_c(&o, "error");
    json_put_string(&o, good ? STR("") : err_str(&wrong));
    json_put_object_end(&o);
    return true;
}

void ui_parse(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    struct question *q = question_new(app, x, 0, 0);
    q->answer = answer_parse;
    q->query = logs_query_read(x, q->arena);
    q->fields = logs_query_fields(app, q->arena);
    question_ask(app, q);
}
