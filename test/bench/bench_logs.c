/* bench_logs load DIR FILE | query DIR: what questions to the logs store cost. FILE is loggen's in the form `cri`: "path TAB time stream F message".
 * load keeps the store in DIR (bytes on disk and CPU time of appending, without a write-ahead log, are printed); query opens it and prints the
 * median CPU time of each question, one a line of JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/mem.h"
#include "codec/isodate.h"
#include "store/events/automaton.h"
#include "store/events/events.h"

enum { BATCH = 500, STREAMS_MAX = 256, RUNS = 9, NEWEST = 100 };

static void check(bool ok, const struct err *e) {
    if (ok) return;
    fprintf(stderr, "bench_logs: %s\n", e->msg);
    exit(1);
}

/* --- load */

struct lines {
    FILE *file;
    char *line;
    size_t cap;
    str paths[STREAMS_MAX];
    unsigned path_n;
    struct arena *arena;
    uint64_t bytes, n;
};

static uint32_t stream_of(struct lines *l, str path) {
    for (unsigned i = 0; i < l->path_n; i++)
        if (str_eq(l->paths[i], path)) return i;
    if (l->path_n == STREAMS_MAX) return STREAMS_MAX - 1;
    l->paths[l->path_n] = arena_str(l->arena, path);
    return l->path_n++;
}

static bool next_event(struct lines *l, struct arena *a, struct event *out) {
    ssize_t n = getline(&l->line, &l->cap, l->file);
    if (n <= 0) return false;
    str line = arena_str(a, str_n(l->line, (size_t)n - (l->line[n - 1] == '\n')));
    str path;
    str time;
    str word;
    int64_t to;
    *out = (struct event){.severity = 9};
    if (!str_cut(&line, '\t', &path) || !str_cut(&line, ' ', &time) || !str_cut(&line, ' ', &word) || !str_cut(&line, ' ', &word)) return true;
    if (!isodate_parse(time, 0, &out->time_ns, &to)) return true;
    out->stream = stream_of(l, path);
    out->body = line;
    l->bytes += line.n;
    l->n++;
    return true;
}

static struct event_batch *next_batch(struct lines *l) {
    struct event_batch *b = event_batch_new(EVENT_LOG, 256 << 10);
    b->events = arena_zalloc(b->arena, BATCH * sizeof *b->events);
    while (b->event_n < BATCH && next_event(l, b->arena, &b->events[b->event_n])) b->event_n++;
    b->stream_n = l->path_n;
    b->streams = arena_zalloc(b->arena, (l->path_n + 1) * sizeof *b->streams);
    for (unsigned i = 0; i < l->path_n; i++) {
        struct field *f = arena_one(b->arena, struct field);
        *f = (struct field){STR("path"), value_str(l->paths[i])};
        b->streams[i].attrs = f;
        b->streams[i].attr_n = 1;
    }
    return b;
}

static void load(struct evdb *db, const char *file) {
    struct lines l = {.file = fopen(file, "r"), .arena = arena_new(4096)};
    int64_t cpu = 0;
    if (!l.file) {
        perror(file);
        exit(1);
    }
    for (;;) {
        struct event_batch *b = next_batch(&l);
        if (b->event_n == 0) {
            event_batch_free(b);
            break;
        }
        int64_t t = clock_cpu_ns();
        evdb_append(db, b, NULL, NULL);
        evdb_tick(db, clock_wall_ms()); /* merges what is due */
        cpu += clock_cpu_ns() - t;
    }
    evdb_tick(db, INT64_MAX / 2);                        /* the head is old now: all goes to disk */
    for (uint64_t before = 0, now = 1; before != now;) { /* until nothing is left to merge */
        struct evdb_stats st;
        evdb_stats(db, &st);
        before = st.kind[EVENT_LOG].parts;
        evdb_tick(db, clock_wall_ms());
        evdb_stats(db, &st);
        now = st.kind[EVENT_LOG].parts;
    }
    struct evdb_stats st;
    evdb_stats(db, &st);
    printf("{\"what\":\"load\",\"lines\":%llu,\"message_bytes\":%llu,\"cpu_s\":%.3f,\"disk_bytes\":%llu,\"parts\":%llu,\"disk_ratio\":%.4f}\n",
           (unsigned long long)l.n, (unsigned long long)l.bytes, (double)cpu / 1e9, (unsigned long long)st.kind[EVENT_LOG].part_bytes,
           (unsigned long long)st.kind[EVENT_LOG].parts, (double)st.kind[EVENT_LOG].part_bytes / (double)MAX(l.bytes, (uint64_t)1));
    fclose(l.file);
    free(l.line);
    arena_free(l.arena);
}

/* --- query */

struct tally {
    uint64_t n, limit;
    struct arena *arena; /* NULL: count only */
};
static bool take(void *arg, const struct evrow *r) {
    struct tally *t = arg;
    struct event ev;
    struct stream st;
    if (t->arena) evrow_event(r, t->arena, &ev, &st);
    return ++t->n != t->limit;
}

static int by_value(const void *l, const void *r) {
    int64_t a = *(const int64_t *)l;
    int64_t b = *(const int64_t *)r;
    return (a > b) - (a < b);
}
static double median_ms(int64_t *t) {
    qsort(t, RUNS, sizeof *t, by_value);
    return (double)t[RUNS / 2] / 1e6;
}

static void time_question(struct evdb *db, const char *what, const struct filter *f) {
    int64_t count_ns[RUNS];
    int64_t newest_ns[RUNS];
    struct err e;
    uint64_t hits = 0;
    struct evscan_stats st;
    for (int i = 0; i < RUNS; i++) {
        struct evdb_snapshot *s = evdb_snapshot(db, EVENT_LOG, INT64_MIN, INT64_MAX);
        struct evscan q = {.filter = f, .from_ns = INT64_MIN, .to_ns = INT64_MAX};
        int64_t t = clock_cpu_ns();
        check(evdb_count(s, &q, &hits, &st, &e), &e);
        count_ns[i] = clock_cpu_ns() - t;
        struct tally newest = {.limit = NEWEST, .arena = arena_new(64 << 10)};
        t = clock_cpu_ns();
        check(evdb_scan(s, &q, take, &newest, NULL, &e), &e);
        newest_ns[i] = clock_cpu_ns() - t;
        arena_free(newest.arena);
        evdb_snapshot_free(s);
    }
    printf("{\"what\":\"%s\",\"count_ms\":%.3f,\"newest_ms\":%.3f,\"hits\":%llu,\"blocks\":%llu,\"skipped\":%llu}\n", what, median_ms(count_ns),
           median_ms(newest_ns), (unsigned long long)hits, (unsigned long long)st.blocks, (unsigned long long)st.blocks_skipped);
    fflush(stdout);
}

static void time_histogram(struct evdb *db, const char *what, const struct filter *f) {
    int64_t ns[RUNS];
    uint64_t counts[60];
    struct evdb_stats st;
    evdb_stats(db, &st);
    struct evscan q = {.filter = f, .from_ns = st.kind[EVENT_LOG].min_ns, .to_ns = st.kind[EVENT_LOG].max_ns};
    for (int i = 0; i < RUNS; i++) {
        struct err e;
        struct evdb_snapshot *s = evdb_snapshot(db, EVENT_LOG, q.from_ns, q.to_ns);
        int64_t t = clock_cpu_ns();
        check(evdb_histogram(s, &q, (q.to_ns - q.from_ns) / ARRAY_N(counts) + 1, counts, ARRAY_N(counts), &e), &e);
        ns[i] = clock_cpu_ns() - t;
        evdb_snapshot_free(s);
    }
    printf("{\"what\":\"%s\",\"count_ms\":%.3f}\n", what, median_ms(ns));
}

static void query(struct evdb *db) {
    AUTO(arena_free) struct arena *a = arena_new(4096);
    str message = STR("message");
    struct err e;
    static const struct {
        const char *what;
        enum filter_op op;
        const char *words[3];
        uint32_t slop;
    } plain[] = {
        {"rare word", FILTER_WORD, {"needle2"}, 0},
        {"word 127 times", FILTER_WORD, {"needle1"}, 0},
        {"unknown word", FILTER_WORD, {"needle9"}, 0},
        {"trace id", FILTER_WORD, {"a3236e1fd345bfe4"}, 0},
        {"common word", FILTER_WORD, {"error"}, 0},
        {"rare phrase", FILTER_PHRASE, {"needle2", "marker"}, 0},
        {"common phrase", FILTER_PHRASE, {"request", "completed"}, 0},
        {"proximity", FILTER_PHRASE, {"error", "timeout"}, 4},
        {"prefix", FILTER_WORD_PREFIX, {"needl"}, 0},
        {"substring", FILTER_SUBSTRING, {"imeoutExcep"}, 0},
        {"rare substring", FILTER_SUBSTRING, {"eedle2 mar"}, 0},
    };
    for (size_t i = 0; i < ARRAY_N(plain); i++) {
        str words[3];
        struct filter f = {.op = plain[i].op, .field = message, .words = words, .slop = plain[i].slop};
        for (; f.word_n < 3 && plain[i].words[f.word_n]; f.word_n++) words[f.word_n] = str_c(plain[i].words[f.word_n]);
        time_question(db, plain[i].what, &f);
    }
    struct filter m = {.op = FILTER_WORD_WILDCARD, .field = message};
    check(automaton_wildcard(STR("*edle2"), false, a, &m.automaton, &e), &e);
    time_question(db, "leading wildcard *edle2", &m);
    check(automaton_wildcard(STR("*imeoutexcep*"), false, a, &m.automaton, &e), &e);
    time_question(db, "wildcard *imeoutexcep*", &m);
    m.op = FILTER_WORD_REGEXP;
    check(automaton_regexp(STR("need.e[0-9]"), false, a, &m.automaton, &e), &e);
    time_question(db, "regexp need.e[0-9]", &m);
    check(automaton_regexp(STR(".*nullpointer.*"), false, a, &m.automaton, &e), &e);
    time_question(db, "regexp .*nullpointer.*", &m);
    m.op = FILTER_WORD_FUZZY;
    check(automaton_fuzzy(STR("timeuot"), (struct automaton_fuzziness){2, 0, true}, a, &m.automaton, &e), &e);
    time_question(db, "fuzzy timeuot~2", &m);
    check(automaton_fuzzy(STR("needel3"), (struct automaton_fuzziness){2, 0, true}, a, &m.automaton, &e), &e);
    time_question(db, "fuzzy needel3~2", &m);
    time_question(db, "everything", NULL);
    time_histogram(db, "histogram of everything", NULL);
    str error = STR("error");
    struct filter word = {.op = FILTER_WORD, .field = message, .words = &error, .word_n = 1};
    time_histogram(db, "histogram of a common word", &word);
}

int main(int argc, char **argv) {
    bool loading = argc == 4 && strcmp(argv[1], "load") == 0;
    if (!loading && !(argc == 3 && strcmp(argv[1], "query") == 0)) {
        fprintf(stderr, "bench_logs load DIR FILE | query DIR\n");
        return 2;
    }
    loop_own_thread();
    struct evdb_options o = {.vfs = vfs_real(), .dir = argv[2]};
    struct evdb *db;
    struct err e;
    int64_t t = clock_cpu_ns();
    check(evdb_open(&o, &db, &e), &e);
    printf("{\"what\":\"open\",\"count_ms\":%.3f}\n", (double)(clock_cpu_ns() - t) / 1e6);
    if (loading)
        load(db, argv[3]);
    else
        query(db);
    struct rusage ru;
    getrusage(RUSAGE_SELF, &ru);
    printf("{\"what\":\"peak memory, mapped parts included\",\"mib\":%.1f}\n", (double)ru.ru_maxrss / 1024);
    evdb_close(db);
    return 0;
}
