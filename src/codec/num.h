/* codec/num: floating-point text. Pure; any thread; locale never matters. */
#pragma once
#include "base/buf.h"
#include "base/str.h"

/* Whole-slice strtod as Go's ParseFloat for exposition text: decimal, "+Inf" "-Inf" "inf" "infinity" "nan" in any case;
 * no hex floats, no '_'. Correctly rounded always; a value too large for a double is refused. */
MUST_USE bool num_parse_double(str s, double *out);
/* Shortest text that reads back equal. 'f' form for 1e-6 <= |v| < 1e21, else Go's 'e' form ("1e+21", "1e-07"); "NaN" "+Inf" "-Inf": Prometheus'
 * values. */
void num_put_double(struct buf *b, double v);
enum { NUM_DOUBLE_MAX = 32 };
/* The same into out[NUM_DOUBLE_MAX], not NUL-ended; returns the length. */
size_t num_format_double(char *out, double v);
/* The shortest significand and exponent: v == digits * 10^exp10 (finite v != 0; sign ignored). */
void num_shortest(double v, uint64_t *digits, int *exp10);
