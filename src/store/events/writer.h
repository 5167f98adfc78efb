/* store/events/writer: builds one block from rows. A row is a list of cells in order; which columns they belong to, in which order, is the
 * row's layout. Layouts are interned, so a row costs its values and one number. One thread; columns are remembered from block to block, so
 * that a steady source finds its columns by comparing, not by hashing.
 *
 * A column is (scope, path, type): values of one key with different types are different columns. A path is the key; nested maps join their keys
 * with PATH_SEPARATOR, which the key's own bytes cannot contain (see cells.h). */
#pragma once
#include "store/events/part.h"

enum cell_type {
    CELL_MARK, /* no value: the layout says it all */
    CELL_NULL,
    CELL_EMPTY_MAP,
    CELL_BOOL, /* i */
    CELL_INT,
    CELL_DOUBLE, /* bits in i */
    CELL_STRING, /* s */
    CELL_BYTES,
    CELL_ARRAY, /* s: encoded value (cells.h) */
    CELL_TYPE_N
};
static inline bool cell_is_ints(enum cell_type t) {
    return t == CELL_BOOL || t == CELL_INT || t == CELL_DOUBLE;
}
static inline bool cell_is_strings(enum cell_type t) {
    return t == CELL_STRING || t == CELL_BYTES || t == CELL_ARRAY;
}
struct cell {
    enum cell_type type;
    int64_t i;
    str s;
};
enum scope { SCOPE_FIXED = 'f', SCOPE_ATTR = 'a', SCOPE_EVENT = 'e', SCOPE_LINK = 'l' };

/* Spans get smaller blocks: showing one trace opens one block. */
enum { BLOCK_ROWS_MAX = 65536, BLOCK_SPANS_MAX = 16384, BLOCK_BYTES_MAX = 4 << 20 };

struct writer;
struct writer *writer_new(enum event_kind kind);
void writer_free(struct writer *w);
uint32_t writer_stream(struct writer *w, str encoded); /* interns; counts are per row */
/* Rows must come in the block's order: logs by (stream, time, seq), spans by (trace, time, seq). */
void writer_row(struct writer *w, int64_t time_ns, uint64_t seq, uint32_t stream, struct trace_id trace);
void writer_cell(struct writer *w, enum scope scope, str path, const struct cell *c);
void writer_row_end(struct writer *w);
uint32_t writer_rows(const struct writer *w);
size_t writer_bytes(const struct writer *w); /* about: raw size of the block so far */
bool writer_full(const struct writer *w);
/* Packs the block, if it has rows, and forgets them. */
void writer_flush(struct writer *w, struct packer *p);
