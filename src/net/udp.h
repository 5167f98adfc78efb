/* net/udp: a UDP receiver: large kernel buffer (SO_RCVBUFFORCE, else as much as rmem_max allows), recvmmsg, kernel drop counter (SO_RXQ_OVFL). Loop
 * thread. */
#pragma once
#include "base/err.h"
#include "base/str.h"
#include "loop/loop.h"
#include "net/listen.h"

struct udp;
/* address as in net/listen. on_packet: packet and peer are borrowed for the call; it may call udp_free. Errors: those of net_bind. */
MUST_USE bool udp_open(struct loop *l, str address, size_t rcvbuf_bytes, void (*on_packet)(void *arg, str packet, str peer), void *arg,
                       struct udp **out, struct err *e);
void udp_free(struct udp *u);
struct udp_stats {
    uint64_t packets, bytes;
    uint64_t kernel_drops; /* learnt from the next packet that gets through */
    size_t rcvbuf_bytes;   /* effective, as the kernel counts it: twice what was asked for */
};
void udp_stats(const struct udp *u, struct udp_stats *out);
/* "127.0.0.1:6831": with port 0 the one the kernel chose. */
str udp_address(const struct udp *u, char out[static NET_ADDRESS_MAX]);
