/* query/promql/check: the type check of a parsed expression, with Prometheus' messages. Pure; any thread. */
#pragma once
#include "query/promql/ast.h"

/* Also settles what depends on types (set operators are many-to-many). */
MUST_USE bool promql_check(struct promql_ast *ast, struct err *e);
/* "line:column: parse error: ..." with ERR_INPUT; returns false. */
bool promql_error_at(str query, uint32_t at, struct err *e, const char *fmt, ...) PRINTF_LIKE(4, 5);
