#include "query/trace/summary.h"

#include "base/hash.h"
#include "base/map.h"
#include "base/vec.h"

struct counts {
    struct service_count *p;
    size_t n, cap;
};

static struct service_count *count_of(struct counts *c, struct map *by_name, str name, struct arena *a) {
    uint64_t hash = hash_str(name);
    for (size_t at = map_first(by_name, hash); at != MAP_END; at = map_next(by_name, at, hash)) {
        struct service_count *known = &c->p[by_name->slots[at].value - 1];
        if (str_eq(known->name, name)) return known;
    }
    avec_push(a, c, ((struct service_count){.name = name}));
    map_put(by_name, hash, c->n);
    return &c->p[c->n - 1];
}

void trace_summarize(const struct event *spans, const struct stream *streams, size_t n, struct arena *a, struct trace_summary *out) {
    assert(n > 0);
    struct trace_summary s = {.id = spans[0].trace, .start_ns = INT64_MAX, .end_ns = INT64_MIN, .spans = n};
    struct map ids = {0}, names = {0};
    struct counts services = {0};
    bool has_root = false;
    for (size_t i = 0; i < n; i++) map_put(&ids, hash_mix(spans[i].span_id, 0), i + 1);
    for (size_t i = 0; i < n; i++) {
        const struct event *e = &spans[i];
        struct service_count *c = count_of(&services, &names, streams[i].service, a);
        bool failed = e->status == STATUS_ERROR;
        c->spans++;
        c->errors += failed;
        s.errors += failed;
        s.start_ns = MIN(s.start_ns, e->time_ns);
        s.end_ns = MAX(s.end_ns, e->time_ns + e->duration_ns);
        /* two ids of one 64-bit hash would hide one orphan: not worth a comparison */
        if (e->parent_id) s.orphans += map_first(&ids, hash_mix(e->parent_id, 0)) == MAP_END;
        if (e->parent_id || has_root) continue;
        has_root = true;
        s.root_service = streams[i].service;
        s.root_name = e->body;
    }
    map_done(&ids);
    map_done(&names);
    s.services = services.p;
    s.service_n = services.n;
    *out = s;
}
