/* cmd/promqltest: `binnacle promqltest [-v] [--junit FILE] FILE...`: PromQL test scripts on an in-memory store. Exit code 1 if an eval failed, 2 if a
 * script is wrong. With --parse it is a window to the parser alone: expressions in, trees and formatted text out. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "cmd/cmd.h"
#include "codec/json.h"
#include "loop/loop.h"
#include "query/promql/ast.h"
#include "query/promql/script.h"
#include "query/promql/series_desc.h"

static const char usage[] =
    "usage: binnacle promqltest [-v] [--junit FILE] FILE...\n"
    "Runs PromQL test scripts (Prometheus' promqltest language) on an in-memory store.\n"
    "  -v, --verbose   a TAP line for every eval\n"
    "      --junit F   write a JUnit report to F\n"
    "      --parse     instead: for each line of standard input, a JSON string with an expression, one JSON line with its text,\n"
    "                  its text broken at 10 columns and the kind of its root, or the error\n"
    "      --series    the same for series descriptions: {} or the error\n";

struct tally {
    bool verbose;
    size_t passed, failed;
    const char *file;
    struct buf cases; /* JUnit */
};

static void put_xml(struct buf *b, str s) {
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '<' || c == '>' || c == '&' || c == '"')
            buf_printf(b, "&#%u;", c);
        else
            buf_char(b, c < 0x20 && c != '\t' ? ' ' : (char)c);
    }
}

static void on_eval(void *arg, const struct script_report *r) {
    struct tally *t = arg;
    *(r->ok ? &t->passed : &t->failed) += 1;
    size_t n = t->passed + t->failed;
    if (t->verbose) printf("%s %zu - %s:%zu %" STR_F "\n", r->ok ? "ok" : "not ok", n, t->file, r->line, STR_A(r->expr));
    if (!r->ok && t->verbose) printf("  # %" STR_F "\n", STR_A(r->message));
    if (!r->ok && !t->verbose) printf("%s:%zu: %" STR_F "\n    %" STR_F "\n", t->file, r->line, STR_A(r->expr), STR_A(r->message));
    buf_printf(&t->cases, "<testcase classname=\"%s\" name=\"line %zu: ", t->file, r->line);
    put_xml(&t->cases, r->expr);
    buf_add(&t->cases, STR("\">"));
    if (!r->ok) {
        buf_add(&t->cases, STR("<failure message=\""));
        put_xml(&t->cases, r->message);
        buf_add(&t->cases, STR("\"/>"));
    }
    buf_add(&t->cases, STR("</testcase>\n"));
}

static bool read_file(const char *path, struct buf *out, struct err *e) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return err_errno(e, ERR_IO, errno, "cannot open %s", path);
    ssize_t n;
    do {
        buf_reserve(out, 64 << 10);
        n = read(fd, out->p + out->n, out->cap - out->n);
        if (n > 0) out->n += (size_t)n;
    } while (n > 0);
    int error = errno;
    close(fd);
    return n == 0 || err_errno(e, ERR_IO, error, "cannot read %s", path);
}

static bool run_file(const char *path, struct tally *t, struct err *e) {
    struct buf text = {0};
    t->file = path;
    bool ok = read_file(path, &text, e) && (script_run(buf_str(&text), on_eval, t, e) || err_wrap(e, "%s", path));
    buf_done(&text);
    return ok;
}

static bool write_junit(const char *path, const struct tally *t, struct err *e) {
    FILE *f = fopen(path, "we");
    if (!f) return err_errno(e, ERR_IO, errno, "cannot write %s", path);
    fprintf(f, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"promqltest\" tests=\"%zu\" failures=\"%zu\">\n%" STR_F "</testsuite>\n",
            t->passed + t->failed, t->failed, STR_A(buf_str(&t->cases)));
    return fclose(f) == 0 || err_errno(e, ERR_IO, errno, "cannot write %s", path);
}

/* --- --parse and --series */

static const char *root_name(enum node_kind kind) {
    static const char *const names[] = {
        [NODE_NUMBER] = "NumberLiteral",    [NODE_STRING] = "StringLiteral",  [NODE_VECTOR] = "VectorSelector",
        [NODE_MATRIX] = "MatrixSelector",   [NODE_SUBQUERY] = "SubqueryExpr", [NODE_PAREN] = "ParenExpr",
        [NODE_UNARY] = "UnaryExpr",         [NODE_BINARY] = "BinaryExpr",     [NODE_CALL] = "Call",
        [NODE_AGGREGATE] = "AggregateExpr", [NODE_DURATION] = "DurationExpr",
    };
    return names[kind];
}

static void put_member(struct json_out *o, const char *key, str value) {
    json_put_key(o, str_c(key));
    json_put_string(o, value);
}

static bool show_expression(str text, struct arena *a, struct json_out *o, struct err *e) {
    struct promql_regexes regexes = {0};
    struct promql_ast ast;
    bool ok = promql_parse(text, a, &regexes, &ast, e);
    if (ok) {
        struct buf b = {0};
        put_member(o, "root", str_c(root_name(ast.root->kind)));
        promql_print(&b, ast.root);
        put_member(o, "text", buf_str(&b));
        buf_clear(&b);
        promql_pretty(&b, ast.root, 10);
        put_member(o, "pretty", buf_str(&b));
        buf_done(&b);
    }
    promql_regexes_done(&regexes);
    return ok;
}

static bool show_series(str text, struct arena *a, struct json_out *o, struct err *e) {
    struct series_desc d;
    (void)o;
    return series_desc_parse(text, a, &d, e);
}

static int show_lines(bool (*show)(str, struct arena *, struct json_out *, struct err *)) {
    AUTO(arena_free) struct arena *a = arena_new(64 << 10);
    char *line = NULL;
    size_t cap = 0;
    for (ssize_t n; (n = getline(&line, &cap, stdin)) > 0;) {
        struct buf b = {0};
        struct json_out o = {.buf = &b};
        struct err e;
        str text;
        arena_reset(a);
        struct json j = json_open(str_trim(str_n(line, (size_t)n)), a);
        json_string(&j, &text);
        json_put_object(&o);
        if (!json_done(&j, &e) || !show(text, a, &o, &e)) put_member(&o, "error", err_str(&e));
        json_put_object_end(&o);
        printf("%" STR_F "\n", STR_A(buf_str(&b)));
        buf_done(&b);
    }
    free(line);
    return 0;
}

int cmd_promqltest(int argc, char **argv) {
    static const struct option options[] = {{"verbose", no_argument, NULL, 'v'}, {"junit", required_argument, NULL, 'j'},
                                            {"parse", no_argument, NULL, 'p'},   {"series", no_argument, NULL, 's'},
                                            {"help", no_argument, NULL, 'h'},    {0}};
    struct tally t = {0};
    const char *junit = NULL;
    for (int c; (c = getopt_long(argc, argv, "vh", options, NULL)) != -1;) {
        if (c == 'v') t.verbose = true;
        if (c == 'j') junit = optarg;
        if (c == 'p') return show_lines(show_expression);
        if (c == 's') return show_lines(show_series);
        if (c == 'h') return fputs(usage, stdout), 0;
        if (c == '?') return fputs(usage, stderr), 2;
    }
    if (optind >= argc) return fputs(usage, stderr), 2;
    loop_own_thread();
    bool broken = false;
    struct err e;
    for (int i = optind; i < argc; i++) {
        if (run_file(argv[i], &t, &e)) continue;
        fprintf(stderr, "binnacle promqltest: %s\n", e.msg);
        broken = true;
    }
    if (t.verbose) printf("1..%zu\n", t.passed + t.failed);
    if (junit && !write_junit(junit, &t, &e)) {
        fprintf(stderr, "binnacle promqltest: %s\n", e.msg);
        broken = true;
    }
    printf("%zu passed, %zu failed\n", t.passed, t.failed);
    buf_done(&t.cases);
    return broken ? 2 : t.failed ? 1 : 0;
}
