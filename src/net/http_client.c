#include "net/http_client.h"

#include <stdlib.h>
#include <uv.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/curl.h"

enum { REDIRECTS_MAX = 10, IDLE_CONNECTIONS_MAX = 128 };

static const struct curl *curl; /* loaded with the first request; NULL: not yet, or not there */

struct http_client {
    struct loop *loop;
    CURLM *multi; /* NULL: no request yet, or no libcurl */
    uv_timer_t *timer;
    struct http_request *requests; /* running, doubly linked */
};

struct http_request {
    struct http_client *client;
    CURL *easy;
    struct arena *arena;
    struct curl_slist *headers, *connect_to;
    struct buf body;
    bool keep_encoding;
    size_t max_body_bytes;
    bool too_long;
    size_t handed_on; /* bytes given to on_data */
    void (*on_data)(void *arg, str piece);
    int64_t start_ns;
    void (*done)(void *arg, const struct http_call_result *r);
    void *arg;
    struct http_request *next, *prev;
    char why[CURL_ERROR_SIZE];
};

static void request_free(struct http_request *r) {
    struct http_client *c = r->client;
    if (r->next) r->next->prev = r->prev;
    if (r->prev) r->prev->next = r->next;
    if (c->requests == r) c->requests = r->next;
    if (r->easy) {
        curl->multi_remove_handle(c->multi, r->easy);
        curl->easy_cleanup(r->easy);
        curl->slist_free_all(r->headers);
        curl->slist_free_all(r->connect_to);
    }
    buf_done(&r->body);
    arena_free(r->arena);
    free(r);
}

/* ---- results ---- */

static void fill_error(struct http_request *r, CURLcode code, struct err *e) {
    const char *why = r->why[0] ? r->why : curl->easy_strerror(code);
    switch ((int)code) {
    case CURLE_WRITE_ERROR:
        if (r->too_long)
            err_set(e, ERR_LIMIT, "the reply has more than %zu bytes", r->max_body_bytes);
        else
            err_set(e, ERR_IO, "%s", why);
        break;
    case CURLE_OPERATION_TIMEDOUT: err_set(e, ERR_TIMEOUT, "%s", why); break;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL: err_set(e, ERR_INPUT, "not an http or https URL: %s", why); break;
    default: err_set(e, ERR_IO, "%s", why); break;
    }
}

static bool is_gzipped(CURL *e) {
    struct curl_header *h;
    return curl->easy_header(e, "Content-Encoding", 0, CURLH_HEADER, -1, &h) == CURLHE_OK && str_eq_nocase(str_c(h->value), STR("gzip"));
}

static void finish(struct http_request *r, CURLcode code) {
    struct http_call_result result = {.duration_ns = clock_mono_ns() - r->start_ns};
    long status = 0;
    curl_off_t wire = 0;
    char *type = NULL;
    curl->easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
    curl->easy_getinfo(r->easy, CURLINFO_SIZE_DOWNLOAD_T, &wire);
    curl->easy_getinfo(r->easy, CURLINFO_CONTENT_TYPE, &type);
    result.wire_bytes = (size_t)wire;
    result.content_type = str_c(type);
    if (code == CURLE_OK) {
        result.status = (int)status;
        result.body = buf_str(&r->body);
        result.gzip = r->keep_encoding && is_gzipped(r->easy);
    } else {
        fill_error(r, code, &result.err);
    }
    r->done(r->arg, &result);
    request_free(r);
}

static void finish_done(struct http_client *c) {
    int left;
    for (CURLMsg *m; (m = curl->multi_info_read(c->multi, &left));) {
        if (m->msg != CURLMSG_DONE) continue;
        struct http_request *r;
        CURLcode code = m->data.result;
        curl->easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&r);
        finish(r, code);
    }
}

/* ---- curl's sockets and timer on our loop ---- */

static void free_handle(uv_handle_t *h) {
    free(h);
}

static void act(struct http_client *c, curl_socket_t fd, int flags) {
    int running;
    curl->multi_socket_action(c->multi, fd, flags, &running);
    finish_done(c);
}

static void on_ready(uv_poll_t *h, int status, int events) {
    int flags = (events & UV_READABLE ? CURL_CSELECT_IN : 0) | (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0) | (status < 0 ? CURL_CSELECT_ERR : 0);
    uv_os_fd_t fd;
    if (uv_fileno((uv_handle_t *)h, &fd) == 0) act(h->data, fd, flags);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg) {
    (void)easy;
    struct http_client *c = arg;
    uv_poll_t *h = socket_arg;
    if (what == CURL_POLL_REMOVE) {
        if (h) {
            curl->multi_assign(c->multi, fd, NULL);
            uv_close((uv_handle_t *)h, free_handle);
        }
        return 0;
    }
    if (!h) {
        h = mem_zalloc(sizeof *h);
        int failed = uv_poll_init(loop_uv(c->loop), h, fd);
        assert(!failed);
        h->data = c;
        curl->multi_assign(c->multi, fd, h);
    }
    uv_poll_start(h, (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0), on_ready);
    return 0;
}

static void on_timeout(uv_timer_t *h) {
    act(h->data, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timer(CURLM *multi, long after_ms, void *arg) {
    (void)multi;
    struct http_client *c = arg;
    if (after_ms < 0)
        uv_timer_stop(c->timer);
    else
        uv_timer_start(c->timer, on_timeout, (uint64_t)after_ms, 0);
    return 0;
}

/* ---- the client ---- */

struct http_client *http_client_new(struct loop *l) {
    assert_loop_thread();
    struct http_client *c = mem_zalloc(sizeof *c);
    c->loop = l;
    c->timer = mem_zalloc(sizeof *c->timer);
    uv_timer_init(loop_uv(l), c->timer);
    c->timer->data = c;
    return c;
}

static bool set_up(struct http_client *c, struct err *e) {
    if (c->multi) return true;
    curl = curl_load(e);
    if (!curl) return false;
    curl->global_init(CURL_GLOBAL_DEFAULT); /* counted by curl */
    c->multi = curl->multi_init();
    assert(c->multi);
    curl->multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl->multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
    curl->multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl->multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
    curl->multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)IDLE_CONNECTIONS_MAX);
    return true;
}

static void fail(struct http_request *r, const struct err *why) {
    struct http_call_result result = {.duration_ns = clock_mono_ns() - r->start_ns, .err = *why};
    r->done(r->arg, &result);
    request_free(r);
}

/* All requests of a client without libcurl. */
static void on_missing(uv_timer_t *h) {
    struct http_client *c = h->data;
    struct err e;
    if (curl_load(&e)) return;
    while (c->requests) fail(c->requests, &e);
}

void http_client_free(struct http_client *c) {
    if (!c) return;
    assert_loop_thread();
    struct err e;
    err_set(&e, ERR_CANCELED, "binnacle is shutting down");
    while (c->requests) fail(c->requests, &e);
    if (c->multi) {
        curl->multi_cleanup(c->multi);
        curl->global_cleanup();
    }
    uv_close((uv_handle_t *)c->timer, free_handle);
    free(c);
}

/* ---- requests ---- */

static size_t on_body(char *data, size_t one, size_t n, void *arg) {
    (void)one;
    struct http_request *r = arg;
    r->too_long = n > r->max_body_bytes - r->body.n - r->handed_on;
    if (r->too_long) return 0;
    long status = 0;
    if (r->on_data && curl->easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK && status == 200) {
        r->handed_on += n;
        r->on_data(r->arg, str_n(data, n));
        return n;
    }
    buf_put(&r->body, data, n);
    return n;
}

static void set_method(struct http_request *r, const struct http_call *call) {
    CURL *e = r->easy;
    if (str_eq(call->method, STR("HEAD"))) {
        curl->easy_setopt(e, CURLOPT_NOBODY, 1L);
    } else if (call->body.n || str_eq(call->method, STR("POST")) || str_eq(call->method, STR("PUT"))) {
        curl->easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.n);
        curl->easy_setopt(e, CURLOPT_COPYPOSTFIELDS, call->body.n ? call->body.p : "");
        curl->easy_setopt(e, CURLOPT_CUSTOMREQUEST, arena_cstr(r->arena, call->method));
    } else if (call->method.n && !str_eq(call->method, STR("GET"))) {
        curl->easy_setopt(e, CURLOPT_CUSTOMREQUEST, arena_cstr(r->arena, call->method));
    }
}

static void add_header(struct http_request *r, str name, str value) {
    /* "Name;" is how curl spells a header without a value: "Name:" would remove it. */
    str line =
        value.n ? arena_printf(r->arena, "%" STR_F ": %" STR_F, STR_A(name), STR_A(value)) : arena_printf(r->arena, "%" STR_F ";", STR_A(name));
    r->headers = curl->slist_append(r->headers, line.p);
}

static void set_headers(struct http_request *r, const struct http_call *call) {
    r->headers = curl->slist_append(r->headers, "Expect:");                         /* a round trip for nothing */
    if (call->body.n) r->headers = curl->slist_append(r->headers, "Content-Type:"); /* curl would say it is a form */
    for (size_t i = 0; i < call->header_n; i++) add_header(r, call->headers[i].name, call->headers[i].value);
    curl->easy_setopt(r->easy, CURLOPT_HTTPHEADER, r->headers);
}

static void set_tls(struct http_request *r, const struct http_call *call) {
    CURL *e = r->easy;
    if (call->ca_file) curl->easy_setopt(e, CURLOPT_CAINFO, call->ca_file);
    if (call->cert_file) curl->easy_setopt(e, CURLOPT_SSLCERT, call->cert_file);
    if (call->key_file) curl->easy_setopt(e, CURLOPT_SSLKEY, call->key_file);
    if (!call->insecure_skip_verify) return;
    curl->easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L);
    curl->easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
}

/* The certificate is to be checked for another name than the URL's: ask curl for a URL with that name, connect it to the real host, and say the real
 * host in the Host header. */
static void set_server_name(struct http_request *r, const struct http_call *call) {
    CURLU *u = curl->url();
    char *host = NULL, *port = NULL, *url = NULL;
    if (curl->url_set(u, CURLUPART_URL, arena_cstr(r->arena, call->url), 0) == CURLUE_OK && curl->url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl->url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
        curl->url_set(u, CURLUPART_HOST, call->server_name, 0) == CURLUE_OK && curl->url_get(u, CURLUPART_URL, &url, 0) == CURLUE_OK) {
        r->connect_to = curl->slist_append(NULL, arena_printf(r->arena, "::%s:%s", host, port).p);
        curl->easy_setopt(r->easy, CURLOPT_CONNECT_TO, r->connect_to);
        curl->easy_setopt(r->easy, CURLOPT_URL, url);
        add_header(r, STR("Host"), arena_printf(r->arena, "%s:%s", host, port));
    }
    curl->free(host);
    curl->free(port);
    curl->free(url);
    curl->url_cleanup(u);
}

static void set_credentials(struct http_request *r, const struct http_call *call) {
    if (call->basic_user.n) {
        curl->easy_setopt(r->easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        curl->easy_setopt(r->easy, CURLOPT_USERNAME, arena_cstr(r->arena, call->basic_user));
        curl->easy_setopt(r->easy, CURLOPT_PASSWORD, arena_cstr(r->arena, call->basic_password));
    } else if (call->bearer.n) {
        curl->easy_setopt(r->easy, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
        curl->easy_setopt(r->easy, CURLOPT_XOAUTH2_BEARER, arena_cstr(r->arena, call->bearer));
    }
}

struct http_request *http_client_send(struct http_client *c, const struct http_call *call, void (*done)(void *arg, const struct http_call_result *r),
                                      void *arg) {
    assert_loop_thread();
    assert(call->timeout_ms > 0 && call->max_body_bytes > 0);
    struct http_request *r = mem_zalloc(sizeof *r);
    r->client = c;
    r->arena = arena_new(1024);
    r->max_body_bytes = call->max_body_bytes;
    r->start_ns = clock_mono_ns();
    r->done = done;
    r->arg = arg;
    r->on_data = call->on_data;
    r->next = c->requests;
    if (r->next) r->next->prev = r;
    c->requests = r;
    if (!set_up(c, NULL)) {
        uv_timer_start(c->timer, on_missing, 0, 0);
        return r;
    }
    CURL *e = r->easy = curl->easy_init();
    assert(e);
    curl->easy_setopt(e, CURLOPT_PRIVATE, r);
    curl->easy_setopt(e, CURLOPT_ERRORBUFFER, r->why);
    curl->easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl->easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl->easy_setopt(e, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl->easy_setopt(e, CURLOPT_URL, arena_cstr(r->arena, call->url));
    curl->easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)MIN(call->timeout_ms, (int64_t)INT32_MAX));
    curl->easy_setopt(e, CURLOPT_FOLLOWLOCATION, call->follow_redirects ? 1L : 0L);
    curl->easy_setopt(e, CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
    curl->easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl->easy_setopt(e, CURLOPT_HTTP_CONTENT_DECODING, call->keep_encoding ? 0L : 1L);
    r->keep_encoding = call->keep_encoding;
    curl->easy_setopt(e, CURLOPT_PROXY, call->proxy ? call->proxy : "");
    curl->easy_setopt(e, CURLOPT_USERAGENT, "binnacle/" BN_VERSION);
    curl->easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl->easy_setopt(e, CURLOPT_WRITEDATA, r);
    set_method(r, call);
    set_credentials(r, call);
    set_tls(r, call);
    if (call->server_name) set_server_name(r, call);
    set_headers(r, call);
    curl->multi_add_handle(c->multi, e); /* starts by the timer: done never runs from in here */
    return r;
}

void http_request_cancel(struct http_request *r) {
    if (!r) return;
    assert_loop_thread();
    request_free(r);
}
