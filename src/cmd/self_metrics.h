/* cmd/self_metrics: binnacle's own exposition page: one table from counters to metric names. Loop thread. */
#pragma once
#include "base/buf.h"
#include "loop/pool.h"
#include "net/http_server.h"
#include "store/store.h"

struct self_sources { /* NULL: left out */
    const struct store *store;
    const struct http_server *http;
    const struct pool *pool;
    int64_t start_ms;
};
struct gauge_row { /* a metric of another module: UDP receivers, tail, scraper */
    const char *name, *type, *help;
    const char *labels; /* `{door="udp-compact"}` or "" */
    double value;
};
void self_metrics_put(const struct self_sources *s, const struct gauge_row *more, size_t more_n, struct buf *page);
