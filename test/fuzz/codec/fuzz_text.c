/* UTF-8, hex, base64 and percent escapes: what decodes encodes back to the same meaning. */
#include "codec/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena *a = arena_new(4096);
    struct buf b = {0};
    str s = str_n(data, size), out, again;
    bool all_valid = true;
    for (size_t at = 0; at < s.n;) {
        uint32_t cp;
        size_t n = utf8_next(str_from(s, at), &cp);
        assert(n >= 1 && n <= s.n - at);
        all_valid &= utf8_length(str_from(s, at)) != 0;
        at += n;
    }
    assert(all_valid == utf8_valid(s));
    if (base64_decode(s, a, &out)) {
        base64_put(&b, out);
        assert(base64_decode(buf_str(&b), a, &again) && str_eq(out, again));
        buf_clear(&b);
    }
    if (url_decode(s, true, a, &out)) {
        url_encode_put(&b, out);
        assert(url_decode(buf_str(&b), false, a, &again) && str_eq(out, again));
        buf_clear(&b);
    }
    hex_put(&b, data, size);
    uint8_t *bytes = arena_alloc(a, size + 1);
    assert(hex_decode(buf_str(&b), bytes, size) && str_eq(str_n(bytes, size), s));
    buf_done(&b);
    arena_free(a);
    return 0;
}
