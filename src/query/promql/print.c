#include <math.h>
#include <stdlib.h>

#include "base/vec.h"
#include "codec/duration.h"
#include "codec/num.h"
#include "codec/text.h"
#include "query/promql/functions.h"

const char *op_text(enum op op) {
    static const char *const texts[] = {
        [OP_ADD] = "+",       [OP_SUB] = "-",         [OP_MUL] = "*",         [OP_DIV] = "/",         [OP_MOD] = "%", [OP_POW] = "^",
        [OP_ATAN2] = "atan2", [OP_EQ] = "==",         [OP_NE] = "!=",         [OP_GT] = ">",          [OP_LT] = "<",  [OP_GE] = ">=",
        [OP_LE] = "<=",       [OP_TRIM_UPPER] = "</", [OP_TRIM_LOWER] = ">/", [OP_AND] = "and",       [OP_OR] = "or", [OP_UNLESS] = "unless",
        [OP_STEP] = "step",   [OP_RANGE] = "range",   [OP_MIN_OF] = "min_of", [OP_MAX_OF] = "max_of",
    };
    return texts[op];
}

const char *agg_text(enum agg_op op) {
    static const char *const texts[] = {
        [AGG_AVG] = "avg",
        [AGG_BOTTOMK] = "bottomk",
        [AGG_COUNT] = "count",
        [AGG_COUNT_VALUES] = "count_values",
        [AGG_GROUP] = "group",
        [AGG_LIMITK] = "limitk",
        [AGG_LIMIT_RATIO] = "limit_ratio",
        [AGG_MAX] = "max",
        [AGG_MIN] = "min",
        [AGG_QUANTILE] = "quantile",
        [AGG_STDDEV] = "stddev",
        [AGG_STDVAR] = "stdvar",
        [AGG_SUM] = "sum",
        [AGG_TOPK] = "topk",
    };
    return texts[op];
}

static void put_c(struct buf *b, const char *z) {
    buf_add(b, str_c(z));
}

void promql_quote(struct buf *b, str s) {
    static const char plain[] = "\a\b\f\n\r\t\v\\\"";
    static const char letters[] = "abfnrtv\\\"";
    buf_char(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        const char *known = c ? strchr(plain, c) : NULL;
        size_t n = c >= 0x80 ? utf8_length(str_from(s, i)) : 1;
        if (known) {
            buf_char(b, '\\');
            buf_char(b, letters[known - plain]);
        } else if (c < 0x20 || c == 0x7f || n == 0) {
            buf_printf(b, "\\x%02x", c);
        } else {
            buf_put(b, s.p + i, n);
            i += n - 1;
        }
    }
    buf_char(b, '"');
}

void promql_position(struct buf *b, str query, uint32_t at) {
    unsigned line = 1;
    size_t line_at = 0;
    if (!query.n) return buf_add(b, STR("unknown position")); /* Prometheus' words for an empty query */
    for (size_t i = 0; i < MIN(at, query.n); i++) {
        if (query.p[i] != '\n') continue;
        line++;
        line_at = i + 1;
    }
    buf_printf(b, "%u:%zu", line, at - line_at + 1);
}

void promql_put_plain(struct buf *b, double v) {
    if (v == 0 || !isfinite(v)) {
        if (v == 0 && signbit(v)) buf_char(b, '-');
        num_put_double(b, v == 0 ? 0 : v);
        return;
    }
    uint64_t digits;
    int exp10;
    num_shortest(v, &digits, &exp10);
    char text[24];
    int n = 0;
    for (; digits; digits /= 10) text[n++] = (char)('0' + digits % 10);
    if (v < 0) buf_char(b, '-');
    int before = n + exp10; /* digits before the point */
    if (before <= 0) buf_add(b, STR("0"));
    for (int i = 0; i < before; i++) buf_char(b, i < n ? text[n - 1 - i] : '0');
    if (exp10 >= 0) return;
    buf_char(b, '.');
    for (int i = before; i < 0; i++) buf_char(b, '0');
    for (int i = MAX(before, 0); i < n; i++) buf_char(b, text[n - 1 - i]);
}

static void put_label_name(struct buf *b, str name) {
    if (label_name_legacy_valid(name))
        buf_add(b, name);
    else
        promql_quote(b, name);
}

static void put_names(struct buf *b, struct names names) {
    buf_char(b, '(');
    for (size_t i = 0; i < names.n; i++) {
        if (i) buf_add(b, STR(", "));
        put_label_name(b, names.p[i]);
    }
    buf_char(b, ')');
}

static void put_ms(struct buf *b, double seconds) {
    int64_t ms = (int64_t)round(seconds * 1000);
    if (ms < 0) buf_char(b, '-');
    duration_put(b, ms < 0 ? -ms : ms);
}

void promql_put_matcher(struct buf *b, const struct matcher *m) {
    static const char *const ops[] = {[MATCH_EQ] = "=", [MATCH_NE] = "!=", [MATCH_RE] = "=~", [MATCH_NRE] = "!~"};
    put_label_name(b, m->name);
    put_c(b, ops[m->op]);
    promql_quote(b, m->value);
}

/* A duration at the top of [] or offset: literals as durations whatever they were written as. */
static void put_duration(struct buf *b, const struct node *n) {
    if (n->kind == NODE_NUMBER)
        put_ms(b, n->number.value);
    else
        promql_print(b, n);
}

static void put_duration_expr(struct buf *b, const struct node *n) {
    if (n->dur.wrapped) buf_char(b, '(');
    switch (n->dur.op) {
    case OP_STEP:
    case OP_RANGE: buf_printf(b, "%s()", op_text(n->dur.op)); break;
    case OP_MIN_OF:
    case OP_MAX_OF:
        buf_printf(b, "%s(", op_text(n->dur.op));
        promql_print(b, n->dur.lhs);
        buf_add(b, STR(", "));
        promql_print(b, n->dur.rhs);
        buf_char(b, ')');
        break;
    case OP_ADD:
    case OP_SUB:
    case OP_MUL:
    case OP_DIV:
    case OP_MOD:
    case OP_POW:
        if (n->dur.lhs) {
            promql_print(b, n->dur.lhs);
            buf_printf(b, " %s ", op_text(n->dur.op));
        } else if (n->dur.op == OP_SUB) {
            buf_char(b, '-');
        }
        promql_print(b, n->dur.rhs);
        break;
    case OP_ATAN2:
    case OP_EQ:
    case OP_NE:
    case OP_GT:
    case OP_LT:
    case OP_GE:
    case OP_LE:
    case OP_TRIM_UPPER:
    case OP_TRIM_LOWER:
    case OP_AND:
    case OP_OR:
    case OP_UNLESS: assert(!"not an operation on durations");
    }
    if (n->dur.wrapped) buf_char(b, ')');
}

static void put_shift(struct buf *b, const struct shift *s) {
    if (s->at == AT_START) buf_add(b, STR(" @ start()"));
    if (s->at == AT_END) buf_add(b, STR(" @ end()"));
    if (s->at == AT_TIME) buf_printf(b, " @ %.3f", (double)s->at_ms / 1000);
    if (!s->offset) return;
    buf_add(b, STR(" offset "));
    put_duration(b, s->offset);
}

static int by_text(const void *a, const void *b) {
    return str_cmp(*(const str *)a, *(const str *)b);
}

/* The matchers sorted by their text; the one for the name before the braces is left out. */
static void put_matchers(struct buf *b, const struct selector *s) {
    struct arena *a = arena_new(1024);
    str *texts = arena_new_n(a, str, s->m_n);
    size_t n = 0;
    for (size_t i = 0; i < s->m_n; i++) {
        const struct matcher *m = &s->m[i];
        if (str_eq(m->name, LABEL_METRIC_NAME) && m->op == MATCH_EQ && m->value.n > 0 && str_eq(m->value, s->name)) continue;
        struct buf one = {0};
        promql_put_matcher(&one, m);
        texts[n++] = arena_str(a, buf_str(&one));
        buf_done(&one);
    }
    qsort(texts, n, sizeof *texts, by_text);
    for (size_t i = 0; i < n; i++) {
        buf_char(b, i ? ',' : '{');
        buf_add(b, texts[i]);
    }
    if (n) buf_char(b, '}');
    if (n == 0 && s->name.n == 0) buf_add(b, STR("{}"));
    arena_free(a);
}

static void put_selector(struct buf *b, const struct node *n) {
    const struct selector *s = &n->select.sel;
    buf_add(b, s->name);
    put_matchers(b, s);
    if (n->kind == NODE_MATRIX) {
        buf_char(b, '[');
        put_duration(b, n->select.range);
        buf_char(b, ']');
    }
    if (s->anchored) buf_add(b, STR(" anchored"));
    if (s->smoothed) buf_add(b, STR(" smoothed"));
    put_shift(b, &n->select.shift);
}

static void put_subquery_suffix(struct buf *b, const struct node *n) {
    buf_char(b, '[');
    put_duration(b, n->sub.range);
    buf_char(b, ':');
    if (n->sub.step) put_duration(b, n->sub.step);
    buf_char(b, ']');
    put_shift(b, &n->sub.shift);
}

static void put_fill(struct buf *b, const char *word, double v) {
    buf_printf(b, " %s (", word);
    promql_put_plain(b, v);
    buf_char(b, ')');
}

static bool same_fill(const struct matching *m) {
    return m->fill_left && m->fill_right && (m->fill_left_value == m->fill_right_value || (isnan(m->fill_left_value) && isnan(m->fill_right_value)));
}

/* " bool on (a) group_left (b) fill (0)" */
static void put_modifiers(struct buf *b, const struct node *n) {
    const struct matching *m = &n->binary.match;
    bool grouped = m->card == CARD_MANY_TO_ONE || m->card == CARD_ONE_TO_MANY;
    if (n->binary.return_bool) buf_add(b, STR(" bool"));
    if (m->labels.n || m->on || grouped) {
        put_c(b, m->on ? " on " : " ignoring ");
        put_names(b, m->labels);
    }
    if (grouped) {
        put_c(b, m->card == CARD_MANY_TO_ONE ? " group_left " : " group_right ");
        put_names(b, m->include);
    }
    if (same_fill(m)) {
        put_fill(b, "fill", m->fill_left_value);
        return;
    }
    if (m->fill_left) put_fill(b, "fill_left", m->fill_left_value);
    if (m->fill_right) put_fill(b, "fill_right", m->fill_right_value);
}

static void put_agg_head(struct buf *b, const struct node *n) {
    put_c(b, agg_text(n->agg.op));
    if (!n->agg.without && n->agg.grouping.n == 0) return;
    put_c(b, n->agg.without ? " without " : " by ");
    put_names(b, n->agg.grouping);
    buf_char(b, ' ');
}

/* "+Inf ^ 2" would be read as +(Inf ^ 2). */
static void put_lhs(struct buf *b, const struct node *n) {
    const struct node *lhs = n->binary.lhs;
    if (n->binary.op == OP_POW && lhs->kind == NODE_NUMBER && isinf(lhs->number.value))
        put_c(b, "Inf");
    else
        promql_print(b, lhs);
}

void promql_print(struct buf *b, const struct node *n) {
    switch (n->kind) {
    case NODE_NUMBER:
        if (n->number.is_duration)
            put_ms(b, n->number.value);
        else
            promql_put_plain(b, n->number.value);
        break;
    case NODE_STRING: promql_quote(b, n->string); break;
    case NODE_VECTOR:
    case NODE_MATRIX: put_selector(b, n); break;
    case NODE_SUBQUERY:
        promql_print(b, n->sub.expr);
        put_subquery_suffix(b, n);
        break;
    case NODE_PAREN:
        buf_char(b, '(');
        promql_print(b, n->paren.expr);
        buf_char(b, ')');
        break;
    case NODE_UNARY:
        put_c(b, op_text(n->unary.op));
        promql_print(b, n->unary.expr);
        break;
    case NODE_BINARY:
        put_lhs(b, n);
        buf_printf(b, " %s", op_text(n->binary.op));
        put_modifiers(b, n);
        buf_char(b, ' ');
        promql_print(b, n->binary.rhs);
        break;
    case NODE_CALL:
        buf_add(b, n->call.fn->name);
        buf_char(b, '(');
        for (size_t i = 0; i < n->call.arg_n; i++) {
            if (i) buf_add(b, STR(", "));
            promql_print(b, n->call.args[i]);
        }
        buf_char(b, ')');
        break;
    case NODE_AGGREGATE:
        put_agg_head(b, n);
        buf_char(b, '(');
        if (n->agg.param) {
            promql_print(b, n->agg.param);
            buf_add(b, STR(", "));
        }
        promql_print(b, n->agg.expr);
        buf_char(b, ')');
        break;
    case NODE_DURATION: put_duration_expr(b, n); break;
    }
}

static void indent(struct buf *b, unsigned level) {
    for (unsigned i = 0; i < level; i++) buf_add(b, STR("  "));
}

static bool fits(const struct node *n, size_t width_n) {
    struct buf one = {0};
    promql_print(&one, n);
    bool yes = one.n <= width_n;
    buf_done(&one);
    return yes;
}

static void pretty(struct buf *b, const struct node *n, unsigned level, size_t width);

static void pretty_block(struct buf *b, struct node *const *items, size_t n, unsigned level, size_t width) {
    buf_add(b, STR("(\n"));
    for (size_t i = 0; i < n; i++) {
        pretty(b, items[i], level + 1, width);
        buf_add(b, i + 1 < n ? STR(",\n") : STR("\n"));
    }
    indent(b, level);
    buf_char(b, ')');
}

static void pretty(struct buf *b, const struct node *n, unsigned level, size_t width) {
    if (n->kind == NODE_UNARY) {
        struct buf inner = {0};
        pretty(&inner, n->unary.expr, level, width);
        indent(b, level);
        put_c(b, op_text(n->unary.op));
        buf_add(b, str_trim(buf_str(&inner)));
        buf_done(&inner);
        return;
    }
    if (n->kind == NODE_SUBQUERY) {
        pretty(b, n->sub.expr, level, width);
        put_subquery_suffix(b, n);
        return;
    }
    bool splits = n->kind == NODE_PAREN || n->kind == NODE_BINARY || n->kind == NODE_CALL || n->kind == NODE_AGGREGATE;
    if (!splits || fits(n, width)) {
        indent(b, level);
        promql_print(b, n);
        return;
    }
    if (n->kind == NODE_BINARY) {
        pretty(b, n->binary.lhs, level + 1, width);
        buf_char(b, '\n');
        indent(b, level);
        put_c(b, op_text(n->binary.op));
        put_modifiers(b, n);
        buf_char(b, '\n');
        pretty(b, n->binary.rhs, level + 1, width);
        return;
    }
    indent(b, level);
    if (n->kind == NODE_PAREN) {
        pretty_block(b, &n->paren.expr, 1, level, width);
    } else if (n->kind == NODE_CALL) {
        buf_add(b, n->call.fn->name);
        pretty_block(b, n->call.args, n->call.arg_n, level, width);
    } else {
        put_agg_head(b, n);
        struct node *items[] = {n->agg.param, n->agg.expr};
        bool one = !n->agg.param;
        pretty_block(b, items + one, one ? 1 : 2, level, width);
    }
}

void promql_pretty(struct buf *b, const struct node *n, size_t width_n) {
    pretty(b, n, 0, width_n);
}
