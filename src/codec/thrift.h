/* codec/thrift: Apache Thrift's binary and compact protocols (thrift/doc/specs/thrift-binary-protocol.md, thrift-compact-protocol.md), one cursor
 * and one writer for both. Pure; any thread; borrows from the input.
 *
 *   struct thrift c = thrift_open(bytes, THRIFT_COMPACT);
 *   thrift_message(&c, &m);                               when there is an envelope
 *   thrift_enter(&c, THRIFT_STRUCT);                      the arguments
 *   for (struct thrift_field f; thrift_next(&c, &f);)
 *       switch (f.id) {
 *       case 1: name = thrift_str(&f); break;
 *       case 2:                                           list<Span>
 *           if (thrift_enter(&c, THRIFT_LIST))
 *               for (struct thrift_field i; thrift_next(&c, &i);) read_span(&c);      which enters a THRIFT_STRUCT
 *           break;
 *       }
 *   if (c.bad) return err_set(e, ERR_INPUT, "not thrift (at byte %zu)", thrift_offset(&c));
 *
 * Scalars arrive with the field. A container is entered, and then read until thrift_next returns false; one that is not entered is skipped
 * by the next thrift_next, so unknown fields and fields of an unexpected type need no code. Nesting is limited to THRIFT_DEPTH_MAX; sizes
 * are checked against the bytes that are left before anything is done with them. */
#pragma once
#include "base/buf.h"
#include "base/str.h"

enum thrift_protocol { THRIFT_BINARY, THRIFT_COMPACT };
/* Numbered as in the binary protocol. */
enum thrift_type {
    THRIFT_NONE = 0,
    THRIFT_BOOL = 2,
    THRIFT_I8 = 3,
    THRIFT_DOUBLE = 4,
    THRIFT_I16 = 6,
    THRIFT_I32 = 8,
    THRIFT_I64 = 10,
    THRIFT_STRING = 11, /* and binary */
    THRIFT_STRUCT = 12,
    THRIFT_MAP = 13,
    THRIFT_SET = 14,
    THRIFT_LIST = 15,
    THRIFT_UUID = 16, /* 16 bytes, in s */
};
enum thrift_call { THRIFT_CALL = 1, THRIFT_REPLY = 2, THRIFT_EXCEPTION = 3, THRIFT_ONEWAY = 4 };

enum { THRIFT_DEPTH_MAX = 64 };

struct thrift_frame {
    uint8_t type, key, value; /* enum thrift_type; key and value: element types (list and set: value) */
    int16_t last_id;          /* struct */
    uint32_t left;            /* items to come; a map counts keys and values */
};
struct thrift {
    const uint8_t *start, *at, *end;
    enum thrift_protocol protocol;
    enum thrift_type pending; /* a container that was announced but not entered */
    uint8_t depth;
    bool bad; /* then `at` is where reading failed */
    struct thrift_frame frames[THRIFT_DEPTH_MAX];
};
struct thrift_field {
    int16_t id; /* 0 for items of lists, sets and maps; maps yield key, value, key, value... */
    enum thrift_type type;
    int64_t i; /* THRIFT_BOOL and integers */
    double d;  /* THRIFT_DOUBLE */
    str s;     /* THRIFT_STRING, THRIFT_UUID */
};
struct thrift_message {
    str name;
    enum thrift_call type;
    int32_t seq;
};

/* The root value counts as an announced struct. */
struct thrift thrift_open(str bytes, enum thrift_protocol protocol);
/* The envelope of a call; binary: strict and the old form without version. */
bool thrift_message(struct thrift *c, struct thrift_message *m);
/* Enters the container just announced; false, and nothing happens, when there is none or it is of another type. */
bool thrift_enter(struct thrift *c, enum thrift_type type);
bool thrift_next(struct thrift *c, struct thrift_field *f); /* false at the end of the container (left) or on an error */
static inline size_t thrift_offset(const struct thrift *c) {
    return (size_t)(c->at - c->start);
}
/* The value as the declared type; a field of another type reads as zero, as Thrift skips it. */
static inline int64_t thrift_int(const struct thrift_field *f) {
    return f->type == THRIFT_I64 || f->type == THRIFT_I32 || f->type == THRIFT_I16 || f->type == THRIFT_I8 ? f->i : 0;
}
static inline bool thrift_bool(const struct thrift_field *f) {
    return f->type == THRIFT_BOOL && f->i;
}
static inline double thrift_double(const struct thrift_field *f) {
    return f->type == THRIFT_DOUBLE ? f->d : 0;
}
static inline str thrift_str(const struct thrift_field *f) {
    return f->type == THRIFT_STRING ? f->s : STR_NULL;
}

/* --- writer: `struct thrift_out o = {.buf = &b, .protocol = THRIFT_COMPACT};` Inside lists, sets and maps, and for the root struct, the id is
 * ignored: pass 0. Every container is closed with thrift_put_end. */
struct thrift_out {
    struct buf *buf;
    enum thrift_protocol protocol;
    uint8_t depth;
    struct thrift_frame frames[THRIFT_DEPTH_MAX];
};
void thrift_put_message(struct thrift_out *o, const struct thrift_message *m);
void thrift_put_struct(struct thrift_out *o, int16_t id);
/* type: THRIFT_LIST or THRIFT_SET; exactly n items follow. */
void thrift_put_list(struct thrift_out *o, int16_t id, enum thrift_type type, enum thrift_type item, uint32_t n);
void thrift_put_map(struct thrift_out *o, int16_t id, enum thrift_type key, enum thrift_type value, uint32_t n);
void thrift_put_end(struct thrift_out *o);
void thrift_put_bool(struct thrift_out *o, int16_t id, bool v);
void thrift_put_i8(struct thrift_out *o, int16_t id, int8_t v);
void thrift_put_i16(struct thrift_out *o, int16_t id, int16_t v);
void thrift_put_i32(struct thrift_out *o, int16_t id, int32_t v);
void thrift_put_i64(struct thrift_out *o, int16_t id, int64_t v);
void thrift_put_double(struct thrift_out *o, int16_t id, double v);
void thrift_put_string(struct thrift_out *o, int16_t id, str v);
