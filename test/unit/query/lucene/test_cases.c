/* Runs the query -> hits tables of $SHARED/cases/logs (measured on real Lucene; not part of this repository), when they are there. */
#include <dirent.h>
#include <stdio.h>

#include "flat.h"
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
// clang-format on

#include "base/clock.h"

/* 2026-11-22T12:00Z: the moment the tables call now */
#define NOW (INT64_C(1795348800) * NS_PER_S)

static str read_file(struct arena *a, const char *name) {
    const char *shared = getenv("SHARED");
    if (!shared) return STR_NULL;
    FILE *f = fopen(arena_cstr(a, arena_printf(a, "%s/cases/logs/%s", shared, name)), "r");
    if (!f) return STR_NULL;
    struct buf b = {0};
    char chunk[65536];
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, f)) > 0;) buf_put(&b, chunk, n);
    (void)fclose(f);
    str text = arena_str(a, buf_str(&b));
    buf_done(&b);
    return text;
}

static struct value parse(struct arena *a, str line) {
    struct value v = {0};
    struct err e = {0};
    struct json j = json_open(line, a);
    json_value(&j, &v);
    if (!json_done(&j, &e)) fail_msg("%s", e.msg);
    return v;
}
static str text_of(const struct value *v, const char *key, const char *otherwise) {
    const struct value *f = fields_get(v->fields, v->n, str_c(key));
    return f && f->type == VAL_STRING ? f->s : str_c(otherwise);
}
static bool flag_of(const struct value *v, const char *key) {
    const struct value *f = fields_get(v->fields, v->n, str_c(key));
    return f && f->type == VAL_BOOL && f->b;
}

typedef bool filter_fn(str query, const struct lucene_options *o, struct arena *a, const struct filter **out, struct err *e);

static bool wanted(const struct value *hits, str id) {
    for (uint32_t i = 0; i < hits->n; i++)
        if (str_eq(hits->items[i].s, id)) return true;
    return false;
}

/* "" when the case holds, else what went wrong. */
static str run_case(struct flat_docs *d, const struct value *c, filter_fn *compile, const char *default_field, struct arena *a) {
    str index = text_of(c, "index", ""), field = text_of(c, "default_field", default_field);
    size_t info_n;
    struct field_info *infos = flat_catalogue(d, index, &info_n);
    struct fields fields = fields_open(infos, info_n);
    const struct value *slop = fields_get(c->fields, c->n, STR("phrase_slop"));
    struct lucene_options o = {.fields = &fields,
                               .default_fields = &field,
                               .default_field_n = 1,
                               .default_and = str_eq(text_of(c, "default_operator", "OR"), STR("AND")),
                               .lenient = flag_of(c, "lenient"),
                               .analyze_wildcard = flag_of(c, "analyze_wildcard"),
                               .phrase_slop = slop ? (uint32_t)slop->i : 0,
                               .fuzziness = {.transpositions = true},
                               .dates = {.now_ns = NOW}};
    const struct filter *f = NULL;
    struct err e = {0};
    bool ok = compile(text_of(c, "query", ""), &o, a, &f, &e);
    str wrong = STR("");
    if (ok == flag_of(c, "error")) wrong = ok ? STR("accepted") : arena_str(a, str_c(e.msg));
    const struct value *hits = fields_get(c->fields, c->n, STR("hits"));
    for (size_t i = 0; ok && hits && i < d->docs.n && !wrong.n; i++) {
        const struct flat_doc *doc = &d->docs.p[i];
        if (!str_eq(doc->index, index) || flat_matches(doc, f) == wanted(hits, doc->id)) continue;
        struct buf b = {0};
        filter_put(&b, f);
        wrong = arena_printf(a, "document %" STR_F " differs: %" STR_F, STR_A(doc->id), STR_A(buf_str(&b)));
        buf_done(&b);
    }
    fields_done(&fields);
    free(infos);
    return wrong;
}

static void run_table(const char *name, filter_fn *compile, const char *default_field) {
    if (!getenv("SHARED")) skip(); /* before anything is allocated: skip() jumps */
    AUTO(arena_free) struct arena *a = arena_new(1 << 20);
    str docs = read_file(a, "lucene_docs.jsonl"), cases = read_file(a, name), line;
    assert_true(docs.n && cases.n);
    struct flat_docs d = {.arena = a};
    while (str_cut(&docs, '\n', &line)) {
        struct value v = parse(a, line);
        flat_load(&d, text_of(&v, "index", ""), text_of(&v, "id", ""), fields_get(v.fields, v.n, STR("source")));
    }
    size_t total = 0, failed = 0;
    while (str_cut(&cases, '\n', &line)) {
        struct value c = parse(a, line);
        str wrong = run_case(&d, &c, compile, default_field, a);
        total++;
        failed += wrong.n > 0;
        if (wrong.n)
            print_message("%" STR_F " %" STR_F ": %" STR_F "\n", STR_A(text_of(&c, "id", "")), STR_A(text_of(&c, "query", "")), STR_A(wrong));
    }
    flat_done(&d);
    print_message("%s: %zu of %zu pass\n", name, total - failed, total);
    assert_int_equal(failed, 0);
}

static void lucene_queries_hit_what_lucene_hits(void **state) {
    (void)state;
    run_table("lucene_cases.jsonl", lucene_filter, "message");
}
static void kql_queries_hit_what_kibana_hits(void **state) {
    (void)state;
    run_table("kql_cases.jsonl", kql_filter, "*");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lucene_queries_hit_what_lucene_hits),
        cmocka_unit_test(kql_queries_hit_what_kibana_hits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
