/* store/events/part: the container of events, and the only form they are kept in: a batch in the WAL, the newest events in memory and a file on
 * disk are all parts, written by the same code and read by the same code. A part is immutable; it holds blocks, each self-contained, and
 * tables about the whole. Opening reads the directory only.
 *
 *   offset  size  part (little-endian; sections start at multiples of 8)
 *   0       8     magic "BNEVENTS"
 *   8       ...   sections
 *   d       n     directory (varints unless said otherwise)
 *                   version 1, kind (enum event_kind), flags (1: sections carry checksums), next_seq (all events within have a smaller seq)
 *                   block count, then per block: rows, zigzag min time, max - min time, raw bytes, section count, its sections
 *                   section count of the part, its sections
 *                   section: u8 id, u8 encoding (column.h), u8 codec (0 none, 1 zstd), arg, offset / 8, length, raw length, [u64 xxh64 of the stored
 * bytes] end-32  8     d      8  n      8  xxh64 of the directory      8  magic "BNEVTEND"
 *
 * Readers ignore section ids they do not know: new encodings, indexes and tables get new numbers. doc/formats/events.md has the sections.
 *
 * References are counted on the loop thread; a pinned part may be read by any thread. */
#pragma once
#include "base/atomic.h"
#include "base/buf.h"
#include "base/vec.h"
#include "loop/vfs.h"
#include "model/event.h"
#include "store/events/column.h"

enum section_id {
    SEC_COLUMNS = 1, /* the columns and layouts of a block */
    SEC_STREAMS = 2, /* the streams of a block */
    SEC_TIME = 3,
    SEC_SEQ = 4,
    SEC_STREAM = 5, /* per row: stream, layout */
    SEC_LAYOUT = 6,
    SEC_TRACE = 7, /* per row: trace id; absent: none has one */
    SEC_CELLS = 8, /* arg: column */
    SEC_WORDS = 9, /* fingerprints of the words in columns without dictionary */
    SEC_FIELDS = 32,
    SEC_OPERATIONS = 33,
    SEC_INDICES = 34,
    SEC_EDGES = 35,
    SEC_SHAPES = 36,
};
enum codec { CODEC_NONE, CODEC_ZSTD };

struct section {
    uint64_t at, sum;
    uint32_t n, raw_n, arg;
    uint8_t id, enc, codec;
};
enum block_state { BLOCK_UNSEEN, BLOCK_GOOD, BLOCK_DAMAGED };
struct block_info {
    int64_t min_ns, max_ns;
    uint64_t raw_bytes;
    uint32_t row_n, section_at, section_n;
    _Atomic uint8_t state; /* enum block_state; relaxed: checked again at worst */
};
struct part {
    enum event_kind kind;
    str bytes;
    struct vfs *vfs; /* mapped file; NULL: bytes are malloc'ed */
    char *path;      /* NULL: memory */
    struct section *sections;
    struct block_info *blocks;
    uint32_t section_n, block_n, own_at, own_n; /* own_*: the sections of the part itself */
    uint64_t next_seq, rows, raw_bytes;
    uint64_t wal_from; /* memory: LSN of its record */
    int64_t min_ns, max_ns;
    bool checked;            /* sections carry checksums */
    unsigned refs;           /* loop thread */
    uint64_t first, last;    /* file: the seals it holds, from its name */
    struct catalog *catalog; /* loop thread: decoded when first asked for (catalog.h) */
};
/* Takes malloc'ed bytes, also on failure. */
MUST_USE bool part_open_bytes(str bytes, struct part **out, struct err *e);
MUST_USE bool part_open_file(struct vfs *v, const char *path, struct part **out, struct err *e);
struct part *part_ref(struct part *p);
void part_unref(struct part *p);

/* Stored bytes of a section, uncompressed into the arena if need be. false: damaged. */
MUST_USE bool section_read(const struct part *p, const struct section *s, struct arena *a, str *out);
/* A table of the part itself; false: it has none, or a damaged one. */
MUST_USE bool part_table(const struct part *p, enum section_id id, struct arena *a, str *out);
/* Do all checksums of a block hold? Remembered. */
bool part_block_good(const struct part *p, uint32_t block);

/* --- writing */
struct shapes;
struct packer {
    struct buf out;
    uint64_t flushed; /* bytes already in the file */
    struct vfs *vfs;  /* NULL: everything stays in out */
    struct vfs_file file;
    bool disk, failed; /* disk: compress and checksum */
    struct err err;
    enum event_kind kind;
    VEC(struct section) sections;
    VEC(struct block_info) blocks;
    uint32_t open_at; /* first section of the block being written */
    uint64_t open_raw;
    struct buf zstd;
    struct shapes *shapes; /* disk: the words of the blocks so far (shapes.h) */
};
void packer_open(struct packer *p, enum event_kind kind, bool disk);
void packer_to_file(struct packer *p, struct vfs *v, struct vfs_file f);
void packer_section(struct packer *p, enum section_id id, enum encoding enc, uint32_t arg, str raw);
void packer_block_end(struct packer *p, uint32_t row_n, int64_t min_ns, int64_t max_ns);
/* Copies a block of another part as it is. */
void packer_copy_block(struct packer *p, const struct part *from, uint32_t block);
/* Writes directory and trailer; the bytes (or the file) are then complete. */
MUST_USE bool packer_close(struct packer *p, uint64_t next_seq, struct err *e);
void packer_done(struct packer *p);
