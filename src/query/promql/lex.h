/* query/promql/lex: PromQL text to tokens, one at a time, with Prometheus' error texts. Pure; any thread; tokens borrow from the text. */
#pragma once
#include "base/err.h"
#include "query/promql/ast.h"

enum tok {
    TOK_EOF,
    TOK_ERROR,  /* lexer.error says why */
    TOK_IDENT,  /* a name without ':' */
    TOK_METRIC, /* a name with ':' */
    TOK_STRING,
    TOK_NUMBER,
    TOK_DURATION,
    TOK_LPAREN,
    TOK_RPAREN,
    TOK_LBRACE,
    TOK_RBRACE,
    TOK_LBRACKET,
    TOK_RBRACKET,
    TOK_COMMA,
    TOK_COLON,
    TOK_EQUAL, /* = */
    TOK_EQL_REGEX,
    TOK_NEQ_REGEX,
    TOK_AT,
    TOK_OP,  /* token.op */
    TOK_AGG, /* token.agg */
    TOK_KEYWORD,
};

enum keyword {
    KW_OFFSET,
    KW_SMOOTHED,
    KW_ANCHORED,
    KW_BY,
    KW_WITHOUT,
    KW_ON,
    KW_IGNORING,
    KW_GROUP_LEFT,
    KW_GROUP_RIGHT,
    KW_BOOL,
    KW_START,
    KW_END,
    KW_STEP,
    KW_RANGE,
    KW_FILL,
    KW_FILL_LEFT,
    KW_FILL_RIGHT,
    KW_MIN_OF,
    KW_MAX_OF,
};

struct token {
    enum tok kind;
    enum op op;
    enum agg_op agg;
    enum keyword kw;
    uint32_t from, to;
    str text;
};

struct lexer {
    str text;
    size_t at;
    unsigned parens;
    bool braces, brackets, after_colon;
    char error[160];
};

struct token lex_next(struct lexer *l);
/* Go's escapes of a quoted token into out (arena); `raw` strings (backticks) are taken as they are. false: reason in why[96]. */
MUST_USE bool lex_unquote(struct arena *a, str quoted, str *out, char why[96]);
