#include <stdlib.h>

#include "api/feed.h"
#include "api/prometheus.h"
#include "base/clock.h"
#include "base/mem.h"
#include "codec/num.h"
#include "codec/pb.h"

/* federate: the newest sample of each series, as Prometheus writes it: text 0.0.4, or delimited protobuf where that is accepted, which alone can
 * carry native histograms. Families are "untyped", in the order of their names; app->external_labels are added where a series does not have them. */

enum { SCRATCH_BYTES = 16 << 10 };

/* A series of one of the selections: they are walked together, in the order of the labels. */
struct federate_feed {
    struct feed feed;
    struct tsdb_selection **selections;
    size_t *next; /* per selection */
    size_t selection_n;
    struct labels external;
    int64_t now_ms, lookback_ms;
    bool protobuf;
    str family; /* of the line before: borrowed from a selection */
    bool in_family, family_is_histogram;
    struct arena *scratch;
    struct buf metrics; /* protobuf: of the family so far */
};

static void free_federate(struct feed *f) {
    struct federate_feed *q = CONTAINER_OF(f, struct federate_feed, feed);
    for (size_t i = 0; i < q->selection_n; i++) tsdb_selection_free(q->selections[i]);
    free(q->selections);
    free(q->next);
    arena_free(q->scratch);
    buf_done(&q->metrics);
    free(q);
}

static void fail_federate(struct http_exchange *x, const struct err *e) {
    http_reply_text(x, e->code == ERR_INPUT ? 400 : err_http_status(e->code), err_str(e));
}

/* --- text */

static void put_name(struct buf *b, str name) {
    if (label_name_legacy_valid(name))
        buf_add(b, name);
    else
        promql_quote(b, name);
}

static void put_text_labels(struct buf *b, str name, struct labels ls) {
    bool plain = metric_name_legacy_valid(name);
    bool open = false;
    if (plain) buf_add(b, name);
    if (!plain) {
        buf_char(b, '{');
        promql_quote(b, name);
        open = true;
    }
    for (size_t i = 0; i < ls.n; i++) {
        if (str_eq(ls.l[i].name, LABEL_METRIC_NAME)) continue;
        buf_char(b, open ? ',' : '{');
        open = true;
        put_name(b, ls.l[i].name);
        buf_char(b, '=');
        promql_quote(b, ls.l[i].value);
    }
    if (open) buf_char(b, '}');
}

static void put_text(struct federate_feed *q, struct buf *b, str name, struct labels ls, int64_t t_ms, double v) {
    if (!q->in_family) {
        buf_add(b, STR("# TYPE "));
        if (metric_name_legacy_valid(name))
            buf_add(b, name);
        else
            promql_quote(b, name);
        buf_add(b, STR(" untyped\n"));
    }
    put_text_labels(b, name, ls);
    buf_char(b, ' ');
    num_put_double(b, v);
    buf_printf(b, " %lld\n", (long long)t_ms);
}

/* --- protobuf: io.prometheus.client.MetricFamily, delimited */

enum { TYPE_UNTYPED = 3, TYPE_HISTOGRAM = 4, TYPE_GAUGE_HISTOGRAM = 5 };

static void put_side(struct buf *b, uint32_t span_field, uint32_t count_field, const struct hist_span *spans, size_t span_n, const double *counts,
                     size_t n) {
    for (size_t i = 0; i < span_n; i++) {
        size_t at = pb_begin(b, span_field);
        pb_put_sint(b, 1, spans[i].offset);
        pb_put_u64(b, 2, spans[i].n);
        pb_end(b, at);
    }
    for (size_t i = 0; i < n; i++) pb_put_double(b, count_field, counts[i]);
}

/* Custom buckets have no form of their own there: they are the classic, cumulative ones. */
static void put_custom_buckets(struct buf *b, const struct histogram *h) {
    double sum = 0;
    size_t at = 0, bound = 0;
    for (size_t s = 0; s < h->pos_span_n; s++) {
        bound += (size_t)h->pos_spans[s].offset;
        for (uint32_t k = 0; k < h->pos_spans[s].n; k++, bound++) {
            sum += h->pos[at++];
            size_t bucket = pb_begin(b, 3);
            pb_put_double(b, 4, sum);
            pb_put_double(b, 2, bound < h->custom_n ? h->custom[bound] : __builtin_inf());
            pb_end(b, bucket);
        }
    }
}

static void put_histogram(struct buf *b, const struct histogram *h) {
    size_t at = pb_begin(b, 7);
    pb_put_double(b, 4, h->count);
    pb_put_double(b, 2, h->sum);
    if (h->schema == HIST_SCHEMA_CUSTOM) {
        put_custom_buckets(b, h);
    } else {
        pb_put_sint(b, 5, h->schema);
        pb_put_double(b, 6, h->zero_threshold);
        pb_put_double(b, 8, h->zero_count);
        put_side(b, 9, 11, h->neg_spans, h->neg_span_n, h->neg, h->neg_n);
        put_side(b, 12, 14, h->pos_spans, h->pos_span_n, h->pos, h->pos_n);
    }
    pb_end(b, at);
}

static void put_metric(struct federate_feed *q, struct labels ls, int64_t t_ms, double v, const struct histogram *h) {
    struct buf *b = &q->metrics;
    size_t metric = pb_begin(b, 4);
    for (size_t i = 0; i < ls.n; i++) {
        if (str_eq(ls.l[i].name, LABEL_METRIC_NAME)) continue;
        size_t at = pb_begin(b, 1);
        pb_put_bytes(b, 1, ls.l[i].name);
        pb_put_bytes(b, 2, ls.l[i].value);
        pb_end(b, at);
    }
    if (h) {
        put_histogram(b, h);
    } else {
        size_t at = pb_begin(b, 5);
        pb_put_double(b, 1, v);
        pb_end(b, at);
    }
    pb_put_u64(b, 6, (uint64_t)t_ms);
    pb_end(b, metric);
}

/* Writes the family whose metrics were collected. */
static void end_family(struct federate_feed *q, struct buf *piece) {
    if (!q->metrics.n) return;
    struct buf head = {0};
    pb_put_bytes(&head, 1, q->family);
    pb_put_u64(&head, 3, q->family_is_histogram ? TYPE_HISTOGRAM : TYPE_UNTYPED);
    pb_put_varint(piece, head.n + q->metrics.n);
    buf_add(piece, buf_str(&head));
    buf_add(piece, buf_str(&q->metrics));
    buf_clear(&q->metrics);
    buf_done(&head);
}

/* --- samples */

/* The series' labels and the external ones that it does not have. */
static struct labels with_external(struct federate_feed *q, struct labels ls) {
    if (!q->external.n) return ls;
    struct label *l = arena_new_n(q->scratch, struct label, ls.n + q->external.n);
    size_t n = ls.n;
    memcpy(l, ls.l, ls.n * sizeof *l);
    for (size_t i = 0; i < q->external.n; i++)
        if (!labels_get(ls, q->external.l[i].name).n) l[n++] = q->external.l[i];
    return (struct labels){l, n};
}

static bool put_newest(struct federate_feed *q, const struct tsdb_selection *s, size_t i, struct buf *piece, struct err *e) {
    struct samples v;
    struct labels ls = tsdb_selection_labels(s, i);
    str name = labels_get(ls, LABEL_METRIC_NAME);
    arena_reset(q->scratch);
    if (!tsdb_read(s, i, q->now_ms - q->lookback_ms + 1, q->now_ms, q->scratch, &v, e)) return false;
    if (v.n == 0 || !name.n) return true;
    const struct histogram *h = v.h ? v.h[v.n - 1] : NULL;
    if (h ? histogram_is_stale(h) || !q->protobuf : is_stale_nan(v.v[v.n - 1])) return true;
    q->in_family = q->in_family && str_eq(q->family, name) && q->family_is_histogram == (h != NULL);
    if (!q->in_family) end_family(q, piece);
    q->family = name;
    q->family_is_histogram = h != NULL;
    ls = with_external(q, ls);
    if (q->protobuf)
        put_metric(q, ls, v.t_ms[v.n - 1], v.v[v.n - 1], h);
    else
        put_text(q, piece, name, ls, v.t_ms[v.n - 1], v.v[v.n - 1]);
    q->in_family = true;
    return true;
}

/* The selection whose next series is the first; what several have is skipped in the later ones. selection_n: no more. */
static size_t first_of(struct federate_feed *q) {
    size_t best = q->selection_n;
    for (size_t i = 0; i < q->selection_n; i++) {
        if (q->next[i] == tsdb_selection_n(q->selections[i])) continue;
        int order = -1;
        if (best < q->selection_n)
            order = labels_cmp(tsdb_selection_labels(q->selections[i], q->next[i]), tsdb_selection_labels(q->selections[best], q->next[best]));
        if (order < 0) best = i;
        if (order == 0) q->next[i]++;
    }
    return best;
}

static bool make_federate(struct feed *f, struct buf *piece, struct err *e) {
    struct federate_feed *q = CONTAINER_OF(f, struct federate_feed, feed);
    for (size_t at; (at = first_of(q)) < q->selection_n; q->next[at]++) {
        if (piece->n >= FEED_PIECE_BYTES) return true;
        if (!job_check(&f->job, e) || !put_newest(q, q->selections[at], q->next[at], piece, e)) return false;
    }
    end_family(q, piece);
    f->finished = true;
    return true;
}

static bool accepts_protobuf(str accept) {
    str part;
    for (bool more = true; more;) {
        more = str_cut(&accept, ',', &part);
        if (str_find(part, STR("application/vnd.google.protobuf")) != STR_NONE &&
            str_find(part, STR("io.prometheus.client.MetricFamily")) != STR_NONE && str_find(part, STR("encoding=delimited")) != STR_NONE)
            return true;
    }
    return false;
}

static bool select_all(struct app *app, struct federate_feed *q, const struct prom_matches *m, struct err *e) {
    q->selections = mem_zalloc((m->n + 1) * sizeof *q->selections);
    q->next = mem_zalloc((m->n + 1) * sizeof *q->next);
    for (size_t i = 0; i < m->n; i++, q->selection_n++)
        if (!tsdb_select(app->store->metrics, m->sets[i].m, m->sets[i].n, q->now_ms - q->lookback_ms + 1, q->now_ms, 0, &q->selections[i], e))
            return false;
    return true;
}

void prom_federate(void *arg, struct http_exchange *x) {
    static const struct feed_kind kind = {make_federate, fail_federate, free_federate};
    struct app *app = arg;
    struct prom_matches m;
    struct err e;
    if (!prom_matches(x, false, &m)) return;
    struct federate_feed *q = mem_zalloc(sizeof *q);
    q->scratch = arena_new(SCRATCH_BYTES);
    q->now_ms = clock_wall_ms();
    q->lookback_ms = app->lookback_ms ? app->lookback_ms : 5 * 60 * MS_PER_S;
    q->external = app->external_labels;
    q->protobuf = accepts_protobuf(http_header(x, STR("Accept")));
    bool ok = select_all(app, q, &m, &e);
    prom_matches_done(&m);
    if (!ok) {
        free_federate(&q->feed);
        return fail_federate(x, &e);
    }
    q->feed.kind = &kind;
    q->feed.content_type = q->protobuf ? STR("application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited")
                                       : STR("text/plain; version=0.0.4; charset=utf-8");
    q->feed.job.deadline_ns = app->query_timeout_ms ? clock_mono_ns() + app->query_timeout_ms * NS_PER_MS : 0;
    feed_start(app, x, &q->feed);
}
