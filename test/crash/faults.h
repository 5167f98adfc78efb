/* Runs a scenario once per possible failure: the n-th call of each operation fails, once or from then on, until a run meets no failure; then the
 * power goes during the n-th write. The files are real, the syncs are not (a failing process loses nothing that was written). */
#pragma once
#include <stdio.h>
#include <stdlib.h>

#include "loop/loop.h"
#include "loop/vfs.h"

static inline bool faults_no_sync(struct vfs *v, struct vfs_file f, struct err *e) {
    (void)v;
    (void)f;
    (void)e;
    return true;
}
static inline bool faults_no_sync_dir(struct vfs *v, const char *dir, struct err *e) {
    (void)v;
    (void)dir;
    (void)e;
    return true;
}

typedef void (*faults_scenario)(struct vfs *v, const char *dir, void *run);
typedef void (*faults_verify)(const char *dir, void *run);

/* true: the planned failure was met. */
static inline bool faults_one(faults_scenario scenario, faults_verify verify, size_t run_bytes, struct vfs_faults *faults) {
    struct vfs_ops ops = *vfs_real()->ops;
    ops.sync = faults_no_sync;
    ops.sync_dir = faults_no_sync_dir;
    struct vfs quick = {.ops = &ops};
    struct vfs *v = vfs_faulty_new(&quick, faults);
    char dir[] = "/tmp/bn-crash-XXXXXX";
    assert_non_null(mkdtemp(dir));
    void *run = calloc(1, run_bytes);
    scenario(v, dir, run);
    verify(dir, run);
    free(run);
    vfs_faulty_free(v);
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", dir);
    assert_int_equal(system(command), 0);
    if (faults->crash_at) return faults->calls[VFS_OP_WRITE] >= faults->crash_at;
    for (size_t op = 0; op < VFS_OP_N; op++)
        if (faults->fail_at[op]) return faults->calls[op] >= faults->fail_at[op];
    return false;
}

static inline unsigned faults_everywhere(faults_scenario scenario, faults_verify verify, size_t run_bytes) {
    unsigned runs = 0;
    for (size_t op = 0; op < VFS_OP_N; op++)
        for (unsigned sticky = 0; sticky < 2; sticky++)
            for (uint64_t n = 1;; n++) {
                struct vfs_faults faults = {.sticky = sticky};
                faults.fail_at[op] = n;
                runs++;
                if (!faults_one(scenario, verify, run_bytes, &faults)) break;
            }
    for (uint64_t n = 1;; n++) {
        struct vfs_faults faults = {.crash_at = n};
        runs++;
        if (!faults_one(scenario, verify, run_bytes, &faults)) break;
    }
    return runs;
}
