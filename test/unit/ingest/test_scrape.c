/* The scraper against a real server on the loopback and a sink that writes down what it gets. */
#include "ingest/scrape.h"

#include "base/log.h"
#include "unit/net/http_fixture.h"

/* ---- the target ---- */

static int status;
static const char *page;
static char asked_accept[300], asked_timeout[20];

static void metrics(void *app, struct http_exchange *x) {
    (void)app;
    snprintf(asked_accept, sizeof asked_accept, "%" STR_F, STR_A(http_header(x, STR("Accept"))));
    snprintf(asked_timeout, sizeof asked_timeout, "%" STR_F, STR_A(http_header(x, STR("X-Prometheus-Scrape-Timeout-Seconds"))));
    http_reply(x, (struct http_reply){.status = status, .content_type = STR("text/plain; version=0.0.4"), .body = str_c(page)});
}
static const struct http_route routes[] = {{HTTP_GET, "/metrics", metrics}, {0}};
static const struct http_route *const tables[] = {routes};

/* ---- the sink: "name{labels} value" lines of everything pushed; done is called at once, or kept for later ---- */

struct bed {
    struct fixture f;
    struct sink sink;
    struct pool *pool;
    struct http_client *client;
    struct scraper *scraper;
    struct buf got;
    int reports, want_reports; /* batches with the series up: the last of a scrape */
    size_t refused;
    bool ended; /* a whole batch without samples */
    struct push_result answer;
    bool hold;
    push_done held;
    void *held_arg;
};

static void write_row(struct bed *b, const struct metric_batch *m, size_t i) {
    struct labels own;
    struct err e;
    if (!m->row_labels(m, i, m->arena, &own, &e)) fail_msg("%s", e.msg);
    buf_add(&b->got, labels_get(own, STR("__name__")));
    for (size_t k = 0; k < own.n; k++)
        if (!str_eq(own.l[k].name, STR("__name__"))) buf_printf(&b->got, " %" STR_F "=%" STR_F, STR_A(own.l[k].name), STR_A(own.l[k].value));
    for (size_t k = 0; k < m->target.n; k++) buf_printf(&b->got, " %" STR_F "=%" STR_F, STR_A(m->target.l[k].name), STR_A(m->target.l[k].value));
    buf_printf(&b->got, " %g\n", m->v[m->rows[i].sample_at]);
}

static void push_metrics(struct sink *sink, struct metric_batch *m, push_done done, void *arg) {
    struct bed *b = CONTAINER_OF(sink, struct bed, sink);
    size_t from = b->got.n;
    for (size_t i = 0; i < m->row_n; i++) write_row(b, m, i);
    if (m->whole_target) b->ended = m->sample_n == 0;
    bool is_report = !m->whole_target;
    if (is_report) assert_true(str_starts(str_from(buf_str(&b->got), from), STR("up ")));
    struct push_result r = b->answer;
    r.stored = m->sample_n - r.rejected;
    metric_batch_free(m);
    if (b->hold && done) {
        b->held = done;
        b->held_arg = arg;
        loop_stop(b->f.loop);
        return;
    }
    if (done) done(arg, &r);
    if (is_report && ++b->reports == b->want_reports) loop_stop(b->f.loop);
}

static void count_refused(struct sink *sink, enum signal signal, size_t n) {
    assert_int_equal(signal, SIGNAL_METRICS);
    assert_true(n == ITEMS_UNKNOWN);
    CONTAINER_OF(sink, struct bed, sink)->refused++;
}

static int start(void **state) {
    static struct bed b;
    b = (struct bed){.sink = {.push_metrics = push_metrics, .count_refused = count_refused}, .want_reports = 1};
    fixture_start(&b.f, (struct http_server_config){.tables = tables, .table_n = 1});
    b.client = http_client_new(b.f.loop);
    b.pool = pool_new(b.f.loop, 2, 16);
    b.scraper = scraper_new(b.f.loop, b.pool, b.client, &b.sink, 1 << 20);
    status = 200;
    page = "a_total{x=\"1\"} 5\nb 2.5\n";
    *state = &b;
    return 0;
}
static void finish(struct bed *b) { /* in the order of cmd/serve */
    pool_free(TAKE(b->pool));
    scraper_free(TAKE(b->scraper));
    http_client_free(TAKE(b->client));
}
static int stop(void **state) {
    struct bed *b = *state;
    finish(b);
    fixture_stop(&b->f);
    buf_done(&b->got);
    return 0;
}

static struct scrape_settings settings_for(struct bed *b) {
    return (struct scrape_settings){.job = STR("app"),
                                    .url = arena_printf(b->f.arena, "http://127.0.0.1:%u/metrics", b->f.port),
                                    .instance = STR("here"),
                                    .interval_ms = 50,
                                    .timeout_ms = 2500};
}
static void add(struct bed *b, struct scrape_settings s) {
    struct err e;
    if (!scraper_add(b->scraper, &s, &e)) fail_msg("%s", e.msg);
}
static str scrapes(struct bed *b, int n) {
    b->want_reports = b->reports + n;
    buf_clear(&b->got);
    loop_run(b->f.loop);
    return arena_str(b->f.arena, buf_str(&b->got));
}
static struct target_view view(struct bed *b) {
    struct target_view *views;
    size_t n;
    scraper_targets(b->scraper, b->f.arena, &views, &n);
    assert_int_equal(n, 1);
    return views[0];
}

static void stores_the_page_with_the_targets_labels(void **state) {
    struct bed *b = *state;
    struct label zone = {STR_INIT("zone"), STR_INIT("z1")};
    struct scrape_settings s = settings_for(b);
    s.extra = (struct labels){&zone, 1};
    add(b, s);
    assert_str(view(b).health, "unknown");
    b->answer.created = 2;
    str got = scrapes(b, 1);
    assert_has(got, "a_total x=1 instance=here job=app zone=z1 5\n");
    assert_has(got, "b instance=here job=app zone=z1 2.5\n");
    assert_has(got, "up instance=here job=app zone=z1 1\n");
    assert_has(got, "scrape_samples_scraped instance=here job=app zone=z1 2\n");
    assert_has(got, "scrape_samples_post_metric_relabeling instance=here job=app zone=z1 2\n");
    assert_has(got, "scrape_series_added instance=here job=app zone=z1 2\n");
    assert_has(got, "scrape_duration_seconds instance=here job=app zone=z1 ");
    assert_str(view(b).health, "up");
    assert_str(view(b).last_error, "");
    assert_has(str_c(asked_accept), "application/openmetrics-text;version=1.0.0");
    assert_string_equal(asked_timeout, "2.500");
}

static void comes_again_after_the_interval(void **state) {
    struct bed *b = *state;
    add(b, settings_for(b));
    scrapes(b, 3);
    struct scraper_stats stats;
    scraper_stats(b->scraper, &stats);
    assert_int_equal(stats.scrapes, 3);
    assert_int_equal(stats.failed, 0);
    assert_int_equal(stats.samples, 6);
    assert_int_equal(stats.targets, 1);
    assert_int_equal(stats.up, 1);
}

static void a_target_that_answers_500_is_down_and_its_series_end(void **state) {
    struct bed *b = *state;
    add(b, settings_for(b));
    scrapes(b, 1);
    assert_false(b->ended);
    status = 500;
    str got = scrapes(b, 1);
    assert_has(got, "up instance=here job=app 0\n");
    assert_true(str_find(got, STR("a_total")) == STR_NONE);
    assert_true(b->ended);
    assert_str(view(b).health, "down");
    assert_has(view(b).last_error, "HTTP status 500");
    assert_int_equal(b->refused, 0); /* there was no page to refuse */
    status = 200;
    assert_has(scrapes(b, 1), "a_total");
    assert_str(view(b).health, "up");
}

static void of_a_page_with_a_bad_line_nothing_is_stored(void **state) {
    struct bed *b = *state;
    page = "a_total 5\nb{ 2.5\n";
    add(b, settings_for(b));
    str got = scrapes(b, 1);
    assert_has(got, "up instance=here job=app 0\n");
    assert_true(str_find(got, STR("a_total")) == STR_NONE);
    assert_true(b->ended);
    assert_int_equal(b->refused, 1);
    assert_true(view(b).last_error.n > 0);
}

static void a_target_that_nobody_serves_is_down(void **state) {
    struct bed *b = *state;
    struct scrape_settings s = settings_for(b);
    s.url = STR("http://127.0.0.1:1/metrics");
    s.instance = STR_NULL;
    add(b, s);
    assert_has(scrapes(b, 1), "up instance=127.0.0.1:1 job=app 0\n");
}

static void samples_the_store_refuses_show_in_the_targets_error(void **state) {
    struct bed *b = *state;
    b->answer.rejected = 1;
    err_set(&b->answer.err, ERR_INPUT, "out of order sample");
    add(b, settings_for(b));
    scrapes(b, 1);
    assert_str(view(b).last_error, "1 samples not stored: out of order sample");
    assert_str(view(b).health, "up");
}

static void own_page(void *arg, struct buf *out) {
    assert_false(loop_on_thread());
    buf_printf(out, "own %d\n", *(int *)arg);
}
static void own_loop_page(void *arg, struct buf *out) {
    assert_true(loop_on_thread());
    buf_printf(out, "own %d\n", *(int *)arg);
}
static void functions_of_the_process_are_targets_too(void **state) {
    struct bed *b = *state;
    int answer = 42, other = 43;
    struct scrape_settings s = {
        .job = STR("host"), .instance = STR("here"), .interval_ms = 60000, .timeout_ms = 1000, .page = own_page, .page_arg = &answer};
    add(b, s);
    s.job = STR("self");
    s.page = NULL;
    s.loop_page = own_loop_page;
    s.page_arg = &other;
    add(b, s);
    str got = scrapes(b, 2);
    assert_has(got, "own instance=here job=host 42\n");
    assert_has(got, "own instance=here job=self 43\n");
}

static void refuses_what_is_no_url(void **state) {
    struct bed *b = *state;
    static const char *const bad[] = {"localhost:9100", "ftp://x/", "http://", "http:///metrics"};
    struct err e;
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        struct scrape_settings s = settings_for(b);
        s.url = str_c(bad[i]);
        s.instance = STR_NULL;
        assert_false(scraper_add(b->scraper, &s, &e));
        assert_int_equal(e.code, ERR_INPUT);
    }
}

/* The store answers last of all when binnacle ends: after the scraper was freed. */
static void a_late_answer_of_the_store_finds_the_scraper_gone(void **state) {
    struct bed *b = *state;
    b->hold = true;
    add(b, settings_for(b));
    loop_run(b->f.loop);
    assert_non_null(b->held);
    finish(b);
    b->held(b->held_arg, &(struct push_result){.stored = 2});
    assert_int_equal(b->reports, 0);
}

static void times_of_scrapes_are_those_of_their_intervals(void **state) {
    (void)state;
    static const struct {
        int64_t now, want;
    } cases[] = {{1000, 1000}, {1201, 1200}, {1398, 1400}, {1603, 1603}, {1800, 1800}, {2602, 2600}, {2797, 2797}, {100, 100}, {301, 300}};
    int64_t due = 0;
    for (size_t i = 0; i < ARRAY_N(cases); i++) assert_int_equal(scrape_aligned_ms(&due, 200, cases[i].now), cases[i].want);
    due = 0;
    assert_int_equal(scrape_aligned_ms(&due, 10, 1000), 1000);
    assert_int_equal(scrape_aligned_ms(&due, 10, 1011), 1011); /* too short an interval for any tolerance */
}

int main(void) {
    log_set_level(LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_of_scrapes_are_those_of_their_intervals),
        cmocka_unit_test_setup_teardown(stores_the_page_with_the_targets_labels, start, stop),
        cmocka_unit_test_setup_teardown(comes_again_after_the_interval, start, stop),
        cmocka_unit_test_setup_teardown(a_target_that_answers_500_is_down_and_its_series_end, start, stop),
        cmocka_unit_test_setup_teardown(of_a_page_with_a_bad_line_nothing_is_stored, start, stop),
        cmocka_unit_test_setup_teardown(a_target_that_nobody_serves_is_down, start, stop),
        cmocka_unit_test_setup_teardown(samples_the_store_refuses_show_in_the_targets_error, start, stop),
        cmocka_unit_test_setup_teardown(functions_of_the_process_are_targets_too, start, stop),
        cmocka_unit_test_setup_teardown(refuses_what_is_no_url, start, stop),
        cmocka_unit_test_setup_teardown(a_late_answer_of_the_store_finds_the_scraper_gone, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
