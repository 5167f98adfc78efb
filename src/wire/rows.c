#include "wire/rows.h"

void rows_histogram(struct rows *r, int64_t t_ms, const struct histogram *h) {
    rows_sample(r, t_ms, 0);
    while (r->h.n + 1 < r->t_ms.n) vec_push(&r->h, NULL);
    vec_push(&r->h, h);
}

void rows_drop(struct rows *r) {
    struct series_row row = r->rows.p[--r->rows.n];
    r->t_ms.n = r->v.n = row.sample_at;
    r->h.n = MIN(r->h.n, (size_t)row.sample_at);
    r->st_ms.n = MIN(r->st_ms.n, (size_t)row.sample_at);
    r->exemplars.n = row.exemplar_at;
}

void rows_start(struct rows *r, int64_t st_ms) {
    if (st_ms == 0) return;
    while (r->st_ms.n + 1 < r->t_ms.n) vec_push(&r->st_ms, 0);
    vec_push(&r->st_ms, st_ms);
}

void rows_start_of(struct rows *r, size_t row, int64_t st_ms) {
    const struct series_row *s = &r->rows.p[row];
    while (r->st_ms.n < r->t_ms.n) vec_push(&r->st_ms, 0);
    for (uint32_t i = 0; i < s->sample_n; i++) r->st_ms.p[s->sample_at + i] = st_ms;
}

void rows_exemplar(struct rows *r, struct exemplar e) {
    vec_push(&r->exemplars, e);
    r->rows.p[r->rows.n - 1].exemplar_n++;
}

static void *move(struct arena *a, void *p, size_t n_bytes) {
    if (n_bytes == 0) return NULL;
    return memcpy(arena_alloc(a, n_bytes), p, n_bytes);
}

void rows_finish(struct rows *r) {
    struct metric_batch *b = r->batch;
    if (r->h.n) {
        while (r->h.n < r->t_ms.n) vec_push(&r->h, NULL);
    }
    if (r->st_ms.n) {
        while (r->st_ms.n < r->t_ms.n) vec_push(&r->st_ms, 0);
    }
    b->rows = move(b->arena, r->rows.p, r->rows.n * sizeof *b->rows);
    b->row_n = r->rows.n;
    b->t_ms = move(b->arena, r->t_ms.p, r->t_ms.n * sizeof *b->t_ms);
    b->v = move(b->arena, r->v.p, r->v.n * sizeof *b->v);
    b->h = move(b->arena, r->h.p, r->h.n * sizeof *b->h);
    b->st_ms = move(b->arena, r->st_ms.p, r->st_ms.n * sizeof *b->st_ms);
    b->sample_n = r->t_ms.n;
    b->exemplars = move(b->arena, r->exemplars.p, r->exemplars.n * sizeof *b->exemplars);
    b->exemplar_n = r->exemplars.n;
    b->metas = move(b->arena, r->metas.p, r->metas.n * sizeof *b->metas);
    b->meta_n = r->metas.n;
    rows_done(r);
}

void rows_done(struct rows *r) {
    vec_done(&r->rows);
    vec_done(&r->t_ms);
    vec_done(&r->v);
    vec_done(&r->h);
    vec_done(&r->st_ms);
    vec_done(&r->exemplars);
    vec_done(&r->metas);
}

str label_block(struct arena *a, struct labels ls) {
    struct buf b = {0};
    for (size_t i = 0; i < ls.n; i++) {
        put_varint(&b, ls.l[i].name.n);
        put_varint(&b, ls.l[i].value.n);
        buf_add(&b, ls.l[i].name);
        buf_add(&b, ls.l[i].value);
    }
    str block = arena_str(a, buf_str(&b));
    buf_done(&b);
    return block;
}

bool label_block_read(str block, struct arena *a, struct labels *out, struct err *e) {
    size_t most = 0;
    for (struct reader r = reader_open(block); r.at < r.end; most++) {
        size_t n = get_varint(&r);
        n += get_varint(&r);
        get_bytes(&r, n);
    }
    struct label *l = arena_new_n(a, struct label, most);
    size_t n = 0;
    for (struct reader r = reader_open(block); r.at < r.end;) {
        size_t name_n = get_varint(&r), value_n = get_varint(&r);
        if (name_n == 0)
            r.bad = true;
        else
            l[n] = (struct label){.name = get_bytes(&r, name_n)}, l[n].value = get_bytes(&r, value_n);
        if (r.bad) return err_set(e, ERR_CORRUPT, "not a label block");
        n++;
    }
    *out = (struct labels){l, n};
    return true;
}

bool label_block_row(const struct metric_batch *b, size_t i, struct arena *a, struct labels *out, struct err *e) {
    struct labels all;
    if (!label_block_read(b->rows[i].key, a, &all, e)) return false;
    struct label *own = arena_new_n(a, struct label, all.n);
    size_t n = 0;
    for (size_t k = 0; k < all.n; k++)
        if (labels_get(b->target, all.l[k].name).n == 0) own[n++] = all.l[k];
    *out = (struct labels){own, n};
    return true;
}
