/* store/events/glance: which texts of a TEMPLATES section a leaf may hold for, decided without making them: once per template where its constants say
 * it, else by the values of its slots. Pure; one thread at a time.
 *
 * Two facts carry it. A variable is a whole run of ASCII letters and digits, so a run of a text lies in a constant or is one variable. And words end
 * at every ASCII character but letters, digits and _ . : ' , ; so the words of a text are those of the segments between such ends. */
#pragma once
#include "store/events/filter.h"
#include "store/events/texts.h"

/* A run of letters and digits that every string the leaf holds for has in some case; n == 0: none is known. */
struct needle {
    str text;         /* lower case */
    bool whole;       /* nothing of the run stands outside; else it may be longer */
    bool digits, hex; /* it is nothing else */
};
struct needle needle_of(const struct filter *leaf, struct arena *a);

/* One bit a text, both zeroed by the caller: `sure`: it holds; `maybe`: ask the text. Neither: it does not. */
void texts_glance(const struct texts *t, const struct filter *leaf, struct arena *a, uint64_t *sure, uint64_t *maybe);
