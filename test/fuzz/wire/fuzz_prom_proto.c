/* First byte: options; the rest is a page of delimited metric families. */
#include "wire/prom_proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct label target[] = {{STR_INIT("instance"), STR_INIT("i")}, {STR_INIT("job"), STR_INIT("j")}};
    if (size == 0) return 0;
    AUTO(metric_batch_free) struct metric_batch *b = metric_batch_new(256);
    const struct prom_text_options o = {.target = {target, 2},
                                        .honor_timestamps = true,
                                        .native_histograms = data[0] & 1,
                                        .classic_histograms = data[0] & 2,
                                        .honor_labels = data[0] & 4};
    struct err e = {0};
    if (!prom_proto_parse(str_n(data + 1, size - 1), &o, b, &e)) {
        assert(e.code == ERR_INPUT);
        return 0;
    }
    for (size_t i = 0; i < b->row_n; i++) {
        struct labels ls;
        assert(b->rows[i].key.n);
        if (!b->row_labels(b, i, b->arena, &ls, &e)) continue;
        for (size_t k = 1; k < ls.n; k++) assert(str_cmp(ls.l[k - 1].name, ls.l[k].name) < 0);
    }
    for (size_t i = 0; i < b->sample_n && b->h; i++)
        if (b->h[i] && !histogram_is_stale(b->h[i])) assert(b->h[i]->count >= 0);
    return 0;
}
