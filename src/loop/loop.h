/* loop/loop: the event loop (libuv). One loop thread owns all sockets, timers and mutable store state. Everything here: loop thread only,
 * but loop_post. */
#pragma once
#include "base/err.h"

struct loop;
struct uv_loop_s; /* libuv's, for the modules of loop/ and net/ */

struct loop *loop_new(void);
void loop_run(struct loop *l); /* until loop_stop; runs what was posted before returning */
void loop_stop(struct loop *l);
void loop_free(struct loop *l); /* closes what is still open */
struct uv_loop_s *loop_uv(struct loop *l);
/* Marks the calling thread as the loop thread; loop_run does it. Modules assert with assert_loop_thread(). Tests without a loop call it too. */
void loop_own_thread(void);
bool loop_on_thread(void);
#define assert_loop_thread() assert(loop_on_thread())

/* Runs fn(arg) on the loop thread soon. Any thread. Order of one poster is kept. */
void loop_post(struct loop *l, void (*fn)(void *arg), void *arg);

/* Timers: ms; repeat_ms 0 = once. */
struct timer;
struct timer *timer_start(struct loop *l, uint64_t first_ms, uint64_t repeat_ms, void (*fn)(void *arg), void *arg);
void timer_free(struct timer *t); /* stops it; NULL is fine */

/* Readiness of a foreign descriptor (MHD's epoll descriptor, inotify). */
struct watch;
struct watch *watch_start(struct loop *l, int fd, void (*fn)(void *arg), void *arg);
void watch_free(struct watch *w); /* does not close fd */

/* SIGINT, SIGTERM, SIGHUP handlers on the loop. */
void loop_on_signal(struct loop *l, int signo, void (*fn)(void *arg, int signo), void *arg);
