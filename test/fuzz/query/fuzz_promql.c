/* The PromQL parser: never crashes; what it accepts prints as text that it accepts again and prints the same. Texts that start with '=' go to the
 * series descriptions of test scripts. */
#include <stdlib.h>

#include "query/promql/ast.h"
#include "query/promql/series_desc.h"

static bool print_of(str text, struct arena *a, struct buf *printed) {
    struct promql_regexes regexes = {0};
    struct promql_ast ast;
    struct err e;
    bool ok = promql_parse(text, a, &regexes, &ast, &e);
    if (ok) promql_print(printed, ast.root);
    if (ok) {
        struct buf pretty = {0};
        promql_pretty(&pretty, ast.root, PROMQL_PRETTY_WIDTH);
        if (pretty.n < printed->n) abort(); /* breaking lines only adds bytes */
        buf_done(&pretty);
    }
    promql_regexes_done(&regexes);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    str text = str_n(data, size);
    struct arena *a = arena_new(16 << 10);
    struct err e;
    struct series_desc d;
    if (str_starts(text, STR("="))) {
        bool ok = series_desc_parse(str_from(text, 1), a, &d, &e);
        (void)ok;
        arena_free(a);
        return 0;
    }
    struct buf once = {0};
    struct buf twice = {0};
    if (print_of(text, a, &once)) {
        if (!print_of(buf_str(&once), a, &twice)) abort();
        if (!str_eq(buf_str(&once), buf_str(&twice))) abort();
    }
    buf_done(&once);
    buf_done(&twice);
    arena_free(a);
    return 0;
}
