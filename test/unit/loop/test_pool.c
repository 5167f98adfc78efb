#include "loop/pool.h"

#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"

struct bench {
    struct loop *loop;
    struct pool *pool;
    struct counter ran, canceled;
    int done, want;
    bool done_on_loop;
    sem_t go, started;
    char order[64]; /* which lane's jobs finished, in order: 'q' 'b' */
};
struct test_job {
    struct job job;
    struct bench *b;
    char letter;
    bool wait;
    struct test_job *until_canceled; /* runs until that one is canceled */
};

static void run(struct job *j) {
    struct test_job *t = (struct test_job *)j;
    struct err e;
    if (t->wait) {
        sem_post(&t->b->started);
        sem_wait(&t->b->go);
    }
    while (t->until_canceled && !flag_get(&t->until_canceled->job.cancel)) sched_yield();
    counter_add(&t->b->ran, 1);
    if (!job_check(j, &e) && e.code == ERR_CANCELED) counter_add(&t->b->canceled, 1);
}

static void done(struct job *j) {
    struct test_job *t = (struct test_job *)j;
    struct bench *b = t->b;
    b->done_on_loop = b->done_on_loop && loop_on_thread();
    if (b->done < (int)sizeof b->order - 1) b->order[b->done] = t->letter;
    if (++b->done == b->want) loop_stop(b->loop);
    free(t);
}

static struct bench *bench_new(unsigned threads, size_t queue_max) {
    struct bench *b = mem_zalloc(sizeof *b);
    loop_own_thread();
    b->loop = loop_new();
    b->pool = pool_new(b->loop, threads, queue_max);
    b->done_on_loop = true;
    b->want = -1;
    sem_init(&b->go, 0, 0);
    sem_init(&b->started, 0, 0);
    return b;
}

static void bench_free(struct bench *b) {
    pool_free(b->pool);
    loop_free(b->loop);
    sem_destroy(&b->go);
    sem_destroy(&b->started);
    free(b);
}

static struct test_job *job_new(struct bench *b, enum lane lane) {
    struct test_job *t = mem_zalloc(sizeof *t);
    *t = (struct test_job){.job = {.run = run, .done = done}, .b = b, .letter = lane == LANE_QUERY ? 'q' : 'b'};
    return t;
}

static bool submit(struct bench *b, enum lane lane, bool wait, struct err *e) {
    struct test_job *t = job_new(b, lane);
    t->wait = wait;
    if (pool_submit(b->pool, lane, &t->job, e)) return true;
    free(t);
    return false;
}

static void must_submit(struct bench *b, enum lane lane, bool wait) {
    struct err e;
    assert_true(submit(b, lane, wait, &e));
}

static void runs_every_job_and_its_done_on_the_loop_thread(void **state) {
    (void)state;
    struct bench *b = bench_new(4, 5000);
    b->want = 5000;
    for (int i = 0; i < 5000; i++) must_submit(b, i % 2 ? LANE_QUERY : LANE_BACKGROUND, false);
    loop_run(b->loop);
    assert_int_equal(b->done, 5000);
    assert_int_equal(counter_get(&b->ran), 5000);
    assert_true(b->done_on_loop);
    struct pool_stats s;
    pool_stats(b->pool, &s);
    assert_int_equal(s.done[LANE_QUERY] + s.done[LANE_BACKGROUND], 5000);
    assert_int_equal(s.queued[LANE_QUERY] + s.running[LANE_QUERY], 0);
    bench_free(b);
}

static void refuses_a_job_when_the_lane_is_full_but_not_in_the_other_lane(void **state) {
    (void)state;
    struct bench *b = bench_new(1, 2);
    must_submit(b, LANE_QUERY, true);
    sem_wait(&b->started);
    must_submit(b, LANE_QUERY, false);
    must_submit(b, LANE_QUERY, false);
    struct err e;
    assert_false(submit(b, LANE_QUERY, false, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    must_submit(b, LANE_BACKGROUND, false);
    struct pool_stats s;
    pool_stats(b->pool, &s);
    assert_int_equal(s.refused[LANE_QUERY], 1);
    assert_int_equal(s.queued[LANE_QUERY], 2);
    assert_int_equal(s.running[LANE_QUERY], 1);
    b->want = 4;
    sem_post(&b->go);
    loop_run(b->loop);
    assert_int_equal(b->done, 4);
    bench_free(b);
}

static void a_query_passes_background_jobs_that_fill_the_pool(void **state) {
    (void)state;
    struct bench *b = bench_new(2, 100);
    for (int i = 0; i < 10; i++) must_submit(b, LANE_BACKGROUND, true);
    sem_wait(&b->started);
    must_submit(b, LANE_QUERY, false);
    b->want = 1;
    loop_run(b->loop); /* hangs if background jobs took both threads */
    assert_int_equal(b->order[0], 'q');
    for (int i = 0; i < 10; i++) sem_post(&b->go);
    bench_free(b);
}

static void a_background_job_runs_while_queries_keep_coming(void **state) {
    (void)state;
    struct bench *b = bench_new(2, 100);
    for (int i = 0; i < 10; i++) must_submit(b, LANE_QUERY, true);
    sem_wait(&b->started);
    sem_wait(&b->started);
    must_submit(b, LANE_BACKGROUND, false);
    sem_post(&b->go);
    b->want = 2;
    loop_run(b->loop);
    assert_string_equal(b->order, "qb");
    for (int i = 0; i < 10; i++) sem_post(&b->go);
    bench_free(b);
}

static void a_single_thread_takes_turns_between_lanes(void **state) {
    (void)state;
    struct bench *b = bench_new(1, 100);
    must_submit(b, LANE_QUERY, true);
    sem_wait(&b->started);
    for (int i = 0; i < 3; i++) must_submit(b, LANE_QUERY, false);
    for (int i = 0; i < 3; i++) must_submit(b, LANE_BACKGROUND, false);
    b->want = 7;
    sem_post(&b->go);
    loop_run(b->loop);
    assert_string_equal(b->order, "qbqbqbq");
    bench_free(b);
}

static void pool_free_runs_queued_jobs_canceled_and_every_done(void **state) {
    (void)state;
    struct bench *b = bench_new(1, 100);
    struct err e;
    struct test_job *last = job_new(b, LANE_QUERY);
    struct test_job *first = job_new(b, LANE_QUERY);
    first->until_canceled = last;
    assert_true(pool_submit(b->pool, LANE_QUERY, &first->job, &e));
    for (int i = 0; i < 8; i++) must_submit(b, LANE_QUERY, false);
    assert_true(pool_submit(b->pool, LANE_QUERY, &last->job, &e));
    pool_free(TAKE(b->pool));
    assert_int_equal(b->done, 10);
    assert_true(counter_get(&b->canceled) >= 9); /* the first too, if it had not started */
    bench_free(b);
}

static void job_check_tells_timeout_from_cancel(void **state) {
    (void)state;
    struct job j = {.deadline_ns = 0};
    struct err e = {0};
    assert_true(job_check(&j, &e));
    j.deadline_ns = clock_mono_ns() + 3600 * NS_PER_S;
    assert_true(job_check(&j, &e));
    j.deadline_ns = clock_mono_ns() - 1;
    assert_false(job_check(&j, &e));
    assert_int_equal(e.code, ERR_TIMEOUT);
    flag_set(&j.cancel);
    assert_false(job_check(&j, &e));
    assert_int_equal(e.code, ERR_CANCELED);
}

/* --- work a job shares */

struct sharer {
    struct job job;
    struct loop *loop;
    struct counter made[100];
    size_t n;
    bool all_once;
};
static void make_one(void *arg, size_t i) {
    struct sharer *s = arg;
    sched_yield();
    counter_add(&s->made[i], 1);
}
static void run_sharer(struct job *j) {
    struct sharer *s = (struct sharer *)j;
    pool_share(j->pool, make_one, s, s->n);
    s->all_once = true; /* all are done when it returns */
    for (size_t i = 0; i < ARRAY_N(s->made); i++) s->all_once &= counter_get(&s->made[i]) == (i < s->n);
}
static void sharer_done(struct job *j) {
    struct sharer *s = (struct sharer *)j;
    loop_stop(s->loop);
}

static void does_each_piece_of_shared_work_once_however_many_threads_there_are(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 7, 100};
    for (unsigned threads = 1; threads <= 4; threads++) {
        for (size_t k = 0; k < ARRAY_N(sizes); k++) {
            struct bench *b = bench_new(threads, 10);
            struct sharer s = {.job = {.run = run_sharer, .done = sharer_done}, .loop = b->loop, .n = sizes[k]};
            struct err e;
            assert_int_equal(pool_threads(b->pool), threads);
            assert_true(pool_submit(b->pool, LANE_QUERY, &s.job, &e));
            loop_run(b->loop);
            assert_true(s.all_once);
            bench_free(b);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_every_job_and_its_done_on_the_loop_thread),
        cmocka_unit_test(refuses_a_job_when_the_lane_is_full_but_not_in_the_other_lane),
        cmocka_unit_test(a_query_passes_background_jobs_that_fill_the_pool),
        cmocka_unit_test(a_background_job_runs_while_queries_keep_coming),
        cmocka_unit_test(a_single_thread_takes_turns_between_lanes),
        cmocka_unit_test(pool_free_runs_queued_jobs_canceled_and_every_done),
        cmocka_unit_test(job_check_tells_timeout_from_cancel),
        cmocka_unit_test(does_each_piece_of_shared_work_once_however_many_threads_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
