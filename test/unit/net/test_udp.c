#include "net/udp.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct bed {
    struct loop *loop;
    struct udp *udp;
    int fd; /* a client */
    int n, want;
    bool free_at_once;
    char last[70000];
    size_t last_n;
    char peer[64];
};

static void on_packet(void *arg, str packet, str peer) {
    struct bed *b = arg;
    memcpy(b->last, packet.p, packet.n);
    b->last_n = packet.n;
    snprintf(b->peer, sizeof b->peer, "%" STR_F, STR_A(peer));
    if (b->free_at_once) udp_free(TAKE(b->udp));
    if (++b->n == b->want) loop_stop(b->loop);
}

static int start(void **state) {
    static struct bed b;
    b = (struct bed){.loop = loop_new(), .want = 1};
    loop_own_thread();
    struct err e;
    if (!udp_open(b.loop, STR("127.0.0.1:0"), 1 << 20, on_packet, &b, &b.udp, &e)) return -1;
    char text[NET_ADDRESS_MAX];
    str address = udp_address(b.udp, text);
    b.fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    to.sin_port = htons((uint16_t)atoi(strrchr(address.p, ':') + 1));
    if (connect(b.fd, (struct sockaddr *)&to, sizeof to) != 0) return -1;
    *state = &b;
    return 0;
}

static int stop(void **state) {
    struct bed *b = *state;
    udp_free(b->udp);
    loop_free(b->loop);
    close(b->fd);
    return 0;
}

static void receives_packets_with_their_sender(void **state) {
    struct bed *b = *state;
    char mine[NET_ADDRESS_MAX];
    assert_int_equal(send(b->fd, "hello", 5, 0), 5);
    loop_run(b->loop);
    assert_int_equal(b->last_n, 5);
    assert_memory_equal(b->last, "hello", 5);
    net_local_address(b->fd, mine);
    assert_string_equal(b->peer, mine);
}

static void receives_the_largest_and_the_empty_packet(void **state) {
    struct bed *b = *state;
    static char big[65507];
    memset(big, 'x', sizeof big);
    assert_int_equal(send(b->fd, big, sizeof big, 0), sizeof big);
    loop_run(b->loop);
    assert_int_equal(b->last_n, sizeof big);
    assert_memory_equal(b->last, big, sizeof big);
    b->n = 0;
    assert_int_equal(send(b->fd, "", 0, 0), 0);
    loop_run(b->loop);
    assert_int_equal(b->last_n, 0);
}

static void receives_a_burst_without_loss(void **state) {
    struct bed *b = *state;
    b->want = 300;
    for (int i = 0; i < b->want; i++) assert_int_equal(send(b->fd, &i, sizeof i, 0), sizeof i);
    loop_run(b->loop);
    struct udp_stats s;
    udp_stats(b->udp, &s);
    assert_int_equal(s.packets, 300);
    assert_int_equal(s.bytes, 300 * sizeof(int));
    assert_int_equal(s.kernel_drops, 0);
    assert_true(s.rcvbuf_bytes >= 100000);
}

static void stop_loop(void *arg) {
    loop_stop(arg);
}

static void counts_what_the_kernel_dropped(void **state) {
    struct bed *b = *state;
    static char block[8000];
    uint64_t sent = 2000; /* 16 MB into a buffer of 2 */
    for (uint64_t i = 0; i < sent; i++) assert_int_equal(send(b->fd, block, sizeof block, 0), sizeof block);
    b->want = -1;
    struct timer *t = timer_start(b->loop, 100, 0, stop_loop, b->loop);
    loop_run(b->loop);
    timer_free(t);
    b->want = b->n + 1;
    assert_int_equal(send(b->fd, "x", 1, 0), 1); /* carries the count */
    loop_run(b->loop);
    struct udp_stats s;
    udp_stats(b->udp, &s);
    assert_true(s.kernel_drops > 0);
    assert_int_equal(s.packets + s.kernel_drops, sent + 1);
}

static void may_be_freed_from_its_own_callback(void **state) {
    struct bed *b = *state;
    b->free_at_once = true;
    for (int i = 0; i < 3; i++) assert_int_equal(send(b->fd, "x", 1, 0), 1);
    loop_run(b->loop);
    assert_int_equal(b->n, 1);
    assert_null(b->udp);
}

static void refuses_a_taken_port_and_names_its_owner(void **state) {
    struct bed *b = *state;
    char text[NET_ADDRESS_MAX];
    char pid[32];
    struct udp *second = NULL;
    struct err e;
    assert_false(udp_open(b->loop, udp_address(b->udp, text), 1 << 20, on_packet, b, &second, &e));
    assert_int_equal(e.code, ERR_IO);
    snprintf(pid, sizeof pid, "unit_net_udp (pid %d)", getpid());
    assert_non_null(strstr(e.msg, pid));
    assert_null(second);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(receives_packets_with_their_sender, start, stop),
        cmocka_unit_test_setup_teardown(receives_the_largest_and_the_empty_packet, start, stop),
        cmocka_unit_test_setup_teardown(receives_a_burst_without_loss, start, stop),
        cmocka_unit_test_setup_teardown(counts_what_the_kernel_dropped, start, stop),
        cmocka_unit_test_setup_teardown(may_be_freed_from_its_own_callback, start, stop),
        cmocka_unit_test_setup_teardown(refuses_a_taken_port_and_names_its_owner, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
