#include "loop/loop.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

static void stop(void *arg) {
    loop_stop(arg);
}

static void runs_a_timer_once_and_not_before_its_time(void **state) {
    (void)state;
    struct loop *l = loop_new();
    loop_own_thread();
    int64_t start = clock_mono_ns();
    struct timer *t = timer_start(l, 20, 0, stop, l);
    loop_run(l);
    assert_true(clock_mono_ns() - start >= 19 * NS_PER_MS);
    timer_free(t);
    loop_free(l);
}

struct ticks {
    struct loop *loop;
    struct timer *timer;
    int n;
};
static void tick(void *arg) {
    struct ticks *c = arg;
    if (++c->n < 3) return;
    timer_free(TAKE(c->timer)); /* from inside its own callback */
    loop_stop(c->loop);
}

static void repeats_a_timer_until_it_frees_itself(void **state) {
    (void)state;
    struct ticks c = {.loop = loop_new()};
    c.timer = timer_start(c.loop, 0, 1, tick, &c);
    loop_run(c.loop);
    assert_int_equal(c.n, 3);
    loop_free(c.loop);
}

enum { POSTS = 20000 };
struct poster {
    struct loop *loop;
    int seen;
    bool in_order;
    bool on_loop_thread;
    struct post {
        struct poster *p;
        int i;
    } posts[POSTS];
};
static void receive(void *arg) {
    struct post *post = arg;
    struct poster *p = post->p;
    p->in_order = p->in_order && post->i == p->seen;
    p->on_loop_thread = p->on_loop_thread && loop_on_thread();
    if (++p->seen == POSTS) loop_stop(p->loop);
}
static void *post_all(void *arg) {
    struct poster *p = arg;
    for (int i = 0; i < POSTS; i++) {
        p->posts[i] = (struct post){p, i};
        loop_post(p->loop, receive, &p->posts[i]);
    }
    return NULL;
}

static void runs_posts_of_another_thread_in_order_on_the_loop_thread(void **state) {
    (void)state;
    static struct poster p;
    p = (struct poster){.loop = loop_new(), .in_order = true, .on_loop_thread = true};
    pthread_t other;
    pthread_create(&other, NULL, post_all, &p);
    loop_run(p.loop);
    pthread_join(other, NULL);
    assert_int_equal(p.seen, POSTS);
    assert_true(p.in_order);
    assert_true(p.on_loop_thread);
    loop_free(p.loop);
}

static void count(void *arg) {
    ++*(int *)arg;
}

static void runs_what_was_posted_before_loop_run_returns(void **state) {
    (void)state;
    struct loop *l = loop_new();
    int n = 0;
    loop_stop(l);
    loop_post(l, count, &n);
    loop_post(l, count, &n);
    loop_run(l);
    assert_int_equal(n, 2);
    loop_post(l, count, &n);
    loop_free(l); /* and so does loop_free */
    assert_int_equal(n, 3);
}

struct reader {
    struct loop *loop;
    int fd, n;
};
static void on_readable(void *arg) {
    struct reader *r = arg;
    uint64_t v;
    assert_int_equal(read(r->fd, &v, sizeof v), sizeof v);
    r->n++;
    loop_stop(r->loop);
}

static void reports_a_watched_descriptor_once_it_is_readable(void **state) {
    (void)state;
    struct reader r = {.loop = loop_new(), .fd = eventfd(0, EFD_CLOEXEC)};
    struct watch *w = watch_start(r.loop, r.fd, on_readable, &r);
    uint64_t one = 1;
    assert_int_equal(write(r.fd, &one, sizeof one), sizeof one);
    loop_run(r.loop);
    assert_int_equal(r.n, 1);
    watch_free(w);
    loop_free(r.loop);
    close(r.fd);
}

static void on_hup(void *arg, int signo) {
    struct reader *r = arg;
    r->n = signo;
    loop_stop(r->loop);
}
static void send_hup(void *arg) {
    (void)arg;
    kill(getpid(), SIGHUP);
}

static void delivers_signals_on_the_loop(void **state) {
    (void)state;
    struct reader r = {.loop = loop_new()};
    loop_on_signal(r.loop, SIGHUP, on_hup, &r);
    struct timer *t = timer_start(r.loop, 0, 0, send_hup, NULL);
    loop_run(r.loop);
    assert_int_equal(r.n, SIGHUP);
    timer_free(t);
    loop_free(r.loop);
}

static void *ask_thread(void *arg) {
    *(bool *)arg = loop_on_thread();
    return NULL;
}

static void knows_its_thread(void **state) {
    (void)state;
    loop_own_thread();
    assert_true(loop_on_thread());
    bool other = true;
    pthread_t t;
    pthread_create(&t, NULL, ask_thread, &other);
    pthread_join(t, NULL);
    assert_false(other);
}

static void loop_free_closes_what_is_open(void **state) {
    (void)state;
    struct loop *l = loop_new();
    int n = 0;
    timer_start(l, 1000, 1000, count, &n);
    loop_on_signal(l, SIGHUP, on_hup, NULL);
    loop_stop(l);
    loop_free(l); /* LeakSanitizer sees the rest */
    assert_int_equal(n, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_its_thread),
        cmocka_unit_test(runs_a_timer_once_and_not_before_its_time),
        cmocka_unit_test(repeats_a_timer_until_it_frees_itself),
        cmocka_unit_test(runs_posts_of_another_thread_in_order_on_the_loop_thread),
        cmocka_unit_test(runs_what_was_posted_before_loop_run_returns),
        cmocka_unit_test(reports_a_watched_descriptor_once_it_is_readable),
        cmocka_unit_test(delivers_signals_on_the_loop),
        cmocka_unit_test(loop_free_closes_what_is_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
