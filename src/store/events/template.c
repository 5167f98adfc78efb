#include "store/events/texts.h"

#include "base/hash.h"
#include "base/map.h"
#include "codec/varint.h"

enum { DIGITS_MAX = 18, HEX_MIN = 8, HEX_MAX = 254, TEXTS_MIN = 64, TEMPLATES_FREE = 64, BYTES_MAX = 256 << 20 };

/* One variable of one template: its values over the template's texts. */
struct slot {
    enum template_mark mark;
    VEC(int64_t) numbers;
    VEC(uint32_t) lengths;
    struct buf bytes;
};
struct template {
    str pattern; /* in the arena */
    uint32_t texts;
    VEC(struct slot) slots;
};
struct variable {
    enum template_mark mark;
    str text;
};
struct encoder {
    struct arena *arena;
    VEC(struct template) templates;
    struct map map;
    struct buf pattern;
    VEC(struct variable) variables; /* of the text being read */
    VEC(uint32_t) ids;              /* per text */
};

enum char_class { C_OTHER = 0, C_DIGIT = 1, C_HEX_LETTER = 2, C_LETTER = 4, C_MARK = 8 };
enum { C_ALNUM = C_DIGIT | C_HEX_LETTER | C_LETTER };
static const uint8_t classes[256] = {
    ['0' ... '9'] = C_DIGIT, ['a' ... 'f'] = C_HEX_LETTER, ['g' ... 'z'] = C_LETTER, ['A' ... 'Z'] = C_LETTER, [MARK_DIGITS... MARK_ESCAPE] = C_MARK,
};

/* What a run of letters and digits is, from the classes within; 0: constant. */
static enum template_mark mark_of(unsigned seen, size_t n) {
    if (!(seen & C_DIGIT)) return 0;
    if (seen == C_DIGIT && n <= DIGITS_MAX) return MARK_DIGITS;
    return !(seen & C_LETTER) && n >= HEX_MIN && n <= HEX_MAX && n % 2 == 0 ? MARK_HEX : MARK_WORD;
}

/* Text that stands in the pattern as it is, [from, to), goes there in one piece when something else comes. */
static void read_text(struct encoder *x, str text) {
    struct buf *b = &x->pattern;
    buf_clear(b);
    buf_reserve(b, text.n * 2 + 1); /* no piece is written longer than twice its length */
    x->variables.n = 0;
    size_t from = 0;
    for (size_t at = 0; at < text.n;) {
        unsigned seen = classes[(uint8_t)text.p[at]];
        size_t start = at++;
        if (seen == C_OTHER) continue;
        if (seen == C_MARK) {
            buf_add(b, str_sub(text, from, start));
            buf_char(b, MARK_ESCAPE);
            from = start;
            continue;
        }
        for (unsigned c; at < text.n && (c = classes[(uint8_t)text.p[at]]) & C_ALNUM; at++) seen |= c;
        enum template_mark mark = mark_of(seen, at - start);
        if (!mark) continue;
        buf_add(b, str_sub(text, from, start));
        from = at;
        buf_char(b, (char)mark);
        if (mark == MARK_HEX) buf_char(b, (char)(at - start));
        vec_push(&x->variables, ((struct variable){mark, str_sub(text, start, at)}));
    }
    buf_add(b, str_sub(text, from, text.n));
}

static uint32_t find_template(struct encoder *x) {
    str pattern = buf_str(&x->pattern);
    uint64_t h = hash_str(pattern);
    for (size_t at = map_first(&x->map, h); at != MAP_END; at = map_next(&x->map, at, h))
        if (str_eq(x->templates.p[x->map.slots[at].value - 1].pattern, pattern)) return (uint32_t)x->map.slots[at].value - 1;
    struct template *t = vec_add(&x->templates);
    t->pattern = arena_str(x->arena, pattern);
    for (size_t i = 0; i < x->variables.n; i++) vec_push(&t->slots, ((struct slot){.mark = x->variables.p[i].mark}));
    map_put(&x->map, h, x->templates.n);
    return (uint32_t)x->templates.n - 1;
}

static uint8_t nibble(char c) {
    return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static void add_variable(struct slot *s, const struct variable *v) {
    assert(s->mark == v->mark);
    if (v->mark == MARK_DIGITS) {
        int64_t number = 1;
        for (size_t i = 0; i < v->text.n; i++) number = number * 10 + (v->text.p[i] - '0');
        vec_push(&s->numbers, number);
    } else if (v->mark == MARK_HEX) {
        for (size_t i = 0; i < v->text.n; i += 2) buf_char(&s->bytes, (char)(nibble(v->text.p[i]) << 4 | nibble(v->text.p[i + 1])));
    } else {
        vec_push(&s->lengths, (uint32_t)v->text.n);
        buf_add(&s->bytes, v->text);
    }
}

static bool read_texts(struct encoder *x, const uint32_t *ends, size_t n, const char *bytes) {
    uint32_t from = 0;
    for (size_t i = 0; i < n; from = ends[i++]) {
        read_text(x, str_n(bytes + from, ends[i] - from));
        uint32_t id = find_template(x);
        if (x->templates.n > TEMPLATES_FREE + i / 4) return false;
        struct template *t = &x->templates.p[id];
        for (size_t k = 0; k < x->variables.n; k++) add_variable(&t->slots.p[k], &x->variables.p[k]);
        t->texts++;
        vec_push(&x->ids, id);
    }
    return true;
}

static uint8_t width_of(uint64_t range) {
    if (range == 0) return 0;
    if (range <= UINT8_MAX) return 1;
    if (range <= UINT16_MAX) return 2;
    return range <= UINT32_MAX ? 4 : 8;
}

static void put_fixed(struct buf *b, uint64_t v, uint8_t width) {
    buf_put(b, &v, width);
}

static void put_numbers(struct buf *b, const struct slot *s) {
    int64_t lo = INT64_MAX;
    int64_t hi = 0;
    for (size_t i = 0; i < s->numbers.n; i++) {
        lo = MIN(lo, s->numbers.p[i]);
        hi = MAX(hi, s->numbers.p[i]);
    }
    uint8_t width = width_of((uint64_t)(hi - lo));
    put_varint(b, (uint64_t)lo);
    buf_char(b, (char)width);
    for (size_t i = 0; i < s->numbers.n; i++) put_fixed(b, (uint64_t)(s->numbers.p[i] - lo), width);
}

static void put_section(const struct encoder *x, size_t n, size_t bytes, struct buf *b) {
    put_varint(b, bytes);
    put_varint(b, x->templates.n);
    for (size_t i = 0; i < x->templates.n; i++) {
        put_varint(b, x->templates.p[i].texts);
        put_slice(b, x->templates.p[i].pattern);
    }
    uint8_t width = MAX(width_of(x->templates.n), (uint8_t)1);
    buf_char(b, (char)width);
    for (size_t i = 0; i < n; i++) put_fixed(b, x->ids.p[i], width);
    for (size_t i = 0; i < x->templates.n; i++)
        for (size_t k = 0; k < x->templates.p[i].slots.n; k++) {
            const struct slot *s = &x->templates.p[i].slots.p[k];
            if (s->mark == MARK_DIGITS) put_numbers(b, s);
            for (size_t j = 0; j < s->lengths.n; j++) put_varint(b, s->lengths.p[j]);
            buf_add(b, buf_str(&s->bytes));
        }
}

static void encoder_done(struct encoder *x) {
    for (size_t i = 0; i < x->templates.n; i++) {
        struct template *t = &x->templates.p[i];
        for (size_t k = 0; k < t->slots.n; k++) {
            vec_done(&t->slots.p[k].numbers);
            vec_done(&t->slots.p[k].lengths);
            buf_done(&t->slots.p[k].bytes);
        }
        vec_done(&t->slots);
    }
    vec_done(&x->templates);
    vec_done(&x->variables);
    vec_done(&x->ids);
    map_done(&x->map);
    buf_done(&x->pattern);
    arena_free(x->arena);
}

bool templates_put(struct buf *b, const uint32_t *ends, size_t n, const char *bytes) {
    size_t total = n ? ends[n - 1] : 0;
    if (n < TEXTS_MIN || total > BYTES_MAX) return false;
    struct encoder x = {.arena = arena_new(4096)};
    size_t before = b->n;
    bool won = read_texts(&x, ends, n, bytes);
    if (won) {
        put_section(&x, n, total, b);
        won = (b->n - before) * 5 < total * 4;
    }
    if (!won) b->n = before;
    encoder_done(&x);
    return won;
}
