/* A small blocking gRPC client on nghttp2, for the tests of net/grpc_server: sends its calls in a thread while the loop runs, collects what comes
 * back. */
#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "loop/loop.h"

struct client_call {
    const char *path, *content_type, *encoding, *timeout, *method, *traceparent; /* NULL: the usual, or none */
    str body;                                                                    /* with its prefix, as sent */
    size_t piece;                                                                /* bytes per DATA frame; 0: as many as fit */
    size_t big_header;                                                           /* bytes of an extra header */
    size_t reset_after;                                                          /* RST_STREAM once so many body bytes are sent; 0: never */
    bool never_end;                                                              /* END_STREAM is not sent */
    /* what came back */
    int http_status, grpc_status; /* -1: none */
    char text[256], details[256];
    struct buf got;
    bool closed;
    uint32_t error;
    /* private */
    size_t at;
    int32_t stream;
};

struct client {
    struct loop *loop;
    uint16_t port;
    struct client_call *calls;
    size_t call_n;
    size_t closed_n;
    bool hang_up; /* end the connection once all is sent */
    bool goaway;
    int fd;
};

static inline ssize_t client_body(nghttp2_session *h2, int32_t stream, uint8_t *to, size_t room, uint32_t *flags, nghttp2_data_source *source,
                                  void *arg) {
    (void)arg;
    struct client_call *c = source->ptr;
    size_t n = MIN(room, c->body.n - c->at);
    if (c->piece) n = MIN(n, c->piece);
    if (c->reset_after && c->at >= c->reset_after) {
        nghttp2_submit_rst_stream(h2, NGHTTP2_FLAG_NONE, stream, NGHTTP2_CANCEL);
        return NGHTTP2_ERR_DEFERRED;
    }
    if (c->reset_after) n = MIN(n, c->reset_after - c->at);
    if (c->at == c->body.n && c->never_end) return NGHTTP2_ERR_DEFERRED;
    if (n) memcpy(to, c->body.p + c->at, n);
    c->at += n;
    if (c->at == c->body.n && !c->never_end && !c->reset_after) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static inline struct client_call *client_find(struct client *t, int32_t stream) {
    for (size_t i = 0; i < t->call_n; i++)
        if (t->calls[i].stream == stream) return &t->calls[i];
    return NULL;
}

static inline int client_on_header(nghttp2_session *h2, const nghttp2_frame *f, const uint8_t *name, size_t name_n, const uint8_t *value,
                                   size_t value_n, uint8_t flags, void *arg) {
    (void)h2, (void)flags;
    struct client_call *c = client_find(arg, f->hd.stream_id);
    str n = str_n(name, name_n), v = str_n(value, value_n);
    uint64_t number;
    if (!c) return 0;
    if (str_eq(n, STR(":status")) && str_u64(v, &number)) c->http_status = (int)number;
    if (str_eq(n, STR("grpc-status")) && str_u64(v, &number)) c->grpc_status = (int)number;
    if (str_eq(n, STR("grpc-message"))) snprintf(c->text, sizeof c->text, "%" STR_F, STR_A(v));
    if (str_eq(n, STR("grpc-status-details-bin"))) snprintf(c->details, sizeof c->details, "%" STR_F, STR_A(v));
    return 0;
}
static inline int client_on_data(nghttp2_session *h2, uint8_t flags, int32_t stream, const uint8_t *data, size_t n, void *arg) {
    (void)h2, (void)flags;
    struct client_call *c = client_find(arg, stream);
    if (c) buf_put(&c->got, data, n);
    return 0;
}
static inline int client_on_close(nghttp2_session *h2, int32_t stream, uint32_t error, void *arg) {
    (void)h2;
    struct client *t = arg;
    struct client_call *c = client_find(t, stream);
    if (!c) return 0;
    c->closed = true;
    c->error = error;
    t->closed_n++;
    return 0;
}
static inline int client_on_frame(nghttp2_session *h2, const nghttp2_frame *f, void *arg) {
    (void)h2;
    if (f->hd.type == NGHTTP2_GOAWAY) ((struct client *)arg)->goaway = true;
    return 0;
}

static inline nghttp2_nv client_nv(const char *name, const char *value) {
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static inline void client_submit(nghttp2_session *h2, struct client_call *c) {
    nghttp2_nv nv[10];
    size_t n = 0;
    char *big = c->big_header ? calloc(1, c->big_header + 1) : NULL;
    if (big) memset(big, 'x', c->big_header);
    nv[n++] = client_nv(":method", c->method ? c->method : "POST");
    nv[n++] = client_nv(":scheme", "http");
    nv[n++] = client_nv(":path", c->path);
    nv[n++] = client_nv(":authority", "localhost");
    nv[n++] = client_nv("content-type", c->content_type ? c->content_type : "application/grpc");
    nv[n++] = client_nv("te", "trailers");
    if (c->encoding) nv[n++] = client_nv("grpc-encoding", c->encoding);
    if (c->timeout) nv[n++] = client_nv("grpc-timeout", c->timeout);
    if (c->traceparent) nv[n++] = client_nv("traceparent", c->traceparent);
    if (big) nv[n++] = client_nv("x-big", big);
    nghttp2_data_provider from = {.source.ptr = c, .read_callback = client_body};
    c->http_status = c->grpc_status = -1;
    c->stream = nghttp2_submit_request(h2, NULL, nv, n, &from, NULL);
    assert(c->stream > 0);
    free(big);
}

static inline bool client_send(nghttp2_session *h2, int fd) {
    const uint8_t *p;
    for (ssize_t n; (n = nghttp2_session_mem_send(h2, &p)) > 0;) {
        while (n > 0) {
            ssize_t sent = send(fd, p, (size_t)n, MSG_NOSIGNAL);
            if (sent <= 0) return false;
            p += sent;
            n -= sent;
        }
    }
    return true;
}

static inline int client_connect(uint16_t port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int failed = connect(fd, (struct sockaddr *)&to, sizeof to);
    assert(!failed);
    return fd;
}

static inline void client_stop_loop(void *arg) {
    loop_stop(arg);
}

static inline void *client_thread(void *arg) {
    struct client *t = arg;
    nghttp2_session_callbacks *cb;
    nghttp2_session *h2;
    nghttp2_session_callbacks_new(&cb);
    nghttp2_session_callbacks_set_on_header_callback(cb, client_on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, client_on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, client_on_close);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, client_on_frame);
    nghttp2_session_client_new(&h2, cb, t);
    nghttp2_session_callbacks_del(cb);
    nghttp2_submit_settings(h2, NGHTTP2_FLAG_NONE, NULL, 0);
    for (size_t i = 0; i < t->call_n; i++) client_submit(h2, &t->calls[i]);
    t->fd = client_connect(t->port);
    bool open = client_send(h2, t->fd);
    if (t->hang_up) shutdown(t->fd, SHUT_WR); /* close() could reset the connection before the server has read all */
    while (open && t->closed_n < t->call_n) {
        uint8_t bytes[65536];
        struct pollfd p = {.fd = t->fd, .events = POLLIN};
        if (poll(&p, 1, 10000) <= 0) break;
        ssize_t n = recv(t->fd, bytes, sizeof bytes, 0);
        open = n > 0 && nghttp2_session_mem_recv(h2, bytes, (size_t)n) == n && client_send(h2, t->fd);
    }
    nghttp2_session_del(h2);
    close(t->fd);
    loop_post(t->loop, client_stop_loop, t->loop);
    return NULL;
}

/* Runs all calls on one connection until each is closed (10 s without a byte: gives up). */
static inline void client_run(struct client *t) {
    pthread_t id;
    pthread_create(&id, NULL, client_thread, t);
    loop_run(t->loop);
    pthread_join(id, NULL);
}
