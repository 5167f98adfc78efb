#include "codec/sha512.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"

static void expect(str text, const char *hex) {
    char got[SHA512_HEX];
    for (size_t cut = 0; cut <= text.n; cut += 1 + text.n / 7) { /* parts are one text */
        str parts[] = {str_sub(text, 0, cut), str_from(text, cut)};
        sha512_hex(parts, 2, got);
        assert_memory_equal(got, hex, SHA512_HEX);
    }
}

/* FIPS 180-4 examples, and lengths around the padding (made with Python's hashlib). */
static void hashes_the_examples_of_the_standard(void **state) {
    (void)state;
    expect(STR(""),
           "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e");
    expect(STR("abc"),
           "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
    expect(STR("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"),
           "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909");
}

static void pads_every_length(void **state) {
    (void)state;
    char all[SHA512_HEX], text[300];
    AUTO(buf_done) struct buf chain = {0};
    memset(text, 'a', sizeof text);
    for (size_t n = 0; n <= sizeof text; n++) {
        str part = str_n(text, n);
        sha512_hex(&part, 1, all);
        buf_put(&chain, all, sizeof all);
    }
    str whole = buf_str(&chain);
    sha512_hex(&whole, 1, all);
    assert_memory_equal(
        all, "8ea2f26d94fb96382440574b0fb3993e7a8648d0496057837233e3bfd82c79934e21db9d1da8180e16c321a3308c0ce9104ca573c9f04ad352ec986779d9d00b",
        SHA512_HEX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_the_examples_of_the_standard),
        cmocka_unit_test(pads_every_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
