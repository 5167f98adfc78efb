#include "store/metrics/journal.h"

#include <stdlib.h>

#include "codec/compress.h"
#include "codec/varint.h"
#include "store/metrics/decimal.h"

void journal_done(struct journal *j) {
    buf_done(&j->out);
    buf_done(&j->cells);
    buf_done(&j->packed);
    vec_done(&j->order);
    vec_done(&j->strings);
    zstd_free(j->zstd);
}

void journal_new_epoch(struct journal *j, uint64_t epoch) {
    j->epoch = epoch;
    j->epoch_no++;
    if (j->strings.n) memset(j->strings.p, 0, j->strings.n * sizeof *j->strings.p);
}

void journal_begin(struct journal *j, uint32_t source, uint64_t seq) {
    buf_clear(&j->out);
    buf_char(&j->out, JOURNAL_PLAIN);
    put_varint(&j->out, j->epoch);
    put_varint(&j->out, source);
    put_varint(&j->out, seq);
    buf_clear(&j->cells);
    j->order.n = 0;
    j->ascending = true;
    j->row = 0;
    j->t_ms = 0;
    j->run = false;
    j->empty = true;
}

static void op(struct journal *j, unsigned code) {
    buf_char(&j->out, (char)code);
    j->run = false;
    j->empty = false;
}

static void define_string(struct journal *j, const struct index *x, uint32_t id) {
    while (j->strings.n <= id / 64) vec_push(&j->strings, 0);
    uint64_t *bits = &j->strings.p[id / 64];
    if (id == 0 || *bits >> id % 64 & 1) return;
    *bits |= UINT64_C(1) << id % 64;
    op(j, JOURNAL_STRING);
    put_varint(&j->out, id);
    put_slice(&j->out, x->strings.s.p[id]);
}

static void define_entry(struct journal *j, const struct index *x, struct entry *e, uint32_t id, enum journal_op code) {
    if (e->epoch == j->epoch_no) return;
    e->epoch = j->epoch_no;
    for (uint32_t i = 0; i < e->n; i++) {
        define_string(j, x, e->l[i].name);
        define_string(j, x, e->l[i].value);
    }
    op(j, code);
    put_varint(&j->out, id);
    put_varint(&j->out, e->n);
    for (uint32_t i = 0; i < e->n; i++) {
        put_varint(&j->out, e->l[i].name);
        put_varint(&j->out, e->l[i].value);
    }
}

static void go_to_row(struct journal *j, uint32_t row) {
    if (row == j->row) return;
    op(j, JOURNAL_ROW);
    put_zigzag(&j->out, (int64_t)row - (int64_t)j->row);
    j->row = row;
}

static void define_row(struct journal *j, struct head *h, uint32_t row) {
    struct series *s = &h->series.p[row];
    if (s->defined) return;
    s->defined = 1;
    struct row_ids ids = h->index.rows.p[row];
    define_entry(j, &h->index, &h->index.targets.e.p[ids.target], ids.target, JOURNAL_TARGET_IDS);
    define_entry(j, &h->index, &h->index.shapes.e.p[ids.shape], ids.shape, JOURNAL_SHAPE_IDS);
    go_to_row(j, row);
    op(j, JOURNAL_SERIES);
    put_varint(&j->out, ids.target);
    put_varint(&j->out, ids.shape);
}

/* --- cells */

/* The value in full, with its start timestamp. */
static void put_whole(struct buf *out, const struct series *s, const struct point *p) {
    if (p->start_ms != 0) {
        buf_char(out, (char)CELL_START);
        put_zigzag(out, p->start_ms);
    }
    if (p->histogram.n > 0) {
        buf_char(out, (char)CELL_HISTOGRAM);
        put_slice(out, p->histogram);
        return;
    }
    struct cell_state at = s->last; /* at the k the next difference will be at */
    uint8_t tmp[CELL_OP_MAX_BYTES];
    buf_put(out, tmp, cell_encode(&at, p->v, true, tmp));
}

static void put_cell(struct buf *out, const struct series *s, const struct cell_state *before, const struct point *p, bool whole) {
    if (!whole && before->bits == s->last.bits && before->histogram == s->last.histogram) return;
    if (whole || !before->decimal || !s->last.decimal || before->k != s->last.k) {
        put_whole(out, s, p);
        return;
    }
    struct cell_state at = *before;
    uint8_t tmp[CELL_OP_MAX_BYTES];
    buf_put(out, tmp, cell_encode(&at, p->v, false, tmp));
}

static void add_cell(struct journal *j, uint32_t row, int64_t t_ms, size_t from) {
    assert(j->cells.n <= UINT32_MAX);
    if (j->order.n && j->order.p[j->order.n - 1].row >= row) j->ascending = false;
    vec_push(&j->order, ((struct journal_cell){t_ms, row, (uint32_t)from, (uint32_t)(j->cells.n - from)}));
    j->empty = false;
}

void journal_cell(struct journal *j, struct head *h, uint32_t row, const struct cell_state *before, int64_t start_before_ms, const struct point *p) {
    define_row(j, h, row);
    struct series *s = &h->series.p[row];
    bool whole = s->absolute || s->shared || start_before_ms != p->start_ms || (s->cells.n + row) % JOURNAL_WHOLE_EVERY == 0;
    s->absolute = 0;
    size_t from = j->cells.n;
    put_cell(&j->cells, s, before, p, whole);
    add_cell(j, row, p->t_ms, from);
}

void journal_late(struct journal *j, struct head *h, uint32_t row, const struct point *p) {
    define_row(j, h, row);
    size_t from = j->cells.n;
    buf_char(&j->cells, (char)(p->histogram.n > 0 ? JOURNAL_LATE_HISTOGRAM : JOURNAL_LATE));
    put_zigzag(&j->cells, p->start_ms);
    if (p->histogram.n > 0)
        put_slice(&j->cells, p->histogram);
    else
        buf_le64(&j->cells, double_bits(p->v));
    add_cell(j, row, p->t_ms, from);
}

static void put_run(struct journal *j) {
    uint8_t *last = (uint8_t *)&j->out.p[j->out.n - 1];
    if (j->run && *last < CELL_REPEAT + CELL_REPEAT_MAX - 1) {
        ++*last;
        return;
    }
    op(j, CELL_REPEAT);
    j->run = true;
}

/* By time, then row: samples of one row stay in the order in which they were stored. */
static int by_place(const void *a, const void *b) {
    const struct journal_cell *x = a;
    const struct journal_cell *y = b;
    if (x->t_ms != y->t_ms) return x->t_ms < y->t_ms ? -1 : 1;
    if (x->row != y->row) return x->row < y->row ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

static void put_cells(struct journal *j) {
    if (!j->ascending) qsort(j->order.p, j->order.n, sizeof *j->order.p, by_place);
    for (size_t i = 0; i < j->order.n; i++) {
        const struct journal_cell *c = &j->order.p[i];
        go_to_row(j, c->row);
        if (c->t_ms != j->t_ms) {
            op(j, JOURNAL_TIME);
            put_zigzag(&j->out, c->t_ms - j->t_ms);
            j->t_ms = c->t_ms;
        }
        j->row++;
        if (c->n == 0) {
            put_run(j);
            continue;
        }
        buf_put(&j->out, j->cells.p + c->at, c->n);
        j->run = false;
    }
}

/* --- the rest */

void journal_exemplar(struct journal *j, struct head *h, uint32_t row, const struct exemplar *x, int64_t t_ms) {
    define_row(j, h, row);
    op(j, JOURNAL_EXEMPLAR);
    put_varint(&j->out, row);
    put_zigzag(&j->out, t_ms);
    buf_le64(&j->out, double_bits(x->v));
    put_varint(&j->out, x->labels.n);
    for (size_t i = 0; i < x->labels.n; i++) {
        put_slice(&j->out, x->labels.l[i].name);
        put_slice(&j->out, x->labels.l[i].value);
    }
}

void journal_meta(struct journal *j, const struct metric_meta *m) {
    op(j, JOURNAL_META);
    put_slice(&j->out, m->family);
    buf_char(&j->out, (char)m->type);
    put_slice(&j->out, m->help);
    put_slice(&j->out, m->unit);
}

str journal_end(struct journal *j) {
    put_cells(j);
    if (j->out.n < JOURNAL_PACK_MIN) return buf_str(&j->out);
    if (!j->zstd) j->zstd = zstd_new();
    buf_clear(&j->packed);
    buf_char(&j->packed, JOURNAL_PACKED);
    put_varint(&j->packed, j->out.n - 1);
    zstd_pack(j->zstd, str_from(buf_str(&j->out), 1), 1, &j->packed);
    return buf_str(j->packed.n < j->out.n ? &j->packed : &j->out);
}
