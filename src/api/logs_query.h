/* api/logs_query: which logs a request of the page means. Two parameters, both may be absent (every log): q, Lucene as the page's search line has it
 * (plain words must all be there), and dsl, the JSON of an Elasticsearch query, for filters, KQL and substrings. Both given: both must hold. Read
 * on the loop thread, lowered in the pool. */
#pragma once
#include "api/app.h"
#include "query/lucene/lucene.h"

struct logs_query {
    str lucene, dsl; /* in the arena given to logs_query_read */
};
struct logs_query logs_query_read(const struct http_exchange *x, struct arena *a);
/* What the names in a query mean now. Loop thread; fields_done when the arena goes. */
struct fields logs_query_fields(struct app *app, struct arena *a);
/* *out NULL: every log. */
MUST_USE bool logs_query_filter(const struct logs_query *q, const struct fields *fields, struct arena *a, const struct filter **out, struct err *e);
