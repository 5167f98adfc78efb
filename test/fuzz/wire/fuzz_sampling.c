/* A sampling strategies file: what is accepted must answer every service within the bounds that clients check. */
#include "wire/sampling.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    AUTO(arena_free) struct arena *a = arena_new(4096);
    AUTO(buf_done) struct buf b = {0};
    struct json_out o = {.buf = &b};
    struct sampling_strategies all;
    struct err e;
    if (!sampling_parse(str_n(data, size), "f", a, &all, &e)) return 0;
    json_put_array(&o);
    for (size_t i = 0; i < MIN(all.service_n, (size_t)8); i++) {
        const struct sampling_strategy *s = sampling_find(&all, all.services[i].service);
        assert(s->share >= 0 && s->share <= 1 && s->share_else >= 0 && s->share_else <= 1 && s->traces_per_s >= 0);
        sampling_put_json(&o, s, i & 1);
    }
    json_put_array_end(&o);
    struct json j = json_open(buf_str(&b), a);
    json_skip(&j);
    assert(json_done(&j, &e));
    sampling_put_proto(&b, &all.fallback);
    return 0;
}
