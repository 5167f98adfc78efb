#include "codec/msgpack.h"

#include "base/vec.h"
#include "codec/json.h"

/* --- cursor */

static bool fail(struct msgpack *c, bool cut) {
    c->bad = true;
    c->cut = cut;
    return false;
}

static bool big_endian(struct msgpack *c, size_t n, uint64_t *out) {
    if ((size_t)(c->end - c->at) < n) return fail(c, true);
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) v = v << 8 | c->at[i];
    c->at += n;
    *out = v;
    return true;
}

static bool bytes(struct msgpack *c, enum msgpack_type type, size_t n, struct msgpack_item *out) {
    if ((size_t)(c->end - c->at) < n) return fail(c, true);
    out->type = type;
    out->s = str_n(c->at, n);
    c->at += n;
    return true;
}

static bool sized(struct msgpack *c, enum msgpack_type type, size_t length_bytes, struct msgpack_item *out) {
    uint64_t n;
    return big_endian(c, length_bytes, &n) && bytes(c, type, n, out);
}

static bool ext(struct msgpack *c, size_t n, struct msgpack_item *out) {
    uint64_t type;
    if (!big_endian(c, 1, &type)) return false;
    out->ext = (int8_t)type;
    return bytes(c, MSGPACK_EXT, n, out);
}

static bool sized_ext(struct msgpack *c, size_t length_bytes, struct msgpack_item *out) {
    uint64_t n;
    return big_endian(c, length_bytes, &n) && ext(c, n, out);
}

static bool container(struct msgpack *c, enum msgpack_type type, size_t length_bytes, struct msgpack_item *out) {
    uint64_t n;
    if (!big_endian(c, length_bytes, &n)) return false;
    out->type = type;
    out->n = (uint32_t)n;
    return true;
}

static bool number(struct msgpack *c, size_t n_bytes, bool is_signed, struct msgpack_item *out) {
    uint64_t v;
    if (!big_endian(c, n_bytes, &v)) return false;
    unsigned shift = 64 - 8 * (unsigned)n_bytes;
    out->type = MSGPACK_INT;
    out->i = is_signed ? (int64_t)(v << shift) >> shift : (int64_t)v;
    if (!is_signed && v > INT64_MAX) {
        out->type = MSGPACK_DOUBLE;
        out->d = (double)v;
    }
    return true;
}

static bool real(struct msgpack *c, size_t n_bytes, struct msgpack_item *out) {
    uint64_t v;
    if (!big_endian(c, n_bytes, &v)) return false;
    out->type = MSGPACK_DOUBLE;
    uint32_t half = (uint32_t)v;
    float f;
    memcpy(&f, &half, sizeof f);
    if (n_bytes == 4)
        out->d = (double)f;
    else
        memcpy(&out->d, &v, sizeof v);
    return true;
}

/* The formats 0xc0 to 0xdf, in the order of the specification's table. */
static bool read_format(struct msgpack *c, uint8_t format, struct msgpack_item *out) {
    switch (format) {
    case 0xc0: return true;
    case 0xc1: return fail(c, false); /* never used */
    case 0xc2:
    case 0xc3:
        out->type = MSGPACK_BOOL;
        out->b = format & 1;
        return true;
    case 0xc4: return sized(c, MSGPACK_BINARY, 1, out);
    case 0xc5: return sized(c, MSGPACK_BINARY, 2, out);
    case 0xc6: return sized(c, MSGPACK_BINARY, 4, out);
    case 0xc7: return sized_ext(c, 1, out);
    case 0xc8: return sized_ext(c, 2, out);
    case 0xc9: return sized_ext(c, 4, out);
    case 0xca: return real(c, 4, out);
    case 0xcb: return real(c, 8, out);
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf: return number(c, (size_t)1 << (format - 0xcc), false, out);
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3: return number(c, (size_t)1 << (format - 0xd0), true, out);
    case 0xd4:
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8: return ext(c, (size_t)1 << (format - 0xd4), out);
    case 0xd9: return sized(c, MSGPACK_STRING, 1, out);
    case 0xda: return sized(c, MSGPACK_STRING, 2, out);
    case 0xdb: return sized(c, MSGPACK_STRING, 4, out);
    case 0xdc: return container(c, MSGPACK_ARRAY, 2, out);
    case 0xdd: return container(c, MSGPACK_ARRAY, 4, out);
    case 0xde: return container(c, MSGPACK_MAP, 2, out);
    case 0xdf: return container(c, MSGPACK_MAP, 4, out);
    }
    return fail(c, false);
}

static bool read_item(struct msgpack *c, struct msgpack_item *out) {
    if (c->bad) return false;
    if (c->at == c->end) return fail(c, true);
    uint8_t format = *c->at++;
    if (format < 0x80 || format >= 0xe0) {
        out->type = MSGPACK_INT;
        out->i = format < 0x80 ? format : format - 0x100;
        return true;
    }
    if (format >= 0xc0) return read_format(c, format, out);
    if (format >= 0xa0) return bytes(c, MSGPACK_STRING, format & 0x1f, out);
    out->type = format >= 0x90 ? MSGPACK_ARRAY : MSGPACK_MAP;
    out->n = format & 0x0f;
    return true;
}

bool msgpack_next(struct msgpack *c, struct msgpack_item *out) {
    const uint8_t *from = c->at;
    *out = (struct msgpack_item){.type = MSGPACK_NIL};
    if (read_item(c, out)) return true;
    c->at = from;
    *out = (struct msgpack_item){.type = MSGPACK_NIL};
    return false;
}

static uint64_t values_in(const struct msgpack_item *item) {
    return item->type == MSGPACK_ARRAY ? item->n : item->type == MSGPACK_MAP ? 2 * (uint64_t)item->n : 0;
}

enum msgpack_scanned msgpack_scan(struct msgpack_scan *s, str all) {
    struct msgpack c = msgpack_open(str_from(all, s->at));
    for (struct msgpack_item item; s->left;) {
        if (!msgpack_next(&c, &item)) break;
        if (__builtin_add_overflow(s->left - 1, values_in(&item), &s->left)) fail(&c, false);
    }
    s->at += msgpack_offset(&c);
    return !c.bad ? MSGPACK_WHOLE : c.cut ? MSGPACK_MORE : MSGPACK_DAMAGED;
}

bool msgpack_skip(struct msgpack *c) {
    uint64_t left = 1;
    for (struct msgpack_item item; left && msgpack_next(c, &item);)
        if (__builtin_add_overflow(left - 1, values_in(&item), &left)) return fail(c, false);
    return !c->bad;
}

bool msgpack_text(struct msgpack *c, str *out) {
    struct msgpack_item item;
    *out = STR_NULL;
    const uint8_t *from = c->at;
    if (!msgpack_next(c, &item)) return false;
    if (item.type != MSGPACK_STRING && item.type != MSGPACK_BINARY) {
        c->at = from;
        return fail(c, false);
    }
    *out = item.s;
    return true;
}

/* --- trees */

struct tree {
    struct msgpack *c;
    struct arena *arena;
    unsigned depth;
    size_t values;
};

static bool read_tree(struct tree *t, struct value *out);

static str key_text(struct arena *a, const struct value *key) {
    if (key->type == VAL_STRING || key->type == VAL_BYTES) return key->s;
    struct buf text = {0};
    struct json_out o = {.buf = &text};
    json_put_value(&o, key);
    str copy = arena_str(a, buf_str(&text));
    buf_done(&text);
    return copy;
}

static bool read_map(struct tree *t, uint32_t n, struct value *out) {
    struct {
        struct field *p;
        size_t n, cap;
    } fields = {0};
    for (uint32_t i = 0; i < n; i++) {
        struct field f;
        struct value key;
        if (!read_tree(t, &key)) return false;
        if (key.type == VAL_ARRAY || key.type == VAL_MAP) return fail(t->c, false); /* as text, keys within keys would double per level */
        if (!read_tree(t, &f.value)) return false;
        f.key = key_text(t->arena, &key);
        avec_push(t->arena, &fields, f);
    }
    *out = (struct value){.type = VAL_MAP, .n = n, .fields = fields.p};
    return true;
}

static bool read_array(struct tree *t, uint32_t n, struct value *out) {
    struct {
        struct value *p;
        size_t n, cap;
    } items = {0};
    for (uint32_t i = 0; i < n; i++) {
        struct value v;
        if (!read_tree(t, &v)) return false;
        avec_push(t->arena, &items, v);
    }
    *out = (struct value){.type = VAL_ARRAY, .n = n, .items = items.p};
    return true;
}

static bool read_tree(struct tree *t, struct value *out) {
    struct msgpack_item item;
    if (!msgpack_next(t->c, &item)) return false;
    if (++t->values > MSGPACK_VALUES_MAX || t->depth == MSGPACK_DEPTH_MAX) return fail(t->c, false);
    bool ok = true;
    t->depth++;
    switch (item.type) {
    case MSGPACK_NIL: *out = (struct value){.type = VAL_NULL}; break;
    case MSGPACK_BOOL: *out = value_bool(item.b); break;
    case MSGPACK_INT: *out = value_int(item.i); break;
    case MSGPACK_DOUBLE: *out = value_double(item.d); break;
    case MSGPACK_STRING:
    case MSGPACK_BINARY: *out = value_str(item.s); break; /* Ruby writes text as binary when it is not sure */
    case MSGPACK_ARRAY: ok = read_array(t, item.n, out); break;
    case MSGPACK_MAP: ok = read_map(t, item.n, out); break;
    case MSGPACK_EXT: *out = (struct value){.type = VAL_BYTES, .s = item.s}; break;
    }
    t->depth--;
    return ok;
}

bool msgpack_value(struct msgpack *c, struct arena *a, struct value *out) {
    struct tree t = {.c = c, .arena = a};
    *out = (struct value){.type = VAL_NULL};
    struct value v;
    if (!read_tree(&t, &v)) return false;
    *out = v;
    return true;
}

/* --- writer */

static void put_be(struct buf *b, uint8_t format, uint64_t v, size_t n) {
    buf_char(b, (char)format);
    for (size_t i = n; i-- > 0;) buf_char(b, (char)(v >> 8 * i));
}

void msgpack_put_nil(struct buf *b) {
    buf_char(b, (char)0xc0);
}
void msgpack_put_bool(struct buf *b, bool v) {
    buf_char(b, (char)(v ? 0xc3 : 0xc2));
}

void msgpack_put_int(struct buf *b, int64_t v) {
    if (v >= -32 && v <= 127)
        buf_char(b, (char)v);
    else if (v >= 0)
        put_be(b, v <= UINT32_MAX ? 0xce : 0xcf, (uint64_t)v, v <= UINT32_MAX ? 4 : 8);
    else
        put_be(b, v >= INT32_MIN ? 0xd2 : 0xd3, (uint64_t)v, v >= INT32_MIN ? 4 : 8);
}

void msgpack_put_double(struct buf *b, double v) {
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    put_be(b, 0xcb, bits, 8);
}

/* first: the format with a length of one byte; those of two and four bytes follow it. */
static void put_sized(struct buf *b, uint8_t first, size_t n) {
    assert(n <= UINT32_MAX);
    if (n <= 0xff)
        put_be(b, first, n, 1);
    else if (n <= 0xffff)
        put_be(b, first + 1, n, 2);
    else
        put_be(b, first + 2, n, 4);
}

void msgpack_put_string(struct buf *b, str s) {
    if (s.n < 32)
        buf_char(b, (char)(0xa0 | s.n));
    else
        put_sized(b, 0xd9, s.n);
    buf_add(b, s);
}
void msgpack_put_binary(struct buf *b, str s) {
    put_sized(b, 0xc4, s.n);
    buf_add(b, s);
}
void msgpack_put_ext(struct buf *b, int8_t type, str s) {
    put_sized(b, 0xc7, s.n);
    buf_char(b, (char)type);
    buf_add(b, s);
}

static void put_container(struct buf *b, uint8_t fix, uint8_t sixteen, uint32_t n) {
    if (n < 16)
        buf_char(b, (char)(fix | n));
    else if (n <= 0xffff)
        put_be(b, sixteen, n, 2);
    else
        put_be(b, sixteen + 1, n, 4);
}
void msgpack_put_array(struct buf *b, uint32_t n) {
    put_container(b, 0x90, 0xdc, n);
}
void msgpack_put_map(struct buf *b, uint32_t n) {
    put_container(b, 0x80, 0xde, n);
}
