#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/mem.h"

enum { DISK_CHECK_MS = 1000 };

static void push_metrics(struct sink *sink, struct metric_batch *b, push_done done, void *arg) {
    tsdb_append(CONTAINER_OF(sink, struct store, sink)->metrics, b, done, arg);
}

static void push_events(struct sink *sink, struct event_batch *b, push_done done, void *arg) {
    evdb_append(CONTAINER_OF(sink, struct store, sink)->events, b, done, arg);
}

static void count_refused(struct sink *sink, enum signal signal, size_t n) {
    struct store *s = CONTAINER_OF(sink, struct store, sink);
    if (n == ITEMS_UNKNOWN) {
        s->unreadable[signal]++;
        return;
    }
    switch (signal) {
    case SIGNAL_METRICS: tsdb_count_refused(s->metrics, n); break;
    case SIGNAL_LOGS: evdb_count_refused(s->events, EVENT_LOG, n); break;
    case SIGNAL_TRACES: evdb_count_refused(s->events, EVENT_SPAN, n); break;
    case SIGNAL_N: assert(false); break;
    }
}

/* The lock is the process's own flock: it goes with the process, however that ends. The file says whose it is. */
static bool lock_folder(struct store *s, struct err *e) {
    AUTO(arena_free) struct arena *a = arena_new(512);
    const char *path = arena_cstr(a, arena_printf(a, "%s/lock", s->dir));
    if (mkdir(s->dir, 0777) != 0 && errno != EEXIST) return err_errno(e, ERR_IO, errno, "cannot create the data folder %s", s->dir);
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (s->lock_fd < 0) return err_errno(e, ERR_IO, errno, "cannot open %s", path);
    char owner[32] = "";
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        ssize_t n = read(s->lock_fd, owner, sizeof owner - 1);
        str pid = str_trim(str_n(owner, n > 0 ? (size_t)n : 0));
        return err_set(e, ERR_LIMIT, "the data folder %s is in use by process %" STR_F, s->dir, STR_A(pid.n ? pid : STR("(unknown)")));
    }
    int n = snprintf(owner, sizeof owner, "%d\n", (int)getpid());
    if (ftruncate(s->lock_fd, 0) != 0 || write(s->lock_fd, owner, (size_t)n) != n) return err_errno(e, ERR_IO, errno, "cannot write %s", path);
    return true;
}

static bool replay(void *arg, enum wal_type type, uint64_t lsn, str payload, struct err *e) {
    struct store *s = arg;
    switch (type) {
    case WAL_METRICS: return tsdb_replay(s->metrics, lsn, payload, e);
    case WAL_EVENTS: return evdb_replay(s->events, lsn, payload, e);
    }
    return true; /* a type of a later version: not ours to judge */
}

static bool open_parts(struct store *s, struct loop *l, struct pool *pool, const struct store_options *o, struct err *e) {
    AUTO(arena_free) struct arena *a = arena_new(1024);
    struct tsdb_options metrics = o->metrics;
    struct evdb_options events = o->events;
    struct wal_options wal = o->wal;
    metrics.vfs = events.vfs = wal.vfs = o->vfs;
    metrics.pool = events.pool = pool;
    metrics.dir = arena_cstr(a, arena_printf(a, "%s/metrics", s->dir));
    events.dir = arena_cstr(a, arena_printf(a, "%s/events", s->dir));
    wal.dir = arena_cstr(a, arena_printf(a, "%s/wal", s->dir));
    if (!tsdb_open(&metrics, &s->metrics, e) || !evdb_open(&events, &s->events, e)) return false;
    if (!wal_open(l, &wal, replay, s, &s->replay, &s->wal, e)) return false;
    tsdb_attach_wal(s->metrics, s->wal);
    evdb_attach_wal(s->events, s->wal);
    return true;
}

/* Nothing is accepted while the disk has less than the minimum free: room stays for sealing and for the system. Heals by itself. */
static void check_disk(struct store *s, int64_t now_ms) {
    uint64_t free_bytes;
    struct err e;
    if (now_ms < s->disk_check_ms || s->disk_free_min_bytes == 0) return;
    s->disk_check_ms = now_ms + DISK_CHECK_MS;
    if (!vfs_free_bytes(s->vfs, s->dir, &free_bytes, &e)) return;
    s->disk_full = free_bytes < s->disk_free_min_bytes;
    if (s->disk_full)
        err_set(&e, ERR_LIMIT, "the disk of %s is nearly full: %llu MiB free, disk.free-min is %llu MiB; nothing is accepted until there is room",
                s->dir, (unsigned long long)(free_bytes >> 20), (unsigned long long)(s->disk_free_min_bytes >> 20));
    wal_refuse(s->wal, s->disk_full ? &e : NULL);
}

bool store_open(struct loop *l, struct pool *pool, const struct store_options *o, struct store **out, struct err *e) {
    struct store *s = mem_zalloc(sizeof *s);
    *s = (struct store){.sink = {.push_metrics = push_metrics, .push_events = push_events, .count_refused = count_refused},
                        .vfs = o->vfs,
                        .dir = strdup(o->dir),
                        .disk_free_min_bytes = o->disk_free_min_bytes,
                        .lock_fd = -1};
    if (!lock_folder(s, e) || !open_parts(s, l, pool, o, e)) {
        store_close(s);
        return false;
    }
    check_disk(s, 0);
    *out = s;
    return true;
}

void store_close(struct store *s) {
    if (!s) return;
    wal_close(s->wal); /* commits; the pushes that waited are answered */
    tsdb_close(s->metrics);
    evdb_close(s->events);
    if (s->lock_fd >= 0) close(s->lock_fd);
    free(s->dir);
    free(s);
}

void store_tick(struct store *s, int64_t now_ms) {
    check_disk(s, now_ms);
    tsdb_tick(s->metrics, now_ms);
    evdb_tick(s->events, now_ms);
}
