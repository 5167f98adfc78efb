#include "loop/loop.h"

#include <pthread.h>
#include <stdlib.h>
#include <uv.h>

#include "base/mem.h"
#include "base/vec.h"

struct posted {
    void (*fn)(void *arg);
    void *arg;
};
typedef VEC(struct posted) posted_list;

struct loop {
    uv_loop_t uv;
    uv_async_t wake;
    pthread_mutex_t lock; /* guards `posted` only */
    posted_list posted;
};

/* Each handle of ours is the first member of a block of its own, marked so that loop_free can tell it from foreign ones. */
static char own_handle;

struct timer {
    uv_timer_t uv;
    void (*fn)(void *arg);
    void *arg;
};
struct watch {
    uv_poll_t uv;
    void (*fn)(void *arg);
    void *arg;
};
struct signal_handle {
    uv_signal_t uv;
    void (*fn)(void *arg, int signo);
    void *arg;
};

static _Thread_local bool is_loop_thread;

void loop_own_thread(void) {
    is_loop_thread = true;
}

bool loop_on_thread(void) {
    return is_loop_thread;
}

/* Runs what was posted until now; false when there was nothing. What runs may post again: that waits for the next round. */
static bool run_posted(struct loop *l) {
    pthread_mutex_lock(&l->lock);
    posted_list batch = l->posted;
    l->posted = (posted_list){0};
    pthread_mutex_unlock(&l->lock);
    for (size_t i = 0; i < batch.n; i++) batch.p[i].fn(batch.p[i].arg);
    bool any = batch.n > 0;
    vec_done(&batch);
    return any;
}

static void on_wake(uv_async_t *wake) {
    run_posted(wake->data);
}

struct loop *loop_new(void) {
    struct loop *l = mem_zalloc(sizeof *l);
    int failed = uv_loop_init(&l->uv);
    assert(!failed); /* no descriptors left before anything started */
    failed = uv_async_init(&l->uv, &l->wake, on_wake);
    assert(!failed);
    l->wake.data = l;
    pthread_mutex_init(&l->lock, NULL);
    return l;
}

struct uv_loop_s *loop_uv(struct loop *l) {
    return &l->uv;
}

void loop_run(struct loop *l) {
    loop_own_thread();
    uv_run(&l->uv, UV_RUN_DEFAULT);
    while (run_posted(l)) continue;
}

void loop_stop(struct loop *l) {
    assert_loop_thread();
    uv_stop(&l->uv);
}

void loop_post(struct loop *l, void (*fn)(void *arg), void *arg) {
    pthread_mutex_lock(&l->lock);
    bool first = l->posted.n == 0;
    vec_push(&l->posted, ((struct posted){fn, arg}));
    pthread_mutex_unlock(&l->lock);
    if (first) uv_async_send(&l->wake);
}

static void free_handle(uv_handle_t *h) {
    free(h);
}

static void close_handle(uv_handle_t *h, void *arg) {
    (void)arg;
    if (!uv_is_closing(h)) uv_close(h, h->data == &own_handle ? free_handle : NULL);
}

void loop_free(struct loop *l) {
    if (!l) return;
    while (run_posted(l)) continue;
    uv_walk(&l->uv, close_handle, NULL);
    while (uv_run(&l->uv, UV_RUN_DEFAULT)) continue; /* only closing handles are left; a loop_stop may be pending */
    int failed = uv_loop_close(&l->uv);
    assert(!failed);
    vec_done(&l->posted);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

static void on_timer(uv_timer_t *h) {
    struct timer *t = (struct timer *)h;
    t->fn(t->arg);
}

struct timer *timer_start(struct loop *l, uint64_t first_ms, uint64_t repeat_ms, void (*fn)(void *arg), void *arg) {
    assert_loop_thread();
    struct timer *t = mem_zalloc(sizeof *t);
    t->fn = fn;
    t->arg = arg;
    uv_timer_init(&l->uv, &t->uv);
    t->uv.data = &own_handle;
    uv_update_time(&l->uv); /* else first_ms counts from the start of this loop round */
    uv_timer_start(&t->uv, on_timer, first_ms, repeat_ms);
    return t;
}

void timer_free(struct timer *t) {
    if (!t) return;
    assert_loop_thread();
    uv_close((uv_handle_t *)&t->uv, free_handle);
}

static void on_ready(uv_poll_t *h, int status, int events) {
    (void)status; /* an error is for fn to find when it reads */
    (void)events;
    struct watch *w = (struct watch *)h;
    w->fn(w->arg);
}

struct watch *watch_start(struct loop *l, int fd, void (*fn)(void *arg), void *arg) {
    assert_loop_thread();
    struct watch *w = mem_zalloc(sizeof *w);
    w->fn = fn;
    w->arg = arg;
    int failed = uv_poll_init(&l->uv, &w->uv, fd);
    assert(!failed); /* an open, pollable descriptor is the caller's business */
    w->uv.data = &own_handle;
    uv_poll_start(&w->uv, UV_READABLE, on_ready);
    return w;
}

void watch_free(struct watch *w) {
    if (!w) return;
    assert_loop_thread();
    uv_close((uv_handle_t *)&w->uv, free_handle);
}

static void on_signal(uv_signal_t *h, int signo) {
    struct signal_handle *s = (struct signal_handle *)h;
    s->fn(s->arg, signo);
}

void loop_on_signal(struct loop *l, int signo, void (*fn)(void *arg, int signo), void *arg) {
    struct signal_handle *s = mem_zalloc(sizeof *s);
    s->fn = fn;
    s->arg = arg;
    uv_signal_init(&l->uv, &s->uv);
    s->uv.data = &own_handle;
    int failed = uv_signal_start(&s->uv, on_signal, signo);
    assert(!failed); /* only SIGKILL and SIGSTOP are refused */
    uv_unref((uv_handle_t *)&s->uv);
}
