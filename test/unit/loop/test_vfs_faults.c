#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "loop/vfs.h"

struct bed {
    char path[64];
    struct arena *a;
    struct vfs_faults faults;
    struct vfs *v;
};

static const char *in(struct bed *b, const char *name) {
    return arena_cstr(b->a, arena_printf(b->a, "%s/%s", b->path, name));
}

static int start(void **state) {
    static struct bed b;
    b = (struct bed){.path = P_tmpdir "/bn_faults_XXXXXX", .a = arena_new(1024)};
    if (!mkdtemp(b.path)) return -1;
    b.v = vfs_faulty_new(vfs_real(), &b.faults);
    *state = &b;
    return 0;
}

static int stop(void **state) {
    struct bed *b = *state;
    struct err e;
    str *names;
    size_t n;
    if (!vfs_list(vfs_real(), b->path, b->a, &names, &n, &e)) return -1;
    for (size_t i = 0; i < n; i++) unlink(in(b, arena_cstr(b->a, names[i])));
    rmdir(b->path);
    vfs_faulty_free(b->v);
    arena_free(b->a);
    return 0;
}

static str content(struct bed *b, const char *name) {
    str text;
    struct err e;
    return vfs_read_file(vfs_real(), in(b, name), 1000, b->a, &text, &e) ? text : STR("(missing)");
}

static void passes_everything_through_and_counts(void **state) {
    struct bed *b = *state;
    struct err e;
    assert_true(vfs_replace_file(b->v, in(b, "a"), STR("new"), &e));
    assert_true(str_eq(content(b, "a"), STR("new")));
    const uint64_t want[VFS_OP_N] = {[VFS_OP_OPEN] = 1, [VFS_OP_WRITE] = 1, [VFS_OP_SYNC] = 1, [VFS_OP_SYNC_DIR] = 1, [VFS_OP_RENAME] = 1};
    assert_memory_equal(b->faults.calls, want, sizeof want);
}

static void fails_the_nth_call_once(void **state) {
    struct bed *b = *state;
    struct vfs_file f;
    struct err e;
    b->faults.fail_at[VFS_OP_WRITE] = 2;
    assert_true(vfs_open(b->v, in(b, "a"), VFS_CREATE, &f, &e));
    assert_true(vfs_write(b->v, f, STR("1"), &e));
    assert_false(vfs_write(b->v, f, STR("2"), &e));
    assert_int_equal(e.code, ERR_IO);
    assert_true(vfs_write(b->v, f, STR("3"), &e));
    vfs_close(b->v, &f);
    assert_true(str_eq(content(b, "a"), STR("13")));
}

static void goes_on_failing_when_sticky_but_only_that_operation(void **state) {
    struct bed *b = *state;
    struct vfs_file f;
    struct err e;
    b->faults.fail_at[VFS_OP_SYNC] = 1;
    b->faults.sticky = true;
    assert_true(vfs_open(b->v, in(b, "a"), VFS_CREATE, &f, &e));
    assert_false(vfs_sync(b->v, f, &e));
    assert_false(vfs_sync(b->v, f, &e));
    assert_true(vfs_write(b->v, f, STR("1"), &e));
    vfs_close(b->v, &f);
}

static void cuts_the_write_at_a_crash_and_fails_all_after_it(void **state) {
    struct bed *b = *state;
    struct vfs_file f;
    struct err e;
    str text;
    uint64_t size;
    b->faults.crash_at = 2;
    assert_true(vfs_open(b->v, in(b, "a"), VFS_CREATE, &f, &e));
    assert_true(vfs_write(b->v, f, STR("whole|"), &e));
    assert_false(vfs_write(b->v, f, STR("half|gone"), &e));
    assert_false(vfs_write(b->v, f, STR("never"), &e));
    assert_false(vfs_sync(b->v, f, &e));
    assert_false(vfs_size(b->v, f, &size, &e));
    assert_false(vfs_unlink(b->v, in(b, "a"), &e));
    assert_false(vfs_read_file(b->v, in(b, "a"), 100, b->a, &text, &e));
    assert_int_equal(e.code, ERR_IO);
    vfs_close(b->v, &f);
    assert_true(str_eq(content(b, "a"), STR("whole|half")));
}

static void a_full_disk_refuses_new_bytes_but_lets_old_ones_go(void **state) {
    struct bed *b = *state;
    struct err e;
    uint64_t left = 1;
    assert_true(vfs_replace_file(b->v, in(b, "a"), STR("old"), &e));
    b->faults.disk_full = true;
    assert_false(vfs_replace_file(b->v, in(b, "a"), STR("new"), &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_true(vfs_free_bytes(b->v, b->path, &left, &e));
    assert_int_equal(left, 0);
    assert_true(str_eq(content(b, "a"), STR("old")));
    assert_true(vfs_unlink(b->v, in(b, "a"), &e));
    b->faults.disk_full = false;
    assert_true(vfs_replace_file(b->v, in(b, "a"), STR("new"), &e));
}

/* Whatever fails in vfs_replace_file: the old content or the new, and no litter unless the power went. */
static void replace_file_is_atomic_under_every_single_fault(void **state) {
    struct bed *b = *state;
    struct err e;
    for (int op = 0; op < VFS_OP_N; op++) {
        b->faults = (struct vfs_faults){0};
        assert_true(vfs_replace_file(b->v, in(b, "a"), STR("old"), &e));
        b->faults = (struct vfs_faults){0};
        b->faults.fail_at[op] = 1;
        bool ok = vfs_replace_file(b->v, in(b, "a"), STR("new"), &e);
        assert_int_equal(ok, op == VFS_OP_UNLINK || op == VFS_OP_MAP || op == VFS_OP_LINK); /* not used */
        bool renamed = ok || op == VFS_OP_SYNC_DIR;
        assert_true(str_eq(content(b, "a"), renamed ? STR("new") : STR("old")));
        assert_int_not_equal(access(in(b, "a.tmp"), F_OK), 0);
    }
}

static void a_crash_in_replace_file_keeps_the_old_content(void **state) {
    struct bed *b = *state;
    struct err e;
    assert_true(vfs_replace_file(b->v, in(b, "a"), STR("old"), &e));
    b->faults.crash_at = b->faults.calls[VFS_OP_WRITE] + 1;
    assert_false(vfs_replace_file(b->v, in(b, "a"), STR("new content"), &e));
    assert_true(str_eq(content(b, "a"), STR("old")));
}

enum { WRITES = 1000 };
static void *write_many(void *arg) {
    struct bed *b = arg;
    struct vfs_file f;
    struct err e;
    uintptr_t failed = 0;
    if (!vfs_open(b->v, in(b, "log"), VFS_APPEND, &f, &e)) return NULL;
    for (int i = 0; i < WRITES; i++) failed += !vfs_write(b->v, f, STR("x"), &e);
    vfs_close(b->v, &f);
    return (void *)failed;
}

static void counts_calls_of_several_threads(void **state) {
    struct bed *b = *state;
    b->faults.fail_at[VFS_OP_WRITE] = 500;
    pthread_t other;
    void *failed;
    struct bed second = *b; /* an arena has one user */
    second.a = arena_new(256);
    pthread_create(&other, NULL, write_many, &second);
    uintptr_t mine = (uintptr_t)write_many(b);
    pthread_join(other, &failed);
    assert_int_equal(b->faults.calls[VFS_OP_WRITE], 2 * WRITES);
    assert_int_equal(mine + (uintptr_t)failed, 1);
    arena_free(second.a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(passes_everything_through_and_counts, start, stop),
        cmocka_unit_test_setup_teardown(fails_the_nth_call_once, start, stop),
        cmocka_unit_test_setup_teardown(goes_on_failing_when_sticky_but_only_that_operation, start, stop),
        cmocka_unit_test_setup_teardown(cuts_the_write_at_a_crash_and_fails_all_after_it, start, stop),
        cmocka_unit_test_setup_teardown(a_full_disk_refuses_new_bytes_but_lets_old_ones_go, start, stop),
        cmocka_unit_test_setup_teardown(replace_file_is_atomic_under_every_single_fault, start, stop),
        cmocka_unit_test_setup_teardown(a_crash_in_replace_file_keeps_the_old_content, start, stop),
        cmocka_unit_test_setup_teardown(counts_calls_of_several_threads, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
