/* A metrics store with its log in a folder of its own, for tests that close and open it again. No loop: commits are synchronous. */
#pragma once
#include <stdio.h>
#include <stdlib.h>

#include "unit/store/metrics/help.h"

struct disk {
    char dir[64], wal_dir[80], metrics_dir[80];
    struct vfs *vfs;
    struct tsdb_options options; /* vfs and dir are filled in */
    struct tsdb *db;
    struct wal *wal;
    struct wal_replay_stats replay;
};

static inline bool disk_on_record(void *arg, enum wal_type type, uint64_t lsn, str payload, struct err *e) {
    assert_int_equal(type, WAL_METRICS);
    return tsdb_replay(arg, lsn, payload, e);
}

static inline void disk_make(struct disk *d) {
    *d = (struct disk){.vfs = vfs_real()};
    snprintf(d->dir, sizeof d->dir, "%s", "/tmp/bn-tsdb-XXXXXX");
    assert_non_null(mkdtemp(d->dir));
    snprintf(d->wal_dir, sizeof d->wal_dir, "%s/wal", d->dir);
    snprintf(d->metrics_dir, sizeof d->metrics_dir, "%s/metrics", d->dir);
}
static inline void disk_remove(struct disk *d) {
    char command[200];
    snprintf(command, sizeof command, "rm -r '%s'", d->dir);
    assert_int_equal(system(command), 0);
}
static inline bool disk_try_open(struct disk *d, struct err *e) {
    d->options.vfs = d->vfs;
    d->options.dir = d->metrics_dir;
    struct wal_options w = {.vfs = d->vfs, .dir = d->wal_dir, .segment_bytes = 64 << 10};
    if (!tsdb_open(&d->options, &d->db, e)) return false;
    if (!wal_open(NULL, &w, disk_on_record, d->db, &d->replay, &d->wal, e)) {
        tsdb_close(d->db);
        d->db = NULL;
        return false;
    }
    tsdb_attach_wal(d->db, d->wal);
    return true;
}
static inline void disk_open(struct disk *d) {
    struct err e = {0};
    if (!disk_try_open(d, &e)) fail_msg("%s", e.msg);
}
static inline void disk_close(struct disk *d) {
    wal_close(d->wal);
    tsdb_close(d->db);
    d->db = NULL;
    d->wal = NULL;
}
static inline void disk_reopen(struct disk *d) {
    disk_close(d);
    disk_open(d);
}
/* Seals what is in memory, by ticks far apart. */
static inline int64_t disk_seal(struct disk *d, int64_t now_ms) {
    d->db ? tsdb_tick(d->db, now_ms) : (void)0;
    now_ms += 24 * 3600 * 1000;
    tsdb_tick(d->db, now_ms);
    return now_ms + 1;
}
static inline struct tsdb_stats disk_stats(const struct disk *d) {
    struct tsdb_stats s;
    tsdb_stats(d->db, &s);
    return s;
}
