/* net/http_client: HTTP client on libcurl multi, driven by the loop. Loop thread only.
 *
 * Connections are kept and used again. http and https only, also after redirects. gzip is asked for and undone, unless the caller does that. Proxies
 * of the environment (http_proxy) are not used: targets are mostly local, and a proxy is a setting. Host names are resolved in a thread by libcurl.
 */
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
    int64_t timeout_ms;    /* of everything together; > 0 */
    size_t max_body_bytes; /* decoded, unless keep_encoding; more: ERR_LIMIT; > 0 */
    bool follow_redirects;
    bool keep_encoding; /* the body comes as it was sent, perhaps gzipped: large ones are better unpacked elsewhere than on the loop thread */
    const char *proxy, *ca_file, *cert_file, *key_file; /* NULL: none, the system's, none, none */
    const char *server_name;                            /* the certificate's, when it is not the URL's host */
    bool insecure_skip_verify;
    /* Set: the body of a 200 is handed on piece by piece as it comes, with done's arg, and not kept: result.body is empty. max_body_bytes counts all.
     */
    void (*on_data)(void *arg, str piece);
    str basic_user, basic_password, bearer;
};
struct http_call_header {
    str name, value;
};
struct http_call_result {
    int status; /* 0: no (whole) reply; see err: ERR_TIMEOUT, ERR_LIMIT, ERR_INPUT (the URL), ERR_CANCELED, else ERR_IO */
    str body;   /* decoded; borrowed for the callback */
    bool gzip;  /* but for this: keep_encoding was asked for, and the body is gzipped */
    size_t wire_bytes;
    str content_type;
    int64_t duration_ns;
    struct err err;
};
struct http_request;
/* All strings are copied. done runs once, on the loop thread, never from inside http_client_send; the request is gone after it. It may send
 * another request but not free the client. */
struct http_request *http_client_send(struct http_client *c, const struct http_call *call, void (*done)(void *arg, const struct http_call_result *r),
                                      void *arg);
void http_request_cancel(struct http_request *r); /* done will not run; not from inside done; NULL is fine */
