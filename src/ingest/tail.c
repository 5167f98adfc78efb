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
#include "ingest/tail_state.h"
#include "loop/vfs.h"
#include "wire/container_line.h"
#include "wire/log_line.h"

enum {
    CHUNK_BYTES = 256 << 10, /* read at once; one batch */
    POLL_MS = 1000,          /* catches what inotify misses (network file systems, overflow) */
    SCAN_MS = 5000,          /* globs again: new folders */
    SAVE_MS = 2000,
    ROTATE_WAIT_MS = 5000, /* a renamed or deleted file is drained for so long */
    RETRY_MS = 1000,
    FILES_MAX = 10000,
    FINGERPRINT_BYTES = 64,
};

/* Says which bytes stood before an offset, so that a file that was truncated and written anew is not mistaken for a grown one. Taken from the bytes
 * that were read, never read again later. n == 0: nothing known, nothing checked. */
struct mark {
    uint64_t offset, n, hash;
};

/* Partial container lines of one stream (stdout, stderr), waiting for their end. */
struct join {
    struct buf text;
    uint64_t start; /* offset of its first piece */
    int64_t time_ns;
};

struct file {
    struct tail *tail;
    char *path;
    int fd;
    uint64_t device, inode;
    struct mark read;  /* next byte to read: always a line start */
    struct mark acked; /* everything before is in the store */
    struct join joins[2];
    bool in_flight;   /* a batch of this file waits for the store */
    bool skip_line;   /* inside a line that was cut */
    bool seen;        /* by the current scan */
    int64_t gone_ms;  /* when its path stopped leading to it; 0: it still does */
    int64_t retry_ms; /* the store refused: not before */
};

struct dir {
    char *path;
    int wd;
};

struct tail {
    struct loop *loop;
    struct sink *sink;
    char **globs;
    size_t glob_n, line_bytes_max;
    bool from_start, first_scan, dirty;
    int inotify;
    struct watch *watch;
    struct timer *poll, *scan, *save;
    VEC(struct file *) files;
    VEC(struct dir) dirs;
    struct tail_state *saved;
    struct tail_stats stats;
    unsigned in_flight; /* batches the store still holds: each keeps the tail alive */
    bool closing;
};

static void read_file(struct file *f);

/* --- files */

static void file_free(struct file *f) {
    if (f->fd >= 0) close(f->fd);
    for (size_t i = 0; i < ARRAY_N(f->joins); i++) buf_done(&f->joins[i].text);
    free(f->path);
    free(f);
}

static struct file *find_inode(struct tail *t, uint64_t device, uint64_t inode) {
    for (size_t i = 0; i < t->files.n; i++)
        if (t->files.p[i]->device == device && t->files.p[i]->inode == inode) return t->files.p[i];
    return NULL;
}

static void watch_dir_of(struct tail *t, const char *path) {
    const char *slash = strrchr(path, '/');
    size_t n = slash && slash > path ? (size_t)(slash - path) : 1;
    for (size_t i = 0; i < t->dirs.n; i++)
        if (strlen(t->dirs.p[i].path) == n && memcmp(t->dirs.p[i].path, path, n) == 0) return;
    char *dir = mem_alloc(n + 1);
    memcpy(dir, slash ? path : ".", n);
    dir[n] = 0;
    int wd = inotify_add_watch(t->inotify, dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE);
    struct dir d = {dir, wd}; /* wd < 0: polling will do */
    vec_push(&t->dirs, d);
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
    vec_push(&t->files, f);
    f->read = start_mark(t, f, (uint64_t)st.st_size);
    note_acked(f, f->read);
}

static bool compressed(const char *path) {
    str p = str_c(path);
    return str_ends(p, STR(".gz")) || str_ends(p, STR(".xz")) || str_ends(p, STR(".zst")) || str_ends(p, STR(".bz2"));
}

static void scan_globs(void *arg) {
    struct tail *t = arg;
    int64_t now_ms = clock_wall_ms();
    for (size_t i = 0; i < t->files.n; i++) t->files.p[i]->seen = false;
    for (size_t g = 0; g < t->glob_n; g++) {
        glob_t found;
        if (glob(t->globs[g], GLOB_NOSORT, NULL, &found) == 0) {
            for (size_t i = 0; i < found.gl_pathc; i++) {
                if (compressed(found.gl_pathv[i])) continue;
                watch_dir_of(t, found.gl_pathv[i]);
                open_file(t, found.gl_pathv[i]);
            }
        }
        globfree(&found);
        watch_dir_of(t, t->globs[g]); /* a folder that is still empty; fails harmlessly for a pattern */
    }
    t->first_scan = false;
    for (size_t i = 0; i < t->files.n; i++) {
        struct file *f = t->files.p[i];
        if (!f->seen && f->gone_ms == 0) {
            f->gone_ms = now_ms;
            t->stats.rotations++;
        }
        read_file(f);
    }
}

/* --- lines -> events */

struct lines {
    struct file *file;
    struct event_batch *batch;
    VEC(struct event) events;
    int64_t now_ns;
};

static void add_line(struct lines *l, str line, const struct container_line *container) {
    struct event *e = vec_add(&l->events);
    e->kind = EVENT_LOG;
    log_line_event(line, container ? container->time_ns : l->now_ns, l->batch->arena, e);
    e->observed_ns = l->now_ns;
    if (!container) return;
    struct field *attrs = arena_new_n(l->batch->arena, struct field, e->attr_n + 1);
    attrs[0] = (struct field){STR("stream"), value_str(arena_str(l->batch->arena, container->stream))};
    if (e->attr_n) memcpy(attrs + 1, e->attrs, e->attr_n * sizeof *attrs);
    e->attrs = attrs;
    e->attr_n++;
}

static void take_line(struct lines *l, str line, uint64_t at) {
    struct container_line c;
    struct arena *a = l->batch->arena;
    if (line.n && line.p[line.n - 1] == '\r') line.n--;
    if (!container_line_parse(line, a, &c)) {
        if (line.n) add_line(l, line, NULL);
        return;
    }
    struct join *j = &l->file->joins[str_eq(c.stream, STR("stderr"))];
    if (!c.partial && j->text.n == 0) {
        add_line(l, c.message, &c);
        return;
    }
    if (j->text.n == 0) j->start = at, j->time_ns = c.time_ns;
    size_t room = l->file->tail->line_bytes_max - MIN(j->text.n, l->file->tail->line_bytes_max);
    if (c.message.n > room) l->file->tail->stats.cut_lines++;
    buf_add(&j->text, str_sub(c.message, 0, room));
    if (c.partial) return;
    c.time_ns = j->time_ns;
    add_line(l, arena_str(a, buf_str(&j->text)), &c);
    buf_clear(&j->text);
}

/* /var/log/pods/<namespace>_<pod>_<uid>/<container>/<restart>.log: the names Fluent Bit's Kubernetes filter gives them. */
static size_t pod_attrs(str path, struct arena *a, struct field *attrs, str *service) {
    static const char *const names[] = {"kubernetes.namespace_name", "kubernetes.pod_name", "kubernetes.pod_id"};
    size_t at = str_find(path, STR("/pods/")), n = 0;
    if (at == STR_NONE) return 0;
    str rest = str_from(path, at + 6), folder, container, part;
    if (!str_cut(&rest, '/', &folder) || !str_cut(&rest, '/', &container)) return 0;
    for (bool more = true; more && n < ARRAY_N(names); n++) {
        more = str_cut(&folder, '_', &part);
        attrs[n] = (struct field){str_c(names[n]), value_str(arena_str(a, part))};
    }
    if (n != ARRAY_N(names)) return 0;
    *service = arena_str(a, container);
    attrs[n++] = (struct field){STR("kubernetes.container_name"), value_str(*service)};
    return n;
}

static void describe(struct lines *l) {
    struct arena *a = l->batch->arena;
    str path = arena_str(a, str_c(l->file->path));
    struct field *attrs = arena_new_n(a, struct field, 6);
    str service = STR("");
    size_t n = pod_attrs(path, a, attrs, &service);
    if (n == 0) {
        const char *slash = strrchr(l->file->path, '/');
        service = arena_str(a, str_c(slash ? slash + 1 : l->file->path));
        size_t dot = str_find(service, STR(".log"));
        service = str_sub(service, 0, dot);
    }
    attrs[n++] = (struct field){STR("log.file.path"), value_str(path)};
    attrs[n++] = (struct field){STR("service.name"), value_str(service)};
    struct stream *s = l->batch->streams = arena_one(a, struct stream);
    *s = (struct stream){.service = service, .attrs = attrs, .attr_n = n};
    l->batch->stream_n = 1;
}

/* --- reading */

static void restart_from(struct file *f, struct mark at) {
    f->read = at;
    f->skip_line = false;
    for (size_t i = 0; i < ARRAY_N(f->joins); i++) buf_clear(&f->joins[i].text);
}

/* What may be called stored when everything before `read` is: a waiting partial line is not. */
static struct mark settled(const struct file *f) {
    struct mark at = f->read;
    for (size_t i = 0; i < ARRAY_N(f->joins); i++)
        if (f->joins[i].text.n && f->joins[i].start < at.offset) at = (struct mark){.offset = f->joins[i].start};
    return at;
}

static void save(void *arg);

static void drop_closing(struct tail *t) {
    if (!t->closing || t->in_flight) return;
    save(t);
    tail_state_free(t->saved);
    for (size_t i = 0; i < t->files.n; i++) file_free(t->files.p[i]);
    vec_done(&t->files);
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

static void push_lines(struct lines *l) {
    struct file *f = l->file;
    struct tail *t = f->tail;
    if (l->events.n == 0) {
        event_batch_free(l->batch);
        note_acked(f, settled(f));
        return;
    }
    describe(l);
    size_t bytes = l->events.n * sizeof *l->events.p;
    l->batch->events = memcpy(arena_alloc(l->batch->arena, bytes), l->events.p, bytes);
    l->batch->event_n = l->events.n;
    vec_done(&l->events);
    f->in_flight = true;
    t->in_flight++;
    t->stats.lines += l->batch->event_n;
    t->sink->push_events(t->sink, TAKE(l->batch), batch_done, f);
}

/* Takes the whole lines of a chunk; at the end of a file that is gone, the unfinished last one too. */
static void take_chunk(struct file *f, str chunk, bool last) {
    struct tail *t = f->tail;
    struct lines l = {.file = f, .batch = event_batch_new(EVENT_LOG, 64 << 10), .now_ns = clock_wall_ns()};
    str text = arena_str(l.batch->arena, chunk);
    size_t at = 0;
    while (at < text.n) {
        str rest = str_from(text, at);
        size_t n = str_find_char(rest, '\n');
        bool whole = n != STR_NONE;
        if (!whole) n = rest.n;
        bool too_long = n > t->line_bytes_max || (!whole && at == 0 && rest.n >= t->line_bytes_max);
        if (!whole && !too_long && !last) break;
        if (!f->skip_line) take_line(&l, str_sub(rest, 0, MIN(n, t->line_bytes_max)), f->read.offset + at);
        if (too_long && !f->skip_line) t->stats.cut_lines++;
        f->skip_line = !whole && !last;
        at += n + whole;
    }
    if (at) {
        size_t n = MIN(at, (size_t)FINGERPRINT_BYTES);
        f->read = (struct mark){f->read.offset + at, n, hash_stable(str_sub(text, at - n, at))};
    }
    t->stats.bytes += at;
    push_lines(&l);
}

/* copytruncate: the file shrank, or the bytes before our offset are others now. */
static bool truncated(struct file *f, uint64_t size) {
    return size < f->read.offset || tail_fingerprint(f->fd, f->read.offset, f->read.n) != f->read.hash;
}

static void read_file(struct file *f) {
    struct tail *t = f->tail;
    struct stat st;
    if (f->in_flight || t->closing || (f->retry_ms && clock_wall_ms() < f->retry_ms)) return;
    f->retry_ms = 0;
    if (fstat(f->fd, &st) != 0) return;
    if (truncated(f, (uint64_t)st.st_size)) {
        t->stats.truncations++;
        restart_from(f, (struct mark){0});
        note_acked(f, f->read);
    }
    if ((uint64_t)st.st_size == f->read.offset) return;
    size_t want = MAX((size_t)CHUNK_BYTES, t->line_bytes_max + 1);
    AUTO(buf_done) struct buf chunk = {0};
    buf_reserve(&chunk, want);
    ssize_t got = pread(f->fd, chunk.p, want, (off_t)f->read.offset);
    if (got <= 0) {
        t->stats.read_errors += got < 0;
        return;
    }
    bool at_end = f->read.offset + (uint64_t)got >= (uint64_t)st.st_size;
    bool last = at_end && f->gone_ms && clock_wall_ms() - f->gone_ms >= ROTATE_WAIT_MS;
    take_chunk(f, str_n(chunk.p, (size_t)got), last);
}

static void poll_files(void *arg) {
    struct tail *t = arg;
    int64_t now_ms = clock_wall_ms();
    for (size_t i = 0; i < t->files.n; i++) read_file(t->files.p[i]);
    size_t kept = 0;
    for (size_t i = 0; i < t->files.n; i++) {
        struct file *f = t->files.p[i];
        struct stat st;
        bool drained = !f->in_flight && (fstat(f->fd, &st) != 0 || (uint64_t)st.st_size <= f->read.offset);
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
                       .line_bytes_max = s->line_bytes_max,
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
}
