/* net/udp: a UDP receiver: large kernel buffer (SO_RCVBUFFORCE, else as much as rmem_max allows), recvmmsg, kernel drop counter (SO_RXQ_OVFL). Loop
 * thread. */
#pragma once
#include "base/err.h"
#include "base/str.h"
#include "loop/loop.h"

struct udp;
MUST_USE bool udp_open(struct loop *l, str address, size_t rcvbuf_bytes, void (*on_packet)(void *arg, str packet, str peer), void *arg,
                       struct udp **out, struct err *e);
void udp_free(struct udp *u);
struct udp_stats {
    uint64_t packets, bytes, kernel_drops;
    size_t rcvbuf_bytes; /* effective */
};
void udp_stats(const struct udp *u, struct udp_stats *out);
