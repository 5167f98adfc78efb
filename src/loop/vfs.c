#include "loop/vfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* ---- the real one ---- */

static enum err_code code_of(int errno_value) {
    if (errno_value == ENOENT) return ERR_NOT_FOUND;
    if (errno_value == ENOSPC || errno_value == EDQUOT) return ERR_LIMIT;
    return ERR_IO;
}

static bool fail(struct err *e, const char *what, const char *path) {
    int why = errno;
    return err_errno(e, code_of(why), why, "%s %s", what, path);
}

/* Functions that have only the descriptor look its path up when they need it for a message. */
static bool fail_fd(struct err *e, const char *what, int fd) {
    int why = errno;
    char link[32];
    char path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n < 0 ? 0 : n] = 0;
    errno = why;
    return fail(e, what, path);
}

static bool real_open(struct vfs *v, const char *path, enum vfs_open how, struct vfs_file *out, struct err *e) {
    (void)v;
    static const int flags[] = {
        [VFS_READ] = O_RDONLY,
        [VFS_CREATE] = O_RDWR | O_CREAT | O_TRUNC | O_APPEND,
        [VFS_APPEND] = O_RDWR | O_CREAT | O_APPEND,
    };
    int fd = open(path, flags[how] | O_CLOEXEC, 0644);
    if (fd < 0) return fail(e, "cannot open", path);
    out->fd = fd;
    return true;
}

static void real_close(struct vfs *v, struct vfs_file *f) {
    (void)v;
    if (f->fd >= 0) close(f->fd);
    f->fd = -1;
}

/* All or nothing: what a failing write left behind is cut off again. */
static bool undo_write(int fd, size_t written, struct err *e) {
    int why = errno;
    struct stat st;
    if (written && fstat(fd, &st) == 0 && (size_t)st.st_size >= written && ftruncate(fd, st.st_size - (off_t)written) != 0)
        return fail_fd(e, "cannot undo a partial write to", fd);
    errno = why;
    return fail_fd(e, "cannot write", fd);
}

static bool real_write(struct vfs *v, struct vfs_file f, str data, struct err *e) {
    (void)v;
    for (size_t at = 0; at < data.n;) {
        ssize_t n = write(f.fd, data.p + at, data.n - at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return undo_write(f.fd, at, e);
        at += (size_t)n;
    }
    return true;
}

static bool real_read_at(struct vfs *v, struct vfs_file f, uint64_t at, void *out, size_t n, struct err *e) {
    (void)v;
    for (size_t have = 0; have < n;) {
        ssize_t got = pread(f.fd, (char *)out + have, n - have, (off_t)(at + have));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_fd(e, "cannot read", f.fd);
        if (got == 0)
            return err_set(e, ERR_CORRUPT, "the file ends at byte %llu, wanted %zu bytes from %llu", (unsigned long long)(at + have), n,
                           (unsigned long long)at);
        have += (size_t)got;
    }
    return true;
}

static bool real_size(struct vfs *v, struct vfs_file f, uint64_t *out, struct err *e) {
    (void)v;
    struct stat st;
    if (fstat(f.fd, &st) != 0) return fail_fd(e, "cannot stat", f.fd);
    *out = (uint64_t)st.st_size;
    return true;
}

static bool real_truncate(struct vfs *v, struct vfs_file f, uint64_t size, struct err *e) {
    (void)v;
    return ftruncate(f.fd, (off_t)size) == 0 || fail_fd(e, "cannot truncate", f.fd);
}

static bool real_sync(struct vfs *v, struct vfs_file f, struct err *e) {
    (void)v;
    return fdatasync(f.fd) == 0 || fail_fd(e, "cannot sync", f.fd);
}

static bool real_sync_dir(struct vfs *v, const char *dir, struct err *e) {
    (void)v;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return fail(e, "cannot open", dir);
    bool ok = fsync(fd) == 0 || fail(e, "cannot sync", dir);
    close(fd);
    return ok;
}

static bool real_link(struct vfs *v, const char *from, const char *to, struct err *e) {
    (void)v;
    return link(from, to) == 0 || fail(e, "cannot link to", to);
}

static bool real_rename(struct vfs *v, const char *from, const char *to, struct err *e) {
    (void)v;
    return rename(from, to) == 0 || fail(e, "cannot rename to", to);
}

static bool real_unlink(struct vfs *v, const char *path, struct err *e) {
    (void)v;
    return unlink(path) == 0 || fail(e, "cannot remove", path);
}

static bool real_mkdir(struct vfs *v, const char *path, struct err *e) {
    (void)v;
    return mkdir(path, 0755) == 0 || errno == EEXIST || fail(e, "cannot create", path);
}

static int by_name(const void *a, const void *b) {
    return str_cmp(*(const str *)a, *(const str *)b);
}

static bool real_list(struct vfs *v, const char *dir, struct arena *a, str **names, size_t *n, struct err *e) {
    (void)v;
    DIR *d = opendir(dir);
    if (!d) return fail(e, "cannot list", dir);
    str *list = NULL;
    size_t count = 0, cap = 0;
    errno = 0;
    for (struct dirent *entry; (entry = readdir(d)); errno = 0) {
        str name = str_c(entry->d_name);
        if (str_eq(name, STR(".")) || str_eq(name, STR(".."))) continue;
        if (count == cap) {
            size_t bigger = cap ? cap * 2 : 16;
            list = arena_grow(a, list, cap * sizeof *list, bigger * sizeof *list);
            cap = bigger;
        }
        list[count++] = arena_str(a, name);
    }
    bool ok = errno == 0 || fail(e, "cannot list", dir);
    closedir(d);
    if (!ok) return false;
    if (count) qsort(list, count, sizeof *list, by_name);
    *names = list;
    *n = count;
    return true;
}

static bool real_map(struct vfs *v, struct vfs_file f, str *out, struct err *e) {
    uint64_t size = 0;
    if (!real_size(v, f, &size, e)) return false;
    if (size == 0) { /* mmap refuses length 0 */
        *out = STR("");
        return true;
    }
    void *p = mmap(NULL, size, PROT_READ, MAP_SHARED, f.fd, 0);
    if (p == MAP_FAILED) return fail_fd(e, "cannot map", f.fd);
    *out = str_n(p, size);
    return true;
}

static void real_unmap(struct vfs *v, str mapped) {
    (void)v;
    if (mapped.n == 0) return;
    int failed = munmap((void *)(uintptr_t)mapped.p, mapped.n);
    assert(!failed);
}

static bool real_free_bytes(struct vfs *v, const char *dir, uint64_t *out, struct err *e) {
    (void)v;
    struct statvfs st;
    if (statvfs(dir, &st) != 0) return fail(e, "cannot ask for the free space of", dir);
    *out = (uint64_t)st.f_bavail * st.f_frsize;
    return true;
}

struct vfs *vfs_real(void) {
    static const struct vfs_ops ops = {
        .open = real_open,
        .close = real_close,
        .write = real_write,
        .read_at = real_read_at,
        .size = real_size,
        .truncate = real_truncate,
        .sync = real_sync,
        .sync_dir = real_sync_dir,
        .rename = real_rename,
        .link = real_link,
        .unlink = real_unlink,
        .mkdir = real_mkdir,
        .list = real_list,
        .map = real_map,
        .unmap = real_unmap,
        .free_bytes = real_free_bytes,
    };
    static struct vfs real = {.ops = &ops};
    return &real;
}

/* ---- short forms ---- */

bool vfs_open(struct vfs *v, const char *path, enum vfs_open how, struct vfs_file *out, struct err *e) {
    return v->ops->open(v, path, how, out, e);
}
void vfs_close(struct vfs *v, struct vfs_file *f) {
    v->ops->close(v, f);
}
bool vfs_write(struct vfs *v, struct vfs_file f, str data, struct err *e) {
    return v->ops->write(v, f, data, e);
}
bool vfs_read_at(struct vfs *v, struct vfs_file f, uint64_t at, void *out, size_t n, struct err *e) {
    return v->ops->read_at(v, f, at, out, n, e);
}
bool vfs_size(struct vfs *v, struct vfs_file f, uint64_t *out, struct err *e) {
    return v->ops->size(v, f, out, e);
}
bool vfs_truncate(struct vfs *v, struct vfs_file f, uint64_t size, struct err *e) {
    return v->ops->truncate(v, f, size, e);
}
bool vfs_sync(struct vfs *v, struct vfs_file f, struct err *e) {
    return v->ops->sync(v, f, e);
}
bool vfs_sync_dir(struct vfs *v, const char *dir, struct err *e) {
    return v->ops->sync_dir(v, dir, e);
}
bool vfs_link(struct vfs *v, const char *from, const char *to, struct err *e) {
    return v->ops->link(v, from, to, e);
}
bool vfs_rename(struct vfs *v, const char *from, const char *to, struct err *e) {
    return v->ops->rename(v, from, to, e);
}
bool vfs_unlink(struct vfs *v, const char *path, struct err *e) {
    return v->ops->unlink(v, path, e);
}
bool vfs_mkdir(struct vfs *v, const char *path, struct err *e) {
    return v->ops->mkdir(v, path, e);
}
bool vfs_list(struct vfs *v, const char *dir, struct arena *a, str **names, size_t *n, struct err *e) {
    return v->ops->list(v, dir, a, names, n, e);
}
bool vfs_map(struct vfs *v, struct vfs_file f, str *out, struct err *e) {
    return v->ops->map(v, f, out, e);
}
void vfs_unmap(struct vfs *v, str mapped) {
    v->ops->unmap(v, mapped);
}
bool vfs_free_bytes(struct vfs *v, const char *dir, uint64_t *out, struct err *e) {
    return v->ops->free_bytes(v, dir, out, e);
}

/* ---- whole files ---- */

/* Files of /proc and /sys say size 0 and hold something all the same: read until the end. */
static bool read_unsized(struct vfs_file f, const char *path, size_t max_bytes, struct arena *a, str *out, struct err *e) {
    size_t n = 0, cap = 4096;
    char *p = arena_alloc(a, cap);
    for (;;) {
        ssize_t got = pread(f.fd, p + n, cap - n - 1, (off_t)n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return err_errno(e, ERR_IO, errno, "cannot read %s", path);
        if (got == 0) break;
        n += (size_t)got;
        if (n > max_bytes) return err_set(e, ERR_LIMIT, "%s has more than %zu bytes", path, max_bytes);
        if (n < cap - 1) continue;
        p = arena_grow(a, p, cap, cap * 2);
        cap *= 2;
    }
    p[n] = 0;
    *out = str_n(p, n);
    return true;
}

static bool read_all(struct vfs *v, struct vfs_file f, const char *path, size_t max_bytes, struct arena *a, str *out, struct err *e) {
    uint64_t size = 0;
    if (!vfs_size(v, f, &size, e)) return false;
    if (size == 0) return read_unsized(f, path, max_bytes, a, out, e);
    if (size > max_bytes) return err_set(e, ERR_LIMIT, "%s has %llu bytes, more than %zu", path, (unsigned long long)size, max_bytes);
    char *p = arena_alloc(a, size + 1);
    if (!vfs_read_at(v, f, 0, p, size, e)) return err_wrap(e, "%s", path);
    p[size] = 0;
    *out = str_n(p, size);
    return true;
}

bool vfs_read_file(struct vfs *v, const char *path, size_t max_bytes, struct arena *a, str *out, struct err *e) {
    struct vfs_file f;
    if (!vfs_open(v, path, VFS_READ, &f, e)) return false;
    bool ok = read_all(v, f, path, max_bytes, a, out, e);
    vfs_close(v, &f);
    return ok;
}

static bool dir_of(const char *path, char out[static PATH_MAX], struct err *e) {
    const char *slash = strrchr(path, '/');
    size_t n = slash == path ? 1 : slash ? (size_t)(slash - path) : 0;
    if (n >= PATH_MAX) return err_set(e, ERR_INPUT, "the path is longer than %d bytes", PATH_MAX);
    memcpy(out, path, n);
    out[n] = 0;
    if (n == 0) snprintf(out, PATH_MAX, ".");
    return true;
}

static bool write_new(struct vfs *v, const char *path, str data, struct err *e) {
    struct vfs_file f;
    if (!vfs_open(v, path, VFS_CREATE, &f, e)) return false;
    bool ok = vfs_write(v, f, data, e) && vfs_sync(v, f, e);
    vfs_close(v, &f);
    return ok;
}

bool vfs_replace_file(struct vfs *v, const char *path, str data, struct err *e) {
    char dir[PATH_MAX];
    char tmp[PATH_MAX];
    if (!dir_of(path, dir, e)) return false;
    if ((size_t)snprintf(tmp, sizeof tmp, "%s.tmp", path) >= sizeof tmp) return err_set(e, ERR_INPUT, "the path is longer than %d bytes", PATH_MAX);
    if (write_new(v, tmp, data, e) && vfs_rename(v, tmp, path, e)) return vfs_sync_dir(v, dir, e);
    struct err ignored; /* the first failure is the one to report */
    bool removed = vfs_unlink(v, tmp, &ignored);
    (void)removed;
    return false;
}
