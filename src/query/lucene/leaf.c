#include "query/lucene/leaf.h"

#include <math.h>

#include "base/clock.h"
#include "base/vec.h"
#include "codec/num.h"
#include "codec/words.h"

enum { WORDS_MAX = 1024 /* of one clause: Elasticsearch's indices.query.bool.max_clause_count */ };

const struct filter *filter_all(void) {
    static const struct filter all = {.op = FILTER_ALL};
    return &all;
}
const struct filter *filter_none(void) {
    static const struct filter none = {.op = FILTER_NONE};
    return &none;
}
const struct filter *filter_join(struct arena *a, enum filter_op op, const struct filter *const *children, size_t n) {
    assert(op == FILTER_AND || op == FILTER_OR);
    const struct filter **kept = arena_new_n(a, const struct filter *, n);
    size_t kept_n = 0;
    for (size_t i = 0; i < n; i++)
        if (children[i]) kept[kept_n++] = children[i];
    if (kept_n < 2) return kept_n ? kept[0] : NULL;
    struct filter *f = arena_one(a, struct filter);
    *f = (struct filter){.op = op, .children = kept, .child_n = kept_n};
    return f;
}
const struct filter *filter_not(struct arena *a, const struct filter *child) {
    struct filter *f = arena_one(a, struct filter);
    const struct filter **one = arena_new_n(a, const struct filter *, 1);
    *one = child;
    *f = (struct filter){.op = FILTER_NOT, .children = one, .child_n = 1};
    return f;
}

/* One clause on one kind of one field. */
struct lowering {
    const struct leaf_context *c;
    struct arena *a;
    struct field_ref ref;
    const struct leaf *leaf;
    struct err *e;
};

static struct filter *make(const struct lowering *l, enum filter_op op) {
    struct filter *f = arena_one(l->a, struct filter);
    f->op = op;
    f->field = l->ref.name;
    return f;
}
static const struct filter *with_word(const struct lowering *l, enum filter_op op, str word) {
    struct filter *f = make(l, op);
    str *one = arena_new_n(l->a, str, 1);
    *one = word;
    f->words = one;
    f->word_n = 1;
    return f;
}
static const struct filter *with_automaton(const struct lowering *l, enum filter_op op, const struct automaton *m) {
    struct filter *f = make(l, op);
    f->automaton = m;
    return f;
}

static bool fuzzy_word(const struct lowering *l, enum filter_op op, str word, const struct filter **out) {
    struct automaton_fuzziness f = l->leaf->fuzziness;
    if (l->leaf->auto_edits) {
        size_t n = 0; /* code points: bytes that are no continuation */
        for (size_t i = 0; i < word.n; i++) n += ((uint8_t)word.p[i] & 0xc0) != 0x80;
        f.edits = n < 3 ? 0 : n < 6 ? 1 : 2;
    }
    const struct automaton *m;
    if (!automaton_fuzzy(word, f, l->a, &m, l->e)) return false;
    *out = with_automaton(l, op, m);
    return true;
}

/* MATCH and PHRASE on a text field. */
static bool analysed(const struct lowering *l, const struct filter **out) {
    struct {
        str *p;
        size_t n, cap;
    } words = {0};
    struct words w = words_open(l->leaf->text, l->a);
    for (struct word x; words_next(&w, &x);) {
        if (words.n == WORDS_MAX) return err_set(l->e, ERR_INPUT, "too many clauses: the text has more than %d words", WORDS_MAX);
        avec_push(l->a, &words, x.text);
    }
    *out = NULL;
    if (words.n == 0) return true;
    if (l->leaf->op == LEAF_PHRASE) {
        struct filter *f = make(l, words.n == 1 ? (l->leaf->last_is_prefix ? FILTER_WORD_PREFIX : FILTER_WORD) : FILTER_PHRASE);
        f->words = words.p;
        f->word_n = words.n;
        f->slop = words.n == 1 ? 0 : l->leaf->slop;
        f->last_is_prefix = words.n > 1 && l->leaf->last_is_prefix;
        *out = f;
        return true;
    }
    /* All words in any of many fields must be in the same one: words of one value, wherever they stand. */
    if (l->leaf->all_words && l->ref.glob && words.n > 1 && !l->leaf->fuzzy) {
        struct filter *f = make(l, FILTER_PHRASE);
        f->words = words.p;
        f->word_n = words.n;
        f->slop = INT32_MAX;
        *out = f;
        return true;
    }
    const struct filter **list = arena_new_n(l->a, const struct filter *, words.n);
    for (size_t i = 0; i < words.n; i++) {
        if (!l->leaf->fuzzy)
            list[i] = with_word(l, FILTER_WORD, words.p[i]);
        else if (!fuzzy_word(l, FILTER_WORD_FUZZY, words.p[i], &list[i]))
            return false;
    }
    *out = filter_join(l->a, l->leaf->all_words ? FILTER_AND : FILTER_OR, list, words.n);
    return true;
}

/* "front-end*" as the words front, end*. */
static const struct filter *split_prefix(const struct lowering *l) {
    struct {
        const struct filter **p;
        size_t n, cap;
    } list = {0};
    struct words w = words_open(l->leaf->text, l->a);
    str last = STR_NULL;
    for (struct word x; list.n < WORDS_MAX && words_next(&w, &x); last = x.text)
        if (last.n) avec_push(l->a, &list, with_word(l, FILTER_WORD, last));
    if (last.n) avec_push(l->a, &list, with_word(l, FILTER_WORD_PREFIX, last));
    return filter_join(l->a, l->leaf->all_words ? FILTER_AND : FILTER_OR, list.p, list.n);
}

static str escape_wildcards(struct arena *a, str s) {
    char *p = arena_alloc(a, s.n * 2 + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (memchr("*?\\", s.p[i], 3)) p[n++] = '\\';
        p[n++] = s.p[i];
    }
    return str_n(p, n);
}

/* Patterns and ranges, on the words of a text field or on the whole of a keyword. Text patterns are lower-cased as its words are (but regexps:
 * Elasticsearch does not). */
static bool patterned(const struct lowering *l, bool text, const struct filter **out) {
    const struct leaf *leaf = l->leaf;
    const struct automaton *m;
    bool lower = text && !leaf->as_written;
    str pattern = lower && leaf->op != LEAF_REGEXP && leaf->op != LEAF_TERM ? words_lower(l->a, leaf->text) : leaf->text;
    switch (leaf->op) {
    case LEAF_TERM:
    case LEAF_PREFIX:
        if (leaf->nocase) {
            pattern = escape_wildcards(l->a, pattern);
            if (leaf->op == LEAF_PREFIX) pattern = arena_printf(l->a, "%" STR_F "*", STR_A(pattern));
            if (!automaton_wildcard(pattern, true, l->a, &m, l->e)) return false;
            *out = with_automaton(l, text ? FILTER_WORD_WILDCARD : FILTER_WILDCARD, m);
        } else if (leaf->op == LEAF_TERM) {
            *out = with_word(l, text ? FILTER_WORD : FILTER_EQ, pattern);
        } else {
            *out = with_word(l, text ? FILTER_WORD_PREFIX : FILTER_PREFIX, pattern);
        }
        return true;
    case LEAF_WILDCARD:
        if (!automaton_wildcard(pattern, leaf->nocase, l->a, &m, l->e)) return false;
        *out = with_automaton(l, text ? FILTER_WORD_WILDCARD : FILTER_WILDCARD, m);
        return true;
    case LEAF_REGEXP:
        if (!automaton_regexp(pattern, leaf->nocase, l->a, &m, l->e)) return false;
        *out = with_automaton(l, text ? FILTER_WORD_REGEXP : FILTER_REGEXP, m);
        return true;
    case LEAF_FUZZY: return fuzzy_word(l, text ? FILTER_WORD_FUZZY : FILTER_FUZZY, pattern, out);
    case LEAF_RANGE: {
        struct filter *f = make(l, text ? FILTER_WORD_RANGE : FILTER_STRING_RANGE);
        f->has_lo = leaf->has_lo;
        f->has_hi = leaf->has_hi;
        f->lo_open = leaf->lo_open;
        f->hi_open = leaf->hi_open;
        f->lo = lower ? words_lower(l->a, leaf->lo) : leaf->lo;
        f->hi = lower ? words_lower(l->a, leaf->hi) : leaf->hi;
        *out = f;
        return true;
    }
    case LEAF_MATCH:
    case LEAF_PHRASE:
    case LEAF_EXISTS: break;
    }
    assert(!"not a pattern");
    return false;
}

static bool on_text(const struct lowering *l, const struct filter **out) {
    if (l->leaf->op == LEAF_PREFIX && l->leaf->split_prefix) {
        *out = split_prefix(l);
        return true;
    }
    if (l->leaf->op == LEAF_MATCH || l->leaf->op == LEAF_PHRASE) return analysed(l, out);
    return patterned(l, true, out);
}
static bool on_keyword(const struct lowering *l, const struct filter **out) {
    if (l->leaf->op == LEAF_PHRASE && l->leaf->last_is_prefix)
        *out = with_word(l, FILTER_PREFIX, l->leaf->text);
    else if (l->leaf->op == LEAF_MATCH && l->leaf->fuzzy)
        return fuzzy_word(l, FILTER_FUZZY, l->leaf->text, out);
    else if (l->leaf->op == LEAF_MATCH || l->leaf->op == LEAF_PHRASE)
        *out = with_word(l, FILTER_EQ, l->leaf->text);
    else
        return patterned(l, false, out);
    return true;
}

/* Patterns on numbers, booleans and dates, in Elasticsearch's words. */
static bool refuse_pattern(const struct lowering *l, const char *type) {
    static const char *const names[] = {
        [LEAF_PREFIX] = "prefix", [LEAF_WILDCARD] = "wildcard", [LEAF_REGEXP] = "regexp", [LEAF_FUZZY] = "fuzzy", [LEAF_RANGE] = "range"};
    return err_set(l->e, ERR_INPUT, "Can only use %s queries on keyword and text fields - not on [%" STR_F "] which is of type [%s]",
                   names[l->leaf->op], STR_A(l->ref.name), type);
}
static bool is_exact(enum leaf_op op) {
    return op == LEAF_MATCH || op == LEAF_PHRASE || op == LEAF_TERM;
}

static bool number(const struct lowering *l, str s, double *out) {
    if (num_parse_double(str_trim(s), out) && isfinite(*out)) return true;
    return err_set(l->e, ERR_INPUT, "For input string: \"%" STR_F "\" (field [%" STR_F "] is a number)", STR_A(s), STR_A(l->ref.name));
}
/* Integers beyond 2^53 are compared by their text, as a double would confuse neighbours. */
static bool is_big_integer(str s, int64_t *v) {
    return str_i64(s, v) && (*v > INT64_C(1) << 53 || *v < -(INT64_C(1) << 53));
}
static bool on_number(const struct lowering *l, bool whole, const struct filter **out) {
    const struct leaf *leaf = l->leaf;
    struct filter *f = make(l, FILTER_NUMBER_RANGE);
    f->has_lo = f->has_hi = true;
    if (leaf->op == LEAF_RANGE) {
        f->has_lo = leaf->has_lo;
        f->has_hi = leaf->has_hi;
        f->lo_open = leaf->lo_open;
        f->hi_open = leaf->hi_open;
        if (leaf->has_lo && !number(l, leaf->lo, &f->num_lo)) return false;
        if (leaf->has_hi && !number(l, leaf->hi, &f->num_hi)) return false;
    } else if (is_exact(leaf->op)) {
        int64_t big;
        if (!number(l, leaf->text, &f->num_lo)) return false;
        if (whole && is_big_integer(leaf->text, &big)) {
            *out = with_word(l, FILTER_EQ, arena_printf(l->a, "%lld", (long long)big));
            return true;
        }
        f->num_hi = f->num_lo;
    } else {
        return refuse_pattern(l, whole ? "long" : "double");
    }
    *out = f;
    return true;
}

static bool on_bool(const struct lowering *l, const struct filter **out) {
    if (!is_exact(l->leaf->op)) return refuse_pattern(l, "boolean");
    bool yes = str_eq(l->leaf->text, STR("true"));
    if (!yes && !str_eq(l->leaf->text, STR("false")) && l->leaf->text.n)
        return err_set(l->e, ERR_INPUT, "Can't parse boolean value [%" STR_F "], expected [true] or [false]", STR_A(l->leaf->text));
    *out = with_word(l, FILTER_EQ, yes ? STR("true") : STR("false"));
    return true;
}

static int64_t floor_ms(int64_t ns) {
    int64_t rest = ns % NS_PER_MS;
    return ns - (rest < 0 ? rest + NS_PER_MS : rest);
}
static bool on_date(const struct lowering *l, const struct filter **out) {
    const struct leaf *leaf = l->leaf;
    int64_t from = INT64_MIN, to = INT64_MAX, ignored;
    if (leaf->op == LEAF_RANGE) {
        if (leaf->has_lo) {
            int64_t lo_from, lo_to;
            if (!datemath_parse(leaf->lo, &l->c->dates, &lo_from, &lo_to, l->e)) return false;
            from = leaf->lo_open ? lo_to + 1 : lo_from;
        }
        if (leaf->has_hi && !datemath_parse(leaf->hi, &l->c->dates, &ignored, &to, l->e)) return false;
        if (leaf->has_hi && leaf->hi_open) to = ignored - 1;
    } else if (!is_exact(leaf->op)) {
        return refuse_pattern(l, "date");
    } else if (!datemath_parse(leaf->text, &l->c->dates, &from, &to, l->e)) {
        return false;
    }
    /* A date among the fields has milliseconds; the event's own time is as exact as it came. */
    if (!str_eq(l->ref.name, STR("@timestamp"))) {
        if (from > INT64_MIN + NS_PER_MS) from = floor_ms(from);
        if (to < INT64_MAX - NS_PER_MS) to = floor_ms(to) + NS_PER_MS - 1;
    }
    struct filter *f = make(l, FILTER_TIME_RANGE);
    f->time_lo_ns = from;
    f->time_hi_ns = to;
    *out = f;
    if (l->ref.glob && filter_field_fits(f, STR("@timestamp"))) { /* under a glob only strings are dates: name the event's own time too */
        struct filter *own = make(l, FILTER_TIME_RANGE);
        *own = *f;
        own->field = STR("@timestamp");
        const struct filter *both[] = {f, own};
        *out = filter_join(l->a, FILTER_OR, both, 2);
    }
    return true;
}

static bool on_kind(const struct lowering *l, enum field_kind kind, const struct filter **out) {
    switch (kind) {
    case KIND_TEXT: return on_text(l, out);
    case KIND_KEYWORD: return on_keyword(l, out);
    case KIND_LONG: return on_number(l, true, out);
    case KIND_DOUBLE: return on_number(l, false, out);
    case KIND_BOOL: return on_bool(l, out);
    case KIND_DATE: return on_date(l, out);
    case KIND_ID:
        if (!is_exact(l->leaf->op)) return refuse_pattern(l, "_id");
        *out = with_word(l, FILTER_IDS, l->leaf->text);
        return true;
    }
    return false;
}

/* The field itself, or an object whose members exist. */
static const struct filter *exists(const struct lowering *l, str asked) {
    if (l->ref.kinds) return make(l, FILTER_EXISTS);
    str inside = arena_printf(l->a, "%" STR_F ".", STR_A(asked));
    for (size_t i = 0; i < l->c->fields->n; i++) {
        str name = l->c->fields->list[i].name;
        if (!str_eq(name, asked) && !str_starts(name, inside)) continue;
        struct filter *f = make(l, FILTER_EXISTS), *members = make(l, FILTER_EXISTS);
        members->field = arena_printf(l->a, "%" STR_F "*", STR_A(inside));
        const struct filter *both[] = {f, members};
        return filter_join(l->a, FILTER_OR, both, 2);
    }
    return filter_none();
}

bool leaf_lower(const struct leaf_context *c, str field, const struct leaf *leaf, const struct filter **out, struct err *e) {
    struct err first = {0}, *errors = &first;
    struct lowering l = {.c = c, .a = c->arena, .ref = fields_resolve(c->fields, field), .leaf = leaf, .e = errors};
    bool any_value = leaf->op == LEAF_WILDCARD && str_eq(leaf->text, STR("*"));
    if (leaf->op == LEAF_EXISTS || any_value) {
        *out = str_eq(field, STR("*")) ? filter_all() : exists(&l, l.ref.name);
        return true;
    }
    if (!l.ref.kinds) { /* nothing is analysed for a field that is not mapped */
        *out = filter_none();
        return true;
    }
    const struct filter *list[8];
    size_t n = 0, failed = 0;
    for (unsigned bit = KIND_TEXT; bit <= KIND_ID; bit <<= 1) {
        if (!(l.ref.kinds & bit)) continue;
        const struct filter *f = NULL;
        bool ok = on_kind(&l, (enum field_kind)bit, &f);
        if (!ok && bit <= KIND_KEYWORD) { /* the pattern itself is wrong or too complex, whatever the type: say so even if lenient */
            *e = first;
            return false;
        }
        failed += !ok;
        list[n++] = ok ? f : NULL;
    }
    if (failed == n && !c->lenient && !l.ref.glob) {
        *e = first;
        return false;
    }
    *out = filter_join(c->arena, FILTER_OR, list, n);
    if (!*out && failed) *out = filter_none();
    return true;
}

bool leaf_lower_any(const struct leaf_context *c, const str *fields, size_t n, const struct leaf *leaf, const struct filter **out, struct err *e) {
    if (n > LEAF_FIELDS_MAX) return err_set(e, ERR_INPUT, "more than %d fields in one clause", LEAF_FIELDS_MAX);
    const struct filter **list = arena_new_n(c->arena, const struct filter *, n);
    for (size_t i = 0; i < n; i++)
        if (!leaf_lower(c, fields[i], leaf, &list[i], e)) return false;
    *out = filter_join(c->arena, FILTER_OR, list, n);
    return true;
}
