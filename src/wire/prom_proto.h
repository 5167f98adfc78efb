/* wire/prom_proto: a metrics page as delimited protobuf (io.prometheus.client.MetricFamily, each behind its length as a varint) -> metric batch.
 * Pure; any thread. The only form in which native histograms can be scraped. Source: prometheus/client_model metrics.proto; Prometheus 3's reading of
 * it: which series a family becomes, in which order, le and quantile as "1.0".
 *
 * A histogram that has native buckets is a native histogram when o->native_histograms, and its classic buckets are left out unless
 * o->classic_histograms; without native_histograms only the classic ones are read. A native one that is wrong in itself (see wire/native_hist.h)
 * refuses the page: Prometheus' client libraries make none. */
#pragma once
#include "wire/prom_text.h"

/* As prom_text_parse; ERR_INPUT with the byte offset; ERR_TOO_LARGE: few bytes that unfold to too many series. */
MUST_USE bool prom_proto_parse(str page, const struct prom_text_options *o, struct metric_batch *b, struct err *e);
