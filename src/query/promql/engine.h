/* query/promql/engine: what the evaluator's files share. Private to query/promql. One thread at a time.
 *
 * A node that yields vectors pushes its series, one after the other, into a drain: an aggregation adds each to its groups and forgets it, a function
 * changes it in place and passes it on, a matrix collects. So a query holds only what must be held. */
#pragma once
#include <math.h>

#include "base/map.h"
#include "base/vec.h"
#include "query/promql/functions.h"
#include "query/promql/promql.h"

/* --- one query */

struct note_list {
    str *p;
    size_t n, cap;
};

struct run {
    str query;
    struct promql_ast ast;
    struct arena *a;                  /* lives as long as the result */
    struct arena *scratch;            /* one decoded series; reset for each */
    struct arena *window;             /* one window's temporary memory */
    struct tsdb_selection **selected; /* by selector slot; NULL: not selected */
    const struct job *job;
    int64_t start_ms, end_ms, step_ms; /* of the whole query; step 0: instant */
    int64_t lookback_ms;
    uint64_t samples_max, samples_held, samples_peak;
    uint64_t samples_read;     /* decoded */
    uint64_t samples_used;     /* those in all windows of all steps: a sample counts once for each window it is in */
    uint64_t *step_used;       /* the same by step; NULL: not wanted */
    struct promql_cost *costs; /* by node id; NULL: not wanted */
    size_t bytes_max;          /* 0: none; a worker's share */
    size_t bytes_limit;        /* of the whole query: for the message */
    struct note_list warnings, infos;
    const void *last_note; /* repeats are dropped cheaply */
    str long_error;
    unsigned ticks;
    size_t step_n;
    struct workers *workers; /* leaf.c's; NULL: not needed yet */
};

/* n samples were looked at for a step of the query's grid. */
static inline void count_used(struct run *r, size_t step, size_t n) {
    r->samples_used += n;
    if (r->step_used) r->step_used[step] += n;
}
/* Now and then: deadline, cancel, bytes. Cheap. */
MUST_USE bool run_check(struct run *r, struct err *e);
/* Before allocating much: is there room for it? */
MUST_USE bool run_room(struct run *r, size_t items, size_t item_bytes, struct err *e);
/* May n more samples be held? */
MUST_USE bool run_holds(struct run *r, size_t n, struct err *e);
size_t run_bytes(const struct run *r); /* used so far */
/* Fails with the whole text kept for promql_long_error. */
bool run_fail(struct run *r, struct err *e, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* --- annotations; pos is the node whose position is shown */

enum note {
    NOTE_MIXED_FLOATS_HISTOGRAMS,
    NOTE_MIXED_CLASSIC_NATIVE,
    NOTE_MIXED_EXPONENTIAL_CUSTOM,
    NOTE_NOT_COUNTER,
    NOTE_NOT_GAUGE,
    NOTE_IGNORED_IN_RANGE,
    NOTE_NAN_RESULT,
    NOTE_NAN_SKEW,
    NOTE_NAN_FRACTION,
    NOTE_MAYBE_NO_COUNTER,
};
void note_named(struct run *r, enum note kind, uint32_t at, str metric_name);
void note_warning(struct run *r, uint32_t at, const char *fmt, ...) PRINTF_LIKE(3, 4);
void note_info(struct run *r, uint32_t at, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* After an addition or subtraction: op is "addition", "subtraction" or "aggregation". */
void note_hist(struct run *r, uint32_t at, const struct hist_notes *n, const char *op);
bool note_quantile(struct run *r, uint32_t at, double q); /* warns unless 0 <= q <= 1 */

void notes_move(struct run *to, struct run *from);

/* --- vectors over steps */

/* The evaluation times: start, start + step, ... */
struct grid {
    struct run *r;
    int64_t start_ms, step_ms;
    size_t n;
};
static inline int64_t grid_time(const struct grid *g, size_t i) {
    return g->start_ms + (int64_t)i * g->step_ms;
}

struct series {
    struct labels labels;
    bool drop_name;        /* the name goes when the query is done */
    double *v;             /* a value per step, PROMQL_ABSENT where there is none */
    const struct hist **h; /* NULL: no histograms; else per step, NULL where there is none */
};
struct matrix {
    struct series *p;
    size_t n, cap;
};

/* Takes one series. It may keep in->v (and in->h) by setting them to NULL; else they are the producer's again. */
struct drain {
    bool (*take)(struct drain *s, struct series *in, struct err *e);
};

/* Stands between a node and the drain it pushes into while the query is explained (r->costs set). */
struct probe {
    struct drain drain;
    struct run *run;
    struct promql_cost *cost;
    struct drain *out; /* NULL: the node yields no series */
    int64_t begin_ns, above_ns;
    uint64_t begin_samples;
};
struct drain *probe_begin(struct probe *p, struct run *r, const struct node *n, struct drain *out);
void probe_end(struct probe *p);

static inline double absent(void) {
    double v;
    uint64_t bits = PROMQL_ABSENT_BITS;
    memcpy(&v, &bits, sizeof v);
    return v;
}
static inline const struct hist *hist_at(const struct series *s, size_t i) {
    return s->h ? s->h[i] : NULL;
}
static inline bool has_float(const struct series *s, size_t i) {
    return !promql_is_absent(s->v[i]);
}
static inline bool has_value(const struct series *s, size_t i) {
    return has_float(s, i) || hist_at(s, i);
}
double *column_new(struct run *r, size_t n); /* all absent */
const struct hist **hist_column_new(struct run *r, size_t n);
/* Contents undefined; NULL: no room, e. */
double *column_room(struct run *r, size_t n, struct err *e);
/* The column for histograms of a series, made when first needed. */
const struct hist **hist_column(struct run *r, struct series *s, size_t n);
bool series_is_empty(const struct series *s, size_t n);

MUST_USE bool eval_vector(struct grid *g, const struct node *n, struct drain *out, struct err *e);
MUST_USE bool eval_scalar(struct grid *g, const struct node *n, double *out, struct err *e); /* out: g->n values */
MUST_USE bool eval_matrix(struct grid *g, const struct node *n, struct matrix *out, struct err *e);
MUST_USE bool eval_string(const struct node *n, str *out);
void matrix_push(struct run *r, struct matrix *m, struct series *s);
MUST_USE bool matrix_emit(struct matrix *m, struct drain *out, struct err *e);
/* Joins series with equal labels whose values do not overlap; overlapping: "vector cannot contain metrics with the same labelset". */
MUST_USE bool matrix_merge(struct grid *g, struct matrix *m, struct err *e);
void matrix_sort(struct matrix *m);
/* Does the value stay the same at all evaluation times? */
bool node_is_pinned(const struct node *n);

/* --- series made one by one */

struct leaf {
    size_t n;                         /* series at most */
    const struct tsdb_selection *sel; /* what they are read from; NULL: memory */
    size_t state_bytes;
    /* One state for each thread, zeroed; g is the thread's. */
    void (*open)(const struct leaf *l, void *state, struct grid *g);
    /* Makes series i in out->v, a column of anything, which it leaves there; *some: it has values. Uses g->r's memory only. */
    bool (*make)(void *state, size_t i, struct series *out, bool *some, struct err *e);
};
MUST_USE bool eval_leaf(struct grid *g, const struct leaf *l, struct drain *out, struct err *e);
void workers_done(struct workers *w);
size_t workers_bytes(const struct workers *w);

/* --- range vectors */

/* The samples of one series, decoded; stale markers are gone. */
struct rseries {
    struct labels labels;
    bool drop_name;
    size_t n;
    const int64_t *t;
    const double *v;
    const struct hist *const *h; /* NULL: floats only; else NULL marks a float */
    const int64_t *st;           /* NULL: no start timestamps */
    const double *weight;        /* how many raw samples each stands for; NULL: one */
};
/* Where a range vector comes from: a selector's series or a subquery's. */
struct range_src {
    struct grid *g;
    const struct node *node; /* NODE_MATRIX or NODE_SUBQUERY */
    int64_t range_ms;
    /* window of step i: (at(i) - range, at(i)], at(i) = grid_time - offset or a fixed time */
    int64_t offset_ms, fixed_ms;
    bool fixed;
    const struct tsdb_selection *sel;
    bool coarse;           /* some samples of sel are down-sampled: */
    enum tsdb_field field; /* which of their values is read */
    bool weighted;         /* and how many samples each stands for */
    struct matrix inner;
    struct grid inner_grid;
    size_t next;
    int64_t from_ms, to_ms; /* what has to be read */
};
MUST_USE bool range_open(struct grid *g, const struct node *n, struct range_src *out, struct err *e);
size_t range_n(const struct range_src *s); /* series at most */
/* Series i, in r's scratch memory; out->n 0: it has no samples. */
MUST_USE bool range_read(const struct range_src *s, struct run *r, size_t i, struct rseries *out, struct err *e);
/* One after the other. false with *done: no more series; false without: e. */
MUST_USE bool range_next(struct range_src *s, struct rseries *out, bool *done, struct err *e);
static inline int64_t range_end(const struct range_src *s, size_t step) {
    return s->fixed ? s->fixed_ms : grid_time(s->g, step) - s->offset_ms;
}

/* How far rate() stretches a window: depends on its timestamps alone. */
struct stretch {
    bool known;
    double to_start, to_end, sampled, factor, range_s;
};
/* The windows of all steps over one clock, worked out once for all series that tick alike: those of a target, often all of a query. */
struct window {
    uint32_t lo, hi; /* samples [lo, hi) */
    struct stretch stretch;
};
struct windows {
    int64_t *t;
    size_t n, cap; /* the clock */
    struct window *p;
    uint64_t samples; /* in all windows */
};

/* One window of one series, for a function over ranges. Returns true with out or out_h set if there is a value; sets failed on an error. */
struct range_call {
    struct grid *g;
    struct run *r;
    const struct node *call;
    const struct node *arg; /* the range vector argument */
    const struct rseries *s;
    size_t lo, hi; /* samples [lo, hi) are in the window */
    size_t step;
    int64_t t_ms;           /* evaluation time */
    int64_t from_ms, to_ms; /* the window (from, to] */
    const struct range_src *src;
    int64_t range_ms;
    double range_s;
    const double *args[FUNCTION_ARGS_MAX]; /* scalar arguments, per step */
    bool plain;                            /* floats without start timestamps */
    bool rising;                           /* plain, and no value of the series is below the one before */
    bool anchored, smoothed;
    struct windows windows;
    double out;
    const struct hist *out_h;
    bool failed;
    struct err *e;
};
/* How wide the window that ends at a time is: as asked for, but for rates over down-sampled data. */
int64_t window_range(const struct range_call *c, int64_t to_ms);
static inline double range_arg(const struct range_call *c, size_t i) {
    return c->args[i][c->step];
}
static inline const struct hist *sample_hist(const struct rseries *s, size_t i) {
    return s->h ? s->h[i] : NULL;
}
static inline str metric_name(struct labels ls) {
    return labels_get(ls, LABEL_METRIC_NAME);
}
/* How many floats and histograms a window holds. */
void count_window(const struct range_call *c, size_t *floats, size_t *hists);
/* The floats of a window, in order: borrowed, or gathered in the window arena when histograms are between. */
const double *window_floats(const struct range_call *c, size_t *n);
bool eval_range_function(struct grid *g, const struct node *call, struct drain *out, struct err *e);

/* --- down-sampled data */

/* How far back to look for a sample at a time where there are only down-sampled ones; 0: there are raw ones. */
int64_t coarse_reach(const struct tsdb_selection *sel, int64_t t_ms);
int64_t coarse_reach_max(const struct tsdb_selection *sel);
void note_coarse(struct run *r, uint32_t at, const struct tsdb_selection *sel);

/* --- the rest of the evaluator */

enum pick { PICK_VALUE, PICK_TIME, PICK_START };
bool eval_selector(struct grid *g, const struct node *n, struct drain *out, enum pick what, struct err *e);
bool eval_aggregate(struct grid *g, const struct node *n, struct drain *out, struct err *e);
bool eval_whole_aggregate(struct grid *g, const struct node *n, struct drain *out, struct err *e);
bool eval_count_values(struct grid *g, const struct node *n, struct drain *out, struct err *e);
/* count_values as the whole of a range query, if it is a plain one. */
bool is_plain_count_values(const struct node *n);
bool run_count_values(struct grid *g, const struct node *n, struct promql_result *out, struct err *e);
bool eval_binary(struct grid *g, const struct node *n, struct drain *out, struct err *e);
bool eval_binary_scalar(struct grid *g, const struct node *n, double *out, struct err *e);
bool eval_info(struct grid *g, const struct node *call, struct drain *out, struct err *e);
bool eval_absent_over_time(struct grid *g, const struct node *call, struct drain *out, struct err *e);
/* The reference times of a selector or subquery that is evaluated from start to end. */
MUST_USE bool promql_shifted(struct run *r, const struct shift *s, int64_t *start_ms, int64_t *end_ms, struct err *e);
/* The grid of a subquery's inner expression: aligned to absolute multiples of its step. */
MUST_USE bool promql_inner_grid(struct run *r, const struct node *n, int64_t start_ms, int64_t end_ms, struct grid *out, struct err *e);
/* info()'s matchers: for the select, and those on the name alone (what they match is itself an info series). */
struct info_matchers {
    const struct matcher *all, *names;
    size_t all_n, names_n;
};
MUST_USE bool info_matchers(struct run *r, struct promql_regexes *regexes, const struct node *call, struct info_matchers *out, struct err *e);
/* The times at which info()'s first argument, evaluated from start to end, looks at its samples. */
MUST_USE bool info_reference(struct run *r, const struct node *n, int64_t *start_ms, int64_t *end_ms, struct err *e);
/* Milliseconds of a duration expression. */
MUST_USE bool eval_duration(struct run *r, const struct node *n, int64_t *out_ms, struct err *e);
/* absent(selector): the labels its equality matchers name. */
struct labels labels_for_absent(struct run *r, struct node *arg);
double op_apply(enum op op, double a, double b);
double quantile_of(double q, double *sorted_by_this, size_t n); /* sorts v */

/* Label sets of the query's arena. */
struct labels labels_without_name(struct run *r, struct labels ls); /* without __name__, __type__, __unit__ */
struct labels labels_shallow(struct arena *a, struct labels ls);    /* the array alone */
struct labels labels_keep(struct arena *a, struct labels ls, struct names keep);
struct labels labels_drop(struct arena *a, struct labels ls, struct names drop, bool and_name);
struct labels labels_set(struct run *r, struct labels ls, str name, str value); /* value empty: removes it */
uint64_t labels_stable_hash(struct labels ls);

/* Groups label sets: finds or adds the index of a label set. */
struct label_index {
    struct map map;
    struct labels *p;
    size_t n, cap;
};
size_t label_index_put(struct run *r, struct label_index *x, struct labels ls, bool *added);
void label_index_done(struct label_index *x);

/* Which series belong to which group: group k has members[from[k]] .. members[from[k + 1] - 1], in input order. */
struct membership {
    size_t *members, *from;
};
struct membership membership_of(struct run *r, const size_t *group_of, size_t series_n, size_t group_n);

/* Called by the table in functions.c. */
#define RANGE_FUNCTION(name) bool name(struct range_call *c)
RANGE_FUNCTION(fn_rate);
RANGE_FUNCTION(fn_increase);
RANGE_FUNCTION(fn_delta);
RANGE_FUNCTION(fn_irate);
RANGE_FUNCTION(fn_idelta);
RANGE_FUNCTION(fn_changes);
RANGE_FUNCTION(fn_resets);
RANGE_FUNCTION(fn_deriv);
RANGE_FUNCTION(fn_predict_linear);
RANGE_FUNCTION(fn_double_exponential_smoothing);
RANGE_FUNCTION(fn_avg_over_time);
RANGE_FUNCTION(fn_sum_over_time);
RANGE_FUNCTION(fn_count_over_time);
RANGE_FUNCTION(fn_present_over_time);
RANGE_FUNCTION(fn_first_over_time);
RANGE_FUNCTION(fn_last_over_time);
RANGE_FUNCTION(fn_min_over_time);
RANGE_FUNCTION(fn_max_over_time);
RANGE_FUNCTION(fn_quantile_over_time);
RANGE_FUNCTION(fn_stddev_over_time);
RANGE_FUNCTION(fn_stdvar_over_time);
RANGE_FUNCTION(fn_mad_over_time);
RANGE_FUNCTION(fn_ts_of_first_over_time);
RANGE_FUNCTION(fn_ts_of_last_over_time);
RANGE_FUNCTION(fn_ts_of_min_over_time);
RANGE_FUNCTION(fn_ts_of_max_over_time);
void plain_rate(struct range_call *c, double *out);
void plain_increase(struct range_call *c, double *out);
void plain_delta(struct range_call *c, double *out);
#define VECTOR_FUNCTION(name) bool name(struct grid *g, const struct node *call, struct drain *out, struct err *e)
VECTOR_FUNCTION(fn_histogram_avg);
VECTOR_FUNCTION(fn_histogram_count);
VECTOR_FUNCTION(fn_histogram_sum);
VECTOR_FUNCTION(fn_histogram_stddev);
VECTOR_FUNCTION(fn_histogram_stdvar);
VECTOR_FUNCTION(fn_histogram_fraction);
VECTOR_FUNCTION(fn_histogram_quantile);
VECTOR_FUNCTION(fn_histogram_quantiles);
