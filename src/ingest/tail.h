/* ingest/tail: follows log files by glob. Loop thread.
 *
 * Each file is read where it was left: offsets are saved in one file (replaced atomically) with device, inode and a fingerprint of the bytes before
 * the offset, so that a restart neither loses nor repeats lines, and copytruncate or a reused inode is noticed. An offset moves only after the store
 * acknowledged the lines: while it refuses, the files are the queue. Rotation by rename: the old file is drained to its end, the new one read from
 * its start. A last line without a newline waits, and is sent when the file goes away. Lines of Kubernetes containers (CRI and Docker's json-file)
 * are recognised by their form; their partial lines are joined per stream; pod, namespace and container come from the path. Source: the behaviours of
 * Fluent Bit's in_tail; the kubelet's CRI log format. */
#pragma once
#include "base/vec.h"
#include "loop/loop.h"
#include "model/sink.h"

struct tail;
struct tail_settings {
    const str *globs;
    size_t glob_n;
    bool from_start; /* files that exist at the very first start: from their beginning; else from their end */
    size_t line_bytes_max;
    const char *state_path; /* offsets; NULL: not kept */
};
MUST_USE bool tail_new(struct loop *l, struct sink *sink, const struct tail_settings *t, struct tail **out, struct err *e);
void tail_free(struct tail *t); /* saves the offsets */
struct tail_stats {
    uint64_t files, lines, bytes, cut_lines, rotations, truncations, read_errors, retries;
};
void tail_stats(const struct tail *t, struct tail_stats *out);
