#include "ingest/jaeger_udp.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "codec/thrift.h"

struct bed {
    struct sink sink;
    struct loop *loop;
    struct jaeger_udp *udp;
    struct timer *guard;
    int fd; /* a client */
    size_t spans, want, refused, unreadable;
    char service[32];
};

static void take_events(struct sink *s, struct event_batch *b, push_done done, void *arg) {
    struct bed *bed = CONTAINER_OF(s, struct bed, sink);
    (void)arg;
    assert_null(done);
    bed->spans += b->event_n;
    str service = b->streams[b->events[0].stream].service;
    memcpy(bed->service, service.p, service.n);
    bed->service[service.n] = 0;
    event_batch_free(b);
    if (bed->spans >= bed->want) loop_stop(bed->loop);
}

static void count_refused(struct sink *s, enum signal signal, size_t n) {
    struct bed *bed = CONTAINER_OF(s, struct bed, sink);
    assert_int_equal(signal, SIGNAL_TRACES);
    if (n == ITEMS_UNKNOWN)
        bed->unreadable++;
    else
        bed->refused += n;
}

static void too_late(void *arg) {
    loop_stop(((struct bed *)arg)->loop);
}

static int start(void **state) {
    static struct bed b;
    b = (struct bed){.sink = {.push_events = take_events, .count_refused = count_refused}, .loop = loop_new(), .want = 1};
    loop_own_thread();
    struct err e;
    if (!jaeger_udp_open(b.loop, "test", STR("127.0.0.1:0"), 1 << 20, &b.sink, &b.udp, &e)) return -1;
    b.guard = timer_start(b.loop, 20000, 0, too_late, &b);
    AUTO(arena_free) struct arena *a = arena_new(256);
    const char *address = arena_cstr(a, jaeger_udp_address(b.udp, a));
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    to.sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1));
    b.fd = socket(AF_INET, SOCK_DGRAM, 0);
    *state = &b;
    return connect(b.fd, (struct sockaddr *)&to, sizeof to);
}

static int stop(void **state) {
    struct bed *b = *state;
    timer_free(b->guard);
    jaeger_udp_free(b->udp);
    loop_free(b->loop);
    close(b->fd);
    return 0;
}

/* One span; span_id 0: one that is refused. */
static void send_span(int fd, enum thrift_protocol protocol, int64_t span_id, int64_t seq, int64_t dropped) {
    struct buf b = {0};
    struct thrift_out o = {.buf = &b, .protocol = protocol};
    thrift_put_message(&o, &(struct thrift_message){.name = STR("emitBatch"), .type = THRIFT_ONEWAY, .seq = 1});
    thrift_put_struct(&o, 0);
    thrift_put_struct(&o, 1);
    thrift_put_struct(&o, 1);
    thrift_put_string(&o, 1, STR("api"));
    thrift_put_end(&o);
    thrift_put_list(&o, 2, THRIFT_LIST, THRIFT_STRUCT, 1);
    thrift_put_struct(&o, 0);
    thrift_put_i64(&o, 1, 5);
    thrift_put_i64(&o, 3, span_id);
    thrift_put_string(&o, 5, STR("op"));
    thrift_put_end(&o);
    thrift_put_end(&o);
    thrift_put_i64(&o, 3, seq);
    thrift_put_struct(&o, 4);
    thrift_put_i64(&o, 1, dropped);
    thrift_put_end(&o);
    thrift_put_end(&o);
    thrift_put_end(&o);
    assert_int_equal(send(fd, b.p, b.n, 0), b.n);
    buf_done(&b);
}

static void send_batch(int fd, enum thrift_protocol protocol, int64_t seq, int64_t dropped) {
    send_span(fd, protocol, 6, seq, dropped);
}

static void pushes_the_spans_of_both_protocols(void **state) {
    struct bed *b = *state;
    b->want = 2;
    send_batch(b->fd, THRIFT_COMPACT, 1, 0);
    send_batch(b->fd, THRIFT_BINARY, 2, 0);
    loop_run(b->loop);
    struct jaeger_udp_stats s;
    jaeger_udp_stats(b->udp, &s);
    assert_int_equal(b->spans, 2);
    assert_string_equal(b->service, "api");
    assert_true(s.packets == 2 && s.spans == 2 && s.decode_errors == 0 && s.missing_batches == 0);
}

static void counts_what_was_lost_on_the_way(void **state) {
    struct bed *b = *state;
    b->want = 3;
    send_batch(b->fd, THRIFT_COMPACT, 1, 5);
    send_batch(b->fd, THRIFT_COMPACT, 5, 7);
    send_batch(b->fd, THRIFT_COMPACT, 6, 7);
    loop_run(b->loop);
    struct jaeger_udp_stats s;
    jaeger_udp_stats(b->udp, &s);
    assert_true(s.missing_batches == 3 && s.client_dropped == 7);
}

static void counts_packets_that_are_no_spans(void **state) {
    struct bed *b = *state;
    assert_int_equal(send(b->fd, "garbage", 7, 0), 7);
    assert_int_equal(send(b->fd, "\x82", 1, 0), 1);
    send_batch(b->fd, THRIFT_BINARY, 1, 0);
    loop_run(b->loop);
    struct jaeger_udp_stats s;
    jaeger_udp_stats(b->udp, &s);
    assert_true(s.packets == 3 && s.decode_errors == 2 && s.spans == 1);
    assert_true(b->unreadable == 2 && b->refused == 0);
}

static void reports_the_spans_it_refuses(void **state) {
    struct bed *b = *state;
    send_span(b->fd, THRIFT_COMPACT, 0, 1, 0);
    send_batch(b->fd, THRIFT_COMPACT, 2, 0);
    loop_run(b->loop);
    assert_true(b->spans == 1 && b->refused == 1 && b->unreadable == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pushes_the_spans_of_both_protocols, start, stop),
        cmocka_unit_test_setup_teardown(counts_what_was_lost_on_the_way, start, stop),
        cmocka_unit_test_setup_teardown(reports_the_spans_it_refuses, start, stop),
        cmocka_unit_test_setup_teardown(counts_packets_that_are_no_spans, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
