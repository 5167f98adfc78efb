/* api/sampling: tells Jaeger clients which share of their traces to keep, as jaeger-agent and the collector did: GET /sampling?service= (and any
 * other path) on door.jaeger-sampling, /api/sampling on door.collector, and gRPC SamplingManager/GetSamplingStrategy. Loop thread.
 *
 * The strategies come from the file traces.sampling-file (wire/sampling). It is looked at again when a client asks, at most once a second; a file
 * that became wrong is said in the log once, and what was read before still holds. */
#pragma once
#include "api/app.h"
#include "net/grpc_server.h"

struct sampling;
/* path "": no file, every trace is kept. A file that is wrong at the start is an error. */
MUST_USE bool sampling_new(str path, struct sampling **out, struct err *e);
void sampling_free(struct sampling *s); /* NULL is fine */

void sampling_grpc(void *app, struct grpc_exchange *x);
