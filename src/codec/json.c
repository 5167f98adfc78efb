#include "codec/json.h"

#include "base/vec.h"
#include "codec/json_scan.h"
#include "codec/num.h"
#include "codec/text.h"

static bool fail(struct json *j, const char *at, const char *expected) {
    if (j->bad) return false;
    j->bad = expected;
    j->at = at;
    return false;
}

struct json json_open(str text, struct arena *a) {
    return (struct json){.start = text.p, .at = text.p, .end = text.n ? text.p + text.n : text.p, .arena = a};
}

void json_fail(struct json *j, const char *expected) {
    fail(j, j->at, expected);
}

static void skip_blanks(struct json *j) {
    while (j->at < j->end && (*j->at == ' ' || *j->at == '\n' || *j->at == '\r' || *j->at == '\t')) j->at++;
}

/* The next significant byte, or 0 at the end (a real NUL is no JSON token either). */
static char next_byte(struct json *j) {
    if (j->at<j->end && * j->at> ' ') return *j->at;
    skip_blanks(j);
    return j->at < j->end ? *j->at : 0;
}

enum json_type json_peek(struct json *j) {
    if (j->bad) return JSON_BAD;
    switch (next_byte(j)) {
    case '{': return JSON_OBJECT;
    case '[': return JSON_ARRAY;
    case '"': return JSON_STRING;
    case 't':
    case 'f': return JSON_BOOL;
    case 'n': return JSON_NULL;
    case '-':
    case '0' ... '9': return JSON_NUMBER;
    }
    if (j->at == j->end && j->depth == 0) return JSON_END;
    fail(j, j->at, "a value");
    return JSON_BAD;
}

/* --- strings */

static bool hex4(const char *p, const char *end, uint32_t *out) {
    uint64_t v;
    if (end - p < 4 || !str_hex_u64(str_n(p, 4), &v)) return false;
    *out = (uint32_t)v;
    return true;
}

/* p is behind "\u"; the code point and the bytes used, or 0. RFC 8259 8.2: a lone surrogate has no meaning, so it is refused. */
static size_t unicode_escape(const char *p, const char *end, uint32_t *cp) {
    uint32_t high, low;
    if (!hex4(p, end, &high)) return 0;
    *cp = high;
    if (high < 0xd800 || high > 0xdfff) return 4;
    if (high > 0xdbff || end - p < 10 || p[4] != '\\' || p[5] != 'u' || !hex4(p + 6, end, &low)) return 0;
    if (low < 0xdc00 || low > 0xdfff) return 0;
    *cp = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    return 10;
}

static const char unescaped[256] = {
    ['"'] = '"', ['\\'] = '\\', ['/'] = '/', ['b'] = '\b', ['f'] = '\f', ['n'] = '\n', ['r'] = '\r', ['t'] = '\t',
};

/* The end of the escape at p (a backslash), or NULL after marking the cursor. */
static const char *scan_escape(struct json *j, const char *p) {
    if (j->end - p >= 2 && unescaped[(uint8_t)p[1]]) return p + 2;
    uint32_t cp;
    size_t n = j->end - p >= 2 && p[1] == 'u' ? unicode_escape(p + 2, j->end, &cp) : 0;
    if (n) return p + 2 + n;
    fail(j, p, "an escape of RFC 8259 (surrogates in pairs)");
    return NULL;
}

/* Validates the string at the cursor and steps behind it. */
static bool scan_string(struct json *j, str *raw, bool *escaped) {
    if (next_byte(j) != '"') return fail(j, j->at, "a string");
    const char *from = j->at + 1, *p = from;
    *escaped = false;
    for (;;) {
        p = json_plain_run(p, j->end);
        if (p == j->end) return fail(j, p, "'\"' at the end of the string");
        uint8_t c = (uint8_t)*p;
        if (c == '"') break;
        if (c == '\\') {
            *escaped = true;
            p = scan_escape(j, p);
            if (!p) return false;
        } else if (c < 0x20) {
            return fail(j, p, "control characters in strings to be escaped");
        } else {
            size_t n = utf8_length(str_n(p, (size_t)(j->end - p)));
            if (n == 0) return fail(j, p, "UTF-8");
            p += n;
        }
    }
    *raw = str_n(from, (size_t)(p - from));
    j->at = p + 1;
    return true;
}

/* raw has been through scan_string, so every escape is whole; the text never grows (\uXXXX is 6 bytes, at most 3 come out). */
static str unescape(struct arena *a, str raw) {
    assert(a);
    char *out = arena_alloc(a, raw.n), *to = out;
    const char *p = raw.p, *end = raw.p + raw.n;
    while (p < end) {
        const char *slash = memchr(p, '\\', (size_t)(end - p));
        size_t n = (size_t)((slash ? slash : end) - p);
        memcpy(to, p, n);
        to += n;
        if (!slash) break;
        p = slash + 2;
        if (slash[1] != 'u') {
            *to++ = unescaped[(uint8_t)slash[1]];
            continue;
        }
        uint32_t cp = 0;
        p += unicode_escape(p, end, &cp);
        to += utf8_encode(to, cp);
    }
    return str_n(out, (size_t)(to - out));
}

bool json_string(struct json *j, str *out) {
    bool escaped;
    *out = STR_NULL;
    if (j->bad || !scan_string(j, out, &escaped)) return false;
    if (escaped) *out = unescape(j->arena, *out);
    return true;
}

/* --- numbers and words */

static const char *digits_end(const char *p, const char *end) {
    while (p < end && *p >= '0' && *p <= '9') p++;
    return p;
}

/* The end of the RFC 8259 6 number at p, or NULL. */
static const char *number_end(const char *p, const char *end) {
    if (p < end && *p == '-') p++;
    const char *q = digits_end(p, end);
    if (q == p || (*p == '0' && q - p > 1)) return NULL;
    if (q < end && *q == '.') {
        p = q + 1;
        q = digits_end(p, end);
        if (q == p) return NULL;
    }
    if (q < end && (*q == 'e' || *q == 'E')) {
        p = q + 1;
        if (p < end && (*p == '+' || *p == '-')) p++;
        q = digits_end(p, end);
        if (q == p) return NULL;
    }
    return q;
}

static bool scan_number(struct json *j, str *text) {
    next_byte(j);
    const char *end = j->at < j->end ? number_end(j->at, j->end) : NULL;
    if (!end) return fail(j, j->at, "a number");
    *text = str_n(j->at, (size_t)(end - j->at));
    j->at = end;
    return true;
}

bool json_number_text(struct json *j, str *out) {
    *out = STR_NULL;
    return !j->bad && scan_number(j, out);
}

bool json_double(struct json *j, double *out) {
    str text;
    *out = 0;
    if (j->bad || !scan_number(j, &text)) return false;
    if (num_parse_double(text, out)) return true;
    *out = 0;
    return fail(j, text.p, "a number in the range of a double");
}

/* value *= 10^exp10, exactly. */
static bool scale(uint64_t *value, int64_t exp10) {
    if (*value == 0) return true;
    for (; exp10 > 0; exp10--)
        if (__builtin_mul_overflow(*value, 10, value)) return false;
    for (; exp10 < 0; exp10++) {
        if (*value % 10) return false;
        *value /= 10;
    }
    return true;
}

/* An integral number as sign and magnitude; text obeys the number grammar. */
static bool integer(str text, bool *negative, uint64_t *magnitude) {
    const char *p = text.p, *end = text.p + text.n;
    *negative = *p == '-';
    if (*negative) p++;
    uint64_t v = 0;
    int64_t exp10 = 0, zeros = 0; /* zeros held back: "5.000000000000000000000" must not overflow */
    bool fraction = false;
    for (; p < end && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.') {
            fraction = true;
            continue;
        }
        if (fraction) exp10--;
        zeros++;
        if (*p == '0') continue;
        if (!scale(&v, zeros) || __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v)) return false;
        zeros = 0;
    }
    int64_t written = 0;
    if (p < end && !str_i64(str_n(p + 1, (size_t)(end - p - 1)), &written)) return v == 0 ? (*magnitude = 0, true) : false;
    if (__builtin_add_overflow(exp10 + zeros, written, &exp10) || !scale(&v, exp10)) return false;
    *magnitude = v;
    return true;
}

static bool as_i64(str text, int64_t *out) {
    bool negative;
    uint64_t u;
    if (!integer(text, &negative, &u) || u > (uint64_t)INT64_MAX + negative) return false;
    *out = negative ? (int64_t)(0 - u) : (int64_t)u;
    return true;
}

bool json_i64(struct json *j, int64_t *out) {
    str text;
    *out = 0;
    if (j->bad || !scan_number(j, &text)) return false;
    return as_i64(text, out) || fail(j, text.p, "a 64-bit integer");
}

/* A number, or a string that holds one. */
static bool scan_lenient(struct json *j, str *text) {
    if (j->bad) return false;
    if (next_byte(j) != '"') return scan_number(j, text);
    bool escaped;
    const char *at = j->at;
    if (!scan_string(j, text, &escaped)) return false;
    if (text->n && number_end(text->p, text->p + text->n) == text->p + text->n) return true;
    return fail(j, at, "a number or a number in a string");
}

bool json_i64_lenient(struct json *j, int64_t *out) {
    str text;
    *out = 0;
    if (!scan_lenient(j, &text)) return false;
    return as_i64(text, out) || fail(j, text.p, "a 64-bit integer");
}

bool json_u64_lenient(struct json *j, uint64_t *out) {
    str text;
    bool negative;
    uint64_t u;
    *out = 0;
    if (!scan_lenient(j, &text)) return false;
    if (!integer(text, &negative, &u) || (negative && u)) return fail(j, text.p, "an unsigned 64-bit integer");
    *out = u;
    return true;
}

static bool scan_word(struct json *j, str word) {
    next_byte(j);
    if (!str_starts(str_n(j->at, (size_t)(j->end - j->at)), word)) return false;
    j->at += word.n;
    return true;
}

bool json_bool(struct json *j, bool *out) {
    *out = false;
    if (j->bad) return false;
    if (scan_word(j, STR("true"))) return *out = true;
    return scan_word(j, STR("false")) || fail(j, j->at, "true or false");
}

bool json_null(struct json *j) {
    if (j->bad) return false;
    return scan_word(j, STR("null")) || fail(j, j->at, "null");
}

/* --- containers */

static bool enter(struct json *j, bool object) {
    if (j->depth == JSON_DEPTH_MAX) return fail(j, j->at, "at most 64 levels of nesting");
    uint64_t bit = UINT64_C(1) << j->depth++;
    j->in_object = object ? j->in_object | bit : j->in_object & ~bit;
    j->fresh = true;
    j->at++;
    return true;
}

static bool inside_object(const struct json *j) {
    assert(j->depth > 0);
    return j->in_object >> (j->depth - 1) & 1;
}

bool json_object(struct json *j) {
    if (j->bad) return false;
    return next_byte(j) == '{' ? enter(j, true) : fail(j, j->at, "an object");
}

bool json_array(struct json *j) {
    if (j->bad) return false;
    return next_byte(j) == '[' ? enter(j, false) : fail(j, j->at, "an array");
}

/* Steps over the comma, if one is due; false: the container closed, or an error. */
static bool next_member(struct json *j, char close, const char *expected) {
    char c = next_byte(j);
    if (c == close) {
        j->at++;
        j->depth--;
        j->fresh = false;
        return false;
    }
    if (j->fresh) {
        j->fresh = false;
        return true;
    }
    if (c != ',') return fail(j, j->at, expected);
    j->at++;
    return true;
}

static bool next_key(struct json *j, str *raw, bool *escaped) {
    if (j->bad || !next_member(j, '}', "',' or '}'")) return false;
    if (next_byte(j) != '"') return fail(j, j->at, "a key in quotes");
    if (!scan_string(j, raw, escaped)) return false;
    if (next_byte(j) != ':') return fail(j, j->at, "':'");
    j->at++;
    return true;
}

bool json_next_key(struct json *j, str *key) {
    bool escaped;
    *key = STR_NULL;
    if (j->bad) return false;
    assert(inside_object(j));
    if (!next_key(j, key, &escaped)) {
        *key = STR_NULL;
        return false;
    }
    if (escaped) *key = unescape(j->arena, *key);
    return true;
}

bool json_next_item(struct json *j) {
    if (j->bad) return false;
    assert(!inside_object(j));
    return next_member(j, ']', "',' or ']'");
}

/* One value, or the opening of a container. */
static bool skip_token(struct json *j) {
    str raw;
    bool flag;
    switch (json_peek(j)) {
    case JSON_OBJECT: return enter(j, true);
    case JSON_ARRAY: return enter(j, false);
    case JSON_STRING: return scan_string(j, &raw, &flag);
    case JSON_NUMBER: return scan_number(j, &raw);
    case JSON_BOOL: return json_bool(j, &flag);
    case JSON_NULL: return json_null(j);
    case JSON_END: return fail(j, j->at, "a value");
    case JSON_BAD: break;
    }
    return false;
}

bool json_skip(struct json *j) {
    if (j->bad) return false;
    uint8_t base = j->depth;
    if (!skip_token(j)) return false;
    while (j->depth > base) {
        str raw;
        bool escaped, more = inside_object(j) ? next_key(j, &raw, &escaped) : json_next_item(j);
        if (more) skip_token(j);
        if (j->bad) return false;
    }
    return true;
}

bool json_raw(struct json *j, str *out) {
    *out = STR_NULL;
    if (j->bad) return false;
    skip_blanks(j);
    const char *from = j->at;
    if (!json_skip(j)) return false;
    *out = str_n(from, (size_t)(j->at - from));
    return true;
}

/* --- trees: recursion is bounded by JSON_DEPTH_MAX */

static bool read_array(struct json *j, struct value *out) {
    struct {
        struct value *p;
        size_t n, cap;
    } items = {0};
    json_array(j);
    while (json_next_item(j)) {
        struct value v;
        json_value(j, &v);
        avec_push(j->arena, &items, v);
    }
    assert(items.n <= UINT32_MAX);
    *out = (struct value){.type = VAL_ARRAY, .n = (uint32_t)items.n, .items = items.p};
    return !j->bad;
}

static bool read_object(struct json *j, struct value *out) {
    struct {
        struct field *p;
        size_t n, cap;
    } fields = {0};
    json_object(j);
    for (struct field f; json_next_key(j, &f.key);) {
        json_value(j, &f.value);
        avec_push(j->arena, &fields, f);
    }
    assert(fields.n <= UINT32_MAX);
    *out = (struct value){.type = VAL_MAP, .n = (uint32_t)fields.n, .fields = fields.p};
    return !j->bad;
}

static bool read_number(struct json *j, struct value *out) {
    str text;
    if (!scan_number(j, &text)) return false;
    if (as_i64(text, &out->i)) {
        out->type = VAL_INT;
        return true;
    }
    if (!num_parse_double(text, &out->d)) return fail(j, text.p, "a number in the range of a double");
    out->type = VAL_DOUBLE;
    return true;
}

static bool read_value(struct json *j, struct value *out) {
    switch (json_peek(j)) {
    case JSON_OBJECT: return read_object(j, out);
    case JSON_ARRAY: return read_array(j, out);
    case JSON_STRING: out->type = VAL_STRING; return json_string(j, &out->s);
    case JSON_NUMBER: return read_number(j, out);
    case JSON_BOOL: out->type = VAL_BOOL; return json_bool(j, &out->b);
    case JSON_NULL: return json_null(j);
    case JSON_END: return fail(j, j->at, "a value");
    case JSON_BAD: break;
    }
    return false;
}

bool json_value(struct json *j, struct value *out) {
    *out = (struct value){.type = VAL_NULL};
    if (read_value(j, out)) return true;
    *out = (struct value){.type = VAL_NULL};
    return false;
}

bool json_done(struct json *j, struct err *e) {
    if (!j->bad) skip_blanks(j);
    if (!j->bad && j->at < j->end) fail(j, j->at, "the end of the text");
    if (!j->bad && j->depth) fail(j, j->at, "the containers to be closed");
    if (!j->bad) return true;
    return err_set(e, ERR_INPUT, "not JSON: expected %s (at byte %zu)", j->bad, (size_t)(j->at - j->start));
}
