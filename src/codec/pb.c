#include "codec/pb.h"

/* Ten bytes carry 70 bits; the surplus of the last byte is dropped, as Google's parsers do. */
static bool varint(struct pb *c, uint64_t *out) {
    if (c->at < c->end && *c->at < 0x80) {
        *out = *c->at++;
        return true;
    }
    uint64_t v = 0;
    const uint8_t *p = c->at;
    for (unsigned shift = 0; shift < 70 && p < c->end; shift += 7) {
        uint8_t byte = *p++;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte & 0x80) continue;
        c->at = p;
        *out = v;
        return true;
    }
    c->bad = true;
    return false;
}

static bool fixed(struct pb *c, size_t n, uint64_t *out) {
    if ((size_t)(c->end - c->at) < n) {
        c->bad = true;
        return false;
    }
    uint64_t v = 0;
    memcpy(&v, c->at, n);
    c->at += n;
    *out = v;
    return true;
}

enum { GROUP_START = 3, GROUP_END = 4, GROUP_DEPTH_MAX = 64 };

static bool tag(struct pb *c, uint32_t *num, unsigned *wire) {
    uint64_t t;
    if (!varint(c, &t)) return false;
    *num = (uint32_t)(t >> 3);
    *wire = t & 7;
    if (t <= UINT32_MAX && *num != 0) return true;
    c->bad = true;
    return false;
}

static bool scalar(struct pb *c, unsigned wire, struct pb_field *f) {
    f->type = (enum pb_type)wire;
    switch (wire) {
    case PB_VARINT: return varint(c, &f->u);
    case PB_FIXED64: return fixed(c, 8, &f->u);
    case PB_FIXED32: return fixed(c, 4, &f->u);
    case PB_BYTES:
        if (!varint(c, &f->u)) return false;
        if (f->u > (size_t)(c->end - c->at)) break;
        f->bytes = str_n(c->at, f->u);
        c->at += f->u;
        f->u = 0;
        return true;
    }
    c->bad = true;
    return false;
}

/* The group's start tag has been read. Groups nest; each end tag must name the group it closes. */
static bool skip_group(struct pb *c, uint32_t num) {
    uint32_t open[GROUP_DEPTH_MAX] = {num};
    size_t depth = 1;
    while (depth) {
        unsigned wire;
        struct pb_field ignored;
        if (!tag(c, &num, &wire)) return false;
        if (wire == GROUP_START && depth < GROUP_DEPTH_MAX) {
            open[depth++] = num;
        } else if (wire == GROUP_END && num == open[depth - 1]) {
            depth--;
        } else if (!scalar(c, wire, &ignored)) {
            return false;
        }
    }
    return true;
}

bool pb_next_any(struct pb *c, struct pb_field *f) {
    while (!c->bad && c->at < c->end) {
        const uint8_t *from = c->at;
        unsigned wire;
        *f = (struct pb_field){0};
        if (tag(c, &f->num, &wire)) {
            if (wire != GROUP_START && scalar(c, wire, f)) return true;
            if (wire == GROUP_START && skip_group(c, f->num)) continue;
        }
        c->at = from; /* pb_offset names the field that cannot be read */
    }
    return false;
}

double pb_double(const struct pb_field *f) {
    double d = 0;
    if (f->type == PB_FIXED64) memcpy(&d, &f->u, sizeof d);
    return d;
}

struct pb_packed pb_packed_open(const struct pb_field *f, enum pb_type element) {
    struct pb_packed p = {.type = element};
    if (f->type == PB_BYTES) {
        p.c = pb_open(f->bytes);
    } else if (f->type == element) {
        p.single = true;
        p.one = f->u;
    }
    return p;
}

bool pb_packed_next(struct pb_packed *p, uint64_t *out) {
    if (p->single) {
        p->single = false;
        *out = p->one;
        return true;
    }
    if (p->c.bad || p->c.at == p->c.end) return false;
    switch (p->type) {
    case PB_VARINT: return varint(&p->c, out);
    case PB_FIXED64: return fixed(&p->c, 8, out);
    case PB_FIXED32: return fixed(&p->c, 4, out);
    case PB_BYTES: break;
    }
    assert(!"only scalars are packed");
    return false;
}

/* --- writer */

void pb_put_varint(struct buf *b, uint64_t v) {
    while (v >= 0x80) {
        buf_char(b, (char)(v | 0x80));
        v >>= 7;
    }
    buf_char(b, (char)v);
}

static void put_tag(struct buf *b, uint32_t num, enum pb_type type) {
    assert(num > 0 && num < 1u << 29);
    pb_put_varint(b, (uint64_t)num << 3 | type);
}

void pb_put_u64(struct buf *b, uint32_t num, uint64_t v) {
    put_tag(b, num, PB_VARINT);
    pb_put_varint(b, v);
}

void pb_put_sint(struct buf *b, uint32_t num, int64_t v) {
    pb_put_u64(b, num, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63));
}

void pb_put_fixed64(struct buf *b, uint32_t num, uint64_t v) {
    put_tag(b, num, PB_FIXED64);
    buf_le64(b, v);
}

void pb_put_fixed32(struct buf *b, uint32_t num, uint32_t v) {
    put_tag(b, num, PB_FIXED32);
    buf_le32(b, v);
}

void pb_put_double(struct buf *b, uint32_t num, double v) {
    uint64_t u;
    memcpy(&u, &v, sizeof u);
    pb_put_fixed64(b, num, u);
}

void pb_put_bytes(struct buf *b, uint32_t num, str s) {
    put_tag(b, num, PB_BYTES);
    pb_put_varint(b, s.n);
    buf_add(b, s);
}

/* One byte is kept for the length; pb_end moves the payload when the length needs more (at 128 bytes and up), which keeps the common
 * small submessage minimal without a second pass. */
size_t pb_begin(struct buf *b, uint32_t num) {
    put_tag(b, num, PB_BYTES);
    buf_char(b, 0);
    return b->n;
}

void pb_end(struct buf *b, size_t at) {
    assert(at > 0 && at <= b->n);
    size_t n = b->n - at, extra = 0;
    for (size_t rest = n >> 7; rest; rest >>= 7) extra++;
    if (extra) {
        buf_reserve(b, extra);
        memmove(b->p + at + extra, b->p + at, n);
    }
    b->n = at - 1;
    pb_put_varint(b, n);
    b->n += n;
}
