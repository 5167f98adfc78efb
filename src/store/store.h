/* store/store: the one door to everything kept: WAL, metrics, events behind it. Loop thread. */
#pragma once
#include "loop/pool.h"
#include "model/sink.h"
#include "store/events/events.h"
#include "store/metrics/tsdb.h"
#include "store/wal.h"

struct store_options {
    struct vfs *vfs;
    const char *dir;             /* data folder: lock, wal/, metrics/, events/ */
    struct wal_options wal;      /* vfs and dir are filled in */
    struct tsdb_options metrics; /* likewise */
    struct evdb_options events;
    uint64_t disk_free_min_bytes; /* below this, pushes are refused with ERR_LIMIT until space is back */
};
struct store {
    struct sink sink; /* pushes go here */
    struct tsdb *metrics;
    struct evdb *events;
    struct wal *wal;
    struct wal_replay_stats replay;
    struct vfs *vfs;
    char *dir;
    uint64_t disk_free_min_bytes;
    int64_t disk_check_ms; /* next look at the free space */
    bool disk_full;
    uint64_t unreadable[SIGNAL_N]; /* count_refused(ITEMS_UNKNOWN) */
    int lock_fd;
};
/* Creates and locks the folder (ERR_LIMIT "data folder X is in use by process 123"), opens the stores, replays the WAL. */
MUST_USE bool store_open(struct loop *l, struct pool *pool, const struct store_options *o, struct store **out, struct err *e);
void store_close(struct store *s);
void store_tick(struct store *s, int64_t now_ms);
