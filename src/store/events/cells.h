/* store/events/cells: an event as the row of cells it is stored as, and back, exactly: order of keys, nested or dotted, arrays, empty maps.
 * Pure; any thread.
 *
 * A log's row: FIX_SOURCE_DOC?, attributes in order (FIX_BODY_REF before the one that is the message), then the other fixed fields
 * that are set. A span's row: its fixed fields, attributes, then per span event FIX_EVENT_TIME, FIX_EVENT_NAME, its attributes; then per
 * link FIX_LINK_TRACE, FIX_LINK_SPAN, ... Nested maps become paths: {"a":{"b":1}} is "a" 0xFF "b", {"a.b":1} is "a.b"; bytes 0xFE
 * and 0xFF of a key, which UTF-8 never has, are written 0xFE 0x00 and 0xFE 0x01. Arrays are one cell: an encoded value. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "codec/varint.h"
#include "store/events/writer.h"

#define PATH_SEPARATOR '\xff'
#define PATH_ESCAPE '\xfe'

/* The one byte that is the path of a fixed column. Never renumbered. */
enum fixed {
    FIX_BODY = 1,
    FIX_BODY_REF,
    FIX_ID,
    FIX_OBSERVED,
    FIX_SEVERITY,
    FIX_SEVERITY_TEXT,
    FIX_FLAGS,
    FIX_SOURCE_DOC,
    FIX_SPAN,
    FIX_PARENT,
    FIX_DURATION,
    FIX_KIND,
    FIX_STATUS,
    FIX_STATUS_MESSAGE,
    FIX_TRACE_STATE,
    FIX_EVENT_TIME, /* relative to the span's start; begins a span event */
    FIX_EVENT_NAME,
    FIX_LINK_TRACE, /* begins a link */
    FIX_LINK_SPAN,
    FIX_LINK_FOLLOWS,
    FIX_LINK_STATE,
    FIX_N
};

enum { VALUE_DEPTH_MAX = 64, ROW_BYTES_MAX = 16 << 20 };
struct cell_limits {
    size_t attrs_max, value_bytes_max;
};
/* May the event be stored? ERR_LIMIT: too many attributes, nested too deep, too large. */
MUST_USE bool event_check(const struct event *ev, const struct cell_limits *l, struct err *e);
/* Writes the cells of an event that passed event_check; the caller has begun the row. Returns how many values were cut. */
size_t event_flatten(struct writer *w, const struct event *ev, const struct cell_limits *l, struct buf *scratch);

/* A value (array, map, scalar) as bytes: tag, then content. Strings longer than the limit are cut. */
size_t value_encode(struct buf *b, const struct value *v, size_t value_bytes_max);
MUST_USE bool value_decode(struct reader *r, struct arena *a, unsigned depth, struct value *out);
void stream_encode(struct buf *b, const struct stream *s);
MUST_USE bool stream_decode(str encoded, struct arena *a, struct stream *out);

/* The dotted name of a path: what people write. Borrows path when nothing is nested or escaped. */
str path_name(struct arena *a, str path);
struct path_value {
    str path;
    struct value value;
};
/* Attributes from paths in order: the inverse of flattening. */
const struct field *fields_unflatten(struct arena *a, const struct path_value *items, size_t n, size_t *field_n);
