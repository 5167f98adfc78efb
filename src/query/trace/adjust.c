#include "query/trace/adjust.h"

#include "base/hash.h"
#include "base/map.h"

/* --- shared ids */

struct id_pair {
    uint64_t from, to;
};

/* span id -> index + 1, of spans that are, or are not, servers */
static void note_ids(struct map *m, const struct event *spans, size_t n) {
    for (size_t i = 0; i < n; i++) map_put(m, hash_mix(spans[i].span_id, 0), i + 1);
}

static bool id_taken(const struct map *m, const struct event *spans, uint64_t id, enum span_kind kind) {
    uint64_t hash = hash_mix(id, 0);
    for (size_t at = map_first(m, hash); at != MAP_END; at = map_next(m, at, hash)) {
        const struct event *e = &spans[m->slots[at].value - 1];
        if (e->span_id == id && (kind == SPAN_UNSPECIFIED || e->span_kind == kind)) return true;
    }
    return false;
}

static uint64_t renamed(const struct map *m, const struct id_pair *pairs, uint64_t id) {
    uint64_t hash = hash_mix(id, 1);
    for (size_t at = map_first(m, hash); at != MAP_END; at = map_next(m, at, hash))
        if (pairs[m->slots[at].value - 1].from == id) return pairs[m->slots[at].value - 1].to;
    return 0;
}

static void unshare_ids(struct event *spans, size_t n, struct arena *a) {
    struct map ids = {0}, moved = {0};
    struct id_pair *pairs = arena_new_n(a, struct id_pair, n);
    uint64_t *fresh = arena_new_n(a, uint64_t, n); /* new ids; set when all are chosen, so that `ids` stays true */
    uint64_t next = 1;
    size_t pair_n = 0;
    note_ids(&ids, spans, n);
    for (size_t i = 0; i < n; i++) {
        fresh[i] = 0;
        if (spans[i].span_kind != SPAN_SERVER || !id_taken(&ids, spans, spans[i].span_id, SPAN_CLIENT)) continue;
        while (id_taken(&ids, spans, next, SPAN_UNSPECIFIED)) next++;
        fresh[i] = next++;
        pairs[pair_n++] = (struct id_pair){spans[i].span_id, fresh[i]};
        map_put(&moved, hash_mix(spans[i].span_id, 1), pair_n);
    }
    for (size_t i = 0; i < n && pair_n; i++) {
        uint64_t parent = fresh[i] ? 0 : renamed(&moved, pairs, spans[i].parent_id);
        if (fresh[i]) {
            spans[i].parent_id = spans[i].span_id;
            spans[i].span_id = fresh[i];
        } else if (parent) {
            spans[i].parent_id = parent; /* children of a shared id are the server's */
        }
    }
    map_done(&ids);
    map_done(&moved);
}

/* --- addresses */

static bool address_of(const struct field *f, uint32_t *out) {
    if (!str_eq(f->key, STR("ip")) && !str_eq(f->key, STR("peer.ipv4"))) return false;
    if (f->value.type == VAL_INT) return *out = (uint32_t)f->value.i, true;
    bool whole = f->value.type == VAL_DOUBLE && f->value.d >= 0 && f->value.d <= UINT32_MAX;
    return whole ? *out = (uint32_t)f->value.d, true : false;
}

static void dot_addresses(const struct field **fields, size_t n, struct arena *a) {
    struct field *copy = NULL;
    for (size_t i = 0; i < n; i++) {
        uint32_t ip;
        if (!address_of(&(*fields)[i], &ip)) continue;
        if (!copy) {
            copy = arena_new_n(a, struct field, n);
            memcpy(copy, *fields, n * sizeof *copy);
            *fields = copy;
        }
        copy[i].value = value_str(arena_printf(a, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255));
    }
}

/* --- links */

static void drop_empty_links(struct event *e, struct arena *a) {
    size_t kept = 0;
    for (size_t i = 0; i < e->link_n; i++) kept += trace_id_set(e->links[i].trace);
    if (kept == e->link_n) return;
    struct span_link *links = arena_new_n(a, struct span_link, kept);
    size_t at = 0;
    for (size_t i = 0; i < e->link_n; i++)
        if (trace_id_set(e->links[i].trace)) links[at++] = e->links[i];
    e->links = links;
    e->link_n = kept;
}

void trace_adjust(struct event *spans, struct stream *streams, size_t n, struct arena *a) {
    unshare_ids(spans, n, a);
    for (size_t i = 0; i < n; i++) {
        dot_addresses(&spans[i].attrs, spans[i].attr_n, a);
        dot_addresses(&streams[i].attrs, streams[i].attr_n, a);
        drop_empty_links(&spans[i], a);
    }
}
