#include "store/metrics/merge.h"

#include <stdlib.h>

static bool ascending(const struct columns *c) {
    for (size_t i = 1; i < c->n; i++)
        if (c->t_ms[i] <= c->t_ms[i - 1]) return false;
    return true;
}

struct ordered {
    int64_t t_ms;
    size_t at;
};
static int by_time(const void *a, const void *b) {
    const struct ordered *x = a;
    const struct ordered *y = b;
    int c = (x->t_ms > y->t_ms) - (x->t_ms < y->t_ms);
    return c ? c : (x->at > y->at) - (x->at < y->at);
}

bool columns_ascend(struct columns *c, struct err *e) {
    if (ascending(c)) return true;
    if (c->n * sizeof(struct ordered) > c->bytes_left) return err_set(e, ERR_LIMIT, "the query reads too many samples: its memory limit is reached");
    struct ordered *o = arena_new_n(c->arena, struct ordered, c->n);
    for (size_t i = 0; i < c->n; i++) o[i] = (struct ordered){c->t_ms[i], i};
    qsort(o, c->n, sizeof *o, by_time);
    struct columns sorted = {.arena = c->arena, .bytes_left = c->bytes_left};
    if (c->h) columns_want_histograms(&sorted);
    if (c->st_ms) columns_want_starts(&sorted);
    if (!columns_reserve(&sorted, c->n, e)) return false;
    for (size_t i = 0; i < c->n; i++) {
        if (i + 1 < c->n && o[i + 1].t_ms == o[i].t_ms) continue;
        size_t to = sorted.n++;
        sorted.t_ms[to] = o[i].t_ms;
        sorted.v[to] = c->v[o[i].at];
        if (c->h) sorted.h[to] = c->h[o[i].at];
        if (c->st_ms) sorted.st_ms[to] = c->st_ms[o[i].at];
    }
    *c = sorted;
    return true;
}
