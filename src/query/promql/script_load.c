#include <math.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/vec.h"
#include "codec/num.h"
#include "query/promql/script_internal.h"

/* load blocks: series descriptions to one batch for the store. */

struct loaded {
    struct labels labels;
    struct desc_values values;
    int64_t *start_ms; /* per value, offsets; NULL: none */
    size_t start_n;
};
struct load {
    struct arena *a;
    int64_t step_ms;
    struct map map; /* labels hash -> index + 1 */
    struct loaded *p;
    size_t n, cap;
};

static struct loaded *find_or_add(struct load *l, struct labels ls) {
    uint64_t h = labels_hash(ls);
    for (size_t at = map_first(&l->map, h); at != MAP_END; at = map_next(&l->map, at, h)) {
        struct loaded *s = &l->p[l->map.slots[at].value - 1];
        if (labels_eq(s->labels, ls)) return s;
    }
    avec_push(l->a, l, ((struct loaded){.labels = ls}));
    map_put(&l->map, h, l->n);
    return &l->p[l->n - 1];
}

/* The store keeps reset hints as the appender of a scrape would find them: relative to the series' sample before. */
static enum reset_hint appended_hint(struct arena *a, const struct hist *h, const struct hist *prev) {
    if (h->hint == RESET_GAUGE || h->hint == RESET_YES) return h->hint;
    if (!prev || prev->hint == RESET_GAUGE || is_stale_nan(prev->sum)) return RESET_UNKNOWN;
    if (h->count < prev->count) return RESET_YES;
    if (h->schema != prev->schema || h->zero_threshold != prev->zero_threshold || h->custom_n != prev->custom_n) return RESET_UNKNOWN;
    if (h->custom_n && memcmp(h->custom, prev->custom, h->custom_n * sizeof *h->custom) != 0) return RESET_UNKNOWN;
    struct hist plain = *h;
    plain.hint = RESET_UNKNOWN;
    return hist_is_reset(a, &plain, prev) ? RESET_YES : RESET_NO;
}

static bool row_labels(const struct metric_batch *b, size_t i, struct arena *a, struct labels *out, struct err *e) {
    (void)a;
    (void)e;
    *out = ((const struct labels *)b->row_labels_arg)[i];
    return true;
}

static void add_row(struct metric_batch *b, struct load *l, const struct loaded *s, size_t index) {
    struct buf key = {0};
    labels_put(&key, s->labels);
    struct series_row *row = &b->rows[b->row_n++];
    *row = (struct series_row){.key = arena_str(b->arena, buf_str(&key)), .sample_at = (uint32_t)b->sample_n};
    buf_done(&key);
    ((struct labels *)b->row_labels_arg)[index] = s->labels;
    const struct hist *prev = NULL;
    for (size_t i = 0; i < s->values.n; i++) {
        const struct desc_value *v = &s->values.p[i];
        if (v->omitted) continue;
        size_t at = b->sample_n++;
        b->t_ms[at] = (int64_t)i * l->step_ms;
        b->v[at] = v->v;
        b->h[at] = NULL;
        b->st_ms[at] = i < s->start_n && s->start_ms[i] != INT64_MIN ? b->t_ms[at] + s->start_ms[i] : 0;
        if (v->h) {
            struct hist *h = hist_copy(l->a, v->h);
            h->hint = appended_hint(l->a, h, prev);
            b->h[at] = hist_to_store(b->arena, h);
        }
        prev = v->h;
        row->sample_n++;
    }
    if (row->sample_n == 0) b->row_n--;
}

static bool append(struct tsdb *db, struct load *l, struct err *e) {
    size_t samples = 0;
    for (size_t i = 0; i < l->n; i++) samples += l->p[i].values.n;
    struct metric_batch *b = metric_batch_new(64 << 10);
    b->rows = arena_new_n(b->arena, struct series_row, l->n);
    b->t_ms = arena_new_n(b->arena, int64_t, samples);
    b->v = arena_new_n(b->arena, double, samples);
    b->h = arena_new_n(b->arena, const struct histogram *, samples);
    b->st_ms = arena_new_n(b->arena, int64_t, samples);
    struct labels *labels = arena_new_n(b->arena, struct labels, l->n);
    b->row_labels = row_labels;
    b->row_labels_arg = labels;
    for (size_t i = 0; i < l->n; i++) add_row(b, l, &l->p[i], b->row_n);
    struct push_result r = {0};
    if (!tsdb_append_now(db, b, &r, e)) return false;
    if (r.rejected || r.dropped) return err_set(e, ERR_INPUT, "the store refused %zu samples: %s", r.rejected + r.dropped, r.err.msg);
    return true;
}

/* --- classic histograms as native ones with custom buckets */

struct classic_bucket {
    double le;
    const struct loaded *s;
};
struct classic {
    struct labels labels; /* of the native series */
    struct classic_bucket *p;
    size_t n, cap;
    const struct loaded *count, *sum;
    size_t steps;
};
struct classics {
    struct classic *p;
    size_t n, cap;
};

static struct labels base_labels(struct arena *a, struct labels ls, size_t suffix_n) {
    struct label *out = arena_new_n(a, struct label, ls.n);
    size_t n = 0;
    for (size_t i = 0; i < ls.n; i++) {
        if (str_eq(ls.l[i].name, STR("le"))) continue;
        out[n] = ls.l[i];
        if (str_eq(out[n].name, LABEL_METRIC_NAME)) out[n].value.n -= suffix_n;
        n++;
    }
    return (struct labels){out, n};
}

static struct classic *classic_of(struct load *l, struct classics *c, struct labels ls) {
    for (size_t i = 0; i < c->n; i++)
        if (labels_eq(c->p[i].labels, ls)) return &c->p[i];
    avec_push(l->a, c, ((struct classic){.labels = ls}));
    return &c->p[c->n - 1];
}

static void collect_classic(struct load *l, struct classics *all, const struct loaded *s) {
    str name = labels_get(s->labels, LABEL_METRIC_NAME);
    bool bucket = str_ends(name, STR("_bucket"));
    bool count = str_ends(name, STR("_count"));
    double le = 0;
    if (!bucket && !count && !str_ends(name, STR("_sum"))) return;
    if (bucket && (!num_parse_double(labels_get(s->labels, STR("le")), &le) || isnan(le))) return;
    struct classic *c = classic_of(l, all, base_labels(l->a, s->labels, bucket ? 7 : count ? 6 : 4));
    c->steps = MAX(c->steps, s->values.n);
    if (bucket)
        avec_push(l->a, c, ((struct classic_bucket){le, s}));
    else if (count)
        c->count = s;
    else
        c->sum = s;
}

static int by_le(const void *a, const void *b) {
    double x = ((const struct classic_bucket *)a)->le;
    double y = ((const struct classic_bucket *)b)->le;
    return (x > y) - (x < y);
}

static bool value_at(const struct loaded *s, size_t step, double *out) {
    if (!s || step >= s->values.n || s->values.p[step].omitted || s->values.p[step].h) return false;
    *out = s->values.p[step].v;
    return true;
}

/* The native histogram of one step; NULL: nothing there. */
static const struct hist *convert(struct load *l, const struct classic *c, size_t step) {
    struct hist *h = arena_one(l->a, struct hist);
    double *bounds = arena_new_n(l->a, double, c->n);
    h->schema = HIST_SCHEMA_CUSTOM;
    h->custom = bounds;
    h->pos = (struct buckets){.p = arena_new_n(l->a, struct bucket, c->n + 1), .cap = (uint32_t)c->n + 1};
    double below = 0;
    double last_le = NAN;
    bool any = false;
    for (size_t i = 0; i < c->n; i++) {
        double v;
        if (c->p[i].le == last_le || !value_at(c->p[i].s, step, &v)) continue;
        if (v != below) h->pos.p[h->pos.n++] = (struct bucket){.at = (int32_t)h->custom_n, .n = v - below};
        below = v;
        last_le = c->p[i].le;
        any = true;
        if (isfinite(last_le)) bounds[h->custom_n++] = last_le;
    }
    h->count = below;
    double count;
    if (value_at(c->count, step, &count)) {
        if (count > below) h->pos.p[h->pos.n++] = (struct bucket){.at = (int32_t)h->custom_n, .n = count - below};
        h->count = count;
        any = true;
    }
    any |= value_at(c->sum, step, &h->sum);
    return any ? h : NULL;
}

static void add_native(struct load *l) {
    struct classics all = {0};
    size_t given = l->n;
    for (size_t i = 0; i < given; i++) collect_classic(l, &all, &l->p[i]);
    for (size_t k = 0; k < all.n; k++) {
        struct classic *c = &all.p[k];
        if (c->n) qsort(c->p, c->n, sizeof *c->p, by_le);
        struct desc_values values = {0};
        for (size_t step = 0; step < c->steps; step++) {
            const struct hist *h = c->n ? convert(l, c, step) : NULL;
            avec_push(l->a, &values, ((struct desc_value){.omitted = !h, .h = h}));
        }
        avec_push(l->a, l, ((struct loaded){.labels = c->labels, .values = values}));
    }
}

static bool load_block(struct load *l, struct script_lines *lines, struct err *e) {
    for (str line; script_block_line(lines, &line);) {
        struct series_desc d;
        if (!series_desc_parse(line, l->a, &d, e)) return err_wrap(e, "line %zu", lines->number);
        struct loaded *s = find_or_add(l, d.labels);
        if (!d.start_times) {
            s->values = d.values;
            continue;
        }
        for (size_t i = 0; i < d.values.n; i++)
            if (d.values.p[i].omitted) d.offset_ms[i] = INT64_MIN;
        s->start_ms = d.offset_ms;
        s->start_n = d.values.n;
    }
    return true;
}

bool script_load(struct tsdb *db, str step, bool with_nhcb, struct script_lines *lines, struct err *e) {
    struct load l = {0};
    size_t line = lines->number;
    if (!script_duration(step, &l.step_ms, e)) return err_wrap(e, "line %zu", line);
    AUTO(arena_free) struct arena *a = arena_new(64 << 10);
    l.a = a;
    bool ok = load_block(&l, lines, e);
    if (ok && with_nhcb) add_native(&l);
    if (ok && l.n && !append(db, &l, e)) ok = err_wrap(e, "line %zu", line);
    map_done(&l.map);
    return ok;
}
