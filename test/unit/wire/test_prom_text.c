#include "wire/prom_text.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "unit/wire/hostile.h"

static const struct prom_text_options plain = {.default_t_ms = 7, .honor_timestamps = true};
static const struct prom_text_options openmetrics = {.default_t_ms = 7, .honor_timestamps = true, .openmetrics = true};

static struct metric_batch *parse(const char *text, const struct prom_text_options *o) {
    struct metric_batch *b = metric_batch_new(1024);
    struct err e = {0};
    if (!prom_text_parse(arena_str(b->arena, str_c(text)), o, b, &e)) fail_msg("%s", e.msg);
    return b;
}

/* `name{labels} value @ms` per line */
static const char *dump(const struct metric_batch *b) {
    struct buf out = {0};
    for (size_t i = 0; i < b->row_n; i++) {
        struct labels ls;
        struct err e;
        if (!b->row_labels(b, i, b->arena, &ls, &e)) fail_msg("%s", e.msg);
        labels_put(&out, ls);
        buf_printf(&out, " %g @%lld\n", b->v[b->rows[i].sample_at], (long long)b->t_ms[b->rows[i].sample_at]);
    }
    const char *text = arena_cstr(b->arena, buf_str(&out));
    buf_done(&out);
    return text;
}

static void expect(const char *text, const struct prom_text_options *o, const char *rows) {
    AUTO(metric_batch_free) struct metric_batch *b = parse(text, o);
    assert_string_equal(dump(b), rows);
}

static void refuse(const char *text, const struct prom_text_options *o, const char *why) {
    AUTO(metric_batch_free) struct metric_batch *b = metric_batch_new(1024);
    struct err e = {0};
    if (prom_text_parse(arena_str(b->arena, str_c(text)), o, b, &e)) fail_msg("accepted: %s", text);
    assert_int_equal(e.code, ERR_INPUT);
    if (!strstr(e.msg, why)) fail_msg("%s\ngot:  %s\nwant: %s", text, e.msg, why);
}

static void reads_plain_lines(void **state) {
    (void)state;
    expect("# a comment\n\n#another\nup 1\nfoo{a=\"b\",c=\"d\"} 2.5 1500\n  bar\t{ a = \"x\" , }  +Inf\nlast 3", &plain,
           "up 1 @7\nfoo{a=\"b\", c=\"d\"} 2.5 @1500\nbar{a=\"x\"} inf @7\nlast 3 @7\n");
}

static void is_as_lenient_as_prometheus(void **state) {
    (void)state;
    expect("a{b=\"c\"d=\"e\"}1\nx{} 2\n", &plain, "a{b=\"c\", d=\"e\"} 1 @7\nx 2 @7\n");
}

static void reads_utf8_names_in_braces(void **state) {
    (void)state;
    expect("{\"my.metric\",\"l.x\"=\"v\"} 1\n{a=\"b\",\"my \\\"q\\\"\"} 2\n", &plain,
           "{\"my.metric\", \"l.x\"=\"v\"} 1 @7\n{\"my \\\"q\\\"\", a=\"b\"} 2 @7\n");
}

static void unescapes_label_values(void **state) {
    (void)state;
    AUTO(metric_batch_free) struct metric_batch *b = parse("a{b=\"x\\\\y\\n\\\"z\\q{},\"} 1\n", &plain);
    struct labels ls;
    assert_true(b->row_labels(b, 0, b->arena, &ls, NULL));
    assert_true(str_eq(labels_get(ls, STR("b")), STR("x\\y\n\"z\\q{},")));
}

static void keys_are_the_raw_series_text(void **state) {
    (void)state;
    AUTO(metric_batch_free) struct metric_batch *b = parse("foo{a=\"b\"} 1\nbar 2\n", &plain);
    assert_true(str_eq(b->rows[0].key, STR("foo{a=\"b\"}")));
    assert_true(str_eq(b->rows[1].key, STR("bar")));
}

static void normalises_le_and_quantile_by_type(void **state) {
    (void)state;
    expect(
        "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"0.25\"} 1\nh_bucket{le=\"1000000\"} 1\nh_bucket{le=\"inf\"} 1\nh_bucket{le=\"x\"} "
        "1\n"
        "# TYPE s summary\ns{quantile=\"1\",le=\"1\"} 1\n# TYPE g gauge\ng{le=\"1\"} 1\n",
        &plain,
        "h_bucket{le=\"1.0\"} 1 @7\nh_bucket{le=\"0.25\"} 1 @7\nh_bucket{le=\"1e+06\"} 1 @7\nh_bucket{le=\"+Inf\"} 1 @7\nh_bucket{le=\"x\"} 1 @7\n"
        "s{le=\"1\", quantile=\"1.0\"} 1 @7\ng{le=\"1\"} 1 @7\n");
}

static void renames_labels_that_the_target_has(void **state) {
    (void)state;
    static const struct label target[] = {{STR_INIT("instance"), STR_INIT("i")}, {STR_INIT("job"), STR_INIT("j")}};
    struct prom_text_options o = plain;
    o.target = (struct labels){target, 2};
    expect("a{job=\"x\",exported_job=\"y\",instance=\"\"} 1\n", &o, "a{exported_exported_job=\"x\", exported_job=\"y\"} 1 @7\n");
    o.honor_labels = true;
    expect("a{job=\"x\"} 1\n", &o, "a{job=\"x\"} 1 @7\n");
}

static void timestamps_can_be_ignored(void **state) {
    (void)state;
    struct prom_text_options o = plain;
    o.honor_timestamps = false;
    expect("a 1 5\n", &o, "a 1 @7\n");
}

static void collects_metadata(void **state) {
    (void)state;
    AUTO(metric_batch_free)
    struct metric_batch *b = parse("# HELP a one\\ntwo \\\\\n# TYPE a counter\na 1\n#\tTYPE b untyped\n# HELP b\n# HELPX c\n", &plain);
    assert_int_equal(b->meta_n, 2);
    assert_true(str_eq(b->metas[0].family, STR("a")) && b->metas[0].type == METRIC_COUNTER);
    assert_true(str_eq(b->metas[0].help, STR("one\ntwo \\")));
    assert_true(str_eq(b->metas[1].family, STR("b")) && b->metas[1].type == METRIC_UNKNOWN);
}

static void reads_openmetrics(void **state) {
    (void)state;
    AUTO(metric_batch_free)
    struct metric_batch *b = parse(
        "# TYPE a_seconds counter\n# UNIT a_seconds seconds\n# HELP a_seconds say \\\"x\\\"\na_seconds_total{x=\"y\"} 1 2.5 # {trace_id=\"t\"} 0.5 "
        "3\n"
        "a_seconds_created{x=\"y\"} 1.5\n# EOF",
        &openmetrics);
    assert_string_equal(dump(b), "a_seconds_total{x=\"y\"} 1 @2500\na_seconds_created{x=\"y\"} 1.5 @7\n");
    assert_true(str_eq(b->metas[0].unit, STR("seconds")) && str_eq(b->metas[0].help, STR("say \"x\"")));
    assert_int_equal(b->exemplar_n, 1);
    assert_true(b->exemplars[0].v == 0.5 && b->exemplars[0].t_ms == 3000);
    assert_true(str_eq(labels_get(b->exemplars[0].labels, STR("trace_id")), STR("t")));
    assert_true(b->rows[0].exemplar_n == 1 && b->rows[1].exemplar_n == 0);
}

static void says_which_line_is_wrong_and_why(void **state) {
    (void)state;
    refuse("a 1\nb{x='y'} 1\n", &plain, "line 2, column 5: expected a quoted label value: b{x='y'} 1");
    refuse("a true\n", &plain, "line 1, column 3: expected a value: a true");
    refuse("a 1 2 3\n", &plain, "the end of the line");
    refuse("a 1_0\n", &plain, "a value");
    refuse("a 0x1p-3\n", &plain, "a value");
    refuse("{a=\"b\"} 1\n", &plain, "a metric name");
    refuse("a{\"b\"} 1\n", &plain, "only one metric name");
    refuse("# TYPE a counterx\n", &plain, "a metric type");
    refuse("a{b=\"\xff\"} 1\n", &plain, "UTF-8");
    refuse("a 1 1.5\n", &plain, "timestamp");
    refuse("a{b=\"c", &plain, "closing quote");
    refuse("a 1\n", &openmetrics, "\"# EOF\"");
    refuse("a 1\n# EOF\nb 1\n", &openmetrics, "nothing behind");
    refuse("a 1 NaN\n# EOF\n", &openmetrics, "a timestamp in seconds");
    refuse("a{b=\"c\"d=\"e\"} 1\n# EOF\n", &openmetrics, "',' or '}'");
}

static void a_duplicate_label_refuses_its_row(void **state) {
    (void)state;
    AUTO(metric_batch_free) struct metric_batch *b = parse("a{b=\"c\",b=\"d\"} 1\n", &plain);
    struct labels ls;
    struct err e;
    assert_false(b->row_labels(b, 0, b->arena, &ls, &e));
}

static void nan_is_never_the_staleness_marker(void **state) {
    (void)state;
    AUTO(metric_batch_free) struct metric_batch *b = parse("a nan\n", &plain);
    uint64_t bits;
    memcpy(&bits, &b->v[0], 8);
    assert_true(bits == NORMAL_NAN_BITS);
}

static void parse_any(str text) {
    for (int om = 0; om < 2; om++) {
        AUTO(metric_batch_free) struct metric_batch *b = metric_batch_new(256);
        struct err e = {0};
        struct labels ls;
        if (prom_text_parse(text, om ? &openmetrics : &plain, b, &e)) {
            for (size_t i = 0; i < b->row_n; i++)
                if (!b->row_labels(b, i, b->arena, &ls, &e)) assert_int_not_equal(e.code, ERR_NONE);
        } else {
            assert_int_equal(e.code, ERR_INPUT);
        }
    }
}
static void survives_damage_at_every_byte(void **state) {
    (void)state;
    static const char page[] =
        "# HELP a_s text\n# TYPE a_s summary\n# UNIT a_s s\na_s{quantile=\"0.5\",b=\"c\\\\\\n\"} 1.5e3 12 # {t=\"u\"} 1 2\n{\"x.y\",z=\"\xc3\xa4\"} "
        "NaN\n# EOF\n";
    hostile_truncate(str_c(page), parse_any);
    hostile_flip(str_c(page), parse_any);
}

static void created_lines_are_start_times(void **state) {
    (void)state;
    static const char page[] =
        "# TYPE a counter\na_total{x=\"1\"} 5\na_created{x=\"1\"} 1.5\na_total{x=\"2\"} 6\n"
        "# TYPE h histogram\nh_bucket{x=\"1\",le=\"1.0\"} 1\nh_bucket{le=\"+Inf\",x=\"1\"} 2\nh_count{x=\"1\"} 2\n"
        "h_sum{x=\"1\"} 3\nh_created{x=\"1\"} 2\nh_count{x=\"2\"} 9\n"
        "# TYPE s summary\ns{quantile=\"0.5\"} 1\ns_count 2\ns_sum 3\ns_created 4\n"
        "# TYPE g gauge\ng 1\ng_created 4\n# EOF\n";
    static const int64_t starts[] = {1500, 0, 0, 2000, 2000, 2000, 2000, 0, 0, 4000, 4000, 4000, 0, 0, 0};
    AUTO(metric_batch_free) struct metric_batch *b = parse(page, &openmetrics);
    assert_int_equal(b->row_n, ARRAY_N(starts)); /* they stay series too */
    for (size_t i = 0; i < ARRAY_N(starts); i++)
        if (b->st_ms[i] != starts[i]) fail_msg("row %zu starts at %lld, not %lld", i, (long long)b->st_ms[i], (long long)starts[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(created_lines_are_start_times),
        cmocka_unit_test(reads_plain_lines),
        cmocka_unit_test(is_as_lenient_as_prometheus),
        cmocka_unit_test(reads_utf8_names_in_braces),
        cmocka_unit_test(unescapes_label_values),
        cmocka_unit_test(keys_are_the_raw_series_text),
        cmocka_unit_test(normalises_le_and_quantile_by_type),
        cmocka_unit_test(renames_labels_that_the_target_has),
        cmocka_unit_test(timestamps_can_be_ignored),
        cmocka_unit_test(collects_metadata),
        cmocka_unit_test(reads_openmetrics),
        cmocka_unit_test(says_which_line_is_wrong_and_why),
        cmocka_unit_test(a_duplicate_label_refuses_its_row),
        cmocka_unit_test(nan_is_never_the_staleness_marker),
        cmocka_unit_test(survives_damage_at_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
