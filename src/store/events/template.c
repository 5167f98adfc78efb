#include "store/events/template.h"

#include "base/hash.h"
#include "base/map.h"
#include "codec/varint.h"

enum mark { MARK_DIGITS = 1, MARK_HEX, MARK_WORD, MARK_ESCAPE };
enum { DIGITS_MAX = 18, HEX_MIN = 8, HEX_MAX = 254, TEXTS_MIN = 64, TEMPLATES_FREE = 64, BYTES_MAX = 256 << 20 };

/* One variable of one template: its values over the template's texts. */
struct slot {
    enum mark mark;
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
    enum mark mark;
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
static enum mark mark_of(unsigned seen, size_t n) {
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
        enum mark mark = mark_of(seen, at - start);
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

/* --- and back */

struct piece {
    enum mark mark; /* 0: constant */
    str text;
    uint8_t hex_n;
    /* where the values are, moving on with each text */
    uint64_t base;
    const uint8_t *at, *length_at, *length_end;
    uint8_t width;
};
struct pattern {
    struct piece *p;
    size_t n, cap;
    uint32_t texts, used;
};

static bool read_pattern(str text, struct arena *a, struct pattern *out) {
    for (size_t i = 0; i < text.n;) {
        struct piece piece = {0};
        char c = text.p[i];
        if (c >= MARK_DIGITS && c <= MARK_WORD) {
            piece.mark = (enum mark)c;
            i++;
            if (c == MARK_HEX) {
                if (i == text.n || (uint8_t)text.p[i] % 2) return false;
                piece.hex_n = (uint8_t)text.p[i++] / 2;
            }
        } else {
            if (c == MARK_ESCAPE && ++i == text.n) return false;
            size_t from = i++;
            while (i < text.n && (text.p[i] < MARK_DIGITS || text.p[i] > MARK_ESCAPE)) i++;
            piece.text = str_sub(text, from, i);
        }
        avec_push(a, out, piece);
    }
    return true;
}

static bool find_values(struct reader *r, struct pattern *t, struct piece *p) {
    if (p->mark == MARK_HEX) p->at = (const uint8_t *)get_bytes(r, (size_t)t->texts * p->hex_n).p;
    if (p->mark == MARK_DIGITS) {
        p->base = get_varint(r);
        str width = get_bytes(r, 1);
        if (r->bad) return false;
        p->width = (uint8_t)width.p[0];
        if (p->width > 8 || (p->width & (p->width - 1))) return false;
        p->at = (const uint8_t *)get_bytes(r, (size_t)t->texts * p->width).p;
    }
    if (p->mark == MARK_WORD) {
        uint64_t total = 0;
        p->length_at = r->at;
        for (uint32_t i = 0; i < t->texts && !r->bad; i++) {
            uint64_t n = get_varint(r);
            if (n > BYTES_MAX) return false;
            total += n;
        }
        p->length_end = r->at;
        p->at = (const uint8_t *)get_bytes(r, total).p;
    }
    return !r->bad;
}

static size_t put_digits(char *to, uint64_t number) {
    char text[24];
    size_t n = 0;
    for (; number > 9; number /= 10) text[n++] = (char)('0' + number % 10);
    for (size_t i = 0; i < n; i++) to[i] = text[n - 1 - i]; /* without the leading 1 */
    return n;
}

/* Writes one piece of the next text; room: bytes left. false: does not fit, so the section lies. */
static bool put_piece(struct piece *p, char **to, size_t room) {
    static const char digits[] = "0123456789abcdef";
    uint64_t item = 0;
    switch ((int)p->mark) {
    case MARK_DIGITS:
        memcpy(&item, p->at, p->width);
        p->at += p->width;
        if (room < 20) {
            char text[24];
            size_t n = put_digits(text, p->base + item);
            if (n > room) return false;
            memcpy(*to, text, n);
            *to += n;
            return true;
        }
        *to += put_digits(*to, p->base + item);
        return true;
    case MARK_HEX:
        if (room < 2u * p->hex_n) return false;
        for (uint8_t i = 0; i < p->hex_n; i++) {
            *(*to)++ = digits[*p->at >> 4];
            *(*to)++ = digits[*p->at++ & 15];
        }
        return true;
    case MARK_WORD: {
        struct reader r = {p->length_at, p->length_end, false};
        size_t n = get_varint(&r);
        p->length_at = r.at;
        if (n > room) return false;
        memcpy(*to, p->at, n);
        *to += n;
        p->at += n;
        return true;
    }
    }
    if (p->text.n > room) return false;
    memcpy(*to, p->text.p, p->text.n);
    *to += p->text.n;
    return true;
}

static bool read_patterns(struct reader *r, struct arena *a, size_t n, struct pattern **out, uint64_t *count) {
    *count = get_varint(r);
    if (*count > (uint64_t)(r->end - r->at)) return false;
    struct pattern *t = arena_zalloc(a, (*count + 1) * sizeof *t);
    uint64_t texts = 0;
    for (uint64_t i = 0; i < *count; i++) {
        uint64_t own = get_varint(r);
        texts += own;
        if (own > n || texts > n || !read_pattern(get_slice(r), a, &t[i])) return false;
        t[i].texts = (uint32_t)own;
    }
    *out = t;
    return !r->bad && texts == n;
}

static bool expand(struct pattern *t, uint64_t count, str ids, uint8_t width, size_t n, char *to, size_t room, uint32_t *ends) {
    char *start = to;
    char *end = to + room;
    for (size_t i = 0; i < n; i++) {
        uint32_t id = 0;
        memcpy(&id, ids.p + i * width, width);
        if (id >= count || t[id].used++ == t[id].texts) return false;
        for (size_t k = 0; k < t[id].n; k++)
            if (!put_piece(&t[id].p[k], &to, (size_t)(end - to))) return false;
        ends[i] = (uint32_t)(to - start);
    }
    return to == end;
}

bool templates_open(str section, size_t n, struct arena *a, struct strings *out) {
    struct reader r = reader_open(section);
    struct pattern *t;
    uint64_t count;
    uint64_t bytes = get_varint(&r);
    if (bytes > BYTES_MAX || !read_patterns(&r, a, n, &t, &count)) return false;
    str width = get_bytes(&r, 1);
    if (r.bad || (width.p[0] != 1 && width.p[0] != 2 && width.p[0] != 4)) return false;
    str ids = get_bytes(&r, n * (size_t)width.p[0]);
    if (r.bad) return false;
    for (uint64_t i = 0; i < count; i++)
        for (size_t k = 0; k < t[i].n; k++)
            if (!find_values(&r, &t[i], &t[i].p[k])) return false;
    if (r.at != r.end) return false;
    char *text = arena_alloc(a, bytes + 1);
    uint32_t *ends = arena_new_n(a, uint32_t, n + 1);
    if (!expand(t, count, ids, (uint8_t)width.p[0], n, text, bytes, ends)) return false;
    *out = (struct strings){.ends = ends, .bytes = text, .n = (uint32_t)n, .entry_n = (uint32_t)n};
    return true;
}
