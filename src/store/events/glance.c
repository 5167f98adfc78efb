#include "store/events/glance.h"

#include "codec/words.h"
#include "store/events/automaton.h"

enum { MEMO_N = 16 };

/* --- needles */

static bool is_alnum(char c) {
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}
static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}
static str lower_copy(struct arena *a, str s) {
    char *p = arena_alloc(a, s.n + 1);
    for (size_t i = 0; i < s.n; i++) p[i] = lower(s.p[i]);
    return str_n(p, s.n);
}

/* The longest run of s; open: the string goes on before and behind s. */
static struct needle longest_run(str s, bool open, struct needle best) {
    for (size_t at = 0; at < s.n;) {
        size_t from = at++;
        if (!is_alnum(s.p[from])) continue;
        while (at < s.n && is_alnum(s.p[at])) at++;
        if (at - from > best.text.n) best = (struct needle){str_sub(s, from, at), !open || (from > 0 && at < s.n)};
    }
    return best;
}

struct needle needle_of(const struct filter *leaf, struct arena *a) {
    struct needle n = {0};
    size_t whole = leaf->word_n - (leaf->last_is_prefix && leaf->word_n);
    if (leaf->op == FILTER_WORD || leaf->op == FILTER_PHRASE)
        for (size_t i = 0; i < whole; i++)
            if (leaf->words[i].n < WORD_UNITS_MAX) n = longest_run(leaf->words[i], false, n); /* a longer one was cut somewhere */
    if (leaf->op == FILTER_SUBSTRING) n = longest_run(leaf->words[0], true, n);
    n.text = lower_copy(a, n.text);
    n.digits = n.hex = n.text.n > 0;
    for (size_t i = 0; i < n.text.n; i++) {
        n.digits &= n.text.p[i] <= '9';
        n.hex &= n.text.p[i] <= 'f';
    }
    return n;
}

static bool fits_run(const struct needle *n, str run) {
    if (n->whole) return run.n == n->text.n && lower(run.p[0]) == n->text.p[0] && str_eq_nocase(run, n->text);
    for (size_t at = 0; at + n->text.n <= run.n; at++)
        if (lower(run.p[at]) == n->text.p[0] && str_eq_nocase(str_n(run.p + at, n->text.n), n->text)) return true;
    return false;
}

static bool constant_has(const struct needle *n, str text) {
    for (size_t at = 0; at < text.n;) {
        size_t from = at++;
        if (!is_alnum(text.p[from])) continue;
        while (at < text.n && is_alnum(text.p[at])) at++;
        if (at - from >= n->text.n && fits_run(n, str_sub(text, from, at))) return true;
    }
    return false;
}

/* --- one look at all templates */

struct chars {
    uint64_t bits[2]; /* a set of ASCII characters */
};
/* What a template says: no or every one of its texts, that may be asked, or those with the needle in a slot, or with a word in a segment with slots.
 */
enum look { NO, SURE, MAYBE, BY_SLOTS, BY_SEGMENTS, BY_BOTH };
/* Part of a template between two places where words certainly end: of piece `first` the bytes from `from`, of `last` those before `to`. */
struct segment {
    uint32_t first, last;
    size_t from, to;
};
struct glance {
    const struct texts *t;
    const struct filter *leaf;
    struct arena *arena, *scratch;
    struct needle needle;
    uint64_t *sure, *maybe;
    uint8_t *verdict; /* per template: enum look */
    bool **hits;      /* per template, BY_SLOTS and BY_BOTH: per text, is the needle in a slot? */
    struct {
        struct segment *p;
        size_t n, cap;
    } * open; /* per template: segments with variables, to be looked at text by text */
    struct {
        struct chars chars;
        bool may;
    } memo[MEMO_N];
    size_t memo_n;
    bool glob;
};

static void add_char(struct chars *c, char x) {
    c->bits[(uint8_t)x / 64 & 1] |= UINT64_C(1) << ((uint8_t)x % 64);
}
static bool same_chars(const struct chars *a, const struct chars *b) {
    return a->bits[0] == b->bits[0] && a->bits[1] == b->bits[1];
}

/* Characters a piece can have, in lower case. */
static void add_piece_chars(struct chars *c, const struct piece *p, uint32_t texts, size_t from, size_t to) {
    static const char digits[] = "0123456789abcdef";
    if (p->mark == MARK_DIGITS || p->mark == MARK_HEX)
        for (size_t i = 0; i < (p->mark == MARK_HEX ? 16 : 10); i++) add_char(c, digits[i]);
    if (p->mark == MARK_TEXT)
        for (size_t i = from; i < to; i++) add_char(c, lower(p->text.p[i]));
    bool seen[128] = {0};
    size_t bytes = p->mark == MARK_WORD && texts ? p->ends[texts - 1] : 0;
    for (size_t i = 0; i < bytes; i++) seen[p->items[i] & 127] = true;
    for (size_t i = 0; bytes && i < sizeof seen; i++)
        if (seen[i]) add_char(c, lower((char)i));
}

static bool chars_may(struct glance *g, const struct chars *c) {
    const struct filter *f = g->leaf;
    if (f->op == FILTER_WORD_PREFIX) {
        for (size_t i = 0; i < f->words[0].n; i++) {
            uint8_t x = (uint8_t)f->words[0].p[i];
            if (x < 128 && !(c->bits[x / 64] >> (x % 64) & 1)) return false;
        }
        return true;
    }
    if (!f->automaton) return true;
    for (size_t i = 0; i < g->memo_n; i++)
        if (same_chars(&g->memo[i].chars, c)) return g->memo[i].may;
    bool may = automaton_may(f->automaton, c->bits, 0, g->scratch);
    if (g->memo_n < MEMO_N) {
        g->memo[g->memo_n].chars = *c;
        g->memo[g->memo_n++].may = may;
    }
    return may;
}

static bool ends_word(char c) {
    static const bool inner[128] = {['_'] = true, ['.'] = true, [':'] = true, ['\''] = true, [','] = true, [';'] = true};
    return !is_alnum(c) && !(c & 0x80) && !inner[(uint8_t)c];
}

static bool some_word(struct glance *g, str text) {
    struct words w = words_open(text, g->scratch);
    for (struct word x; words_next(&w, &x);)
        if (filter_word_test(g->leaf, x.text)) return true;
    return false;
}

/* Where a segment that comes into the text from before ends. */
static size_t segment_end(str text) {
    size_t at = 0;
    while (at < text.n && !ends_word(text.p[at])) at++;
    return at;
}

static bool segment_may(struct glance *g, const struct pattern *p, const struct segment *s) {
    if (g->leaf->op == FILTER_WORD || g->leaf->op == FILTER_WORD_RANGE) return true;
    struct chars c = {0};
    for (uint32_t k = s->first; k <= s->last; k++) {
        const struct piece *piece = &p->p[k];
        add_piece_chars(&c, piece, p->texts, k == s->first ? s->from : 0, k == s->last ? s->to : piece->text.n);
    }
    return chars_may(g, &c);
}

/* Bytes the segment may have, at most. */
static size_t segment_max(const struct pattern *p, const struct segment *s) {
    size_t n = 0;
    for (uint32_t k = s->first; k <= s->last; k++)
        n += p->p[k].mark == MARK_WORD ? p->p[k].word_max : p->p[k].mark == MARK_TEXT ? p->p[k].text.n : piece_room(&p->p[k], 0);
    return n;
}

/* The segments with variables a word of the leaf may be in. */
static void find_segments(struct glance *g, uint32_t id) {
    const struct pattern *p = &g->t->templates[id];
    for (uint32_t k = 0; k < p->n; k++) {
        if (p->p[k].mark == MARK_TEXT) continue;
        struct segment s = {k, k, 0, 0};
        if (k && p->p[k - 1].mark == MARK_TEXT) {
            str text = p->p[k - 1].text;
            size_t from = text.n;
            while (from > 0 && !ends_word(text.p[from - 1])) from--;
            if (from < text.n) s = (struct segment){k - 1, k, from, 0};
        }
        while (s.to == p->p[s.last].text.n && s.last + 1 < p->n) {
            const struct piece *more = &p->p[s.last + 1];
            size_t to = more->mark == MARK_TEXT ? segment_end(more->text) : 0;
            if (more->mark == MARK_TEXT && to == 0) break;
            s.last++;
            s.to = to;
        }
        if (segment_may(g, p, &s)) avec_push(g->arena, &g->open[id], s);
        k = p->p[s.last].mark == MARK_TEXT ? s.last - 1 : s.last;
    }
}

/* Does the leaf hold for a constant alone, between the first and the last place where words end? Then for all texts. */
static bool sure_by_constants(struct glance *g, const struct pattern *p) {
    struct filter plain = *g->leaf;
    plain.field = STR("");
    for (size_t k = 0; k < p->n; k++) {
        str text = p->p[k].text;
        if (k) text = str_from(text, segment_end(text));
        if (k + 1 < p->n)
            while (text.n > 0 && !ends_word(text.p[text.n - 1])) text.n--;
        struct value v = value_str(text);
        if (text.n && filter_leaf_test(&plain, &v)) return true;
    }
    return false;
}

/* Words cut after 255 units end in the middle of a run, and only here. */
static bool may_be_cut(const struct pattern *p) {
    struct segment s = {0, 0, 0, 0};
    size_t run = 0;
    for (uint32_t k = 0; k < p->n; k++) {
        s.first = s.last = k;
        if (p->p[k].mark != MARK_TEXT) {
            run += segment_max(p, &s);
        } else {
            for (size_t i = 0; i < p->p[k].text.n && run <= WORD_UNITS_MAX; i++) run = ends_word(p->p[k].text.p[i]) ? 0 : run + 1;
        }
        if (run > WORD_UNITS_MAX) return true;
    }
    return false;
}

static bool foreign(const struct pattern *p) {
    for (size_t k = 0; k < p->n; k++)
        for (size_t i = 0; i < p->p[k].text.n; i++)
            if (p->p[k].text.p[i] & 0x80) return true;
    return false;
}

static bool needle_in_constants(const struct glance *g, const struct pattern *p) {
    for (size_t k = 0; k < p->n; k++)
        if (p->p[k].mark == MARK_TEXT && constant_has(&g->needle, p->p[k].text)) return true;
    return false;
}
/* A variable holds a digit, and no more than its kind allows. */
static bool needle_in_slots(const struct glance *g, const struct pattern *p) {
    const struct needle *n = &g->needle;
    bool digit = false;
    for (size_t i = 0; i < n->text.n; i++) digit |= n->text.p[i] <= '9';
    if (n->whole && !digit) return false;
    for (size_t k = 0; k < p->n; k++) {
        const struct piece *piece = &p->p[k];
        if (piece->mark == MARK_WORD && piece->word_max >= n->text.n) return true;
        if (piece->mark == MARK_HEX && n->hex && (n->whole ? 2u * piece->hex_n == n->text.n : 2u * piece->hex_n >= n->text.n)) return true;
        if (piece->mark == MARK_DIGITS && n->digits) return true;
    }
    return false;
}

/* Values of a slot the needle is in. */
static void find_in_words(const struct needle *n, const struct piece *p, size_t texts, bool *hit) {
    uint32_t from = 0;
    for (size_t k = 0; k < texts; from = p->ends[k++]) {
        uint32_t length = p->ends[k] - from;
        if (n->whole ? length == n->text.n : length >= n->text.n) hit[k] |= fits_run(n, str_n((const char *)p->items + from, length));
    }
}
static void find_in_numbers(const struct needle *n, const struct piece *p, size_t texts, bool *hit) {
    char text[2 * UINT8_MAX];
    for (size_t k = 0; k < texts; k++) hit[k] |= fits_run(n, str_n(text, (size_t)(piece_put(p, k, text) - text)));
}
/* An id, whole: its bytes are compared. */
static void find_id(const struct needle *n, const struct piece *p, size_t texts, bool *hit) {
    uint8_t id[UINT8_MAX] = {0};
    for (size_t i = 0; i < p->hex_n; i++) {
        unsigned hi = (unsigned)n->text.p[2 * i];
        unsigned lo = (unsigned)n->text.p[2 * i + 1];
        id[i] = (uint8_t)((hi <= '9' ? hi - '0' : hi - 'a' + 10) << 4 | (lo <= '9' ? lo - '0' : lo - 'a' + 10));
    }
    for (size_t k = 0; k < texts; k++) hit[k] |= memcmp(p->items + k * p->hex_n, id, p->hex_n) == 0;
}

/* The texts of a template that have the needle in a slot; false: none. */
static bool find_in_slots(struct glance *g, uint32_t id) {
    const struct needle *n = &g->needle;
    const struct pattern *p = &g->t->templates[id];
    bool *hit = g->hits[id] = arena_zalloc(g->arena, p->texts + 1);
    for (size_t i = 0; i < p->n; i++) {
        const struct piece *piece = &p->p[i];
        size_t hex = piece->mark == MARK_HEX && n->hex ? 2u * piece->hex_n : 0;
        if (piece->mark == MARK_WORD && piece->word_max >= n->text.n) find_in_words(n, piece, p->texts, hit);
        if (n->whole && hex == n->text.n) find_id(n, piece, p->texts, hit);
        if ((piece->mark == MARK_DIGITS && n->digits) || (!n->whole && hex >= n->text.n)) find_in_numbers(n, piece, p->texts, hit);
    }
    return memchr(hit, 1, p->texts) != NULL;
}

static bool word_leaf(const struct filter *f) {
    return f->op == FILTER_WORD || (f->op >= FILTER_WORD_PREFIX && f->op <= FILTER_WORD_RANGE);
}

static enum look look(struct glance *g, uint32_t id) {
    const struct pattern *p = &g->t->templates[id];
    bool words = word_leaf(g->leaf);
    bool needle = g->needle.text.n > 0;
    arena_reset(g->scratch);
    if ((!words && !needle) || foreign(p) || (g->leaf->op != FILTER_SUBSTRING && may_be_cut(p))) return MAYBE;
    bool in_constants = needle && needle_in_constants(g, p);
    if (needle && !in_constants && (!needle_in_slots(g, p) || !find_in_slots(g, id))) return NO;
    /* Under a glob a text that is a date has no words; such a text begins with digits. */
    bool may_be_date = g->glob && p->n && p->p[0].mark != MARK_TEXT;
    if ((!needle || in_constants) && sure_by_constants(g, p)) return may_be_date ? MAYBE : SURE;
    if (!words) return in_constants ? MAYBE : BY_SLOTS;
    find_segments(g, id);
    if (g->open[id].n == 0) return NO;
    return needle && !in_constants ? BY_BOTH : BY_SEGMENTS;
}

/* --- text by text */

static bool segment_has(struct glance *g, const struct pattern *p, const struct segment *s, size_t k) {
    char text[WORD_UNITS_MAX + 64];
    char *to = text;
    for (uint32_t i = s->first; i <= s->last; i++) {
        const struct piece *piece = &p->p[i];
        if (piece->mark != MARK_TEXT) {
            to = piece_put(piece, k, to);
            continue;
        }
        str part = str_sub(piece->text, i == s->first ? s->from : 0, i == s->last ? s->to : piece->text.n);
        memcpy(to, part.p, part.n);
        to += part.n;
    }
    return some_word(g, str_n(text, (size_t)(to - text)));
}

static bool ask_segments(struct glance *g, uint32_t id, size_t k) {
    for (size_t i = 0; i < g->open[id].n; i++)
        if (segment_has(g, &g->t->templates[id], &g->open[id].p[i], k)) return true;
    return false;
}

static bool ask_text(struct glance *g, uint32_t id, size_t k) {
    switch ((enum look)g->verdict[id]) {
    case NO:
    case SURE: break;
    case MAYBE: return true;
    case BY_SLOTS: return g->hits[id][k];
    case BY_SEGMENTS: return ask_segments(g, id, k);
    case BY_BOTH: return g->hits[id][k] && ask_segments(g, id, k);
    }
    return false;
}

static void set(uint64_t *bits, size_t i) {
    bits[i / 64] |= UINT64_C(1) << (i % 64);
}

void texts_glance(const struct texts *t, const struct filter *leaf, struct arena *a, uint64_t *sure, uint64_t *maybe) {
    struct glance g = {.t = t, .leaf = leaf, .arena = a, .scratch = arena_new(4096), .sure = sure, .maybe = maybe};
    g.needle = needle_of(leaf, a);
    g.glob = str_find_char(leaf->field, '*') != STR_NONE;
    g.verdict = arena_zalloc(a, t->template_n + 1);
    g.hits = arena_zalloc(a, (t->template_n + 1) * sizeof *g.hits);
    g.open = arena_zalloc(a, (t->template_n + 1) * sizeof *g.open);
    for (uint32_t id = 0; id < t->template_n; id++) g.verdict[id] = look(&g, id);
    for (size_t i = 0; i < t->n; i++) {
        uint32_t id = texts_template(t, i);
        if (g.verdict[id] == NO) continue;
        if (i % 256 == 0) arena_reset(g.scratch);
        if (g.verdict[id] == SURE)
            set(sure, i);
        else if (ask_text(&g, id, t->rank[i]))
            set(maybe, i);
    }
    arena_free(g.scratch);
}
