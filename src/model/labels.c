#include "model/labels.h"

#include <stdlib.h>

#include "base/hash.h"
#include "codec/regex.h"

str labels_get(struct labels ls, str name) {
    for (size_t i = 0; i < ls.n; i++)
        if (str_eq(ls.l[i].name, name)) return ls.l[i].value;
    return STR_NULL;
}

bool labels_eq(struct labels a, struct labels b) {
    if (a.n != b.n) return false;
    for (size_t i = 0; i < a.n; i++)
        if (!str_eq(a.l[i].name, b.l[i].name) || !str_eq(a.l[i].value, b.l[i].value)) return false;
    return true;
}

/* Strings of one store are often the same memory. */
static inline int cmp(str a, str b) {
    return a.p == b.p && a.n == b.n ? 0 : str_cmp(a, b);
}

int labels_cmp(struct labels a, struct labels b) {
    size_t n = MIN(a.n, b.n);
    for (size_t i = 0; i < n; i++) {
        int c = cmp(a.l[i].name, b.l[i].name);
        if (c == 0) c = cmp(a.l[i].value, b.l[i].value);
        if (c != 0) return c;
    }
    return (a.n > b.n) - (a.n < b.n);
}

uint64_t labels_hash(struct labels ls) {
    uint64_t h = ls.n;
    for (size_t i = 0; i < ls.n; i++) h = hash_mix(hash_mix(h, hash_str(ls.l[i].name)), hash_str(ls.l[i].value));
    return h;
}

static int by_name(const void *a, const void *b) {
    return str_cmp(((const struct label *)a)->name, ((const struct label *)b)->name);
}

/* Label sets mostly arrive sorted: look before sorting. */
static bool is_sorted(const struct label *l, size_t n) {
    for (size_t i = 1; i < n; i++)
        if (str_cmp(l[i - 1].name, l[i].name) > 0) return false;
    return true;
}

bool labels_sort(struct label *l, size_t *n, struct err *e) {
    size_t kept = 0;
    for (size_t i = 0; i < *n; i++)
        if (l[i].value.n > 0) l[kept++] = l[i];
    if (!is_sorted(l, kept)) qsort(l, kept, sizeof *l, by_name);
    for (size_t i = 1; i < kept; i++)
        if (str_eq(l[i - 1].name, l[i].name)) return err_set(e, ERR_INPUT, "label \"%" STR_F "\" is given twice", STR_A(str_sub(l[i].name, 0, 100)));
    *n = kept;
    return true;
}

struct labels labels_copy(struct arena *a, struct labels ls) {
    struct label *l = arena_new_n(a, struct label, ls.n);
    for (size_t i = 0; i < ls.n; i++) l[i] = (struct label){arena_str(a, ls.l[i].name), arena_str(a, ls.l[i].value)};
    return (struct labels){l, ls.n};
}

/* As Go's strconv.Quote for what label values hold: printable text and UTF-8 stay. */
static void put_quoted(struct buf *b, str s) {
    buf_char(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\')
            buf_printf(b, "\\%c", c);
        else if (c == '\n')
            buf_add(b, STR("\\n"));
        else if (c == '\t')
            buf_add(b, STR("\\t"));
        else if (c == '\r')
            buf_add(b, STR("\\r"));
        else if (c < 0x20 || c == 0x7f)
            buf_printf(b, "\\x%02x", c);
        else
            buf_char(b, (char)c);
    }
    buf_char(b, '"');
}

void labels_put(struct buf *b, struct labels ls) {
    str name = labels_get(ls, LABEL_METRIC_NAME);
    bool bare = name.n > 0 && metric_name_legacy_valid(name);
    if (bare) buf_add(b, name);
    if (bare && ls.n == 1) return;
    buf_char(b, '{');
    size_t written = 0;
    if (name.n > 0 && !bare) {
        put_quoted(b, name);
        written++;
    }
    for (size_t i = 0; i < ls.n; i++) {
        if (str_eq(ls.l[i].name, LABEL_METRIC_NAME)) continue;
        if (written++ > 0) buf_add(b, STR(", "));
        if (label_name_legacy_valid(ls.l[i].name))
            buf_add(b, ls.l[i].name);
        else
            put_quoted(b, ls.l[i].name);
        buf_char(b, '=');
        put_quoted(b, ls.l[i].value);
    }
    buf_char(b, '}');
}

static bool name_valid(str name, bool colon) {
    if (name.n == 0) return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colon && c == ':');
        if (!letter && !(i > 0 && c >= '0' && c <= '9')) return false;
    }
    return true;
}
bool label_name_legacy_valid(str name) {
    return name_valid(name, false);
}
bool metric_name_legacy_valid(str name) {
    return name_valid(name, true);
}

enum matcher_result matcher_test(const struct matcher *m, str value) {
    if (m->op == MATCH_EQ || m->op == MATCH_NE) return str_eq(m->value, value) == (m->op == MATCH_EQ) ? MATCHER_YES : MATCHER_NO;
    enum regex_result r = regex_match(m->re, value);
    if (r == REGEX_LIMIT) return MATCHER_LIMIT;
    return (r == REGEX_YES) == (m->op == MATCH_RE) ? MATCHER_YES : MATCHER_NO;
}
