/* api/import: metrics in and out as files: pages in any form of the exposition (text, OpenMetrics, delimited protobuf, by Content-Type) and series as
 * JSON lines (wire/json_lines.h), in VictoriaMetrics' places. ?extra_label=name=value gives every series a label; pushes are acknowledged once
 * durable.
 *
 *   POST /api/v1/import/prometheus   ?timestamp=ms for lines without one
 *   POST /api/v1/import              JSON lines; wrong lines are refused alone, and make it a 400 that says how many samples are missing
 *   GET  /api/v1/export              JSON lines: match[]=, start=, end=, max_rows_per_line=; series in the order of their labels, made and sent in
 * pieces
 */
#include <stdlib.h>

#include "api/feed.h"
#include "api/intake.h"
#include "api/prometheus.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/vec.h"
#include "wire/json_lines.h"
#include "wire/prom_page.h"

static void reply_import(struct intake *r) {
    if (r->err.code == ERR_NONE && r->partial.rejected)
        err_set(&r->err, ERR_INPUT, "%zu samples refused: %s", r->partial.rejected, r->partial.reason);
    bool ok = r->err.code == ERR_NONE;
    http_reply_text(r->x, ok ? 204 : err_http_status(r->err.code), ok ? STR("") : err_str(&r->err));
}

static bool decode_page(struct intake *r, struct err *e) {
    AUTO(metric_batch_free) struct metric_batch *b = metric_batch_new(r->body.n * 2 + 1024);
    struct prom_text_options o = {.default_t_ms = r->now_ns / NS_PER_MS, .honor_timestamps = true, .native_histograms = true};
    str at = http_param(r->x, STR("timestamp"));
    if (at.n && !str_i64(at, &o.default_t_ms)) return err_set(e, ERR_INPUT, "timestamp: expected ms since 1970");
    if (!intake_extra_labels(r->x, b->arena, &o.target, e)) return false;
    if (!prom_page_parse(arena_str(b->arena, r->body), (enum prom_format)r->variant, o, b, e)) return false;
    b->target = o.target;
    intake_one_batch(r, TAKE(b));
    return true;
}
static const struct intake_kind page_kind = {SIGNAL_METRICS, decode_page, reply_import};

static void import_page(void *app, struct http_exchange *x) {
    enum prom_format format = prom_format_of(http_header(x, STR("Content-Type")));
    intake_start(app, x, &page_kind, format == PROM_NONE ? PROM_TEXT : format);
}

static bool decode_lines(struct intake *r, struct err *e) {
    AUTO(arena_free) struct arena *a = arena_new(256);
    struct labels extra;
    struct metric_batch *b;
    if (!intake_extra_labels(r->x, a, &extra, e)) return false;
    json_lines_decode(r->body, extra, &b, &r->partial);
    intake_one_batch(r, b);
    return true;
}
static const struct intake_kind lines_kind = {SIGNAL_METRICS, decode_lines, reply_import};

static void import_lines(void *app, struct http_exchange *x) {
    intake_start(app, x, &lines_kind, 0);
}

/* --- export */

/* One for each match[]: its series come in the order of their labels, so that the smallest of all is next, once. */
struct source {
    struct tsdb_selection *s;
    size_t at, n;
};
struct export_feed {
    struct feed feed;
    VEC(struct source) sources;
    int64_t from_ms, to_ms;
    size_t line_samples_max; /* 0: one line per series */
    struct arena *scratch;   /* one series */
};

static void free_export(struct feed *f) {
    struct export_feed *x = CONTAINER_OF(f, struct export_feed, feed);
    for (size_t i = 0; i < x->sources.n; i++) tsdb_selection_free(x->sources.p[i].s);
    vec_done(&x->sources);
    arena_free(x->scratch);
    free(x);
}

static void fail_export(struct http_exchange *x, const struct err *e) {
    http_reply_text(x, err_http_status(e->code), err_str(e));
}

static struct labels labels_at(const struct source *s) {
    return tsdb_selection_labels(s->s, s->at);
}

static struct source *next_source(struct export_feed *x) {
    struct source *first = NULL;
    for (size_t i = 0; i < x->sources.n; i++) {
        struct source *s = &x->sources.p[i];
        if (s->at < s->n && (!first || labels_cmp(labels_at(s), labels_at(first)) < 0)) first = s;
    }
    return first;
}

/* Behind `done`, wherever it stands. */
static void step_over(struct export_feed *x, struct labels done) {
    for (size_t i = 0; i < x->sources.n; i++) {
        struct source *s = &x->sources.p[i];
        if (s->at < s->n && labels_eq(labels_at(s), done)) s->at++;
    }
}

static void put_lines(const struct export_feed *x, struct labels ls, const struct samples *s, struct buf *piece) {
    size_t step = x->line_samples_max ? x->line_samples_max : s->n;
    for (size_t at = 0; at < s->n; at += step) {
        const struct samples part = {
            .n = MIN(step, s->n - at), .t_ms = s->t_ms + at, .v = s->v + at, .h = s->h ? s->h + at : NULL, .st_ms = s->st_ms ? s->st_ms + at : NULL};
        json_lines_put(piece, ls, &part);
    }
}

static bool make_export(struct feed *f, struct buf *piece, struct err *e) {
    struct export_feed *x = CONTAINER_OF(f, struct export_feed, feed);
    for (struct source *s; (s = next_source(x));) {
        struct samples samples;
        if (piece->n >= FEED_PIECE_BYTES) return true;
        if (!job_check(&f->job, e)) return false;
        arena_reset(x->scratch);
        if (!tsdb_read(s->s, s->at, x->from_ms, x->to_ms, x->scratch, &samples, e)) return false;
        const struct err *damage = tsdb_selection_damage(s->s);
        if (damage) return err_set(e, damage->code, "%s", damage->msg);
        struct labels ls = labels_at(s);
        put_lines(x, ls, &samples, piece);
        step_over(x, ls);
    }
    f->finished = true;
    return true;
}

static bool select_all(struct app *app, struct export_feed *x, const struct prom_matches *m, struct err *e) {
    for (size_t i = 0; i < m->n; i++) {
        struct tsdb_selection *s;
        if (!tsdb_select(app->store->metrics, m->sets[i].m, m->sets[i].n, x->from_ms, x->to_ms, 0, &s, e)) return false;
        vec_push(&x->sources, ((struct source){s, 0, tsdb_selection_n(s)}));
    }
    return true;
}

static void export_lines(void *arg, struct http_exchange *x) {
    static const struct feed_kind kind = {make_export, fail_export, free_export};
    struct app *app = arg;
    struct prom_matches matches;
    struct err e;
    int64_t from_ms = INT64_MIN / 2, to_ms = INT64_MAX / 2;
    size_t line_samples_max = 0;
    str rows = http_param(x, STR("max_rows_per_line"));
    if (rows.n && !str_u64(rows, &line_samples_max)) return prom_bad_param(x, "max_rows_per_line", STR("expected a number"));
    if (!prom_time_param(x, "start", &from_ms) || !prom_time_param(x, "end", &to_ms) || !prom_matches(x, true, &matches)) return;
    struct export_feed *f = mem_zalloc(sizeof *f);
    f->scratch = arena_new(64 << 10);
    f->from_ms = from_ms;
    f->to_ms = to_ms;
    f->line_samples_max = line_samples_max;
    bool ok = select_all(app, f, &matches, &e);
    prom_matches_done(&matches);
    if (!ok) {
        free_export(&f->feed);
        return fail_export(x, &e);
    }
    f->feed.kind = &kind;
    f->feed.content_type = STR("application/stream+json");
    feed_start(app, x, &f->feed); /* without a deadline: an export takes as long as its client */
}

const struct http_route import_routes[] = {
    {HTTP_POST, "/api/v1/import/prometheus", import_page, DOOR_MAIN},
    {HTTP_POST, "/api/v1/import", import_lines, DOOR_MAIN},
    {HTTP_GET | HTTP_POST, "/api/v1/export", export_lines, DOOR_MAIN},
    {0},
};
