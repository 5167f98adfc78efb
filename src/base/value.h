/* base/value: a typed attribute value (OTLP AnyValue, a JSON value, a Jaeger tag). Borrowed memory throughout. Pure; any thread. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

enum value_type { VAL_NULL, VAL_BOOL, VAL_INT, VAL_DOUBLE, VAL_STRING, VAL_BYTES, VAL_ARRAY, VAL_MAP };

struct field;
struct value {
    enum value_type type;
    uint32_t n; /* VAL_ARRAY, VAL_MAP: items */
    union {
        bool b;
        int64_t i;
        double d;
        str s; /* VAL_STRING, VAL_BYTES */
        const struct value *items;
        const struct field *fields; /* VAL_MAP */
    };
};
struct field {
    str key;
    struct value value;
};

static inline struct value value_str(str s) {
    return (struct value){.type = VAL_STRING, .s = s};
}
static inline struct value value_int(int64_t i) {
    return (struct value){.type = VAL_INT, .i = i};
}
static inline struct value value_double(double d) {
    return (struct value){.type = VAL_DOUBLE, .d = d};
}
static inline struct value value_bool(bool b) {
    return (struct value){.type = VAL_BOOL, .b = b};
}
struct value value_copy(struct arena *a, const struct value *v);          /* deep */
bool value_eq(const struct value *a, const struct value *b);              /* same type and content; NaN equals NaN */
const struct value *fields_get(const struct field *f, size_t n, str key); /* NULL: absent */
