/* A whole gRPC connection from the client's first byte: HTTP/2 frames, HPACK, message framing, gzip, deadlines. The handlers answer at once, stream,
 * or keep the exchange until the connection is gone. An input that does not begin with the preface gets one, so that the fuzzer need not find it. */
#include "loop/loop.h"
#include "net/grpc_session.h"

static struct grpc_exchange *kept[64];
static size_t kept_n;

static void echo(void *app, struct grpc_exchange *x) {
    (void)app;
    grpc_reply(x, (struct grpc_reply){.body = x->body});
}
static void keep(void *app, struct grpc_exchange *x) {
    (void)app;
    if (kept_n == ARRAY_N(kept)) return grpc_reply_error(x, GRPC_UNAVAILABLE, STR("full"));
    kept[kept_n++] = x;
}
static void parts(void *app, struct grpc_exchange *x) {
    (void)app;
    while (grpc_stream_write(x, STR("a part of it"))) continue;
    grpc_stream_end(x, GRPC_DATA_LOSS, STR("l\xc3\xa9ger"));
}
static const struct grpc_method methods[] = {{"/t.T/Echo", echo}, {"/t.T/Keep", keep}, {"/t.T/Parts", parts}, {0}};

static void on_want_write(void *arg) {
    (void)arg;
}
static void stop(void *arg) {
    loop_stop(arg);
}

static void drain(struct grpc_session *s) {
    for (str piece; (piece = grpc_session_pull(s)).n;) assert(piece.p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
    static struct loop *loop;
    if (!loop) loop = loop_new();
    loop_own_thread();
    const struct grpc_server_config config = {.methods = methods,
                                              .limits = {.message_bytes = 4096, .header_bytes = 4096, .streams = 8, .in_flight_bytes = 16384}};
    struct grpc_shared shared;
    grpc_shared_init(&shared, loop, &config);
    struct grpc_session *s = grpc_session_new(&shared, STR("peer"), "door", on_want_write, NULL);
    if (size && data[0] != 'P') grpc_session_feed(s, str_n(preface, sizeof preface));
    size_t step = size && data[size - 1] ? data[size - 1] : size + 1; /* sizes of the reads */
    bool ok = true;
    for (size_t at = 0; ok && at < size; at += step) {
        ok = grpc_session_feed(s, str_n(data + at, MIN(step, size - at)));
        drain(s);
        if (kept_n > 1) grpc_reply(kept[--kept_n], (struct grpc_reply){.body = STR("later")});
    }
    if (size & 1) grpc_session_stop(s, STR("stopping"));
    drain(s);
    grpc_session_free(s);
    while (kept_n) grpc_reply_error(kept[--kept_n], GRPC_INTERNAL, STR("too late"));
    assert(shared.in_flight_bytes == 0 && shared.stats.calls == shared.stats.calls_ok + shared.stats.calls_failed + shared.stats.calls_gone);
    loop_post(loop, stop, loop); /* lets the timers of deadlines close */
    loop_run(loop);
    return 0;
}
