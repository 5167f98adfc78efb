/* ingest/jaeger_udp: one UDP port on which Jaeger's and Zipkin's old clients send spans (6831 compact, 6832 binary, 5775 zipkin: every port takes
 * all of it). Loop thread. A packet is a batch. Nothing is lost silently: every
 * packet is in the counters, as is what the kernel and the clients say they dropped. */
#pragma once
#include "base/err.h"
#include "loop/loop.h"
#include "model/sink.h"

struct jaeger_udp;
/* name: for log lines. Errors: those of udp_open. The sink outlives the receiver. */
MUST_USE bool jaeger_udp_open(struct loop *l, const char *name, str address, size_t rcvbuf_bytes, struct sink *sink, struct jaeger_udp **out,
                              struct err *e);
void jaeger_udp_free(struct jaeger_udp *u); /* NULL is fine */

struct jaeger_udp_stats {
    uint64_t packets, bytes;
    uint64_t spans;           /* decoded and pushed */
    uint64_t decode_errors;   /* packets that were none of ours, or damaged */
    uint64_t rejected_spans;  /* without ids, or with a time out of range */
    uint64_t kernel_drops;    /* the socket buffer was full */
    uint64_t missing_batches; /* gaps in the clients' sequence numbers */
    uint64_t client_dropped;  /* spans that clients say they could not send */
    size_t rcvbuf_bytes;
};
void jaeger_udp_stats(const struct jaeger_udp *u, struct jaeger_udp_stats *out);
str jaeger_udp_address(const struct jaeger_udp *u, struct arena *a); /* with port 0 in the address: the one the kernel chose */
