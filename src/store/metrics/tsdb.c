#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "store/metrics/db.h"

enum { HEAD_BYTES_MAX = 128 << 20, HEAD_BYTES_MIN = 4 << 20, SERIES_BYTES_MAX = 64 /* in the head, on average */ };
#define SEAL_AGE_MS (INT64_C(30) * 60 * MS_PER_S)

/* --- parts */

void db_damage(struct tsdb *db, const struct err *e) {
    db->stats.damaged_frames++;
    if (db->stats.first_damage.code == ERR_NONE) db->stats.first_damage = *e;
}

bool db_part_index(struct tsdb *db, struct part *p, struct err *e) {
    p->used_ns = clock_mono_ns();
    if (p->index) return true;
    struct err why;
    if (part_index_load(p, &p->index, &why)) return true;
    if (!p->unmergeable) db_damage(db, &why);
    p->unmergeable = true;
    if (e) *e = why;
    return false;
}

void db_insert_part(struct tsdb *db, struct part *p) {
    vec_push(&db->parts, p);
    for (size_t i = db->parts.n - 1; i > 0 && db->parts.p[i - 1]->min_ms > p->min_ms; i--) {
        db->parts.p[i] = db->parts.p[i - 1];
        db->parts.p[i - 1] = p;
    }
}

void db_remove_part(struct tsdb *db, size_t at, bool unlink_file) {
    struct part *p = db->parts.p[at];
    db->parts.n--;
    memmove(db->parts.p + at, db->parts.p + at + 1, (db->parts.n - at) * sizeof *db->parts.p);
    if (unlink_file) {
        char path[PART_PATH_MAX];
        part_path(path, db->dir, p->meta.seq);
        struct err why;
        if (!vfs_unlink(db->o.vfs, path, &why) && why.code != ERR_NOT_FOUND) vec_push(&db->leftovers, p->meta.seq);
    }
    tsdb_part_unref(p);
}

static bool is_part(str name, uint64_t *seq) {
    return name.n == 21 && str_ends(name, STR(".part")) && str_hex_u64(str_sub(name, 0, 16), seq);
}

/* A finished merge whose inputs were not unlinked before the process ended. */
static void drop_replaced(struct tsdb *db) {
    for (size_t i = 0; i < db->parts.n; i++) {
        struct part *merged = db->parts.p[i];
        const struct part_meta *m = &merged->meta;
        for (size_t k = 0; !m->awaits && k < m->others_n; k++)
            for (size_t at = db->parts.n; at-- > 0;)
                if (db->parts.p[at]->meta.seq == m->others[k] && db->parts.p[at] != merged) {
                    db_remove_part(db, at, true);
                    if (at < i) i--;
                }
    }
}

static bool open_parts(struct tsdb *db, struct err *e) {
    if (!vfs_mkdir(db->o.vfs, db->dir, e)) return false;
    AUTO(arena_free) struct arena *a = arena_new(4096);
    str *names;
    size_t n;
    if (!vfs_list(db->o.vfs, db->dir, a, &names, &n, e)) return false;
    for (size_t i = 0; i < n; i++) {
        uint64_t seq;
        if (str_ends(names[i], STR(".tmp"))) {
            str path = arena_printf(a, "%s/%" STR_F, db->dir, STR_A(names[i]));
            if (!vfs_unlink(db->o.vfs, arena_cstr(a, path), e)) return false;
        }
        if (!is_part(names[i], &seq)) continue;
        db->next_seq = MAX(db->next_seq, seq + 1);
        struct part *p;
        struct err why;
        if (part_open(db->o.vfs, db->dir, seq, &p, &why)) {
            db_insert_part(db, p);
            db->log_position = MAX(db->log_position, p->meta.log_position);
        } else if (why.code == ERR_CORRUPT) {
            db_damage(db, &why); /* it stays where it is, for a person to look at */
        } else {
            if (e) *e = why;
            return false;
        }
    }
    drop_replaced(db);
    return deletions_load(db, e);
}

/* --- open, replay, close */

bool tsdb_open(const struct tsdb_options *o, struct tsdb **out, struct err *e) {
    struct tsdb *db = mem_zalloc(sizeof *db);
    db->o = *o;
    db->o.dir = NULL;
    if (db->o.seal_age_ms == 0) db->o.seal_age_ms = SEAL_AGE_MS;
    if (db->o.head_bytes_max == 0) db->o.head_bytes_max = o->dir ? HEAD_BYTES_MAX : SIZE_MAX / 4;
    if (db->o.exemplars_max == 0) db->o.exemplars_max = EXEMPLARS_MAX;
    db->next_seq = 1;
    db->deletions = deletions_change(&(struct deletions){0}, NULL, 0, NULL);
    head_init(&db->head);
    db->source_bytes = arena_new(4096);
    db->meta_bytes = arena_new(4096);
    if (o->dir) {
        db->dir = mem_alloc(strlen(o->dir) + 1);
        memcpy(db->dir, o->dir, strlen(o->dir) + 1);
        db->reader = journal_reader_new();
        if (!open_parts(db, e)) {
            tsdb_close(db);
            return false;
        }
    }
    *out = db;
    return true;
}

static void use_exemplar(void *arg, uint32_t row, const struct exemplar *x) {
    (void)exemplar_keep(arg, row, x, x->t_ms);
}
static void use_meta(void *arg, const struct metric_meta *m) {
    meta_keep(arg, m);
}

bool tsdb_replay(struct tsdb *db, uint64_t lsn, str payload, struct err *e) {
    (void)e;
    if (lsn < db->log_position) return true;
    const struct journal_use use = {use_exemplar, use_meta, db};
    struct journal_replay_stats stats = {0};
    struct err damage;
    if (!journal_replay(db->reader, payload, &db->head, &use, &stats, &damage)) db_damage(db, &damage);
    db->stats.replayed_cells += stats.cells;
    db->stats.replay_lost += stats.lost;
    db->replay_position = MIN(journal_reader_epoch(db->reader), lsn);
    if (db->head.bytes > db->o.head_bytes_max) seal_start(db, true); /* bounded memory; records of earlier epochs are not needed any more */
    return true;
}

/* Metadata and exemplars live in memory and in the log: each epoch repeats them. */
static void log_kept(struct tsdb *db) {
    size_t exemplars = exemplars_kept(db);
    if (!db->wal || db->metas.n + exemplars == 0 || !wal_ready(db->wal, NULL)) return;
    struct source *s = source_find(db, (struct labels){0});
    journal_begin(&db->journal, (uint32_t)(s - db->sources.p), s->seq++);
    for (size_t i = 0; i < db->metas.n; i++) journal_meta(&db->journal, &db->metas.p[i]);
    for (size_t i = 0; i < exemplars; i++) {
        const struct kept_exemplar *k = &db->exemplars[(db->exemplar_n + i) % exemplars]; /* the oldest first */
        if (k->row == ID_NONE) continue;
        journal_exemplar(&db->journal, &db->head, k->row, &(struct exemplar){k->labels, k->v, k->t_ms}, k->t_ms);
    }
    uint64_t lsn;
    bool ok = wal_append(db->wal, WAL_METRICS, journal_end(&db->journal), &lsn, NULL);
    assert(ok);
    (void)ok;
}

void db_new_epoch(struct tsdb *db) {
    journal_new_epoch(&db->journal, db->wal ? wal_next_lsn(db->wal) : 0);
    for (size_t i = 0; i < db->head.series.n; i++) {
        db->head.series.p[i].defined = 0;
        db->head.series.p[i].absolute = 1;
    }
    for (size_t i = 0; i < db->sources.n; i++) db->sources.p[i].seq = 0;
    log_kept(db);
}

static void forget_sources(struct tsdb *db, const uint32_t *moved) {
    struct arena *bytes = arena_new(4096);
    map_done(&db->by_source);
    size_t n = 0;
    for (size_t i = 0; i < db->sources.n; i++) {
        struct source s = db->sources.p[i];
        uint32_t first = s.first == ID_NONE ? ID_NONE : moved[s.first];
        size_t present = 0;
        for (size_t k = 0; k < s.present.n; k++)
            if (moved[s.present.p[k]] != ID_NONE) s.present.p[present++] = moved[s.present.p[k]];
        s.present.n = present;
        if (first == ID_NONE && present == 0) {
            vec_done(&s.present);
            continue;
        }
        s.first = first;
        s.labels = labels_copy(bytes, s.labels);
        db->sources.p[n++] = s;
        map_put(&db->by_source, s.hash, n);
    }
    db->sources.n = n;
    arena_free(db->source_bytes);
    db->source_bytes = bytes;
}

void db_forget_idle(struct tsdb *db) {
    if (db->reader) return; /* replaying: it knows rows by number */
    uint32_t *moved = head_forget_idle(&db->head, db->head.newest_ms - 2 * db->o.seal_age_ms);
    if (!moved) return;
    forget_sources(db, moved);
    size_t kept = exemplars_kept(db);
    for (size_t i = 0; i < kept; i++)
        if (db->exemplars[i].row != ID_NONE) db->exemplars[i].row = moved[db->exemplars[i].row];
    free(moved);
    db_new_epoch(db);
}

void tsdb_attach_wal(struct tsdb *db, struct wal *w) {
    assert_loop_thread();
    journal_reader_free(TAKE(db->reader));
    db->wal = w;
    wal_checkpoint(w, WAL_METRICS, db->log_position);
    db_new_epoch(db);
}

void tsdb_close(struct tsdb *db) {
    if (!db) return;
    snapshots_cancel(db);
    deletions_unref(db->deletions);
    head_done(&db->head);
    while (db->parts.n > 0) db_remove_part(db, db->parts.n - 1, false);
    vec_done(&db->parts);
    vec_done(&db->leftovers);
    journal_reader_free(db->reader);
    journal_done(&db->journal);
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
    for (size_t i = 0; i < exemplars_kept(db); i++) arena_free(db->exemplars[i].arena);
    free(db->exemplars);
    map_done(&db->by_exemplar);
    free(db->dir);
    free(db);
}

/* So many bytes may wait in memory for their part: in proportion to what the series themselves take. */
static size_t bytes_wanted(const struct tsdb *db) {
    return MIN(db->o.head_bytes_max, MAX((size_t)HEAD_BYTES_MIN, db->head.series.n * SERIES_BYTES_MAX));
}

/* --- tick */

static void maybe_seal(struct tsdb *db, int64_t now_ms) {
    if (db->sealing) return;
    if (db->head.frozen) { /* the last try failed */
        if (now_ms < db->retry_seal_ms) return;
        db->retry_seal_ms = now_ms + SEAL_RETRY_MS;
        seal_start(db, false);
        return;
    }
    if (db->head.samples == 0) {
        db->filled_since_ms = 0;
        return;
    }
    if (db->filled_since_ms == 0) db->filled_since_ms = now_ms;
    if (now_ms - db->filled_since_ms < db->o.seal_age_ms && db->head.bytes <= bytes_wanted(db) && !db->cleaning) return;
    db->filled_since_ms = 0;
    db->retry_seal_ms = now_ms + SEAL_RETRY_MS;
    seal_start(db, false);
}

static void forget_idle_indexes(struct tsdb *db) {
    int64_t now = clock_mono_ns();
    for (size_t i = 0; i < db->parts.n; i++) {
        struct part *p = db->parts.p[i];
        if (!p->index || p->pins > 0 || now - p->used_ns < INDEX_IDLE_S * NS_PER_S) continue;
        part_index_free(TAKE(p->index));
    }
}

void tsdb_tick(struct tsdb *db, int64_t now_ms) {
    assert_loop_thread();
    if (!db->dir) return;
    db->now_ms = now_ms;
    maybe_seal(db, now_ms);
    upkeep(db);
    forget_idle_indexes(db);
}

/* --- figures */

void tsdb_count_refused(struct tsdb *db, size_t n) {
    assert_loop_thread();
    db->stats.received += n;
    db->stats.rejected += n;
    db->stats.rejected_decoder += n;
}

struct tsdb_part_info *tsdb_parts(const struct tsdb *db, struct arena *a, size_t *n) {
    assert_loop_thread();
    struct tsdb_part_info *out = arena_new_n(a, struct tsdb_part_info, db->parts.n);
    *n = 0;
    for (size_t i = 0; i < db->parts.n; i++) {
        const struct part *p = db->parts.p[i];
        if (db_part_hidden(db, p)) continue;
        uint64_t *others = arena_new_n(a, uint64_t, p->meta.others_n);
        if (p->meta.others_n) memcpy(others, p->meta.others, p->meta.others_n * sizeof *others);
        out[(*n)++] = (struct tsdb_part_info){.number = p->meta.seq,
                                              .min_ms = p->min_ms,
                                              .max_ms = p->max_ms,
                                              .samples = p->samples,
                                              .series = p->rows,
                                              .bytes = p->bytes,
                                              .step_ms = tier_step_ms[p->meta.tier],
                                              .made_from = others,
                                              .made_from_n = p->meta.others_n};
    }
    return out;
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
    for (size_t i = 0; i < db->parts.n; i++) {
        const struct part *p = db->parts.p[i];
        out->parts++;
        out->part_bytes += p->bytes;
        out->part_samples += p->samples;
        out->coarse_parts += p->meta.tier != TIER_RAW;
        min_ms = MIN(min_ms, p->min_ms);
        max_ms = MAX(max_ms, p->max_ms);
    }
    out->tombstones = db->deletions->n;
    if (min_ms > max_ms) return;
    out->min_ms = min_ms;
    out->max_ms = max_ms;
}
