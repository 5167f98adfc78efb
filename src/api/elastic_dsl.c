#include "api/elastic_dsl.h"

#include <math.h>

#include "base/vec.h"
#include "codec/isodate.h"
#include "codec/num.h"
#include "codec/words.h"

enum { DSL_DEPTH_MAX = 30 /* indices.query.bool.max_nested_depth */, DSL_CLAUSES_MAX = 65536 /* index.max_terms_count */ };

/* --- JSON */
const struct value *es_get(const struct value *map, const char *key) {
    if (!map || map->type != VAL_MAP) return NULL;
    const struct value *v = fields_get(map->fields, map->n, str_c(key));
    return v && v->type != VAL_NULL ? v : NULL;
}
str es_text(const struct value *v, struct arena *a) {
    if (!v) return STR("");
    switch (v->type) {
    case VAL_STRING: return v->s;
    case VAL_BOOL: return v->b ? STR("true") : STR("false");
    case VAL_INT: return arena_printf(a, "%lld", (long long)v->i);
    case VAL_DOUBLE: {
        char text[NUM_DOUBLE_MAX];
        return arena_str(a, str_n(text, num_format_double(text, v->d)));
    }
    case VAL_NULL:
    case VAL_BYTES:
    case VAL_ARRAY:
    case VAL_MAP: break;
    }
    return STR("");
}
bool es_true(const struct value *map, const char *key, bool otherwise) {
    const struct value *v = es_get(map, key);
    if (!v) return otherwise;
    return v->type == VAL_BOOL ? v->b : v->type == VAL_STRING ? str_eq(v->s, STR("true")) : otherwise;
}
bool es_number(const struct value *v, double *out) {
    if (!v) return false;
    if (v->type == VAL_INT)
        *out = (double)v->i;
    else if (v->type == VAL_DOUBLE)
        *out = v->d;
    else
        return v->type == VAL_STRING && num_parse_double(v->s, out);
    return true;
}
bool es_integer(const struct value *v, int64_t *out) {
    double d;
    if (v && v->type == VAL_INT) {
        *out = v->i;
        return true;
    }
    if (!es_number(v, &d) || !(fabs(d) < 9e15) || d != trunc(d)) return false;
    *out = (int64_t)d;
    return true;
}
bool es_glob(str pattern, str name) {
    struct filter f = {.op = FILTER_EXISTS, .field = pattern};
    return str_eq(pattern, name) || (str_find_char(pattern, '*') != STR_NONE && filter_field_fits(&f, name));
}

/* --- lowering */
struct dsl {
    const struct es_dsl *d;
    struct arena *a;
    unsigned depth;
    struct err *e;
};
typedef bool query_fn(struct dsl *d, str name, const struct value *body, const struct filter **out);

static bool lower(struct dsl *d, const struct value *query, const struct filter **out);

static bool refuse(struct dsl *d, str name, const char *what) {
    return err_set(d->e, ERR_INPUT, "[%" STR_F "] %s", STR_A(name), what);
}
static struct leaf_context context(struct dsl *d, bool lenient) {
    return (struct leaf_context){.arena = d->a, .fields = d->d->fields, .dates = {.now_ns = d->d->now_ns}, .lenient = lenient};
}
/* Keys of a query's parameters that are none of these are named and refused. */
static bool known_keys(struct dsl *d, str name, const struct value *map, const char *list) {
    for (uint32_t i = 0; i < map->n; i++) {
        str rest = str_c(list), word;
        bool known = str_eq(map->fields[i].key, STR("boost")) || str_eq(map->fields[i].key, STR("_name"));
        for (bool more = true; more && !known;) {
            more = str_cut(&rest, ' ', &word);
            known = str_eq(word, map->fields[i].key);
        }
        if (!known) return err_set(d->e, ERR_INPUT, "[%" STR_F "] query does not support [%" STR_F "]", STR_A(name), STR_A(map->fields[i].key));
    }
    return true;
}

/* {"field": value} or {"field": {"query": value, ...}}: the field, its parameters (NULL for the short form) and the value. */
static bool one_field(struct dsl *d, str name, const struct value *body, const char *value_key, const char *keys, str *field,
                      const struct value **params, const struct value **value) {
    const struct field *found = NULL;
    for (uint32_t i = 0; body->type == VAL_MAP && i < body->n; i++) {
        if (str_eq(body->fields[i].key, STR("boost")) || str_eq(body->fields[i].key, STR("_name"))) continue;
        if (found) return refuse(d, name, "query doesn't support multiple fields");
        found = &body->fields[i];
    }
    if (!found) return refuse(d, name, "query needs an object with one field");
    *field = found->key;
    *params = found->value.type == VAL_MAP ? &found->value : NULL;
    *value = *params ? es_get(*params, value_key) : &found->value;
    if (*params && !known_keys(d, name, *params, keys)) return false;
    if (!*value || (*value)->type == VAL_NULL || (*value)->type == VAL_MAP || (*value)->type == VAL_ARRAY)
        return refuse(d, name, "query needs a value for its field");
    return true;
}

/* minimum_should_match: 2, -1, "50%", "-25%". */
static int64_t minimum(const struct value *v, int64_t optional, int64_t otherwise) {
    int64_t n;
    if (!v) return otherwise;
    if (v->type == VAL_STRING && str_ends(v->s, STR("%"))) {
        int64_t percent;
        if (!str_i64(str_sub(v->s, 0, v->s.n - 1), &percent) || percent > 100 || percent < -100) return otherwise;
        n = optional * (percent < 0 ? -percent : percent) / 100;
        if (percent < 0) n = optional - n;
    } else {
        if (!es_integer(v, &n)) return otherwise;
        if (n < 0) n += optional;
    }
    return MAX(n, 0);
}

/* At least k of n: as a filter, k nested choices. n is small when k is more than one. */
static bool at_least(struct dsl *d, const struct filter *const *list, size_t n, size_t k, const struct filter **out) {
    if (k > n) {
        *out = filter_none();
        return true;
    }
    if (k <= 1 || k == n) {
        *out = k == 0 ? filter_all() : filter_join(d->a, k == 1 ? FILTER_OR : FILTER_AND, list, n);
        return true;
    }
    if (n > 64) return err_set(d->e, ERR_UNSUPPORTED, "minimum_should_match above 1 is offered for up to 64 clauses, not %zu", n);
    /* row[j]: at least j of the first i; rows share their parts */
    const struct filter **row = arena_new_n(d->a, const struct filter *, k + 1);
    row[0] = filter_all();
    for (size_t j = 1; j <= k; j++) row[j] = filter_none();
    for (size_t i = 0; i < n; i++) {
        for (size_t j = MIN(k, i + 1); j >= 1; j--) {
            const struct filter *with[] = {row[j - 1], list[i]}, *either[] = {row[j], filter_join(d->a, FILTER_AND, with, 2)};
            row[j] = row[j]->op == FILTER_NONE ? either[1] : filter_join(d->a, FILTER_OR, either, 2);
        }
    }
    *out = row[k];
    return true;
}

struct filters {
    const struct filter **p;
    size_t n, cap;
};
/* One query or an array of them; what says nothing matches nothing, as in Elasticsearch outside query_string. */
static bool lower_list(struct dsl *d, const struct value *v, struct filters *list) {
    if (!v) return true;
    size_t n = v->type == VAL_ARRAY ? v->n : 1;
    for (size_t i = 0; i < n; i++) {
        const struct filter *f;
        if (!lower(d, v->type == VAL_ARRAY ? &v->items[i] : v, &f)) return false;
        avec_push(d->a, list, f);
    }
    return true;
}

static bool query_bool(struct dsl *d, str name, const struct value *body, const struct filter **out) {
    if (!known_keys(d, name, body, "must filter should must_not minimum_should_match adjust_pure_negative disable_coord")) return false;
    struct filters must = {0}, should = {0}, not = {0};
    if (!lower_list(d, es_get(body, "must"), &must) || !lower_list(d, es_get(body, "filter"), &must)) return false;
    if (!lower_list(d, es_get(body, "should"), &should) || !lower_list(d, es_get(body, "must_not"), &not )) return false;
    size_t required = must.n;
    for (size_t i = 0; i < not .n; i++) avec_push(d->a, &must, filter_not(d->a, not .p[i]));
    /* Without anything that must hold, one of the shoulds has to, whatever minimum is asked for. */
    int64_t k = minimum(es_get(body, "minimum_should_match"), (int64_t)should.n, required == 0 && should.n > 0);
    if (required == 0 && should.n > 0) k = MAX(k, 1);
    const struct filter *some = NULL;
    if (k > 0 && !at_least(d, should.p, should.n, (size_t)k, &some)) return false;
    if (some) avec_push(d->a, &must, some);
    *out = filter_join(d->a, FILTER_AND, must.p, must.n);
    if (!*out) *out = filter_all();
    return true;
}

static bool query_all(struct dsl *d, str name, const struct value *body, const struct filter **out) {
    *out = str_eq(name, STR("match_none")) ? filter_none() : filter_all();
    return known_keys(d, name, body, "");
}

static bool lower_leaf(struct dsl *d, str field, const struct leaf *leaf, bool lenient, const struct filter **out) {
    struct leaf_context c = context(d, lenient);
    const struct filter *f;
    if (!leaf_lower(&c, field, leaf, &f, d->e)) return false;
    *out = f ? f : filter_none();
    return true;
}

/* fuzziness: "AUTO", 0, 1, 2; prefix_length; transpositions. Sets leaf->fuzzy when asked for. */
static bool read_fuzziness(struct dsl *d, const struct value *params, struct leaf *leaf) {
    const struct value *v = es_get(params, "fuzziness");
    int64_t n;
    leaf->fuzzy = v != NULL;
    leaf->auto_edits = !v || (v->type == VAL_STRING && str_starts(v->s, STR("AUTO")));
    leaf->fuzziness.transpositions = es_true(params, "transpositions", es_true(params, "fuzzy_transpositions", true));
    if (es_integer(es_get(params, "prefix_length"), &n) && n >= 0) leaf->fuzziness.prefix_n = (unsigned)MIN(n, AUTOMATON_PATTERN_MAX);
    if (leaf->auto_edits) return true;
    if (!es_integer(v, &n) || n < 0 || n > 2)
        return err_set(d->e, ERR_INPUT, "Valid edit distances are [0, 1, 2, AUTO], not [%" STR_F "]", STR_A(es_text(v, d->a)));
    leaf->fuzziness.edits = (unsigned)n;
    return true;
}

/* term, prefix, wildcard, regexp, fuzzy: patterns as they are, not lower-cased. */
static bool query_term_level(struct dsl *d, str name, const struct value *body, const struct filter **out) {
    static const struct {
        str name;
        enum leaf_op op;
        const char *keys;
    } kinds[] = {
        {STR_INIT("term"), LEAF_TERM, "value case_insensitive"},
        {STR_INIT("prefix"), LEAF_PREFIX, "value case_insensitive rewrite"},
        {STR_INIT("wildcard"), LEAF_WILDCARD, "value wildcard case_insensitive rewrite"},
        {STR_INIT("regexp"), LEAF_REGEXP, "value flags case_insensitive max_determinized_states rewrite flags_value"},
        {STR_INIT("fuzzy"), LEAF_FUZZY, "value fuzziness prefix_length max_expansions transpositions rewrite"},
    };
    size_t k = 0;
    while (!str_eq(kinds[k].name, name)) k++;
    str field;
    const struct value *params, *value;
    if (body->type == VAL_MAP && body->n == 1 && body->fields[0].value.type == VAL_MAP && es_get(&body->fields[0].value, "wildcard")) {
        if (!one_field(d, name, body, "wildcard", kinds[k].keys, &field, &params, &value)) return false;
    } else if (!one_field(d, name, body, "value", kinds[k].keys, &field, &params, &value)) {
        return false;
    }
    struct leaf leaf = {.op = kinds[k].op, .text = es_text(value, d->a), .nocase = es_true(params, "case_insensitive", false), .as_written = true};
    if (leaf.op == LEAF_FUZZY && !read_fuzziness(d, params, &leaf)) return false;
    return lower_leaf(d, field, &leaf, false, out);
}

static bool query_terms(struct dsl *d, str name, const struct value *body, const struct filter **out) {
    const struct field *found = NULL;
    for (uint32_t i = 0; body->type == VAL_MAP && i < body->n; i++)
        if (!str_eq(body->fields[i].key, STR("boost")) && !str_eq(body->fields[i].key, STR("_name"))) found = &body->fields[i];
    if (!found || found->value.type != VAL_ARRAY) return refuse(d, name, "query needs {\"field\": [values]}");
    if (found->value.n > DSL_CLAUSES_MAX) return refuse(d, name, "query has more than 65536 values");
    struct filters list = {0};
    for (uint32_t i = 0; i < found->value.n; i++) {
        const struct filter *f;
        struct leaf leaf = {.op = LEAF_TERM, .text = es_text(&found->value.items[i], d->a), .as_written = true};
        if (!lower_leaf(d, found->key, &leaf, false, &f)) return false;
        avec_push(d->a, &list, f);
    }
    *out = filter_join(d->a, FILTER_OR, list.p, list.n);
    if (!*out) *out = filter_none();
    return true;
}

static bool read_operator(const struct value *params, bool otherwise) {
    const struct value *v = es_get(params, "operator");
    if (!v) v = es_get(params, "default_operator");
    return v && v->type == VAL_STRING ? str_eq_nocase(v->s, STR("and")) : otherwise;
}

/* match, match_phrase, match_phrase_prefix, match_bool_prefix: leaf by name. */
static bool read_match(struct dsl *d, str name, const struct value *params, struct leaf *leaf) {
    int64_t slop;
    leaf->op = str_eq(name, STR("match_phrase")) || str_eq(name, STR("match_phrase_prefix")) || str_eq(name, STR("phrase")) ||
                       str_eq(name, STR("phrase_prefix"))
                   ? LEAF_PHRASE
                   : LEAF_MATCH;
    leaf->last_is_prefix = leaf->op == LEAF_PHRASE && str_ends(name, STR("_prefix"));
    if (str_ends(name, STR("bool_prefix"))) {
        leaf->op = LEAF_PREFIX;
        leaf->split_prefix = true;
    }
    leaf->all_words = read_operator(params, false);
    if (es_integer(es_get(params, "slop"), &slop) && slop >= 0) leaf->slop = (uint32_t)MIN(slop, INT32_MAX);
    const struct value *analyzer = es_get(params, "analyzer");
    if (analyzer && !str_eq(es_text(analyzer, d->a), STR("standard"))) return refuse(d, name, "analyzer not found: the only one is [standard]");
    return read_fuzziness(d, params, leaf);
}
/* What an all-punctuation text matches. */
static const struct filter *no_words(const struct value *params, struct arena *a) {
    return str_eq(es_text(es_get(params, "zero_terms_query"), a), STR("all")) ? filter_all() : filter_none();
}
/* minimum_should_match of a match: on its words. */
static bool match_some(struct dsl *d, str field, const struct leaf *leaf, const struct value *params, bool lenient, const struct filter **out) {
    struct leaf_context c = context(d, lenient);
    if (!leaf_lower(&c, field, leaf, out, d->e)) return false;
    const struct value *m = es_get(params, "minimum_should_match");
    if (m && *out && (*out)->op == FILTER_OR) {
        int64_t k = minimum(m, (int64_t)(*out)->child_n, 1);
        if (!at_least(d, (*out)->children, (*out)->child_n, (size_t)MAX(k, 1), out)) return false;
    }
    if (!*out) *out = no_words(params, d->a);
    return true;
}
static bool query_match(struct dsl *d, str name, const struct value *body, const struct filter **out) {
    str field;
    const struct value *params, *value;
    const char *keys =
        "query operator analyzer fuzziness prefix_length max_expansions fuzzy_transpositions fuzzy_rewrite lenient zero_terms_query "
        "minimum_should_match auto_generate_synonyms_phrase_query slop cutoff_frequency type";
    if (!one_field(d, name, body, "query", keys, &field, &params, &value)) return false;
    struct leaf leaf = {.text = es_text(value, d->a)};
    if (!read_match(d, name, params, &leaf)) return false;
    return match_some(d, field, &leaf, params, es_true(params, "lenient", false), out);
}

/* "fields": names, globs and boosts ("message^2"), or one string where that is allowed. */
static bool read_fields(struct dsl *d, str name, const struct value *v, bool string_allowed, str **out, size_t *n) {
    *out = NULL;
    *n = 0;
    if (!v) return true;
    if (v->type != VAL_ARRAY && !(v->type == VAL_STRING && string_allowed)) return refuse(d, name, "query needs an array of [fields]");
    size_t count = v->type == VAL_ARRAY ? v->n : 1;
    if (count > LEAF_FIELDS_MAX) return refuse(d, name, "query has more than 1024 fields");
    *out = arena_new_n(d->a, str, count);
    for (size_t i = 0; i < count; i++) {
        str f = es_text(v->type == VAL_ARRAY ? &v->items[i] : v, d->a), head = f, rest = f;
        if (str_cut(&rest, '^', &head)) f = head;
        (*out)[(*n)++] = f;
    }
    return true;
}

static bool query_multi_match(struct dsl *d, str name, const struct value *body, const struct filter **out) {
    const char *keys =
        "query fields type operator analyzer fuzziness prefix_length max_expansions fuzzy_transpositions fuzzy_rewrite lenient zero_terms_query "
        "minimum_should_match auto_generate_synonyms_phrase_query slop tie_breaker cutoff_frequency";
    const struct value *query = es_get(body, "query");
    static const str everything = STR_INIT("*");
    const str *fields;
    str *given;
    size_t n;
    if (!known_keys(d, name, body, keys)) return false;
    if (!query || query->type == VAL_MAP || query->type == VAL_ARRAY) return refuse(d, name, "No text specified for multi_match query");
    if (!read_fields(d, name, es_get(body, "fields"), true, &given, &n)) return false;
    if (es_get(body, "fields") && n == 0) return refuse(d, name, "query needs at least one field");
    fields = n ? given : &everything;
    if (n == 0) n = 1;
    str type = es_text(es_get(body, "type"), d->a);
    static const str types[] = {STR_INIT(""),       STR_INIT("best_fields"),   STR_INIT("most_fields"), STR_INIT("cross_fields"),
                                STR_INIT("phrase"), STR_INIT("phrase_prefix"), STR_INIT("bool_prefix")};
    bool known = false;
    for (size_t i = 0; i < ARRAY_N(types); i++) known |= str_eq(types[i], type);
    if (!known) return refuse(d, name, "query has an unknown type");
    struct leaf leaf = {.text = es_text(query, d->a)};
    if (!read_match(d, type.n ? type : name, body, &leaf)) return false;
    struct filters list = {0};
    for (size_t i = 0; i < n; i++) {
        const struct filter *f;
        if (!match_some(d, fields[i], &leaf, body, es_true(body, "lenient", fields == &everything), &f)) return false;
        avec_push(d->a, &list, f);
    }
    *out = filter_join(d->a, FILTER_OR, list.p, list.n);
    return true;
}

/* A bound as text: {"gte": ...}, or the older from/to with include_lower/include_upper. */
static void read_bounds(struct dsl *d, const struct value *params, struct leaf *leaf) {
    static const struct {
        const char *key;
        bool lo, open;
    } keys[] = {{"gte", true, false}, {"gt", true, true}, {"lte", false, false}, {"lt", false, true}, {"from", true, false}, {"to", false, false}};
    for (size_t i = 0; i < ARRAY_N(keys); i++) {
        const struct value *v = es_get(params, keys[i].key);
        if (!v) continue;
        if (keys[i].lo) {
            leaf->has_lo = true;
            leaf->lo = es_text(v, d->a);
            leaf->lo_open = keys[i].open || !es_true(params, "include_lower", true);
        } else {
            leaf->has_hi = true;
            leaf->hi = es_text(v, d->a);
            leaf->hi_open = keys[i].open || !es_true(params, "include_upper", true);
        }
    }
}
/* "format" of dates in a range: seconds need rewriting, the ISO forms and milliseconds are read anyway. */
static bool apply_format(struct dsl *d, str format, str *bound) {
    static const char *const known[] = {"",
                                        "epoch_millis",
                                        "strict_date_optional_time",
                                        "strict_date_optional_time_nanos",
                                        "date_optional_time",
                                        "strict_date_time",
                                        "date_time",
                                        "strict_date",
                                        "date",
                                        "yyyy-MM-dd",
                                        "iso8601"};
    int64_t seconds;
    str part;
    for (bool more = true; more;) {
        size_t bars = str_find(format, STR("||"));
        more = bars != STR_NONE;
        part = str_sub(format, 0, more ? bars : format.n);
        format = str_from(format, more ? bars + 2 : format.n);
        if (str_eq(part, STR("epoch_second"))) {
            if (str_i64(*bound, &seconds)) *bound = arena_printf(d->a, "%lld000", (long long)seconds);
            continue;
        }
        bool found = false;
        for (size_t i = 0; i < ARRAY_N(known) && !found; i++) found = str_eq_c(part, known[i]);
        if (!found)
            return err_set(d->e, ERR_UNSUPPORTED, "[range] date format [%" STR_F "] is not offered: use ISO 8601, epoch_millis or epoch_second",
                           STR_A(part));
    }
    return true;
}
static bool query_range(struct dsl *d, str name, const struct value *body, const struct filter **out) {
    if (body->type != VAL_MAP || body->n == 0 || body->fields[0].value.type != VAL_MAP)
        return refuse(d, name, "query needs {\"field\": {\"gte\": ...}}");
    const struct value *params = &body->fields[0].value;
    if (!known_keys(d, name, params, "gte gt lte lt from to include_lower include_upper format time_zone relation")) return false;
    struct leaf leaf = {.op = LEAF_RANGE, .as_written = true};
    read_bounds(d, params, &leaf);
    str format = es_text(es_get(params, "format"), d->a), zone = es_text(es_get(params, "time_zone"), d->a);
    if (format.n && (!apply_format(d, format, &leaf.lo) || !apply_format(d, format, &leaf.hi))) return false;
    struct leaf_context c = context(d, false);
    if (zone.n && !isodate_zone(zone, &c.dates.zone_s))
        return err_set(d->e, ERR_UNSUPPORTED, "[range] time_zone [%" STR_F "] is not offered: use an offset like +02:00", STR_A(zone));
    if (!leaf_lower(&c, body->fields[0].key, &leaf, out, d->e)) return false;
    if (!*out) *out = filter_none();
    return true;
}

static bool query_exists(struct dsl *d, str name, const struct value *body, const struct filter **out) {
    const struct value *field = es_get(body, "field");
    if (body->type != VAL_MAP || !field || field->type != VAL_STRING) return refuse(d, name, "query needs a [field]");
    if (!known_keys(d, name, body, "field")) return false;
    struct leaf leaf = {.op = LEAF_EXISTS};
    return lower_leaf(d, field->s, &leaf, false, out);
}

static bool query_ids(struct dsl *d, str name, const struct value *body, const struct filter **out) {
    const struct value *values = es_get(body, "values");
    if (!values || values->type != VAL_ARRAY || values->n > DSL_CLAUSES_MAX) return refuse(d, name, "query needs an array of [values]");
    str *ids = arena_new_n(d->a, str, values->n);
    for (uint32_t i = 0; i < values->n; i++) ids[i] = es_text(&values->items[i], d->a);
    struct filter *f = arena_one(d->a, struct filter);
    *f = (struct filter){.op = values->n ? FILTER_IDS : FILTER_NONE, .field = STR("_id"), .words = ids, .word_n = values->n};
    *out = f;
    return known_keys(d, name, body, "values type");
}

static bool query_string(struct dsl *d, str name, const struct value *body, const struct filter **out) {
    const char *keys =
        "query fields default_field default_operator analyzer quote_analyzer lenient analyze_wildcard allow_leading_wildcard phrase_slop time_zone "
        "fuzziness fuzzy_prefix_length fuzzy_max_expansions fuzzy_transpositions enable_position_increments max_determinized_states "
        "minimum_should_match quote_field_suffix rewrite tie_breaker type auto_generate_synonyms_phrase_query flags escape";
    const struct value *query = es_get(body, "query"), *default_field = es_get(body, "default_field");
    if (body->type != VAL_MAP || !query || query->type == VAL_MAP || query->type == VAL_ARRAY) return refuse(d, name, "query needs a [query]");
    if (!known_keys(d, name, body, keys)) return false;
    str *fields, one = es_text(default_field, d->a), zone = es_text(es_get(body, "time_zone"), d->a);
    size_t n;
    if (!read_fields(d, name, es_get(body, "fields"), false, &fields, &n)) return false;
    if (n && default_field) return refuse(d, name, "query takes [fields] or [default_field], not both");
    int64_t slop = 0, prefix = 0;
    struct lucene_options o = {.fields = d->d->fields,
                               .default_fields = default_field ? &one : fields,
                               .default_field_n = default_field ? 1 : n,
                               .default_and = read_operator(body, false),
                               .lenient = es_true(body, "lenient", false),
                               .analyze_wildcard = es_true(body, "analyze_wildcard", false),
                               .dates = {.now_ns = d->d->now_ns}};
    if (es_integer(es_get(body, "phrase_slop"), &slop) && slop >= 0) o.phrase_slop = (uint32_t)MIN(slop, INT32_MAX);
    if (es_integer(es_get(body, "fuzzy_prefix_length"), &prefix) && prefix >= 0) o.fuzziness.prefix_n = (unsigned)MIN(prefix, AUTOMATON_PATTERN_MAX);
    o.fuzziness.transpositions = es_true(body, "fuzzy_transpositions", true);
    if (zone.n && !isodate_zone(zone, &o.dates.zone_s))
        return err_set(d->e, ERR_UNSUPPORTED, "[%" STR_F "] time_zone [%" STR_F "] is not offered: use an offset like +02:00", STR_A(name),
                       STR_A(zone));
    str text = es_text(query, d->a);
    return str_eq(name, STR("query_string")) ? lucene_filter(text, &o, d->a, out, d->e) : simple_query_filter(text, &o, d->a, out, d->e);
}

static bool query_constant_score(struct dsl *d, str name, const struct value *body, const struct filter **out) {
    const struct value *filter = es_get(body, "filter");
    if (!filter) filter = es_get(body, "query"); /* function_score, which only changes scores */
    if (!filter) return refuse(d, name, "query needs a [filter]");
    return lower(d, filter, out);
}

static bool query_dis_max(struct dsl *d, str name, const struct value *body, const struct filter **out) {
    struct filters list = {0};
    if (!known_keys(d, name, body, "queries tie_breaker") || !lower_list(d, es_get(body, "queries"), &list)) return false;
    if (list.n == 0) return refuse(d, name, "query needs [queries]");
    *out = filter_join(d->a, FILTER_OR, list.p, list.n);
    return true;
}

/* KQL, as Kibana's toggle; not a query of Elasticsearch's own before 8.16, where it has the same form. */
static bool query_kql(struct dsl *d, str name, const struct value *body, const struct filter **out) {
    const struct value *query = es_get(body, "query"), *field = es_get(body, "default_field");
    if (!query || query->type != VAL_STRING) return refuse(d, name, "query needs a [query]");
    if (!known_keys(d, name, body, "query default_field case_insensitive time_zone")) return false;
    str one = es_text(field, d->a);
    struct lucene_options o = {.fields = d->d->fields, .default_fields = &one, .default_field_n = field ? 1 : 0, .dates = {.now_ns = d->d->now_ns}};
    return kql_filter(query->s, &o, d->a, out, d->e);
}

static const struct {
    str name;
    query_fn *lower;
} queries[] = {
    {STR_INIT("bool"), query_bool},
    {STR_INIT("match_all"), query_all},
    {STR_INIT("match_none"), query_all},
    {STR_INIT("term"), query_term_level},
    {STR_INIT("terms"), query_terms},
    {STR_INIT("match"), query_match},
    {STR_INIT("match_phrase"), query_match},
    {STR_INIT("match_phrase_prefix"), query_match},
    {STR_INIT("match_bool_prefix"), query_match},
    {STR_INIT("multi_match"), query_multi_match},
    {STR_INIT("range"), query_range},
    {STR_INIT("exists"), query_exists},
    {STR_INIT("prefix"), query_term_level},
    {STR_INIT("wildcard"), query_term_level},
    {STR_INIT("regexp"), query_term_level},
    {STR_INIT("fuzzy"), query_term_level},
    {STR_INIT("ids"), query_ids},
    {STR_INIT("query_string"), query_string},
    {STR_INIT("simple_query_string"), query_string},
    {STR_INIT("constant_score"), query_constant_score},
    {STR_INIT("function_score"), query_constant_score},
    {STR_INIT("dis_max"), query_dis_max},
    {STR_INIT("kql"), query_kql},
};

static bool lower(struct dsl *d, const struct value *query, const struct filter **out) {
    if (query->type != VAL_MAP || query->n != 1) return err_set(d->e, ERR_INPUT, "query malformed, expected an object with one query in it");
    str name = query->fields[0].key;
    const struct value *body = &query->fields[0].value;
    for (size_t i = 0; i < ARRAY_N(queries); i++) {
        if (!str_eq(queries[i].name, name)) continue;
        if (body->type != VAL_MAP) return refuse(d, name, "query malformed, no start_object after query name");
        if (++d->depth > DSL_DEPTH_MAX) return err_set(d->e, ERR_INPUT, "queries are nested more than %d deep", DSL_DEPTH_MAX);
        bool ok = queries[i].lower(d, name, body, out);
        d->depth--;
        return ok;
    }
    return err_set(d->e, ERR_INPUT, "unknown query [%" STR_F "]: it is not offered", STR_A(name));
}

bool es_dsl_filter(const struct es_dsl *d, const struct value *query, const struct filter **out, struct err *e) {
    struct dsl run = {.d = d, .a = d->arena, .e = e};
    if (query) return lower(&run, query, out);
    *out = filter_all();
    return true;
}

bool es_uri_filter(const struct es_dsl *d, const struct es_uri_query *q, const struct filter **out, struct err *e) {
    struct lucene_options o = {.fields = d->fields,
                               .default_fields = &q->default_field,
                               .default_field_n = q->default_field.n ? 1 : 0,
                               .default_and = q->all_words,
                               .lenient = q->lenient,
                               .analyze_wildcard = q->analyze_wildcard,
                               .fuzziness = {.transpositions = true},
                               .dates = {.now_ns = d->now_ns}};
    return lucene_filter(q->q, &o, d->arena, out, e);
}
