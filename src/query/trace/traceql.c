#include "query/trace/traceql.h"

#include "base/vec.h"
#include "codec/duration.h"

struct parser {
    str text;
    size_t at;
    struct arena *arena;
    struct trace_search *out;
    struct {
        struct trace_tag *p;
        size_t n, cap;
    } tags;
};

static char peek(struct parser *p) {
    while (p->at < p->text.n && (p->text.p[p->at] == ' ' || p->text.p[p->at] == '\n' || p->text.p[p->at] == '\t')) p->at++;
    return p->at < p->text.n ? p->text.p[p->at] : 0;
}

static bool fail(const struct parser *p, enum err_code code, const char *what, struct err *e) {
    return err_set(e, code, "TraceQL: %s at byte %zu", what, p->at);
}

/* A text in quotes ("..." with \" and \\, or `...`), or the run of bytes that belong to a bare word. */
static bool read_word(struct parser *p, str *out, bool *quoted, struct err *e) {
    char c = peek(p);
    size_t from = p->at;
    *quoted = c == '"' || c == '`';
    if (!*quoted) {
        while (p->at < p->text.n && !strchr(" \n\t{}()=!<>&|\"`~", p->text.p[p->at])) p->at++;
        *out = str_sub(p->text, from, p->at);
        return out->n > 0 || fail(p, ERR_INPUT, "expected a field or a value", e);
    }
    char *text = arena_alloc(p->arena, p->text.n - from);
    size_t n = 0;
    for (p->at++; p->at < p->text.n && p->text.p[p->at] != c; p->at++) {
        if (c == '"' && p->text.p[p->at] == '\\' && p->at + 1 < p->text.n) p->at++;
        text[n++] = p->text.p[p->at];
    }
    if (p->at == p->text.n) {
        p->at = from;
        return fail(p, ERR_INPUT, "no closing quote for the one", e);
    }
    p->at++;
    *out = str_n(text, n);
    return true;
}

/* span.K, .K: K. A name in quotes may follow the scope: span."a b". */
static bool read_field(struct parser *p, str *out, struct err *e) {
    bool quoted;
    if (!read_word(p, out, &quoted, e)) return false;
    if (quoted) return fail(p, ERR_INPUT, "expected a field before", e);
    bool scope_only = str_eq(*out, STR("span.")) || str_eq(*out, STR("resource.")) || str_eq(*out, STR("."));
    str rest;
    if (scope_only && p->at < p->text.n && p->text.p[p->at] == '"') {
        if (!read_word(p, &rest, &quoted, e)) return false;
        *out = arena_printf(p->arena, "%" STR_F "%" STR_F, STR_A(*out), STR_A(rest));
    }
    return true;
}

enum op { OP_EQ, OP_LT, OP_LE, OP_GT, OP_GE };
static bool read_op(struct parser *p, enum op *out, struct err *e) {
    static const struct {
        const char *text;
        enum op op;
    } ops[] = {{"<=", OP_LE}, {">=", OP_GE}, {"<", OP_LT}, {">", OP_GT}, {"=", OP_EQ}};
    peek(p);
    str rest = str_from(p->text, p->at);
    if (str_starts(rest, STR("=~")) || str_starts(rest, STR("!"))) return fail(p, ERR_UNSUPPORTED, "only = < <= > >= are supported, not what is", e);
    for (size_t i = 0; i < ARRAY_N(ops); i++) {
        if (!str_starts(rest, str_c(ops[i].text))) continue;
        p->at += strlen(ops[i].text);
        *out = ops[i].op;
        return true;
    }
    return fail(p, ERR_INPUT, "expected an operator", e);
}

static bool limit_duration(struct parser *p, enum op op, str text, struct err *e) {
    struct trace_search *s = p->out;
    int64_t ns;
    struct err inner;
    if (!duration_parse_go(text, &ns, &inner) || ns < 0) return fail(p, ERR_INPUT, "expected a duration such as 100ms before what is", e);
    int64_t lo = op == OP_GT ? ns + (ns < INT64_MAX) : op == OP_GE || op == OP_EQ ? ns : 0;
    int64_t hi = op == OP_LT ? MAX(ns - 1, INT64_C(1)) : op == OP_LE || op == OP_EQ ? MAX(ns, INT64_C(1)) : 0;
    s->min_ns = MAX(s->min_ns, lo);
    if (hi) s->max_ns = s->max_ns ? MIN(s->max_ns, hi) : hi;
    return true;
}

static bool read_condition(struct parser *p, struct err *e) {
    struct trace_search *s = p->out;
    str field, value;
    enum op op;
    bool quoted;
    if (!read_field(p, &field, e) || !read_op(p, &op, e) || !read_word(p, &value, &quoted, e)) return false;
    if (str_eq(field, STR("duration")) || str_eq(field, STR("span:duration"))) return limit_duration(p, op, value, e);
    if (op != OP_EQ) return fail(p, ERR_UNSUPPORTED, "order is supported for duration only, before what is", e);
    if (!quoted && str_eq(value, STR("nil"))) return fail(p, ERR_UNSUPPORTED, "nil is not supported, before what is", e);
    bool is_attribute = str_starts(field, STR("span.")) || str_starts(field, STR("resource.")) || str_starts(field, STR("."));
    if (str_eq(field, STR("resource.service.name")) || str_eq(field, STR(".service.name"))) return s->service = value, true;
    if (str_eq(field, STR("name")) || str_eq(field, STR("span:name"))) return s->operation = value, true;
    struct trace_tag tag = {.value = value};
    if (str_eq(field, STR("status")) || str_eq(field, STR("span:status")))
        tag.key = STR("span.status");
    else if (str_eq(field, STR("kind")) || str_eq(field, STR("span:kind")))
        tag.key = STR("span.kind");
    else if (is_attribute)
        tag.key = str_starts(field, STR("resource.")) ? field : str_from(field, str_find_char(field, '.') + 1);
    if (tag.key.n == 0) return fail(p, ERR_UNSUPPORTED, "no field that is supported, before what is", e);
    avec_push(p->arena, &p->tags, tag);
    return true;
}

bool traceql_parse(str text, struct arena *a, struct trace_search *out, struct err *e) {
    struct parser p = {.text = text, .arena = a, .out = out};
    for (size_t i = 0; i < out->tag_n; i++) avec_push(a, &p.tags, out->tags[i]);
    if (peek(&p) != '{') return fail(&p, ERR_INPUT, "expected {", e);
    p.at++;
    for (bool more = peek(&p) != '}'; more; p.at += more ? 2 : 0) {
        if (peek(&p) == '(' || peek(&p) == '!') return fail(&p, ERR_UNSUPPORTED, "only conditions joined by && are supported, not what is", e);
        if (!read_condition(&p, e)) return false;
        peek(&p);
        more = str_starts(str_from(p.text, p.at), STR("&&"));
    }
    if (peek(&p) == '|') return fail(&p, ERR_UNSUPPORTED, "only conditions joined by && are supported, not what is", e);
    if (peek(&p) != '}') return fail(&p, ERR_INPUT, "expected && or }", e);
    p.at++;
    if (peek(&p)) return fail(&p, ERR_UNSUPPORTED, "only one { } is supported, not what is", e);
    out->tags = p.tags.p;
    out->tag_n = p.tags.n;
    return true;
}
