#include "ingest/scrape.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/vec.h"
#include "codec/compress.h"
#include "codec/num.h"

#define ACCEPT_PROTOBUF "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;escaping=allow-utf-8;q=0.6,"
#define ACCEPT_TEXT                                                                                                           \
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4," \
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"

struct target {
    struct scraper *scraper;
    struct arena *arena; /* the settings below */
    struct scrape_settings settings;
    struct labels labels;
    struct timer *timer;
    struct http_request *request; /* in flight, or NULL */
    struct scrape_job *job;       /* in flight (fetch, then parse), or NULL */
    int64_t due_ms;               /* when the newest scrape should have begun; 0: none has */
    int64_t last_scrape_ms, last_duration_ns;
    bool scraped, up;
    struct err last_error; /* ERR_NONE: none */
};

struct scraper {
    struct loop *loop;
    struct pool *pool;
    struct http_client *client;
    struct sink *sink;
    size_t body_bytes_max;
    VEC(struct target *) targets;
    struct scraper_stats stats;
    uint64_t reports; /* pages that wait for the store: they keep the scraper alive */
    bool closing;
    uint64_t jobs; /* in the pool; scraper_free waits for none: pool_free runs them out first */
};

/* Page -> batch in the pool. */
struct scrape_job {
    struct job job;
    struct target *target; /* NULL: the scraper went away */
    int64_t t_ms, began_ns;
    struct buf page;
    bool gzip; /* the page is packed */
    enum prom_format format;
    bool unreadable; /* fetched, but not parsed */
    size_t samples;  /* on the page, even when it has too many */
    struct err err;  /* of the fetch: nothing to parse */
    struct metric_batch *batch;
};

/* The scrape's own series come in a batch of their own, so that they are not part of what the target lists. */
struct scrape_report {
    struct target *target;
    int64_t t_ms;
    double seconds;
    size_t samples, page_bytes;
    bool up;
};

/* false: s->err. */
static bool read_page(struct scrape_job *s, struct metric_batch *b) {
    const struct target *t = s->target;
    const struct prom_text_options o = {.target = t->labels,
                                        .default_t_ms = s->t_ms,
                                        .honor_labels = t->settings.honor_labels,
                                        .honor_timestamps = t->settings.honor_timestamps,
                                        .native_histograms = t->settings.native_histograms,
                                        .classic_histograms = t->settings.classic_histograms};
    s->unreadable = !prom_page_parse(arena_str(b->arena, buf_str(&s->page)), s->format, o, b, &s->err);
    if (s->unreadable) return false;
    s->samples = b->sample_n;
    if (t->settings.sample_limit == 0 || s->samples <= t->settings.sample_limit) return true;
    return err_set(&s->err, ERR_TOO_LARGE, "sample limit exceeded: the page has %zu samples, sample_limit is %zu", s->samples,
                   t->settings.sample_limit);
}

static bool unpack_page(struct scrape_job *s) {
    struct buf plain = {0};
    bool ok = gzip_decode(buf_str(&s->page), s->target->scraper->body_bytes_max, &plain, &s->err);
    buf_done(&s->page);
    s->page = plain;
    return ok;
}

static void parse_page(struct job *j) {
    struct scrape_job *s = CONTAINER_OF(j, struct scrape_job, job);
    const struct target *t = s->target;
    if (s->gzip) s->unreadable = !unpack_page(s);
    if (t->settings.page) t->settings.page(t->settings.page_arg, &s->page);
    struct metric_batch *b = metric_batch_new(64 << 10);
    if (s->err.code == ERR_NONE && !read_page(s, b)) {
        metric_batch_free(b);
        b = metric_batch_new(1024);
    }
    b->target = labels_copy(b->arena, t->labels);
    b->whole_target = true;
    b->whole_t_ms = s->t_ms;
    s->batch = b;
}

static void push_report(struct scrape_report *r, size_t created) {
    struct target *t = r->target;
    struct metric_batch *b = metric_batch_new(1024);
    AUTO(buf_done) struct buf text = {0};
    const struct {
        const char *name;
        double value;
    } rows[] = {
        {"up", r->up},
        {"scrape_duration_seconds", r->seconds},
        {"scrape_samples_scraped", (double)r->samples},
        {"scrape_samples_post_metric_relabeling", (double)r->samples},
        {"scrape_series_added", (double)created},
        {"scrape_timeout_seconds", (double)t->settings.timeout_ms / 1e3},
        {"scrape_sample_limit", (double)t->settings.sample_limit},
        {"scrape_body_size_bytes", r->up ? (double)r->page_bytes : -1},
    };
    enum { EXTRA = 3 };
    for (size_t i = 0; i < ARRAY_N(rows) - (t->settings.extra_metrics ? 0 : EXTRA); i++) {
        buf_printf(&text, "%s ", rows[i].name);
        num_put_double(&text, rows[i].value);
        buf_char(&text, '\n');
    }
    struct err e;
    const struct prom_text_options o = {.target = t->labels, .default_t_ms = r->t_ms};
    bool parsed = prom_text_parse(arena_str(b->arena, buf_str(&text)), &o, b, &e);
    assert(parsed);
    b->target = labels_copy(b->arena, t->labels);
    t->scraper->sink->push_metrics(t->scraper->sink, b, NULL, NULL);
}

static void drop_closing(struct scraper *s) {
    if (!s->closing || s->reports) return;
    for (size_t i = 0; i < s->targets.n; i++) arena_free(s->targets.p[i]->arena);
    vec_done(&s->targets);
    free(s);
}

static void page_stored(void *arg, const struct push_result *result) {
    struct scrape_report *r = arg;
    struct scraper *s = r->target->scraper;
    if (result->rejected + result->dropped > 0 && r->target->last_error.code == ERR_NONE) {
        r->target->last_error = result->err;
        err_wrap(&r->target->last_error, "%zu samples not stored", result->rejected + result->dropped);
    }
    s->reports--;
    if (!s->closing) push_report(r, result->created);
    free(r);
    drop_closing(s);
}

static void page_parsed(struct job *j) {
    struct scrape_job *s = CONTAINER_OF(j, struct scrape_job, job);
    struct target *t = s->target;
    struct scraper *scraper = t->scraper;
    scraper->jobs--;
    t->job = NULL;
    bool up = s->err.code == ERR_NONE;
    t->last_duration_ns = clock_mono_ns() - s->began_ns;
    t->last_scrape_ms = s->t_ms;
    t->scraped = true;
    if (!up && (t->up || t->last_error.code == ERR_NONE))
        log_warn("scrape", "target down job=%" STR_F " url=%" STR_F " error=\"%s\"", STR_A(t->settings.job), STR_A(t->settings.url), s->err.msg);
    t->up = up;
    t->last_error = s->err;
    scraper->stats.scrapes++;
    scraper->stats.failed += !up;
    size_t refused = s->unreadable ? ITEMS_UNKNOWN : up ? 0 : s->samples;
    if (refused) scraper->sink->count_refused(scraper->sink, SIGNAL_METRICS, refused);
    scraper->stats.samples += s->batch->sample_n;
    struct scrape_report *r = mem_alloc(sizeof *r);
    *r = (struct scrape_report){t, s->t_ms, (double)t->last_duration_ns / 1e9, s->samples, s->page.n, up};
    scraper->reports++;
    scraper->sink->push_metrics(scraper->sink, TAKE(s->batch), page_stored, r);
    buf_done(&s->page);
    free(s);
}

/* Takes the page. */
static void submit(struct target *t, struct scrape_job *s) {
    struct err e;
    s->job.run = parse_page;
    s->job.done = page_parsed;
    t->scraper->jobs++;
    if (pool_submit(t->scraper->pool, LANE_BACKGROUND, &s->job, &e)) return;
    s->err = e;
    parse_page(&s->job); /* only makes the empty batch */
    page_parsed(&s->job);
}

int64_t scrape_aligned_ms(int64_t *due_ms, int64_t interval_ms, int64_t now_ms) {
    int64_t tolerance = MIN(interval_ms / 100, (int64_t)2), late = now_ms - *due_ms;
    if (*due_ms == 0 || late < 0) return *due_ms = now_ms;
    *due_ms += (late + tolerance) / interval_ms * interval_ms;
    late = now_ms - *due_ms;
    return late <= tolerance ? *due_ms : now_ms; /* less than 0: early, within the tolerance */
}

static struct scrape_job *scrape_job_new(struct target *t) {
    struct scrape_job *s = mem_zalloc(sizeof *s);
    s->target = t;
    s->format = PROM_TEXT;
    s->t_ms = scrape_aligned_ms(&t->due_ms, t->settings.interval_ms, clock_wall_ms());
    s->began_ns = clock_mono_ns();
    t->job = s;
    return s;
}

static void unknown_type(struct err *e, str content_type) {
    if (content_type.n == 0)
        err_set(e, ERR_INPUT, "non-compliant scrape target sending blank Content-Type and no fallback_scrape_protocol specified for target");
    else
        err_set(e, ERR_INPUT, "received unsupported Content-Type \"%" STR_F "\" and no fallback_scrape_protocol specified for target",
                STR_A(str_sub(content_type, 0, 100)));
}

static void fetched(void *arg, const struct http_call_result *r) {
    struct scrape_job *s = arg;
    struct target *t = s->target;
    t->request = NULL;
    s->err = r->err;
    if (r->status && r->status != 200) err_set(&s->err, ERR_IO, "server returned HTTP status %d", r->status);
    s->format = prom_format_of(r->content_type);
    if (s->format == PROM_NONE) s->format = t->settings.fallback;
    if (s->err.code == ERR_NONE && s->format == PROM_NONE) unknown_type(&s->err, r->content_type);
    if (s->err.code == ERR_NONE) buf_add(&s->page, r->body);
    s->gzip = r->gzip && s->err.code == ERR_NONE;
    submit(t, s);
}

static void scrape_now(void *arg) {
    struct target *t = arg;
    if (t->job) return; /* still busy: this interval is lost, as with Prometheus */
    struct scrape_job *s = scrape_job_new(t);
    if (t->settings.url.n == 0) {
        if (t->settings.loop_page) t->settings.loop_page(t->settings.page_arg, &s->page);
        submit(t, s);
        return;
    }
    char timeout[32];
    snprintf(timeout, sizeof timeout, "%.3f", (double)t->settings.timeout_ms / 1e3);
    const struct http_call_header headers[] = {{STR("Accept"), t->settings.native_histograms ? STR(ACCEPT_PROTOBUF ACCEPT_TEXT) : STR(ACCEPT_TEXT)},
                                               {STR("User-Agent"), STR("binnacle/" BN_VERSION)},
                                               {STR("X-Prometheus-Scrape-Timeout-Seconds"), str_c(timeout)}};
    const struct http_call call = {.url = t->settings.url,
                                   .method = STR("GET"),
                                   .headers = headers,
                                   .header_n = ARRAY_N(headers),
                                   .timeout_ms = t->settings.timeout_ms,
                                   .max_body_bytes = t->scraper->body_bytes_max,
                                   .follow_redirects = true,
                                   .keep_encoding = true};
    t->request = http_client_send(t->scraper->client, &call, fetched, s);
}

static void first_scrape(void *arg) {
    struct target *t = arg;
    timer_free(t->timer);
    t->timer = timer_start(t->scraper->loop, (uint64_t)t->settings.interval_ms, (uint64_t)t->settings.interval_ms, scrape_now, t);
    scrape_now(t);
}

struct scraper *scraper_new(struct loop *l, struct pool *pool, struct http_client *client, struct sink *sink, size_t body_bytes_max) {
    struct scraper *s = mem_zalloc(sizeof *s);
    s->loop = l;
    s->pool = pool;
    s->client = client;
    s->sink = sink;
    s->body_bytes_max = body_bytes_max;
    return s;
}

/* "http://host:port/path" -> host:port; the port defaults by scheme, as Prometheus' __address__ would have it. */
static bool url_instance(str url, struct arena *a, str *out, struct err *e) {
    bool tls = str_starts(url, STR("https://"));
    if (!tls && !str_starts(url, STR("http://")))
        return err_set(e, ERR_INPUT, "not a URL of a target: \"%" STR_F "\" (http://host:port/path)", STR_A(url));
    str rest = str_from(url, tls ? 8 : 7), host;
    str_cut(&rest, '/', &host);
    if (host.n == 0) return err_set(e, ERR_INPUT, "no host in \"%" STR_F "\"", STR_A(url));
    bool has_port = str_find_char(host, ':') != STR_NONE && host.p[host.n - 1] != ']';
    *out = has_port ? host : arena_printf(a, "%" STR_F ":%s", STR_A(host), tls ? "443" : "80");
    return true;
}

bool scraper_add(struct scraper *s, const struct scrape_settings *settings, struct err *e) {
    assert_loop_thread();
    struct arena *a = arena_new(1024);
    struct target *t = arena_one(a, struct target);
    t->arena = a;
    t->scraper = s;
    t->settings = *settings;
    t->settings.job = arena_str(a, settings->job);
    t->settings.url = arena_str(a, settings->url);
    str instance = settings->instance;
    if (instance.n == 0 && !url_instance(t->settings.url, a, &instance, e)) return arena_free(a), false;
    size_t n = settings->extra.n + 2;
    struct label *l = arena_new_n(a, struct label, n);
    for (size_t i = 0; i < settings->extra.n; i++) l[i] = settings->extra.l[i];
    l[n - 2] = (struct label){STR("instance"), instance};
    l[n - 1] = (struct label){STR("job"), settings->job};
    if (!labels_sort(l, &n, e)) return arena_free(a), false;
    t->labels = labels_copy(a, (struct labels){l, n});
    t->settings.instance = labels_get(t->labels, STR("instance"));
    vec_push(&s->targets, t);
    uint64_t spread = settings->url.n ? hash_str(settings->url) % (uint64_t)MIN(settings->interval_ms, 1000) : 0;
    t->timer = timer_start(s->loop, spread, 0, first_scrape, t);
    return true;
}

void scraper_free(struct scraper *s) {
    if (!s) return;
    assert(s->jobs == 0); /* the pool goes first */
    for (size_t i = 0; i < s->targets.n; i++) {
        struct target *t = s->targets.p[i];
        timer_free(t->timer);
        if (t->request) {
            http_request_cancel(t->request);
            free(t->job);
        }
    }
    s->closing = true; /* the last page in flight frees the rest */
    drop_closing(s);
}

void scraper_targets(void *arg, struct arena *a, struct target_view **out, size_t *n) {
    const struct scraper *s = arg;
    *out = arena_zalloc(a, s->targets.n * sizeof **out);
    *n = s->targets.n;
    for (size_t i = 0; i < s->targets.n; i++) {
        const struct target *t = s->targets.p[i];
        (*out)[i] = (struct target_view){
            .labels = t->labels,
            .discovered = t->labels,
            .pool = t->settings.job,
            .url = t->settings.url.n ? t->settings.url : arena_printf(a, "binnacle:%" STR_F, STR_A(t->settings.job)),
            .global_url = t->settings.url.n ? t->settings.url : arena_printf(a, "binnacle:%" STR_F, STR_A(t->settings.job)),
            .last_error = arena_str(a, t->last_error.code == ERR_NONE ? STR("") : err_str(&t->last_error)),
            .health = !t->scraped ? STR("unknown")
                      : t->up     ? STR("up")
                                  : STR("down"),
            .last_scrape_ms = t->last_scrape_ms,
            .last_duration_ns = t->last_duration_ns,
            .interval_ms = t->settings.interval_ms,
            .timeout_ms = t->settings.timeout_ms,
        };
    }
}

void scraper_stats(const struct scraper *s, struct scraper_stats *out) {
    *out = s->stats;
    out->targets = s->targets.n;
    out->up = 0;
    for (size_t i = 0; i < s->targets.n; i++) out->up += s->targets.p[i]->scraped && s->targets.p[i]->up;
}
