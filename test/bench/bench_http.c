/* bench_http: small keep-alive requests per second of the HTTP server, on one core (the loop thread), with the clients in another.
 *
 *   bench_http [seconds] [connections] [pipeline]   default 3 32 1; prints requests/s and the CPU the server thread took. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/http_server.h"

static void small(void *app, struct http_exchange *x) {
    (void)app;
    http_reply(x, (struct http_reply){.status = 200, .content_type = STR("application/json"), .body = STR("{\"status\":\"success\"}")});
}
static const struct http_route routes[] = {{HTTP_GET, "/api/v1/status/:what", small}, {0}};
static const struct http_route *const tables[] = {routes};

static const char request[] = "GET /api/v1/status/up?a=1 HTTP/1.1\r\nHost: 127.0.0.1:9090\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n";

struct load {
    struct loop *loop;
    uint16_t port;
    int seconds, connections, pipeline;
    uint64_t replies;
    int64_t took_ns;
};

static int connect_to(uint16_t port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) abort();
    return fd;
}

static void send_batch(int fd, int n) {
    char out[sizeof request * 64];
    for (int i = 0; i < n; i++) memcpy(out + (size_t)i * (sizeof request - 1), request, sizeof request - 1);
    size_t all = (size_t)n * (sizeof request - 1);
    if (send(fd, out, all, 0) != (ssize_t)all) abort();
}

static uint64_t count_replies(int fd) {
    static char in[1 << 16];
    ssize_t n = recv(fd, in, sizeof in, 0);
    if (n <= 0) abort();
    uint64_t replies = 0;
    for (str rest = str_n(in, (size_t)n); rest.n; replies++) {
        size_t at = str_find(rest, STR("success"));
        if (at == STR_NONE) break;
        rest = str_from(rest, at + 7);
    }
    return replies;
}

static void stop(void *arg) {
    loop_stop(arg);
}

static void *run_load(void *arg) {
    struct load *l = arg;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    int *waiting = calloc((size_t)l->connections, sizeof *waiting);
    int *fds = calloc((size_t)l->connections, sizeof *fds);
    for (int i = 0; i < l->connections; i++) {
        fds[i] = connect_to(l->port);
        struct epoll_event want = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &want);
        send_batch(fds[i], waiting[i] = l->pipeline);
    }
    int64_t start = clock_mono_ns();
    while ((l->took_ns = clock_mono_ns() - start) < l->seconds * NS_PER_S) {
        struct epoll_event ready[64];
        int n = epoll_wait(epoll, ready, 64, 1000);
        for (int i = 0; i < n; i++) {
            uint32_t at = ready[i].data.u32;
            uint64_t replies = count_replies(fds[at]);
            l->replies += replies;
            waiting[at] -= (int)replies;
            if (waiting[at] == 0) send_batch(fds[at], waiting[at] = l->pipeline);
        }
    }
    for (int i = 0; i < l->connections; i++) close(fds[i]);
    close(epoll);
    free(waiting);
    free(fds);
    loop_post(l->loop, stop, l->loop);
    return NULL;
}

static int64_t thread_cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static int arg_or(int argc, char **argv, int at, int standard) {
    return argc > at ? atoi(argv[at]) : standard;
}

int main(int argc, char **argv) {
    struct load l = {.seconds = arg_or(argc, argv, 1, 3), .connections = arg_or(argc, argv, 2, 32), .pipeline = MIN(arg_or(argc, argv, 3, 1), 64)};
    loop_own_thread();
    l.loop = loop_new();
    struct http_server *s = http_server_new(l.loop, &(struct http_server_config){.tables = tables, .table_n = 1});
    struct err e;
    if (!http_server_listen(s, "main", HTTP_DOOR_MAIN, STR("127.0.0.1:0"), &e)) return fprintf(stderr, "%s\n", e.msg), 1;
    str address = http_server_address(s, "main");
    uint64_t port = 0;
    if (!str_u64(str_from(address, str_find_char(address, ':') + 1), &port)) return 1;
    l.port = (uint16_t)port;
    pthread_t client;
    pthread_create(&client, NULL, run_load, &l);
    int64_t cpu = thread_cpu_ns();
    loop_run(l.loop);
    cpu = thread_cpu_ns() - cpu;
    pthread_join(client, NULL);
    double rate = (double)l.replies / ((double)l.took_ns / NS_PER_S);
    printf("%d connections, pipeline %d: %.0f requests/s, server thread %.2f us CPU a request, busy %.0f %%\n", l.connections, l.pipeline, rate,
           (double)cpu / 1000 / (double)l.replies, 100.0 * (double)cpu / (double)l.took_ns);
    http_server_free(s);
    loop_free(l.loop);
    return 0;
}
