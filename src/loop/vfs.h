/* loop/vfs: all file access of the stores goes through this table, so that tests can make the n-th write, fsync or rename fail.
 * Functions are thread-safe in the sense of the system calls behind them. Errors: ERR_IO with the path, ERR_NOT_FOUND for ENOENT,
 * ERR_LIMIT for a full disk (ENOSPC, EDQUOT). Partial writes never happen: vfs write either writes all or fails. */
#pragma once
#include "base/arena.h"
#include "base/err.h"

struct vfs;
struct vfs_file { /* value; fd < 0: closed */
    int fd;
};
enum vfs_open { VFS_READ, VFS_CREATE /* read-write, created, truncated */, VFS_APPEND /* read-write, created if missing, kept */ };

struct vfs_ops {
    bool (*open)(struct vfs *v, const char *path, enum vfs_open how, struct vfs_file *out, struct err *e);
    void (*close)(struct vfs *v, struct vfs_file *f);
    bool (*write)(struct vfs *v, struct vfs_file f, str data, struct err *e);                           /* at the end of what was written */
    bool (*read_at)(struct vfs *v, struct vfs_file f, uint64_t at, void *out, size_t n, struct err *e); /* short read: ERR_CORRUPT */
    bool (*size)(struct vfs *v, struct vfs_file f, uint64_t *out, struct err *e);
    bool (*truncate)(struct vfs *v, struct vfs_file f, uint64_t size, struct err *e);
    bool (*sync)(struct vfs *v, struct vfs_file f, struct err *e); /* fdatasync */
    bool (*sync_dir)(struct vfs *v, const char *dir, struct err *e);
    bool (*rename)(struct vfs *v, const char *from, const char *to, struct err *e);
    bool (*link)(struct vfs *v, const char *from, const char *to, struct err *e); /* a second name; to must not exist */
    bool (*unlink)(struct vfs *v, const char *path, struct err *e);
    bool (*mkdir)(struct vfs *v, const char *path, struct err *e);                                        /* exists already: fine */
    bool (*list)(struct vfs *v, const char *dir, struct arena *a, str **names, size_t *n, struct err *e); /* sorted, without . and .. */
    bool (*map)(struct vfs *v, struct vfs_file f, str *out, struct err *e);                               /* read-only mmap of the whole file */
    void (*unmap)(struct vfs *v, str mapped);
    bool (*free_bytes)(struct vfs *v, const char *dir, uint64_t *out, struct err *e); /* for unprivileged users */
};
struct vfs {
    const struct vfs_ops *ops;
};
struct vfs *vfs_real(void);

/* Short forms: vfs_open(v, ...) is v->ops->open(v, ...) and so on (vfs.c). */
MUST_USE bool vfs_open(struct vfs *v, const char *path, enum vfs_open how, struct vfs_file *out, struct err *e);
void vfs_close(struct vfs *v, struct vfs_file *f);
MUST_USE bool vfs_write(struct vfs *v, struct vfs_file f, str data, struct err *e);
MUST_USE bool vfs_read_at(struct vfs *v, struct vfs_file f, uint64_t at, void *out, size_t n, struct err *e);
MUST_USE bool vfs_size(struct vfs *v, struct vfs_file f, uint64_t *out, struct err *e);
MUST_USE bool vfs_truncate(struct vfs *v, struct vfs_file f, uint64_t size, struct err *e);
MUST_USE bool vfs_sync(struct vfs *v, struct vfs_file f, struct err *e);
MUST_USE bool vfs_sync_dir(struct vfs *v, const char *dir, struct err *e);
MUST_USE bool vfs_rename(struct vfs *v, const char *from, const char *to, struct err *e);
MUST_USE bool vfs_link(struct vfs *v, const char *from, const char *to, struct err *e);
MUST_USE bool vfs_unlink(struct vfs *v, const char *path, struct err *e);
MUST_USE bool vfs_mkdir(struct vfs *v, const char *path, struct err *e);
MUST_USE bool vfs_list(struct vfs *v, const char *dir, struct arena *a, str **names, size_t *n, struct err *e);
MUST_USE bool vfs_map(struct vfs *v, struct vfs_file f, str *out, struct err *e);
void vfs_unmap(struct vfs *v, str mapped);
MUST_USE bool vfs_free_bytes(struct vfs *v, const char *dir, uint64_t *out, struct err *e);
/* Whole-file helpers built on the table. */
MUST_USE bool vfs_read_file(struct vfs *v, const char *path, size_t max_bytes, struct arena *a, str *out, struct err *e);
/* path.tmp, sync, rename over path, sync_dir: the old content or the new, never a mix. */
MUST_USE bool vfs_replace_file(struct vfs *v, const char *path, str data, struct err *e);

/* Fault injection over another vfs: the n-th call (1-based; 0 = never) of an operation fails; after it all fail if `sticky`. crash_at cuts the
 * n-th write in the middle and makes every later operation fail, as if power went (close and unmap still work). */
enum vfs_op { VFS_OP_OPEN, VFS_OP_WRITE, VFS_OP_SYNC, VFS_OP_SYNC_DIR, VFS_OP_RENAME, VFS_OP_UNLINK, VFS_OP_MAP, VFS_OP_LINK, VFS_OP_N };
struct vfs_faults {
    uint64_t fail_at[VFS_OP_N];
    uint64_t crash_at;
    bool sticky;
    bool disk_full;           /* writes and creates fail with ERR_LIMIT while set */
    uint64_t calls[VFS_OP_N]; /* counted by the vfs, under its lock: read them when its users are at rest */
};
struct vfs *vfs_faulty_new(struct vfs *under, struct vfs_faults *faults); /* faults: caller's, outlives it */
void vfs_faulty_free(struct vfs *v);
