/* wire/rows: filling a metric batch row by row, and the label block, the row key of formats that have no text of their own. Pure; one thread.
 *
 *   struct rows r = {.batch = metric_batch_new(n)};
 *   rows_add(&r, key);                       a new row
 *   rows_sample(&r, t_ms, v);                one or more samples of it, then
 *   rows_exemplar(&r, exemplar);             its exemplars
 *   rows_finish(&r); / rows_done(&r);        moves all into the batch's arena / frees what was collected (after finish: nothing)
 *
 * Keys, histograms, exemplars and metas must live in the batch's arena. */
#pragma once
#include "base/vec.h"
#include "codec/varint.h"
#include "model/batch.h"

struct rows {
    struct metric_batch *batch;
    VEC(struct series_row) rows;
    VEC(int64_t) t_ms;
    VEC(double) v;
    VEC(const struct histogram *) h; /* filled up to the sample count as soon as one is there; empty: none */
    VEC(int64_t) st_ms;              /* likewise */
    VEC(struct exemplar) exemplars;
    VEC(struct metric_meta) metas;
};

/* A row whose key is known only at its end, where it may also be taken back: rows_begin; samples, exemplars; rows_end; perhaps rows_drop. */
static inline void rows_begin(struct rows *r) {
    vec_push(&r->rows, ((struct series_row){STR_INIT(""), (uint32_t)r->t_ms.n, 0, (uint32_t)r->exemplars.n, 0}));
}
static inline size_t rows_end(struct rows *r, str key) { /* returns how many samples it has */
    r->rows.p[r->rows.n - 1].key = key;
    return r->rows.p[r->rows.n - 1].sample_n;
}
void rows_drop(struct rows *r);
static inline void rows_add(struct rows *r, str key) {
    assert(key.n);
    rows_begin(r);
    (void)rows_end(r, key);
}
static inline void rows_sample(struct rows *r, int64_t t_ms, double v) {
    vec_push(&r->t_ms, t_ms);
    vec_push(&r->v, v);
    r->rows.p[r->rows.n - 1].sample_n++;
}
void rows_histogram(struct rows *r, int64_t t_ms, const struct histogram *h);
void rows_start(struct rows *r, int64_t st_ms);                /* start timestamp of the newest sample; 0: unknown */
void rows_start_of(struct rows *r, size_t row, int64_t st_ms); /* of all samples of a row, the newest or an earlier one */
void rows_exemplar(struct rows *r, struct exemplar e);
void rows_finish(struct rows *r);
void rows_done(struct rows *r);

/* Labels, sorted, as bytes: per label the name's and the value's length as varint, then both. */
str label_block(struct arena *a, struct labels ls);
/* Borrows from the block. ERR_CORRUPT: not a block. */
MUST_USE bool label_block_read(str block, struct arena *a, struct labels *out, struct err *e);
/* metric_batch.row_labels for keys that are label blocks: labels that the batch's target has are left out (the target's win). */
bool label_block_row(const struct metric_batch *b, size_t i, struct arena *a, struct labels *out, struct err *e);
