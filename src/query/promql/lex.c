#include "query/promql/lex.h"

#include <stdio.h>

#include "codec/text.h"

static const struct {
    str word;
    enum tok kind;
    int value;
} words[] = {
    {STR_INIT("and"), TOK_OP, OP_AND},
    {STR_INIT("or"), TOK_OP, OP_OR},
    {STR_INIT("unless"), TOK_OP, OP_UNLESS},
    {STR_INIT("atan2"), TOK_OP, OP_ATAN2},
    {STR_INIT("avg"), TOK_AGG, AGG_AVG},
    {STR_INIT("bottomk"), TOK_AGG, AGG_BOTTOMK},
    {STR_INIT("count"), TOK_AGG, AGG_COUNT},
    {STR_INIT("count_values"), TOK_AGG, AGG_COUNT_VALUES},
    {STR_INIT("group"), TOK_AGG, AGG_GROUP},
    {STR_INIT("limitk"), TOK_AGG, AGG_LIMITK},
    {STR_INIT("limit_ratio"), TOK_AGG, AGG_LIMIT_RATIO},
    {STR_INIT("max"), TOK_AGG, AGG_MAX},
    {STR_INIT("min"), TOK_AGG, AGG_MIN},
    {STR_INIT("quantile"), TOK_AGG, AGG_QUANTILE},
    {STR_INIT("stddev"), TOK_AGG, AGG_STDDEV},
    {STR_INIT("stdvar"), TOK_AGG, AGG_STDVAR},
    {STR_INIT("sum"), TOK_AGG, AGG_SUM},
    {STR_INIT("topk"), TOK_AGG, AGG_TOPK},
    {STR_INIT("offset"), TOK_KEYWORD, KW_OFFSET},
    {STR_INIT("smoothed"), TOK_KEYWORD, KW_SMOOTHED},
    {STR_INIT("anchored"), TOK_KEYWORD, KW_ANCHORED},
    {STR_INIT("by"), TOK_KEYWORD, KW_BY},
    {STR_INIT("without"), TOK_KEYWORD, KW_WITHOUT},
    {STR_INIT("on"), TOK_KEYWORD, KW_ON},
    {STR_INIT("ignoring"), TOK_KEYWORD, KW_IGNORING},
    {STR_INIT("group_left"), TOK_KEYWORD, KW_GROUP_LEFT},
    {STR_INIT("group_right"), TOK_KEYWORD, KW_GROUP_RIGHT},
    {STR_INIT("bool"), TOK_KEYWORD, KW_BOOL},
    {STR_INIT("start"), TOK_KEYWORD, KW_START},
    {STR_INIT("end"), TOK_KEYWORD, KW_END},
    {STR_INIT("step"), TOK_KEYWORD, KW_STEP},
    {STR_INIT("range"), TOK_KEYWORD, KW_RANGE},
    {STR_INIT("fill"), TOK_KEYWORD, KW_FILL},
    {STR_INIT("fill_left"), TOK_KEYWORD, KW_FILL_LEFT},
    {STR_INIT("fill_right"), TOK_KEYWORD, KW_FILL_RIGHT},
    {STR_INIT("min_of"), TOK_KEYWORD, KW_MIN_OF},
    {STR_INIT("max_of"), TOK_KEYWORD, KW_MAX_OF},
    {STR_INIT("inf"), TOK_NUMBER, 0},
    {STR_INIT("nan"), TOK_NUMBER, 0},
};

static bool is_alpha(int c) {
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static bool is_digit(int c) {
    return c >= '0' && c <= '9';
}
static bool is_alnum(int c) {
    return is_alpha(c) || is_digit(c);
}
static bool is_space(int c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int peek(const struct lexer *l) {
    return l->at < l->text.n ? (unsigned char)l->text.p[l->at] : -1;
}
static int peek_at(const struct lexer *l, size_t ahead) {
    return l->at + ahead < l->text.n ? (unsigned char)l->text.p[l->at + ahead] : -1;
}
static bool accept(struct lexer *l, const char *set) {
    int c = peek(l);
    if (c <= 0 || !strchr(set, c)) return false;
    l->at++;
    return true;
}

static struct token token(struct lexer *l, enum tok kind, size_t from) {
    return (struct token){.kind = kind, .from = (uint32_t)from, .to = (uint32_t)l->at, .text = str_sub(l->text, from, l->at)};
}

__attribute__((format(printf, 3, 4))) static struct token fail(struct lexer *l, size_t from, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(l->error, sizeof l->error, fmt, ap);
    va_end(ap);
    return token(l, TOK_ERROR, from);
}

/* The character at l->at as the messages write it: 'x', or '\xff'. */
static const char *shown_char(const struct lexer *l, char out[16]) {
    size_t n = utf8_length(str_from(l->text, l->at));
    if (n == 0)
        snprintf(out, 16, "'\\x%02x'", (unsigned char)l->text.p[l->at]);
    else if (l->text.p[l->at] == '\'')
        snprintf(out, 16, "'\\''");
    else
        snprintf(out, 16, "'%.*s'", (int)n, l->text.p + l->at);
    return out;
}

static struct token unexpected(struct lexer *l, const char *where, const char *behind) {
    char shown[16];
    size_t from = l->at;
    shown_char(l, shown);
    l->at++;
    return fail(l, from, "unexpected character%s: %s%s", where, shown, behind);
}

static struct token quoted(struct lexer *l) {
    size_t from = l->at;
    char quote = l->text.p[l->at++];
    for (; l->at < l->text.n; l->at++) {
        char c = l->text.p[l->at];
        if ((unsigned char)c >= 0x80) {
            size_t n = utf8_length(str_from(l->text, l->at));
            if (n == 0) return fail(l, l->at, "invalid UTF-8 rune");
            l->at += n - 1;
            continue;
        }
        if (c == quote) {
            l->at++;
            return token(l, TOK_STRING, from);
        }
        if (quote == '`') continue;
        if (c == '\n') return fail(l, from, "unterminated quoted string");
        if (c != '\\') continue;
        if (l->at + 1 >= l->text.n) return fail(l, l->at, "escape sequence not terminated");
        l->at++;
    }
    return fail(l, from, quote == '`' ? "unterminated raw string" : "unterminated quoted string");
}

/* "[.]d[d._eE]*" with Go's rules on what may follow what; true if a number ends here. */
static bool scan_number(struct lexer *l) {
    const char *digits = "0123456789";
    bool hex = peek(l) == '0' && (peek_at(l, 1) == 'x' || peek_at(l, 1) == 'X');
    if (hex) {
        l->at += 2;
        accept(l, "_");
        digits = "0123456789abcdefABCDEF";
    }
    bool dot = false;
    bool exponent = hex;
    for (int last = -1;; last = (unsigned char)l->text.p[l->at - 1]) {
        if (accept(l, digits)) continue;
        if (last == '_') break; /* must be followed by a digit */
        if (!exponent && last != 'e' && last != 'E' && accept(l, "eE")) {
            exponent = true;
            accept(l, "+-");
            if (!is_digit(peek(l))) return false;
            continue;
        }
        if (accept(l, "_")) continue;
        if (peek(l) == '.' && !hex && !exponent) {
            l->at++;
            if (dot) return false;
            dot = true;
            continue;
        }
        break;
    }
    return !is_alnum(peek(l));
}

static bool scan_duration_rest(struct lexer *l) {
    if (!accept(l, "smhdwy")) return false;
    accept(l, "s");
    while (accept(l, "0123456789")) {
        while (accept(l, "0123456789")) {
        }
        if (!accept(l, "smhdw")) return false;
        accept(l, "s");
    }
    bool ends = !is_alnum(peek(l));
    if (!ends) l->at++;
    return ends;
}

static struct token number_or_duration(struct lexer *l) {
    size_t from = l->at;
    if (scan_number(l)) return token(l, TOK_NUMBER, from);
    if (l->text.p[l->at - 1] != '.' && scan_duration_rest(l)) return token(l, TOK_DURATION, from);
    return fail(l, from, "bad number or duration syntax: \"%.*s\"", (int)MIN(l->at - from, 100), l->text.p + from);
}

static struct token word(struct lexer *l) {
    size_t from = l->at;
    bool colon = false;
    while (is_alnum(peek(l)) || (peek(l) == ':' && !l->brackets && !l->braces)) {
        colon |= peek(l) == ':';
        l->at++;
    }
    struct token t = token(l, colon ? TOK_METRIC : TOK_IDENT, from);
    if (colon) return t;
    for (size_t i = 0; i < ARRAY_N(words); i++) {
        if (!str_eq_nocase(words[i].word, t.text)) continue;
        t.kind = words[i].kind;
        if (t.kind == TOK_OP) t.op = (enum op)words[i].value;
        if (t.kind == TOK_AGG) t.agg = (enum agg_op)words[i].value;
        if (t.kind == TOK_KEYWORD) t.kw = (enum keyword)words[i].value;
        break;
    }
    return t;
}

static struct token operator(struct lexer *l, enum op op, size_t n) {
    size_t from = l->at;
    l->at += n;
    struct token t = token(l, TOK_OP, from);
    t.op = op;
    return t;
}
static struct token symbol(struct lexer *l, enum tok kind, size_t n) {
    size_t from = l->at;
    l->at += n;
    return token(l, kind, from);
}

/* `=`, `!`, `<`, `>` and their companions. */
static struct token comparison(struct lexer *l) {
    char shown[16];
    int next = peek_at(l, 1);
    switch (peek(l)) {
    case '=':
        if (next == '=') return operator(l, OP_EQ, 2);
        if (next != '~') return symbol(l, TOK_EQUAL, 1);
        l->at++;
        return fail(l, l->at, "unexpected character after '=': %s", shown_char(l, shown));
    case '!':
        if (next == '=') return operator(l, OP_NE, 2);
        l->at++;
        if (next < 0) return fail(l, l->at, "unexpected character after '!': '\\x00'");
        return fail(l, l->at, "unexpected character after '!': %s", shown_char(l, shown));
    case '<':
        if (next == '=') return operator(l, OP_LE, 2);
        return next == '/' ? operator(l, OP_TRIM_UPPER, 2) : operator(l, OP_LT, 1);
    default:
        if (next == '=') return operator(l, OP_GE, 2);
        return next == '/' ? operator(l, OP_TRIM_LOWER, 2) : operator(l, OP_GT, 1);
    }
}

static struct token arithmetic(struct lexer *l) {
    switch (peek(l)) {
    case '+': return operator(l, OP_ADD, 1);
    case '-': return operator(l, OP_SUB, 1);
    case '*': return operator(l, OP_MUL, 1);
    case '/': return operator(l, OP_DIV, 1);
    case '%': return operator(l, OP_MOD, 1);
    default: return operator(l, OP_POW, 1);
    }
}

static struct token in_braces(struct lexer *l) {
    int c = peek(l);
    if (c < 0) return fail(l, l->at, "unexpected end of input inside braces");
    if (is_alpha(c)) {
        struct token t = word(l);
        t.kind = TOK_IDENT; /* keywords are label names here */
        return t;
    }
    switch (c) {
    case ',': return symbol(l, TOK_COMMA, 1);
    case '"':
    case '\'':
    case '`': return quoted(l);
    case '}': l->braces = false; return symbol(l, TOK_RBRACE, 1);
    case '{': return unexpected(l, "", "");
    case '=':
        if (peek_at(l, 1) == '~') return symbol(l, TOK_EQL_REGEX, 2);
        return symbol(l, TOK_EQUAL, 1);
    case '!': {
        if (peek_at(l, 1) == '~') return symbol(l, TOK_NEQ_REGEX, 2);
        if (peek_at(l, 1) == '=') return operator(l, OP_NE, 2);
        char shown[16];
        l->at++;
        if (l->at >= l->text.n) return fail(l, l->at, "unexpected end of input inside braces");
        return fail(l, l->at, "unexpected character after '!' inside braces: %s", shown_char(l, shown));
    }
    default: return unexpected(l, " inside braces", "");
    }
}

static struct token in_brackets(struct lexer *l) {
    int c = peek(l);
    if (c < 0) return fail(l, l->at, "unexpected end of input in duration expression");
    if (is_digit(c) || (c == '.' && is_digit(peek_at(l, 1)))) return number_or_duration(l);
    if (is_alpha(c)) {
        size_t from = l->at;
        struct token t = word(l);
        if (t.kind == TOK_KEYWORD && (t.kw == KW_STEP || t.kw == KW_RANGE || t.kw == KW_MIN_OF || t.kw == KW_MAX_OF)) return t;
        l->at = from;
        return unexpected(l, "", l->after_colon ? ", expected ']'" : ", expected ':'");
    }
    switch (c) {
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
    case '^': return arithmetic(l);
    case ',': return symbol(l, TOK_COMMA, 1);
    case ':':
        if (l->after_colon) return unexpected(l, "", "");
        l->after_colon = true;
        return symbol(l, TOK_COLON, 1);
    case '(': l->parens++; return symbol(l, TOK_LPAREN, 1);
    case ')':
        if (l->parens == 0) return fail(l, l->at, "unexpected right parenthesis ')'");
        l->parens--;
        return symbol(l, TOK_RPAREN, 1);
    case ']':
        l->brackets = false;
        l->after_colon = false;
        return symbol(l, TOK_RBRACKET, 1);
    default: return unexpected(l, " in duration expression", "");
    }
}

static void skip_blanks(struct lexer *l) {
    for (;;) {
        while (is_space(peek(l))) l->at++;
        if (peek(l) != '#') return;
        while (l->at < l->text.n && peek(l) != '\n') l->at++;
    }
}

struct token lex_next(struct lexer *l) {
    skip_blanks(l);
    if (l->braces) return in_braces(l);
    if (l->brackets) return in_brackets(l);
    int c = peek(l);
    if (c < 0) return l->parens ? fail(l, l->at, "unclosed left parenthesis") : token(l, TOK_EOF, l->at);
    if (is_alpha(c) || c == ':') return word(l);
    if (is_digit(c) || (c == '.' && is_digit(peek_at(l, 1)))) return number_or_duration(l);
    switch (c) {
    case ',': return symbol(l, TOK_COMMA, 1);
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
    case '^': return arithmetic(l);
    case '=':
    case '!':
    case '<':
    case '>': return comparison(l);
    case '"':
    case '\'':
    case '`': return quoted(l);
    case '@': return symbol(l, TOK_AT, 1);
    case '(': l->parens++; return symbol(l, TOK_LPAREN, 1);
    case ')':
        if (l->parens == 0) return fail(l, l->at, "unexpected right parenthesis ')'");
        l->parens--;
        return symbol(l, TOK_RPAREN, 1);
    case '{': l->braces = true; return symbol(l, TOK_LBRACE, 1);
    case '[': l->brackets = true; return symbol(l, TOK_LBRACKET, 1);
    case ']': return fail(l, l->at, "unexpected right bracket ']'");
    default: return unexpected(l, "", "");
    }
}

static int digit_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* \x41, \u1234, \U00012345, \101: `digits` digits of `base` at s[*at]; *at moves behind them. */
static bool code_point(str s, size_t *at, unsigned digits, int base, uint32_t *out, char why[96]) {
    uint32_t v = 0;
    for (unsigned i = 0; i < digits; i++, ++*at) {
        if (*at >= s.n) return snprintf(why, 96, "escape sequence not terminated"), false;
        int d = digit_value(s.p[*at]);
        if (d < 0 || d >= base) {
            unsigned char c = (unsigned char)s.p[*at];
            return snprintf(why, 96, "illegal character U+%04X '%c' in escape sequence", c, c), false;
        }
        v = v * (uint32_t)base + (uint32_t)d;
    }
    *out = v;
    return true;
}

bool lex_unquote(struct arena *a, str quoted_text, str *out, char why[96]) {
    char quote = quoted_text.p[0];
    str s = str_sub(quoted_text, 1, quoted_text.n - 1);
    if (quote == '`' || str_find_char(s, '\\') == STR_NONE) {
        *out = s;
        return true;
    }
    char *p = arena_alloc(a, s.n + 4);
    size_t n = 0;
    for (size_t at = 0; at < s.n;) {
        if (s.p[at] != '\\') {
            p[n++] = s.p[at++];
            continue;
        }
        char c = at + 1 < s.n ? s.p[at + 1] : 0;
        at += 2;
        static const char plain[] = "abfnrtv\\";
        static const char meaning[] = "\a\b\f\n\r\t\v\\";
        const char *known = c ? strchr(plain, c) : NULL;
        uint32_t code;
        if (known || c == quote) {
            p[n++] = known ? meaning[known - plain] : c;
        } else if (c == 'x' || (c >= '0' && c <= '7')) {
            if (c != 'x') at--;
            if (!code_point(s, &at, c == 'x' ? 2 : 3, c == 'x' ? 16 : 8, &code, why)) return false;
            if (code > 255) return snprintf(why, 96, "escape sequence is an invalid Unicode code point"), false;
            p[n++] = (char)code;
        } else if (c == 'u' || c == 'U') {
            if (!code_point(s, &at, c == 'u' ? 4 : 8, 16, &code, why)) return false;
            if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
                return snprintf(why, 96, "escape sequence is an invalid Unicode code point"), false;
            char utf8[4]; /* never longer than its escape */
            size_t len = utf8_encode(utf8, code);
            memcpy(p + n, utf8, len);
            n += len;
        } else {
            return snprintf(why, 96, "unknown escape sequence U+%04X '%c'", (unsigned char)c, c), false;
        }
    }
    *out = str_n(p, n);
    return true;
}
