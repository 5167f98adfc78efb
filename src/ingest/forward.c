#include "ingest/forward.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/mem.h"
#include "codec/msgpack.h"
#include "wire/fluent_forward.h"

struct session {
    const struct forward_settings *settings;
    struct msgpack_scan scan; /* of the message at the front, as far as it has come */
    bool trusted;
    char nonce[FORWARD_NONCE_BYTES];
};

static void *session_open(const void *settings, struct buf *greeting) {
    struct session *s = mem_zalloc(sizeof *s);
    s->settings = settings;
    s->scan.left = 1;
    s->trusted = s->settings->shared_key.n == 0;
    if (s->trusted) return s;
    if (getrandom(s->nonce, sizeof s->nonce, 0) != sizeof s->nonce) abort(); /* without chance there is no secret */
    forward_put_helo(greeting, str_n(s->nonce, sizeof s->nonce));
    return s;
}

/* A peer without the key learns why it is sent away. */
static bool shake_hands(struct session *s, str message, struct push_take *out, struct err *e) {
    char hostname[256] = "";
    if (gethostname(hostname, sizeof hostname - 1) != 0 || hostname[0] == 0) snprintf(hostname, sizeof hostname, "binnacle");
    s->trusted = forward_answer_ping(message, str_n(s->nonce, sizeof s->nonce), s->settings->shared_key, str_c(hostname), &out->reply, e);
    return s->trusted || err_wrap(e, "handshake");
}

static void note(struct push_take *out, const struct forward_message *info) {
    out->rejected += info->rejected;
    out->unreadable |= info->unreadable;
    if (out->why.code == ERR_NONE) out->why = info->why;
    if (info->chunk.n) forward_put_ack(&out->reply, info->chunk);
}

static bool take_messages(struct session *s, str bytes, int64_t now_ns, struct log_batch *batch, struct push_take *out, struct err *e) {
    while (out->used < bytes.n && out->used < PUSH_ROUND_BYTES) {
        str rest = str_from(bytes, out->used);
        struct msgpack_scan first = {.left = 1}, *scan = out->used ? &first : &s->scan;
        switch (msgpack_scan(scan, rest)) {
        case MSGPACK_MORE: return true;
        case MSGPACK_DAMAGED: return err_set(e, ERR_INPUT, "not the forward protocol: not MessagePack");
        case MSGPACK_WHOLE: break;
        }
        str message = str_sub(rest, 0, scan->at);
        struct forward_message info;
        if (!s->trusted) { /* a round of its own: what has been stored once must not be asked for its key again */
            out->used = message.n;
            return shake_hands(s, message, out, e);
        }
        if (!forward_decode(message, now_ns, s->settings->decoded_bytes_max, batch, &info, e)) return false;
        note(out, &info);
        out->used += message.n;
    }
    return true;
}

static bool session_decode(void *state, str bytes, bool ended, int64_t now_ns, struct push_take *out, struct err *e) {
    (void)ended;
    struct session *s = state;
    struct log_batch batch = log_batch_new(MIN(bytes.n * 2 + 1024, (size_t)1 << 20));
    bool ok = take_messages(s, bytes, now_ns, &batch, out, e);
    out->batch = log_batch_finish(&batch);
    if (out->used) s->scan = (struct msgpack_scan){.left = 1}; /* the next time another message is at the front, or this one again */
    return ok;
}

const struct push_protocol forward_protocol = {session_open, free, session_decode};
