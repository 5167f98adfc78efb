#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "loop/vfs.h"
#include "wire/prom_text.h"

#define NOW_MS INT64_C(1700000000000)

static char dir[] = "/tmp/binnacle-store-XXXXXX";
static struct loop *l;

/* The real disk, but with as much free space as the test says. */
static uint64_t free_now;
static bool free_bytes(struct vfs *v, const char *path, uint64_t *out, struct err *e) {
    (void)v, (void)path, (void)e;
    *out = free_now;
    return true;
}
static struct vfs_ops ops;
static struct vfs disk = {&ops};

static int setup(void **state) {
    (void)state;
    loop_own_thread();
    l = loop_new();
    ops = *vfs_real()->ops;
    ops.free_bytes = free_bytes;
    free_now = UINT64_C(1) << 40;
    strcpy(dir + sizeof dir - 7, "XXXXXX");
    assert_non_null(mkdtemp(dir));
    return 0;
}
static int teardown(void **state) {
    (void)state;
    loop_free(l);
    char command[100];
    snprintf(command, sizeof command, "rm -r '%s'", dir);
    return system(command);
}

static bool try_open(const char *at, struct store **out, struct err *e) {
    const struct store_options o = {
        .vfs = &disk,
        .dir = at,
        .wal = {.segment_bytes = 1 << 20, .queue_bytes_max = 1 << 20},
        .metrics = {.series_max = 1000, .labels_per_series_max = 30, .label_value_bytes_max = 1000, .retention_ms = INT64_MAX},
        .events = {.attrs_max = 100, .value_bytes_max = 1000, .retention_ms = {INT64_MAX, INT64_MAX}},
        .disk_free_min_bytes = 100 << 20,
    };
    return store_open(l, NULL, &o, out, e);
}
static struct store *must_open(void) {
    struct store *s = NULL;
    struct err e;
    if (!try_open(dir, &s, &e)) fail_msg("%s", e.msg);
    return s;
}

struct answer {
    struct push_result result;
    bool given;
};
static void answered(void *arg, const struct push_result *r) {
    struct answer *a = arg;
    assert_false(a->given);
    a->given = true;
    a->result = *r;
    loop_stop(l);
}
static struct answer push_metrics(struct store *s, int64_t t_ms) {
    struct metric_batch *b = metric_batch_new(4096);
    struct err e;
    const struct prom_text_options o = {.default_t_ms = t_ms};
    assert_true(prom_text_parse(arena_str(b->arena, STR("a 1\nb{x=\"1\"} 2\n")), &o, b, &e));
    struct answer a = {0};
    s->sink.push_metrics(&s->sink, b, answered, &a);
    while (!a.given) loop_run(l);
    return a;
}
static struct answer push_log(struct store *s) {
    struct event_batch *b = event_batch_new(EVENT_LOG, 4096);
    b->streams = arena_one(b->arena, struct stream);
    b->streams[0] = (struct stream){.service = STR("app")};
    b->stream_n = 1;
    b->events = arena_one(b->arena, struct event);
    b->events[0] = (struct event){.kind = EVENT_LOG, .time_ns = NOW_MS * 1000000, .body = STR("hello")};
    b->event_n = 1;
    struct answer a = {0};
    s->sink.push_events(&s->sink, b, answered, &a);
    while (!a.given) loop_run(l);
    return a;
}
static uint64_t logs_kept(struct store *s) {
    return evdb_next_seq(s->events, EVENT_LOG);
}
static uint64_t series_kept(struct store *s) {
    struct tsdb_stats stats;
    tsdb_stats(s->metrics, &stats);
    return stats.series;
}

static void what_was_acknowledged_is_there_after_a_reopen(void **state) {
    (void)state;
    struct store *s = must_open();
    assert_int_equal(s->replay.frames, 0);
    struct answer a = push_metrics(s, NOW_MS);
    assert_int_equal(a.result.stored, 2);
    assert_int_equal(a.result.err.code, ERR_NONE);
    assert_int_equal(push_log(s).result.stored, 1);
    store_close(s);
    s = must_open();
    assert_true(s->replay.frames >= 2);
    assert_int_equal(s->replay.damaged_frames, 0);
    assert_int_equal(series_kept(s), 2);
    assert_int_equal(logs_kept(s), 1);
    store_close(s);
}

static void closing_answers_the_pushes_that_wait(void **state) {
    (void)state;
    struct store *s = must_open();
    struct event_batch *b = event_batch_new(EVENT_LOG, 4096);
    b->streams = arena_one(b->arena, struct stream);
    b->stream_n = 1;
    b->events = arena_one(b->arena, struct event);
    b->event_n = 1;
    struct answer a = {0};
    s->sink.push_events(&s->sink, b, answered, &a);
    store_close(s);
    assert_true(a.given);
    assert_int_equal(a.result.stored, 1);
    store_close(NULL);
}

static void two_processes_never_share_a_folder(void **state) {
    (void)state;
    struct store *s = must_open(), *second = NULL;
    struct err e;
    assert_false(try_open(dir, &second, &e));
    assert_null(second);
    assert_int_equal(e.code, ERR_LIMIT);
    char wanted[150];
    snprintf(wanted, sizeof wanted, "the data folder %s is in use by process %d", dir, (int)getpid());
    assert_string_equal(e.msg, wanted);
    assert_int_equal(push_log(s).result.stored, 1); /* the first one does not mind */
    store_close(s);
    s = must_open();
    store_close(s);
}

static void the_lock_goes_with_a_killed_process(void **state) {
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        struct store *s;
        struct err e;
        _exit(try_open(dir, &s, &e) ? 0 : 1); /* without closing anything */
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    store_close(must_open());
}

static void a_folder_that_cannot_be_made_is_an_error_with_its_path(void **state) {
    (void)state;
    struct store *s = NULL;
    struct err e;
    assert_false(try_open("/proc/nothing/here", &s, &e));
    assert_null(s);
    assert_int_equal(e.code, ERR_IO);
    assert_non_null(strstr(e.msg, "/proc/nothing/here"));
}

static void a_nearly_full_disk_refuses_pushes_until_there_is_room(void **state) {
    (void)state;
    struct store *s = must_open();
    store_tick(s, NOW_MS);
    assert_int_equal(push_log(s).result.stored, 1);
    free_now = 99 << 20;
    store_tick(s, NOW_MS + 1000);
    assert_true(s->disk_full);
    struct answer a = push_log(s);
    assert_int_equal(a.result.stored, 0);
    assert_int_equal(a.result.dropped, 1);
    assert_int_equal(a.result.err.code, ERR_LIMIT);
    assert_non_null(strstr(a.result.err.msg, "99 MiB free"));
    assert_int_equal(push_metrics(s, NOW_MS).result.dropped, 2);
    assert_int_equal(series_kept(s), 0);
    assert_int_equal(logs_kept(s), 1);
    free_now = 100 << 20;
    store_tick(s, NOW_MS + 2000);
    assert_false(s->disk_full);
    assert_int_equal(push_log(s).result.stored, 1);
    assert_int_equal(push_metrics(s, NOW_MS).result.stored, 2);
    store_close(s);
}

static void the_disk_is_looked_at_once_a_second(void **state) {
    (void)state;
    struct store *s = must_open();
    store_tick(s, NOW_MS);
    free_now = 0;
    store_tick(s, NOW_MS + 999);
    assert_false(s->disk_full);
    store_tick(s, NOW_MS + 1000);
    assert_true(s->disk_full);
    store_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_acknowledged_is_there_after_a_reopen, setup, teardown),
        cmocka_unit_test_setup_teardown(closing_answers_the_pushes_that_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(two_processes_never_share_a_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(the_lock_goes_with_a_killed_process, setup, teardown),
        cmocka_unit_test_setup_teardown(a_folder_that_cannot_be_made_is_an_error_with_its_path, setup, teardown),
        cmocka_unit_test_setup_teardown(a_nearly_full_disk_refuses_pushes_until_there_is_room, setup, teardown),
        cmocka_unit_test_setup_teardown(the_disk_is_looked_at_once_a_second, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
