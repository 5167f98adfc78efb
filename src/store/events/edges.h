/* store/events/edges: the service graph, counted as spans arrive: one call for each span whose parent, a span of the same trace, belongs to
 * another service; per minute of the child's start. Either may come first. Loop thread.
 *
 * Spans of the last while are remembered (EDGES_SPANS_MAX of either side); what was counted since the last seal goes into the next part:
 *
 *   EDGES  service count, names (slices); edge count, per edge: zigzag minute, parent, child (service numbers), calls, errors  (varints) */
#pragma once
#include "store/events/block.h"
#include "store/events/events.h"

enum { EDGES_SPANS_MAX = 1 << 17 };
struct edges;
struct edges *edges_new(void);
void edges_free(struct edges *e);
/* Spans that arrived, as a block (in memory or just replayed). */
void edges_add_block(struct edges *e, struct block *b);
/* Remembers a block's spans as possible parents without counting calls: what was sealed before a restart. */
void edges_remember_block(struct edges *e, struct block *b);
void edges_put(const struct edges *e, struct buf *section); /* what was counted since edges_clear_counts; empty: nothing was */
void edges_clear_counts(struct edges *e);

/* Adding up over parts and the newest. */
struct edge_sum;
struct edge_sum *edge_sum_new(int64_t from_ns, int64_t to_ns);
void edge_sum_free(struct edge_sum *s);
void edge_sum_add(struct edge_sum *s, str section); /* a damaged section adds what can be read */
void edge_sum_add_part(struct edge_sum *s, const struct part *p);
void edge_sum_result(const struct edge_sum *s, struct arena *a, struct service_edge **out, size_t *n); /* sorted by parent, child */
void edge_sum_put(const struct edge_sum *s, struct buf *section);                                      /* per minute, for merged parts */
