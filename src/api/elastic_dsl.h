/* api/elastic_dsl: the query DSL -> filter. Pure; any thread (searches are lowered in the pool). Refuses by name what it does not know. */
#pragma once
#include "codec/json.h"
#include "query/lucene/lucene.h"

struct es_dsl {
    struct arena *arena;
    const struct fields *fields;
    int64_t now_ns;
};
/* query: the JSON value of "query" ({"match":{...}}). NULL: everything. */
MUST_USE bool es_dsl_filter(const struct es_dsl *d, const struct value *query, const struct filter **out, struct err *e);
/* The query_string of ?q=, with its df, default_operator, lenient and analyze_wildcard. */
struct es_uri_query {
    str q, default_field;
    bool all_words, lenient, analyze_wildcard;
};
MUST_USE bool es_uri_filter(const struct es_dsl *d, const struct es_uri_query *q, const struct filter **out, struct err *e);

/* --- reading JSON values: absent or null is false. */
const struct value *es_get(const struct value *map, const char *key);
str es_text(const struct value *v, struct arena *a); /* strings as they are; numbers and booleans as written; else "" */
bool es_true(const struct value *map, const char *key, bool otherwise);
/* "5", 5, 5.0; false: absent or no integer. */
bool es_integer(const struct value *v, int64_t *out);
bool es_number(const struct value *v, double *out);
/* A field glob without the rest of a filter. */
bool es_glob(str pattern, str name);
