/* wire/es_bulk: JSON documents pushed to Elasticsearch's API -> log events. Pure; any thread. The batch owns everything the results point to:
 * the body is copied into its arena once.
 * Source: Elasticsearch reference, "Bulk API"; error types and texts as Elasticsearch 8 answers them.
 *
 * A document becomes a log event with source_doc set; attrs are its top-level fields (nested values kept); time, message, severity and trace
 * id are read out of them as doc_event.h says. Every _index is one stream. */
#pragma once
#include "model/batch.h"

enum es_op { ES_INDEX, ES_CREATE, ES_UPDATE, ES_DELETE };
const char *es_op_name(enum es_op op); /* "index"... the key of the reply's item */

#define ES_NO_EVENT UINT32_MAX
/* One action, in request order. A refused one has no event, and says what Elasticsearch's reply needs. */
struct es_item {
    enum es_op op;
    uint32_t event;         /* index into the batch's events; ES_NO_EVENT: refused */
    uint16_t status;        /* refused: HTTP status of the item (400, 501...) */
    const char *error_type; /* refused: "document_parsing_exception"...; static */
    str index, id;          /* id "": none given */
    str reason;             /* refused */
};

struct es_bulk_in {
    str body;         /* NDJSON, Content-Encoding undone */
    str index;        /* from the path; "": each action names its own */
    int64_t now_ns;   /* receive time */
    size_t items_max; /* more actions: ERR_TOO_LARGE. 0: 1,000,000 */
};
struct es_bulk {
    struct event_batch *batch; /* owned by the caller on success; may hold no events when every item was refused */
    struct es_item *items;     /* in the batch's arena */
    size_t item_n;
};
/* false: the request as a whole is refused and *error_type is Elasticsearch's type for it ("illegal_argument_exception": malformed action line,
 * "action_request_validation_exception": index missing, "parse_exception": empty body or no newline at the end); e->msg is the reason. */
MUST_USE bool es_bulk_decode(const struct es_bulk_in *in, struct es_bulk *out, const char **error_type, struct err *e);

/* One document (POST /{index}/_doc): a batch with one event. id may be "". ERR_INPUT: not a JSON object. */
MUST_USE bool es_doc_decode(str json, str index, str id, int64_t now_ns, struct event_batch **out, struct err *e);
