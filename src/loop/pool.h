/* loop/pool: worker threads in two lanes. A job is pure: it touches its own arena, immutable blocks and the snapshot it was given; never the
 * loop's state. */
#pragma once
#include "base/arena.h"
#include "base/atomic.h"
#include "base/err.h"
#include "loop/loop.h"

enum lane { LANE_QUERY, LANE_BACKGROUND };
struct pool;

/* threads: total; at least one always serves queries, background jobs never occupy all of them when threads > 1. queue_max per lane. */
struct pool *pool_new(struct loop *l, unsigned threads, size_t queue_max);
void pool_free(struct pool *p); /* waits for running jobs; queued ones are run with cancel set */

struct job {
    void (*run)(struct job *j);  /* in the pool */
    void (*done)(struct job *j); /* then on the loop thread; frees the job */
    int64_t deadline_ns;         /* clock_mono_ns; 0 = none; jobs check job_check() */
    struct flag cancel;
    struct job *next;  /* pool's */
    struct pool *pool; /* pool's */
};
/* Loop thread. ERR_LIMIT when the lane's queue is full (the caller still owns the job). */
MUST_USE bool pool_submit(struct pool *p, enum lane lane, struct job *j, struct err *e);
/* ERR_CANCELED or ERR_TIMEOUT when the job should give up. Any thread; cheap enough for every 1,000th row. */
MUST_USE bool job_check(const struct job *j, struct err *e);
/* Within a job: calls work(arg, i) for each i in [0, n), in this thread and in those of the pool that are idle; returns when all have returned. Never
 * waits for a thread that is busy with something else. */
void pool_share(struct pool *p, void (*work)(void *arg, size_t i), void *arg, size_t n);
unsigned pool_threads(const struct pool *p);
struct pool_stats {
    uint64_t queued[2], running[2], done[2], refused[2];
};
void pool_stats(const struct pool *p, struct pool_stats *out);
