/* api/grpc: what binnacle answers over gRPC. Pushes are acknowledged once durable, as over HTTP.
 *
 *   OTLP    Export of traces, logs and metrics (opentelemetry-proto collector services; OTLP specification 1.x "OTLP/gRPC"): refused items are a
 *           partial success; what cannot be read INVALID_ARGUMENT; a full server RESOURCE_EXHAUSTED, a store that failed UNAVAILABLE, both with
 *           RetryInfo, without which clients would drop the data; too large once decoded RESOURCE_EXHAUSTED without it
 *   Jaeger  CollectorService/PostSpans (api_v2), as jaeger-agent sent
 *           SamplingManager/GetSamplingStrategy: api/sampling
 *           QueryService: api/jaeger_grpc
 *   health  grpc.health.v1.Health/Check, as Kubernetes' gRPC probes call it */
#pragma once
#include "api/app.h"
#include "net/grpc_server.h"

extern const struct grpc_method grpc_methods[];
