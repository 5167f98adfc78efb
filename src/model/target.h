/* model/target: what the scraper shows of a target to /api/v1/targets and the Targets page. Borrowed from the arena it was asked with. Loop thread.
 */
#pragma once
#include "model/labels.h"

struct target_view { /* one scrape target, for /api/v1/targets and the Targets page */
    struct labels discovered, labels;
    str pool, url, global_url, last_error, health; /* "up" "down" "unknown" */
    int64_t last_scrape_ms, last_duration_ns, interval_ms, timeout_ms;
};
