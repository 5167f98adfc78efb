#include "api/elastic_hits.h"

#include <stdio.h>

#include "api/elastic.h"
#include "base/clock.h"
#include "base/vec.h"
#include "codec/isodate.h"
#include "codec/text.h"
#include "codec/timefmt.h"
#include "codec/words.h"
#include "store/events/filter.h"

enum { VALUES_MAX = 1024 /* of one field of one event */ };

/* --- documents */

struct members {
    struct field *p;
    size_t n, cap;
};
static void add(struct members *m, struct arena *a, const char *key, struct value v) {
    avec_push(a, m, ((struct field){str_c(key), v}));
}
static str hex(struct arena *a, const uint64_t *words, size_t n) {
    struct buf b = {0};
    for (size_t i = 0; i < n; i++) buf_printf(&b, "%016llx", (unsigned long long)words[i]);
    str s = arena_str(a, buf_str(&b));
    buf_done(&b);
    return s;
}
static str iso(struct arena *a, int64_t ns, bool nanos) {
    struct buf b = {0};
    if (nanos)
        time_put_rfc3339_ns(&b, ns);
    else
        time_put_rfc3339_ms(&b, ns);
    str s = arena_str(a, buf_str(&b));
    buf_done(&b);
    return s;
}
static void add_fields(struct members *m, struct arena *a, const struct field *fields, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!fields_get(m->p, m->n, fields[i].key)) avec_push(a, m, fields[i]);
}

struct value es_document(const struct evrow *r, struct arena *a) {
    struct event ev;
    struct stream stream;
    evrow_event(r, a, &ev, &stream);
    if (ev.source_doc) return (struct value){.type = VAL_MAP, .n = (uint32_t)ev.attr_n, .fields = ev.attrs};
    struct members m = {0};
    add(&m, a, "@timestamp", value_str(iso(a, ev.time_ns, ev.time_ns % NS_PER_MS != 0)));
    if (ev.body.n) add(&m, a, "message", value_str(ev.body));
    if (ev.severity_text.n) add(&m, a, "severity_text", value_str(ev.severity_text));
    if (ev.severity) add(&m, a, "severity_number", value_int(ev.severity));
    if (trace_id_set(ev.trace)) add(&m, a, "trace_id", value_str(hex(a, (const uint64_t[]){ev.trace.hi, ev.trace.lo}, 2)));
    if (ev.span_id) add(&m, a, "span_id", value_str(hex(a, &ev.span_id, 1)));
    if (stream.scope_name.n) add(&m, a, "scope.name", value_str(stream.scope_name));
    add_fields(&m, a, ev.attrs, ev.attr_n);
    add_fields(&m, a, stream.attrs, stream.attr_n);
    return (struct value){.type = VAL_MAP, .n = (uint32_t)m.n, .fields = m.p};
}

static bool any_fits(struct es_names_list list, str path) {
    for (size_t i = 0; i < list.n; i++)
        if (es_glob(list.p[i], path)) return true;
    return false;
}
/* May a member below `path` be included ("actor" on the way to "actor.id")? */
static bool leads_to(struct es_names_list list, str path) {
    for (size_t i = 0; i < list.n; i++) {
        if (str_find_char(list.p[i], '*') != STR_NONE) return true;
        if (str_starts(list.p[i], path) && list.p[i].n > path.n && list.p[i].p[path.n] == '.') return true;
    }
    return false;
}
/* v without what the lists leave out; false: nothing is left. inside: an ancestor is included. */
static bool pick(const struct value *v, str path, bool inside, const struct es_hit_options *h, struct arena *a, struct value *out) {
    if (v->type == VAL_ARRAY) {
        struct value *items = arena_new_n(a, struct value, v->n);
        uint32_t n = 0;
        for (uint32_t i = 0; i < v->n; i++)
            if (pick(&v->items[i], path, inside, h, a, &items[n])) n++;
        *out = (struct value){.type = VAL_ARRAY, .n = n, .items = items};
        return n || inside;
    }
    if (v->type != VAL_MAP) {
        *out = *v;
        return inside;
    }
    struct field *fields = arena_new_n(a, struct field, v->n);
    uint32_t n = 0;
    for (uint32_t i = 0; i < v->n; i++) {
        str key = v->fields[i].key, at = path.n ? arena_printf(a, "%" STR_F ".%" STR_F, STR_A(path), STR_A(key)) : key;
        bool included = inside || any_fits(h->includes, at);
        if (any_fits(h->excludes, at) || (!included && !leads_to(h->includes, at))) continue;
        fields[n].key = key;
        if (pick(&v->fields[i].value, at, included, h, a, &fields[n].value)) n++;
    }
    *out = (struct value){.type = VAL_MAP, .n = n, .fields = fields};
    return n || inside;
}

/* --- values of fields */

static void open_array(const struct value *v, struct value *out, size_t *n, size_t max) {
    if (v->type != VAL_ARRAY) {
        if (v->type != VAL_NULL && *n < max) out[(*n)++] = *v;
        return;
    }
    for (uint32_t i = 0; i < v->n; i++) open_array(&v->items[i], out, n, max);
}
size_t es_row_values(const struct evrow *r, str field, struct arena *a, struct value *out, size_t max) {
    size_t n = 0;
    struct value v;
    if (str_eq(field, STR("@timestamp"))) {
        out[n++] = value_int(evrow_time_ns(r));
        return n;
    }
    if (evrow_get(r, field, a, &v))
        open_array(&v, out, &n, max);
    else if (str_eq(field, STR("_index")))
        out[n++] = value_str(ES_LOGS_INDEX);
    return n;
}

void es_put_date(struct json_out *o, int64_t ns, str format) {
    char text[32];
    struct buf b = {0};
    if (str_starts(format, STR("epoch_"))) {
        int64_t unit = str_eq(format, STR("epoch_second")) ? NS_PER_S : NS_PER_MS;
        int n = snprintf(text, sizeof text, "%lld", (long long)(ns / unit - (ns % unit < 0)));
        json_put_string(o, str_n(text, (size_t)n));
        return;
    }
    if (str_ends(format, STR("_nanos")))
        time_put_rfc3339_ns(&b, ns);
    else
        time_put_rfc3339_ms(&b, ns);
    json_put_string(o, buf_str(&b));
    buf_done(&b);
}

static void put_field(struct json_out *o, const struct evrow *r, str name, str format, struct arena *a) {
    struct value *values = arena_new_n(a, struct value, VALUES_MAX);
    size_t n = es_row_values(r, name, a, values, VALUES_MAX);
    bool is_time = str_eq(name, STR("@timestamp"));
    if (n == 0) return;
    json_put_key(o, name);
    json_put_array(o);
    for (size_t i = 0; i < n; i++) {
        int64_t from, to;
        if (values[i].type == VAL_MAP) continue;
        if (is_time)
            es_put_date(o, values[i].i, format);
        else if (format.n && values[i].type == VAL_STRING && isodate_parse(values[i].s, 0, &from, &to))
            es_put_date(o, from, format);
        else
            json_put_value(o, &values[i]);
    }
    json_put_array_end(o);
}
static void put_fields(struct json_out *o, const struct evrow *r, const struct es_hit_options *h, struct arena *a) {
    json_put_key_c(o, "fields");
    json_put_object(o);
    for (size_t i = 0; i < h->field_n; i++) {
        const struct es_field_request *q = &h->fields[i];
        if (str_find_char(q->pattern, '*') == STR_NONE) {
            str name = q->pattern;
            if (str_ends(name, STR(".keyword"))) name.n -= sizeof ".keyword" - 1;
            put_field(o, r, fields_resolve(h->catalogue, q->pattern).kinds ? name : q->pattern, q->format, a);
            continue;
        }
        for (size_t k = 0; k < h->catalogue->n; k++)
            if (es_glob(q->pattern, h->catalogue->list[k].name)) put_field(o, r, h->catalogue->list[k].name, q->format, a);
    }
    json_put_object_end(o);
}

/* --- highlight: the whole text, with what the query's words matched between the tags */

struct marks {
    const struct es_hit_options *h;
    str field;
    struct buf text;
    bool any;
};
static bool leaf_marks(const struct marks *m, const struct filter *f, str word, str raw) {
    bool fits = m->h->highlight_any_field || filter_field_fits(f, m->field);
    if (!fits) return false;
    if (f->op >= FILTER_WORD && f->op <= FILTER_WORD_RANGE) return filter_word_test(f, word);
    if (f->op == FILTER_SUBSTRING) return str_find(word, f->words[0]) != STR_NONE;
    struct value v = value_str(raw);
    return (f->op == FILTER_EQ || f->op == FILTER_PREFIX) && filter_leaf_test(f, &v);
}
static bool query_marks(const struct marks *m, const struct filter *f, str word, str raw) {
    if (f->op > FILTER_NOT) return leaf_marks(m, f, word, raw);
    for (size_t i = 0; i < f->child_n && f->op != FILTER_NOT; i++)
        if (query_marks(m, f->children[i], word, raw)) return true;
    return false;
}
static void mark_text(struct marks *m, str text, struct arena *a) {
    struct words w = words_open(text, a);
    size_t at = 0;
    for (struct word x; words_next(&w, &x);) {
        if (!query_marks(m, m->h->query, x.text, str_sub(text, x.from, x.to))) continue;
        buf_add(&m->text, str_sub(text, at, x.from));
        buf_add(&m->text, m->h->pre_tag);
        buf_add(&m->text, str_sub(text, x.from, x.to));
        buf_add(&m->text, m->h->post_tag);
        at = x.to;
        m->any = true;
    }
    buf_add(&m->text, str_from(text, at));
}
static void put_highlight(struct json_out *o, const struct evrow *r, const struct es_hit_options *h, struct arena *a) {
    bool open = false;
    struct value *values = arena_new_n(a, struct value, VALUES_MAX);
    for (size_t k = 0; k < h->catalogue->n; k++) {
        const struct field_info *info = &h->catalogue->list[k];
        bool wanted = false;
        for (size_t i = 0; i < h->highlight_n && !wanted; i++) wanted = es_glob(h->highlights[i].pattern, info->name);
        if (!wanted || !(field_info_kinds(info) & KIND_TEXT)) continue;
        size_t n = es_row_values(r, info->name, a, values, VALUES_MAX);
        bool key = false;
        for (size_t i = 0; i < n; i++) {
            if (values[i].type != VAL_STRING) continue;
            struct marks m = {.h = h, .field = info->name};
            mark_text(&m, values[i].s, a);
            if (m.any && !open) {
                json_put_key_c(o, "highlight");
                json_put_object(o);
                open = true;
            }
            if (m.any && !key) {
                json_put_key(o, info->name);
                json_put_array(o);
                key = true;
            }
            if (m.any) json_put_string(o, buf_str(&m.text));
            buf_done(&m.text);
        }
        if (key) json_put_array_end(o);
    }
    if (open) json_put_object_end(o);
}

void es_hit_put(struct json_out *o, const struct evrow *r, const struct es_hit_options *h, str sort, struct arena *a) {
    struct value v;
    json_put_object(o);
    json_put_key_c(o, "_index");
    json_put_string(o, evrow_get(r, STR("_index"), a, &v) && v.type == VAL_STRING ? v.s : ES_LOGS_INDEX);
    json_put_key_c(o, "_id");
    json_put_string(o, evrow_get(r, STR("_id"), a, &v) && v.type == VAL_STRING ? v.s : STR(""));
    if (h->version) {
        json_put_key_c(o, "_version");
        json_put_i64(o, 1);
    }
    if (h->seq_no) {
        json_put_key_c(o, "_seq_no");
        json_put_u64(o, evrow_seq(r));
        json_put_key_c(o, "_primary_term");
        json_put_i64(o, 1);
    }
    json_put_key_c(o, "_score");
    if (h->scored)
        json_put_raw(o, STR("1.0"));
    else
        json_put_null(o);
    if (h->source) {
        struct value doc = es_document(r, a), picked;
        json_put_key_c(o, "_source");
        if (h->includes.n == 0 && h->excludes.n == 0)
            picked = doc;
        else if (!pick(&doc, STR(""), h->includes.n == 0, h, a, &picked))
            picked = (struct value){.type = VAL_MAP};
        json_put_value(o, &picked);
    }
    if (h->field_n) put_fields(o, r, h, a);
    if (h->highlight && h->query) put_highlight(o, r, h, a);
    if (sort.n) {
        json_put_key_c(o, "sort");
        json_put_raw(o, sort);
    }
    json_put_object_end(o);
}

/* --- options */

/* A string (comma-separated too), or an array of strings. */
static struct es_names_list names(const struct value *v, struct arena *a) {
    struct {
        str *p;
        size_t n, cap;
    } list = {0};
    if (v && v->type == VAL_STRING && v->s.n) {
        str rest = v->s, part;
        for (bool more = true; more;) {
            more = str_cut(&rest, ',', &part);
            avec_push(a, &list, str_trim(part));
        }
    }
    for (uint32_t i = 0; v && v->type == VAL_ARRAY && i < v->n; i++) avec_push(a, &list, es_text(&v->items[i], a));
    return (struct es_names_list){list.p, list.n};
}
static const struct value *either(const struct value *map, const char *one, const char *other) {
    const struct value *v = es_get(map, one);
    return v ? v : es_get(map, other);
}

struct requests {
    struct es_field_request *p;
    size_t n, cap;
};
/* ["message", {"field": "@timestamp", "format": "epoch_millis"}]; of highlight: {"message": {}} or [{"message": {}}] */
static bool read_requests(const struct value *v, struct arena *a, struct requests *out, struct err *e) {
    if (!v) return true;
    if (v->type != VAL_ARRAY) return err_set(e, ERR_INPUT, "[fields] must be an array");
    for (uint32_t i = 0; i < v->n; i++) {
        struct es_field_request q = {.pattern = es_text(&v->items[i], a), .format = STR("")};
        if (v->items[i].type == VAL_MAP) {
            q.pattern = es_text(es_get(&v->items[i], "field"), a);
            q.format = es_text(es_get(&v->items[i], "format"), a);
        }
        if (!q.pattern.n) return err_set(e, ERR_INPUT, "[fields] needs names or objects with a [field]");
        avec_push(a, out, q);
    }
    return true;
}
static void read_highlight(const struct value *v, struct arena *a, struct es_hit_options *out) {
    struct requests list = {0};
    const struct value *fields = es_get(v, "fields");
    for (uint32_t i = 0; fields && i < fields->n; i++) {
        if (fields->type == VAL_MAP) avec_push(a, &list, ((struct es_field_request){.pattern = fields->fields[i].key}));
        if (fields->type == VAL_ARRAY && fields->items[i].type == VAL_MAP && fields->items[i].n)
            avec_push(a, &list, ((struct es_field_request){.pattern = fields->items[i].fields[0].key}));
    }
    struct es_names_list pre = names(es_get(v, "pre_tags"), a), post = names(es_get(v, "post_tags"), a);
    out->highlight = list.n > 0;
    out->highlights = list.p;
    out->highlight_n = list.n;
    out->highlight_any_field = !es_true(v, "require_field_match", true);
    out->pre_tag = pre.n ? pre.p[0] : STR("<em>");
    out->post_tag = post.n ? post.p[0] : STR("</em>");
}

bool es_hit_options_read(const struct value *body, struct arena *a, struct es_hit_options *out, struct err *e) {
    struct es_hit_options h = {.source = true};
    const struct value *source = es_get(body, "_source");
    h.source_set = source != NULL;
    if (source && source->type == VAL_BOOL) {
        h.source = source->b;
    } else if (source && source->type == VAL_MAP) {
        h.includes = names(either(source, "includes", "include"), a);
        h.excludes = names(either(source, "excludes", "exclude"), a);
    } else {
        h.includes = names(source, a);
        if (h.includes.n == 1 && (str_eq(h.includes.p[0], STR("true")) || str_eq(h.includes.p[0], STR("false")))) {
            h.source = str_eq(h.includes.p[0], STR("true"));
            h.includes.n = 0;
        }
    }
    h.version = es_true(body, "version", false);
    h.seq_no = es_true(body, "seq_no_primary_term", false);
    struct requests fields = {0};
    if (!read_requests(es_get(body, "fields"), a, &fields, e) || !read_requests(es_get(body, "docvalue_fields"), a, &fields, e)) return false;
    const struct value *stored = es_get(body, "stored_fields");
    struct es_names_list stored_names = names(stored, a);
    if (stored_names.n == 1 && str_eq(stored_names.p[0], STR("_none_"))) h.source = false;
    h.fields = fields.p;
    h.field_n = fields.n;
    if (es_get(body, "highlight")) read_highlight(es_get(body, "highlight"), a, &h);
    *out = h;
    return true;
}
