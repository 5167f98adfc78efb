/* Every n-th write, sync, rename... of a run of the events store with its log fails, for every n; or the power goes in the middle of the n-th
 * write. Whatever happened, after a clean restart: acknowledged <= found <= sent, nothing twice, nothing altered. Then every n-th byte of a part is
 * flipped: a scan gives right rows or none of that block. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/events/events.h"

enum { BATCHES = 60, PER_BATCH = 5, EVENTS = BATCHES * PER_BATCH };
#define T0 (INT64_C(1700000000) * NS_PER_S)

static char dir[64];

static void clear_dir(const char *pattern) {
    char cmd[200];
    snprintf(cmd, sizeof cmd, "rm -rf '%s'%s", dir, pattern);
    assert_int_equal(system(cmd), 0);
}
static int make_dir(void **state) {
    (void)state;
    snprintf(dir, sizeof dir, "%s/crash-events-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    loop_own_thread();
    return mkdtemp(dir) ? 0 : -1;
}
static int remove_dir(void **state) {
    (void)state;
    clear_dir("");
    return 0;
}

struct store_under_test {
    struct evdb *db;
    struct wal *wal;
};
static bool replay_one(void *arg, enum wal_type type, uint64_t lsn, str payload, struct err *e) {
    struct store_under_test *s = arg;
    return type != WAL_EVENTS || evdb_replay(s->db, lsn, payload, e);
}
static bool open_store(struct vfs *v, struct store_under_test *s, struct err *e) {
    char path[100];
    *s = (struct store_under_test){0};
    snprintf(path, sizeof path, "%s/events", dir);
    struct evdb_options o = {.vfs = v, .dir = path, .head_bytes_max = 8 << 10};
    if (!evdb_open(&o, &s->db, e)) return false;
    struct wal_replay_stats rs;
    snprintf(path, sizeof path, "%s/wal", dir);
    struct wal_options wo = {.vfs = v, .dir = path, .segment_bytes = 8 << 10, .queue_bytes_max = 1 << 20};
    if (!wal_open(NULL, &wo, replay_one, s, &rs, &s->wal, e)) return false;
    evdb_attach_wal(s->db, s->wal);
    return true;
}
static void close_store(struct store_under_test *s) {
    evdb_close(s->db);
    wal_close(s->wal);
}

static bool acknowledged[EVENTS];

static void on_done(void *arg, const struct push_result *r) {
    size_t first = *(size_t *)arg;
    for (size_t i = 0; i < PER_BATCH; i++) acknowledged[first + i] = r->stored_map ? r->stored_map[i] : r->stored > 0;
}

static void body_of(struct arena *a, size_t id, str *out) {
    *out = arena_printf(a, "event %zu says %llx", id, (unsigned long long)(id * 0x9e3779b97f4a7c15));
}

static void push(struct store_under_test *s, size_t batch) {
    enum event_kind kind = batch % 3 == 2 ? EVENT_SPAN : EVENT_LOG;
    struct event_batch *b = event_batch_new(kind, 4096);
    b->stream_n = 2;
    b->streams = arena_zalloc(b->arena, 2 * sizeof *b->streams);
    b->streams[0].service = STR("a");
    b->streams[1].service = STR("b");
    b->event_n = PER_BATCH;
    b->events = arena_zalloc(b->arena, PER_BATCH * sizeof *b->events);
    size_t first = batch * PER_BATCH;
    for (size_t i = 0; i < PER_BATCH; i++) {
        struct event *ev = &b->events[i];
        *ev = (struct event){.kind = kind, .time_ns = T0 + (int64_t)(first + i) * NS_PER_S, .stream = (uint32_t)(i % 2), .span_id = first + i + 1};
        ev->trace = (struct trace_id){5, batch};
        body_of(b->arena, first + i, &ev->body);
    }
    evdb_append(s->db, b, on_done, &first);
}

static bool power_is_off(struct vfs *v) {
    struct err e;
    uint64_t n;
    return !vfs_free_bytes(v, dir, &n, &e);
}

static bool see(void *arg, const struct evrow *r) {
    uint8_t *found = arg;
    AUTO(arena_free) struct arena *a = arena_new(1024);
    struct event ev;
    struct stream st;
    evrow_event(r, a, &ev, &st);
    size_t id = (size_t)ev.span_id - 1;
    assert_true(ev.span_id > 0 && id < EVENTS);
    str want;
    body_of(a, id, &want);
    assert_true(str_eq(ev.body, want));
    assert_int_equal(ev.time_ns, T0 + (int64_t)id * NS_PER_S);
    assert_true(str_eq_c(st.service, id % PER_BATCH % 2 ? "b" : "a"));
    found[id]++;
    return true;
}

static void scan_all(struct evdb *db, uint8_t *found) {
    memset(found, 0, EVENTS);
    for (int k = 0; k < EVENT_KIND_N; k++) {
        struct err e;
        struct evscan q = {.from_ns = INT64_MIN, .to_ns = INT64_MAX};
        struct evdb_snapshot *s = evdb_snapshot(db, (enum event_kind)k, q.from_ns, q.to_ns);
        if (!evdb_scan(s, &q, see, found, NULL, &e)) fail_msg("scan: %s", e.msg);
        evdb_snapshot_free(s);
    }
}

static void push_some(struct vfs *v, size_t from, size_t to) {
    struct store_under_test s;
    struct err e;
    bool open = open_store(v, &s, &e);
    for (size_t i = from; open && i < to && !power_is_off(v); i++) {
        push(&s, i);
        if (i % 4 == 3) evdb_tick(s.db, clock_wall_ms() + 3600000); /* long past every retry time */
    }
    close_store(&s);
}

/* A first session goes well, a second one, which may not even begin, meets the faults, a third goes well again. */
static void run_with(struct vfs_faults *faults) {
    struct vfs *v = vfs_faulty_new(vfs_real(), faults);
    memset(acknowledged, 0, sizeof acknowledged);
    clear_dir("/*");
    push_some(vfs_real(), 0, BATCHES / 4);
    push_some(v, BATCHES / 4, BATCHES - BATCHES / 4);
    push_some(vfs_real(), BATCHES - BATCHES / 4, BATCHES);
    vfs_faulty_free(v);
}

static size_t check_after(void) {
    static uint8_t found[EVENTS];
    struct store_under_test s;
    struct err e;
    if (!open_store(vfs_real(), &s, &e)) fail_msg("cannot open after the fault: %s", e.msg);
    scan_all(s.db, found);
    size_t n = 0;
    for (size_t i = 0; i < EVENTS; i++) {
        if (acknowledged[i] && found[i] == 0) fail_msg("event %zu was acknowledged and is lost", i);
        if (found[i] > 1) fail_msg("event %zu is there %u times", i, found[i]);
        n += found[i];
    }
    close_store(&s);
    return n;
}

static void survives(enum vfs_op op) {
    for (uint64_t n = 1;; n++) {
        struct vfs_faults faults = {0};
        faults.fail_at[op] = n;
        run_with(&faults);
        size_t found = check_after();
        if (faults.calls[op] < n) {
            assert_int_equal(found, EVENTS);
            print_message("%llu places\n", (unsigned long long)n - 1);
            assert_true(n > 2);
            return;
        }
    }
}

static void survives_a_failing_write(void **state) {
    (void)state;
    survives(VFS_OP_WRITE);
}
static void survives_a_failing_sync(void **state) {
    (void)state;
    survives(VFS_OP_SYNC);
}
static void survives_a_failing_rename(void **state) {
    (void)state;
    survives(VFS_OP_RENAME);
}
static void survives_a_failing_sync_of_a_folder(void **state) {
    (void)state;
    survives(VFS_OP_SYNC_DIR);
}
static void survives_a_failing_open(void **state) {
    (void)state;
    survives(VFS_OP_OPEN);
}
static void survives_a_failing_unlink(void **state) {
    (void)state;
    survives(VFS_OP_UNLINK);
}
static void survives_a_failing_map(void **state) {
    (void)state;
    survives(VFS_OP_MAP);
}

static void survives_power_loss_in_every_write(void **state) {
    (void)state;
    for (uint64_t n = 1;; n++) {
        struct vfs_faults faults = {.crash_at = n};
        run_with(&faults);
        check_after();
        if (faults.calls[VFS_OP_WRITE] >= n) continue;
        print_message("%llu places\n", (unsigned long long)n - 1);
        return;
    }
}

static void a_full_disk_refuses_and_recovers(void **state) {
    (void)state;
    struct vfs_faults faults = {0};
    struct store_under_test s;
    struct err e;
    struct vfs *v = vfs_faulty_new(vfs_real(), &faults);
    memset(acknowledged, 0, sizeof acknowledged);
    assert_true(open_store(v, &s, &e));
    for (size_t i = 0; i < BATCHES; i++) {
        faults.disk_full = i >= 20 && i < 40;
        push(&s, i);
        evdb_tick(s.db, clock_wall_ms() + 3600000);
        bool taken = acknowledged[i * PER_BATCH];
        if (i < 20 || i > 40) assert_true(taken);
        if (faults.disk_full) assert_false(taken);
    }
    struct evdb_stats st;
    evdb_stats(s.db, &st);
    for (int k = 0; k < EVENT_KIND_N; k++) assert_int_equal(st.kind[k].received, st.kind[k].stored + st.kind[k].rejected + st.kind[k].dropped);
    close_store(&s);
    vfs_faulty_free(v);
    check_after();
}

/* --- damage at rest */

static char *newest_part(struct vfs *v, struct arena *a) {
    str *names;
    size_t n;
    struct err e;
    char path[100];
    snprintf(path, sizeof path, "%s/events", dir);
    assert_true(vfs_list(v, path, a, &names, &n, &e));
    for (size_t i = 0; i < n; i++)
        if (str_starts(names[i], STR("log-"))) return arena_cstr(a, arena_printf(a, "%s/%" STR_F, path, STR_A(names[i])));
    return NULL;
}

static void a_flipped_bit_never_gives_a_wrong_row(void **state) {
    (void)state;
    struct vfs_faults none = {0};
    run_with(&none);
    AUTO(arena_free) struct arena *a = arena_new(1024);
    char *path = newest_part(vfs_real(), a);
    assert_non_null(path);
    str good;
    struct err e;
    assert_true(vfs_read_file(vfs_real(), path, 1 << 20, a, &good, &e));
    char *bad = arena_alloc(a, good.n);
    static uint8_t found[EVENTS];
    for (size_t at = 0; at < good.n; at += 7) {
        memcpy(bad, good.p, good.n);
        bad[at] ^= (char)(1 << at % 8);
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        assert_int_equal(fwrite(bad, 1, good.n, f), good.n);
        assert_int_equal(fclose(f), 0);
        struct store_under_test s;
        assert_true(open_store(vfs_real(), &s, &e));
        scan_all(s.db, found); /* see() fails on a wrong row */
        for (size_t i = 0; i < EVENTS; i++) assert_true(found[i] <= 1);
        close_store(&s);
    }
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, make_dir, remove_dir)
int main(void) {
    const struct CMUnitTest tests[] = {
        IN_DIR(survives_a_failing_write),         IN_DIR(survives_a_failing_sync),
        IN_DIR(survives_a_failing_rename),        IN_DIR(survives_a_failing_sync_of_a_folder),
        IN_DIR(survives_a_failing_open),          IN_DIR(survives_a_failing_unlink),
        IN_DIR(survives_a_failing_map),           IN_DIR(survives_power_loss_in_every_write),
        IN_DIR(a_full_disk_refuses_and_recovers), IN_DIR(a_flipped_bit_never_gives_a_wrong_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
