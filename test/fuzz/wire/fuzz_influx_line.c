/* Line protocol. */
#include "wire/influx_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct influx_options o = {.now_ms = 7, .unit_ns = 1000, .db = STR("db"), .decoded_max = 64 << 20};
    struct metric_batch *b;
    struct influx_counts counts;
    struct otlp_partial partial;
    struct err e;
    if (!influx_decode(str_n(data, size), &o, &b, &counts, &partial, &e)) {
        assert(e.code == ERR_TOO_LARGE);
        return 0;
    }
    assert(b->row_n == b->sample_n && partial.rejected == counts.strings + counts.bad_lines);
    for (size_t i = 0; i < b->row_n; i++) {
        struct labels ls;
        if (!b->row_labels(b, i, b->arena, &ls, &e)) continue;
        assert(labels_get(ls, LABEL_METRIC_NAME).n);
        for (size_t k = 1; k < ls.n; k++) assert(str_cmp(ls.l[k - 1].name, ls.l[k].name) < 0);
    }
    metric_batch_free(b);
    return 0;
}
