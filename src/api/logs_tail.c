#include "api/logs_tail.h"

#include "api/elastic_hits.h"
#include "api/logs_query.h"
#include "api/ui_data.h"
#include "base/clock.h"

enum { OLD_ROWS_MAX = 2000 /* known lines in a row that end a look */, QUIET_S = 15 };

struct tail_client {
    struct app *app;
    struct tail_client *next, *before; /* in app->tails */
    struct arena *arena;               /* as long as the client */
    struct logs_query query;
    struct http_exchange *x;  /* until the query is known to be good */
    struct http_stream *sink; /* from then on */
    struct timer *timer;
    bool gone;
    uint64_t seq;     /* the first line not looked at yet */
    uint64_t skipped; /* not yet told */
    int64_t spoke_ns;
    /* one look */
    bool looking, ok;
    struct job job;
    struct arena *scratch, *row_scratch;
    struct fields fields;
    struct evdb_snapshot *events;
    uint64_t end_seq, rows, passed_over, old;
    struct buf hits;
    struct err err;
};

static void end(struct tail_client *t) {
    assert(!t->looking);
    *(t->before ? &t->before->next : &t->app->tails) = t->next;
    if (t->next) t->next->before = t->before;
    timer_free(t->timer);
    if (t->sink) http_stream_end(t->sink);
    buf_done(&t->hits);
    arena_free(t->arena);
}

/* --- a look, in the pool */

static void put_hit(struct tail_client *t, const struct evrow *r) {
    struct json_out o = {.buf = &t->hits};
    const struct es_hit_options shown = {.source = true, .catalogue = &t->fields};
    str sort = arena_printf(t->row_scratch, "[%lld,\"%lld-%llu\"]", (long long)(evrow_time_ns(r) / NS_PER_MS), (long long)evrow_time_ns(r),
                            (unsigned long long)evrow_seq(r));
    if (t->rows++) buf_add(&t->hits, STR(","));
    es_hit_put(&o, r, &shown, sort, t->row_scratch);
    arena_reset(t->row_scratch);
}

static bool on_row(void *arg, const struct evrow *r) {
    struct tail_client *t = arg;
    if (evrow_seq(r) < t->seq) return ++t->old < OLD_ROWS_MAX;
    t->old = 0;
    if (t->rows < TAIL_ROWS_MAX && t->hits.n < TAIL_BYTES_MAX)
        put_hit(t, r);
    else
        t->passed_over++;
    return true;
}

static void look_run(struct job *j) {
    struct tail_client *t = CONTAINER_OF(j, struct tail_client, job);
    struct evscan scan = {.from_ns = INT64_MIN, .to_ns = INT64_MAX, .job = j};
    struct evscan_stats stats;
    t->row_scratch = arena_new(64 << 10);
    t->ok = job_check(j, &t->err) && logs_query_filter(&t->query, &t->fields, t->scratch, &scan.filter, &t->err) &&
            (t->seq == t->end_seq || evdb_scan(t->events, &scan, on_row, t, &stats, &t->err));
    arena_free(t->row_scratch);
}

/* --- what it found, to the client */

static void say(struct tail_client *t, struct buf *event) {
    if (http_stream_write(t->sink, buf_str(event)))
        t->skipped = 0;
    else
        t->skipped += t->rows;
    t->spoke_ns = clock_mono_ns();
}

static void say_lines(struct tail_client *t) {
    AUTO(buf_done) struct buf event = {0};
    buf_add(&event, STR("data: {\"hits\":["));
    buf_add(&event, buf_str(&t->hits));
    buf_printf(&event, "],\"skipped\":%llu}\n\n", (unsigned long long)t->skipped);
    say(t, &event);
}

static void say_problem(struct tail_client *t) {
    AUTO(buf_done) struct buf event = {0};
    struct json_out o = {.buf = &event};
    buf_add(&event, STR("event: problem\ndata: "));
    json_put_object(&o);
    json_put_key_c(&o, "error");
    json_put_string(&o, err_str(&t->err));
    json_put_object_end(&o);
    buf_add(&event, STR("\n\n"));
    say(t, &event);
}

static void look(void *arg);

static void client_gone(void *arg) {
    struct tail_client *t = arg;
    t->gone = true;
    flag_set(&t->job.cancel);
    if (!t->looking) end(t);
}

/* The first look has only read the query: the stream begins, or the request is refused. */
static void begin(struct tail_client *t) {
    struct http_exchange *x = TAKE(t->x);
    x->on_gone = NULL;
    if (!t->ok) {
        ui_reply_error(x, &t->err);
        end(t);
        return;
    }
    t->sink = http_stream_begin(x, 200, STR("text/event-stream"), client_gone, t);
    AUTO(buf_done) struct buf hello = {0};
    buf_printf(&hello, "event: hello\ndata: {\"seq\":%llu}\n\n", (unsigned long long)t->seq);
    say(t, &hello);
    t->timer = timer_start(t->app->loop, TAIL_PERIOD_MS, TAIL_PERIOD_MS, look, t);
}

static void look_done(struct job *j) {
    struct tail_client *t = CONTAINER_OF(j, struct tail_client, job);
    t->looking = false;
    evdb_snapshot_free(TAKE(t->events));
    fields_done(&t->fields);
    arena_free(TAKE(t->scratch));
    if (t->x) return begin(t);
    if (t->gone) return end(t);
    if (!t->ok) return say_problem(t);
    t->seq = t->end_seq;
    t->skipped += t->passed_over;
    if (t->rows || t->skipped) say_lines(t);
}

static void look(void *arg) {
    struct tail_client *t = arg;
    if (t->looking) return;
    t->end_seq = evdb_next_seq(t->app->store->events, EVENT_LOG);
    t->rows = t->passed_over = t->old = 0;
    buf_clear(&t->hits);
    if (t->seq == t->end_seq && !t->x) {
        bool quiet = clock_mono_ns() - t->spoke_ns > QUIET_S * NS_PER_S;
        if (t->skipped || quiet) say_lines(t);
        return;
    }
    if (t->x) t->seq = t->end_seq;
    int64_t now = clock_wall_ns();
    t->scratch = arena_new(64 << 10);
    t->fields = logs_query_fields(t->app, t->scratch);
    t->events = evdb_snapshot(t->app->store->events, EVENT_LOG, now - TAIL_LATE_S * NS_PER_S, INT64_MAX);
    t->job.deadline_ns = clock_mono_ns() + t->app->query_timeout_ms * NS_PER_MS;
    t->looking = true;
    if (pool_submit(t->app->pool, LANE_QUERY, &t->job, &t->err)) return;
    t->ok = false;
    look_done(&t->job);
}

void logs_tail(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    unsigned n = 0;
    for (struct tail_client *t = app->tails; t; t = t->next) n++;
    if (n >= TAILS_MAX) {
        struct err e;
        err_set(&e, ERR_LIMIT, "%d clients follow the log already: close one", TAILS_MAX);
        ui_reply_error(x, &e);
        return;
    }
    struct arena *a = arena_new(4096);
    struct tail_client *t = arena_one(a, struct tail_client);
    t->arena = a;
    t->app = app;
    t->x = x;
    t->query = logs_query_read(x, a);
    t->job.run = look_run;
    t->job.done = look_done;
    t->next = app->tails;
    if (t->next) t->next->before = t;
    app->tails = t;
    look(t);
}

void logs_tail_stop_all(struct app *app) {
    while (app->tails) end(app->tails);
}
