/* net/http_route: route tables compiled once, then matched read-only. Pure; any thread.
 *
 * A pattern is split at '/': a literal matches itself, ":name" one non-empty segment, a final "*" the rest (also nothing). First match wins. A path
 * that matches nothing is tried once more without its trailing slash. */
#pragma once
#include "net/http_server.h"

struct http_router;
/* The tables are borrowed. Asserts on patterns that make no sense: they are ours. */
struct http_router *http_router_new(const struct http_route *const *tables, size_t table_n);
void http_router_free(struct http_router *r);

struct http_match {
    const struct http_route *route; /* NULL: see allow */
    unsigned allow;                 /* methods the path would take (405), 0: unknown path (404) */
    str captures[4];
};
/* path and segments: of http_parse_target. method may be 0 (one we do not know). Captures borrow from both. */
struct http_match http_router_find(const struct http_router *r, enum http_method method, unsigned door, const struct http_target *t);

enum http_method http_method_parse(str name); /* 0: none of ours */
/* "GET, HEAD, POST" for an Allow header. */
str http_methods_format(struct arena *a, unsigned methods);
