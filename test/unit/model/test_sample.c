#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "model/sample.h"

static void tells_the_stale_marker_from_other_nans(void **state) {
    (void)state;
    assert_true(is_stale_nan(stale_nan()));
    assert_true(isnan(stale_nan()));
    assert_false(is_stale_nan(NAN));
    assert_false(is_stale_nan(0));
}

static void copies_a_histogram_deeply(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(1024);
    struct hist_span spans[] = {{-2, 1}, {3, 2}};
    double counts[] = {1, 2, 3};
    struct histogram h = {.schema = 3, .count = 6, .sum = 10, .pos_span_n = 2, .pos_n = 3, .pos_spans = spans, .pos = counts};
    const struct histogram *c = histogram_copy(a, &h);
    spans[1].offset = 99;
    counts[2] = 99;
    assert_int_equal(c->pos_spans[1].offset, 3);
    assert_true(c->pos[2] == 3 && c->neg == NULL && c->count == 6);
    assert_false(histogram_is_stale(c));
    h.sum = stale_nan();
    assert_true(histogram_is_stale(&h));
}

static void names_types_as_the_metadata_api_writes_them(void **state) {
    (void)state;
    assert_string_equal(metric_type_name(METRIC_UNKNOWN), "unknown");
    assert_string_equal(metric_type_name(METRIC_GAUGEHISTOGRAM), "gaugehistogram");
    assert_string_equal(metric_type_name(METRIC_STATESET), "stateset");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_the_stale_marker_from_other_nans),
        cmocka_unit_test(copies_a_histogram_deeply),
        cmocka_unit_test(names_types_as_the_metadata_api_writes_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
