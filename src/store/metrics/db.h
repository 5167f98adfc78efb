/* store/metrics/db: the inside of a tsdb, shared by the files of this folder. Loop thread.
 *
 *   tsdb.c    open, close, tick                                append.c  batch -> head + log record
 *   seal.c    frozen head -> part                              compact.c parts -> a larger or coarser part
 *   upkeep.c  which parts are merged, down-sampled, dropped    admin.c   deletions, snapshots
 *   select.c  matchers -> frozen view -> samples                      meta.c    names, values, metadata, exemplars, cardinality */
#pragma once
#include "store/metrics/erase.h"
#include "store/metrics/head.h"
#include "store/metrics/journal.h"
#include "store/metrics/part.h"
#include "store/metrics/refused.h"
#include "store/metrics/tsdb.h"

/* Where batches with equal target labels come from: a scrape target; one for all of remote write. */
struct source {
    struct labels labels; /* owned by db->source_bytes */
    uint64_t hash;
    uint64_t seq;          /* records it has in this epoch of the log */
    uint32_t first;        /* the series its last batch began with; ID_NONE */
    VEC(uint32_t) present; /* whole batches: series at the last whole_t_ms */
};

struct kept_exemplar {
    uint32_t row;  /* ID_NONE: of a series that was forgotten */
    uint64_t hash; /* of all of it */
    int64_t t_ms;
    double v;
    struct arena *arena; /* holds the labels */
    struct labels labels;
};

struct tsdb {
    struct tsdb_options o;
    struct head head;
    struct arena *source_bytes;
    VEC(struct source) sources;
    struct map by_source; /* hash of the labels -> position + 1 */
    VEC(uint8_t) marks;   /* scratch of append: by row */
    VEC(uint32_t) seen;   /* scratch of append: rows of this batch */
    struct buf code;      /* scratch of append: a histogram */

    struct arena *meta_bytes;
    VEC(struct metric_meta) metas;
    struct map by_family;            /* hash of the family -> position + 1 */
    struct kept_exemplar *exemplars; /* ring of o.exemplars_max, made with the first */
    struct map by_exemplar;          /* hash of all of it -> position in the ring + 1 */
    size_t exemplar_n;               /* ever kept */
    struct refused refused;
    struct tsdb_stats stats; /* the counters; tsdb_stats() fills in the rest */

    char *dir;                     /* NULL: memory only */
    struct wal *wal;               /* NULL: memory only, or before tsdb_attach_wal */
    struct journal journal;        /* the record being written */
    struct journal_reader *reader; /* until tsdb_attach_wal */
    VEC(struct part *) parts;      /* by min_ms */
    VEC(uint64_t) leftovers;       /* numbers of parts that do not count but may have a file still: not unlinked yet, or of a job that failed */
    uint64_t next_seq;
    uint64_t log_position;    /* records below are in parts */
    uint64_t seal_position;   /* what the part being sealed will cover */
    uint64_t seal_seq;        /* its number: trying again replaces what a seal that failed may have left */
    uint64_t replay_position; /* while replaying: where the epoch of the newest record begins */
    bool sealing, compacting;
    struct deletions *deletions;
    uint64_t deletion_n;                    /* number of the newest deletion */
    bool cleaning;                          /* asked for by tsdb_clean_tombstones */
    int64_t now_ms;                         /* of the newest tick */
    struct snapshot *snapshots;             /* that wait for the head to be sealed */
    int64_t filled_since_ms, retry_seal_ms; /* tick's clock; 0: empty / at once */
};
enum { EXEMPLARS_MAX = 16384 /* unless set */, SEAL_RETRY_MS = 10000, INDEX_IDLE_S = 600 };

struct source *source_find(struct tsdb *db, struct labels target);                                 /* makes it when it is new */
bool exemplar_keep(struct tsdb *db, uint32_t row, const struct exemplar *x, int64_t default_t_ms); /* true: it is new */
size_t exemplars_kept(const struct tsdb *db);                                                      /* how many of the ring are filled */
bool meta_keep(struct tsdb *db, const struct metric_meta *m);                                      /* true: it is new or changed */

/* The index of a part, loaded when it is not. */
MUST_USE bool db_part_index(struct tsdb *db, struct part *p, struct err *e);
void db_damage(struct tsdb *db, const struct err *e); /* counts and remembers the first */
void db_insert_part(struct tsdb *db, struct part *p);
void db_remove_part(struct tsdb *db, size_t at, bool unlink_file);
/* A new epoch of the log: everything is defined anew. */
void db_new_epoch(struct tsdb *db);
/* Forgets what has had no samples for long: labels of pods that are gone must not stay in memory. */
void db_forget_idle(struct tsdb *db);

/* Freezes the head (unless it is) and turns it into a part: in the pool, or before returning when there is none. */
void seal_start(struct tsdb *db, bool inline_now);
/* Merges parts of one tier, given by age, into one of tier `to`. awaits: they stay, and the new part counts when they are gone; else it replaces
 * them. */
void compact_start(struct tsdb *db, struct part *const *parts, size_t n, enum tier to, bool awaits);
/* What a job that starts now must leave out. */
struct eraser db_eraser(const struct tsdb *db);
/* It was made from parts that still count. */
bool db_part_hidden(const struct tsdb *db, const struct part *p);

/* Every tick: retention, down-sampling, cleaning, merging; at most one job at a time. */
void upkeep(struct tsdb *db);
/* After a part came or went: deletions that nothing holds any more are forgotten. */
void deletions_settle(struct tsdb *db);
MUST_USE bool deletions_load(struct tsdb *db, struct err *e);
/* After a seal: what waits for it. failed: why the seal failed; NULL: it did not. */
void snapshots_go_on(struct tsdb *db, const struct err *failed);
void snapshots_cancel(struct tsdb *db); /* at close */
