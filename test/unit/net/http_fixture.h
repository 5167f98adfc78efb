/* A server on a free port of the loopback and a blocking client in a thread, for the tests of net/. The loop runs while the client talks. */
#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "net/http_server.h"

struct fixture {
    struct loop *loop;
    struct http_server *server;
    struct arena *arena;
    uint16_t port;
    /* the last observation */
    int observed_n, observed_status;
    size_t observed_bytes;
    const struct http_route *observed_route;
    bool stop_when_gone;
    int stop_when_observed; /* so many observations end loop_run; 0: never */
};

UNUSED static void fixture_observe(void *app, const struct http_exchange *x, const struct http_route *route, int status, size_t reply_bytes,
                                   int64_t duration_ns) {
    (void)x;
    struct fixture *f = app;
    assert(duration_ns >= 0);
    if (++f->observed_n == f->stop_when_observed) loop_stop(f->loop);
    f->observed_status = status;
    f->observed_bytes = reply_bytes;
    f->observed_route = route;
}

UNUSED static void fixture_start(struct fixture *f, struct http_server_config config) {
    *f = (struct fixture){.loop = loop_new(), .arena = arena_new(4096)};
    loop_own_thread();
    config.app = f;
    config.observe = fixture_observe;
    f->server = http_server_new(f->loop, &config);
    struct err e;
    bool ok = http_server_listen(f->server, "main", HTTP_DOOR_MAIN, STR("127.0.0.1:0"), &e);
    assert_true(ok);
    uint64_t port = 0;
    str address = http_server_address(f->server, "main");
    assert_true(str_u64(str_from(address, str_find_char(address, ':') + 1), &port));
    f->port = (uint16_t)port;
}

UNUSED static void fixture_stop(struct fixture *f) {
    http_server_free(f->server);
    loop_free(f->loop);
    arena_free(f->arena);
}

struct talk {
    struct fixture *f;
    str send;
    struct buf got;
    bool hang_up;      /* close without reading a reply */
    int linger_ms;     /* before hanging up, or before giving up on a silent server (0: 10 s) */
    size_t stop_after; /* bytes read; 0: until the server closes */
    bool half_close;   /* close the sending side after the request */
};

static void talk_stop(void *arg) {
    loop_stop(((struct talk *)arg)->f->loop);
}

static int talk_connect(uint16_t port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int failed = connect(fd, (struct sockaddr *)&to, sizeof to);
    assert(!failed);
    return fd;
}

/* Sends and reads at the same time, so that neither side can block the other. */
static void talk_exchange(struct talk *t, int fd) {
    size_t sent = 0;
    for (;;) {
        struct pollfd p = {.fd = fd, .events = (short)(POLLIN | (sent < t->send.n ? POLLOUT : 0))};
        if (poll(&p, 1, t->linger_ms ? t->linger_ms : 10000) <= 0) return;
        if (p.revents & (POLLIN | POLLHUP | POLLERR)) {
            buf_reserve(&t->got, 65536);
            ssize_t n = recv(fd, t->got.p + t->got.n, 65536, 0);
            if (n <= 0) return;
            t->got.n += (size_t)n;
            if (t->stop_after && t->got.n >= t->stop_after) return;
        } else if (p.revents & POLLOUT) {
            ssize_t n = send(fd, t->send.p + sent, MIN(t->send.n - sent, (size_t)1 << 20), MSG_NOSIGNAL | MSG_DONTWAIT);
            if (n > 0) sent += (size_t)n;
            if (sent == t->send.n && t->half_close) shutdown(fd, SHUT_WR);
            if (n < 0) sent = t->send.n; /* the server does not read any more; it may have answered */
        }
    }
}

static void *talk_thread(void *arg) {
    struct talk *t = arg;
    int fd = talk_connect(t->f->port);
    if (t->hang_up) {
        ssize_t n = send(fd, t->send.p, t->send.n, MSG_NOSIGNAL);
        assert(n == (ssize_t)t->send.n);
        poll(NULL, 0, t->linger_ms);
    } else {
        talk_exchange(t, fd);
    }
    close(fd);
    loop_post(t->f->loop, talk_stop, t);
    return NULL;
}

UNUSED static str talk_with(struct talk *t) {
    pthread_t id;
    pthread_create(&id, NULL, talk_thread, t);
    loop_run(t->f->loop);
    pthread_join(id, NULL);
    str got = arena_str(t->f->arena, buf_str(&t->got));
    buf_done(&t->got);
    return got;
}

/* Everything the server sends until it closes. */
UNUSED static str talk(struct fixture *f, str request) {
    struct talk t = {.f = f, .send = request};
    return talk_with(&t);
}

UNUSED static str get(struct fixture *f, const char *target, const char *headers) {
    return talk(f, arena_printf(f->arena, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n", target, headers));
}

UNUSED static str post(struct fixture *f, const char *target, const char *headers, str body) {
    str head = arena_printf(f->arena, "POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n%s\r\n", target, body.n, headers);
    char *all = arena_alloc(f->arena, head.n + body.n);
    memcpy(all, head.p, head.n);
    if (body.n) memcpy(all + head.n, body.p, body.n);
    return talk(f, str_n(all, head.n + body.n));
}

UNUSED static int status_of(str reply) {
    uint64_t status = 0;
    return str_starts(reply, STR("HTTP/1.")) && str_u64(str_sub(reply, 9, 12), &status) ? (int)status : 0;
}

UNUSED static str body_of(str reply) {
    size_t at = str_find(reply, STR("\r\n\r\n"));
    return at == STR_NONE ? STR_NULL : str_from(reply, at + 4);
}

UNUSED static str header_of(str reply, const char *name) {
    str head = str_sub(reply, 0, str_find(reply, STR("\r\n\r\n")));
    for (str line; head.n && (str_cut(&head, '\n', &line), true);) {
        str key;
        if (str_cut(&line, ':', &key) && str_eq_nocase(key, str_c(name))) return str_trim(line);
    }
    return STR_NULL;
}

#define assert_str(actual, expected) assert_str_at((actual), (expected), __FILE__, __LINE__)
UNUSED static void assert_str_at(str actual, const char *expected, const char *file, int line) {
    if (str_eq_c(actual, expected)) return;
    print_error("\"%" STR_F "\" is not \"%s\"\n", STR_A(actual), expected);
    _fail(file, line);
}
#define assert_has(text, part) assert_has_at((text), (part), __FILE__, __LINE__)
UNUSED static void assert_has_at(str text, const char *part, const char *file, int line) {
    if (str_find(text, str_c(part)) != STR_NONE) return;
    print_error("\"%s\" is not in \"%" STR_F "\"\n", part, STR_A(text));
    _fail(file, line);
}
