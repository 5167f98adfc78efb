#include "base/hash.h"
#include "query/promql/engine.h"

/* Label sets made by a query: arrays in its arena that point to the labels of the selected series. */

static bool is_metadata(str name) {
    return name.n > 7 && name.p[0] == '_' && (str_eq(name, LABEL_METRIC_NAME) || str_eq(name, STR("__type__")) || str_eq(name, STR("__unit__")));
}

static bool contains(struct names names, str name) {
    for (size_t i = 0; i < names.n; i++)
        if (str_eq(names.p[i], name)) return true;
    return false;
}

struct labels labels_without_name(struct run *r, struct labels ls) {
    struct label *l = arena_new_n(r->a, struct label, ls.n);
    size_t n = 0;
    for (size_t i = 0; i < ls.n; i++)
        if (!is_metadata(ls.l[i].name)) l[n++] = ls.l[i];
    return (struct labels){l, n};
}

struct labels labels_shallow(struct arena *a, struct labels ls) {
    struct label *l = arena_new_n(a, struct label, ls.n);
    if (ls.n) memcpy(l, ls.l, ls.n * sizeof *l);
    return (struct labels){l, ls.n};
}

struct labels labels_keep(struct arena *a, struct labels ls, struct names keep) {
    struct label *l = arena_new_n(a, struct label, MIN(ls.n, keep.n));
    size_t n = 0;
    for (size_t i = 0; i < ls.n; i++)
        if (contains(keep, ls.l[i].name)) l[n++] = ls.l[i];
    return (struct labels){l, n};
}

struct labels labels_drop(struct arena *a, struct labels ls, struct names drop, bool and_name) {
    struct label *l = arena_new_n(a, struct label, ls.n);
    size_t n = 0;
    for (size_t i = 0; i < ls.n; i++)
        if (!contains(drop, ls.l[i].name) && !(and_name && str_eq(ls.l[i].name, LABEL_METRIC_NAME))) l[n++] = ls.l[i];
    return (struct labels){l, n};
}

struct labels labels_set(struct run *r, struct labels ls, str name, str value) {
    struct label *l = arena_new_n(r->a, struct label, ls.n + 1);
    size_t n = 0;
    size_t i = 0;
    while (i < ls.n && str_cmp(ls.l[i].name, name) < 0) l[n++] = ls.l[i++];
    if (value.n) l[n++] = (struct label){name, value};
    if (i < ls.n && str_eq(ls.l[i].name, name)) i++;
    while (i < ls.n) l[n++] = ls.l[i++];
    return (struct labels){l, n};
}

uint64_t labels_stable_hash(struct labels ls) {
    struct buf b = {0};
    for (size_t i = 0; i < ls.n; i++) {
        buf_add(&b, ls.l[i].name);
        buf_char(&b, (char)0xff);
        buf_add(&b, ls.l[i].value);
        buf_char(&b, (char)0xff);
    }
    uint64_t h = hash_check(b.p, b.n);
    buf_done(&b);
    return h;
}

size_t label_index_put(struct run *r, struct label_index *x, struct labels ls, bool *added) {
    uint64_t h = labels_hash(ls);
    for (size_t at = map_first(&x->map, h); at != MAP_END; at = map_next(&x->map, at, h)) {
        size_t i = x->map.slots[at].value - 1;
        if (labels_eq(x->p[i], ls)) {
            *added = false;
            return i;
        }
    }
    avec_push(r->a, x, ls);
    map_put(&x->map, h, x->n);
    *added = true;
    return x->n - 1;
}

void label_index_done(struct label_index *x) {
    map_done(&x->map);
}

struct membership membership_of(struct run *r, const size_t *group_of, size_t series_n, size_t group_n) {
    struct membership m = {arena_new_n(r->a, size_t, series_n), arena_zalloc(r->a, (group_n + 2) * sizeof(size_t))};
    for (size_t i = 0; i < series_n; i++) m.from[group_of[i] + 2]++;
    for (size_t k = 2; k < group_n + 2; k++) m.from[k] += m.from[k - 1];
    for (size_t i = 0; i < series_n; i++) m.members[m.from[group_of[i] + 1]++] = i;
    return m;
}
