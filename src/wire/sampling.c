#include "wire/sampling.h"

#include "base/vec.h"
#include "codec/pb.h"

enum { OPERATIONS_MAX = 2000 /* of one strategy: Jaeger's clients keep no more */ };

const struct sampling_strategies sampling_all = {.fallback = {.share = 1}};

/* One strategy as the file has it. */
struct entry {
    str name; /* of a service or an operation */
    bool typed, limited;
    double param;
    struct {
        struct sampling_operation *p;
        size_t n, cap;
    } operations;
};

static void read_type(struct json *j, struct entry *out) {
    const char *at = (json_peek(j), j->at);
    str type;
    if (!json_string(j, &type)) return;
    out->typed = true;
    out->limited = str_eq(type, STR("ratelimiting"));
    if (out->limited || str_eq(type, STR("probabilistic"))) return;
    j->at = at;
    json_fail(j, "the type \"probabilistic\" or \"ratelimiting\"");
}

/* type and param come in any order: what param means is known at the end; param_at is where it stood. */
static void check_param(struct json *j, const struct entry *s, const char *param_at) {
    if (!s->typed || j->bad) return;
    bool ok = s->limited ? s->param >= 0 && s->param <= INT32_MAX && s->param == (double)(int32_t)s->param : s->param >= 0 && s->param <= 1;
    if (ok) return;
    if (param_at) j->at = param_at;
    json_fail(j, s->limited ? "a whole number of traces per second" : "a share from 0 to 1");
}

static void read_operations(struct json *j, struct entry *service, size_t *ignored);

/* name_key: "service", "operation", or NULL for the default strategy. Only services have operations: no deeper recursion. */
static void read_entry(struct json *j, const char *name_key, bool has_operations, struct entry *out, size_t *ignored) {
    const char *start = (json_peek(j), j->at), *param_at = NULL;
    json_object(j);
    for (str key; json_next_key(j, &key);) {
        if (name_key && str_eq_c(key, name_key)) {
            json_string(j, &out->name);
        } else if (str_eq(key, STR("type"))) {
            read_type(j, out);
        } else if (str_eq(key, STR("param"))) {
            json_peek(j);
            param_at = j->at;
            json_double(j, &out->param);
        } else if (has_operations && str_eq(key, STR("operation_strategies")) && json_peek(j) != JSON_NULL) {
            read_operations(j, out, ignored);
        } else {
            json_skip(j);
        }
    }
    if (j->bad) return;
    check_param(j, out, param_at);
    if (!name_key || out->name.n || j->bad) return;
    j->at = start;
    json_fail(j, has_operations ? "an object with a \"service\"" : "an object with an \"operation\"");
}

static void read_operations(struct json *j, struct entry *service, size_t *ignored) {
    json_array(j);
    while (json_next_item(j)) {
        struct entry op = {0};
        const char *start = (json_peek(j), j->at);
        read_entry(j, "operation", false, &op, NULL);
        if (!op.typed && !j->bad) {
            j->at = start;
            json_fail(j, "an operation with a \"type\"");
        }
        if (service->operations.n == OPERATIONS_MAX) json_fail(j, "at most 2000 operations");
        if (op.limited)
            ++*ignored;
        else
            avec_push(j->arena, &service->operations, ((struct sampling_operation){op.name, op.param}));
    }
}

static bool fail_at(const struct json *j, const char *file, struct err *e) {
    unsigned line = 1, column = 1;
    for (const char *c = j->start; c < j->at; c++) {
        column = *c == '\n' ? 1 : column + 1;
        line += *c == '\n';
    }
    return err_set(e, ERR_INPUT, "%s:%u:%u: expected %s", file, line, column, j->bad);
}

/* The default's operations beneath the service's own: its are first, the default's that it does not name behind. */
static void merge_operations(struct arena *a, struct entry *own, const struct sampling_strategy *fallback) {
    size_t own_n = own->operations.n;
    for (size_t i = 0; i < fallback->operation_n; i++) {
        bool named = false;
        for (size_t k = 0; k < own_n && !named; k++) named = str_eq(own->operations.p[k].name, fallback->operations[i].name);
        if (!named) avec_push(a, &own->operations, fallback->operations[i]);
    }
}

static struct sampling_strategy strategy_of(struct arena *a, struct entry *s, const struct sampling_strategy *fallback) {
    struct sampling_strategy out = {.service = s->name};
    out.limited = s->typed ? s->limited : fallback->limited;
    out.share = s->typed && !s->limited ? s->param : fallback->share;
    out.traces_per_s = s->typed && s->limited ? (int32_t)s->param : fallback->traces_per_s;
    out.by_operation = s->operations.n > 0 || fallback->by_operation;
    /* A client with operations does not look at its rate limit, so the others get the default's share. */
    out.share_else = out.limited ? (fallback->by_operation ? fallback->share_else : fallback->share) : out.share;
    merge_operations(a, s, fallback);
    out.operations = s->operations.p;
    out.operation_n = s->operations.n;
    return out;
}

bool sampling_parse(str text, const char *file, struct arena *a, struct sampling_strategies *out, struct err *e) {
    struct entry fallback = {0};
    struct {
        struct entry *p;
        size_t n, cap;
    } services = {0};
    size_t ignored = 0;
    struct json j = json_open(text, a);
    json_object(&j);
    for (str key; json_next_key(&j, &key);) {
        if (str_eq(key, STR("default_strategy")) && json_peek(&j) != JSON_NULL) {
            fallback = (struct entry){0};
            read_entry(&j, NULL, true, &fallback, &ignored);
        } else if (str_eq(key, STR("service_strategies")) && json_peek(&j) != JSON_NULL) {
            json_array(&j);
            while (json_next_item(&j)) {
                struct entry s = {0};
                read_entry(&j, "service", true, &s, &ignored);
                avec_push(a, &services, s);
            }
        } else {
            json_skip(&j);
        }
    }
    struct err inner;
    if (!json_done(&j, &inner)) return fail_at(&j, file, e);
    struct sampling_strategies all = {.fallback = strategy_of(a, &fallback, &sampling_all.fallback), .service_n = services.n, .ignored = ignored};
    struct sampling_strategy *list = arena_new_n(a, struct sampling_strategy, services.n);
    for (size_t i = 0; i < services.n; i++) list[i] = strategy_of(a, &services.p[i], &all.fallback);
    all.services = list;
    *out = all;
    return true;
}

/* The last of a name counts, as in Jaeger's map. */
const struct sampling_strategy *sampling_find(const struct sampling_strategies *all, str service) {
    for (size_t i = all->service_n; i > 0; i--)
        if (str_eq(all->services[i - 1].service, service)) return &all->services[i - 1];
    return &all->fallback;
}

/* --- answers */

static void put_share(struct json_out *o, double share) {
    json_put_key_c(o, "probabilisticSampling");
    json_put_object(o);
    json_put_key_c(o, "samplingRate");
    json_put_double(o, share);
    json_put_object_end(o);
}

static void put_operations(struct json_out *o, const struct sampling_strategy *s) {
    json_put_key_c(o, "operationSampling");
    json_put_object(o);
    json_put_key_c(o, "defaultSamplingProbability");
    json_put_double(o, s->share_else);
    json_put_key_c(o, "defaultLowerBoundTracesPerSecond");
    json_put_double(o, 0);
    json_put_key_c(o, "perOperationStrategies");
    json_put_array(o);
    for (size_t i = 0; i < s->operation_n; i++) {
        json_put_object(o);
        json_put_key_c(o, "operation");
        json_put_string(o, s->operations[i].name);
        put_share(o, s->operations[i].share);
        json_put_object_end(o);
    }
    json_put_array_end(o);
    json_put_key_c(o, "defaultUpperBoundTracesPerSecond");
    json_put_double(o, 0);
    json_put_object_end(o);
}

void sampling_put_json(struct json_out *o, const struct sampling_strategy *s, bool numeric) {
    json_put_object(o);
    json_put_key_c(o, "strategyType");
    if (numeric)
        json_put_i64(o, s->limited);
    else
        json_put_string(o, s->limited ? STR("RATE_LIMITING") : STR("PROBABILISTIC"));
    if (s->limited) {
        json_put_key_c(o, "rateLimitingSampling");
        json_put_object(o);
        json_put_key_c(o, "maxTracesPerSecond");
        json_put_i64(o, s->traces_per_s);
        json_put_object_end(o);
    } else {
        put_share(o, s->share);
    }
    if (s->by_operation) put_operations(o, s);
    json_put_object_end(o);
}

/* SamplingStrategyResponse {1 strategyType, 2 {1 samplingRate}, 3 {1 maxTracesPerSecond}, 4 {1 default, 2 lower bound, 3 {1 operation, 2 {1 rate}}}}
 */
void sampling_put_proto(struct buf *b, const struct sampling_strategy *s) {
    pb_put_u64(b, 1, s->limited);
    size_t kind = pb_begin(b, s->limited ? 3 : 2);
    if (s->limited)
        pb_put_u64(b, 1, (uint64_t)s->traces_per_s);
    else
        pb_put_double(b, 1, s->share);
    pb_end(b, kind);
    if (!s->by_operation) return;
    size_t operations = pb_begin(b, 4);
    pb_put_double(b, 1, s->share_else);
    for (size_t i = 0; i < s->operation_n; i++) {
        size_t one = pb_begin(b, 3);
        pb_put_bytes(b, 1, s->operations[i].name);
        size_t share = pb_begin(b, 2);
        pb_put_double(b, 1, s->operations[i].share);
        pb_end(b, share);
        pb_end(b, one);
    }
    pb_end(b, operations);
}
