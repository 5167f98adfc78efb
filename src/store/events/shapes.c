#include "store/events/shapes.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/map.h"
#include "codec/varint.h"
#include "store/events/automaton.h"
#include "store/events/glance.h"

enum { ID_MIN = 8, MARK = 1 };

struct entry {
    str text;
    VEC(uint32_t) blocks;
    VEC(uint32_t) words; /* a shape not yet used: the entries of its words */
    bool collapsed;      /* a shape in use: its words are no entries any more */
};
struct shapes {
    struct arena *arena;
    VEC(struct entry) list; /* those without blocks are not in use */
    struct map map;
    VEC(uint32_t) unlisted;   /* ascending */
    uint32_t block, in_block; /* the newest block and how many shapes it has */
};

struct shapes *shapes_new(void) {
    struct shapes *s = mem_zalloc(sizeof *s);
    s->arena = arena_new(4096);
    return s;
}

void shapes_free(struct shapes *s) {
    if (!s) return;
    for (size_t i = 0; i < s->list.n; i++) {
        vec_done(&s->list.p[i].blocks);
        vec_done(&s->list.p[i].words);
    }
    vec_done(&s->list);
    vec_done(&s->unlisted);
    map_done(&s->map);
    arena_free(s->arena);
    free(s);
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
static bool is_hex(str s) {
    for (size_t i = 0; i < s.n; i++)
        if (!is_digit(s.p[i]) && (s.p[i] < 'a' || s.p[i] > 'f')) return false;
    return true;
}
static bool has_digit(str word) {
    for (size_t i = 0; i < word.n; i++)
        if (is_digit(word.p[i])) return true;
    return false;
}
/* Numbers, ids and pieces of ids. */
static bool is_number(str word) {
    return is_hex(word) && has_digit(word);
}
static str shape_of(str word, char *to) {
    size_t n = 0;
    for (size_t i = 0; i < word.n; i++) {
        if (!is_digit(word.p[i]))
            to[n++] = word.p[i];
        else if (i == 0 || !is_digit(word.p[i - 1]))
            to[n++] = MARK;
    }
    return str_n(to, n);
}

/* The number of the entry; a new one if there is none. */
static uint32_t find_entry(struct shapes *s, str text) {
    uint64_t h = hash_str(text);
    for (size_t at = map_first(&s->map, h); at != MAP_END; at = map_next(&s->map, at, h))
        if (str_eq(s->list.p[s->map.slots[at].value - 1].text, text)) return (uint32_t)s->map.slots[at].value - 1;
    vec_push(&s->list, ((struct entry){.text = arena_str(s->arena, text)}));
    map_put(&s->map, h, s->list.n);
    return (uint32_t)s->list.n - 1;
}

static void collapse(struct shapes *s, uint32_t id) {
    struct entry *shape = &s->list.p[id];
    for (size_t i = 0; i < shape->words.n; i++) {
        struct entry *word = &s->list.p[shape->words.p[i]];
        for (size_t k = 0; k < word->blocks.n; k++) vec_push(&shape->blocks, word->blocks.p[k]);
        vec_done(&word->blocks);
        word->blocks = (__typeof__(word->blocks)){0};
    }
    shape->words.n = 0;
    shape->collapsed = true;
}

/* Where the blocks of a word, or of a shape, are noted. */
static struct entry *entry_for(struct shapes *s, str word) {
    char text[SHAPE_BYTES_MAX];
    str shape = shape_of(word, text);
    if (str_eq(shape, word)) {
        uint32_t id = find_entry(s, word);
        if (str_find_char(word, MARK) != STR_NONE && !s->list.p[id].collapsed) collapse(s, id);
        return &s->list.p[id];
    }
    uint32_t of = find_entry(s, shape);
    if (is_number(word) && !s->list.p[of].collapsed) collapse(s, of);
    if (s->list.p[of].collapsed) return &s->list.p[of];
    uint32_t before = (uint32_t)s->list.n;
    uint32_t id = find_entry(s, word);
    struct entry *e = &s->list.p[of];
    if (id < before) return &s->list.p[id];
    if (e->words.n == SHAPE_WORDS_MAX) return collapse(s, of), e;
    vec_push(&e->words, id);
    return &s->list.p[id];
}

static bool add_to(struct entry *e, uint32_t block) {
    if (e->blocks.n && e->blocks.p[e->blocks.n - 1] == block) return false;
    vec_push(&e->blocks, block);
    return true;
}

static void unlist(struct shapes *s, uint32_t block) {
    if (s->unlisted.n == 0 || s->unlisted.p[s->unlisted.n - 1] != block) vec_push(&s->unlisted, block);
}

void shapes_add(struct shapes *s, uint32_t block, str word) {
    if (word.n >= ID_MIN && is_number(word)) return;
    if (block != s->block) s->in_block = 0;
    s->block = block;
    if (word.n > SHAPE_BYTES_MAX || s->in_block >= SHAPES_BLOCK_MAX) {
        unlist(s, block);
        return;
    }
    s->in_block += add_to(entry_for(s, word), block);
}

/* --- the section */

static int by_text(const void *l, const void *r) {
    return str_cmp(((const struct entry *)l)->text, ((const struct entry *)r)->text);
}
static int by_number(const void *l, const void *r) {
    uint32_t a = *(const uint32_t *)l;
    uint32_t b = *(const uint32_t *)r;
    return (a > b) - (a < b);
}

/* The blocks of words that became one come one word after the other. */
static void sort_blocks(struct entry *e) {
    qsort(e->blocks.p, e->blocks.n, sizeof *e->blocks.p, by_number);
    size_t n = 0;
    for (size_t i = 0; i < e->blocks.n; i++)
        if (n == 0 || e->blocks.p[i] != e->blocks.p[n - 1]) e->blocks.p[n++] = e->blocks.p[i];
    e->blocks.n = n;
}

static void put_blocks(struct buf *b, const uint32_t *blocks, size_t n) {
    put_varint(b, n);
    for (size_t i = 0; i < n; i++) put_varint(b, blocks[i] - (i ? blocks[i - 1] : 0));
}

void shapes_put(struct shapes *s, uint32_t block_n, struct buf *b) {
    if (s->list.n > 1) qsort(s->list.p, s->list.n, sizeof *s->list.p, by_text);
    map_done(&s->map); /* it told places in the list */
    s->map = (struct map){0};
    put_blocks(b, s->unlisted.p, s->unlisted.n);
    size_t used = 0;
    for (size_t i = 0; i < s->list.n; i++) used += s->list.p[i].blocks.n > 0;
    put_varint(b, used);
    str last = STR("");
    for (size_t i = 0; i < s->list.n; i++) {
        struct entry *e = &s->list.p[i];
        if (e->blocks.n == 0) continue;
        sort_blocks(e);
        size_t shared = 0;
        while (shared < MIN(last.n, e->text.n) && last.p[shared] == e->text.p[shared]) shared++;
        put_varint(b, shared);
        put_slice(b, str_from(e->text, shared));
        put_blocks(b, e->blocks.p, e->blocks.n == block_n ? 0 : e->blocks.n);
        last = e->text;
    }
}

struct shape_reader {
    struct reader r;
    uint64_t left; /* shapes */
    uint32_t block_n;
    char text[SHAPE_BYTES_MAX];
    size_t n;
    uint64_t listed; /* blocks of the shape just read; 0: all */
};

/* The next of a list of blocks; false: damaged. */
static bool next_block(struct shape_reader *x, uint64_t *block) {
    *block += get_varint(&x->r);
    return !x->r.bad && *block < x->block_n;
}

static bool next_shape(struct shape_reader *x) {
    if (x->left == 0) return false;
    x->left--;
    uint64_t shared = get_varint(&x->r);
    str rest = get_slice(&x->r);
    if (x->r.bad || shared > x->n || rest.n > SHAPE_BYTES_MAX - shared) return x->r.bad = true, false;
    memcpy(x->text + shared, rest.p, rest.n);
    x->n = shared + rest.n;
    x->listed = get_varint(&x->r);
    return !x->r.bad && x->listed <= x->block_n;
}

static bool open_shapes(const struct part *p, struct arena *a, struct shape_reader *x) {
    str section;
    if (!part_table(p, SEC_SHAPES, a, &section)) return false;
    *x = (struct shape_reader){.r = reader_open(section), .block_n = p->block_n};
    x->listed = get_varint(&x->r);
    return !x->r.bad && x->listed <= p->block_n;
}

void shapes_add_part(struct shapes *s, uint32_t first, const struct part *p) {
    AUTO(arena_free) struct arena *a = arena_new(4096);
    struct shape_reader x;
    bool ok = open_shapes(p, a, &x);
    for (uint64_t i = 0, block = 0; ok && i < x.listed; i++) {
        ok = next_block(&x, &block);
        if (ok) unlist(s, first + (uint32_t)block);
    }
    if (ok) x.left = get_varint(&x.r);
    while (ok && next_shape(&x)) {
        struct entry *entry = entry_for(s, str_n(x.text, x.n));
        for (uint32_t i = 0; x.listed == 0 && i < p->block_n; i++) add_to(entry, first + i);
        for (uint64_t i = 0, block = 0; ok && i < x.listed; i++) {
            ok = next_block(&x, &block);
            if (ok) add_to(entry, first + (uint32_t)block);
        }
    }
    /* A part without the section, or with a damaged one: its blocks may hold anything. */
    while (s->unlisted.n && s->unlisted.p[s->unlisted.n - 1] >= first && (!ok || x.r.bad)) s->unlisted.n--;
    for (uint32_t i = 0; (!ok || x.r.bad) && i < p->block_n; i++) unlist(s, first + i);
}

/* --- questions */

struct question {
    const struct filter *leaf;
    str text, shape; /* PREFIX, SUBSTRING: what a word begins with / holds, and that as a shape */
    struct arena *scratch;
    uint32_t *states, *next; /* sets of states of the automaton, and who is in */
    bool *in;
};

static const struct { uint64_t bits[2]; } hex_chars = {{UINT64_C(0x3ff) << '0', UINT64_C(0x3f) << ('a' - 64)}};

/* Can the dictionary answer? Not if an id, which is not in it, could match. */
static bool answerable(struct question *q, struct arena *a) {
    const struct filter *f = q->leaf;
    switch (f->op) {
    case FILTER_WORD_WILDCARD:
    case FILTER_WORD_REGEXP:
    case FILTER_WORD_FUZZY: return !automaton_may(f->automaton, hex_chars.bits, ID_MIN, a);
    case FILTER_WORD_PREFIX: q->text = f->words[0]; break;
    case FILTER_SUBSTRING: q->text = needle_of(f, a).text; break;
    default: return false;
    }
    if (q->text.n == 0 || q->text.n > SHAPE_BYTES_MAX || is_hex(q->text)) return false;
    q->shape = shape_of(q->text, arena_alloc(a, q->text.n));
    return true;
}

static uint32_t add_state(struct question *q, uint32_t *set, uint32_t n, uint32_t state) {
    if (q->in[state]) return n;
    q->in[state] = true;
    set[n] = state;
    return n + 1;
}
static void forget(struct question *q, const uint32_t *set, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) q->in[set[i]] = false;
}

/* Does the automaton accept a word of that shape? Where it has a mark, the set of states any number of digits, one at least, leads to. */
static bool shape_accepted(struct question *q, str shape) {
    const struct automaton *m = q->leaf->automaton;
    uint32_t n = 1;
    q->states[0] = automaton_start(m);
    for (size_t at = 0; at < shape.n && n; at++) {
        size_t from = at;
        while (at < shape.n && shape.p[at] != MARK) at++;
        uint32_t after = 0;
        for (uint32_t i = 0; i < n; i++) {
            uint32_t state = automaton_walk(m, q->states[i], str_sub(shape, from, at));
            if (state) after = add_state(q, q->next, after, state);
        }
        forget(q, q->next, after);
        memcpy(q->states, q->next, after * sizeof *q->states);
        n = after;
        if (at == shape.n) break;
        after = 0;
        for (uint32_t i = 0; i < n; i++)
            for (char d = '0'; d <= '9'; d++) after = add_state(q, q->next, after, automaton_walk(m, q->states[i], str_n(&d, 1)));
        for (uint32_t i = 0; i < after; i++)
            for (char d = '0'; d <= '9'; d++) after = add_state(q, q->next, after, automaton_walk(m, q->next[i], str_n(&d, 1)));
        forget(q, q->next, after);
        memcpy(q->states, q->next, after * sizeof *q->states);
        n = after;
    }
    for (uint32_t i = 0; i < n; i++)
        if (automaton_accepts(m, q->states[i])) return true;
    return false;
}

static bool entry_may(struct question *q, str entry) {
    str text = str_find_char(entry, MARK) == STR_NONE ? q->text : q->shape;
    if (q->leaf->op == FILTER_WORD_PREFIX) return str_starts(entry, text);
    if (q->leaf->op == FILTER_SUBSTRING) return memmem(entry.p, entry.n, text.p, text.n) != NULL;
    return shape_accepted(q, entry);
}

static void set_bit(uint64_t *bits, uint64_t i) {
    bits[i / 64] |= UINT64_C(1) << (i % 64);
}

const uint64_t *shapes_find(const struct part *p, const struct filter *leaf, struct arena *a) {
    struct question q = {.leaf = leaf};
    struct shape_reader x;
    if (!answerable(&q, a) || !open_shapes(p, a, &x)) return NULL;
    size_t state_n = leaf->automaton ? automaton_states(leaf->automaton) : 0;
    q.states = arena_new_n(a, uint32_t, state_n + 1);
    q.next = arena_new_n(a, uint32_t, state_n + 1);
    q.in = arena_zalloc(a, state_n + 1);
    uint64_t *bits = arena_zalloc(a, (p->block_n / 64 + 1) * sizeof *bits);
    uint64_t block = 0;
    for (uint64_t i = 0; i < x.listed; i++) {
        if (!next_block(&x, &block)) return NULL;
        set_bit(bits, block);
    }
    x.left = get_varint(&x.r);
    while (next_shape(&x)) {
        bool may = entry_may(&q, str_n(x.text, x.n));
        for (uint32_t i = 0; may && x.listed == 0 && i < p->block_n; i++) set_bit(bits, i);
        block = 0;
        for (uint64_t i = 0; i < x.listed; i++) {
            if (!next_block(&x, &block)) return NULL;
            if (may) set_bit(bits, block);
        }
    }
    return x.r.bad || x.left ? NULL : bits;
}
