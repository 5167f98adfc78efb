#include "ingest/tail.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/compress.h"
#include "ingest/tail_lines.h"
#include "ingest/tail_state.h"
#include "loop/vfs.h"

enum {
    CHUNK_BYTES = 256 << 10, /* read at once; one batch */
    POLL_MS = 1000,          /* catches what inotify misses (network file systems, overflow) */
    SCAN_MS = 5000,          /* globs again: new folders */
    SAVE_MS = 2000,
    ROTATE_WAIT_MS = 5000, /* a renamed or deleted file is drained for so long */
    RETRY_MS = 1000,
    EVENT_WAIT_MS = 1000, /* for more lines of a stack trace */
    FILES_MAX = 10000,
    FINGERPRINT_BYTES = 64,
    ARCHIVE_BYTES_MAX = 64 << 20, /* packed or unpacked */
};

/* Says which bytes stood before an offset, so that a file that was truncated and written anew is not mistaken for a grown one. Taken from the bytes
 * that were read, never read again later. n == 0: nothing known, nothing checked. */
struct mark {
    uint64_t offset, n, hash;
};

struct file {
    struct tail *tail;
    char *path;
    int fd;
    uint64_t device, inode;
    struct mark read;        /* next byte to read: always a line start */
    struct mark acked;       /* everything before is in the store */
    struct tail_lines lines; /* what of it waits for more */
    bool in_flight;          /* a batch of this file waits for the store */
    bool skip_line;          /* inside a line that was cut */
    bool seen;               /* by the current scan */
    int64_t gone_ms;         /* when its path stopped leading to it; 0: it still does */
    int64_t grown_ms;        /* when it was written last */
    int64_t retry_ms;        /* the store refused: not before */
    bool is_archive, archive_read;
};

struct dir {
    char *path;
    int wd;
};

struct tail {
    struct loop *loop;
    struct sink *sink;
    char **globs;
    size_t glob_n;
    struct tail_lines_settings lines;
    struct tail_lines_stats line_stats;
    int64_t idle_flush_ms;
    bool from_start, first_scan, dirty;
    int inotify;
    struct watch *watch;
    struct timer *poll, *scan, *save;
    VEC(struct file *) files;
    VEC(struct dir) dirs;
    struct tail_state *saved;
    struct tail_stats stats;
    struct file *unpacking; /* the one archive that is being read, */
    struct buf unpacked;    /* and its text */
    unsigned in_flight;     /* batches the store still holds: each keeps the tail alive */
    bool closing;
};

static void read_file(struct file *f);

/* --- files */

static void file_free(struct file *f) {
    if (f->fd >= 0) close(f->fd);
    tail_lines_done(&f->lines);
    free(f->path);
    free(f);
}

static struct file *find_inode(struct tail *t, uint64_t device, uint64_t inode) {
    for (size_t i = 0; i < t->files.n; i++)
        if (t->files.p[i]->device == device && t->files.p[i]->inode == inode) return t->files.p[i];
    return NULL;
}

static void watch_dir(struct tail *t, str path) {
    for (size_t i = 0; i < t->dirs.n; i++)
        if (str_eq_c(path, t->dirs.p[i].path)) return;
    char *dir = mem_alloc(path.n + 1);
    memcpy(dir, path.p, path.n);
    dir[path.n] = 0;
    int wd = inotify_add_watch(t->inotify, dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR);
    struct dir d = {dir, wd}; /* wd < 0: polling will do */
    if (wd < 0 && errno == ENOENT) return free(dir);
    vec_push(&t->dirs, d);
}

/* A watch ended: its folder is gone, or was unmounted. */
static void forget_dir(struct tail *t, int wd) {
    for (size_t i = 0; i < t->dirs.n; i++) {
        if (t->dirs.p[i].wd != wd) continue;
        free(t->dirs.p[i].path);
        t->dirs.p[i] = t->dirs.p[--t->dirs.n];
        return;
    }
}

/* A folder that is not there yet: the nearest one above it that is. */
static void watch_above(struct tail *t, char *path) {
    struct stat st;
    for (char *slash; (slash = strrchr(path, '/')) && slash > path;) {
        *slash = 0;
        if (stat(path, &st) == 0) return watch_dir(t, str_c(path));
    }
}

/* The folders of every level of a glob, so that a new one is seen when it appears: of a pod's log pods/, its folders and theirs. */
static void watch_levels(struct tail *t, const char *pattern) {
    size_t wild = strcspn(pattern, "*?[");
    for (size_t n = 1; pattern[n]; n++) {
        if (pattern[n] != '/') continue;
        if (n < wild && memchr(pattern + n + 1, '/', wild - n - 1)) continue; /* a level above the first that varies */
        char *prefix = strndup(pattern, n);
        glob_t found;
        if (glob(prefix, GLOB_NOSORT | GLOB_ONLYDIR, NULL, &found) == 0)
            for (size_t i = 0; i < found.gl_pathc; i++) watch_dir(t, str_c(found.gl_pathv[i]));
        if (found.gl_pathc == 0 && n < wild) watch_above(t, prefix);
        globfree(&found);
        free(prefix);
    }
}

/* Where to begin: where the last run left off if this is still that file; else the start, or the end of a file that was there before us. */
static struct mark start_mark(struct tail *t, struct file *f, uint64_t size) {
    const struct tail_entry *saved = tail_state_find(t->saved, f->device, f->inode);
    if (saved && saved->offset <= size && tail_fingerprint(f->fd, saved->offset, saved->fingerprint_n) == saved->fingerprint)
        return (struct mark){saved->offset, saved->fingerprint_n, saved->fingerprint};
    bool at_end = !saved && t->first_scan && !t->from_start && tail_state_empty(t->saved);
    uint64_t n = MIN(size, (uint64_t)FINGERPRINT_BYTES);
    return at_end ? (struct mark){size, n, tail_fingerprint(f->fd, size, n)} : (struct mark){0};
}

static void note_acked(struct file *f, struct mark at) {
    f->acked = at;
    f->tail->dirty = true;
}

static void open_file(struct tail *t, const char *path) {
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        if (fd >= 0)
            close(fd);
        else if (errno != ENOENT && errno != EACCES)
            t->stats.read_errors++;
        return;
    }
    struct file *known = find_inode(t, st.st_dev, st.st_ino);
    if (known) { /* seen already, perhaps under its name before a rotation */
        close(fd);
        if (!known->seen && strcmp(known->path, path) != 0) {
            free(known->path);
            known->path = strdup(path);
        }
        known->seen = true;
        known->gone_ms = 0;
        return;
    }
    if (t->files.n >= FILES_MAX) {
        close(fd);
        t->stats.read_errors++;
        return;
    }
    struct file *f = mem_zalloc(sizeof *f);
    *f = (struct file){.tail = t, .path = strdup(path), .fd = fd, .device = st.st_dev, .inode = st.st_ino, .seen = true};
    tail_lines_open(&f->lines, &t->lines, &t->line_stats);
    f->grown_ms = clock_wall_ms();
    vec_push(&t->files, f);
    f->read = start_mark(t, f, (uint64_t)st.st_size);
    note_acked(f, f->read);
}

static bool is_compressed(str path) {
    return str_ends(path, STR(".gz")) || str_ends(path, STR(".xz")) || str_ends(path, STR(".zst")) || str_ends(path, STR(".bz2"));
}

/* A rotated and packed file has been read before it was packed, unless it was there first, or is asked for by name. */
static bool wants_archive(const struct tail *t, const char *glob, const char *path) {
    struct stat st;
    if (!str_ends(str_c(path), STR(".gz"))) return false;
    if (str_ends(str_c(glob), STR(".gz")) || (t->first_scan && t->from_start && tail_state_empty(t->saved))) return true;
    return stat(path, &st) == 0 && tail_state_find(t->saved, st.st_dev, st.st_ino); /* not finished, perhaps */
}

static void open_archive(struct tail *t, const char *path) {
    struct stat st;
    bool fresh = stat(path, &st) == 0 && !find_inode(t, st.st_dev, st.st_ino);
    open_file(t, path);
    struct file *f = fresh ? find_inode(t, st.st_dev, st.st_ino) : NULL;
    if (!f) return;
    const struct tail_entry *saved = tail_state_find(t->saved, f->device, f->inode);
    f->is_archive = true;
    f->read = f->acked = (struct mark){.offset = saved ? saved->offset : 0}; /* of the unpacked text */
}

static bool known_path(const struct tail *t, const char *path) {
    for (size_t i = 0; i < t->files.n; i++)
        if (strcmp(t->files.p[i]->path, path) == 0) return true;
    return false;
}

static void scan_globs(void *arg) {
    struct tail *t = arg;
    int64_t now_ms = clock_wall_ms();
    for (size_t i = 0; i < t->files.n; i++) t->files.p[i]->seen = false;
    for (size_t g = 0; g < t->glob_n; g++) {
        glob_t found;
        watch_levels(t, t->globs[g]);
        if (glob(t->globs[g], GLOB_NOSORT, NULL, &found) == 0) {
            for (size_t i = 0; i < found.gl_pathc; i++) {
                const char *path = found.gl_pathv[i];
                bool archive = is_compressed(str_c(path));
                if (archive && !known_path(t, path) && !wants_archive(t, t->globs[g], path)) continue;
                if (archive)
                    open_archive(t, path);
                else
                    open_file(t, path);
            }
        }
        globfree(&found);
    }
    t->first_scan = false;
    for (size_t i = 0; i < t->files.n; i++) {
        struct file *f = t->files.p[i];
        if (!f->seen && f->gone_ms == 0) {
            f->gone_ms = now_ms;
            t->stats.rotations++;
        }
        tail_lines_ask_pod(&f->lines, str_c(f->path));
        read_file(f);
    }
}

/* --- reading */

static void restart_from(struct file *f, struct mark at) {
    f->read = at;
    f->skip_line = false;
    tail_lines_forget(&f->lines);
}

/* What may be called stored when everything before `read` is: what waits for its end is not. */
static struct mark settled(const struct file *f) {
    uint64_t first;
    if (!tail_lines_waiting(&f->lines, &first) || first >= f->read.offset) return f->read;
    return (struct mark){.offset = first};
}

static void save(void *arg);

static void drop_closing(struct tail *t) {
    if (!t->closing || t->in_flight) return;
    save(t);
    tail_state_free(t->saved);
    for (size_t i = 0; i < t->files.n; i++) file_free(t->files.p[i]);
    vec_done(&t->files);
    buf_done(&t->unpacked);
    free(t);
}

static void batch_done(void *arg, const struct push_result *r) {
    struct file *f = arg;
    struct tail *t = f->tail;
    t->in_flight--;
    f->in_flight = false;
    if (r->dropped) { /* the store refuses: read it again later */
        t->stats.retries++;
        f->retry_ms = clock_wall_ms() + RETRY_MS;
        restart_from(f, f->acked);
    } else {
        note_acked(f, settled(f));
    }
    if (t->closing)
        drop_closing(t);
    else if (!r->dropped)
        read_file(f);
}

static void push_lines(struct file *f, struct log_batch *b) {
    struct tail *t = f->tail;
    if (b->events.n == 0) {
        log_batch_done(b);
        note_acked(f, settled(f));
        return;
    }
    tail_lines_describe(&f->lines, str_c(f->path), b);
    f->in_flight = true;
    t->in_flight++;
    t->stats.lines += b->events.n;
    t->sink->push_events(t->sink, log_batch_finish(b), batch_done, f);
}

/* Takes the whole lines of a chunk; `last`: the unfinished one at its end, and what waits, too. */
static void take_chunk(struct file *f, str chunk, bool last) {
    struct tail *t = f->tail;
    size_t line_max = t->lines.line_bytes_max;
    struct log_batch b = log_batch_new(64 << 10);
    int64_t now_ns = clock_wall_ns();
    str text = arena_str(b.arena, chunk);
    size_t at = 0;
    while (at < text.n) {
        str rest = str_from(text, at);
        size_t n = str_find_char(rest, '\n');
        bool whole = n != STR_NONE;
        if (!whole) n = rest.n;
        bool too_long = n > line_max || (!whole && at == 0 && rest.n >= line_max);
        if (!whole && !too_long && !last) break;
        if (!f->skip_line) tail_lines_take(&f->lines, str_sub(rest, 0, MIN(n, line_max)), f->read.offset + at, now_ns, &b);
        if (too_long && !f->skip_line) t->line_stats.cut_lines++;
        f->skip_line = !whole && !last;
        at += n + whole;
    }
    if (at) {
        size_t n = MIN(at, (size_t)FINGERPRINT_BYTES);
        f->read = (struct mark){f->read.offset + at, n, hash_stable(str_sub(text, at - n, at))};
    }
    t->stats.bytes += at;
    if (last)
        tail_lines_flush(&f->lines, now_ns, &b);
    else
        tail_lines_settle(&f->lines, at == 0 && now_ns / NS_PER_MS - f->grown_ms >= EVENT_WAIT_MS, now_ns, &b);
    push_lines(f, &b);
}

/* copytruncate: the file shrank, or the bytes before our offset are others now. */
static bool truncated(struct file *f, uint64_t size) {
    return size < f->read.offset || tail_fingerprint(f->fd, f->read.offset, f->read.n) != f->read.hash;
}

/* Nothing has come for a while, or never will: what waits is sent as it is. */
static bool is_overdue(const struct file *f, bool at_end) {
    int64_t now_ms = clock_wall_ms();
    if (!at_end) return false;
    if (f->is_archive || (f->gone_ms && now_ms - f->gone_ms >= ROTATE_WAIT_MS)) return true;
    return f->tail->idle_flush_ms && now_ms - f->grown_ms >= f->tail->idle_flush_ms;
}

/* Archives are unpacked whole, one after the other. false: not its turn, or it is done with. */
static bool next_of_archive(struct file *f, size_t want, str *out, uint64_t *size) {
    struct tail *t = f->tail;
    if (f->archive_read || (t->unpacking && t->unpacking != f)) return false;
    if (!t->unpacking) {
        AUTO(arena_free) struct arena *a = arena_new(1024);
        str packed;
        struct err e;
        if (!vfs_read_file(vfs_real(), f->path, ARCHIVE_BYTES_MAX, a, &packed, &e) || !gzip_decode(packed, ARCHIVE_BYTES_MAX, &t->unpacked, &e)) {
            t->stats.read_errors++;
            log_warn("tail", "archive not read file=%s error=\"%s\"", f->path, e.msg);
            buf_clear(&t->unpacked); /* what was unpacked before the damage is not trusted */
        }
        t->unpacking = f;
    }
    *size = t->unpacked.n;
    *out = str_sub(buf_str(&t->unpacked), f->read.offset, f->read.offset + want);
    uint64_t first;
    if (out->n || tail_lines_waiting(&f->lines, &first)) return true;
    f->archive_read = true;
    t->unpacking = NULL;
    buf_done(&t->unpacked);
    return false;
}

/* The next chunk of a file. false: it cannot be read. */
static bool next_chunk(struct file *f, size_t want, struct buf *room, str *out, uint64_t *size) {
    struct stat st;
    if (f->is_archive) return next_of_archive(f, want, out, size);
    if (fstat(f->fd, &st) != 0) return false;
    *size = (uint64_t)st.st_size;
    f->grown_ms = st.st_mtim.tv_sec * MS_PER_S + st.st_mtim.tv_nsec / NS_PER_MS;
    if (truncated(f, *size)) {
        f->tail->stats.truncations++;
        restart_from(f, (struct mark){0});
        note_acked(f, f->read);
    }
    *out = STR_NULL;
    if (*size == f->read.offset) return true;
    buf_reserve(room, want);
    ssize_t got = pread(f->fd, room->p, want, (off_t)f->read.offset);
    f->tail->stats.read_errors += got < 0;
    if (got < 0) return false;
    *out = str_n(room->p, (size_t)got);
    return true;
}

static void read_file(struct file *f) {
    struct tail *t = f->tail;
    AUTO(buf_done) struct buf room = {0};
    str chunk;
    uint64_t size, first;
    if (f->in_flight || t->closing || (f->retry_ms && clock_wall_ms() < f->retry_ms)) return;
    f->retry_ms = 0;
    if (!next_chunk(f, MAX((size_t)CHUNK_BYTES, t->lines.line_bytes_max + 1), &room, &chunk, &size)) return;
    bool last = is_overdue(f, f->read.offset + chunk.n >= size);
    if (chunk.n || tail_lines_waiting(&f->lines, &first)) take_chunk(f, chunk, last);
}

static void poll_files(void *arg) {
    struct tail *t = arg;
    int64_t now_ms = clock_wall_ms();
    for (size_t i = 0; i < t->files.n; i++) read_file(t->files.p[i]);
    size_t kept = 0;
    for (size_t i = 0; i < t->files.n; i++) {
        struct file *f = t->files.p[i];
        struct stat st;
        bool drained = !f->in_flight && (f->is_archive ? f->archive_read : fstat(f->fd, &st) != 0 || (uint64_t)st.st_size <= f->read.offset);
        uint64_t first;
        drained = drained && !tail_lines_waiting(&f->lines, &first);
        if (f->gone_ms && drained && now_ms - f->gone_ms > ROTATE_WAIT_MS)
            file_free(f);
        else
            t->files.p[kept++] = f;
    }
    if (kept != t->files.n) t->dirty = true;
    t->files.n = kept;
}

static struct file *find_path(struct tail *t, const char *dir, const char *name) {
    size_t n = strlen(dir);
    for (size_t i = 0; i < t->files.n; i++) {
        const struct file *f = t->files.p[i];
        if (strncmp(f->path, dir, n) == 0 && f->path[n] == '/' && strcmp(f->path + n + 1, name) == 0) return t->files.p[i];
    }
    return NULL;
}

static void on_inotify(void *arg) {
    struct tail *t = arg;
    _Alignas(struct inotify_event) char buffer[16 << 10];
    bool rescan = false;
    for (ssize_t n; (n = read(t->inotify, buffer, sizeof buffer)) > 0;) {
        for (char *p = buffer; p < buffer + n;) {
            const struct inotify_event *ev = (const struct inotify_event *)p;
            p += sizeof *ev + ev->len;
            if (ev->mask & IN_IGNORED) forget_dir(t, ev->wd);
            if (!(ev->mask & IN_MODIFY)) {
                rescan = true; /* something appeared, moved or went, or the queue overflowed */
                continue;
            }
            for (size_t i = 0; i < t->dirs.n; i++) {
                if (t->dirs.p[i].wd != ev->wd || ev->len == 0) continue;
                struct file *f = find_path(t, t->dirs.p[i].path, ev->name);
                if (f) read_file(f);
            }
        }
    }
    if (rescan) scan_globs(t);
}

/* --- offsets on disk */

static void save(void *arg) {
    struct tail *t = arg;
    if (!t->dirty) return;
    struct err e;
    tail_state_clear(t->saved);
    for (size_t i = 0; i < t->files.n; i++) {
        const struct file *f = t->files.p[i];
        tail_state_put(t->saved, &(struct tail_entry){f->device, f->inode, f->acked.offset, f->acked.n, f->acked.hash});
    }
    if (tail_state_save(t->saved, &e))
        t->dirty = false;
    else
        log_warn("tail", "offsets not saved: %s", e.msg);
}

bool tail_new(struct loop *l, struct sink *sink, const struct tail_settings *s, struct tail **out, struct err *e) {
    assert_loop_thread();
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0) return err_errno(e, ERR_IO, errno, "inotify (see fs.inotify.max_user_instances)");
    struct tail_state *saved;
    if (!tail_state_open(s->state_path, &saved, e)) return close(fd), false;
    struct tail *t = mem_zalloc(sizeof *t);
    *t = (struct tail){.loop = l,
                       .sink = sink,
                       .glob_n = s->glob_n,
                       .lines = {s->line_bytes_max, s->multiline, s->pods},
                       .idle_flush_ms = s->idle_flush_ms,
                       .from_start = s->from_start,
                       .first_scan = true,
                       .inotify = fd,
                       .saved = saved};
    t->globs = mem_zalloc(s->glob_n * sizeof *t->globs);
    for (size_t i = 0; i < s->glob_n; i++) t->globs[i] = strndup(s->globs[i].p, s->globs[i].n);
    t->watch = watch_start(l, fd, on_inotify, t);
    t->poll = timer_start(l, POLL_MS, POLL_MS, poll_files, t);
    t->scan = timer_start(l, SCAN_MS, SCAN_MS, scan_globs, t);
    t->save = timer_start(l, SAVE_MS, SAVE_MS, save, t);
    scan_globs(t);
    *out = t;
    return true;
}

void tail_free(struct tail *t) {
    if (!t) return;
    watch_free(t->watch);
    close(t->inotify);
    timer_free(t->poll);
    timer_free(t->scan);
    timer_free(t->save);
    for (size_t i = 0; i < t->glob_n; i++) free(t->globs[i]);
    free(t->globs);
    for (size_t i = 0; i < t->dirs.n; i++) free(t->dirs.p[i].path);
    vec_done(&t->dirs);
    t->closing = true; /* the last batch in flight saves the offsets and frees the rest */
    drop_closing(t);
}

void tail_stats(const struct tail *t, struct tail_stats *out) {
    *out = t->stats;
    out->files = t->files.n;
    out->cut_lines = t->line_stats.cut_lines;
    out->joined_lines = t->line_stats.joined_lines;
    out->excluded_lines = t->line_stats.excluded_lines;
}
