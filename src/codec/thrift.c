#include "codec/thrift.h"

#include <endian.h>

static bool bad(struct thrift *c) {
    c->bad = true;
    return false;
}

static size_t left(const struct thrift *c) {
    return (size_t)(c->end - c->at);
}

struct thrift thrift_open(str bytes, enum thrift_protocol protocol) {
    const uint8_t *p = (const uint8_t *)bytes.p;
    return (struct thrift){.start = p, .at = p, .end = bytes.n ? p + bytes.n : p, .protocol = protocol, .pending = THRIFT_STRUCT};
}

/* What each type costs at least in the binary and in the compact protocol: a count times this never exceeds the bytes that are left. Also tells
 * which types exist. */
static const uint8_t min_bytes[][2] = {
    [THRIFT_BOOL] = {1, 1}, [THRIFT_I8] = {1, 1},  [THRIFT_DOUBLE] = {8, 8}, [THRIFT_I16] = {2, 1},
    [THRIFT_I32] = {4, 1},  [THRIFT_I64] = {8, 1}, [THRIFT_STRING] = {4, 1}, [THRIFT_STRUCT] = {1, 1},
    [THRIFT_MAP] = {6, 1},  [THRIFT_SET] = {5, 1}, [THRIFT_LIST] = {5, 1},   [THRIFT_UUID] = {16, 16},
};

/* The compact protocol numbers types in its own way; 1 and 2 are both bool (in a field header they are its value). */
static const uint8_t from_compact[16] = {
    [1] = THRIFT_BOOL,   [2] = THRIFT_BOOL, [3] = THRIFT_I8,   [4] = THRIFT_I16,  [5] = THRIFT_I32,     [6] = THRIFT_I64,  [7] = THRIFT_DOUBLE,
    [8] = THRIFT_STRING, [9] = THRIFT_LIST, [10] = THRIFT_SET, [11] = THRIFT_MAP, [12] = THRIFT_STRUCT, [13] = THRIFT_UUID};
static const uint8_t to_compact[] = {
    [THRIFT_BOOL] = 2,   [THRIFT_I8] = 3,   [THRIFT_I16] = 4,  [THRIFT_I32] = 5,  [THRIFT_I64] = 6,     [THRIFT_DOUBLE] = 7,
    [THRIFT_STRING] = 8, [THRIFT_LIST] = 9, [THRIFT_SET] = 10, [THRIFT_MAP] = 11, [THRIFT_STRUCT] = 12, [THRIFT_UUID] = 13};

static bool known(uint8_t type) {
    return type < ARRAY_N(min_bytes) && min_bytes[type][0];
}

/* --- bytes */

static bool byte(struct thrift *c, uint8_t *out) {
    if (c->at == c->end) return bad(c);
    *out = *c->at++;
    return true;
}

static bool big_endian(struct thrift *c, size_t n, uint64_t *out) {
    if (left(c) < n) return bad(c);
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) v = v << 8 | c->at[i];
    c->at += n;
    *out = v;
    return true;
}

static bool varint(struct thrift *c, uint64_t *out) {
    uint64_t v = 0;
    const uint8_t *p = c->at;
    for (unsigned shift = 0; shift < 70 && p < c->end; shift += 7) {
        v |= (uint64_t)(*p & 0x7f) << shift;
        if (*p++ & 0x80) continue;
        c->at = p;
        *out = v;
        return true;
    }
    return bad(c);
}

/* A signed integer of n bytes. */
static bool integer(struct thrift *c, size_t n, int64_t *out) {
    uint64_t u = 0;
    if (c->protocol == THRIFT_COMPACT && n > 1) {
        if (!varint(c, &u)) return false;
        u = (u >> 1) ^ (0 - (u & 1));
    } else if (!big_endian(c, n, &u)) {
        return false;
    }
    unsigned unused = (unsigned)(64 - 8 * n);
    *out = (int64_t)(u << unused) >> unused;
    return true;
}

/* A length or count, which is a positive i32 in both protocols. */
static bool size(struct thrift *c, uint32_t *out) {
    uint64_t n;
    if (!(c->protocol == THRIFT_COMPACT ? varint(c, &n) : big_endian(c, 4, &n))) return false;
    if (n > left(c) || n > INT32_MAX) return bad(c);
    *out = (uint32_t)n;
    return true;
}

static bool bytes(struct thrift *c, size_t n, str *out) {
    if (left(c) < n) return bad(c);
    *out = str_n(c->at, n);
    c->at += n;
    return true;
}

static bool string(struct thrift *c, str *out) {
    uint32_t n;
    return size(c, &n) && bytes(c, n, out);
}

static bool floating(struct thrift *c, double *out) {
    uint64_t u;
    if (!big_endian(c, 8, &u)) return false;
    if (c->protocol == THRIFT_COMPACT) u = __builtin_bswap64(u);
    memcpy(out, &u, sizeof u);
    return true;
}

/* --- envelope */

bool thrift_message(struct thrift *c, struct thrift_message *m) {
    *m = (struct thrift_message){0};
    if (c->bad) return false;
    uint64_t head, seq = 0;
    uint8_t type = 0;
    if (c->protocol == THRIFT_COMPACT) {
        uint8_t id, version;
        if (!byte(c, &id) || !byte(c, &version) || !varint(c, &seq) || !string(c, &m->name)) return false;
        if (id != 0x82 || (version & 0x1f) != 1) return bad(c);
        type = version >> 5;
    } else {
        if (!big_endian(c, 4, &head)) return false;
        bool strict = head >> 31;
        if (strict && head >> 16 != 0x8001) return bad(c);
        if (strict) {
            type = (uint8_t)head;
            if (!string(c, &m->name)) return false;
        } else if (!bytes(c, head, &m->name) || !byte(c, &type)) {
            return false;
        }
        if (!big_endian(c, 4, &seq)) return false;
    }
    if (type < THRIFT_CALL || type > THRIFT_ONEWAY) return bad(c);
    m->type = (enum thrift_call)type;
    m->seq = (int32_t)seq;
    return true;
}

/* --- containers */

static bool list_header(struct thrift *c, struct thrift_frame *f) {
    if (c->protocol == THRIFT_BINARY) return byte(c, &f->value) && size(c, &f->left);
    uint8_t head;
    if (!byte(c, &head)) return false;
    f->value = from_compact[head & 15];
    f->left = head >> 4;
    return f->left < 15 || size(c, &f->left);
}

static bool map_header(struct thrift *c, struct thrift_frame *f) {
    if (c->protocol == THRIFT_BINARY) return byte(c, &f->key) && byte(c, &f->value) && size(c, &f->left);
    uint8_t types;
    if (!size(c, &f->left)) return false;
    if (f->left == 0) return true;
    if (!byte(c, &types)) return false;
    f->key = from_compact[types >> 4];
    f->value = from_compact[types & 15];
    return true;
}

static bool push(struct thrift *c) {
    struct thrift_frame f = {.type = (uint8_t)c->pending};
    c->pending = THRIFT_NONE;
    if (c->depth == THRIFT_DEPTH_MAX) return bad(c);
    if (f.type == THRIFT_MAP && !map_header(c, &f)) return false;
    if ((f.type == THRIFT_LIST || f.type == THRIFT_SET) && !list_header(c, &f)) return false;
    if (f.left) { /* an empty container may name no types */
        if (!known(f.value) || (f.type == THRIFT_MAP && !known(f.key))) return bad(c);
        size_t cost = min_bytes[f.value][c->protocol] + (f.type == THRIFT_MAP ? min_bytes[f.key][c->protocol] : 0);
        if (f.left > left(c) / cost) return bad(c);
        if (f.type == THRIFT_MAP) f.left *= 2;
    }
    c->frames[c->depth++] = f;
    return true;
}

bool thrift_enter(struct thrift *c, enum thrift_type type) {
    if (c->bad || c->pending != type || type == THRIFT_NONE) return false;
    return push(c);
}

/* The value's type is known; a container is only announced. */
static bool value(struct thrift *c, struct thrift_field *f) {
    uint8_t flag;
    switch (f->type) {
    case THRIFT_BOOL:
        if (!byte(c, &flag)) return false;
        f->i = c->protocol == THRIFT_COMPACT ? flag == 1 : flag != 0;
        return true;
    case THRIFT_I8: return integer(c, 1, &f->i);
    case THRIFT_I16: return integer(c, 2, &f->i);
    case THRIFT_I32: return integer(c, 4, &f->i);
    case THRIFT_I64: return integer(c, 8, &f->i);
    case THRIFT_DOUBLE: return floating(c, &f->d);
    case THRIFT_STRING: return string(c, &f->s);
    case THRIFT_UUID: return bytes(c, 16, &f->s);
    case THRIFT_STRUCT:
    case THRIFT_MAP:
    case THRIFT_SET:
    case THRIFT_LIST: c->pending = f->type; return true;
    case THRIFT_NONE: break;
    }
    return bad(c);
}

static bool compact_field(struct thrift *c, struct thrift_frame *frame, struct thrift_field *f) {
    uint8_t head;
    int64_t id;
    if (!byte(c, &head) || head == 0) return false;
    if (head >> 4)
        id = frame->last_id + (head >> 4);
    else if (!integer(c, 2, &id))
        return false;
    f->id = frame->last_id = (int16_t)id;
    f->type = from_compact[head & 15];
    f->i = (head & 15) == 1;
    return f->type == THRIFT_BOOL || value(c, f);
}

static bool binary_field(struct thrift *c, struct thrift_field *f) {
    uint8_t type;
    int64_t id;
    if (!byte(c, &type) || type == 0) return false;
    if (!known(type)) return bad(c);
    if (!integer(c, 2, &id)) return false;
    f->id = (int16_t)id;
    f->type = (enum thrift_type)type;
    return value(c, f);
}

static bool member(struct thrift *c, struct thrift_field *f) {
    struct thrift_frame *frame = &c->frames[c->depth - 1];
    *f = (struct thrift_field){0};
    if (frame->type == THRIFT_STRUCT) return c->protocol == THRIFT_COMPACT ? compact_field(c, frame, f) : binary_field(c, f);
    if (frame->left == 0) return false;
    bool key = frame->type == THRIFT_MAP && frame->left % 2 == 0;
    frame->left--;
    f->type = (enum thrift_type)(key ? frame->key : frame->value);
    return value(c, f);
}

/* Walks over the announced container. The stack of frames bounds the depth, and every step consumes input. */
static void skip_pending(struct thrift *c) {
    uint8_t base = c->depth;
    if (!push(c)) return;
    for (struct thrift_field ignored; c->depth > base && !c->bad;) {
        if (!member(c, &ignored))
            c->depth--;
        else if (c->pending)
            push(c);
    }
}

bool thrift_next(struct thrift *c, struct thrift_field *f) {
    *f = (struct thrift_field){0};
    if (c->bad) return false;
    assert(c->depth > 0);
    if (c->pending) skip_pending(c);
    if (c->bad) return false;
    if (member(c, f)) return true;
    *f = (struct thrift_field){0};
    if (!c->bad) c->depth--;
    return false;
}

/* --- writer */

static void put_varint(struct buf *b, uint64_t v) {
    for (; v >= 0x80; v >>= 7) buf_char(b, (char)(v | 0x80));
    buf_char(b, (char)v);
}

static void put_big_endian(struct buf *b, size_t n, uint64_t v) {
    v = htobe64(v);
    buf_put(b, (const char *)&v + 8 - n, n);
}

static void put_integer(struct thrift_out *o, size_t n, int64_t v) {
    if (o->protocol == THRIFT_COMPACT && n > 1)
        put_varint(o->buf, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63));
    else
        put_big_endian(o->buf, n, (uint64_t)v);
}

static void put_size(struct thrift_out *o, size_t n) {
    assert(n <= INT32_MAX);
    if (o->protocol == THRIFT_COMPACT)
        put_varint(o->buf, n);
    else
        put_big_endian(o->buf, 4, n);
}

static void put_bytes(struct thrift_out *o, str s) {
    put_size(o, s.n);
    buf_add(o->buf, s);
}

void thrift_put_message(struct thrift_out *o, const struct thrift_message *m) {
    assert(o->depth == 0);
    if (o->protocol == THRIFT_COMPACT) {
        buf_char(o->buf, (char)0x82);
        buf_char(o->buf, (char)(m->type << 5 | 1));
        put_varint(o->buf, (uint32_t)m->seq);
        put_bytes(o, m->name);
        return;
    }
    put_big_endian(o->buf, 4, 0x80010000u | m->type);
    put_bytes(o, m->name);
    put_big_endian(o->buf, 4, (uint32_t)m->seq);
}

/* The header of a struct's field, or the count of an item. compact_type differs from the table for a bool, whose value it holds. */
static void begin_value(struct thrift_out *o, int16_t id, enum thrift_type type, uint8_t compact_type) {
    if (o->depth == 0) {
        assert(type == THRIFT_STRUCT);
        return;
    }
    struct thrift_frame *frame = &o->frames[o->depth - 1];
    if (frame->type != THRIFT_STRUCT) {
        bool key = frame->type == THRIFT_MAP && frame->left % 2 == 0;
        assert(frame->left > 0 && type == (key ? frame->key : frame->value));
        frame->left--;
        return;
    }
    if (o->protocol == THRIFT_BINARY) {
        buf_char(o->buf, (char)type);
        put_big_endian(o->buf, 2, (uint16_t)id);
        return;
    }
    int delta = id - frame->last_id;
    bool short_form = delta > 0 && delta < 16;
    buf_char(o->buf, (char)((short_form ? delta << 4 : 0) | compact_type));
    if (!short_form) put_integer(o, 2, id);
    frame->last_id = id;
}

static void begin(struct thrift_out *o, int16_t id, enum thrift_type type) {
    begin_value(o, id, type, to_compact[type]);
}

static void open_container(struct thrift_out *o, struct thrift_frame f) {
    assert(o->depth < THRIFT_DEPTH_MAX);
    o->frames[o->depth++] = f;
}

void thrift_put_struct(struct thrift_out *o, int16_t id) {
    begin(o, id, THRIFT_STRUCT);
    open_container(o, (struct thrift_frame){.type = THRIFT_STRUCT});
}

void thrift_put_list(struct thrift_out *o, int16_t id, enum thrift_type type, enum thrift_type item, uint32_t n) {
    assert((type == THRIFT_LIST || type == THRIFT_SET) && known((uint8_t)item));
    begin(o, id, type);
    if (o->protocol == THRIFT_BINARY) {
        buf_char(o->buf, (char)item);
        put_size(o, n);
    } else {
        buf_char(o->buf, (char)(MIN(n, 15u) << 4 | to_compact[item]));
        if (n >= 15) put_size(o, n);
    }
    open_container(o, (struct thrift_frame){.type = (uint8_t)type, .value = (uint8_t)item, .left = n});
}

void thrift_put_map(struct thrift_out *o, int16_t id, enum thrift_type key, enum thrift_type value_type, uint32_t n) {
    assert(known((uint8_t)key) && known((uint8_t)value_type) && n <= INT32_MAX);
    begin(o, id, THRIFT_MAP);
    if (o->protocol == THRIFT_BINARY) {
        buf_char(o->buf, (char)key);
        buf_char(o->buf, (char)value_type);
        put_size(o, n);
    } else {
        put_size(o, n);
        if (n) buf_char(o->buf, (char)(to_compact[key] << 4 | to_compact[value_type]));
    }
    open_container(o, (struct thrift_frame){.type = THRIFT_MAP, .key = (uint8_t)key, .value = (uint8_t)value_type, .left = 2 * n});
}

void thrift_put_end(struct thrift_out *o) {
    assert(o->depth > 0 && o->frames[o->depth - 1].left == 0);
    o->depth--;
    if (o->frames[o->depth].type == THRIFT_STRUCT) buf_char(o->buf, 0);
}

void thrift_put_bool(struct thrift_out *o, int16_t id, bool v) {
    bool in_header = o->protocol == THRIFT_COMPACT && o->depth && o->frames[o->depth - 1].type == THRIFT_STRUCT;
    begin_value(o, id, THRIFT_BOOL, v ? 1 : 2);
    if (in_header) return;
    buf_char(o->buf, (char)(v ? 1 : o->protocol == THRIFT_COMPACT ? 2 : 0));
}

void thrift_put_i8(struct thrift_out *o, int16_t id, int8_t v) {
    begin(o, id, THRIFT_I8);
    put_integer(o, 1, v);
}
void thrift_put_i16(struct thrift_out *o, int16_t id, int16_t v) {
    begin(o, id, THRIFT_I16);
    put_integer(o, 2, v);
}
void thrift_put_i32(struct thrift_out *o, int16_t id, int32_t v) {
    begin(o, id, THRIFT_I32);
    put_integer(o, 4, v);
}
void thrift_put_i64(struct thrift_out *o, int16_t id, int64_t v) {
    begin(o, id, THRIFT_I64);
    put_integer(o, 8, v);
}

void thrift_put_double(struct thrift_out *o, int16_t id, double v) {
    begin(o, id, THRIFT_DOUBLE);
    uint64_t u;
    memcpy(&u, &v, sizeof u);
    put_big_endian(o->buf, 8, o->protocol == THRIFT_COMPACT ? __builtin_bswap64(u) : u);
}

void thrift_put_string(struct thrift_out *o, int16_t id, str v) {
    begin(o, id, THRIFT_STRING);
    put_bytes(o, v);
}
