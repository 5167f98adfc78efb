#include "codec/duration.h"
#include "codec/timefmt.h"
#include "query/promql/engine.h"

/* Where raw samples are gone, the store has one for 5 minutes or an hour. Selectors and rates look further back there, so that they meet some, and
 * the answer says so. */

static int64_t reach(int64_t step_ms) {
    return step_ms * 5 / 2; /* a bucket's sample may lie at either end of it */
}

int64_t coarse_reach(const struct tsdb_selection *sel, int64_t t_ms) {
    size_t n;
    const struct tsdb_coarse *p = tsdb_selection_coarse(sel, &n);
    for (size_t i = 0; i < n && p[i].from_ms <= t_ms; i++)
        if (t_ms <= p[i].to_ms + p[i].step_ms) return reach(p[i].step_ms);
    return 0;
}

int64_t coarse_reach_max(const struct tsdb_selection *sel) {
    size_t n;
    const struct tsdb_coarse *p = tsdb_selection_coarse(sel, &n);
    int64_t most = 0;
    for (size_t i = 0; i < n; i++) most = MAX(most, reach(p[i].step_ms));
    return most;
}

void note_coarse(struct run *r, uint32_t at, const struct tsdb_selection *sel) {
    size_t n;
    const struct tsdb_coarse *p = tsdb_selection_coarse(sel, &n);
    for (size_t i = 0; i < n; i++) {
        bool newest = true; /* of this resolution */
        for (size_t k = i + 1; k < n; k++) newest &= p[k].step_ms != p[i].step_ms;
        if (!newest) continue;
        struct buf until = {0};
        struct buf step = {0};
        time_put_rfc3339_ns(&until, p[i].to_ms * 1000000);
        duration_put(&step, p[i].step_ms);
        note_info(r, at, "data before %" STR_F " is down-sampled to %" STR_F " resolution", STR_A(buf_str(&until)), STR_A(buf_str(&step)));
        buf_done(&until);
        buf_done(&step);
    }
}
