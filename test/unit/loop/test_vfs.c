#include "loop/vfs.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

struct dir {
    char path[64];
    struct arena *a;
};

static const char *in(struct dir *d, const char *name) {
    return arena_cstr(d->a, arena_printf(d->a, "%s/%s", d->path, name));
}

static int start(void **state) {
    static struct dir d;
    strcpy(d.path, P_tmpdir "/bn_vfs_XXXXXX");
    if (!mkdtemp(d.path)) return -1;
    d.a = arena_new(1024);
    *state = &d;
    return 0;
}

static int stop(void **state) {
    struct dir *d = *state;
    struct err e;
    str *names;
    size_t n;
    if (!vfs_list(vfs_real(), d->path, d->a, &names, &n, &e)) return -1;
    for (size_t i = 0; i < n; i++)
        if (unlink(in(d, arena_cstr(d->a, names[i]))) != 0) rmdir(in(d, arena_cstr(d->a, names[i])));
    rmdir(d->path);
    arena_free(d->a);
    return 0;
}

static void reads_files_of_proc_which_have_no_size(void **state) {
    struct dir *d = *state;
    struct err e;
    str text;
    assert_true(vfs_read_file(vfs_real(), "/proc/self/status", 1 << 20, d->a, &text, &e));
    assert_true(str_find(text, STR("VmRSS:")) != STR_NONE);
    assert_false(vfs_read_file(vfs_real(), "/proc/self/status", 10, d->a, &text, &e));
    assert_int_equal(e.code, ERR_LIMIT);
}

static void writes_at_the_end_and_reads_anywhere(void **state) {
    struct dir *d = *state;
    struct vfs *v = vfs_real();
    struct vfs_file f;
    struct err e;
    uint64_t size;
    char got[5];
    assert_true(vfs_open(v, in(d, "a"), VFS_CREATE, &f, &e));
    assert_true(vfs_write(v, f, STR("hello "), &e));
    assert_true(vfs_write(v, f, STR("world"), &e));
    assert_true(vfs_read_at(v, f, 6, got, 5, &e));
    assert_memory_equal(got, "world", 5);
    assert_true(vfs_write(v, f, STR("!"), &e));
    assert_true(vfs_size(v, f, &size, &e));
    assert_int_equal(size, 12);
    assert_true(vfs_truncate(v, f, 5, &e));
    assert_true(vfs_write(v, f, STR("?"), &e));
    assert_true(vfs_sync(v, f, &e));
    vfs_close(v, &f);
    assert_int_equal(f.fd, -1);
    str text;
    assert_true(vfs_read_file(v, in(d, "a"), 100, d->a, &text, &e));
    assert_true(str_eq(text, STR("hello?")));
}

static void append_keeps_what_is_there_and_create_does_not(void **state) {
    struct dir *d = *state;
    struct vfs *v = vfs_real();
    struct err e;
    str text;
    enum vfs_open how[] = {VFS_CREATE, VFS_APPEND, VFS_APPEND};
    for (size_t i = 0; i < ARRAY_N(how); i++) {
        struct vfs_file f;
        assert_true(vfs_open(v, in(d, "a"), how[i], &f, &e));
        assert_true(vfs_write(v, f, STR("x"), &e));
        vfs_close(v, &f);
    }
    assert_true(vfs_read_file(v, in(d, "a"), 100, d->a, &text, &e));
    assert_true(str_eq(text, STR("xxx")));
    struct vfs_file f;
    assert_true(vfs_open(v, in(d, "a"), VFS_CREATE, &f, &e));
    vfs_close(v, &f);
    assert_true(vfs_read_file(v, in(d, "a"), 100, d->a, &text, &e));
    assert_int_equal(text.n, 0);
}

static void errors_name_the_path_and_tell_missing_from_broken(void **state) {
    struct dir *d = *state;
    struct vfs *v = vfs_real();
    struct vfs_file f;
    struct err e;
    str text;
    assert_false(vfs_open(v, in(d, "missing"), VFS_READ, &f, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_non_null(strstr(e.msg, "missing"));
    assert_false(vfs_read_file(v, d->path, 100, d->a, &text, &e)); /* a folder */
    assert_false(vfs_open(v, d->path, VFS_CREATE, &f, &e));
    assert_int_equal(e.code, ERR_IO);
    assert_true(vfs_open(v, in(d, "a"), VFS_CREATE, &f, &e));
    vfs_close(v, &f);
    assert_true(vfs_open(v, in(d, "a"), VFS_READ, &f, &e));
    assert_false(vfs_write(v, f, STR("x"), &e));
    assert_int_equal(e.code, ERR_IO);
    assert_non_null(strstr(e.msg, in(d, "a")));
    char got[1];
    assert_false(vfs_read_at(v, f, 0, got, 1, &e));
    assert_int_equal(e.code, ERR_CORRUPT);
    vfs_close(v, &f);
}

static void a_write_that_fails_halfway_leaves_nothing(void **state) {
    struct dir *d = *state;
    struct vfs *v = vfs_real();
    struct vfs_file f;
    struct err e;
    uint64_t size;
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){.rlim_cur = 100, .rlim_max = before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    static char block[90];
    assert_true(vfs_open(v, in(d, "a"), VFS_CREATE, &f, &e));
    assert_true(vfs_write(v, f, str_n(block, 80), &e));
    assert_false(vfs_write(v, f, str_n(block, 90), &e)); /* 20 bytes fit */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_true(vfs_size(v, f, &size, &e));
    assert_int_equal(size, 80);
    vfs_close(v, &f);
}

static void a_full_disk_is_a_limit(void **state) {
    (void)state;
    struct vfs *v = vfs_real();
    struct vfs_file f;
    struct err e;
    assert_true(vfs_open(v, "/dev/full", VFS_APPEND, &f, &e));
    assert_false(vfs_write(v, f, STR("x"), &e));
    assert_int_equal(e.code, ERR_LIMIT);
    vfs_close(v, &f);
}

static void lists_sorted_renames_and_removes(void **state) {
    struct dir *d = *state;
    struct vfs *v = vfs_real();
    struct err e;
    str *names;
    size_t n;
    const char *create[] = {"b", "a", "c10", "c1"};
    for (size_t i = 0; i < ARRAY_N(create); i++) assert_true(vfs_replace_file(v, in(d, create[i]), STR("x"), &e));
    assert_true(vfs_rename(v, in(d, "b"), in(d, "z"), &e));
    assert_true(vfs_unlink(v, in(d, "a"), &e));
    assert_false(vfs_unlink(v, in(d, "a"), &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_true(vfs_mkdir(v, in(d, "sub"), &e));
    assert_true(vfs_mkdir(v, in(d, "sub"), &e));
    assert_true(vfs_list(v, d->path, d->a, &names, &n, &e));
    const char *want[] = {"c1", "c10", "sub", "z"};
    assert_int_equal(n, ARRAY_N(want));
    for (size_t i = 0; i < n; i++) assert_true(str_eq_c(names[i], want[i]));
    assert_false(vfs_list(v, in(d, "no"), d->a, &names, &n, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
}

static void maps_files_also_empty_ones(void **state) {
    struct dir *d = *state;
    struct vfs *v = vfs_real();
    struct vfs_file f;
    struct err e;
    str m;
    assert_true(vfs_open(v, in(d, "a"), VFS_CREATE, &f, &e));
    assert_true(vfs_map(v, f, &m, &e));
    assert_int_equal(m.n, 0);
    vfs_unmap(v, m);
    assert_true(vfs_write(v, f, STR("mapped"), &e));
    assert_true(vfs_map(v, f, &m, &e));
    vfs_close(v, &f); /* the mapping stays */
    assert_true(str_eq(m, STR("mapped")));
    vfs_unmap(v, m);
}

static void reads_no_more_than_asked_for(void **state) {
    struct dir *d = *state;
    struct err e;
    str text;
    assert_true(vfs_replace_file(vfs_real(), in(d, "a"), STR("12345"), &e));
    assert_true(vfs_read_file(vfs_real(), in(d, "a"), 5, d->a, &text, &e));
    assert_false(vfs_read_file(vfs_real(), in(d, "a"), 4, d->a, &text, &e));
    assert_int_equal(e.code, ERR_LIMIT);
}

static void knows_the_free_space(void **state) {
    struct dir *d = *state;
    struct err e;
    uint64_t n = 0;
    assert_true(vfs_free_bytes(vfs_real(), d->path, &n, &e));
    assert_true(n > 0);
    assert_false(vfs_free_bytes(vfs_real(), in(d, "no"), &n, &e));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_files_of_proc_which_have_no_size, start, stop),
        cmocka_unit_test_setup_teardown(writes_at_the_end_and_reads_anywhere, start, stop),
        cmocka_unit_test_setup_teardown(append_keeps_what_is_there_and_create_does_not, start, stop),
        cmocka_unit_test_setup_teardown(errors_name_the_path_and_tell_missing_from_broken, start, stop),
        cmocka_unit_test_setup_teardown(a_write_that_fails_halfway_leaves_nothing, start, stop),
        cmocka_unit_test_setup_teardown(a_full_disk_is_a_limit, start, stop),
        cmocka_unit_test_setup_teardown(lists_sorted_renames_and_removes, start, stop),
        cmocka_unit_test_setup_teardown(maps_files_also_empty_ones, start, stop),
        cmocka_unit_test_setup_teardown(reads_no_more_than_asked_for, start, stop),
        cmocka_unit_test_setup_teardown(knows_the_free_space, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
