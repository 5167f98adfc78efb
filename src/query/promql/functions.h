/* query/promql/functions: every function of the language in one table: name, argument types, flags, evaluator. Immutable; any thread. */
#pragma once
#include "query/promql/ast.h"
#include "store/metrics/tsdb.h"

struct grid;
struct drain;
struct range_call;

enum function_flags {
    FN_KEEPS_NAME = 1,   /* the metric name stays */
    FN_ANCHORED = 2,     /* takes an anchored range */
    FN_SMOOTHED = 4,     /* takes a smoothed range */
    FN_TIME_BOUND = 8,   /* depends on the evaluation time even when all arguments are pinned with @ */
    FN_COUNTS = 32,      /* meant for counters: a name that is not a counter's is worth an info */
    FN_WEIGHTED = 64,    /* counts raw samples where the data is down-sampled */
    FN_PER_SECOND = 128, /* over down-sampled data the window may be wider than asked for */
    FN_SORTS = 16,       /* orders an instant result: pointless in a range query */
};

enum { FUNCTION_ARGS_MAX = 5 };
struct function {
    str name;
    enum promql_type args[FUNCTION_ARGS_MAX]; /* ended by PT_NONE */
    int variadic;                             /* the last argument may be left out or repeated: at most that many beyond the others; -1: any number */
    enum promql_type returns;
    unsigned flags;
    enum tsdb_field field; /* over_range: of down-sampled samples */
    /* Exactly one of these, but for over_plain. */
    bool (*over_range)(struct range_call *c);              /* one window of one series -> at most one value */
    void (*over_plain)(struct range_call *c, double *out); /* beside over_range: all windows of a series of floats without start timestamps */
    double (*map)(double v, const double *args);           /* each float; histograms vanish */
    bool (*over_vector)(struct grid *g, const struct node *call, struct drain *out, struct err *e); /* returns a vector, its own way */
    bool (*scalar)(struct grid *g, const struct node *call, double *out, struct err *e);            /* one value a step */
};

/* NULL: unknown. */
const struct function *function_find(str name);
const struct function *functions_all(size_t *n); /* by name */
/* Does anything below the node depend on the evaluation time although its selectors are pinned? */
bool node_is_time_bound(const struct node *n);
/* How many arguments it takes at least. */
size_t function_arg_n(const struct function *f);
