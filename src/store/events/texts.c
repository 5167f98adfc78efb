#include "store/events/texts.h"

#include "codec/varint.h"

enum { DIGITS_ROOM = 20, TEXT_MAX = 256 << 20 };

static bool read_pattern(str text, struct arena *a, struct pattern *out) {
    for (size_t i = 0; i < text.n;) {
        struct piece piece = {0};
        char c = text.p[i];
        if (c >= MARK_DIGITS && c <= MARK_WORD) {
            piece.mark = (enum template_mark)c;
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

static bool read_words(struct reader *r, struct arena *a, size_t n, struct piece *p) {
    if (n > (size_t)(r->end - r->at)) return false;
    uint32_t *ends = arena_new_n(a, uint32_t, n + 1);
    uint64_t total = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t length = get_varint(r);
        total += length;
        if (length > TEXT_MAX || total > TEXT_MAX) return false;
        p->word_max = MAX(p->word_max, (uint32_t)length);
        ends[i] = (uint32_t)total;
    }
    p->ends = ends;
    p->items = (const uint8_t *)get_bytes(r, total).p;
    return !r->bad;
}

static bool find_values(struct reader *r, struct arena *a, size_t n, struct piece *p) {
    if (p->mark == MARK_HEX) p->items = (const uint8_t *)get_bytes(r, n * p->hex_n).p;
    if (p->mark == MARK_WORD) return read_words(r, a, n, p);
    if (p->mark == MARK_DIGITS) {
        p->base = get_varint(r);
        str width = get_bytes(r, 1);
        if (r->bad) return false;
        p->width = (uint8_t)width.p[0];
        if (p->width > 8 || (p->width & (p->width - 1))) return false;
        p->items = (const uint8_t *)get_bytes(r, n * p->width).p;
    }
    return !r->bad;
}

static bool read_patterns(struct reader *r, struct texts *t) {
    uint64_t count = get_varint(r);
    if (count > (uint64_t)(r->end - r->at)) return false;
    t->template_n = count;
    t->templates = arena_zalloc(t->arena, (count + 1) * sizeof *t->templates);
    uint64_t texts = 0;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t own = get_varint(r);
        texts += own;
        if (own > t->n || texts > t->n || !read_pattern(get_slice(r), t->arena, &t->templates[i])) return false;
        t->templates[i].texts = (uint32_t)own;
    }
    return !r->bad && texts == t->n;
}

/* Each template must have as many texts as it said. */
static bool rank_texts(struct texts *t) {
    uint32_t *rank = arena_new_n(t->arena, uint32_t, t->n + 1);
    uint32_t *used = arena_zalloc(t->arena, (t->template_n + 1) * sizeof *used);
    for (size_t i = 0; i < t->n; i++) {
        uint32_t id = texts_template(t, i);
        if (id >= t->template_n || used[id] == t->templates[id].texts) return false;
        rank[i] = used[id]++;
    }
    t->rank = rank;
    return true;
}

bool templates_open(str section, size_t n, struct arena *a, struct strings *out) {
    struct reader r = reader_open(section);
    struct texts *t = arena_one(a, struct texts);
    *t = (struct texts){.arena = a, .n = n};
    if (get_varint(&r) > TEXT_MAX || !read_patterns(&r, t)) return false;
    str width = get_bytes(&r, 1);
    if (r.bad || (width.p[0] != 1 && width.p[0] != 2 && width.p[0] != 4)) return false;
    t->width = (uint8_t)width.p[0];
    t->ids = (const uint8_t *)get_bytes(&r, n * t->width).p;
    if (r.bad || !rank_texts(t)) return false;
    for (size_t i = 0; i < t->template_n; i++)
        for (size_t k = 0; k < t->templates[i].n; k++)
            if (!find_values(&r, a, t->templates[i].texts, &t->templates[i].p[k])) return false;
    *out = (struct strings){.texts = t, .n = (uint32_t)n, .entry_n = (uint32_t)n};
    return r.at == r.end;
}

size_t piece_room(const struct piece *p, size_t k) {
    switch (p->mark) {
    case MARK_DIGITS: return DIGITS_ROOM;
    case MARK_HEX: return 2u * p->hex_n;
    case MARK_WORD: return piece_word(p, k).n;
    case MARK_TEXT:
    case MARK_ESCAPE: break;
    }
    return p->text.n;
}

static char *put_digits(char *to, uint64_t number) {
    char text[24];
    size_t n = 0;
    for (; number > 9; number /= 10) text[n++] = (char)('0' + number % 10);
    while (n) *to++ = text[--n]; /* without the leading 1 */
    return to;
}

char *piece_put(const struct piece *p, size_t k, char *to) {
    static const char digits[] = "0123456789abcdef";
    uint64_t item = 0;
    str text = p->text;
    switch (p->mark) {
    case MARK_DIGITS: memcpy(&item, p->items + k * p->width, p->width); return put_digits(to, p->base + item);
    case MARK_HEX:
        for (const uint8_t *at = p->items + k * p->hex_n, *end = at + p->hex_n; at < end; at++) {
            *to++ = digits[*at >> 4];
            *to++ = digits[*at & 15];
        }
        return to;
    case MARK_WORD: text = piece_word(p, k); break;
    case MARK_TEXT:
    case MARK_ESCAPE: break;
    }
    memcpy(to, text.p, text.n);
    return to + text.n;
}

str texts_at(const struct texts *t, size_t i, struct arena *a) {
    const struct pattern *p = &t->templates[texts_template(t, i)];
    size_t room = 0;
    for (size_t k = 0; k < p->n; k++) room += piece_room(&p->p[k], t->rank[i]);
    char *text = arena_alloc(a, room + 1);
    char *end = text;
    for (size_t k = 0; k < p->n; k++) end = piece_put(&p->p[k], t->rank[i], end);
    return str_n(text, (size_t)(end - text));
}

str texts_own(const struct texts *t, size_t i) {
    return texts_at(t, i, t->arena);
}
