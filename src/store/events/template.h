/* store/events/template: texts as templates and variables (after CLP, Rodrigues et al., OSDI 2021; encodings and layout are our own). A run of
 * letters and digits that holds a digit is a variable, the rest is the template; so a log of a few hundred kinds of lines becomes a number per
 * line and, per variable of each kind, a narrow column. Pure; any thread.
 *
 *   section TEMPLATES (encoding 9), varints unless said otherwise:
 *     bytes of all texts together; template count, per template: texts, slice pattern
 *     u8 width (1, 2, 4), a template number of that width for each text
 *     per template, per variable in the pattern's order, over the template's texts:
 *       DIGITS  base, u8 width (0 1 2 4 8), items: the number that "1" and the digits are, minus base
 *       HEX     half as many bytes as digits, for each text
 *       WORD    lengths, then the bytes
 *   pattern: constant bytes; 0x01 DIGITS (1 to 18 decimal digits), 0x02 and u8 length HEX (lower case, even, 8 or more), 0x03 WORD; a constant byte
 *   0x01 to 0x04 is written 0x04 and the byte */
#pragma once
#include "store/events/column.h"

/* Appends the section; false, and nothing appended: the texts have no few templates, or too little would be won. */
bool templates_put(struct buf *b, const uint32_t *ends, size_t n, const char *bytes);
MUST_USE bool templates_open(str section, size_t n, struct arena *a, struct strings *out);
