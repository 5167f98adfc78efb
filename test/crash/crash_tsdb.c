/* crash_tsdb: the n-th open, write, sync, rename, unlink, map of the metrics store fails, for every n until a run has no failure; and the power goes
 * at every write. Whatever fails: no crash, no wrong answer, acknowledged samples are found after the next start, and
 * received = stored + rejected + dropped. */
#include "unit/store/metrics/disk.h"

#include "base/hash.h"
#include "crash/faults.h"

enum { STEPS = 40, SERIES = 6 };
struct run {
    bool sent[STEPS], acknowledged[STEPS];
};
static double value_at(int series, int step) {
    uint64_t x = hash_mix((uint64_t)series, (uint64_t)step);
    return series % 2 ? step * 3 + (double)(x % 3) : (double)(x % 1000) / 100;
}

struct pending {
    struct run *run;
    int step;
};
static void on_done(void *arg, const struct push_result *r) {
    struct pending *p = arg;
    assert_int_equal(r->stored + r->rejected + r->dropped, SERIES);
    if (r->stored == SERIES) p->run->acknowledged[p->step] = true;
    free(p);
}

static void push(struct tsdb *db, struct run *run, int step) {
    struct metric_batch *b = help_batch("instance=i,job=x");
    for (int s = 0; s < SERIES; s++) {
        char key[40];
        snprintf(key, sizeof key, "__name__=m%d", s);
        help_add(b, key, 1000 * (step + 1), value_at(s, step));
    }
    struct pending *p = malloc(sizeof *p);
    *p = (struct pending){run, step};
    run->sent[step] = true;
    tsdb_append(db, b, on_done, p);
}

static void scenario(struct vfs *v, const char *dir, void *arg) {
    struct run *run = arg;
    struct disk d = {.vfs = v};
    snprintf(d.wal_dir, sizeof d.wal_dir, "%s/wal", dir);
    snprintf(d.metrics_dir, sizeof d.metrics_dir, "%s/metrics", dir);
    int64_t now = 1;
    for (int step = 0; step < STEPS;) {
        struct err e;
        if (!disk_try_open(&d, &e)) {
            step += 4; /* this start failed */
            continue;
        }
        for (int end = step + 30; step < end && step < STEPS; step++) {
            push(d.db, run, step);
            if (step % 4 == 3) now = disk_seal(&d, now) + 3600 * 1000;
        }
        struct tsdb_stats st = disk_stats(&d);
        assert_true(st.received == st.stored + st.rejected + st.dropped);
        disk_close(&d);
    }
}

static void verify(const char *dir, void *arg) {
    const struct run *run = arg;
    struct disk d = {.vfs = vfs_real()};
    snprintf(d.wal_dir, sizeof d.wal_dir, "%s/wal", dir);
    snprintf(d.metrics_dir, sizeof d.metrics_dir, "%s/metrics", dir);
    disk_open(&d);
    bool found[SERIES][STEPS] = {0};
    AUTO(arena_free) struct arena *a = arena_new(4096);
    struct tsdb_selection *s = help_select(d.db, "job", "x");
    assert_true(tsdb_selection_n(s) <= SERIES);
    for (size_t i = 0; i < tsdb_selection_n(s); i++) {
        int series = tsdb_selection_labels(s, i).l[0].value.p[1] - '0';
        struct samples v;
        assert_true(tsdb_read(s, i, INT64_MIN, INT64_MAX, a, &v, NULL));
        for (size_t k = 0; k < v.n; k++) {
            int step = (int)(v.t_ms[k] / 1000) - 1;
            assert_true(step >= 0 && step < STEPS && run->sent[step]);
            double want = value_at(series, step);
            assert_memory_equal(&v.v[k], &want, sizeof want);
            found[series][step] = true;
        }
    }
    assert_null(tsdb_selection_damage(s));
    tsdb_selection_free(s);
    for (int step = 0; step < STEPS; step++)
        for (int k = 0; k < SERIES; k++) assert_true(!run->acknowledged[step] || found[k][step]);
    disk_close(&d);
}

static void survives_every_single_failure(void **state) {
    (void)state;
    unsigned runs = faults_everywhere(scenario, verify, sizeof(struct run));
    print_message("%u runs\n", runs);
}

static void takes_nothing_on_a_full_disk_and_all_again_after(void **state) {
    (void)state;
    struct vfs_faults faults = {0};
    struct disk d;
    disk_make(&d);
    d.vfs = vfs_faulty_new(vfs_real(), &faults);
    disk_open(&d);
    struct run run = {0};
    for (int step = 0; step < 30; step++) {
        faults.disk_full = step >= 10 && step < 20;
        push(d.db, &run, step);
        if (step % 4 == 3) disk_seal(&d, (int64_t)step * 1000000000 + 1);
        assert_int_equal(run.acknowledged[step], !faults.disk_full);
    }
    struct tsdb_stats st = disk_stats(&d);
    assert_true(st.received == st.stored + st.rejected + st.dropped);
    assert_int_equal(st.dropped, 10 * SERIES);
    assert_true(st.seal_failures > 0 && st.seal_err.code == ERR_NONE); /* failed, and healed */
    disk_close(&d);
    verify(d.dir, &run);
    vfs_faulty_free(d.vfs);
    disk_remove(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_nothing_on_a_full_disk_and_all_again_after),
        cmocka_unit_test(survives_every_single_failure),
    };
    loop_own_thread();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
