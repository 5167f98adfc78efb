/* The store as the program runs it: a loop, a log with its sync thread, a pool that seals, compacts and reads while the loop appends. Meant for the
 * thread sanitizer too. */
#include "base/hash.h"
#include "base/mem.h"
#include "unit/store/metrics/disk.h"

enum { STEPS = 400, SERIES = 80, READ_EVERY = 5 };

struct world {
    struct loop *loop;
    struct pool *pool;
    struct tsdb *db;
    struct wal *wal;
    struct timer *timer;
    int step, acknowledged, reads, reads_done;
};
static double value_at(int series, int step) {
    uint64_t x = hash_mix((uint64_t)series, (uint64_t)step);
    return series % 2 ? step * 3 + (double)(x % 3) : (double)(x % 1000) / 100;
}

static void stop_when_done(struct world *w) {
    if (w->acknowledged == STEPS && w->reads_done == w->reads) loop_stop(w->loop);
}
static void on_pushed(void *arg, const struct push_result *r) {
    struct world *w = arg;
    assert_int_equal(r->stored, SERIES);
    w->acknowledged++;
    stop_when_done(w);
}

struct reading {
    struct job job;
    struct world *world;
    struct tsdb_selection *s;
    int steps; /* appended when it was selected */
};
static void run_reading(struct job *j) {
    struct reading *r = CONTAINER_OF(j, struct reading, job);
    AUTO(arena_free) struct arena *a = arena_new(4096);
    assert_int_equal(tsdb_selection_n(r->s), SERIES);
    for (size_t i = 0; i < SERIES; i++) {
        struct samples v;
        struct err e = {0};
        arena_reset(a);
        if (!tsdb_read(r->s, i, INT64_MIN, INT64_MAX, a, &v, &e)) fail_msg("%s", e.msg);
        assert_int_equal(v.n, r->steps);
        for (int k = 0; k < r->steps; k++) {
            double want = value_at((int)i, k);
            assert_int_equal(v.t_ms[k], 1000 * k);
            assert_memory_equal(&v.v[k], &want, sizeof want);
        }
    }
}
static void reading_done(struct job *j) {
    struct reading *r = CONTAINER_OF(j, struct reading, job);
    assert_null(tsdb_selection_damage(r->s));
    tsdb_selection_free(r->s);
    r->world->reads_done++;
    stop_when_done(r->world);
    free(r);
}

static void on_tick(void *arg) {
    struct world *w = arg;
    tsdb_tick(w->db, (int64_t)(w->step + 1) * 1000);
    if (w->step == STEPS) return;
    struct metric_batch *b = help_batch("job=x");
    for (int s = 0; s < SERIES; s++) {
        char key[40];
        snprintf(key, sizeof key, "__name__=m%02d", s);
        help_add(b, key, 1000 * w->step, value_at(s, w->step));
    }
    w->step++;
    tsdb_append(w->db, b, on_pushed, w);
    if (w->step % READ_EVERY) return;
    struct reading *r = mem_zalloc(sizeof *r);
    *r = (struct reading){.job = {.run = run_reading, .done = reading_done}, .world = w, .s = help_select(w->db, "job", "x"), .steps = w->step};
    struct err e;
    if (pool_submit(w->pool, LANE_QUERY, &r->job, &e)) {
        w->reads++;
    } else {
        tsdb_selection_free(r->s);
        free(r);
    }
}

static void reads_seals_and_appends_at_the_same_time(void **state) {
    (void)state;
    struct disk d;
    disk_make(&d);
    struct world w = {.loop = loop_new()};
    loop_own_thread();
    w.pool = pool_new(w.loop, 3, 100);
    struct tsdb_options o = {.vfs = vfs_real(), .dir = d.metrics_dir, .pool = w.pool, .seal_age_ms = 20000};
    struct wal_options wo = {.vfs = vfs_real(), .dir = d.wal_dir, .window_ms = 1, .segment_bytes = 8 << 10};
    struct err e = {0};
    assert_true(tsdb_open(&o, &w.db, &e));
    assert_true(wal_open(w.loop, &wo, disk_on_record, w.db, &d.replay, &w.wal, &e));
    tsdb_attach_wal(w.db, w.wal);
    w.timer = timer_start(w.loop, 0, 1, on_tick, &w);
    loop_run(w.loop);
    timer_free(w.timer);
    pool_free(w.pool);
    struct tsdb_stats st;
    tsdb_stats(w.db, &st);
    assert_true(st.sealed >= 5);
    assert_true(st.compactions >= 1);
    assert_int_equal(st.stored, STEPS * SERIES);
    assert_int_equal(st.damaged_frames, 0);
    wal_close(w.wal);
    tsdb_close(w.db);
    loop_free(w.loop);
    disk_open(&d);
    AUTO(arena_free) struct arena *a = arena_new(4096);
    struct tsdb_selection *s = help_select(d.db, "__name__", "m07");
    struct samples v;
    assert_true(tsdb_read(s, 0, INT64_MIN, INT64_MAX, a, &v, &e));
    assert_int_equal(v.n, STEPS);
    tsdb_selection_free(s);
    disk_close(&d);
    disk_remove(&d);
}

static void on_snapshot(void *arg, const struct err *e) {
    (void)e;
    ++*(int *)arg;
}

/* The seal ends, or is canceled, in pool_free; the snapshots behind it ask for another one then. */
static void snapshots_that_wait_end_with_the_pool(void **state) {
    (void)state;
    struct disk d;
    disk_make(&d);
    struct loop *loop = loop_new();
    loop_own_thread();
    struct pool *pool = pool_new(loop, 2, 100);
    d.options.pool = pool;
    disk_open(&d);
    int ended[3] = {0};
    for (int i = 0; i < 3; i++) {
        const char *names[] = {"a", "b", "c"};
        help_push(d.db, "job=x", "__name__=m", 1000 * (i + 1), i);
        tsdb_snapshot(d.db, names[i], on_snapshot, &ended[i]);
    }
    pool_free(pool);
    disk_close(&d);
    for (int i = 0; i < 3; i++) assert_int_equal(ended[i], 1);
    loop_free(loop);
    d.options.pool = NULL;
    disk_open(&d);
    help_check(d.db, "__name__", "m", "1000:0 2000:1 3000:2");
    disk_close(&d);
    disk_remove(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_seals_and_appends_at_the_same_time),
                                       cmocka_unit_test(snapshots_that_wait_end_with_the_pool)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
