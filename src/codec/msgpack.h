/* codec/msgpack: MessagePack (github.com/msgpack/msgpack/blob/master/spec.md), a cursor and a writer. Pure; any thread; borrows from the input.
 *
 *   struct msgpack c = msgpack_open(bytes);
 *   struct msgpack_item top;
 *   msgpack_next(&c, &top);                               an array or map announces itself: its n values (a map: n pairs) follow
 *   if (top.type == MSGPACK_ARRAY && top.n >= 2) ...
 *   msgpack_skip(&c);                                     the next value with all that is in it
 *   if (c.bad) return err_set(e, ERR_INPUT, "not MessagePack (at byte %zu)", msgpack_offset(&c));
 *
 * After the first error every call is harmless, returns false and leaves its output as nil. Counts are never trusted: nothing is allocated for values
 * that have not been seen. */
#pragma once
#include "base/buf.h"
#include "base/value.h"

enum msgpack_type {
    MSGPACK_NIL,
    MSGPACK_BOOL,
    MSGPACK_INT,
    MSGPACK_DOUBLE, /* floats, and integers above 2^63 - 1 */
    MSGPACK_STRING,
    MSGPACK_BINARY,
    MSGPACK_ARRAY,
    MSGPACK_MAP,
    MSGPACK_EXT,
};
enum {
    MSGPACK_DEPTH_MAX = 64,
    MSGPACK_VALUES_MAX = 65536, /* in one tree */
};

struct msgpack {
    const uint8_t *start, *at, *end;
    bool bad; /* then `at` is where reading failed */
    bool cut; /* bad only because the bytes end too early */
};
struct msgpack_item {
    enum msgpack_type type;
    uint32_t n; /* array: values; map: pairs */
    int8_t ext; /* MSGPACK_EXT: its number */
    union {
        bool b;
        int64_t i;
        double d;
        str s; /* string, binary, ext */
    };
};

static inline struct msgpack msgpack_open(str bytes) {
    const uint8_t *p = (const uint8_t *)bytes.p;
    return (struct msgpack){.start = p, .at = p, .end = bytes.n ? p + bytes.n : p};
}
static inline size_t msgpack_offset(const struct msgpack *c) {
    return (size_t)(c->at - c->start);
}
static inline bool msgpack_at_end(const struct msgpack *c) {
    return c->at == c->end;
}
bool msgpack_next(struct msgpack *c, struct msgpack_item *out);
bool msgpack_skip(struct msgpack *c);
/* The next value, which must be a string or binary. */
bool msgpack_text(struct msgpack *c, str *out);
/* The next value as a tree. Keys that are no text are written as JSON would (1, true), but arrays and maps are no keys: bad. An ext is
 * VAL_BYTES. Too deep or too many values: bad. */
bool msgpack_value(struct msgpack *c, struct arena *a, struct value *out);

/* Where a value ends whose bytes are still coming: call it again with more of the same bytes. `struct msgpack_scan s = {.left = 1};` */
struct msgpack_scan {
    size_t at;     /* WHOLE: the end of the value */
    uint64_t left; /* values still to come */
};
enum msgpack_scanned { MSGPACK_WHOLE, MSGPACK_MORE, MSGPACK_DAMAGED };
enum msgpack_scanned msgpack_scan(struct msgpack_scan *s, str bytes);

/* --- writer */
void msgpack_put_nil(struct buf *b);
void msgpack_put_bool(struct buf *b, bool v);
void msgpack_put_int(struct buf *b, int64_t v);
void msgpack_put_double(struct buf *b, double v);
void msgpack_put_string(struct buf *b, str s);
void msgpack_put_binary(struct buf *b, str s);
void msgpack_put_array(struct buf *b, uint32_t n); /* n values follow */
void msgpack_put_map(struct buf *b, uint32_t n);   /* n keys and values follow */
void msgpack_put_ext(struct buf *b, int8_t type, str s);
