/* The files in test/golden/metrics must open for ever: one part (two targets, floats of every kind, a native histogram, start timestamps, a series on
 * its own clock) and a log with more of the same. v1 is the first version of the formats; v2 is a log with strings by number and ordered cells.
 * `unit_store_tsdb_golden DIR [log]` writes such files anew (or only a log), for a new version of the formats beside the
 * old ones. */
#include "base/hash.h"
#include "store/metrics/decimal.h"
#include "unit/store/metrics/disk.h"

enum { IN_PART = 40, IN_ALL = 60 };

static double value_at(int target, int series, int step) {
    uint64_t x = hash_mix((uint64_t)(target * 100 + series), (uint64_t)step);
    static const uint64_t odd[] = {STALE_NAN_BITS, NORMAL_NAN_BITS, UINT64_C(0x8000000000000000), UINT64_C(0x7ff0000000000000), 1};
    switch (series) {
    case 0: return 42;
    case 1: return step * 17 + (double)(x % 5);
    case 2: return (double)(x % 100000) / 1000;
    case 3: return 0.1 * step + 1e-15 * (double)(x % 9);
    case 4: return bits_double(odd[x % ARRAY_N(odd)]);
    default: return bits_double(x);
    }
}

static const struct hist_span spans[] = {{-2, 1}, {3, 2}};
static const double bounds[] = {0.5, 1, 2.5};
static struct histogram histogram_at(struct arena *a, int step) {
    double *counts = arena_new_n(a, double, 3);
    for (int i = 0; i < 3; i++) counts[i] = step + i * 2;
    struct histogram h = {.schema = 2, .hint = RESET_NO, .zero_threshold = 0.001, .zero_count = 1, .count = 3 * step + 7, .sum = step * 0.7};
    h.pos_spans = spans;
    h.pos_span_n = 2;
    h.pos = counts;
    h.pos_n = 3;
    if (step % 3) return h;
    h.schema = HIST_SCHEMA_CUSTOM;
    h.custom = bounds;
    h.custom_n = 3;
    return h;
}

static void push_step(struct tsdb *db, int step) {
    for (int target = 0; target < 2; target++) {
        struct metric_batch *b = help_batch(target ? "instance=b,job=golden" : "instance=a,job=golden");
        b->h = arena_zalloc(b->arena, 16 * sizeof *b->h);
        b->st_ms = arena_zalloc(b->arena, 16 * sizeof *b->st_ms);
        int64_t t = INT64_C(1700000000000) + step * 15000 + target * 777;
        for (int s = 0; s < 6; s++) {
            char key[40];
            snprintf(key, sizeof key, "__name__=golden_%d,code=%d", s, s * 100);
            if (s == 2 && step % 10 == 3) continue; /* gaps */
            b->st_ms[b->sample_n] = s == 1 ? 1699999000000 + step / 20 : 0;
            help_add(b, key, s == 5 ? t + 123 : t, value_at(target, s, step)); /* the last is off the beat */
        }
        struct histogram h = histogram_at(b->arena, step);
        b->h[b->sample_n] = histogram_copy(b->arena, &h);
        help_add(b, "__name__=golden_histogram", t, 0);
        tsdb_append(db, b, NULL, NULL);
    }
}

static void write_files(const char *dir, bool with_part) {
    struct disk d = {.vfs = vfs_real()};
    snprintf(d.wal_dir, sizeof d.wal_dir, "%s/wal", dir);
    snprintf(d.metrics_dir, sizeof d.metrics_dir, "%s/metrics", dir);
    disk_open(&d);
    for (int step = 0; step < IN_ALL; step++) {
        if (step == IN_PART && with_part) disk_seal(&d, 1);
        push_step(d.db, step);
    }
    disk_close(&d);
}

static void check_series(const struct tsdb_selection *s, size_t i, struct arena *a) {
    struct labels ls = tsdb_selection_labels(s, i);
    struct samples v;
    struct err e = {0};
    if (!tsdb_read(s, i, INT64_MIN, INT64_MAX, a, &v, &e)) fail_msg("%s", e.msg);
    int target = str_eq(labels_get(ls, STR("instance")), STR("b"));
    str name = labels_get(ls, LABEL_METRIC_NAME);
    bool is_histogram = str_eq_c(name, "golden_histogram");
    int series = is_histogram ? 6 : name.p[7] - '0';
    size_t k = 0;
    for (int step = 0; step < IN_ALL; step++) {
        if (series == 2 && step % 10 == 3) continue;
        assert_true(k < v.n);
        assert_int_equal(v.t_ms[k], INT64_C(1700000000000) + step * 15000 + target * 777 + (series == 5 ? 123 : 0));
        if (series == 1) assert_int_equal(v.st_ms[k], 1699999000000 + step / 20);
        double want = value_at(target, series, step);
        if (!is_histogram) assert_memory_equal(&v.v[k], &want, sizeof want);
        if (is_histogram) {
            struct histogram h = histogram_at(a, step);
            const struct histogram *got = v.h[k];
            assert_true(got->schema == h.schema && got->hint == h.hint && got->count == h.count && got->sum == h.sum);
            assert_true(got->zero_count == 1 && got->zero_threshold == 0.001 && got->pos_n == 3 && got->custom_n == h.custom_n);
            assert_memory_equal(got->pos, h.pos, 3 * sizeof(double));
            assert_memory_equal(got->pos_spans, spans, sizeof spans);
            if (h.custom_n) assert_memory_equal(got->custom, bounds, sizeof bounds);
        }
        k++;
    }
    assert_int_equal(k, v.n);
}

static void open_files(const char *version, int parts) {
    struct disk d;
    disk_make(&d);
    char command[200];
    snprintf(command, sizeof command, "cp -r test/golden/metrics/%s/* %s/", version, d.dir);
    assert_int_equal(system(command), 0);
    disk_open(&d);
    struct tsdb_stats st = disk_stats(&d);
    assert_int_equal(st.parts, parts);
    assert_int_equal(st.damaged_frames, 0);
    assert_int_equal(d.replay.damaged_frames, 0);
    AUTO(arena_free) struct arena *a = arena_new(4096);
    struct tsdb_selection *s = help_select(d.db, "job", "golden");
    assert_int_equal(tsdb_selection_n(s), 14);
    for (size_t i = 0; i < 14; i++) check_series(s, i, a);
    assert_null(tsdb_selection_damage(s));
    tsdb_selection_free(s);
    disk_close(&d);
    disk_remove(&d);
}

static void opens_the_files_of_the_first_version(void **state) {
    (void)state;
    open_files("v1", 1);
}
static void opens_a_log_with_strings_by_number(void **state) {
    (void)state;
    open_files("v2", 0);
}

static void opens_parts_of_the_second_version(void **state) {
    (void)state;
    open_files("v3", 1);
}

/* A counter every minute of three hours, reset twice, in a 5 m and a 1 h part; and a deletion that waits. */
enum { MINUTES = 180 };
static double minute_at(int m) {
    return (double)(m % 70) * 3;
}
static void write_tiers(const char *dir) {
    struct disk d = {.vfs = vfs_real()};
    snprintf(d.wal_dir, sizeof d.wal_dir, "%s/wal", dir);
    snprintf(d.metrics_dir, sizeof d.metrics_dir, "%s/metrics", dir);
    d.options.seal_age_ms = 1;
    d.options.retention_ms = 1000;
    d.options.retention_5m_ms = 1000000000;
    d.options.retention_1h_ms = 2000000000;
    disk_open(&d);
    for (int m = 1; m <= MINUTES; m++) help_push(d.db, "job=golden", "__name__=minutes", (int64_t)m * 60000, minute_at(m));
    struct matcher m = help_eq("job", "golden");
    assert_true(tsdb_delete_series(d.db, &m, 1, 0, 600000, NULL));
    for (int64_t i = 0; i < 5; i++) tsdb_tick(d.db, (int64_t)MINUTES * 60000 + i * 2000);
    disk_close(&d);
}

static void opens_the_tiers_of_the_second_version(void **state) {
    (void)state;
    struct disk d;
    disk_make(&d);
    char command[200];
    snprintf(command, sizeof command, "cp -r test/golden/metrics/v3-tiers %s", d.metrics_dir);
    assert_int_equal(system(command), 0);
    disk_open(&d);
    assert_int_equal(disk_stats(&d).coarse_parts, 2);
    for (int hours = 0; hours < 2; hours++) {
        AUTO(arena_free) struct arena *a = arena_new(4096);
        struct tsdb_selection *s = help_select(d.db, "job", "golden");
        tsdb_selection_set_step(s, hours ? 3600000 : 0);
        struct samples sum;
        struct samples last;
        assert_true(tsdb_read_field(s, 0, TSDB_SUM, INT64_MIN, INT64_MAX, a, &sum, NULL));
        assert_true(tsdb_read_field(s, 0, TSDB_LAST, INT64_MIN, INT64_MAX, a, &last, NULL));
        assert_int_equal(sum.n, hours ? 3 : 34); /* of 36, two are deleted */
        for (size_t i = 0; i < sum.n; i++) {
            int end = (int)(sum.t_ms[i] / 60000);
            double want = 0;
            for (int m = MAX(end - (hours ? 60 : 5), hours ? 10 : 0) + 1; m <= end; m++) want += minute_at(m);
            assert_true(sum.v[i] == want && last.v[i] == minute_at(end));
        }
        tsdb_selection_free(s);
    }
    disk_close(&d);
    disk_remove(&d);
}

int main(int argc, char **argv) {
    loop_own_thread();
    if (argc == 3 && strcmp(argv[2], "tiers") == 0) {
        write_tiers(argv[1]);
        return 0;
    }
    if (argc > 1) {
        write_files(argv[1], argc == 2);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_the_files_of_the_first_version),
        cmocka_unit_test(opens_a_log_with_strings_by_number),
        cmocka_unit_test(opens_parts_of_the_second_version),
        cmocka_unit_test(opens_the_tiers_of_the_second_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
