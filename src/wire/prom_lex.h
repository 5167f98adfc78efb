/* wire/prom_lex: the series part of an exposition line, `name{label="value",...}`: shared by the page parser (which only finds its end and checks it)
 * and by the lazy decoding of its labels. Pure; any thread. Internal to wire/prom_*.
 * Source: Prometheus' exposition formats; where Prometheus is more lenient than their text (blanks between tokens, a missing comma), so is this. */
#pragma once
#include "base/vec.h"
#include "model/labels.h"

/* A cursor with a sticky error: after one, every call returns false and `expected` and `at` say what was missing where. */
struct prom_lex {
    const char *at, *end;
    const char *expected; /* NULL: no error */
    bool openmetrics;     /* no blanks between tokens, no line breaks in strings, commas required */
};
bool prom_lex_fail(struct prom_lex *c, const char *expected);

/* Labels as they are found; names and values borrow from the text, or (with escapes) from the arena. The metric name comes as __name__. */
struct prom_labels {
    struct arena *arena;
    VEC(struct label) l; /* malloc'd: vec_done */
};
/* `name`, `name{...}` or `{"name",...}`; out NULL: only checked. Leaves the cursor behind it. */
bool prom_lex_series(struct prom_lex *c, struct prom_labels *out);
/* `{...}` of an exemplar. */
bool prom_lex_exemplar_labels(struct prom_lex *c, struct prom_labels *out);
/* A metric name, bare or quoted (metadata lines); unescaped into the arena when it must be. */
bool prom_lex_name(struct prom_lex *c, struct arena *a, str *out);
/* Undoes \\ and \n, and \" if quotes. */
str prom_unescape(struct arena *a, str s, bool quotes);

extern const uint8_t prom_class[256]; /* PROM_* bits of a byte */
enum { PROM_NAME_START = 1, PROM_NAME = 2, PROM_LABEL_START = 4, PROM_LABEL = 8, PROM_BLANK = 16 };
static inline void prom_skip_blanks(struct prom_lex *c) {
    while (c->at < c->end && (prom_class[(uint8_t)*c->at] & PROM_BLANK)) c->at++;
}
