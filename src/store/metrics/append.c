#include <stdlib.h>

#include "base/hash.h"
#include "store/metrics/db.h"
#include "store/metrics/histcode.h"

/* A batch on its way into the head. */
struct append {
    struct tsdb *db;
    const struct metric_batch *b;
    struct source *source;
    struct arena *arena; /* label sets of new series */
    struct push_result r;
    uint32_t before; /* the row handled last; ID_NONE */
};

/* --- sources */

struct source *source_find(struct tsdb *db, struct labels target) {
    uint64_t hash = labels_hash(target);
    for (size_t at = map_first(&db->by_source, hash); at != MAP_END; at = map_next(&db->by_source, at, hash)) {
        struct source *s = &db->sources.p[db->by_source.slots[at].value - 1];
        if (labels_eq(s->labels, target)) return s;
    }
    struct source *s = vec_add(&db->sources);
    *s = (struct source){.labels = labels_copy(db->source_bytes, target), .hash = hash, .first = ID_NONE};
    map_put(&db->by_source, hash, db->sources.n);
    return s;
}

/* --- new series */

static bool is_target_label(str name) {
    static const str names[] = {STR_INIT("container"), STR_INIT("instance"), STR_INIT("job"),
                                STR_INIT("namespace"), STR_INIT("node"),     STR_INIT("pod")};
    for (size_t i = 0; i < ARRAY_N(names); i++)
        if (str_eq(names[i], name)) return true;
    return false;
}

static bool merge(struct arena *a, struct labels target, struct labels own, struct labels *out, struct err *e) {
    struct label *l = arena_new_n(a, struct label, target.n + own.n);
    size_t n = target.n + own.n;
    if (target.n) memcpy(l, target.l, target.n * sizeof *l);
    if (own.n) memcpy(l + target.n, own.l, own.n * sizeof *l);
    if (!labels_sort(l, &n, e)) return false;
    *out = (struct labels){l, n};
    return true;
}

static bool labels_allowed(const struct tsdb_options *o, struct labels ls, struct err *e) {
    if (ls.n == 0) return err_set(e, ERR_INPUT, "a series without labels");
    if (o->labels_per_series_max && ls.n > o->labels_per_series_max)
        return err_set(e, ERR_INPUT, "a series has %zu labels; the limit is %u", ls.n, o->labels_per_series_max);
    for (size_t i = 0; i < ls.n && o->label_value_bytes_max; i++)
        if (ls.l[i].value.n > o->label_value_bytes_max || ls.l[i].name.n > o->label_value_bytes_max)
            return err_set(e, ERR_INPUT, "label \"%" STR_F "\" has %zu bytes; the limit is %zu", STR_A(str_sub(ls.l[i].name, 0, 100)),
                           ls.l[i].value.n, o->label_value_bytes_max);
    return true;
}

/* Remote write and OTLP do not say what is a target: the labels that name a source do. */
static void split(struct arena *a, struct labels all, struct labels *target, struct labels *own) {
    struct label *t = arena_new_n(a, struct label, all.n);
    struct label *s = arena_new_n(a, struct label, all.n);
    size_t t_n = 0;
    size_t s_n = 0;
    for (size_t i = 0; i < all.n; i++)
        if (is_target_label(all.l[i].name))
            t[t_n++] = all.l[i];
        else
            s[s_n++] = all.l[i];
    *target = (struct labels){t, t_n};
    *own = (struct labels){s, s_n};
}

/* The limit is there for the series that are known: a new one is named, counted and left out. */
static bool refuse_series(struct append *p, size_t i, struct labels series, struct err *e) {
    const struct series_row *r = &p->b->rows[i];
    int64_t t_ms = r->sample_n ? p->b->t_ms[r->sample_at + r->sample_n - 1] : 0;
    const struct refused_target *t = refused_add(&p->db->refused, series, r->sample_n, t_ms);
    e->code = ERR_LIMIT;
    if (p->r.err.code != ERR_NONE) return false; /* only the first is told */
    return err_set(e, ERR_LIMIT, "the limit of %llu active series is reached: new series are dropped, %llu samples so far of %.*s",
                   (unsigned long long)p->db->o.series_max, (unsigned long long)t->samples, (int)t->text_n, t->text);
}

static bool resolve_new(struct append *p, size_t i, uint64_t key_hash, uint32_t *out, struct err *e) {
    struct tsdb *db = p->db;
    arena_reset(p->arena);
    struct labels own;
    struct labels all;
    struct labels target = p->b->target;
    if (!p->b->row_labels(p->b, i, p->arena, &own, e)) return false;
    if (!merge(p->arena, target, own, &all, e) || !labels_allowed(&db->o, all, e)) return false;
    uint32_t row = head_find_labels(&db->head, all);
    if (row != ID_NONE) {
        head_put_key(&db->head, key_hash, row);
        *out = row;
        return true;
    }
    if (db->o.series_max && db->head.series.n >= db->o.series_max) return refuse_series(p, i, all, e);
    if (target.n == 0) split(p->arena, all, &target, &own);
    *out = head_new_series(&db->head, target, own);
    head_put_key(&db->head, key_hash, *out);
    p->r.created++;
    return true;
}

/* Counts n samples as not taken: dropped for our limits and failures, rejected for theirs. */
static void put_back(struct append *p, size_t n, const struct err *why) {
    struct tsdb_stats *s = &p->db->stats;
    if (p->r.err.code == ERR_NONE) p->r.err = *why;
    if (why->code == ERR_LIMIT || why->code == ERR_IO) {
        p->r.dropped += n;
        p->r.over_limit += why->code == ERR_LIMIT ? n : 0; /* rows are put back one by one for that only; see refuse_batch */
        s->dropped += n;
        if (why->code == ERR_LIMIT)
            s->dropped_series_limit += n;
        else
            s->dropped_io += n;
        return;
    }
    p->r.rejected += n;
    s->rejected += n;
}

/* The row of b->rows[i]; usually the one that came next in this source last time. */
static bool resolve(struct append *p, size_t i, uint32_t *out) {
    struct head *h = &p->db->head;
    const struct series_row *r = &p->b->rows[i];
    uint64_t key_hash = hash_mix(p->source->hash, hash_str(r->key));
    uint32_t row = p->before == ID_NONE ? p->source->first : h->series.p[p->before].follows;
    if (row == ID_NONE || h->series.p[row].key_hash != key_hash) {
        row = head_find_key(h, key_hash);
        struct err e;
        if (row == ID_NONE && !resolve_new(p, i, key_hash, &row, &e)) {
            if (e.code == ERR_INPUT) p->db->stats.rejected_labels += r->sample_n;
            put_back(p, r->sample_n, &e);
            return false;
        }
        if (p->before == ID_NONE)
            p->source->first = row;
        else
            h->series.p[p->before].follows = row;
    }
    p->before = row;
    *out = row;
    return true;
}

/* --- samples */

static void refuse(struct append *p, uint32_t row, int64_t t_ms, enum add_result why) {
    struct tsdb_stats *s = &p->db->stats;
    struct err e = {.code = ERR_INPUT};
    bool duplicate = why == ADD_DUPLICATE;
    if (duplicate)
        s->rejected_duplicate++;
    else
        s->rejected_order++;
    if (p->r.err.code == ERR_NONE) {
        struct row_ids ids = p->db->head.index.rows.p[row];
        AUTO(buf_done) struct buf text = {0};
        arena_reset(p->arena);
        labels_put(&text, index_labels(&p->db->head.index, ids.target, ids.shape, p->arena));
        err_set(&e, ERR_INPUT, "%s: %" STR_F " at %lld ms", duplicate ? "duplicate sample for timestamp" : "out of order sample",
                STR_A(str_sub(buf_str(&text), 0, 150)), (long long)t_ms);
    }
    put_back(p, 1, &e);
}

static struct point point_at(struct append *p, uint32_t i) {
    const struct metric_batch *b = p->b;
    struct point x = {.t_ms = b->t_ms[i], .start_ms = b->st_ms ? b->st_ms[i] : 0, .v = b->v[i]};
    if (!b->h || !b->h[i]) return x;
    buf_clear(&p->db->code);
    histogram_encode(b->h[i], &p->db->code);
    x.histogram = buf_str(&p->db->code);
    return x;
}

/* One sample into the head and, when it changed something, into the record. */
static enum add_result add_point(struct append *p, uint32_t row, const struct point *x, int64_t out_of_order_ms) {
    struct tsdb *db = p->db;
    struct cell_state before = db->head.series.p[row].last;
    int64_t start_before = head_start_ms(&db->head, row);
    enum add_result result = head_add(&db->head, row, x, out_of_order_ms);
    if (!db->wal) return result;
    if (result == ADD_STORED) journal_cell(&db->journal, &db->head, row, &before, start_before, x);
    if (result == ADD_LATE) journal_late(&db->journal, &db->head, row, x);
    return result;
}

static void add_samples(struct append *p, const struct series_row *r, uint32_t row) {
    struct tsdb *db = p->db;
    bool marked = false;
    for (uint32_t i = r->sample_at; i < r->sample_at + r->sample_n; i++) {
        struct point x = point_at(p, i);
        if (x.t_ms > TIME_MAX_MS || x.t_ms < -TIME_MAX_MS || x.start_ms > TIME_MAX_MS || x.start_ms < -TIME_MAX_MS) {
            struct err e;
            err_set(&e, ERR_INPUT, "a timestamp out of range: %lld ms", (long long)x.t_ms);
            put_back(p, 1, &e);
            continue;
        }
        enum add_result result = add_point(p, row, &x, db->o.out_of_order_ms);
        if (result >= ADD_DUPLICATE) {
            refuse(p, row, x.t_ms, result);
            continue;
        }
        p->r.stored++;
        p->r.histograms += x.histogram.n > 0;
        db->stats.stored++;
        marked |= p->b->whole_target && x.t_ms == p->b->whole_t_ms;
    }
    if (marked) vec_push(&db->seen, row);
}

/* --- whole batches: what was there last time and is not now has ended */

static void end_missing(struct append *p) {
    struct tsdb *db = p->db;
    struct source *source = p->source;
    while (db->marks.n < db->head.series.n) vec_push(&db->marks, 0);
    for (size_t i = 0; i < db->seen.n; i++) db->marks.p[db->seen.p[i]] = 1;
    for (size_t i = 0; i < source->present.n; i++) {
        uint32_t row = source->present.p[i];
        if (db->marks.p[row]) continue;
        struct point end = {.t_ms = p->b->whole_t_ms, .v = stale_nan()};
        add_point(p, row, &end, 0);
    }
    for (size_t i = 0; i < db->seen.n; i++) db->marks.p[db->seen.p[i]] = 0;
    source->present.n = 0;
    vec_reserve(&source->present, db->seen.n);
    for (size_t i = 0; i < db->seen.n; i++) source->present.p[i] = db->seen.p[i];
    source->present.n = db->seen.n;
}

static void append_rows(struct append *p) {
    const struct metric_batch *b = p->b;
    for (size_t i = 0; i < b->row_n; i++) {
        const struct series_row *r = &b->rows[i];
        p->db->stats.received += r->sample_n;
        uint32_t row;
        if (!resolve(p, i, &row)) continue;
        add_samples(p, r, row);
        int64_t t_ms = r->sample_n ? b->t_ms[r->sample_at + r->sample_n - 1] : 0;
        for (uint32_t k = 0; k < r->exemplar_n; k++) {
            const struct exemplar *x = &b->exemplars[r->exemplar_at + k];
            bool new = exemplar_keep(p->db, row, x, t_ms);
            p->r.exemplars++;
            if (new && p->db->wal) journal_exemplar(&p->db->journal, &p->db->head, row, x, x->t_ms ? x->t_ms : t_ms);
        }
    }
}

/* Nothing is changed before it is clear that the log takes the record. */
static bool can_take(struct tsdb *db, struct err *e) {
    if (db->head.bytes > 2 * db->o.head_bytes_max)
        return err_set(e, ERR_LIMIT, "the metrics in memory wait to be written: %zu bytes", (size_t)db->head.bytes);
    return !db->wal || wal_ready(db->wal, e);
}

static void refuse_batch(struct append *p, const struct err *why) {
    size_t n = 0;
    for (size_t i = 0; i < p->b->row_n; i++) n += p->b->rows[i].sample_n;
    p->db->stats.received += n;
    p->db->stats.dropped += n;
    p->db->stats.dropped_io += n;
    p->r.dropped = n;
    p->r.err = *why;
}

static void append_batch(struct tsdb *db, const struct metric_batch *b, struct push_result *r) {
    AUTO(arena_free) struct arena *a = arena_new(4096);
    struct append p = {.db = db, .b = b, .arena = a, .before = ID_NONE};
    struct err e;
    if (!can_take(db, &e)) {
        refuse_batch(&p, &e);
        *r = p.r;
        return;
    }
    p.source = source_find(db, b->target);
    db->seen.n = 0;
    if (db->wal) journal_begin(&db->journal, (uint32_t)(p.source - db->sources.p), p.source->seq);
    append_rows(&p);
    if (b->whole_target) end_missing(&p);
    for (size_t i = 0; i < b->meta_n; i++)
        if (meta_keep(db, &b->metas[i]) && db->wal) journal_meta(&db->journal, &b->metas[i]);
    if (db->wal && !db->journal.empty) {
        p.source->seq++;
        uint64_t lsn;
        bool ok = wal_append(db->wal, WAL_METRICS, journal_end(&db->journal), &lsn, &e);
        assert(ok); /* wal_ready said so */
        (void)ok;
    }
    *r = p.r;
}

bool tsdb_append_now(struct tsdb *db, struct metric_batch *b, struct push_result *r, struct err *e) {
    assert_loop_thread();
    append_batch(db, b, r);
    metric_batch_free(b);
    if (r->err.code == ERR_NONE) return true;
    if (e) *e = r->err;
    return false;
}

/* A push that waits for the log. */
struct waiting {
    struct tsdb *db;
    push_done done;
    void *arg;
    struct push_result r;
};

static void committed(void *arg, const struct err *e) {
    struct waiting *w = arg;
    if (e) { /* it is in memory and will reach the disk if the log heals, but nobody may count on that: the client sends it again */
        w->db->stats.stored -= w->r.stored;
        w->db->stats.dropped += w->r.stored;
        w->db->stats.dropped_io += w->r.stored;
        w->r.dropped += w->r.stored;
        w->r.stored = w->r.created = w->r.histograms = w->r.exemplars = 0;
        w->r.err = *e;
    }
    if (w->done) w->done(w->arg, &w->r);
    free(w);
}

void tsdb_append(struct tsdb *db, struct metric_batch *b, push_done done, void *arg) {
    assert_loop_thread();
    struct push_result r;
    append_batch(db, b, &r);
    metric_batch_free(b);
    if (!db->wal) {
        if (done) done(arg, &r);
        return;
    }
    struct waiting *w = mem_alloc(sizeof *w);
    *w = (struct waiting){db, done, arg, r};
    wal_commit(db->wal, committed, w);
}
