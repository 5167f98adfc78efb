#include "api/otlp_delta.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"
#include "query/promql/hist.h"
#include "query/promql/series_desc.h"

enum { SILENT_MS = 60 * 60 * 1000, SWEEP_MS = 60 * 1000 };

/* One stream of differences. */
struct total {
    uint64_t hash;
    char *key; /* the target's labels and the row's key */
    size_t key_n;
    int64_t start_ms, last_ms, used_ms;
    double sum;
    struct arena *arena; /* h lives in it; NULL: a number */
    struct hist *h;
};
struct otlp_deltas {
    size_t series_max;
    VEC(struct total *) totals;
    struct map by_hash; /* -> pointer */
    int64_t swept_ms;
    struct buf key;
    struct otlp_deltas_stats stats;
};

struct otlp_deltas *otlp_deltas_new(size_t series_max) {
    struct otlp_deltas *d = mem_zalloc(sizeof *d);
    d->series_max = series_max;
    return d;
}

static void free_total(struct total *t) {
    arena_free(t->arena);
    free(t->key);
    free(t);
}

void otlp_deltas_free(struct otlp_deltas *d) {
    if (!d) return;
    for (size_t i = 0; i < d->totals.n; i++) free_total(d->totals.p[i]);
    vec_done(&d->totals);
    map_done(&d->by_hash);
    buf_done(&d->key);
    free(d);
}

void otlp_deltas_stats(const struct otlp_deltas *d, struct otlp_deltas_stats *out) {
    *out = d->stats;
    out->series = d->totals.n;
}

/* --- which total */

static size_t slot_of(const struct otlp_deltas *d, const struct total *t) {
    size_t at = map_first(&d->by_hash, t->hash);
    while (d->by_hash.slots[at].value != (uintptr_t)t) at = map_next(&d->by_hash, at, t->hash);
    return at;
}

static void sweep(struct otlp_deltas *d, int64_t now_ms) {
    size_t kept = 0;
    for (size_t i = 0; i < d->totals.n; i++) {
        struct total *t = d->totals.p[i];
        if (now_ms - t->used_ms < SILENT_MS) {
            d->totals.p[kept++] = t;
            continue;
        }
        map_remove(&d->by_hash, slot_of(d, t));
        free_total(t);
    }
    d->totals.n = kept;
    d->swept_ms = now_ms;
}

/* NULL: new, and there is no room. */
static struct total *find(struct otlp_deltas *d, str key, int64_t now_ms) {
    uint64_t hash = hash_str(key);
    for (size_t at = map_first(&d->by_hash, hash); at != MAP_END; at = map_next(&d->by_hash, at, hash)) {
        struct total *t = (struct total *)(uintptr_t)d->by_hash.slots[at].value;
        if (str_eq(str_n(t->key, t->key_n), key)) return t;
    }
    if (d->totals.n >= d->series_max) return NULL;
    struct total *t = mem_zalloc(sizeof *t);
    t->hash = hash;
    t->key = memcpy(mem_alloc(key.n), key.p, key.n);
    t->key_n = key.n;
    t->last_ms = INT64_MIN;
    t->used_ms = now_ms;
    vec_push(&d->totals, t);
    map_put(&d->by_hash, hash, (uintptr_t)t);
    return t;
}

static str key_of(struct otlp_deltas *d, const struct metric_batch *b, str row_key) {
    buf_clear(&d->key);
    for (size_t i = 0; i < b->target.n; i++) {
        buf_add(&d->key, b->target.l[i].name);
        buf_char(&d->key, 0);
        buf_add(&d->key, b->target.l[i].value);
        buf_char(&d->key, 0);
    }
    buf_add(&d->key, row_key);
    return buf_str(&d->key);
}

/* --- adding up */

/* false: custom and exponential buckets do not add. */
static bool add_histogram(struct total *t, const struct histogram *difference, struct arena *batch, const struct histogram **out) {
    struct hist_notes notes = {0};
    struct arena *a = arena_new(512); /* a fresh one for each step, so that what a stream needs does not grow */
    struct hist *sum = hist_from_store(a, difference);
    if (t->h && !hist_add(a, sum, t->h, 1, &notes)) return arena_free(a), false;
    hist_finish(sum);
    sum->hint = RESET_UNKNOWN;
    arena_free(t->arena);
    t->arena = a;
    t->h = sum;
    *out = hist_to_store(batch, sum);
    return true;
}

static bool refuse(struct otlp_partial *partial, uint64_t *counter, const char *why, int64_t t_ms) {
    ++*counter;
    otlp_reject(partial, "%s (at %lld ms)", why, (long long)t_ms);
    return false;
}

/* Sample i of b becomes the total up to it. */
static bool add_sample(struct otlp_deltas *d, struct total *t, struct metric_batch *b, uint32_t i, struct otlp_partial *partial) {
    int64_t t_ms = b->t_ms[i], start_ms = b->st_ms && b->st_ms[i] ? b->st_ms[i] : t_ms;
    const struct histogram *h = b->h ? b->h[i] : NULL;
    bool first = t->last_ms == INT64_MIN;
    if (!first && t_ms <= t->last_ms) return refuse(partial, &d->stats.refused_order, "a difference that is out of order, or was sent twice", t_ms);
    if (!first && start_ms < t->start_ms) return refuse(partial, &d->stats.refused_start, "a difference from before its stream began", t_ms);
    if (h && !histogram_is_stale(h)) {
        if (!add_histogram(t, h, b->arena, &b->h[i]))
            return refuse(partial, &d->stats.refused_layout, "a histogram of another kind than those before it", t_ms);
    } else if (!h && !is_stale_nan(b->v[i])) {
        b->v[i] = t->sum += b->v[i];
    }
    if (first) t->start_ms = start_ms;
    t->last_ms = t_ms;
    if (b->st_ms) b->st_ms[i] = t->start_ms;
    return true;
}

static bool add_row(struct otlp_deltas *d, struct metric_batch *b, const struct series_row *row, int64_t now_ms, struct otlp_partial *partial) {
    assert(row->sample_n == 1); /* a data point is a row */
    struct total *t = find(d, key_of(d, b, row->key), now_ms);
    if (!t)
        return refuse(partial, &d->stats.refused_limit, "too many series with delta temporality: raise otlp.delta-series, or export cumulative",
                      b->t_ms[row->sample_at]);
    t->used_ms = now_ms;
    return add_sample(d, t, b, row->sample_at, partial);
}

void otlp_deltas_apply(struct otlp_deltas *d, struct metric_batch *b, int64_t now_ms, struct otlp_partial *partial) {
    size_t kept = 0;
    if (!b->deltas) return;
    if (now_ms - d->swept_ms >= SWEEP_MS) sweep(d, now_ms);
    if (!b->st_ms) b->st_ms = arena_zalloc(b->arena, b->sample_n * sizeof *b->st_ms);
    for (size_t i = 0; i < b->row_n; i++)
        if (!b->deltas[i] || add_row(d, b, &b->rows[i], now_ms, partial)) b->rows[kept++] = b->rows[i];
    b->row_n = kept;
    b->deltas = NULL;
}
