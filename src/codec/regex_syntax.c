#include "codec/regex_syntax.h"

#include "base/vec.h"
#include "codec/text.h"

struct parser {
    str s;
    size_t at;
    struct arena *arena;
    struct buf *out;
    struct {
        str *p;
        size_t n, cap;
    } names;
    bool fold, multiline, single_line; /* flags i, m, s: they hold to the end of the group */
    bool quoting;                      /* between \Q and \E */
    unsigned depth;
    struct err *e;
};

/* --- errors, in the words of Go's regexp/syntax */

static bool refuse(struct parser *p, size_t from, size_t to, const char *why) {
    to = MIN(MIN(to, from + 64), p->s.n);
    while (to < p->s.n && ((uint8_t)p->s.p[to] & 0xc0) == 0x80) to++; /* no half characters */
    str what = str_sub(p->s, from, to);
    return err_set(p->e, ERR_INPUT, "error parsing regexp: %s: `%" STR_F "` (at byte %zu)", why, STR_A(what), from);
}

/* --- reading and writing single characters */

static bool more(const struct parser *p) {
    return p->at < p->s.n;
}

static bool ahead(const struct parser *p, str text) {
    return str_starts(str_from(p->s, p->at), text);
}

static bool take(struct parser *p, char c) {
    if (!more(p) || p->s.p[p->at] != c) return false;
    p->at++;
    return true;
}

/* The pattern is UTF-8 as a whole, so this always takes a whole character. */
static uint32_t take_char(struct parser *p) {
    uint32_t cp;
    p->at += utf8_next(str_from(p->s, p->at), &cp);
    return cp;
}

static void emit(struct parser *p, str text) {
    buf_add(p->out, text);
}

static str utf8_text(struct parser *p, uint32_t cp) {
    char bytes[4];
    return arena_str(p->arena, str_n(bytes, utf8_encode(bytes, cp)));
}

static bool is_word(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* In a form that means the same inside and outside of classes. */
static void emit_char(struct parser *p, uint32_t cp) {
    if (cp < 0x80 && is_word((char)cp))
        buf_char(p->out, (char)cp);
    else
        buf_printf(p->out, "\\x{%x}", cp);
}

/* Without case no flag can change what it matches. */
static bool caseless(uint32_t cp) {
    return cp < 0x80 && !((cp | 0x20) >= 'a' && (cp | 0x20) <= 'z');
}

/* --- escapes */

static int octal_escape(struct parser *p, uint32_t first) {
    uint32_t v = first - '0';
    for (int i = 0; i < 2 && more(p) && p->s.p[p->at] >= '0' && p->s.p[p->at] <= '7'; i++) v = v * 8 + (uint32_t)(p->s.p[p->at++] - '0');
    return (int)v;
}

/* Behind "\x": two digits, or any number in braces. */
static bool hex_escape(struct parser *p, uint32_t *cp) {
    uint64_t v;
    size_t n = 2;
    bool braces = take(p, '{');
    if (braces) n = str_find_char(str_from(p->s, p->at), '}');
    if (n == STR_NONE || p->s.n - p->at < n || !str_hex_u64(str_sub(p->s, p->at, p->at + n), &v) || v > 0x10ffff) return false;
    p->at += n + braces;
    *cp = (uint32_t)v;
    return true;
}

/* A backslash and what stands for one character; `at` is behind the backslash. */
static bool escaped_char(struct parser *p, size_t from, uint32_t *cp) {
    static const char controls[128] = {['a'] = '\a', ['f'] = '\f', ['n'] = '\n', ['r'] = '\r', ['t'] = '\t', ['v'] = '\v'};
    if (!more(p)) return refuse(p, from, p->at, "trailing backslash at end of expression");
    uint32_t c = take_char(p);
    if (c < 0x80 && controls[c]) return *cp = (uint32_t)controls[c], true;
    if (c < 0x80 && (!is_word((char)c) || c == '_')) return *cp = c, true;
    bool octal = c == '0' || (c >= '1' && c <= '7' && more(p) && p->s.p[p->at] >= '0' && p->s.p[p->at] <= '7');
    if (octal) return *cp = (uint32_t)octal_escape(p, c), true;
    if (c == 'x' && hex_escape(p, cp)) return true;
    if (c >= '1' && c <= '9') return refuse(p, from, p->at, "invalid escape sequence (back-references are not supported)");
    return refuse(p, from, p->at, "invalid escape sequence");
}

/* --- classes. A set is written as the inside of [...]. */

/* Go's \s has no vertical tab, PCRE2's has one; \d and \w agree. */
static str shorthand(char c) {
    switch (c) {
    case 'd': return STR("0-9");
    case 'D': return STR("\\D");
    case 'w': return STR("0-9A-Za-z_");
    case 'W': return STR("\\W");
    case 's': return STR("\\x{9}\\x{a}\\x{c}\\x{d}\\x{20}");
    case 'S': return STR("\\x{0}-\\x{8}\\x{b}\\x{e}-\\x{1f}\\x{21}-\\x{10ffff}");
    }
    return STR_NULL;
}

/* \pN \PN \p{Greek} \p{^Greek}; `at` is at the p. Names of one or two letters are general categories, longer ones scripts (PCRE2 would take them
 * for script extensions). */
static bool property(struct parser *p, size_t from) {
    bool negated = p->s.p[p->at++] == 'P';
    size_t name_at = p->at, end;
    if (take(p, '{')) {
        if (take(p, '^')) negated = !negated;
        name_at = p->at;
        end = str_find_char(str_from(p->s, p->at), '}');
        if (end == STR_NONE) return refuse(p, from, p->s.n, "invalid character class range");
        end += p->at;
        p->at = end + 1;
    } else {
        end = p->at = MIN(p->at + 1, p->s.n);
    }
    str name = str_sub(p->s, name_at, end);
    bool ok = name.n > 0;
    for (size_t i = 0; i < name.n; i++) ok &= is_word(name.p[i]);
    if (!ok) return refuse(p, from, p->at, "invalid character class range");
    bool script = name.n > 2 && !str_eq(name, STR("Any"));
    buf_printf(p->out, "\\%c{%s%" STR_F "}", negated ? 'P' : 'p', script ? "sc:" : "", STR_A(name));
    return true;
}

/* [:alpha:] inside a class. */
static bool posix_class(struct parser *p) {
    static const str names[] = {STR_INIT("alnum"), STR_INIT("alpha"), STR_INIT("ascii"), STR_INIT("blank"), STR_INIT("cntrl"),
                                STR_INIT("digit"), STR_INIT("graph"), STR_INIT("lower"), STR_INIT("print"), STR_INIT("punct"),
                                STR_INIT("space"), STR_INIT("upper"), STR_INIT("word"),  STR_INIT("xdigit")};
    size_t from = p->at, end = str_find(str_sub(p->s, from, from + 64), STR(":]"));
    if (end == STR_NONE) { /* then the bracket is a bracket */
        p->at++;
        emit_char(p, '[');
        return true;
    }
    p->at = from + end + 2;
    str name = str_sub(p->s, from + 2, from + end);
    if (str_starts(name, STR("^"))) name = str_from(name, 1);
    for (size_t i = 0; i < ARRAY_N(names); i++) {
        if (!str_eq(names[i], name)) continue;
        emit(p, str_sub(p->s, from, p->at));
        return true;
    }
    return refuse(p, from, p->at, "invalid character class range");
}

static bool class_char(struct parser *p, size_t open_at, uint32_t *cp) {
    if (!more(p)) return refuse(p, open_at, p->s.n, "missing closing ]");
    size_t from = p->at;
    if (take(p, '\\')) return escaped_char(p, from, cp);
    *cp = take_char(p);
    return true;
}

/* A character or a range; a single one is added to *chars as a literal. */
static bool class_range(struct parser *p, size_t open_at, struct globs *chars) {
    enum { FEW = 16 };
    uint32_t low, high;
    size_t from = p->at;
    if (!class_char(p, open_at, &low)) return false;
    emit_char(p, low);
    if (!ahead(p, STR("-")) || ahead(p, STR("-]"))) {
        if (chars->n >= FEW || (p->fold && !caseless(low))) *chars = globs_unknown();
        if (!chars->unknown) globs_or(p->arena, chars, globs_literal(p->arena, utf8_text(p, low)));
        return true;
    }
    p->at++;
    if (!class_char(p, open_at, &high)) return false;
    if (high < low) return refuse(p, from, p->at, "invalid character class range");
    emit(p, STR("-"));
    emit_char(p, high);
    *chars = globs_unknown();
    return true;
}

static bool class_item(struct parser *p, size_t open_at, struct globs *chars) {
    if (ahead(p, STR("[:"))) {
        *chars = globs_unknown();
        return posix_class(p);
    }
    if (ahead(p, STR("\\p")) || ahead(p, STR("\\P"))) {
        *chars = globs_unknown();
        p->at++;
        return property(p, p->at - 1);
    }
    str set = ahead(p, STR("\\")) && p->s.n - p->at > 1 ? shorthand(p->s.p[p->at + 1]) : STR_NULL;
    if (set.n == 0) return class_range(p, open_at, chars);
    *chars = globs_unknown();
    p->at += 2;
    emit(p, set);
    return true;
}

static bool class(struct parser *p, struct globs *out) {
    size_t open_at = p->at++;
    struct globs chars = {0};
    bool negated = take(p, '^');
    emit(p, negated ? STR("[^") : STR("["));
    for (bool first = true; first || !ahead(p, STR("]")); first = false) { /* a bracket at the first place is a character */
        if (!more(p)) return refuse(p, open_at, p->s.n, "missing closing ]");
        if (!class_item(p, open_at, &chars)) return false;
    }
    p->at++;
    emit(p, STR("]"));
    *out = negated ? globs_unknown() : chars;
    return true;
}

/* --- atoms */

struct atom {
    struct globs globs;
    bool any; /* the dot, when it matches newlines */
    bool zero_width;
    bool flags; /* (?i): nothing that could be repeated */
};

static bool alternation(struct parser *p, struct globs *out);

static bool literal_atom(struct parser *p, uint32_t cp, struct atom *out) {
    emit_char(p, cp);
    out->globs = p->fold && !caseless(cp) ? globs_unknown() : globs_literal(p->arena, utf8_text(p, cp));
    return true;
}

/* Between \Q and \E all is literal. A quantifier behind \E belongs to the last character, so the \E is taken together with that. */
static bool quoted_atom(struct parser *p, struct atom *out) {
    if (!ahead(p, STR("\\E")) && more(p)) {
        literal_atom(p, take_char(p), out);
    } else {
        out->flags = true;
        out->globs = globs_literal(p->arena, STR(""));
    }
    p->quoting = more(p) && !ahead(p, STR("\\E"));
    if (ahead(p, STR("\\E"))) p->at += 2;
    return true;
}

static bool escape_atom(struct parser *p, struct atom *out) {
    size_t from = p->at;
    if (ahead(p, STR("\\Q"))) {
        p->at += 2;
        return quoted_atom(p, out);
    }
    out->globs = globs_unknown();
    char c = p->s.n - p->at > 1 ? p->s.p[p->at + 1] : 0;
    if (c == 'A' || c == 'z' || c == 'b' || c == 'B') {
        emit(p, str_sub(p->s, from, from + 2));
        p->at += 2;
        out->zero_width = true;
        if (c == 'A') out->globs = globs_begin(p->arena);
        if (c == 'z') out->globs = globs_end(p->arena);
        return true;
    }
    if (c == 'p' || c == 'P') {
        p->at++;
        return property(p, from);
    }
    str set = shorthand(c);
    if (set.n) {
        p->at += 2;
        emit(p, STR("["));
        emit(p, set);
        emit(p, STR("]"));
        return true;
    }
    uint32_t cp;
    p->at++;
    return escaped_char(p, from, &cp) && literal_atom(p, cp, out);
}

static void line_anchor(struct parser *p, struct atom *out) {
    bool begin = p->s.p[p->at++] == '^';
    emit(p, begin ? STR("^") : STR("$"));
    out->zero_width = true;
    out->globs = p->multiline ? globs_unknown() : begin ? globs_begin(p->arena) : globs_end(p->arena);
}

/* --- groups */

/* What may follow "(?" in Perl but not in RE2. */
static const struct {
    str text;
    const char *why;
} perl_only[] = {
    {STR_INIT("(?="), "invalid or unsupported Perl syntax (look-ahead)"},   {STR_INIT("(?!"), "invalid or unsupported Perl syntax (look-ahead)"},
    {STR_INIT("(?<="), "invalid or unsupported Perl syntax (look-behind)"}, {STR_INIT("(?<!"), "invalid or unsupported Perl syntax (look-behind)"},
    {STR_INIT("(?>"), "invalid or unsupported Perl syntax (atomic group)"}, {STR_INIT("(?("), "invalid or unsupported Perl syntax (condition)"},
    {STR_INIT("(?#"), "invalid or unsupported Perl syntax (comment)"},      {STR_INIT("(?|"), "invalid or unsupported Perl syntax (branch reset)"},
    {STR_INIT("(?R"), "invalid or unsupported Perl syntax (recursion)"},    {STR_INIT("(?&"), "invalid or unsupported Perl syntax (recursion)"},
    {STR_INIT("(?P>"), "invalid or unsupported Perl syntax (recursion)"},   {STR_INIT("(?P="), "invalid or unsupported Perl syntax (back-reference)"},
    {STR_INIT("(?C"), "invalid or unsupported Perl syntax (callout)"},
};

static bool group_name(struct parser *p, size_t from, str *out) {
    size_t end = str_find_char(str_from(p->s, p->at), '>');
    if (end == STR_NONE) return refuse(p, from, p->s.n, "invalid named capture");
    str name = str_sub(p->s, p->at, p->at + end);
    p->at += end + 1;
    bool ok = name.n > 0;
    for (size_t i = 0; i < name.n; i++) ok &= is_word(name.p[i]);
    if (!ok) return refuse(p, from, p->at, "invalid named capture");
    *out = arena_str(p->arena, name);
    return true;
}

/* "(?flags)" or the head of "(?flags:...)"; `at` is behind the question mark. */
static bool group_flags(struct parser *p, size_t from, bool *has_body) {
    bool on = true, any = false;
    for (; more(p); p->at++) {
        char c = p->s.p[p->at];
        if (c == 'i') {
            p->fold = on;
        } else if (c == 'm') {
            p->multiline = on;
        } else if (c == 's') {
            p->single_line = on;
        } else if (c == '-' && on) {
            on = any = false;
            continue;
        } else if ((c == ':' || c == ')') && (on || any)) {
            p->at++;
            *has_body = c == ':';
            emit(p, str_sub(p->s, from, p->at));
            return true;
        } else if (c != 'U') {
            break;
        }
        any = true;
    }
    if (!more(p)) return refuse(p, from, p->s.n, "missing closing )");
    return refuse(p, from, p->at + 1, "invalid or unsupported Perl syntax");
}

/* At the parenthesis: everything up to the body is read and written. */
static bool group_head(struct parser *p, bool *has_body) {
    size_t from = p->at;
    str name = STR("");
    *has_body = true;
    for (size_t i = 0; i < ARRAY_N(perl_only); i++)
        if (ahead(p, perl_only[i].text)) return refuse(p, from, from + perl_only[i].text.n, perl_only[i].why);
    bool named = ahead(p, STR("(?P<")) || ahead(p, STR("(?<"));
    if (named) {
        p->at += ahead(p, STR("(?<")) ? 3 : 4;
        if (!group_name(p, from, &name)) return false;
    } else if (ahead(p, STR("(?"))) {
        p->at += 2;
        return group_flags(p, from, has_body);
    } else {
        p->at++;
    }
    avec_push(p->arena, &p->names, name); /* PCRE2 gets numbers only: its names are shorter than Go's */
    emit(p, STR("("));
    return true;
}

static bool group(struct parser *p, struct atom *out) {
    size_t from = p->at;
    struct parser flags = *p;
    bool has_body;
    if (!group_head(p, &has_body)) return false;
    if (!has_body) {
        out->flags = true;
        out->globs = globs_literal(p->arena, STR(""));
        return true;
    }
    if (++p->depth > REGEX_NESTING_MAX) return refuse(p, from, from + 1, "expression nests too deeply");
    if (!alternation(p, &out->globs)) return false;
    if (!take(p, ')')) return refuse(p, 0, p->s.n, "missing closing )");
    emit(p, STR(")"));
    p->depth--;
    p->fold = flags.fold;
    p->multiline = flags.multiline;
    p->single_line = flags.single_line;
    return true;
}

static bool atom(struct parser *p, struct atom *out) {
    if (p->quoting) return quoted_atom(p, out);
    switch (p->s.p[p->at]) {
    case '(': return group(p, out);
    case '[': return class(p, &out->globs);
    case '\\': return escape_atom(p, out);
    case '^':
    case '$': line_anchor(p, out); return true;
    case '.':
        p->at++;
        emit(p, STR("."));
        out->any = p->single_line;
        out->globs = globs_unknown();
        return true;
    }
    return literal_atom(p, take_char(p), out);
}

/* --- repetition */

/* {n}, {n,} or {n,m} at the cursor; anything else there is a literal brace. */
static bool braces(struct parser *p, uint64_t *min, uint64_t *max, size_t *end) {
    if (!ahead(p, STR("{"))) return false;
    size_t close = str_find_char(str_sub(p->s, p->at, p->at + 64), '}'); /* not to the far end: "{{{{..." would cost the square */
    if (close == STR_NONE) return false;
    str low, high = str_sub(p->s, p->at + 1, p->at + close);
    bool comma = str_cut(&high, ',', &low);
    if (!str_u64(low, min)) return false;
    *max = comma ? UINT64_MAX : *min;
    if (comma && high.n && !str_u64(high, max)) return false;
    *end = p->at + close + 1;
    return true;
}

static bool quantifier_ahead(struct parser *p) {
    uint64_t min, max;
    size_t end;
    if (p->quoting) return false;
    return ahead(p, STR("*")) || ahead(p, STR("+")) || ahead(p, STR("?")) || braces(p, &min, &max, &end);
}

static struct globs repeated(struct parser *p, const struct atom *x, char op) {
    if (x->any && op != '{' && op != '?') return globs_gap(p->arena, op == '+');
    if (op != '?' || x->globs.unknown) return globs_unknown();
    struct globs g = {0};
    globs_or(p->arena, &g, x->globs);
    globs_or(p->arena, &g, globs_literal(p->arena, STR("")));
    return g;
}

/* The quantifier at the cursor is applied to what was written from out_at on. */
static bool repetition(struct parser *p, struct atom *x, size_t out_at) {
    size_t from = p->at, end = p->at + 1;
    char op = p->s.p[p->at];
    if (x->flags) return refuse(p, from, end, "missing argument to repetition operator");
    if (op == '{') {
        uint64_t min, max;
        if (!braces(p, &min, &max, &end)) return true;
        if (min > 1000 || (max != UINT64_MAX && (max > 1000 || max < min))) return refuse(p, from, end, "invalid repeat count");
    }
    x->globs = repeated(p, x, op);
    if (x->zero_width) { /* PCRE2 would not repeat a bare assertion */
        str body = arena_str(p->arena, str_from(buf_str(p->out), out_at));
        p->out->n = out_at;
        buf_printf(p->out, "(?:%" STR_F ")", STR_A(body));
    }
    p->at = end;
    take(p, '?');
    emit(p, str_sub(p->s, from, p->at));
    if (quantifier_ahead(p)) return refuse(p, from, p->at + 1, "invalid nested repetition operator");
    return true;
}

/* Takes the characters that stand for themselves, so that a word is one piece and not eight; one with a quantifier is left for atom(). */
static str plain_run(struct parser *p) {
    size_t from = p->at;
    while (more(p) && !p->quoting && !strchr("\\.+*?()|[]{}^$", p->s.p[p->at])) {
        size_t before = p->at;
        uint32_t cp = take_char(p);
        if ((p->fold && !caseless(cp)) || quantifier_ahead(p)) {
            p->at = before;
            break;
        }
        emit_char(p, cp);
    }
    return str_sub(p->s, from, p->at);
}

static bool concatenation(struct parser *p, struct globs *out) {
    struct globs all = globs_literal(p->arena, STR(""));
    for (;;) {
        str run = plain_run(p);
        if (run.n) all = globs_then(p->arena, all, globs_literal(p->arena, arena_str(p->arena, run)));
        if (!more(p) || (!p->quoting && (ahead(p, STR("|")) || ahead(p, STR(")"))))) break;
        if (quantifier_ahead(p)) return refuse(p, p->at, p->at + 1, "missing argument to repetition operator");
        size_t out_at = p->out->n;
        struct atom x = {0};
        if (!atom(p, &x)) return false;
        if (quantifier_ahead(p) && !repetition(p, &x, out_at)) return false;
        all = globs_then(p->arena, all, x.globs);
    }
    *out = all;
    return true;
}

static bool alternation(struct parser *p, struct globs *out) {
    struct globs any = {0}, branch;
    do {
        if (any.n || any.unknown) emit(p, STR("|"));
        if (!concatenation(p, &branch)) return false;
        globs_or(p->arena, &any, branch);
    } while (take(p, '|'));
    *out = any;
    return true;
}

bool regex_syntax_read(str pattern, struct arena *a, struct regex_syntax *out, struct err *e) {
    struct buf pcre = {0};
    struct parser p = {.s = pattern, .arena = a, .out = &pcre, .single_line = true, .e = e};
    struct globs globs;
    avec_push(a, &p.names, STR(""));
    bool ok = false;
    if (pattern.n > REGEX_PATTERN_MAX)
        err_set(e, ERR_LIMIT, "error parsing regexp: expression too large: %zu bytes, the limit is %d", pattern.n, REGEX_PATTERN_MAX);
    else if (!utf8_valid(pattern))
        err_set(e, ERR_INPUT, "error parsing regexp: invalid UTF-8");
    else if (alternation(&p, &globs))
        ok = !more(&p) || refuse(&p, p.at, p.s.n, "unexpected )");
    if (!ok) {
        buf_done(&pcre);
        return false;
    }
    *out = (struct regex_syntax){.pcre = pcre, .globs = globs, .names = p.names.p, .groups = p.names.n};
    return true;
}
