#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/vec.h"
#include "codec/num.h"
#include "codec/regex.h"
#include "query/promql/check.h"
#include "query/promql/functions.h"
#include "query/promql/lex.h"

/* Recursive descent with precedence climbing; one token of look-ahead. Every production returns NULL after a failure; the reason is in p->e. */
struct parser {
    struct lexer lex;
    struct token t; /* the next token */
    uint32_t last_to;
    struct arena *a;
    struct promql_regexes *keep;
    struct promql_ast *ast;
    struct err *e;
    unsigned depth;
};

static struct node *parse_expr(struct parser *p, int min_level);
static struct node *parse_duration(struct parser *p, int min_level);

PRINTF_LIKE(4, 0) static void verror_at(str query, uint32_t at, struct err *e, const char *fmt, va_list ap) {
    char text[sizeof e->msg];
    vsnprintf(text, sizeof text, fmt, ap);
    struct buf where = {0};
    promql_position(&where, query, at);
    err_set(e, ERR_INPUT, "%" STR_F ": parse error: %s", STR_A(buf_str(&where)), text);
    buf_done(&where);
}

bool promql_error_at(str query, uint32_t at, struct err *e, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    verror_at(query, at, e, fmt, ap);
    va_end(ap);
    return false;
}
PRINTF_LIKE(3, 4) static struct node *fail(struct parser *p, uint32_t at, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    verror_at(p->ast->query, at, p->e, fmt, ap);
    va_end(ap);
    return NULL;
}

static void advance(struct parser *p) {
    p->last_to = p->t.to;
    p->t = lex_next(&p->lex);
}
static bool at_keyword(const struct parser *p, enum keyword kw) {
    return p->t.kind == TOK_KEYWORD && p->t.kw == kw;
}

/* "identifier \"foo\"", "<op:*>", "end of input": a token as the messages name it. */
static const char *describe(const struct token *t, char out[160]) {
    int n = (int)MIN(t->text.n, 100);
    switch (t->kind) {
    case TOK_EOF: return "end of input";
    case TOK_IDENT:
    case TOK_METRIC: snprintf(out, 160, "%s \"%.*s\"", t->kind == TOK_IDENT ? "identifier" : "metric identifier", n, t->text.p); return out;
    case TOK_STRING: snprintf(out, 160, "string %.*s", n, t->text.p); return out;
    case TOK_NUMBER: snprintf(out, 160, "number \"%.*s\"", n, t->text.p); return out;
    case TOK_DURATION: snprintf(out, 160, "duration \"%.*s\"", n, t->text.p); return out;
    case TOK_OP:
    case TOK_AT: snprintf(out, 160, "<op:%.*s>", n, t->text.p); return out;
    case TOK_AGG: snprintf(out, 160, "<aggr:%.*s>", n, t->text.p); return out;
    case TOK_KEYWORD: snprintf(out, 160, "<%.*s>", n, t->text.p); return out;
    case TOK_ERROR:
    case TOK_LPAREN:
    case TOK_RPAREN:
    case TOK_LBRACE:
    case TOK_RBRACE:
    case TOK_LBRACKET:
    case TOK_RBRACKET:
    case TOK_COMMA:
    case TOK_COLON:
    case TOK_EQUAL:
    case TOK_EQL_REGEX:
    case TOK_NEQ_REGEX: snprintf(out, 160, "\"%.*s\"", n, t->text.p); return out;
    }
    return "token";
}

/* "unexpected X in WHERE, expected WHAT"; a lexer's complaint goes first. */
static struct node *unexpected(struct parser *p, const char *where, const char *expected) {
    if (p->t.kind == TOK_ERROR) return fail(p, p->t.from, "%s", p->lex.error);
    char shown[160];
    return fail(p, p->t.from, "unexpected %s%s%s%s%s", describe(&p->t, shown), *where ? " in " : "", where, *expected ? ", expected " : "", expected);
}

static bool expect(struct parser *p, enum tok kind, const char *where, const char *what) {
    if (p->t.kind != kind) return unexpected(p, where, what), false;
    advance(p);
    return true;
}

static struct node *new_node(struct parser *p, enum node_kind kind, enum promql_type type, uint32_t from) {
    struct node *n = arena_one(p->a, struct node);
    n->kind = kind;
    n->type = type;
    n->from = from;
    n->to = p->last_to;
    n->depth = 1;
    n->id = p->ast->node_n++;
    return n;
}
/* Closes a node over its children: end position and depth. */
static struct node *over(struct parser *p, struct node *n, const struct node *child) {
    n->to = p->last_to;
    if (child && child->depth >= n->depth) n->depth = child->depth + 1;
    if (n->depth > PROMQL_TREE_MAX) return fail(p, n->from, "expression is too deep: more than %d operations in a chain", PROMQL_TREE_MAX);
    return n;
}

static bool go_deeper(struct parser *p) {
    if (++p->depth <= PROMQL_DEPTH_MAX) return true;
    fail(p, p->t.from, "expression is nested too deeply: more than %d levels", PROMQL_DEPTH_MAX);
    return false;
}

/* --- numbers and durations */

#define DURATION_MAX_MS INT64_C(9223372036854) /* what Go's time.Duration holds */

static bool parse_duration_text(struct parser *p, const struct token *t, double *seconds) {
    static const struct {
        str unit;
        int64_t ms;
    } units[] = {
        {STR_INIT("y"), 365 * 86400000LL},
        {STR_INIT("w"), 7 * 86400000LL},
        {STR_INIT("d"), 86400000},
        {STR_INIT("h"), 3600000},
        {STR_INIT("m"), 60000},
        {STR_INIT("s"), 1000},
        {STR_INIT("ms"), 1},
    };
    int64_t total = 0;
    size_t next_unit = 0;
    bool in_order = true;
    for (size_t at = 0; at < t->text.n;) {
        size_t digits = at;
        while (at < t->text.n && t->text.p[at] >= '0' && t->text.p[at] <= '9') at++;
        size_t unit = at;
        while (at < t->text.n && (t->text.p[at] < '0' || t->text.p[at] > '9')) at++;
        size_t u = 0;
        while (u < ARRAY_N(units) && !str_eq(units[u].unit, str_sub(t->text, unit, at))) u++;
        if (u == ARRAY_N(units))
            return fail(p, t->from, "unknown unit \"%" STR_F "\" in duration \"%" STR_F "\"", STR_A(str_sub(t->text, unit, at)), STR_A(t->text)),
                   false;
        in_order &= u >= next_unit;
        next_unit = u + 1;
        uint64_t n;
        int64_t term;
        if (!str_u64(str_sub(t->text, digits, unit), &n) || n > INT64_MAX || __builtin_mul_overflow((int64_t)n, units[u].ms, &term) ||
            __builtin_add_overflow(total, term, &total))
            return fail(p, t->from, "duration out of range"), false;
    }
    if (total > DURATION_MAX_MS) return fail(p, t->from, "duration out of range"), false;
    if (!in_order) return fail(p, t->from, "not a valid duration string: \"%" STR_F "\"", STR_A(t->text)), false;
    *seconds = (double)total / 1000;
    return true;
}

/* Go's ParseInt(s, 0, 64), then ParseFloat: 0x1f, 0755 (octal), 1_000, 1e3, Inf. */
static bool parse_number_text(struct parser *p, const struct token *t, double *out) {
    char z[512];
    size_t n = 0;
    for (size_t i = 0; i < t->text.n && n < sizeof z - 1; i++)
        if (t->text.p[i] != '_') z[n++] = t->text.p[i];
    z[n] = 0;
    char *end;
    bool leading_zero = n > 1 && z[0] == '0';
    if (leading_zero && (z[1] == 'x' || z[1] == 'X' || strspn(z, "01234567") == n)) {
        uint64_t v = strtoull(z, &end, 0);
        if (!*end) return *out = (double)v, true;
    }
    if (num_parse_double(str_n(z, n), out)) return true;
    bool digits_only = strspn(z, "0123456789.eE+-") == n;
    fail(p, t->from, "error parsing number: strconv.ParseFloat: parsing \"%.*s\": %s", (int)MIN(n, 120), z,
         digits_only ? "value out of range" : "invalid syntax");
    return false;
}

static struct node *number_literal(struct parser *p) {
    struct token t = p->t;
    double v;
    bool is_duration = t.kind == TOK_DURATION;
    if (is_duration ? !parse_duration_text(p, &t, &v) : !parse_number_text(p, &t, &v)) return NULL;
    advance(p);
    struct node *n = new_node(p, NODE_NUMBER, PT_SCALAR, t.from);
    n->number.value = v;
    n->number.is_duration = is_duration;
    return n;
}

/* --- duration expressions: what stands in [] and behind offset */

static const char duration_wanted[] = "number, duration, step(), or range()";

static struct node *duration_node(struct parser *p, enum op op, const struct node *lhs, const struct node *rhs, uint32_t from) {
    struct node *n = new_node(p, NODE_DURATION, PT_SCALAR, from);
    n->dur.op = op;
    n->dur.lhs = lhs;
    n->dur.rhs = rhs;
    if (lhs && !over(p, n, lhs)) return NULL;
    return rhs ? over(p, n, rhs) : n;
}

static bool is_zero_literal(const struct node *n) {
    return n->kind == NODE_NUMBER && n->number.value == 0;
}

/* -x and +x; a literal takes the sign in. */
static struct node *signed_duration(struct parser *p, struct node *x, enum op sign, uint32_t from) {
    if (x->kind == NODE_NUMBER) {
        if (sign == OP_SUB) x->number.value = -x->number.value;
        x->from = from;
        return x;
    }
    if (sign == OP_ADD) {
        x->from = from;
        return x;
    }
    return duration_node(p, OP_SUB, NULL, x, from);
}

static struct node *duration_function(struct parser *p, const char *where) {
    uint32_t from = p->t.from;
    enum keyword kw = p->t.kw;
    advance(p);
    if (!expect(p, TOK_LPAREN, where, duration_wanted)) return NULL;
    if (kw == KW_STEP || kw == KW_RANGE) {
        if (!expect(p, TOK_RPAREN, where, "\")\"")) return NULL;
        return duration_node(p, kw == KW_STEP ? OP_STEP : OP_RANGE, NULL, NULL, from);
    }
    struct node *lhs = parse_duration(p, 0);
    if (!lhs || !expect(p, TOK_COMMA, where, "\",\"")) return NULL;
    struct node *rhs = parse_duration(p, 0);
    if (!rhs || !expect(p, TOK_RPAREN, where, "\")\"")) return NULL;
    return duration_node(p, kw == KW_MIN_OF ? OP_MIN_OF : OP_MAX_OF, lhs, rhs, from);
}

static bool at_duration_function(const struct parser *p) {
    return at_keyword(p, KW_STEP) || at_keyword(p, KW_RANGE) || at_keyword(p, KW_MIN_OF) || at_keyword(p, KW_MAX_OF);
}

static struct node *duration_in_parens(struct parser *p, const char *where) {
    uint32_t from = p->t.from;
    advance(p);
    struct node *x = parse_duration(p, 0);
    if (!x || !expect(p, TOK_RPAREN, where, "\")\"")) return NULL;
    if (x->kind == NODE_NUMBER) { /* keep the parentheses for the printer */
        x = duration_node(p, OP_ADD, NULL, x, from);
        if (!x) return NULL;
    }
    x->dur.wrapped = true;
    x->from = from;
    x->to = p->last_to;
    return x;
}

static struct node *duration_operand(struct parser *p, const char *where) {
    if (p->t.kind == TOK_NUMBER || p->t.kind == TOK_DURATION) return number_literal(p);
    if (at_duration_function(p)) return duration_function(p, where);
    if (p->t.kind == TOK_LPAREN) return duration_in_parens(p, where);
    return unexpected(p, where, duration_wanted);
}

static int op_level(enum op op) {
    static const int levels[] = {
        [OP_OR] = 1,  [OP_AND] = 2, [OP_UNLESS] = 2, [OP_EQ] = 3,         [OP_NE] = 3,         [OP_GT] = 3,
        [OP_LT] = 3,  [OP_GE] = 3,  [OP_LE] = 3,     [OP_TRIM_UPPER] = 3, [OP_TRIM_LOWER] = 3, [OP_ADD] = 4,
        [OP_SUB] = 4, [OP_MUL] = 5, [OP_DIV] = 5,    [OP_MOD] = 5,        [OP_ATAN2] = 5,      [OP_POW] = 6,
    };
    return levels[op];
}
enum { LEVEL_UNARY = 6 }; /* a sign binds like *, so its operand is what binds tighter */

static bool is_sign(const struct token *t) {
    return t->kind == TOK_OP && (t->op == OP_ADD || t->op == OP_SUB);
}

static struct node *parse_duration(struct parser *p, int min_level) {
    static const char where[] = "subquery or range selector";
    if (!go_deeper(p)) return NULL;
    uint32_t from = p->t.from;
    struct node *lhs;
    if (is_sign(&p->t)) {
        enum op sign = p->t.op;
        advance(p);
        lhs = parse_duration(p, LEVEL_UNARY);
        if (lhs) lhs = signed_duration(p, lhs, sign, from);
    } else {
        lhs = duration_operand(p, where);
    }
    while (lhs && p->t.kind == TOK_OP && op_level(p->t.op) >= MAX(min_level, 4) && p->t.op != OP_ATAN2) {
        enum op op = p->t.op;
        uint32_t op_from = p->t.from;
        advance(p);
        struct node *rhs = parse_duration(p, op_level(op) + (op == OP_POW ? 0 : 1));
        if (!rhs) return NULL;
        if ((op == OP_DIV || op == OP_MOD) && is_zero_literal(rhs)) return fail(p, op_from, "%s by zero", op == OP_DIV ? "division" : "modulo");
        lhs = duration_node(p, op, lhs, rhs, from);
    }
    p->depth--;
    return lhs;
}

/* Literals are checked at once; expressions when step and range are known. */
static bool check_range(struct parser *p, const struct node *n) {
    if (n->kind != NODE_NUMBER) return true;
    if (n->number.value > DURATION_MAX_MS / 1000) return fail(p, n->from, "duration out of range"), false;
    if (!(n->number.value > 0)) return fail(p, n->from, "duration must be greater than 0"), false;
    return true;
}

/* offset takes one operand, an optional sign before it: `offset 5m + 2` is (offset 5m) + 2. */
static struct node *offset_duration(struct parser *p) {
    uint32_t from = p->t.from;
    bool sign = is_sign(&p->t);
    enum op op = p->t.op;
    if (sign) advance(p);
    struct node *x = duration_operand(p, "offset");
    if (x && sign) x = signed_duration(p, x, op, from);
    if (x && x->kind == NODE_NUMBER && !(fabs(x->number.value) <= DURATION_MAX_MS / 1000)) return fail(p, from, "duration out of range");
    return x;
}

/* --- selectors */

static bool quoted_text(struct parser *p, const struct token *t, str *out) {
    char why[96];
    if (lex_unquote(p->a, t->text, out, why)) return true;
    fail(p, t->from, "%s", why);
    return false;
}

static bool finish_matcher(struct parser *p, struct matcher *m, uint32_t at) {
    if (m->op != MATCH_RE && m->op != MATCH_NRE) return true;
    struct regex *re;
    struct err why;
    if (!regex_new(m->value, true, &re, &why)) return fail(p, at, "%s", why.msg), false;
    m->re = re;
    if (p->keep->n == p->keep->cap) {
        p->keep->cap = MAX(8, p->keep->cap * 2);
        p->keep->p = mem_realloc(p->keep->p, p->keep->cap * sizeof *p->keep->p);
    }
    p->keep->p[p->keep->n++] = re;
    return true;
}

/* Behind a label name: operator and string. */
static bool matcher_rest(struct parser *p, struct matcher *m, bool quoted_name) {
    switch (p->t.kind) {
    case TOK_EQUAL: m->op = MATCH_EQ; break;
    case TOK_EQL_REGEX: m->op = MATCH_RE; break;
    case TOK_NEQ_REGEX: m->op = MATCH_NRE; break;
    case TOK_OP: m->op = MATCH_NE; break; /* inside braces the only operator is != */
    default: return unexpected(p, "label matching", quoted_name ? "label matching operator, \",\" or \"}\"" : "label matching operator"), false;
    }
    advance(p);
    if (p->t.kind != TOK_STRING) return unexpected(p, "label matching", "string"), false;
    uint32_t at = p->t.from;
    if (!quoted_text(p, &p->t, &m->value)) return false;
    advance(p);
    return finish_matcher(p, m, at);
}

static bool one_matcher(struct parser *p, struct matcher *m) {
    bool is_quoted = p->t.kind == TOK_STRING;
    if (!is_quoted && p->t.kind != TOK_IDENT) return unexpected(p, "label matching", "identifier or \"}\""), false;
    if (is_quoted ? !quoted_text(p, &p->t, &m->name) : (m->name = p->t.text, false)) return false;
    advance(p);
    bool alone = is_quoted && (p->t.kind == TOK_COMMA || p->t.kind == TOK_RBRACE);
    if (!alone) return matcher_rest(p, m, is_quoted);
    *m = (struct matcher){.op = MATCH_EQ, .name = LABEL_METRIC_NAME, .value = m->name}; /* {"utf8.name"} */
    return true;
}

/* Behind an optional name: {matchers}. */
static struct node *parse_selector(struct parser *p, str name, uint32_t from) {
    struct {
        struct matcher *p;
        size_t n, cap;
    } ms = {0};
    if (p->t.kind == TOK_LBRACE) {
        advance(p);
        while (p->t.kind != TOK_RBRACE) {
            struct matcher m = {0};
            if (!one_matcher(p, &m)) return NULL;
            avec_push(p->a, &ms, m);
            if (p->t.kind == TOK_RBRACE) break;
            if (!expect(p, TOK_COMMA, "label matching", "\",\" or \"}\"")) return NULL;
        }
        advance(p);
    }
    if (name.n) avec_push(p->a, &ms, ((struct matcher){.op = MATCH_EQ, .name = LABEL_METRIC_NAME, .value = name}));
    struct node *n = new_node(p, NODE_VECTOR, PT_VECTOR, from);
    n->select.sel = (struct selector){.name = name, .m = ms.p, .m_n = ms.n, .slot = p->ast->selector_n++};
    return n;
}

/* --- what may stand behind an expression: [..], offset, @, anchored, smoothed */

static struct shift *shift_of(struct node *n) {
    switch (n->kind) {
    case NODE_VECTOR:
    case NODE_MATRIX: return &n->select.shift;
    case NODE_SUBQUERY: return &n->sub.shift;
    case NODE_NUMBER:
    case NODE_STRING:
    case NODE_PAREN:
    case NODE_UNARY:
    case NODE_BINARY:
    case NODE_CALL:
    case NODE_AGGREGATE:
    case NODE_DURATION: return NULL;
    }
    return NULL;
}

static struct node *matrix_over(struct parser *p, struct node *inner, const struct node *range, uint32_t bracket) {
    if (inner->kind != NODE_VECTOR) return fail(p, bracket, "ranges only allowed for vector selectors");
    if (inner->select.shift.offset) return fail(p, bracket, "no offset modifiers allowed before range");
    if (inner->select.shift.at != AT_NONE) return fail(p, bracket, "no @ modifiers allowed before range");
    if (!check_range(p, range)) return NULL;
    inner->kind = NODE_MATRIX;
    inner->type = PT_MATRIX;
    inner->select.range = range;
    inner->to = p->last_to;
    return inner;
}

static struct node *parse_brackets(struct parser *p, struct node *inner) {
    uint32_t bracket = p->t.from;
    advance(p);
    struct node *range = parse_duration(p, 0);
    if (!range) return NULL;
    if (p->t.kind != TOK_COLON) {
        if (!expect(p, TOK_RBRACKET, "subquery or range selector", "\":\" or \"]\"")) return NULL;
        return matrix_over(p, inner, range, bracket);
    }
    advance(p);
    struct node *step = NULL;
    if (p->t.kind != TOK_RBRACKET) {
        step = parse_duration(p, 0);
        if (!step) return NULL;
    }
    if (!expect(p, TOK_RBRACKET, "subquery selector", "\"]\"")) return NULL;
    if (!check_range(p, range) || (step && !check_range(p, step))) return NULL;
    struct node *n = new_node(p, NODE_SUBQUERY, PT_MATRIX, inner->from);
    n->sub.expr = inner;
    n->sub.range = range;
    n->sub.step = step;
    n->sub.slot = p->ast->subquery_n++;
    return over(p, n, inner);
}

static struct node *parse_offset(struct parser *p, struct node *n) {
    uint32_t at = p->t.from;
    advance(p);
    struct node *d = offset_duration(p);
    if (!d) return NULL;
    struct shift *s = shift_of(n);
    if (!s) return fail(p, n->from, "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery");
    if (s->offset) return fail(p, at, "offset may not be set multiple times");
    s->offset = d;
    n->to = p->last_to;
    return n;
}

static bool at_time(struct parser *p, struct shift *s) {
    static const char where[] = "@";
    if (at_keyword(p, KW_START) || at_keyword(p, KW_END)) {
        s->at = p->t.kw == KW_START ? AT_START : AT_END;
        advance(p);
        return expect(p, TOK_LPAREN, where, "\"(\"") && expect(p, TOK_RPAREN, where, "\")\"");
    }
    bool negative = is_sign(&p->t) && p->t.op == OP_SUB;
    if (is_sign(&p->t)) advance(p);
    if (p->t.kind != TOK_NUMBER && p->t.kind != TOK_DURATION) return unexpected(p, where, "timestamp"), false;
    struct node *t = number_literal(p);
    if (!t) return false;
    double v = negative ? -t->number.value : t->number.value;
    if (!(fabs(v) < 9223372036854775.0))
        return fail(p, t->from, "timestamp out of bounds for @ modifier: %s", isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf"), false;
    s->at = AT_TIME;
    s->at_ms = (int64_t)round(v * 1000);
    return true;
}

static struct node *parse_at(struct parser *p, struct node *n) {
    uint32_t from = p->t.from;
    advance(p);
    struct shift parsed = {0};
    if (!at_time(p, &parsed)) return NULL;
    struct shift *s = shift_of(n);
    if (!s) return fail(p, n->from, "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery");
    if (s->at != AT_NONE) return fail(p, from, "@ <timestamp> may not be set multiple times");
    s->at = parsed.at;
    s->at_ms = parsed.at_ms;
    n->to = p->last_to;
    return n;
}

static struct node *parse_edge(struct parser *p, struct node *n) {
    bool anchored = p->t.kw == KW_ANCHORED;
    const char *word = anchored ? "anchored" : "smoothed";
    uint32_t from = p->t.from;
    advance(p);
    if (n->kind != NODE_VECTOR && n->kind != NODE_MATRIX)
        return fail(p, n->from, "%s modifier must be preceded by an instant vector selector or range vector selector", word);
    if (n->select.sel.anchored || n->select.sel.smoothed) return fail(p, from, "anchored and smoothed may be set only once, and not together");
    n->select.sel.anchored = anchored;
    n->select.sel.smoothed = !anchored;
    n->to = p->last_to;
    return n;
}

static struct node *parse_postfix(struct parser *p, struct node *n) {
    while (n) {
        if (p->t.kind == TOK_LBRACKET)
            n = parse_brackets(p, n);
        else if (p->t.kind == TOK_AT)
            n = parse_at(p, n);
        else if (at_keyword(p, KW_OFFSET))
            n = parse_offset(p, n);
        else if (at_keyword(p, KW_ANCHORED) || at_keyword(p, KW_SMOOTHED))
            n = parse_edge(p, n);
        else
            return n;
    }
    return NULL;
}

/* --- calls and aggregations */

struct args {
    struct node **p;
    size_t n, cap;
};

static bool parse_args(struct parser *p, struct args *out) {
    advance(p); /* ( */
    if (p->t.kind == TOK_RPAREN) return advance(p), true;
    for (;;) {
        struct node *x = parse_expr(p, 0);
        if (!x) return false;
        avec_push(p->a, out, x);
        if (p->t.kind == TOK_RPAREN) return advance(p), true;
        uint32_t comma = p->t.from;
        if (p->t.kind != TOK_COMMA) return unexpected(p, "", ""), false;
        advance(p);
        if (p->t.kind == TOK_RPAREN) return fail(p, comma, "trailing commas not allowed in function call args"), false;
    }
}

static struct node *parse_call(struct parser *p, struct token name) {
    const struct function *fn = function_find(name.text);
    if (!fn) return fail(p, name.from, "unknown function with name \"%.*s\"", (int)MIN(name.text.n, 100), name.text.p);
    struct args args = {0};
    if (!parse_args(p, &args)) return NULL;
    struct node *n = new_node(p, NODE_CALL, fn->returns, name.from);
    n->call.fn = fn;
    n->call.args = args.p;
    n->call.arg_n = args.n;
    n->call.args_from = args.n ? args.p[0]->from : n->from;
    if (str_eq(fn->name, STR("info"))) n->call.slot = p->ast->selector_n++;
    for (size_t i = 0; i < args.n; i++)
        if (!over(p, n, args.p[i])) return NULL;
    return n;
}

static bool is_label_token(const struct token *t) {
    return t->kind == TOK_IDENT || t->kind == TOK_AGG || t->kind == TOK_KEYWORD || t->kind == TOK_STRING ||
           (t->kind == TOK_OP && t->text.n > 0 && label_name_legacy_valid(t->text)) || (t->kind == TOK_NUMBER && label_name_legacy_valid(t->text));
}

/* (a, "b.c",) */
static bool parse_names(struct parser *p, struct names *out) {
    static const char where[] = "grouping opts";
    struct {
        str *p;
        size_t n, cap;
    } names = {0};
    if (!expect(p, TOK_LPAREN, where, "\"(\"")) return false;
    while (p->t.kind != TOK_RPAREN) {
        if (!is_label_token(&p->t)) return unexpected(p, where, "label"), false;
        str name = p->t.text;
        if (p->t.kind == TOK_STRING && !quoted_text(p, &p->t, &name)) return false;
        avec_push(p->a, &names, name);
        advance(p);
        if (p->t.kind == TOK_RPAREN) break;
        if (!expect(p, TOK_COMMA, where, "\",\" or \")\"")) return false;
    }
    advance(p);
    *out = (struct names){names.p, names.n};
    return true;
}

static bool at_grouping(const struct parser *p) {
    return at_keyword(p, KW_BY) || at_keyword(p, KW_WITHOUT);
}
static bool parse_grouping(struct parser *p, struct node *n) {
    n->agg.without = p->t.kw == KW_WITHOUT;
    advance(p);
    return parse_names(p, &n->agg.grouping);
}

static bool agg_takes_param(enum agg_op op) {
    return op == AGG_BOTTOMK || op == AGG_TOPK || op == AGG_LIMITK || op == AGG_LIMIT_RATIO || op == AGG_QUANTILE || op == AGG_COUNT_VALUES;
}

static struct node *parse_aggregate(struct parser *p, struct token name) {
    struct node *n = new_node(p, NODE_AGGREGATE, PT_VECTOR, name.from);
    n->agg.op = name.agg;
    bool grouped = at_grouping(p);
    if (grouped && !parse_grouping(p, n)) return NULL;
    if (p->t.kind != TOK_LPAREN) return unexpected(p, "aggregation", "\"(\"");
    struct args args = {0};
    if (!parse_args(p, &args)) return NULL;
    if (!grouped && at_grouping(p) && !parse_grouping(p, n)) return NULL;
    if (args.n == 0) return fail(p, n->from, "no arguments for aggregate expression provided");
    size_t want = agg_takes_param(n->agg.op) ? 2 : 1;
    if (args.n != want) return fail(p, n->from, "wrong number of arguments for aggregate expression provided, expected %zu, got %zu", want, args.n);
    n->agg.expr = args.p[want - 1];
    n->agg.param = want == 2 ? args.p[0] : NULL;
    if (want == 2 && !over(p, n, args.p[0])) return NULL;
    return over(p, n, n->agg.expr);
}

/* --- primaries and operators */

static struct node *string_literal(struct parser *p) {
    struct token t = p->t;
    str s;
    if (!quoted_text(p, &t, &s)) return NULL;
    advance(p);
    struct node *n = new_node(p, NODE_STRING, PT_STRING, t.from);
    n->string = s;
    return n;
}

static struct node *paren(struct parser *p) {
    uint32_t from = p->t.from;
    advance(p);
    struct node *x = parse_expr(p, 0);
    if (!x) return NULL;
    if (p->t.kind != TOK_RPAREN) return unexpected(p, "", "");
    advance(p);
    struct node *n = new_node(p, NODE_PAREN, x->type, from);
    n->paren.expr = x;
    return over(p, n, x);
}

/* A word: call, aggregation or selector, by what follows it. Keywords and aggregators are fine metric names. */
static struct node *named(struct parser *p) {
    struct token name = p->t;
    advance(p);
    if (name.kind == TOK_AGG && (p->t.kind == TOK_LPAREN || at_grouping(p))) return parse_aggregate(p, name);
    if (name.kind != TOK_AGG && p->t.kind == TOK_LPAREN && name.kind != TOK_METRIC) return parse_call(p, name);
    if (name.kind == TOK_AGG && (p->t.kind == TOK_IDENT || p->t.kind == TOK_METRIC)) return unexpected(p, "", "");
    return parse_selector(p, name.text, name.from);
}

static struct node *primary(struct parser *p) {
    switch (p->t.kind) {
    case TOK_NUMBER:
    case TOK_DURATION: return number_literal(p);
    case TOK_STRING: return string_literal(p);
    case TOK_LPAREN: return paren(p);
    case TOK_LBRACE: return parse_selector(p, STR(""), p->t.from);
    case TOK_IDENT:
    case TOK_METRIC:
    case TOK_AGG: return named(p);
    case TOK_KEYWORD:
        if (p->t.kw >= KW_BY && p->t.kw <= KW_BOOL) return unexpected(p, "", "");
        return named(p);
    case TOK_EOF:
    case TOK_ERROR:
    case TOK_RPAREN:
    case TOK_RBRACE:
    case TOK_LBRACKET:
    case TOK_RBRACKET:
    case TOK_COMMA:
    case TOK_COLON:
    case TOK_EQUAL:
    case TOK_EQL_REGEX:
    case TOK_NEQ_REGEX:
    case TOK_AT:
    case TOK_OP: return unexpected(p, "", "");
    }
    return NULL;
}

static struct node *unary(struct parser *p) {
    if (!is_sign(&p->t)) return parse_postfix(p, primary(p));
    uint32_t from = p->t.from;
    enum op sign = p->t.op;
    advance(p);
    struct node *x = parse_expr(p, LEVEL_UNARY);
    if (!x) return NULL;
    if (x->kind == NODE_NUMBER) {
        if (sign == OP_SUB) x->number.value = -x->number.value;
        x->from = from;
        return x;
    }
    struct node *n = new_node(p, NODE_UNARY, x->type, from);
    n->unary.op = sign;
    n->unary.expr = x;
    return over(p, n, x);
}

/* fill(x) fill_left(x) fill_right(x) */
static bool parse_fill(struct parser *p, struct matching *m) {
    static const char where[] = "fill modifier";
    while (at_keyword(p, KW_FILL) || at_keyword(p, KW_FILL_LEFT) || at_keyword(p, KW_FILL_RIGHT)) {
        enum keyword kw = p->t.kw;
        uint32_t from = p->t.from;
        advance(p);
        if (!expect(p, TOK_LPAREN, where, "\"(\"")) return false;
        bool negative = is_sign(&p->t) && p->t.op == OP_SUB;
        if (is_sign(&p->t)) advance(p);
        if (p->t.kind != TOK_NUMBER && p->t.kind != TOK_DURATION) return unexpected(p, where, "number"), false;
        struct node *v = number_literal(p);
        if (!v || !expect(p, TOK_RPAREN, where, "\")\"")) return false;
        double value = negative ? -v->number.value : v->number.value;
        bool left = kw != KW_FILL_RIGHT;
        bool right = kw != KW_FILL_LEFT;
        if ((left && m->fill_left) || (right && m->fill_right)) return fail(p, from, "fill modifier may not be set multiple times"), false;
        if (left) m->fill_left = true, m->fill_left_value = value;
        if (right) m->fill_right = true, m->fill_right_value = value;
    }
    return true;
}

/* Behind a binary operator: bool, on/ignoring, group_left/group_right, fill. */
static bool parse_modifiers(struct parser *p, struct node *n) {
    struct matching *m = &n->binary.match;
    if (at_keyword(p, KW_BOOL)) {
        n->binary.return_bool = true;
        advance(p);
    }
    if (at_keyword(p, KW_ON) || at_keyword(p, KW_IGNORING)) {
        m->on = p->t.kw == KW_ON;
        advance(p);
        if (!parse_names(p, &m->labels)) return false;
        if (at_keyword(p, KW_GROUP_LEFT) || at_keyword(p, KW_GROUP_RIGHT)) {
            m->card = p->t.kw == KW_GROUP_LEFT ? CARD_MANY_TO_ONE : CARD_ONE_TO_MANY;
            advance(p);
            if (p->t.kind == TOK_LPAREN && !parse_names(p, &m->include)) return false;
        }
    }
    return parse_fill(p, m);
}

static struct node *parse_expr(struct parser *p, int min_level) {
    if (!go_deeper(p)) return NULL;
    struct node *lhs = unary(p);
    while (lhs && p->t.kind == TOK_OP && op_level(p->t.op) >= min_level) {
        enum op op = p->t.op;
        advance(p);
        struct node *n = new_node(p, NODE_BINARY, PT_VECTOR, lhs->from);
        n->binary.op = op;
        n->binary.lhs = lhs;
        if (!parse_modifiers(p, n)) return NULL;
        n->binary.rhs = parse_expr(p, op_level(op) + (op == OP_POW ? 0 : 1));
        if (!n->binary.rhs || !over(p, n, lhs) || !over(p, n, n->binary.rhs)) return NULL;
        if (lhs->type == PT_SCALAR && n->binary.rhs->type == PT_SCALAR) n->type = PT_SCALAR;
        lhs = n;
    }
    p->depth--;
    return lhs;
}

bool promql_parse(str query, struct arena *a, struct promql_regexes *keep, struct promql_ast *out, struct err *e) {
    if (query.n > PROMQL_TEXT_MAX) return err_set(e, ERR_LIMIT, "the expression has %zu bytes, more than the limit of %d", query.n, PROMQL_TEXT_MAX);
    struct promql_ast ast = {.query = query};
    struct parser p = {.lex = {.text = query}, .a = a, .keep = keep, .ast = &ast, .e = e};
    advance(&p);
    if (p.t.kind == TOK_EOF) return promql_error_at(query, 0, e, "no expression found in input");
    ast.root = parse_expr(&p, 0);
    if (!ast.root) return false;
    if (p.t.kind != TOK_EOF) return unexpected(&p, "", ""), false;
    if (!promql_check(&ast, e)) return false;
    *out = ast;
    return true;
}

void promql_regexes_done(struct promql_regexes *r) {
    for (size_t i = 0; i < r->n; i++) regex_free(r->p[i]);
    free(r->p);
    *r = (struct promql_regexes){0};
}
