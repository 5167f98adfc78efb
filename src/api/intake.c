#include "api/intake.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

enum { LARGE_BODY_BYTES = 256 << 10 };

static void finish(struct intake *r) {
    r->kind->reply(r);
    event_batch_free(r->events);
    for (size_t i = 0; i < r->metric_n; i++) metric_batch_free(r->metrics[i]);
    free(r->metrics);
    free(r);
}

/* When the store took nothing at all the client may send the whole again; when it took a part, that would store it twice: partial success. So is what
 * is beyond the limit of series: a client that sent it again and again would keep its other series waiting. */
static void settle(struct intake *r) {
    if (r->dropped == 0) return;
    if (r->stored > 0 || r->dropped == r->over_limit) {
        r->partial.rejected += r->dropped;
        if (r->partial.reason[0] == 0) snprintf(r->partial.reason, sizeof r->partial.reason, "%s", r->err.msg);
        r->err.code = ERR_NONE;
    } else if (r->err.code == ERR_NONE) {
        err_set(&r->err, ERR_IO, "the store is not available");
    }
}

static void one_pushed(struct intake *r) {
    if (--r->pending) return;
    settle(r);
    finish(r);
}

static void pushed(void *arg, const struct push_result *result) {
    struct intake *r = arg;
    r->stored += result->stored;
    r->histograms += result->histograms;
    r->exemplars += result->exemplars;
    r->dropped += result->dropped;
    r->over_limit += result->over_limit;
    if (result->rejected) {
        if (r->partial.reason[0] == 0) snprintf(r->partial.reason, sizeof r->partial.reason, "%s", result->err.msg);
        r->partial.rejected += result->rejected;
    }
    if (result->dropped && r->err.code == ERR_NONE) r->err = result->err;
    one_pushed(r);
}

static void push(struct intake *r) {
    struct sink *sink = r->app->sink;
    if (r->err.code == ERR_NONE && r->kind->before_push) r->kind->before_push(r);
    sink->count_refused(sink, r->kind->signal, r->err.code == ERR_NONE ? r->partial.rejected : ITEMS_UNKNOWN);
    if (r->err.code != ERR_NONE) return finish(r);
    r->pending = 1; /* ours, so that an answer within push_* does not end the request early */
    if (r->events && r->events->event_n) {
        r->pending++;
        sink->push_events(sink, TAKE(r->events), pushed, r);
    }
    for (size_t i = 0; i < r->metric_n; i++) {
        r->pending++;
        sink->push_metrics(sink, TAKE(r->metrics[i]), pushed, r);
    }
    one_pushed(r);
}

static void decode(struct intake *r) {
    struct err e = {0};
    if (!r->kind->decode(r, &e)) r->err = e;
}

static void run_decode(struct job *j) {
    decode(CONTAINER_OF(j, struct intake, job));
}
static void decoded(struct job *j) {
    push(CONTAINER_OF(j, struct intake, job));
}

static void start(struct intake intake) {
    struct intake *r = mem_alloc(sizeof *r);
    *r = intake;
    r->now_ns = clock_wall_ns();
    if (r->body.n <= LARGE_BODY_BYTES) {
        decode(r);
        push(r);
        return;
    }
    r->job = (struct job){.run = run_decode, .done = decoded};
    if (!pool_submit(r->app->pool, LANE_QUERY, &r->job, &r->err)) finish(r);
}

void intake_start(struct app *app, struct http_exchange *x, const struct intake_kind *kind, int variant) {
    start((struct intake){.x = x, .body = x->body, .app = app, .kind = kind, .variant = variant});
}

void intake_start_grpc(struct app *app, struct grpc_exchange *x, const struct intake_kind *kind) {
    start((struct intake){.grpc = x, .body = x->body, .app = app, .kind = kind});
}

void intake_one_batch(struct intake *r, struct metric_batch *b) {
    r->metrics = mem_alloc(sizeof *r->metrics);
    r->metrics[0] = b;
    r->metric_n = 1;
}

bool intake_extra_labels(const struct http_exchange *x, struct arena *a, struct labels *out, struct err *e) {
    struct label *l = arena_new_n(a, struct label, x->param_n);
    size_t n = 0;
    for (size_t i = 0; i < x->param_n; i++) {
        str value = x->params[i].value, name;
        if (!str_eq(x->params[i].name, STR("extra_label"))) continue;
        if (!str_cut(&value, '=', &name) || name.n == 0) return err_set(e, ERR_INPUT, "extra_label: expected name=value");
        l[n++] = (struct label){name, value};
    }
    if (!labels_sort(l, &n, e)) return false;
    *out = labels_copy(a, (struct labels){l, n});
    return true;
}

str intake_content_type(const struct http_exchange *x) {
    str type = http_header(x, STR("Content-Type")), head;
    str_cut(&type, ';', &head);
    return str_trim(head);
}
