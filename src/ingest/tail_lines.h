/* ingest/tail_lines: the lines of one followed file -> log events. Loop thread.
 *
 * Lines of containers (CRI, docker's json-file) are known by their form; their pieces are joined per stream. What is a stack trace becomes one event
 * (wire/multiline.h), per stream too. An event whose end may still come waits: the file's offset must not pass its beginning (tail_lines_waiting),
 * and after a while tail_lines_flush sends it as it is. */
#pragma once
#include "base/buf.h"
#include "ingest/pod_identity.h"
#include "wire/log_batch.h"
#include "wire/multiline.h"

struct tail_lines_settings {
    size_t line_bytes_max; /* longer lines are cut; longer events end there */
    bool multiline;
    const struct pod_source *pods; /* NULL: the path says it all */
};
struct tail_lines_stats {
    uint64_t cut_lines, joined_lines, excluded_lines;
};

enum tail_stream { TAIL_STDOUT, TAIL_STDERR, TAIL_PLAIN, TAIL_STREAM_N };
/* Text that waits for more of it. */
struct tail_wait {
    struct buf text; /* empty: nothing waits */
    uint64_t start;  /* offset of its first line */
    int64_t time_ns; /* of its first line; plain: when it was read */
};
struct tail_lines {
    const struct tail_lines_settings *settings;
    struct tail_lines_stats *stats;
    struct tail_wait pieces[TAIL_STREAM_N]; /* of one line */
    struct tail_wait event[TAIL_STREAM_N];  /* whole lines of one event */
    struct multiline multiline[TAIL_STREAM_N];
    bool exclude[TAIL_STREAM_N];
};

void tail_lines_open(struct tail_lines *t, const struct tail_lines_settings *s, struct tail_lines_stats *stats);
void tail_lines_done(struct tail_lines *t);
void tail_lines_forget(struct tail_lines *t);                         /* what waits: it will be read again */
void tail_lines_ask_pod(struct tail_lines *t, str path);              /* the pod's annotations, now and then */
bool tail_lines_waiting(const struct tail_lines *t, uint64_t *first); /* and where the first of it begins */

/* One line, without its end, that began at offset `at`. */
void tail_lines_take(struct tail_lines *t, str line, uint64_t at, int64_t now_ns, struct log_batch *out);
/* Nothing more for now: events that do not look as if they went on; idle: all whole lines, for nothing has come for a while. */
void tail_lines_settle(struct tail_lines *t, bool idle, int64_t now_ns, struct log_batch *out);
/* Everything that waits. */
void tail_lines_flush(struct tail_lines *t, int64_t now_ns, struct log_batch *out);
/* The stream all events of the batch belong to: the file, or its pod. */
void tail_lines_describe(struct tail_lines *t, str path, struct log_batch *out);
