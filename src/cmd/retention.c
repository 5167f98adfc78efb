#include "cmd/retention.h"

#include "codec/duration.h"

static bool read_one(const struct options *o, str text, struct retention_rules *r, struct err *e) {
    size_t cut = text.n;
    while (cut > 0 && text.p[cut - 1] != '=' && text.p[cut - 1] != '}') cut--;
    struct tsdb_keep_rule *rule = &r->p[r->n];
    struct promql_ast ast;
    if (cut == 0 || text.p[cut - 1] != '=') return err_set(e, ERR_INPUT, "a rule is SELECTOR=DURATION, like {job=\"x\"}=7d");
    if (!duration_parse(str_trim(str_from(text, cut)), &rule->keep_ms, e)) return false;
    if (!promql_parse(str_trim(str_sub(text, 0, cut - 1)), o->arena, &r->regexes, &ast, e)) return false;
    if (ast.root->kind != NODE_VECTOR) return err_set(e, ERR_INPUT, "not a selector: \"%" STR_F "\"", STR_A(str_sub(text, 0, cut - 1)));
    rule->m = ast.root->select.sel.m;
    rule->n = ast.root->select.sel.m_n;
    r->n++;
    return true;
}

bool retention_rules_read(const struct options *o, struct retention_rules *out, struct err *e) {
    const struct str_list *list = &o->retention_metrics_rules;
    *out = (struct retention_rules){.p = arena_new_n(o->arena, struct tsdb_keep_rule, list->n)};
    for (size_t i = 0; i < list->n; i++) {
        struct err why;
        if (read_one(o, list->p[i], out, &why)) continue;
        retention_rules_done(out);
        return err_set(e, ERR_INPUT, "retention.metrics-rules: \"%.*s\": %s", (int)MIN(list->p[i].n, (size_t)80), list->p[i].p, why.msg);
    }
    return true;
}

void retention_rules_done(struct retention_rules *r) {
    promql_regexes_done(&r->regexes);
    *r = (struct retention_rules){0};
}
