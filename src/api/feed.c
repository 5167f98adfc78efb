#include "api/feed.h"

/* A client that reads slower than we write: its buffer is looked at again after that. */
enum { RETRY_MS = 20 };

static void end(struct feed *f) {
    *(f->before ? &f->before->next : &f->app->feeds) = f->next;
    if (f->next) f->next->before = f->before;
    timer_free(f->retry);
    buf_done(&f->piece);
    f->kind->free(f);
}

static void make(struct job *j) {
    struct feed *f = CONTAINER_OF(j, struct feed, job);
    f->ok = job_check(j, &f->err) && f->kind->make(f, &f->piece, &f->err);
}

static void cut(struct feed *f) {
    http_stream_abort(f->sink);
    end(f);
}

/* The client left. A job that runs sees the flag; its done does the rest. */
static void gone(void *arg) {
    struct feed *f = arg;
    flag_set(&f->job.cancel);
    if (f->retry) cut(f);
}

static void send(void *arg);

static void later(struct feed *f) {
    f->retry = timer_start(f->app->loop, RETRY_MS, 0, send, f);
}

/* Hands the piece on, then has the next one made. */
static void send(void *arg) {
    struct feed *f = arg;
    struct err e;
    timer_free(TAKE(f->retry));
    if (!job_check(&f->job, &e)) return cut(f);
    while (f->sent < f->piece.n) {
        str some = str_sub(buf_str(&f->piece), f->sent, MIN(f->piece.n, f->sent + FEED_PIECE_BYTES));
        if (!http_stream_write(f->sink, some)) return later(f);
        f->sent += some.n;
    }
    buf_clear(&f->piece);
    f->sent = 0;
    if (f->finished) {
        http_stream_end(f->sink);
        return end(f);
    }
    if (!pool_submit(f->app->pool, LANE_QUERY, &f->job, &e)) later(f);
}

static void reply_whole(struct feed *f) {
    struct http_pair coding = {STR("Content-Encoding"), f->content_coding};
    http_reply(f->x, (struct http_reply){
                         .status = 200, .content_type = f->content_type, .body_buf = &f->piece, .headers = &coding, .header_n = coding.value.n > 0});
}

static void made(struct job *j) {
    struct feed *f = CONTAINER_OF(j, struct feed, job);
    if (f->sink && !f->ok) return cut(f);
    if (f->sink) return send(f);
    f->x->on_gone = NULL;
    if (f->ok && !f->finished) {
        f->sink = http_stream_begin(f->x, 200, f->content_type, gone, f);
        return send(f);
    }
    if (f->ok)
        reply_whole(f);
    else
        f->kind->fail(f->x, &f->err);
    end(f);
}

void feed_start(struct app *app, struct http_exchange *x, struct feed *f) {
    struct err e;
    f->app = app;
    f->x = x;
    f->next = app->feeds;
    if (f->next) f->next->before = f;
    app->feeds = f;
    f->job.run = make;
    f->job.done = made;
    x->on_gone = gone;
    x->on_gone_arg = f;
    if (pool_submit(app->pool, LANE_QUERY, &f->job, &e)) return;
    x->on_gone = NULL;
    f->kind->fail(x, &e);
    end(f);
}

void feed_stop_all(struct app *app) {
    while (app->feeds) cut(app->feeds);
}
