/* ingest/push_door: a port to which clients push logs in a protocol of their own, over TCP or UDP. Loop thread; large pieces are decoded in the pool.
 *
 * TCP: a connection has one batch with the store at a time. The bytes of it stay until the store has it durable; only then is it answered, and the
 * next one decoded. While the store refuses (full), the same bytes are tried again every second and nothing more is read: the client waits in its own
 * send, nothing is lost. What a closing client sent before is still stored. UDP: a packet is a batch; what the store cannot take is dropped and
 * counted, as with every other UDP port. */
#pragma once
#include "base/buf.h"
#include "loop/pool.h"
#include "model/sink.h"

/* What one call of decode took off the front of the bytes. */
struct push_take {
    size_t used;               /* 0: a whole message is not there yet */
    struct event_batch *batch; /* NULL: nothing to store */
    struct buf reply;          /* sent when the batch is durable */
    size_t rejected;           /* items that were refused, */
    bool unreadable;           /* and messages of which nobody knows how many they held; */
    struct err why;            /* of the first of either */
    bool over;                 /* close the connection behind the reply */
};
struct push_protocol {
    /* A new connection (one for all packets of a UDP door). greeting: sent at once. */
    void *(*open)(const void *settings, struct buf *greeting);
    void (*free)(void *state);
    /* Whole messages at the front of the bytes, about PUSH_ROUND_BYTES of them at most. ended: no more bytes will come. The same bytes may come again
     * (the store refused). Any thread, one at a time. false: the bytes are not of this protocol; what was taken before the damage is in *out all the
     * same. */
    bool (*decode)(void *state, str bytes, bool ended, int64_t now_ns, struct push_take *out, struct err *e);
};
enum { PUSH_ROUND_BYTES = 1 << 20 };

struct push_door_settings {
    const char *name; /* for log lines */
    str address;
    const struct push_protocol *protocol;
    const void *settings;     /* the protocol's; outlives the door */
    size_t message_bytes_max; /* TCP: larger messages close the connection */
    unsigned connections;     /* TCP */
    size_t udp_buffer_bytes;  /* UDP */
    bool udp;
};
struct push_door;
/* Errors: those of net_bind. */
MUST_USE bool push_door_open(struct loop *l, struct pool *p, struct sink *sink, const struct push_door_settings *s, struct push_door **out,
                             struct err *e);
/* Before the store closes: nothing more is decoded; what the store still has is answered. NULL is fine. */
void push_door_stop(struct push_door *d);
void push_door_free(struct push_door *d); /* after it; NULL is fine */

struct push_door_stats {
    uint64_t bytes, connections, connections_refused, events;
    uint64_t unreadable; /* messages that could not be decoded */
    uint64_t retries;    /* the store refused, and the client waited */
    uint64_t kernel_drops;
    uint64_t connections_open;
};
void push_door_stats(const struct push_door *d, struct push_door_stats *out);
str push_door_address(const struct push_door *d, struct arena *a);
