#include "query/promql/check.h"

#include "base/buf.h"
#include "query/promql/functions.h"

struct checker {
    str query;
    struct err *e;
};
#define FAIL(c, at, ...) promql_error_at((c)->query, (at), (c)->e, __VA_ARGS__)

static bool check(struct checker *c, struct node *n);

const char *promql_type_name(enum promql_type t) {
    switch (t) {
    case PT_NONE: return "none";
    case PT_SCALAR: return "scalar";
    case PT_VECTOR: return "instant vector";
    case PT_MATRIX: return "range vector";
    case PT_STRING: return "string";
    }
    return "none";
}

static bool expect(struct checker *c, struct node *n, enum promql_type want, const char *where, str function) {
    if (!check(c, n)) return false;
    if (n->type == want) return true;
    if (!function.n) return FAIL(c, n->from, "expected type %s in %s, got %s", promql_type_name(want), where, promql_type_name(n->type));
    return FAIL(c, n->from, "expected type %s in call to function \"%" STR_F "\", got %s", promql_type_name(want), STR_A(function),
                promql_type_name(n->type));
}

static bool check_aggregate(struct checker *c, struct node *n) {
    if (!expect(c, n->agg.expr, PT_VECTOR, "aggregation expression", STR(""))) return false;
    if (!n->agg.param) return true;
    return expect(c, n->agg.param, n->agg.op == AGG_COUNT_VALUES ? PT_STRING : PT_SCALAR, "aggregation parameter", STR(""));
}

static bool check_matching(struct checker *c, struct node *n) {
    const struct matching *m = &n->binary.match;
    for (size_t i = 0; m->on && i < m->labels.n; i++)
        for (size_t j = 0; j < m->include.n; j++)
            if (str_eq(m->labels.p[i], m->include.p[j]))
                return FAIL(c, n->from, "label \"%" STR_F "\" must not occur in ON and GROUP clause at once", STR_A(m->labels.p[i]));
    return true;
}

static bool is_operand(enum promql_type t) {
    return t == PT_SCALAR || t == PT_VECTOR;
}

static bool check_binary(struct checker *c, struct node *n) {
    struct matching *m = &n->binary.match;
    enum op op = n->binary.op;
    if (!check(c, n->binary.lhs) || !check(c, n->binary.rhs)) return false;
    enum promql_type lt = n->binary.lhs->type;
    enum promql_type rt = n->binary.rhs->type;
    if (n->binary.return_bool && !op_is_comparison(op)) return FAIL(c, n->from, "bool modifier can only be used on comparison operators");
    if (op_is_comparison(op) && !n->binary.return_bool && lt == PT_SCALAR && rt == PT_SCALAR)
        return FAIL(c, n->from, "comparisons between scalars must use BOOL modifier");
    if (!check_matching(c, n)) return false;
    if (!is_operand(lt)) return FAIL(c, n->binary.lhs->from, "binary expression must contain only scalar and instant vector types");
    if (!is_operand(rt)) return FAIL(c, n->binary.rhs->from, "binary expression must contain only scalar and instant vector types");
    bool grouped = m->card == CARD_MANY_TO_ONE || m->card == CARD_ONE_TO_MANY;
    bool vectors = lt == PT_VECTOR && rt == PT_VECTOR;
    if (!vectors && m->labels.n > 0) return FAIL(c, n->from, "vector matching only allowed between instant vectors");
    if (!vectors && (m->fill_left || m->fill_right)) return FAIL(c, n->from, "fill modifiers are only allowed between instant vectors");
    if (!op_is_set(op)) return true;
    if (!vectors) return FAIL(c, n->from, "set operator \"%s\" not allowed in binary scalar expression", op_text(op));
    if (grouped) return FAIL(c, n->from, "no grouping allowed for \"%s\" operation", op_text(op));
    if (m->fill_left || m->fill_right) return FAIL(c, n->from, "no fill modifiers allowed for \"%s\" operation", op_text(op));
    m->card = CARD_MANY_TO_MANY;
    return true;
}

static bool check_info_labels(struct checker *c, struct node *arg) {
    if (arg->type != PT_VECTOR)
        return FAIL(c, arg->from, "expected type %s in call to function \"info\", got %s", promql_type_name(PT_VECTOR), promql_type_name(arg->type));
    if (arg->kind != NODE_VECTOR) return FAIL(c, arg->from, "expected label selectors only");
    if (arg->select.sel.name.n) return FAIL(c, arg->from, "expected label selectors only, got vector selector instead");
    arg->select.sel.may_be_empty = true;
    return true;
}

static bool check_arg_n(struct checker *c, struct node *n) {
    const struct function *f = n->call.fn;
    size_t want = function_arg_n(f);
    size_t got = n->call.arg_n;
    str name = f->name;
    if (f->variadic == 0 && got != want)
        return FAIL(c, n->from, "expected %zu argument(s) in call to \"%" STR_F "\", got %zu", want, STR_A(name), got);
    if (f->variadic == 0) return true;
    if (got < want - 1) return FAIL(c, n->from, "expected at least %zu argument(s) in call to \"%" STR_F "\", got %zu", want - 1, STR_A(name), got);
    size_t most = want - 1 + (size_t)MAX(f->variadic, 0);
    if (f->variadic > 0 && got > most)
        return FAIL(c, n->from, "expected at most %zu argument(s) in call to \"%" STR_F "\", got %zu", most, STR_A(name), got);
    return true;
}

static bool check_call(struct checker *c, struct node *n) {
    const struct function *f = n->call.fn;
    if (!check_arg_n(c, n)) return false;
    if (str_eq(f->name, STR("info")) && n->call.arg_n > 1 && !check_info_labels(c, n->call.args[1])) return false;
    size_t last = function_arg_n(f) - 1;
    for (size_t i = 0; i < n->call.arg_n; i++)
        if (!expect(c, n->call.args[i], f->args[MIN(i, last)], "", f->name)) return false;
    return true;
}

static bool check_selector(struct checker *c, struct node *n) {
    const struct selector *s = &n->select.sel;
    if (s->name.n) {
        for (size_t i = 0; i + 1 < s->m_n; i++)
            if (str_eq(s->m[i].name, LABEL_METRIC_NAME))
                return FAIL(c, n->from, "metric name must not be set twice: \"%" STR_F "\" or \"%" STR_F "\"", STR_A(s->name), STR_A(s->m[i].value));
        return true;
    }
    if (s->may_be_empty) return true;
    for (size_t i = 0; i < s->m_n; i++)
        if (matcher_test(&s->m[i], STR("")) == MATCHER_NO) return true;
    return FAIL(c, n->from, "vector selector must contain at least one non-empty matcher");
}

static bool check(struct checker *c, struct node *n) {
    switch (n->kind) {
    case NODE_NUMBER:
    case NODE_STRING:
    case NODE_DURATION: return true;
    case NODE_VECTOR:
    case NODE_MATRIX: return check_selector(c, n);
    case NODE_SUBQUERY:
        if (!check(c, n->sub.expr)) return false;
        if (n->sub.expr->type == PT_VECTOR) return true;
        return FAIL(c, n->from, "subquery is only allowed on instant vector, got %s instead",
                    n->sub.expr->type == PT_MATRIX ? "matrix" : promql_type_name(n->sub.expr->type));
    case NODE_PAREN: return check(c, n->paren.expr);
    case NODE_UNARY:
        if (!check(c, n->unary.expr)) return false;
        if (is_operand(n->unary.expr->type)) return true;
        return FAIL(c, n->from, "unary expression only allowed on expressions of type scalar or instant vector, got \"%s\"",
                    promql_type_name(n->unary.expr->type));
    case NODE_BINARY: return check_binary(c, n);
    case NODE_CALL: return check_call(c, n);
    case NODE_AGGREGATE: return check_aggregate(c, n);
    }
    return true;
}

bool promql_check(struct promql_ast *ast, struct err *e) {
    struct checker c = {ast->query, e};
    return check(&c, ast->root);
}
