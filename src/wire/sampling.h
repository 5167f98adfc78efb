/* wire/sampling: which share of a service's traces its Jaeger client keeps: the strategies file that Jaeger's collector reads, and the two forms in
 * which clients ask for their part of it. Pure; any thread; results live in the arena and borrow from the text.
 *
 *   {"default_strategy":   {"type": "probabilistic", "param": 0.5, "operation_strategies": [{"operation": "/health", "type": ..., "param": ...}]},
 *    "service_strategies": [{"service": "shop", "type": "ratelimiting", "param": 5, "operation_strategies": [...]}]}
 *
 * probabilistic: param is a share, 0 to 1; ratelimiting: whole traces per second. A service without a type has the default strategy's; without a
 * default_strategy that is every trace. The default's operations hold for each service too, beneath its own. Clients know no rate limit for one
 * operation: such an entry is passed over and counted, as Jaeger does. Unknown keys are passed over.
 * Source: Jaeger 1.57 plugin/sampling/strategystore/static; jaeger-idl api_v2/sampling.proto. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/json.h"

struct sampling_operation {
    str name;
    double share;
};
struct sampling_strategy {
    str service;
    bool limited;         /* ratelimiting */
    double share;         /* unless limited */
    int32_t traces_per_s; /* if limited */
    bool by_operation;    /* share_else and operations hold */
    double share_else;    /* of operations not named */
    const struct sampling_operation *operations;
    size_t operation_n;
};
struct sampling_strategies {
    struct sampling_strategy fallback;
    const struct sampling_strategy *services;
    size_t service_n;
    size_t ignored; /* rate limits of operations */
};
/* What holds without a file: every trace. */
extern const struct sampling_strategies sampling_all;

/* file: its name, for errors: "sampling.json:3:15: expected a share from 0 to 1". */
MUST_USE bool sampling_parse(str text, const char *file, struct arena *a, struct sampling_strategies *out, struct err *e);
const struct sampling_strategy *sampling_find(const struct sampling_strategies *all, str service);

/* As the agent's and the collector's HTTP answered: fields of value zero are there, for clients check the types. numeric: the strategyType of old
 * clients, 0 or 1. */
void sampling_put_json(struct json_out *o, const struct sampling_strategy *s, bool numeric);
/* api_v2.SamplingStrategyResponse. */
void sampling_put_proto(struct buf *b, const struct sampling_strategy *s);
