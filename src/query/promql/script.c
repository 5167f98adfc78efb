#include "query/promql/script.h"

#include "codec/duration.h"
#include "query/promql/functions.h"
#include "query/promql/script_internal.h"

enum { MS_PER_MINUTE = 60000, SAMPLES_MAX = 1000000 };

struct script {
    struct script_lines lines;
    struct tsdb *db;
    script_on_eval on_eval;
    void *arg;
    struct err *e;
};

/* --- lines and words */

bool script_next_line(struct script_lines *l, str *out) {
    if (!l->rest.p) return false;
    str line;
    if (!str_cut(&l->rest, '\n', &line) && line.n == 0) return false;
    l->number++;
    line = str_trim(line);
    *out = line.n && line.p[0] == '#' ? STR("") : line;
    return true;
}

bool script_block_line(struct script_lines *l, str *out) {
    return script_next_line(l, out) && out->n > 0;
}

str script_word(str *s) {
    *s = str_trim(*s);
    size_t n = 0;
    while (n < s->n && s->p[n] != ' ' && s->p[n] != '\t') n++;
    str word = str_sub(*s, 0, n);
    *s = str_trim(str_from(*s, n));
    return word;
}

bool script_duration(str s, int64_t *out_ms, struct err *e) {
    bool negative = s.n && s.p[0] == '-';
    if (negative) s = str_from(s, 1);
    if (str_eq(s, STR("0"))) return *out_ms = 0, true;
    if (!duration_parse(s, out_ms, e)) return false;
    if (negative) *out_ms = -*out_ms;
    return true;
}

static bool fail_line(struct script *s, size_t line, const char *what) {
    return err_set(s->e, ERR_INPUT, "line %zu: %s", line, what);
}

/* --- the rewriting with @ */

/* Pins every selector and subquery that has no @ with a time of its own; what is inside a subquery stays. false: some function depends on the
 * evaluation time. */
static bool pin(struct node *n, int64_t at_ms) {
    switch (n->kind) {
    case NODE_NUMBER:
    case NODE_STRING:
    case NODE_DURATION: return true;
    case NODE_VECTOR:
    case NODE_MATRIX:
        if (n->select.shift.at != AT_TIME) n->select.shift = (struct shift){n->select.shift.offset, AT_TIME, at_ms};
        return true;
    case NODE_SUBQUERY:
        if (n->sub.shift.at != AT_TIME) n->sub.shift = (struct shift){n->sub.shift.offset, AT_TIME, at_ms};
        return !node_is_time_bound(n->sub.expr);
    case NODE_PAREN: return pin(n->paren.expr, at_ms);
    case NODE_UNARY: return pin(n->unary.expr, at_ms);
    case NODE_BINARY: return pin(n->binary.lhs, at_ms) && pin(n->binary.rhs, at_ms);
    case NODE_AGGREGATE: return pin(n->agg.expr, at_ms) && (!n->agg.param || pin(n->agg.param, at_ms));
    case NODE_CALL: {
        bool ok = !(n->call.fn->flags & FN_TIME_BOUND);
        for (size_t i = 0; i < n->call.arg_n; i++) {
            bool label_selector = i == 1 && str_eq(n->call.fn->name, STR("info"));
            if (!label_selector) ok &= pin(n->call.args[i], at_ms);
        }
        return ok;
    }
    }
    return true;
}

/* The expression with every selector at at_ms; false: it cannot be pinned (or parsed). */
static bool pinned_text(struct arena *a, str expr, int64_t at_ms, str *out) {
    struct promql_regexes regexes = {0};
    struct promql_ast ast;
    struct err ignored;
    bool ok = promql_parse(expr, a, &regexes, &ast, &ignored) && pin(ast.root, at_ms);
    struct buf b = {0};
    if (ok) promql_print(&b, ast.root);
    *out = arena_str(a, buf_str(&b));
    buf_done(&b);
    promql_regexes_done(&regexes);
    return ok;
}

/* --- evaluation */

static bool contains_word(str expr, const char *word) {
    return str_find(expr, str_c(word)) != STR_NONE;
}
/* start(), end(), range(), step() mean something else in a range query. */
static bool depends_on_query(str expr) {
    return contains_word(expr, "start()") || contains_word(expr, "end()") || contains_word(expr, "range()") || contains_word(expr, "step()");
}

/* Evaluates and compares. at: step of the result that an instant expectation is about. */
static bool run_one(struct script *s, struct expectation *x, struct promql_params p, size_t at, bool notes, str *why) {
    struct promql_query *q = NULL;
    struct err e;
    p.samples_max = SAMPLES_MAX;
    bool ok = promql_plan(s->db, &p, &q, &e);
    bool planned = ok;
    if (ok) ok = promql_run(q, NULL, &e);
    if (!ok) {
        str message = planned && promql_long_error(q).n ? promql_long_error(q) : err_str(&e);
        ok = expectation_check_failure(x, message, why);
    } else if (x->fail) {
        *why = STR("expected a failure");
        ok = false;
    } else {
        ok = (!notes || expectation_check_notes(x, promql_result(q), why)) && expectation_check(x, promql_result(q), at, why);
    }
    promql_free(q);
    return ok;
}

/* An instant query, and the middle step of a range query around it. */
static bool run_instant(struct script *s, struct expectation *x, str expr, int64_t t_ms, str *why) {
    struct promql_params p = {.query = expr, .start_ms = t_ms, .end_ms = t_ms};
    if (!run_one(s, x, p, 0, true, why)) return false;
    if (x->fail || x->ordered || x->kind == EXPECT_STRING || x->kind == EXPECT_RANGE_VECTOR || depends_on_query(expr)) return true;
    p.start_ms = t_ms - MS_PER_MINUTE;
    p.end_ms = t_ms + MS_PER_MINUTE;
    p.step_ms = MS_PER_MINUTE;
    if (run_one(s, x, p, 1, false, why)) return true;
    *why = arena_printf(x->a, "as a range query: %" STR_F, STR_A(*why));
    return false;
}

static bool run_instant_variants(struct script *s, struct expectation *x, str expr, int64_t t_ms, str *why) {
    if (!run_instant(s, x, expr, t_ms, why)) return false;
    str pinned;
    if (!pinned_text(x->a, expr, t_ms, &pinned) || depends_on_query(pinned)) return true;
    int64_t times[] = {-10 * t_ms, 0, t_ms / 5, t_ms, 10 * t_ms};
    if (t_ms == 0) times[0] = -1000, times[2] = 1000;
    for (size_t i = 0; i < (t_ms == 0 ? 3u : ARRAY_N(times)); i++) {
        if (run_instant(s, x, pinned, times[i], why)) continue;
        *why = arena_printf(x->a, "as %" STR_F " at %lld ms: %" STR_F, STR_A(pinned), (long long)times[i], STR_A(*why));
        return false;
    }
    return true;
}

static void report(struct script *s, size_t line, str expr, bool ok, str why) {
    s->on_eval(s->arg, &(struct script_report){line, expr, ok, ok ? STR("") : why});
}

static bool words(str *s, const char *const *want, int64_t *times, struct err *e) {
    for (; *want; want++) {
        str word = script_word(s);
        if (**want == '?' ? !script_duration(word, times++, e) : !str_eq_nocase(word, str_c(*want))) return false;
    }
    return true;
}

/* eval[_fail|_warn|_info|_ordered] instant at T expr | eval range from T to T step D expr */
static bool run_eval(struct script *s, str command, str rest) {
    static const char *const instant[] = {"at", "?", NULL};
    static const char *const range[] = {"from", "?", "to", "?", "step", "?", NULL};
    size_t line = s->lines.number;
    AUTO(arena_free) struct arena *a = arena_new(16 << 10);
    struct expectation x = {.a = a};
    x.fail = str_eq_nocase(command, STR("eval_fail"));
    x.ordered = str_eq_nocase(command, STR("eval_ordered"));
    if (str_eq_nocase(command, STR("eval_warn"))) x.warnings.rule = NOTES_SOME;
    if (str_eq_nocase(command, STR("eval_info"))) x.infos.rule = NOTES_SOME;
    bool is_range = str_eq_nocase(script_word(&rest), STR("range"));
    int64_t times[3] = {0};
    if (!words(&rest, is_range ? range : instant, times, s->e))
        return fail_line(s, line, "expected `instant at <time> <expr>` or `range from <t> to <t> step <d> <expr>`");
    if (is_range && (times[2] <= 0 || times[1] < times[0])) return fail_line(s, line, "the range needs from <= to and a step above 0");
    x.kind = is_range ? EXPECT_MATRIX : EXPECT_VECTOR;
    if (is_range) x.start_ms = times[0], x.step_ms = times[2];
    if (!expectation_parse(&x, &s->lines, s->e)) return false;
    str why = STR("");
    struct promql_params p = {.query = rest, .start_ms = times[0], .end_ms = times[1], .step_ms = times[2]};
    bool ok = is_range ? run_one(s, &x, p, 0, true, &why) : run_instant_variants(s, &x, rest, times[0], &why);
    report(s, line, rest, ok, why);
    return true;
}

static bool new_store(struct script *s) {
    struct tsdb_options o = {.series_max = 1000000, .labels_per_series_max = 100, .label_value_bytes_max = 65536, .out_of_order_ms = INT64_MAX / 4};
    tsdb_close(TAKE(s->db));
    return tsdb_open(&o, &s->db, s->e);
}

static bool run_command(struct script *s, str line) {
    str command = script_word(&line);
    if (str_eq_nocase(command, STR("clear"))) return new_store(s);
    bool with_nhcb = str_eq_nocase(command, STR("load_with_nhcb"));
    if (with_nhcb || str_eq_nocase(command, STR("load"))) return script_load(s->db, line, with_nhcb, &s->lines, s->e);
    if (str_starts(command, STR("eval"))) return run_eval(s, command, line);
    return fail_line(s, s->lines.number, "unknown command: expected load, load_with_nhcb, eval or clear");
}

bool script_run(str text, script_on_eval on_eval, void *arg, struct err *e) {
    struct script s = {.lines = {.rest = text}, .on_eval = on_eval, .arg = arg, .e = e};
    bool ok = new_store(&s);
    for (str line; ok && script_next_line(&s.lines, &line);)
        if (line.n) ok = run_command(&s, line);
    tsdb_close(s.db);
    return ok;
}
