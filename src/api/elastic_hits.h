/* api/elastic_hits: how one event is shown as a hit: _index, _id, _source (filtered), fields, highlight, sort. Pure but for the scratch arena of each
 * call; searches show hits in the pool. */
#pragma once
#include "api/elastic_dsl.h"
#include "store/events/events.h"

struct es_names_list {
    const str *p;
    size_t n;
};
struct es_field_request { /* "fields", "docvalue_fields" */
    str pattern, format;
};
struct es_hit_options {
    bool source, version, seq_no, scored, source_set /* _source was mentioned */;
    struct es_names_list includes, excludes;
    const struct es_field_request *fields;
    size_t field_n;
    bool highlight;
    struct es_field_request *highlights; /* patterns */
    size_t highlight_n;
    bool highlight_any_field; /* require_field_match: false */
    str pre_tag, post_tag;
    const struct filter *query; /* whose words are highlighted */
    const struct fields *catalogue;
};
/* Reads _source, fields, docvalue_fields, highlight, version... of a search body (or of top_hits). */
MUST_USE bool es_hit_options_read(const struct value *body, struct arena *a, struct es_hit_options *out, struct err *e);
/* sort: the rendered sort values ("[1,2]"), or empty. */
void es_hit_put(struct json_out *o, const struct evrow *r, const struct es_hit_options *h, str sort, struct arena *scratch);

/* The document as it was pushed, or as an event of another source looks as one. */
struct value es_document(const struct evrow *r, struct arena *a);

/* --- sort values */
enum es_sort_kind { ES_SORT_TIME, ES_SORT_FIELD, ES_SORT_DOC, ES_SORT_SCORE };
struct es_sort_key {
    enum es_sort_kind kind;
    str field, format;
    bool desc, missing_first, date, hidden; /* hidden: our own tie-breaker, not shown */
};
MUST_USE bool es_sort_read(const struct value *spec, const struct fields *fields, struct arena *a, struct es_sort_key **out, size_t *n,
                           struct err *e);
/* What a row sorts by: milliseconds for dates, VAL_NULL when missing. May borrow from a. */
struct value es_sort_value(const struct es_sort_key *k, const struct evrow *r, struct arena *a);
int es_sort_compare(const struct es_sort_key *keys, size_t n, const struct value *x, const struct value *y);
/* A value of search_after, as the key's values are. */
struct value es_sort_after(const struct es_sort_key *k, const struct value *given, struct arena *a);
void es_sort_put(struct json_out *o, const struct es_sort_key *keys, size_t n, const struct value *values, bool hidden_too);
/* "time-seq" of a _doc sort value. */
bool es_doc_position(str text, int64_t *time_ns, uint64_t *seq);

/* A date as text: format epoch_millis, epoch_second or ISO (default). */
void es_put_date(struct json_out *o, int64_t ns, str format);
/* Every value of a field (arrays opened), at most max. */
size_t es_row_values(const struct evrow *r, str field, struct arena *a, struct value *out, size_t max);
/* Does a filter hold for a row? What the store does for a scan, for filters inside aggregations. */
bool es_row_matches(const struct evrow *r, const struct filter *f, const struct fields *fields, struct arena *a);
