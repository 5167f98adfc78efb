#include "net/tcp.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "loop/loop.h"

/* Echoes whole lines; "bye" closes. Takes nothing while `stubborn`. */
struct owner {
    struct loop *loop;
    struct tcp_server *server;
    struct tcp_conn *conn;
    bool stubborn;
    unsigned opened, closed, gone;
};

static void *on_open(void *arg, struct tcp_conn *c) {
    struct owner *o = arg;
    o->conn = c;
    o->opened++;
    tcp_write(c, STR("hello\n"));
    return o;
}
static void on_ready(void *state) {
    struct owner *o = state;
    for (;;) {
        str bytes = tcp_bytes(o->conn);
        size_t end = str_find_char(bytes, '\n');
        if (end == STR_NONE || o->stubborn) break;
        bool bye = str_eq(str_sub(bytes, 0, end), STR("bye"));
        tcp_write(o->conn, str_sub(bytes, 0, end + 1));
        tcp_take(o->conn, end + 1);
        if (!bye) continue;
        o->closed++;
        return tcp_close(o->conn);
    }
    if (!tcp_ended(o->conn)) return;
    o->closed++;
    tcp_close(o->conn);
    loop_stop(o->loop);
}
static void on_gone(void *state) {
    ((struct owner *)state)->gone++;
}

static void start(struct owner *o, unsigned connections, size_t want) {
    loop_own_thread();
    o->loop = loop_new();
    const struct tcp_handler h = {on_open, on_ready, on_gone, o};
    const struct tcp_limits limits = {connections, want};
    struct err e;
    if (!tcp_listen(o->loop, STR("127.0.0.1:0"), &h, &limits, &o->server, &e)) fail_msg("%s", e.msg);
}

static int dial(const struct owner *o) {
    str address = tcp_server_address(o->server), host;
    uint64_t port;
    str_cut(&address, ':', &host);
    assert_true(str_u64(address, &port));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void stop_soon(void *arg) {
    loop_stop(arg);
}
static void run_for(struct owner *o, unsigned ms) {
    struct timer *t = timer_start(o->loop, ms, 0, stop_soon, o->loop);
    loop_run(o->loop);
    timer_free(t);
}

static void end(struct owner *o) {
    tcp_server_free(o->server);
    loop_free(o->loop);
}

static void read_all(int fd, const char *want) {
    char got[256] = "";
    size_t n = 0;
    for (ssize_t k; (k = recv(fd, got + n, sizeof got - 1 - n, MSG_DONTWAIT)) > 0;) n += (size_t)k;
    assert_string_equal(got, want);
}

static void echoes_and_ends_with_its_peer(void **state) {
    (void)state;
    struct owner o = {0};
    start(&o, 10, 1024);
    int fd = dial(&o);
    assert_int_equal(send(fd, "one\ntw", 6, 0), 6);
    run_for(&o, 50);
    assert_int_equal(send(fd, "o\n", 2, 0), 2);
    shutdown(fd, SHUT_WR);
    loop_run(o.loop);
    run_for(&o, 50);
    read_all(fd, "hello\none\ntwo\n");
    assert_int_equal(o.closed, 1);
    close(fd);
    end(&o);
    assert_int_equal(o.gone, 0);
}

static void the_last_words_arrive_before_the_end(void **state) {
    (void)state;
    struct owner o = {0};
    start(&o, 10, 1024);
    int fd = dial(&o);
    assert_int_equal(send(fd, "bye\n", 4, 0), 4);
    run_for(&o, 50);
    read_all(fd, "hello\nbye\n");
    char c;
    assert_int_equal(recv(fd, &c, 1, 0), 0);
    close(fd);
    end(&o);
}

static void stops_reading_when_nobody_takes(void **state) {
    (void)state;
    struct owner o = {.stubborn = true};
    start(&o, 10, 100000);
    int fd = dial(&o);
    char *block = mem_zalloc(1 << 20);
    size_t sent = 0;
    for (int i = 0; i < 40; i++) { /* far more than socket buffers hold together would be read at once */
        ssize_t n = send(fd, block, 1 << 20, MSG_DONTWAIT);
        if (n > 0) sent += (size_t)n;
        run_for(&o, 5);
    }
    free(block);
    size_t waiting = tcp_bytes(o.conn).n;
    assert_true(waiting >= 100000 && waiting < 200000 && sent > waiting);
    tcp_take(o.conn, waiting);
    run_for(&o, 20);
    assert_true(tcp_bytes(o.conn).n >= 100000);
    tcp_hold(o.conn, true);
    const char *before = tcp_bytes(o.conn).p;
    tcp_want(o.conn, 1 << 20);
    run_for(&o, 20);
    assert_ptr_equal(tcp_bytes(o.conn).p, before);
    close(fd);
    end(&o);
    assert_int_equal(o.gone, 1);
}

static void refuses_connections_beyond_the_limit(void **state) {
    (void)state;
    struct owner o = {0};
    start(&o, 1, 1024);
    int first = dial(&o), second = dial(&o);
    run_for(&o, 50);
    char c;
    assert_int_equal(recv(second, &c, 1, 0), 0);
    struct tcp_server_stats stats;
    tcp_server_stats(o.server, &stats);
    assert_int_equal(stats.connections_refused, 1);
    assert_int_equal(stats.connections_open, 1);
    close(first);
    close(second);
    end(&o);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(echoes_and_ends_with_its_peer),
        cmocka_unit_test(the_last_words_arrive_before_the_end),
        cmocka_unit_test(stops_reading_when_nobody_takes),
        cmocka_unit_test(refuses_connections_beyond_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
