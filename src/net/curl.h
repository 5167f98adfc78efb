/* net/curl: libcurl, loaded when it is first needed. Loop thread. The library brings some twenty others (LDAP, Kerberos, SSH, RTMP, OpenSSL...), 4.7
 * MB of resident memory and a third of the time to start, for a program that often makes no request at all; so it is not linked but opened. */
#pragma once
#define CURL_DISABLE_TYPECHECK /* its macros would stand in the way of the members below */
#include <curl/curl.h>

#include "base/err.h"

/* Functions that are used, by their names without "curl_". */
#define CURL_FUNCTIONS(X)  \
    X(global_init)         \
    X(global_cleanup)      \
    X(easy_init)           \
    X(easy_cleanup)        \
    X(easy_setopt)         \
    X(easy_getinfo)        \
    X(easy_header)         \
    X(easy_strerror)       \
    X(multi_init)          \
    X(multi_cleanup)       \
    X(multi_setopt)        \
    X(multi_assign)        \
    X(multi_add_handle)    \
    X(multi_remove_handle) \
    X(multi_info_read)     \
    X(multi_socket_action) \
    X(slist_append)        \
    X(slist_free_all)      \
    X(url)                 \
    X(url_cleanup)         \
    X(url_get)             \
    X(url_set)             \
    X(free)

#define CURL_MEMBER(name) __typeof__(&curl_##name) name;
struct curl {
    CURL_FUNCTIONS(CURL_MEMBER)
};

/* NULL: the library, or a function, is not there; stays so. It is never unloaded. */
MUST_USE const struct curl *curl_load(struct err *e);
