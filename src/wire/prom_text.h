/* wire/prom_text: a metrics page (Prometheus text 0.0.4 and 1.0.0, OpenMetrics 1.0) -> metric batch. Pure; any thread.
 * Source: Prometheus' documentation "Exposition formats", OpenMetrics 1.0; accepts and refuses what Prometheus 3 does.
 *
 * A row's key is the series' text as it stands on the page, so that a known series costs no label decoding; it is checked here all the same: a page
 * with one bad line is refused whole, as Prometheus does. row_labels decodes a key: le and quantile of histograms and summaries in the normal form of
 * floats ("1" -> "1.0"), labels that the target has too renamed to exported_X (unless honor_labels). */
#pragma once
#include "model/batch.h"

struct prom_text_options {
    struct labels target; /* of the scrape: only to resolve conflicts; the caller sets b->target. Copied */
    int64_t default_t_ms; /* for lines without a timestamp */
    bool honor_labels;    /* the page's labels win over the target's */
    bool honor_timestamps;
    bool openmetrics; /* by Content-Type application/openmetrics-text */
    /* Of pages in protobuf: read native histograms; read the classic buckets of such a histogram too. */
    bool native_histograms, classic_histograms;
};
/* text must live in b->arena; b is freshly made. Fills rows, samples, exemplars, metas and row_labels. ERR_INPUT with line and column; b is then
 * only good for freeing. */
MUST_USE bool prom_text_parse(str text, const struct prom_text_options *o, struct metric_batch *b, struct err *e);
