#include "store/wal_frame.h"

/* One segment being walked. The positions are offsets in the file. */
struct walk {
    const struct wal_options *o;
    const uint64_t *marks;
    uint64_t *ends;
    bool (*on_record)(void *arg, enum wal_type type, uint64_t lsn, str payload, struct err *e);
    void *arg;
    struct wal_replay_stats *stats;
    uint64_t lsn; /* of the segment */
    str file;     /* up to where the next segment begins */
};

struct frame {
    enum wal_type type;
    str payload;
    size_t size;
    bool intact; /* the payload too */
};

static uint32_t le32(const char *p) {
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
static uint64_t le64(const char *p) {
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* false: no frame header here. */
static bool frame_at(str file, size_t at, struct frame *f) {
    if (file.n - at < WAL_FRAME_BYTES) return false;
    const char *p = file.p + at;
    uint32_t type = le32(p + 4);
    uint32_t n = le32(p + 8);
    if (le32(p) != WAL_FRAME_MAGIC || le32(p + 12) != (uint32_t)hash_check(p, 12)) return false;
    if (type == 0 || type >= WAL_OWNER_N || wal_padded(n) > file.n - at - WAL_FRAME_BYTES) return false;
    *f = (struct frame){(enum wal_type)type, str_n(p + WAL_FRAME_BYTES, n), wal_frame_size(n), false};
    f->intact = le64(p + 16) == hash_check(f->payload.p, f->payload.n);
    return true;
}

/* The next position from `at` where a whole frame begins, or the end. */
static size_t resynchronise(str file, size_t at) {
    struct frame f;
    for (; at + WAL_FRAME_BYTES <= file.n; at += 8)
        if (frame_at(file, at, &f) && f.intact) return at;
    return file.n;
}

static void damaged(struct walk *w, size_t at, size_t n) {
    w->stats->damaged_frames++;
    w->stats->damaged_bytes += n;
    if (w->stats->first_damage.code != ERR_NONE) return;
    err_set(&w->stats->first_damage, ERR_CORRUPT, "wal/%016llx.wal: damaged frame at byte %zu (%zu bytes skipped)", (unsigned long long)w->lsn, at,
            n);
}

static bool walk(struct walk *w, struct err *e) {
    size_t at = MIN((size_t)WAL_HEADER_BYTES, w->file.n);
    bool header_ok = w->file.n >= WAL_HEADER_BYTES && le64(w->file.p) == WAL_SEGMENT_MAGIC && le64(w->file.p + 24) == hash_check(w->file.p, 24);
    if (!header_ok) damaged(w, 0, at); /* the name tells the position too */
    if (header_ok && le64(w->file.p + 8) != WAL_VERSION)
        return err_set(e, ERR_UNSUPPORTED, "wal/%016llx.wal was written by a newer version (%llu)", (unsigned long long)w->lsn,
                       (unsigned long long)le64(w->file.p + 8));
    struct frame f;
    while (at < w->file.n) {
        bool found = frame_at(w->file, at, &f);
        if (!found || !f.intact) {
            size_t next = found ? at + f.size : resynchronise(w->file, at + 8);
            damaged(w, at, MIN(next, w->file.n) - at);
            at = next;
            continue;
        }
        uint64_t lsn = w->lsn + at - WAL_HEADER_BYTES;
        at += f.size;
        w->ends[f.type] = lsn + f.size;
        if (lsn < w->marks[f.type]) continue;
        w->stats->frames++;
        w->stats->bytes += f.size;
        if (!w->on_record(w->arg, f.type, lsn, f.payload, e)) return false;
    }
    return true;
}

static bool replay_segment(struct walk *w, uint64_t next_lsn, uint64_t *bytes, struct err *e) {
    struct vfs *v = w->o->vfs;
    char path[WAL_PATH_MAX];
    wal_path(path, w->o->dir, w->lsn);
    struct vfs_file file;
    if (!vfs_open(v, path, VFS_READ, &file, e)) return false;
    uint64_t size = 0;
    bool ok = vfs_size(v, file, &size, e);
    if (ok && size > 0) {
        str mapped = STR_NULL;
        ok = vfs_map(v, file, &mapped, e);
        if (ok) {
            /* Bytes behind the next segment's start are a failed write's remains: they were written again there. */
            uint64_t end = next_lsn > UINT64_MAX - WAL_HEADER_BYTES ? UINT64_MAX : next_lsn - w->lsn + WAL_HEADER_BYTES;
            w->file = str_sub(mapped, 0, (size_t)MIN(end, (uint64_t)mapped.n));
            ok = walk(w, e);
            vfs_unmap(v, mapped);
        }
    }
    vfs_close(v, &file);
    *bytes = size > WAL_HEADER_BYTES ? size - WAL_HEADER_BYTES : 0;
    return ok;
}

bool wal_replay(const struct wal_options *o, const uint64_t marks[WAL_OWNER_N],
                bool (*on_record)(void *arg, enum wal_type type, uint64_t lsn, str payload, struct err *e), void *arg, struct wal_replay_stats *stats,
                struct arena *a, struct wal_segment **segments, size_t *n, uint64_t *next, uint64_t ends[WAL_OWNER_N], struct err *e) {
    str *names;
    size_t name_n;
    if (!vfs_list(o->vfs, o->dir, a, &names, &name_n, e)) return false;
    struct wal_segment *list = arena_new_n(a, struct wal_segment, name_n);
    size_t count = 0;
    for (size_t i = 0; i < name_n; i++) {
        uint64_t lsn;
        if (names[i].n == 20 && str_ends(names[i], STR(".wal")) && str_hex_u64(str_sub(names[i], 0, 16), &lsn)) list[count++].lsn = lsn;
    }
    for (size_t i = 0; i < count; i++) { /* fixed-width names: listed in order */
        struct walk w = {.o = o, .marks = marks, .ends = ends, .on_record = on_record, .arg = arg, .stats = stats, .lsn = list[i].lsn};
        if (!replay_segment(&w, i + 1 < count ? list[i + 1].lsn : UINT64_MAX, &list[i].bytes, e)) return false;
        *next = MAX(*next, list[i].lsn + wal_padded(list[i].bytes));
    }
    *segments = list;
    *n = count;
    return true;
}
