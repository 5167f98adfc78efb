/* codec/duration: "1h30m", "15s" as Prometheus writes them (model.ParseDuration: y w d h m s ms, largest first, each once), and Go's
 * time.Duration text ("1.5s", "200us") for Jaeger. Pure; any thread. */
#pragma once
#include "base/buf.h"
#include "base/err.h"

MUST_USE bool duration_parse(str s, int64_t *out_ms, struct err *e);
MUST_USE bool duration_parse_go(str s, int64_t *out_ns, struct err *e);
void duration_put(struct buf *b, int64_t ms); /* "1h30m", "0s" */
