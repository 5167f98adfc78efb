/* wire/otlp_msg: OTLP messages, protobuf or JSON, read by one table per message straight into C structs. Pure; any thread.
 * Internal to wire/otlp_*: those own the tables. Source: opentelemetry-proto 1.x; its JSON mapping (lowerCamelCase names, hex ids, 64-bit integers
 * as number or string, enums as integers, unknown fields ignored).
 *
 *   static const struct otlp_field link_fields[] = {
 *       [1] = {"traceId", OTLP_TRACE_ID, offsetof(struct span_link, trace)}, ...      index = protobuf field number
 *   };
 *
 * Everything read borrows from the text, or lives in ctx.arena. Ids of a wrong length do not fail the request: they set ctx.bad_id, so that only
 * the span or record that has one is refused. */
#pragma once
#include "base/err.h"
#include "codec/json.h"
#include "codec/pb.h"

enum otlp_encoding { OTLP_PROTOBUF, OTLP_JSON };

enum otlp_kind {
    OTLP_NONE,     /* gap in a table */
    OTLP_STRING,   /* str */
    OTLP_TRACE_ID, /* struct trace_id */
    OTLP_SPAN_ID,  /* uint64_t, big-endian read */
    OTLP_U64,      /* uint64_t: varint or fixed64 */
    OTLP_I64,      /* int64_t: likewise */
    OTLP_U32,      /* uint32_t: enums and fixed32 too */
    OTLP_SINT32,   /* int32_t, zigzag */
    OTLP_DOUBLE,   /* double */
    OTLP_BOOL,     /* bool */
    OTLP_VALUE,    /* struct value: an AnyValue */
    OTLP_ATTRS,    /* struct otlp_list of struct field: repeated KeyValue */
    OTLP_VARINTS,  /* struct otlp_list of uint64_t, packed or not */
    OTLP_FIXED64S, /* the same, fixed64 on the wire */
    OTLP_DOUBLES,  /* struct otlp_list of double */
    OTLP_MSG,      /* a struct in place */
    OTLP_LIST,     /* struct otlp_list of structs */
    OTLP_EACH,     /* not kept: every item is handed to msg->done */
};

/* The shape that a pointer followed by a size_t has in model/: attrs and attr_n, links and link_n... */
struct otlp_list {
    const void *p;
    size_t n;
};

struct otlp_field {
    const char *json;
    enum otlp_kind kind;
    uint16_t at; /* offset in the struct */
    const struct otlp_msg *msg;
};

struct otlp_ctx;
struct otlp_msg {
    const struct otlp_field *fields;
    uint16_t field_n;
    uint16_t bytes;                                 /* of the struct, at most OTLP_STRUCT_MAX */
    bool has_seen;                                  /* the struct begins with `uint64_t seen`: bit = field number that was present */
    void (*done)(struct otlp_ctx *ctx, void *item); /* OTLP_EACH: the item is whole; it dies when this returns */
};
enum { OTLP_STRUCT_MAX = 512, OTLP_DEPTH_MAX = 32 };

struct otlp_ctx {
    struct arena *arena;
    str text;
    size_t arena_max;  /* the request is refused (ERR_TOO_LARGE) when its decoded form needs more */
    bool bad_id;       /* an id of a wrong length was met; set by the reader, cleared by the owner of the table */
    size_t base64_ids; /* JSON ids in base64, which the specification forbids and some exporters write */
    struct err err;    /* first failure */
    void *arg;         /* for done() */
};
/* Reads ctx->text into *out (zeroed by the caller, msg->bytes of it). ERR_INPUT with the byte offset, ERR_TOO_LARGE. */
MUST_USE bool otlp_read(struct otlp_ctx *ctx, enum otlp_encoding enc, const struct otlp_msg *msg, void *out, struct err *e);
