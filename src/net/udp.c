#include "net/udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/listen.h"

enum {
    BATCH = 32,           /* packets per recvmmsg */
    BATCHES_PER_TURN = 8, /* before other events of the loop get theirs */
    PACKET_BYTES = 65536, /* the largest UDP payload is 65507 */
    CONTROL_BYTES = 64,   /* room for SO_RXQ_OVFL */
};

struct udp {
    int fd;
    struct watch *watch;
    void (*on_packet)(void *arg, str packet, str peer);
    void *arg;
    struct udp_stats stats;
    uint32_t drops_seen; /* the kernel's counter, 32 bits wide */
    bool *freed;         /* set while packets are handed out: udp_free was called from on_packet */
    struct mmsghdr msgs[BATCH];
    struct iovec iovs[BATCH];
    struct sockaddr_storage peers[BATCH];
    char control[BATCH][CONTROL_BYTES] __attribute__((aligned(8)));
    char *packets; /* BATCH * PACKET_BYTES */
};

static void count_drops(struct udp *u, struct msghdr *m) {
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_RXQ_OVFL) continue;
        uint32_t drops;
        memcpy(&drops, CMSG_DATA(c), sizeof drops);
        u->stats.kernel_drops += (uint32_t)(drops - u->drops_seen); /* it wraps around */
        u->drops_seen = drops;
    }
}

static int receive(struct udp *u) {
    for (size_t i = 0; i < BATCH; i++) {
        u->msgs[i].msg_hdr.msg_namelen = sizeof u->peers[i]; /* the kernel overwrites the lengths */
        u->msgs[i].msg_hdr.msg_controllen = CONTROL_BYTES;
    }
    return recvmmsg(u->fd, u->msgs, BATCH, MSG_DONTWAIT, NULL);
}

/* false: u is gone. */
static bool hand_out(struct udp *u, int n) {
    bool freed = false;
    u->freed = &freed;
    for (int i = 0; i < n && !freed; i++) {
        char peer[NET_ADDRESS_MAX];
        str packet = str_n(u->iovs[i].iov_base, u->msgs[i].msg_len);
        count_drops(u, &u->msgs[i].msg_hdr);
        u->stats.packets++;
        u->stats.bytes += packet.n;
        u->on_packet(u->arg, packet, net_format_address((struct sockaddr *)&u->peers[i], peer));
    }
    if (!freed) u->freed = NULL;
    return !freed;
}

static void on_readable(void *arg) {
    struct udp *u = arg;
    for (int turn = 0; turn < BATCHES_PER_TURN; turn++) {
        int n = receive(u); /* an error (a port unreachable of something we never sent) is not ours to act on */
        if (n <= 0 || !hand_out(u, n) || n < BATCH) return;
    }
}

static size_t set_rcvbuf(int fd, size_t want) {
    int bytes = (int)MIN(want, (size_t)1 << 30);
    socklen_t n = sizeof bytes;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, n) != 0) /* needs CAP_NET_ADMIN */
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, n);           /* at most rmem_max */
    getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, &n);
    return (size_t)bytes;
}

bool udp_open(struct loop *l, str address, size_t rcvbuf_bytes, void (*on_packet)(void *arg, str packet, str peer), void *arg, struct udp **out,
              struct err *e) {
    assert_loop_thread();
    int fd;
    if (!net_bind(address, SOCK_DGRAM, &fd, e)) return false;
    struct udp *u = mem_zalloc(sizeof *u);
    u->fd = fd;
    u->on_packet = on_packet;
    u->arg = arg;
    u->stats.rcvbuf_bytes = set_rcvbuf(fd, rcvbuf_bytes);
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on);
    u->packets = mem_alloc((size_t)BATCH * PACKET_BYTES); /* touched, and so resident, only as far as packets are long */
    for (size_t i = 0; i < BATCH; i++) {
        u->iovs[i] = (struct iovec){.iov_base = u->packets + i * PACKET_BYTES, .iov_len = PACKET_BYTES};
        u->msgs[i].msg_hdr = (struct msghdr){.msg_name = &u->peers[i], .msg_iov = &u->iovs[i], .msg_iovlen = 1, .msg_control = u->control[i]};
    }
    u->watch = watch_start(l, fd, on_readable, u);
    *out = u;
    return true;
}

void udp_free(struct udp *u) {
    if (!u) return;
    assert_loop_thread();
    if (u->freed) *u->freed = true;
    watch_free(u->watch);
    close(u->fd);
    free(u->packets);
    free(u);
}

void udp_stats(const struct udp *u, struct udp_stats *out) {
    *out = u->stats;
}

str udp_address(const struct udp *u, char out[static NET_ADDRESS_MAX]) {
    return net_local_address(u->fd, out);
}
