#include "codec/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void tells_utf8_from_other_bytes(void **state) {
    (void)state;
    static const str good[] = {STR_INIT(""),
                               STR_INIT("plain ascii, longer than eight bytes"),
                               STR_INIT("\xc2\x80"),
                               STR_INIT("\xdf\xbf"),
                               STR_INIT("\xe0\xa0\x80"),
                               STR_INIT("\xed\x9f\xbf"),
                               STR_INIT("\xee\x80\x80"),
                               STR_INIT("\xf0\x90\x80\x80"),
                               STR_INIT("\xf4\x8f\xbf\xbf"),
                               STR_INIT("a\0b")};
    static const str bad[] = {STR_INIT("\x80"),
                              STR_INIT("\xc0\x80"),
                              STR_INIT("\xc1\xbf"),
                              STR_INIT("\xc3"),
                              STR_INIT("\xe0\x9f\xbf"),
                              STR_INIT("\xed\xa0\x80"),
                              STR_INIT("\xe2\x82"),
                              STR_INIT("\xf0\x8f\xbf\xbf"),
                              STR_INIT("\xf4\x90\x80\x80"),
                              STR_INIT("\xf5\x80\x80\x80"),
                              STR_INIT("\xff"),
                              STR_INIT("12345678\xff"),
                              STR_INIT("1234567\xc3")};
    for (size_t i = 0; i < ARRAY_N(good); i++) assert_true(utf8_valid(good[i]));
    for (size_t i = 0; i < ARRAY_N(bad); i++) assert_false(utf8_valid(bad[i]));
}

static void reads_back_every_code_point(void **state) {
    (void)state;
    struct buf b = {0};
    for (uint32_t cp = 0; cp <= 0x10ffff; cp++) {
        if (cp >= 0xd800 && cp <= 0xdfff) continue;
        uint32_t again;
        buf_clear(&b);
        utf8_put(&b, cp);
        assert_int_equal(utf8_next(buf_str(&b), &again), b.n);
        assert_int_equal(again, cp);
    }
    uint32_t cp;
    assert_int_equal(utf8_next(STR("\xff\xfe"), &cp), 1);
    assert_int_equal(cp, 0xfffd);
    buf_done(&b);
}

static void writes_and_reads_hex(void **state) {
    (void)state;
    struct buf b = {0};
    uint8_t out[4] = {9, 9, 9, 9};
    hex_put(&b, "\x00\x7f\xab\xff", 4);
    assert_true(str_eq(buf_str(&b), STR("007fabff")));
    assert_true(hex_decode(STR("007FabfF"), out, 4));
    assert_memory_equal(out, "\x00\x7f\xab\xff", 4);
    assert_false(hex_decode(STR("007fabf"), out, 4));
    assert_false(hex_decode(STR("007fabff00"), out, 4));
    assert_false(hex_decode(STR("11111x11"), out, 4));
    assert_memory_equal(out, "\x00\x7f\xab\xff", 4);
    buf_done(&b);
}

static void writes_and_reads_base64(void **state) {
    (void)state;
    static const struct {
        str bytes, text;
    } cases[] = {/* RFC 4648 10 */
                 {STR_INIT(""), STR_INIT("")},
                 {STR_INIT("f"), STR_INIT("Zg==")},
                 {STR_INIT("fo"), STR_INIT("Zm8=")},
                 {STR_INIT("foo"), STR_INIT("Zm9v")},
                 {STR_INIT("foob"), STR_INIT("Zm9vYg==")},
                 {STR_INIT("fooba"), STR_INIT("Zm9vYmE=")},
                 {STR_INIT("foobar"), STR_INIT("Zm9vYmFy")},
                 {STR_INIT("\xfb\xff\xbf"), STR_INIT("+/+/")}};
    struct arena *a = arena_new(256);
    struct buf b = {0};
    str out;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        buf_clear(&b);
        base64_put(&b, cases[i].bytes);
        assert_true(str_eq(buf_str(&b), cases[i].text));
        assert_true(base64_decode(cases[i].text, a, &out) && str_eq(out, cases[i].bytes));
    }
    assert_true(base64_decode(STR("-_-_"), a, &out) && str_eq(out, STR("\xfb\xff\xbf")));
    assert_true(base64_decode(STR("Zm8"), a, &out) && str_eq(out, STR("fo")));
    static const str bad[] = {STR_INIT("Z"),    STR_INIT("Zm9v="), STR_INIT("Zm8=="), STR_INIT("Zg="),
                              STR_INIT("Z=m8"), STR_INIT("Zm 9"),  STR_INIT("====")};
    for (size_t i = 0; i < ARRAY_N(bad); i++) assert_false(base64_decode(bad[i], a, &out));
    buf_done(&b);
    arena_free(a);
}

static void decodes_and_encodes_percent_escapes(void **state) {
    (void)state;
    struct arena *a = arena_new(256);
    struct buf b = {0};
    str out;
    assert_true(url_decode(STR("a%20b+c%2B%c3%A9"), true, a, &out) && str_eq(out, STR("a b c+\xc3\xa9")));
    assert_true(url_decode(STR("a+b%00"), false, a, &out) && str_eq(out, STR("a+b\0")));
    assert_false(url_decode(STR("100%"), false, a, &out));
    assert_false(url_decode(STR("%4"), false, a, &out));
    assert_false(url_decode(STR("%zz"), false, a, &out));
    url_encode_put(&b, STR("a b/c~d\xc3\xa9"));
    assert_true(str_eq(buf_str(&b), STR("a%20b%2Fc~d%C3%A9")));
    buf_done(&b);
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_utf8_from_other_bytes), cmocka_unit_test(reads_back_every_code_point),         cmocka_unit_test(writes_and_reads_hex),
        cmocka_unit_test(writes_and_reads_base64),     cmocka_unit_test(decodes_and_encodes_percent_escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
