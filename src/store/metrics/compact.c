#include <stdlib.h>

#include "store/metrics/db.h"
#include "store/metrics/merge.h"
#include "store/metrics/rowcode.h"

/* The job that merges neighbouring parts into one: longer rows share more, and fewer files are asked. It walks all inputs in their common order,
 * target by target and shape by shape, so that it needs one row of memory at a time. */
struct input {
    struct part *part;
    struct part_index *x;
    uint32_t row;   /* next */
    uint32_t frame; /* the frame `raw` holds; ID_NONE */
    struct buf raw;
    struct part_rows rows; /* cursor in raw */
    uint32_t clock;        /* the clock decoded last; ID_NONE */
    struct arena *clock_arena;
    const int64_t *t_ms;
    size_t t_n;
};
struct compaction {
    struct job job;
    struct tsdb *db; /* for the loop thread only */
    struct input in[PART_REPLACES_MAX];
    size_t n;
    struct vfs *vfs;
    char *dir;
    struct part_meta meta;
    bool ok;
    struct err err;
    uint64_t rows;
    struct part *part;
};

/* --- in the pool */

/* Target and shape of the input's next row; false: at its end. */
static bool peek(const struct input *in, struct arena *a, struct labels *target, struct labels *shape) {
    if (in->row >= in->x->x.rows.n) return false;
    struct row_ids ids = in->x->x.rows.p[in->row];
    *target = entry_labels(&in->x->x, index_target(&in->x->x, ids.target), a);
    *shape = entry_labels(&in->x->x, index_shape(&in->x->x, ids.shape), a);
    return true;
}

static bool load_clock(struct input *in, uint32_t clock, struct err *e) {
    if (in->clock == clock) return true;
    in->clock = ID_NONE;
    arena_reset(in->clock_arena);
    if (!part_read_clock(in->part, in->x, clock, in->clock_arena, &in->t_ms, &in->t_n, e)) return false;
    in->clock = clock;
    return true;
}

/* Appends the next row's samples and steps over it. Rows come in order, so each frame is read once. */
static bool take_row(struct input *in, struct columns *c, struct err *e) {
    uint32_t frame = part_frame_of(in->x, in->row);
    if (frame != in->frame) {
        buf_clear(&in->raw);
        if (!part_read_frame(in->part, in->x, frame, &in->raw, e)) return false;
        if (!part_rows_open(buf_str(&in->raw), in->x->frames.p[frame].rows, &in->rows, e)) return false;
        in->frame = frame;
    }
    str row;
    if (!part_rows_next(&in->rows, &row)) return err_set(e, ERR_CORRUPT, "a damaged frame of rows");
    if (!load_clock(in, in->x->row_clock.p[in->row], e)) return false;
    in->row++;
    return row_decode(row, in->t_ms, in->t_n, INT64_MIN, INT64_MAX, c, e);
}

static int order(struct labels t1, struct labels s1, struct labels t2, struct labels s2) {
    int c = labels_cmp(t1, t2);
    return c ? c : labels_cmp(s1, s2);
}

/* The clocks of the target in all inputs together: what most of its rows will lie on. */
static bool target_clock(struct compaction *x, struct labels target, struct arena *a, struct columns *out, struct err *e) {
    for (size_t i = 0; i < x->n; i++) {
        struct input *in = &x->in[i];
        struct labels t;
        struct labels s;
        if (!peek(in, a, &t, &s) || !labels_eq(t, target)) continue;
        if (!load_clock(in, in->x->row_clock.p[in->row], e) || !columns_reserve(out, in->t_n, e)) return false;
        memcpy(out->t_ms + out->n, in->t_ms, in->t_n * sizeof *in->t_ms);
        memset(out->v + out->n, 0, in->t_n * sizeof *out->v);
        out->n += in->t_n;
    }
    return columns_ascend(out, e);
}

static bool merge_rows(struct compaction *x, struct part_writer *w, struct err *e) {
    AUTO(arena_free) struct arena *a = arena_new(64 << 10);
    AUTO(arena_free) struct arena *target_arena = arena_new(4 << 10);
    struct labels current = {0};
    bool any_target = false;
    for (uint64_t step = 0;; step++) {
        if (step % 256 == 0 && x->job.pool && !job_check(&x->job, e)) return false;
        arena_reset(a);
        struct labels target[PART_REPLACES_MAX];
        struct labels shape[PART_REPLACES_MAX];
        bool has[PART_REPLACES_MAX];
        size_t first = SIZE_MAX;
        for (size_t i = 0; i < x->n; i++) {
            has[i] = peek(&x->in[i], a, &target[i], &shape[i]);
            if (has[i] && (first == SIZE_MAX || order(target[i], shape[i], target[first], shape[first]) < 0)) first = i;
        }
        if (first == SIZE_MAX) return true;
        if (!any_target || !labels_eq(current, target[first])) {
            arena_reset(target_arena);
            current = labels_copy(target_arena, target[first]);
            any_target = true;
            struct columns clock = {.arena = a, .bytes_left = SIZE_MAX};
            if (!target_clock(x, current, a, &clock, e) || !part_writer_target(w, current, clock.t_ms, clock.n, e)) return false;
        }
        struct columns c = {.arena = a, .bytes_left = SIZE_MAX};
        struct labels row_shape = shape[first];
        for (size_t i = 0; i < x->n; i++)
            if (has[i] && order(target[i], shape[i], current, row_shape) == 0 && !take_row(&x->in[i], &c, e)) return false;
        if (!columns_ascend(&c, e) || !part_writer_row(w, row_shape, &c, e)) return false;
    }
}

static bool open_inputs(struct compaction *x, struct err *e) {
    for (size_t i = 0; i < x->n; i++) {
        struct input *in = &x->in[i];
        in->frame = in->clock = ID_NONE;
        in->clock_arena = arena_new(4 << 10);
        if (!part_index_load(in->part, &in->x, e)) return false;
    }
    return true;
}
static void close_inputs(struct compaction *x) {
    for (size_t i = 0; i < x->n; i++) {
        part_index_free(x->in[i].x);
        buf_done(&x->in[i].raw);
        arena_free(x->in[i].clock_arena);
    }
}

static void run_compaction(struct job *j) {
    struct compaction *x = CONTAINER_OF(j, struct compaction, job);
    struct part_writer *w = NULL;
    x->ok = open_inputs(x, &x->err) && part_writer_open(x->vfs, x->dir, &x->meta, &w, &x->err) && merge_rows(x, w, &x->err) &&
            part_writer_finish(w, &x->rows, &x->err) && part_open(x->vfs, x->dir, x->meta.seq, &x->part, &x->err);
    part_writer_free(w);
    close_inputs(x);
}

/* --- on the loop again */

static void compaction_done(struct job *j) {
    struct compaction *x = CONTAINER_OF(j, struct compaction, job);
    struct tsdb *db = x->db;
    db->compacting = false;
    if (x->ok) {
        for (size_t i = 0; i < x->n; i++)
            for (size_t at = db->parts.n; at-- > 0;)
                if (db->parts.p[at] == x->in[i].part) db_remove_part(db, at, true);
        db_insert_part(db, x->part);
        db->stats.compactions++;
    } else if (x->err.code == ERR_CORRUPT) {
        for (size_t i = 0; i < x->n; i++) x->in[i].part->unmergeable = true; /* what is whole in them stays readable where it is */
        db_damage(db, &x->err);
    }
    for (size_t i = 0; i < x->n; i++) tsdb_part_unref(x->in[i].part);
    free(x);
}

void compact_start(struct tsdb *db, size_t from, size_t n) {
    assert(!db->compacting && n >= 2 && n <= PART_REPLACES_MAX);
    struct compaction *x = mem_zalloc(sizeof *x);
    x->db = db;
    x->n = n;
    x->vfs = db->o.vfs;
    x->dir = db->dir;
    x->meta = (struct part_meta){.seq = db->next_seq++, .replaces_n = n, .level = 9};
    for (size_t i = 0; i < n; i++) {
        struct part *p = db->parts.p[from + i];
        tsdb_part_ref(p);
        x->in[i].part = p;
        x->meta.replaces[i] = p->seq;
        x->meta.log_position = MAX(x->meta.log_position, p->log_position);
    }
    x->job = (struct job){.run = run_compaction, .done = compaction_done};
    db->compacting = true;
    struct err e;
    if (!db->o.pool) {
        run_compaction(&x->job);
        compaction_done(&x->job);
    } else if (!pool_submit(db->o.pool, LANE_BACKGROUND, &x->job, &e)) {
        x->err = (struct err){.code = ERR_LIMIT}; /* the lane is full: the next tick tries again */
        compaction_done(&x->job);
    }
}
