/* store/wal: the write-ahead log all stores share. Loop thread, but for its own sync thread, which does write + fdatasync of whole groups.
 *
 * Directory `wal/`, segments `%016x.wal` named by the LSN of their first byte. A segment: 32-byte header (magic, version, lsn, xxh64), then frames:
 *
 *   offset size  frame (little-endian, 8-byte aligned)
 *   0      4     magic 0x4c41574e: where replay resynchronises after damage
 *   4      1     type (enum wal_type)      5  3  zero
 *   8      4     payload length            12 4  crc-like low half of xxh64 over bytes 0..11 (a damaged length must not mislead)
 *   16     8     xxh64 of payload
 *   24     n     payload, zero-padded to 8
 *
 * LSN: byte position in the endless log. A damaged frame loses only itself: replay skips to the next valid frame and reports it. */
#pragma once
#include "base/err.h"
#include "loop/loop.h"
#include "loop/vfs.h"

enum wal_type { WAL_METRICS = 1, WAL_EVENTS = 2 }; /* one per store: also the checkpoint owner */
enum { WAL_OWNER_N = 3 };

struct wal;
struct wal_options {
    struct vfs *vfs;
    const char *dir;
    unsigned window_ms;     /* group commit: how long the first record of a group may wait. 0: at once */
    bool no_sync;           /* relaxed: acknowledge after write, without fdatasync */
    size_t segment_bytes;   /* default 64 MiB */
    size_t queue_bytes_max; /* unsynced bytes: more is refused with ERR_LIMIT */
};
struct wal_replay_stats {
    uint64_t frames, bytes, damaged_frames, damaged_bytes;
    struct err first_damage; /* "wal/0000000000000000.wal: damaged frame at byte 1234 (96 bytes skipped)" */
};
/* l NULL: no sync thread; wal_commit writes and syncs before it returns (tools, tests). Opens or creates; replays every whole frame at or above its
 * owner's checkpoint in order, in bounded memory, before returning. on_record may fail only for ERR_IO/ERR_LIMIT (open then fails). The payload is
 * borrowed for the call. */
MUST_USE bool wal_open(struct loop *l, const struct wal_options *o,
                       bool (*on_record)(void *arg, enum wal_type type, uint64_t lsn, str payload, struct err *e), void *arg,
                       struct wal_replay_stats *stats, struct wal **out, struct err *e);
void wal_close(struct wal *w); /* commits what is pending; pending callbacks run */

/* Appends a record to the current group; copies the payload. *lsn: its position. ERR_LIMIT: queue full, ERR_IO/ERR_LIMIT(disk full): the log is
 * refusing until a write succeeds again (it retries by itself). */
MUST_USE bool wal_append(struct wal *w, enum wal_type type, str payload, uint64_t *lsn, struct err *e);
/* Would wal_append take a record now? If so, the next wal_append cannot fail: stores ask before they change anything. */
MUST_USE bool wal_ready(struct wal *w, struct err *e);
/* Closes the log to new records for a reason from outside (the disk is nearly full), or, with NULL, opens it again. What was appended is still
 * committed. */
void wal_refuse(struct wal *w, const struct err *why);
/* done(arg, err or NULL) on the loop thread once everything appended so far is durable. */
void wal_commit(struct wal *w, void (*done)(void *arg, const struct err *e), void *arg);
/* The owner no longer needs records with lsn < keep_from: segments wholly below every owner's mark are unlinked. Persisted in `wal/checkpoint` by the
 * sync thread, after this returns; a crash in between means that more is replayed. */
void wal_checkpoint(struct wal *w, enum wal_type owner, uint64_t keep_from);
uint64_t wal_next_lsn(const struct wal *w);
struct wal_stats {
    uint64_t records, bytes, groups, syncs, failed_groups, disk_bytes;
    int64_t last_sync_ns;
    bool refusing;
};
void wal_stats(const struct wal *w, struct wal_stats *out);
