/* net/grpc_message: the pure parts of gRPC over HTTP/2: length-prefixed messages, time-outs, status texts. Any thread.
 * Source: the gRPC project's PROTOCOL-HTTP2.md, compression.md and statuscodes.md.
 *
 *   message = 1 byte "compressed" (0, 1), 4 bytes length (big-endian), that many bytes; cut into DATA frames at any byte
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"

enum grpc_status {
    GRPC_OK,
    GRPC_CANCELLED,
    GRPC_UNKNOWN,
    GRPC_INVALID_ARGUMENT,
    GRPC_DEADLINE_EXCEEDED,
    GRPC_NOT_FOUND,
    GRPC_ALREADY_EXISTS,
    GRPC_PERMISSION_DENIED,
    GRPC_RESOURCE_EXHAUSTED,
    GRPC_FAILED_PRECONDITION,
    GRPC_ABORTED,
    GRPC_OUT_OF_RANGE,
    GRPC_UNIMPLEMENTED,
    GRPC_INTERNAL,
    GRPC_UNAVAILABLE,
    GRPC_DATA_LOSS,
    GRPC_UNAUTHENTICATED,
};

enum { GRPC_PREFIX_BYTES = 5 };

/* The one message of a unary request, as its bytes come in. `struct grpc_reader r = {.max_bytes = n}` is empty and valid. */
struct grpc_reader {
    size_t max_bytes; /* of the message, also once decompressed */
    struct buf message;
    size_t want; /* length the prefix tells; known when prefix_n == GRPC_PREFIX_BYTES */
    size_t prefix_n;
    uint8_t prefix[GRPC_PREFIX_BYTES];
};
/* Both: GRPC_OK, or the status to answer, with *e saying why. */
enum grpc_status grpc_reader_feed(struct grpc_reader *r, str data, struct err *e);
/* The client has sent all: r->message is the whole message, decompressed. encoding: the header grpc-encoding. */
enum grpc_status grpc_reader_finish(struct grpc_reader *r, str encoding, struct err *e);
void grpc_reader_done(struct grpc_reader *r);

void grpc_put_prefix(struct buf *b, size_t message_bytes); /* message_bytes <= UINT32_MAX */
/* The header grpc-timeout: up to 8 digits and a unit: "10S", "500m". */
MUST_USE bool grpc_timeout_parse(str text, int64_t *out_ns);
/* The trailer grpc-message: UTF-8, percent-encoded but for printable ASCII. */
void grpc_put_status_text(struct buf *b, str text);
