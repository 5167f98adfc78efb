/* model/labels: the identity of a metric series: name/value pairs sorted by name (bytes), names unique, no empty values ("" is "absent").
 * The metric name is the label __name__. Borrowed. Pure; any thread. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

struct label {
    str name, value;
};
struct labels {
    const struct label *l;
    size_t n;
};
#define LABEL_METRIC_NAME STR("__name__")

str labels_get(struct labels ls, str name); /* absent: empty */
bool labels_eq(struct labels a, struct labels b);
int labels_cmp(struct labels a, struct labels b); /* Prometheus' order: pair by pair, then length */
uint64_t labels_hash(struct labels ls);           /* per-process key: never store it */
/* Sorts in place, drops empty values; duplicate names: false and e names the label. Nothing is copied. */
MUST_USE bool labels_sort(struct label *l, size_t *n, struct err *e);
struct labels labels_copy(struct arena *a, struct labels ls); /* deep */
/* {__name__="up", job="x"} without __name__ if drop: `up{job="x"}` */
void labels_put(struct buf *b, struct labels ls);
bool label_name_legacy_valid(str name); /* [a-zA-Z_][a-zA-Z0-9_]* */
bool metric_name_legacy_valid(str name);

/* A label matcher, Prometheus' semantics: an absent label has the value "". Regexes are fully anchored. */
enum match_op { MATCH_EQ, MATCH_NE, MATCH_RE, MATCH_NRE };
struct regex;
struct matcher {
    enum match_op op;
    str name, value;
    const struct regex *re; /* MATCH_RE, MATCH_NRE: compiled, borrowed */
};
enum matcher_result { MATCHER_NO, MATCHER_YES, MATCHER_LIMIT };
enum matcher_result matcher_test(const struct matcher *m, str value);
