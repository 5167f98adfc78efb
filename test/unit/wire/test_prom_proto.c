#include "wire/prom_proto.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "codec/pb.h"
#include "codec/varint.h"
#include "unit/wire/hostile.h"
#include "wire/prom_page.h"

static const struct label target_labels[] = {{STR_INIT("instance"), STR_INIT("i")}, {STR_INIT("job"), STR_INIT("j")}};
static const struct prom_text_options options = {
    .default_t_ms = 7, .honor_timestamps = true, .native_histograms = true, .target = {target_labels, 2}};

/* --- writing pages */

enum { COUNTER, GAUGE, SUMMARY, UNTYPED, HISTOGRAM, GAUGE_HISTOGRAM };
static const uint32_t data_field[] = {3, 2, 4, 5, 7, 7};

static void put_label(struct buf *b, uint32_t field, const char *name, const char *value) {
    size_t l = pb_begin(b, field);
    pb_put_bytes(b, 1, str_c(name));
    pb_put_bytes(b, 2, str_c(value));
    pb_end(b, l);
}
static void put_time(struct buf *b, uint32_t field, uint64_t seconds, uint64_t nanos) {
    size_t t = pb_begin(b, field);
    pb_put_u64(b, 1, seconds);
    pb_put_u64(b, 2, nanos);
    pb_end(b, t);
}
static void put_exemplar(struct buf *b, uint32_t field, double v, uint64_t seconds) {
    size_t x = pb_begin(b, field);
    put_label(b, 1, "trace_id", "abc");
    pb_put_double(b, 2, v);
    if (seconds) put_time(b, 3, seconds, 0);
    pb_end(b, x);
}
/* A family of one metric, with label pod="p" and a label the target has too. */
static void put_family(struct buf *page, const char *name, unsigned type, const struct buf *data) {
    AUTO(buf_done) struct buf b = {0};
    pb_put_bytes(&b, 1, str_c(name));
    pb_put_bytes(&b, 2, STR("help"));
    pb_put_u64(&b, 3, type);
    size_t metric = pb_begin(&b, 4);
    put_label(&b, 1, "pod", "p");
    put_label(&b, 1, "job", "own");
    pb_put_bytes(&b, data_field[type], buf_str(data));
    if (type == GAUGE) pb_put_u64(&b, 6, 1234);
    pb_end(&b, metric);
    put_slice(page, buf_str(&b));
}
static void put_span(struct buf *b, uint32_t field, int64_t offset, uint64_t n) {
    size_t s = pb_begin(b, field);
    pb_put_sint(b, 1, offset);
    pb_put_u64(b, 2, n);
    pb_end(b, s);
}
static void put_bucket(struct buf *b, uint64_t count, double bound) {
    size_t k = pb_begin(b, 3);
    pb_put_u64(b, 1, count);
    pb_put_double(b, 2, bound);
    put_exemplar(b, 3, bound / 2, 9);
    pb_end(b, k);
}
/* 7 observations: classic buckets le 1 and 2, native ones 2 and 3, zero bucket 2. */
static void put_histogram(struct buf *b, bool classic, bool native) {
    pb_put_u64(b, 1, 7);
    pb_put_double(b, 2, 2.5);
    if (classic) put_bucket(b, 3, 1), put_bucket(b, 5, 2);
    if (native) {
        pb_put_sint(b, 5, 3);
        pb_put_double(b, 6, 0.001);
        pb_put_u64(b, 7, 2);
        put_span(b, 12, -2, 2);
        pb_put_bytes(b, 13, STR("\x04\x02")); /* 2, 2 + 1 */
    }
    put_time(b, 15, 3, 500000000);
}
static void put_histogram_page(struct buf *page, unsigned type, bool classic, bool native) {
    AUTO(buf_done) struct buf data = {0};
    put_histogram(&data, classic, native);
    put_family(page, "h", type, &data);
}

/* --- reading them */

static struct metric_batch *parse(const struct buf *page, const struct prom_text_options *o) {
    struct metric_batch *b = metric_batch_new(1024);
    struct err e = {0};
    if (!prom_proto_parse(arena_str(b->arena, buf_str(page)), o, b, &e)) fail_msg("%s", e.msg);
    return b;
}

static void expect(const struct buf *page, const struct prom_text_options *o, const char *rows) {
    AUTO(metric_batch_free) struct metric_batch *b = parse(page, o);
    AUTO(buf_done) struct buf out = {0};
    for (size_t i = 0; i < b->row_n; i++) {
        struct labels ls;
        struct err e;
        uint32_t at = b->rows[i].sample_at;
        if (!b->row_labels(b, i, b->arena, &ls, &e)) fail_msg("%s", e.msg);
        labels_put(&out, ls);
        if (b->h && b->h[at])
            buf_printf(&out, " native %g", b->h[at]->count);
        else
            buf_printf(&out, " %g", b->v[at]);
        buf_printf(&out, " @%lld", (long long)b->t_ms[at]);
        if (b->st_ms && b->st_ms[at]) buf_printf(&out, " since %lld", (long long)b->st_ms[at]);
        for (uint32_t x = 0; x < b->rows[i].exemplar_n; x++) buf_printf(&out, " # %g", b->exemplars[b->rows[i].exemplar_at + x].v);
        buf_char(&out, '\n');
    }
    buf_char(&out, 0);
    assert_string_equal(out.p, rows);
}

#define SERIES(name, more) name "{exported_job=\"own\", " more "pod=\"p\"} "

static void reads_numbers_with_their_labels_times_and_exemplars(void **state) {
    (void)state;
    AUTO(buf_done) struct buf page = {0}, counter = {0}, gauge = {0};
    pb_put_double(&counter, 1, 5);
    put_exemplar(&counter, 2, 1, 0);
    put_time(&counter, 3, 2, 0);
    pb_put_double(&gauge, 1, -1.5);
    put_family(&page, "c_total", COUNTER, &counter);
    put_family(&page, "my.gauge", GAUGE, &gauge);
    put_family(&page, "u", UNTYPED, &gauge);
    expect(&page, &options, SERIES("c_total", "") "5 @7 since 2000 # 1\n" "{\"my.gauge\", exported_job=\"own\", pod=\"p\"} -1.5 @1234\n" SERIES("u", "") "-1.5 @7\n");
}

static void reads_summaries(void **state) {
    (void)state;
    AUTO(buf_done) struct buf page = {0}, data = {0};
    pb_put_u64(&data, 1, 4);
    pb_put_double(&data, 2, 8);
    size_t q = pb_begin(&data, 3);
    pb_put_double(&data, 1, 1);
    pb_put_double(&data, 2, 3);
    pb_end(&data, q);
    put_family(&page, "s", SUMMARY, &data);
    expect(&page, &options, SERIES("s_count", "") "4 @7\n" SERIES("s_sum", "") "8 @7\ns{exported_job=\"own\", pod=\"p\", quantile=\"1.0\"} 3 @7\n");
}

#define CLASSIC                                                                                                                        \
    SERIES("h_count", "")                                                                                                              \
    "7 @7 since 3500\n" SERIES("h_sum", "") "2.5 @7 since 3500\n" SERIES("h_bucket", "le=\"1.0\", ") "3 @7 since 3500 # 0.5\n" SERIES( \
        "h_bucket", "le=\"2.0\", ") "5 @7 since 3500 # 1\n" SERIES("h_bucket", "le=\"+Inf\", ") "7 @7 since 3500\n"

static void reads_histograms_as_native_or_classic_ones_or_both(void **state) {
    (void)state;
    AUTO(buf_done) struct buf page = {0};
    put_histogram_page(&page, HISTOGRAM, true, true);
    struct prom_text_options o = options;
    expect(&page, &o, SERIES("h", "") "native 7 @7 since 3500 # 0.5 # 1\n");
    o.classic_histograms = true;
    expect(&page, &o, SERIES("h", "") "native 7 @7 since 3500 # 0.5 # 1\n" CLASSIC);
    o.native_histograms = false;
    expect(&page, &o, CLASSIC);
    buf_clear(&page);
    put_histogram_page(&page, HISTOGRAM, true, false);
    expect(&page, &options, CLASSIC);
}

static void native_buckets_are_counts(void **state) {
    (void)state;
    AUTO(buf_done) struct buf page = {0};
    put_histogram_page(&page, GAUGE_HISTOGRAM, false, true);
    AUTO(metric_batch_free) struct metric_batch *b = parse(&page, &options);
    const struct histogram *h = b->h[0];
    assert_int_equal(h->schema, 3);
    assert_int_equal(h->hint, RESET_GAUGE);
    assert_int_equal(h->pos_span_n, 1);
    assert_int_equal(h->pos_spans[0].offset, -2);
    assert_true(h->pos_n == 2 && h->pos[0] == 2 && h->pos[1] == 3 && h->zero_count == 2 && h->zero_threshold == 0.001);
    assert_int_equal(b->metas[0].type, METRIC_GAUGEHISTOGRAM);
}

static void refuse(const struct buf *page, const char *why) {
    AUTO(metric_batch_free) struct metric_batch *b = metric_batch_new(1024);
    struct err e = {0};
    assert_false(prom_proto_parse(arena_str(b->arena, buf_str(page)), &options, b, &e));
    assert_int_equal(e.code, ERR_INPUT);
    if (!strstr(e.msg, why)) fail_msg("got: %s\nwant: %s", e.msg, why);
}

static void refuses_the_whole_page_for_one_wrong_family(void **state) {
    (void)state;
    AUTO(buf_done) struct buf page = {0}, data = {0}, bad = {0};
    pb_put_double(&data, 1, 5);
    put_family(&page, "good", GAUGE, &data);
    size_t good = page.n;
    put_slice(&page, STR("\x0a\x00"));
    refuse(&page, "without a valid name");
    page.n = good;
    put_family(&page, "\xff", GAUGE, &data);
    refuse(&page, "without a valid name");
    page.n = good;
    put_slice(&page, STR("\x0a\x01x\x18\x09"));
    refuse(&page, "metric type 9 is unknown");
    page.n = good;
    put_slice(&page, STR("\x0a\x01x\x18\x00\x22\x00"));
    refuse(&page, "its type is counter, but it has no such value");
    page.n = good;
    put_histogram(&bad, false, true);
    pb_put_bytes(&bad, 13, STR("\x02"));
    put_family(&page, "h", HISTOGRAM, &bad);
    refuse(&page, "metric h: native histogram: the positive spans have 2 buckets, 3 counts were given");
    page.n = good - 1;
    refuse(&page, "not a page of metric families (at byte 0)");
}

static void decode_hostile(str message) {
    AUTO(metric_batch_free) struct metric_batch *b = metric_batch_new(64);
    struct err e = {0};
    if (!prom_proto_parse(message, &options, b, &e)) assert_int_equal(e.code, ERR_INPUT);
}
static void survives_every_cut_and_every_changed_byte(void **state) {
    (void)state;
    AUTO(buf_done) struct buf page = {0};
    put_histogram_page(&page, HISTOGRAM, true, true);
    hostile_truncate(buf_str(&page), decode_hostile);
    hostile_flip(buf_str(&page), decode_hostile);
}

static void knows_the_formats_by_content_type(void **state) {
    (void)state;
    static const struct {
        const char *type;
        enum prom_format format;
    } cases[] = {
        {"", PROM_NONE},
        {"text/plain", PROM_TEXT},
        {"text/plain; version=0.0.4; charset=utf-8", PROM_TEXT},
        {"application/openmetrics-text; version=1.0.0", PROM_OPENMETRICS},
        {"application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited", PROM_PROTOBUF},
        {"application/vnd.google.protobuf;encoding=\"delimited\" ; proto=io.prometheus.client.MetricFamily;escaping=values", PROM_PROTOBUF},
        {"application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=text", PROM_NONE},
        {"text/html", PROM_NONE},
    };
    for (size_t i = 0; i < ARRAY_N(cases); i++)
        if (prom_format_of(str_c(cases[i].type)) != cases[i].format) fail_msg("%s", cases[i].type);
    enum prom_format format;
    assert_true(prom_format_named(STR("PrometheusProto"), &format) && format == PROM_PROTOBUF);
    assert_false(prom_format_named(STR("prometheusproto"), &format));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_numbers_with_their_labels_times_and_exemplars),
        cmocka_unit_test(reads_summaries),
        cmocka_unit_test(reads_histograms_as_native_or_classic_ones_or_both),
        cmocka_unit_test(native_buckets_are_counts),
        cmocka_unit_test(refuses_the_whole_page_for_one_wrong_family),
        cmocka_unit_test(survives_every_cut_and_every_changed_byte),
        cmocka_unit_test(knows_the_formats_by_content_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
