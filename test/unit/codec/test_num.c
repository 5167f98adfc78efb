#include "codec/num.h"

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static uint64_t random_state = 88172645463325252;
static uint64_t next_random(void) { /* xorshift64: the same numbers in every run */
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static bool same_bits(double a, double b) {
    return memcmp(&a, &b, sizeof a) == 0;
}

static const char *format(double v) {
    static char text[NUM_DOUBLE_MAX + 1];
    text[num_format_double(text, v)] = 0;
    return text;
}

static void writes_as_go_does(void **state) {
    (void)state;
    static const struct {
        double v;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {-1, "-1"},
        {100, "100"},
        {0.1, "0.1"},
        {-123.456, "-123.456"},
        {0.000001, "0.000001"},
        {1e-7, "1e-07"},
        {1.5e-7, "1.5e-07"},
        {-9.99999999999999e-7, "-9.99999999999999e-07"},
        {1e20, "100000000000000000000"},
        {123456789012345680000.0, "123456789012345680000"},
        {1e21, "1e+21"},
        {1.2345e100, "1.2345e+100"},
        {5e-324, "5e-324"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {2.2250738585072014e-308, "2.2250738585072014e-308"},
        {9007199254740991, "9007199254740991"},
        {9007199254740992, "9007199254740992"},
        {1e23, "1e+23"},
        {9.5e-3, "0.0095"},
        {4.35, "4.35"},
        {0.3, "0.3"},
        {0.1 + 0.2, "0.30000000000000004"},
        {2e-44, "2e-44"},
    };
    for (size_t i = 0; i < ARRAY_N(cases); i++) assert_string_equal(format(cases[i].v), cases[i].text);
    assert_string_equal(format(NAN), "NaN");
    assert_string_equal(format(-NAN), "NaN");
    assert_string_equal(format(INFINITY), "+Inf");
    assert_string_equal(format(-INFINITY), "-Inf");
}

static void reads_what_go_reads(void **state) {
    (void)state;
    static const struct {
        const char *text;
        double v;
    } good[] = {
        {"0", 0},
        {"-0", -0.0},
        {"+1", 1},
        {"1.", 1},
        {".5", 0.5},
        {"1E+2", 100},
        {"1e-2", 0.01},
        {"00012", 12},
        {"inf", INFINITY},
        {"+Inf", INFINITY},
        {"-INFINITY", -INFINITY},
        {"1e-400", 0},
        {"1e-99999999999999999999", 0},
        {"0e99999999999999999999", 0},
        {"4.9e-324", 5e-324},
        {"2.4703282292062327e-324", 0}, /* below the half of the smallest */
        {"2.4703282292062328e-324", 5e-324},
        {"1.7976931348623158e308", 1.7976931348623157e308},
        {"9007199254740993", 9007199254740992}, /* a tie goes to even */
        {"9007199254740993.00000000000000000000000000000000001", 9007199254740994},
        {"100000000000000000000000000000000000000000000000000e-50", 1},
        {"0.00000000000000000000000000000000000000000000000001e50", 1},
        {"123456789012345678901234567890", 123456789012345678901234567890.0},
    };
    for (size_t i = 0; i < ARRAY_N(good); i++) {
        double v = 77;
        if (!num_parse_double(str_c(good[i].text), &v) || !same_bits(v, good[i].v)) fail_msg("%s gives %.17g", good[i].text, v);
    }
    double v;
    assert_true(num_parse_double(STR("NaN"), &v) && isnan(v));
    assert_true(num_parse_double(STR("nan"), &v) && isnan(v));
    static const char *const bad[] = {"",     " ",   ".",    "-",     "+",   "e5",  "1e",     "1e+",   "1 ",     " 1",   "1_0",
                                      "0x1p", "1,5", "1..2", "1.2.3", "--1", "+-1", "infini", "1e400", "-1e309", "+nan", "nanx"};
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        v = 77;
        if (num_parse_double(str_c(bad[i]), &v) || v != 77) fail_msg("\"%s\" must be refused", bad[i]);
    }
}

/* A double stands for itself: what is written reads back, by us and by the C library, and has no digit too many. */
static void writes_the_shortest_text_that_reads_back(void **state) {
    (void)state;
    for (int i = 0; i < 1000000; i++) {
        uint64_t bits = next_random();
        double v, ours, theirs;
        memcpy(&v, &bits, sizeof v);
        if (!isfinite(v) || v == 0) continue;
        const char *text = format(v);
        theirs = strtod(text, NULL);
        if (!same_bits(v, theirs)) fail_msg("%.17g was written as %s", v, text);
        if (!num_parse_double(str_c(text), &ours) || !same_bits(v, ours)) fail_msg("%s reads as %.17g", text, ours);
        if (i % 50) continue;
        uint64_t digits;
        int exp10, n = 1;
        num_shortest(v, &digits, &exp10);
        char longer[40];
        do snprintf(longer, sizeof longer, "%.*e", n - 1, v);
        while (!same_bits(strtod(longer, NULL), v) && ++n <= 17);
        char ours_digits[24];
        if (snprintf(ours_digits, sizeof ours_digits, "%" PRIu64, digits) > n) fail_msg("%s is longer than %s", text, longer);
    }
}

/* Powers of two have a closer lower neighbour; short decimals are what metrics are made of. */
static void writes_special_values_shortest(void **state) {
    (void)state;
    for (int e = -1074; e < 1024; e++) {
        double v = ldexp(1, e), ours;
        assert_true(num_parse_double(str_c(format(v)), &ours) && same_bits(v, ours));
    }
    for (int i = 0; i < 200000; i++) {
        double v = (double)(next_random() % 1000000000) / 1000;
        char expected[40];
        snprintf(expected, sizeof expected, "%.3f", v);
        size_t n = strlen(expected);
        while (expected[n - 1] == '0') n--;
        if (expected[n - 1] == '.') n--;
        expected[n] = 0;
        assert_string_equal(format(v), expected);
    }
}

static void reads_random_decimals_as_strtod(void **state) {
    (void)state;
    for (int i = 0; i < 1000000; i++) {
        char text[64];
        uint64_t digits = next_random() >> next_random() % 64;
        snprintf(text, sizeof text, "%" PRIu64 "e%d", digits, (int)(next_random() % 660) - 345);
        double ours = 0, theirs = strtod(text, NULL);
        bool ok = num_parse_double(str_c(text), &ours);
        if (ok == isinf(theirs) || (ok && !same_bits(ours, theirs))) fail_msg("%s reads as %.17g", text, ours);
    }
}

/* The point halfway between 1 and its successor, 2^-53 more, has 54 digits: alone it goes to even, one digit at any distance decides. */
static void rounds_halfway_points_of_any_length(void **state) {
    (void)state;
    char text[2000];
    double v;
    int n = snprintf(text, sizeof text, "1.00000000000000011102230246251565404236316680908203125");
    assert_true(num_parse_double(str_n(text, (size_t)n), &v) && v == 1);
    memset(text + n, '0', sizeof text - (size_t)n);
    for (size_t at = (size_t)n; at < sizeof text; at += 97) {
        text[at] = '1';
        assert_true(num_parse_double(str_n(text, sizeof text), &v) && v == 1 + 0x1p-52);
        text[at] = '0';
    }
    assert_true(num_parse_double(str_n(text, sizeof text), &v) && v == 1);
    for (int e = -1074; e < 1000; e += 7) { /* exact decimal expansions of up to 1075 digits */
        double exact = ldexp(3, e);
        n = snprintf(text, sizeof text, "%.1080f", exact);
        assert_true(num_parse_double(str_n(text, (size_t)n), &v) && same_bits(v, exact));
    }
}

static void does_not_care_about_the_locale(void **state) {
    (void)state;
    /* Where the machine has one with a decimal comma; elsewhere this shows the same thing by less. */
    if (!setlocale(LC_ALL, "de_DE.UTF-8")) setlocale(LC_ALL, "C.UTF-8");
    double v;
    assert_true(num_parse_double(STR("1.50000000000000000000000000000000001e300"), &v) && v == 1.5e300);
    assert_string_equal(format(1.5), "1.5");
    setlocale(LC_ALL, "C");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_as_go_does),
        cmocka_unit_test(reads_what_go_reads),
        cmocka_unit_test(writes_the_shortest_text_that_reads_back),
        cmocka_unit_test(writes_special_values_shortest),
        cmocka_unit_test(reads_random_decimals_as_strtod),
        cmocka_unit_test(rounds_halfway_points_of_any_length),
        cmocka_unit_test(does_not_care_about_the_locale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
