/* A stream of syslog messages, cut into frames; the pieces decoded. */
#include "wire/syslog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct syslog_clock clock = {1795348800000000000, -3600};
    struct log_batch b = log_batch_new(1024);
    str bytes = str_n(data, size), message;
    struct err e;
    for (size_t used; syslog_frame(bytes, true, &message, &used, &e); bytes = str_from(bytes, used)) {
        assert(used > 0 && used <= bytes.n && message.n <= used);
        syslog_decode(message, &clock, &b);
    }
    syslog_decode(str_n(data, size), &clock, &b);
    for (size_t i = 0; i < b.events.n; i++) assert(b.events.p[i].stream < b.streams.n && b.events.p[i].severity);
    log_batch_done(&b);
    return 0;
}
