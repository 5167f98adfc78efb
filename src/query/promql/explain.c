#include "base/clock.h"
#include "query/promql/engine.h"

/* What each node of a query cost. A node pushes into the one above it, so its own time is what passes between begin and end without what the node
 * above spends on the series it takes: the probe stands between the two with a clock. */

static bool take_probe(struct drain *s, struct series *in, struct err *e) {
    struct probe *p = CONTAINER_OF(s, struct probe, drain);
    p->cost->series++;
    int64_t from = clock_mono_ns();
    bool ok = p->out->take(p->out, in, e);
    p->above_ns += clock_mono_ns() - from;
    return ok;
}

struct drain *probe_begin(struct probe *p, struct run *r, const struct node *n, struct drain *out) {
    *p = (struct probe){{take_probe}, r, &r->costs[n->id], out, clock_mono_ns(), 0, r->samples_read};
    return &p->drain;
}

void probe_end(struct probe *p) {
    p->cost->ns += clock_mono_ns() - p->begin_ns - p->above_ns;
    p->cost->samples += p->run->samples_read - p->begin_samples;
}
