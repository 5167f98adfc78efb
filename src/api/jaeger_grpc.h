/* api/jaeger_grpc: Jaeger's query service api_v3 over gRPC (door.jaeger-query-grpc; every gRPC door answers): GetServices, GetOperations, and
 * GetTrace and FindTraces, which stream one OTLP TracesData a trace; of api_v2 GetServices and GetOperations. Loop thread.
 * Source: jaeger-idl api_v3/query_service.proto, api_v2/query.proto. */
#pragma once
#include "net/grpc_server.h"

void jaeger_grpc_services(void *app, struct grpc_exchange *x); /* of both versions: their messages have the same fields */
void jaeger_grpc_operations_2(void *app, struct grpc_exchange *x);
void jaeger_grpc_operations_3(void *app, struct grpc_exchange *x);
void jaeger_grpc_trace(void *app, struct grpc_exchange *x);
void jaeger_grpc_find_traces(void *app, struct grpc_exchange *x);
