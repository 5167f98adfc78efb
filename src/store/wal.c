#include "store/wal.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/vec.h"
#include "store/wal_frame.h"

enum { WAL_RETRY_MS = 500 };
#define WAL_CHECKPOINT_MAGIC UINT64_C(0x3150434c41574e42) /* "BNWALCP1" */

struct waiter {
    void (*done)(void *arg, const struct err *e);
    void *arg;
};

/* Frames that are written and synced together. Owned by the loop thread while it fills, by the sync thread while it is written. */
struct group {
    uint64_t lsn;
    struct buf bytes;
    VEC(struct waiter) waiters;
};

/* The file being written. Owned by whoever owns the group in flight. */
struct writer {
    struct vfs_file file;
    uint64_t segment_lsn, size; /* size: of frames */
    bool open, suspect;         /* suspect: a write failed; what is behind the last good byte is unknown */
    uint64_t new_segment;       /* out: started one for this group at its lsn */
    bool started_segment;
};

/* A checkpoint on its way to the disk: written behind a group, then the segments nobody needs are unlinked. Owned as the group is. */
struct checkpoint {
    bool wanted; /* loop thread: to be written with the next group */
    bool flying;
    uint64_t marks[WAL_OWNER_N];
    VEC(uint64_t) segments; /* to unlink, oldest first */
    size_t unlinked;        /* out */
    bool written;           /* out */
};

struct wal {
    struct wal_options o;
    char *dir;
    struct loop *loop; /* NULL: no thread; commits happen at once */
    uint64_t next_lsn;
    struct group filling, flying;
    bool in_flight, refusing;
    struct err why;    /* of refusing */
    struct err closed; /* wal_refuse; ERR_NONE: open */
    struct timer *timer;
    uint64_t marks[WAL_OWNER_N], ends[WAL_OWNER_N]; /* ends: behind the newest record of each owner */
    struct checkpoint checkpoint;
    VEC(struct wal_segment) segments;
    struct wal_stats stats;

    struct writer writer;
    struct err write_err;
    bool write_ok, quit;
    sem_t start, finished; /* hand the flying group over and back: the only synchronisation */
    pthread_t thread;
    struct mail *mail;
};
/* What the sync thread posts: outlives the wal when the loop gets to it late. */
struct mail {
    struct wal *w; /* NULL: closed */
};

/* --- writing: sync thread, or the loop thread while nothing flies */

static bool start_segment(struct wal *w, uint64_t lsn, struct err *e) {
    struct writer *wr = &w->writer;
    if (wr->open) vfs_close(w->o.vfs, &wr->file);
    wr->open = false;
    char path[WAL_PATH_MAX];
    wal_path(path, w->dir, lsn);
    if (!vfs_open(w->o.vfs, path, VFS_CREATE, &wr->file, e)) return false;
    wr->open = true;
    wr->segment_lsn = lsn;
    wr->size = 0;
    AUTO(buf_done) struct buf header = {0};
    wal_put_header(&header, lsn);
    return vfs_write(w->o.vfs, wr->file, buf_str(&header), e) && vfs_sync_dir(w->o.vfs, w->dir, e);
}

static bool write_group(struct wal *w, struct err *e) {
    struct writer *wr = &w->writer;
    const struct group *g = &w->flying;
    wr->started_segment = false;
    bool full = wr->open && wr->size > 0 && wr->size + g->bytes.n > w->o.segment_bytes;
    if (!wr->open || wr->suspect || full) {
        wr->suspect = true;
        if (!start_segment(w, g->lsn, e)) return false;
        wr->started_segment = true;
    }
    wr->suspect = true;
    if (!vfs_write(w->o.vfs, wr->file, buf_str(&g->bytes), e)) return false;
    if (!w->o.no_sync && !vfs_sync(w->o.vfs, wr->file, e)) return false;
    wr->suspect = false;
    wr->size += g->bytes.n;
    return true;
}

static void checkpoint_path(const struct wal *w, char out[WAL_PATH_MAX]) {
    snprintf(out, WAL_PATH_MAX, "%s/checkpoint", w->dir);
}

static bool write_marks(struct wal *w, const uint64_t marks[WAL_OWNER_N]) {
    AUTO(buf_done) struct buf b = {0};
    buf_le64(&b, WAL_CHECKPOINT_MAGIC);
    for (size_t i = 0; i < WAL_OWNER_N; i++) buf_le64(&b, marks[i]);
    buf_le64(&b, hash_check(b.p, b.n));
    char path[WAL_PATH_MAX];
    checkpoint_path(w, path);
    return vfs_replace_file(w->o.vfs, path, buf_str(&b), NULL);
}

/* A failure costs nothing but space and a longer replay; land() has it tried again. */
static void write_checkpoint(struct wal *w) {
    struct checkpoint *c = &w->checkpoint;
    c->unlinked = 0;
    c->written = write_marks(w, c->marks);
    for (; c->written && c->unlinked < c->segments.n; c->unlinked++) {
        char path[WAL_PATH_MAX];
        struct err e;
        wal_path(path, w->dir, c->segments.p[c->unlinked]);
        if (!vfs_unlink(w->o.vfs, path, &e) && e.code != ERR_NOT_FOUND) break;
    }
}

static void write_flying(struct wal *w) {
    w->write_ok = w->flying.bytes.n == 0 || write_group(w, &w->write_err);
    if (w->write_ok && w->checkpoint.flying) write_checkpoint(w);
}

static void on_written(void *arg);

static void *sync_thread(void *arg) {
    struct wal *w = arg;
    for (;;) {
        while (sem_wait(&w->start) != 0) continue;
        if (w->quit) return NULL;
        write_flying(w);
        struct mail *mail = w->mail;
        struct loop *loop = w->loop;
        sem_post(&w->finished); /* from here on the group and w are the loop thread's */
        loop_post(loop, on_written, mail);
    }
}

/* --- groups: loop thread */

static void fly(struct wal *w);

static void on_timer(void *arg) {
    struct wal *w = arg;
    timer_free(TAKE(w->timer));
    fly(w);
}
static void fly_in(struct wal *w, uint64_t ms) {
    if (!w->timer && !w->in_flight && w->loop) w->timer = timer_start(w->loop, ms, 0, on_timer, w);
}

static void answer(struct group *g, const struct err *e) {
    struct group taken = *g;
    g->waiters.p = NULL;
    g->waiters.n = g->waiters.cap = 0;
    for (size_t i = 0; i < taken.waiters.n; i++) taken.waiters.p[i].done(taken.waiters.p[i].arg, e);
    vec_done(&taken.waiters);
}

static void note_segment(struct wal *w) {
    struct wal_segment *last = w->segments.n ? &w->segments.p[w->segments.n - 1] : NULL;
    if (w->writer.started_segment && (!last || last->lsn != w->writer.segment_lsn)) {
        last = vec_add(&w->segments);
        last->lsn = w->writer.segment_lsn;
    }
    if (last) last->bytes = w->writer.size;
}

/* The segments that no owner needs, all but the newest. */
static void list_unneeded(struct wal *w) {
    struct checkpoint *c = &w->checkpoint;
    uint64_t needed = w->next_lsn;
    for (size_t i = 0; i < WAL_OWNER_N; i++)
        if (w->ends[i] > c->marks[i]) needed = MIN(needed, c->marks[i]);
    c->segments.n = 0;
    for (size_t i = 0; i + 1 < w->segments.n && w->segments.p[i + 1].lsn <= needed; i++) vec_push(&c->segments, w->segments.p[i].lsn);
}

static void land_checkpoint(struct wal *w) {
    struct checkpoint *c = &w->checkpoint;
    if (!c->flying) return;
    c->flying = false;
    c->wanted |= !w->write_ok || !c->written;
    if (!w->write_ok || c->unlinked == 0) return;
    w->segments.n -= c->unlinked;
    memmove(w->segments.p, w->segments.p + c->unlinked, w->segments.n * sizeof *w->segments.p);
}

/* The flying group came back. A failed one stays and is tried again: its records are in the stores already, and keep their place in the log. */
static void land(struct wal *w) {
    struct group *g = &w->flying;
    w->in_flight = false;
    land_checkpoint(w);
    if (!w->write_ok) {
        w->refusing = true;
        w->why = w->write_err;
        w->stats.failed_groups++;
        struct err e = w->why;
        answer(g, &e);
        answer(&w->filling, &e);
        fly_in(w, WAL_RETRY_MS);
        return;
    }
    w->refusing = false;
    if (g->bytes.n > 0) {
        note_segment(w);
        w->stats.groups++;
        if (!w->o.no_sync) w->stats.syncs++;
        w->stats.last_sync_ns = clock_wall_ns();
        buf_clear(&g->bytes);
    }
    answer(g, NULL);
    if (w->filling.bytes.n > 0)
        fly_in(w, w->filling.waiters.n > 0 ? 0 : w->o.window_ms);
    else
        answer(&w->filling, NULL);
}

static void on_written(void *arg) {
    struct mail *mail = arg;
    struct wal *w = mail->w;
    if (!w) {
        free(mail);
        return;
    }
    while (sem_wait(&w->finished) != 0) continue;
    land(w);
}

/* The filling group becomes the flying one, unless a failed one is still there: that goes first. */
static bool take_off(struct wal *w) {
    if (w->flying.bytes.n == 0) {
        struct group empty = w->flying;
        w->flying = w->filling;
        w->filling = empty;
        w->filling.lsn = w->next_lsn;
    }
    struct checkpoint *c = &w->checkpoint;
    if (c->wanted) {
        c->wanted = false;
        c->flying = true;
        memcpy(c->marks, w->marks, sizeof c->marks);
        list_unneeded(w);
    }
    return w->flying.bytes.n > 0 || c->flying;
}

static void fly(struct wal *w) {
    if (w->in_flight || !take_off(w)) return;
    w->in_flight = true;
    if (w->loop) {
        sem_post(&w->start);
        return;
    }
    write_flying(w);
    land(w);
}

bool wal_ready(struct wal *w, struct err *e) {
    if (w->refusing && !w->loop) fly(w); /* no timer does it */
    if (w->refusing) {
        if (e) *e = w->why;
        return err_wrap(e, "the log cannot be written; nothing is accepted until it can");
    }
    if (w->closed.code != ERR_NONE) {
        if (e) *e = w->closed;
        return false;
    }
    if (w->filling.bytes.n + w->flying.bytes.n > w->o.queue_bytes_max)
        return err_set(e, ERR_LIMIT, "the disk is behind: %zu bytes wait to be written to the log", w->filling.bytes.n + w->flying.bytes.n);
    return true;
}

void wal_refuse(struct wal *w, const struct err *why) {
    w->closed = why ? *why : (struct err){0};
}

bool wal_append(struct wal *w, enum wal_type type, str payload, uint64_t *lsn, struct err *e) {
    if (w->loop) assert_loop_thread();
    assert(payload.n > 0 && payload.n < UINT32_MAX);
    if (!wal_ready(w, e)) return false;
    *lsn = w->next_lsn;
    if (w->filling.bytes.n == 0) w->filling.lsn = w->next_lsn;
    wal_put_frame(&w->filling.bytes, type, payload);
    w->next_lsn += wal_frame_size(payload.n);
    w->ends[type] = w->next_lsn;
    w->stats.records++;
    w->stats.bytes += wal_frame_size(payload.n);
    fly_in(w, w->o.window_ms);
    return true;
}

void wal_commit(struct wal *w, void (*done)(void *arg, const struct err *e), void *arg) {
    bool idle = w->filling.bytes.n == 0 && w->flying.bytes.n == 0;
    if (idle || (w->refusing && !w->in_flight)) {
        struct err e = w->why;
        done(arg, idle ? NULL : &e);
        return;
    }
    vec_push(&w->filling.waiters, ((struct waiter){done, arg})); /* answered with the flying group when it brings no bytes of its own */
    if (w->loop)
        fly_in(w, w->o.window_ms);
    else
        fly(w);
}

/* --- checkpoints */

/* A missing or damaged file only means that more is replayed than needed. */
static bool read_checkpoint(struct wal *w, struct arena *a, struct wal_replay_stats *stats, struct err *e) {
    char path[WAL_PATH_MAX];
    checkpoint_path(w, path);
    str bytes;
    struct err why;
    if (!vfs_read_file(w->o.vfs, path, 4096, a, &bytes, &why)) {
        if (why.code == ERR_NOT_FOUND) return true;
        if (e) *e = why;
        return false;
    }
    uint64_t words[WAL_OWNER_N + 2] = {0};
    if (bytes.n == sizeof words) memcpy(words, bytes.p, sizeof words);
    if (bytes.n != sizeof words || words[0] != WAL_CHECKPOINT_MAGIC || words[WAL_OWNER_N + 1] != hash_check(words, sizeof words - 8)) {
        err_set(&stats->first_damage, ERR_CORRUPT, "wal/checkpoint is damaged: replaying the whole log");
        stats->damaged_frames++;
        return true;
    }
    memcpy(w->marks, words + 1, sizeof w->marks);
    return true;
}

void wal_checkpoint(struct wal *w, enum wal_type owner, uint64_t keep_from) {
    if (w->loop) assert_loop_thread();
    if (keep_from <= w->marks[owner]) return;
    w->marks[owner] = keep_from;
    w->checkpoint.wanted = true;
    if (w->loop)
        fly_in(w, w->o.window_ms);
    else
        fly(w);
}

/* --- open and close */

static void free_wal(struct wal *w) {
    if (w->writer.open) vfs_close(w->o.vfs, &w->writer.file);
    buf_done(&w->filling.bytes);
    buf_done(&w->flying.bytes);
    vec_done(&w->filling.waiters);
    vec_done(&w->flying.waiters);
    vec_done(&w->segments);
    vec_done(&w->checkpoint.segments);
    free(w->dir);
    free(w);
}

bool wal_open(struct loop *l, const struct wal_options *o, bool (*on_record)(void *arg, enum wal_type type, uint64_t lsn, str payload, struct err *e),
              void *arg, struct wal_replay_stats *stats, struct wal **out, struct err *e) {
    *stats = (struct wal_replay_stats){0};
    struct wal *w = mem_zalloc(sizeof *w);
    w->o = *o;
    w->loop = l;
    w->dir = mem_alloc(strlen(o->dir) + 1);
    memcpy(w->dir, o->dir, strlen(o->dir) + 1);
    w->o.dir = w->dir;
    if (w->o.segment_bytes == 0) w->o.segment_bytes = 64 << 20;
    if (w->o.queue_bytes_max == 0) w->o.queue_bytes_max = 64 << 20;
    AUTO(arena_free) struct arena *a = arena_new(4096);
    struct wal_segment *segments = NULL;
    size_t n = 0;
    bool ok = vfs_mkdir(o->vfs, w->dir, e) && read_checkpoint(w, a, stats, e) &&
              wal_replay(&w->o, w->marks, on_record, arg, stats, a, &segments, &n, &w->next_lsn, w->ends, e);
    if (!ok) {
        free_wal(w);
        return false;
    }
    for (size_t i = 0; i < WAL_OWNER_N; i++) w->next_lsn = MAX(w->next_lsn, w->marks[i]);
    for (size_t i = 0; i < n; i++) vec_push(&w->segments, segments[i]);
    w->filling.lsn = w->next_lsn;
    if (l) {
        w->mail = mem_zalloc(sizeof *w->mail);
        w->mail->w = w;
        sem_init(&w->start, 0, 0);
        sem_init(&w->finished, 0, 0);
        int failed = pthread_create(&w->thread, NULL, sync_thread, w);
        assert(!failed); /* no memory for a thread's stack */
    }
    *out = w;
    return true;
}

void wal_close(struct wal *w) {
    if (!w) return;
    timer_free(TAKE(w->timer));
    bool mail_on_its_way = w->in_flight && w->loop;
    if (mail_on_its_way) {
        while (sem_wait(&w->finished) != 0) continue;
        land(w);
        timer_free(TAKE(w->timer));
    }
    struct loop *loop = TAKE(w->loop); /* the rest is written here and now */
    while (!w->refusing && w->filling.bytes.n + w->flying.bytes.n > 0) fly(w);
    if (!w->refusing && w->checkpoint.wanted) fly(w);
    if (w->refusing) fly(w); /* one last try */
    answer(&w->flying, w->refusing ? &w->why : NULL);
    answer(&w->filling, w->refusing ? &w->why : NULL);
    if (loop) {
        w->quit = true;
        sem_post(&w->start);
        pthread_join(w->thread, NULL);
        sem_destroy(&w->start);
        sem_destroy(&w->finished);
        if (mail_on_its_way)
            w->mail->w = NULL;
        else
            free(w->mail);
    }
    free_wal(w);
}

uint64_t wal_next_lsn(const struct wal *w) {
    return w->next_lsn;
}

void wal_stats(const struct wal *w, struct wal_stats *out) {
    *out = w->stats;
    out->refusing = w->refusing || w->closed.code != ERR_NONE;
    for (size_t i = 0; i < w->segments.n; i++) out->disk_bytes += w->segments.p[i].bytes + WAL_HEADER_BYTES;
}
