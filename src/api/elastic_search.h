/* api/elastic_search: one search of a request, between the handlers (elastic_request.c, loop thread) and its run in the pool (elastic_search.c). */
#pragma once
#include "api/elastic.h"
#include "api/elastic_hits.h"

/* One search as read on the loop. */
struct es_search {
    struct value body; /* VAL_MAP or VAL_NULL */
    struct es_indices indices;
    str expression; /* of indices, as given */
    const struct http_pair *params;
    size_t param_n;
    bool scrolling;
    uint64_t seq_end;          /* only events numbered below it */
    const struct value *after; /* scroll: sort values of the last hit shown */
    str doc_id;                /* ES_ANSWER_DOC: asked for */
    struct err bad;            /* code set: the search is refused with this, instead of run */
};
enum es_answer { ES_ANSWER_SEARCH, ES_ANSWER_COUNT, ES_ANSWER_VALIDATE, ES_ANSWER_DOC, ES_ANSWER_SOURCE };

/* What all searches of a request share. */
struct es_search_context {
    struct job *job;
    const struct evdb_snapshot *snapshot;
    const struct fields *fields;
    int64_t now_ns, start_mono_ns;
    size_t buckets_max, bytes_max;
};
/* Runs in the pool. Writes the reply's object (without braces: members of an open object). */
MUST_USE bool es_search_run(const struct es_search_context *c, const struct es_search *s, enum es_answer answer, struct arena *a, struct json_out *o,
                            bool *found, struct err *e);
