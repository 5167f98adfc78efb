/* Batches for the tests of the metrics store: a row's key is its labels, "__name__=up,code=200". */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loop/loop.h"
#include "store/metrics/tsdb.h"

static inline bool help_labels(const struct metric_batch *b, size_t i, struct arena *a, struct labels *out, struct err *e) {
    str rest = b->rows[i].key;
    struct label *l = arena_new_n(a, struct label, 64);
    size_t n = 0;
    while (rest.n > 0 && n < 64) {
        str pair;
        str name;
        str_cut(&rest, ',', &pair);
        str_cut(&pair, '=', &name);
        l[n++] = (struct label){name, pair};
    }
    if (!labels_sort(l, &n, e)) return false;
    *out = (struct labels){l, n};
    return true;
}

static inline struct labels help_parse(struct arena *a, const char *text) {
    struct metric_batch b = {.rows = &(struct series_row){.key = str_c(text)}, .row_n = 1};
    struct labels ls = {0};
    struct err e;
    assert_true(help_labels(&b, 0, a, &ls, &e));
    return labels_copy(a, ls);
}

/* A batch that grows sample by sample. */
static inline struct metric_batch *help_batch(const char *target) {
    struct metric_batch *b = metric_batch_new(16 << 10);
    b->target = help_parse(b->arena, target);
    b->row_labels = help_labels;
    enum { MAX_ROWS = 4096 };
    b->rows = arena_new_n(b->arena, struct series_row, MAX_ROWS);
    b->t_ms = arena_new_n(b->arena, int64_t, MAX_ROWS);
    b->v = arena_new_n(b->arena, double, MAX_ROWS);
    b->st_ms = NULL;
    return b;
}
static inline void help_add(struct metric_batch *b, const char *key, int64_t t_ms, double v) {
    assert_true(b->row_n < 4096);
    b->rows[b->row_n++] = (struct series_row){.key = arena_str(b->arena, str_c(key)), .sample_at = (uint32_t)b->sample_n, .sample_n = 1};
    b->t_ms[b->sample_n] = t_ms;
    b->v[b->sample_n++] = v;
}
/* One sample, stored or not as push_result says. */
static inline struct push_result help_push(struct tsdb *db, const char *target, const char *key, int64_t t_ms, double v) {
    struct metric_batch *b = help_batch(target);
    help_add(b, key, t_ms, v);
    struct push_result r = {0};
    struct err e;
    bool ok = tsdb_append_now(db, b, &r, &e);
    assert_int_equal(ok, r.err.code == ERR_NONE);
    return r;
}

static inline struct matcher help_eq(const char *name, const char *value) {
    return (struct matcher){MATCH_EQ, str_c(name), str_c(value), NULL};
}
static inline struct tsdb_selection *help_select(struct tsdb *db, const char *name, const char *value) {
    struct matcher m = help_eq(name, value);
    struct tsdb_selection *s = NULL;
    struct err e = {0};
    if (!tsdb_select(db, &m, 1, INT64_MIN, INT64_MAX, 0, &s, &e)) fail_msg("select: %s", e.msg);
    return s;
}
/* Samples of series i as text: "1000:1 2000:2.5 3000:stale". */
static inline str help_text(const struct tsdb_selection *s, size_t i, struct arena *a) {
    struct samples v;
    struct err e = {0};
    if (!tsdb_read(s, i, INT64_MIN, INT64_MAX, a, &v, &e)) fail_msg("read: %s", e.msg);
    str text = {0};
    for (size_t k = 0; k < v.n; k++) {
        str one = arena_printf(a, "%lld:%.17g", (long long)v.t_ms[k], v.v[k]);
        if (is_stale_nan(v.v[k])) one = arena_printf(a, "%lld:stale", (long long)v.t_ms[k]);
        if (v.h && v.h[k]) one = arena_printf(a, "%lld:h%.17g", (long long)v.t_ms[k], v.h[k]->count);
        if (v.st_ms && v.st_ms[k]) one = arena_printf(a, "%" STR_F "@%lld", STR_A(one), (long long)v.st_ms[k]);
        text = arena_printf(a, "%" STR_F "%s%" STR_F, STR_A(text), text.n ? " " : "", STR_A(one));
    }
    return text;
}
/* The only series that matches, its samples as text. */
static inline void help_check(struct tsdb *db, const char *name, const char *value, const char *want) {
    AUTO(arena_free) struct arena *a = arena_new(4096);
    struct tsdb_selection *s = help_select(db, name, value);
    if (want == NULL) {
        assert_int_equal(tsdb_selection_n(s), 0);
    } else {
        assert_int_equal(tsdb_selection_n(s), 1);
        assert_string_equal(arena_cstr(a, help_text(s, 0, a)), want);
    }
    tsdb_selection_free(s);
}
