/* query/promql/promql: PromQL over the metrics store. A query has two halves:
 *
 *   promql_plan   loop thread: parse, check, pin the series of every selector (one tsdb_select each, its exact time range)
 *   promql_run    any one thread, once: straight-line evaluation that checks deadline, cancel flag, sample and byte limits
 *   promql_free   loop thread
 *
 * Evaluation is column-wise: a series is decoded once and yields all steps of a range query; an instant query is the same with one step.
 * Source: Prometheus 3.14's documentation of the language and the behaviour of its engine, with delayed name removal, start timestamps,
 * native histograms and the experimental functions on. */
#pragma once
#include "loop/pool.h"
#include "query/promql/ast.h"
#include "query/promql/hist.h"
#include "store/metrics/tsdb.h"

struct promql_params {
    str query; /* copied */
    int64_t start_ms, end_ms;
    int64_t step_ms;      /* 0: an instant query at start_ms */
    int64_t lookback_ms;  /* how old a sample an instant selector may return; 0: 5 min */
    uint64_t samples_max; /* held at once; 0: no limit */
    size_t bytes_max;     /* 0: no limit */
    bool explain;         /* keep what each node cost */
    bool step_stats;      /* count samples by step */
};

/* What a node and all below it cost in this run. */
struct promql_cost {
    uint64_t series, samples; /* yielded; decoded */
    int64_t ns;
};

/* A float that is not there. Real NaNs never have these bits: they are made nowhere else. */
#define PROMQL_ABSENT_BITS UINT64_C(0x7ffbad0ab5e47000)
static inline bool promql_is_absent(double v) {
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits == PROMQL_ABSENT_BITS;
}

/* One series of a result: a value per step, a float in v or a histogram in h, or neither. */
struct promql_series {
    struct labels labels;
    double *v;
    const struct hist **h; /* NULL: floats only */
    /* its own times: PT_MATRIX result of an instant query (`up[5m]`), or few values in many steps; else NULL */
    int64_t *t_ms;
    size_t n; /* values: steps, or or as many as t_ms */
};

struct promql_result {
    enum promql_type type; /* of the expression; a range query always yields series over the steps */
    int64_t start_ms, step_ms;
    size_t step_n;
    double *scalar; /* PT_SCALAR: per step */
    str string;     /* PT_STRING */
    struct promql_series *series;
    size_t series_n;
    const str *warnings, *infos; /* "PromQL warning: ... (1:7)" */
    size_t warning_n, info_n;
    uint64_t samples, peak_samples;  /* in all windows of all steps; held at once */
    const uint64_t *step_samples;    /* the same by step, if asked for */
    const struct promql_cost *costs; /* by node id, if asked for: promql_root() is the tree */
    int64_t plan_ns, eval_ns, sort_ns;
};

struct promql_query;
/* ERR_INPUT: the expression or a parameter is wrong. */
MUST_USE bool promql_plan(struct tsdb *db, const struct promql_params *p, struct promql_query **out, struct err *e);
/* job: its deadline and cancel flag are checked; NULL: none. ERR_INPUT: the expression cannot be evaluated on this data; ERR_LIMIT: a limit. */
MUST_USE bool promql_run(struct promql_query *q, const struct job *job, struct err *e);
const struct promql_result *promql_result(const struct promql_query *q);
/* The whole message of a failed plan's or run's error (struct err may have cut it); empty if it fits. */
str promql_long_error(const struct promql_query *q);
void promql_free(struct promql_query *q);
const struct node *promql_root(const struct promql_query *q);
