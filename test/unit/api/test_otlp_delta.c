#include "api/otlp_delta.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "wire/rows.h"

enum { HOUR_MS = 60 * 60 * 1000 };

/* One data point of the series `key`. */
struct diff {
    const char *key;
    int64_t t_ms, start_ms;
    double v;
    const struct histogram *h;
};

static struct metric_batch *batch(const struct diff *p, size_t n) {
    struct rows r = {.batch = metric_batch_new(256)};
    uint8_t *deltas = arena_alloc(r.batch->arena, n);
    for (size_t i = 0; i < n; i++) {
        rows_add(&r, str_c(p[i].key));
        if (p[i].h)
            rows_histogram(&r, p[i].t_ms, p[i].h);
        else
            rows_sample(&r, p[i].t_ms, p[i].v);
        rows_start(&r, p[i].start_ms);
        deltas[i] = p[i].key[0] != '=';
    }
    struct metric_batch *b = r.batch;
    rows_finish(&r);
    b->deltas = deltas;
    return b;
}

/* Applies the points one request each; the totals, `value@time since start`, or `-` for a refused one. */
static void expect_of(struct otlp_deltas *d, int64_t now_ms, const struct diff *p, size_t n, const char *want) {
    AUTO(buf_done) struct buf out = {0};
    for (size_t i = 0; i < n; i++) {
        struct otlp_partial partial = {0};
        AUTO(metric_batch_free) struct metric_batch *b = batch(&p[i], 1);
        otlp_deltas_apply(d, b, now_ms, &partial);
        assert_null(b->deltas);
        assert_int_equal(b->row_n + partial.rejected, 1);
        if (i) buf_char(&out, ' ');
        if (b->row_n == 0) {
            buf_char(&out, '-');
            continue;
        }
        double v = b->h && b->h[0] ? b->h[0]->count : b->v[0];
        buf_printf(&out, "%g@%lld since %lld", v, (long long)b->t_ms[0], (long long)(b->st_ms ? b->st_ms[0] : 0));
    }
    buf_char(&out, 0);
    assert_string_equal(out.p, want);
}
#define EXPECT(d, want, ...)                                 \
    do {                                                     \
        const struct diff points_[] = {__VA_ARGS__};         \
        expect_of(d, 1000, points_, ARRAY_N(points_), want); \
    } while (0)

static void differences_add_up_from_the_start_of_their_stream(void **state) {
    (void)state;
    struct otlp_deltas *d = otlp_deltas_new(10);
    EXPECT(d, "2@10 since 5 5@20 since 5 7@20 since 15 5.5@30 since 5 7@40 since 15", {"a", 10, 5, 2}, {"a", 20, 10, 3}, {"b", 20, 15, 7},
           {"a", 30, 20, .5}, {"b", 40, 20, 0});
    otlp_deltas_free(d);
}

static void a_stream_without_start_begins_at_its_first_time(void **state) {
    (void)state;
    struct otlp_deltas *d = otlp_deltas_new(10);
    EXPECT(d, "2@10 since 10 3@20 since 10", {"a", 10, 0, 2}, {"a", 20, 0, 1});
    otlp_deltas_free(d);
}

static void refuses_what_is_late_or_comes_twice_or_from_before(void **state) {
    (void)state;
    struct otlp_deltas *d = otlp_deltas_new(10);
    struct otlp_deltas_stats s;
    EXPECT(d, "2@10 since 5 - - - 3@20 since 5", {"a", 10, 5, 2}, {"a", 10, 5, 2}, {"a", 9, 5, 2}, {"a", 15, 4, 2}, {"a", 20, 10, 1});
    otlp_deltas_stats(d, &s);
    assert_int_equal(s.refused_order, 2);
    assert_int_equal(s.refused_start, 1);
    otlp_deltas_free(d);
}

static void sums_pass_untouched(void **state) {
    (void)state;
    struct otlp_deltas *d = otlp_deltas_new(10);
    struct otlp_deltas_stats s;
    EXPECT(d, "2@10 since 5 2@20 since 5", {"=a", 10, 5, 2}, {"=a", 20, 5, 2});
    otlp_deltas_stats(d, &s);
    assert_int_equal(s.series, 0);
    otlp_deltas_free(d);
}

static void forgets_streams_that_are_silent_to_make_room(void **state) {
    (void)state;
    struct otlp_deltas *d = otlp_deltas_new(2);
    const struct diff three[] = {{"a", 10, 5, 2}, {"b", 10, 5, 2}, {"c", 10, 5, 2}};
    struct otlp_deltas_stats s;
    expect_of(d, 1000, three, 3, "2@10 since 5 2@10 since 5 -");
    expect_of(d, HOUR_MS, &(struct diff){"a", 20, 10, 1}, 1, "3@20 since 5");
    expect_of(d, HOUR_MS + 61000, &(struct diff){"c", 20, 10, 1}, 1, "1@20 since 10"); /* instead of b */
    expect_of(d, HOUR_MS + 61000, &(struct diff){"a", 30, 20, 1}, 1, "4@30 since 5");
    otlp_deltas_stats(d, &s);
    assert_int_equal(s.series, 2);
    assert_int_equal(s.refused_limit, 1);
    otlp_deltas_free(d);
}

static void histograms_add_up_bucket_by_bucket(void **state) {
    (void)state;
    static const struct hist_span fine[] = {{-1, 4}}, coarse[] = {{0, 2}}, bounds[] = {{0, 2}};
    static const double four[] = {1, 2, 3, 4}, two[] = {10, 20}, limit[] = {0.5};
    const struct histogram a = {.schema = 1, .count = 11, .sum = 5, .zero_count = 1, .pos_span_n = 1, .pos_spans = fine, .pos_n = 4, .pos = four};
    const struct histogram b = {.schema = 0, .count = 30, .sum = 7, .pos_span_n = 1, .pos_spans = coarse, .pos_n = 2, .pos = two};
    const struct histogram c = {
        .schema = HIST_SCHEMA_CUSTOM, .count = 3, .pos_span_n = 1, .pos_spans = bounds, .pos_n = 2, .pos = four, .custom_n = 1, .custom = limit};
    struct otlp_deltas *d = otlp_deltas_new(10);
    struct otlp_partial partial = {0};
    EXPECT(d, "11@10 since 5 22@20 since 5", {"h", 10, 5, 0, &a}, {"h", 20, 10, 0, &a});
    AUTO(metric_batch_free) struct metric_batch *last = batch(&(struct diff){"h", 30, 20, 0, &b}, 1);
    otlp_deltas_apply(d, last, 1000, &partial);
    const struct histogram *h = last->h[0];
    assert_int_equal(h->schema, 0); /* the coarser of both */
    assert_true(h->count == 52 && h->sum == 17 && h->zero_count == 2);
    /* schema 1 indexes -1..2 are schema 0 indexes 0 (-1, 0), 1 (1, 2) */
    assert_int_equal(h->pos_n, 2);
    assert_true(h->pos[0] == 2 * (1 + 2) + 10 && h->pos[1] == 2 * (3 + 4) + 20);
    EXPECT(d, "-", {"h", 40, 30, 0, &c}); /* other buckets cannot be added */
    otlp_deltas_free(d);
}

static void a_stale_marker_passes_and_the_total_goes_on(void **state) {
    (void)state;
    struct otlp_deltas *d = otlp_deltas_new(10);
    EXPECT(d, "2@10 since 5 nan@20 since 5 3@30 since 5", {"a", 10, 5, 2}, {"a", 20, 10, stale_nan()}, {"a", 30, 20, 1});
    otlp_deltas_free(d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(differences_add_up_from_the_start_of_their_stream),  cmocka_unit_test(a_stream_without_start_begins_at_its_first_time),
        cmocka_unit_test(refuses_what_is_late_or_comes_twice_or_from_before), cmocka_unit_test(sums_pass_untouched),
        cmocka_unit_test(forgets_streams_that_are_silent_to_make_room),       cmocka_unit_test(histograms_add_up_bucket_by_bucket),
        cmocka_unit_test(a_stale_marker_passes_and_the_total_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
