/* store/events/texts: a TEMPLATES section (template.h) opened for reading: texts by number, each made when it is asked for, and the templates and
 * slots themselves for those who can decide without the text (glance.h). Borrows from the section and the arena it was opened with. Pure; one
 * thread at a time. */
#pragma once
#include "store/events/template.h"

enum template_mark { MARK_TEXT, MARK_DIGITS, MARK_HEX, MARK_WORD, MARK_ESCAPE };

/* A constant, or a variable with its values: value k is that of the template's k-th text. */
struct piece {
    enum template_mark mark;
    str text;             /* TEXT */
    uint8_t hex_n;        /* HEX: bytes of a value */
    uint8_t width;        /* DIGITS: bytes of an item */
    uint64_t base;        /* DIGITS: added to the item */
    const uint8_t *items; /* variables */
    const uint32_t *ends; /* WORD: where the values end */
    uint32_t word_max;    /* WORD: the longest */
};
struct pattern {
    struct piece *p;
    size_t n, cap;
    uint32_t texts;
};
struct texts {
    struct arena *arena;
    struct pattern *templates;
    size_t template_n, n;
    const uint8_t *ids; /* per text, of `width` bytes: its template */
    uint8_t width;
    const uint32_t *rank; /* per text: which of its template's it is */
};

static inline uint32_t texts_template(const struct texts *t, size_t i) {
    uint32_t id = 0;
    memcpy(&id, t->ids + i * t->width, t->width);
    return id;
}
static inline str piece_word(const struct piece *p, size_t k) {
    uint32_t from = k ? p->ends[k - 1] : 0;
    return str_n((const char *)p->items + from, p->ends[k] - from);
}
/* Room for the k-th value, and the value; returns behind it. */
size_t piece_room(const struct piece *p, size_t k);
char *piece_put(const struct piece *p, size_t k, char *to);
/* The i-th text, in the arena. */
str texts_at(const struct texts *t, size_t i, struct arena *a);
