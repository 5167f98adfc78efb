/* codec/json: a cursor over JSON text (RFC 8259) and a writer. Pure; any thread. UTF-8 is validated; depth is limited.
 *
 *   struct json j = json_open(text, arena);          arena: holds unescaped strings only; strings without escapes borrow from text
 *   json_object(&j);                                 steps into the object: marks the cursor bad when the next value is none
 *   for (str key; json_next_key(&j, &key);)
 *       if (str_eq(key, STR("name"))) json_string(&j, &name);
 *       else json_skip(&j);                          every value must be read or skipped exactly once
 *   if (!json_done(&j, e)) return false;             the sticky end: "not JSON: expected ',' or '}' (at byte 17)"
 *
 * After the first error every call is harmless, returns false / JSON_BAD, and leaves its output as an empty value. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/value.h"

enum json_type { JSON_BAD, JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT, JSON_END };

enum { JSON_DEPTH_MAX = 64 };

struct json {
    const char *start, *at, *end;
    struct arena *arena;
    const char *bad; /* NULL, or what was expected; error position is `at` */
    uint8_t depth;
    bool fresh;         /* just entered a container: no comma yet */
    uint64_t in_object; /* bit per depth: 1 object, 0 array */
};

struct json json_open(str text, struct arena *a);
/* Type of the next value without consuming it. */
enum json_type json_peek(struct json *j);

bool json_object(struct json *j);
bool json_next_key(struct json *j, str *key); /* false at '}' (consumed) or error */
bool json_array(struct json *j);
bool json_next_item(struct json *j); /* false at ']' (consumed) or error; true: read one value now */

bool json_string(struct json *j, str *out);
bool json_bool(struct json *j, bool *out);
bool json_null(struct json *j);
bool json_i64(struct json *j, int64_t *out); /* an integral number in range; "1e3" and 5.0 are integral */
bool json_double(struct json *j, double *out);
bool json_number_text(struct json *j, str *out); /* the number as written */
/* OTLP and Jaeger write 64-bit integers as number or string. */
bool json_i64_lenient(struct json *j, int64_t *out);
bool json_u64_lenient(struct json *j, uint64_t *out);
bool json_skip(struct json *j);
/* The next value's exact source text, skipping it. */
bool json_raw(struct json *j, str *out);
/* The next value as a tree in the arena: integers in int64 range as VAL_INT, other numbers VAL_DOUBLE. Strings may borrow from the text. */
bool json_value(struct json *j, struct value *out);

/* Marks the cursor bad by the caller's own rule; expected: the noun ("a duration"), for "not JSON: expected a duration (at byte 17)". */
void json_fail(struct json *j, const char *expected);
/* True when everything was consumed and nothing failed; else sets e (ERR_INPUT) with the byte offset. */
MUST_USE bool json_done(struct json *j, struct err *e);

/* --- writer: commas and escapes are its business. `struct json_out o = {.buf = &b};` */
struct json_out {
    struct buf *buf;
    uint64_t need_comma; /* bit per depth */
    uint8_t depth;
    bool after_key;
};
void json_put_object(struct json_out *o);
void json_put_object_end(struct json_out *o);
void json_put_array(struct json_out *o);
void json_put_array_end(struct json_out *o);
void json_put_key(struct json_out *o, str key);
#define json_put_key_c(o, literal) json_put_key((o), STR(literal))
void json_put_string(struct json_out *o, str s); /* bytes that are not UTF-8 become U+FFFD */
void json_put_i64(struct json_out *o, int64_t v);
void json_put_u64(struct json_out *o, uint64_t v);
void json_put_double(struct json_out *o, double v); /* shortest round trip; NaN and infinities as strings "NaN" "Infinity" "-Infinity" */
void json_put_bool(struct json_out *o, bool v);
void json_put_null(struct json_out *o);
void json_put_raw(struct json_out *o, str json_text);
void json_put_value(struct json_out *o, const struct value *v); /* VAL_BYTES as base64 */
