#include "wire/remote_write.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "codec/compress.h"
#include "unit/wire/hostile.h"

enum { MAX = 1 << 20 };

static void put_label(struct buf *b, const char *name, const char *value) {
    size_t l = pb_begin(b, 1);
    pb_put_bytes(b, 1, str_c(name));
    pb_put_bytes(b, 2, str_c(value));
    pb_end(b, l);
}
static void put_sample(struct buf *b, double v, int64_t t_ms, int64_t start_ms) {
    size_t s = pb_begin(b, 2);
    pb_put_double(b, 1, v);
    pb_put_u64(b, 2, (uint64_t)t_ms);
    if (start_ms) pb_put_u64(b, 3, (uint64_t)start_ms);
    pb_end(b, s);
}
static void put_histogram(struct buf *b, uint32_t field, uint32_t span_length) {
    size_t h = pb_begin(b, field);
    pb_put_u64(b, 1, 10);
    pb_put_double(b, 3, 2.5);
    pb_put_sint(b, 4, 1);
    pb_put_u64(b, 6, 3);
    size_t span = pb_begin(b, 11);
    pb_put_sint(b, 1, -2);
    pb_put_u64(b, 2, span_length);
    pb_end(b, span);
    pb_put_bytes(b, 12, STR("\x04\x02\x01")); /* 2, +1, -1: 2 3 2 */
    pb_put_u64(b, 14, RESET_NO);
    pb_put_u64(b, 15, 7000);
    pb_end(b, h);
}
static void put_request_1(struct buf *b) {
    size_t ts = pb_begin(b, 1);
    put_label(b, "job", "x");
    put_label(b, "__name__", "up"); /* not sorted */
    put_sample(b, 1, 1000, 0);
    put_sample(b, 0, 2000, 0);
    size_t ex = pb_begin(b, 3);
    put_label(b, "trace_id", "abc");
    pb_put_double(b, 2, 0.5);
    pb_put_u64(b, 3, 1500);
    pb_end(b, ex);
    pb_end(b, ts);
    ts = pb_begin(b, 1);
    put_label(b, "__name__", "h");
    put_histogram(b, 4, 3);
    pb_end(b, ts);
    size_t meta = pb_begin(b, 3);
    pb_put_u64(b, 1, METRIC_GAUGE);
    pb_put_bytes(b, 2, STR("up"));
    pb_put_bytes(b, 4, STR("help"));
    pb_end(b, meta);
}
static void put_request_2(struct buf *b, uint64_t last_ref) {
    static const char *const symbols[] = {"", "__name__", "up", "job", "x", "help"};
    size_t ts = pb_begin(b, 5); /* before the symbols: the order is free */
    char refs[4] = {1, 2, 3, (char)last_ref};
    pb_put_bytes(b, 1, str_n(refs, 4));
    put_sample(b, 1, 1000, 500);
    size_t meta = pb_begin(b, 5);
    pb_put_u64(b, 1, METRIC_COUNTER);
    pb_put_u64(b, 3, 5);
    pb_end(b, meta);
    pb_end(b, ts);
    for (size_t i = 0; i < ARRAY_N(symbols); i++) pb_put_bytes(b, 4, str_c(symbols[i]));
}

static bool decode(const struct buf *plain, enum remote_write_version version, struct metric_batch **out, struct otlp_partial *partial,
                   struct err *e) {
    struct buf packed = {0};
    snappy_encode(buf_str(plain), &packed);
    bool ok = remote_write_decode(buf_str(&packed), version, MAX, out, partial, e);
    buf_done(&packed);
    return ok;
}

static void reads_version_1(void **state) {
    (void)state;
    struct buf b = {0};
    struct metric_batch *out;
    struct otlp_partial partial;
    struct labels ls;
    put_request_1(&b);
    assert_true(decode(&b, REMOTE_WRITE_1, &out, &partial, NULL));
    assert_int_equal(out->row_n, 2);
    assert_true(out->row_labels(out, 0, out->arena, &ls, NULL));
    assert_true(ls.n == 2 && str_eq(ls.l[0].name, LABEL_METRIC_NAME) && str_eq(labels_get(ls, STR("job")), STR("x")));
    assert_true(out->rows[0].sample_n == 2 && out->v[0] == 1 && out->t_ms[1] == 2000);
    assert_true(out->rows[0].exemplar_n == 1 && out->exemplars[0].v == 0.5 && out->exemplars[0].t_ms == 1500);
    const struct histogram *h = out->h[out->rows[1].sample_at];
    assert_true(h->schema == 1 && h->count == 10 && h->sum == 2.5 && h->pos_n == 3);
    assert_int_equal(h->hint, RESET_UNKNOWN); /* "no reset" of the sender is not believed */
    assert_true(h->pos[0] == 2 && h->pos[1] == 3 && h->pos[2] == 2 && h->pos_spans[0].offset == -2);
    assert_true(out->meta_n == 1 && out->metas[0].type == METRIC_GAUGE && str_eq(out->metas[0].help, STR("help")));
    assert_int_equal(partial.rejected, 0);
    metric_batch_free(out);
    buf_done(&b);
}

static void reads_version_2(void **state) {
    (void)state;
    struct buf b = {0};
    struct metric_batch *out;
    struct otlp_partial partial;
    struct labels ls;
    put_request_2(&b, 4);
    assert_true(decode(&b, REMOTE_WRITE_2, &out, &partial, NULL));
    assert_int_equal(out->row_n, 1);
    assert_true(out->row_labels(out, 0, out->arena, &ls, NULL));
    assert_true(str_eq(labels_get(ls, LABEL_METRIC_NAME), STR("up")) && str_eq(labels_get(ls, STR("job")), STR("x")));
    assert_true(out->st_ms[0] == 500);
    assert_true(out->meta_n == 1 && out->metas[0].type == METRIC_COUNTER && str_eq(out->metas[0].help, STR("help")));
    metric_batch_free(out);
    buf_done(&b);
}

/* Numbers of symbols mean something else in each request; the key must not. */
static void knows_a_series_of_version_2_by_its_text(void **state) {
    (void)state;
    static const char *const tables[2][5] = {{"", "__name__", "up", "job", "x"}, {"job", "x", "", "up", "__name__"}};
    static const char refs[2][4] = {{1, 2, 3, 4}, {4, 3, 0, 1}};
    struct metric_batch *out[2];
    struct otlp_partial partial;
    for (size_t i = 0; i < 2; i++) {
        struct buf b = {0};
        for (size_t k = 0; k < 5; k++) pb_put_bytes(&b, 4, str_c(tables[i][k]));
        size_t ts = pb_begin(&b, 5);
        pb_put_bytes(&b, 1, str_n(refs[i], 4));
        put_sample(&b, 1, 1000, 0);
        pb_end(&b, ts);
        assert_true(decode(&b, REMOTE_WRITE_2, &out[i], &partial, NULL));
        buf_done(&b);
    }
    assert_true(str_eq(out[0]->rows[0].key, out[1]->rows[0].key));
    metric_batch_free(out[0]);
    metric_batch_free(out[1]);
}

static void puts_scattered_labels_together(void **state) {
    (void)state;
    struct buf b = {0};
    struct metric_batch *out;
    struct otlp_partial partial;
    struct labels ls;
    size_t ts = pb_begin(&b, 1);
    put_label(&b, "__name__", "up");
    put_sample(&b, 1, 1000, 0);
    put_label(&b, "job", "x");
    pb_end(&b, ts);
    assert_true(decode(&b, REMOTE_WRITE_1, &out, &partial, NULL));
    assert_true(out->row_labels(out, 0, out->arena, &ls, NULL));
    assert_true(ls.n == 2 && str_eq(labels_get(ls, STR("job")), STR("x")));
    metric_batch_free(out);
    buf_done(&b);
}

static void refuses_a_symbol_out_of_range(void **state) {
    (void)state;
    struct buf b = {0};
    struct metric_batch *out;
    struct otlp_partial partial;
    struct err e;
    put_request_2(&b, 6);
    assert_false(decode(&b, REMOTE_WRITE_2, &out, &partial, &e));
    assert_string_equal(e.msg, "symbol reference 6 of 6 symbols");
    buf_done(&b);
}

static void refuses_only_the_bad_series(void **state) {
    (void)state;
    struct buf b = {0};
    struct metric_batch *out;
    struct otlp_partial partial;
    size_t ts = pb_begin(&b, 1);
    put_label(&b, "job", "no name");
    put_sample(&b, 1, 1, 0);
    put_sample(&b, 1, 2, 0);
    pb_end(&b, ts);
    ts = pb_begin(&b, 1);
    put_label(&b, "__name__", "twice");
    put_label(&b, "a", "1");
    put_label(&b, "a", "2");
    put_sample(&b, 1, 1, 0);
    pb_end(&b, ts);
    ts = pb_begin(&b, 1);
    put_label(&b, "__name__", "h");
    put_histogram(&b, 4, 9); /* nine buckets announced, three there */
    pb_end(&b, ts);
    put_request_1(&b);
    assert_true(decode(&b, REMOTE_WRITE_1, &out, &partial, NULL));
    ts = pb_begin(&b, 1);
    put_sample(&b, 1, 1, 0); /* no labels at all: there is nothing to ask for later */
    pb_end(&b, ts);
    metric_batch_free(out);
    assert_true(decode(&b, REMOTE_WRITE_1, &out, &partial, NULL));
    assert_int_equal(partial.rejected, 2); /* the histogram and the last */
    assert_int_equal(out->row_n, 4);
    assert_int_equal(out->sample_n, 6);
    struct labels ls;
    struct err e;
    assert_false(out->row_labels(out, 0, out->arena, &ls, &e));
    assert_string_equal(e.msg, "a series without a metric name");
    assert_false(out->row_labels(out, 1, out->arena, &ls, &e));
    assert_non_null(strstr(e.msg, "\"a\""));
    assert_true(out->row_labels(out, 2, out->arena, &ls, &e));
    metric_batch_free(out);
    buf_done(&b);
}

static void refuses_what_is_not_snappy_or_too_large(void **state) {
    (void)state;
    struct metric_batch *out;
    struct otlp_partial partial;
    struct err e;
    struct buf zeros = {0}, packed = {0};
    assert_false(remote_write_decode(STR("\xff\xff\xff\xff\x0fhello"), REMOTE_WRITE_1, MAX, &out, &partial, &e));
    buf_reserve(&zeros, 2 * MAX);
    memset(zeros.p, 0, 2 * MAX);
    zeros.n = 2 * MAX;
    snappy_encode(buf_str(&zeros), &packed);
    assert_false(remote_write_decode(buf_str(&packed), REMOTE_WRITE_1, MAX, &out, &partial, &e));
    assert_int_equal(e.code, ERR_TOO_LARGE);
    buf_done(&zeros);
    buf_done(&packed);
}

static void decode_any(str message) {
    struct buf plain = {.p = (char *)message.p, .n = message.n};
    for (int version = REMOTE_WRITE_1; version <= REMOTE_WRITE_2; version++) {
        struct metric_batch *out;
        struct otlp_partial partial;
        struct labels ls;
        struct err e = {0};
        if (decode(&plain, (enum remote_write_version)version, &out, &partial, &e)) {
            for (size_t i = 0; i < out->row_n; i++) {
                if (!out->row_labels(out, i, out->arena, &ls, &e)) assert_int_equal(e.code, ERR_INPUT);
            }
            metric_batch_free(out);
        } else {
            assert_int_not_equal(e.code, ERR_NONE);
        }
    }
}
static void survives_damage_at_every_byte(void **state) {
    (void)state;
    struct buf b = {0};
    put_request_1(&b);
    hostile_truncate(buf_str(&b), decode_any);
    hostile_flip(buf_str(&b), decode_any);
    buf_clear(&b);
    put_request_2(&b, 4);
    hostile_truncate(buf_str(&b), decode_any);
    hostile_flip(buf_str(&b), decode_any);
    buf_done(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_version_1),
        cmocka_unit_test(reads_version_2),
        cmocka_unit_test(knows_a_series_of_version_2_by_its_text),
        cmocka_unit_test(puts_scattered_labels_together),
        cmocka_unit_test(refuses_a_symbol_out_of_range),
        cmocka_unit_test(refuses_only_the_bad_series),
        cmocka_unit_test(refuses_what_is_not_snappy_or_too_large),
        cmocka_unit_test(survives_damage_at_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
