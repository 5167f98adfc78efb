/* store/wal_frame: bytes of the log's segments (the table is in wal.h), shared by the writer and the replay. Pure; any thread. */
#pragma once
#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"
#include "store/wal.h"

enum { WAL_HEADER_BYTES = 32, WAL_FRAME_BYTES = 24, WAL_VERSION = 1, WAL_PATH_MAX = 4096 };
#define WAL_SEGMENT_MAGIC UINT64_C(0x314c41574e424e42) /* "BNBNWAL1" */
#define WAL_FRAME_MAGIC UINT32_C(0x4c41574e)

static inline size_t wal_padded(size_t n) {
    return (n + 7) & ~(size_t)7;
}
/* Bytes a record takes in the log. */
static inline size_t wal_frame_size(size_t payload_n) {
    return WAL_FRAME_BYTES + wal_padded(payload_n);
}

static inline void wal_put_header(struct buf *b, uint64_t lsn) {
    size_t at = b->n;
    buf_le64(b, WAL_SEGMENT_MAGIC);
    buf_le64(b, WAL_VERSION);
    buf_le64(b, lsn);
    buf_le64(b, hash_check(b->p + at, 24));
}

static inline void wal_put_frame(struct buf *b, enum wal_type type, str payload) {
    size_t at = b->n;
    buf_le32(b, WAL_FRAME_MAGIC);
    buf_le32(b, (uint32_t)type);
    buf_le32(b, (uint32_t)payload.n);
    buf_le32(b, (uint32_t)hash_check(b->p + at, 12));
    buf_le64(b, hash_check(payload.p, payload.n));
    buf_add(b, payload);
    buf_put(b, "\0\0\0\0\0\0\0", wal_padded(payload.n) - payload.n);
}

static inline void wal_path(char out[WAL_PATH_MAX], const char *dir, uint64_t lsn) {
    snprintf(out, WAL_PATH_MAX, "%s/%016llx.wal", dir, (unsigned long long)lsn);
}

struct wal_segment {
    uint64_t lsn, bytes; /* bytes: of frames, without the header */
};
/* Replays the segments in dir and lists them; *next: the position behind the last byte. marks: per owner, what is below is skipped. */
MUST_USE bool wal_replay(const struct wal_options *o, const uint64_t marks[WAL_OWNER_N],
                         bool (*on_record)(void *arg, enum wal_type type, uint64_t lsn, str payload, struct err *e), void *arg,
                         struct wal_replay_stats *stats, struct arena *a, struct wal_segment **segments, size_t *n, uint64_t *next,
                         uint64_t ends[WAL_OWNER_N], struct err *e);
