/* codec/pb: protobuf wire format, a cursor and a writer (protobuf.dev/programming-guides/encoding). Pure; any thread; borrows from the input.
 *
 *   struct pb c = pb_open(bytes);
 *   for (struct pb_field f; pb_next(&c, &f);) switch (f.num) { case 1: name = f.bytes; break; ... }
 *   if (c.bad) return err_set(e, ERR_INPUT, "not protobuf (at byte %zu)", pb_offset(&c));
 *
 * The caller opens submessages with pb_open(f.bytes), so recursion is the caller's to count. Groups are skipped. */
#pragma once
#include "base/buf.h"
#include "base/str.h"

enum pb_type { PB_VARINT = 0, PB_FIXED64 = 1, PB_BYTES = 2, PB_FIXED32 = 5 };

struct pb {
    const uint8_t *start, *at, *end;
    bool bad;
};
struct pb_field {
    uint32_t num;
    enum pb_type type;
    uint64_t u; /* PB_VARINT, PB_FIXED64, PB_FIXED32 */
    str bytes;  /* PB_BYTES */
};

static inline struct pb pb_open(str bytes) {
    const uint8_t *p = (const uint8_t *)bytes.p;
    return (struct pb){p, p, bytes.n ? p + bytes.n : p, false};
}
bool pb_next_any(struct pb *c, struct pb_field *f);
/* The next field; false at the end or at damage (c->bad). Here are the fields most messages are made of: short bytes and fixed64. */
static inline bool pb_next(struct pb *c, struct pb_field *f) {
    size_t left = (size_t)(c->end - c->at);
    if (left < 2 || c->bad) return pb_next_any(c, f);
    unsigned tag = c->at[0], n = c->at[1];
    if (tag < 8 || tag >= 0x80) return pb_next_any(c, f);
    if ((tag & 7) == PB_BYTES && n < 0x80 && n <= left - 2) {
        *f = (struct pb_field){.num = tag >> 3, .type = PB_BYTES, .bytes = str_n(c->at + 2, n)};
        c->at += 2 + n;
        return true;
    }
    if ((tag & 7) != PB_FIXED64 || left < 9) return pb_next_any(c, f);
    *f = (struct pb_field){.num = tag >> 3, .type = PB_FIXED64};
    memcpy(&f->u, c->at + 1, 8);
    c->at += 9;
    return true;
}
static inline size_t pb_offset(const struct pb *c) {
    return (size_t)(c->at - c->start);
}
/* Field values as the declared type; a wrong wire type gives the zero value, as protobuf parsers treat an unknown field. */
static inline int64_t pb_i64(const struct pb_field *f) {
    return f->type == PB_BYTES ? 0 : (int64_t)f->u;
}
static inline int64_t pb_sint(const struct pb_field *f) {
    return f->type == PB_VARINT ? (int64_t)(f->u >> 1) ^ -(int64_t)(f->u & 1) : 0;
}
double pb_double(const struct pb_field *f); /* PB_FIXED64 */
static inline str pb_bytes(const struct pb_field *f) {
    return f->type == PB_BYTES ? f->bytes : STR_NULL;
}
/* Packed repeated scalars, or one unpacked element: calls each value in turn. */
struct pb_packed {
    struct pb c;
    enum pb_type type;
    uint64_t one;
    bool single;
};
struct pb_packed pb_packed_open(const struct pb_field *f, enum pb_type element);
bool pb_packed_next(struct pb_packed *p, uint64_t *out); /* false at the end or when p->c.bad */

/* --- writer */
void pb_put_varint(struct buf *b, uint64_t v);
void pb_put_u64(struct buf *b, uint32_t num, uint64_t v); /* varint field; zero is written too */
void pb_put_sint(struct buf *b, uint32_t num, int64_t v);
void pb_put_fixed64(struct buf *b, uint32_t num, uint64_t v);
void pb_put_fixed32(struct buf *b, uint32_t num, uint32_t v);
void pb_put_double(struct buf *b, uint32_t num, double v);
void pb_put_bytes(struct buf *b, uint32_t num, str s);
/* Submessage: at = pb_begin(b, num); ...write fields...; pb_end(b, at). */
size_t pb_begin(struct buf *b, uint32_t num);
void pb_end(struct buf *b, size_t at);
