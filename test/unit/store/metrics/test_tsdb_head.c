#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "codec/regex.h"
#include "store/metrics/refused.h"
#include "unit/store/metrics/help.h"

static struct tsdb *open_memory(struct tsdb_options o) {
    struct tsdb *db;
    struct err e;
    assert_true(tsdb_open(&o, &db, &e));
    return db;
}

static void reads_back_what_was_appended_in_label_order(void **state) {
    (void)state;
    struct tsdb *db = open_memory((struct tsdb_options){0});
    struct metric_batch *b = help_batch("job=x,instance=a");
    help_add(b, "__name__=up,z=1", 1000, 1);
    help_add(b, "__name__=up,a=1", 1000, 0.25);
    help_add(b, "__name__=down", 1000, -3);
    struct push_result r;
    assert_true(tsdb_append_now(db, b, &r, NULL));
    assert_int_equal(r.stored, 3);
    assert_int_equal(r.created, 3);
    help_push(db, "job=x,instance=a", "__name__=up,z=1", 2000, 2);

    AUTO(arena_free) struct arena *a = arena_new(4096);
    struct tsdb_selection *s = help_select(db, "__name__", "up");
    assert_int_equal(tsdb_selection_n(s), 2);
    assert_true(labels_eq(tsdb_selection_labels(s, 0), help_parse(a, "__name__=up,a=1,instance=a,job=x")));
    assert_true(labels_eq(tsdb_selection_labels(s, 1), help_parse(a, "__name__=up,instance=a,job=x,z=1")));
    assert_string_equal(arena_cstr(a, help_text(s, 0, a)), "1000:0.25");
    assert_string_equal(arena_cstr(a, help_text(s, 1, a)), "1000:1 2000:2");
    tsdb_selection_free(s);
    tsdb_close(db);
}

static void keeps_every_bit_of_every_double(void **state) {
    (void)state;
    static const double values[] = {
        0,      -0.0,   1,   0.1, 0.1 + 0.2, 3323.0832533340081,   1e300,   5e-324, 1.2345e-9, INFINITY, -INFINITY, 1e15, 9e15, 1e17, -17.25,
        -17.25, -17.25, 1e6, 2e6, 1e9,       123456789012345678.0, 0.00001, 100000, 1e-15,     3,        3,         3.5,  3.25, 3,    7e11,
        -7e11,  0.3};
    struct tsdb *db = open_memory((struct tsdb_options){0});
    size_t n = ARRAY_N(values);
    uint64_t bits[ARRAY_N(values) + 3];
    memcpy(bits, values, sizeof values);
    bits[n] = STALE_NAN_BITS;
    bits[n + 1] = NORMAL_NAN_BITS;
    bits[n + 2] = UINT64_C(0xfff8000000000000);
    for (size_t i = 0; i < ARRAY_N(bits); i++) {
        double v;
        memcpy(&v, &bits[i], sizeof v);
        assert_int_equal(help_push(db, "", "__name__=m", (int64_t)i * 1000, v).stored, 1);
    }
    AUTO(arena_free) struct arena *a = arena_new(4096);
    struct tsdb_selection *s = help_select(db, "__name__", "m");
    struct samples got;
    assert_true(tsdb_read(s, 0, INT64_MIN, INT64_MAX, a, &got, NULL));
    assert_int_equal(got.n, ARRAY_N(bits));
    assert_memory_equal(got.v, bits, sizeof bits);
    tsdb_selection_free(s);
    tsdb_close(db);
}

static void refuses_duplicates_and_old_samples_but_takes_an_equal_one(void **state) {
    (void)state;
    struct tsdb *db = open_memory((struct tsdb_options){0});
    help_push(db, "", "__name__=m", 1000, 1);
    assert_int_equal(help_push(db, "", "__name__=m", 1000, 1).stored, 1);
    struct push_result r = help_push(db, "", "__name__=m", 1000, 2);
    assert_int_equal(r.rejected, 1);
    assert_non_null(strstr(r.err.msg, "duplicate sample for timestamp"));
    r = help_push(db, "", "__name__=m", 999, 2);
    assert_int_equal(r.rejected, 1);
    assert_non_null(strstr(r.err.msg, "out of order sample"));
    help_check(db, "__name__", "m", "1000:1");
    struct tsdb_stats st;
    tsdb_stats(db, &st);
    assert_int_equal(st.received, 4);
    assert_int_equal(st.stored + st.rejected + st.dropped, 4);
    assert_int_equal(st.rejected_order, 1);
    assert_int_equal(st.rejected_duplicate, 1);
    tsdb_close(db);
}

static void takes_late_samples_within_the_window(void **state) {
    (void)state;
    struct tsdb *db = open_memory((struct tsdb_options){.out_of_order_ms = 10000});
    help_push(db, "job=x", "__name__=m", 1000, 1);
    help_push(db, "job=x", "__name__=other", 1000, 10);
    help_push(db, "job=x", "__name__=m", 20000, 3);
    assert_int_equal(help_push(db, "job=x", "__name__=m", 15000, 2).stored, 1);
    assert_int_equal(help_push(db, "job=x", "__name__=m", 15000, 2).stored, 1);
    assert_int_equal(help_push(db, "job=x", "__name__=m", 15000, 2.5).rejected, 1);
    assert_int_equal(help_push(db, "job=x", "__name__=m", 9000, 2).rejected, 1);
    assert_int_equal(help_push(db, "job=x", "__name__=m", 21000, 4).stored, 1);
    assert_int_equal(help_push(db, "job=x", "__name__=other", 21000, 11).stored, 1);
    help_check(db, "__name__", "m", "1000:1 15000:2 20000:3 21000:4");
    help_check(db, "__name__", "other", "1000:10 21000:11");
    tsdb_close(db);
}

static void gives_a_series_off_the_beat_its_own_clock(void **state) {
    (void)state;
    struct tsdb *db = open_memory((struct tsdb_options){0});
    for (int i = 0; i < 5; i++) help_push(db, "job=x", "__name__=even", 1000 * i, i);
    for (int i = 0; i < 5; i++) help_push(db, "job=x", "__name__=odd", 1000 * i + 500, 10 + i);
    for (int i = 5; i < 7; i++) help_push(db, "job=x", "__name__=even", 1000 * i, i);
    for (int i = 0; i < 3; i++) help_push(db, "job=x", "__name__=late", 2000 * i, 20 + i);
    help_check(db, "__name__", "even", "0:0 1000:1 2000:2 3000:3 4000:4 5000:5 6000:6");
    help_check(db, "__name__", "odd", "500:10 1500:11 2500:12 3500:13 4500:14");
    help_check(db, "__name__", "late", "0:20 2000:21 4000:22");
    tsdb_close(db);
}

static void finds_one_series_under_two_keys_and_two_targets(void **state) {
    (void)state;
    struct tsdb *db = open_memory((struct tsdb_options){0});
    help_push(db, "job=x", "__name__=m,a=1", 1000, 1);
    assert_int_equal(help_push(db, "job=x", "a=1,__name__=m", 2000, 2).created, 0);
    assert_int_equal(help_push(db, "", "a=1,__name__=m,job=x", 3000, 3).created, 0);
    help_check(db, "__name__", "m", "1000:1 2000:2 3000:3");
    tsdb_close(db);
}

static void rejects_a_label_that_target_and_row_both_have(void **state) {
    (void)state;
    struct tsdb *db = open_memory((struct tsdb_options){.label_value_bytes_max = 5, .labels_per_series_max = 3});
    struct push_result r = help_push(db, "job=x", "__name__=m,job=y", 1000, 1);
    assert_int_equal(r.rejected, 1);
    assert_string_equal(r.err.msg, "label \"job\" is given twice");
    assert_int_equal(help_push(db, "job=x", "__name__=m,a=123456", 1000, 1).rejected, 1);
    assert_int_equal(help_push(db, "job=x", "__name__=m,a=1,b=2", 1000, 1).rejected, 1);
    tsdb_close(db);
}

static void drops_new_series_beyond_the_limit_but_never_old_ones(void **state) {
    (void)state;
    struct tsdb *db = open_memory((struct tsdb_options){.series_max = 2});
    help_push(db, "job=x", "__name__=a", 1000, 1);
    help_push(db, "job=x", "__name__=b", 1000, 1);
    struct push_result r = help_push(db, "job=x", "__name__=c", 1000, 1);
    assert_int_equal(r.dropped, 1);
    assert_int_equal(r.err.code, ERR_LIMIT);
    assert_int_equal(help_push(db, "job=x", "__name__=a", 2000, 1).stored, 1);
    tsdb_close(db);
}

static void says_whose_series_were_refused(void **state) {
    (void)state;
    struct tsdb *db = open_memory((struct tsdb_options){.series_max = 1});
    AUTO(arena_free) struct arena *a = arena_new(4096);
    const struct refused_target *top;
    assert_int_equal(help_push(db, "job=old", "__name__=a", 1000, 1).stored, 1);
    assert_int_equal(tsdb_refused_targets(db, a, &top), 0);
    for (int i = 0; i < 2000; i++) { /* many that do little, one that does much */
        char target[40];
        if (i % 2)
            snprintf(target, sizeof target, "instance=%d,job=small", i);
        else
            snprintf(target, sizeof target, "instance=x:80,job=storm");
        char key[40];
        snprintf(key, sizeof key, "__name__=m%d", i);
        struct push_result r = help_push(db, target, key, 1000, 1);
        assert_int_equal(r.dropped, 1);
        if (i == 0)
            assert_string_equal(r.err.msg,
                                "the limit of 1 active series is reached: new series are dropped, 1 samples so far of "
                                "{instance=\"x:80\", job=\"storm\"}");
    }
    size_t n = tsdb_refused_targets(db, a, &top);
    assert_int_equal(n, REFUSED_MAX);
    assert_int_equal(top[0].samples, 1000);
    assert_true(str_eq(str_n(top[0].text, top[0].text_n), STR("{instance=\"x:80\", job=\"storm\"}")));
    assert_int_equal(help_push(db, "job=old", "__name__=a", 2000, 1).stored, 1);
    tsdb_close(db);
}

/* Labels in another order are another key of the same series; remembering all of them would be a way to fill the memory. */
static void forgets_keys_when_one_series_has_too_many(void **state) {
    (void)state;
    struct tsdb *db = open_memory((struct tsdb_options){0});
    for (int i = 0; i < 6000; i++) {
        char key[60]; /* empty values are absent labels */
        snprintf(key, sizeof key, "__name__=a,x%d=", i);
        assert_int_equal(help_push(db, "job=j", key, 1000 + i, 1).stored, 1);
    }
    struct tsdb_stats s;
    tsdb_stats(db, &s);
    assert_int_equal(s.series, 1);
    tsdb_close(db);
}

static void keeps_histograms_and_start_timestamps_among_floats(void **state) {
    (void)state;
    struct tsdb *db = open_memory((struct tsdb_options){0});
    struct hist_span span = {-1, 2};
    double counts[] = {1, 2.5};
    struct histogram h = {.schema = 3, .hint = RESET_GAUGE, .count = 3.5, .sum = 7, .pos_span_n = 1, .pos_n = 2, .pos_spans = &span, .pos = counts};
    struct metric_batch *b = help_batch("");
    b->h = arena_zalloc(b->arena, 8 * sizeof *b->h);
    b->st_ms = arena_zalloc(b->arena, 8 * sizeof *b->st_ms);
    for (int i = 0; i < 6; i++) help_add(b, "__name__=m", 1000 * (i + 1), i);
    b->h[2] = b->h[3] = &h;
    b->st_ms[1] = b->st_ms[2] = b->st_ms[3] = 700;
    struct push_result r;
    assert_true(tsdb_append_now(db, b, &r, NULL));
    help_check(db, "__name__", "m", "1000:0 2000:1@700 3000:h3.5@700 4000:h3.5@700 5000:4 6000:5");
    AUTO(arena_free) struct arena *a = arena_new(4096);
    struct tsdb_selection *s = help_select(db, "__name__", "m");
    struct samples v;
    assert_true(tsdb_read(s, 0, 3000, 3000, a, &v, NULL));
    assert_int_equal(v.n, 1);
    assert_int_equal(v.h[0]->schema, 3);
    assert_int_equal(v.h[0]->hint, RESET_GAUGE);
    assert_int_equal(v.h[0]->pos_spans[0].offset, -1);
    assert_true(v.h[0]->pos[1] == 2.5 && v.h[0]->sum == 7);
    tsdb_selection_free(s);
    tsdb_close(db);
}

static void marks_series_that_left_a_whole_target_as_stale(void **state) {
    (void)state;
    struct tsdb *db = open_memory((struct tsdb_options){0});
    for (int i = 1; i <= 3; i++) {
        struct metric_batch *b = help_batch("job=x");
        b->whole_target = true;
        b->whole_t_ms = 1000 * i;
        if (i < 3) help_add(b, "__name__=a", 1000 * i, i);
        if (i < 2) help_add(b, "__name__=b", 1000 * i, i);
        if (i < 2) help_add(b, "__name__=own_time", 900, i);
        struct push_result r;
        assert_true(tsdb_append_now(db, b, &r, NULL));
    }
    help_check(db, "__name__", "a", "1000:1 2000:2 3000:stale");
    help_check(db, "__name__", "b", "1000:1 2000:stale");
    help_check(db, "__name__", "own_time", "900:1");
    tsdb_close(db);
}

static void freezes_a_selection_against_later_appends(void **state) {
    (void)state;
    struct tsdb *db = open_memory((struct tsdb_options){0});
    help_push(db, "job=x", "__name__=m", 1000, 1);
    struct tsdb_selection *s = help_select(db, "__name__", "m");
    for (int i = 2; i < 500; i++) help_push(db, "job=x", "__name__=m", 1000 * i, i * 1.5);
    AUTO(arena_free) struct arena *a = arena_new(4096);
    assert_string_equal(arena_cstr(a, help_text(s, 0, a)), "1000:1");
    tsdb_selection_free(s);
    tsdb_close(db);
}

static size_t count_matching(struct tsdb *db, const struct matcher *m, size_t n) {
    struct tsdb_selection *s;
    struct err e;
    assert_true(tsdb_select(db, m, n, INT64_MIN, INT64_MAX, 0, &s, &e));
    size_t found = tsdb_selection_n(s);
    tsdb_selection_free(s);
    return found;
}
static void resolves_matchers_on_targets_and_shapes(void **state) {
    (void)state;
    struct tsdb *db = open_memory((struct tsdb_options){0});
    help_push(db, "job=x,pod=p1", "__name__=up", 1000, 1);
    help_push(db, "job=x,pod=p2", "__name__=up", 1000, 1);
    help_push(db, "job=x,pod=p1", "__name__=reqs,code=200", 1000, 1);
    help_push(db, "job=y", "__name__=reqs,pod=p1", 1000, 1);
    struct regex *re;
    struct err e;
    assert_true(regex_new(STR("p[12]"), true, &re, &e));
    const struct matcher up = help_eq("__name__", "up");
    const struct matcher p1 = help_eq("pod", "p1");
    const struct matcher no_pod = {MATCH_EQ, STR("pod"), STR(""), NULL};
    const struct matcher not_p1 = {MATCH_NE, STR("pod"), STR("p1"), NULL};
    const struct matcher any_pod = {MATCH_RE, STR("pod"), STR("p[12]"), re};
    const struct matcher no_code = {MATCH_EQ, STR("code"), STR(""), NULL};
    assert_int_equal(count_matching(db, &up, 1), 2);
    assert_int_equal(count_matching(db, &p1, 1), 3);
    assert_int_equal(count_matching(db, &no_pod, 1), 0);
    assert_int_equal(count_matching(db, &not_p1, 1), 1);
    assert_int_equal(count_matching(db, &any_pod, 1), 4);
    assert_int_equal(count_matching(db, (struct matcher[]){p1, no_code}, 2), 2);
    assert_int_equal(count_matching(db, (struct matcher[]){up, p1}, 2), 1);
    assert_int_equal(count_matching(db, (struct matcher[]){help_eq("job", "nobody")}, 1), 0);
    assert_int_equal(count_matching(db, NULL, 0), 4);
    regex_free(re);
    tsdb_close(db);
}

static void check_strings(str *got, size_t n, const char *want) {
    AUTO(buf_done) struct buf b = {0};
    for (size_t i = 0; i < n; i++) buf_printf(&b, "%s%" STR_F, i ? " " : "", STR_A(got[i]));
    buf_char(&b, '\0');
    assert_string_equal(b.p, want);
}
static void lists_label_names_and_values(void **state) {
    (void)state;
    struct tsdb *db = open_memory((struct tsdb_options){0});
    help_push(db, "job=x,pod=p1", "__name__=up", 1000, 1);
    help_push(db, "job=y,pod=p2", "__name__=reqs,code=200", 1000, 1);
    AUTO(arena_free) struct arena *a = arena_new(4096);
    str *got;
    size_t n;
    struct err e;
    assert_true(tsdb_label_names(db, NULL, 0, 0, 2000, a, &got, &n, &e));
    check_strings(got, n, "__name__ code job pod");
    assert_true(tsdb_label_values(db, STR("job"), NULL, 0, 0, 2000, a, &got, &n, &e));
    check_strings(got, n, "x y");
    struct matcher m = help_eq("__name__", "up");
    assert_true(tsdb_label_names(db, &m, 1, 0, 2000, a, &got, &n, &e));
    check_strings(got, n, "__name__ job pod");
    assert_true(tsdb_label_values(db, STR("pod"), &m, 1, 0, 2000, a, &got, &n, &e));
    check_strings(got, n, "p1");
    assert_true(tsdb_label_values(db, STR("pod"), NULL, 0, 5000, 6000, a, &got, &n, &e));
    assert_int_equal(n, 0);
    tsdb_close(db);
}

static void keeps_metadata_and_exemplars(void **state) {
    (void)state;
    struct tsdb *db = open_memory((struct tsdb_options){0});
    struct metric_batch *b = help_batch("job=x");
    help_add(b, "__name__=reqs_total", 1000, 5);
    struct label id = {STR("trace_id"), STR("abc")};
    b->exemplars = arena_new_n(b->arena, struct exemplar, 1);
    b->exemplars[0] = (struct exemplar){{&id, 1}, 0.5, 0};
    b->exemplar_n = b->rows[0].exemplar_n = 1;
    b->metas = arena_new_n(b->arena, struct metric_meta, 1);
    b->metas[0] = (struct metric_meta){STR("reqs_total"), METRIC_COUNTER, STR("Requests."), STR_NULL};
    b->meta_n = 1;
    struct push_result r;
    assert_true(tsdb_append_now(db, b, &r, NULL));
    AUTO(arena_free) struct arena *a = arena_new(4096);
    struct metric_meta *metas;
    size_t n;
    tsdb_metadata(db, STR(""), a, &metas, &n);
    assert_int_equal(n, 1);
    assert_int_equal(metas[0].type, METRIC_COUNTER);
    assert_true(str_eq_c(metas[0].help, "Requests."));
    struct series_exemplar *found;
    struct matcher m = help_eq("job", "x");
    assert_true(tsdb_exemplars(db, &m, 1, 0, 2000, a, &found, &n, NULL));
    assert_int_equal(n, 1);
    assert_true(labels_eq(found[0].series, help_parse(a, "__name__=reqs_total,job=x")));
    assert_true(labels_eq(found[0].exemplar.labels, (struct labels){&id, 1}));
    assert_int_equal(found[0].exemplar.t_ms, 1000);
    tsdb_close(db);
}

static int own_thread(void **state) {
    (void)state;
    loop_own_thread();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_back_what_was_appended_in_label_order),
        cmocka_unit_test(keeps_every_bit_of_every_double),
        cmocka_unit_test(refuses_duplicates_and_old_samples_but_takes_an_equal_one),
        cmocka_unit_test(takes_late_samples_within_the_window),
        cmocka_unit_test(gives_a_series_off_the_beat_its_own_clock),
        cmocka_unit_test(finds_one_series_under_two_keys_and_two_targets),
        cmocka_unit_test(rejects_a_label_that_target_and_row_both_have),
        cmocka_unit_test(drops_new_series_beyond_the_limit_but_never_old_ones),
        cmocka_unit_test(says_whose_series_were_refused),
        cmocka_unit_test(forgets_keys_when_one_series_has_too_many),
        cmocka_unit_test(keeps_histograms_and_start_timestamps_among_floats),
        cmocka_unit_test(marks_series_that_left_a_whole_target_as_stale),
        cmocka_unit_test(freezes_a_selection_against_later_appends),
        cmocka_unit_test(resolves_matchers_on_targets_and_shapes),
        cmocka_unit_test(lists_label_names_and_values),
        cmocka_unit_test(keeps_metadata_and_exemplars),
    };
    return cmocka_run_group_tests(tests, own_thread, NULL);
}
