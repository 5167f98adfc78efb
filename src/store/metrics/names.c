#include <stdlib.h>

#include "store/metrics/db.h"

/* Label names, values and their counts, over the head and the parts. */

struct names {
    str *p;
    size_t n, cap;
};

static int by_bytes(const void *a, const void *b) {
    return str_cmp(*(const str *)a, *(const str *)b);
}

static void sort_unique(struct names *v) {
    if (v->n == 0) return;
    qsort(v->p, v->n, sizeof *v->p, by_bytes);
    size_t n = 1;
    for (size_t i = 1; i < v->n; i++)
        if (!str_eq(v->p[i], v->p[n - 1])) v->p[n++] = v->p[i];
    v->n = n;
}

/* Which targets and shapes have a series that matches. */
struct wanted {
    uint8_t *targets, *shapes;
};

static bool want(const struct index *x, const struct matcher *m, size_t n, struct arena *a, struct wanted *w, struct err *e) {
    w->targets = arena_zalloc(a, MAX(x->targets.e.n, 1));
    w->shapes = arena_zalloc(a, MAX(x->shapes.e.n, 1));
    struct matches found = {0};
    if (!index_match(x, m, n, a, &found, e)) return false;
    for (size_t i = 0; i < found.n; i++) w->targets[found.p[i].target] = w->shapes[found.p[i].shape] = 1;
    return true;
}

/* name ID_NONE: collects label names, else the values of that name. wanted NULL: of all entries. `got` marks strings already collected. */
static void collect(const struct index *x, const struct side *side, const uint8_t *wanted, uint32_t name, uint8_t *got, struct arena *a,
                    struct names *out) {
    for (size_t i = 0; i < side->e.n; i++) {
        const struct entry *entry = &side->e.p[i];
        for (uint32_t k = 0; k < entry->n && (!wanted || wanted[i]); k++) {
            uint32_t s = name == ID_NONE ? entry->l[k].name : entry->l[k].value;
            if ((name != ID_NONE && entry->l[k].name != name) || got[s]) continue;
            got[s] = 1;
            avec_push(a, out, arena_str(a, x->strings.s.p[s]));
        }
    }
}

/* The same without matchers: from what the index counts and lists anyway, not from the entries. */
static void collect_names(const struct index *x, const struct side *side, uint8_t *got, struct arena *a, struct names *out) {
    for (uint32_t s = 0; s < side->name_n.n; s++) {
        if (side->name_n.p[s] == 0 || got[s]) continue;
        got[s] = 1;
        avec_push(a, out, arena_str(a, x->strings.s.p[s]));
    }
}
static void collect_values(const struct index *x, const struct side *side, uint32_t name, uint8_t *got, struct arena *a, struct names *out) {
    if (!side_has_name(side, name)) return;
    for (size_t i = 0; i < side->postings.n; i++) {
        struct label_id l = side->postings.p[i].label;
        if (l.name != name || got[l.value]) continue;
        got[l.value] = 1;
        avec_push(a, out, arena_str(a, x->strings.s.p[l.value]));
    }
    if (!x->with_postings) collect(x, side, NULL, name, got, a, out);
}

static bool collect_index(const struct index *x, str name, bool names, const struct matcher *m, size_t n, struct arena *a, struct names *out,
                          struct err *e) {
    AUTO(arena_free) struct arena *scratch = arena_new(4096);
    uint8_t *got = arena_zalloc(scratch, x->strings.s.n);
    uint32_t id = names ? ID_NONE : strtab_find(&x->strings, name);
    if (!names && id == ID_NONE) return true;
    if (n == 0) {
        const struct side *sides[] = {&x->targets, &x->shapes};
        for (size_t i = 0; i < ARRAY_N(sides); i++) names ? collect_names(x, sides[i], got, a, out) : collect_values(x, sides[i], id, got, a, out);
        return true;
    }
    struct wanted w;
    if (!want(x, m, n, scratch, &w, e)) return false;
    collect(x, &x->targets, w.targets, id, got, a, out);
    collect(x, &x->shapes, w.shapes, id, got, a, out);
    return true;
}

static bool collect_all(struct tsdb *db, str name, bool names, const struct matcher *m, size_t n, int64_t from_ms, int64_t to_ms, struct arena *a,
                        str **out, size_t *out_n, struct err *e) {
    assert_loop_thread();
    struct names v = {0};
    if (head_overlaps(&db->head, from_ms, to_ms) && !collect_index(&db->head.index, name, names, m, n, a, &v, e)) return false;
    for (size_t i = 0; i < db->parts.n; i++) {
        struct part *p = db->parts.p[i];
        if (p->min_ms > to_ms || p->max_ms < from_ms || !db_part_index(db, p, NULL)) continue;
        if (!collect_index(&p->index->x, name, names, m, n, a, &v, e)) return false;
    }
    sort_unique(&v);
    *out = v.p;
    *out_n = v.n;
    return true;
}

bool tsdb_label_names(struct tsdb *db, const struct matcher *m, size_t n, int64_t from_ms, int64_t to_ms, struct arena *a, str **out, size_t *out_n,
                      struct err *e) {
    return collect_all(db, STR_NULL, true, m, n, from_ms, to_ms, a, out, out_n, e);
}
bool tsdb_label_values(struct tsdb *db, str name, const struct matcher *m, size_t n, int64_t from_ms, int64_t to_ms, struct arena *a, str **out,
                       size_t *out_n, struct err *e) {
    return collect_all(db, name, false, m, n, from_ms, to_ms, a, out, out_n, e);
}

/* --- cardinality of the head */

static int by_count(const void *a, const void *b) {
    const struct name_count *x = a;
    const struct name_count *y = b;
    int c = (x->n < y->n) - (x->n > y->n);
    return c ? c : str_cmp(x->name, y->name);
}
static void top(struct name_count *list, size_t n, size_t limit, struct name_count **out, size_t *out_n) {
    qsort(list, n, sizeof *list, by_count);
    *out = list;
    *out_n = limit ? MIN(n, limit) : n;
}

void tsdb_cardinality(struct tsdb *db, size_t limit, struct arena *a, struct name_count **by_metric, size_t *by_metric_n,
                      struct name_count **values_by_label, size_t *values_by_label_n, struct name_count **by_pair, size_t *by_pair_n,
                      struct name_count **bytes_by_label, size_t *bytes_by_label_n) {
    assert_loop_thread();
    const struct index *x = &db->head.index;
    const str *strings = x->strings.s.p;
    const struct side *sides[] = {&x->targets, &x->shapes};
    size_t pair_n = x->targets.postings.n + x->shapes.postings.n;
    uint32_t metric_name = strtab_find(&x->strings, LABEL_METRIC_NAME);
    struct name_count *pairs = arena_new_n(a, struct name_count, pair_n);
    struct name_count *metrics = arena_new_n(a, struct name_count, pair_n);
    uint64_t *values = arena_zalloc(a, x->strings.s.n * sizeof *values);
    uint64_t *bytes = arena_zalloc(a, x->strings.s.n * sizeof *bytes);
    size_t n = 0;
    size_t metric_n = 0;
    for (size_t i = 0; i < ARRAY_N(sides); i++)
        for (size_t k = 0; k < sides[i]->postings.n; k++) {
            const struct posting *p = &sides[i]->postings.p[k];
            uint64_t rows = 0;
            for (size_t j = 0; j < p->ids.n; j++) rows += sides[i]->e.p[ids_p(&p->ids)[j]].rows.n;
            str value = strings[p->label.value];
            pairs[n++] = (struct name_count){arena_printf(a, "%" STR_F "=%" STR_F, STR_A(strings[p->label.name]), STR_A(value)), rows};
            if (p->label.name == metric_name) metrics[metric_n++] = (struct name_count){arena_str(a, value), rows};
            values[p->label.name]++;
            bytes[p->label.name] += value.n;
        }
    struct name_count *value_list = arena_new_n(a, struct name_count, x->strings.s.n);
    struct name_count *byte_list = arena_new_n(a, struct name_count, x->strings.s.n);
    size_t name_n = 0;
    for (size_t i = 0; i < x->strings.s.n; i++) {
        if (values[i] == 0) continue;
        str name = arena_str(a, strings[i]);
        value_list[name_n] = (struct name_count){name, values[i]};
        byte_list[name_n++] = (struct name_count){name, bytes[i]};
    }
    top(metrics, metric_n, limit, by_metric, by_metric_n);
    top(value_list, name_n, limit, values_by_label, values_by_label_n);
    top(pairs, n, limit, by_pair, by_pair_n);
    top(byte_list, name_n, limit, bytes_by_label, bytes_by_label_n);
}
