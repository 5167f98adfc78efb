/* bench_tsdb: what the metrics store costs, in CPU seconds of one thread.
 *   bench_tsdb [TARGETS STEPS]       made-up targets of 500 series (default 200 and 120: 100,000 series, half an hour at 15 s)
 *   bench_tsdb storm TARGETS LIMIT   TARGETS x 500 new series offered, LIMIT taken: what refusing costs, and that memory stays
 *   bench_tsdb pages EVERY FILE...   recorded exposition pages, a line "@@<unix ms>" before each; every EVERY-th is taken, EVERY seconds apart */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "codec/num.h"
#include "loop/loop.h"
#include "store/metrics/tsdb.h"

static char dir[64], wal_dir[80], metrics_dir[80];
static uint64_t series_max;
static struct tsdb *db;
static struct wal *wal;

static double cpu_s(void) {
    return (double)clock_cpu_ns() / 1e9;
}
static void die(const struct err *e) {
    fprintf(stderr, "bench_tsdb: %s\n", e->msg);
    exit(1);
}
static size_t rss_kb(void) {
    FILE *f = fopen("/proc/self/statm", "r");
    unsigned long pages = 0;
    if (!f || fscanf(f, "%*u %lu", &pages) != 1) pages = 0;
    if (f) fclose(f);
    return pages * 4;
}

static size_t heap_bytes(void) {
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

static bool on_record(void *arg, enum wal_type type, uint64_t lsn, str payload, struct err *e) {
    (void)type;
    return tsdb_replay(arg, lsn, payload, e);
}
static void open_db(void) {
    struct err e;
    struct tsdb_options o = {
        .vfs = vfs_real(), .dir = metrics_dir, .series_max = series_max, .out_of_order_ms = 0, .head_bytes_max = (size_t)1 << 30};
    struct wal_options w = {.vfs = vfs_real(), .dir = wal_dir, .no_sync = true, .queue_bytes_max = (size_t)1 << 30};
    struct wal_replay_stats stats;
    if (!tsdb_open(&o, &db, &e) || !wal_open(NULL, &w, on_record, db, &stats, &wal, &e)) die(&e);
    tsdb_attach_wal(db, wal);
}
static void close_db(void) {
    wal_close(wal);
    tsdb_close(db);
}
static void committed(void *arg, const struct err *e) {
    (void)arg;
    if (e) die(e);
}

/* The key is the series as text: name{labels}; its labels are found by the simplest scan that serves exposition pages. */
static bool key_labels(const struct metric_batch *b, size_t i, struct arena *a, struct labels *out, struct err *e) {
    str key = b->rows[i].key;
    struct label *l = arena_new_n(a, struct label, 64);
    size_t n = 0;
    size_t open = str_find_char(key, '{');
    l[n++] = (struct label){LABEL_METRIC_NAME, str_sub(key, 0, open == STR_NONE ? key.n : open)};
    str rest = open == STR_NONE ? STR_NULL : str_sub(key, open + 1, key.n - 1);
    while (rest.n > 0 && n < 64) {
        str name;
        str_cut(&rest, '=', &name);
        size_t end = 1;
        while (end < rest.n && rest.p[end] != '"') end += rest.p[end] == '\\' ? 2 : 1;
        l[n++] = (struct label){str_trim(name), str_sub(rest, 1, end)};
        rest = str_from(rest, end + 1);
        if (rest.n && rest.p[0] == ',') rest = str_from(rest, 1);
    }
    if (!labels_sort(l, &n, e)) return false;
    *out = (struct labels){l, n};
    return true;
}

static struct metric_batch *new_batch(const char *job, const char *instance, size_t n) {
    struct metric_batch *b = metric_batch_new(64 + n * 48);
    struct label *t = arena_new_n(b->arena, struct label, 2);
    t[0] = (struct label){STR("instance"), arena_str(b->arena, str_c(instance))};
    t[1] = (struct label){STR("job"), arena_str(b->arena, str_c(job))};
    b->target = (struct labels){t, 2};
    b->row_labels = key_labels;
    b->rows = arena_new_n(b->arena, struct series_row, n);
    b->t_ms = arena_new_n(b->arena, int64_t, n);
    b->v = arena_new_n(b->arena, double, n);
    return b;
}
static void push(struct metric_batch *b) {
    struct push_result r;
    struct err e;
    if (!tsdb_append_now(db, b, &r, &e) && !(series_max && e.code == ERR_LIMIT)) die(&e);
    wal_commit(wal, committed, NULL);
}

/* --- synthetic: targets of 500 series as a service exports them */

enum { SERIES_PER_TARGET = 500 };
static double synthetic_value(uint64_t target, uint64_t metric, uint64_t step) {
    uint64_t x = hash_mix(target << 20 | metric, step);
    switch (metric % 10) {
    case 0: return (double)(step * 100 + x % 60);
    case 1: return (double)(step * 37 + x % 20) / 100;
    case 2: return (double)(4096 * (20000 + x % 50));
    case 3:
    case 4: return (double)(step * 5 + x % 4); /* buckets */
    default: return (double)metric;            /* more than half never changes */
    }
}
static str *make_keys(struct arena *a) {
    str *keys = arena_new_n(a, str, SERIES_PER_TARGET);
    for (int m = 0; m < SERIES_PER_TARGET; m++)
        keys[m] = arena_printf(a, "http_request_duration_seconds_bucket_%d{code=\"200\",endpoint=\"/api/v1/thing\",le=\"%d.5\",method=\"GET\"}",
                               m / 12, m % 12);
    return keys;
}
static struct metric_batch *synthetic_batch(const str *keys, unsigned target, unsigned step) {
    char name[64];
    snprintf(name, sizeof name, "10.0.%u.%u:8080", target / 250, target % 250);
    struct metric_batch *b = new_batch("checkout", name, SERIES_PER_TARGET);
    b->row_n = b->sample_n = SERIES_PER_TARGET;
    for (unsigned m = 0; m < SERIES_PER_TARGET; m++) {
        b->rows[m] = (struct series_row){.key = keys[m], .sample_at = m, .sample_n = 1};
        b->t_ms[m] = 1700000000000 + (int64_t)step * 15000;
        b->v[m] = synthetic_value(target, m, step);
    }
    return b;
}

static double append_step(const str *keys, unsigned targets, unsigned step) {
    struct metric_batch **batches = mem_alloc(targets * sizeof(struct metric_batch *));
    for (unsigned t = 0; t < targets; t++) batches[t] = synthetic_batch(keys, t, step);
    double from = cpu_s();
    for (unsigned t = 0; t < targets; t++) push(batches[t]);
    free(batches);
    return cpu_s() - from;
}

static void read_all(const char *what) {
    struct matcher job = {MATCH_EQ, STR("job"), STR("checkout"), NULL};
    struct tsdb_selection *s;
    struct err e;
    double from = cpu_s();
    if (!tsdb_select(db, &job, 1, INT64_MIN, INT64_MAX, 0, &s, &e)) die(&e);
    double selected = cpu_s() - from;
    AUTO(arena_free) struct arena *a = arena_new(1 << 20);
    size_t n = 0;
    double sum = 0;
    from = cpu_s();
    for (size_t i = 0; i < tsdb_selection_n(s); i++) {
        struct samples v;
        arena_reset(a);
        if (!tsdb_read(s, i, INT64_MIN, INT64_MAX, a, &v, &e)) die(&e);
        n += v.n;
        sum += v.n ? v.v[v.n - 1] : 0;
    }
    double took = cpu_s() - from;
    printf("%-34s select %zu series %.1f ms, read %zu samples %.1f ms (%.0f M/s) [%g]\n", what, tsdb_selection_n(s), selected * 1e3, n, took * 1e3,
           (double)n / took / 1e6, sum);
    tsdb_selection_free(s);
}

static void seal(void) {
    int64_t now = clock_wall_ms();
    double from = cpu_s();
    tsdb_tick(db, now);
    tsdb_tick(db, now + 7 * 24 * 3600 * MS_PER_S);
    struct tsdb_stats st;
    tsdb_stats(db, &st);
    if (st.seal_err.code != ERR_NONE) die(&st.seal_err);
    printf("seal: %.2f cpu-s; %llu parts, %llu samples, %llu bytes: %.3f B/sample\n", cpu_s() - from, (unsigned long long)st.parts,
           (unsigned long long)st.part_samples, (unsigned long long)st.part_bytes, (double)st.part_bytes / (double)st.part_samples);
}

static void log_size(double samples) {
    struct wal_stats ws;
    wal_stats(wal, &ws);
    printf("log: %llu bytes in %llu records: %.2f B/sample\n", (unsigned long long)ws.bytes, (unsigned long long)ws.records,
           (double)ws.bytes / samples);
}

static void reopen(double cells) {
    close_db();
    double from = cpu_s();
    open_db();
    double took = cpu_s() - from;
    struct tsdb_stats st;
    tsdb_stats(db, &st);
    printf("replay: %llu cells in %.3f cpu-s: %.2f M/s\n", (unsigned long long)st.replayed_cells, took, (double)st.replayed_cells / took / 1e6);
    if ((double)st.replayed_cells < cells) printf("  (%.0f were appended)\n", cells);
}

static void synthetic(unsigned targets, unsigned steps) {
    AUTO(arena_free) struct arena *a = arena_new(64 << 10);
    str *keys = make_keys(a);
    double series = (double)targets * SERIES_PER_TARGET;
    size_t rss = rss_kb();
    size_t heap = heap_bytes();
    open_db();
    double took = append_step(keys, targets, 0);
    printf("new series: %.0f in %.3f cpu-s: %.2f M/s; %.0f B of RSS each\n", series, took, series / took / 1e6,
           (double)(rss_kb() - rss) * 1024 / series);
    took = 0;
    for (unsigned step = 1; step < steps; step++) took += append_step(keys, targets, step);
    double n = series * (steps - 1);
    struct tsdb_stats st;
    tsdb_stats(db, &st);
    printf("append, known keys: %.0f in %.3f cpu-s: %.2f M/s, %.0f ns each\n", n, took, n / took / 1e6, took / n * 1e9);
    printf("memory: %.0f B of heap (%.0f of RSS) a series with %u samples; head bytes %.2f a sample\n", (double)(heap_bytes() - heap) / series,
           (double)(rss_kb() - rss) * 1024 / series, steps, (double)st.head_bytes / (n + series));
    log_size(n + series);
    read_all("head:");
    reopen(n + series);
    seal();
    read_all("part, cold:");
    read_all("part, index loaded:");
    close_db();
}

static void storm(unsigned targets, uint64_t limit) {
    AUTO(arena_free) struct arena *a = arena_new(64 << 10);
    const str *keys = make_keys(a);
    series_max = limit;
    open_db();
    unsigned known = (unsigned)(limit / SERIES_PER_TARGET);
    for (unsigned t = 0; t < known; t++) push(synthetic_batch(keys, t, 0));
    size_t rss = rss_kb();
    double took = 0;
    for (unsigned t = known; t < targets; t++) {
        struct metric_batch *b = synthetic_batch(keys, t, 0);
        double from = cpu_s();
        push(b);
        took += cpu_s() - from;
    }
    struct tsdb_stats st;
    tsdb_stats(db, &st);
    printf("storm: %llu series kept, %llu samples refused: %.0f ns each, RSS %zu -> %zu KiB\n", (unsigned long long)st.series,
           (unsigned long long)st.dropped_series_limit, took * 1e9 / (double)st.dropped_series_limit, rss, rss_kb());
    close_db();
}

/* --- recorded pages */

static void page(str text, const char *instance, int64_t t_ms) {
    size_t lines = 1;
    for (size_t i = 0; i < text.n; i++) lines += text.p[i] == '\n';
    struct metric_batch *b = new_batch("page", instance, lines);
    text = arena_str(b->arena, text);
    while (text.n > 0) {
        str line;
        str_cut(&text, '\n', &line);
        if (line.n == 0 || line.p[0] == '#') continue;
        size_t end = line.n;
        while (end > 0 && line.p[end - 1] != ' ') end--;
        double v;
        if (end == 0 || !num_parse_double(str_from(line, end), &v)) continue;
        b->rows[b->row_n++] = (struct series_row){.key = str_trim(str_sub(line, 0, end)), .sample_at = (uint32_t)b->sample_n, .sample_n = 1};
        b->t_ms[b->sample_n] = t_ms;
        b->v[b->sample_n++] = v;
    }
    push(b);
}

static void pages(int argc, char **argv) {
    unsigned every = (unsigned)atoi(argv[0]);
    int64_t step_ms = every * MS_PER_S;
    open_db();
    for (int i = 1; i < argc; i++) {
        AUTO(arena_free) struct arena *a = arena_new(1 << 20);
        str text;
        struct err e;
        if (!vfs_read_file(vfs_real(), argv[i], (size_t)1 << 31, a, &text, &e)) die(&e);
        unsigned number = 0;
        while (text.n > 0) {
            size_t next = str_find(str_from(text, 2), STR("\n@@"));
            str one = str_sub(text, 0, next == STR_NONE ? text.n : next + 3);
            text = next == STR_NONE ? STR_NULL : str_from(text, next + 3);
            str stamp;
            str_cut(&one, '\n', &stamp);
            if (number++ % every == 0) page(one, argv[i], 1700000000000 + number / every * step_ms);
        }
    }
    struct tsdb_stats st;
    tsdb_stats(db, &st);
    printf("%llu samples of %llu series\n", (unsigned long long)st.head_samples, (unsigned long long)st.series);
    log_size((double)st.head_samples);
    reopen((double)st.head_samples);
    seal();
    close_db();
}

int main(int argc, char **argv) {
    loop_own_thread();
    snprintf(dir, sizeof dir, "/tmp/bn-bench-XXXXXX");
    if (!mkdtemp(dir)) return 1;
    snprintf(wal_dir, sizeof wal_dir, "%s/wal", dir);
    snprintf(metrics_dir, sizeof metrics_dir, "%s/metrics", dir);
    if (argc > 3 && strcmp(argv[1], "pages") == 0)
        pages(argc - 2, argv + 2);
    else if (argc > 3 && strcmp(argv[1], "storm") == 0)
        storm((unsigned)atoi(argv[2]), (uint64_t)atoll(argv[3]));
    else if (argc > 2)
        synthetic((unsigned)atoi(argv[1]), (unsigned)atoi(argv[2]));
    else
        synthetic(200, 120);
    char command[100];
    snprintf(command, sizeof command, "rm -r '%s'", dir);
    return system(command) == 0 ? 0 : 1;
}
