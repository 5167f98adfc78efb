#include "codec/words.h"

#include <unicase.h>
#include <unictype.h>
#include <unistr.h>
#include <uniwbrk.h>

/* What a code point is to the tokenizer. The first three make a word a word; W_JOIN ('_') only extends one. */
enum word_class {
    W_OTHER,
    W_LETTER,
    W_DIGIT,
    W_KATAKANA,
    W_HEBREW,
    W_JOIN,      /* ExtendNumLet */
    W_MIDLETTER, /* between letters */
    W_MIDNUMLET, /* between letters or between digits; also the single quote */
    W_MIDNUM,    /* between digits */
    W_DQ,        /* between Hebrew letters */
    W_EXTEND,    /* belongs to whatever stands before it */
    W_ZWJ,
    W_SINGLE, /* Han, Hiragana: a word of its own */
    W_SEA,    /* South-East Asian: runs are not divided */
    W_EMOJI,
    W_FLAG, /* regional indicator: two make a flag */
};

#define LETTERS(from, to) [from... to] = W_LETTER
static const uint8_t ascii_class[128] = {
    LETTERS('a', 'z'),   LETTERS('A', 'Z'),    ['0' ... '9'] = W_DIGIT, ['_'] = W_JOIN,   [':'] = W_MIDLETTER,
    ['.'] = W_MIDNUMLET, ['\''] = W_MIDNUMLET, [','] = W_MIDNUM,        [';'] = W_MIDNUM, ['"'] = W_DQ,
};
#undef LETTERS

static enum word_class other_class(ucs4_t cp) {
    const uc_script_t *script = uc_script(cp);
    if (script && (strcmp(script->name, "Han") == 0 || strcmp(script->name, "Hiragana") == 0)) return W_SINGLE;
    if (uc_is_property_extended_pictographic(cp)) return W_EMOJI;
    /* Line_Break SA (complex context) is what Lucene keeps whole: the letters of these scripts have no word-break class of their own. */
    static const char *const sea[] = {"Thai", "Lao", "Myanmar", "Khmer", "Tai_Le", "New_Tai_Lue", "Tai_Tham", "Tai_Viet", "Ahom"};
    if (!script || !uc_is_property_alphabetic(cp)) return W_OTHER;
    for (size_t i = 0; i < ARRAY_N(sea); i++)
        if (strcmp(script->name, sea[i]) == 0) return W_SEA;
    return W_OTHER;
}

static enum word_class class_of(ucs4_t cp) {
    if (cp < 128) return ascii_class[cp];
    switch (uc_wordbreak_property(cp)) {
    case WBP_ALETTER: return W_LETTER;
    case WBP_NUMERIC: return W_DIGIT;
    case WBP_KATAKANA: return W_KATAKANA;
    case WBP_HL: return W_HEBREW;
    case WBP_EXTENDNUMLET: return W_JOIN;
    case WBP_MIDLETTER: return W_MIDLETTER;
    case WBP_MIDNUMLET:
    case WBP_SQ: return W_MIDNUMLET;
    case WBP_MIDNUM: return W_MIDNUM;
    case WBP_EXTEND:
    case WBP_FORMAT: return W_EXTEND;
    case WBP_ZWJ: return W_ZWJ;
    case WBP_RI: return W_FLAG;
    default: /* an open-ended int of libunistring's, not an enum of ours */ return other_class(cp);
    }
}

static bool is_letter(enum word_class c) {
    return c == W_LETTER || c == W_HEBREW;
}
static bool makes_word(enum word_class c) {
    return c == W_LETTER || c == W_DIGIT || c == W_KATAKANA || c == W_HEBREW;
}

/* A code point and its place. n == 0: the end of the text, or of the 255 units a word may have. */
struct cursor {
    str text;
    size_t at, n;
    unsigned units; /* UTF-16 units before `at` since the word began */
    enum word_class class;
    ucs4_t cp;
};

static void cursor_read(struct cursor *c) {
    c->n = 0;
    c->class = W_OTHER;
    c->cp = 0;
    if (c->at >= c->text.n) return;
    int n = u8_mbtouc(&c->cp, (const uint8_t *)c->text.p + c->at, c->text.n - c->at);
    if (c->units + (c->cp > 0xffff ? 2 : 1) > WORD_UNITS_MAX) return;
    c->n = (size_t)n;
    c->class = class_of(c->cp);
}
static void cursor_step(struct cursor *c) {
    c->at += c->n;
    c->units += c->cp > 0xffff ? 2 : 1;
    cursor_read(c);
}
static void cursor_skip_extends(struct cursor *c) {
    while (c->class == W_EXTEND || c->class == W_ZWJ) cursor_step(c);
}

/* UAX#29 WB6, WB7, WB7b, WB11, WB12: may a word whose last class is `before` run on through `mid` to `after`? */
static bool mid_joins(enum word_class before, enum word_class mid, enum word_class after) {
    switch (mid) {
    case W_MIDLETTER: return is_letter(before) && is_letter(after);
    case W_MIDNUMLET: return (is_letter(before) && is_letter(after)) || (before == W_DIGIT && after == W_DIGIT);
    case W_MIDNUM: return before == W_DIGIT && after == W_DIGIT;
    case W_DQ: return before == W_HEBREW && after == W_HEBREW;
    case W_OTHER:
    case W_LETTER:
    case W_DIGIT:
    case W_KATAKANA:
    case W_HEBREW:
    case W_JOIN:
    case W_EXTEND:
    case W_ZWJ:
    case W_SINGLE:
    case W_SEA:
    case W_EMOJI:
    case W_FLAG: return false;
    }
    return false;
}
/* WB5, WB8..WB10, WB13: do two neighbours stick together? */
static bool touching_join(enum word_class before, enum word_class after) {
    if (before == W_JOIN) return makes_word(after) || after == W_JOIN;
    if (after == W_JOIN) return makes_word(before);
    if (before == W_KATAKANA || after == W_KATAKANA) return before == after;
    return makes_word(before) && makes_word(after);
}

/* From a letter, digit, Katakana or '_': the end of the word; 0 when it holds nothing but '_'. */
static size_t word_end(struct cursor *c) {
    bool real = false;
    enum word_class last;
    for (;;) {
        real |= makes_word(c->class);
        last = c->class;
        cursor_step(c);
        cursor_skip_extends(c);
        if (touching_join(last, c->class)) continue;
        struct cursor ahead = *c;
        if (ahead.n) cursor_step(&ahead);
        cursor_skip_extends(&ahead);
        if (mid_joins(last, c->class, ahead.class)) {
            *c = ahead;
            continue;
        }
        /* WB7a: a Hebrew letter keeps a following quote */
        if (last == W_HEBREW && c->cp == '\'' && c->n) cursor_step(c);
        return real ? c->at : 0;
    }
}
/* emoji (modifier | variation selector)* (ZWJ emoji ...)*: modifiers and selectors are W_EXTEND. */
static size_t emoji_end(struct cursor *c) {
    bool joined;
    do {
        cursor_step(c);
        joined = false;
        for (; c->class == W_EXTEND || c->class == W_ZWJ; cursor_step(c)) joined = c->class == W_ZWJ;
    } while (joined && c->class == W_EMOJI);
    return c->at;
}
static size_t run_end(struct cursor *c, enum word_class class) {
    while (c->class == class) {
        cursor_step(c);
        cursor_skip_extends(c);
    }
    return c->at;
}
/* '#' and '*' are a word only as the keycap emoji. */
static size_t keycap_end(struct cursor *c) {
    cursor_step(c);
    if (c->cp == 0xfe0f && c->n) cursor_step(c);
    if (c->cp != 0x20e3 || !c->n) return 0;
    cursor_step(c);
    return c->at;
}

/* The word that begins at byte `at`, scanned by code points: its end, or 0 when none begins here (*next: where to look on). */
static size_t scan_unicode(str text, size_t at, size_t *next) {
    struct cursor c = {.text = text, .at = at};
    cursor_read(&c);
    *next = at + MAX(c.n, 1u);
    switch (c.class) {
    case W_LETTER:
    case W_DIGIT:
    case W_KATAKANA:
    case W_HEBREW:
    case W_JOIN: {
        size_t end = word_end(&c);
        *next = c.at;
        return end;
    }
    case W_SINGLE:
        cursor_step(&c);
        cursor_skip_extends(&c);
        return c.at;
    case W_SEA: return run_end(&c, W_SEA);
    case W_EMOJI: return emoji_end(&c);
    case W_FLAG:
        cursor_step(&c);
        cursor_skip_extends(&c);
        if (c.class != W_FLAG) return 0;
        cursor_step(&c);
        cursor_skip_extends(&c);
        return c.at;
    case W_OTHER: return c.cp == '#' || c.cp == '*' ? keycap_end(&c) : 0;
    case W_MIDLETTER:
    case W_MIDNUMLET:
    case W_MIDNUM:
    case W_DQ:
    case W_EXTEND:
    case W_ZWJ: return 0;
    }
    return 0;
}

/* Byte flags of the fast path. */
enum { B_LETTER = 1, B_DIGIT = 2, B_JOIN = 4, B_UPPER = 8, B_MID_LETTER = 16, B_MID_DIGIT = 32, B_HIGH = 64, B_KEYCAP = 128 };
enum { B_WORD = B_LETTER | B_DIGIT | B_JOIN };
static const uint8_t byte_flags[256] = {
    ['a' ... 'z'] = B_LETTER,
    ['A' ... 'Z'] = B_LETTER | B_UPPER,
    ['0' ... '9'] = B_DIGIT,
    ['_'] = B_JOIN,
    [':'] = B_MID_LETTER,
    ['.'] = B_MID_LETTER | B_MID_DIGIT,
    ['\''] = B_MID_LETTER | B_MID_DIGIT,
    [','] = B_MID_DIGIT,
    [';'] = B_MID_DIGIT,
    ['#'] = B_KEYCAP,
    ['*'] = B_KEYCAP,
    [0x80 ... 0xff] = B_HIGH,
};

/* As scan_unicode while all is ASCII. false: a byte above 127 decides; *flags: all that the word holds. */
static bool scan_ascii(str text, size_t at, size_t *end, unsigned *flags) {
    const uint8_t *p = (const uint8_t *)text.p;
    size_t limit = MIN(text.n, at + WORD_UNITS_MAX);
    unsigned seen = 0;
    for (size_t i = at;;) {
        for (uint8_t f; i < limit && ((f = byte_flags[p[i]]) & B_WORD); i++) seen |= f;
        *end = i;
        *flags = seen;
        if (i == limit) return true;
        if (byte_flags[p[i]] & B_HIGH) return false;
        if (i + 1 >= limit) return true;
        uint8_t before = byte_flags[p[i - 1]], mid = byte_flags[p[i]], after = byte_flags[p[i + 1]];
        if (!(mid & (B_MID_LETTER | B_MID_DIGIT))) return true;
        if (after & B_HIGH) return false;
        bool joins = (mid & B_MID_LETTER && before & after & B_LETTER) || (mid & B_MID_DIGIT && before & after & B_DIGIT);
        if (!joins) return true;
        i++;
    }
}

struct words words_open(str text, struct arena *a) {
    return (struct words){.text = text, .arena = a};
}

static str lower_ascii(struct arena *a, str s) {
    char *p = arena_alloc(a, s.n);
    for (size_t i = 0; i < s.n; i++) p[i] = (char)(s.p[i] | (s.p[i] >= 'A' && s.p[i] <= 'Z' ? 0x20 : 0));
    return str_n(p, s.n);
}

str words_lower(struct arena *a, str s) {
    unsigned flags = 0;
    for (size_t i = 0; i < s.n; i++) flags |= byte_flags[(uint8_t)s.p[i]];
    if (!(flags & (B_HIGH | B_UPPER))) return s;
    if (!(flags & B_HIGH)) return lower_ascii(a, s);
    size_t cap = s.n * 3 + 4, n = 0; /* a lower-case form needs at most 3 bytes where the upper needs 2 */
    uint8_t *out = arena_alloc(a, cap);
    bool changed = false;
    for (size_t at = 0; at < s.n;) {
        ucs4_t cp;
        const uint8_t *from = (const uint8_t *)s.p + at;
        int used = u8_mbtouc(&cp, from, s.n - at);
        ucs4_t low = uc_tolower(cp);
        int put = low == cp ? 0 : u8_uctomb(out + n, low, (ptrdiff_t)(cap - n));
        if (put <= 0) { /* unchanged (or not UTF-8): the same bytes */
            memcpy(out + n, from, (size_t)used);
            put = used;
        } else {
            changed = true;
        }
        n += (size_t)put;
        at += (size_t)used;
    }
    return changed ? str_n(out, n) : s;
}

bool words_next(struct words *w, struct word *out) {
    const uint8_t *p = (const uint8_t *)w->text.p;
    while (w->at < w->text.n) {
        size_t at = w->at, end = 0;
        unsigned flags = byte_flags[p[at]];
        if (!(flags & (B_WORD | B_HIGH | B_KEYCAP))) {
            w->at++;
            continue;
        }
        if (flags & B_WORD && scan_ascii(w->text, at, &end, &flags)) {
            w->at = end;
            if (!(flags & (B_LETTER | B_DIGIT))) continue;
        } else {
            size_t next;
            end = scan_unicode(w->text, at, &next);
            w->at = end ? end : next;
            if (!end) continue;
            flags = B_HIGH;
        }
        str raw = str_sub(w->text, at, end);
        str text = raw;
        if (flags & B_HIGH)
            text = words_lower(w->arena, raw);
        else if (flags & B_UPPER)
            text = lower_ascii(w->arena, raw);
        *out = (struct word){.text = text, .position = w->position++, .from = at, .to = end};
        return true;
    }
    return false;
}
