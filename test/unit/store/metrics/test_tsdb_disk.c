#include "base/clock.h"
#include "base/hash.h"
#include "store/metrics/decimal.h"
#include "unit/store/metrics/disk.h"

/* A made-up scrape of a target with counters, gauges, a constant and a noisy sum; the same for the same arguments. */
static double value_at(int target, int metric, int step) {
    uint64_t x = hash_mix((uint64_t)(target * 1000 + metric), (uint64_t)step);
    switch (metric % 4) {
    case 0: return metric;
    case 1: return step * 10 + (double)(x % 7);
    case 2: return (double)(x % 10000) / 100;
    default: return 0.1 * step + 1e-9 * (double)(x % 5);
    }
}
enum { TARGETS = 3, METRICS = 150 };
static void scrape(struct tsdb *db, int target, int step, bool wait) {
    char name[64];
    snprintf(name, sizeof name, "instance=i%d,job=x", target);
    struct metric_batch *b = help_batch(name);
    b->whole_target = true;
    b->whole_t_ms = 1000000 + step * 15000 + target;
    for (int m = 0; m < METRICS; m++) {
        char key[64];
        snprintf(key, sizeof key, "__name__=m%03d,code=200", m);
        help_add(b, key, b->whole_t_ms, value_at(target, m, step));
    }
    struct push_result r = {0};
    if (wait)
        tsdb_append(db, b, NULL, NULL);
    else
        assert_true(tsdb_append_now(db, b, &r, NULL));
}
static void check_all(struct tsdb *db, int from, int to) {
    AUTO(arena_free) struct arena *a = arena_new(4096);
    struct tsdb_selection *s = help_select(db, "job", "x");
    assert_int_equal(tsdb_selection_n(s), TARGETS * METRICS);
    for (size_t i = 0; i < TARGETS * METRICS; i++) {
        int metric = (int)i / TARGETS; /* __name__ sorts first, then code, then instance */
        int target = (int)i % TARGETS;
        struct samples v;
        struct err e = {0};
        arena_reset(a);
        if (!tsdb_read(s, i, INT64_MIN, INT64_MAX, a, &v, &e)) fail_msg("%s", e.msg);
        assert_int_equal(v.n, to - from);
        for (int k = from; k < to; k++) {
            assert_int_equal(v.t_ms[k - from], 1000000 + k * 15000 + target);
            double want = value_at(target, metric, k);
            assert_memory_equal(&v.v[k - from], &want, sizeof want);
        }
    }
    assert_null(tsdb_selection_damage(s));
    tsdb_selection_free(s);
}

static void finds_all_after_a_restart_from_the_log_alone(void **state) {
    (void)state;
    struct disk d;
    disk_make(&d);
    disk_open(&d);
    for (int step = 0; step < 100; step++)
        for (int t = 0; t < TARGETS; t++) scrape(d.db, t, step, true);
    check_all(d.db, 0, 100);
    disk_reopen(&d);
    assert_int_equal(disk_stats(&d).replayed_cells, 100 * TARGETS * METRICS);
    assert_int_equal(disk_stats(&d).replay_lost, 0);
    check_all(d.db, 0, 100);
    for (int step = 100; step < 120; step++)
        for (int t = 0; t < TARGETS; t++) scrape(d.db, t, step, true);
    disk_reopen(&d);
    check_all(d.db, 0, 120);
    assert_int_equal(disk_stats(&d).series, TARGETS * METRICS);
    disk_close(&d);
    disk_remove(&d);
}

static void reads_parts_frozen_rows_and_the_head_as_one(void **state) {
    (void)state;
    struct disk d;
    disk_make(&d);
    disk_open(&d);
    int64_t now = 1;
    for (int step = 0; step < 90; step++) {
        for (int t = 0; t < TARGETS; t++) scrape(d.db, t, step, true);
        if (step % 30 == 29 && step < 80) now = disk_seal(&d, now);
    }
    struct tsdb_stats st = disk_stats(&d);
    assert_int_equal(st.parts, 2);
    assert_int_equal(st.part_samples, 60 * TARGETS * METRICS);
    assert_int_equal(st.head_samples, 30 * TARGETS * METRICS);
    check_all(d.db, 0, 90);
    disk_reopen(&d);
    assert_int_equal(disk_stats(&d).replayed_cells, 30 * TARGETS * METRICS); /* what is in parts is not replayed */
    check_all(d.db, 0, 90);
    disk_close(&d);
    disk_remove(&d);
}

static void compacts_small_parts_and_removes_them(void **state) {
    (void)state;
    struct disk d;
    disk_make(&d);
    disk_open(&d);
    int64_t now = 1;
    for (int step = 0; step < 80; step++) {
        for (int t = 0; t < TARGETS; t++) scrape(d.db, t, step, true);
        if (step % 20 == 19) now = disk_seal(&d, now);
    }
    struct tsdb_selection *before = help_select(d.db, "job", "x");
    tsdb_tick(d.db, now);
    struct tsdb_stats st = disk_stats(&d);
    assert_int_equal(st.parts, 1);
    assert_int_equal(st.compactions, 1);
    check_all(d.db, 0, 80);
    AUTO(arena_free) struct arena *a = arena_new(4096);
    struct samples v;
    assert_true(tsdb_read(before, 7, INT64_MIN, INT64_MAX, a, &v, NULL)); /* a pinned part outlives its file */
    assert_int_equal(v.n, 80);
    tsdb_selection_free(before);
    disk_reopen(&d);
    assert_int_equal(disk_stats(&d).parts, 1);
    check_all(d.db, 0, 80);
    disk_close(&d);
    disk_remove(&d);
}

static void retention_unlinks_old_parts(void **state) {
    (void)state;
    struct disk d;
    disk_make(&d);
    d.options.retention_ms = 3600 * 1000;
    d.options.seal_age_ms = 1000;
    disk_open(&d);
    help_push(d.db, "job=x", "__name__=m", 1000, 1);
    tsdb_tick(d.db, 2000);
    tsdb_tick(d.db, 3000);
    assert_int_equal(disk_stats(&d).parts, 1);
    help_push(d.db, "job=x", "__name__=m", 3000000, 2);
    tsdb_tick(d.db, 3000000);
    tsdb_tick(d.db, 3001000);
    assert_int_equal(disk_stats(&d).parts, 2);
    tsdb_tick(d.db, 3601001);
    assert_int_equal(disk_stats(&d).parts, 1);
    help_check(d.db, "__name__", "m", "3000000:2");
    disk_close(&d);
    disk_remove(&d);
}

static void push_exemplar(struct tsdb *db, int64_t t_ms, const char *trace) {
    struct metric_batch *b = help_batch("job=x");
    help_add(b, "__name__=reqs_total", t_ms, (double)t_ms);
    struct label *id = arena_new_n(b->arena, struct label, 1);
    *id = (struct label){STR("trace_id"), arena_str(b->arena, str_c(trace))};
    b->exemplars = arena_new_n(b->arena, struct exemplar, 1);
    b->exemplars[0] = (struct exemplar){{id, 1}, 0.5, 0};
    b->exemplar_n = b->rows[0].exemplar_n = 1;
    tsdb_append(db, b, NULL, NULL);
}

static void exemplars_outlive_the_log_they_came_in_and_are_kept_once(void **state) {
    (void)state;
    struct disk d;
    disk_make(&d);
    d.options.exemplars_max = 3;
    disk_open(&d);
    static const char *const traces[] = {"a", "b", "b", "b", "c", "d"}; /* shown until there is another */
    for (int i = 0; i < 6; i++) push_exemplar(d.db, 1000 * (i + 1), traces[i]);
    disk_seal(&d, 1);
    for (int life = 0; life < 3; life++) {
        AUTO(arena_free) struct arena *a = arena_new(4096);
        struct series_exemplar *found;
        size_t n;
        struct matcher m = help_eq("job", "x");
        assert_true(tsdb_exemplars(d.db, &m, 1, 0, 10000, a, &found, &n, NULL));
        assert_int_equal(n, 3);
        for (size_t i = 0; i < 3; i++) assert_true(str_eq(labels_get(found[i].exemplar.labels, STR("trace_id")), str_c(&"b\0c\0d"[2 * i])));
        assert_int_equal(found[0].exemplar.t_ms, 2000);
        disk_reopen(&d);
    }
    disk_close(&d);
    disk_remove(&d);
}

static void replays_everything_a_series_can_hold(void **state) {
    (void)state;
    struct disk d;
    disk_make(&d);
    d.options.out_of_order_ms = 100000;
    disk_open(&d);
    struct hist_span span = {-1, 2};
    double counts[] = {1, 2.5};
    struct histogram h = {.schema = 3, .count = 3.5, .sum = 7, .pos_span_n = 1, .pos_n = 2, .pos_spans = &span, .pos = counts};
    struct metric_batch *b = help_batch("");
    b->h = arena_zalloc(b->arena, 16 * sizeof *b->h);
    b->st_ms = arena_zalloc(b->arena, 16 * sizeof *b->st_ms);
    for (int i = 0; i < 10; i++) help_add(b, "__name__=m", 10000 * (i + 1), i == 8 ? stale_nan() : i / 3.0);
    b->h[2] = b->h[3] = &h;
    for (int i = 1; i < 6; i++) b->st_ms[i] = 700 + i / 3;
    help_add(b, "__name__=m", 15000, 77); /* late */
    struct label id = {STR("trace_id"), STR("abc")};
    b->exemplars = arena_new_n(b->arena, struct exemplar, 1);
    b->exemplars[0] = (struct exemplar){{&id, 1}, 0.5, 123};
    b->exemplar_n = b->rows[0].exemplar_n = 1;
    b->metas = arena_new_n(b->arena, struct metric_meta, 1);
    b->metas[0] = (struct metric_meta){STR("m"), METRIC_GAUGE, STR("Help."), STR("s")};
    b->meta_n = 1;
    tsdb_append(d.db, b, NULL, NULL);
    help_push(d.db, "", "__name__=m", 120000, 0.125);
    help_push(d.db, "", "__name__=m", 130000, 0.25);
    const char *want =
        "10000:0 15000:77 20000:0.33333333333333331@700 30000:h3.5@700 40000:h3.5@701 50000:1.3333333333333333@701 60000:1.6666666666666667@701 "
        "70000:2 80000:2.3333333333333335 90000:stale 100000:3 120000:0.125 130000:0.25";
    help_check(d.db, "__name__", "m", want);
    for (int round = 0; round < 3; round++) {
        if (round == 2)
            disk_seal(&d, 1);
        else
            disk_reopen(&d);
        help_check(d.db, "__name__", "m", want);
        AUTO(arena_free) struct arena *a = arena_new(4096);
        struct metric_meta *metas;
        size_t n;
        tsdb_metadata(d.db, STR(""), a, &metas, &n);
        assert_int_equal(n, 1);
        struct series_exemplar *x;
        assert_true(tsdb_exemplars(d.db, NULL, 0, 0, 1000000, a, &x, &n, NULL));
        assert_int_equal(n, 1);
        assert_int_equal(x[0].exemplar.t_ms, 123);
    }
    disk_reopen(&d);
    help_check(d.db, "__name__", "m", want);
    disk_close(&d);
    disk_remove(&d);
}

static void noise(struct tsdb *db, int step) {
    struct metric_batch *b = help_batch("job=noise");
    for (int m = 0; m < 1000; m++) {
        char key[64];
        snprintf(key, sizeof key, "__name__=m%03d", m);
        help_add(b, key, 1000000 + step * 15000, bits_double(hash_mix((uint64_t)m, (uint64_t)step) >> 2));
    }
    struct push_result r = {0};
    assert_true(tsdb_append_now(db, b, &r, NULL));
}

static void seals_before_its_time_when_samples_take_more_memory_than_their_series(void **state) {
    (void)state;
    struct disk d;
    disk_make(&d);
    disk_open(&d);
    int step = 0;
    for (; step < 100; step++) noise(d.db, step);
    tsdb_tick(d.db, 1000);
    tsdb_tick(d.db, 2000);
    assert_int_equal(disk_stats(&d).sealed, 0);
    while (disk_stats(&d).head_bytes <= 4 << 20) noise(d.db, step++);
    tsdb_tick(d.db, 3000);
    assert_int_equal(disk_stats(&d).sealed, 1);
    assert_int_equal(disk_stats(&d).head_bytes, 0);
    disk_close(&d);
    disk_remove(&d);
}

static void seals_while_replaying_more_than_memory_allows(void **state) {
    (void)state;
    struct disk d;
    disk_make(&d);
    disk_open(&d);
    for (int step = 0; step < 100; step++)
        for (int t = 0; t < TARGETS; t++) scrape(d.db, t, step, true);
    size_t bytes = disk_stats(&d).head_bytes;
    d.options.head_bytes_max = bytes / 3;
    disk_reopen(&d);
    assert_true(disk_stats(&d).parts >= 2);
    check_all(d.db, 0, 100);
    d.options.head_bytes_max = 0;
    disk_reopen(&d); /* the log still has it all: the same samples twice are one */
    check_all(d.db, 0, 100);
    disk_close(&d);
    disk_remove(&d);
}

/* A process that dies young, again and again, does not replay all its lives: what was sealed on the way is not needed any more. */
static void replays_only_the_newest_lives_when_it_sealed_in_between(void **state) {
    (void)state;
    struct disk d;
    disk_make(&d);
    disk_open(&d);
    enum { LIVES = 6, STEPS = 20 };
    for (int life = 0; life < LIVES; life++) {
        for (int step = 0; step < STEPS; step++)
            for (int t = 0; t < TARGETS; t++) scrape(d.db, t, life * STEPS + step, true);
        if (life == 0) d.options.head_bytes_max = disk_stats(&d).head_bytes * 2 / 3;
        assert_int_equal(disk_stats(&d).dropped, 0);
        disk_reopen(&d);
        check_all(d.db, 0, (life + 1) * STEPS);
    }
    disk_reopen(&d);
    assert_true(disk_stats(&d).replayed_cells <= 2 * STEPS * TARGETS * METRICS);
    check_all(d.db, 0, LIVES * STEPS);
    disk_close(&d);
    disk_remove(&d);
}

static void series_with_the_same_labels_from_two_sources_survive_a_replay(void **state) {
    (void)state;
    struct disk d;
    disk_make(&d);
    disk_open(&d);
    AUTO(buf_done) struct buf want = {0};
    for (int i = 1; i < 100; i++) {
        help_push(d.db, i % 2 ? "job=x" : "", i % 2 ? "__name__=m" : "__name__=m,job=x", 1000 * i, i * 3);
        buf_printf(&want, "%s%d:%d", i > 1 ? " " : "", 1000 * i, i * 3);
    }
    buf_char(&want, '\0');
    help_check(d.db, "__name__", "m", want.p);
    disk_reopen(&d);
    help_check(d.db, "__name__", "m", want.p);
    disk_close(&d);
    disk_remove(&d);
}

static void forgets_series_that_ended_long_ago(void **state) {
    (void)state;
    struct disk d;
    disk_make(&d);
    d.options.seal_age_ms = 60000;
    disk_open(&d);
    for (int i = 0; i < 3000; i++) {
        char key[40];
        snprintf(key, sizeof key, "__name__=gone,i=%d", i);
        help_push(d.db, "job=x", key, 1000, i);
    }
    help_push(d.db, "job=y", "__name__=stays", 1000, 1);
    struct tsdb_selection *held = help_select(d.db, "i", "17");
    int64_t now = disk_seal(&d, 1);
    help_push(d.db, "job=y", "__name__=stays", 1000000, 2);
    now = disk_seal(&d, now);
    assert_int_equal(disk_stats(&d).series, 1);
    assert_true(str_eq_c(labels_get(tsdb_selection_labels(held, 0), STR("i")), "17")); /* what a query holds stays */
    tsdb_selection_free(held);
    help_check(d.db, "i", "17", "1000:17");
    help_push(d.db, "job=y", "__name__=stays", 1001000, 3);
    help_push(d.db, "job=x", "__name__=gone,i=17", 1001000, 18);
    disk_reopen(&d);
    help_check(d.db, "__name__", "stays", "1000:1 1000000:2 1001000:3");
    help_check(d.db, "i", "17", "1000:17 1001000:18");
    disk_close(&d);
    disk_remove(&d);
}

/* Each frame of the log damaged in turn: what remains is right, and only that source loses anything. */
static void a_damaged_log_frame_never_makes_a_wrong_value(void **state) {
    (void)state;
    struct disk d;
    disk_make(&d);
    disk_open(&d);
    enum { STEPS = 40 };
    for (int step = 0; step < STEPS; step++)
        for (int t = 0; t < TARGETS; t++) scrape(d.db, t, step, true);
    disk_close(&d);
    char path[120];
    snprintf(path, sizeof path, "%s/0000000000000000.wal", d.wal_dir);
    FILE *f = fopen(path, "r+");
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    for (long at = 100; at < size; at += 1201) {
        fseek(f, at, SEEK_SET);
        int byte = fgetc(f);
        fseek(f, at, SEEK_SET);
        fputc(byte ^ 0x10, f);
        fflush(f);
        disk_open(&d);
        size_t found = 0;
        AUTO(arena_free) struct arena *a = arena_new(4096);
        struct tsdb_selection *s = help_select(d.db, "job", "x");
        for (size_t i = 0; i < tsdb_selection_n(s); i++) {
            struct labels ls = tsdb_selection_labels(s, i);
            int target = labels_get(ls, STR("instance")).p[1] - '0';
            int metric = atoi(labels_get(ls, STR("__name__")).p + 1);
            struct samples v;
            arena_reset(a);
            assert_true(tsdb_read(s, i, INT64_MIN, INT64_MAX, a, &v, NULL));
            found += v.n;
            for (size_t k = 0; k < v.n; k++) {
                double want = value_at(target, metric, (int)((v.t_ms[k] - 1000000) / 15000));
                assert_memory_equal(&v.v[k], &want, sizeof want);
            }
        }
        tsdb_selection_free(s);
        if (d.replay.damaged_frames) assert_true(found < STEPS * TARGETS * METRICS);
        assert_true(found >= STEPS * (TARGETS - 1) * METRICS || at < size / 3); /* one source at most, but for lost definitions */
        disk_close(&d);
        fseek(f, at, SEEK_SET);
        fputc(byte, f);
        fflush(f);
        char command[400];
        snprintf(command, sizeof command, "find '%s' -name '*.wal' ! -name 0000000000000000.wal -delete; rm -f '%s/checkpoint'", d.wal_dir,
                 d.wal_dir);
        assert_int_equal(system(command), 0);
    }
    fclose(f);
    disk_remove(&d);
}

/* Every bit of a small part flipped: the right values, or fewer of them and a report. */
static void a_damaged_part_never_gives_a_wrong_value(void **state) {
    (void)state;
    struct disk d;
    disk_make(&d);
    disk_open(&d);
    for (int i = 0; i < 30; i++) {
        struct metric_batch *b = help_batch("job=x");
        for (int m = 0; m < 5; m++) {
            char key[40];
            snprintf(key, sizeof key, "__name__=m%d", m);
            help_add(b, key, 1000 * i, value_at(0, m, i));
        }
        tsdb_append(d.db, b, NULL, NULL);
    }
    disk_seal(&d, 1);
    disk_close(&d);
    char path[120];
    snprintf(path, sizeof path, "%s/0000000000000001.part", d.metrics_dir);
    FILE *f = fopen(path, "r+");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    for (long bit = 0; bit < size * 8; bit++) {
        fseek(f, bit / 8, SEEK_SET);
        int byte = fgetc(f);
        fseek(f, bit / 8, SEEK_SET);
        fputc(byte ^ (1 << bit % 8), f);
        fflush(f);
        struct err e = {0};
        d.options.vfs = d.vfs;
        d.options.dir = d.metrics_dir;
        bool opened = tsdb_open(&d.options, &d.db, &e);
        if (!opened) assert_int_equal(e.code, ERR_UNSUPPORTED); /* the version */
        if (opened) {
            AUTO(arena_free) struct arena *a = arena_new(4096);
            struct tsdb_selection *s = help_select(d.db, "job", "x");
            size_t found = 0;
            for (size_t i = 0; i < tsdb_selection_n(s); i++) {
                struct samples v;
                assert_true(tsdb_read(s, i, INT64_MIN, INT64_MAX, a, &v, NULL));
                found += v.n;
                int metric = tsdb_selection_labels(s, i).l[0].value.p[1] - '0';
                for (size_t k = 0; k < v.n; k++) {
                    double want = value_at(0, metric, (int)(v.t_ms[k] / 1000));
                    assert_memory_equal(&v.v[k], &want, sizeof want);
                }
            }
            tsdb_selection_free(s);
            if (found < 150) assert_true(disk_stats(&d).damaged_frames > 0 && disk_stats(&d).first_damage.code == ERR_CORRUPT);
            tsdb_close(d.db);
        }
        fseek(f, bit / 8, SEEK_SET);
        fputc(byte, f);
        fflush(f);
    }
    fclose(f);
    disk_remove(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_all_after_a_restart_from_the_log_alone),
        cmocka_unit_test(reads_parts_frozen_rows_and_the_head_as_one),
        cmocka_unit_test(compacts_small_parts_and_removes_them),
        cmocka_unit_test(retention_unlinks_old_parts),
        cmocka_unit_test(exemplars_outlive_the_log_they_came_in_and_are_kept_once),
        cmocka_unit_test(replays_everything_a_series_can_hold),
        cmocka_unit_test(seals_before_its_time_when_samples_take_more_memory_than_their_series),
        cmocka_unit_test(seals_while_replaying_more_than_memory_allows),
        cmocka_unit_test(replays_only_the_newest_lives_when_it_sealed_in_between),
        cmocka_unit_test(series_with_the_same_labels_from_two_sources_survive_a_replay),
        cmocka_unit_test(forgets_series_that_ended_long_ago),
        cmocka_unit_test(a_damaged_log_frame_never_makes_a_wrong_value),
        cmocka_unit_test(a_damaged_part_never_gives_a_wrong_value),
    };
    loop_own_thread();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
