#include "loop/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

struct job_list {
    struct job *first, **last;
    size_t n;
};

/* Work that a job shares with idle threads: on that job's stack until all of it is done. */
struct share {
    void (*work)(void *arg, size_t i);
    void *arg;
    size_t n, next, done;
    struct share *other;
};

struct pool {
    struct loop *loop;
    unsigned threads;
    size_t queue_max;
    pthread_t *ids;

    pthread_mutex_t lock;        /* guards everything below */
    pthread_cond_t work, shared; /* shared: a share is done */
    struct share *shares;        /* with items nobody has begun */
    struct job_list queued[2];
    struct job_list finished; /* waiting for `done` on the loop thread */
    unsigned running[2];
    enum lane served_last;
    bool stopping, posted; /* posted: run_done is on its way through the loop */
    uint64_t done[2], refused[2];
};

static void list_init(struct job_list *q) {
    *q = (struct job_list){.last = &q->first};
}

static void list_push(struct job_list *q, struct job *j) {
    j->next = NULL;
    *q->last = j;
    q->last = &j->next;
    q->n++;
}

static struct job *list_pop(struct job_list *q) {
    struct job *j = q->first;
    assert(j);
    q->first = j->next;
    if (!q->first) q->last = &q->first;
    q->n--;
    return j;
}

/* Which lane a free thread serves; false: nothing it may run now. Queries go first, but neither lane starves: with several threads background jobs
 * leave one thread to queries and get one themselves; a single thread takes turns. */
static bool pick_lane(const struct pool *p, enum lane *out) {
    bool query = p->queued[LANE_QUERY].n > 0;
    bool background = p->queued[LANE_BACKGROUND].n > 0 && p->running[LANE_BACKGROUND] < MAX(p->threads - 1, 1u);
    if (!query && !background) return false;
    if (query != background)
        *out = query ? LANE_QUERY : LANE_BACKGROUND;
    else if (p->threads == 1)
        *out = p->served_last == LANE_QUERY ? LANE_BACKGROUND : LANE_QUERY;
    else
        *out = p->running[LANE_QUERY] + 1 == p->threads ? LANE_BACKGROUND : LANE_QUERY;
    return true;
}

/* Loop thread. Also hands over what finished while earlier `done`s ran. */
static void run_done(struct pool *p) {
    pthread_mutex_lock(&p->lock);
    struct job *j = p->finished.first;
    list_init(&p->finished);
    pthread_mutex_unlock(&p->lock);
    while (j) {
        struct job *next = j->next; /* done frees j */
        j->done(j);
        j = next;
    }
}

static void on_finished(void *arg) {
    struct pool *p = arg;
    pthread_mutex_lock(&p->lock);
    p->posted = false;
    pthread_mutex_unlock(&p->lock);
    run_done(p);
}

/* Called and returns with the lock held. */
static void run_one(struct pool *p, enum lane lane) {
    struct job *j = list_pop(&p->queued[lane]);
    p->running[lane]++;
    p->served_last = lane;
    pthread_mutex_unlock(&p->lock);
    j->run(j);
    pthread_mutex_lock(&p->lock);
    p->running[lane]--;
    p->done[lane]++;
    list_push(&p->finished, j);
    if (p->posted) return;
    p->posted = true;
    loop_post(p->loop, on_finished, p);
}

/* Called and returns with the lock held: does one item. */
static void help(struct pool *p, struct share *s) {
    size_t i = s->next++;
    if (s->next == s->n) {
        struct share **at = &p->shares;
        while (*at != s) at = &(*at)->other;
        *at = s->other;
    }
    pthread_mutex_unlock(&p->lock);
    s->work(s->arg, i);
    pthread_mutex_lock(&p->lock);
    if (++s->done == s->n) pthread_cond_broadcast(&p->shared);
}

void pool_share(struct pool *p, void (*work)(void *arg, size_t i), void *arg, size_t n) {
    if (n == 0) return;
    struct share s = {.work = work, .arg = arg, .n = n};
    pthread_mutex_lock(&p->lock);
    s.other = p->shares;
    p->shares = &s;
    for (size_t i = 1; i < n; i++) pthread_cond_signal(&p->work);
    while (s.next < s.n) help(p, &s);
    while (s.done < s.n) pthread_cond_wait(&p->shared, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

unsigned pool_threads(const struct pool *p) {
    return p->threads;
}

static void *worker(void *arg) {
    struct pool *p = arg;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        enum lane lane;
        if (pick_lane(p, &lane))
            run_one(p, lane);
        else if (p->shares)
            help(p, p->shares);
        else if (p->stopping)
            break;
        else
            pthread_cond_wait(&p->work, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

struct pool *pool_new(struct loop *l, unsigned threads, size_t queue_max) {
    assert(threads >= 1 && threads <= 1024);
    struct pool *p = mem_zalloc(sizeof *p);
    p->loop = l;
    p->threads = threads;
    p->queue_max = queue_max;
    p->ids = mem_zalloc(threads * sizeof *p->ids);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_cond_init(&p->shared, NULL);
    list_init(&p->queued[LANE_QUERY]);
    list_init(&p->queued[LANE_BACKGROUND]);
    list_init(&p->finished);

    sigset_t all, before; /* signals are the loop thread's business */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (unsigned i = 0; i < threads; i++) {
        int failed = pthread_create(&p->ids[i], NULL, worker, p);
        assert(!failed);
        pthread_setname_np(p->ids[i], "bn-pool");
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return p;
}

static void cancel_queued(struct job_list *q) {
    for (struct job *j = q->first; j; j = j->next) flag_set(&j->cancel);
}

static void free_pool(void *arg) {
    struct pool *p = arg;
    pthread_cond_destroy(&p->work);
    pthread_cond_destroy(&p->shared);
    pthread_mutex_destroy(&p->lock);
    free(p->ids);
    free(p);
}

void pool_free(struct pool *p) {
    if (!p) return;
    assert_loop_thread();
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    cancel_queued(&p->queued[LANE_QUERY]);
    cancel_queued(&p->queued[LANE_BACKGROUND]);
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->threads; i++) pthread_join(p->ids[i], NULL);
    run_done(p);
    if (p->posted)
        loop_post(p->loop, free_pool, p); /* behind the on_finished that is still on its way */
    else
        free_pool(p);
}

bool pool_submit(struct pool *p, enum lane lane, struct job *j, struct err *e) {
    assert_loop_thread();
    assert(j->run && j->done);
    pthread_mutex_lock(&p->lock);
    bool stopping = p->stopping;
    bool full = p->queued[lane].n >= p->queue_max;
    if (stopping || full) {
        p->refused[lane]++;
    } else {
        j->pool = p;
        list_push(&p->queued[lane], j);
        pthread_cond_signal(&p->work);
    }
    pthread_mutex_unlock(&p->lock);
    if (stopping) return err_set(e, ERR_CANCELED, "binnacle is shutting down");
    if (full)
        return err_set(e, ERR_LIMIT, "%zu %s are waiting already: try again in a second", p->queue_max,
                       lane == LANE_QUERY ? "queries" : "background jobs");
    return true;
}

bool job_check(const struct job *j, struct err *e) {
    if (flag_get(&j->cancel)) return err_set(e, ERR_CANCELED, "the request was canceled");
    if (j->deadline_ns && clock_mono_ns() > j->deadline_ns) return err_set(e, ERR_TIMEOUT, "the deadline passed");
    return true;
}

void pool_stats(const struct pool *p, struct pool_stats *out) {
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&p->lock;
    pthread_mutex_lock(lock);
    for (int lane = 0; lane < 2; lane++) {
        out->queued[lane] = p->queued[lane].n;
        out->running[lane] = p->running[lane];
        out->done[lane] = p->done[lane];
        out->refused[lane] = p->refused[lane];
    }
    pthread_mutex_unlock(lock);
}
