/* wire/prom_labels: what the formats of metrics pages share about labels. Pure; any thread. Internal to wire/prom_*. */
#pragma once
#include "wire/prom_lex.h"

/* A float as a label value: Go's shortest 'g' form with ".0" behind whole numbers: 1.0, 0.25, 1e+06, +Inf, NaN. */
str prom_float_text(struct arena *a, double v);
/* The same for text that is a number ("1" -> "1.0"); other text stays. */
str prom_float_normal(struct arena *a, str text);

/* A target's label wins over the page's, which is kept as exported_X (exported_exported_X if that is taken too). Changes names in `found`. */
void prom_resolve_conflicts(struct prom_labels *found, struct labels target);
/* Sorts them and copies the list (not the text). false: a repeated label. */
MUST_USE bool prom_labels_take(struct prom_labels *found, struct labels *out, struct err *e);
double prom_normal_nan(void); /* a NaN whose bits are not those of the staleness marker */
