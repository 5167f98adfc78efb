/* query/lucene/ast: what both syntaxes parse to: clauses that must, should or must not hold, and leaves on a field. In an arena; borrows from the
 * query text. */
#pragma once
#include "query/lucene/leaf.h"

enum { QUERY_DEPTH_MAX = 50, QUERY_CLAUSES_MAX = 4096, QUERY_BYTES_MAX = 256 << 10 };

enum occur { OCCUR_SHOULD, OCCUR_MUST, OCCUR_NOT };
struct clause {
    enum occur occur;
    const struct query_node *node;
};
enum node_type { NODE_BOOL, NODE_LEAF, NODE_ALL };
struct query_node {
    enum node_type type;
    struct {
        struct clause *p;
        size_t n, cap;
    } clauses;
    bool own_field; /* LEAF: field is given; else the default fields are meant */
    str field;
    struct leaf leaf;
};

struct lucene_syntax {
    bool default_and;     /* default_operator */
    uint32_t phrase_slop; /* of phrases without ~ */
};
/* Elasticsearch's query_string (Lucene's classic QueryParser with split_on_whitespace off). *out NULL: an empty query. */
MUST_USE bool lucene_parse(str query, const struct lucene_syntax *syntax, struct arena *a, const struct query_node **out, struct err *e);
/* Kibana Query Language. *out NULL: an empty query. */
MUST_USE bool kql_parse(str query, struct arena *a, const struct query_node **out, struct err *e);
/* Elasticsearch's simple_query_string. Mistakes of syntax are read as plain words; only limits fail. */
MUST_USE bool simple_query_parse(str query, const struct lucene_syntax *syntax, struct arena *a, const struct query_node **out, struct err *e);

/* "...(line 1, column 8, byte 7)": what both say about a mistake. */
bool query_refuse(struct err *e, const char *syntax, str query, size_t at, const char *what);
