/* bench_parts: what reading out of parts costs, in CPU milliseconds of one thread.
 *   bench_parts read [SERIES]     6 hours every 15 s in parts as sealing and compaction leave them: select, then read all
 *   bench_parts tiny [PARTS]      PARTS parts of 60 series each: open, the first select, compaction until nothing is left to merge
 *   bench_parts index [SERIES]    one part of SERIES series, half of them in targets of 500, half with labels of their own: selectors, names, values
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "loop/loop.h"
#include "store/metrics/tsdb.h"

#define T0_MS INT64_C(1700000000000)
#define DAY_MS (INT64_C(24) * 3600 * 1000)

static char dir[64], wal_dir[80], metrics_dir[80];
static struct tsdb *db;
static struct wal *wal;
static int64_t clock_ms = 1;

static void die(const struct err *e) {
    fprintf(stderr, "bench_parts: %s\n", e->msg);
    exit(1);
}
static double ms_since(int64_t ns) {
    return (double)(clock_cpu_ns() - ns) / 1e6;
}
static bool on_record(void *arg, enum wal_type type, uint64_t lsn, str payload, struct err *e) {
    (void)type;
    return tsdb_replay(arg, lsn, payload, e);
}
static void open_db(void) {
    struct err e;
    struct tsdb_options o = {.vfs = vfs_real(), .dir = metrics_dir, .head_bytes_max = (size_t)4 << 30};
    struct wal_options w = {.vfs = vfs_real(), .dir = wal_dir, .no_sync = true, .queue_bytes_max = (size_t)1 << 30};
    struct wal_replay_stats stats;
    if (!tsdb_open(&o, &db, &e) || !wal_open(NULL, &w, on_record, db, &stats, &wal, &e)) die(&e);
    tsdb_attach_wal(db, wal);
}
static void close_db(void) {
    wal_close(wal);
    tsdb_close(db);
}
static void seal(void) {
    tsdb_tick(db, clock_ms);
    clock_ms += DAY_MS;
    tsdb_tick(db, clock_ms++);
}
static struct tsdb_stats stats_of(void) {
    struct tsdb_stats st;
    tsdb_stats(db, &st);
    return st;
}

typedef void (*naming)(size_t series, struct arena *a, struct label *l, size_t *n);
static bool labels_of(const struct metric_batch *b, size_t i, struct arena *a, struct labels *out, struct err *e) {
    struct label *l = arena_new_n(a, struct label, 16);
    size_t n = 0;
    uint64_t series;
    memcpy(&series, b->rows[i].key.p, sizeof series);
    ((naming)b->row_labels_arg)(series, a, l, &n);
    if (!labels_sort(l, &n, e)) return false;
    *out = (struct labels){l, n};
    return true;
}
static struct metric_batch *batch(struct labels target, naming name, size_t first, size_t n) {
    struct metric_batch *b = metric_batch_new(64 << 10);
    b->target = labels_copy(b->arena, target);
    b->row_labels = labels_of;
    b->row_labels_arg = (void *)name;
    b->row_n = b->sample_n = n;
    b->rows = arena_new_n(b->arena, struct series_row, n);
    b->t_ms = arena_new_n(b->arena, int64_t, n);
    b->v = arena_new_n(b->arena, double, n);
    for (size_t i = 0; i < n; i++) {
        uint64_t series = first + i;
        b->rows[i] = (struct series_row){.key = arena_str(b->arena, str_n(&series, sizeof series)), .sample_at = (uint32_t)i, .sample_n = 1};
    }
    return b;
}
static void push(struct metric_batch *b) {
    struct err e;
    struct push_result r;
    if (!tsdb_append_now(db, b, &r, &e)) die(&e);
}

static void select_one(const char *what, struct matcher *m, size_t n, int64_t from_ms, int64_t to_ms) {
    struct err e;
    struct tsdb_selection *s;
    double best = 1e9;
    size_t found = 0;
    for (int i = 0; i < 3; i++) {
        int64_t t0 = clock_cpu_ns();
        if (!tsdb_select(db, m, n, from_ms, to_ms, 0, &s, &e)) die(&e);
        double ms = ms_since(t0);
        found = tsdb_selection_n(s);
        tsdb_selection_free(s);
        if (i == 0) printf("%10.3f ms first, ", ms);
        best = ms < best ? ms : best;
    }
    printf("%10.3f ms then  %8zu series  %s\n", best, found, what);
}

/* --- read */

enum { BUCKETS = 14, STEPS = 6 * 240, SEAL_STEPS = 120 };
static void name_bucket(size_t series, struct arena *a, struct label *l, size_t *n) {
    l[(*n)++] = (struct label){LABEL_METRIC_NAME, STR("http_request_duration_seconds_bucket")};
    l[(*n)++] = (struct label){STR("endpoint"), arena_printf(a, "/api/v%zu", series / BUCKETS % 17)};
    l[(*n)++] = (struct label){STR("le"), arena_printf(a, "%zu", series % BUCKETS)};
    l[(*n)++] = (struct label){STR("n"), arena_printf(a, "%zu", series / BUCKETS)};
}
static double bucket_value(size_t series, size_t step) {
    size_t group = series / BUCKETS;
    return (double)(step * (group % 7 + 1) * (series % BUCKETS + 1) + (step * 2654435761u + group) % 3 * (series % BUCKETS + 1));
}
static void bench_read(size_t series_n) {
    enum { PER_TARGET = 140 };
    for (size_t step = 0; step < STEPS; step++) {
        for (size_t first = 0; first < series_n; first += PER_TARGET) {
            char instance[32];
            snprintf(instance, sizeof instance, "10.0.0.%zu", first / PER_TARGET);
            struct label l = {STR("instance"), str_c(instance)};
            struct metric_batch *b = batch((struct labels){&l, 1}, name_bucket, first, MIN((size_t)PER_TARGET, series_n - first));
            for (size_t i = 0; i < b->row_n; i++) {
                b->t_ms[i] = T0_MS + (int64_t)step * 15000 + (int64_t)(first % 1000);
                b->v[i] = bucket_value(first + i, step);
            }
            push(b);
        }
        if (step % SEAL_STEPS == SEAL_STEPS - 1) seal();
    }
    struct tsdb_stats st = stats_of();
    printf("%zu series, %zu samples in %zu parts, %.3f bytes per sample\n", series_n, (size_t)st.part_samples, (size_t)st.parts,
           (double)st.part_bytes / (double)st.part_samples);
    struct matcher m = {MATCH_EQ, LABEL_METRIC_NAME, STR("http_request_duration_seconds_bucket"), NULL};
    for (int run = 0; run < 5; run++) {
        struct err e;
        struct tsdb_selection *s;
        AUTO(arena_free) struct arena *a = arena_new(1 << 20);
        int64_t t0 = clock_cpu_ns();
        if (!tsdb_select(db, &m, 1, INT64_MIN, INT64_MAX, 0, &s, &e)) die(&e);
        double select_ms = ms_since(t0);
        t0 = clock_cpu_ns();
        size_t samples = 0;
        for (size_t i = 0; i < tsdb_selection_n(s); i++) {
            struct samples v;
            arena_reset(a);
            if (!tsdb_read(s, i, INT64_MIN, INT64_MAX, a, &v, &e)) die(&e);
            samples += v.n;
        }
        printf("%10.1f ms select %10.1f ms read  %zu samples\n", select_ms, ms_since(t0), samples);
        tsdb_selection_free(s);
    }
}

/* --- tiny */

static void name_tiny(size_t series, struct arena *a, struct label *l, size_t *n) {
    l[(*n)++] = (struct label){LABEL_METRIC_NAME, STR("crash")};
    l[(*n)++] = (struct label){STR("i"), arena_printf(a, "%zu", series % 60)};
    l[(*n)++] = (struct label){STR("round"), arena_printf(a, "%zu", series / 60)};
}
static void write_tiny(size_t parts) {
    struct tsdb_options o = {.vfs = vfs_real(), .dir = metrics_dir};
    struct err e;
    for (size_t p = 0; p < parts; p++) { /* three at a time are not merged yet */
        if (!db && !tsdb_open(&o, &db, &e)) die(&e);
        struct metric_batch *b = batch((struct labels){0}, name_tiny, p * 60, 60);
        for (size_t i = 0; i < 60; i++) {
            b->t_ms[i] = T0_MS + (int64_t)p * 1000;
            b->v[i] = (double)i;
        }
        push(b);
        seal();
        char from[160];
        char to[160];
        snprintf(from, sizeof from, "%s/%016zx.part", metrics_dir, (size_t)1);
        snprintf(to, sizeof to, "%s/%016zx.kept", metrics_dir, p + 1);
        if (rename(from, to) != 0) die(&(struct err){.msg = "no part was written"});
        tsdb_close(db);
        db = NULL;
    }
    for (size_t p = 0; p < parts; p++) {
        char from[160];
        char to[160];
        snprintf(from, sizeof from, "%s/%016zx.kept", metrics_dir, p + 1);
        snprintf(to, sizeof to, "%s/%016zx.part", metrics_dir, p + 1);
        if (rename(from, to) != 0) die(&(struct err){.msg = "rename"});
    }
}
static void bench_tiny(size_t parts) {
    close_db();
    db = NULL;
    write_tiny(parts);
    int64_t t0 = clock_cpu_ns();
    open_db();
    printf("%10.1f ms open of %zu parts\n", ms_since(t0), (size_t)stats_of().parts);
    struct matcher name = {MATCH_EQ, LABEL_METRIC_NAME, STR("crash"), NULL};
    struct matcher one = {MATCH_EQ, STR("round"), STR("7"), NULL};
    select_one("round=\"7\", all time", &one, 1, INT64_MIN, INT64_MAX);
    select_one("crash, all time", &name, 1, INT64_MIN, INT64_MAX);
    select_one("crash, 10 s", &name, 1, T0_MS, T0_MS + 10000);
    t0 = clock_cpu_ns();
    int64_t wall = clock_mono_ns();
    size_t ticks = 0;
    for (uint64_t before = 0; before != stats_of().compactions || ticks == 0; ticks++) {
        before = stats_of().compactions;
        tsdb_tick(db, clock_ms++);
    }
    printf("%10.1f ms CPU, %.1f ms in all, for %zu ticks that left %zu parts\n", ms_since(t0), (double)(clock_mono_ns() - wall) / 1e6, ticks,
           (size_t)stats_of().parts);
}

/* --- index */

static void name_shape(size_t series, struct arena *a, struct label *l, size_t *n) {
    l[(*n)++] = (struct label){LABEL_METRIC_NAME, arena_printf(a, "metric_%zu", series % 500)};
    l[(*n)++] = (struct label){STR("code"), STR("200")};
}
static void name_own(size_t series, struct arena *a, struct label *l, size_t *n) {
    l[(*n)++] = (struct label){LABEL_METRIC_NAME, arena_printf(a, "remote_%zu", series % 500)};
    l[(*n)++] = (struct label){STR("region"), arena_printf(a, "region-%zu", series / 500 % 40)};
    l[(*n)++] = (struct label){STR("user"), arena_printf(a, "user-%zu-%08x", series / 500, (unsigned)hash_mix(series / 500, 1))};
    l[(*n)++] = (struct label){STR("code"), STR("200")};
}
static void names_and_values(const char *label, struct matcher *m, size_t n) {
    struct err e;
    for (int i = 0; i < 2; i++) {
        AUTO(arena_free) struct arena *a = arena_new(1 << 20);
        str *out;
        size_t out_n;
        int64_t t0 = clock_cpu_ns();
        bool ok = label ? tsdb_label_values(db, str_c(label), m, n, INT64_MIN, INT64_MAX, a, &out, &out_n, &e)
                        : tsdb_label_names(db, m, n, INT64_MIN, INT64_MAX, a, &out, &out_n, &e);
        if (!ok) die(&e);
        if (i == 1)
            printf("%10.3f ms  %8zu %s%s%s\n", ms_since(t0), out_n, label ? "values of " : "label names", label ? label : "",
                   n ? ", one matcher" : "");
    }
}
static void bench_index(size_t series_n) {
    for (size_t first = 0; first < series_n; first += 500) {
        bool own = first >= series_n / 2;
        char instance[40];
        snprintf(instance, sizeof instance, "10.%zu.%zu.%zu:9100", first / 500 / 65536, first / 500 / 256 % 256, first / 500 % 256);
        struct label l[] = {{STR("instance"), str_c(instance)}, {STR("job"), STR("node")}};
        struct metric_batch *b = batch(own ? (struct labels){0} : (struct labels){l, 2}, own ? name_own : name_shape, first, 500);
        for (size_t i = 0; i < 500; i++) {
            b->t_ms[i] = T0_MS;
            b->v[i] = (double)i;
        }
        push(b);
    }
    struct matcher user = {MATCH_EQ, STR("user"), STR_NULL, NULL};
    char value[64];
    size_t last = series_n / 500 - 1;
    snprintf(value, sizeof value, "user-%zu-%08x", last, (unsigned)hash_mix(last, 1));
    user.value = str_c(value);
    struct matcher instance = {MATCH_EQ, STR("instance"), STR("10.0.0.7:9100"), NULL};
    struct matcher metric = {MATCH_EQ, LABEL_METRIC_NAME, STR("metric_7"), NULL};
    struct matcher remote = {MATCH_EQ, LABEL_METRIC_NAME, STR("remote_7"), NULL};
    struct matcher both[] = {remote, user};
    struct matcher none = {MATCH_EQ, LABEL_METRIC_NAME, STR("nothing"), NULL};
    for (int round = 0; round < 2; round++) {
        printf("--- %zu series in %s\n", series_n, round ? "a part" : "the head");
        if (round) {
            seal();
            close_db();
            open_db();
        }
        select_one("nothing", &none, 1, T0_MS, T0_MS);
        select_one("remote_7{user=}", both, 2, T0_MS, T0_MS);
        select_one("user=", &user, 1, T0_MS, T0_MS);
        select_one("instance=", &instance, 1, T0_MS, T0_MS);
        select_one("metric_7", &metric, 1, T0_MS, T0_MS);
        select_one("remote_7", &remote, 1, T0_MS, T0_MS);
        names_and_values(NULL, NULL, 0);
        names_and_values("__name__", NULL, 0);
        names_and_values("region", NULL, 0);
        names_and_values("user", NULL, 0);
        names_and_values("region", &remote, 1);
        names_and_values(NULL, &remote, 1);
    }
    printf("part: %.1f bytes per series\n", (double)stats_of().part_bytes / (double)series_n);
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "read";
    size_t n = argc > 2 ? (size_t)atoll(argv[2]) : 0;
    loop_own_thread();
    snprintf(dir, sizeof dir, "/tmp/bn-bench-XXXXXX");
    if (!mkdtemp(dir)) return 1;
    snprintf(wal_dir, sizeof wal_dir, "%s/wal", dir);
    snprintf(metrics_dir, sizeof metrics_dir, "%s/metrics", dir);
    open_db();
    if (strcmp(what, "tiny") == 0)
        bench_tiny(n ? n : 1742);
    else if (strcmp(what, "index") == 0)
        bench_index(n ? n : 100000);
    else
        bench_read(n ? n : 6484);
    close_db();
    char command[100];
    snprintf(command, sizeof command, "rm -r '%s'", dir);
    return system(command) == 0 ? 0 : 1;
}
