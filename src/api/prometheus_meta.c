#include <math.h>
#include <stdlib.h>

#include "api/prometheus.h"
#include "base/clock.h"
#include "codec/num.h"
#include "codec/text.h"
#include "codec/timefmt.h"

/* series, labels, label values, metadata, exemplars: about the data rather than over it. */

bool prom_range_params(struct http_exchange *x, int64_t *from_ms, int64_t *to_ms) {
    *from_ms = INT64_MIN / 2;
    *to_ms = INT64_MAX / 2;
    if (!prom_time_param(x, "start", from_ms) || !prom_time_param(x, "end", to_ms)) return false;
    if (*to_ms >= *from_ms) return true;
    prom_bad_param(x, "end", STR("end timestamp must not be before start time"));
    return false;
}

static void store_error(struct http_exchange *x, const struct err *e) {
    bool limit = e->code == ERR_LIMIT || e->code == ERR_INPUT;
    prom_error(x, limit ? 422 : 500, limit ? "execution" : "internal", err_str(e));
}

/* --- series */

static int by_labels(const void *a, const void *b) {
    return labels_cmp(*(const struct labels *)a, *(const struct labels *)b);
}

struct label_sets {
    struct labels *p;
    size_t n, cap;
};

static bool add_series(struct app *app, struct http_exchange *x, const struct prom_matches *m, size_t i, int64_t from_ms, int64_t to_ms,
                       struct label_sets *all) {
    struct tsdb_selection *s;
    struct err e;
    if (!tsdb_select(app->store->metrics, m->sets[i].m, m->sets[i].n, from_ms, to_ms, 0, &s, &e)) return store_error(x, &e), false;
    size_t n = tsdb_selection_n(s);
    if (all->n + n > all->cap) {
        size_t cap = all->n + n;
        all->p = arena_grow(x->arena, all->p, all->cap * sizeof *all->p, cap * sizeof *all->p);
        all->cap = cap;
    }
    for (size_t k = 0; k < n; k++) all->p[all->n++] = labels_copy(x->arena, tsdb_selection_labels(s, k));
    tsdb_selection_free(s);
    return true;
}

void prom_series(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    int64_t from_ms;
    int64_t to_ms;
    size_t limit = 0;
    struct prom_matches m;
    struct label_sets all = {0};
    if (!prom_range_params(x, &from_ms, &to_ms) || !prom_limit_param(x, "limit", &limit) || !prom_matches(x, true, &m)) return;
    bool ok = true;
    for (size_t i = 0; i < m.n && ok; i++) ok = add_series(app, x, &m, i, from_ms, to_ms, &all);
    bool several = m.n > 1;
    prom_matches_done(&m);
    if (!ok) return;
    if (several) qsort(all.p, all.n, sizeof *all.p, by_labels);
    struct prom_reply r;
    size_t written = 0;
    bool truncated = false;
    prom_begin(&r);
    json_put_array(&r.out);
    for (size_t i = 0; i < all.n && !truncated; i++) {
        if (i && labels_eq(all.p[i - 1], all.p[i])) continue;
        truncated = limit && written == limit;
        if (!truncated) prom_put_labels(&r.out, all.p[i]);
        written++;
    }
    json_put_array_end(&r.out);
    prom_send_truncated(x, &r, truncated);
}

/* --- label names and values */

static int by_text(const void *a, const void *b) {
    return str_cmp(*(const str *)a, *(const str *)b);
}

static void send_strings(struct http_exchange *x, str *p, size_t n, bool sorted, size_t limit) {
    if (!sorted && n) qsort(p, n, sizeof *p, by_text);
    struct prom_reply r;
    size_t written = 0;
    bool truncated = false;
    prom_begin(&r);
    json_put_array(&r.out);
    for (size_t i = 0; i < n && !truncated; i++) {
        if (i && str_eq(p[i - 1], p[i])) continue;
        truncated = limit && written == limit;
        if (!truncated) json_put_string(&r.out, p[i]);
        written++;
    }
    json_put_array_end(&r.out);
    prom_send_truncated(x, &r, truncated);
}

/* Names (name empty) or values of a label, over all match[] selectors. */
static void label_strings(struct app *app, struct http_exchange *x, str name) {
    int64_t from_ms;
    int64_t to_ms;
    size_t limit = 0;
    struct prom_matches m;
    str *all = NULL;
    size_t n = 0;
    struct err e;
    if (!prom_range_params(x, &from_ms, &to_ms) || !prom_limit_param(x, "limit", &limit) || !prom_matches(x, false, &m)) return;
    bool ok = true;
    for (size_t i = 0; i < MAX(m.n, (size_t)1) && ok; i++) {
        const struct matcher *set = m.n ? m.sets[i].m : NULL;
        size_t set_n = m.n ? m.sets[i].n : 0;
        str *some = NULL;
        size_t some_n = 0;
        ok = name.n ? tsdb_label_values(app->store->metrics, name, set, set_n, from_ms, to_ms, x->arena, &some, &some_n, &e)
                    : tsdb_label_names(app->store->metrics, set, set_n, from_ms, to_ms, x->arena, &some, &some_n, &e);
        if (!ok) break;
        all = arena_grow(x->arena, all, n * sizeof *all, (n + some_n) * sizeof *all);
        if (some_n) memcpy(all + n, some, some_n * sizeof *all);
        n += some_n;
    }
    bool sorted = m.n <= 1;
    prom_matches_done(&m);
    if (ok)
        send_strings(x, all, n, sorted, limit);
    else
        store_error(x, &e);
}

void prom_labels(void *arg, struct http_exchange *x) {
    label_strings(arg, x, STR(""));
}

/* U__a_2e_b -> a.b: Prometheus' escaping of names that are not legacy identifiers. */
static str unescape_name(struct arena *a, str name) {
    if (!str_starts(name, STR("U__"))) return name;
    struct buf b = {0};
    for (size_t i = 3; i < name.n; i++) {
        uint64_t code;
        size_t end = i + 1;
        if (name.p[i] != '_') {
            buf_char(&b, name.p[i]);
            continue;
        }
        if (end < name.n && name.p[end] == '_') {
            buf_char(&b, '_');
            i = end;
            continue;
        }
        while (end < name.n && name.p[end] != '_') end++;
        if (end == name.n || end - i - 1 > 6 || !str_hex_u64(str_sub(name, i + 1, end), &code) || code > 0x10ffff) {
            buf_done(&b);
            return name;
        }
        utf8_put(&b, (uint32_t)code);
        i = end;
    }
    str out = arena_str(a, buf_str(&b));
    buf_done(&b);
    return out;
}

void prom_label_values(void *arg, struct http_exchange *x) {
    str name = unescape_name(x->arena, x->captures[0]);
    if (!name.n || !utf8_valid(name)) {
        prom_error(x, 400, "bad_data", arena_printf(x->arena, "invalid label name: \"%" STR_F "\"", STR_A(name)));
        return;
    }
    label_strings(arg, x, name);
}

/* --- metadata */

static void put_meta(struct json_out *o, const struct metric_meta *m) {
    json_put_object(o);
    json_put_key_c(o, "type");
    json_put_string(o, str_c(metric_type_name(m->type)));
    json_put_key_c(o, "help");
    json_put_string(o, m->help);
    json_put_key_c(o, "unit");
    json_put_string(o, m->unit);
    json_put_object_end(o);
}

void prom_metadata(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    size_t limit = SIZE_MAX;
    size_t per_metric = SIZE_MAX;
    struct metric_meta *p;
    size_t n;
    if (!prom_count_param(x, "limit", &limit) || !prom_count_param(x, "limit_per_metric", &per_metric)) return;
    if (per_metric == 0) per_metric = SIZE_MAX;
    tsdb_metadata(app->store->metrics, http_param(x, STR("metric")), x->arena, &p, &n);
    struct prom_reply r;
    prom_begin(&r);
    json_put_object(&r.out);
    for (size_t i = 0, families = 0; i < n && families < limit; families++) {
        str family = p[i].family;
        json_put_key(&r.out, family);
        json_put_array(&r.out);
        for (size_t k = 0; i < n && str_eq(p[i].family, family); i++, k++)
            if (k < per_metric) put_meta(&r.out, &p[i]);
        json_put_array_end(&r.out);
    }
    json_put_object_end(&r.out);
    prom_send(x, &r);
}

/* --- exemplars */

struct selectors {
    const struct node *p[64];
    size_t n;
};

static void collect_selectors(const struct node *n, struct selectors *out) {
    switch (n->kind) {
    case NODE_NUMBER:
    case NODE_STRING:
    case NODE_DURATION: return;
    case NODE_VECTOR:
    case NODE_MATRIX:
        if (out->n < ARRAY_N(out->p)) out->p[out->n++] = n;
        return;
    case NODE_SUBQUERY: collect_selectors(n->sub.expr, out); return;
    case NODE_PAREN: collect_selectors(n->paren.expr, out); return;
    case NODE_UNARY: collect_selectors(n->unary.expr, out); return;
    case NODE_BINARY:
        collect_selectors(n->binary.lhs, out);
        collect_selectors(n->binary.rhs, out);
        return;
    case NODE_CALL:
        for (size_t i = 0; i < n->call.arg_n; i++) collect_selectors(n->call.args[i], out);
        return;
    case NODE_AGGREGATE: collect_selectors(n->agg.expr, out); return;
    }
}

static void put_exemplars(struct json_out *o, const struct series_exemplar *p, size_t n) {
    for (size_t i = 0; i < n;) {
        struct labels series = p[i].series;
        json_put_object(o);
        json_put_key_c(o, "seriesLabels");
        prom_put_labels(o, series);
        json_put_key_c(o, "exemplars");
        json_put_array(o);
        for (; i < n && labels_eq(p[i].series, series); i++) {
            json_put_object(o);
            json_put_key_c(o, "labels");
            prom_put_labels(o, p[i].exemplar.labels);
            json_put_key_c(o, "value");
            prom_put_value(o, p[i].exemplar.v);
            json_put_key_c(o, "timestamp");
            prom_put_time(o, p[i].exemplar.t_ms);
            json_put_object_end(o);
        }
        json_put_array_end(o);
        json_put_object_end(o);
    }
}

void prom_exemplars(void *arg, struct http_exchange *x) {
    struct app *app = arg;
    int64_t from_ms;
    int64_t to_ms;
    struct promql_regexes regexes = {0};
    struct promql_ast ast;
    struct selectors sel = {0};
    struct err e;
    if (!prom_range_params(x, &from_ms, &to_ms)) return;
    if (!promql_parse(http_param(x, STR("query")), x->arena, &regexes, &ast, &e)) {
        promql_regexes_done(&regexes);
        prom_bad_param(x, "query", err_str(&e));
        return;
    }
    collect_selectors(ast.root, &sel);
    struct prom_reply r;
    prom_begin(&r);
    json_put_array(&r.out);
    bool ok = true;
    for (size_t i = 0; i < sel.n && ok; i++) {
        struct series_exemplar *p;
        size_t n;
        ok = tsdb_exemplars(app->store->metrics, sel.p[i]->select.sel.m, sel.p[i]->select.sel.m_n, from_ms, to_ms, x->arena, &p, &n, &e);
        if (ok) put_exemplars(&r.out, p, n);
    }
    promql_regexes_done(&regexes);
    if (!ok) {
        buf_done(&r.buf);
        store_error(x, &e);
        return;
    }
    json_put_array_end(&r.out);
    prom_send(x, &r);
}
