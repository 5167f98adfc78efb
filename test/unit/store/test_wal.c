#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/vec.h"
#include "store/wal.h"

/* Record i is i's number and a tail of i % 97 bytes, so that a reader can tell that it is whole. */
static size_t make_record(uint32_t i, char out[200]) {
    memcpy(out, &i, 4);
    for (uint32_t k = 0; k < i % 97; k++) out[4 + k] = (char)(i + k);
    return 4 + i % 97;
}

struct found {
    VEC(uint32_t) ids;
    VEC(uint64_t) lsns;
};
static bool on_record(void *arg, enum wal_type type, uint64_t lsn, str payload, struct err *e) {
    (void)e;
    struct found *f = arg;
    uint32_t i;
    assert_true(payload.n >= 4);
    memcpy(&i, payload.p, 4);
    char want[200];
    assert_int_equal(make_record(i, want), payload.n);
    assert_memory_equal(want, payload.p, payload.n);
    assert_int_equal(type, i % 2 ? WAL_METRICS : WAL_EVENTS);
    vec_push(&f->ids, i);
    vec_push(&f->lsns, lsn);
    return true;
}
static void found_done(struct found *f) {
    vec_done(&f->ids);
    vec_done(&f->lsns);
}

struct bench {
    char dir[64], wal[80];
};
static void setup(struct bench *b) {
    snprintf(b->dir, sizeof b->dir, "%s", "/tmp/bn-wal-XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    snprintf(b->wal, sizeof b->wal, "%s/wal", b->dir);
}
static void teardown(struct bench *b) {
    char command[200];
    snprintf(command, sizeof command, "rm -r '%s'", b->dir);
    assert_int_equal(system(command), 0);
}
static struct wal *open_wal(struct bench *b, struct loop *l, struct wal_options o, struct found *f, struct wal_replay_stats *stats) {
    if (!o.vfs) o.vfs = vfs_real();
    o.dir = b->wal;
    struct wal *w = NULL;
    struct err e = {0};
    if (!wal_open(l, &o, on_record, f, stats, &w, &e)) fail_msg("%s", e.msg);
    return w;
}
static uint64_t append(struct wal *w, uint32_t i) {
    char record[200];
    size_t n = make_record(i, record);
    uint64_t lsn = 0;
    struct err e = {0};
    if (!wal_append(w, i % 2 ? WAL_METRICS : WAL_EVENTS, str_n(record, n), &lsn, &e)) fail_msg("%s", e.msg);
    return lsn;
}
static void count_ok(void *arg, const struct err *e) {
    assert_null(e);
    ++*(int *)arg;
}

static void gives_back_records_in_order_with_their_positions(void **state) {
    (void)state;
    struct bench b;
    setup(&b);
    struct found f = {0};
    struct wal_replay_stats stats;
    struct wal *w = open_wal(&b, NULL, (struct wal_options){.segment_bytes = 2000}, &f, &stats);
    int done = 0;
    uint64_t lsns[100];
    for (uint32_t i = 0; i < 100; i++) {
        lsns[i] = append(w, i);
        wal_commit(w, count_ok, &done);
        assert_int_equal(done, i + 1);
    }
    struct wal_stats ws;
    wal_stats(w, &ws);
    assert_int_equal(ws.records, 100);
    uint64_t next = wal_next_lsn(w);
    wal_close(w);
    w = open_wal(&b, NULL, (struct wal_options){0}, &f, &stats);
    assert_int_equal(f.ids.n, 100);
    for (uint32_t i = 0; i < 100; i++) {
        assert_int_equal(f.ids.p[i], i);
        assert_int_equal(f.lsns.p[i], lsns[i]);
    }
    assert_int_equal(stats.frames, 100);
    assert_int_equal(stats.damaged_frames, 0);
    assert_true(wal_next_lsn(w) == next);
    wal_close(w);
    found_done(&f);
    teardown(&b);
}

static void unlinks_segments_below_all_checkpoints_and_skips_what_they_cover(void **state) {
    (void)state;
    struct bench b;
    setup(&b);
    struct found f = {0};
    struct wal_replay_stats stats;
    struct wal *w = open_wal(&b, NULL, (struct wal_options){.segment_bytes = 2000}, &f, &stats);
    int done = 0;
    uint64_t lsns[100];
    for (uint32_t i = 0; i < 100; i++) {
        lsns[i] = append(w, i);
        wal_commit(w, count_ok, &done);
    }
    struct wal_stats before;
    struct wal_stats after;
    wal_stats(w, &before);
    wal_checkpoint(w, WAL_METRICS, lsns[80]);
    wal_stats(w, &after);
    assert_true(after.disk_bytes == before.disk_bytes); /* the events still need them */
    wal_checkpoint(w, WAL_EVENTS, lsns[50]);
    wal_stats(w, &after);
    assert_true(after.disk_bytes < before.disk_bytes);
    wal_close(w);
    w = open_wal(&b, NULL, (struct wal_options){0}, &f, &stats);
    size_t at = 0;
    for (uint32_t i = 50; i < 100; i++)
        if (i % 2 == 0 || i > 80) assert_int_equal(f.ids.p[at++], i);
    assert_int_equal(f.ids.n, at);
    wal_close(w);
    found_done(&f);
    teardown(&b);
}

/* A log of one segment of about n_bytes; returns the path and the size. */
static size_t one_segment(struct bench *b, size_t n_bytes, char path[120], uint32_t *records) {
    struct found f = {0};
    struct wal_replay_stats stats;
    struct wal *w = open_wal(b, NULL, (struct wal_options){.window_ms = 1}, &f, &stats);
    uint32_t i = 0;
    for (; wal_next_lsn(w) < n_bytes; i++) append(w, i);
    size_t size = wal_next_lsn(w) + 32;
    wal_close(w);
    found_done(&f);
    snprintf(path, 120, "%s/0000000000000000.wal", b->wal);
    *records = i;
    return size;
}

static void survives_truncation_at_every_byte(void **state) {
    (void)state;
    struct bench b;
    setup(&b);
    char path[120];
    uint32_t records;
    size_t size = one_segment(&b, 64 << 10, path, &records);
    struct found f = {0};
    size_t before = records;
    for (; size-- > 0;) {
        assert_int_equal(truncate(path, (off_t)size), 0);
        f.ids.n = f.lsns.n = 0;
        struct wal_replay_stats stats;
        struct wal *w = open_wal(&b, NULL, (struct wal_options){0}, &f, &stats);
        assert_true(f.ids.n == before || f.ids.n + 1 == before);
        for (size_t i = 0; i < f.ids.n; i++) assert_int_equal(f.ids.p[i], i);
        size_t whole = size < 32 ? 0
                       : f.ids.n ? 32 + f.lsns.p[f.ids.n - 1] + 24 + ((make_record((uint32_t)f.ids.n - 1, (char[200]){0}) + 7) & ~7ul)
                                 : 32;
        assert_int_equal(stats.damaged_frames, size > whole ? 1 : 0);
        assert_true(wal_next_lsn(w) + 32 >= size);
        before = f.ids.n;
        wal_close(w);
    }
    assert_int_equal(before, 0);
    found_done(&f);
    teardown(&b);
}

static void loses_only_the_frame_a_bit_flipped_in_and_reports_it(void **state) {
    (void)state;
    struct bench b;
    setup(&b);
    char path[120];
    uint32_t records;
    size_t size = one_segment(&b, 16 << 10, path, &records);
    struct found f = {0};
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    for (size_t bit = 0; bit < size * 8; bit++) {
        uint8_t byte;
        assert_int_equal(pread(fd, &byte, 1, (off_t)(bit / 8)), 1);
        uint8_t bad = (uint8_t)(byte ^ 1u << bit % 8);
        assert_int_equal(pwrite(fd, &bad, 1, (off_t)(bit / 8)), 1);
        f.ids.n = f.lsns.n = 0;
        struct wal_replay_stats stats;
        struct wal *w = NULL;
        struct err e;
        struct wal_options o = {.vfs = vfs_real(), .dir = b.wal};
        assert_true(wal_open(NULL, &o, on_record, &f, &stats, &w, &e));
        assert_true(f.ids.n + 1 >= records);
        if (f.ids.n < records || bit < 256) {
            assert_int_equal(stats.damaged_frames, 1);
            assert_int_equal(stats.first_damage.code, ERR_CORRUPT);
        }
        for (size_t i = 1; i < f.ids.n; i++) assert_true(f.ids.p[i] > f.ids.p[i - 1]);
        wal_close(w);
        assert_int_equal(pwrite(fd, &byte, 1, (off_t)(bit / 8)), 1);
    }
    close(fd);
    found_done(&f);
    teardown(&b);
}

static void says_which_segment_is_damaged_and_where(void **state) {
    (void)state;
    struct bench b;
    setup(&b);
    char path[120];
    uint32_t records;
    one_segment(&b, 1000, path, &records);
    int fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, "X", 1, 32 + 24 + 1), 1); /* payload of the first frame: 4 bytes, padded to 8 */
    close(fd);
    struct found f = {0};
    struct wal_replay_stats stats;
    struct wal *w = open_wal(&b, NULL, (struct wal_options){0}, &f, &stats);
    assert_int_equal(f.ids.n, records - 1);
    assert_string_equal(stats.first_damage.msg, "wal/0000000000000000.wal: damaged frame at byte 32 (32 bytes skipped)");
    wal_close(w);
    found_done(&f);
    teardown(&b);
}

static void replays_everything_when_the_checkpoint_is_damaged(void **state) {
    (void)state;
    struct bench b;
    setup(&b);
    char path[120];
    uint32_t records;
    one_segment(&b, 1000, path, &records);
    snprintf(path, sizeof path, "%s/checkpoint", b.wal);
    FILE *file = fopen(path, "w");
    fputs("nonsense", file);
    fclose(file);
    struct found f = {0};
    struct wal_replay_stats stats;
    struct wal *w = open_wal(&b, NULL, (struct wal_options){0}, &f, &stats);
    assert_int_equal(f.ids.n, records);
    assert_int_equal(stats.first_damage.code, ERR_CORRUPT);
    wal_close(w);
    found_done(&f);
    teardown(&b);
}

/* --- with a loop and its sync thread */

struct on_loop {
    struct loop *loop;
    struct wal *wal;
    int ok, failed, wanted;
};
static void count_on_loop(void *arg, const struct err *e) {
    struct on_loop *x = arg;
    assert_true(loop_on_thread());
    if (e)
        x->failed++;
    else
        x->ok++;
    if (x->ok + x->failed == x->wanted) loop_stop(x->loop);
}

static void commits_groups_from_its_own_thread(void **state) {
    (void)state;
    struct bench b;
    setup(&b);
    struct found f = {0};
    struct wal_replay_stats stats;
    struct on_loop x = {.loop = loop_new(), .wanted = 200};
    loop_own_thread();
    x.wal = open_wal(&b, x.loop, (struct wal_options){.window_ms = 1}, &f, &stats);
    for (uint32_t i = 0; i < 200; i++) {
        append(x.wal, i);
        wal_commit(x.wal, count_on_loop, &x);
    }
    loop_run(x.loop);
    assert_int_equal(x.ok, 200);
    struct wal_stats ws;
    wal_stats(x.wal, &ws);
    assert_true(ws.groups < 10);
    for (uint32_t i = 200; i < 300; i++) append(x.wal, i);
    x.wanted = 201;
    wal_commit(x.wal, count_on_loop, &x);
    wal_close(x.wal); /* commits what is pending */
    assert_int_equal(x.ok, 201);
    loop_free(x.loop);
    struct wal *w = open_wal(&b, NULL, (struct wal_options){0}, &f, &stats);
    assert_int_equal(f.ids.n, 300);
    wal_close(w);
    found_done(&f);
    teardown(&b);
}

static void refuses_when_too_much_waits(void **state) {
    (void)state;
    struct bench b;
    setup(&b);
    struct found f = {0};
    struct wal_replay_stats stats;
    struct loop *loop = loop_new();
    loop_own_thread();
    struct wal *w = open_wal(&b, loop, (struct wal_options){.window_ms = 1000, .queue_bytes_max = 1000}, &f, &stats);
    struct err e = {0};
    uint64_t lsn;
    int taken = 0;
    while (wal_append(w, WAL_METRICS, STR("a record of thirty-two bytes....."), &lsn, &e)) taken++;
    assert_true(taken > 10 && taken < 20);
    assert_int_equal(e.code, ERR_LIMIT);
    wal_close(w);
    loop_free(loop);
    teardown(&b);
}

static void refuses_on_a_full_disk_and_heals_without_losing_what_it_took(void **state) {
    (void)state;
    struct bench b;
    setup(&b);
    struct found f = {0};
    struct wal_replay_stats stats;
    struct vfs_faults faults = {0};
    struct vfs *v = vfs_faulty_new(vfs_real(), &faults);
    struct on_loop x = {.loop = loop_new(), .wanted = 1};
    loop_own_thread();
    x.wal = open_wal(&b, x.loop, (struct wal_options){.vfs = v}, &f, &stats);
    append(x.wal, 0);
    wal_commit(x.wal, count_on_loop, &x);
    loop_run(x.loop);
    faults.disk_full = true;
    append(x.wal, 1);
    wal_commit(x.wal, count_on_loop, &x);
    x.wanted = 2;
    loop_run(x.loop);
    assert_int_equal(x.failed, 1);
    struct err e = {0};
    uint64_t lsn;
    assert_false(wal_append(x.wal, WAL_METRICS, STR("x"), &lsn, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    faults.disk_full = false;
    struct wal_stats ws = {.refusing = true};
    struct timer *stop = timer_start(x.loop, 10, 10, (void (*)(void *))loop_stop, x.loop);
    while (ws.refusing) { /* it retries by itself */
        loop_run(x.loop);
        wal_stats(x.wal, &ws);
    }
    timer_free(stop);
    append(x.wal, 2);
    wal_close(x.wal);
    loop_free(x.loop);
    vfs_faulty_free(v);
    struct wal *w = open_wal(&b, NULL, (struct wal_options){0}, &f, &stats);
    assert_int_equal(f.ids.n, 3);
    wal_close(w);
    found_done(&f);
    teardown(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_back_records_in_order_with_their_positions),
        cmocka_unit_test(unlinks_segments_below_all_checkpoints_and_skips_what_they_cover),
        cmocka_unit_test(survives_truncation_at_every_byte),
        cmocka_unit_test(loses_only_the_frame_a_bit_flipped_in_and_reports_it),
        cmocka_unit_test(says_which_segment_is_damaged_and_where),
        cmocka_unit_test(replays_everything_when_the_checkpoint_is_damaged),
        cmocka_unit_test(commits_groups_from_its_own_thread),
        cmocka_unit_test(refuses_when_too_much_waits),
        cmocka_unit_test(refuses_on_a_full_disk_and_heals_without_losing_what_it_took),
    };
    loop_own_thread();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
