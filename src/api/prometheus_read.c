#include <stdlib.h>

#include "api/feed.h"
#include "api/prometheus.h"
#include "base/clock.h"
#include "base/mem.h"
#include "codec/compress.h"
#include "wire/remote_read.h"

/* read: Prometheus' remote read. Selected on the loop thread, decoded and encoded in the pool: a SAMPLES answer as a whole, chunks piece by piece. */

enum { REQUEST_BYTES_MAX = 32 << 20, SCRATCH_BYTES = 256 << 10 };

struct read_feed {
    struct feed feed;
    struct read_request request; /* lives in the exchange's arena until the selections are made; then only the times are used */
    struct tsdb_selection **selections;
    int64_t (*times)[2];
    size_t query_n, query, series; /* query and series: the next one to be sent */
    uint64_t samples, samples_max;
    size_t bytes_max;
    struct arena *scratch; /* one series */
    struct buf chunk;
};

static void free_read(struct feed *f) {
    struct read_feed *r = CONTAINER_OF(f, struct read_feed, feed);
    for (size_t i = 0; i < r->query_n; i++) tsdb_selection_free(r->selections[i]);
    free(r->selections);
    free(r->times);
    arena_free(r->scratch);
    buf_done(&r->chunk);
    free(r);
}

/* Prometheus answers remote read in plain text. */
static void fail_read(struct http_exchange *x, const struct err *e) {
    http_reply_text(x, e->code == ERR_INPUT || e->code == ERR_TOO_LARGE ? 400 : err_http_status(e->code), err_str(e));
}

static bool read_series(struct read_feed *r, struct samples *out, struct err *e) {
    arena_reset(r->scratch);
    if (!job_check(&r->feed.job, e)) return false;
    return tsdb_read(r->selections[r->query], r->series, r->times[r->query][0], r->times[r->query][1], r->scratch, out, e);
}

/* Can the client not be told of damage in the answer itself, then it gets none. */
static bool is_whole(const struct read_feed *r, struct err *e) {
    const struct err *damage = tsdb_selection_damage(r->selections[r->query]);
    if (damage) *e = *damage;
    return damage == NULL;
}

static bool make_chunks(struct feed *f, struct buf *piece, struct err *e) {
    struct read_feed *r = CONTAINER_OF(f, struct read_feed, feed);
    for (; r->query < r->query_n; r->query++, r->series = 0) {
        for (; r->series < tsdb_selection_n(r->selections[r->query]); r->series++) {
            struct samples s;
            if (piece->n >= FEED_PIECE_BYTES) return true;
            if (!read_series(r, &s, e) || !is_whole(r, e)) return false;
            read_put_frames(piece, r->query, tsdb_selection_labels(r->selections[r->query], r->series), &s, &r->chunk);
        }
    }
    f->finished = true;
    return true;
}

static bool put_query(struct read_feed *r, struct buf *b, struct err *e) {
    for (r->series = 0; r->series < tsdb_selection_n(r->selections[r->query]); r->series++) {
        struct samples s;
        if (!read_series(r, &s, e)) return false;
        r->samples += s.n;
        if (r->samples_max && r->samples > r->samples_max)
            return err_set(e, ERR_TOO_LARGE, "exceeded sample limit (%llu)", (unsigned long long)r->samples_max);
        if (s.n) read_put_series(b, tsdb_selection_labels(r->selections[r->query], r->series), &s);
        if (r->bytes_max && b->n > r->bytes_max)
            return err_set(e, ERR_TOO_LARGE, "the answer exceeds query.bytes (%zu): ask for less, or for STREAMED_XOR_CHUNKS", r->bytes_max);
    }
    return is_whole(r, e);
}

static bool make_samples(struct feed *f, struct buf *piece, struct err *e) {
    struct read_feed *r = CONTAINER_OF(f, struct read_feed, feed);
    AUTO(buf_done) struct buf message = {0};
    for (r->query = 0; r->query < r->query_n; r->query++) {
        size_t at = read_result_begin(&message);
        if (!put_query(r, &message, e)) return false;
        read_result_end(&message, at);
    }
    snappy_encode(buf_str(&message), piece);
    f->finished = true;
    return true;
}

static bool select_all(struct app *app, struct read_feed *r, const struct read_request *request, struct err *e) {
    r->selections = mem_zalloc((request->query_n + 1) * sizeof *r->selections);
    r->times = mem_zalloc((request->query_n + 1) * sizeof *r->times);
    for (size_t i = 0; i < request->query_n; i++) {
        const struct read_query *q = &request->queries[i];
        r->times[i][0] = q->start_ms;
        r->times[i][1] = q->end_ms;
        if (!tsdb_select(app->store->metrics, q->m, q->m_n, q->start_ms, q->end_ms, 0, &r->selections[i], e)) return false;
        r->query_n++;
    }
    return true;
}

void prom_read(void *arg, struct http_exchange *x) {
    static const struct feed_kind samples = {make_samples, fail_read, free_read}, chunks = {make_chunks, fail_read, free_read};
    struct app *app = arg;
    struct read_request request;
    struct err e;
    if (!read_request_decode(x->body, REQUEST_BYTES_MAX, x->arena, &request, &e)) return fail_read(x, &e);
    struct read_feed *r = mem_zalloc(sizeof *r);
    r->scratch = arena_new(SCRATCH_BYTES);
    r->samples_max = app->query_samples_max;
    r->bytes_max = app->query_bytes_max;
    bool ok = select_all(app, r, &request, &e);
    read_request_done(&request);
    if (!ok) {
        free_read(&r->feed);
        return fail_read(x, &e);
    }
    r->feed.kind = request.chunks ? &chunks : &samples;
    r->feed.content_type =
        request.chunks ? STR("application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse") : STR("application/x-protobuf");
    r->feed.content_coding = request.chunks ? STR("") : STR("snappy");
    r->feed.job.deadline_ns = app->query_timeout_ms ? clock_mono_ns() + app->query_timeout_ms * NS_PER_MS : 0;
    feed_start(app, x, &r->feed);
}
