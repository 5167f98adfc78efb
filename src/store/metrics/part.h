/* store/metrics/part: an immutable file of samples. part_open, tsdb_part_unref: loop thread; the rest: any thread that holds a reference.
 *
 * `%016x.part`, little-endian, named by its sequence number:
 *
 *   0   8   magic "NBPPART1"                 8   8   version (2; 1 is read too)
 *   16  ..  frames: u64 xxh64 of the rest, u32 stored bytes, u32 raw bytes, one zstd frame
 *           of rows:   per row varint length; then the rows (rowcode.h; down-sampled: fields.h), about 16 KiB of neighbouring series
 *           of clocks: clocks (rowcode.h) back to back
 *   ..  8n  sequence numbers of other parts (version 1: at 80 in the footer, 8 at most)
 *   ..  ..  index: one zstd frame
 *   -192 192 footer:
 *   0   8   offset of the index   8   8  its stored bytes   16  8  its raw bytes   24  8  xxh64 of the stored bytes
 *   32  8   earliest ms           40  8  latest ms          48  8  samples         56  8  rows
 *   64  8   log position: all records below are in this or older parts (0: not known)
 *   72  8   n, the number of other parts              80  8  xxh64 of their sequence numbers
 *   88  8   tier: 0 raw, 1 down-sampled to 5 minutes, 2 to an hour
 *   96  8   relation to the other parts: 0 it replaces them, 1 it was made from them and does not count while one of them exists
 *   104 8   deletions up to that number are applied (tombstone.h)                  112 64 zero
 *   176 8   xxh64 of the footer's first 176 bytes          184 8  magic again
 *
 * Index: varint strings, slices (number 0 is ""); varint targets, each varint n, n x (varint name, varint value); varint shapes, the same;
 * varint clocks, each varint frame difference, varint offset in the raw frame, varint length; varint frames, each varint rows (0: clocks), varint
 * stored bytes (header excluded), varint raw bytes: they follow each other from byte 16; varint rows, each zigzag differences of target, shape
 * and clock to the row before. Rows are sorted by target, then shape (labels_cmp of each), so that siblings share frames. */
#pragma once
#include "codec/compress.h"
#include "loop/vfs.h"
#include "store/metrics/fields.h"
#include "store/metrics/index.h"

enum { PART_VERSION = 2, PART_HEADER_BYTES = 16, PART_FOOTER_BYTES = 192, PART_FRAME_HEADER_BYTES = 16, PART_PATH_MAX = 4096 };
enum { PART_OTHERS_MAX = 1024, PART_V1_OTHERS_MAX = 8 };
enum { PART_FRAME_ROWS = 64, PART_FRAME_RAW_BYTES = 16 << 10, PART_FRAME_RAW_MAX = 256 << 20, PART_INDEX_RAW_MAX = 1 << 30 };
#define PART_MAGIC UINT64_C(0x315452415050424e)

struct part_frame {
    uint64_t offset; /* of its header in the file */
    uint32_t stored, raw;
    uint32_t first_row, rows; /* rows 0: clocks */
};
struct part_clock {
    uint32_t frame, at, n_bytes;
};
/* The index of a part in memory: loaded when first needed. */
struct part_index {
    struct index x; /* its rows are the part's rows */
    VEC(struct part_frame) frames;
    VEC(struct part_clock) clocks;
    VEC(uint32_t) row_clock; /* by row */
};

/* What a part says about itself. */
struct part_meta {
    uint64_t seq, log_position;
    enum tier tier;
    uint64_t cleaned;       /* deletions up to that number are applied */
    const uint64_t *others; /* sequence numbers */
    size_t others_n;        /* PART_OTHERS_MAX at most */
    bool awaits;            /* it does not count while one of the others exists; else it replaces them */
};
struct part {
    struct vfs *vfs;
    str file; /* mapped */
    struct part_meta meta;
    uint64_t bytes, samples, rows;
    int64_t min_ms, max_ms;
    struct part_index *index; /* loop thread sets it; NULL: not loaded */
    int64_t used_ns;          /* when the index was last asked for */
    int64_t checked_age_ms;   /* retention rules up to that age are applied */
    unsigned nothing_left;    /* tiers (bits) it has nothing for */
    bool unmergeable;         /* damage was met in it */
    unsigned refs, pins;      /* loop thread. pins: selections and jobs that use the index */
};
void part_path(char out[PART_PATH_MAX], const char *dir, uint64_t seq);
/* ERR_CORRUPT: not a whole part. */
MUST_USE bool part_open(struct vfs *v, const char *dir, uint64_t seq, struct part **out, struct err *e);
void tsdb_part_ref(struct part *p);
void tsdb_part_unref(struct part *p); /* NULL is fine */

MUST_USE bool part_index_load(const struct part *p, struct part_index **out, struct err *e);
void part_index_free(struct part_index *x);
/* The frame that holds a row. */
uint32_t part_frame_of(const struct part_index *x, uint32_t row);
/* What reading keeps from one frame to the next. One thread at a time; starts as zeros but for zstd. */
struct part_reader {
    struct zstd *zstd; /* borrowed: many readers of one thread share one */
    struct buf clocks; /* the newest frame of clocks: neighbours' lie in one */
    const struct part *clocks_of;
    uint32_t clock_frame;
};
void part_reader_done(struct part_reader *r);
/* Checks and decompresses a frame: its raw bytes are appended to out. */
MUST_USE bool part_read_frame(struct part_reader *r, const struct part *p, const struct part_index *x, uint32_t frame, struct buf *out,
                              struct err *e);
/* The rows of a raw frame: calls in order. */
struct part_rows {
    str lengths, rows; /* cursors */
    uint32_t left;
};
MUST_USE bool part_rows_open(str raw, uint32_t rows, struct part_rows *out, struct err *e);
bool part_rows_next(struct part_rows *r, str *row);
/* A clock; the arena owns it. */
MUST_USE bool part_read_clock(struct part_reader *r, const struct part *p, const struct part_index *x, uint32_t clock, struct arena *a,
                              const int64_t **t_ms, size_t *n, struct err *e);

/* --- writing: any one thread. Targets and, within one, shapes must come in labels_cmp order. */
struct part_writer;
/* m->others is copied. level: zstd's. */
MUST_USE bool part_writer_open(struct vfs *v, const char *dir, const struct part_meta *m, int level, struct part_writer **out, struct err *e);
/* clock: times that most rows of the target will have; n 0: not known. */
MUST_USE bool part_writer_target(struct part_writer *w, struct labels target, const int64_t *clock, size_t n, struct err *e);
/* c: the samples; of a down-sampled part the FIELD_N columns. */
MUST_USE bool part_writer_row(struct part_writer *w, struct labels shape, const struct columns *c, struct err *e);
/* Writes the rest, syncs, renames into place, syncs the folder. *rows 0: nothing was written and there is no file. */
MUST_USE bool part_writer_finish(struct part_writer *w, uint64_t *rows, struct err *e);
void part_writer_free(struct part_writer *w); /* removes what is unfinished; NULL is fine */
