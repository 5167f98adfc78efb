/* store/events/block: one block of a part, opened for reading. Tables are decoded at once, columns when first asked for, all into the arena the
 * block was opened with. One thread at a time; any thread that pins the part. */
#pragma once
#include "store/events/cells.h"
#include "store/events/part.h"

struct block_column {
    enum scope scope;
    enum cell_type type;
    bool dates;
    uint32_t n;     /* cells */
    int64_t lo, hi; /* number columns: smallest and largest (double: bits; compare nothing) */
    str path, name; /* dotted name, with its scope's prefix for span events and links */
    str alias;      /* spans' attributes: "span.K" */
    const struct section *section;
    enum { COLUMN_UNREAD, COLUMN_READ, COLUMN_DAMAGED } state;
    struct ints ints;
    struct strings strings;
    bool is_body; /* some layout's body */
    /* Cells of row r: [start(r), start(r + 1)). dense: every row has exactly one; else starts[row_n + 1] is built when first needed. */
    bool dense;
    const uint32_t *starts;
};
#define NO_COLUMN UINT32_MAX
struct block_layout {
    const uint32_t *columns;
    uint32_t n;
    bool has_message, source_doc; /* an attribute is called "message"; the row is a document */
    uint32_t body;                /* column of the attribute that is the body; NO_COLUMN: none is */
};
/* A field of a stream under the name filters use. meta: not one of the fields '*' means. */
struct stream_field {
    str name;
    struct value value;
    bool meta;
};
struct block_stream {
    struct stream stream;
    str encoded;
    uint32_t rows;
    const struct stream_field *fields;
    size_t field_n;
};

struct block {
    const struct part *part;
    const struct block_info *info;
    struct arena *arena;
    enum event_kind kind;
    uint32_t index, row_n;
    struct ints time, seq, stream, layout;
    struct traces traces; /* n == 0: no row has one */
    struct block_column *columns;
    struct block_layout *layouts;
    struct block_stream *streams;
    uint32_t column_n, layout_n, stream_n;
};
/* ERR_CORRUPT: a checksum or a table is wrong; the block cannot be used at all. */
MUST_USE bool block_open(const struct part *p, uint32_t index, struct arena *a, struct block **out, struct err *e);
/* Only the row columns SEC_TRACE (lookup by id without opening the block); false: none or damaged. */
bool block_traces(const struct part *p, uint32_t index, struct traces *out);
/* Only the rows' times, for counting; false: damaged. */
bool block_times(const struct part *p, uint32_t index, struct arena *a, struct ints *out);
/* Decodes the column; false: damaged. */
bool block_column_read(struct block *b, struct block_column *c);
/* As block_column_read, and where each row's cells are. */
bool block_column_rows(struct block *b, struct block_column *c);
static inline uint32_t column_start(const struct block_column *c, uint32_t row) {
    return c->dense ? row : c->starts[row];
}
static inline const struct block_layout *block_row_layout(const struct block *b, uint32_t row) {
    return &b->layouts[ints_at(&b->layout, row)];
}
static inline const struct block_stream *block_row_stream(const struct block *b, uint32_t row) {
    return &b->streams[ints_at(&b->stream, row)];
}
struct trace_id block_row_trace(const struct block *b, uint32_t row);

/* Which cell of its column the k-th cell of a row is; the column's rows must have been read. */
uint32_t block_cell_at(const struct block *b, uint32_t row, const struct block_layout *l, uint32_t k);

/* The i-th cell of a read column. */
struct cell column_cell(const struct block_column *c, uint32_t i);
/* The same as a value; arrays are decoded into a (a damaged one is null). */
struct value column_value(const struct block_column *c, uint32_t i, struct arena *a);
static inline enum fixed column_fixed(const struct block_column *c) {
    return c->scope == SCOPE_FIXED ? (enum fixed)c->path.p[0] : 0;
}

/* The whole event, copied into a. false: a column is damaged. */
MUST_USE bool block_event(struct block *b, uint32_t row, struct arena *a, struct event *out);
