#include "api/red.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/vec.h"
#include "query/trace/latency.h"

struct point {
    uint32_t count, errors;
    uint32_t buckets[LATENCY_BUCKETS];
};
struct service {
    str name;
    bool has_entry; /* points hold entry spans only; until the first one is seen they hold all spans */
    struct point *points;
};
struct red {
    struct arena *arena;
    int64_t from_ns, step_ns;
    unsigned points;
    VEC(struct service) services;
    struct map by_name;
    uint64_t omitted;
};

struct red *red_new(struct arena *a, int64_t from_ns, int64_t to_ns, unsigned points) {
    assert(points > 0 && points <= RED_POINTS_MAX && to_ns > from_ns);
    struct red *r = arena_one(a, struct red);
    r->arena = a;
    r->from_ns = from_ns;
    r->step_ns = (to_ns - from_ns + points - 1) / points;
    r->points = points;
    return r;
}

void red_free(struct red *r) {
    if (!r) return;
    vec_done(&r->services);
    map_done(&r->by_name);
}

static struct service *service_of(struct red *r, str name) {
    uint64_t h = hash_str(name);
    for (size_t at = map_first(&r->by_name, h); at != MAP_END; at = map_next(&r->by_name, at, h)) {
        struct service *s = &r->services.p[r->by_name.slots[at].value - 1];
        if (str_eq(s->name, name)) return s;
    }
    if (r->services.n == RED_SERVICES_MAX) return NULL;
    struct service *s = vec_add(&r->services);
    s->name = arena_str(r->arena, name);
    s->points = arena_zalloc(r->arena, r->points * sizeof *s->points);
    map_put(&r->by_name, h, r->services.n);
    return s;
}

void red_add(struct red *r, struct red_span x) {
    int64_t at = x.start_ns - r->from_ns;
    if (at < 0 || at >= r->step_ns * r->points) return;
    struct service *s = service_of(r, x.service);
    if (!s) {
        r->omitted++;
        return;
    }
    if (x.entry && !s->has_entry) {
        s->has_entry = true;
        memset(s->points, 0, r->points * sizeof *s->points);
    }
    if (s->has_entry && !x.entry) return;
    struct point *p = &s->points[at / r->step_ns];
    p->count++;
    p->errors += x.error;
    p->buckets[latency_bucket(x.duration_ns)]++;
}

static double quantile_ms(const struct point *p, double q) {
    return latency_quantile_ms(p->buckets, p->count, q);
}

static struct point sum_points(const struct red *r, const struct service *s) {
    struct point all = {0};
    for (unsigned i = 0; i < r->points; i++) {
        all.count += s->points[i].count;
        all.errors += s->points[i].errors;
        for (unsigned b = 0; b < LATENCY_BUCKETS; b++) all.buckets[b] += s->points[i].buckets[b];
    }
    return all;
}

static void put_columns(const struct red *r, const struct service *s, struct json_out *o) {
    double step_s = (double)r->step_ns / (double)NS_PER_S;
    json_put_key_c(o, "rate_points");
    json_put_array(o);
    for (unsigned i = 0; i < r->points; i++) json_put_double(o, s->points[i].count / step_s);
    json_put_array_end(o);
    json_put_key_c(o, "error_points");
    json_put_array(o);
    for (unsigned i = 0; i < r->points; i++) {
        const struct point *p = &s->points[i];
        if (p->count)
            json_put_double(o, (double)p->errors / p->count);
        else
            json_put_null(o);
    }
    json_put_array_end(o);
    json_put_key_c(o, "p99_points");
    json_put_array(o);
    for (unsigned i = 0; i < r->points; i++) {
        if (s->points[i].count)
            json_put_double(o, quantile_ms(&s->points[i], 0.99));
        else
            json_put_null(o);
    }
    json_put_array_end(o);
}

struct total {
    const struct service *service;
    struct point sum;
};
static int busiest_first(const void *a, const void *b) {
    const struct total *x = a, *y = b;
    if (x->sum.count != y->sum.count) return x->sum.count < y->sum.count ? 1 : -1;
    return str_cmp(x->service->name, y->service->name);
}

void red_put(const struct red *r, struct json_out *o) {
    size_t n = r->services.n;
    struct total *totals = arena_new_n(r->arena, struct total, n + 1);
    for (size_t i = 0; i < n; i++) totals[i] = (struct total){&r->services.p[i], sum_points(r, &r->services.p[i])};
    qsort(totals, n, sizeof *totals, busiest_first);
    json_put_object(o);
    json_put_key_c(o, "from");
    json_put_i64(o, r->from_ns / NS_PER_MS);
    json_put_key_c(o, "step");
    json_put_double(o, (double)r->step_ns / (double)NS_PER_MS);
    json_put_key_c(o, "services");
    json_put_array(o);
    for (size_t i = 0; i < n; i++) {
        const struct total *t = &totals[i];
        json_put_object(o);
        json_put_key_c(o, "service");
        json_put_string(o, t->service->name);
        json_put_key_c(o, "count");
        json_put_u64(o, t->sum.count);
        json_put_key_c(o, "errors");
        json_put_u64(o, t->sum.errors);
        json_put_key_c(o, "p50");
        json_put_double(o, quantile_ms(&t->sum, 0.5));
        json_put_key_c(o, "p99");
        json_put_double(o, quantile_ms(&t->sum, 0.99));
        put_columns(r, t->service, o);
        json_put_object_end(o);
    }
    json_put_array_end(o);
    json_put_key_c(o, "omitted");
    json_put_u64(o, r->omitted);
    json_put_object_end(o);
}
