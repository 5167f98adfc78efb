#include "ingest/jaeger_udp.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "net/udp.h"
#include "wire/jaeger_thrift.h"

enum { CLIENTS_MAX = 10000 };

/* What a client said last; so that only the growth of its counters is counted. */
struct client {
    int64_t seq_no;
    uint64_t dropped;
};

struct jaeger_udp {
    struct udp *udp;
    struct sink *sink;
    const char *name;
    struct jaeger_udp_stats stats;
    struct map clients; /* hash of the peer address -> struct client */
    bool warned;
};

static struct client *client_of(struct jaeger_udp *u, str peer) {
    uint64_t hash = hash_str(peer);
    size_t at = map_first(&u->clients, hash);
    if (at != MAP_END) return (struct client *)(uintptr_t)u->clients.slots[at].value; /* two peers of one 64-bit hash: not worth a key */
    if (u->clients.n == CLIENTS_MAX) return NULL;
    struct client *c = mem_alloc(sizeof *c);
    *c = (struct client){.seq_no = -1};
    map_put(&u->clients, hash, (uint64_t)(uintptr_t)c);
    return c;
}

static void note_losses(struct jaeger_udp *u, str peer, const struct jaeger_info *info) {
    if (!info->has_seq && !info->has_stats) return;
    struct client *c = client_of(u, peer);
    if (!c) return;
    if (info->has_seq && c->seq_no >= 0 && info->seq_no > c->seq_no) u->stats.missing_batches += (uint64_t)(info->seq_no - c->seq_no - 1);
    if (info->has_seq) c->seq_no = info->seq_no; /* smaller than before: the client began anew */
    if (!info->has_stats) return;
    u->stats.client_dropped += info->client_dropped > c->dropped ? info->client_dropped - c->dropped : 0;
    c->dropped = info->client_dropped;
}

static void on_packet(void *arg, str packet, str peer) {
    struct jaeger_udp *u = arg;
    struct event_batch *batch;
    struct jaeger_info info;
    struct err e;
    if (!jaeger_packet_decode(packet, clock_wall_ns(), &batch, &info, &e)) {
        u->stats.decode_errors++;
        u->sink->count_refused(u->sink, SIGNAL_TRACES, ITEMS_UNKNOWN);
        if (!u->warned) log_warn("udp", "undecodable packet door=%s peer=%" STR_F " error=\"%s\" (counted from now on)", u->name, STR_A(peer), e.msg);
        u->warned = true;
        return;
    }
    note_losses(u, peer, &info);
    u->stats.rejected_spans += info.rejected;
    u->sink->count_refused(u->sink, SIGNAL_TRACES, info.rejected);
    u->stats.spans += batch->event_n;
    if (batch->event_n)
        u->sink->push_events(u->sink, batch, NULL, NULL);
    else
        event_batch_free(batch);
}

bool jaeger_udp_open(struct loop *l, const char *name, str address, size_t rcvbuf_bytes, struct sink *sink, struct jaeger_udp **out, struct err *e) {
    struct jaeger_udp *u = mem_zalloc(sizeof *u);
    u->sink = sink;
    u->name = name;
    if (!udp_open(l, address, rcvbuf_bytes, on_packet, u, &u->udp, e)) {
        free(u);
        return false;
    }
    *out = u;
    return true;
}

void jaeger_udp_free(struct jaeger_udp *u) {
    if (!u) return;
    udp_free(u->udp);
    for (size_t i = 0; i < u->clients.cap; i++)
        if (u->clients.slots[i].value != 0) free((void *)(uintptr_t)u->clients.slots[i].value);
    map_done(&u->clients);
    free(u);
}

void jaeger_udp_stats(const struct jaeger_udp *u, struct jaeger_udp_stats *out) {
    struct udp_stats socket;
    udp_stats(u->udp, &socket);
    *out = u->stats;
    out->packets = socket.packets;
    out->bytes = socket.bytes;
    out->kernel_drops = socket.kernel_drops;
    out->rcvbuf_bytes = socket.rcvbuf_bytes;
}

str jaeger_udp_address(const struct jaeger_udp *u, struct arena *a) {
    char text[NET_ADDRESS_MAX];
    return arena_str(a, udp_address(u->udp, text));
}
