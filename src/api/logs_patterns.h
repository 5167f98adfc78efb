/* api/logs_patterns: log lines by shape. What changes from line to line (numbers, ids, addresses, dates) is replaced by PATTERN_HOLE, and lines that
 * are equal then are counted together, within a window and in the time before it: so new, vanished and grown kinds of lines are seen.
 *
 * The rule: a run of ASCII letters and digits that holds a digit is a hole, and so is one of eight or more letters a to f; holes joined by one or two
 * of . : - + , are one hole (10.0.0.1, 2018-03-01T10:00:00.123Z, UUIDs). Only the first line of a message counts, and of it PATTERN_BYTES_MAX.
 * Exact counts as long as there are no more than PATTERNS_MAX shapes; the lines of others are counted together.
 * One thread at a time; memory from the arena. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "codec/json.h"

enum { PATTERN_BYTES_MAX = 300, PATTERNS_MAX = 5000, PATTERN_POINTS = 30 };
#define PATTERN_HOLE "\u2039*\u203a"

/* Appends the shape of a message. */
void pattern_put(struct buf *out, str message);

struct log_patterns;
/* The window is [from_ns, to_ns); what it is compared with, [base_ns, from_ns). */
struct log_patterns *log_patterns_new(struct arena *a, int64_t base_ns, int64_t from_ns, int64_t to_ns);
void log_patterns_free(struct log_patterns *p); /* the lookup table; the rest is the arena's. NULL is fine */
struct log_line {
    str message, field /* its name */, service;
    int64_t time_ns;
    int severity; /* OTLP's number; 0: unknown */
};
void log_patterns_add(struct log_patterns *p, const struct log_line *line);
/* {"base":ms,"from":ms,"to":ms,"lines":n,"before":n,"shapes":n,"omitted":n,"patterns":[{"text":"...","field":"message","service":"","severity":n,
 * "count":n,"before":n,"first":ms,"points":[n...]}]}: most frequent first, at most 150 that were there before, 100 new (before 0) and 50 vanished
 * (count 0) ones. severity: the highest seen; service: of the first line; first: in the window; points: counts over the window. An open object is
 * left for the caller to close. */
void log_patterns_put(struct log_patterns *p, struct json_out *o);

AUTO_DEFINE(struct log_patterns, log_patterns_free);
