#include <stdlib.h>

#include "store/metrics/db.h"
#include "store/metrics/merge.h"
#include "store/metrics/rowcode.h"

/* The job that merges parts into one: longer rows share more, and fewer files are asked; on the way samples are down-sampled (plan.to) and what is
 * deleted or too old is left out. It walks all inputs in their common order, target by target and shape by shape, so that it needs one row of memory
 * at a time; the inputs wait in a heap. */
struct input {
    struct part *part;
    struct part_index *x;
    uint32_t row; /* the next one; its labels: */
    struct labels target, shape;
    struct arena *label_arena;
    uint32_t frame; /* the frame `raw` holds; ID_NONE */
    struct buf raw;
    struct part_rows rows; /* cursor in raw */
    uint32_t clock;        /* the clock decoded last; ID_NONE */
    struct part_reader reader;
    struct arena *clock_arena;
    const int64_t *t_ms;
    size_t t_n;
};
struct compaction {
    struct job job;
    struct tsdb *db; /* for the loop thread only */
    struct input *in;
    size_t n;
    uint32_t *heap; /* inputs that have a next row, the smallest first */
    size_t heap_n;
    struct zstd *zstd;
    struct eraser eraser;
    struct vfs *vfs;
    char *dir;
    struct part_meta meta;
    enum tier from;
    uint64_t *others;
    bool ok;
    struct err err;
    uint64_t rows;
    struct part *part;
};

/* --- in the pool: inputs */

/* Labels of the input's next row; false: at its end. */
static bool peek(struct input *in) {
    if (in->row >= in->x->x.rows.n) return false;
    struct row_ids ids = in->x->x.rows.p[in->row];
    arena_reset(in->label_arena);
    in->target = entry_labels(&in->x->x, index_target(&in->x->x, ids.target), in->label_arena);
    in->shape = entry_labels(&in->x->x, index_shape(&in->x->x, ids.shape), in->label_arena);
    return true;
}

static bool load_clock(struct input *in, uint32_t clock, struct err *e) {
    if (in->clock == clock) return true;
    in->clock = ID_NONE;
    arena_reset(in->clock_arena);
    if (!part_read_clock(&in->reader, in->part, in->x, clock, in->clock_arena, &in->t_ms, &in->t_n, e)) return false;
    in->clock = clock;
    return true;
}

static bool decode(const struct input *in, str row, struct columns f[FIELD_N], struct err *e) {
    if (in->part->meta.tier == TIER_RAW) return row_decode(row, in->t_ms, in->t_n, INT64_MIN, INT64_MAX, f, e);
    for (size_t i = 0; i < FIELD_N; i++)
        if (!fields_decode(row, (enum series_field)i, in->t_ms, in->t_n, INT64_MIN, INT64_MAX, &f[i], e)) return false;
    return true;
}

/* Appends the next row's samples and steps over it. Rows come in order, so each frame is read once. */
static bool take_row(struct input *in, struct columns f[FIELD_N], struct err *e) {
    uint32_t frame = part_frame_of(in->x, in->row);
    if (frame != in->frame) {
        buf_clear(&in->raw);
        if (!part_read_frame(&in->reader, in->part, in->x, frame, &in->raw, e)) return false;
        if (!part_rows_open(buf_str(&in->raw), in->x->frames.p[frame].rows, &in->rows, e)) return false;
        in->frame = frame;
    }
    str row;
    if (!part_rows_next(&in->rows, &row)) return err_set(e, ERR_CORRUPT, "a damaged frame of rows");
    if (!load_clock(in, in->x->row_clock.p[in->row], e)) return false;
    in->row++;
    return decode(in, row, f, e);
}

/* --- the heap */

static int order(const struct input *in, struct labels target, struct labels shape) {
    int c = labels_cmp(in->target, target);
    return c ? c : labels_cmp(in->shape, shape);
}
static bool before(const struct compaction *x, uint32_t a, uint32_t b) {
    int c = order(&x->in[a], x->in[b].target, x->in[b].shape);
    return c ? c < 0 : a < b; /* of equal ones the older first: of samples at one time the newer part's stays */
}

static void sift_down(struct compaction *x, size_t at) {
    for (size_t child; (child = 2 * at + 1) < x->heap_n; at = child) {
        if (child + 1 < x->heap_n && before(x, x->heap[child + 1], x->heap[child])) child++;
        if (!before(x, x->heap[child], x->heap[at])) return;
        uint32_t moved = x->heap[at];
        x->heap[at] = x->heap[child];
        x->heap[child] = moved;
    }
}

/* After the first input's row was taken. */
static void next_row(struct compaction *x) {
    if (!peek(&x->in[x->heap[0]])) x->heap[0] = x->heap[--x->heap_n];
    sift_down(x, 0);
}

/* --- merging */

/* The clocks of the target in all inputs together: what most of its rows will lie on. */
static bool target_clock(struct compaction *x, struct labels target, struct columns *out, struct err *e) {
    for (size_t k = 0; k < x->heap_n; k++) {
        struct input *in = &x->in[x->heap[k]];
        if (!labels_eq(in->target, target)) continue;
        if (!load_clock(in, in->x->row_clock.p[in->row], e) || !columns_reserve(out, in->t_n, e)) return false;
        memcpy(out->t_ms + out->n, in->t_ms, in->t_n * sizeof *in->t_ms);
        memset(out->v + out->n, 0, in->t_n * sizeof *out->v);
        out->n += in->t_n;
    }
    return columns_ascend(out, e);
}

static bool begin_target(struct compaction *x, struct part_writer *w, struct labels target, struct arena *a, struct err *e) {
    struct columns clock = {.arena = a, .bytes_left = SIZE_MAX};
    if (x->from == x->meta.tier && !target_clock(x, target, &clock, e)) return false;
    return part_writer_target(w, target, clock.t_ms, clock.n, e);
}

static struct labels copy_array(struct arena *a, struct labels ls) {
    struct label *l = arena_new_n(a, struct label, ls.n);
    if (ls.n) memcpy(l, ls.l, ls.n * sizeof *l);
    return (struct labels){l, ls.n};
}

static void columns_empty(struct columns f[FIELD_N], struct arena *a) {
    for (size_t i = 0; i < FIELD_N; i++) f[i] = (struct columns){.arena = a, .bytes_left = SIZE_MAX};
}

/* Writes what is left of a series; `fields` columns came out of the inputs. */
static bool write_series(struct compaction *x, struct part_writer *w, struct labels target, struct labels shape, struct columns f[FIELD_N],
                         struct arena *a, struct err *e) {
    size_t fields = x->from == TIER_RAW ? 1 : FIELD_N;
    for (size_t i = 0; i < fields; i++)
        if (!columns_ascend(&f[i], e)) return false;
    if (!eraser_apply(&x->eraser, target, shape, f, fields)) return true;
    if (x->from == x->meta.tier) return part_writer_row(w, shape, f, e);
    struct columns out[FIELD_N];
    columns_empty(out, a);
    if (!fields_make(f, x->from == TIER_RAW, x->meta.tier, out, e)) return false;
    return out[FIELD_LAST].n == 0 || part_writer_row(w, shape, out, e);
}

static bool merge_rows(struct compaction *x, struct part_writer *w, struct err *e) {
    AUTO(arena_free) struct arena *a = arena_new(64 << 10);
    AUTO(arena_free) struct arena *target_arena = arena_new(4 << 10);
    struct labels target = {0};
    bool any_target = false;
    for (uint64_t step = 0; x->heap_n > 0; step++) {
        if (step % 16 == 0 && x->job.pool && !job_check(&x->job, e)) return false;
        arena_reset(a);
        struct input *in = &x->in[x->heap[0]];
        if (!any_target || !labels_eq(target, in->target)) {
            arena_reset(target_arena);
            target = copy_array(target_arena, in->target);
            any_target = true;
            if (!begin_target(x, w, target, a, e)) return false;
        }
        struct labels shape = copy_array(a, in->shape);
        struct columns f[FIELD_N];
        columns_empty(f, a);
        do {
            if (!take_row(&x->in[x->heap[0]], f, e)) return false;
            next_row(x);
        } while (x->heap_n > 0 && order(&x->in[x->heap[0]], target, shape) == 0);
        if (!write_series(x, w, target, shape, f, a, e)) return false;
    }
    return true;
}

static bool open_inputs(struct compaction *x, struct err *e) {
    for (size_t i = 0; i < x->n; i++) {
        struct input *in = &x->in[i];
        in->frame = in->clock = ID_NONE;
        in->reader.zstd = x->zstd;
        in->clock_arena = arena_new(1 << 10);
        in->label_arena = arena_new(1 << 10);
        if ((x->job.pool && !job_check(&x->job, e)) || !part_index_load(in->part, &in->x, e)) return false;
        if (peek(in)) x->heap[x->heap_n++] = (uint32_t)i;
    }
    for (size_t i = x->heap_n / 2 + 1; i-- > 0;) sift_down(x, i);
    return true;
}
static void close_inputs(struct compaction *x) {
    for (size_t i = 0; i < x->n; i++) {
        part_index_free(x->in[i].x);
        buf_done(&x->in[i].raw);
        part_reader_done(&x->in[i].reader);
        arena_free(x->in[i].clock_arena);
        arena_free(x->in[i].label_arena);
    }
}

static void run_compaction(struct job *j) {
    struct compaction *x = CONTAINER_OF(j, struct compaction, job);
    struct part_writer *w = NULL;
    enum { LEVEL = 9 };
    x->zstd = zstd_new();
    x->ok = open_inputs(x, &x->err) && part_writer_open(x->vfs, x->dir, &x->meta, LEVEL, &w, &x->err) && merge_rows(x, w, &x->err) &&
            part_writer_finish(w, &x->rows, &x->err) && (x->rows == 0 || part_open(x->vfs, x->dir, x->meta.seq, &x->part, &x->err));
    part_writer_free(w);
    close_inputs(x);
    zstd_free(x->zstd);
}

/* --- on the loop again */

static void publish(struct tsdb *db, struct compaction *x) {
    for (size_t i = 0; i < x->n && !x->meta.awaits; i++)
        for (size_t at = db->parts.n; at-- > 0;)
            if (db->parts.p[at] == x->in[i].part) db_remove_part(db, at, true);
    if (x->part) db_insert_part(db, x->part);
    for (size_t i = 0; i < x->n && x->meta.awaits && !x->part; i++) x->in[i].part->nothing_left |= 1U << x->meta.tier;
    db->stats.compactions++;
    deletions_settle(db);
}

static void compaction_done(struct job *j) {
    struct compaction *x = CONTAINER_OF(j, struct compaction, job);
    struct tsdb *db = x->db;
    db->compacting = false;
    if (x->ok) {
        publish(db, x);
    } else {
        vec_push(&db->leftovers, x->meta.seq); /* it may be there, whole: beside a second attempt it would count again */
        bool corrupt = x->err.code == ERR_CORRUPT;
        for (size_t i = 0; i < x->n && corrupt; i++) x->in[i].part->unmergeable = true; /* what is whole in them stays readable where it is */
        if (corrupt) db_damage(db, &x->err);
    }
    for (size_t i = 0; i < x->n; i++) tsdb_part_unref(x->in[i].part);
    eraser_done(&x->eraser);
    free(x->in);
    free(x->heap);
    free(x->others);
    free(x);
}

void compact_start(struct tsdb *db, struct part *const *parts, size_t n, enum tier to, bool awaits) {
    assert(!db->compacting && n >= 1 && n <= PART_OTHERS_MAX);
    struct compaction *x = mem_zalloc(sizeof *x);
    x->db = db;
    x->n = n;
    x->in = mem_zalloc(n * sizeof *x->in);
    x->heap = mem_alloc(n * sizeof *x->heap);
    x->others = mem_alloc(n * sizeof *x->others);
    x->eraser = db_eraser(db);
    x->vfs = db->o.vfs;
    x->dir = db->dir;
    x->from = parts[0]->meta.tier;
    x->meta = (struct part_meta){.seq = db->next_seq++, .tier = to, .others = x->others, .others_n = n, .awaits = awaits};
    x->meta.cleaned = x->eraser.number;
    for (size_t i = 0; i < n; i++) {
        assert(parts[i]->meta.tier == x->from);
        tsdb_part_ref(parts[i]);
        x->in[i].part = parts[i];
        x->others[i] = parts[i]->meta.seq;
        x->meta.log_position = MAX(x->meta.log_position, parts[i]->meta.log_position);
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
