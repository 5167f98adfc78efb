/* store/metrics/db: the inside of a tsdb, shared by the files of this folder. Loop thread.
 *
 *   tsdb.c    open, close, tick: sealing, compaction, retention       append.c  batch -> head + log record
 *   select.c  matchers -> frozen view -> samples                      meta.c    names, values, metadata, exemplars, cardinality */
#pragma once
#include "store/metrics/head.h"
#include "store/metrics/tsdb.h"

/* Where batches with equal target labels come from: a scrape target; one for all of remote write. */
struct source {
    struct labels labels; /* owned by db->source_bytes */
    uint64_t hash;
    uint32_t first;        /* the series its last batch began with; ID_NONE */
    VEC(uint32_t) present; /* whole batches: series at the last whole_t_ms */
};

struct kept_exemplar {
    uint32_t row;
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
    struct kept_exemplar *exemplars; /* ring of EXEMPLARS_MAX, made with the first */
    size_t exemplar_n;               /* ever kept */
    struct tsdb_stats stats;         /* the counters; tsdb_stats() fills in the rest */
};
enum { EXEMPLARS_MAX = 16384 };

void exemplar_keep(struct tsdb *db, uint32_t row, const struct exemplar *x, int64_t default_t_ms);
void meta_keep(struct tsdb *db, const struct metric_meta *m);
