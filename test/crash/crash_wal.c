/* crash_wal: the n-th open, write, sync, rename... of the log fails, for every n until a run has no failure; and the power goes at every write.
 * After each run the log is opened again: acknowledged records are all found, nothing that was not sent is, in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "crash/faults.h"
#include "store/wal.h"

enum { RECORDS = 60 };
struct run {
    bool sent[RECORDS], acknowledged[RECORDS];
    uint32_t found[RECORDS * 2], found_n;
    uint32_t waiting; /* the record whose commit is pending */
};

static bool on_record(void *arg, enum wal_type type, uint64_t lsn, str payload, struct err *e) {
    (void)lsn;
    (void)e;
    struct run *r = arg;
    uint32_t i;
    assert_int_equal(type, WAL_METRICS);
    assert_true(payload.n >= sizeof i);
    memcpy(&i, payload.p, sizeof i);
    assert_int_equal(payload.n, 100 + i);
    assert_true(r->found_n < RECORDS * 2);
    r->found[r->found_n++] = i;
    return true;
}
static void on_commit(void *arg, const struct err *e) {
    struct run *r = arg;
    if (e) return;
    for (uint32_t i = 0; i <= r->waiting; i++) r->acknowledged[i] |= r->sent[i]; /* everything appended so far */
}

static void scenario(struct vfs *v, const char *dir, void *arg) {
    struct run *r = arg;
    struct wal_replay_stats stats;
    struct err e;
    for (uint32_t i = 0; i < RECORDS;) {
        struct wal *w = NULL;
        struct wal_options o = {.vfs = v, .dir = dir, .segment_bytes = 1500};
        r->found_n = 0;
        if (!wal_open(NULL, &o, on_record, r, &stats, &w, &e)) {
            i += 5; /* this start failed */
            continue;
        }
        for (uint32_t end = i + 20; i < end && i < RECORDS; i++) {
            char payload[200] = {0};
            memcpy(payload, &i, sizeof i);
            uint64_t lsn;
            if (wal_append(w, WAL_METRICS, str_n(payload, 100 + i), &lsn, &e)) r->sent[i] = true;
            r->waiting = i;
            if (r->sent[i]) wal_commit(w, on_commit, r);
        }
        wal_close(w);
    }
}

static void verify(const char *dir, void *arg) {
    struct run *r = arg;
    struct wal_replay_stats stats;
    struct wal *w = NULL;
    struct err e = {0};
    struct wal_options o = {.vfs = vfs_real(), .dir = dir};
    r->found_n = 0;
    if (!wal_open(NULL, &o, on_record, r, &stats, &w, &e)) fail_msg("%s", e.msg);
    wal_close(w);
    bool found[RECORDS] = {0};
    for (uint32_t k = 0; k < r->found_n; k++) {
        assert_true(r->sent[r->found[k]]);
        assert_false(found[r->found[k]]);
        assert_true(k == 0 || r->found[k] > r->found[k - 1]);
        found[r->found[k]] = true;
    }
    for (uint32_t i = 0; i < RECORDS; i++) assert_true(!r->acknowledged[i] || found[i]);
}

static void survives_every_single_failure(void **state) {
    (void)state;
    unsigned runs = faults_everywhere(scenario, verify, sizeof(struct run));
    print_message("%u runs\n", runs);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(survives_every_single_failure)};
    loop_own_thread();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
