/* query/promql/script_internal: what the files of the script runner share. */
#pragma once
#include "query/promql/promql.h"
#include "query/promql/script.h"
#include "query/promql/series_desc.h"

/* The lines of a script; an empty line or a comment ends a block. */
struct script_lines {
    str rest;
    size_t number; /* of the line last read */
};
bool script_next_line(struct script_lines *l, str *out); /* trimmed; comments come as empty lines */
/* The next line of a block: false at its end. */
bool script_block_line(struct script_lines *l, str *out);
/* Cuts the first word off. */
str script_word(str *s);
MUST_USE bool script_duration(str s, int64_t *out_ms, struct err *e);

/* load and load_with_nhcb: the block's series into the store. */
MUST_USE bool script_load(struct tsdb *db, str step, bool with_nhcb, struct script_lines *lines, struct err *e);

enum expected_kind { EXPECT_VECTOR, EXPECT_MATRIX, EXPECT_SCALAR, EXPECT_STRING, EXPECT_RANGE_VECTOR };
struct expected_series {
    struct labels labels;
    struct desc_values values;
    bool seen;
};
enum note_rule { NOTES_ANY, NOTES_SOME, NOTES_NONE };
struct note_text {
    bool regex;
    str text;
};
struct expected_notes {
    enum note_rule rule;
    struct note_text texts[16]; /* each must match one note, each note one of them */
    size_t text_n;
};
struct expectation {
    struct arena *a;
    enum expected_kind kind;
    bool fail, ordered;
    struct note_text fail_text;
    struct expected_notes warnings, infos;
    struct expected_series *series;
    size_t series_n, series_cap;
    double scalar;
    str string;
    int64_t start_ms, step_ms; /* where series values belong; instant: all at start */
    size_t step_n;
};
/* The block below an eval line. */
MUST_USE bool expectation_parse(struct expectation *x, struct script_lines *lines, struct err *e);
/* false: `why` (in x->a) says how the result differs. at: for an instant expectation, the step of the result to look at. */
MUST_USE bool expectation_check(struct expectation *x, const struct promql_result *r, size_t at, str *why);
MUST_USE bool expectation_check_failure(struct expectation *x, str message, str *why);
MUST_USE bool expectation_check_notes(struct expectation *x, const struct promql_result *r, str *why);
