/* net/http_client: HTTP client on libcurl multi, driven by the loop. Loop thread only. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "loop/loop.h"

struct http_client;
struct http_client *http_client_new(struct loop *l);
void http_client_free(struct http_client *c); /* running requests end with ERR_CANCELED */

struct http_call {
    str url;
    str method; /* "GET" */
    str body;
    const struct http_call_header *headers;
    size_t header_n;
    int64_t timeout_ms;
    size_t max_body_bytes; /* decoded; more: ERR_LIMIT */
    bool follow_redirects;
    const char *proxy, *ca_file, *cert_file, *key_file, *server_name; /* NULL: default */
    bool insecure_skip_verify;
    str basic_user, basic_password, bearer;
};
struct http_call_header {
    str name, value;
};
struct http_call_result {
    int status; /* 0: no reply; see err */
    str body;   /* decoded (gzip); borrowed for the callback */
    size_t wire_bytes;
    str content_type;
    int64_t duration_ns;
    struct err err;
};
struct http_request;
/* All strings are copied. done runs once, on the loop thread. */
struct http_request *http_client_send(struct http_client *c, const struct http_call *call, void (*done)(void *arg, const struct http_call_result *r),
                                      void *arg);
void http_request_cancel(struct http_request *r); /* done will not run */
