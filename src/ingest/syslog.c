#include "ingest/syslog.h"

#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "wire/syslog.h"

static void *session_open(const void *settings, struct buf *greeting) {
    (void)settings, (void)greeting;
    return mem_zalloc(1); /* a session has no state */
}

static struct syslog_clock clock_here(int64_t now_ns) {
    time_t now_s = (time_t)(now_ns / NS_PER_S);
    struct tm local;
    return (struct syslog_clock){now_ns, localtime_r(&now_s, &local) ? local.tm_gmtoff : 0};
}

static bool decode_stream(void *state, str bytes, bool ended, int64_t now_ns, struct push_take *out, struct err *e) {
    (void)state;
    const struct syslog_clock clock = clock_here(now_ns);
    struct log_batch batch = log_batch_new(MIN(bytes.n * 2 + 1024, (size_t)1 << 20));
    struct err stop = {0};
    size_t used;
    for (str message; out->used < PUSH_ROUND_BYTES && syslog_frame(str_from(bytes, out->used), ended, &message, &used, &stop);) {
        syslog_decode(message, &clock, &batch);
        out->used += used;
    }
    out->batch = log_batch_finish(&batch);
    return stop.code == ERR_NONE || err_set(e, stop.code, "%s", stop.msg);
}

static bool decode_packet(void *state, str packet, bool ended, int64_t now_ns, struct push_take *out, struct err *e) {
    (void)state, (void)ended, (void)e;
    const struct syslog_clock clock = clock_here(now_ns);
    struct log_batch batch = log_batch_new(packet.n * 2 + 1024);
    syslog_decode(packet, &clock, &batch);
    out->used = packet.n;
    out->batch = log_batch_finish(&batch);
    return true;
}

const struct push_protocol syslog_tcp_protocol = {session_open, free, decode_stream};
const struct push_protocol syslog_udp_protocol = {session_open, free, decode_packet};
