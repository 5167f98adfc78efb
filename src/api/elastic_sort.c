/* Sorting of hits (Elasticsearch reference, "Sort search results"): keys, their values of a row, comparison, search_after; and filters on rows. */

#include "api/elastic_hits.h"
#include "base/clock.h"
#include "base/vec.h"
#include "codec/isodate.h"

enum { KEYS_MAX = 16, SORT_VALUES_MAX = 64 };

struct keys {
    struct es_sort_key *p;
    size_t n, cap;
};

static bool add_key(struct keys *k, str field, const struct value *options, const struct fields *fields, struct arena *a, struct err *e) {
    str order = es_text(options && options->type == VAL_MAP ? es_get(options, "order") : options, a);
    bool score = str_eq(field, STR("_score"));
    if (order.n && !str_eq_nocase(order, STR("asc")) && !str_eq_nocase(order, STR("desc")))
        return err_set(e, ERR_INPUT, "sort order of [%" STR_F "] must be asc or desc, not [%" STR_F "]", STR_A(field), STR_A(order));
    if (k->n == KEYS_MAX) return err_set(e, ERR_INPUT, "more than %d sort keys", KEYS_MAX);
    if (str_eq(field, STR("_script")) || str_eq(field, STR("_geo_distance")))
        return err_set(e, ERR_UNSUPPORTED, "sorting by [%" STR_F "] is not offered", STR_A(field));
    struct field_ref ref = fields_resolve(fields, field);
    struct es_sort_key key = {.kind = ES_SORT_FIELD, .field = ref.kinds ? ref.name : field, .date = ref.kinds == KIND_DATE};
    key.desc = order.n ? str_eq_nocase(order, STR("desc")) : score;
    key.format = es_text(es_get(options, "format"), a);
    key.missing_first = str_eq(es_text(es_get(options, "missing"), a), STR("_first"));
    if (str_eq(field, STR("@timestamp"))) key.kind = ES_SORT_TIME;
    if (str_eq(field, STR("_doc")) || str_eq(field, STR("_shard_doc"))) key.kind = ES_SORT_DOC;
    if (score) key.kind = ES_SORT_SCORE;
    avec_push(a, k, key);
    return true;
}

static bool add_spec(struct keys *k, const struct value *v, const struct fields *fields, struct arena *a, struct err *e) {
    if (v->type == VAL_STRING) { /* "field" or, in ?sort=, "field:desc" */
        str field = v->s, head;
        size_t colon = str_find_char(field, ':');
        struct value order = value_str(colon == STR_NONE ? STR("") : str_from(field, colon + 1));
        head = str_sub(field, 0, colon == STR_NONE ? field.n : colon);
        return add_key(k, head, &order, fields, a, e);
    }
    if (v->type != VAL_MAP) return err_set(e, ERR_INPUT, "[sort] must hold names or objects");
    for (uint32_t i = 0; i < v->n; i++)
        if (!add_key(k, v->fields[i].key, &v->fields[i].value, fields, a, e)) return false;
    return true;
}

bool es_sort_read(const struct value *spec, const struct fields *fields, struct arena *a, struct es_sort_key **out, size_t *n, struct err *e) {
    struct keys k = {0};
    if (spec && spec->type == VAL_ARRAY) {
        for (uint32_t i = 0; i < spec->n; i++)
            if (!add_spec(&k, &spec->items[i], fields, a, e)) return false;
    } else if (spec && !add_spec(&k, spec, fields, a, e)) {
        return false;
    }
    *out = k.p;
    *n = k.n;
    return true;
}

static int64_t floor_ms(int64_t ns) {
    return ns / NS_PER_MS - (ns % NS_PER_MS < 0);
}
static struct value date_value(struct value v) {
    int64_t from, to;
    return v.type == VAL_STRING && isodate_parse(v.s, 0, &from, &to) ? value_int(floor_ms(from)) : v;
}
static double as_number(const struct value *v) {
    return v->type == VAL_INT ? (double)v->i : v->type == VAL_DOUBLE ? v->d : v->b;
}
static int compare_values(const struct value *x, const struct value *y) {
    bool xs = x->type == VAL_STRING, ys = y->type == VAL_STRING;
    if (xs != ys) return xs - ys; /* numbers before texts */
    if (xs) return str_cmp(x->s, y->s);
    if (x->type == VAL_INT && y->type == VAL_INT) return (x->i > y->i) - (x->i < y->i);
    double a = as_number(x), b = as_number(y);
    return (a > b) - (a < b);
}

struct value es_sort_value(const struct es_sort_key *k, const struct evrow *r, struct arena *a) {
    switch (k->kind) {
    case ES_SORT_TIME: return value_int(floor_ms(evrow_time_ns(r)));
    case ES_SORT_DOC: return value_str(arena_printf(a, "%lld-%llu", (long long)evrow_time_ns(r), (unsigned long long)evrow_seq(r)));
    case ES_SORT_SCORE: return value_double(1);
    case ES_SORT_FIELD: break;
    }
    struct value values[SORT_VALUES_MAX], best = {.type = VAL_NULL};
    size_t n = es_row_values(r, k->field, a, values, SORT_VALUES_MAX);
    for (size_t i = 0; i < n; i++) { /* the least of several for ascending, the greatest for descending */
        struct value v = k->date ? date_value(values[i]) : values[i];
        if (v.type == VAL_MAP || v.type == VAL_BYTES) continue;
        int c = best.type == VAL_NULL ? 0 : compare_values(&v, &best);
        if (best.type == VAL_NULL || (k->desc ? c > 0 : c < 0)) best = v;
    }
    return best;
}

bool es_doc_position(str text, int64_t *time_ns, uint64_t *seq) {
    size_t dash = text.n;
    while (dash > 0 && text.p[dash - 1] != '-') dash--;
    return dash > 1 && str_i64(str_sub(text, 0, dash - 1), time_ns) && str_u64(str_from(text, dash), seq);
}
static int compare_positions(str x, str y) {
    int64_t xt, yt;
    uint64_t xs, ys;
    if (!es_doc_position(x, &xt, &xs) || !es_doc_position(y, &yt, &ys)) return 0;
    if (xt != yt) return xt < yt ? -1 : 1;
    return (xs > ys) - (xs < ys);
}

int es_sort_compare(const struct es_sort_key *keys, size_t n, const struct value *x, const struct value *y) {
    for (size_t i = 0; i < n; i++) {
        int c;
        bool x_missing = x[i].type == VAL_NULL, y_missing = y[i].type == VAL_NULL;
        if (x_missing || y_missing) {
            c = keys[i].missing_first ? y_missing - x_missing : x_missing - y_missing;
        } else {
            c = keys[i].kind == ES_SORT_DOC ? compare_positions(x[i].s, y[i].s) : compare_values(&x[i], &y[i]);
            if (keys[i].desc) c = -c;
        }
        if (c) return c;
    }
    return 0;
}

struct value es_sort_after(const struct es_sort_key *k, const struct value *given, struct arena *a) {
    double d;
    int64_t i;
    if (given->type == VAL_NULL) return *given;
    bool time = k->kind == ES_SORT_TIME || k->date;
    if (k->kind == ES_SORT_DOC) return value_str(es_text(given, a));
    if (time && given->type == VAL_STRING && !str_i64(given->s, &i)) return date_value(*given);
    if (given->type == VAL_STRING && str_i64(given->s, &i)) return value_int(i);
    if (given->type == VAL_STRING && k->kind != ES_SORT_FIELD && es_number(given, &d)) return value_double(d);
    return *given;
}

void es_sort_put(struct json_out *o, const struct es_sort_key *keys, size_t n, const struct value *values, bool hidden_too) {
    json_put_array(o);
    for (size_t i = 0; i < n; i++) {
        if (keys[i].hidden && !hidden_too) continue;
        bool date = keys[i].kind == ES_SORT_TIME || keys[i].date;
        if (date && keys[i].format.n && values[i].type == VAL_INT && !hidden_too)
            es_put_date(o, values[i].i * NS_PER_MS, keys[i].format);
        else
            json_put_value(o, &values[i]);
    }
    json_put_array_end(o);
}

/* --- filters on rows */

static bool named_leaf(const struct evrow *r, const struct filter *f, str name, struct arena *a) {
    struct value v;
    if (f->op == FILTER_TIME_RANGE && str_eq(name, STR("@timestamp")))
        v = value_int(evrow_time_ns(r));
    else if (!evrow_get(r, name, a, &v))
        return false;
    return filter_leaf_test(f, &v);
}
static bool leaf_matches(const struct evrow *r, const struct filter *f, const struct fields *fields, struct arena *a) {
    if (f->op == FILTER_IDS) return named_leaf(r, f, STR("_id"), a);
    if (str_find_char(f->field, '*') == STR_NONE) return named_leaf(r, f, f->field, a);
    for (size_t i = 0; i < fields->n; i++)
        if (filter_field_fits(f, fields->list[i].name) && named_leaf(r, f, fields->list[i].name, a)) return true;
    return false;
}
bool es_row_matches(const struct evrow *r, const struct filter *f, const struct fields *fields, struct arena *a) {
    if (f->op > FILTER_NOT) return leaf_matches(r, f, fields, a);
    switch (f->op) {
    case FILTER_ALL: return true;
    case FILTER_NOT: return !es_row_matches(r, f->children[0], fields, a);
    case FILTER_AND:
    case FILTER_OR:
        for (size_t i = 0; i < f->child_n; i++)
            if (es_row_matches(r, f->children[i], fields, a) == (f->op == FILTER_OR)) return f->op == FILTER_OR;
        return f->op == FILTER_AND;
    default: return false;
    }
}
