/* The cursor against jansson: the same texts are JSON, and they hold the same values. What is accepted is written and read again unchanged. */
#include <assert.h>
#include <stdint.h>
#include <string.h>
/* jansson has the same taste in names. Of these functions none is called here. */
#define json_object jansson_object
#define json_array jansson_array
#define json_string jansson_string
#define json_null jansson_null
#define JSON_OBJECT JANSSON_OBJECT
#define JSON_ARRAY JANSSON_ARRAY
#define JSON_STRING JANSSON_STRING
#define JSON_NULL JANSSON_NULL
#include <jansson.h>
#undef json_object
#undef json_array
#undef json_string
#undef json_null
#undef JSON_OBJECT
#undef JSON_ARRAY
#undef JSON_STRING
#undef JSON_NULL

#include "codec/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Objects with a key twice are left out: jansson keeps the last one. */
static bool same(const struct value *ours, const json_t *theirs) {
    json_type type = json_typeof(theirs);
    switch (ours->type) {
    case VAL_NULL: return type == JANSSON_NULL;
    case VAL_BOOL: return json_is_boolean(theirs) && json_is_true(theirs) == ours->b;
    case VAL_INT: /* "5.0" and "1e3" are integers to us and reals to jansson */
        return json_is_integer(theirs) ? json_integer_value(theirs) == ours->i : json_is_real(theirs) && json_real_value(theirs) == (double)ours->i;
    case VAL_DOUBLE: return json_is_real(theirs) && json_real_value(theirs) == ours->d;
    case VAL_STRING: return type == JANSSON_STRING && str_eq(ours->s, str_n(json_string_value(theirs), json_string_length(theirs)));
    case VAL_BYTES: return false;
    case VAL_ARRAY:
        if (type != JANSSON_ARRAY || json_array_size(theirs) != ours->n) return false;
        for (uint32_t i = 0; i < ours->n; i++)
            if (!same(&ours->items[i], json_array_get(theirs, i))) return false;
        return true;
    case VAL_MAP:
        if (type != JANSSON_OBJECT) return false;
        if (json_object_size(theirs) != ours->n) return true;
        for (uint32_t i = 0; i < ours->n; i++) {
            const json_t *v = json_object_getn(theirs, ours->fields[i].key.p ? ours->fields[i].key.p : "", ours->fields[i].key.n);
            if (!v || !same(&ours->fields[i].value, v)) return false;
        }
        return true;
    }
    return false;
}

/* What jansson refuses and RFC 8259 allows: NUL in a key, integers past 64 bits. */
static bool known_difference(const json_error_t *why) {
    enum json_error_code code = json_error_code(why);
    return code == json_error_null_byte_in_key || code == json_error_numeric_overflow;
}

/* Numbers may come back as the other type: an underflow is written as 0. */
static void check_writer(const struct value *v, const json_t *theirs, struct arena *a) {
    struct buf b = {0};
    struct json_out o = {.buf = &b};
    json_put_value(&o, v);
    struct json j = json_open(buf_str(&b), a);
    struct value again;
    assert(json_value(&j, &again) && json_done(&j, NULL) && (!theirs || same(&again, theirs)));
    buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena *a = arena_new(4096);
    struct json j = json_open(str_n(data, size), a), k = json_open(str_n(data, size), NULL);
    struct value v;
    struct err e = {0}, skip_e = {0};
    json_value(&j, &v);
    bool ours = json_done(&j, &e);
    bool too_deep = j.bad && strstr(j.bad, "nesting"), too_large = j.bad && strstr(j.bad, "range of a double");
    json_skip(&k);
    bool skipped = json_done(&k, &skip_e);
    assert(skipped == ours || too_large);
    assert(skipped || too_large || strcmp(e.msg, skip_e.msg) == 0);

    json_error_t why;
    json_t *theirs = json_loadb((const char *)data, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
    if (ours && theirs) assert(same(&v, theirs));
    bool nul_ends = theirs && memchr(data, 0, size); /* jansson takes a NUL byte for the end of the text */
    if (ours != (theirs != NULL)) assert(too_deep || too_large || nul_ends || (!theirs && known_difference(&why)));
    if (ours) check_writer(&v, theirs, a);
    json_decref(theirs);
    arena_free(a);
    return 0;
}
