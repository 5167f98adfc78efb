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

/* --- tiers, deletions, snapshots */

enum { MINUTES = 60, DELETED_TO = 10 };
struct aging {
    bool acknowledged[MINUTES + 1], sent[MINUTES + 1], deleted, snapshot;
};
static void on_pushed(void *arg, const struct push_result *r) {
    if (r->stored == 1) *(bool *)arg = true;
}
static void on_snapshot(void *arg, const struct err *e) {
    *(bool *)arg = !e;
}
static void aging_options(struct disk *d, struct vfs *v, const char *dir) {
    *d = (struct disk){.vfs = v};
    snprintf(d->wal_dir, sizeof d->wal_dir, "%s/wal", dir);
    snprintf(d->metrics_dir, sizeof d->metrics_dir, "%s/metrics", dir);
    d->options.seal_age_ms = 1;
    d->options.retention_ms = 25 * 60000;
    d->options.retention_5m_ms = 1000 * 60000;
    d->options.retention_1h_ms = 2000 * 60000;
}

/* An hour of a sample a minute, sealed every ten; the older half becomes coarse; the first ten minutes are deleted. */
static void age(struct vfs *v, const char *dir, void *arg) {
    struct aging *run = arg;
    struct disk d;
    aging_options(&d, v, dir);
    struct err e;
    for (int life = 0, m = 1; life < 2; life++) {
        if (!disk_try_open(&d, &e)) continue;
        for (int end = life ? MINUTES : MINUTES / 2; m <= end; m++) {
            struct metric_batch *b = help_batch("job=x");
            help_add(b, "__name__=m", (int64_t)m * 60000, m);
            run->sent[m] = true;
            tsdb_append(d.db, b, on_pushed, &run->acknowledged[m]);
            if (m % 10 == 0)
                for (int i = 0; i < 4; i++) tsdb_tick(d.db, (int64_t)m * 60000 + i * 100);
            if (m == 40) tsdb_snapshot(d.db, "s", on_snapshot, &run->snapshot);
            if (m != 45) continue;
            struct matcher all = help_eq("job", "x");
            if (tsdb_delete_series(d.db, &all, 1, 0, DELETED_TO * 60000, &e)) run->deleted = true;
            tsdb_clean_tombstones(d.db);
        }
        for (int i = 0; i < 10; i++) tsdb_tick(d.db, (int64_t)MINUTES * 60000 + 50000 + i * 100);
        disk_close(&d);
    }
}

static void check_counts(struct tsdb *db, const struct aging *run, int last, bool deleted) {
    for (int hours = 0; hours < 2; hours++) {
        AUTO(arena_free) struct arena *a = arena_new(4096);
        struct tsdb_selection *s = help_select(db, "job", "x");
        tsdb_selection_set_step(s, hours ? 3600000 : 0);
        struct samples count = {0};
        struct samples sum = {0};
        if (tsdb_selection_n(s) > 0) {
            assert_true(tsdb_read_field(s, 0, TSDB_COUNT, INT64_MIN, INT64_MAX, a, &count, NULL));
            assert_true(tsdb_read_field(s, 0, TSDB_SUM, INT64_MIN, INT64_MAX, a, &sum, NULL));
        }
        double n = 0;
        double total = 0;
        for (size_t i = 0; i < count.n; i++) n += count.v[i];
        for (size_t i = 0; i < sum.n; i++) total += sum.v[i];
        double least = 0;
        double most = 0;
        double least_sum = 0;
        double most_sum = 0;
        for (int m = deleted ? DELETED_TO + 1 : 1; m <= last; m++) {
            if (run->acknowledged[m]) least++, least_sum += m;
            if (run->sent[m]) most++, most_sum += m;
        }
        assert_true(n >= least && n <= most && total >= least_sum && total <= most_sum); /* each once, in whatever form */
        assert_null(tsdb_selection_damage(s));
        tsdb_selection_free(s);
    }
}

static void verify_age(const char *dir, void *arg) {
    const struct aging *run = arg;
    struct disk d;
    aging_options(&d, vfs_real(), dir);
    disk_open(&d);
    if (run->deleted) check_counts(d.db, run, MINUTES, true);
    disk_close(&d);
    if (!run->snapshot) return;
    char snapshot[160];
    snprintf(snapshot, sizeof snapshot, "%s/snapshots/s", d.metrics_dir);
    d.options.dir = snapshot;
    assert_true(tsdb_open(&d.options, &d.db, NULL));
    check_counts(d.db, run, 40, false);
    tsdb_close(d.db);
}

static void every_sample_is_in_one_place_whatever_fails_while_parts_age(void **state) {
    (void)state;
    unsigned runs = faults_everywhere(age, verify_age, sizeof(struct aging));
    print_message("%u runs\n", runs);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_nothing_on_a_full_disk_and_all_again_after),
        cmocka_unit_test(survives_every_single_failure),
        cmocka_unit_test(every_sample_is_in_one_place_whatever_fails_while_parts_age),
    };
    loop_own_thread();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
