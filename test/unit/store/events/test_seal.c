#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "unit/store/events/sample.h"

static char dir[64];
static int make_dir(void **state) {
    (void)state;
    strcpy(dir, "/tmp/test-seal-XXXXXX");
    loop_own_thread();
    return mkdtemp(dir) ? 0 : -1;
}
static int remove_dir(void **state) {
    (void)state;
    char cmd[100];
    snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
    return system(cmd);
}

static struct evdb *open_with(struct evdb_options o) {
    struct evdb *db;
    struct err e;
    o.vfs = vfs_real();
    o.dir = dir;
    if (!evdb_open(&o, &db, &e)) fail_msg("open: %s", e.msg);
    return db;
}
static struct evdb_stats stats_of(struct evdb *db) {
    struct evdb_stats st;
    evdb_stats(db, &st);
    return st;
}
static struct sample_hits *hits_new(struct arena *a) {
    struct sample_hits *h = arena_zalloc(a, sizeof *h);
    h->arena = a;
    return h;
}
static const struct evscan everything = {.from_ns = INT64_MIN, .to_ns = INT64_MAX};

static void sealed_events_are_the_same_after_a_restart(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(1024);
    struct sample_hits *before = hits_new(a);
    struct sample_hits *after = hits_new(a);
    struct evdb *db = open_with((struct evdb_options){0});
    for (int i = 0; i < 500; i++) {
        struct event_batch *b = sample_log(i % 2 ? "a" : "b", SAMPLE_T0 + (i * 7 % 50) * NS_PER_MS, i % 5 ? "hello" : "goodbye moon");
        b->events[0].attr_n = 2;
        b->events[0].attrs =
            sample_fields(b->arena, 2, i % 3 ? sample_text("k", "v") : sample_field("k", value_int(i)), sample_field("d", value_double(i / 3.0)));
        sample_append(db, b);
    }
    for (uint64_t i = 0; i < 300; i++) sample_append(db, sample_span(i % 2 ? "web" : "db", SAMPLE_T0 + (int64_t)i, i / 4, i % 4 + 1, i % 4, "op"));
    sample_scan(db, EVENT_LOG, &everything, before);
    evdb_close(db); /* without a WAL closing seals */
    db = open_with((struct evdb_options){0});
    assert_int_equal(stats_of(db).kind[EVENT_LOG].parts, 1);
    assert_int_equal(stats_of(db).kind[EVENT_LOG].part_events, 500);
    assert_int_equal(stats_of(db).kind[EVENT_LOG].head_events, 0);
    assert_int_equal(sample_scan(db, EVENT_LOG, &everything, after), before->n);
    for (size_t i = 0; i < after->n; i++) {
        assert_int_equal(after->seq[i], before->seq[i]);
        assert_same_event(&after->events[i], &before->events[i]);
        assert_true(str_eq(after->streams[i].service, before->streams[i].service));
    }
    struct event *events;
    struct stream *streams;
    size_t n;
    struct err e;
    struct evdb_snapshot *s = evdb_snapshot(db, EVENT_SPAN, INT64_MIN, INT64_MAX);
    for (uint64_t t = 0; t < 75; t++) {
        assert_true(evdb_trace(s, (struct trace_id){0x1234, t}, a, &events, &streams, &n, &e));
        assert_int_equal(n, 4);
        for (size_t i = 0; i < n; i++) assert_int_equal(events[i].span_id, i + 1);
    }
    evdb_snapshot_free(s);
    struct service_edge *edges;
    evdb_edges(db, INT64_MIN, INT64_MAX, a, &edges, &n);
    assert_int_equal(n, 2);
    struct field_info *fields;
    evdb_fields(db, EVENT_LOG, a, &fields, &n);
    bool found = false;
    for (size_t i = 0; i < n; i++) {
        if (!str_eq_c(fields[i].name, "k")) continue;
        found = true;
        assert_int_equal(fields[i].types, 1u << VAL_INT | 1u << VAL_STRING);
        assert_int_equal(fields[i].n, 500);
    }
    assert_true(found);
    sample_append(db, sample_log("a", SAMPLE_T0, "later"));
    sample_scan(db, EVENT_LOG, &everything, after);
    assert_int_equal(after->n, 501);
    evdb_close(db);
}

static void filters_agree_in_memory_and_on_disk(void **state) {
    (void)state;
    struct evdb *db = open_with((struct evdb_options){0});
    for (int i = 0; i < 2000; i++) {
        struct event_batch *b = sample_log("svc", SAMPLE_T0 + i * NS_PER_MS, "");
        b->events[0].body = arena_printf(b->arena, "request %d took %d ms %s", i, i % 97, i % 100 ? "ok" : "NullPointerException");
        b->events[0].trace = (struct trace_id){7, (uint64_t)i % 10 + 1};
        b->events[0].severity = (uint8_t)(i % 24 + 1);
        sample_append(db, b);
    }
    str words[] = {STR("nullpointerexception"), STR("777"), STR("absent"), STR("00000000000000070000000000000003")};
    struct filter f[] = {
        {.op = FILTER_WORD, .field = STR("*"), .words = &words[0], .word_n = 1},
        {.op = FILTER_WORD, .field = STR("message"), .words = &words[1], .word_n = 1},
        {.op = FILTER_WORD, .field = STR("*"), .words = &words[2], .word_n = 1},
        {.op = FILTER_WORD, .field = STR("*"), .words = &words[3], .word_n = 1},
        {.op = FILTER_TRACE, .trace_hi = 7, .trace_lo = 3},
        {.op = FILTER_NUMBER_RANGE, .field = STR("severity_number"), .has_lo = true, .num_lo = 17},
        {.op = FILTER_EXISTS, .field = STR("severity_number")},
        {.op = FILTER_SUBSTRING, .field = STR("message"), .words = &words[0], .word_n = 1},
        {.op = FILTER_EQ, .field = STR("trace_id"), .words = &words[3], .word_n = 1},
    };
    const size_t want[] = {20, 1, 0, 200, 200, 2000 / 24 * 8 + 0, 2000, 20, 200};
    size_t before[ARRAY_N(f)];
    for (size_t i = 0; i < ARRAY_N(f); i++) before[i] = sample_count(db, EVENT_LOG, &f[i]);
    evdb_close(db);
    db = open_with((struct evdb_options){0});
    for (size_t i = 0; i < ARRAY_N(f); i++) {
        assert_int_equal(before[i], want[i]);
        assert_int_equal(sample_count(db, EVENT_LOG, &f[i]), want[i]);
    }
    evdb_close(db);
}

static void drops_parts_older_than_the_retention(void **state) {
    (void)state;
    struct evdb_options o = {.retention_ms[EVENT_LOG] = 3600 * 1000};
    struct evdb *db = open_with(o);
    sample_append(db, sample_log("a", SAMPLE_T0, "old"));
    evdb_close(db);
    db = open_with(o);
    sample_append(db, sample_log("a", SAMPLE_T0 + 2 * 3600 * NS_PER_S, "new"));
    assert_int_equal(sample_count(db, EVENT_LOG, NULL), 2);
    evdb_tick(db, (SAMPLE_T0 + 2 * 3600 * NS_PER_S) / NS_PER_MS);
    assert_int_equal(sample_count(db, EVENT_LOG, NULL), 1);
    evdb_close(db);
}

static void keeps_within_the_bytes_allowed(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct evdb *db = open_with((struct evdb_options){0});
        sample_append(db, sample_log("a", SAMPLE_T0 + i, "x"));
        evdb_close(db);
    }
    struct evdb *db = open_with((struct evdb_options){0});
    uint64_t all = stats_of(db).kind[EVENT_LOG].part_bytes;
    evdb_close(db);
    db = open_with((struct evdb_options){.retention_bytes[EVENT_LOG] = all - 1});
    evdb_tick(db, 0);
    assert_int_equal(sample_count(db, EVENT_LOG, NULL), 3);
    evdb_close(db);
}

static void merges_small_parts_and_loses_nothing(void **state) {
    (void)state;
    enum { N = 20 };
    for (int i = 0; i < N; i++) {
        struct evdb *db = open_with((struct evdb_options){0});
        sample_append(db, sample_log("a", SAMPLE_T0 + i, "x"));
        sample_append(db, sample_span("web", SAMPLE_T0, (uint64_t)i, 1, 0, "GET"));
        sample_append(db, sample_span("db", SAMPLE_T0, (uint64_t)i, 2, 1, "SELECT"));
        evdb_close(db);
    }
    struct evdb *db = open_with((struct evdb_options){0});
    for (int i = 0; i < 6; i++) evdb_tick(db, 0);
    assert_true(stats_of(db).kind[EVENT_LOG].parts < N / 2);
    assert_int_equal(sample_count(db, EVENT_LOG, NULL), N);
    assert_int_equal(sample_count(db, EVENT_SPAN, NULL), 2 * N);
    AUTO(arena_free) struct arena *a = arena_new(1024);
    struct service_edge *edges;
    size_t n;
    evdb_edges(db, INT64_MIN, INT64_MAX, a, &edges, &n);
    assert_int_equal(n, 1);
    assert_int_equal(edges[0].calls, N);
    evdb_close(db);
    db = open_with((struct evdb_options){0});
    assert_int_equal(sample_count(db, EVENT_LOG, NULL), N);
    evdb_close(db);
}

static void seals_a_full_head_and_survives_snapshots_of_it(void **state) {
    (void)state;
    struct evdb *db = open_with((struct evdb_options){.head_bytes_max = 64 << 10});
    struct evdb_snapshot *early = NULL;
    for (int i = 0; i < 3000; i++) {
        struct event_batch *b = sample_log("a", SAMPLE_T0 + i, "");
        b->events[0].body = arena_printf(b->arena, "message %d with words of its own: %x", i, i * 2654435761u);
        sample_append(db, b);
        if (i == 99) early = evdb_snapshot(db, EVENT_LOG, INT64_MIN, INT64_MAX);
    }
    assert_true(stats_of(db).kind[EVENT_LOG].parts > 0);
    assert_int_equal(sample_count(db, EVENT_LOG, NULL), 3000);
    size_t n = 0;
    struct err e;
    assert_true(evdb_scan(early, &everything, sample_tally, &n, NULL, &e));
    assert_int_equal(n, 100);
    evdb_snapshot_free(early);
    evdb_close(db);
}

/* --- with a pool: appends and scans go on while parts are written */

struct busy {
    struct loop *loop;
    struct evdb *db;
    size_t appended;
};
static void append_more(void *arg) {
    struct busy *b = arg;
    for (int i = 0; i < 50; i++, b->appended++) {
        struct event_batch *batch = sample_log("a", SAMPLE_T0 + (int64_t)b->appended, "");
        batch->events[0].body = arena_printf(batch->arena, "number %zu of many: %zx", b->appended, b->appended * 0x9e3779b9);
        sample_append(b->db, batch);
    }
    evdb_tick(b->db, clock_wall_ms());
    assert_int_equal(sample_count(b->db, EVENT_LOG, NULL), b->appended);
    if (b->appended >= 5000 && stats_of(b->db).kind[EVENT_LOG].parts >= 3) loop_stop(b->loop);
}

static void seals_in_the_pool_while_events_arrive(void **state) {
    (void)state;
    struct busy b = {.loop = loop_new()};
    struct pool *pool = pool_new(b.loop, 2, 10);
    b.db = open_with((struct evdb_options){.head_bytes_max = 32 << 10, .pool = pool});
    struct timer *t = timer_start(b.loop, 1, 1, append_more, &b);
    loop_run(b.loop);
    timer_free(t);
    pool_free(pool);
    assert_int_equal(sample_count(b.db, EVENT_LOG, NULL), b.appended);
    evdb_close(b.db);
    loop_free(b.loop);
    struct evdb *db = open_with((struct evdb_options){0});
    assert_int_equal(sample_count(db, EVENT_LOG, NULL), b.appended);
    evdb_close(db);
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, make_dir, remove_dir)
int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_DIR(sealed_events_are_the_same_after_a_restart), WITH_DIR(filters_agree_in_memory_and_on_disk),
        WITH_DIR(drops_parts_older_than_the_retention),       WITH_DIR(keeps_within_the_bytes_allowed),
        WITH_DIR(merges_small_parts_and_loses_nothing),       WITH_DIR(seals_a_full_head_and_survives_snapshots_of_it),
        WITH_DIR(seals_in_the_pool_while_events_arrive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
