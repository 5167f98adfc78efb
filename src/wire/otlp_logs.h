/* wire/otlp_logs: ExportLogsServiceRequest -> log batch. Pure; any thread; the batch owns all it points to.
 * Source: opentelemetry-proto logs.proto. A body that is no text is written as JSON. Without a time the observed time is taken, without that now.
 * A known severity text without a number gets its number. event_name (1.5+) is kept as the attribute event.name. */
#pragma once
#include "wire/otlp_common.h"

/* ERR_INPUT: not OTLP, with the byte offset; ERR_TOO_LARGE: too large once decoded. */
MUST_USE bool otlp_logs_decode(enum otlp_encoding enc, str body, int64_t now_ns, struct event_batch **out, struct otlp_partial *partial,
                               struct err *e);
