#include <stdlib.h>

#include "api/prometheus.h"
#include "base/clock.h"
#include "codec/duration.h"
#include "codec/timefmt.h"

/* targets, their metadata, scrape_pools: what the scraper shows (app->targets). */

struct targets {
    struct target_view *p;
    size_t n;
};
static struct targets targets_of(struct app *app, struct http_exchange *x) {
    struct targets t = {0};
    if (app->targets) app->targets(app->targets_arg, x->arena, &t.p, &t.n);
    return t;
}

static void put_text(struct json_out *o, const char *key, str value) {
    json_put_key(o, str_c(key));
    json_put_string(o, value);
}

static void put_duration(struct json_out *o, const char *key, int64_t ms) {
    struct buf b = {0};
    duration_put(&b, ms);
    put_text(o, key, buf_str(&b));
    buf_done(&b);
}

static void put_target(struct json_out *o, const struct target_view *t) {
    struct buf at = {0};
    if (t->last_scrape_ms)
        time_put_rfc3339_ns(&at, t->last_scrape_ms * NS_PER_MS);
    else
        buf_add(&at, STR("0001-01-01T00:00:00Z")); /* never: Go's zero time, as clients expect */
    json_put_object(o);
    json_put_key_c(o, "discoveredLabels");
    prom_put_labels(o, t->discovered);
    json_put_key_c(o, "labels");
    prom_put_labels(o, t->labels);
    put_text(o, "scrapePool", t->pool);
    put_text(o, "scrapeUrl", t->url);
    put_text(o, "globalUrl", t->global_url);
    put_text(o, "lastError", t->last_error);
    put_text(o, "lastScrape", buf_str(&at));
    json_put_key_c(o, "lastScrapeDuration");
    json_put_double(o, (double)t->last_duration_ns / 1e9);
    put_text(o, "health", t->health);
    put_duration(o, "scrapeInterval", t->interval_ms);
    put_duration(o, "scrapeTimeout", t->timeout_ms);
    json_put_object_end(o);
    buf_done(&at);
}

void prom_targets(void *arg, struct http_exchange *x) {
    str pool = http_param(x, STR("scrapePool"));
    str state = http_param(x, STR("state"));
    bool active = !state.n || str_eq_nocase(state, STR("active")) || str_eq_nocase(state, STR("any"));
    struct targets t = targets_of(arg, x);
    struct prom_reply r;
    prom_begin(&r);
    json_put_object(&r.out);
    json_put_key_c(&r.out, "activeTargets");
    json_put_array(&r.out);
    for (size_t i = 0; i < t.n && active; i++)
        if (!pool.n || str_eq(pool, t.p[i].pool)) put_target(&r.out, &t.p[i]);
    json_put_array_end(&r.out);
    json_put_key_c(&r.out, "droppedTargets"); /* there is no way yet for a target to be dropped */
    json_put_array(&r.out);
    json_put_array_end(&r.out);
    json_put_key_c(&r.out, "droppedTargetCounts");
    json_put_object(&r.out);
    json_put_object_end(&r.out);
    json_put_object_end(&r.out);
    prom_send(x, &r);
}

static int by_text(const void *a, const void *b) {
    return str_cmp(*(const str *)a, *(const str *)b);
}

void prom_scrape_pools(void *arg, struct http_exchange *x) {
    struct targets t = targets_of(arg, x);
    str *pools = arena_new_n(x->arena, str, t.n);
    for (size_t i = 0; i < t.n; i++) pools[i] = t.p[i].pool;
    if (t.n) qsort(pools, t.n, sizeof *pools, by_text);
    struct prom_reply r;
    prom_begin(&r);
    json_put_object(&r.out);
    json_put_key_c(&r.out, "scrapePools");
    json_put_array(&r.out);
    for (size_t i = 0; i < t.n; i++)
        if (i == 0 || !str_eq(pools[i - 1], pools[i])) json_put_string(&r.out, pools[i]);
    json_put_array_end(&r.out);
    json_put_object_end(&r.out);
    prom_send(x, &r);
}

/* --- targets/metadata: the families a target has series of now, each with what is known of it */

struct metadata_request {
    struct app *app;
    struct http_exchange *x;
    struct prom_matches match; /* of the target's labels; none: all */
    str metric;
    size_t limit, written;
    struct metric_meta *metas;
    size_t meta_n;
    struct json_out *out;
};

static bool fits(const struct metadata_request *q, struct labels target) {
    if (!q->match.n) return true;
    for (size_t i = 0; i < q->match.sets[0].n; i++)
        if (matcher_test(&q->match.sets[0].m[i], labels_get(target, q->match.sets[0].m[i].name)) != MATCHER_YES) return false;
    return true;
}

/* Is there a series of the family among the sorted names? */
static bool has_family(const str *names, size_t n, str family) {
    static const char *const suffixes[] = {"", "_bucket", "_count", "_sum", "_total", "_info", "_created", "_gcount", "_gsum"};
    char text[1024];
    if (family.n + 16 > sizeof text) return false;
    memcpy(text, family.p, family.n);
    for (size_t i = 0; i < ARRAY_N(suffixes); i++) {
        size_t suffix_n = strlen(suffixes[i]);
        memcpy(text + family.n, suffixes[i], suffix_n);
        str name = str_n(text, family.n + suffix_n);
        if (n && bsearch(&name, names, n, sizeof *names, by_text)) return true;
    }
    return false;
}

static void put_meta(struct metadata_request *q, const struct target_view *t, const struct metric_meta *m) {
    json_put_object(q->out);
    json_put_key_c(q->out, "target");
    prom_put_labels(q->out, t->labels);
    if (!q->metric.n) put_text(q->out, "metric", m->family);
    put_text(q->out, "type", str_c(metric_type_name(m->type)));
    put_text(q->out, "help", m->help);
    put_text(q->out, "unit", m->unit);
    json_put_object_end(q->out);
    q->written++;
}

static bool put_target_metadata(struct metadata_request *q, const struct target_view *t, struct err *e) {
    struct matcher *m = arena_new_n(q->x->arena, struct matcher, t->labels.n);
    for (size_t i = 0; i < t->labels.n; i++) m[i] = (struct matcher){MATCH_EQ, t->labels.l[i].name, t->labels.l[i].value, NULL};
    int64_t now_ms = clock_wall_ms();
    str *names;
    size_t n;
    if (!tsdb_label_values(q->app->store->metrics, LABEL_METRIC_NAME, m, t->labels.n, now_ms - 60 * 60 * MS_PER_S, now_ms, q->x->arena, &names, &n,
                           e))
        return false;
    if (n) qsort(names, n, sizeof *names, by_text);
    for (size_t i = 0; i < q->meta_n && q->written < q->limit; i++)
        if (has_family(names, n, q->metas[i].family)) put_meta(q, t, &q->metas[i]);
    return true;
}

static bool match_target_param(struct http_exchange *x, struct prom_matches *out) {
    str text = http_param(x, STR("match_target"));
    struct promql_ast ast;
    struct err e;
    *out = (struct prom_matches){0};
    if (!text.n) return true;
    bool ok = promql_parse(text, x->arena, &out->regexes, &ast, &e);
    if (ok && ast.root->kind != NODE_VECTOR) ok = err_set(&e, ERR_INPUT, "1:1: parse error: expected a vector selector");
    if (!ok) {
        promql_regexes_done(&out->regexes);
        prom_bad_param(x, "match_target", err_str(&e));
        return false;
    }
    out->sets = arena_alloc(x->arena, sizeof *out->sets);
    out->sets[0].m = ast.root->select.sel.m;
    out->sets[0].n = ast.root->select.sel.m_n;
    out->n = 1;
    return true;
}

void prom_targets_metadata(void *arg, struct http_exchange *x) {
    struct metadata_request q = {.app = arg, .x = x, .metric = http_param(x, STR("metric")), .limit = SIZE_MAX};
    struct targets t = targets_of(arg, x);
    struct prom_reply r;
    struct err e;
    bool ok = true;
    if (!prom_limit_param(x, "limit", &q.limit) || !match_target_param(x, &q.match)) return;
    tsdb_metadata(q.app->store->metrics, q.metric, x->arena, &q.metas, &q.meta_n);
    prom_begin(&r);
    q.out = &r.out;
    json_put_array(q.out);
    for (size_t i = 0; i < t.n && ok && q.written < q.limit; i++)
        if (fits(&q, t.p[i].labels)) ok = put_target_metadata(&q, &t.p[i], &e);
    json_put_array_end(q.out);
    prom_matches_done(&q.match);
    if (ok && q.written) return prom_send(x, &r);
    buf_done(&r.buf);
    if (ok)
        prom_error(x, 404, "not_found", STR("specified metadata not found"));
    else
        prom_error(x, 500, "internal", err_str(&e));
}
