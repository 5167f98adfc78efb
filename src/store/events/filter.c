#include "store/events/filter.h"

#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/vec.h"
#include "codec/isodate.h"
#include "codec/num.h"
#include "codec/words.h"
#include "store/events/automaton.h"

enum { ARRAY_GAP = 100 /* positions between the items of an array: Elasticsearch's position_increment_gap */ };

static const char *const op_names[] = {
    [FILTER_ALL] = "all",
    [FILTER_NONE] = "none",
    [FILTER_AND] = "and",
    [FILTER_OR] = "or",
    [FILTER_NOT] = "not",
    [FILTER_WORD] = "word",
    [FILTER_PHRASE] = "phrase",
    [FILTER_WORD_PREFIX] = "word_prefix",
    [FILTER_WORD_WILDCARD] = "word_wildcard",
    [FILTER_WORD_REGEXP] = "word_regexp",
    [FILTER_WORD_FUZZY] = "word_fuzzy",
    [FILTER_WORD_RANGE] = "word_range",
    [FILTER_EQ] = "eq",
    [FILTER_PREFIX] = "prefix",
    [FILTER_WILDCARD] = "wildcard",
    [FILTER_REGEXP] = "regexp",
    [FILTER_FUZZY] = "fuzzy",
    [FILTER_STRING_RANGE] = "string_range",
    [FILTER_SUBSTRING] = "substring",
    [FILTER_NUMBER_RANGE] = "number_range",
    [FILTER_TIME_RANGE] = "time_range",
    [FILTER_EXISTS] = "exists",
    [FILTER_IDS] = "ids",
    [FILTER_TRACE] = "trace",
};

static bool in_string_range(const struct filter *f, str s) {
    if (f->has_lo && (f->lo_open ? str_cmp(s, f->lo) <= 0 : str_cmp(s, f->lo) < 0)) return false;
    return !f->has_hi || (f->hi_open ? str_cmp(s, f->hi) < 0 : str_cmp(s, f->hi) <= 0);
}
static bool in_number_range(const struct filter *f, double v) {
    if (isnan(v)) return false;
    if (f->has_lo && (f->lo_open ? v <= f->num_lo : v < f->num_lo)) return false;
    return !f->has_hi || (f->hi_open ? v < f->num_hi : v <= f->num_hi);
}
static bool in_time_range(const struct filter *f, int64_t ns) {
    return ns >= f->time_lo_ns && ns <= f->time_hi_ns;
}

static bool any_equal(const struct filter *f, str s) {
    for (size_t i = 0; i < f->word_n; i++)
        if (str_eq(f->words[i], s)) return true;
    return false;
}

static uint8_t lower(char c) {
    return (uint8_t)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}
static bool contains_nocase(str s, str needle) {
    if (needle.n == 0) return true;
    uint8_t first = lower(needle.p[0]);
    for (size_t at = 0; at + needle.n <= s.n; at++) {
        if (lower(s.p[at]) == first && str_eq_nocase(str_n(s.p + at, needle.n), needle)) return true;
    }
    return false;
}

bool filter_word_test(const struct filter *f, str word) {
    switch (f->op) {
    case FILTER_WORD: return str_eq(f->words[0], word);
    case FILTER_PHRASE:
        if (f->last_is_prefix && f->word_n && str_starts(word, f->words[f->word_n - 1])) return true;
        return any_equal(f, word);
    case FILTER_WORD_PREFIX: return str_starts(word, f->words[0]);
    case FILTER_WORD_WILDCARD:
    case FILTER_WORD_REGEXP:
    case FILTER_WORD_FUZZY: return automaton_match(f->automaton, word);
    case FILTER_WORD_RANGE: return in_string_range(f, word);
    case FILTER_ALL:
    case FILTER_NONE:
    case FILTER_AND:
    case FILTER_OR:
    case FILTER_NOT:
    case FILTER_EQ:
    case FILTER_PREFIX:
    case FILTER_WILDCARD:
    case FILTER_REGEXP:
    case FILTER_FUZZY:
    case FILTER_STRING_RANGE:
    case FILTER_SUBSTRING:
    case FILTER_NUMBER_RANGE:
    case FILTER_TIME_RANGE:
    case FILTER_EXISTS:
    case FILTER_IDS:
    case FILTER_TRACE: break;
    }
    assert(!"not a leaf on words");
    return false;
}

str filter_prefix(const struct filter *f) {
    if (f->automaton) return automaton_prefix(f->automaton);
    bool literal = f->op == FILTER_WORD || f->op == FILTER_WORD_PREFIX || f->op == FILTER_EQ || f->op == FILTER_PREFIX;
    return literal && f->word_n == 1 ? f->words[0] : STR_NULL;
}

static bool some_word(const struct filter *f, str text) {
    AUTO(arena_free) struct arena *scratch = arena_new(512);
    struct words w = words_open(text, scratch);
    for (struct word x; words_next(&w, &x);)
        if (filter_word_test(f, x.text)) return true;
    return false;
}

/* --- phrases. Places of each query word in the value; equal query words share one list, that of the first. */
struct places {
    uint32_t *p;
    size_t n, cap;
};
struct phrase {
    const struct filter *f;
    struct arena *scratch;
    struct places *of; /* per query word */
    uint32_t *twin;    /* per query word: the first equal one */
    uint32_t next;     /* position of the next item's first word */
};

static uint32_t offset_of(const struct filter *f, size_t i) {
    return f->positions ? f->positions[i] : (uint32_t)i;
}
static bool is_prefix_word(const struct filter *f, size_t i) {
    return f->last_is_prefix && i + 1 == f->word_n;
}

static void note_places(struct phrase *p, str text) {
    struct words w = words_open(text, p->scratch);
    uint32_t base = p->next;
    for (struct word x; words_next(&w, &x); p->next = base + x.position + 1 + ARRAY_GAP) {
        for (size_t i = 0; i < p->f->word_n; i++) {
            if (p->twin[i] != i) continue;
            bool same = is_prefix_word(p->f, i) ? str_starts(x.text, p->f->words[i]) : str_eq(x.text, p->f->words[i]);
            if (same) avec_push(p->scratch, &p->of[i], base + x.position);
        }
    }
}

/* First place >= at, as an index. */
static size_t lower_bound(const struct places *l, int64_t at) {
    size_t lo = 0, hi = l->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (l->p[mid] < at)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Lucene's sloppy phrase: shift every word back by its offset in the query; the shifted places must lie within `slop`. Here: within [from, from +
 * slop]. Equal words need different places; as their windows have one length and ascend with the offset, taking the first free place is best. */
static bool fits_window(const struct phrase *p, int64_t from) {
    const struct filter *f = p->f;
    for (size_t first = 0; first < f->word_n; first++) {
        if (p->twin[first] != first) continue;
        const struct places *l = &p->of[first];
        size_t used = 0;
        for (size_t i = first; i < f->word_n; i++) {
            if (p->twin[i] != first) continue;
            int64_t at = from + offset_of(f, i);
            size_t k = MAX(lower_bound(l, at), used);
            if (k == l->n || l->p[k] > at + f->slop) return false;
            used = k + 1;
        }
    }
    return true;
}

static bool phrase_fits(const struct phrase *p) {
    const struct filter *f = p->f;
    for (size_t i = 0; i < f->word_n; i++)
        if (p->of[p->twin[i]].n == 0) return false;
    /* Exact phrases start where the first word is; the window of a sloppy one may start at any word. */
    size_t starts = f->slop ? f->word_n : 1;
    for (size_t i = 0; i < starts; i++) {
        const struct places *l = &p->of[p->twin[i]];
        for (size_t k = 0; k < l->n; k++)
            if (fits_window(p, (int64_t)l->p[k] - offset_of(f, i))) return true;
    }
    return false;
}

static bool has_phrase(const struct filter *f, const struct value *v) {
    if (f->word_n == 0) return false;
    AUTO(arena_free) struct arena *scratch = arena_new(1024);
    struct phrase p = {.f = f, .scratch = scratch};
    p.of = arena_zalloc(scratch, f->word_n * sizeof *p.of);
    p.twin = arena_new_n(scratch, uint32_t, f->word_n);
    for (size_t i = 0; i < f->word_n; i++) {
        p.twin[i] = (uint32_t)i;
        for (size_t k = 0; k < i && p.twin[i] == i; k++)
            if (!is_prefix_word(f, i) && str_eq(f->words[i], f->words[k])) p.twin[i] = (uint32_t)k;
    }
    if (v->type == VAL_STRING) note_places(&p, v->s);
    for (size_t i = 0; v->type == VAL_ARRAY && i < v->n; i++)
        if (v->items[i].type == VAL_STRING) note_places(&p, v->items[i].s);
    return phrase_fits(&p);
}

static bool exists(const struct value *v) {
    if (v->type == VAL_ARRAY) {
        for (size_t i = 0; i < v->n; i++)
            if (exists(&v->items[i])) return true;
        return false;
    }
    return v->type == VAL_MAP ? v->n > 0 : v->type != VAL_NULL;
}

static bool text_test(const struct filter *f, str s) {
    int64_t from, to;
    switch (f->op) {
    case FILTER_WORD:
    case FILTER_WORD_PREFIX:
    case FILTER_WORD_WILDCARD:
    case FILTER_WORD_REGEXP:
    case FILTER_WORD_FUZZY:
    case FILTER_WORD_RANGE: return some_word(f, s);
    case FILTER_EQ:
    case FILTER_IDS: return any_equal(f, s);
    case FILTER_PREFIX: return str_starts(s, f->words[0]);
    case FILTER_WILDCARD:
    case FILTER_REGEXP:
    case FILTER_FUZZY: return automaton_match(f->automaton, s);
    case FILTER_STRING_RANGE: return in_string_range(f, s);
    case FILTER_SUBSTRING: return contains_nocase(s, f->words[0]);
    case FILTER_TIME_RANGE: return isodate_parse(s, 0, &from, &to) && in_time_range(f, from);
    case FILTER_EXISTS: return true;
    case FILTER_ALL:
    case FILTER_NONE:
    case FILTER_AND:
    case FILTER_OR:
    case FILTER_NOT:
    case FILTER_PHRASE:
    case FILTER_NUMBER_RANGE:
    case FILTER_TRACE: break;
    }
    return false;
}

/* A number or boolean under a leaf on whole strings is compared as it is written. */
static bool written_test(const struct filter *f, const struct value *v) {
    char text[NUM_DOUBLE_MAX];
    if (v->type == VAL_BOOL) return text_test(f, v->b ? STR("true") : STR("false"));
    size_t n = v->type == VAL_DOUBLE ? num_format_double(text, v->d) : (size_t)snprintf(text, sizeof text, "%lld", (long long)v->i);
    return text_test(f, str_n(text, n));
}
static bool scalar_test(const struct filter *f, const struct value *v) {
    if (f->op == FILTER_EQ || f->op == FILTER_PREFIX || f->op == FILTER_WILDCARD || f->op == FILTER_REGEXP) return written_test(f, v);
    if (f->op == FILTER_NUMBER_RANGE) return v->type != VAL_BOOL && in_number_range(f, v->type == VAL_INT ? (double)v->i : v->d);
    if (f->op != FILTER_TIME_RANGE || v->type != VAL_INT || str_find_char(f->field, '*') != STR_NONE) return false;
    /* The event's own time is in ns, a number pushed as a date in ms (epoch_millis). */
    int64_t ns = v->i;
    if (!str_eq(f->field, STR("@timestamp")) && __builtin_mul_overflow(v->i, NS_PER_MS, &ns)) return false;
    return in_time_range(f, ns);
}

bool filter_leaf_test(const struct filter *f, const struct value *v) {
    if (f->op == FILTER_EXISTS) return exists(v);
    if (f->op == FILTER_PHRASE) return has_phrase(f, v);
    switch (v->type) {
    case VAL_STRING:
        /* "Any field" must not take the digits of a date for words: a date field has none. */
        if (f->op < FILTER_EQ && str_find_char(f->field, '*') != STR_NONE && isodate_looks_like(v->s)) return false;
        return text_test(f, v->s);
    case VAL_BOOL:
    case VAL_INT:
    case VAL_DOUBLE: return scalar_test(f, v);
    case VAL_ARRAY:
        for (size_t i = 0; i < v->n; i++)
            if (filter_leaf_test(f, &v->items[i])) return true; /* decoders limit the depth */
        return false;
    case VAL_NULL:
    case VAL_BYTES:
    case VAL_MAP: return false;
    }
    return false;
}

/* '*' stands for any bytes; one backtracking point is enough. */
static bool glob_match(str glob, str s) {
    size_t g = 0, at = 0, star = STR_NONE, retry = 0;
    while (at < s.n) {
        if (g < glob.n && glob.p[g] == '*') {
            star = g++;
            retry = at;
        } else if (g < glob.n && glob.p[g] == s.p[at]) {
            g++;
            at++;
        } else if (star != STR_NONE) {
            g = star + 1;
            at = ++retry;
        } else {
            return false;
        }
    }
    while (g < glob.n && glob.p[g] == '*') g++;
    return g == glob.n;
}

bool filter_field_fits(const struct filter *leaf, str name) {
    if (str_eq(leaf->field, name)) return true;
    str field = leaf->field;
    if (str_ends(field, STR(".keyword"))) field.n -= sizeof ".keyword" - 1;
    return str_find_char(field, '*') == STR_NONE ? str_eq(field, name) : glob_match(field, name);
}

/* --- canonical text */
static void put_quoted(struct buf *b, str s) {
    buf_char(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\') buf_char(b, '\\');
        buf_char(b, s.p[i]);
    }
    buf_char(b, '"');
}
static void put_range(struct buf *b, const struct filter *f) {
    buf_add(b, f->has_lo && f->lo_open ? STR(" {") : STR(" ["));
    if (f->op == FILTER_NUMBER_RANGE) {
        if (f->has_lo) num_put_double(b, f->num_lo);
        buf_add(b, STR(" TO "));
        if (f->has_hi) num_put_double(b, f->num_hi);
    } else if (f->op == FILTER_TIME_RANGE) {
        buf_i64(b, f->time_lo_ns);
        buf_add(b, STR(" TO "));
        buf_i64(b, f->time_hi_ns);
    } else {
        if (f->has_lo) put_quoted(b, f->lo);
        buf_add(b, STR(" TO "));
        if (f->has_hi) put_quoted(b, f->hi);
    }
    buf_char(b, f->has_hi && f->hi_open ? '}' : ']');
}
static void put_leaf(struct buf *b, const struct filter *f) {
    buf_char(b, ' ');
    buf_add(b, f->field);
    for (size_t i = 0; i < f->word_n; i++) {
        buf_char(b, ' ');
        put_quoted(b, f->words[i]);
        if (f->last_is_prefix && i + 1 == f->word_n) buf_char(b, '*');
    }
    if (f->slop) buf_printf(b, " ~%u", f->slop);
    if (f->automaton) {
        buf_char(b, ' ');
        put_quoted(b, automaton_prefix(f->automaton));
        buf_add(b, STR("..."));
    }
    bool range = f->op == FILTER_WORD_RANGE || f->op == FILTER_STRING_RANGE || f->op == FILTER_NUMBER_RANGE || f->op == FILTER_TIME_RANGE;
    if (range) put_range(b, f);
    if (f->op == FILTER_TRACE) buf_printf(b, " %016llx%016llx", (unsigned long long)f->trace_hi, (unsigned long long)f->trace_lo);
}

void filter_put(struct buf *b, const struct filter *f) {
    buf_char(b, '(');
    buf_add(b, str_c(op_names[f->op]));
    for (size_t i = 0; i < f->child_n; i++) {
        buf_char(b, ' ');
        filter_put(b, f->children[i]);
    }
    if (f->op > FILTER_NOT) put_leaf(b, f);
    buf_char(b, ')');
}
