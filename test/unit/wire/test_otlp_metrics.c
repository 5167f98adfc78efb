#include "wire/otlp_metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unit/wire/hostile.h"
#include "wire/otlp_names.h"

/* All rows as text: `name{labels} value @ms` per line. */
static str dump(struct arena *a, const struct metric_batch *b) {
    struct buf out = {0};
    for (size_t i = 0; i < b->row_n; i++) {
        struct labels ls;
        struct err e;
        if (!b->row_labels(b, i, a, &ls, &e)) fail_msg("%s", e.msg);
        for (uint32_t k = 0; k < b->rows[i].sample_n; k++) {
            uint32_t at = b->rows[i].sample_at + k;
            labels_put(&out, ls);
            if (b->h && b->h[at])
                buf_printf(&out, " histogram count=%g sum=%g", b->h[at]->count, b->h[at]->sum);
            else if (is_stale_nan(b->v[at]))
                buf_printf(&out, " stale");
            else
                buf_printf(&out, " %g", b->v[at]);
            buf_printf(&out, " @%lld\n", (long long)b->t_ms[at]);
        }
    }
    buf_char(&out, 0);
    str s = arena_str(a, buf_str(&out));
    buf_done(&out);
    return s;
}

static struct otlp_metrics_options options;

static struct otlp_metric_batches decode(const char *json, struct otlp_partial *partial) {
    struct otlp_metric_batches out;
    struct err e;
    if (!otlp_metrics_decode(OTLP_JSON, str_c(json), 99, &options, &out, partial, &e)) fail_msg("%s", e.msg);
    return out;
}

#define RESOURCE(attrs, metrics) "{\"resourceMetrics\":[{\"resource\":{\"attributes\":[" attrs "]},\"scopeMetrics\":[{\"metrics\":[" metrics "]}]}]}"
#define ATTR(key, value) "{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" value "\"}}"
#define SHOP ATTR("service.name", "cart") "," ATTR("service.namespace", "shop") "," ATTR("service.instance.id", "pod-1")

static void expect(const char *json, const char *rows) {
    AUTO(arena_free) struct arena *a = arena_new(4096);
    struct otlp_partial partial;
    struct otlp_metric_batches out = decode(json, &partial);
    assert_int_equal(out.n, 1);
    assert_string_equal(dump(a, out.p[0]).p, rows);
    assert_int_equal(partial.rejected, 0);
    otlp_metric_batches_done(&out);
}

static void a_gauge_is_one_series(void **state) {
    (void)state;
    expect(
        RESOURCE(SHOP,
                 "{\"name\":\"queue.size\",\"unit\":\"{item}\",\"gauge\":{\"dataPoints\":[{\"timeUnixNano\":\"1700000000123000000\",\"asInt\":\"-5\","
                 "\"attributes\":[" ATTR("queue.name", "q") "]}]}}"),
        "queue_size{queue_name=\"q\"} -5 @1700000000123\n");
}

static void a_monotonic_sum_is_a_counter_and_another_a_gauge(void **state) {
    (void)state;
    expect(
        RESOURCE(
            "",
            "{\"name\":\"requests\",\"sum\":{\"aggregationTemporality\":2,\"isMonotonic\":true,\"dataPoints\":[{\"timeUnixNano\":\"5000000\","
            "\"asDouble\":1.5}]}},"
            "{\"name\":\"open\",\"unit\":\"1\",\"sum\":{\"aggregationTemporality\":2,\"dataPoints\":[{\"timeUnixNano\":\"5000000\",\"asInt\":3}]}}"),
        "requests_total 1.5 @5\nopen 3 @5\n");
}

static void a_histogram_becomes_cumulative_buckets(void **state) {
    (void)state;
    expect(RESOURCE("",
                    "{\"name\":\"lat\",\"unit\":\"ms\",\"histogram\":{\"aggregationTemporality\":2,\"dataPoints\":[{\"timeUnixNano\":\"5000000\","
                    "\"count\":\"6\","
                    "\"sum\":30.5,\"bucketCounts\":[\"1\",\"2\",\"3\"],\"explicitBounds\":[1,2.5],\"attributes\":[" ATTR("a", "b") "]}]}}"),
           "lat_milliseconds_bucket{a=\"b\", le=\"1\"} 1 @5\nlat_milliseconds_bucket{a=\"b\", le=\"2.5\"} 3 @5\n"
           "lat_milliseconds_bucket{a=\"b\", le=\"+Inf\"} 6 @5\nlat_milliseconds_sum{a=\"b\"} 30.5 @5\nlat_milliseconds_count{a=\"b\"} 6 @5\n");
}

static void a_summary_becomes_quantiles(void **state) {
    (void)state;
    expect(RESOURCE("",
                    "{\"name\":\"s\",\"summary\":{\"dataPoints\":[{\"timeUnixNano\":\"5000000\",\"count\":4,\"sum\":10,\"quantileValues\":["
                    "{\"quantile\":0.5,\"value\":2},{\"quantile\":0.99,\"value\":4}]}]}}"),
           "s{quantile=\"0.5\"} 2 @5\ns{quantile=\"0.99\"} 4 @5\ns_sum 10 @5\ns_count 4 @5\n");
}

static void resource_attributes_go_to_the_target_and_target_info(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(4096);
    struct otlp_partial partial;
    struct otlp_metric_batches out = decode(RESOURCE(SHOP "," ATTR("k8s.node.name", "n1"),
                                                     "{\"name\":\"up2\",\"gauge\":{\"dataPoints\":[{\"timeUnixNano\":\"7000000\",\"asInt\":1,"
                                                     "\"attributes\":[" ATTR("job", "mine") "]}]}}"),
                                            &partial);
    assert_string_equal(dump(a, out.p[0]).p, "up2 1 @7\ntarget_info{k8s_node_name=\"n1\"} 1 @7\n"); /* the target's job wins */
    assert_true(str_eq(labels_get(out.p[0]->target, STR("job")), STR("shop/cart")));
    assert_true(str_eq(labels_get(out.p[0]->target, STR("instance")), STR("pod-1")));
    otlp_metric_batches_done(&out);
}

static void an_exponential_histogram_becomes_native(void **state) {
    (void)state;
    struct otlp_partial partial;
    struct otlp_metric_batches out =
        decode(RESOURCE("",
                        "{\"name\":\"e\",\"exponentialHistogram\":{\"aggregationTemporality\":2,\"dataPoints\":[{\"timeUnixNano\":\"5000000\","
                        "\"count\":9,\"sum\":3,"
                        "\"scale\":1,\"zeroCount\":2,\"startTimeUnixNano\":\"1000000\",\"positive\":{\"offset\":-1,\"bucketCounts\":[1,0,0,0,4]},"
                        "\"negative\":{\"offset\":3,\"bucketCounts\":[2]}}]}}"),
               &partial);
    const struct histogram *h = out.p[0]->h[0];
    assert_int_equal(h->schema, 1);
    assert_true(h->count == 9 && h->sum == 3 && h->zero_count == 2 && h->zero_threshold == 1e-128);
    assert_int_equal(h->pos_span_n, 2);
    assert_true(h->pos_spans[0].offset == 0 && h->pos_spans[0].n == 1 && h->pos_spans[1].offset == 3 && h->pos_spans[1].n == 1);
    assert_true(h->pos[0] == 1 && h->pos[1] == 4);
    assert_true(h->neg_spans[0].offset == 4 && h->neg[0] == 2);
    assert_true(out.p[0]->st_ms[0] == 1);
    otlp_metric_batches_done(&out);
}

static void a_scale_above_8_is_merged_down(void **state) {
    (void)state;
    struct otlp_partial partial;
    struct otlp_metric_batches out =
        decode(RESOURCE("",
                        "{\"name\":\"e\",\"exponentialHistogram\":{\"aggregationTemporality\":2,\"dataPoints\":[{\"count\":10,\"scale\":10,"
                        "\"positive\":{\"offset\":-3,\"bucketCounts\":[1,2,3,4]}}]}}"),
               &partial);
    const struct histogram *h = out.p[0]->h[0];
    assert_int_equal(h->schema, 8); /* indexes -3 -2 -1 0 -> -1 -1 -1 0, then one up */
    assert_true(h->pos_n == 2 && h->pos[0] == 6 && h->pos[1] == 4 && h->pos_spans[0].offset == 0);
    otlp_metric_batches_done(&out);
}

static void exemplars_go_to_their_bucket(void **state) {
    (void)state;
    struct otlp_partial partial;
    struct otlp_metric_batches out = decode(
        RESOURCE(
            "",
            "{\"name\":\"l\",\"histogram\":{\"aggregationTemporality\":2,\"dataPoints\":[{\"count\":3,\"bucketCounts\":[1,2],\"explicitBounds\":[1],"
            "\"exemplars\":[{\"timeUnixNano\":\"4000000\",\"asDouble\":1,\"traceId\":\"5b8aa5a2d2c872e8321cf37308d69df2\","
            "\"spanId\":\"5fb397be34d26b51\",\"filteredAttributes\":[" ATTR("user.id", "u") "]},{\"asInt\":7}]}]}}"),
        &partial);
    const struct metric_batch *b = out.p[0];
    assert_int_equal(b->exemplar_n, 2);
    assert_true(b->rows[0].exemplar_n == 1 && b->rows[1].exemplar_n == 1 && b->rows[1].exemplar_at == 1);
    assert_true(b->exemplars[0].v == 1 && b->exemplars[0].t_ms == 4 && b->exemplars[1].v == 7);
    assert_true(str_eq(labels_get(b->exemplars[0].labels, STR("trace_id")), STR("5b8aa5a2d2c872e8321cf37308d69df2")));
    assert_true(str_eq(labels_get(b->exemplars[0].labels, STR("span_id")), STR("5fb397be34d26b51")));
    assert_true(str_eq(labels_get(b->exemplars[0].labels, STR("user_id")), STR("u")));
    otlp_metric_batches_done(&out);
}

static void marks_the_rows_of_differences(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(4096);
    struct otlp_partial partial;
    struct otlp_metric_batches out =
        decode(RESOURCE("",
                        "{\"name\":\"g\",\"gauge\":{\"dataPoints\":[{\"asInt\":1}]}},"
                        "{\"name\":\"d\",\"sum\":{\"aggregationTemporality\":1,\"isMonotonic\":true,\"dataPoints\":[{\"asInt\":1},{\"asInt\":2}]}},"
                        "{\"name\":\"g\",\"gauge\":{\"dataPoints\":[{\"asInt\":1}]}},"
                        "{\"name\":\"u\",\"sum\":{\"dataPoints\":[{\"asInt\":1},{\"asInt\":2}]}}"),
               &partial);
    assert_int_equal(partial.rejected, 2);
    assert_non_null(strstr(partial.reason, "metric u: the aggregation temporality is neither"));
    assert_string_equal(dump(a, out.p[0]).p, "g 1 @99\nd_total 1 @99\nd_total 2 @99\ng 1 @99\n");
    assert_memory_equal(out.p[0]->deltas, "\0\1\1\0", 4);
    otlp_metric_batches_done(&out);
}

static void names_follow_the_translation_strategy(void **state) {
    (void)state;
    static const struct {
        const char *strategy, *name, *unit;
        enum otlp_metric_class class;
        const char *expected;
    } rows[] = {
        {"UnderscoreEscapingWithSuffixes", "http.server..duration", "ms", OTLP_CLASS_OTHER, "http_server_duration_milliseconds"},
        {"NoUTF8EscapingWithSuffixes", "http.server.duration", "ms", OTLP_CLASS_OTHER, "http.server.duration_milliseconds"},
        {"NoUTF8EscapingWithSuffixes", "http.requests", "1", OTLP_CLASS_COUNTER, "http.requests_total"},
        {"NoUTF8EscapingWithSuffixes", "http.requests.total", "", OTLP_CLASS_COUNTER, "http.requests_total"},
        {"NoUTF8EscapingWithSuffixes", "disk.io.bytes", "By", OTLP_CLASS_COUNTER, "disk.io_bytes_total"},
        {"NoUTF8EscapingWithSuffixes", "disk.io", "By/s", OTLP_CLASS_GAUGE, "disk.io_bytes_per_second"},
        {"NoUTF8EscapingWithSuffixes", "cpu.use", "1", OTLP_CLASS_GAUGE, "cpu.use_ratio"},
        {"UnderscoreEscapingWithoutSuffixes", "http.server..a__b", "ms", OTLP_CLASS_COUNTER, "http_server_a__b"},
        {"UnderscoreEscapingWithoutSuffixes", "2x", "", OTLP_CLASS_OTHER, "_2x"},
        {"UnderscoreEscapingWithoutSuffixes", "..", "", OTLP_CLASS_OTHER, ""},
        {"NoTranslation", "http.server..duration", "ms", OTLP_CLASS_COUNTER, "http.server..duration"},
    };
    AUTO(arena_free) struct arena *a = arena_new(4096);
    enum otlp_translation how;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        assert_true(otlp_translation_named(str_c(rows[i].strategy), &how));
        str name = otlp_metric_name(a, how, str_c(rows[i].name), str_c(rows[i].unit), rows[i].class);
        assert_string_equal(arena_cstr(a, name), rows[i].expected);
    }
    assert_string_equal(arena_cstr(a, otlp_label_name(a, OTLP_UTF8, STR("k8s.pod.name"))), "k8s.pod.name");
    assert_string_equal(arena_cstr(a, otlp_label_name(a, OTLP_ESCAPED, STR("k8s.pod.name"))), "k8s_pod_name");
    assert_string_equal(arena_cstr(a, otlp_unit_name(a, STR("By/s"))), "bytes_per_second");
    assert_string_equal(arena_cstr(a, otlp_unit_name(a, STR("/s"))), "per_second");
    assert_false(otlp_translation_named(STR("notranslation"), &how));
}

static void promoted_attributes_become_labels_of_every_series(void **state) {
    (void)state;
    static const char json[] =
        RESOURCE(SHOP "," ATTR("k8s.pod.name", "p1") "," ATTR("host", "h1"),
                 "{\"name\":\"g\",\"gauge\":{\"dataPoints\":[{\"asInt\":1},{\"asInt\":2,\"attributes\":[" ATTR("k8s.pod.name", "own") "]}]}}");
    static const str promoted[] = {STR_INIT("k8s.pod.name"), STR_INIT("service.name")};
    options.promoted = promoted;
    options.promoted_n = 2;
    expect(json,
           "g{k8s_pod_name=\"p1\", service_name=\"cart\"} 1 @99\ng{k8s_pod_name=\"own\", service_name=\"cart\"} 2 @99\n"
           "target_info{host=\"h1\", k8s_pod_name=\"p1\"} 1 @99\n");
    options = (struct otlp_metrics_options){.promote_all = true, .keep_identifying = true};
    expect(json,
           "g{host=\"h1\", k8s_pod_name=\"p1\", service_instance_id=\"pod-1\", service_name=\"cart\", service_namespace=\"shop\"} 1 @99\n"
           "g{host=\"h1\", k8s_pod_name=\"own\", service_instance_id=\"pod-1\", service_name=\"cart\", service_namespace=\"shop\"} 2 @99\n"
           "target_info{host=\"h1\", k8s_pod_name=\"p1\", service_instance_id=\"pod-1\", service_name=\"cart\", service_namespace=\"shop\"} 1 @99\n");
    options = (struct otlp_metrics_options){0};
}

static void no_recorded_value_is_a_staleness_marker(void **state) {
    (void)state;
    expect(RESOURCE("", "{\"name\":\"g\",\"gauge\":{\"dataPoints\":[{\"timeUnixNano\":\"5000000\",\"flags\":1}]}}"), "g stale @5\n");
}

static void names_follow_prometheus_rules(void **state) {
    (void)state;
    static const struct {
        const char *name, *unit;
        enum otlp_metric_class class;
        const char *expected;
    } rows[] = {
        {"http.server.request.duration", "s", OTLP_CLASS_OTHER, "http_server_request_duration_seconds"},
        {"system.io", "By/s", OTLP_CLASS_GAUGE, "system_io_bytes_per_second"},
        {"system.io.total", "By", OTLP_CLASS_COUNTER, "system_io_bytes_total"},
        {"cpu.utilization", "1", OTLP_CLASS_GAUGE, "cpu_utilization_ratio"},
        {"requests", "1", OTLP_CLASS_COUNTER, "requests_total"},
        {"requests", "{request}", OTLP_CLASS_COUNTER, "requests_total"},
        {"jvm.memory.used_bytes", "By", OTLP_CLASS_GAUGE, "jvm_memory_used_bytes"},
        {"__a..b__", "", OTLP_CLASS_GAUGE, "a_b"},
        {"2xx", "", OTLP_CLASS_GAUGE, "_2xx"},
        {"speed", "m/s", OTLP_CLASS_GAUGE, "speed_meters_per_second"},
        {"x", "foo bar", OTLP_CLASS_GAUGE, "x_foo_bar"},
        {"...", "", OTLP_CLASS_GAUGE, ""},
    };
    AUTO(arena_free) struct arena *a = arena_new(256);
    for (size_t i = 0; i < ARRAY_N(rows); i++)
        assert_string_equal(arena_cstr(a, otlp_metric_name(a, OTLP_ESCAPED_WITH_SUFFIXES, str_c(rows[i].name), str_c(rows[i].unit), rows[i].class)),
                            rows[i].expected);
    assert_string_equal(arena_cstr(a, otlp_label_name(a, OTLP_ESCAPED_WITH_SUFFIXES, STR("k8s.pod.name"))), "k8s_pod_name");
    assert_string_equal(arena_cstr(a, otlp_label_name(a, OTLP_ESCAPED_WITH_SUFFIXES, STR("2x"))), "key_2x");
    assert_string_equal(arena_cstr(a, otlp_label_name(a, OTLP_ESCAPED_WITH_SUFFIXES, STR("_a"))), "key_a");
    assert_string_equal(arena_cstr(a, otlp_label_name(a, OTLP_ESCAPED_WITH_SUFFIXES, STR("__a"))), "__a");
}

static void labels_that_collide_are_joined(void **state) {
    (void)state;
    expect(RESOURCE("", "{\"name\":\"g\",\"gauge\":{\"dataPoints\":[{\"asInt\":1,\"attributes\":[" ATTR("a.b", "2") "," ATTR("a-b", "1") "]}]}}"),
           "g{a_b=\"1;2\"} 1 @99\n");
}

static void try_both(str message) {
    for (int enc = OTLP_PROTOBUF; enc <= OTLP_JSON; enc++) {
        struct otlp_metric_batches out;
        struct otlp_partial partial;
        struct err e = {0};
        if (otlp_metrics_decode((enum otlp_encoding)enc, message, 0, &options, &out, &partial, &e))
            otlp_metric_batches_done(&out);
        else
            assert_int_not_equal(e.code, ERR_NONE);
    }
}
static void survives_damage_at_every_byte(void **state) {
    (void)state;
    str json =
        STR(RESOURCE(SHOP,
                     "{\"name\":\"e\",\"exponentialHistogram\":{\"aggregationTemporality\":2,\"dataPoints\":[{\"count\":9,\"sum\":3,\"scale\":1,"
                     "\"positive\":{\"offset\":-1,\"bucketCounts\":[1,\"0\",4]}}]}},{\"name\":\"l\",\"histogram\":{\"aggregationTemporality\":2,"
                     "\"dataPoints\":[{\"count\":3,\"bucketCounts\":[1,2],\"explicitBounds\":[1]}]}}"));
    hostile_truncate(json, try_both);
    hostile_flip(json, try_both);
    struct buf b = {0};
    size_t rm = pb_begin(&b, 1), sm = pb_begin(&b, 2), m = pb_begin(&b, 2);
    pb_put_bytes(&b, 1, STR("lat"));
    size_t data = pb_begin(&b, 10), point = pb_begin(&b, 1);
    pb_put_fixed64(&b, 3, 5000000);
    pb_put_fixed64(&b, 4, 3);
    pb_put_sint(&b, 6, 3);
    size_t positive = pb_begin(&b, 8);
    pb_put_sint(&b, 1, -2);
    pb_put_bytes(&b, 2, STR("\x01\x02"));
    pb_end(&b, positive);
    pb_end(&b, point);
    pb_put_u64(&b, 2, 2);
    pb_end(&b, data);
    pb_end(&b, m);
    pb_end(&b, sm);
    pb_end(&b, rm);
    struct otlp_metric_batches out;
    struct otlp_partial partial;
    assert_true(otlp_metrics_decode(OTLP_PROTOBUF, buf_str(&b), 0, &options, &out, &partial, NULL));
    assert_true(out.n == 1 && out.p[0]->h[0]->pos_n == 2 && out.p[0]->h[0]->pos[1] == 2);
    otlp_metric_batches_done(&out);
    hostile_truncate(buf_str(&b), try_both);
    hostile_flip(buf_str(&b), try_both);
    buf_done(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gauge_is_one_series),
        cmocka_unit_test(a_monotonic_sum_is_a_counter_and_another_a_gauge),
        cmocka_unit_test(a_histogram_becomes_cumulative_buckets),
        cmocka_unit_test(a_summary_becomes_quantiles),
        cmocka_unit_test(resource_attributes_go_to_the_target_and_target_info),
        cmocka_unit_test(an_exponential_histogram_becomes_native),
        cmocka_unit_test(a_scale_above_8_is_merged_down),
        cmocka_unit_test(exemplars_go_to_their_bucket),
        cmocka_unit_test(marks_the_rows_of_differences),
        cmocka_unit_test(names_follow_the_translation_strategy),
        cmocka_unit_test(promoted_attributes_become_labels_of_every_series),
        cmocka_unit_test(no_recorded_value_is_a_staleness_marker),
        cmocka_unit_test(names_follow_prometheus_rules),
        cmocka_unit_test(labels_that_collide_are_joined),
        cmocka_unit_test(survives_damage_at_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
