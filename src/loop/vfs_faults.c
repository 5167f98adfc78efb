#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"
#include "loop/vfs.h"

struct faulty {
    struct vfs vfs; /* first: vfs pointers are faulty pointers */
    struct vfs *under;
    struct vfs_faults *faults;
    pthread_mutex_t lock;  /* guards *faults' counters and the flags below */
    bool broken[VFS_OP_N]; /* sticky: this operation failed once */
    bool crashed;
};

static struct faulty *faulty_of(struct vfs *v) {
    return (struct faulty *)v;
}

static const char *const op_names[VFS_OP_N] = {
    [VFS_OP_OPEN] = "open",     [VFS_OP_WRITE] = "write",   [VFS_OP_SYNC] = "sync", [VFS_OP_SYNC_DIR] = "sync_dir",
    [VFS_OP_RENAME] = "rename", [VFS_OP_UNLINK] = "unlink", [VFS_OP_MAP] = "map",   [VFS_OP_LINK] = "link",
};

enum verdict { PASS, FAIL, CRASH_NOW, CRASHED };

static enum verdict judge(struct faulty *f, enum vfs_op op) {
    struct vfs_faults *w = f->faults;
    pthread_mutex_lock(&f->lock);
    uint64_t call = ++w->calls[op];
    enum verdict v = PASS;
    if (f->crashed) {
        v = CRASHED;
    } else if (op == VFS_OP_WRITE && call == w->crash_at) {
        f->crashed = true;
        v = CRASH_NOW;
    } else if (call == w->fail_at[op] || f->broken[op]) {
        f->broken[op] = w->sticky;
        v = FAIL;
    }
    pthread_mutex_unlock(&f->lock);
    return v;
}

static bool has_crashed(struct vfs *v) {
    struct faulty *f = faulty_of(v);
    pthread_mutex_lock(&f->lock);
    bool crashed = f->crashed;
    pthread_mutex_unlock(&f->lock);
    return crashed;
}

static bool power_off(struct err *e) {
    return err_set(e, ERR_IO, "injected: the power went");
}

/* For the counted operations; true: go on. */
static bool allowed(struct vfs *v, enum vfs_op op, struct err *e) {
    enum verdict verdict = judge(faulty_of(v), op);
    if (verdict == PASS) return true;
    if (verdict == CRASHED) return power_off(e);
    return err_set(e, ERR_IO, "injected: %s failed", op_names[op]);
}

/* For the others: they fail only after a crash. */
static bool powered(struct vfs *v, struct err *e) {
    return !has_crashed(v) || power_off(e);
}

static bool disk_full(struct vfs *v, struct err *e) {
    return faulty_of(v)->faults->disk_full && !err_set(e, ERR_LIMIT, "injected: no space left on device");
}

static bool faulty_open(struct vfs *v, const char *path, enum vfs_open how, struct vfs_file *out, struct err *e) {
    if (!allowed(v, VFS_OP_OPEN, e) || (how == VFS_CREATE && disk_full(v, e))) return false;
    return vfs_open(faulty_of(v)->under, path, how, out, e);
}

static void faulty_close(struct vfs *v, struct vfs_file *f) {
    vfs_close(faulty_of(v)->under, f);
}

static bool faulty_write(struct vfs *v, struct vfs_file f, str data, struct err *e) {
    enum verdict verdict = judge(faulty_of(v), VFS_OP_WRITE);
    if (verdict == CRASHED) return power_off(e);
    if (verdict == FAIL) return err_set(e, ERR_IO, "injected: write failed");
    if (disk_full(v, e)) return false;
    if (verdict == PASS) return vfs_write(faulty_of(v)->under, f, data, e);
    return vfs_write(faulty_of(v)->under, f, str_sub(data, 0, data.n / 2), e) && power_off(e);
}

static bool faulty_read_at(struct vfs *v, struct vfs_file f, uint64_t at, void *out, size_t n, struct err *e) {
    return powered(v, e) && vfs_read_at(faulty_of(v)->under, f, at, out, n, e);
}

static bool faulty_size(struct vfs *v, struct vfs_file f, uint64_t *out, struct err *e) {
    return powered(v, e) && vfs_size(faulty_of(v)->under, f, out, e);
}

static bool faulty_truncate(struct vfs *v, struct vfs_file f, uint64_t size, struct err *e) {
    return powered(v, e) && vfs_truncate(faulty_of(v)->under, f, size, e);
}

static bool faulty_sync(struct vfs *v, struct vfs_file f, struct err *e) {
    return allowed(v, VFS_OP_SYNC, e) && vfs_sync(faulty_of(v)->under, f, e);
}

static bool faulty_sync_dir(struct vfs *v, const char *dir, struct err *e) {
    return allowed(v, VFS_OP_SYNC_DIR, e) && vfs_sync_dir(faulty_of(v)->under, dir, e);
}

static bool faulty_link(struct vfs *v, const char *from, const char *to, struct err *e) {
    return allowed(v, VFS_OP_LINK, e) && vfs_link(faulty_of(v)->under, from, to, e);
}

static bool faulty_rename(struct vfs *v, const char *from, const char *to, struct err *e) {
    return allowed(v, VFS_OP_RENAME, e) && vfs_rename(faulty_of(v)->under, from, to, e);
}

static bool faulty_unlink(struct vfs *v, const char *path, struct err *e) {
    return allowed(v, VFS_OP_UNLINK, e) && vfs_unlink(faulty_of(v)->under, path, e);
}

static bool faulty_mkdir(struct vfs *v, const char *path, struct err *e) {
    return powered(v, e) && !disk_full(v, e) && vfs_mkdir(faulty_of(v)->under, path, e);
}

static bool faulty_list(struct vfs *v, const char *dir, struct arena *a, str **names, size_t *n, struct err *e) {
    return powered(v, e) && vfs_list(faulty_of(v)->under, dir, a, names, n, e);
}

static bool faulty_map(struct vfs *v, struct vfs_file f, str *out, struct err *e) {
    return allowed(v, VFS_OP_MAP, e) && vfs_map(faulty_of(v)->under, f, out, e);
}

static void faulty_unmap(struct vfs *v, str mapped) {
    vfs_unmap(faulty_of(v)->under, mapped);
}

static bool faulty_free_bytes(struct vfs *v, const char *dir, uint64_t *out, struct err *e) {
    if (!powered(v, e)) return false;
    if (!faulty_of(v)->faults->disk_full) return vfs_free_bytes(faulty_of(v)->under, dir, out, e);
    *out = 0;
    return true;
}

struct vfs *vfs_faulty_new(struct vfs *under, struct vfs_faults *faults) {
    static const struct vfs_ops ops = {
        .open = faulty_open,
        .close = faulty_close,
        .write = faulty_write,
        .read_at = faulty_read_at,
        .size = faulty_size,
        .truncate = faulty_truncate,
        .sync = faulty_sync,
        .sync_dir = faulty_sync_dir,
        .rename = faulty_rename,
        .link = faulty_link,
        .unlink = faulty_unlink,
        .mkdir = faulty_mkdir,
        .list = faulty_list,
        .map = faulty_map,
        .unmap = faulty_unmap,
        .free_bytes = faulty_free_bytes,
    };
    struct faulty *f = mem_zalloc(sizeof *f);
    f->vfs.ops = &ops;
    f->under = under;
    f->faults = faults;
    pthread_mutex_init(&f->lock, NULL);
    return &f->vfs;
}

void vfs_faulty_free(struct vfs *v) {
    if (!v) return;
    struct faulty *f = faulty_of(v);
    pthread_mutex_destroy(&f->lock);
    free(f);
}
