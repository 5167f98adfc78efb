#include <stdlib.h>

#include "base/clock.h"
#include "store/metrics/db.h"

bool tsdb_open(const struct tsdb_options *o, struct tsdb **out, struct err *e) {
    (void)e;
    struct tsdb *db = mem_zalloc(sizeof *db);
    db->o = *o;
    if (db->o.seal_age_ms == 0) db->o.seal_age_ms = INT64_C(30) * 60 * MS_PER_S;
    head_init(&db->head);
    db->source_bytes = arena_new(4096);
    db->meta_bytes = arena_new(4096);
    *out = db;
    return true;
}

void tsdb_close(struct tsdb *db) {
    if (!db) return;
    head_done(&db->head);
    for (size_t i = 0; i < db->sources.n; i++) vec_done(&db->sources.p[i].present);
    vec_done(&db->sources);
    map_done(&db->by_source);
    arena_free(db->source_bytes);
    vec_done(&db->marks);
    vec_done(&db->seen);
    buf_done(&db->code);
    arena_free(db->meta_bytes);
    vec_done(&db->metas);
    map_done(&db->by_family);
    for (size_t i = 0; db->exemplars && i < EXEMPLARS_MAX; i++) arena_free(db->exemplars[i].arena);
    free(db->exemplars);
    free(db);
}

void tsdb_stats(const struct tsdb *db, struct tsdb_stats *out) {
    const struct head *h = &db->head;
    *out = db->stats;
    out->series = h->series.n;
    out->targets = h->index.targets.e.n;
    out->shapes = h->index.shapes.e.n;
    out->head_samples = h->samples + (h->frozen ? h->frozen->samples : 0);
    out->head_bytes = h->bytes + (h->frozen ? h->frozen->bytes : 0);
    int64_t min_ms = MIN(h->min_ms, h->frozen ? h->frozen->min_ms : INT64_MAX);
    int64_t max_ms = MAX(h->max_ms, h->frozen ? h->frozen->max_ms : INT64_MIN);
    if (min_ms > max_ms) return;
    out->min_ms = min_ms;
    out->max_ms = max_ms;
}
