#include "store/metrics/refused.h"

#include <stdlib.h>

#include "base/hash.h"
#include "store/metrics/db.h"

/* The labels that name a target, or the metric's name when there are none. */
static void name_target(struct labels series, struct buf *out) {
    struct label l[2];
    size_t n = 0;
    for (size_t i = 0; i < series.n && n < ARRAY_N(l); i++)
        if (str_eq(series.l[i].name, STR("job")) || str_eq(series.l[i].name, STR("instance"))) l[n++] = series.l[i];
    if (n == 0)
        buf_add(out, labels_get(series, LABEL_METRIC_NAME));
    else
        labels_put(out, (struct labels){l, n});
}

static uint64_t hash_target(struct labels series) {
    uint64_t job = hash_str(labels_get(series, STR("job")));
    str instance = labels_get(series, STR("instance"));
    uint64_t h = hash_mix(job, hash_str(instance));
    return instance.n || labels_get(series, STR("job")).n ? h : hash_mix(h, hash_str(labels_get(series, LABEL_METRIC_NAME)));
}

const struct refused_target *refused_add(struct refused *r, struct labels series, uint64_t n, int64_t t_ms) {
    uint64_t hash = hash_target(series);
    struct refused_target *least = &r->top[0];
    for (size_t i = 0; i < r->n; i++) {
        struct refused_target *t = &r->top[i];
        if (t->hash == hash) {
            t->samples += n;
            t->last_ms = t_ms;
            return t;
        }
        if (t->samples < least->samples) least = t;
    }
    uint64_t inherited = 0;
    if (r->n < REFUSED_MAX)
        least = &r->top[r->n++];
    else
        inherited = least->samples;
    AUTO(buf_done) struct buf text = {0};
    name_target(series, &text);
    *least = (struct refused_target){.hash = hash, .samples = inherited + n, .last_ms = t_ms};
    str cut = str_sub(buf_str(&text), 0, REFUSED_TEXT_MAX);
    least->text_n = (uint32_t)cut.n;
    if (cut.n) memcpy(least->text, cut.p, cut.n);
    return least;
}

static int by_samples(const void *a, const void *b) {
    const struct refused_target *x = a;
    const struct refused_target *y = b;
    return (x->samples < y->samples) - (x->samples > y->samples);
}

size_t tsdb_refused_targets(const struct tsdb *db, struct arena *a, const struct refused_target **out) {
    const struct refused *r = &db->refused;
    struct refused_target *list = arena_new_n(a, struct refused_target, r->n);
    if (r->n) memcpy(list, r->top, r->n * sizeof *list);
    if (r->n) qsort(list, r->n, sizeof *list, by_samples);
    *out = list;
    return r->n;
}
