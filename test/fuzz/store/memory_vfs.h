/* A read-only vfs of one folder with one file in memory. */
#pragma once
#include "loop/vfs.h"

static struct {
    const char *suffix; /* of the file's path: other paths do not exist */
    str name, bytes;
} memory_file;

static bool memory_open(struct vfs *v, const char *path, enum vfs_open how, struct vfs_file *out, struct err *e) {
    (void)v;
    (void)how;
    if (!str_ends(str_c(path), str_c(memory_file.suffix))) return err_set(e, ERR_NOT_FOUND, "no such file");
    out->fd = 0;
    return true;
}
static void memory_close(struct vfs *v, struct vfs_file *f) {
    (void)v;
    f->fd = -1;
}
static bool memory_size(struct vfs *v, struct vfs_file f, uint64_t *out, struct err *e) {
    (void)v;
    (void)f;
    (void)e;
    *out = memory_file.bytes.n;
    return true;
}
static bool memory_map(struct vfs *v, struct vfs_file f, str *out, struct err *e) {
    (void)v;
    (void)f;
    (void)e;
    *out = memory_file.bytes;
    return true;
}
static void memory_unmap(struct vfs *v, str mapped) {
    (void)v;
    (void)mapped;
}
static bool memory_mkdir(struct vfs *v, const char *path, struct err *e) {
    (void)v;
    (void)path;
    (void)e;
    return true;
}
static bool memory_list(struct vfs *v, const char *dir, struct arena *a, str **names, size_t *n, struct err *e) {
    (void)v;
    (void)dir;
    (void)a;
    (void)e;
    *names = &memory_file.name;
    *n = 1;
    return true;
}
static const struct vfs_ops memory_ops = {.open = memory_open,
                                          .close = memory_close,
                                          .size = memory_size,
                                          .map = memory_map,
                                          .unmap = memory_unmap,
                                          .mkdir = memory_mkdir,
                                          .list = memory_list};
static struct vfs memory_vfs = {.ops = &memory_ops};
