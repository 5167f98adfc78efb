#include "wire/influx_line.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/clock.h"
#include "unit/wire/hostile.h"

static struct influx_options options = {.now_ms = 7, .unit_ns = 1};

/* The series, `name{labels} value @ms` per line, then what was refused: `(strings, bad lines) reason` */
static void expect(const char *text, const char *want) {
    struct metric_batch *b;
    struct influx_counts counts;
    struct otlp_partial partial;
    struct err e = {0};
    if (!influx_decode(str_c(text), &options, &b, &counts, &partial, &e)) fail_msg("%s", e.msg);
    AUTO(buf_done) struct buf out = {0};
    for (size_t i = 0; i < b->row_n; i++) {
        struct labels ls;
        if (!b->row_labels(b, i, b->arena, &ls, &e)) fail_msg("%s", e.msg);
        labels_put(&out, ls);
        buf_printf(&out, " %g @%lld\n", b->v[b->rows[i].sample_at], (long long)b->t_ms[b->rows[i].sample_at]);
    }
    if (partial.rejected) buf_printf(&out, "(%zu, %zu) %s", counts.strings, counts.bad_lines, partial.reason);
    assert_int_equal(partial.rejected, counts.strings + counts.bad_lines);
    buf_char(&out, 0);
    assert_string_equal(out.p, want);
    metric_batch_free(b);
}

static void fields_become_series(void **state) {
    (void)state;
    expect("cpu,host=a,core=0 user=1.5,sys=2i,idle=3u,up=true,off=F 1700000000123456789\n",
           "cpu_user{core=\"0\", host=\"a\"} 1.5 @1700000000123\ncpu_sys{core=\"0\", host=\"a\"} 2 @1700000000123\n"
           "cpu_idle{core=\"0\", host=\"a\"} 3 @1700000000123\ncpu_up{core=\"0\", host=\"a\"} 1 @1700000000123\n"
           "cpu_off{core=\"0\", host=\"a\"} 0 @1700000000123\n");
    expect("m value=-1e3", "m_value -1000 @7\n");
    expect("# a comment\n\n  m v=1\r\nm v=2\r\n", "m_v 1 @7\nm_v 2 @7\n");
}

static void undoes_escapes(void **state) {
    (void)state;
    expect("a\\,b\\ c,t\\=1=x\\,\\ \\=y,p=C:\\dir f\\ g=1", "{\"a,b c_f g\", p=\"C:\\\\dir\", \"t=1\"=\"x, =y\"} 1 @7\n");
    expect("a=b v=1", "{\"a=b_v\"} 1 @7\n");
}

static void strings_are_skipped_and_counted(void **state) {
    (void)state;
    expect("m s=\"a \\\"quoted\\\" text, with = and\na new line\",v=1\nm v=bad\n",
           "m_v 1 @7\n(1, 1) line 3: unable to parse 'm v=bad': invalid number, boolean or string");
    expect("m s=\"only\"", "(1, 0) ");
}

static void empty_tags_are_left_out(void **state) {
    (void)state;
    expect("m,a=,b=1 v=1", "m_v{b=\"1\"} 1 @7\n");
}

static void refuses_wrong_lines_one_by_one(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"m", "missing fields"},
        {"m ", "missing field key"},
        {",a=b v=1", "missing measurement"},
        {"m,a v=1", "missing tag value"},
        {"m,=b v=1", "missing tag key"},
        {"m,a=b,a=c v=1", "duplicate tags"},
        {"m v", "missing field value"},
        {"m v=", "missing field value"},
        {"m v=1i2", "invalid number"},
        {"m v=9223372036854775808i", "invalid number"},
        {"m v=-1u", "invalid number"},
        {"m v=nan", "invalid number"},
        {"m v=\"open", "unbalanced quotes"},
        {"m v=1 soon", "bad timestamp"},
        {"m v=1 1 2", "text behind"},
        {"m v=\"s\"x", "text behind a field value"},
        {"m,__name__=x v=1", "a tag named __name__"},
        {"m\xff v=1", "not UTF-8"},
        {"m,a=b=c v=1", "must be escaped"},
        {"m v=1,", "missing field key"},
    };
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct metric_batch *b;
        struct influx_counts counts;
        struct otlp_partial partial;
        struct err e;
        char text[200];
        int n = snprintf(text, sizeof text, "good v=1 5\n%s", cases[i][0]);
        assert_true(influx_decode(str_n(text, (size_t)n), &options, &b, &counts, &partial, &e));
        if (b->row_n != 1 || b->sample_n != 1 || counts.bad_lines != 1 || !strstr(partial.reason, cases[i][1]) ||
            !str_starts(str_c(partial.reason), STR("line 2: unable to parse '")))
            fail_msg("%s: %zu rows, %s", cases[i][0], b->row_n, partial.reason);
        metric_batch_free(b);
    }
}

static void times_are_in_the_unit_asked_for(void **state) {
    (void)state;
    static const struct {
        const char *unit;
        int64_t t_ms;
    } cases[] = {{"ns", 0}, {"u", 2}, {"ms", 2000}, {"s", 2000000}, {"m", 120000000}, {"h", 7200000000}};
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct influx_options o = options;
        struct metric_batch *b;
        struct influx_counts counts;
        struct otlp_partial partial;
        struct err e;
        assert_true(influx_precision(str_c(cases[i].unit), &o.unit_ns));
        assert_true(influx_decode(STR("m v=1 2000"), &o, &b, &counts, &partial, &e));
        assert_int_equal(b->t_ms[0], cases[i].t_ms);
        metric_batch_free(b);
        assert_true(influx_decode(STR("m v=1 9223372036854775807"), &o, &b, &counts, &partial, &e));
        assert_int_equal(counts.bad_lines, o.unit_ns > NS_PER_MS);
        metric_batch_free(b);
    }
    int64_t unit;
    assert_false(influx_precision(STR("d"), &unit));
}

static void the_database_is_a_label(void **state) {
    (void)state;
    static const struct label extra[] = {{STR_INIT("env"), STR_INIT("dev")}};
    options.db = STR("telegraf");
    options.extra = (struct labels){extra, 1};
    expect("m v=1\nm,db=own,env=prod v=2", "m_v{db=\"telegraf\", env=\"dev\"} 1 @7\nm_v{db=\"own\", env=\"prod\"} 2 @7\n");
    options.db = STR("");
    options.extra.n = 0;
}

static void refuses_what_unfolds_to_too_much(void **state) {
    (void)state;
    struct influx_options o = options;
    struct metric_batch *b;
    struct influx_counts counts;
    struct otlp_partial partial;
    struct err e;
    o.decoded_max = 1000;
    AUTO(buf_done) struct buf text = {0};
    buf_printf(&text, "m,t=%0300d a=1", 0);
    for (int i = 0; i < 10; i++) buf_printf(&text, ",f%d=1", i);
    assert_false(influx_decode(buf_str(&text), &o, &b, &counts, &partial, &e));
    assert_int_equal(e.code, ERR_TOO_LARGE);
}

static void decode_hostile(str message) {
    struct metric_batch *b;
    struct influx_counts counts;
    struct otlp_partial partial;
    struct err e;
    if (influx_decode(message, &options, &b, &counts, &partial, &e)) metric_batch_free(b);
}
static void survives_every_cut_and_every_changed_byte(void **state) {
    (void)state;
    str text = STR("cpu,host=a\\ b,c=\"d user=1.5,s=\"x\\\"y\",n=3i 1700000000123456789\nb v=t\n");
    hostile_truncate(text, decode_hostile);
    hostile_flip(text, decode_hostile);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_become_series),
        cmocka_unit_test(undoes_escapes),
        cmocka_unit_test(strings_are_skipped_and_counted),
        cmocka_unit_test(empty_tags_are_left_out),
        cmocka_unit_test(refuses_wrong_lines_one_by_one),
        cmocka_unit_test(times_are_in_the_unit_asked_for),
        cmocka_unit_test(the_database_is_a_label),
        cmocka_unit_test(refuses_what_unfolds_to_too_much),
        cmocka_unit_test(survives_every_cut_and_every_changed_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
