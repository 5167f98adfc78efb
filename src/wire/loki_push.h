/* wire/loki_push: what Promtail, Grafana Alloy, Fluent Bit's out_loki and docker's Loki driver push -> log events. Pure; any thread. The body is
 * copied into the batch's arena once. Source: Grafana Loki HTTP API, "Ingest logs"; pkg/push/push.proto (PushRequest). Also the JSON of before
 * Loki 1.0 ({"labels":"{..}","entries":[..]}).
 *
 * A Loki stream is a stream; its labels are its attributes. Its service is the first of the labels Loki itself looks at (service_name, service, app,
 * ...). An entry is an event: time as given, structured metadata as attributes, the rest as log_line.h reads it. */
#pragma once
#include "model/batch.h"

enum loki_encoding { LOKI_PROTO /* in snappy's block format */, LOKI_JSON };
enum { LOKI_LABELS_MAX = 256 };

/* decoded_max: largest protobuf message after decompression (ERR_LIMIT). A request that cannot be read is refused as a whole; entries whose time is
 * out of range are left out: *rejected of them, the first reason in *why (untouched when none was). */
MUST_USE bool loki_push_decode(enum loki_encoding encoding, str body, size_t decoded_max, int64_t now_ns, struct event_batch **out, size_t *rejected,
                               struct err *why, struct err *e);
