/* api/elastic_aggs: aggregations over the rows of a search. One thread at a time (a search's job).
 *
 * Offered: terms, date_histogram, histogram, range, date_range, filter, filters, missing, composite;
 * min max avg sum value_count stats extended_stats cardinality percentiles percentile_ranks top_hits top_metrics;
 * derivative cumulative_sum serial_diff moving_avg moving_fn (its named functions) bucket_script bucket_selector avg_bucket max_bucket min_bucket
 * sum_bucket.
 * Anything else is refused by name. */
#pragma once
#include "api/elastic_hits.h"

struct es_aggs;
/* spec: the object of "aggs". buckets_max: more buckets are too_many_buckets. */
MUST_USE bool es_aggs_read(const struct value *spec, const struct es_dsl *d, size_t buckets_max, struct es_aggs **out, struct err *e);
MUST_USE bool es_aggs_collect(struct es_aggs *a, const struct evrow *r, struct err *e);
/* Writes {"name":{...}}. */
MUST_USE bool es_aggs_put(struct es_aggs *a, struct json_out *o, struct err *e);
void es_aggs_free(struct es_aggs *a);
AUTO_DEFINE(struct es_aggs, es_aggs_free);
