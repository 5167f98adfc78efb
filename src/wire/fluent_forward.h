/* wire/fluent_forward: what Fluentd's out_forward, Fluent Bit's forward output and docker's fluentd driver send -> log events. Pure; any thread.
 * Source: Fluentd "Forward Protocol Specification v1.5": modes Message, Forward, PackedForward, CompressedPackedForward (gzip, and zstd of Fluentd
 * 1.19); EventTime; option chunk; HELO, PING, PONG. Fluent Bit 2's [[time, metadata], record] too.
 *
 * A record becomes an event: its fields are the attributes, message, log or msg the body (read on as log_line.h says: what is JSON in it is merged),
 * the time is that of the protocol. A stream is a tag and a service, which is what the record says in service.name, kubernetes.labels (app,
 * app.kubernetes.io/name), kubernetes.container_name or container_name; else the tag. The tag is the attribute "tag". */
#pragma once
#include "wire/log_batch.h"

struct forward_message {
    str chunk;       /* "ack" of it is expected; "": not. Borrows from the message */
    size_t rejected; /* entries that are none */
    bool unreadable; /* entries that could not be read, and nobody knows how many */
    struct err why;  /* of the first of either */
};
/* One whole message (its end is found with msgpack_scan), read into the batch; nil, a heartbeat, adds nothing. decoded_max: most bytes of compressed
 * entries, unpacked. false: not a message of this protocol. */
MUST_USE bool forward_decode(str message, int64_t now_ns, size_t decoded_max, struct log_batch *out, struct forward_message *info, struct err *e);

/* {"ack": chunk} */
void forward_put_ack(struct buf *out, str chunk);

/* --- the handshake, asked for by a server with a shared key: it says HELO, the client PING, it PONG. */
enum { FORWARD_NONCE_BYTES = 16 };
void forward_put_helo(struct buf *out, str nonce);
/* Checks a PING and writes the PONG, also when it is refused (with the reason). false: not a PING, or not the key. */
MUST_USE bool forward_answer_ping(str message, str nonce, str shared_key, str hostname, struct buf *out, struct err *e);
