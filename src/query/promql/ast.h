/* query/promql/ast: the tree of a PromQL expression (Prometheus 3.14's language). Nodes live in the arena given to promql_parse; strings may borrow
 * from the query text. Every node knows the bytes it came from. One thread at a time. */
#pragma once
#include "model/labels.h"

enum promql_type { PT_NONE, PT_SCALAR, PT_VECTOR, PT_MATRIX, PT_STRING };
/* "scalar", "instant vector", ...: the words of the documentation. */
const char *promql_type_name(enum promql_type t);

enum node_kind {
    NODE_NUMBER,
    NODE_STRING,
    NODE_VECTOR,   /* an instant vector selector */
    NODE_MATRIX,   /* a range vector selector */
    NODE_SUBQUERY, /* expr[range:step] */
    NODE_PAREN,
    NODE_UNARY,
    NODE_BINARY,
    NODE_CALL,
    NODE_AGGREGATE,
    NODE_DURATION, /* an operation of a duration expression: op with lhs and rhs, or step(), range(), min_of(), max_of() */
};

enum op {
    OP_ADD,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_MOD,
    OP_POW,
    OP_ATAN2,
    OP_EQ,
    OP_NE,
    OP_GT,
    OP_LT,
    OP_GE,
    OP_LE,
    OP_TRIM_UPPER, /* </ : keep what is below */
    OP_TRIM_LOWER, /* >/ : keep what is above */
    OP_AND,
    OP_OR,
    OP_UNLESS,
    /* of duration expressions only */
    OP_STEP,
    OP_RANGE,
    OP_MIN_OF,
    OP_MAX_OF,
};
const char *op_text(enum op op);
static inline bool op_is_comparison(enum op op) {
    return op >= OP_EQ && op <= OP_LE;
}
static inline bool op_is_set(enum op op) {
    return op >= OP_AND && op <= OP_UNLESS;
}

enum agg_op {
    AGG_AVG,
    AGG_BOTTOMK,
    AGG_COUNT,
    AGG_COUNT_VALUES,
    AGG_GROUP,
    AGG_LIMITK,
    AGG_LIMIT_RATIO,
    AGG_MAX,
    AGG_MIN,
    AGG_QUANTILE,
    AGG_STDDEV,
    AGG_STDVAR,
    AGG_SUM,
    AGG_TOPK,
};
const char *agg_text(enum agg_op op);

enum at_kind { AT_NONE, AT_TIME, AT_START, AT_END };

/* Where a selector or subquery looks: `offset` and `@`. */
struct shift {
    const struct node *offset; /* NULL: none; else NODE_NUMBER or a duration expression */
    enum at_kind at;
    int64_t at_ms; /* AT_TIME */
};

struct selector {
    str name;          /* the metric name before the braces, or empty */
    struct matcher *m; /* with the name's matcher last, if there is one */
    size_t m_n;
    bool anchored, smoothed;
    bool may_be_empty; /* info()'s second argument: {} is fine */
    unsigned slot;     /* numbers the selectors of a query, in text order; evaluation keeps its data by it */
};

enum match_card { CARD_ONE_TO_ONE, CARD_MANY_TO_ONE, CARD_ONE_TO_MANY, CARD_MANY_TO_MANY };

struct names {
    const str *p;
    size_t n;
};

struct matching {
    enum match_card card;
    bool on;             /* else ignoring */
    struct names labels; /* of on() or ignoring() */
    struct names include;
    bool fill_left, fill_right;
    double fill_left_value, fill_right_value;
};

struct node {
    enum node_kind kind;
    enum promql_type type;
    uint32_t from, to; /* bytes [from, to) of the query */
    unsigned depth;    /* of the tree below, at most PROMQL_TREE_MAX: walking it recursively is safe */
    unsigned id;       /* numbers the nodes of a query */
    union {
        struct {
            double value;
            bool is_duration; /* was written "5m" */
        } number;
        str string;
        struct {
            struct selector sel;
            struct shift shift;
            const struct node *range; /* NODE_MATRIX: NODE_NUMBER or a duration expression */
        } select;
        struct {
            struct node *expr;
            const struct node *range, *step; /* step may be NULL */
            struct shift shift;
            unsigned slot;
        } sub;
        struct {
            struct node *expr;
        } paren;
        struct {
            enum op op; /* OP_ADD or OP_SUB */
            struct node *expr;
        } unary;
        struct {
            enum op op;
            bool return_bool;
            struct node *lhs, *rhs;
            struct matching match;
        } binary;
        struct {
            const struct function *fn;
            struct node **args;
            size_t arg_n;
            unsigned slot;      /* info() selects series itself */
            uint32_t args_from; /* the position that annotations about the arguments show */
        } call;
        struct {
            enum agg_op op;
            bool without;
            struct names grouping;
            struct node *param; /* NULL: none */
            struct node *expr;
        } agg;
        struct {
            enum op op;
            const struct node *lhs, *rhs; /* NULL as the operation wants */
            bool wrapped;                 /* in parentheses */
        } dur;
    };
};

struct promql_ast {
    str query;
    struct node *root;
    unsigned selector_n;
    unsigned subquery_n;
    unsigned node_n;
};

/* A parse error in Prometheus' words: "1:5: parse error: unexpected ..." (ERR_INPUT). Nesting is limited to PROMQL_DEPTH_MAX,
 * operator chains to PROMQL_TREE_MAX, the text to PROMQL_TEXT_MAX. The regular expressions compiled for matchers are handed to `keep` and must be
 * freed with promql_ast_done. */
enum { PROMQL_DEPTH_MAX = 200, PROMQL_TREE_MAX = 1000, PROMQL_TEXT_MAX = 1 << 20 };
struct promql_regexes {
    struct regex **p;
    size_t n, cap;
};
void promql_regexes_done(struct promql_regexes *r);
MUST_USE bool promql_parse(str query, struct arena *a, struct promql_regexes *keep, struct promql_ast *out, struct err *e);

/* Strips parentheses. */
static inline struct node *node_unwrap(struct node *n) {
    while (n->kind == NODE_PAREN) n = n->paren.expr;
    return n;
}

/* The expressions below a node, in text order; NULL: no more. Durations are not among them. */
const struct node *node_child(const struct node *n, size_t i);

/* The expression on one line, and broken over lines as Prometheus' formatter does: what is longer than width_n bytes is split. */
void promql_print(struct buf *b, const struct node *n);
enum { PROMQL_PRETTY_WIDTH = 100 };
void promql_pretty(struct buf *b, const struct node *n, size_t width_n);
/* A matcher as it stands in braces: job=~"a.*", "dotted.name"="x". */
void promql_put_matcher(struct buf *b, const struct matcher *m);
/* Decimal without exponent, shortest digits: Go's FormatFloat(v, 'f', -1, 64). */
void promql_put_plain(struct buf *b, double v);
/* A Go-style quoted string: "a\"b". */
void promql_quote(struct buf *b, str s);
/* "line:column" (from 1) of a byte of the query. */
void promql_position(struct buf *b, str query, uint32_t at);
