#include "store/events/filter.h"
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
// clang-format on

#include "base/clock.h"
#include "store/events/automaton.h"

static bool on_text(const struct filter *f, const char *text) {
    struct value v = value_str(str_c(text));
    return filter_leaf_test(f, &v);
}

static void words_are_matched_as_analysed(void **state) {
    (void)state;
    str word = STR("nullpointerexception"), joined = STR("java.lang.nullpointerexception");
    struct filter f = {.op = FILTER_WORD, .words = &word, .word_n = 1};
    assert_false(on_text(&f, "java.lang.NullPointerException: x"));
    assert_true(on_text(&f, "a NullPointerException"));
    f.words = &joined;
    assert_true(on_text(&f, "java.lang.NullPointerException: x"));
    f = (struct filter){.op = FILTER_WORD_PREFIX, .words = &(str)STR_INIT("conn"), .word_n = 1};
    assert_true(on_text(&f, "the CONNECTION"));
    assert_false(on_text(&f, "reconnect"));
    f = (struct filter){.op = FILTER_WORD_RANGE, .has_lo = true, .lo = STR("connection"), .has_hi = true, .hi = STR("connections"), .hi_open = true};
    assert_true(on_text(&f, "lost Connection"));
    assert_false(on_text(&f, "lost connections"));
}

static bool phrase(const char *query, uint32_t slop, const char *text) {
    str words[8], rest = str_c(query);
    struct filter f = {.op = FILTER_PHRASE, .words = words, .slop = slop};
    for (bool more = true; more;) more = str_cut(&rest, ' ', &words[f.word_n++]);
    return on_text(&f, text);
}
static void phrases_count_displacement_as_lucene(void **state) {
    (void)state;
    assert_true(phrase("quick fox", 0, "the Quick fox"));
    assert_false(phrase("quick fox", 0, "quick brown fox"));
    assert_true(phrase("quick fox", 1, "quick brown fox"));
    assert_false(phrase("quick fox", 1, "fox quick")); /* a swap costs 2 */
    assert_true(phrase("quick fox", 2, "fox quick"));
    assert_true(phrase("the the", 0, "a the the"));
    assert_false(phrase("the the", 5, "only the once"));
    assert_true(phrase("the fox the", 2, "the the fox"));
    assert_false(phrase("a b c", 3, "c b a"));
    assert_true(phrase("a b c", 4, "c b a"));
    assert_false(phrase("missing", 9, "text"));
}

static void phrases_can_end_in_a_prefix(void **state) {
    (void)state;
    str words[] = {STR_INIT("connection"), STR_INIT("ref")};
    struct filter f = {.op = FILTER_PHRASE, .words = words, .word_n = 2, .last_is_prefix = true};
    assert_true(on_text(&f, "connection REFUSED"));
    assert_false(on_text(&f, "connection was refused"));
}

static void arrays_match_by_any_item_and_keep_phrases_apart(void **state) {
    (void)state;
    struct value items[] = {value_str(STR("user login")), value_str(STR("alice")), value_int(7)};
    struct value v = {.type = VAL_ARRAY, .n = 3, .items = items};
    str words[] = {STR_INIT("login"), STR_INIT("alice")};
    struct filter f = {.op = FILTER_PHRASE, .words = words, .word_n = 2};
    assert_false(filter_leaf_test(&f, &v));
    f.slop = 99;
    assert_false(filter_leaf_test(&f, &v));
    f.slop = 100;
    assert_true(filter_leaf_test(&f, &v));
    struct filter number = {.op = FILTER_NUMBER_RANGE, .has_lo = true, .num_lo = 7, .has_hi = true, .num_hi = 7};
    assert_true(filter_leaf_test(&number, &v));
}

static void whole_strings_are_compared_as_they_are(void **state) {
    (void)state;
    str word = STR("ERROR");
    struct filter f = {.op = FILTER_EQ, .words = &word, .word_n = 1};
    assert_true(on_text(&f, "ERROR"));
    assert_false(on_text(&f, "error"));
    f.op = FILTER_PREFIX;
    assert_true(on_text(&f, "ERROR: x"));
    f.op = FILTER_SUBSTRING;
    assert_true(on_text(&f, "an error: x"));
    assert_false(on_text(&f, "an err or"));
    f.op = FILTER_EQ;
    f.words = &(str)STR_INIT("500");
    struct value number = value_int(500);
    assert_true(filter_leaf_test(&f, &number));
}

static void numbers_and_times_have_ranges(void **state) {
    (void)state;
    struct filter f = {.op = FILTER_NUMBER_RANGE, .has_lo = true, .num_lo = 500, .lo_open = true, .has_hi = true, .num_hi = 502};
    struct value v = value_int(500), d = value_double(501.5), b = value_bool(true);
    assert_false(filter_leaf_test(&f, &v));
    assert_true(filter_leaf_test(&f, &d));
    assert_false(on_text(&f, "501"));
    f = (struct filter){.op = FILTER_NUMBER_RANGE, .has_lo = true, .num_lo = 1, .has_hi = true, .num_hi = 1};
    assert_false(filter_leaf_test(&f, &b));
    f = (struct filter){.op = FILTER_EQ, .words = &(str)STR_INIT("true"), .word_n = 1};
    assert_true(filter_leaf_test(&f, &b));
    f = (struct filter){.op = FILTER_TIME_RANGE, .field = STR("when"), .time_lo_ns = 0, .time_hi_ns = NS_PER_S};
    assert_true(on_text(&f, "1970-01-01T00:00:01Z"));
    assert_false(on_text(&f, "1970-01-01T00:00:02Z"));
    v = value_int(1000); /* epoch_millis */
    assert_true(filter_leaf_test(&f, &v));
    f.field = STR("@timestamp"); /* ns */
    f.time_hi_ns = 999;
    assert_false(filter_leaf_test(&f, &v));
}

static void null_and_empty_arrays_do_not_exist(void **state) {
    (void)state;
    struct filter f = {.op = FILTER_EXISTS};
    struct value null = {0}, empty = {.type = VAL_ARRAY}, nulls = {.type = VAL_ARRAY, .n = 1, .items = &null};
    assert_false(filter_leaf_test(&f, &null));
    assert_false(filter_leaf_test(&f, &empty));
    assert_false(filter_leaf_test(&f, &nulls));
    assert_true(on_text(&f, ""));
}

static void fields_fit_by_name_glob_and_keyword(void **state) {
    (void)state;
    static const struct {
        const char *field, *name;
        bool fits;
    } list[] = {{"level", "level", true},        {"level", "levels", false},   {"level.keyword", "level", true}, {"*", "any", true},
                {"kube*.app", "kube.app", true}, {"*name", "host.name", true}, {"*name", "names", false},        {"kube*app*", "kube.apps", true},
                {"a*b*c", "abbc", true},         {"a*b*c", "acb", false},      {"x.keyword", "x.keyword", true}};
    for (size_t i = 0; i < ARRAY_N(list); i++) {
        struct filter f = {.op = FILTER_EXISTS, .field = str_c(list[i].field)};
        if (filter_field_fits(&f, str_c(list[i].name)) != list[i].fits) fail_msg("%s on %s", list[i].field, list[i].name);
    }
}

static void has_a_canonical_text(void **state) {
    (void)state;
    AUTO(arena_free) struct arena *a = arena_new(512);
    struct filter range = {
        .op = FILTER_NUMBER_RANGE, .field = STR("status"), .has_lo = true, .num_lo = 400, .has_hi = true, .num_hi = 500, .hi_open = true};
    struct filter pattern = {.op = FILTER_WORD_WILDCARD, .field = STR("message")};
    struct err e;
    assert_true(automaton_wildcard(STR("conn*"), false, a, &pattern.automaton, &e));
    const struct filter *list[] = {&range, &pattern};
    struct filter both = {.op = FILTER_AND, .children = list, .child_n = 2};
    struct buf b = {0};
    filter_put(&b, &both);
    assert_string_equal(arena_cstr(a, buf_str(&b)), "(and (number_range status [400 TO 500}) (word_wildcard message \"conn\"...))");
    buf_done(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_matched_as_analysed),
        cmocka_unit_test(phrases_count_displacement_as_lucene),
        cmocka_unit_test(phrases_can_end_in_a_prefix),
        cmocka_unit_test(arrays_match_by_any_item_and_keep_phrases_apart),
        cmocka_unit_test(whole_strings_are_compared_as_they_are),
        cmocka_unit_test(numbers_and_times_have_ranges),
        cmocka_unit_test(null_and_empty_arrays_do_not_exist),
        cmocka_unit_test(fields_fit_by_name_glob_and_keyword),
        cmocka_unit_test(has_a_canonical_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
