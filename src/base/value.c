#include "base/value.h"

static const struct field *fields_copy(struct arena *a, const struct field *f, size_t n) {
    struct field *out = arena_new_n(a, struct field, n);
    for (size_t i = 0; i < n; i++) out[i] = (struct field){.key = arena_str(a, f[i].key), .value = value_copy(a, &f[i].value)};
    return out;
}

/* Recursion is bounded by the decoders' depth limits (64). */
struct value value_copy(struct arena *a, const struct value *v) {
    struct value out = *v;
    switch (v->type) {
    case VAL_NULL:
    case VAL_BOOL:
    case VAL_INT:
    case VAL_DOUBLE: break;
    case VAL_STRING:
    case VAL_BYTES: out.s = arena_str(a, v->s); break;
    case VAL_ARRAY: {
        struct value *items = arena_new_n(a, struct value, v->n);
        for (uint32_t i = 0; i < v->n; i++) items[i] = value_copy(a, &v->items[i]);
        out.items = items;
        break;
    }
    case VAL_MAP: out.fields = fields_copy(a, v->fields, v->n); break;
    }
    return out;
}

bool value_eq(const struct value *a, const struct value *b) {
    if (a->type != b->type) return false;
    switch (a->type) {
    case VAL_NULL: return true;
    case VAL_BOOL: return a->b == b->b;
    case VAL_INT: return a->i == b->i;
    case VAL_DOUBLE: return a->d == b->d || (a->d != a->d && b->d != b->d);
    case VAL_STRING:
    case VAL_BYTES: return str_eq(a->s, b->s);
    case VAL_ARRAY:
        if (a->n != b->n) return false;
        for (uint32_t i = 0; i < a->n; i++)
            if (!value_eq(&a->items[i], &b->items[i])) return false;
        return true;
    case VAL_MAP:
        if (a->n != b->n) return false;
        for (uint32_t i = 0; i < a->n; i++)
            if (!str_eq(a->fields[i].key, b->fields[i].key) || !value_eq(&a->fields[i].value, &b->fields[i].value)) return false;
        return true;
    }
    return false;
}

const struct value *fields_get(const struct field *f, size_t n, str key) {
    for (size_t i = 0; i < n; i++)
        if (str_eq(f[i].key, key)) return &f[i].value;
    return NULL;
}
