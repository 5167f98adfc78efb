#include "store/events/part.h"

#include "base/hash.h"
#include "codec/compress.h"
#include "codec/varint.h"
#include "store/events/catalog.h"
#include "store/events/shapes.h"

enum { TRAILER = 32, DIRECTORY_MAX = 64 << 20, SECTION_MAX = 256 << 20, FLUSH_BYTES = 1 << 20, VERSION = 1, FLAG_CHECKED = 1 };
static const char magic_head[8] = "BNEVENTS", magic_tail[8] = "BNEVTEND";

static void get_section(struct reader *r, const struct part *p, struct section *s) {
    str fixed = get_bytes(r, 3);
    if (fixed.n == 0) return;
    *s = (struct section){.id = (uint8_t)fixed.p[0], .enc = (uint8_t)fixed.p[1], .codec = (uint8_t)fixed.p[2]};
    s->arg = (uint32_t)get_varint(r);
    uint64_t at = get_varint(r);
    uint64_t n = get_varint(r);
    uint64_t raw_n = get_varint(r);
    s->sum = p->checked ? get_le64(r) : 0;
    if (at > p->bytes.n / 8 || n > p->bytes.n - at * 8 || raw_n > SECTION_MAX || (s->codec == CODEC_NONE && raw_n != n)) r->bad = true;
    s->at = at * 8;
    s->n = (uint32_t)n;
    s->raw_n = (uint32_t)raw_n;
}

/* Reads n sections behind those already there. */
static void get_sections(struct reader *r, struct part *p, uint64_t n) {
    if (n > (uint64_t)(r->end - r->at)) r->bad = true;
    if (r->bad) return;
    p->sections = mem_realloc(p->sections, (p->section_n + n + 1) * sizeof *p->sections);
    for (uint64_t i = 0; i < n && !r->bad; i++) get_section(r, p, &p->sections[p->section_n++]);
}

static void get_block(struct reader *r, struct part *p, struct block_info *b) {
    uint64_t rows = get_varint(r);
    b->min_ns = get_zigzag(r);
    b->max_ns = (int64_t)((uint64_t)b->min_ns + get_varint(r));
    b->raw_bytes = get_varint(r);
    b->section_n = (uint32_t)get_varint(r);
    b->section_at = p->section_n;
    get_sections(r, p, b->section_n);
    if (rows > UINT32_MAX / 64 || rows == 0 || b->max_ns < b->min_ns) r->bad = true;
    b->row_n = (uint32_t)rows;
    p->rows += rows;
    p->raw_bytes += b->raw_bytes;
    p->min_ns = MIN(p->min_ns, b->min_ns);
    p->max_ns = MAX(p->max_ns, b->max_ns);
}

static bool get_directory(struct part *p, str dir, struct err *e) {
    struct reader r = reader_open(dir);
    uint64_t version = get_varint(&r);
    if (version != VERSION)
        return err_set(e, ERR_UNSUPPORTED, "event part of version %llu: this program reads version 1", (unsigned long long)version);
    uint64_t kind = get_varint(&r);
    p->kind = (enum event_kind)kind;
    p->checked = get_varint(&r) & FLAG_CHECKED;
    p->next_seq = get_varint(&r);
    uint64_t block_n = get_varint(&r);
    if (r.bad || kind >= EVENT_KIND_N || block_n > (uint64_t)(r.end - r.at)) return err_set(e, ERR_CORRUPT, "event part: damaged directory");
    p->block_n = (uint32_t)block_n;
    p->blocks = mem_zalloc((block_n + 1) * sizeof *p->blocks);
    p->min_ns = INT64_MAX;
    p->max_ns = INT64_MIN;
    for (uint64_t i = 0; i < block_n && !r.bad; i++) get_block(&r, p, &p->blocks[i]);
    p->own_at = p->section_n;
    p->own_n = (uint32_t)get_varint(&r);
    get_sections(&r, p, p->own_n);
    return (!r.bad && r.at == r.end) ||
           err_set(e, ERR_CORRUPT, "event part: damaged directory (at byte %zu)", (size_t)(r.at - (const uint8_t *)dir.p));
}

static bool open_part(struct part *p, struct err *e) {
    str b = p->bytes;
    if (b.n < sizeof magic_head + TRAILER || memcmp(b.p, magic_head, 8) != 0 || memcmp(b.p + b.n - 8, magic_tail, 8) != 0)
        return err_set(e, ERR_CORRUPT, "not an event part (or cut short): %zu bytes", b.n);
    uint64_t trailer[3];
    memcpy(trailer, b.p + b.n - TRAILER, sizeof trailer);
    if (trailer[0] > b.n - TRAILER || trailer[1] != b.n - TRAILER - trailer[0] || trailer[1] > DIRECTORY_MAX)
        return err_set(e, ERR_CORRUPT, "event part: damaged trailer");
    str dir = str_n(b.p + trailer[0], trailer[1]);
    if (hash_check(dir.p, dir.n) != trailer[2]) return err_set(e, ERR_CORRUPT, "event part: directory fails its checksum");
    return get_directory(p, dir, e);
}

bool part_open_bytes(str bytes, struct part **out, struct err *e) {
    struct part *p = mem_zalloc(sizeof *p);
    *p = (struct part){.bytes = bytes, .refs = 1};
    if (!open_part(p, e)) return part_unref(p), false;
    *out = p;
    return true;
}

bool part_open_file(struct vfs *v, const char *path, struct part **out, struct err *e) {
    struct vfs_file f;
    if (!vfs_open(v, path, VFS_READ, &f, e)) return false;
    str bytes;
    bool ok = vfs_map(v, f, &bytes, e);
    vfs_close(v, &f);
    if (!ok) return false;
    struct part *p = mem_zalloc(sizeof *p);
    *p = (struct part){.bytes = bytes, .vfs = v, .refs = 1, .path = strdup(path)};
    if (!open_part(p, e)) return err_wrap(e, "%s", path), part_unref(p), false;
    *out = p;
    return true;
}

struct part *part_ref(struct part *p) {
    p->refs++;
    return p;
}

void part_unref(struct part *p) {
    if (!p) return;
    assert(p->refs > 0);
    if (--p->refs) return;
    if (p->vfs)
        vfs_unmap(p->vfs, p->bytes);
    else
        free((char *)(uintptr_t)p->bytes.p);
    catalog_free(p->catalog);
    free(p->path);
    free(p->sections);
    free(p->blocks);
    free(p);
}

bool section_read(const struct part *p, const struct section *s, struct arena *a, str *out) {
    str stored = str_n(p->bytes.p + s->at, s->n);
    if (s->codec == CODEC_NONE) return *out = stored, true;
    if (s->codec != CODEC_ZSTD) return false;
    struct buf raw = {0};
    struct err e;
    bool ok = zstd_decode(stored, s->raw_n, &raw, &e) && raw.n == s->raw_n;
    if (ok) *out = arena_str(a, buf_str(&raw));
    buf_done(&raw);
    return ok;
}

static bool sum_holds(const struct part *p, const struct section *s) {
    return !p->checked || hash_check(p->bytes.p + s->at, s->n) == s->sum;
}

bool part_table(const struct part *p, enum section_id id, struct arena *a, str *out) {
    for (uint32_t i = 0; i < p->own_n; i++) {
        const struct section *s = &p->sections[p->own_at + i];
        if (s->id == id) return sum_holds(p, s) && section_read(p, s, a, out);
    }
    return false;
}

static bool sums_hold(const struct part *p, const struct block_info *b) {
    for (uint32_t i = 0; i < b->section_n; i++)
        if (!sum_holds(p, &p->sections[b->section_at + i])) return false;
    return true;
}

bool part_block_good(const struct part *p, uint32_t block) {
    struct block_info *b = &p->blocks[block];
    uint8_t state = atomic_load_explicit(&b->state, memory_order_relaxed);
    if (state == BLOCK_UNSEEN) {
        state = sums_hold(p, b) ? BLOCK_GOOD : BLOCK_DAMAGED;
        atomic_store_explicit(&b->state, state, memory_order_relaxed);
    }
    return state == BLOCK_GOOD;
}

/* --- writing */

void packer_open(struct packer *p, enum event_kind kind, bool disk) {
    *p = (struct packer){.kind = kind, .disk = disk, .file = {.fd = -1}, .shapes = disk ? shapes_new() : NULL};
    buf_put(&p->out, magic_head, sizeof magic_head);
}

void packer_to_file(struct packer *p, struct vfs *v, struct vfs_file f) {
    p->vfs = v;
    p->file = f;
}

static void flush(struct packer *p, size_t at_least) {
    if (!p->vfs || p->failed || p->out.n < at_least) return;
    p->failed = !vfs_write(p->vfs, p->file, buf_str(&p->out), &p->err);
    p->flushed += p->out.n;
    buf_clear(&p->out);
}

static void put_stored(struct packer *p, struct section s, str stored) {
    s.at = p->flushed + p->out.n;
    s.n = (uint32_t)stored.n;
    s.sum = p->disk ? hash_check(stored.p, stored.n) : 0;
    buf_add(&p->out, stored);
    static const char zero[8];
    buf_put(&p->out, zero, -p->out.n & 7);
    vec_push(&p->sections, s);
    flush(p, FLUSH_BYTES);
}

void packer_section(struct packer *p, enum section_id id, enum encoding enc, uint32_t arg, str raw) {
    assert(raw.n <= SECTION_MAX);
    struct section s = {.id = (uint8_t)id, .enc = (uint8_t)enc, .arg = arg, .raw_n = (uint32_t)raw.n};
    p->open_raw += raw.n;
    /* Trace ids are looked up in the map itself, and neither they nor fingerprints compress. */
    if (p->disk && enc != ENC_RUNS && id != SEC_WORDS && raw.n >= 64) {
        buf_clear(&p->zstd);
        zstd_encode(raw, 1, &p->zstd);
        if (p->zstd.n + p->zstd.n / 16 < raw.n) {
            s.codec = CODEC_ZSTD;
            put_stored(p, s, buf_str(&p->zstd));
            return;
        }
    }
    put_stored(p, s, raw);
}

void packer_block_end(struct packer *p, uint32_t row_n, int64_t min_ns, int64_t max_ns) {
    struct block_info b = {.row_n = row_n, .min_ns = min_ns, .max_ns = max_ns, .raw_bytes = p->open_raw};
    b.section_at = p->open_at;
    b.section_n = (uint32_t)p->sections.n - p->open_at;
    vec_push(&p->blocks, b);
    p->open_at = (uint32_t)p->sections.n;
    p->open_raw = 0;
}

void packer_copy_block(struct packer *p, const struct part *from, uint32_t block) {
    const struct block_info *b = &from->blocks[block];
    for (uint32_t i = 0; i < b->section_n; i++) {
        const struct section *s = &from->sections[b->section_at + i];
        put_stored(p, *s, str_n(from->bytes.p + s->at, s->n));
    }
    p->open_raw = b->raw_bytes;
    packer_block_end(p, b->row_n, b->min_ns, b->max_ns);
}

static void put_sections(struct packer *p, struct buf *dir, uint32_t at, uint32_t n) {
    put_varint(dir, n);
    for (uint32_t i = 0; i < n; i++) {
        const struct section *s = &p->sections.p[at + i];
        buf_char(dir, (char)s->id);
        buf_char(dir, (char)s->enc);
        buf_char(dir, (char)s->codec);
        put_varint(dir, s->arg);
        put_varint(dir, s->at / 8);
        put_varint(dir, s->n);
        put_varint(dir, s->raw_n);
        if (p->disk) buf_le64(dir, s->sum);
    }
}

bool packer_close(struct packer *p, uint64_t next_seq, struct err *e) {
    struct buf dir = {0};
    if (p->shapes) {
        shapes_put(p->shapes, (uint32_t)p->blocks.n, &dir);
        packer_section(p, SEC_SHAPES, ENC_TEXT, 0, buf_str(&dir));
        buf_clear(&dir);
    }
    put_varint(&dir, VERSION);
    put_varint(&dir, p->kind);
    put_varint(&dir, p->disk ? FLAG_CHECKED : 0);
    put_varint(&dir, next_seq);
    put_varint(&dir, p->blocks.n);
    for (size_t i = 0; i < p->blocks.n; i++) {
        const struct block_info *b = &p->blocks.p[i];
        put_varint(&dir, b->row_n);
        put_zigzag(&dir, b->min_ns);
        put_varint(&dir, (uint64_t)b->max_ns - (uint64_t)b->min_ns);
        put_varint(&dir, b->raw_bytes);
        put_sections(p, &dir, b->section_at, b->section_n);
    }
    put_sections(p, &dir, p->open_at, (uint32_t)p->sections.n - p->open_at);
    uint64_t trailer[3] = {p->flushed + p->out.n, dir.n, hash_check(dir.p, dir.n)};
    buf_add(&p->out, buf_str(&dir));
    buf_put(&p->out, trailer, sizeof trailer);
    buf_put(&p->out, magic_tail, sizeof magic_tail);
    buf_done(&dir);
    flush(p, 0);
    if (p->failed && e) *e = p->err;
    return !p->failed;
}

void packer_done(struct packer *p) {
    buf_done(&p->out);
    buf_done(&p->zstd);
    shapes_free(p->shapes);
    vec_done(&p->sections);
    vec_done(&p->blocks);
}
