/* ingest/scrape: fetches the metrics pages of static targets, and of functions of this process, on their intervals, and pushes them. Loop thread.
 * As Prometheus: labels job and instance, series up, scrape_duration_seconds, scrape_samples_scraped, scrape_samples_post_metric_relabeling and
 * scrape_series_added for every scrape; staleness markers for what left the page; a page that cannot be read whole, has no Content-Type of a metrics
 * page (unless a fallback is set) or more samples than its limit stores nothing but up 0. The time of a scrape is that of its interval when it is
 * late by no more than 2 ms, so that times stay regular. */
#pragma once
#include "loop/pool.h"
#include "model/sink.h"
#include "model/target.h"
#include "net/http_client.h"
#include "wire/prom_page.h"

struct scraper;
struct scraper *scraper_new(struct loop *l, struct pool *pool, struct http_client *client, struct sink *sink, size_t body_bytes_max);
void scraper_free(struct scraper *s);

struct scrape_settings {
    str job;
    str url;             /* "http://host:port/metrics"; instance becomes host:port */
    str instance;        /* set: overrides that */
    struct labels extra; /* more target labels */
    int64_t interval_ms, timeout_ms;
    bool honor_labels, honor_timestamps;
    bool native_histograms;    /* ask for protobuf first and read them */
    bool classic_histograms;   /* then the classic buckets beside them too */
    bool extra_metrics;        /* scrape_timeout_seconds, scrape_sample_limit, scrape_body_size_bytes too */
    enum prom_format fallback; /* for a missing or unknown Content-Type; PROM_NONE: the scrape fails */
    size_t sample_limit;       /* more samples on the page: the scrape fails; 0: none */
    /* Instead of a URL: appends the page; runs in the pool, so it may only read what is immutable or its own. */
    void (*page)(void *arg, struct buf *page);
    void *page_arg;
    /* Instead of both: appends the page on the loop thread (counters of loop-owned state). */
    void (*loop_page)(void *arg, struct buf *page);
};
/* Everything is copied. ERR_INPUT for a URL that is none. First scrape: spread over the interval by hash, functions at once. */
MUST_USE bool scraper_add(struct scraper *s, const struct scrape_settings *t, struct err *e);
void scraper_targets(void *scraper, struct arena *a, struct target_view **out, size_t *n);
/* The time a scrape has, Prometheus' rule: when it is off by no more than 2 ms, or a hundredth of the interval, that of its interval. *due_ms: when
 * the newest should have begun; 0: none has. */
int64_t scrape_aligned_ms(int64_t *due_ms, int64_t interval_ms, int64_t now_ms);
struct scraper_stats {
    uint64_t targets, up, scrapes, failed, samples;
};
void scraper_stats(const struct scraper *s, struct scraper_stats *out);
