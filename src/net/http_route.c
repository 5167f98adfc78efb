#include "net/http_route.h"

#include <stdlib.h>

#include "base/vec.h"

enum part_kind { PART_LITERAL, PART_NAME, PART_REST };
struct part {
    enum part_kind kind;
    str literal;
};
struct compiled {
    const struct http_route *route;
    size_t first, n; /* in parts */
};
struct http_router {
    VEC(struct part) parts;
    VEC(struct compiled) routes;
};

static void compile(struct http_router *r, const struct http_route *route) {
    str rest = str_c(route->pattern);
    assert(rest.n && rest.p[0] == '/' && route->methods && route->handle);
    struct compiled c = {.route = route, .first = r->parts.n};
    size_t captures = 0;
    rest = str_from(rest, 1);
    for (bool more = true; more; c.n++) {
        str text;
        more = str_cut(&rest, '/', &text);
        struct part p = {.kind = PART_LITERAL, .literal = text};
        if (str_eq(text, STR("*"))) p.kind = PART_REST;
        if (str_starts(text, STR(":"))) p.kind = PART_NAME;
        assert(p.kind != PART_REST || !more);
        captures += p.kind != PART_LITERAL;
        vec_push(&r->parts, p);
    }
    assert(captures <= ARRAY_N(((struct http_match *)0)->captures));
    vec_push(&r->routes, c);
}

struct http_router *http_router_new(const struct http_route *const *tables, size_t table_n) {
    struct http_router *r = mem_zalloc(sizeof *r);
    for (size_t i = 0; i < table_n; i++)
        for (const struct http_route *route = tables[i]; route->pattern; route++) compile(r, route);
    return r;
}

void http_router_free(struct http_router *r) {
    if (!r) return;
    vec_done(&r->parts);
    vec_done(&r->routes);
    free(r);
}

/* The end of the path from segment i on: its length is known only after decoding, so the decoded segments before it are counted off. */
static str rest_of(const struct http_target *t, size_t i) {
    size_t at = 1;
    for (size_t k = 0; k < i; k++) at += t->segments[k].n + 1;
    return str_from(t->path, at);
}

static bool matches(const struct part *parts, size_t part_n, const struct http_target *t, size_t segment_n, str captures[static 4]) {
    bool open_end = parts[part_n - 1].kind == PART_REST;
    if (open_end ? segment_n < part_n : segment_n != part_n) return false;
    size_t captured = 0;
    for (size_t i = 0; i < part_n; i++) {
        str segment = t->segments[i];
        switch (parts[i].kind) {
        case PART_LITERAL:
            if (!str_eq(parts[i].literal, segment)) return false;
            break;
        case PART_NAME:
            if (segment.n == 0) return false;
            captures[captured++] = segment;
            break;
        case PART_REST: captures[captured++] = rest_of(t, i); break;
        }
    }
    return true;
}

static struct http_match find(const struct http_router *r, enum http_method method, unsigned door, const struct http_target *t, size_t segment_n) {
    struct http_match m = {.route = NULL};
    for (size_t i = 0; i < r->routes.n; i++) {
        const struct compiled *c = &r->routes.p[i];
        if (c->route->doors && !(c->route->doors & door)) continue;
        str captures[4] = {0};
        if (!matches(&r->parts.p[c->first], c->n, t, segment_n, captures)) continue;
        unsigned methods = c->route->methods | (c->route->methods & HTTP_GET ? HTTP_HEAD : 0);
        if (methods & method) {
            m.route = c->route;
            memcpy(m.captures, captures, sizeof captures);
            return m;
        }
        m.allow |= methods;
    }
    return m;
}

struct http_match http_router_find(const struct http_router *r, enum http_method method, unsigned door, const struct http_target *t) {
    struct http_match m = {.route = NULL};
    if (t->segment_n == 0) return m;
    m = find(r, method, door, t, t->segment_n);
    bool slash = t->segment_n > 1 && t->segments[t->segment_n - 1].n == 0;
    return m.route || m.allow || !slash ? m : find(r, method, door, t, t->segment_n - 1);
}

static const struct {
    str name;
    enum http_method method;
} methods_known[] = {
    {STR_INIT("GET"), HTTP_GET},       {STR_INIT("HEAD"), HTTP_HEAD},       {STR_INIT("POST"), HTTP_POST},   {STR_INIT("PUT"), HTTP_PUT},
    {STR_INIT("DELETE"), HTTP_DELETE}, {STR_INIT("OPTIONS"), HTTP_OPTIONS}, {STR_INIT("PATCH"), HTTP_PATCH},
};

enum http_method http_method_parse(str name) {
    for (size_t i = 0; i < ARRAY_N(methods_known); i++)
        if (str_eq(methods_known[i].name, name)) return methods_known[i].method;
    return (enum http_method)0;
}

str http_methods_format(struct arena *a, unsigned methods) {
    str out = STR("");
    for (size_t i = 0; i < ARRAY_N(methods_known); i++)
        if (methods & methods_known[i].method)
            out = arena_printf(a, "%" STR_F "%s%" STR_F, STR_A(out), out.n ? ", " : "", STR_A(methods_known[i].name));
    return out;
}
