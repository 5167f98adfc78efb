/* ingest/tail: follows log files by glob. Loop thread.
 *
 * Each file is read where it was left: offsets are saved in one file (replaced atomically) with device, inode and a fingerprint of the bytes before
 * the offset, so that a restart neither loses nor repeats lines, and copytruncate or a reused inode is noticed. An offset moves only after the store
 * acknowledged the lines: while it refuses, the files are the queue. Rotation by rename: the old file is drained to its end, the new one read from
 * its start. A last line without a newline, a piece of a container's line and a stack trace (tail_lines.h) wait for more, and are sent when the file
 * goes away or nothing has come for idle_flush_ms. gzip archives are read once: those there at the very first start with from_start (later ones were
 * followed before they were packed), and those of a glob that ends in ".gz". Source: the behaviours of Fluent Bit's in_tail; the kubelet's CRI log
 * format. */
#pragma once
#include "base/vec.h"
#include "ingest/pod_identity.h"
#include "loop/loop.h"
#include "model/sink.h"

struct tail;
struct tail_settings {
    const str *globs;
    size_t glob_n;
    bool from_start; /* files that exist at the very first start: from their beginning; else from their end */
    size_t line_bytes_max;
    bool multiline;                /* join stack traces */
    int64_t idle_flush_ms;         /* 0: what is unfinished waits for ever */
    const struct pod_source *pods; /* NULL: the path says it all; outlives the tail */
    const char *state_path;        /* offsets; NULL: not kept */
};
MUST_USE bool tail_new(struct loop *l, struct sink *sink, const struct tail_settings *t, struct tail **out, struct err *e);
void tail_free(struct tail *t); /* saves the offsets */
struct tail_stats {
    uint64_t files, lines, bytes, cut_lines, joined_lines, excluded_lines, rotations, truncations, read_errors, retries;
};
void tail_stats(const struct tail *t, struct tail_stats *out);
