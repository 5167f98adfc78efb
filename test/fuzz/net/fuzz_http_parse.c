/* Targets, parameters, routes and headers as strangers send them. The first byte picks the parser. */
#include <stdlib.h>

#include "net/http_parse.h"
#include "net/http_route.h"

static void handle(void *app, struct http_exchange *x) {
    (void)app;
    (void)x;
}
static const struct http_route routes[] = {
    {HTTP_GET, "/", handle},    {HTTP_GET, "/a/:b/c/:d", handle},  {HTTP_GET | HTTP_POST, "/a/:b", handle},
    {HTTP_PUT, "/a/*", handle}, {HTTP_GET, "/:a/:b/:c/*", handle}, {0},
};
static const struct http_route *const tables[] = {routes};

static void fuzz_target(struct arena *a, str in) {
    static struct http_router *router;
    if (!router) router = http_router_new(tables, ARRAY_N(tables));
    struct http_target t;
    struct err e;
    if (!http_parse_target(a, in, &t, &e)) return;
    assert(t.segment_n <= HTTP_SEGMENTS_MAX && t.path.n > 0 && t.path.n <= in.n + 1);
    size_t bytes = t.segment_n; /* the slashes */
    for (size_t i = 0; i < t.segment_n; i++) bytes += t.segments[i].n;
    assert(t.asterisk || bytes == t.path.n);
    for (unsigned method = HTTP_GET; method <= HTTP_PATCH; method <<= 1) {
        struct http_match m = http_router_find(router, method, 1, &t);
        for (size_t i = 0; i < ARRAY_N(m.captures); i++) arena_str(a, m.captures[i]); /* touches every byte, for the sanitizer */
        assert(!m.route || m.route->methods & method || (method == HTTP_HEAD && m.route->methods & HTTP_GET));
    }
}

static void fuzz_params(struct arena *a, str in) {
    struct http_params p = {0};
    struct err e;
    if (!http_parse_params(a, in, &p, &e)) return;
    size_t bytes = 0;
    for (size_t i = 0; i < p.n; i++) bytes += p.p[i].name.n + p.p[i].value.n;
    assert(p.n <= HTTP_PARAMS_MAX && bytes <= in.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    str in = str_n(data + 1, size - 1);
    struct arena *a = arena_new(256);
    struct http_traceparent t;
    switch (data[0] % 4) {
    case 0: fuzz_target(a, in); break;
    case 1: fuzz_params(a, in); break;
    case 2: assert(!http_parse_traceparent(in, &t) || (t.parent_span_id && (t.trace_hi | t.trace_lo))); break;
    case 3: http_accepts_gzip(in); break;
    }
    arena_free(a);
    return 0;
}
