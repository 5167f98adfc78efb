#include "ingest/tail_state.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/binnacle-tail-XXXXXX";
static char path[64];

static int make_dir(void **state) {
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/offsets", dir);
    return 0;
}
static int remove_dir(void **state) {
    (void)state;
    unlink(path);
    return rmdir(dir);
}

static struct tail_state *open_state(const char *at) {
    struct tail_state *s = NULL;
    struct err e;
    if (!tail_state_open(at, &s, &e)) fail_msg("%s", e.msg);
    return s;
}
static void put_file(const char *text) {
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void a_missing_file_is_the_first_start(void **state) {
    (void)state;
    unlink(path);
    struct tail_state *s = open_state(path);
    assert_true(tail_state_empty(s));
    assert_null(tail_state_find(s, 1, 2));
    tail_state_free(s);
}

static void entries_come_back_from_the_file(void **state) {
    (void)state;
    struct err e;
    struct tail_state *s = open_state(path);
    tail_state_put(s, &(struct tail_entry){1, 2, 300, 100, UINT64_C(0xfedcba9876543210)});
    tail_state_put(s, &(struct tail_entry){1, UINT64_MAX, UINT64_MAX, 0, 0});
    assert_true(tail_state_save(s, &e));
    assert_false(tail_state_empty(s));
    tail_state_free(s);
    s = open_state(path);
    assert_false(tail_state_empty(s));
    const struct tail_entry *t = tail_state_find(s, 1, 2);
    assert_non_null(t);
    assert_int_equal(t->offset, 300);
    assert_int_equal(t->fingerprint_n, 100);
    assert_true(t->fingerprint == UINT64_C(0xfedcba9876543210));
    t = tail_state_find(s, 1, UINT64_MAX);
    assert_non_null(t);
    assert_true(t->offset == UINT64_MAX);
    assert_null(tail_state_find(s, 2, 2));
    tail_state_clear(s);
    assert_null(tail_state_find(s, 1, 2));
    tail_state_free(s);
}

static void of_a_damaged_file_the_whole_lines_count(void **state) {
    (void)state;
    put_file("binnacle tail 1\n1 2 300 100 abc\n1 3\n1 4 x 0 0\n1 5 10 11 0\n1 6 9000 5000 0\n1 7 50 0 0\n1 8 50 0 0");
    struct tail_state *s = open_state(path);
    assert_false(tail_state_empty(s));
    assert_non_null(tail_state_find(s, 1, 2));
    assert_null(tail_state_find(s, 1, 3)); /* too short */
    assert_null(tail_state_find(s, 1, 4)); /* no number */
    assert_null(tail_state_find(s, 1, 5)); /* the fingerprint begins before the file */
    assert_null(tail_state_find(s, 1, 6)); /* longer than one is ever taken */
    assert_non_null(tail_state_find(s, 1, 7));
    assert_null(tail_state_find(s, 1, 8)); /* cut off */
    tail_state_free(s);
}

static void without_a_path_nothing_is_kept(void **state) {
    (void)state;
    struct err e;
    struct tail_state *s = open_state(NULL);
    tail_state_put(s, &(struct tail_entry){.device = 1, .inode = 2});
    assert_true(tail_state_save(s, &e));
    assert_non_null(tail_state_find(s, 1, 2));
    tail_state_free(s);
}

static void a_file_that_cannot_be_written_is_an_error(void **state) {
    (void)state;
    struct err e = {0};
    struct tail_state *s = open_state("/nonexistent-folder/offsets");
    assert_true(tail_state_empty(s));
    assert_false(tail_state_save(s, &e));
    assert_int_not_equal(e.code, ERR_NONE);
    assert_true(tail_state_empty(s));
    tail_state_free(s);
}

static void the_fingerprint_is_of_the_bytes_before_the_offset(void **state) {
    (void)state;
    put_file("line one\nline two\n");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint64_t one = tail_fingerprint(fd, 9, 9);
    assert_int_not_equal(one, 0);
    assert_true(one == tail_fingerprint(fd, 9, 9));
    assert_true(one != tail_fingerprint(fd, 18, 9));
    assert_int_equal(tail_fingerprint(fd, 9, 10), 0);  /* before the file */
    assert_int_equal(tail_fingerprint(fd, 100, 9), 0); /* behind it: it was truncated */
    assert_int_equal(tail_fingerprint(fd, 9000, 5000), 0);
    close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_file_is_the_first_start),         cmocka_unit_test(entries_come_back_from_the_file),
        cmocka_unit_test(of_a_damaged_file_the_whole_lines_count),   cmocka_unit_test(without_a_path_nothing_is_kept),
        cmocka_unit_test(a_file_that_cannot_be_written_is_an_error), cmocka_unit_test(the_fingerprint_is_of_the_bytes_before_the_offset),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
