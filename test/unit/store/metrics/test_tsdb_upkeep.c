/* Retention, tiers, rules, deletions, snapshots: what happens to parts over time. Time is the tests' own: hours since 1970. */
#include "base/clock.h"
#include "unit/store/metrics/disk.h"

#define HOUR_MS (INT64_C(3600) * MS_PER_S)
enum { PER_HOUR = 60 };

/* A counter that is reset every 90 minutes and a gauge, every minute of hour `hour`. */
static double counter_at(int minute) {
    return (double)(minute % 90) * 7;
}
static double gauge_at(int minute) {
    return (double)(minute * 37 % 101);
}
static void fill_hour(struct disk *d, int hour) {
    for (int m = hour * PER_HOUR + 1; m <= (hour + 1) * PER_HOUR; m++) {
        help_push(d->db, "job=x", "__name__=counter", (int64_t)m * 60000, counter_at(m));
        help_push(d->db, "job=x", "__name__=gauge,pod=p", (int64_t)m * 60000, gauge_at(m));
    }
    tsdb_tick(d->db, (hour + 1) * HOUR_MS);
    tsdb_tick(d->db, (hour + 1) * HOUR_MS + 2000);
}
static void make_store(struct disk *d, int hours) {
    disk_make(d);
    d->options.seal_age_ms = 1000;
    disk_open(d);
    for (int hour = 0; hour < hours; hour++) fill_hour(d, hour);
}
/* Ticks until nothing is done any more. */
static void settle(struct disk *d, int64_t now_ms) {
    for (int i = 0; i < 100; i++) tsdb_tick(d->db, now_ms);
}
static struct samples read_one(struct disk *d, const char *name, enum tsdb_field f, int64_t step_ms, struct arena *a) {
    struct tsdb_selection *s = help_select(d->db, "__name__", name);
    struct samples v = {0};
    struct err e = {0};
    if (tsdb_selection_n(s) == 1) {
        tsdb_selection_set_step(s, step_ms);
        if (!tsdb_read_field(s, 0, f, INT64_MIN, INT64_MAX, a, &v, &e)) fail_msg("%s", e.msg);
    }
    tsdb_selection_free(s);
    return v;
}
static double sum_of(struct samples v) {
    double sum = 0;
    for (size_t i = 0; i < v.n; i++) sum += v.v[i];
    return sum;
}
static double increase_of(struct samples v) {
    double sum = 0;
    for (size_t i = 1; i < v.n; i++) sum += v.v[i] >= v.v[i - 1] ? v.v[i] - v.v[i - 1] : v.v[i];
    return sum;
}

static void raw_samples_are_read_until_they_are_gone_then_the_tier_the_step_asks_for(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(4096);
    struct disk d;
    make_store(&d, 12);
    struct samples raw = read_one(&d, "gauge", TSDB_SUM, 0, a);
    double sum = sum_of(raw);
    double increase = increase_of(read_one(&d, "counter", TSDB_LAST, 0, a));
    assert_int_equal(raw.n, 720);
    d.options.retention_ms = 20 * HOUR_MS;
    d.options.retention_5m_ms = 100 * HOUR_MS;
    d.options.retention_1h_ms = 1000 * HOUR_MS;
    disk_reopen(&d);
    int64_t now = 40 * HOUR_MS;
    while (disk_stats(&d).coarse_parts < 2) { /* both tiers of the oldest part are there, or being made: every sample counts once */
        tsdb_tick(d.db, now);
        assert_true(sum_of(read_one(&d, "gauge", TSDB_SUM, 0, a)) == sum);
        assert_true(sum_of(read_one(&d, "gauge", TSDB_COUNT, 0, a)) == 720);
    }
    settle(&d, now);
    disk_reopen(&d);
    settle(&d, now);
    for (int hour_step = 0; hour_step < 2; hour_step++) {
        int64_t step = hour_step ? HOUR_MS : 60000;
        struct samples v = read_one(&d, "gauge", TSDB_SUM, step, a);
        assert_int_equal(v.n, hour_step ? 12 : 144);
        assert_true(sum_of(v) == sum);
        assert_true(sum_of(read_one(&d, "gauge", TSDB_COUNT, step, a)) == 720);
        struct samples max = read_one(&d, "gauge", TSDB_MAX, step, a);
        struct samples min = read_one(&d, "gauge", TSDB_MIN, step, a);
        for (size_t i = 0; i < v.n; i++) {
            double want_max = 0;
            double want_min = 1000;
            for (int m = (int)(i ? v.t_ms[i - 1] / 60000 + 1 : 1); m <= (int)(v.t_ms[i] / 60000); m++) {
                want_max = MAX(want_max, gauge_at(m));
                want_min = MIN(want_min, gauge_at(m));
            }
            assert_true(max.v[i] == want_max && min.v[i] == want_min);
        }
        double lost = counter_at((int)(v.t_ms[0] / 60000)) - counter_at(1); /* before the first sample that stayed */
        assert_true(increase_of(read_one(&d, "counter", TSDB_COUNTER, step, a)) == increase - lost);
        struct tsdb_selection *s = help_select(d.db, "job", "x");
        tsdb_selection_set_step(s, step);
        size_t n;
        const struct tsdb_coarse *coarse = tsdb_selection_coarse(s, &n);
        assert_true(n >= 1 && coarse[0].step_ms == (hour_step ? 3600000 : 300000) && coarse[n - 1].to_ms == 12 * HOUR_MS);
        tsdb_selection_free(s);
    }
    settle(&d, 200 * HOUR_MS); /* the 5 m tier is too old now */
    assert_int_equal(read_one(&d, "gauge", TSDB_SUM, 60000, a).n, 12);
    assert_true(sum_of(read_one(&d, "gauge", TSDB_SUM, 60000, a)) == sum);
    settle(&d, 2000 * HOUR_MS);
    assert_int_equal(disk_stats(&d).parts, 0);
    disk_close(&d);
    disk_remove(&d);
}

static void raw_and_coarse_samples_are_read_as_one(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(4096);
    struct disk d;
    disk_make(&d);
    d.options.seal_age_ms = 1000;
    d.options.retention_ms = 4 * HOUR_MS;
    d.options.retention_5m_ms = 1000 * HOUR_MS;
    disk_open(&d);
    for (int hour = 0; hour < 20; hour++) fill_hour(&d, hour);
    settle(&d, 20 * HOUR_MS + 5000);
    struct samples count = read_one(&d, "gauge", TSDB_COUNT, 0, a);
    assert_true(sum_of(count) == 1200);
    assert_true(count.n < 1200 && count.n > 240);
    assert_true(count.v[0] == 5 && count.v[count.n - 1] == 1);
    struct samples last = read_one(&d, "gauge", TSDB_LAST, 0, a);
    for (size_t i = 0; i < last.n; i++) assert_true(last.v[i] == gauge_at((int)(last.t_ms[i] / 60000)));
    assert_true(last.t_ms[last.n - 1] == 20 * HOUR_MS);
    disk_close(&d);
    disk_remove(&d);
}

static void rules_keep_some_series_longer_and_others_less_long(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(4096);
    struct disk d;
    make_store(&d, 2);
    const struct matcher pod = {MATCH_EQ, STR("pod"), STR("p"), NULL};
    const struct matcher counter = {MATCH_EQ, STR("__name__"), STR("counter"), NULL};
    const struct tsdb_keep_rule rules[] = {{&pod, 1, 5 * HOUR_MS}, {&counter, 1, 50 * HOUR_MS}};
    help_push(d.db, "job=x", "__name__=other", 2 * HOUR_MS, 1);
    d.options.retention_ms = 10 * HOUR_MS;
    d.options.retention_rules = rules;
    d.options.retention_rule_n = 2;
    disk_reopen(&d);
    settle(&d, 3 * HOUR_MS);
    settle(&d, 3 * HOUR_MS + 2000);
    assert_int_equal(read_one(&d, "gauge", TSDB_LAST, 0, a).n, 120);
    settle(&d, 8 * HOUR_MS);
    assert_int_equal(read_one(&d, "gauge", TSDB_LAST, 0, a).n, 0);
    assert_int_equal(read_one(&d, "counter", TSDB_LAST, 0, a).n, 120);
    assert_int_equal(read_one(&d, "other", TSDB_LAST, 0, a).n, 1);
    settle(&d, 20 * HOUR_MS);
    assert_int_equal(read_one(&d, "counter", TSDB_LAST, 0, a).n, 120);
    assert_int_equal(read_one(&d, "other", TSDB_LAST, 0, a).n, 0);
    disk_reopen(&d);
    settle(&d, 60 * HOUR_MS);
    assert_int_equal(disk_stats(&d).parts, 0);
    disk_close(&d);
    disk_remove(&d);
}

static void deleted_samples_are_hidden_at_once_and_leave_the_files_when_cleaned(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(4096);
    struct disk d;
    make_store(&d, 2);
    help_push(d.db, "job=x", "__name__=gauge,pod=p", 2 * HOUR_MS + 60000, 5);
    struct matcher gauge = help_eq("__name__", "gauge");
    struct err e = {0};
    assert_false(tsdb_delete_series(d.db, NULL, 0, 0, 1, &e));
    assert_int_equal(e.code, ERR_INPUT);
    assert_true(tsdb_delete_series(d.db, &gauge, 1, HOUR_MS, INT64_MAX, &e));
    uint64_t samples = disk_stats(&d).part_samples;
    for (int round = 0; round < 4; round++) {
        if (round == 1) disk_reopen(&d);
        if (round == 2) {
            tsdb_clean_tombstones(d.db);
            settle(&d, 3 * HOUR_MS);
            settle(&d, 3 * HOUR_MS + 1000);
            assert_int_equal(disk_stats(&d).tombstones, 0);
            assert_int_equal(disk_stats(&d).part_samples, samples - 61);
            assert_int_equal(disk_stats(&d).head_samples, 0);
        }
        if (round == 3) disk_reopen(&d);
        assert_int_equal(read_one(&d, "gauge", TSDB_LAST, 0, a).n, 59);
        assert_int_equal(read_one(&d, "counter", TSDB_LAST, 0, a).n, 120);
    }
    help_push(d.db, "job=x", "__name__=gauge,pod=p", 4 * HOUR_MS, 6); /* later samples are not meant */
    assert_int_equal(read_one(&d, "gauge", TSDB_LAST, 0, a).n, 60);
    assert_true(tsdb_delete_series(d.db, &gauge, 1, INT64_MIN, INT64_MAX, &e));
    struct tsdb_selection *s = help_select(d.db, "__name__", "gauge");
    assert_int_equal(tsdb_selection_n(s), 0); /* nothing is left of it */
    tsdb_selection_free(s);
    disk_close(&d);
    disk_remove(&d);
}

static void a_damaged_list_of_deletions_is_reported(void **state) {
    (void)state;
    struct disk d;
    make_store(&d, 1);
    struct matcher m = {MATCH_EQ, STR("pod"), STR("p"), NULL};
    struct err e = {0};
    assert_true(tsdb_delete_series(d.db, &m, 1, INT64_MIN, INT64_MAX, &e));
    disk_close(&d);
    char path[120];
    snprintf(path, sizeof path, "%s/deletions", d.metrics_dir);
    FILE *f = fopen(path, "r+");
    assert_non_null(f);
    fseek(f, 12, SEEK_SET);
    fputc('?', f);
    fclose(f);
    disk_open(&d);
    assert_int_equal(disk_stats(&d).damaged_frames, 1);
    assert_non_null(strstr(disk_stats(&d).first_damage.msg, "deletions"));
    disk_close(&d);
    disk_remove(&d);
}

struct outcome {
    int n;
    bool ok;
    struct err e;
};
static void on_snapshot(void *arg, const struct err *e) {
    struct outcome *o = arg;
    o->n++;
    o->ok = !e;
    if (e) o->e = *e;
}

static void a_snapshot_is_a_store_with_all_that_was_there(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(4096);
    struct disk d;
    make_store(&d, 2);
    help_push(d.db, "job=x", "__name__=other", 2 * HOUR_MS, 42);
    struct matcher gauge = help_eq("__name__", "gauge");
    assert_true(tsdb_delete_series(d.db, &gauge, 1, INT64_MIN, HOUR_MS, NULL));
    struct outcome o = {0};
    tsdb_snapshot(d.db, "../x", on_snapshot, &o);
    assert_true(o.n == 1 && !o.ok && o.e.code == ERR_INPUT);
    tsdb_snapshot(d.db, "s1", on_snapshot, &o);
    assert_true(o.n == 2 && o.ok);
    tsdb_snapshot(d.db, "s1", on_snapshot, &o);
    assert_true(o.n == 3 && !o.ok && strstr(o.e.msg, "already"));
    size_t parts;
    const struct tsdb_part_info *part = tsdb_parts(d.db, a, &parts);
    assert_int_equal(parts, disk_stats(&d).parts);
    assert_true(part[parts - 1].series == 1 && part[parts - 1].samples == 1 && part[parts - 1].max_ms == 2 * HOUR_MS && part[parts - 1].step_ms == 0);
    help_push(d.db, "job=x", "__name__=other", 2 * HOUR_MS + 1, 43);
    disk_close(&d);
    struct tsdb_options options = d.options;
    char dir[160];
    snprintf(dir, sizeof dir, "%s/snapshots/s1", d.metrics_dir);
    options.dir = dir;
    assert_true(tsdb_open(&options, &d.db, NULL));
    help_check(d.db, "__name__", "other", "7200000:42");
    assert_int_equal(read_one(&d, "counter", TSDB_LAST, 0, a).n, 120);
    assert_int_equal(read_one(&d, "gauge", TSDB_LAST, 0, a).n, 60);
    tsdb_close(d.db);
    disk_remove(&d);
}

static void tiny_parts_are_merged_a_thousand_at_a_time(void **state) {
    (void)state;
    struct disk d;
    disk_make(&d);
    d.options.seal_age_ms = 1000;
    disk_open(&d);
    enum { PARTS = 3 };
    for (int p = 0; p < PARTS; p++) {
        char key[40];
        snprintf(key, sizeof key, "__name__=m,i=%d", p);
        help_push(d.db, "job=x", key, 1000 * p, p);
        tsdb_tick(d.db, 2000 * p + 1);
        tsdb_tick(d.db, 2000 * p + 1002);
    }
    disk_close(&d);
    char command[300]; /* copies under other numbers */
    snprintf(command, sizeof command, "cd %s && for i in $(seq 1000 1899); do n=$(printf %%016x $i); cp 0000000000000001.part $n.part; done",
             d.metrics_dir);
    assert_int_equal(system(command), 0);
    disk_open(&d);
    assert_int_equal(disk_stats(&d).parts, 903);
    tsdb_tick(d.db, 10000);
    assert_int_equal(disk_stats(&d).parts, 1);
    disk_reopen(&d);
    assert_int_equal(disk_stats(&d).parts, 1);
    help_check(d.db, "i", "0", "0:0");
    help_check(d.db, "i", "2", "2000:2");
    disk_close(&d);
    disk_remove(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raw_samples_are_read_until_they_are_gone_then_the_tier_the_step_asks_for),
        cmocka_unit_test(raw_and_coarse_samples_are_read_as_one),
        cmocka_unit_test(rules_keep_some_series_longer_and_others_less_long),
        cmocka_unit_test(deleted_samples_are_hidden_at_once_and_leave_the_files_when_cleaned),
        cmocka_unit_test(a_damaged_list_of_deletions_is_reported),
        cmocka_unit_test(a_snapshot_is_a_store_with_all_that_was_there),
        cmocka_unit_test(tiny_parts_are_merged_a_thousand_at_a_time),
    };
    loop_own_thread();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
