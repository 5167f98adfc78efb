#include "wire/prom_lex.h"

#include "codec/text.h"

#define LETTER (PROM_NAME_START | PROM_NAME | PROM_LABEL_START | PROM_LABEL)
const uint8_t prom_class[256] = {
    ['a' ... 'z'] = LETTER, ['A' ... 'Z'] = LETTER, ['_'] = LETTER, [':'] = PROM_NAME_START | PROM_NAME, ['0' ... '9'] = PROM_NAME | PROM_LABEL,
    [' '] = PROM_BLANK,     ['\t'] = PROM_BLANK,
};

bool prom_lex_fail(struct prom_lex *c, const char *expected) {
    if (!c->expected) c->expected = expected;
    return false;
}

static inline bool at_class(const struct prom_lex *c, uint8_t class) {
    return c->at < c->end && (prom_class[(uint8_t)*c->at] & class);
}
static inline bool at_char(const struct prom_lex *c, char ch) {
    return c->at < c->end && *c->at == ch;
}
static inline void skip_class(struct prom_lex *c, uint8_t class) {
    while (c->at < c->end && (prom_class[(uint8_t)*c->at] & class)) c->at++;
}
static inline void blanks(struct prom_lex *c) {
    if (!c->openmetrics) prom_skip_blanks(c);
}

#define EVERY_BYTE(b) (UINT64_C(0x0101010101010101) * (b))
static inline uint64_t has_zero_byte(uint64_t v) {
    return (v - EVERY_BYTE(1)) & ~v & EVERY_BYTE(0x80);
}

/* The cursor is on the opening quote; *out is what is between the quotes, the cursor behind the closing one. Eight bytes at a time up to a quote,
 * a backslash or a line break. */
static inline bool quoted(struct prom_lex *c, const char *expected, str *out) {
    const char *from = c->at + 1, *p = from;
    uint64_t high = 0;
    for (;;) {
        while (c->end - p >= 8) {
            uint64_t w;
            memcpy(&w, p, 8);
            if (has_zero_byte(w ^ EVERY_BYTE('"')) | has_zero_byte(w ^ EVERY_BYTE('\\')) | has_zero_byte(w ^ EVERY_BYTE('\n'))) break;
            high |= w;
            p += 8;
        }
        while (p < c->end && *p != '"' && *p != '\\' && *p != '\n') high |= (uint8_t)*p++;
        if (p == c->end || (*p == '\n' && c->openmetrics)) return prom_lex_fail(c, expected);
        if (*p == '"') break;
        if (*p == '\n') {
            p++;
            continue;
        }
        if (c->end - p < 2 || p[1] == '\n') return prom_lex_fail(c, expected); /* a backslash escapes one byte, but no line break */
        high |= (uint8_t)p[1];
        p += 2;
    }
    *out = str_n(from, (size_t)(p - from));
    if ((high & EVERY_BYTE(0x80)) && !utf8_valid(*out)) return prom_lex_fail(c, "UTF-8");
    c->at = p + 1;
    return true;
}

str prom_unescape(struct arena *a, str s, bool quotes) {
    if (str_find_char(s, '\\') == STR_NONE) return s;
    char *out = arena_alloc(a, s.n);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        char next = i + 1 < s.n ? s.p[i + 1] : 0;
        bool escape = s.p[i] == '\\' && (next == '\\' || next == 'n' || (next == '"' && quotes));
        out[n++] = !escape ? s.p[i] : next == 'n' ? '\n' : next;
        i += escape;
    }
    return str_n(out, n);
}

static inline void found(struct prom_labels *out, str name, bool name_quoted, str value, bool value_quoted) {
    if (!out) return;
    if (name_quoted) name = prom_unescape(out->arena, name, true);
    if (value_quoted) value = prom_unescape(out->arena, value, true);
    vec_push(&out->l, ((struct label){name, value}));
}

enum braces { BRACES_SERIES, BRACES_EXEMPLAR };

/* Behind '{' to behind '}'. *has_name: the metric name is known; a quoted name in the braces sets it. */
static inline __attribute__((always_inline)) bool braces(struct prom_lex *c, enum braces kind, bool *has_name, struct prom_labels *out) {
    for (;;) {
        str name, value;
        blanks(c);
        if (at_char(c, '}')) break;
        const char *from = c->at;
        bool name_quoted = at_char(c, '"');
        if (name_quoted) {
            if (!quoted(c, "a label name", &name)) return false;
        } else {
            if (!at_class(c, PROM_LABEL_START)) return prom_lex_fail(c, "a label name");
            skip_class(c, PROM_LABEL);
            name = str_n(from, (size_t)(c->at - from));
        }
        blanks(c);
        if (name_quoted && kind == BRACES_SERIES && (at_char(c, ',') || at_char(c, '}'))) {
            if (*has_name) return prom_lex_fail(c, "only one metric name");
            *has_name = true;
            found(out, LABEL_METRIC_NAME, false, name, true);
            if (at_char(c, ',')) c->at++;
            continue;
        }
        if (!at_char(c, '=')) return prom_lex_fail(c, "'=' behind the label name");
        c->at++;
        blanks(c);
        if (!at_char(c, '"')) return prom_lex_fail(c, "a quoted label value");
        if (!quoted(c, "the closing quote of a label value", &value)) return false;
        if (kind == BRACES_EXEMPLAR && value.n && memchr(value.p, 0, value.n)) return prom_lex_fail(c, "no NUL in an exemplar's label");
        found(out, name, name_quoted, value, true);
        blanks(c);
        if (at_char(c, ','))
            c->at++;
        else if (c->openmetrics && !at_char(c, '}'))
            return prom_lex_fail(c, "',' or '}'");
    }
    c->at++;
    return true;
}

static inline __attribute__((always_inline)) bool series(struct prom_lex *c, struct prom_labels *out) {
    bool has_name = at_class(c, PROM_NAME_START);
    if (has_name) {
        const char *from = c->at;
        skip_class(c, PROM_NAME);
        found(out, LABEL_METRIC_NAME, false, str_n(from, (size_t)(c->at - from)), false);
        if (!at_char(c, '{')) {
            const char *behind_name = c->at;
            blanks(c);
            if (!at_char(c, '{')) {
                c->at = behind_name;
                return true;
            }
        }
    } else if (!at_char(c, '{')) {
        return prom_lex_fail(c, "a metric name or a comment");
    }
    c->at++;
    if (!braces(c, BRACES_SERIES, &has_name, out)) return false;
    return has_name || prom_lex_fail(c, "a metric name: none was given");
}

bool prom_lex_series(struct prom_lex *c, struct prom_labels *out) {
    return out ? series(c, out) : series(c, NULL); /* the checking form is the hot one: compiled without any output */
}

bool prom_lex_exemplar_labels(struct prom_lex *c, struct prom_labels *out) {
    bool has_name = true;
    assert(at_char(c, '{'));
    c->at++;
    return braces(c, BRACES_EXEMPLAR, &has_name, out);
}

bool prom_lex_name(struct prom_lex *c, struct arena *a, str *out) {
    const char *from = c->at;
    str name;
    if (at_char(c, '"')) {
        if (!quoted(c, "a metric name", &name)) return false;
        *out = prom_unescape(a, name, true);
        return true;
    }
    if (!at_class(c, PROM_NAME_START)) return prom_lex_fail(c, "a metric name");
    skip_class(c, PROM_NAME);
    *out = str_n(from, (size_t)(c->at - from));
    return true;
}
