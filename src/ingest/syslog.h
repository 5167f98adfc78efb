/* ingest/syslog: syslog as push_door protocols (wire/syslog.h): over TCP with both framings of RFC 6587, over UDP a packet each (RFC 5426). Times
 * without a zone are this machine's. */
#pragma once
#include "ingest/push_door.h"

extern const struct push_protocol syslog_tcp_protocol, syslog_udp_protocol; /* settings: NULL */
