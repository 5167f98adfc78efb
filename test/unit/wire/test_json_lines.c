#include "wire/json_lines.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <math.h>

#include "unit/wire/hostile.h"

static double from_bits(uint64_t bits) {
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static struct metric_batch *decode(str text, const char *reason) {
    struct metric_batch *b;
    struct otlp_partial partial;
    json_lines_decode(text, (struct labels){NULL, 0}, &b, &partial);
    assert_int_equal(partial.rejected > 0, reason[0] != 0);
    if (!strstr(partial.reason, reason)) fail_msg("got: %s\nwant: %s", partial.reason, reason);
    return b;
}

/* What was decoded, written again. */
static void expect_again(str text, str want) {
    AUTO(metric_batch_free) struct metric_batch *b = decode(text, "");
    AUTO(buf_done) struct buf out = {0};
    for (size_t i = 0; i < b->row_n; i++) {
        struct labels ls;
        struct err e;
        uint32_t at = b->rows[i].sample_at;
        assert_true(b->row_labels(b, i, b->arena, &ls, &e));
        json_lines_put(&out, ls,
                       &(struct samples){b->rows[i].sample_n, b->t_ms + at, b->v + at, b->h ? b->h + at : NULL, b->st_ms ? b->st_ms + at : NULL});
    }
    if (!str_eq(buf_str(&out), want)) fail_msg("got:  %.*s\nwant: %.*s", STR_A(buf_str(&out)), STR_A(want));
}

static void reads_what_it_writes_to_the_bit(void **state) {
    (void)state;
    static const int64_t t_ms[] = {-5, 1, 2, 3, 4, 5, 6, 7, 8, 9}, st_ms[] = {0, 0, 0, 1, 1, 1, 1, 1, 1, 1};
    const double v[] = {1,
                        -0.0,
                        0.1,
                        5e-324,
                        1.7976931348623157e308,
                        INFINITY,
                        -INFINITY,
                        from_bits(NORMAL_NAN_BITS),
                        from_bits(STALE_NAN_BITS),
                        from_bits(UINT64_C(0xfff8000000000abc))};
    static const struct label l[] = {{STR_INIT("__name__"), STR_INIT("m")}, {STR_INIT("t\"x"), STR_INIT("line\nbreak \xc3\xa4")}};
    AUTO(buf_done) struct buf text = {0};
    json_lines_put(&text, (struct labels){l, 2}, &(struct samples){ARRAY_N(v), t_ms, v, NULL, st_ms});
    AUTO(metric_batch_free) struct metric_batch *b = decode(buf_str(&text), "");
    assert_int_equal(b->sample_n, ARRAY_N(v));
    assert_memory_equal(b->v, v, sizeof v);
    assert_memory_equal(b->t_ms, t_ms, sizeof t_ms);
    assert_memory_equal(b->st_ms, st_ms, sizeof st_ms);
    expect_again(buf_str(&text), buf_str(&text));
}

#define HISTOGRAMS                                                                                                                                   \
    "{\"metric\":{\"__name__\":\"h\"},\"values\":[null,2,null,null],\"timestamps\":[1,2,3,4],\"histograms\":[{\"schema\":3,\"count\":9,\"sum\":2.5," \
    "\"zero_threshold\":0.001,\"zero_count\":2,\"reset\":\"no\",\"positive_spans\":[[-2,1],[3,1]],\"positive_counts\":[2,3],"                        \
    "\"negative_spans\":[[0,1]],\"negative_counts\":[2]},null,{\"schema\":-53,\"count\":3,\"sum\":1,\"zero_threshold\":0,\"zero_count\":0,"          \
    "\"reset\":\"gauge\",\"positive_spans\":[[0,2]],\"positive_counts\":[1,2],\"custom_bounds\":[0.5]},{\"schema\":0,\"count\":0,\"sum\":null,"      \
    "\"zero_threshold\":0,\"zero_count\":0,\"reset\":\"unknown\"}]}\n"

static void carries_native_histograms(void **state) {
    (void)state;
    expect_again(STR(HISTOGRAMS), STR(HISTOGRAMS));
    expect_again(
        STR("{\"histograms\":[{\"count\":1,\"zero_count\":1}],\"timestamps\":[5],\"values\":[0],\"metric\":{\"__name__\":\"h\"},\"more\":{}}"),
        STR("{\"metric\":{\"__name__\":\"h\"},\"values\":[null],\"timestamps\":[5],\"histograms\":[{\"schema\":0,\"count\":1,\"sum\":0,"
            "\"zero_threshold\":0,\"zero_count\":1,\"reset\":\"unknown\"}]}\n"));
}

static void refuses_wrong_lines_one_by_one(void **state) {
    (void)state;
    static const struct {
        const char *line, *why;
        size_t samples;
    } cases[] = {
        {"{\"metric\":{\"a\":\"b\"},\"values\":[1],\"timestamps\":[1,2,3]}", "line 2: values has 1 items, timestamps 3", 3},
        {"{\"metric\":{\"a\":\"b\"},\"values\":[1],\"timestamps\":[1],\"start_timestamps\":[1,2]}", "start_timestamps has 2 items", 1},
        {"{\"metric\":{},\"values\":[1],\"timestamps\":[1]}", "no labels", 1},
        {"{\"metric\":{\"\":\"b\"},\"values\":[1],\"timestamps\":[1]}", "a label without a name", 1},
        {"{\"metric\":{\"a\":\"b\",\"a\":\"c\"},\"values\":[1],\"timestamps\":[1]}", "a", 1},
        {"{\"metric\":{\"a\":\"b\"},\"values\":[true],\"timestamps\":[1]}", "expected a number", 1},
        {"{\"metric\":{\"a\":\"b\"},\"values\":[\"NaN:7ff0000000000000\"],\"timestamps\":[1]}", "expected a number", 1},
        {"{\"metric\":{\"a\":\"b\"},\"values\":[1],\"timestamps\":[1.5]}", "line 2: not JSON", 1},
        {"{\"metric\":{\"a\":1},\"values\":[1],\"timestamps\":[1]}", "line 2: not JSON", 1},
        {"[]", "line 2: not JSON", 1},
        {"{\"metric\":{\"a\":\"b\"},\"values\":[null],\"timestamps\":[1],\"histograms\":[{\"schema\":9,\"count\":0}]}", "schema 9", 1},
        {"{\"metric\":{\"a\":\"b\"},\"values\":[null],\"timestamps\":[1],\"histograms\":[{\"count\":2,\"positive_spans\":[[0,1]]}]}",
         "1 buckets, 0 counts", 1},
        {"{\"metric\":{\"a\":\"b\"},\"values\":[null],\"timestamps\":[1],\"histograms\":[{\"reset\":\"maybe\"}]}", "\"gauge\"", 1},
        {"{\"metric\":{\"a\":\"b\"},\"values\":[null],\"timestamps\":[1],\"histograms\":[{\"positive_spans\":[[0]]}]}", "[offset, length]", 1},
    };
    static const char good[] = "{\"metric\":{\"__name__\":\"good\"},\"values\":[1],\"timestamps\":[1]}";
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        AUTO(buf_done) struct buf text = {0};
        struct metric_batch *b;
        struct otlp_partial partial;
        buf_printf(&text, "%s\n%s\n\n%s", good, cases[i].line, good);
        json_lines_decode(buf_str(&text), (struct labels){NULL, 0}, &b, &partial);
        if (b->row_n != 2 || partial.rejected != cases[i].samples || !strstr(partial.reason, cases[i].why))
            fail_msg("%s: %zu rows, %zu rejected: %s", cases[i].line, b->row_n, partial.rejected, partial.reason);
        metric_batch_free(b);
    }
}

static void extra_labels_give_way_to_the_lines_own(void **state) {
    (void)state;
    static const struct label extra[] = {{STR_INIT("a"), STR_INIT("x")}, {STR_INIT("b"), STR_INIT("y")}};
    struct metric_batch *b;
    struct otlp_partial partial;
    struct labels ls;
    struct err e;
    json_lines_decode(STR("{\"metric\":{\"a\":\"own\"},\"values\":[1],\"timestamps\":[1]}"), (struct labels){extra, 2}, &b, &partial);
    assert_true(b->row_labels(b, 0, b->arena, &ls, &e));
    assert_int_equal(ls.n, 2);
    assert_true(str_eq_c(labels_get(ls, STR("a")), "own") && str_eq_c(labels_get(ls, STR("b")), "y"));
    metric_batch_free(b);
}

static void decode_hostile(str message) {
    struct metric_batch *b;
    struct otlp_partial partial;
    json_lines_decode(message, (struct labels){NULL, 0}, &b, &partial);
    metric_batch_free(b);
}
static void survives_every_cut_and_every_changed_byte(void **state) {
    (void)state;
    hostile_truncate(STR(HISTOGRAMS), decode_hostile);
    hostile_flip(STR(HISTOGRAMS), decode_hostile);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_it_writes_to_the_bit),
        cmocka_unit_test(carries_native_histograms),
        cmocka_unit_test(refuses_wrong_lines_one_by_one),
        cmocka_unit_test(extra_labels_give_way_to_the_lines_own),
        cmocka_unit_test(survives_every_cut_and_every_changed_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
