/* bench_lucene: what queries cost on one core, in CPU time: the analyzer, patterns on words, parsing, and the whole way of pushed documents: decode,
 * store in memory, search. Argument: only the rows whose name contains it. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "codec/words.h"
#include "loop/loop.h"
#include "query/lucene/lucene.h"
#include "store/events/automaton.h"
#include "store/events/events.h"
#include "wire/es_bulk.h"

enum { LINES = 50000 };

static struct {
    struct buf lines; /* messages, one a line */
    struct buf bulk;  /* the same as a _bulk body */
    struct fields fields;
    struct evdb *db;
    size_t words;
} bench;

static uint64_t random_state = 42;
static unsigned pick(unsigned n) {
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(random_state >> 33) % n;
}
static void build(void) {
    static const char *const paths[] = {"/api/v1/users", "/api/v1/orders", "/healthz", "/api/v1/cart/items"};
    static const char *const ends[] = {"completed in", "failed: connection refused after", "retrying after", "java.lang.NullPointerException after"};
    for (size_t i = 0; i < LINES; i++) {
        size_t from = bench.lines.n;
        unsigned end = pick(20) ? 0 : 1 + pick(3);
        buf_printf(&bench.lines, "INFO request_id=%08x%08x GET %s?id=%u from 10.0.%u.%u %s %u.%03ums", pick(1u << 31), pick(1u << 31), paths[pick(4)],
                   pick(100000), pick(256), pick(256), ends[end], pick(900), pick(1000));
        if (i == 25000) buf_add(&bench.lines, STR(" needle4711"));
        buf_printf(&bench.bulk,
                   "{\"index\":{\"_index\":\"logs-app\"}}\n{\"@timestamp\":\"2026-11-22T%02u:%02u:%02u.%03uZ\",\"message\":\"%.*s\",\"level\":\"%s\","
                   "\"status\":%u,"
                   "\"kubernetes\":{\"namespace_name\":\"shop\",\"pod_name\":\"orders-6c9f8d7b44-%u\",\"labels\":{\"app\":\"orders\"}}}\n",
                   (unsigned)(i / 3600 % 24), (unsigned)(i / 60 % 60), (unsigned)(i % 60), pick(1000), (int)(bench.lines.n - from),
                   bench.lines.p + from, end ? "error" : "info", end ? 500 : 200, pick(8));
        buf_char(&bench.lines, '\n');
    }
}

/* --- rows: do the work once; items and bytes of it */
struct work {
    size_t items, bytes;
};

static struct work analyze(void) {
    AUTO(arena_free) struct arena *a = arena_new(1 << 20);
    struct words w = words_open(buf_str(&bench.lines), a);
    struct work done = {.bytes = bench.lines.n};
    for (struct word x; words_next(&w, &x);) done.items++;
    return done;
}
static struct work leaf_on_lines(const struct filter *f) {
    struct work done = {.bytes = bench.lines.n};
    str rest = buf_str(&bench.lines), line;
    while (str_cut(&rest, '\n', &line)) {
        struct value v = value_str(line);
        done.items++;
        bench.words += filter_leaf_test(f, &v);
    }
    return done;
}
static struct work word_leaf(void) {
    const struct filter f = {.op = FILTER_WORD, .words = &(str)STR_INIT("refused"), .word_n = 1};
    return leaf_on_lines(&f);
}
static struct work regexp_leaf(void) {
    AUTO(arena_free) struct arena *a = arena_new(1 << 14);
    struct filter f = {.op = FILTER_WORD_REGEXP};
    struct err e;
    if (!automaton_regexp(STR(".*nullpointer.*"), false, a, &f.automaton, &e)) abort();
    return leaf_on_lines(&f);
}
static struct work compile_fuzzy(void) {
    struct work done = {.items = 100};
    for (size_t i = 0; i < done.items; i++) {
        AUTO(arena_free) struct arena *a = arena_new(1 << 14);
        const struct automaton *m;
        struct err e;
        if (!automaton_fuzzy(STR("authentication"), (struct automaton_fuzziness){2, 0, true}, a, &m, &e)) abort();
    }
    return done;
}
static struct work parse(void) {
    const str query = STR("level:error AND (status:[500 TO 599] OR message:\"connection refused\"~2) AND NOT kubernetes.pod_name:orders*");
    struct work done = {.items = 1000};
    for (size_t i = 0; i < done.items; i++) {
        AUTO(arena_free) struct arena *a = arena_new(4 << 10);
        struct lucene_options o = {.fields = &bench.fields};
        const struct filter *f;
        struct err e;
        if (!lucene_filter(query, &o, a, &f, &e)) abort();
    }
    return done;
}

static struct evdb *open_store(void) {
    const struct evdb_options o = {.vfs = vfs_real(), .attrs_max = 1024, .value_bytes_max = 1 << 20, .head_bytes_max = 16 << 20};
    struct evdb *db;
    struct err e;
    if (!evdb_open(&o, &db, &e)) {
        fprintf(stderr, "%s\n", e.msg);
        exit(1);
    }
    return db;
}
static struct work push_into(struct evdb *db) {
    struct es_bulk_in in = {.body = buf_str(&bench.bulk), .now_ns = clock_wall_ns()};
    struct es_bulk out;
    struct push_result r = {0};
    const char *type;
    struct err e;
    if (!es_bulk_decode(&in, &out, &type, &e) || !evdb_append_now(db, out.batch, &r, &e) || r.stored != LINES) {
        fprintf(stderr, "%s\n", e.msg);
        exit(1);
    }
    return (struct work){.items = LINES, .bytes = bench.bulk.n};
}
static struct work push(void) {
    struct evdb *db = open_store();
    struct work done = push_into(db);
    evdb_close(db);
    return done;
}

static bool count_row(void *arg, const struct evrow *r) {
    (void)r;
    ++*(size_t *)arg;
    return true;
}
static struct work search(const char *query, size_t expected) {
    AUTO(arena_free) struct arena *a = arena_new(16 << 10);
    struct field_info *list;
    size_t n, hits = 0;
    evdb_fields(bench.db, EVENT_LOG, a, &list, &n);
    struct fields fields = fields_open(list, n);
    const str message = STR("message");
    struct lucene_options o = {.fields = &fields, .default_fields = &message, .default_field_n = 1, .fuzziness = {.transpositions = true}};
    struct evscan q = {.from_ns = INT64_MIN, .to_ns = INT64_MAX, .any_order = true};
    struct err e;
    if (!lucene_filter(str_c(query), &o, a, &q.filter, &e)) abort();
    struct evdb_snapshot *s = evdb_snapshot(bench.db, EVENT_LOG, INT64_MIN, INT64_MAX);
    if (!evdb_scan(s, &q, count_row, &hits, NULL, &e) || (expected && hits != expected)) abort();
    evdb_snapshot_free(s);
    fields_done(&fields);
    return (struct work){.items = LINES};
}
static struct work search_rare(void) {
    return search("needle4711", 1);
}
static struct work search_word(void) {
    return search("refused", 0);
}
static struct work search_phrase(void) {
    return search("\"connection refused\"", 0);
}
static struct work search_number(void) {
    return search("status:>=500", 0);
}
static struct work search_wildcard(void) {
    return search("*ullpointerexcep*", 0);
}
static struct work search_fuzzy(void) {
    return search("conection~", 0);
}

static const struct {
    const char *name;
    struct work (*run)(void);
    bool stored;
} rows[] = {
    {"words", analyze, false},
    {"leaf word", word_leaf, false},
    {"leaf regexp", regexp_leaf, false},
    {"compile fuzzy", compile_fuzzy, false},
    {"parse", parse, false},
    {"push documents", push, false},
    {"search rare word", search_rare, true},
    {"search word", search_word, true},
    {"search phrase", search_phrase, true},
    {"search number", search_number, true},
    {"search wildcard", search_wildcard, true},
    {"search fuzzy", search_fuzzy, true},
};

int main(int argc, char **argv) {
    loop_own_thread();
    build();
    bench.fields = fields_open(NULL, 0);
    printf("%-20s %14s %10s %12s\n", "", "items/s", "MB/s", "ms a run");
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        if (argc > 1 && !strstr(rows[i].name, argv[1])) continue;
        if (rows[i].stored && !bench.db) {
            bench.db = open_store();
            push_into(bench.db);
        }
        rows[i].run();
        int64_t start = clock_cpu_ns(), spent;
        struct work total = {0};
        size_t runs = 0;
        do {
            struct work w = rows[i].run();
            total.items += w.items;
            total.bytes += w.bytes;
            runs++;
        } while ((spent = clock_cpu_ns() - start) < NS_PER_S);
        double seconds = (double)spent / 1e9;
        printf("%-20s %14.0f %10.0f %12.3f\n", rows[i].name, (double)total.items / seconds, (double)total.bytes / seconds / 1e6,
               seconds * 1e3 / (double)runs);
    }
    if (bench.db) evdb_close(bench.db);
    fields_done(&bench.fields);
    buf_done(&bench.lines);
    buf_done(&bench.bulk);
    return 0;
}
