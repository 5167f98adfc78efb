/* ?filter_path (Elasticsearch reference, "Common options"): paths with '*' in a key and '**' for any depth, '-' in front excludes; arrays are looked
 * through; objects left empty disappear. ?pretty: two blanks an indent. */
#include "api/elastic.h"
#include "base/vec.h"

enum { PATHS_MAX = 64 };

/* What is left to match of each path at one place of the document. */
struct paths {
    str rest[PATHS_MAX];
    size_t n;
};

static bool key_fits(str pattern, str key) {
    if (str_eq(pattern, key)) return true;
    struct filter f = {.op = FILTER_EXISTS, .field = pattern};
    return str_find_char(pattern, '*') != STR_NONE && filter_field_fits(&f, key);
}
static void add(struct paths *p, str rest) {
    if (p->n < PATHS_MAX) p->rest[p->n++] = rest;
}
/* The paths below `key`; true: one ends here. */
static bool descend(const struct paths *p, str key, struct paths *below) {
    bool ends = false;
    below->n = 0;
    for (size_t i = 0; i < p->n; i++) {
        str rest = p->rest[i], head;
        bool more = str_cut(&rest, '.', &head);
        if (str_eq(head, STR("**"))) {
            add(below, p->rest[i]);
            if (!more) {
                ends = true;
                continue;
            }
            more = str_cut(&rest, '.', &head);
        }
        if (!key_fits(head, key)) continue;
        if (more)
            add(below, rest);
        else
            ends = true;
    }
    return ends;
}

/* Filters v in place of a new tree in the arena; false: nothing is left. keep: the whole of v was asked for. */
static bool filtered(const struct value *v, const struct paths *in, bool keep, const struct paths *out, struct arena *a, struct value *result) {
    if (v->type != VAL_MAP && v->type != VAL_ARRAY) {
        *result = *v;
        return keep;
    }
    if (v->type == VAL_ARRAY) {
        struct value *items = arena_new_n(a, struct value, v->n);
        uint32_t n = 0;
        for (uint32_t i = 0; i < v->n; i++)
            if (filtered(&v->items[i], in, keep, out, a, &items[n])) n++;
        *result = (struct value){.type = VAL_ARRAY, .n = n, .items = items};
        return n || (keep && v->n == 0);
    }
    struct field *fields = arena_new_n(a, struct field, v->n);
    uint32_t n = 0;
    for (uint32_t i = 0; i < v->n; i++) {
        struct paths below, out_below;
        bool kept = descend(in, v->fields[i].key, &below) || keep;
        if (descend(out, v->fields[i].key, &out_below)) continue;
        fields[n].key = v->fields[i].key;
        if (filtered(&v->fields[i].value, &below, kept, &out_below, a, &fields[n].value)) n++;
    }
    *result = (struct value){.type = VAL_MAP, .n = n, .fields = fields};
    return n || (keep && v->n == 0);
}

static void indent(struct buf *b, unsigned depth) {
    buf_char(b, '\n');
    for (unsigned i = 0; i < depth; i++) buf_add(b, STR("  "));
}
static void put_pretty(struct buf *b, const struct value *v, unsigned depth) {
    struct json_out scalar = {.buf = b};
    if ((v->type != VAL_MAP && v->type != VAL_ARRAY) || v->n == 0) {
        json_put_value(&scalar, v);
        return;
    }
    buf_char(b, v->type == VAL_MAP ? '{' : '[');
    for (uint32_t i = 0; i < v->n; i++) {
        if (i) buf_char(b, ',');
        indent(b, depth + 1);
        if (v->type == VAL_MAP) {
            struct json_out key = {.buf = b};
            json_put_string(&key, v->fields[i].key);
            buf_add(b, STR(" : "));
        }
        put_pretty(b, v->type == VAL_MAP ? &v->fields[i].value : &v->items[i], depth + 1);
    }
    indent(b, depth);
    buf_char(b, v->type == VAL_MAP ? '}' : ']');
}

bool es_filter_path(str json, str paths, bool pretty, struct arena *a, struct buf *out) {
    struct value v = {0};
    struct err e;
    struct json j = json_open(json, a);
    json_value(&j, &v);
    if (!json_done(&j, &e)) return false;
    struct paths in = {.n = 0}, exclude = {.n = 0};
    str part;
    for (bool more = paths.n > 0; more;) {
        more = str_cut(&paths, ',', &part);
        part = str_trim(part);
        if (part.n > 1 && part.p[0] == '-')
            add(&exclude, str_from(part, 1));
        else if (part.n)
            add(&in, part);
    }
    struct value kept = v;
    if ((in.n || exclude.n) && !filtered(&v, &in, in.n == 0, &exclude, a, &kept)) kept = (struct value){.type = VAL_MAP};
    struct json_out o = {.buf = out};
    if (pretty) {
        put_pretty(out, &kept, 0);
        buf_char(out, '\n');
    } else {
        json_put_value(&o, &kept);
    }
    return true;
}
