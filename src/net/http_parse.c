#include "net/http_parse.h"

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static bool needs_unescape(str raw, bool plus_is_blank) {
    return str_find_char(raw, '%') != STR_NONE || (plus_is_blank && str_find_char(raw, '+') != STR_NONE);
}

bool http_unescape(struct arena *a, str raw, bool plus_is_blank, str *out, struct err *e) {
    if (!needs_unescape(raw, plus_is_blank)) {
        *out = raw;
        return true;
    }
    char *p = arena_alloc(a, raw.n);
    size_t n = 0;
    for (size_t i = 0; i < raw.n; i++) {
        char c = raw.p[i];
        if (c == '+' && plus_is_blank) c = ' ';
        if (c == '%') {
            int high = i + 2 < raw.n ? hex_digit(raw.p[i + 1]) : -1;
            int low = i + 2 < raw.n ? hex_digit(raw.p[i + 2]) : -1;
            if (high < 0 || low < 0)
                return err_set(e, ERR_INPUT, "bad percent-encoding \"%" STR_F "\" (at byte %zu): write a literal percent sign as %%25",
                               STR_A(str_sub(raw, i, i + 3)), i);
            c = (char)(high << 4 | low);
            i += 2;
        }
        p[n++] = c;
    }
    *out = str_n(p, n);
    return true;
}

static bool add_param(struct arena *a, str field, struct http_params *out, struct err *e) {
    str name;
    str value = field;
    if (!str_cut(&value, '=', &name)) value = STR("");
    struct http_pair pair;
    if (!http_unescape(a, name, true, &pair.name, e)) return false;
    if (!http_unescape(a, value, true, &pair.value, e)) return err_wrap(e, "parameter \"%" STR_F "\"", STR_A(str_sub(pair.name, 0, 60)));
    if (out->n == HTTP_PARAMS_MAX) return err_set(e, ERR_INPUT, "more than %d parameters", HTTP_PARAMS_MAX);
    if (out->n == out->cap) {
        size_t cap = out->cap ? out->cap * 2 : 8;
        out->p = arena_grow(a, out->p, out->cap * sizeof *out->p, cap * sizeof *out->p);
        out->cap = cap;
    }
    out->p[out->n++] = pair;
    return true;
}

bool http_parse_params(struct arena *a, str text, struct http_params *out, struct err *e) {
    while (text.n) {
        str field;
        str_cut(&text, '&', &field);
        if (field.n && !add_param(a, field, out, e)) return false;
    }
    return true;
}

/* Cuts "scheme://authority" off an absolute-form target: RFC 9112 3.2.2 wants it accepted. */
static str origin_form(str raw) {
    str rest = str_starts(raw, STR("http://")) ? str_from(raw, 7) : str_starts(raw, STR("https://")) ? str_from(raw, 8) : STR_NULL;
    if (rest.n == 0) return raw;
    size_t at = 0;
    while (at < rest.n && rest.p[at] != '/' && rest.p[at] != '?') at++;
    return str_from(rest, at);
}

static size_t count_char(str s, char c) {
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += s.p[i] == c;
    return n;
}

static bool parse_path(struct arena *a, str raw, struct http_target *t, struct err *e) {
    t->segment_n = count_char(raw, '/');
    if (t->segment_n > HTTP_SEGMENTS_MAX) return err_set(e, ERR_INPUT, "the path has more than %d segments", HTTP_SEGMENTS_MAX);
    t->segments = arena_new_n(a, str, t->segment_n);
    str rest = str_from(raw, 1);
    for (size_t i = 0; i < t->segment_n; i++) {
        str segment;
        str_cut(&rest, '/', &segment);
        if (!http_unescape(a, segment, false, &t->segments[i], e)) return err_wrap(e, "path");
    }
    if (!http_unescape(a, raw, false, &t->path, e)) return err_wrap(e, "path");
    if (str_find_char(t->path, 0) != STR_NONE) return err_set(e, ERR_INPUT, "the path has a NUL byte");
    return true;
}

bool http_parse_target(struct arena *a, str raw, struct http_target *out, struct err *e) {
    if (str_eq(raw, STR("*"))) {
        *out = (struct http_target){.path = STR("*"), .asterisk = true};
        return true;
    }
    str query = origin_form(raw);
    str path;
    str_cut(&query, '?', &path);
    if (path.n == 0) path = STR("/"); /* "http://host" and "http://host?q" */
    if (path.p[0] != '/')
        return err_set(e, ERR_INPUT, "the request target must be a path or an http URL, not \"%" STR_F "\"", STR_A(str_sub(raw, 0, 60)));
    struct http_target t = {.query = query};
    if (!parse_path(a, path, &t, e)) return false;
    *out = t;
    return true;
}

/* Fixed-width lower-case hex, as the standard demands. */
static bool lower_hex(str s, uint64_t *out) {
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] >= 'A' && s.p[i] <= 'F') return false;
    return str_hex_u64(s, out);
}

bool http_parse_traceparent(str h, struct http_traceparent *out) {
    uint64_t version, flags;
    struct http_traceparent t;
    if (h.n < 55 || h.p[2] != '-' || h.p[35] != '-' || h.p[52] != '-') return false;
    if (!lower_hex(str_sub(h, 0, 2), &version) || version == 0xff) return false;
    if (version == 0 ? h.n != 55 : h.n > 55 && h.p[55] != '-') return false; /* later versions may append fields */
    if (!lower_hex(str_sub(h, 3, 19), &t.trace_hi) || !lower_hex(str_sub(h, 19, 35), &t.trace_lo)) return false;
    if (!lower_hex(str_sub(h, 36, 52), &t.parent_span_id) || !lower_hex(str_sub(h, 53, 55), &flags)) return false;
    if ((t.trace_hi | t.trace_lo) == 0 || t.parent_span_id == 0) return false;
    t.sampled = flags & 1;
    *out = t;
    return true;
}

/* "q=0", "q=0.0", "q=0.000": not acceptable. */
static bool weight_is_zero(str parameters) {
    str p = str_trim(parameters);
    if (p.n < 3 || !str_eq_nocase(str_sub(p, 0, 2), STR("q="))) return false;
    for (size_t i = 2; i < p.n; i++)
        if (p.p[i] != '0' && p.p[i] != '.') return false;
    return true;
}

bool http_accepts_gzip(str header) {
    bool any = false;
    while (header.n) {
        str item, coding;
        str_cut(&header, ',', &item);
        str_cut(&item, ';', &coding);
        coding = str_trim(coding);
        bool ok = !weight_is_zero(item);
        if (str_eq_nocase(coding, STR("gzip")) || str_eq_nocase(coding, STR("x-gzip"))) return ok;
        if (str_eq(coding, STR("*"))) any = ok;
    }
    return any;
}
