/* simple_query_string: + and, | or, - not, "phrase", word*, word~n, "phrase"~n, ( ). Whatever makes no sense is a plain word or nothing. As in
 * Elasticsearch + binds like |, from left to right. */
#include "base/vec.h"
#include "query/lucene/ast.h"

struct parser {
    str query;
    size_t at;
    struct arena *a;
    const struct lucene_syntax *syntax;
    struct err *e;
    size_t clauses_n;
    unsigned depth;
};

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
static bool is_operator(char c) {
    return c && (strchr("+|\"()", c) || is_blank(c));
}

/* "~2" behind a word or phrase; -1: a bare '~'; false: none. */
static bool take_tilde(struct parser *p, int64_t *n) {
    str q = p->query;
    if (p->at >= q.n || q.p[p->at] != '~') return false;
    size_t from = ++p->at;
    while (p->at < q.n && q.p[p->at] >= '0' && q.p[p->at] <= '9') p->at++;
    if (!str_i64(str_sub(q, from, p->at), n)) *n = -1;
    return true;
}

static struct query_node *take_phrase(struct parser *p) {
    struct query_node *n = arena_one(p->a, struct query_node);
    n->type = NODE_LEAF;
    n->leaf.op = LEAF_PHRASE;
    n->leaf.slop = p->syntax->phrase_slop;
    size_t from = ++p->at, length = 0;
    char *text = arena_alloc(p->a, p->query.n - from + 1);
    for (; p->at < p->query.n && p->query.p[p->at] != '"'; p->at++) {
        if (p->query.p[p->at] == '\\' && p->at + 1 < p->query.n) p->at++;
        text[length++] = p->query.p[p->at];
    }
    p->at += p->at < p->query.n;
    n->leaf.text = str_n(text, length);
    int64_t slop;
    if (take_tilde(p, &slop) && slop >= 0) n->leaf.slop = (uint32_t)MIN(slop, INT32_MAX);
    return n;
}

static struct query_node *take_word(struct parser *p) {
    struct query_node *n = arena_one(p->a, struct query_node);
    n->type = NODE_LEAF;
    n->leaf.op = LEAF_MATCH;
    n->leaf.all_words = p->syntax->default_and;
    char *text = arena_alloc(p->a, p->query.n - p->at + 1);
    size_t length = 0;
    bool last_escaped = false;
    int64_t edits;
    for (; p->at < p->query.n && !is_operator(p->query.p[p->at]) && p->query.p[p->at] != '~'; p->at++) {
        last_escaped = p->query.p[p->at] == '\\' && p->at + 1 < p->query.n;
        if (last_escaped) p->at++;
        text[length++] = p->query.p[p->at];
    }
    if (take_tilde(p, &edits) && edits != 0) {
        n->leaf.op = LEAF_FUZZY;
        n->leaf.auto_edits = edits < 0;
        n->leaf.fuzziness.edits = (unsigned)(edits < 0 ? 0 : MIN(edits, 2));
    } else if (length > 1 && text[length - 1] == '*' && !last_escaped) {
        n->leaf.op = LEAF_PREFIX;
        length--;
    }
    n->leaf.text = str_n(text, length);
    return n;
}

static bool parse_level(struct parser *p, const struct query_node **out);

/* One operand, or NULL at a stray character. */
static bool take_operand(struct parser *p, const struct query_node **out) {
    *out = NULL;
    char c = p->query.p[p->at];
    if (c == '"') {
        *out = take_phrase(p);
    } else if (c == '(') {
        p->at++;
        if (++p->depth > QUERY_DEPTH_MAX) return err_set(p->e, ERR_INPUT, "simple_query_string: parentheses are nested too deeply");
        if (!parse_level(p, out)) return false;
        p->depth--;
        p->at += p->at < p->query.n;
    } else if (is_operator(c) || c == '~') {
        p->at++;
    } else {
        *out = take_word(p);
    }
    return true;
}

static struct query_node *joined(struct parser *p, const struct query_node *left, const struct query_node *right, enum occur occur) {
    struct query_node *b = arena_one(p->a, struct query_node);
    b->type = NODE_BOOL;
    if (left) avec_push(p->a, &b->clauses, ((struct clause){occur, left}));
    avec_push(p->a, &b->clauses, ((struct clause){occur, right}));
    return b;
}

/* Up to ')' or the end. */
static bool parse_level(struct parser *p, const struct query_node **out) {
    const struct query_node *left = NULL;
    struct query_node *list = NULL; /* what `left` is while one operator goes on */
    enum occur usual = p->syntax->default_and ? OCCUR_MUST : OCCUR_SHOULD, occur = usual;
    bool negated = false;
    while (p->at < p->query.n && p->query.p[p->at] != ')') {
        char c = p->query.p[p->at];
        if (is_blank(c) || c == '+' || c == '|' || c == '-') {
            if (c == '+') occur = OCCUR_MUST;
            if (c == '|') occur = OCCUR_SHOULD;
            if (c == '-') negated = !negated;
            p->at++;
            continue;
        }
        const struct query_node *right;
        if (++p->clauses_n > QUERY_CLAUSES_MAX) return err_set(p->e, ERR_INPUT, "simple_query_string: too many clauses");
        if (!take_operand(p, &right)) return false;
        if (!right) continue;
        if (negated) {
            struct query_node *not_right = joined(p, NULL, right, OCCUR_NOT);
            right = not_right;
        }
        if (!left)
            left = right;
        else if (list && list->clauses.p[0].occur == occur)
            avec_push(p->a, &list->clauses, ((struct clause){occur, right}));
        else
            left = list = joined(p, left, right, occur);
        occur = usual;
        negated = false;
    }
    *out = left;
    return true;
}

bool simple_query_parse(str query, const struct lucene_syntax *syntax, struct arena *a, const struct query_node **out, struct err *e) {
    if (query.n > QUERY_BYTES_MAX) return err_set(e, ERR_INPUT, "simple_query_string: the query is longer than %d bytes", QUERY_BYTES_MAX);
    struct parser p = {.query = query, .a = a, .syntax = syntax, .e = e};
    const struct query_node *whole = NULL;
    while (p.at < query.n) { /* a stray ')' ends a level early: go on behind it */
        const struct query_node *part;
        if (!parse_level(&p, &part)) return false;
        if (part) whole = whole ? joined(&p, whole, part, syntax->default_and ? OCCUR_MUST : OCCUR_SHOULD) : part;
        p.at++;
    }
    *out = whole;
    return true;
}
