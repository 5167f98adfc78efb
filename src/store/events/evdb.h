/* store/events/evdb: the inside of the events store, shared by its own files only: evdb.c (append, replay, queries' entry), seal.c (parts on disk:
 * open, seal, merge, retention). Loop thread.
 *
 * Per kind of event: the head, parts in memory, one per batch, the small ones merged as they pile up; and the parts on disk. A batch is encoded
 * once: the same bytes go to the WAL and into the head. Sealing merges the head into one part on disk. */
#pragma once
#include "store/events/catalog.h"
#include "store/events/edges.h"
#include "store/events/events.h"
#include "store/events/merge.h"

struct task; /* a seal or merge in the pool: seal.c */
struct kind_store {
    struct writer *writer;
    VEC(struct part *) head;  /* oldest first; [0, sealing_n) are being sealed */
    VEC(struct part *) parts; /* oldest seal first */
    size_t sealing_n;
    size_t head_bytes;
    int64_t head_since_ms;                    /* wall time of the first event of the head; 0: empty */
    uint64_t next_seq, next_seal, sealed_seq; /* sealed_seq: events below are in parts on disk */
    uint64_t received, stored, rejected, dropped, truncated_values;
    int64_t retry_ms; /* sealing failed: not before */
    struct counter damaged;
    /* What is there by name, summed up when first asked for: of the parts on disk, and of all. NULL: not since the last change. */
    struct catalog *files, *whole;
};
struct evdb {
    struct evdb_options o;
    char *dir; /* NULL: memory only */
    struct wal *wal;
    struct kind_store kind[EVENT_KIND_N];
    struct edges *edges;
    struct buf edges_sealing; /* counts that are on their way into a part */
    struct task *task;        /* the one running; NULL: none */
    struct buf scratch;
    struct err last_error; /* of sealing or merging */
};

/* The parts on disk are others now. */
static inline void files_changed(struct kind_store *s) {
    catalog_free(TAKE(s->files));
    catalog_free(TAKE(s->whole));
}

/* Opens the parts of the folder; removes leftovers. */
MUST_USE bool seal_open(struct evdb *db, struct err *e);
/* Starts what is due: sealing a full or old head, retention, merging small parts. */
void seal_tick(struct evdb *db, int64_t now_ms);
/* Seals the whole head of a kind at once, on this thread. */
MUST_USE bool seal_inline(struct evdb *db, enum event_kind kind, struct err *e);
