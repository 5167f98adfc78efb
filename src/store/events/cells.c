#include "store/events/cells.h"

#include <stdio.h>

/* --- values as bytes */

static size_t put_cut(struct buf *b, str s, size_t max);

size_t value_encode(struct buf *b, const struct value *v, size_t max) {
    size_t cut = 0;
    buf_char(b, (char)v->type);
    switch (v->type) {
    case VAL_NULL: break;
    case VAL_BOOL: buf_char(b, v->b); break;
    case VAL_INT: put_zigzag(b, v->i); break;
    case VAL_DOUBLE: buf_put(b, &v->d, sizeof v->d); break;
    case VAL_STRING:
    case VAL_BYTES: cut += put_cut(b, v->s, max); break;
    case VAL_ARRAY:
        put_varint(b, v->n);
        for (uint32_t i = 0; i < v->n; i++) cut += value_encode(b, &v->items[i], max);
        break;
    case VAL_MAP:
        put_varint(b, v->n);
        for (uint32_t i = 0; i < v->n; i++) {
            put_slice(b, v->fields[i].key);
            cut += value_encode(b, &v->fields[i].value, max);
        }
        break;
    }
    return cut;
}

static bool decode_items(struct reader *r, struct arena *a, unsigned depth, struct value *out) {
    uint64_t n = get_varint(r);
    if (n > (uint64_t)(r->end - r->at) || depth >= VALUE_DEPTH_MAX) return false;
    out->n = (uint32_t)n;
    if (out->type == VAL_ARRAY) {
        struct value *items = arena_new_n(a, struct value, n);
        for (uint64_t i = 0; i < n; i++)
            if (!value_decode(r, a, depth + 1, &items[i])) return false;
        out->items = items;
        return true;
    }
    struct field *fields = arena_new_n(a, struct field, n);
    for (uint64_t i = 0; i < n; i++) {
        fields[i].key = get_slice(r);
        if (!value_decode(r, a, depth + 1, &fields[i].value)) return false;
    }
    out->fields = fields;
    return true;
}

bool value_decode(struct reader *r, struct arena *a, unsigned depth, struct value *out) {
    str tag = get_bytes(r, 1);
    if (r->bad || (unsigned char)tag.p[0] > VAL_MAP) return false;
    *out = (struct value){.type = (enum value_type)tag.p[0]};
    switch (out->type) {
    case VAL_NULL: break;
    case VAL_BOOL: out->b = get_varint(r) & 1; break;
    case VAL_INT: out->i = get_zigzag(r); break;
    case VAL_DOUBLE: out->i = (int64_t)get_le64(r); break;
    case VAL_STRING:
    case VAL_BYTES: out->s = get_slice(r); break;
    case VAL_ARRAY:
    case VAL_MAP: return decode_items(r, a, depth, out) && !r->bad;
    }
    return !r->bad;
}

static void put_fields(struct buf *b, const struct field *f, size_t n) {
    struct value v = {.type = VAL_MAP, .n = (uint32_t)n, .fields = f};
    value_encode(b, &v, SIZE_MAX);
}

static bool get_fields(struct reader *r, struct arena *a, const struct field **out, size_t *n) {
    struct value v;
    if (!value_decode(r, a, 0, &v) || v.type != VAL_MAP) return false;
    *out = v.fields;
    *n = v.n;
    return true;
}

void stream_encode(struct buf *b, const struct stream *s) {
    put_slice(b, s->service);
    put_slice(b, s->index);
    put_slice(b, s->scope_name);
    put_slice(b, s->scope_version);
    put_fields(b, s->attrs, s->attr_n);
    put_fields(b, s->scope_attrs, s->scope_attr_n);
}

bool stream_decode(str encoded, struct arena *a, struct stream *out) {
    struct reader r = reader_open(encoded);
    struct stream s = {.service = get_slice(&r), .index = get_slice(&r), .scope_name = get_slice(&r), .scope_version = get_slice(&r)};
    if (r.bad || !get_fields(&r, a, &s.attrs, &s.attr_n) || !get_fields(&r, a, &s.scope_attrs, &s.scope_attr_n) || r.at != r.end) return false;
    *out = s;
    return true;
}

/* --- cutting long strings: never in the middle of a code point, and the text says what happened */

enum { MARKER_MAX = 48 };

static size_t cut_at(str s, size_t max) {
    size_t n = max;
    while (n > 0 && n > max - 3 && (s.p[n] & 0xc0) == 0x80) n--;
    return n;
}

static size_t put_cut(struct buf *b, str s, size_t max) {
    if (s.n <= max) return put_slice(b, s), 0;
    char marker[MARKER_MAX];
    size_t n = cut_at(s, max);
    int m = snprintf(marker, sizeof marker, "...[%zu bytes cut]", s.n - n);
    put_varint(b, n + (size_t)m);
    buf_put(b, s.p, n);
    buf_put(b, marker, (size_t)m);
    return 1;
}

/* --- checking */

struct check {
    const struct cell_limits *limits;
    size_t attrs, bytes;
    bool deep;
};

static void check_fields(struct check *c, const struct field *f, size_t n, unsigned depth);

static void check_value(struct check *c, const struct value *v, unsigned depth) {
    if (depth > VALUE_DEPTH_MAX - 2) c->deep = true;
    if (c->deep) return;
    if (v->type == VAL_STRING || v->type == VAL_BYTES) c->bytes += MIN(v->s.n, c->limits->value_bytes_max);
    if (v->type == VAL_MAP) check_fields(c, v->fields, v->n, depth + 1);
    if (v->type != VAL_ARRAY) return;
    c->bytes += v->n;
    for (uint32_t i = 0; i < v->n; i++) check_value(c, &v->items[i], depth + 1);
}

static void check_fields(struct check *c, const struct field *f, size_t n, unsigned depth) {
    for (size_t i = 0; i < n; i++) {
        c->bytes += f[i].key.n + 16;
        c->attrs += f[i].value.type != VAL_MAP || f[i].value.n == 0;
        check_value(c, &f[i].value, depth);
    }
}

bool event_check(const struct event *ev, const struct cell_limits *l, struct err *e) {
    struct check c = {.limits = l, .bytes = MIN(ev->body.n, l->value_bytes_max) + ev->id.n + ev->severity_text.n + ev->trace_state.n};
    check_fields(&c, ev->attrs, ev->attr_n, 0);
    for (size_t i = 0; i < ev->event_n; i++) check_fields(&c, ev->events[i].attrs, ev->events[i].attr_n, 0);
    for (size_t i = 0; i < ev->link_n; i++) check_fields(&c, ev->links[i].attrs, ev->links[i].attr_n, 0);
    if (c.deep) return err_set(e, ERR_LIMIT, "event refused: attributes nested deeper than %d", VALUE_DEPTH_MAX - 2);
    if (c.attrs > l->attrs_max)
        return err_set(e, ERR_LIMIT, "event refused: %zu attributes, more than %zu (raise attrs_max, or send fewer)", c.attrs, l->attrs_max);
    if (c.bytes + (ev->event_n + ev->link_n) * 32 > ROW_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "event refused: %zu bytes, more than %d", c.bytes, ROW_BYTES_MAX);
    return true;
}

/* --- flattening */

struct flat {
    struct writer *w;
    const struct cell_limits *limits;
    struct buf *scratch; /* path being built, values being encoded */
    size_t cut;
    str body_ref; /* the message, until an attribute was met that is it */
    bool source_doc;
};

static void put_cell(struct flat *f, enum scope scope, str path, struct cell c) {
    size_t at = f->scratch->n;
    if (cell_is_strings(c.type) && c.type != CELL_ARRAY && c.s.n > f->limits->value_bytes_max) {
        f->cut++;
        size_t n = cut_at(c.s, f->limits->value_bytes_max);
        size_t path_from = (uintptr_t)path.p - (uintptr_t)f->scratch->p; /* the path may lie in the scratch, which may move */
        bool path_in = path_from < at;
        buf_put(f->scratch, c.s.p, n);
        buf_printf(f->scratch, "...[%zu bytes cut]", c.s.n - n);
        if (path_in) path.p = f->scratch->p + path_from;
        c.s = str_n(f->scratch->p + at, f->scratch->n - at);
    }
    writer_cell(f->w, scope, path, &c);
    f->scratch->n = at;
}

static void put_fixed(struct flat *f, enum fixed id, struct cell c) {
    static const char ids[FIX_N] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21};
    _Static_assert(FIX_N == 22, "one byte per fixed column");
    put_cell(f, SCOPE_FIXED, str_n(&ids[id], 1), c);
}
static void put_int(struct flat *f, enum fixed id, int64_t v) {
    put_fixed(f, id, (struct cell){.type = CELL_INT, .i = v});
}
static void put_string(struct flat *f, enum fixed id, str s) {
    put_fixed(f, id, (struct cell){.type = CELL_STRING, .s = s});
}
static void put_mark(struct flat *f, enum fixed id) {
    put_fixed(f, id, (struct cell){.type = CELL_MARK});
}

static bool plain_key(str key) {
    for (size_t i = 0; i < key.n; i++)
        if ((unsigned char)key.p[i] >= 0xfe) return false;
    return true;
}

static void put_key(struct buf *b, str key) {
    for (size_t i = 0; i < key.n; i++) {
        if ((unsigned char)key.p[i] < 0xfe) {
            buf_char(b, key.p[i]);
            continue;
        }
        buf_char(b, PATH_ESCAPE);
        buf_char(b, (char)(key.p[i] == PATH_SEPARATOR));
    }
}

static void put_array(struct flat *f, enum scope scope, str path, const struct value *v) {
    struct buf encoded = {0};
    f->cut += value_encode(&encoded, v, f->limits->value_bytes_max);
    put_cell(f, scope, path, (struct cell){.type = CELL_ARRAY, .s = buf_str(&encoded)});
    buf_done(&encoded);
}

static void put_leaf(struct flat *f, enum scope scope, str path, const struct value *v) {
    switch (v->type) {
    case VAL_NULL: put_cell(f, scope, path, (struct cell){.type = CELL_NULL}); return;
    case VAL_BOOL: put_cell(f, scope, path, (struct cell){.type = CELL_BOOL, .i = v->b}); return;
    case VAL_INT:
    case VAL_DOUBLE: put_cell(f, scope, path, (struct cell){.type = v->type == VAL_INT ? CELL_INT : CELL_DOUBLE, .i = v->i}); return;
    case VAL_STRING: put_cell(f, scope, path, (struct cell){.type = CELL_STRING, .s = v->s}); return;
    case VAL_BYTES: put_cell(f, scope, path, (struct cell){.type = CELL_BYTES, .s = v->s}); return;
    case VAL_ARRAY: put_array(f, scope, path, v); return;
    case VAL_MAP: put_cell(f, scope, path, (struct cell){.type = CELL_EMPTY_MAP}); return;
    }
}

/* Only the very text counts, unless the attributes are the whole document. */
static bool is_body(const struct flat *f, const struct value *v) {
    if (v->type != VAL_STRING || f->body_ref.n == 0 || v->s.n != f->body_ref.n) return false;
    return v->s.p == f->body_ref.p || (f->source_doc && str_eq(v->s, f->body_ref));
}

/* scratch[from..] holds the path of the maps around, each with its separator. */
static void put_attrs(struct flat *f, enum scope scope, const struct field *fields, size_t n, size_t from) {
    for (size_t i = 0; i < n; i++) {
        const struct value *v = &fields[i].value;
        bool nested = v->type == VAL_MAP && v->n > 0;
        size_t at = f->scratch->n;
        str path = fields[i].key;
        if (nested || at > from || !plain_key(path)) {
            put_key(f->scratch, path);
            if (nested) buf_char(f->scratch, PATH_SEPARATOR);
            path = str_n(f->scratch->p + from, f->scratch->n - from);
        }
        if (nested) {
            put_attrs(f, scope, v->fields, v->n, from);
        } else {
            if (is_body(f, v)) {
                put_mark(f, FIX_BODY_REF);
                f->body_ref = STR_NULL;
            }
            put_leaf(f, scope, path, v);
        }
        f->scratch->n = at;
    }
}

static void flatten_log(struct flat *f, const struct event *ev) {
    if (ev->source_doc) put_mark(f, FIX_SOURCE_DOC);
    f->body_ref = ev->body;
    f->source_doc = ev->source_doc;
    put_attrs(f, SCOPE_ATTR, ev->attrs, ev->attr_n, f->scratch->n);
    if (f->body_ref.n) put_string(f, FIX_BODY, ev->body); /* no attribute was it */
    if (ev->id.n) put_string(f, FIX_ID, ev->id);
    if (ev->observed_ns) put_int(f, FIX_OBSERVED, (int64_t)((uint64_t)ev->observed_ns - (uint64_t)ev->time_ns));
    if (ev->severity) put_int(f, FIX_SEVERITY, ev->severity);
    if (ev->severity_text.n) put_string(f, FIX_SEVERITY_TEXT, ev->severity_text);
    if (ev->flags) put_int(f, FIX_FLAGS, ev->flags);
    if (ev->span_id) put_int(f, FIX_SPAN, (int64_t)ev->span_id);
}

static void flatten_link(struct flat *f, const struct span_link *l) {
    uint64_t be[2] = {__builtin_bswap64(l->trace.hi), __builtin_bswap64(l->trace.lo)};
    put_fixed(f, FIX_LINK_TRACE, (struct cell){.type = CELL_BYTES, .s = str_n(be, sizeof be)});
    put_int(f, FIX_LINK_SPAN, (int64_t)l->span_id);
    if (l->follows_from) put_mark(f, FIX_LINK_FOLLOWS);
    if (l->trace_state.n) put_string(f, FIX_LINK_STATE, l->trace_state);
    put_attrs(f, SCOPE_LINK, l->attrs, l->attr_n, f->scratch->n);
}

static void flatten_span(struct flat *f, const struct event *ev) {
    put_int(f, FIX_SPAN, (int64_t)ev->span_id);
    if (ev->parent_id) put_int(f, FIX_PARENT, (int64_t)ev->parent_id);
    put_string(f, FIX_BODY, ev->body);
    put_int(f, FIX_KIND, ev->span_kind);
    put_int(f, FIX_STATUS, ev->status);
    put_int(f, FIX_DURATION, ev->duration_ns);
    if (ev->status_message.n) put_string(f, FIX_STATUS_MESSAGE, ev->status_message);
    if (ev->trace_state.n) put_string(f, FIX_TRACE_STATE, ev->trace_state);
    if (ev->flags) put_int(f, FIX_FLAGS, ev->flags);
    if (ev->id.n) put_string(f, FIX_ID, ev->id);
    put_attrs(f, SCOPE_ATTR, ev->attrs, ev->attr_n, f->scratch->n);
    for (size_t i = 0; i < ev->event_n; i++) {
        put_int(f, FIX_EVENT_TIME, (int64_t)((uint64_t)ev->events[i].time_ns - (uint64_t)ev->time_ns));
        put_string(f, FIX_EVENT_NAME, ev->events[i].name);
        put_attrs(f, SCOPE_EVENT, ev->events[i].attrs, ev->events[i].attr_n, f->scratch->n);
    }
    for (size_t i = 0; i < ev->link_n; i++) flatten_link(f, &ev->links[i]);
}

size_t event_flatten(struct writer *w, const struct event *ev, const struct cell_limits *l, struct buf *scratch) {
    struct flat f = {.w = w, .limits = l, .scratch = scratch};
    buf_clear(scratch);
    if (ev->kind == EVENT_SPAN)
        flatten_span(&f, ev);
    else
        flatten_log(&f, ev);
    return f.cut;
}

/* --- and back */

static str unescape(struct arena *a, str key, char separator_as) {
    bool plain = true;
    for (size_t i = 0; i < key.n && plain; i++) plain = (unsigned char)key.p[i] < 0xfe;
    if (plain) return key;
    char *p = arena_alloc(a, key.n);
    size_t n = 0;
    for (size_t i = 0; i < key.n; i++) {
        char c = key.p[i];
        if (c == PATH_SEPARATOR) c = separator_as;
        if (c == PATH_ESCAPE && i + 1 < key.n) c = key.p[++i] ? '\xff' : '\xfe';
        p[n++] = c;
    }
    return str_n(p, n);
}

str path_name(struct arena *a, str path) {
    return unescape(a, path, '.');
}

/* Length of the component of path at `from`; *nested: a separator follows. */
static size_t component(str path, size_t from, bool *nested) {
    size_t end = from;
    while (end < path.n && path.p[end] != PATH_SEPARATOR) end++;
    *nested = end < path.n;
    return end - from;
}

static const struct field *unflatten(struct arena *a, const struct path_value *items, size_t n, size_t from, unsigned depth, size_t *field_n) {
    struct field *fields = arena_new_n(a, struct field, n);
    size_t out = 0;
    for (size_t i = 0; i < n;) {
        bool nested;
        size_t len = component(items[i].path, from, &nested);
        str raw = str_sub(items[i].path, from, from + len);
        fields[out].key = unescape(a, raw, '.');
        if (!nested || depth >= VALUE_DEPTH_MAX) {
            fields[out++].value = items[i++].value;
            continue;
        }
        str prefix = str_sub(items[i].path, from, from + len + 1);
        size_t last = i + 1;
        while (last < n && str_starts(str_from(items[last].path, from), prefix)) last++;
        size_t child_n;
        const struct field *children = unflatten(a, items + i, last - i, from + len + 1, depth + 1, &child_n);
        fields[out++].value = (struct value){.type = VAL_MAP, .n = (uint32_t)child_n, .fields = children};
        i = last;
    }
    *field_n = out;
    return fields;
}

const struct field *fields_unflatten(struct arena *a, const struct path_value *items, size_t n, size_t *field_n) {
    return unflatten(a, items, n, 0, 0, field_n);
}
