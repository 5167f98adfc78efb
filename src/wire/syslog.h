/* wire/syslog: one syslog message -> a log event. Pure; any thread.
 * Source: RFC 5424 (version 1, structured data, "\xEF\xBB\xBF" before UTF-8), RFC 3164 as it is really sent: with or without priority, host name or
 * tag, with RFC 3339 times (rsyslog's forward format) or a year behind the day; RFC 6587 framing: octet counting, or a line feed (or NUL) at the end.
 * A text that is neither RFC's is a message all the same (RFC 3164 4.3.3).
 *
 *   stream   host.name, service.name: the application; each that is not there is left out
 *   event    time; severity of the priority; process.pid, syslog.facility ("auth"), syslog.msg_id, syslog.structured_data (a map of maps)
 *   body     the message, read on as log_line.h says (JSON in it, also behind "@cee:", is merged) */
#pragma once
#include "wire/log_batch.h"

struct syslog_clock {
    int64_t now_ns;
    int64_t offset_s; /* seconds east of UTC of times without a zone */
};
/* The message is copied into the batch's arena. An empty one adds nothing. */
void syslog_decode(str message, const struct syslog_clock *clock, struct log_batch *out);

/* The next frame of a TCP stream: *used bytes of the front hold one message. ended: no more bytes will come. false: not whole yet (*used 0), or
 * damaged: e (its code is ERR_NONE when only more bytes are needed). */
MUST_USE bool syslog_frame(str bytes, bool ended, str *message, size_t *used, struct err *e);
