#include <stdlib.h>

#include "base/hash.h"
#include "store/metrics/db.h"

/* --- metadata */

bool meta_keep(struct tsdb *db, const struct metric_meta *m) {
    uint64_t hash = hash_str(m->family);
    struct metric_meta *old = NULL; /* help and unit that changed stay in the arena: they rarely do */
    for (size_t at = map_first(&db->by_family, hash); at != MAP_END && !old; at = map_next(&db->by_family, at, hash)) {
        struct metric_meta *x = &db->metas.p[db->by_family.slots[at].value - 1];
        if (str_eq(x->family, m->family)) old = x;
    }
    if (!old) {
        old = vec_add(&db->metas);
        old->family = arena_str(db->meta_bytes, m->family);
        map_put(&db->by_family, hash, db->metas.n);
    }
    if (old->type == m->type && str_eq(old->help, m->help) && str_eq(old->unit, m->unit)) return false;
    old->type = m->type;
    if (!str_eq(old->help, m->help)) old->help = arena_str(db->meta_bytes, m->help);
    if (!str_eq(old->unit, m->unit)) old->unit = arena_str(db->meta_bytes, m->unit);
    return true;
}

static int by_family(const void *a, const void *b) {
    return str_cmp(((const struct metric_meta *)a)->family, ((const struct metric_meta *)b)->family);
}

void tsdb_metadata(struct tsdb *db, str family, struct arena *a, struct metric_meta **out, size_t *n) {
    assert_loop_thread();
    struct metric_meta *list = arena_new_n(a, struct metric_meta, db->metas.n);
    size_t count = 0;
    for (size_t i = 0; i < db->metas.n; i++) {
        const struct metric_meta *m = &db->metas.p[i];
        if (family.n > 0 && !str_eq(m->family, family)) continue;
        list[count++] = (struct metric_meta){arena_str(a, m->family), m->type, arena_str(a, m->help), arena_str(a, m->unit)};
    }
    qsort(list, count, sizeof *list, by_family);
    *out = list;
    *n = count;
}

/* --- exemplars: the newest, in memory; a target shows the same one at each scrape until it has another */

size_t exemplars_kept(const struct tsdb *db) {
    return MIN(db->exemplar_n, (size_t)db->o.exemplars_max);
}

static uint64_t hash_exemplar(uint32_t row, int64_t t_ms, double v, struct labels ls) {
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return hash_mix(hash_mix(row, (uint64_t)t_ms), hash_mix(bits, labels_hash(ls)));
}

static size_t find_exemplar(const struct tsdb *db, uint64_t hash, uint32_t row) {
    for (size_t at = map_first(&db->by_exemplar, hash); at != MAP_END; at = map_next(&db->by_exemplar, at, hash))
        if (db->exemplars[db->by_exemplar.slots[at].value - 1].row == row) return at;
    return MAP_END;
}

bool exemplar_keep(struct tsdb *db, uint32_t row, const struct exemplar *x, int64_t default_t_ms) {
    if (!db->exemplars) db->exemplars = mem_zalloc(db->o.exemplars_max * sizeof *db->exemplars);
    /* Without a time of its own it is told by the rest: else each scrape would have another. */
    uint64_t hash = hash_exemplar(row, x->t_ms, x->v, x->labels);
    if (find_exemplar(db, hash, row) != MAP_END) return false;
    size_t place = db->exemplar_n++ % db->o.exemplars_max;
    struct kept_exemplar *k = &db->exemplars[place];
    if (k->arena) {
        size_t old = find_exemplar(db, k->hash, k->row);
        if (old != MAP_END) map_remove(&db->by_exemplar, old);
        arena_reset(k->arena);
    } else {
        k->arena = arena_new(256);
    }
    map_put(&db->by_exemplar, hash, place + 1);
    k->row = row;
    k->hash = hash;
    k->t_ms = x->t_ms ? x->t_ms : default_t_ms;
    k->v = x->v;
    k->labels = labels_copy(k->arena, x->labels);
    return true;
}

static int by_series_then_time(const void *a, const void *b) {
    const struct series_exemplar *x = a;
    const struct series_exemplar *y = b;
    int c = labels_cmp(x->series, y->series);
    return c ? c : (x->exemplar.t_ms > y->exemplar.t_ms) - (x->exemplar.t_ms < y->exemplar.t_ms);
}

bool tsdb_exemplars(struct tsdb *db, const struct matcher *m, size_t n, int64_t from_ms, int64_t to_ms, struct arena *a, struct series_exemplar **out,
                    size_t *out_n, struct err *e) {
    assert_loop_thread();
    const struct index *x = &db->head.index;
    struct matches found = {0};
    if (!index_match(x, m, n, a, &found, e)) return false;
    uint8_t *wanted = arena_zalloc(a, MAX(x->rows.n, 1));
    for (size_t i = 0; i < found.n; i++) wanted[found.p[i].row] = 1;
    size_t kept = exemplars_kept(db);
    struct series_exemplar *list = arena_new_n(a, struct series_exemplar, kept);
    size_t count = 0;
    for (size_t i = 0; i < kept; i++) {
        const struct kept_exemplar *k = &db->exemplars[i];
        if (k->row == ID_NONE || !wanted[k->row] || k->t_ms < from_ms || k->t_ms > to_ms) continue;
        struct row_ids ids = x->rows.p[k->row];
        struct labels series = labels_copy(a, index_labels(x, ids.target, ids.shape, a));
        list[count++] = (struct series_exemplar){series, {labels_copy(a, k->labels), k->v, k->t_ms}};
    }
    qsort(list, count, sizeof *list, by_series_then_time);
    *out = list;
    *out_n = count;
    return true;
}
