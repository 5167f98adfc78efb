#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "codec/varint.h"
#include "store/metrics/part.h"
#include "store/metrics/rowcode.h"

enum { RECENT_CLOCKS = 4 }; /* a row is tried on that many clocks of its target before it gets one of its own */

struct own_clock {
    int64_t *t_ms;
    size_t n;
    uint32_t id; /* ID_NONE: not written yet */
};

struct part_writer {
    struct vfs *vfs;
    struct vfs_file file;
    char tmp[PART_PATH_MAX], path[PART_PATH_MAX], dir[PART_PATH_MAX];
    struct part_meta meta;
    uint64_t *others;
    int level;
    struct zstd *zstd;
    bool open;
    uint64_t offset; /* of the next frame */
    struct part_index index;
    struct buf lengths, rows, clocks; /* of the frames being filled */
    uint32_t frame_rows;
    VEC(uint32_t) pending_clocks; /* clocks in `clocks`: their frame is not known yet */
    uint32_t target;
    struct own_clock recent[RECENT_CLOCKS]; /* of the target; a ring */
    size_t recent_n;
    uint64_t samples;
    int64_t min_ms, max_ms;
};

static void index_set_up(struct part_index *x) {
    *x = (struct part_index){0};
    index_init(&x->x, false);
}
static void index_tear_down(struct part_index *x) {
    index_done(&x->x);
    vec_done(&x->frames);
    vec_done(&x->clocks);
    vec_done(&x->row_clock);
}

static void forget_clocks(struct part_writer *w) {
    for (size_t i = 0; i < RECENT_CLOCKS; i++) {
        free(w->recent[i].t_ms);
        w->recent[i] = (struct own_clock){0};
    }
    w->recent_n = 0;
}

bool part_writer_open(struct vfs *v, const char *dir, const struct part_meta *m, int level, struct part_writer **out, struct err *e) {
    struct part_writer *w = mem_zalloc(sizeof *w);
    w->vfs = v;
    assert(m->others_n <= PART_OTHERS_MAX);
    w->meta = *m;
    w->level = level;
    w->zstd = zstd_new();
    w->others = mem_alloc(MAX(m->others_n, (size_t)1) * sizeof *w->others);
    if (m->others_n) memcpy(w->others, m->others, m->others_n * sizeof *w->others);
    w->min_ms = INT64_MAX;
    w->max_ms = INT64_MIN;
    snprintf(w->dir, sizeof w->dir, "%s", dir);
    snprintf(w->tmp, sizeof w->tmp, "%s/%016llx.tmp", dir, (unsigned long long)m->seq);
    part_path(w->path, dir, m->seq);
    index_set_up(&w->index);
    if (!vfs_open(v, w->tmp, VFS_CREATE, &w->file, e)) {
        part_writer_free(w);
        return false;
    }
    w->open = true;
    w->offset = PART_HEADER_BYTES;
    AUTO(buf_done) struct buf header = {0};
    buf_le64(&header, PART_MAGIC);
    buf_le64(&header, PART_VERSION);
    if (!vfs_write(v, w->file, buf_str(&header), e)) {
        part_writer_free(w);
        return false;
    }
    *out = w;
    return true;
}

void part_writer_free(struct part_writer *w) {
    if (!w) return;
    if (w->open) {
        vfs_close(w->vfs, &w->file);
        bool gone = vfs_unlink(w->vfs, w->tmp, NULL);
        (void)gone; /* tsdb_open removes what stays */
    }
    zstd_free(w->zstd);
    forget_clocks(w);
    index_tear_down(&w->index);
    buf_done(&w->lengths);
    buf_done(&w->rows);
    buf_done(&w->clocks);
    vec_done(&w->pending_clocks);
    free(w->others);
    free(w);
}

static bool write_frame(struct part_writer *w, str raw, uint32_t rows, struct err *e) {
    AUTO(buf_done) struct buf b = {0};
    buf_le64(&b, 0);
    buf_le64(&b, 0);
    zstd_pack(w->zstd, raw, w->level, &b);
    uint32_t sizes[2] = {(uint32_t)(b.n - PART_FRAME_HEADER_BYTES), (uint32_t)raw.n};
    memcpy(b.p + 8, sizes, sizeof sizes);
    uint64_t hash = hash_check(b.p + 8, b.n - 8);
    memcpy(b.p, &hash, sizeof hash);
    struct part_frame f = {.offset = w->offset, .stored = sizes[0], .raw = sizes[1], .rows = rows}; /* first_row is for readers */
    vec_push(&w->index.frames, f);
    w->offset += b.n;
    return vfs_write(w->vfs, w->file, buf_str(&b), e);
}

static bool flush_rows(struct part_writer *w, struct err *e) {
    if (w->frame_rows == 0) return true;
    buf_add(&w->lengths, buf_str(&w->rows));
    bool ok = write_frame(w, buf_str(&w->lengths), w->frame_rows, e);
    buf_clear(&w->lengths);
    buf_clear(&w->rows);
    w->frame_rows = 0;
    return ok;
}

static bool flush_clocks(struct part_writer *w, struct err *e) {
    if (w->pending_clocks.n == 0) return true;
    for (size_t i = 0; i < w->pending_clocks.n; i++) w->index.clocks.p[w->pending_clocks.p[i]].frame = (uint32_t)w->index.frames.n;
    w->pending_clocks.n = 0;
    bool ok = write_frame(w, buf_str(&w->clocks), 0, e);
    buf_clear(&w->clocks);
    return ok;
}

static struct own_clock *remember_clock(struct part_writer *w, const int64_t *t_ms, size_t n) {
    struct own_clock *c = &w->recent[w->recent_n++ % RECENT_CLOCKS];
    free(c->t_ms);
    *c = (struct own_clock){.t_ms = mem_alloc(n * sizeof *t_ms), .n = n, .id = ID_NONE};
    memcpy(c->t_ms, t_ms, n * sizeof *t_ms);
    return c;
}

static void write_clock(struct part_writer *w, struct own_clock *c) {
    struct part_clock at = {.at = (uint32_t)w->clocks.n};
    clock_encode(c->t_ms, c->n, &w->clocks);
    at.n_bytes = (uint32_t)w->clocks.n - at.at;
    c->id = (uint32_t)w->index.clocks.n;
    vec_push(&w->pending_clocks, c->id);
    vec_push(&w->index.clocks, at);
}

bool part_writer_target(struct part_writer *w, struct labels target, const int64_t *clock, size_t n, struct err *e) {
    forget_clocks(w);
    w->target = index_put_target(&w->index.x, target);
    if (n > 0) remember_clock(w, clock, n);
    return w->clocks.n < PART_FRAME_RAW_BYTES || flush_clocks(w, e);
}

static bool encode_on(struct part_writer *w, const struct columns *c, const int64_t *t_ms, size_t n) {
    return w->meta.tier == TIER_RAW ? row_encode(c, t_ms, n, &w->rows) : fields_encode(c, t_ms, n, &w->rows);
}

/* Encodes the row on the first clock that fits. */
static struct own_clock *encode_row(struct part_writer *w, const struct columns *c) {
    size_t known = MIN(w->recent_n, (size_t)RECENT_CLOCKS);
    for (size_t i = 0; i < known; i++) {
        struct own_clock *clock = &w->recent[(w->recent_n - 1 - i) % RECENT_CLOCKS];
        if (encode_on(w, c, clock->t_ms, clock->n)) return clock;
    }
    struct own_clock *own = remember_clock(w, c->t_ms, c->n);
    bool ok = encode_on(w, c, own->t_ms, own->n);
    assert(ok); /* its own times */
    (void)ok;
    return own;
}

bool part_writer_row(struct part_writer *w, struct labels shape, const struct columns *c, struct err *e) {
    assert(c->n > 0);
    size_t before = w->rows.n;
    struct own_clock *clock = encode_row(w, c);
    if (clock->id == ID_NONE) write_clock(w, clock);
    put_varint(&w->lengths, w->rows.n - before);
    index_add_row(&w->index.x, w->target, index_put_shape(&w->index.x, shape));
    vec_push(&w->index.row_clock, clock->id);
    w->frame_rows++;
    w->samples += c->n;
    w->min_ms = MIN(w->min_ms, c->t_ms[0]);
    w->max_ms = MAX(w->max_ms, c->t_ms[c->n - 1]);
    if (w->frame_rows < PART_FRAME_ROWS && w->rows.n < PART_FRAME_RAW_BYTES) return true;
    return flush_rows(w, e);
}

/* --- the end of the file */

static void put_entries(struct buf *b, const struct side *s) {
    put_varint(b, s->e.n);
    for (size_t i = 0; i < s->e.n; i++) {
        put_varint(b, s->e.p[i].n);
        for (uint32_t k = 0; k < s->e.p[i].n; k++) {
            put_varint(b, s->e.p[i].l[k].name);
            put_varint(b, s->e.p[i].l[k].value);
        }
    }
}

static void put_index(const struct part_index *x, struct buf *b) {
    put_varint(b, x->x.strings.s.n - 1);
    for (size_t i = 1; i < x->x.strings.s.n; i++) put_slice(b, x->x.strings.s.p[i]);
    put_entries(b, &x->x.targets);
    put_entries(b, &x->x.shapes);
    put_varint(b, x->clocks.n);
    uint32_t frame = 0;
    for (size_t i = 0; i < x->clocks.n; i++) {
        put_varint(b, x->clocks.p[i].frame - frame);
        put_varint(b, x->clocks.p[i].at);
        put_varint(b, x->clocks.p[i].n_bytes);
        frame = x->clocks.p[i].frame;
    }
    put_varint(b, x->frames.n);
    for (size_t i = 0; i < x->frames.n; i++) {
        put_varint(b, x->frames.p[i].rows);
        put_varint(b, x->frames.p[i].stored);
        put_varint(b, x->frames.p[i].raw);
    }
    put_varint(b, x->x.rows.n);
    struct row_ids before = {0, 0};
    uint32_t clock = 0;
    for (size_t i = 0; i < x->x.rows.n; i++) {
        struct row_ids ids = x->x.rows.p[i];
        put_zigzag(b, (int64_t)ids.target - before.target);
        put_zigzag(b, (int64_t)ids.shape - before.shape);
        put_zigzag(b, (int64_t)x->row_clock.p[i] - clock);
        before = ids;
        clock = x->row_clock.p[i];
    }
}

static bool write_index(struct part_writer *w, struct err *e) {
    AUTO(buf_done) struct buf raw = {0};
    AUTO(buf_done) struct buf b = {0};
    for (size_t i = 0; i < w->meta.others_n; i++) buf_le64(&b, w->others[i]);
    uint64_t others_hash = hash_check(b.p, b.n);
    size_t index = b.n;
    put_index(&w->index, &raw);
    zstd_pack(w->zstd, buf_str(&raw), MAX(w->level, 3), &b);
    const uint64_t words[] = {w->offset + index,    b.n - index,         raw.n,       hash_check(b.p + index, b.n - index),
                              (uint64_t)w->min_ms,  (uint64_t)w->max_ms, w->samples,  w->index.x.rows.n,
                              w->meta.log_position, w->meta.others_n,    others_hash, (uint64_t)w->meta.tier,
                              w->meta.awaits,       w->meta.cleaned};
    size_t footer = b.n;
    for (size_t i = 0; i < ARRAY_N(words); i++) buf_le64(&b, words[i]);
    while (b.n - footer < PART_FOOTER_BYTES - 16) buf_char(&b, 0);
    buf_le64(&b, hash_check(b.p + footer, PART_FOOTER_BYTES - 16));
    buf_le64(&b, PART_MAGIC);
    return vfs_write(w->vfs, w->file, buf_str(&b), e);
}

bool part_writer_finish(struct part_writer *w, uint64_t *rows, struct err *e) {
    uint64_t n = w->index.x.rows.n;
    if (n > 0) {
        if (!flush_rows(w, e) || !flush_clocks(w, e) || !write_index(w, e) || !vfs_sync(w->vfs, w->file, e)) return false;
        vfs_close(w->vfs, &w->file);
        bool ok = vfs_rename(w->vfs, w->tmp, w->path, e);
        w->open = false;
        if (!ok || !vfs_sync_dir(w->vfs, w->dir, e)) {
            bool gone = vfs_unlink(w->vfs, ok ? w->path : w->tmp, NULL);
            (void)gone;
            return false;
        }
    }
    *rows = n;
    return true;
}
