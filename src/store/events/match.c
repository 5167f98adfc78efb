#include "store/events/match.h"

#include "codec/num.h"
#include "codec/text.h"
#include "codec/words.h"
#include "store/events/fingerprint.h"
#include "store/events/glance.h"
#include "store/events/shapes.h"

enum { CHECK_EVERY = 1024 };

/* --- how columns look to filters */

static const char *const kind_names[] = {"unspecified", "internal", "server", "client", "producer", "consumer"};
static const char *const status_names[] = {"unset", "ok", "error"};

static str hex_id(struct arena *a, const void *bytes, size_t n) {
    static const char digits[] = "0123456789abcdef";
    char *p = arena_alloc(a, 2 * n);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = ((const unsigned char *)bytes)[i];
        p[2 * i] = digits[c >> 4];
        p[2 * i + 1] = digits[c & 15];
    }
    return str_n(p, 2 * n);
}
static str hex_u64(struct arena *a, uint64_t v) {
    uint64_t be = __builtin_bswap64(v);
    return hex_id(a, &be, sizeof be);
}
static str hex_trace(struct arena *a, struct trace_id t) {
    uint64_t be[2] = {__builtin_bswap64(t.hi), __builtin_bswap64(t.lo)};
    return hex_id(a, be, sizeof be);
}
str default_id(struct arena *a, uint64_t seq) {
    return hex_u64(a, seq);
}

static str name_of(const char *const *names, size_t n, int64_t i) {
    return str_c(i >= 0 && (size_t)i < n ? names[i] : names[0]);
}

/* A fixed cell as people see it: ids in hex, kind and status by name. */
static struct value shown(const struct block_column *c, struct value v, struct arena *a) {
    switch (column_fixed(c)) {
    case FIX_SPAN:
    case FIX_PARENT:
    case FIX_LINK_SPAN: return value_str(hex_u64(a, (uint64_t)v.i));
    case FIX_LINK_TRACE: return value_str(hex_id(a, v.s.p, v.s.n));
    case FIX_KIND: return value_str(name_of(kind_names, ARRAY_N(kind_names), v.i));
    case FIX_STATUS: return value_str(name_of(status_names, ARRAY_N(status_names), v.i));
    default: return v;
    }
}

/* Fields that '*' does not mean: an id or a property of the event, not something it says. */
static bool named_only(const struct block_column *c, enum event_kind kind) {
    switch (column_fixed(c)) {
    case FIX_ID:
    case FIX_KIND:
    case FIX_STATUS:
    case FIX_DURATION:
    case FIX_PARENT:
    case FIX_LINK_SPAN:
    case FIX_LINK_TRACE: return true;
    case FIX_SPAN: return kind == EVENT_SPAN;
    default: return false;
    }
}

static bool is_glob(const struct filter *leaf) {
    return str_find_char(leaf->field, '*') != STR_NONE;
}
/* EXISTS asks for objects too: "kubernetes" is there when "kubernetes.pod_name" is. */
static bool fits_object(const struct filter *leaf, str name) {
    return leaf->op == FILTER_EXISTS && name.n > leaf->field.n && name.p[leaf->field.n] == '.' && str_starts(name, leaf->field);
}
static bool fits(const struct filter *leaf, str name) {
    return name.n && (filter_field_fits(leaf, name) || fits_object(leaf, name));
}
static bool fits_column(const struct filter *leaf, const struct block *b, const struct block_column *c) {
    if (named_only(c, b->kind) && is_glob(leaf)) return false;
    return fits(leaf, c->name) || fits(leaf, c->alias);
}
/* Maps inside arrays have fields of their own: may one of them fit? */
static bool may_fit_inside(const struct filter *leaf, const struct block_column *c) {
    return c->type == CELL_ARRAY && (is_glob(leaf) || str_starts(leaf->field, c->name) || (c->alias.n && str_starts(leaf->field, c->alias)));
}

static bool any_value(const struct filter *leaf, str name, const struct value *v, struct arena *a, unsigned depth) {
    if (depth > VALUE_DEPTH_MAX) return false;
    bool here = v->type != VAL_MAP && fits(leaf, name);
    if (here && filter_leaf_test(leaf, v)) return true; /* an array as a whole: phrases see its gaps */
    if (v->type == VAL_ARRAY) {
        for (uint32_t i = 0; i < v->n; i++)
            if (v->items[i].type >= VAL_ARRAY && any_value(leaf, name, &v->items[i], a, depth + 1)) return true;
    }
    if (v->type == VAL_MAP) {
        for (uint32_t i = 0; i < v->n; i++) {
            str inner = arena_printf(a, "%" STR_F ".%" STR_F, STR_A(name), STR_A(v->fields[i].key));
            if (any_value(leaf, inner, &v->fields[i].value, a, depth + 1)) return true;
        }
    }
    return false;
}

/* --- verdicts without opening the block */

/* Ids and names that are not among the words a block's fingerprints cover. */
static bool outside_words(str field) {
    static const char *const names[] = {"span_id", "parent_id", "kind", "status", "_id", "_index", "link.trace_id", "link.span_id", "@timestamp"};
    if (str_ends(field, STR(".keyword"))) field.n -= 8;
    for (size_t i = 0; i < ARRAY_N(names); i++)
        if (str_eq_c(field, names[i])) return true;
    return false;
}
static bool words_absent(str prints, const struct filter *f) {
    size_t whole = f->word_n - (f->last_is_prefix && f->word_n);
    for (size_t i = 0; i < whole; i++)
        if (!fingerprints_maybe(prints, word_hash(f->words[i]))) return true;
    return false;
}
/* No string equals any of the values. Numbers and booleans, which compare as written, are not among the words. */
static bool values_absent(str prints, const struct filter *f) {
    AUTO(arena_free) struct arena *a = arena_new(256);
    for (size_t i = 0; i < f->word_n; i++) {
        double d;
        bool absent = false;
        if (num_parse_double(f->words[i], &d) || str_eq(f->words[i], STR("true")) || str_eq(f->words[i], STR("false"))) return false;
        struct words w = words_open(f->words[i], a);
        for (struct word x; words_next(&w, &x) && !absent;) absent = !fingerprints_maybe(prints, word_hash(x.text));
        if (!absent) return false;
    }
    return true;
}

static str block_prints(const struct part *p, uint32_t index) {
    const struct block_info *b = &p->blocks[index];
    for (uint32_t i = 0; i < b->section_n; i++) {
        const struct section *s = &p->sections[b->section_at + i];
        if (s->id == SEC_WORDS && s->codec == CODEC_NONE && part_block_good(p, index)) return str_n(p->bytes.p + s->at, s->n);
    }
    return STR_NULL;
}

static bool trace_absent(const struct part *p, uint32_t index, str prints, struct trace_id id) {
    uint32_t from;
    uint32_t to;
    struct traces t;
    if (p->kind == EVENT_SPAN && block_traces(p, index, &t)) return !traces_find(&t, id, &from, &to);
    if (prints.n == 0) return false;
    AUTO(arena_free) struct arena *a = arena_new(64);
    return !fingerprints_maybe(prints, word_hash(hex_trace(a, id)));
}

static const struct part_view *add_view(const struct part *p, const struct filter *f, struct arena *a, const struct part_view *rest) {
    for (size_t i = 0; i < f->child_n; i++) rest = add_view(p, f->children[i], a, rest);
    const uint64_t *blocks = f->op > FILTER_NOT && !outside_words(f->field) ? shapes_find(p, f, a) : NULL;
    if (!blocks) return rest;
    struct part_view *v = arena_one(a, struct part_view);
    *v = (struct part_view){f, blocks, rest};
    return v;
}
const struct part_view *part_view(const struct part *p, const struct filter *f, struct arena *a) {
    return f && p->path ? add_view(p, f, a, NULL) : NULL;
}

static bool shape_absent(const struct part_view *view, uint32_t index, const struct filter *f) {
    while (view && view->leaf != f) view = view->next;
    return view && !bit_get(view->blocks, index);
}

static enum verdict leaf_verdict(const struct part *p, uint32_t index, const struct filter *f, const struct part_view *view) {
    const struct block_info *b = &p->blocks[index];
    str prints = block_prints(p, index);
    bool absent = shape_absent(view, index, f);
    if (f->op == FILTER_WORD || f->op == FILTER_PHRASE) absent = prints.n && !outside_words(f->field) && words_absent(prints, f);
    if (f->op == FILTER_EQ) absent = prints.n && !outside_words(f->field) && values_absent(prints, f);
    if (f->op == FILTER_TRACE) absent = trace_absent(p, index, prints, (struct trace_id){f->trace_hi, f->trace_lo});
    if (f->op == FILTER_TIME_RANGE && str_eq(f->field, STR("@timestamp"))) {
        if (f->time_lo_ns <= b->min_ns && f->time_hi_ns >= b->max_ns) return VERDICT_ALL;
        absent = p->kind == EVENT_SPAN && (f->time_hi_ns < b->min_ns || f->time_lo_ns > b->max_ns);
    }
    return absent ? VERDICT_NONE : VERDICT_MAYBE;
}

static enum verdict verdict(const struct part *p, uint32_t index, const struct filter *f, const struct part_view *view) {
    enum verdict v;
    switch (f->op) {
    case FILTER_ALL: return VERDICT_ALL;
    case FILTER_NONE: return VERDICT_NONE;
    case FILTER_NOT: return VERDICT_ALL - verdict(p, index, f->children[0], view);
    case FILTER_AND:
        v = VERDICT_ALL;
        for (size_t i = 0; i < f->child_n && v != VERDICT_NONE; i++) v = MIN(v, verdict(p, index, f->children[i], view));
        return v;
    case FILTER_OR:
        v = VERDICT_NONE;
        for (size_t i = 0; i < f->child_n && v != VERDICT_ALL; i++) v = MAX(v, verdict(p, index, f->children[i], view));
        return v;
    default: return leaf_verdict(p, index, f, view);
    }
}

enum verdict block_verdict(const struct part *p, uint32_t index, const struct filter *f, const struct part_view *view, int64_t from_ns,
                           int64_t to_ns) {
    const struct block_info *b = &p->blocks[index];
    if (b->max_ns < from_ns || b->min_ns > to_ns) return VERDICT_NONE;
    enum verdict v = f ? verdict(p, index, f, view) : VERDICT_ALL;
    bool all_times = b->min_ns >= from_ns && b->max_ns <= to_ns;
    return v == VERDICT_ALL && !all_times ? VERDICT_MAYBE : v;
}

/* --- rows */

struct run {
    struct block *b;
    const struct job *job;
    struct arena *scratch; /* one value's worth */
    struct err *e;
    uint32_t tested;
    bool failed;
};

static bool go_on(struct run *x) {
    if (++x->tested % CHECK_EVERY == 0) {
        arena_reset(x->scratch);
        if (x->job && !job_check(x->job, x->e)) x->failed = true;
    }
    return !x->failed;
}

static uint64_t *bits_new(const struct run *x, size_t n) {
    return arena_zalloc(x->b->arena, MAX(bit_words(n), (size_t)1) * sizeof(uint64_t));
}

/* ASCII lower case of all texts of a column, to look for words with memmem: `ascii` has a bit per text that is ASCII. */
struct folded {
    char *bytes;
    uint64_t *foreign; /* per text: holds bytes beyond ASCII, whose lower case may be ASCII (the Kelvin sign); NULL: none does */
};
static struct folded fold(struct run *x, const struct strings *s) {
    size_t n = s->entry_n ? s->ends[s->entry_n - 1] : 0;
    struct folded f = {.bytes = arena_alloc(x->b->arena, n + 1)};
    unsigned char high = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s->bytes[i];
        high |= c;
        f.bytes[i] = (char)(c + ((unsigned char)(c - 'A') < 26) * 32);
    }
    if (!(high & 0x80)) return f;
    f.foreign = bits_new(x, s->entry_n);
    uint32_t from = 0;
    for (uint32_t i = 0; i < s->entry_n; from = s->ends[i++]) {
        high = 0;
        for (uint32_t k = from; k < s->ends[i]; k++) high |= (unsigned char)s->bytes[k];
        if (high & 0x80) bit_set(f.foreign, i);
    }
    return f;
}

/* Texts that may hold the needle (ASCII, any case): the others certainly do not. */
static uint64_t *texts_with(struct run *x, const struct strings *s, str needle) {
    struct folded f = fold(x, s);
    uint64_t *bits = f.foreign ? f.foreign : bits_new(x, s->entry_n);
    size_t end = s->entry_n ? s->ends[s->entry_n - 1] : 0;
    uint32_t i = 0;
    for (size_t at = 0; at < end;) {
        const char *hit = memmem(f.bytes + at, end - at, needle.p, needle.n);
        if (!hit) break;
        size_t pos = (size_t)(hit - f.bytes);
        while (s->ends[i] <= pos) i++;
        if (pos + needle.n > s->ends[i]) {
            at = pos + 1; /* across two texts */
            continue;
        }
        bit_set(bits, i);
        at = s->ends[i];
    }
    return bits;
}

/* The text every match of the leaf must hold in some case, for the ops where there is one. */
static str longest_word(const struct filter *leaf, struct arena *a) {
    if ((leaf->op != FILTER_WORD && leaf->op != FILTER_PHRASE && leaf->op != FILTER_SUBSTRING) || leaf->word_n == 0) return STR_NULL;
    str longest = leaf->words[0];
    for (size_t i = 1; i < leaf->word_n; i++)
        if (leaf->words[i].n > longest.n) longest = leaf->words[i];
    str lower = arena_str(a, longest);
    for (size_t i = 0; i < lower.n; i++) {
        if (lower.p[i] & 0x80) return STR_NULL;
        if (lower.p[i] >= 'A' && lower.p[i] <= 'Z') ((char *)(uintptr_t)lower.p)[i] += 32;
    }
    return lower;
}

static bool test_cell(struct run *x, const struct filter *leaf, const struct block_column *c, uint32_t i) {
    struct value v = shown(c, column_value(c, i, x->scratch), x->scratch);
    if (v.type == VAL_NULL) return false;
    if (v.type == VAL_ARRAY) return any_value(leaf, c->name, &v, x->scratch, 0) || (c->alias.n && any_value(leaf, c->alias, &v, x->scratch, 0));
    if (v.type == VAL_MAP) return false;
    if (leaf->op == FILTER_EXISTS) return true;
    return v.type != VAL_BYTES && filter_leaf_test(leaf, &v);
}

/* Entries of a dictionary are tested once: 0 not yet, 1 no, 2 yes. */
static bool test_entry(struct run *x, const struct filter *leaf, const struct block_column *c, uint32_t i, uint8_t *known) {
    if (!c->strings.dict || !known) return test_cell(x, leaf, c, i);
    uint8_t *k = &known[ints_at(&c->strings.index, i)];
    if (*k == 0) *k = test_cell(x, leaf, c, i) ? 2 : 1;
    return *k == 2;
}

/* A body is the field "message" only of rows without one of their own; a document's fields are its own. */
static bool body_hidden(const struct block_layout *l) {
    return l->has_message || l->source_doc;
}
/* Which rows of a column count: all; for the body those where it is "message"; for an attribute asked for as the body those it is the body of. */
enum role { ROLE_FIELD, ROLE_BODY, ROLE_BODY_REF };
static bool row_counts(const struct block *b, const struct block_column *c, enum role role, uint32_t row) {
    if (role == ROLE_FIELD) return true;
    const struct block_layout *l = block_row_layout(b, row);
    return !body_hidden(l) && (role == ROLE_BODY || l->body == (uint32_t)(c - b->columns));
}

static bool out_of_range(const struct filter *leaf, const struct block_column *c) {
    if (leaf->op != FILTER_NUMBER_RANGE || c->type != CELL_INT || column_fixed(c)) return false;
    return (leaf->has_lo && (double)c->hi < leaf->num_lo) || (leaf->has_hi && (double)c->lo > leaf->num_hi);
}

static void match_column(struct run *x, const struct filter *leaf, struct block_column *c, enum role role, const uint64_t *in, uint64_t *out) {
    struct block *b = x->b;
    if ((!cell_is_ints(c->type) && !cell_is_strings(c->type)) || out_of_range(leaf, c)) return;
    if (!block_column_rows(b, c)) {
        x->failed = true;
        err_set(x->e, ERR_CORRUPT, "%s: block %u is damaged", b->part->path ? b->part->path : "event part in memory", b->index);
        return;
    }
    uint8_t *known = cell_is_strings(c->type) && c->strings.dict ? arena_zalloc(b->arena, c->strings.entry_n + 1) : NULL;
    uint64_t *candidates = NULL;
    uint64_t *sure = NULL;
    if (c->strings.texts && c->type == CELL_STRING) {
        candidates = bits_new(x, c->n);
        sure = bits_new(x, c->n);
        texts_glance(c->strings.texts, leaf, b->arena, sure, candidates);
    }
    str needle = longest_word(leaf, b->arena);
    if (needle.n && c->type == CELL_STRING && !c->strings.dict && !sure) candidates = texts_with(x, &c->strings, needle);
    for (uint32_t word = 0; word < bit_words(b->row_n); word++)
        for (uint64_t left = in[word] & ~out[word]; left; left &= left - 1) {
            uint32_t row = word * 64 + (uint32_t)__builtin_ctzll(left);
            if (!row_counts(b, c, role, row)) continue;
            for (uint32_t i = column_start(c, row); i < column_start(c, row + 1); i++) {
                bool known_to = sure && bit_get(sure, i);
                if (!known_to && candidates && !bit_get(candidates, i)) continue;
                if (!go_on(x)) return;
                if (!known_to && !test_entry(x, leaf, c, i, known)) continue;
                bit_set(out, row);
                break;
            }
        }
}

static bool test_stream(struct run *x, const struct filter *leaf, const struct block_stream *s) {
    for (size_t i = 0; i < s->field_n; i++) {
        const struct stream_field *f = &s->fields[i];
        if ((f->meta && is_glob(leaf)) || f->value.type == VAL_NULL || f->value.type == VAL_MAP) continue;
        if (f->value.type == VAL_ARRAY && any_value(leaf, f->name, &f->value, x->scratch, 0)) return true;
        if (f->value.type != VAL_ARRAY && fits(leaf, f->name) && (leaf->op == FILTER_EXISTS || filter_leaf_test(leaf, &f->value))) return true;
    }
    return false;
}

static void match_streams(struct run *x, const struct filter *leaf, const uint64_t *in, uint64_t *out) {
    struct block *b = x->b;
    uint64_t *streams = bits_new(x, b->stream_n);
    bool any = false;
    for (uint32_t i = 0; i < b->stream_n; i++)
        if (test_stream(x, leaf, &b->streams[i])) bit_set(streams, i), any = true;
    for (uint32_t row = 0; any && row < b->row_n; row++)
        if (bit_get(in, row) && bit_get(streams, (size_t)ints_at(&b->stream, row))) bit_set(out, row);
}

/* The values that are no cells: time, trace id, the id the store gives. */
static bool test_own(struct run *x, const struct filter *leaf, uint32_t row, bool time, bool trace, bool id) {
    struct block *b = x->b;
    int64_t t = ints_at(&b->time, row);
    if (leaf->op == FILTER_TIME_RANGE) return time && t >= leaf->time_lo_ns && t <= leaf->time_hi_ns;
    struct value v = value_int(t);
    if (time && filter_leaf_test(leaf, &v)) return true;
    struct trace_id tid = trace ? block_row_trace(b, row) : (struct trace_id){0};
    v = value_str(trace_id_set(tid) ? hex_trace(x->scratch, tid) : STR_NULL);
    if (v.s.n && filter_leaf_test(leaf, &v)) return true;
    v = value_str(id ? default_id(x->scratch, (uint64_t)ints_at(&b->seq, row)) : STR_NULL);
    return v.s.n && filter_leaf_test(leaf, &v);
}

static bool layout_has_id(const struct block *b, uint32_t row) {
    const struct block_layout *l = block_row_layout(b, row);
    for (uint32_t i = 0; i < l->n; i++)
        if (column_fixed(&b->columns[l->columns[i]]) == FIX_ID) return true;
    return false;
}

static void match_own(struct run *x, const struct filter *leaf, const uint64_t *in, uint64_t *out) {
    struct block *b = x->b;
    bool glob = is_glob(leaf);
    bool time = (!glob || leaf->op == FILTER_EXISTS) && (fits(leaf, STR("@timestamp")) || (b->kind == EVENT_SPAN && fits(leaf, STR("start"))));
    bool trace = b->traces.n && fits(leaf, STR("trace_id"));
    bool id = leaf->op == FILTER_IDS || (!glob && fits(leaf, STR("_id")));
    for (uint32_t row = 0; (time || trace || id) && row < b->row_n; row++) {
        if (!bit_get(in, row) || bit_get(out, row)) continue;
        if (!go_on(x)) return;
        if (test_own(x, leaf, row, time, trace, id && !layout_has_id(b, row))) bit_set(out, row);
    }
}

static void match_trace(struct run *x, const struct filter *leaf, const uint64_t *in, uint64_t *out) {
    struct block *b = x->b;
    struct trace_id id = {leaf->trace_hi, leaf->trace_lo};
    uint32_t from = 0;
    uint32_t to = b->traces.n;
    if (b->traces.ends && !traces_find(&b->traces, id, &from, &to)) return;
    for (uint32_t row = from; row < to; row++) {
        if (!bit_get(in, row)) continue;
        struct trace_id t = b->traces.ends ? id : traces_at(&b->traces, row);
        if (t.hi == id.hi && t.lo == id.lo) bit_set(out, row);
    }
}

static void match_leaf(struct run *x, const struct filter *leaf, const uint64_t *in, uint64_t *out) {
    if (leaf->op == FILTER_TRACE) {
        match_trace(x, leaf, in, out);
        return;
    }
    struct filter ids = *leaf;
    if (leaf->op == FILTER_IDS) ids.field = STR("_id");
    match_streams(x, &ids, in, out);
    match_own(x, &ids, in, out);
    for (uint32_t i = 0; i < x->b->column_n && !x->failed; i++) {
        struct block_column *c = &x->b->columns[i];
        bool body = x->b->kind == EVENT_LOG && column_fixed(c) == FIX_BODY;
        if (fits_column(&ids, x->b, c) || may_fit_inside(&ids, c))
            match_column(x, &ids, c, body ? ROLE_BODY : ROLE_FIELD, in, out);
        else if (c->is_body && fits(&ids, STR("message")))
            match_column(x, &ids, c, ROLE_BODY_REF, in, out);
    }
}

static bool none_set(const uint64_t *bits, size_t words) {
    for (size_t i = 0; i < words; i++)
        if (bits[i]) return false;
    return true;
}

/* out: the rows of `in` that match f. */
static void match(struct run *x, const struct filter *f, const uint64_t *in, uint64_t *out) {
    size_t words = bit_words(x->b->row_n);
    uint64_t *part = NULL;
    if (x->failed || none_set(in, words)) return;
    switch (f->op) {
    case FILTER_ALL: memcpy(out, in, words * sizeof *out); return;
    case FILTER_NONE: return;
    case FILTER_NOT:
        part = bits_new(x, x->b->row_n);
        match(x, f->children[0], in, part);
        for (size_t i = 0; i < words; i++) out[i] = in[i] & ~part[i];
        return;
    case FILTER_AND:
        memcpy(out, in, words * sizeof *out);
        for (size_t c = 0; c < f->child_n; c++) {
            part = bits_new(x, x->b->row_n);
            match(x, f->children[c], out, part);
            memcpy(out, part, words * sizeof *out);
        }
        return;
    case FILTER_OR: {
        uint64_t *left = bits_new(x, x->b->row_n);
        memcpy(left, in, words * sizeof *left);
        for (size_t c = 0; c < f->child_n; c++) {
            part = bits_new(x, x->b->row_n);
            match(x, f->children[c], left, part);
            for (size_t i = 0; i < words; i++) out[i] |= part[i], left[i] &= ~part[i];
        }
        return;
    }
    default: match_leaf(x, f, in, out);
    }
}

static uint32_t rows_in_time(const struct block *b, int64_t from_ns, int64_t to_ns, uint64_t *bits) {
    uint32_t n = 0;
    for (uint32_t row = 0; row < b->row_n; row++) {
        int64_t t = ints_at(&b->time, row);
        if (t < from_ns || t > to_ns) continue;
        bit_set(bits, row);
        n++;
    }
    return n;
}

bool block_match(struct block *b, const struct filter *f, int64_t from_ns, int64_t to_ns, const struct job *j, uint64_t *bits, uint32_t *n,
                 struct err *e) {
    size_t words = bit_words(b->row_n);
    memset(bits, 0, words * sizeof *bits);
    *n = rows_in_time(b, from_ns, to_ns, bits);
    if (!f || *n == 0) return true;
    struct run x = {.b = b, .job = j, .scratch = arena_new(4096), .e = e};
    uint64_t *out = bits_new(&x, b->row_n);
    match(&x, f, bits, out);
    arena_free(x.scratch);
    if (x.failed) return false;
    memcpy(bits, out, words * sizeof *bits);
    *n = 0;
    for (size_t i = 0; i < words; i++) *n += (uint32_t)__builtin_popcountll(bits[i]);
    return true;
}

/* --- one field of one row */

struct found {
    struct arena *arena;
    struct value *p;
    size_t n, cap;
};

static void find_cells(struct block *b, uint32_t row, str field, bool fixed, struct found *out) {
    const struct block_layout *l = block_row_layout(b, row);
    bool message = b->kind == EVENT_LOG && fixed && str_eq(field, STR("message"));
    if (message && body_hidden(l)) return;
    for (uint32_t k = 0; k < l->n; k++) {
        struct block_column *c = &b->columns[l->columns[k]];
        bool named = (c->scope == SCOPE_FIXED) == fixed && (str_eq(c->name, field) || (c->alias.n && str_eq(c->alias, field)));
        if (!named && !(message && l->body == l->columns[k])) continue;
        if (!block_column_rows(b, c)) continue;
        struct value v = shown(c, column_value(c, block_cell_at(b, row, l, k), out->arena), out->arena);
        v = value_copy(out->arena, &v);
        avec_push(out->arena, out, v);
    }
}

static void find_stream_field(struct block *b, uint32_t row, str field, struct found *out) {
    const struct block_stream *s = block_row_stream(b, row);
    for (size_t i = 0; i < s->field_n; i++)
        if (str_eq(s->fields[i].name, field)) {
            struct value v = value_copy(out->arena, &s->fields[i].value);
            avec_push(out->arena, out, v);
            return;
        }
}

static void find_own(struct block *b, uint32_t row, str field, struct found *out) {
    struct trace_id t = block_row_trace(b, row);
    struct value v = {.type = VAL_NULL};
    if (str_eq(field, STR("@timestamp")) || (b->kind == EVENT_SPAN && str_eq(field, STR("start")))) v = value_int(ints_at(&b->time, row));
    if (str_eq(field, STR("trace_id")) && trace_id_set(t)) v = value_str(hex_trace(out->arena, t));
    if (str_eq(field, STR("_id"))) v = value_str(default_id(out->arena, (uint64_t)ints_at(&b->seq, row)));
    if (v.type != VAL_NULL) avec_push(out->arena, out, v);
}

bool block_get(struct block *b, uint32_t row, str field, struct arena *a, struct value *out) {
    struct found f = {.arena = a};
    bool span = b->kind == EVENT_SPAN;
    find_cells(b, row, field, span, &f); /* spans: what a span is comes first; logs: what it says */
    if (f.n == 0 && span) find_own(b, row, field, &f);
    if (f.n == 0) find_stream_field(b, row, field, &f);
    if (f.n == 0) find_cells(b, row, field, !span, &f);
    if (f.n == 0 && !span) find_own(b, row, field, &f);
    if (f.n == 0 && str_ends(field, STR(".keyword"))) return block_get(b, row, str_sub(field, 0, field.n - 8), a, out);
    if (f.n == 0) return false;
    *out = f.n == 1 ? f.p[0] : (struct value){.type = VAL_ARRAY, .n = (uint32_t)f.n, .items = f.p};
    return true;
}
