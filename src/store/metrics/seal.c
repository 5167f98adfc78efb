#include <malloc.h>
#include <stdlib.h>

#include "store/metrics/db.h"

/* The job that turns the frozen head into a part. It sees the frozen rows, which nobody changes, and copies of what the loop may grow meanwhile:
 * the arrays of the index. The strings and label sets these point to stay where they are. */
struct label_set {
    const struct label_id *l;
    uint32_t n, id;
};
struct seal {
    struct job job;
    struct tsdb *db; /* for the loop thread only */
    const struct frozen *frozen;
    struct arena *arena;
    const str *strings;
    const struct label_set *targets, *shapes;
    const struct row_ids *rows;
    size_t target_n, shape_n;
    struct vfs *vfs;
    const char *dir;
    struct part_meta meta;
    bool ok;
    struct err err;
    uint64_t rows_written;
    struct part *part;
};

static struct label_set *copy_sets(struct arena *a, const struct side *s) {
    struct label_set *sets = arena_new_n(a, struct label_set, s->e.n);
    for (size_t i = 0; i < s->e.n; i++) sets[i] = (struct label_set){s->e.p[i].l, s->e.p[i].n, (uint32_t)i};
    return sets;
}

static void *copy_array(struct arena *a, const void *p, size_t bytes) {
    void *to = arena_alloc(a, bytes);
    if (bytes) memcpy(to, p, bytes);
    return to;
}

static struct seal *prepare(struct tsdb *db) {
    const struct index *x = &db->head.index;
    struct arena *a = arena_new(64 << 10);
    struct seal *s = arena_one(a, struct seal);
    s->db = db;
    s->arena = a;
    s->frozen = db->head.frozen;
    s->strings = copy_array(a, x->strings.s.p, x->strings.s.n * sizeof *s->strings);
    s->targets = copy_sets(a, &x->targets);
    s->shapes = copy_sets(a, &x->shapes);
    s->target_n = x->targets.e.n;
    s->shape_n = x->shapes.e.n;
    s->rows = copy_array(a, x->rows.p, x->rows.n * sizeof *s->rows);
    s->vfs = db->o.vfs;
    s->dir = db->dir;
    s->meta = (struct part_meta){.seq = db->seal_seq, .log_position = db->seal_position};
    return s;
}

/* --- in the pool */

static struct labels spell(const struct seal *s, struct label_set set, struct arena *a) {
    struct label *l = arena_new_n(a, struct label, set.n);
    for (uint32_t k = 0; k < set.n; k++) l[k] = (struct label){s->strings[set.l[k].name], s->strings[set.l[k].value]};
    return (struct labels){l, set.n};
}

/* As labels_cmp, without spelling all sets first. */
static int cmp_sets(const void *a, const void *b, void *arg) {
    const str *strings = arg;
    const struct label_set *x = a;
    const struct label_set *y = b;
    for (uint32_t i = 0; i < MIN(x->n, y->n); i++) {
        const uint32_t pairs[][2] = {{x->l[i].name, y->l[i].name}, {x->l[i].value, y->l[i].value}};
        for (size_t k = 0; k < ARRAY_N(pairs); k++) {
            int c = pairs[k][0] == pairs[k][1] ? 0 : str_cmp(strings[pairs[k][0]], strings[pairs[k][1]]);
            if (c) return c;
        }
    }
    return (x->n > y->n) - (x->n < y->n);
}

/* Position of each set in the order of labels_cmp. */
static uint32_t *rank_sets(const struct seal *s, const struct label_set *sets, size_t n) {
    struct label_set *sorted = arena_new_n(s->arena, struct label_set, n);
    if (n) memcpy(sorted, sets, n * sizeof *sorted);
    if (n) qsort_r(sorted, n, sizeof *sorted, cmp_sets, (void *)(uintptr_t)s->strings);
    uint32_t *rank = arena_new_n(s->arena, uint32_t, n);
    for (size_t i = 0; i < n; i++) rank[sorted[i].id] = (uint32_t)i;
    return rank;
}

struct sorted_row {
    uint64_t rank; /* target, then shape */
    uint32_t row;
};
static int by_rank(const void *a, const void *b) {
    const struct sorted_row *x = a;
    const struct sorted_row *y = b;
    return (x->rank > y->rank) - (x->rank < y->rank);
}

static struct sorted_row *sort_rows(struct seal *s, const uint32_t *target_rank, const uint32_t *shape_rank, size_t *n) {
    const struct frozen *f = s->frozen;
    struct sorted_row *out = arena_new_n(s->arena, struct sorted_row, f->row_n);
    *n = 0;
    for (size_t i = 0; i < f->row_n; i++) {
        if (f->rows[i].n == 0) continue;
        struct row_ids ids = s->rows[i];
        out[(*n)++] = (struct sorted_row){(uint64_t)target_rank[ids.target] << 32 | shape_rank[ids.shape], (uint32_t)i};
    }
    if (*n) qsort(out, *n, sizeof *out, by_rank);
    return out;
}

static bool write_rows(struct seal *s, struct part_writer *w, struct err *e) {
    size_t n;
    struct sorted_row *rows = sort_rows(s, rank_sets(s, s->targets, s->target_n), rank_sets(s, s->shapes, s->shape_n), &n);
    AUTO(arena_free) struct arena *a = arena_new(64 << 10);
    AUTO(arena_free) struct arena *clock_bytes = arena_new(4 << 10);
    const struct clock *clock = NULL; /* the target's, and spelled */
    const int64_t *t_ms = NULL;
    uint32_t target = ID_NONE;
    for (size_t i = 0; i < n; i++) {
        struct row_ids ids = s->rows[rows[i].row];
        if (i % 1000 == 0 && s->job.pool && !job_check(&s->job, e)) return false;
        if (ids.target != target) {
            target = ids.target;
            clock = &s->frozen->clocks[target];
            arena_reset(clock_bytes);
            t_ms = clock_spell(clock, clock_bytes);
            if (!part_writer_target(w, spell(s, s->targets[target], clock_bytes), t_ms, clock->n, e)) return false;
        }
        arena_reset(a);
        struct columns c = {.arena = a, .bytes_left = SIZE_MAX};
        struct row_bytes r = frozen_row(s->frozen, rows[i].row, target);
        const int64_t *row_ms = r.clock == clock ? t_ms : clock_spell(r.clock, a);
        if (!cells_read(row_copy(r, a), row_ms, r.clock->n, INT64_MIN, INT64_MAX, &c, e)) return false;
        if (!part_writer_row(w, spell(s, s->shapes[ids.shape], a), &c, e)) return false;
    }
    return true;
}

static void run_seal(struct job *j) {
    struct seal *s = CONTAINER_OF(j, struct seal, job);
    struct part_writer *w = NULL;
    enum { LEVEL = 3 };
    s->ok = part_writer_open(s->vfs, s->dir, &s->meta, LEVEL, &w, &s->err) && write_rows(s, w, &s->err) &&
            part_writer_finish(w, &s->rows_written, &s->err) && (s->rows_written == 0 || part_open(s->vfs, s->dir, s->meta.seq, &s->part, &s->err));
    part_writer_free(w);
}

/* --- on the loop again */

static void seal_done(struct job *j) {
    struct seal *s = CONTAINER_OF(j, struct seal, job);
    struct tsdb *db = s->db;
    db->sealing = false;
    if (s->ok) {
        if (s->part) db_insert_part(db, s->part);
        head_drop_frozen(&db->head);
        db->stats.sealed++;
        db->stats.seal_err = (struct err){0};
        db->log_position = MAX(db->log_position, s->meta.log_position);
        if (db->wal) wal_checkpoint(db->wal, WAL_METRICS, db->log_position);
        db_forget_idle(db);
        deletions_settle(db);
    } else {
        db->stats.seal_failures++;
        db->stats.seal_err = s->err;
    }
    struct err failed = s->err;
    bool ok = s->ok;
    arena_free(s->arena);
    malloc_trim(0); /* the job took about as much as the index of the head, all of it gone again: else it stayed with malloc */
    snapshots_go_on(db, ok ? NULL : &failed);
}

void seal_start(struct tsdb *db, bool inline_now) {
    assert(!db->sealing);
    if (!db->head.frozen) {
        db->seal_position = db->wal ? wal_next_lsn(db->wal) : db->replay_position;
        if (!head_freeze(&db->head)) return;
        db->seal_seq = db->next_seq++;
        db_new_epoch(db);
    }
    struct seal *s = prepare(db);
    s->job = (struct job){.run = run_seal, .done = seal_done};
    db->sealing = true;
    struct err e;
    if (!inline_now && db->o.pool && pool_submit(db->o.pool, LANE_BACKGROUND, &s->job, &e)) return;
    if (!inline_now && db->o.pool) { /* the lane is full: the next tick tries again */
        db->sealing = false;
        arena_free(s->arena);
        return;
    }
    run_seal(&s->job);
    seal_done(&s->job);
}
