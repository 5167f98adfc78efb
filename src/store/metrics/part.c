#include "store/metrics/part.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "codec/varint.h"
#include "store/metrics/rowcode.h"

void part_path(char out[PART_PATH_MAX], const char *dir, uint64_t seq) {
    snprintf(out, PART_PATH_MAX, "%s/%016llx.part", dir, (unsigned long long)seq);
}

static uint64_t word(const char *p, size_t i) {
    uint64_t v;
    memcpy(&v, p + i * 8, sizeof v);
    return v;
}

/* The numbers of other parts: in front of the index, in files of version 1 in the footer. */
static bool read_others(struct part *p, const char *foot, bool v1, struct err *e) {
    uint64_t n = word(foot, 9);
    uint64_t offset = word(foot, 0);
    if (n > (v1 ? PART_V1_OTHERS_MAX : PART_OTHERS_MAX) || (!v1 && n * 8 > offset - PART_HEADER_BYTES))
        return err_set(e, ERR_CORRUPT, "the part's footer makes no sense");
    const char *at = v1 ? foot + 80 : p->file.p + offset - n * 8;
    if (!v1 && word(foot, 10) != hash_check(at, n * 8)) return err_set(e, ERR_CORRUPT, "the part's list of other parts is damaged");
    uint64_t *others = mem_alloc(MAX(n, UINT64_C(1)) * sizeof *others);
    memcpy(others, at, n * sizeof *others);
    p->meta.others = others;
    p->meta.others_n = n;
    return true;
}

static bool read_footer(struct part *p, struct err *e) {
    str f = p->file;
    if (f.n < PART_HEADER_BYTES + PART_FOOTER_BYTES || word(f.p, 0) != PART_MAGIC) return err_set(e, ERR_CORRUPT, "no metrics part");
    uint64_t version = word(f.p, 1);
    if (version < 1 || version > PART_VERSION)
        return err_set(e, ERR_UNSUPPORTED, "a part of version %llu; this program reads up to %d", (unsigned long long)version, PART_VERSION);
    bool v1 = version == 1;
    const char *foot = f.p + f.n - PART_FOOTER_BYTES;
    if (word(foot, 23) != PART_MAGIC || word(foot, 22) != hash_check(foot, PART_FOOTER_BYTES - 16))
        return err_set(e, ERR_CORRUPT, "the part's footer is damaged");
    uint64_t offset = word(foot, 0);
    uint64_t stored = word(foot, 1);
    if (offset < PART_HEADER_BYTES || stored > f.n || offset != f.n - PART_FOOTER_BYTES - stored || (!v1 && word(foot, 11) >= TIER_N))
        return err_set(e, ERR_CORRUPT, "the part's footer makes no sense");
    p->min_ms = (int64_t)word(foot, 4);
    p->max_ms = (int64_t)word(foot, 5);
    p->samples = word(foot, 6);
    p->rows = word(foot, 7);
    p->meta.log_position = word(foot, 8);
    if (!v1) {
        p->meta.tier = (enum tier)word(foot, 11);
        p->meta.awaits = word(foot, 12) != 0;
        p->meta.cleaned = word(foot, 13);
    }
    return read_others(p, foot, v1, e);
}

bool part_open(struct vfs *v, const char *dir, uint64_t seq, struct part **out, struct err *e) {
    char path[PART_PATH_MAX];
    part_path(path, dir, seq);
    struct part *p = mem_zalloc(sizeof *p);
    p->vfs = v;
    p->meta.seq = seq;
    p->refs = 1;
    struct vfs_file file;
    uint64_t size = 0;
    bool ok = vfs_open(v, path, VFS_READ, &file, e);
    if (ok) {
        ok = vfs_size(v, file, &size, e);
        if (ok && size < PART_HEADER_BYTES + PART_FOOTER_BYTES) ok = err_set(e, ERR_CORRUPT, "no metrics part: %llu bytes", (unsigned long long)size);
        ok = ok && vfs_map(v, file, &p->file, e);
        vfs_close(v, &file);
    }
    ok = ok && read_footer(p, e);
    if (!ok) {
        tsdb_part_unref(p);
        return err_wrap(e, "metrics/%016llx.part", (unsigned long long)seq);
    }
    p->bytes = p->file.n;
    *out = p;
    return true;
}

void tsdb_part_ref(struct part *p) {
    p->refs++;
}
void tsdb_part_unref(struct part *p) {
    if (!p || --p->refs > 0) return;
    part_index_free(p->index);
    free((void *)(uintptr_t)p->meta.others);
    if (p->file.n) vfs_unmap(p->vfs, p->file);
    free(p);
}

/* --- the index */

void part_index_free(struct part_index *x) {
    if (!x) return;
    index_done(&x->x);
    vec_done(&x->frames);
    vec_done(&x->clocks);
    vec_done(&x->row_clock);
    free(x);
}

/* A count of things that take at least a byte each. */
static size_t get_count(struct reader *r) {
    uint64_t n = get_varint(r);
    if (n <= (size_t)(r->end - r->at)) return (size_t)n;
    r->bad = true;
    return 0;
}

static void get_strings(struct reader *r, struct index *x) {
    size_t n = get_count(r);
    for (size_t i = 0; i < n && !r->bad; i++)
        if (strtab_put(&x->strings, get_slice(r)) != i + 1) r->bad = true;
}

static void get_entries(struct reader *r, struct index *x, struct side *s) {
    size_t n = get_count(r);
    VEC(struct label_id) l = {0};
    for (size_t i = 0; i < n && !r->bad; i++) {
        size_t labels = get_count(r);
        l.n = 0;
        for (size_t k = 0; k < labels && !r->bad; k++) {
            uint64_t name = get_varint(r);
            uint64_t value = get_varint(r);
            if (name >= x->strings.s.n || value >= x->strings.s.n) r->bad = true;
            vec_push(&l, ((struct label_id){(uint32_t)name, (uint32_t)value}));
        }
        if (!r->bad) index_load_entry(x, s, l.p, l.n);
    }
    vec_done(&l);
}

static void get_clocks(struct reader *r, struct part_index *x) {
    size_t n = get_count(r);
    uint32_t frame = 0;
    for (size_t i = 0; i < n && !r->bad; i++) {
        frame += (uint32_t)get_varint(r);
        struct part_clock c = {.frame = frame, .at = (uint32_t)get_varint(r)};
        c.n_bytes = (uint32_t)get_varint(r);
        vec_push(&x->clocks, c);
    }
}

static void get_frames(struct reader *r, struct part_index *x, uint64_t end) {
    size_t n = get_count(r);
    uint64_t offset = PART_HEADER_BYTES;
    uint32_t row = 0;
    for (size_t i = 0; i < n && !r->bad; i++) {
        struct part_frame f = {.offset = offset, .first_row = row, .rows = (uint32_t)get_varint(r)};
        f.stored = (uint32_t)get_varint(r);
        f.raw = (uint32_t)get_varint(r);
        offset += PART_FRAME_HEADER_BYTES + f.stored;
        row += f.rows;
        if (offset > end || f.raw > PART_FRAME_RAW_MAX) r->bad = true;
        vec_push(&x->frames, f);
    }
}

static void get_rows(struct reader *r, struct part_index *x) {
    size_t n = get_count(r);
    uint64_t target = 0;
    uint64_t shape = 0;
    uint64_t clock = 0;
    for (size_t i = 0; i < n && !r->bad; i++) {
        target += (uint64_t)get_zigzag(r);
        shape += (uint64_t)get_zigzag(r);
        clock += (uint64_t)get_zigzag(r);
        if (target >= x->x.targets.e.n || shape >= x->x.shapes.e.n || clock >= x->clocks.n) {
            r->bad = true;
            break;
        }
        vec_push(&x->x.rows, ((struct row_ids){(uint32_t)target, (uint32_t)shape}));
        vec_push(&x->row_clock, (uint32_t)clock);
    }
}

static bool index_consistent(const struct part_index *x, const struct part *p) {
    uint64_t rows = 0;
    for (size_t i = 0; i < x->frames.n; i++) rows += x->frames.p[i].rows;
    for (size_t i = 0; i < x->clocks.n; i++) {
        const struct part_clock *c = &x->clocks.p[i];
        if (c->frame >= x->frames.n || x->frames.p[c->frame].rows != 0 || (uint64_t)c->at + c->n_bytes > x->frames.p[c->frame].raw) return false;
    }
    return rows == x->x.rows.n && rows == p->rows;
}

bool part_index_load(const struct part *p, struct part_index **out, struct err *e) {
    const char *foot = p->file.p + p->file.n - PART_FOOTER_BYTES;
    uint64_t offset = word(foot, 0);
    str stored = str_n(p->file.p + offset, word(foot, 1));
    uint64_t raw_n = word(foot, 2);
    AUTO(buf_done) struct buf raw = {0};
    if (word(foot, 3) != hash_check(stored.p, stored.n) || raw_n > PART_INDEX_RAW_MAX || !zstd_decode(stored, raw_n, &raw, NULL) || raw.n != raw_n)
        return err_set(e, ERR_CORRUPT, "metrics/%016llx.part: the index is damaged", (unsigned long long)p->meta.seq);
    struct part_index *x = mem_zalloc(sizeof *x);
    index_init(&x->x, false);
    struct reader r = reader_open(buf_str(&raw));
    get_strings(&r, &x->x);
    get_entries(&r, &x->x, &x->x.targets);
    get_entries(&r, &x->x, &x->x.shapes);
    get_clocks(&r, x);
    get_frames(&r, x, offset); /* the numbers of other parts may lie between */
    get_rows(&r, x);
    if (r.bad || !index_consistent(x, p)) {
        part_index_free(x);
        return err_set(e, ERR_CORRUPT, "metrics/%016llx.part: the index makes no sense", (unsigned long long)p->meta.seq);
    }
    index_loaded(&x->x);
    *out = x;
    return true;
}

/* --- frames */

uint32_t part_frame_of(const struct part_index *x, uint32_t row) {
    size_t from = 0;
    size_t end = x->frames.n;
    while (end - from > 1) { /* frames of clocks (rows 0) share their first_row with the frame behind */
        size_t mid = from + (end - from) / 2;
        if (x->frames.p[mid].first_row <= row)
            from = mid;
        else
            end = mid;
    }
    while (x->frames.p[from].rows == 0) from--;
    return (uint32_t)from;
}

void part_reader_done(struct part_reader *r) {
    buf_done(&r->clocks);
}

bool part_read_frame(struct part_reader *r, const struct part *p, const struct part_index *x, uint32_t frame, struct buf *out, struct err *e) {
    const struct part_frame *f = &x->frames.p[frame];
    const char *at = p->file.p + f->offset;
    uint32_t sizes[2];
    memcpy(sizes, at + 8, sizeof sizes);
    size_t before = out->n;
    bool ok = sizes[0] == f->stored && sizes[1] == f->raw && word(at, 0) == hash_check(at + 8, PART_FRAME_HEADER_BYTES - 8 + (size_t)f->stored) &&
              zstd_unpack(r->zstd, str_n(at + PART_FRAME_HEADER_BYTES, f->stored), f->raw, out, NULL) && out->n - before == f->raw;
    if (ok) return true;
    out->n = before;
    return err_set(e, ERR_CORRUPT, "metrics/%016llx.part: damaged frame at byte %llu (%u series lost)", (unsigned long long)p->meta.seq,
                   (unsigned long long)f->offset, f->rows);
}

bool part_rows_open(str raw, uint32_t rows, struct part_rows *out, struct err *e) {
    struct reader r = reader_open(raw);
    for (uint32_t i = 0; i < rows; i++) get_varint(&r);
    if (r.bad) return err_set(e, ERR_CORRUPT, "a damaged frame of rows");
    size_t at = (size_t)(r.at - (const uint8_t *)raw.p);
    *out = (struct part_rows){str_sub(raw, 0, at), str_from(raw, at), rows};
    return true;
}

bool part_rows_next(struct part_rows *r, str *row) {
    if (r->left == 0) return false;
    r->left--;
    struct reader lengths = reader_open(r->lengths);
    uint64_t n = get_varint(&lengths);
    if (lengths.bad || n > r->rows.n) return false;
    r->lengths = str_n(lengths.at, (size_t)(lengths.end - lengths.at));
    *row = str_sub(r->rows, 0, n);
    r->rows = str_from(r->rows, n);
    return true;
}

bool part_read_clock(struct part_reader *r, const struct part *p, const struct part_index *x, uint32_t clock, struct arena *a, const int64_t **t_ms,
                     size_t *n, struct err *e) {
    const struct part_clock *c = &x->clocks.p[clock];
    if (r->clocks_of != p || r->clock_frame != c->frame) {
        buf_clear(&r->clocks);
        r->clocks_of = NULL;
        if (!part_read_frame(r, p, x, c->frame, &r->clocks, e)) return false;
        r->clocks_of = p;
        r->clock_frame = c->frame;
    }
    return clock_decode(str_sub(buf_str(&r->clocks), c->at, (size_t)c->at + c->n_bytes), a, t_ms, n, e);
}
