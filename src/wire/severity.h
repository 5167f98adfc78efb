/* wire/severity: a log level as people write it -> OpenTelemetry's severity number (1..24; TRACE 1, DEBUG 5, INFO 9, WARN 13, ERROR 17, FATAL 21).
 * Source: OpenTelemetry log data model, appendix B, and the level names of syslog, klog, bunyan/pino. Pure; any thread. */
#pragma once
#include "base/value.h"

uint8_t severity_from_text(str level);                  /* any case; 0: no known name */
uint8_t severity_from_value(const struct value *level); /* text, or a bunyan/pino number (30 is INFO) */
const char *severity_text(uint8_t number);              /* "INFO", "WARN2"...; "" for 0 */
/* Syslog's and the journal's 0 (emerg) to 7 (debug), as the same appendix maps them; a larger level leaves both as they are. */
void severity_from_syslog(uint64_t level, uint8_t *number, str *text);
