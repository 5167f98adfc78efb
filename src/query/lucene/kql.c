/* Kibana Query Language (kibana: packages/kbn-es-query/grammar): or < and < not, lists of values in parentheses, comparisons, '*' wildcards.
 *
 *   or     := and ("or" and)*          and := not ("and" not)*          not := "not"? (group | expression)
 *   group  := '(' or ')'               expression := field (">=" | "<=" | ">" | "<") literal | field ':' values | value
 *   values := value | '(' the same over values, with or, and, not ')'
 * Keywords count only with blanks around them; an unquoted literal may hold blanks.                                                     */
#include "base/vec.h"
#include "codec/text.h"
#include "query/lucene/ast.h"

struct parser {
    str query;
    size_t at;
    struct arena *a;
    struct err *e;
    unsigned depth;
    size_t clauses_n;
};
/* Inside field:( ... ) the field is known. */
struct scope {
    bool inside;
    str field;
};
struct literal {
    str text;
    str pattern; /* as a wildcard pattern: escapes kept for '*' only */
    bool quoted, wild;
};

static bool refuse(struct parser *p, const char *what) {
    return query_refuse(p->e, "kql", p->query, p->at, what);
}
static size_t blank(const struct parser *p, size_t at) {
    if (at >= p->query.n) return 0;
    char c = p->query.p[at];
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') return 1;
    return str_starts(str_from(p->query, at), STR("\u00a0")) ? 2 : 0;
}
static size_t skip(const struct parser *p, size_t at) {
    for (size_t n; (n = blank(p, at));) at += n;
    return at;
}
static void skip_blanks(struct parser *p) {
    p->at = skip(p, p->at);
}
static bool accept(struct parser *p, char c) {
    if (p->at >= p->query.n || p->query.p[p->at] != c) return false;
    p->at++;
    return true;
}

/* Where a keyword with blanks behind it (and, for and/or, before it) ends; 0: none at `at`. */
static size_t keyword_end(const struct parser *p, size_t at, str word, bool blank_before) {
    size_t from = skip(p, at);
    if (blank_before && from == at) return 0;
    if (!blank_before && from != at) return 0;
    str here = str_sub(p->query, from, from + word.n);
    size_t end = from + word.n;
    return str_eq_nocase(here, word) && blank(p, end) ? skip(p, end) : 0;
}
static bool any_keyword(const struct parser *p, size_t at) {
    return keyword_end(p, at, STR("or"), true) || keyword_end(p, at, STR("and"), true) || keyword_end(p, at, STR("not"), false);
}
static bool accept_keyword(struct parser *p, str word, bool blank_before) {
    size_t end = keyword_end(p, p->at, word, blank_before);
    if (end) p->at = end;
    return end;
}

static const char special[] = "\\():<>\"*{}";

/* One backslash sequence: \t \r \n, a special character, \uXXXX or a keyword (\and). Anything else keeps its backslash. */
static void take_escape(struct parser *p, struct buf *text, struct buf *pattern) {
    static const char blanks[][2] = {{'t', '\t'}, {'r', '\r'}, {'n', '\n'}};
    char c = p->at < p->query.n ? p->query.p[p->at] : 0;
    char out = 0;
    for (size_t i = 0; i < ARRAY_N(blanks); i++)
        if (c == blanks[i][0]) out = blanks[i][1];
    if (c && strchr(special, c)) out = c;
    uint64_t unit;
    char utf8[4];
    if (out) {
        p->at++;
        buf_char(text, out);
        if (memchr("*?\\", out, 3)) buf_char(pattern, '\\');
        buf_char(pattern, out);
    } else if (c == 'u' && p->query.n - p->at >= 5 && str_hex_u64(str_sub(p->query, p->at + 1, p->at + 5), &unit)) {
        p->at += 5;
        size_t n = utf8_encode(utf8, (uint32_t)unit);
        buf_put(text, utf8, n);
        buf_put(pattern, utf8, n);
    } else {
        static const str words[] = {STR_INIT("and"), STR_INIT("or"), STR_INIT("not")};
        for (size_t i = 0; i < ARRAY_N(words); i++) {
            str here = str_sub(p->query, p->at, p->at + words[i].n);
            if (!str_eq_nocase(here, words[i])) continue;
            buf_add(text, here);
            buf_add(pattern, here);
            p->at += here.n;
            return;
        }
        buf_char(text, '\\');
        buf_add(pattern, STR("\\\\"));
    }
}

static void read_literal(struct parser *p, struct literal *l, struct buf *text, struct buf *pattern) {
    while (p->at < p->query.n) {
        char c = p->query.p[p->at];
        if (l->quoted ? c == '"' : any_keyword(p, p->at)) return;
        if (!l->quoted && c != '*' && c != '\\' && c && strchr(special, c)) return;
        p->at++;
        if (c == '\\') {
            take_escape(p, text, pattern);
            continue;
        }
        if (c == '*' && !l->quoted) l->wild = true;
        if (c == '?' || (c == '*' && l->quoted)) buf_char(pattern, '\\');
        buf_char(text, c);
        buf_char(pattern, c);
    }
}
/* A quoted string or an unquoted run, trimmed. */
static bool parse_literal(struct parser *p, struct literal *out) {
    struct literal l = {.quoted = accept(p, '"')};
    struct buf text = {0}, pattern = {0};
    read_literal(p, &l, &text, &pattern);
    l.text = arena_str(p->a, buf_str(&text));
    l.pattern = arena_str(p->a, str_trim(buf_str(&pattern)));
    buf_done(&text);
    buf_done(&pattern);
    if (l.quoted && !accept(p, '"')) return refuse(p, "expected '\"': the quoted text is not closed");
    if (!l.quoted) l.text = str_trim(l.text);
    if (!l.quoted && l.text.n == 0) return refuse(p, "expected a value or a field name");
    *out = l;
    return true;
}

static struct query_node *leaf_node(struct parser *p, const struct scope *s, struct literal l) {
    struct query_node *n = arena_one(p->a, struct query_node);
    n->type = NODE_LEAF;
    n->own_field = s->inside;
    n->field = s->field;
    n->leaf = (struct leaf){.op = l.quoted ? LEAF_PHRASE : l.wild ? LEAF_WILDCARD : LEAF_MATCH, .text = l.wild ? l.pattern : l.text};
    return n;
}

typedef bool parse_fn(struct parser *p, const struct scope *s, const struct query_node **out);
static parse_fn parse_or, parse_and, parse_not;

/* item (word item)*, all with one occur. */
static bool parse_list(struct parser *p, const struct scope *s, str word, enum occur occur, parse_fn *item, const struct query_node **out) {
    const struct query_node *first;
    if (!item(p, s, &first)) return false;
    *out = first;
    struct query_node *list = NULL;
    while (accept_keyword(p, word, true)) {
        const struct query_node *more;
        if (!item(p, s, &more)) return false;
        if (++p->clauses_n > QUERY_CLAUSES_MAX) return refuse(p, "too many clauses");
        if (!list) {
            list = arena_one(p->a, struct query_node);
            list->type = NODE_BOOL;
            avec_push(p->a, &list->clauses, ((struct clause){occur, first}));
            *out = list;
        }
        avec_push(p->a, &list->clauses, ((struct clause){occur, more}));
    }
    return true;
}
static bool parse_or(struct parser *p, const struct scope *s, const struct query_node **out) {
    return parse_list(p, s, STR("or"), OCCUR_SHOULD, parse_and, out);
}
static bool parse_and(struct parser *p, const struct scope *s, const struct query_node **out) {
    return parse_list(p, s, STR("and"), OCCUR_MUST, parse_not, out);
}

static bool parse_group(struct parser *p, const struct scope *s, const struct query_node **out) {
    if (++p->depth > QUERY_DEPTH_MAX) return refuse(p, "parentheses are nested too deeply");
    skip_blanks(p);
    if (!parse_or(p, s, out)) return false;
    skip_blanks(p);
    if (!accept(p, ')')) return refuse(p, "expected ')'");
    p->depth--;
    return true;
}

static bool parse_comparison(struct parser *p, str field, const struct query_node **out) {
    bool lo = p->query.p[p->at++] == '>';
    bool open = !accept(p, '=');
    skip_blanks(p);
    struct literal l;
    if (!parse_literal(p, &l)) return false;
    struct scope s = {.inside = true, .field = field};
    struct query_node *n = leaf_node(p, &s, l);
    n->leaf = (struct leaf){.op = LEAF_RANGE, .has_lo = lo, .has_hi = !lo, .lo_open = open, .hi_open = open, .lo = l.text, .hi = l.text};
    *out = n;
    return true;
}

static bool parse_expression(struct parser *p, const struct scope *s, const struct query_node **out) {
    struct literal l;
    if (!parse_literal(p, &l)) return false;
    size_t behind = skip(p, p->at);
    char c = behind < p->query.n ? p->query.p[behind] : 0;
    if (s->inside || (c != ':' && c != '<' && c != '>')) {
        *out = leaf_node(p, s, l);
        return true;
    }
    p->at = behind;
    if (c != ':') return parse_comparison(p, l.text, out);
    p->at++;
    skip_blanks(p);
    struct scope field = {.inside = true, .field = l.text};
    if (accept(p, '{')) return err_set(p->e, ERR_UNSUPPORTED, "kql: nested fields (field: { ... }) are not offered: fields are flat here");
    if (accept(p, '(')) return parse_group(p, &field, out);
    return parse_expression(p, &field, out);
}

static bool parse_not(struct parser *p, const struct scope *s, const struct query_node **out) {
    bool negated = accept_keyword(p, STR("not"), false);
    const struct query_node *inner;
    if (accept(p, '(') ? !parse_group(p, s, &inner) : !parse_expression(p, s, &inner)) return false;
    *out = inner;
    if (!negated) return true;
    struct query_node *n = arena_one(p->a, struct query_node);
    n->type = NODE_BOOL;
    avec_push(p->a, &n->clauses, ((struct clause){OCCUR_NOT, inner}));
    *out = n;
    return true;
}

bool kql_parse(str query, struct arena *a, const struct query_node **out, struct err *e) {
    if (query.n > QUERY_BYTES_MAX) return err_set(e, ERR_INPUT, "kql: the query is longer than %d bytes", QUERY_BYTES_MAX);
    struct parser p = {.query = query, .a = a, .e = e};
    skip_blanks(&p);
    const struct query_node *node = NULL;
    if (p.at < query.n) {
        struct scope everywhere = {0};
        if (!parse_or(&p, &everywhere, &node)) return false;
        skip_blanks(&p);
        if (p.at < query.n) return refuse(&p, "expected the end of the query, \"and\" or \"or\"");
    }
    *out = node;
    return true;
}
