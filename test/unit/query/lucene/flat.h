/* A handful of JSON documents as flat fields, and filters evaluated on them by brute force: the store's semantics without the store. */
#pragma once
#include "base/vec.h"
#include "codec/isodate.h"
#include "codec/json.h"
#include "query/lucene/lucene.h"

struct flat_field {
    str name;
    VEC(struct value) values;
};
struct flat_doc {
    str index, id;
    VEC(struct flat_field) fields;
    int64_t time_ns;
};
struct flat_docs {
    struct arena *arena;
    VEC(struct flat_doc) docs;
};

static inline void flat_add(struct flat_docs *d, struct flat_doc *doc, str name, const struct value *v) {
    if (v->type == VAL_MAP) {
        for (uint32_t i = 0; i < v->n; i++) {
            str key = v->fields[i].key;
            flat_add(d, doc, name.n ? arena_printf(d->arena, "%" STR_F ".%" STR_F, STR_A(name), STR_A(key)) : key, &v->fields[i].value);
        }
        return;
    }
    if (v->type == VAL_ARRAY) {
        for (uint32_t i = 0; i < v->n; i++) flat_add(d, doc, name, &v->items[i]);
        return;
    }
    struct flat_field *f = NULL;
    for (size_t i = 0; i < doc->fields.n; i++)
        if (str_eq(doc->fields.p[i].name, name)) f = &doc->fields.p[i];
    if (!f) {
        f = vec_add(&doc->fields);
        f->name = name;
    }
    vec_push(&f->values, *v);
    if (str_eq(name, STR("@timestamp")) && v->type == VAL_STRING) {
        int64_t end;
        if (!isodate_parse(v->s, 0, &doc->time_ns, &end)) doc->time_ns = 0;
    }
}

static inline void flat_load(struct flat_docs *d, str index, str id, const struct value *source) {
    struct flat_doc *doc = vec_add(&d->docs);
    doc->index = index;
    doc->id = id;
    flat_add(d, doc, STR(""), source);
}
static inline void flat_done(struct flat_docs *d) {
    for (size_t i = 0; i < d->docs.n; i++) {
        for (size_t k = 0; k < d->docs.p[i].fields.n; k++) vec_done(&d->docs.p[i].fields.p[k].values);
        vec_done(&d->docs.p[i].fields);
    }
    vec_done(&d->docs);
}

/* The catalogue a store of one index would give. */
static inline struct field_info *flat_catalogue(struct flat_docs *d, str index, size_t *n) {
    VEC(struct field_info) list = {0};
    for (size_t i = 0; i < d->docs.n; i++) {
        if (!str_eq(d->docs.p[i].index, index)) continue;
        for (size_t k = 0; k < d->docs.p[i].fields.n; k++) {
            const struct flat_field *f = &d->docs.p[i].fields.p[k];
            struct field_info *info = NULL;
            for (size_t j = 0; j < list.n; j++)
                if (str_eq(list.p[j].name, f->name)) info = &list.p[j];
            if (!info) {
                info = vec_add(&list);
                *info = (struct field_info){.name = f->name, .all_dates = true};
            }
            for (size_t j = 0; j < f->values.n; j++) {
                info->types |= 1u << f->values.p[j].type;
                info->all_dates &= f->values.p[j].type != VAL_STRING || isodate_looks_like(f->values.p[j].s);
            }
        }
    }
    *n = list.n;
    return list.p;
}

static inline bool flat_leaf(const struct flat_doc *doc, const struct filter *f) {
    if (f->op == FILTER_IDS) return filter_leaf_test(f, &(struct value){.type = VAL_STRING, .s = doc->id});
    if (f->op == FILTER_TIME_RANGE && str_eq(f->field, STR("@timestamp"))) {
        struct value v = value_int(doc->time_ns);
        return filter_leaf_test(f, &v);
    }
    for (size_t i = 0; i < doc->fields.n; i++) {
        const struct flat_field *field = &doc->fields.p[i];
        struct value v = {.type = VAL_ARRAY, .n = (uint32_t)field->values.n, .items = field->values.p};
        if (filter_field_fits(f, field->name) && filter_leaf_test(f, field->values.n == 1 ? field->values.p : &v)) return true;
    }
    return false;
}
static inline bool flat_matches(const struct flat_doc *doc, const struct filter *f) {
    switch (f->op) {
    case FILTER_ALL: return true;
    case FILTER_NONE: return false;
    case FILTER_NOT: return !flat_matches(doc, f->children[0]);
    case FILTER_AND:
    case FILTER_OR:
        for (size_t i = 0; i < f->child_n; i++)
            if (flat_matches(doc, f->children[i]) != (f->op == FILTER_AND)) return f->op == FILTER_OR;
        return f->op == FILTER_AND;
    default: return flat_leaf(doc, f);
    }
}
