/* What clients put and want to find again, though it means nothing here: index and component templates, old templates, ingest pipelines, lifecycle
 * policies (fields are mapped by what documents hold, and retention is a setting). Shippers put theirs at every start, so memory is enough. */
#include <stdlib.h>

#include "api/elastic.h"
#include "base/mem.h"
#include "base/vec.h"

enum { RESOURCES_MAX = 4096, BODY_BYTES_MAX = 1 << 20 };

enum shape { LISTED /* {"LIST":[{"name":..,"ITEM":..}]} */, BY_NAME /* {"name":..} */, POLICY /* {"name":{"version":1,...}} */ };
static const struct kind {
    str path; /* behind which the name is */
    enum shape shape;
    const char *list, *item;
    bool error_when_missing; /* else 404 with an empty object */
} kinds[] = {
    {STR_INIT("/_index_template"), LISTED, "index_templates", "index_template", true},
    {STR_INIT("/_component_template"), LISTED, "component_templates", "component_template", true},
    {STR_INIT("/_template"), BY_NAME, NULL, NULL, false},
    {STR_INIT("/_ingest/pipeline"), BY_NAME, NULL, NULL, false},
    {STR_INIT("/_ilm/policy"), POLICY, NULL, NULL, true},
};

struct resource {
    const struct kind *kind;
    str name, body; /* owned */
};
struct es_resources {
    VEC(struct resource) list;
};

static void resource_done(struct resource *r) {
    free((void *)(uintptr_t)r->name.p);
    free((void *)(uintptr_t)r->body.p);
}
void es_resources_free(struct es_resources *s) {
    if (!s) return;
    for (size_t i = 0; i < s->list.n; i++) resource_done(&s->list.p[i]);
    vec_done(&s->list);
    free(s);
}

static str own(str s) {
    char *copy = mem_alloc(s.n + 1);
    if (s.n) memcpy(copy, s.p, s.n);
    return str_n(copy, s.n);
}

static const struct kind *kind_of(str path) {
    for (size_t i = 0; i < ARRAY_N(kinds); i++)
        if (str_starts(path, kinds[i].path)) return &kinds[i];
    assert(!"a route leads here that is in no row");
    return NULL;
}

static struct resource *find(struct es_resources *s, const struct kind *kind, str name) {
    for (size_t i = 0; i < s->list.n; i++)
        if (s->list.p[i].kind == kind && str_eq(s->list.p[i].name, name)) return &s->list.p[i];
    return NULL;
}

static void refuse(struct http_exchange *x, int status, const char *type, str reason) {
    es_reply_error(x, (struct es_error){.status = status, .type = type, .reason = reason});
}

void es_resource_put(void *app, struct http_exchange *x) {
    struct es_resources *s = es_resources(app);
    const struct kind *kind = kind_of(x->path);
    struct json j = json_open(x->body, x->arena);
    struct value body = {0};
    struct err e;
    if (x->body.n > BODY_BYTES_MAX) return refuse(x, 413, "content_too_long_exception", STR("more than 1 MiB"));
    json_value(&j, &body);
    if (!json_done(&j, &e)) return refuse(x, 400, "parse_exception", err_str(&e));
    if (body.type != VAL_MAP) return refuse(x, 400, "parse_exception", STR("the body must be an object"));
    struct resource *known = find(s, kind, x->captures[0]);
    if (!known && s->list.n == RESOURCES_MAX)
        return refuse(x, 429, "circuit_breaking_exception", STR("more than 4096 templates, pipelines and policies"));
    struct resource fresh = {kind, own(x->captures[0]), own(str_trim(x->body))};
    if (known) {
        resource_done(known);
        *known = fresh;
    } else {
        vec_push(&s->list, fresh);
    }
    es_reply_acknowledged(x);
}

static bool wanted(str names, str name) {
    str part;
    for (bool more = names.n > 0; more;) {
        more = str_cut(&names, ',', &part);
        struct filter f = {.op = FILTER_EXISTS, .field = part};
        if (str_eq(part, name) || (str_find_char(part, '*') != STR_NONE && filter_field_fits(&f, name))) return true;
    }
    return false;
}

static void put_resource(struct json_out *o, const struct resource *r) {
    switch (r->kind->shape) {
    case LISTED:
        json_put_object(o);
        json_put_key_c(o, "name");
        json_put_string(o, r->name);
        json_put_key(o, str_c(r->kind->item));
        json_put_raw(o, r->body);
        json_put_object_end(o);
        return;
    case BY_NAME:
        json_put_key(o, r->name);
        json_put_raw(o, r->body);
        return;
    case POLICY:
        json_put_key(o, r->name);
        json_put_object(o);
        json_put_raw(o, STR(/* several members at once */ "\"version\":1,\"modified_date\":\"1970-01-01T00:00:00.000Z\""));
        json_put_raw(o, str_trim(str_sub(r->body, 1, r->body.n - 1)));
        json_put_object_end(o);
        return;
    }
}

static void put_all(struct json_out *o, const struct es_resources *s, const struct kind *kind, str names, size_t *found) {
    json_put_object(o);
    if (kind->shape == LISTED) {
        json_put_key(o, str_c(kind->list));
        json_put_array(o);
    }
    for (size_t i = 0; i < s->list.n; i++) {
        const struct resource *r = &s->list.p[i];
        if (r->kind != kind || (names.n && !wanted(names, r->name))) continue;
        put_resource(o, r);
        ++*found;
    }
    if (kind->shape == LISTED) json_put_array_end(o);
    json_put_object_end(o);
}

/* No name or a pattern: what there is; a plain name that is not there: 404. */
void es_resource_get(void *app, struct http_exchange *x) {
    struct es_resources *s = es_resources(app);
    const struct kind *kind = kind_of(x->path);
    str names = x->captures[0];
    struct buf b = {0};
    struct json_out o = {.buf = &b};
    size_t found = 0;
    put_all(&o, s, kind, names, &found);
    bool missing = !found && names.n && str_find_char(names, '*') == STR_NONE;
    if (!missing || !kind->error_when_missing) return es_reply(x, missing ? 404 : 200, &b);
    buf_done(&b);
    refuse(x, 404, "resource_not_found_exception", arena_printf(x->arena, "%" STR_F " not found", STR_A(x->path)));
}

void es_resource_delete(void *app, struct http_exchange *x) {
    struct es_resources *s = es_resources(app);
    struct resource *r = find(s, kind_of(x->path), x->captures[0]);
    if (!r) return refuse(x, 404, "resource_not_found_exception", arena_printf(x->arena, "%" STR_F " not found", STR_A(x->path)));
    resource_done(r);
    *r = s->list.p[--s->list.n];
    es_reply_acknowledged(x);
}

struct es_resources *es_resources_new(void) {
    return mem_zalloc(sizeof(struct es_resources));
}
