/* Lucene's classic syntax: a lexer with the grammar's longest-match tokens, and its recursive descent. */
#include <math.h>

#include "base/vec.h"
#include "codec/num.h"
#include "codec/text.h"
#include "query/lucene/ast.h"

enum token_type {
    T_END,
    T_AND,
    T_OR,
    T_NOT,
    T_PLUS,
    T_MINUS,
    T_BARE_OPERATOR, /* + - ! before a blank: a word, not an operator */
    T_OPEN,
    T_CLOSE,
    T_COLON,
    T_STAR,
    T_BOOST, /* ^2.5 */
    T_QUOTED,
    T_TERM,
    T_TILDE, /* ~ or ~2 */
    T_PREFIX,
    T_WILDCARD,
    T_REGEXP,
    T_RANGE, /* [a TO b} */
    T_BAD,
};
struct token {
    enum token_type type;
    str text; /* quotes, slashes, '^' and '~' are not part of it */
    size_t at, end;
};

struct bound {
    str text;
    bool quoted;
};
struct parser {
    str query;
    size_t at; /* behind `token` */
    struct token token;
    struct arena *a;
    const struct lucene_syntax *syntax;
    struct err *e;
    const char *bad; /* T_BAD: what is wrong */
    struct bound lo, hi;
    bool lo_open, hi_open; /* of the last T_RANGE */
    unsigned depth;
    size_t clauses_n;
};

bool query_refuse(struct err *e, const char *syntax, str query, size_t at, const char *what) {
    unsigned line = 1, column = 1;
    for (size_t i = 0; i < at && i < query.n; i++) {
        column += ((uint8_t)query.p[i] & 0xc0) != 0x80;
        if (query.p[i] != '\n') continue;
        line++;
        column = 1;
    }
    return err_set(e, ERR_INPUT, "%s: %s (line %u, column %u, byte %zu)", syntax, what, line, column, at);
}

/* --- lexer */
static size_t blank(str q, size_t at) { /* length of the blank at `at`, or 0 */
    if (at >= q.n) return 0;
    if (q.p[at] && strchr(" \t\n\r", q.p[at])) return 1;
    return str_starts(str_from(q, at), STR("\u3000")) ? 3 : 0;
}
static bool in(char c, const char *set) {
    return c && strchr(set, c);
}
/* Length of a character that may start (or, inside, continue) a term; 0: none. -1 is a backslash with nothing behind it. */
static int term_char(str q, size_t at, bool start) {
    if (at >= q.n || blank(q, at)) return 0;
    char c = q.p[at];
    if (c == '\\') return at + 1 < q.n ? 1 + (int)MAX(1u, utf8_length(str_from(q, at + 1))) : -1;
    if (in(c, "!():^[]\"{}~*?/")) return 0;
    if (start && in(c, "+-")) return 0;
    return 1;
}

static struct token token(enum token_type type, str q, size_t from, size_t to, size_t at, size_t end) {
    return (struct token){type, str_sub(q, from, to), at, end};
}
static struct token bad(struct parser *p, size_t at, const char *why) {
    p->bad = why;
    return (struct token){T_BAD, STR_NULL, at, at};
}

/* From an opening quote or slash to its unescaped twin; STR_NONE: none. */
static size_t closing(str q, size_t at, char quote) {
    for (size_t i = at + 1; i < q.n; i++) {
        if (q.p[i] == '\\')
            i++;
        else if (q.p[i] == quote)
            return i;
    }
    return STR_NONE;
}

static struct token lex_word(struct parser *p, size_t at) {
    str q = p->query;
    size_t i = at;
    bool wild = false, one_star_at_end = false;
    for (int n;;) {
        if (i < q.n && in(q.p[i], "*?")) {
            one_star_at_end = q.p[i] == '*' && !wild;
            wild = true;
            i++;
            continue;
        }
        n = term_char(q, i, i == at);
        if (n < 0) return bad(p, i, "the query ends in a backslash");
        if (n == 0) break;
        one_star_at_end = false;
        i += (size_t)n;
    }
    str text = str_sub(q, at, i);
    if (str_eq(text, STR("*"))) return token(T_STAR, q, at, i, at, i);
    if (one_star_at_end) return token(T_PREFIX, q, at, i - 1, at, i);
    if (wild) return token(T_WILDCARD, q, at, i, at, i);
    static const struct {
        str word;
        enum token_type type;
    } words[] = {{STR_INIT("AND"), T_AND}, {STR_INIT("&&"), T_AND}, {STR_INIT("OR"), T_OR}, {STR_INIT("||"), T_OR}, {STR_INIT("NOT"), T_NOT}};
    for (size_t k = 0; k < ARRAY_N(words); k++)
        if (str_eq(words[k].word, text)) return token(words[k].type, q, at, i, at, i);
    if (i == at) return bad(p, at, "unexpected character");
    return token(T_TERM, q, at, i, at, i);
}

static size_t skip_blanks(str q, size_t at) {
    for (size_t n; (n = blank(q, at));) at += n;
    return at;
}
static bool lex_bound(struct parser *p, size_t *at, struct bound *out) {
    str q = p->query;
    size_t from = skip_blanks(q, *at), to = from;
    if (from < q.n && q.p[from] == '"') {
        to = closing(q, from, '"');
        if (to == STR_NONE || to == from + 1) return false;
        *out = (struct bound){str_sub(q, from + 1, to), true};
        *at = to + 1;
        return true;
    }
    while (to < q.n && !in(q.p[to], " ]}")) to++;
    if (to == from) return false;
    *out = (struct bound){str_sub(q, from, to), false};
    *at = to;
    return true;
}
static struct token lex_range(struct parser *p, size_t at) {
    str q = p->query;
    size_t i = at + 1;
    p->lo_open = q.p[at] == '{';
    if (!lex_bound(p, &i, &p->lo)) return bad(p, i, "expected the lower bound of a range");
    size_t before_to = i;
    struct bound to;
    if (!lex_bound(p, &i, &to)) return bad(p, i, "expected \"TO\" and the upper bound of a range");
    if (to.quoted || !str_eq(to.text, STR("TO"))) i = before_to; /* the grammar lets TO be left out */
    if (!lex_bound(p, &i, &p->hi)) return bad(p, i, "expected the upper bound of a range");
    i = skip_blanks(q, i);
    if (i >= q.n || !in(q.p[i], "]}")) return bad(p, i, "expected ']' or '}' at the end of a range");
    p->hi_open = q.p[i] == '}';
    return token(T_RANGE, q, at, i + 1, at, i + 1);
}

static size_t digits(str q, size_t at) {
    while (at < q.n && q.p[at] >= '0' && q.p[at] <= '9') at++;
    return at;
}
static size_t decimal(str q, size_t at) {
    size_t end = digits(q, at);
    if (end > at && end < q.n && q.p[end] == '.' && digits(q, end + 1) > end + 1) end = digits(q, end + 1);
    return end;
}

static struct token lex(struct parser *p, size_t at) {
    str q = p->query;
    at = skip_blanks(q, at);
    if (at >= q.n) return token(T_END, q, at, at, at, at);
    size_t end;
    switch (q.p[at]) {
    case '+':
    case '-':
    case '!':
        if (blank(q, at + 1)) return token(T_BARE_OPERATOR, q, at, at + 1, at, at + 1);
        return token(q.p[at] == '+' ? T_PLUS : q.p[at] == '-' ? T_MINUS : T_NOT, q, at, at + 1, at, at + 1);
    case '(': return token(T_OPEN, q, at, at + 1, at, at + 1);
    case ')': return token(T_CLOSE, q, at, at + 1, at, at + 1);
    case ':': return token(T_COLON, q, at, at + 1, at, at + 1);
    case '^':
        end = decimal(q, skip_blanks(q, at + 1));
        if (digits(q, skip_blanks(q, at + 1)) == skip_blanks(q, at + 1)) return bad(p, skip_blanks(q, at + 1), "expected a number behind '^'");
        return token(T_BOOST, q, at + 1, end, at, end);
    case '~': end = decimal(q, at + 1); return token(T_TILDE, q, at + 1, end, at, end);
    case '"':
        end = closing(q, at, '"');
        if (end == STR_NONE) return bad(p, at, "the phrase that begins here is not closed: add a '\"'");
        return token(T_QUOTED, q, at + 1, end, at, end + 1);
    case '/':
        end = closing(q, at, '/');
        if (end == STR_NONE) return bad(p, at, "the regular expression that begins here is not closed: add a '/', or write \\/ for a plain slash");
        return token(T_REGEXP, q, at + 1, end, at, end + 1);
    case '[':
    case '{': return lex_range(p, at);
    }
    return lex_word(p, at);
}

static void next(struct parser *p) {
    p->token = lex(p, p->at);
    p->at = p->token.end;
}
/* The token behind the current one. Ranges would overwrite the current one's bounds: those are kept. */
static struct token ahead(struct parser *p) {
    struct parser copy = *p;
    return lex(&copy, p->at);
}

static bool refuse(struct parser *p, const char *expected) {
    if (p->token.type == T_BAD) return query_refuse(p->e, "query_string", p->query, p->token.at, p->bad);
    str found = p->token.type == T_END ? STR("the end of the query") : str_sub(p->query, p->token.at, MIN(p->token.end, p->token.at + 20));
    str what = arena_printf(p->a, "expected %s, found %" STR_F, expected, STR_A(found));
    return query_refuse(p->e, "query_string", p->query, p->token.at, arena_cstr(p->a, what));
}

/* --- escapes: \c is c, \uXXXX a UTF-16 unit */
static bool unescape(struct parser *p, str s, str *out) {
    if (str_find_char(s, '\\') == STR_NONE) {
        *out = s;
        return true;
    }
    char *text = arena_alloc(p->a, s.n + 4);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '\\' || i + 1 == s.n) {
            text[n++] = s.p[i];
            continue;
        }
        i++;
        if (s.p[i] != 'u') {
            text[n++] = s.p[i];
            continue;
        }
        uint64_t unit;
        if (s.n - i < 5 || !str_hex_u64(str_sub(s, i + 1, i + 5), &unit))
            return query_refuse(p->e, "query_string", p->query, (size_t)(s.p - p->query.p) + i - 1, "\\u needs four hexadecimal digits");
        n += utf8_encode(text + n, (uint32_t)unit);
        i += 4;
    }
    *out = str_n(text, n);
    return true;
}

/* --- grammar */
static bool parse_query(struct parser *p, bool own_field, str field, const struct query_node **out);

static struct query_node *leaf_node(struct parser *p, enum leaf_op op, bool own_field, str field) {
    struct query_node *n = arena_one(p->a, struct query_node);
    n->type = NODE_LEAF;
    n->own_field = own_field;
    n->field = field;
    n->leaf.op = op;
    return n;
}

/* ">=5" and its like on a bare word: a range. */
static void take_comparison(struct leaf *leaf) {
    static const struct {
        str sign;
        bool lo, open;
    } signs[] = {{STR_INIT(">="), true, false}, {STR_INIT("<="), false, false}, {STR_INIT(">"), true, true}, {STR_INIT("<"), false, true}};
    for (size_t i = 0; i < ARRAY_N(signs); i++) {
        if (!str_starts(leaf->text, signs[i].sign) || leaf->text.n == signs[i].sign.n) continue;
        str value = str_from(leaf->text, signs[i].sign.n);
        *leaf = (struct leaf){.op = LEAF_RANGE, .has_lo = signs[i].lo, .has_hi = !signs[i].lo, .lo_open = signs[i].open, .hi_open = signs[i].open};
        if (signs[i].lo)
            leaf->lo = value;
        else
            leaf->hi = value;
        return;
    }
}

/* word~: automatic edits; ~0 ~1 ~2; ~0.8: the old similarity. */
static bool set_fuzziness(struct parser *p, struct token tilde, struct leaf *leaf) {
    double v;
    leaf->op = LEAF_FUZZY;
    leaf->auto_edits = tilde.text.n == 0;
    if (leaf->auto_edits) return true;
    if (!num_parse_double(tilde.text, &v)) v = 3;
    if (v > 2 || (v >= 1 && v != floor(v)))
        return query_refuse(p->e, "query_string", p->query, tilde.at, "a fuzzy word allows 0, 1 or 2 edits: ~, ~0, ~1 or ~2");
    size_t length = 0;
    for (size_t i = 0; i < leaf->text.n; i++) length += ((uint8_t)leaf->text.p[i] & 0xc0) != 0x80;
    leaf->fuzziness.edits = (unsigned)(v >= 1 ? v : v == 0 ? 0 : MIN(2.0, (1 - v) * (double)length));
    return true;
}

/* ^boost and ~n in either order. */
static void take_suffixes(struct parser *p, bool tilde_allowed, struct token *tilde) {
    bool boosted = false;
    while ((p->token.type == T_BOOST && !boosted) || (p->token.type == T_TILDE && tilde_allowed && tilde->type == T_END)) {
        if (p->token.type == T_TILDE)
            *tilde = p->token;
        else
            boosted = true;
        next(p);
    }
}

static void set_bound(str text, bool quoted, bool *has, str *out) {
    *has = quoted || !str_eq(text, STR("*"));
    *out = text;
}

static bool parse_term(struct parser *p, bool own_field, str field, const struct query_node **out) {
    struct token t = p->token, tilde = {0};
    struct query_node *n = leaf_node(p, LEAF_MATCH, own_field, field);
    struct leaf *leaf = &n->leaf;
    leaf->all_words = p->syntax->default_and;
    *out = n;
    switch (t.type) {
    case T_TERM:
    case T_BARE_OPERATOR:
        if (!unescape(p, t.text, &leaf->text)) return false;
        next(p);
        take_suffixes(p, true, &tilde);
        if (tilde.type == T_TILDE) return set_fuzziness(p, tilde, leaf);
        take_comparison(leaf);
        return true;
    case T_STAR:
    case T_WILDCARD:
        leaf->op = LEAF_WILDCARD;
        leaf->text = t.text;
        next(p);
        take_suffixes(p, true, &tilde);
        return true;
    case T_PREFIX:
        leaf->op = LEAF_PREFIX;
        if (!unescape(p, t.text, &leaf->text)) return false;
        next(p);
        take_suffixes(p, true, &tilde);
        return true;
    case T_REGEXP:
        leaf->op = LEAF_REGEXP;
        leaf->text = t.text;
        next(p);
        take_suffixes(p, true, &tilde);
        return true;
    case T_QUOTED: {
        double slop;
        leaf->op = LEAF_PHRASE;
        leaf->slop = p->syntax->phrase_slop;
        if (!unescape(p, t.text, &leaf->text)) return false;
        next(p);
        take_suffixes(p, true, &tilde);
        if (tilde.type == T_TILDE && num_parse_double(tilde.text, &slop)) leaf->slop = (uint32_t)MIN(slop, (double)INT32_MAX);
        return true;
    }
    case T_RANGE: {
        struct bound lo = p->lo, hi = p->hi;
        leaf->op = LEAF_RANGE;
        leaf->lo_open = p->lo_open;
        leaf->hi_open = p->hi_open;
        if (!unescape(p, lo.text, &lo.text) || !unescape(p, hi.text, &hi.text)) return false;
        set_bound(lo.text, lo.quoted, &leaf->has_lo, &leaf->lo);
        set_bound(hi.text, hi.quoted, &leaf->has_hi, &leaf->hi);
        next(p);
        take_suffixes(p, false, &tilde);
        return true;
    }
    case T_END:
    case T_AND:
    case T_OR:
    case T_NOT:
    case T_PLUS:
    case T_MINUS:
    case T_OPEN:
    case T_CLOSE:
    case T_COLON:
    case T_BOOST:
    case T_TILDE:
    case T_BAD: break;
    }
    return refuse(p, "a word, a \"phrase\", a range or '('");
}

static bool parse_clause(struct parser *p, bool own_field, str field, const struct query_node **out) {
    if ((p->token.type == T_TERM || p->token.type == T_STAR) && ahead(p).type == T_COLON) {
        own_field = true;
        if (!unescape(p, p->token.text, &field)) return false;
        next(p);
        next(p);
    }
    if (p->token.type != T_OPEN) return parse_term(p, own_field, field, out);
    if (++p->depth > QUERY_DEPTH_MAX) return query_refuse(p->e, "query_string", p->query, p->token.at, "parentheses are nested too deeply");
    next(p);
    if (!parse_query(p, own_field, field, out)) return false;
    if (p->token.type != T_CLOSE) return refuse(p, "')'");
    p->depth--;
    next(p);
    struct token tilde = {0};
    take_suffixes(p, false, &tilde);
    return true;
}

/* Two or more bare words that no operator, ':' '*' '~' or '^' claims are analysed as one text. */
static bool run_goes_on(struct parser *p) {
    if (p->token.type != T_TERM) return false;
    enum token_type after = ahead(p).type;
    return after != T_COLON && after != T_STAR && after != T_TILDE && after != T_BOOST && after != T_AND && after != T_OR;
}
static bool run_begins(struct parser *p) {
    if (p->token.type != T_TERM) return false;
    struct parser copy = *p;
    next(&copy);
    return run_goes_on(&copy);
}
static bool parse_run(struct parser *p, bool own_field, str field, const struct query_node **out) {
    struct query_node *n = leaf_node(p, LEAF_MATCH, own_field, field);
    n->leaf.all_words = p->syntax->default_and;
    struct buf text = {0};
    bool ok = true, first = true;
    while (ok && (first || run_goes_on(p))) {
        str word;
        ok = unescape(p, p->token.text, &word);
        if (ok && !first) buf_char(&text, ' ');
        if (ok) buf_add(&text, word);
        first = false;
        next(p);
    }
    n->leaf.text = arena_str(p->a, buf_str(&text));
    buf_done(&text);
    take_comparison(&n->leaf);
    *out = n;
    return ok;
}

static bool add_clause(struct parser *p, struct query_node *b, enum occur occur, const struct query_node *node) {
    if (!node) return true;
    if (++p->clauses_n > QUERY_CLAUSES_MAX) return query_refuse(p->e, "query_string", p->query, p->token.at, "too many clauses");
    avec_push(p->a, &b->clauses, ((struct clause){occur, node}));
    return true;
}

/* There is no precedence: AND also binds the clause before it, OR (when AND is the default) also frees it. */
static bool parse_joined(struct parser *p, struct query_node *b, bool own_field, str field) {
    enum token_type conjunction = p->token.type;
    struct clause *last = b->clauses.n ? &b->clauses.p[b->clauses.n - 1] : NULL;
    if (last && (conjunction == T_AND || conjunction == T_OR)) {
        next(p);
        if (conjunction == T_AND && last->occur != OCCUR_NOT) last->occur = OCCUR_MUST;
        if (conjunction == T_OR && p->syntax->default_and && last->occur != OCCUR_NOT) last->occur = OCCUR_SHOULD;
    }
    enum token_type modifier = p->token.type;
    bool negated = modifier == T_NOT || modifier == T_MINUS;
    if (negated || modifier == T_PLUS) next(p);
    bool required = p->syntax->default_and ? conjunction != T_OR : modifier == T_PLUS || conjunction == T_AND;
    const struct query_node *node;
    if (!parse_clause(p, own_field, field, &node)) return false;
    return add_clause(p, b, negated ? OCCUR_NOT : required ? OCCUR_MUST : OCCUR_SHOULD, node);
}

static bool parse_query(struct parser *p, bool own_field, str field, const struct query_node **out) {
    struct query_node *b = arena_one(p->a, struct query_node);
    b->type = NODE_BOOL;
    do {
        const struct query_node *run;
        if (!run_begins(p)) {
            if (!parse_joined(p, b, own_field, field)) return false;
            continue;
        }
        if (!parse_run(p, own_field, field, &run)) return false;
        if (!add_clause(p, b, p->syntax->default_and ? OCCUR_MUST : OCCUR_SHOULD, run)) return false;
    } while (p->token.type != T_END && p->token.type != T_CLOSE);
    *out = b;
    return true;
}

bool lucene_parse(str query, const struct lucene_syntax *syntax, struct arena *a, const struct query_node **out, struct err *e) {
    if (query.n > QUERY_BYTES_MAX) return err_set(e, ERR_INPUT, "query_string: the query is longer than %d bytes", QUERY_BYTES_MAX);
    struct parser p = {.query = query, .a = a, .syntax = syntax, .e = e};
    next(&p);
    const struct query_node *node = NULL;
    if (p.token.type != T_END) {
        if (!parse_query(&p, false, STR_NULL, &node)) return false;
        if (p.token.type != T_END) return refuse(&p, "a clause");
    }
    *out = node;
    return true;
}
