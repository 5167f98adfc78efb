/* wire/journal_export: the journal export format, as systemd-journal-upload and `journalctl -o export` write it -> log events. Pure; any thread. The
 * body is copied into the batch's arena. Source: systemd, "Journal Export Formats" (systemd.io/JOURNAL_EXPORT_FORMATS): entries apart by an empty
 * line; a field is NAME=text, or NAME, a 64-bit little-endian length and that many bytes; systemd.journal-fields(7).
 *
 *   stream   host.name (_HOSTNAME), service.name (CONTAINER_NAME, SYSLOG_IDENTIFIER, _SYSTEMD_UNIT without ".service", _COMM: the first that is
 * there) event    time of __REALTIME_TIMESTAMP, severity of PRIORITY, body MESSAGE read on as log_line.h says; every other field under its own name,
 * but for the journal's own addresses (__CURSOR, __MONOTONIC_TIMESTAMP, __SEQNUM...). A field that is there several times is a list. */
#pragma once
#include "base/err.h"
#include "wire/log_batch.h"

/* ERR_INPUT: not of that format, with the byte; nothing of the body is taken then. */
MUST_USE bool journal_export_decode(str body, int64_t now_ns, struct event_batch **out, struct err *e);
