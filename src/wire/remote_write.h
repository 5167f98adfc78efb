/* wire/remote_write: Prometheus remote write 1.0 (prometheus.WriteRequest) and 2.0 (io.prometheus.write.v2.Request) -> metric batch. Pure; any
 * thread; the batch owns everything. Source: the remote write specifications 1.0 and 2.0-rc.4; prompb/types.proto for native histograms.
 * A row is known by its label fields as they came (1.0) or by a hash over the symbols (2.0); labels are read by row_labels, which refuses a series
 * without a metric name, with a repeated label or with text that is not UTF-8: alone, when the store meets it. */
#pragma once
#include "wire/otlp_common.h"

enum remote_write_version { REMOTE_WRITE_1, REMOTE_WRITE_2 };
/* body: as sent, in snappy's block format; at most max_bytes after decompression (ERR_TOO_LARGE). ERR_INPUT: not snappy, not protobuf (byte offset),
 * or a symbol reference out of range. */
MUST_USE bool remote_write_decode(str body, enum remote_write_version version, size_t max_bytes, struct metric_batch **out,
                                  struct otlp_partial *partial, struct err *e);
