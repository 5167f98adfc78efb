/* First byte: text or OpenMetrics, honor_labels, or the strict check; the rest is a page. */
#include "wire/openmetrics_check.h"
#include "wire/prom_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct label target[] = {{STR_INIT("instance"), STR_INIT("i")}, {STR_INIT("job"), STR_INIT("j")}};
    if (size == 0) return 0;
    str page = str_n(data + 1, size - 1);
    struct err e;
    if (data[0] & 4) {
        if (!openmetrics_check(page, &e)) assert(e.code == ERR_INPUT);
        return 0;
    }
    AUTO(metric_batch_free) struct metric_batch *b = metric_batch_new(256);
    const struct prom_text_options o = {.target = {target, 2}, .honor_timestamps = true, .openmetrics = data[0] & 1, .honor_labels = data[0] & 2};
    if (!prom_text_parse(page, &o, b, &e)) return 0;
    for (size_t i = 0; i < b->row_n; i++) {
        struct labels ls;
        assert(b->rows[i].key.n);
        if (!b->row_labels(b, i, b->arena, &ls, &e)) continue;
        for (size_t k = 1; k < ls.n; k++) assert(str_cmp(ls.l[k - 1].name, ls.l[k].name) < 0);
    }
    return 0;
}
