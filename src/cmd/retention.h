/* cmd/retention: the rules of retention.metrics-rules: `SELECTOR=DURATION`, e.g. {job="x",pod=~"tmp-.*"}=1d; 0 keeps for ever. Any thread. */
#pragma once
#include "cmd/options.h"
#include "query/promql/ast.h"
#include "store/metrics/tsdb.h"

struct retention_rules {
    struct tsdb_keep_rule *p; /* the options' arena */
    size_t n;
    struct promql_regexes regexes;
};
/* On failure nothing needs to be freed. */
MUST_USE bool retention_rules_read(const struct options *o, struct retention_rules *out, struct err *e);
void retention_rules_done(struct retention_rules *r);
